"""Layers of the project whose weights functions of torch come to compute from other parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pyroify.catalog.calls import computes_weight
from pyroify.dispatch import needs
from pyroify.program.index import Index, ModuleClass
from pyroify.program.points_to import CallSite, Pointers, calls_of, code_of
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Call, Element, Name

Key = tuple[str, str]
Reached = Callable[[ModuleClass], Iterable[ModuleClass]]


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A ``weight_norm(layer)`` or its like: the file, the call, and what it computes.

    ``below``: of an instance, or of any layer in it.
    """

    path: str
    call: Call
    name: str
    below: bool = False

    def computed(self, sites: Iterable[str]) -> Iterator[str]:
        """Those of the sites of a class that it computes."""
        for site in sites:
            way, _, last = site.rpartition(".")
            is_below = self.below and last in (self.name, "**")
            if is_below or (last == self.name and not way):
                yield site


NONE: Mapping[Key, tuple[Wrapping, ...]] = {}


@needs(*anywhere((Call, Name)), nothing=NONE)
def find_wrappings(
    index: Index, pointers: Pointers, reached: Reached
) -> Mapping[Key, tuple[Wrapping, ...]]:
    """By class: where other code has parameters of its instances computed.

    ``reached`` gives a class and what it holds. Where the source does not show which layer it is,
    it may be any that the class holds in which this happens.
    """
    found: dict[Key, dict[Wrapping, None]] = {}
    for file in index.files:
        for at in code_of(file):
            for call in calls_of(at):
                if not (isinstance(call.callee, Name) and computes_weight(call.callee.dotted)):
                    continue
                name = name_of_computed(call)
                for cls, below in _given(call, at, index, pointers, reached):
                    for item in cls.lineage:
                        wrapping = Wrapping(file.path, call, name, below)
                        found.setdefault(item.key, {})[wrapping] = None
    return {key: tuple(wrappings) for key, wrappings in found.items()}


def name_of_computed(call: Call) -> str:
    """The parameter that such a call computes."""
    given = call.argument("name", 1) or call.argument("tensor_name", 1)
    return given.text.strip("'\"") if given else "weight"


def _given(
    call: Call, at: CallSite, index: Index, pointers: Pointers, reached: Reached
) -> Iterator[tuple[ModuleClass, bool]]:
    """The classes that what is wrapped may be an instance of, or a layer below one of these.

    Not the class whose code it is: that declares its parameters afterwards.
    """
    here = _around(at, index)
    first = next((passed.value for passed in call.args if not passed.star), None)
    if first is None:
        return
    found = pointers.of(first, at)
    own = {cls.key for cls in here.lineage} if here else set()
    yield from ((cls, False) for cls in _classes(index, found.classes) if cls.key not in own)
    parts = found.classes if isinstance(first, Element) else ()  # of what was gone over
    holders = list(_classes(index, (*found.parts, *parts)))
    if found.anything:
        holders += (here,) if here else index.module_classes
    for holder in holders:
        yield from ((cls, True) for cls in reached(holder) if cls.key not in own)


def _around(at: CallSite, index: Index) -> ModuleClass | None:
    """The class in which code stands, be it in a function within a method."""
    line = at.function.line if at.function else 0
    inner = (cls for cls in at.file.classes if cls.line <= line <= cls.end_line)
    cls = at.cls or max(inner, key=lambda cls: cls.line, default=None)
    return index.module_class(at.file, cls) if cls else None


def _classes(index: Index, keys: Iterable[Key]) -> Iterator[ModuleClass]:
    yield from (cls for key in keys if (cls := index.class_at(key)) is not None)
