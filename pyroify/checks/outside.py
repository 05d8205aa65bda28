"""Random parameters that a script reads through an instance, outside of any call of it."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.members import METADATA
from pyroify.checks.initialisers import HELP
from pyroify.checks.instances import Script, dotted
from pyroify.decide.project import random
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite
from pyroify.syntax.observe.writes import INITIALISERS
from pyroify.syntax.traits import outside
from pyroify.syntax.values import Call, Name, Path, Unknown, Value


@needs(*outside(Call))
def draw_handed_on(script: Script) -> Iterator[Finding]:
    """A random parameter of an instance, given to a function: to print, store or initialise it."""
    for call, at in script.calls:
        if script.is_within_call(at):
            continue
        draws = (_draw(script, value, at) for passed in call.args for value in _parts(passed.value))
        draw = next(filter(None, draws), "")
        if draw and dotted(call).startswith(INITIALISERS):
            message = f"{draw} is initialised after its declaration, which has no effect"
            yield script.finding(call, "PYR003", message, HELP)
        elif draw:
            yield script.finding(
                call,
                "PYR071",
                f"{draw} is read outside of a call, and drawn anew",
                "look at the guide: guide.median(), or guide.quantiles([0.05, 0.95])",
            )


def _parts(value: Value) -> Iterator[Value]:
    """A value, and what attributes and methods are taken of to make it."""
    yield value
    if isinstance(value, Unknown) and value.owner is not None:
        yield from _parts(value.owner)
    elif isinstance(value, Call):
        yield from _parts(value.callee)


def _draw(script: Script, value: Value, at: CallSite) -> str:
    """The random parameter that a value is, with the class of its instance; ``""`` for others."""
    cls, path = _read(script, value, at)
    for end in range(1, len(path) + 1):
        if cls and script.project.leads_to(cls, path[:end], random) and not METADATA & set(path):
            return ".".join((cls.cls.name, *path[:end]))
    return ""


def _read(script: Script, value: Value, at: CallSite) -> tuple[ModuleClass | None, Path]:
    """The converted class that attributes are read of, and the attributes."""
    if isinstance(value, Unknown) and value.owner is not None:
        return script.instance(value.owner, at), value.path
    names = value.dotted.split(".") if isinstance(value, Name) else []
    for end in range(1, len(names)):
        if cls := script.instance(Name(".".join(names[:end])), at):
            return cls, tuple(names[end:])
    return None, ()
