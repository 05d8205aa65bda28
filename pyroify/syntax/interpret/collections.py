"""What values are together: elements of a list, a list while it is filled."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pyroify.syntax.values import (
    Call,
    Computed,
    Constant,
    Element,
    Items,
    Many,
    MethodCall,
    Name,
    OneOf,
    Passed,
    SelfRead,
    Unknown,
    Value,
    join,
    member_of,
)

MAPPINGS = {"dict", "collections.OrderedDict"}
COLLECTIONS = {"list", "tuple", "reversed", "iter", "collections.deque", *MAPPINGS}
MIXING = {"set", "frozenset", "sorted"}
"""Functions that give what they are given, in an order of their own."""
COUNTED = Computed("index")


@dataclass
class Building:
    """A local list or dict while it is filled; ``depth`` is that of the loops it was made in."""

    depth: int
    items: list[Value] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def add(self, value: Value, depth: int, key: str = "") -> None:
        """Put in a value, or any number of it where that happens deeper in loops and branches."""
        if key in self.keys and self.is_mapping:
            place = self.keys.index(key)
            self.items[place] = value if depth <= self.depth else join(self.items[place], value)
            return
        self.items.append(Many(value) if depth > self.depth else value)
        if key:
            self.keys.append(key)

    def update(self, given: Iterable[Passed], depth: int) -> None:
        """Put in all that ``update`` is given: entries of dicts, or members for a set."""
        if not self.is_mapping:
            self.mix(*(item for passed in given for item in spread(passed.value)))
            return
        for passed in given:
            entries = as_mapping(_entries(passed))
            for key, item in zip(entries.keys, entries.items, strict=True):
                if isinstance(item, Many):
                    self.items.append(item)
                    self.keys.append(key)
                else:
                    self.add(item, depth, key)

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys, or may yet get the first."""
        return len(self.keys) == len(self.items)

    def mix(self, *values: Value) -> None:
        """Put in values at places that are not known, or take some out: any may be left."""
        every = list(map(member_of, (*self.items, *values)))
        self.items = list(map(Many, every))
        self.keys = ["*"] * len(every) if self.keys else []

    def freeze(self) -> Items:
        """What it holds so far."""
        return Items(tuple(self.items), tuple(self.keys))


def substitute(value: Value, name: str, old: Value) -> Value:
    """A value in which a name stands for what it was before; closures look it up when called."""

    def inner(item: Value) -> Value:
        return substitute(item, name, old)

    def passed(call: Call) -> tuple[Passed, ...]:
        return tuple(replace(item, value=inner(item.value)) for item in call.args)

    match value:
        case Name(dotted=dotted) if dotted == name:
            return old
        case Name(dotted=dotted) if dotted.startswith(f"{name}."):
            return Unknown(dotted, old, tuple(dotted.removeprefix(f"{name}.").split(".")))
        case Call(callee=callee):
            return replace(value, callee=inner(callee), args=passed(value))
        case MethodCall(call=call):
            return replace(value, call=replace(call, args=passed(call)))
        case Items(items=items):
            return replace(value, items=tuple(map(inner, items)))
        case OneOf(options=options):
            return join(*map(inner, options))
        case Many(item=item):
            return replace(value, item=inner(item))
        case Element(of=item):
            return replace(value, of=inner(item))
        case Unknown(owner=owner, parts=parts):
            made = None if owner is None else inner(owner)
            return replace(value, owner=made, parts=tuple(map(inner, parts)))
    return value


def is_number(value: Value) -> bool:
    """Whether a value is surely a number, a flag or a text."""
    return isinstance(value, Constant | Computed)


def element_of(value: Value) -> Value:
    """What iterating over a value gives."""
    return pick(value, None)


def pick(value: Value, index: int | str | None, text: str = "") -> Value:
    """What a value holds at a position or under a key, where it shows, or somewhere."""
    if is_number(value):
        return Computed(text)
    if not isinstance(value, Items):
        return Element(value, index, text)
    if not value.items:
        return Unknown(text)
    at = _position(value, index)
    if at is not None:
        return value.items[at]
    if index is not None and any(isinstance(item, Many) for item in value.items):
        return Element(value, index, text)  # another one at each position
    return join(*(member_of(item) for item in value.items))


def _position(value: Items, index: int | str | None) -> int | None:
    """Where the one item stands that an index or key is surely about."""
    if value.keys:
        is_told = len(value.keys) == len(value.items) and value.keys.count(repr(index)) == 1
        return value.keys.index(repr(index)) if is_told and all(map(is_text, value.keys)) else None
    if not isinstance(index, int) or not 0 <= index < len(value.items):
        return None
    before = value.items[: index + 1]
    return None if any(isinstance(item, Many) for item in before) else index


def is_text(key: str) -> bool:
    """Whether the source of a key is a text, and no name for one."""
    return key[:1] in "'\""


def taken_from(value: Value, target: ast.Tuple | ast.List) -> Iterator[Value]:
    """What each of several names is given of one value."""
    stars = [at for at, item in enumerate(target.elts) if isinstance(item, ast.Starred)]
    first = stars[0] if stars else len(target.elts)
    for at, item in enumerate(target.elts):
        if isinstance(item, ast.Starred):
            yield Items((Many(element_of(value)),))
        else:
            yield pick(value, at if at < first else None)


def spread(value: Value) -> tuple[Value, ...]:
    """What ``*value`` stands for."""
    return value.items if isinstance(value, Items) else (Many(element_of(value)),)


def collect(dotted: str, call: Call) -> Value | None:
    """What a function that builds, mixes or calls what it is given makes; None for another."""
    if dotted in MAPPINGS and len(call.args) > 1:
        return None if any(p.star == "*" for p in call.args) else merged(map(_entries, call.args))
    if dotted in MAPPINGS and call.args and (call.args[0].keyword or call.args[0].star == "**"):
        return merged(map(_entries, call.args))
    if any(passed.star for passed in call.args):
        return None
    plain = tuple(passed.value for passed in call.args if not passed.keyword)
    if dotted in COLLECTIONS and plain:
        return _converted(dotted, plain[0], call)
    if dotted in COLLECTIONS and not call.args:
        return Items(())
    if dotted in MIXING and plain:
        return _members(plain[0])
    if dotted in BY_POSITION and plain:
        return BY_POSITION[dotted](plain, call)
    return None


def _filtered(given: tuple[Value, ...], call: Call) -> Value | None:
    return _members(given[1]) if len(given) == 2 else None


def _members(held: Value) -> Items:
    """Any number of what a value holds, in any order."""
    if isinstance(held, Items):
        return Items(tuple(i if isinstance(i, Many) else Many(i) for i in held.items))
    return Items((Many(element_of(held)),))


def _called(function: Value, arguments: tuple[Value, ...], call: Call) -> Call:
    """The call of a function by another one that is handed it."""
    passed = tuple(map(Passed, arguments))
    return Call(function, call.line, call.column, passed, call.text, indirect=True)


def _mapped(given: tuple[Value, ...], call: Call) -> Value:
    function, *over = given
    return Items((Many(_called(function, tuple(map(element_of, over)), call)),))


def _star_mapped(given: tuple[Value, ...], call: Call) -> Value | None:
    if len(given) != 2:
        return None
    return Items((Many(_called(given[0], (element_of(element_of(given[1])),), call)),))


def _called_now(given: tuple[Value, ...], call: Call) -> Value:
    return _called(given[0], given[1:], call)


def _zipped(given: tuple[Value, ...], call: Call) -> Value:
    if all(isinstance(value, Items) and not value.keys for value in given):
        rows = [value.items for value in given if isinstance(value, Items)]
        if not any(isinstance(item, Many) for row in rows for item in row):
            return Items(tuple(map(Items, zip(*rows, strict=False))))
    return Items((Many(Items(tuple(map(element_of, given)))),))


def _numbered(given: tuple[Value, ...], call: Call) -> Value:
    return Items((Many(Items((COUNTED, element_of(given[0])))),))


def _chained(given: tuple[Value, ...], call: Call) -> Value:
    return Items(tuple(item for value in given for item in spread(value)))


def _chained_each(given: tuple[Value, ...], call: Call) -> Value:
    if isinstance(given[0], Items) and not any(isinstance(i, Many) for i in given[0].items):
        return _chained(given[0].items, call)
    return Items((Many(element_of(element_of(given[0]))),))


def _next(given: tuple[Value, ...], call: Call) -> Value:
    return join(element_of(given[0]), *given[1:])


def _cast(given: tuple[Value, ...], call: Call) -> Value | None:
    return given[1] if len(given) == 2 else None


BY_POSITION: Mapping[str, Callable[[tuple[Value, ...], Call], Value | None]] = {
    "filter": _filtered,
    "map": _mapped,
    "zip": _zipped,
    "enumerate": _numbered,
    "next": _next,
    "itertools.starmap": _star_mapped,
    "itertools.chain": _chained,
    "itertools.chain.from_iterable": _chained_each,
    "operator.call": _called_now,
    "typing.cast": _cast,
}
"""What functions make of their positional arguments."""


def held_by_method(owner: Value, method: str, call: Call) -> Value | None:
    """What a method of a list or dict gives of what it holds; None for another."""
    if not isinstance(owner, Items) or any(passed.star for passed in call.args):
        return None
    given = [passed.value for passed in call.args]
    if method in ("get", "pop", "setdefault"):
        match given:
            case [Constant(text=key), *_] if is_text(key):
                at = _position(owner, ast.literal_eval(key))
            case _:
                at = None
        return join(element_of(owner), *given[1:]) if at is None else owner.items[at]
    if method == "copy":
        return owner
    if method == "values":
        return Items(owner.items)
    if method == "items":
        return Items(tuple(_pairs(owner)))
    return Computed(call.text) if method == "keys" else None


def _pairs(owner: Items) -> Iterator[Value]:
    for at, item in enumerate(owner.items):
        key = owner.keys[at] if at < len(owner.keys) else ""
        pair = Items((_key(key), member_of(item)))
        yield Many(pair) if isinstance(item, Many) else pair


def _key(source: str) -> Value:
    """What a key is: a text, a part of ``self``, or else something that holds no layers."""
    start, *path = source.split(".")
    if start == "self" and path and all(map(str.isidentifier, path)):
        return SelfRead(tuple(path))
    return Constant(source) if source and is_text(source) else COUNTED


def _converted(dotted: str, held: Value, call: Call) -> Value:
    """``list(x)``, ``OrderedDict([("key", layer)])``: what they hold."""
    if not isinstance(held, Items):
        return call
    if dotted in MAPPINGS:
        return keyed(held)
    if held.keys:
        return Items(())  # the keys of a dict, which are no layers
    return Items(held.items[::-1]) if dotted == "reversed" else held


def _entries(passed: Passed) -> Value:
    """What one argument adds to a dict that is made of several."""
    return Items((passed.value,), (repr(passed.keyword),)) if passed.keyword else passed.value


def is_dict(value: Value) -> bool:
    """Whether a value is surely a dict with entries."""
    return isinstance(value, Items) and bool(value.keys)


def merged(mappings: Iterable[Value]) -> Items:
    """Several dicts in one: the last entry under a key holds, in the place of the first."""
    known: dict[str, int] = {}
    keys: list[str] = []
    items: list[Value] = []
    for mapping in mappings:
        entries = as_mapping(mapping)
        for key, item in zip(entries.keys, entries.items, strict=True):
            if is_text(key) and key in known:
                items[known[key]] = item
                continue
            known[key] = len(items)
            keys.append(key)
            items.append(item)
    return Items(tuple(items), tuple(keys))


def as_mapping(value: Value) -> Items:
    """A dict with a key for each item: ``*`` where it is not known, as is how many there are."""
    held = keyed(value) if isinstance(value, Items) else Items(spread(value))
    if len(held.keys) == len(held.items):
        return held
    items = tuple(item if isinstance(item, Many) else Many(item) for item in held.items)
    return Items(items, ("*",) * len(items))


def keyed(held: Items) -> Items:
    """A list of pairs as a dict; anything else as it is."""
    pairs = [pair for item in held.items if (pair := _pair(item))]
    if held.keys or len(pairs) != len(held.items):
        return held
    return Items(tuple(value for _, value in pairs), tuple(key for key, _ in pairs))


def _pair(item: Value) -> tuple[str, Value] | None:
    """Key and value of ``("key", layer)``, or of any number of them."""
    if isinstance(item, Many):
        inner = _pair(item.item)
        return ("*", Many(inner[1])) if inner else None
    if not isinstance(item, Items) or len(item.items) != 2:
        return None
    key, value = item.items
    return (key.text if isinstance(key, Constant) else "*"), value
