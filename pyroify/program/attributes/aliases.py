"""Further names for the modules of an attribute: second names, and lists of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pyroify.catalog.layers import lookup
from pyroify.program.summary import ClassSummary
from pyroify.program.values import places
from pyroify.syntax.values import Call, Items, Many, Name, OneOf, SelfRead, Value


def other_names(summary: ClassSummary, names: Collection[str]) -> frozenset[str]:
    """Attributes that give the modules of these attributes too.

    Where some are out of sight (``**``), any attribute that is used like a module may hold them.
    """
    made = {item.name: frozenset(places(item.node)) for item in summary.everything}
    wanted = frozenset().union(*(made.get(name, frozenset()) for name in names))
    found = {name for name, there in made.items() if there & wanted}
    for method in summary.cls.cls.methods:
        for item in method.assignments:
            path, known = item.path[:1], found.union(names)
            hidden = "**" in names and any(map(summary.is_used_as_module, path))
            if hidden or (len(item.path) == 1 and known.intersection(_members(item.value))):
                found.update(path)
    return frozenset(found)


def names_of_members(summary: ClassSummary, name: str) -> frozenset[str]:
    """Attributes that give what a list, or a container, has for members."""
    read: set[str] = set()
    is_list = False
    for item in summary.attached_as(name):
        match item.value:
            case Items():
                is_list = True
                read.update(_members(item.value))
            case Call(callee=Name(dotted=dotted), args=args):
                layer = lookup(dotted)
                if layer is not None and layer.kind == "container":
                    read.update(inner for passed in args for inner in _members(passed.value))
    return (other_names(summary, [name]) | read if is_list else frozenset(read)) - {name}


def _members(value: Value) -> Iterator[str]:
    """The attributes that a value is, or that a list has for members."""
    match value:
        case SelfRead(path=(name,)):
            yield name
        case OneOf(options=values) | Items(items=values):
            for inner in values:
                yield from _members(inner)
        case Many(item=inner):
            yield from _members(inner)
