"""Initialisers that run when the parameter is no longer there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroify.checks.instances import Script
from pyroify.checks.subject import Subject
from pyroify.decide.project import Candidates, declared
from pyroify.decide.replaceable import becomes_buffer, goes_over_parameters
from pyroify.diagnostics import Finding, once_per_file
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite, PointsTo, called_on
from pyroify.program.summary import summary_of
from pyroify.syntax.facts import Function, Use, Write
from pyroify.syntax.observe.writes import INITIALISERS
from pyroify.syntax.traits import anywhere, called, early
from pyroify.syntax.values import Argument, Call, Name, Path, SelfRead, Unknown, Value

PARAMETRIZING = re.compile(r"torch\.nn\.utils\.parametriz(e|ations)\.")
EVERYWHERE = {"modules", "named_modules", "parameters", "named_parameters", "children"}
OVER_MODULES = {"apply", "modules", "named_modules", "children", "named_children"}
HELP = "move it into the class that declares the parameter, or give its values to the guide"


@needs(*anywhere(Write))
def late_write(subject: Subject) -> Iterator[Finding]:
    """A parameter written to after the base or the child that owns it has declared it."""
    for method in subject.methods:
        if method.name in subject.calling - subject.building:
            continue
        made = {item.path for item in method.assignments}
        found: list[Finding] = []
        for write in subject.writes(method):
            if method.name in subject.building:
                late = subject.is_declared_before(write.path) and not _runs_in_base(subject, method)
            else:
                is_new = any(write.path[: len(path)] == path for path in made)
                late = subject.is_declared(write.path) and not is_new
            if late:
                found.append(_without_effect(subject, write.line, write.column, write.path))
        yield from once_per_file(found)


def _runs_in_base(subject: Subject, method: Function) -> bool:
    """Whether a base's constructor calls the method, before that base declares anything."""
    return any(
        method.name in found.self_calls
        for base in subject.cls.lineage[1:]
        for found in base.cls.methods
    )


@needs(*early((Use, "call below")))
def late_reset(subject: Subject) -> Iterator[Finding]:
    """A child told to initialise itself again, when its parameters are declared."""
    project = subject.project
    for method in subject.methods:
        if method.name not in subject.building:
            continue
        for use in method.uses:
            if use.how != "call" or len(use.path) < 2:
                continue
            for child in project.classes_at(subject.cls, use.path[0]):
                found = child.find_method(use.path[-1])
                writes = found[1].writes if found else ()
                if any(project.leads_to(child, write.path, declared) for write in writes):
                    yield _without_effect(subject, use.line, use.column, use.path)
                    break


@needs(*called("apply", *EVERYWHERE))
def late_sweep(subject: Subject) -> Iterator[Finding]:
    """An initialiser sent over all modules, of which some have declared their parameters."""
    project, cls = subject.project, subject.cls
    declares, freezes = any(_declares(subject)), any(_makes_buffers(subject))
    draws = declares or _has_declared(project, cls)
    for method in subject.methods:
        is_building = method.name in subject.summary.building
        if _runs_in_base(subject, method) if is_building else method.name in subject.calling:
            continue
        by_modules = _goes_over_modules(method)
        over_all = goes_over_parameters(method, subject.cls, subject.project.index)
        is_late = declares if is_building else draws
        is_late = is_late or (freezes and (over_all or not by_modules))
        if is_late and (call := _sweep(subject, method)):
            if by_modules and _reads_computed(subject):
                yield subject.finding(
                    call.line,
                    call.column,
                    "PYR037",
                    f"{call.text} reads weights that are computed by modules which a base or "
                    "child has converted: they run before it is held",
                    "initialise them where they are made, or remove the wrapper",
                )
            yield subject.finding(
                call.line,
                call.column,
                "PYR003",
                f"{call.text} also reaches parameters that a base or child has declared, where "
                "it has no effect",
                HELP,
            )


@needs(*early(*called("apply")))
def late_sweep_of_parts(subject: Subject) -> Iterator[Finding]:
    """An initialiser sent over a part that has declared its parameters, or over what may be one."""
    project, cls = subject.project, subject.cls
    for method in subject.methods:
        if method.name not in subject.summary.building:
            continue
        at = CallSite(cls.file, method, cls.cls)
        for call in method.layer_calls:
            owner, name = called_on(call)
            if name != "apply" or owner in (None, Argument("self")):
                continue
            is_initialised = any(_is_initialiser(subject, passed.value) for passed in call.args)
            if is_initialised and (part := _declared_part(subject, project.pointers.of(owner, at))):
                said = _reaches(call, part)
                yield subject.finding(call.line, call.column, "PYR003", said, HELP)


def _declared_part(subject: Subject, found: PointsTo) -> ModuleClass | None:
    """A class that has declared parameters, of which something may be an instance."""
    project = subject.project
    classes = filter(None, map(project.index.class_at, found.classes))
    may_be = subject.summary.held if found.anything and not found.classes else classes
    return next((part for part in may_be if _has_declared(project, part)), None)


def _reaches(call: Call, cls: ModuleClass) -> str:
    name = cls.cls.name
    return f"{call.text} also reaches the random parameters of {name}, where it has no effect"


def _has_declared(project: Candidates, cls: ModuleClass) -> bool:
    return project.draws(cls) or bool(project.of(cls).declared)


@needs(*called("apply"))
def instance_sweep(script: Script) -> Iterator[Finding]:
    """``net.apply(init)`` on a module that has declared its parameters by then."""
    project = script.project
    for call, at in script.calls:
        owner, method = called_on(call)
        if method != "apply" or owner in (None, Argument("self")):
            continue
        cls = script.owner(call, at)
        if cls is None or not _has_declared(project, cls):
            continue
        if script.is_within_call(at) and script.is_building(at):
            continue  # which is said of the class
        if any(_is_function_initialising(project, script.file.path, p.value) for p in call.args):
            yield script.finding(call, "PYR003", _reaches(call, cls), HELP)


def _sweep(subject: Subject, method: Function) -> Call | None:
    """The call that initialises whatever there is: ``self.apply(init)``, or one in a loop."""
    own = {
        call.callee.path[0]: call
        for call in method.layer_calls
        if isinstance(call.callee, SelfRead) and len(call.callee.path) == 1
    }
    applied = own.get("apply")
    if applied and applied.args and _is_initialiser(subject, applied.args[0].value):
        return applied
    if EVERYWHERE & own.keys():
        return next(filter(_initialises, method.layer_calls), None)
    return None


def _goes_over_modules(method: Function) -> bool:
    """Whether a method goes over modules, not over their parameters alone."""
    names = {
        call.callee.path[0] for call in method.layer_calls if isinstance(call.callee, SelfRead)
    }
    return bool(names & OVER_MODULES)


def _reads_computed(subject: Subject) -> bool:
    """Whether a base, or a class that it holds, has declared what computes a layer's weight."""
    return any(
        isinstance(call.callee, Name) and PARAMETRIZING.match(call.callee.dotted)
        for cls in _reached(subject)
        if subject.project.draws(cls) or subject.project.of(cls).declared
        for method in cls.cls.methods
        for call in method.layer_calls
    )


def _makes_buffers(subject: Subject) -> Iterator[bool]:
    """For each base and all that it holds: whether frozen parameters of it become buffers."""
    for cls in _reached(subject):
        if summary := subject.project.summaries.get(cls.key):
            kept = (own for own in summary.all_parameters if own.declared is None)
            yield any(becomes_buffer(own, summary) for own in kept)


def _reached(subject: Subject) -> Iterator[ModuleClass]:
    """Bases, the classes that it holds, and what is part of these."""
    waiting = [*subject.cls.lineage[1:], *subject.summary.held]
    reached: set[tuple[str, str]] = set()
    while waiting:
        cls = waiting.pop()
        if cls.key not in reached:
            reached.add(cls.key)
            yield cls
            waiting += (*cls.lineage[1:], *summary_of(cls, subject.summary.resolver).held)


def _declares(subject: Subject) -> Iterator[bool]:
    """For each base and each class it holds: whether it declares anything."""
    project = subject.project
    for cls in (*subject.cls.lineage[1:], *subject.summary.held):
        yield _has_declared(project, cls)
    yield _builds_what_it_is_given(subject)


def _builds_what_it_is_given(subject: Subject) -> bool:
    """``ResNet(Bottleneck, ...)``: it makes instances of a class that stands beside it."""
    beside = any(
        path == subject.cls.file.path and name != subject.cls.cls.qualname
        for path, name in subject.project.handed_about
    )
    return beside and any(
        isinstance(call.callee, Argument)
        for method in subject.methods
        if method.name in subject.summary.building
        for call in method.layer_calls
    )


def _is_initialiser(subject: Subject, value: Value) -> bool:
    """Whether a function handed to ``apply`` writes into parameters."""
    if isinstance(value, SelfRead) and len(value.path) == 1:
        found = subject.cls.find_method(value.path[0])
        return found is not None and initialises(found[1])
    if isinstance(value, Call):
        return any(_is_initialiser(subject, passed.value) for passed in value.args)
    if _is_function_initialising(subject.project, subject.cls.file.path, value):
        return True
    return isinstance(value, Unknown) and "init" in value.text


def _is_function_initialising(project: Candidates, path: str, value: Value) -> bool:
    """Whether a value is, or is made with, a function that writes into parameters."""
    match value:
        case Name(dotted=dotted):
            function = project.index.resolve(dotted, path).function
            return function is not None and initialises(function)
        case Call(args=args):
            return any(_is_function_initialising(project, path, p.value) for p in args)
    return False


def initialises(function: Function) -> bool:
    """Whether a function writes into parameters of modules it is given or goes over."""
    return any(_initialises(call) for call in function.layer_calls)


def _initialises(call: Call) -> bool:
    match call.callee:
        case Name(dotted=dotted):
            return dotted.startswith(INITIALISERS) or dotted.endswith("normal_")
        case Unknown(path=(*_, owner, name)):
            is_in_place = name.endswith("_") and name != "requires_grad_"
            return is_in_place and owner in ("data", "weight", "bias")
    return False


def _without_effect(subject: Subject, line: int, column: int, path: Path) -> Finding:
    return subject.finding(
        line,
        column,
        "PYR003",
        f"self.{'.'.join(path)} runs after the declaration, so that it has no effect"
        if path[-1] == "reset_parameters"
        else f"self.{'.'.join(path)} is written to after its declaration, which has no effect",
        HELP,
    )
