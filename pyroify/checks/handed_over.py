"""Parameters that a constructor hands over: to an optimizer, to a list for a penalty."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import replace

from pyroify.checks.subject import Subject, uses_in
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import Base
from pyroify.program.values import ClassInstance, is_opaque
from pyroify.syntax.facts import Function, Use
from pyroify.syntax.observe.observations import PARAMETERS
from pyroify.syntax.traits import called, early
from pyroify.syntax.values import Path, calls_in, walk

OPTIMIZER = re.compile(r"^torch\.optim\.|[oO]ptim")
KEEPER = re.compile(rf"^filter$|^self\.|{OPTIMIZER.pattern}")
"""Calls that may keep the parameters they are given."""
LISTS = {"", "list", "tuple", "dict"}
HANDING = ((Use, "given to a method"), *called(*PARAMETERS))
"""What gives parameters to what may keep them."""
ADDING = {"append", "extend", "add", "insert", "update", "setdefault"}


@needs(*early(*HANDING))
def parameters_kept(subject: Subject) -> Iterator[Finding]:
    """Parameters that something keeps from before declarations replace them."""
    for method, use in _handed_over(subject):
        holders = _holders(subject, method, use)
        if OPTIMIZER.search(use.within) and not _some_are_left(subject, use):
            yield _finding(subject, use, "PYR021", "may find none left, which is an error")
        elif not holders or _read_when_called(subject, holders):
            yield _finding(subject, use, "PYR021", "keeps parameters that are drawn from then on")
        elif not use.within.startswith("torch.optim."):  # that is said wherever it stands
            yield _finding(subject, use, "PYR010", "keeps what is no longer trained")


@needs((Base, "local"), *early(*HANDING), nothing=())
def stale_methods(own: Subject) -> tuple[str, ...]:
    """Methods of a class that go on with parameters kept from its construction."""
    project = own.project
    subjects = [
        Subject(project, project.summaries[cls.key])
        for cls in own.cls.lineage
        if cls.key in project.summaries
    ]
    holders = {
        holder
        for subject in subjects
        for method, use in _handed_over(subject)
        for holder in _holders(subject, method, use)
    }
    if not holders:
        return ()
    names = dict.fromkeys(method.name for subject in subjects for method in subject.methods)
    building = subjects[0].building
    return tuple(
        name for name in names if name not in building and _reads(subjects[0], {name}, holders)
    )


def _handed_over(subject: Subject) -> Iterator[tuple[Function, Use]]:
    """Uses in a constructor that give parameters to what keeps them."""
    for method in subject.methods:
        if method.name not in subject.building:
            continue
        for use in (*method.uses, *_by_a_name(method)):
            one = _is_method(subject, use) and subject.randomness.reads(use)
            whole = _gives_all(method, use) and _is_declared(subject, use)
            if whole or (one and _holders(subject, method, use)):
                yield method, use


def _by_a_name(method: Function) -> Iterator[Use]:
    """Uses of parameters that an optimizer is given later on: by a name, or in groups."""
    found = {
        (inner.line, inner.column): call.text
        for call in method.layer_calls
        if OPTIMIZER.search(call.text)
        for argument in call.args
        for inner in calls_in(argument.value)
    }
    for use in method.uses:
        within = found.get((use.line, use.column), "")
        if within and not KEEPER.search(use.within):
            yield replace(use, within=within)


def _gives_all(method: Function, use: Use) -> bool:
    """Whether ``parameters()`` goes to a keeper, or into an attribute as a list."""
    if use.how != "call" or use.path[-1] not in PARAMETERS:
        return False
    if KEEPER.search(use.within):
        return True
    return use.within in LISTS and any(use in uses_in(method, item) for item in method.assignments)


def _finding(subject: Subject, use: Use, code: str, consequence: str) -> Finding:
    source = ".".join(("self", *use.path)) + ("()" if use.how == "call" else "")
    return subject.finding(
        use.line,
        use.column,
        code,
        f"{use.within or 'an attribute'} is given {source} during construction, and {consequence}",
        "hand them over after construction, where they are read"
        if code == "PYR021"
        else "the prior stands in for a penalty, the guide is what to optimise",
        subject.sites_at(_given(use)) if code == "PYR021" else (),
    )


def _given(use: Use) -> Path:
    """What the parameters are of, or what holds them."""
    return use.path[:-1] if use.how == "call" else use.path


def _is_declared(subject: Subject, use: Use) -> bool:
    """Whether some of what is handed over stays no parameter."""
    return any(True for _ in subject.project.sites_at(subject.cls, _given(use)))


def _holders(subject: Subject, method: Function, use: Use) -> frozenset[Path]:
    """Attributes that a statement, or the methods that a constructor calls, put parameters into."""
    assigned = frozenset(item.path for item in method.assignments if use in uses_in(method, item))
    if assigned:
        return assigned
    called = {use.within.removeprefix("self.")} if _is_method(subject, use) else method.self_calls
    calls = subject.summary.calls
    reached = calls.reached(calls.methods(*called), reads=True)
    return frozenset(path for _, function in reached for path in _written_paths(function))


def _is_method(subject: Subject, use: Use) -> bool:
    start, _, name = use.within.partition(".")
    return start == "self" and subject.cls.find_method(name) is not None


def _written_paths(function: Function) -> Iterator[Path]:
    """Attributes that a function assigns or adds to."""
    yield from (item.path for item in function.assignments if item.path)
    for use in function.uses:
        if use.how in ("augmented", "setitem"):
            yield use.path
        elif use.how == "call" and use.path[-1] in ADDING:
            yield use.path[:-1]


def _read_when_called(subject: Subject, attributes: frozenset[Path]) -> bool:
    """Whether a call of the module, or of a relative, reads one of these attributes."""
    return _reads(subject, {"forward", "__call__"}, attributes)


def _reads(subject: Subject, methods: Set[str], attributes: Set[Path]) -> bool:
    """Whether methods, or those they call, read one of these attributes."""
    calls = subject.summary.calls
    reached = calls.reached(calls.methods(*methods), reads=True)
    return any(
        use.path[: len(path)] == path and use.how not in ("store", "delete")
        for _, function in reached
        for use in function.uses
        for path in attributes
    )


def _some_are_left(subject: Subject, use: Use) -> bool:
    """Whether it is sure that parameters are found which no class of the project declares."""
    if len(use.path) > 1:
        return _is_of_torch(subject, use.path[0])
    names = {site.split(".")[0] for site in subject.project.of(subject.cls).declared}
    own = {parameter.name for parameter in subject.summary.all_parameters}
    return any(name in own or _is_of_torch(subject, name) for name in names)


def _is_of_torch(subject: Subject, name: str) -> bool:
    """Whether an attribute is seen to hold layers of torch alone."""
    nodes = [item.node for item in subject.summary.everything if item.name == name]
    return bool(nodes) and not any(
        is_opaque(node) or any(isinstance(item, ClassInstance) for item in walk(node))
        for node in nodes
    )
