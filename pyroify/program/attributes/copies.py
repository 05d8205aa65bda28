"""Attributes that are copies of others: a copy is of the same class."""

from __future__ import annotations

from collections.abc import Container, Iterator, Set

from pyroify.catalog.calls import CLONES
from pyroify.program.summary import ClassSummary
from pyroify.syntax.values import Call, Location, Name, SelfRead, Value, calls_in, walk


def with_copied(summary: ClassSummary, names: Set[str]) -> set[str]:
    """Attributes, with those that they are copies of, be it by way of others."""
    copied = _copied(summary, names)
    read = {item.path[0] for item in copied if isinstance(item, SelfRead)} - names
    return with_copied(summary, names | read) if read else {*names}


def made_to_copy(summary: ClassSummary, names: Container[str]) -> set[Location]:
    """Where that is made which attributes are copies of, without a name of its own."""
    return {item.place for item in _copied(summary, names) if isinstance(item, Call)}


def _copied(summary: ClassSummary, names: Container[str]) -> Iterator[Value]:
    """What attributes are copies of."""
    index, path = summary.resolver.index, summary.cls.file.path
    for attribute in summary.everything:
        made = attribute.assignments if attribute.name.partition(".")[0] in names else ()
        for call in (call for item in made for call in calls_in(item.value)):
            if isinstance(call.callee, Name) and call.args:
                if index.canonical(call.callee.dotted, path) in CLONES:
                    yield from walk(call.args[0].value)
