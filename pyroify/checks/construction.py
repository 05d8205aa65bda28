"""Constructors: what they call, set and initialise, in view of declarations at their end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroify.checks.subject import Subject, uses_in
from pyroify.decide.project import declared
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.edits.returns import (
    declared_names,
    returns_past_declarations,
)
from pyroify.program.attributes.ties import find_ties
from pyroify.program.index import Base
from pyroify.program.summary import ADDING
from pyroify.program.values import (
    ContainerInstance,
    classes_in,
    may_be_any_class,
)
from pyroify.syntax.facts import Assignment, EarlyReturn, Function, Use
from pyroify.syntax.traits import BEYOND_LAYERS, called, early
from pyroify.syntax.values import (
    Call,
    Declared,
    Items,
    Name,
    Parameter,
    Path,
    SelfRead,
    Unknown,
    Value,
    options_of,
    walk,
)

SNAPSHOTS = {"data", "detach", "item", "tolist", "numpy"}
LIKE = re.compile(r"torch\.\w+_like|float|int|len|isinstance|hasattr|id|is|type|print")
AUTOGUIDE = re.compile(r"pyro\.(infer|contrib)\..*\bAuto[A-Z]\w*")
HOOKS = {"register_hook", "register_post_accumulate_grad_hook"}
SETTABLE = {"data", "grad", "requires_grad"}
ANY = "**"
"""Names that only run time shows, as a site."""


@needs((Function, "no super().__init__()"))
def no_base_constructor(subject: Subject) -> Iterator[Finding]:
    """A constructor from which PyroModule's own is not reached."""
    constructor = subject.summary.constructor
    if constructor is None or subject.summary.calls_base_constructor:
        return
    yield subject.finding(
        subject.cls.cls.line,
        subject.cls.cls.column,
        "PYR017",
        f"{constructor.name} does not call super().__init__()",
        "call it before anything is attached",
    )


@needs(EarlyReturn)
def early_return(subject: Subject) -> Iterator[Finding]:
    """Declarations in a method that returns early, before all that it has is made."""
    summary = subject.summary
    declared = declared_names(summary, subject.project.of(subject.cls))
    for method, covered in summary.stages:
        if (
            method is not summary.constructor
            and not summary.attached(covered) & subject.randomness.names
        ):
            continue
        if returns_past_declarations(summary, method, declared):
            plain = _one_side(subject, declared) if method is summary.constructor else ()
            yield subject.finding(
                method.return_lines[0],
                0,
                "PYR063",
                f"{method.name} returns early, before its end",
                "turn the return into an if/else",
                [f"{subject.cls.name}.{name}.**" for name in sorted(plain)],
            )


def _one_side(subject: Subject, declared: frozenset[str]) -> frozenset[str]:
    """Attributes that may stay plain, so that others are all made on one side of early returns.

    A loop over what is there stands before them: it converts no container that is made later, where
    random instances would lose the first part of their names.
    """
    late = subject.summary.made_past_returns(declared)
    if not subject.at_run_time:
        return min(late, declared - late, key=len)
    names = frozenset(subject.summary.names_attached)
    past = subject.summary.made_past_returns(names)
    nodes = [item.node for item in subject.summary.everything if item.name in past]
    is_wide = any(_may_hold_random(subject, node) for node in nodes)
    return frozenset() if is_wide else late


def _may_hold_random(subject: Subject, node: Value) -> bool:
    """Whether a container, or what is not seen, may hold instances that draw."""
    return any(
        may_be_any_class(item)
        or (
            isinstance(item, ContainerInstance | Unknown)
            and any(map(subject.project.draws, classes_in(item)))
        )
        for item in walk(node)
    )


@needs(*early(Use))
def kept_value(subject: Subject) -> Iterator[Finding]:
    """A value computed from a random parameter in the constructor, or the parameter itself."""
    late = [tie.late for tie in find_ties(subject.summary) if tie.late is not None]
    for method in subject.methods:
        if method.name not in subject.building:
            continue
        for item in method.assignments:
            if isinstance(item.value, Parameter | Declared) or item in late:
                continue
            is_late = isinstance(item.value, SelfRead) and not subject.is_declared_before(
                item.value.path
            )
            if is_late and not _is_put_aside(subject, item):
                continue  # a tie, or a second name
            for use in uses_in(method, item):
                # What is set to a tensor computed from itself is no parameter yet.
                if use.path != item.path and _outlives(subject, use):
                    yield _kept(subject, use, f"self.{'.'.join(item.path)}")
                    break
        for use in method.uses:
            if use.within == "self.register_buffer" and _outlives(subject, use):
                yield _kept(subject, use, "a buffer")


@needs((Base, "local"), *early(Use))
def begun_with_draw(subject: Subject) -> Iterator[Finding]:
    """A parameter made of one that a base has declared by then: it begins with a draw."""
    for method in subject.methods:
        made = method.assignments if method.name in subject.building else ()
        for item in (item for item in made if isinstance(item.value, Parameter)):
            used = ((u, _inherited(subject, u)) for u in uses_in(method, item))
            use, drawn = next((found for found in used if found[1]), (None, ()))
            if use is not None:
                yield subject.finding(
                    use.line,
                    use.column,
                    "PYR003",
                    f"self.{'.'.join(item.path)} begins with a draw of self.{'.'.join(drawn)}, "
                    "not with its first value",
                    "keep the one that it is made of, or make it of what that is made of",
                )


def _inherited(subject: Subject, use: Use) -> Path:
    """What of a base's random parameters a use takes the value of; empty if nothing."""
    ways = (use.path[:length] for length in range(1, len(use.path) + 1))
    return next(filter(subject.is_inherited, ways), ()) if _outlives(subject, use) else ()


def _is_put_aside(subject: Subject, item: Assignment) -> bool:
    """Whether something is put into a list or a dict, which no module looks into."""
    return item.how in ADDING and subject.summary.container(item.path[0]) is None


@needs(BEYOND_LAYERS)
def put_aside(subject: Subject) -> Iterator[Finding]:
    """A parameter that a list or a dict keeps as it is made, beside its name in the module."""
    summary = subject.summary
    collections = {
        attribute.name
        for attribute in summary.everything
        if any(isinstance(node, Items) for node in options_of(attribute.node))
    }
    puts = (item for method in subject.methods for item in method.assignments if item.path)
    for item in puts if collections else ():
        kept = frozenset(_parameters_below(summary.node(item)))
        for name in _names_of(subject, kept) if item.path[0] in collections else ():
            where = "a computed name" if name == ANY else f"self.{name}"
            yield subject.finding(
                item.line,
                item.column,
                "PYR021",
                f"{where} is a draw, which self.{item.path[0]} would keep",
                "read it by its name",
                (f"{subject.cls.name}.{ANY}",) if name == ANY else subject.sites_at((name,)),
            )


def _parameters_below(node: Value) -> Iterator[Parameter]:
    return (item for item in walk(node) if isinstance(item, Parameter))


def _names_of(subject: Subject, made: frozenset[Parameter]) -> Iterator[str]:
    """The names under which the class declares some parameters; ``**`` for computed ones."""
    summary = subject.summary
    for own in summary.all_parameters:
        if made & {*own.made} and subject.is_declared((own.name,)):
            yield own.name
    if ANY in declared(subject.project.of(subject.cls)):
        computed = (
            item for method in subject.methods for item in method.assignments if item.path == ("*",)
        )
        if any(made & {*_parameters_below(summary.node(item))} for item in computed):
            yield ANY


@needs((Assignment, "setattr"))
def tied_by_computed_name(subject: Subject) -> Iterator[Finding]:
    """What a module with random parameters has, under a name that only run time shows."""
    for method in subject.methods:
        for item in method.assignments if method.name in subject.building else ():
            call = item.value
            if item.how != "setattr" or not isinstance(call, Call) or not call.args:
                continue
            owner = call.args[0].value
            if call.callee != Name("getattr") or not isinstance(owner, SelfRead):
                continue
            if owner.path[0] in subject.randomness.names:
                source = ".".join(("self", *owner.path))
                yield subject.finding(
                    item.line,
                    item.column,
                    "PYR019",
                    f"a computed name is tied to what {source} has, which may be a parameter",
                    "write the names out, in statements or in the loop",
                )


def _outlives(subject: Subject, use: Use) -> bool:
    """Whether a use takes the value of a parameter where only its first value was meant to go."""
    if use.later or LIKE.fullmatch(use.within) or not subject.randomness.reads(use):
        return False
    return subject.is_declared_before(use.path) or not SNAPSHOTS & set(use.path)


def _kept(subject: Subject, use: Use, where: str) -> Finding:
    return subject.finding(
        use.line,
        use.column,
        "PYR021",
        f"self.{'.'.join(use.path)} is a draw, which {where} would keep",
        "compute it where it is read",
        subject.sites_drawn(use.path),
    )


@needs((Name, "pyro"))
def own_guide(subject: Subject) -> Iterator[Finding]:
    """An autoguide of the model itself, as one of its attributes."""
    for method in subject.methods:
        for item in method.assignments:
            call = item.value
            if isinstance(call, Call) and _is_guide(call) and _is_of_itself(subject, call):
                yield subject.finding(
                    call.line,
                    call.column,
                    "PYR036",
                    f"self.{'.'.join(item.path)} is a guide of the model that holds it",
                    "keep the guide beside the model",
                )


def _is_guide(call: Call) -> bool:
    return isinstance(call.callee, Name) and AUTOGUIDE.fullmatch(call.callee.dotted) is not None


def _is_of_itself(subject: Subject, call: Call) -> bool:
    model = call.argument("model", 0)
    if model is None:
        return False
    method = model.value.path[0] if isinstance(model.value, SelfRead) else ""
    return model.text == "self" or subject.cls.find_method(method) is not None


@needs((str, "pyro"), (str, "unconstrained"))
def reserved_name(subject: Subject) -> Iterator[Finding]:
    """An attribute with a name that PyroModule keeps for itself."""
    parameters = {parameter.name for parameter in subject.summary.all_parameters}
    for method in subject.methods:
        for item in method.assignments:
            if not item.path:
                continue
            name = item.path[-1]
            storage = name.endswith("_unconstrained") and item.path[0] in parameters
            if name.startswith("_pyro_") or storage:
                yield subject.finding(
                    item.line,
                    item.column,
                    "PYR045",
                    f"PyroModule uses the name {name} itself",
                    "choose another name",
                )


@needs((Assignment, "below"), *called(*HOOKS))
def hook_or_mark(subject: Subject) -> Iterator[Finding]:
    """A hook on a parameter that is replaced, or an attribute set on it."""
    for method in subject.methods:
        for item in method.assignments:
            *path, name = item.path or ("",)
            if path and name not in SETTABLE and subject.is_declared(tuple(path)):
                yield _lost(subject, item.line, item.column, item.path)
        for use in method.uses if method.name in subject.building else ():
            hooks = use.how == "call" and use.path[-1] in HOOKS
            if hooks and subject.is_declared(use.path[:-1]):
                yield _lost(subject, use.line, use.column, use.path)


def _lost(subject: Subject, line: int, column: int, path: Path) -> Finding:
    return subject.finding(
        line,
        column,
        "PYR050",
        f"self.{'.'.join(path)} is lost with the parameter, which a declaration replaces",
        "keep the parameter, or do without",
        subject.sites_drawn(path),
    )
