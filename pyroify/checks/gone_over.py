"""Methods that go over the parameters of a module, among which the random ones are no more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set

from pyroify.catalog.training import CONSUMERS, GIVING_ALL, PASSING_ON
from pyroify.checks.instances import dotted
from pyroify.checks.subject import Subject
from pyroify.checks.training import asks_first_parameter, called_name
from pyroify.decide.project import Candidates, Key
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.attributes.frozen import is_freezing
from pyroify.program.points_to import called_on
from pyroify.program.values import is_opaque
from pyroify.syntax.access_paths import paths_of
from pyroify.syntax.facts import Freeze, Function, Use
from pyroify.syntax.observe.observations import PARAMETERS
from pyroify.syntax.traits import anywhere, called, later
from pyroify.syntax.values import (
    Argument,
    Call,
    Items,
    Name,
    Path,
    SelfRead,
    Unknown,
    Value,
    calls_in,
    member_of,
)

FREEZING = (Freeze, *called("requires_grad_", "getattr", "get_submodule"))
"""What freezes something, by itself or for what calls it."""
FOR_AN_OPTIMISER = re.compile(r"param|optim|decay|trainable")
"""Names of methods whose result is meant for an optimiser."""
NONE: Mapping[Key, frozenset[str]] = {}
OF_EVERY_MODULE = frozenset({*PARAMETERS, "forward", "__call__", "train", "eval", "state_dict"})
"""Names that say nothing of what is called."""


@needs(*later(*called(*PARAMETERS)))
def parameters_gone_over(subject: Subject) -> Iterator[Finding]:
    """``parameters()`` in a method: refused where it is part of what the module computes."""
    for method, use in _goes_over(subject):
        if use.line in _lines_of_consumers(method) and _may_be_module(subject, use):
            continue  # that is said of the optimiser
        source = ".".join(("self", *use.path))
        said = f"{method.name} goes over {source}()", "read the parameters it means by name"
        yield _missing(subject, method, use, *said)


@needs(*anywhere(*called(*PARAMETERS)))
def parameters_gone_over_elsewhere(subject: Subject) -> Iterator[Finding]:
    """The same in a function that a method hands a module to."""
    for method, call, function, name in _handed_on(subject):
        said = f"{function.name} goes over {name}.parameters()"
        help = "have it read the parameters it means by name"
        yield _missing(subject, method, call, said, help)


def _missing(subject: Subject, method: Function, at: Use | Call, said: str, help: str) -> Finding:
    """What a method does misses random parameters: refused, with ``help``, where it is called."""
    is_called = method.name in subject.calling
    return subject.finding(
        at.line,
        at.column,
        "PYR069" if is_called else "PYR010",
        f"{said}, where the random ones are missing",
        help if is_called else "take the draws by name, or the parameters of the guide",
    )


def _handed_on(subject: Subject) -> Iterator[tuple[Function, Call, Function, str]]:
    """What methods hand to functions that go over its parameters, as which argument."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for call, function, name, value in subject.passed(method):
            paths = [()] if value == Argument("self") else paths_of(value)
            if any(_reaches(subject, path) for path in paths):
                if _goes_over_argument(subject, function, name):
                    yield method, call, function, name


def _goes_over_argument(subject: Subject, function: Function, name: str) -> bool:
    """Whether a function reads the parameters of an argument, or hands all of them on."""
    asked = [call for call in function.layer_calls if _is_asked(call, name)]
    if not asked:
        return False
    index = subject.project.index
    files = (file for file in index.files if any(f is function for f in file.functions))
    swept = {(s.line, s.column) for file in files for s in file.sweeps if not s.prepares}
    return any(call.place in swept for call in asked) or any(
        _is_asked(inner, name)
        for call in function.layer_calls
        if dotted(call) not in PASSING_ON and not CONSUMERS.fullmatch(called_name(call))
        for passed in call.args
        for inner in _all_given(passed.value)
    )


def _is_asked(call: Call, name: str) -> bool:
    owner, method = called_on(call)
    return owner == Argument(name) and method in PARAMETERS


def _all_given(value: Value) -> Iterator[Call]:
    """The calls whose result is given whole, as it is or in a list."""
    if isinstance(value, Call):
        yield value
        for passed in value.args if dotted(value) in GIVING_ALL else ():
            yield from _all_given(passed.value)


@needs(*anywhere(*FREEZING))
def parameters_frozen(subject: Subject) -> Iterator[Finding]:
    """What freezes a module, a method or a function, and does not reach its random parameters."""
    for _, call in _freezes(subject):
        yield subject.finding(
            call.line,
            call.column,
            "PYR010",
            f"{call.text} does not reach random parameters: the guide learns them",
            "keep what is to be frozen, or hide its sites from the guide with pyro.poutine.block",
        )


def _freezes(subject: Subject) -> Iterator[tuple[Function, Call]]:
    """Calls that freeze the module, or what it holds, once it is built."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for call in method.layer_calls:
            paths = [*_frozen_itself(call), *_frozen_by_function(subject, call)]
            if any(_reaches(subject, path) for path in paths):
                yield method, call


def _frozen_itself(call: Call) -> Iterator[Path]:
    yield from (tuple(path) for *path, name in paths_of(call.callee) if name == "requires_grad_")


def _frozen_by_function(subject: Subject, call: Call) -> Iterator[Path]:
    """What is given to a function that freezes it, below ``self``; empty for all of it."""
    if not isinstance(call.callee, Name) or not is_freezing(subject.summary, call.callee.dotted):
        return
    for passed in call.args:
        if passed.text == "self":
            yield ()
        elif isinstance(passed.value, SelfRead):
            yield passed.value.path


def _may_be_module(subject: Subject, use: Use) -> bool:
    """Whether what is asked for its parameters may be an instance of a class of the project."""
    nodes = [item.node for item in subject.summary.everything if item.name == use.path[0]]
    holds_class = any(subject.project.classes_at(subject.cls, use.path[0]))
    return len(use.path) == 1 or holds_class or any(map(is_opaque, nodes))


@needs(*later((Function, Items)))
def parameters_handed_out(subject: Subject) -> Iterator[Finding]:
    """A list of parameters for an optimiser, which are draws now."""
    for method in subject.methods:
        if method.name in subject.building | subject.calling:
            continue
        if not FOR_AN_OPTIMISER.search(method.name):
            continue
        if any(_holds_draws(subject, method, value) for value in method.returns):
            yield subject.finding(
                method.line,
                method.column,
                "PYR010",
                f"{method.name} gives draws, which no optimiser can train",
                "optimise the parameters of the guide",
            )


@needs(*anywhere(*FREEZING, *called(*PARAMETERS, "state_dict", "next")), nothing=NONE)
def methods_gone_over(project: Candidates) -> Mapping[Key, frozenset[str]]:
    """Methods of each class that go over parameters, or call one of a class that does.

    To count them is enough, as there are fewer. So does what gives the ``state_dict``, which holds
    no random parameters.
    """
    subjects = {key: Subject(project, summary) for key, summary in project.summaries.items()}
    found = {
        key: {method.name for method, _ in _goes_over(subject, counting=True)}
        | {method.name for method in subject.methods if "state_dict" in method.self_calls}
        | (_freezing_or_handing(subject) - subject.calling)
        for key, subject in subjects.items()
    }
    functions = _functions_asking(project)
    while True:
        names = frozenset().union(*found.values()) - OF_EVERY_MODULE
        grown = {
            key: found[key]
            | {m.name for m in subject.methods if _called(m) & names or _calls(m, functions)}
            for key, subject in subjects.items()
        }
        if grown == found:
            break
        found = grown
    return {
        key: frozenset().union(*(found.get(cls.key, ()) for cls in subject.cls.lineage))
        for key, subject in subjects.items()
    }


def _freezing_or_handing(subject: Subject) -> set[str]:
    """Methods that freeze the module, or hand it to a function that goes over its parameters."""
    freezing = {method.name for method, _ in _freezes(subject)}
    return freezing | {method.name for method, *_ in _handed_on(subject)}


def _functions_asking(project: Candidates) -> frozenset[str]:
    """Names of functions that ask a module for its first parameter, or call one that does."""
    functions = [function for file in project.index.files for function in file.functions]
    found = {f.name for f in functions if any(map(asks_first_parameter, f.layer_calls))}
    while more := {f.name for f in functions if _calls(f, found)} - found:
        found |= more
    return frozenset(found)


def _calls(function: Function, names: Set[str]) -> bool:
    """Whether a function calls one of these functions by its name."""
    return any(dotted(call).rpartition(".")[2] in names for call in function.layer_calls)


def _goes_over(subject: Subject, counting: bool = False) -> Iterator[tuple[Function, Use]]:
    """Calls of ``parameters()`` after construction.

    If ``counting``, those that only ask for sizes are among them, and those of methods that the
    constructor calls, which others may call later.
    """
    for method in subject.methods:
        if method.name in ({"__init__"} if counting else subject.building):
            continue
        sizes = {(seen.line, seen.column) for seen in method.observations if seen.kind == "sizes"}
        for use in method.uses:
            if use.how != "call" or use.path[-1] not in PARAMETERS or use.within == "next":
                continue
            is_asked = counting or (use.line, use.column) not in sizes
            if is_asked and _reaches(subject, use.path[:-1]):
                yield method, use


def _reaches(subject: Subject, path: Path) -> bool:
    """Whether there are random parameters below ``self.<path>``."""
    return path[0] in subject.randomness.names if path else subject.project.draws(subject.cls)


def _lines_of_consumers(method: Function) -> set[int]:
    """Lines with an optimiser, or with what it is given."""
    consumers = [call for call in method.layer_calls if CONSUMERS.fullmatch(called_name(call))]
    given = [inner for call in consumers for p in call.args for inner in calls_in(p.value)]
    return {call.line for call in (*consumers, *given)}


def _holds_draws(subject: Subject, method: Function, value: Value) -> bool:
    """Whether a value is a list, tuple or dict with parameters among its members."""
    if not isinstance(value, Items):
        return False
    for item in value.items:
        member = member_of(item)
        if isinstance(member, SelfRead) and subject.randomness.is_random(member.path):
            return True
        if isinstance(member, Unknown) and member.path[-1:] in (("weight",), ("bias",)):
            if any(seen.kind == "layers" for seen in method.observations):
                return True
        if _holds_draws(subject, method, member):
            return True
    return False


def _called(method: Function) -> set[str]:
    """Last names of what a method calls, on itself or on anything else."""
    names = {use.path[-1] for use in method.uses if use.how == "call"}
    return names | {
        call.callee.path[-1]
        for call in method.layer_calls
        if isinstance(call.callee, Unknown) and call.callee.path
    }
