"""What a parameter holds once its constructor has run, as far as the source shows it."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.layers import LAYERS, fill
from pyroify.program.summary import ClassSummary
from pyroify.spec.literals import AROUND_ZERO, FAR, Range, alternatives, value_range, written_range
from pyroify.syntax.facts import Write

SWEEPS = frozenset(
    "apply modules named_modules parameters named_parameters children state_dict".split()
)
"""What leads an initialiser to parameters without naming them."""

Start = tuple[str, Range]
"""In words, and as the lowest and highest value."""


def start_of(summary: ClassSummary, path: str, layer: str, hidden: bool = False) -> Start | None:
    """What the parameter at a path starts at; ``layer`` is that of torch which owns it, if any.

    ``hidden``: such a layer owns it, but only run time shows which.
    """
    names = tuple(path.split("."))
    own = [item for item in summary.all_parameters if item.name == path]
    made = [item for one in own for item in one.made]
    writes = list(_writes(summary, names))
    if len(made) == 1 and not writes:
        arguments = own[0].method.arguments
        for name in (name for name in alternatives(made[0].initial) if name in arguments):
            return f"{name}, an argument that may be anything,", (-FAR, FAR)
    if _is_handed_about(summary, names):
        return None
    if writes:
        values = written_range(writes[0].source) if len(writes) == 1 and writes[0].source else None
        return values and (writes[0].source, values)
    if layer:
        value = fill(layer, names[-1])
        values = AROUND_ZERO if value is None else (value, value)
        return f"the {names[-1]} that {layer} begins with", values
    if hidden and (fills := _fills(names[-1])):
        return f"the {names[-1]} that layers of torch begin with", (min(fills), max(fills))
    values = value_range(made[0].initial) if len(made) == 1 else None
    return values and (made[0].initial, values)


def _fills(name: str) -> list[float]:
    """The outermost values that the layers with such a parameter begin with; none without any."""
    layers = [key for key, layer in LAYERS.items() if name in (p.name for p in layer.parameters)]
    values = (fill(layer, name) for layer in layers)
    return [edge for value in values for edge in (AROUND_ZERO if value is None else (value, value))]


def _is_handed_about(summary: ClassSummary, names: tuple[str, ...]) -> bool:
    """Whether code that is not looked at may initialise the parameter, or what holds it."""
    above = (names[:length] for length in range(1, len(names)))
    return not SWEEPS.isdisjoint(summary.used_names) or any(
        path in summary.handed_to_calls for path in above
    )


def _writes(summary: ClassSummary, names: tuple[str, ...]) -> Iterator[Write]:
    """What writes into the parameter; an index of the source may be any."""
    for cls in (summary.cls, *summary.relatives):
        for method in cls.cls.methods:
            for write in method.writes:
                if len(write.path) == len(names) and all(
                    one == other or one == "*" for one, other in zip(write.path, names, strict=True)
                ):
                    yield write
