"""What a parameter holds once its constructor has run, as far as the source shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyroify.catalog.layers import LAYERS, fill
from pyroify.program.summary import ClassSummary, OwnParameter
from pyroify.spec.literals import AROUND_ZERO, FAR, Range, alternatives, value_range, written_range
from pyroify.syntax.facts import Write
from pyroify.syntax.values import Argument

SWEEPS = frozenset(
    "apply modules named_modules parameters named_parameters children state_dict".split()
)
"""What leads an initialiser to parameters without naming them."""

Start = tuple[str, Range]
"""In words, and as the lowest and highest value."""


def starts_of(summary: ClassSummary, path: str, layer: str, hidden: bool = False) -> list[Start]:
    """What the parameter at a path may start at; ``layer`` is that of torch which owns it, if any.

    ``hidden``: such a layer owns it, but only run time shows which.
    """
    names = tuple(path.split("."))
    own = [item for item in summary.all_parameters if item.name == path]
    writes = list(_writes(summary, names))
    if handed := [] if writes else _handed_in(own):
        return handed
    if _is_handed_about(summary, names):
        return []
    if writes:
        values = written_range(writes[0].source) if len(writes) == 1 and writes[0].source else None
        return [(writes[0].source, values)] if values else []
    if layer:
        value = fill(layer, names[-1])
        values = AROUND_ZERO if value is None else (value, value)
        return [(f"the {names[-1]} that {layer} begins with", values)]
    if hidden and (fills := _fills(names[-1])):
        return [(f"the {names[-1]} that layers of torch begin with", (min(fills), max(fills)))]
    made = dict.fromkeys(source for item in own for source in _sources(item))
    return [(source, values) for source in made if (values := value_range(source))]


def _sources(own: OwnParameter) -> Iterator[str]:
    """What a parameter of the class itself may be made of."""
    return (source for made in own.made for source in alternatives(made.initial))


def _handed_in(own: Iterable[OwnParameter]) -> list[Start]:
    """The arguments that a parameter is, or starts at, by the source of its own class."""
    found = dict[str, None]()
    for item in own:
        found |= dict.fromkeys(name for name in _sources(item) if name in item.method.arguments)
        found |= dict.fromkeys(value.name for value in item.possible if isinstance(value, Argument))
    return [(f"{name}, an argument that may be anything,", (-FAR, FAR)) for name in found]


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
