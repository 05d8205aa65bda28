"""Access paths: where an abstract value is to be found below ``self``, or below an argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from pyroify.syntax.values import (
    Argument,
    Call,
    Constant,
    Element,
    Items,
    Location,
    MethodCall,
    Name,
    Parameter,
    Passed,
    Path,
    SelfRead,
    Unknown,
    Value,
    member_of,
    options_of,
)

Roots = Mapping[str, Path]
"""Arguments of a function, each with the path it stands for."""
Made = Mapping[Location, Sequence[Path]]
"""Where something is made, with the paths that it is attached to."""

SELF: Roots = MappingProxyType({"self": ()})
NOTHING_MADE: Made = MappingProxyType({})

VIEWS = frozenset(
    [
        *("detach", "view", "view_as", "t", "transpose", "permute", "squeeze", "unsqueeze"),
        *("narrow", "select", "expand", "diagonal", "movedim", "swapaxes", "unfold", "ravel"),
        *("reshape", "flatten"),
    ]
)
"""Methods that give, or may give, the same numbers in another shape."""
MEMBERS = frozenset(("values", "children"))
"""Methods that give what a container holds."""
NAMED_MEMBERS = frozenset(("items", "named_children"))
"""Those that give it in pairs with its names."""


def paths_of(value: Value, roots: Roots = SELF, made: Made = NOTHING_MADE) -> Iterator[Path]:
    """Where a value may be, ``*`` for any element of a container; nowhere for anything else."""
    yield from filter(None, _paths_of(value, roots, made))


def _paths_of(value: Value, roots: Roots, made: Made) -> Iterator[Path]:
    for option in options_of(value):
        yield from _paths(option, roots, made)


def _paths(value: Value, roots: Roots, made: Made) -> Iterator[Path]:
    def inner(owner: Value) -> Iterator[Path]:
        return _paths_of(owner, roots, made)

    match value:
        case SelfRead(path=path):
            yield path
        case Argument(name=name):
            yield from (roots[name],) if name in roots else ()
        case Unknown(owner=Value() as owner, path=names):
            yield from ((*path, *names) for path in inner(owner))
        case Unknown(parts=(part,)):  # a slice
            yield from ((*path, "*") for path in inner(part) if path)
        case Element(of=Items(items=items)):
            for item in items:
                yield from inner(member_of(item))
        case Element(of=of, index=index):
            yield from ((*path, "*") for path in inner(_container(of, index)) if path)
        case Call(callee=Name(dotted="getattr"), args=[Passed(value=of), Passed(value=name), *_]):
            yield from ((*path, _said(name)) for path in inner(of))
        case MethodCall(name="get_submodule", call=Call(args=[Passed(value=name)])):
            yield tuple(_said(name).split("."))
        case Call(callee=callee) if (viewed := _owner(callee, VIEWS)) is not None:
            yield from inner(viewed)
        case Call(line=line, column=column) | Parameter(line=line, column=column):
            yield from made.get((line, column), ())


def _container(value: Value, index: int | str | None) -> Value:
    """What an element is taken from: ``self.layers`` for one of ``self.layers.children()``."""
    match value:
        case Call(callee=callee):
            found = _owner(callee, MEMBERS)
        case Element(of=Call(callee=callee)) if index == 1:
            found = _owner(callee, NAMED_MEMBERS)
        case _:
            found = None
    return value if found is None else found


def _owner(callee: Value, methods: frozenset[str]) -> Value | None:
    """What one of these methods is called on; None for another callee."""
    match callee:
        case SelfRead(path=(_, *_, method) as path) if method in methods:
            return SelfRead(path[:-1])
        case Unknown(owner=Value() as owner, path=(*names, method)) if method in methods:
            return Unknown("", owner, tuple(names)) if names else owner
    return None


def _said(name: Value) -> str:
    """The text that a value is; ``*`` where it is computed."""
    return name.unquoted if isinstance(name, Constant) else "*"
