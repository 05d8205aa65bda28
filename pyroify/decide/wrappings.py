"""Layers of the project whose weights functions of torch come to compute from other parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pyroify.catalog.calls import computes_weight
from pyroify.program.index import Index, ModuleClass
from pyroify.program.points_to import CallSite, Pointers, calls_of, code_of
from pyroify.syntax.values import Call, Name

Key = tuple[str, str]
Reached = Callable[[ModuleClass], Iterable[ModuleClass]]


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A ``weight_norm(layer)`` or its like: the file, the call, and what it computes."""

    path: str
    call: Call
    name: str


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
                wrapping = Wrapping(file.path, call, name_of_computed(call))
                for cls in _given(call, at, index, pointers, reached):
                    for item in cls.lineage:
                        found.setdefault(item.key, {})[wrapping] = None
    return {key: tuple(wrappings) for key, wrappings in found.items()}


def name_of_computed(call: Call) -> str:
    """The parameter that such a call computes."""
    given = call.argument("name", 1) or call.argument("tensor_name", 1)
    return given.text.strip("'\"") if given else "weight"


def _given(
    call: Call, at: CallSite, index: Index, pointers: Pointers, reached: Reached
) -> Iterator[ModuleClass]:
    """The classes that what is wrapped may be an instance of; not the one whose code wraps it."""
    here = _around(at, index)
    first = next((passed.value for passed in call.args if not passed.star), None)
    if first is None:
        return
    found = pointers.of(first, at)
    yield from _classes(index, (key for key in found.classes if not here or key != here.key))
    for holder in _classes(index, found.parts):
        yield from reached(holder)
    if found.anything:
        around = (here,) if here else index.module_classes
        yield from (cls for holder in around for cls in reached(holder))


def _around(at: CallSite, index: Index) -> ModuleClass | None:
    """The class in which code stands, be it in a function within a method."""
    line = at.function.line if at.function else 0
    inner = (cls for cls in at.file.classes if cls.line <= line <= cls.end_line)
    cls = at.cls or max(inner, key=lambda cls: cls.line, default=None)
    return index.module_class(at.file, cls) if cls else None


def _classes(index: Index, keys: Iterable[Key]) -> Iterator[ModuleClass]:
    yield from (cls for key in keys if (cls := index.class_at(key)) is not None)
