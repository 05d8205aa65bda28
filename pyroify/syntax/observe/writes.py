"""Where a function writes in place into what hangs below ``self``, or into what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyroify.catalog.layers import lookup
from pyroify.syntax.access_paths import Made, Roots, paths_of
from pyroify.syntax.facts import ATTACHING, Assignment, Write
from pyroify.syntax.interpret.statements import Store
from pyroify.syntax.values import (
    Call,
    Items,
    Location,
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

SAME_STORAGE = ("data", "T", "mT")
"""Attributes that give the same numbers under another name."""
INITIALISERS = "torch.nn.init."


def collect_writes(
    calls: Iterable[Call], stores: Iterable[Store], assignments: Iterable[Assignment], roots: Roots
) -> tuple[Write, ...]:
    """Every write in place into something below the ``roots``, in the order of the source."""
    made = _made(assignments)
    found = [*_by_calls(calls, roots, made), *_by_statements(stores, roots, made)]
    return tuple(sorted(found, key=lambda write: (write.line, write.column)))


def _by_calls(calls: Iterable[Call], roots: Roots, made: Made) -> Iterator[Write]:
    for call in calls:
        for written, how in _written(call):
            for path in _storages(written, roots, made):
                yield Write(path, how, call.line, call.column, _source(call))


def _by_statements(stores: Iterable[Store], roots: Roots, made: Made) -> Iterator[Write]:
    for store in stores:
        for path in _storages(store.into, roots, made):
            yield Write(path, store.how, store.line, store.column)


def _written(call: Call) -> Iterator[tuple[Value, str]]:
    """What a call writes into, and how."""
    match call.callee:
        case Name(dotted=dotted) if dotted.startswith(INITIALISERS):
            if tensor := call.argument("tensor", 0):
                yield tensor.value, "init"
        case SelfRead(path=(*path, method)) if _is_in_place(method):
            yield SelfRead(tuple(path)), "method"
        case Unknown(owner=Value() as owner, path=(*path, method)) if _is_in_place(method):
            yield Unknown("", owner, tuple(path)), "method"


def _is_in_place(method: str) -> bool:
    return method.endswith("_") and not method.startswith("_") and method != "requires_grad_"


def _storages(value: Value, roots: Roots, made: Made) -> Iterator[Path]:
    """The paths of what holds the numbers of a value, each once."""
    found = (
        tuple(name for name in path if name not in SAME_STORAGE)
        for path in paths_of(value, roots, made)
    )
    yield from filter(None, dict.fromkeys(found))


def _made(assignments: Iterable[Assignment]) -> Made:
    """Where that is made which is attached to ``self``, be it by a local name for it."""
    found: dict[Location, list[Path]] = {}
    for item in assignments:
        is_whole = item.how in (*ATTACHING, "extend")
        path = item.path if is_whole else (*item.path, "*")
        for place, attached in _places(item.value, path):
            found.setdefault(place, []).append(attached)
    return found


def _places(value: Value, path: Path) -> Iterator[tuple[Location, Path]]:
    """Where a value is made that is found at a path, and where its members are."""
    for option in options_of(value):
        match option:
            case Call(line=line, column=column) | Parameter(line=line, column=column):
                yield (line, column), path
        for member in _members(option):
            yield from _places(member_of(member), (*path, "*"))


def _members(value: Value) -> Iterator[Value]:
    """What a list holds, or a container of torch that is given it."""
    match value:
        case Items(items=items):
            yield from items
        case Call(callee=Name(dotted=dotted), args=args):
            layer = lookup(dotted)
            for passed in args if layer is not None and layer.kind == "container" else ():
                listed = isinstance(passed.value, Items)
                yield from _members(passed.value) if listed else (passed.value,)


def _source(call: Call) -> str:
    return f"{call.text}({', '.join(map(_argument, call.args))})"


def _argument(passed: Passed) -> str:
    return f"{passed.keyword}={passed.text}" if passed.keyword else f"{passed.star}{passed.text}"
