"""What values are together: one of several, elements of a list, a list while it is filled."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyroify.index.facts import Call, Choice, Constant, Items, Repeat, Unknown, Value

MAPPINGS = {"dict", "collections.OrderedDict"}
COLLECTIONS = {"list", "tuple", "reversed", "iter", *MAPPINGS}


@dataclass
class Building:
    """A local list or dict while it is filled; ``depth`` is that of the loops it was made in."""

    depth: int
    items: list[Value] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def add(self, value: Value, depth: int, key: str = "") -> None:
        """Put in a value, or any number of it where that happens deeper in loops and branches."""
        self.items.append(Repeat(value) if depth > self.depth else value)
        if key:
            self.keys.append(key)

    def mix(self, value: Value) -> None:
        """Put in a value at a place that is not known."""
        self.items = [Repeat(item) for item in (*self.items, value)]

    def freeze(self) -> Items:
        """What it holds so far."""
        return Items(tuple(self.items), tuple(self.keys))


def choose(*values: Value) -> Value:
    """One of several values, nested choices made flat."""
    options: list[Value] = []
    for value in values:
        options.extend(value.options if isinstance(value, Choice) else [value])
    unique = tuple(dict.fromkeys(options))
    return unique[0] if len(unique) == 1 else Choice(unique)


def element_of(value: Value) -> Value:
    """What iterating over a value gives."""
    if not isinstance(value, Items) or not value.items:
        return Unknown()
    return choose(*(item.item if isinstance(item, Repeat) else item for item in value.items))


def spread(value: Value) -> tuple[Value, ...]:
    """What ``*value`` stands for."""
    return value.items if isinstance(value, Items) else (Repeat(value),)


def collect(dotted: str, call: Call) -> Value | None:
    """What ``list``, ``dict``, ``filter`` or ``map`` gives; None for another function."""
    plain = [passed for passed in call.args if not passed.keyword and passed.star != "**"]
    if dotted in COLLECTIONS and plain:
        return _converted(dotted, plain[0].value, call)
    if dotted in COLLECTIONS and not call.args:
        return Items(())
    if dotted in MAPPINGS:
        named = [passed for passed in call.args if passed.keyword]
        return Items(tuple(p.value for p in named), tuple(repr(p.keyword) for p in named))
    if dotted == "filter" and len(call.args) == 2:
        over = call.args[1].value
        return Items(tuple(map(Repeat, over.items))) if isinstance(over, Items) else call
    if dotted == "map" and len(call.args) == 2:
        function = call.args[0]
        return Items((Repeat(Call(function.value, call.line, call.column, (), function.text)),))
    return None


def _converted(dotted: str, held: Value, call: Call) -> Value:
    """``list(x)``, ``OrderedDict([("key", layer)])``: what they hold."""
    if not isinstance(held, Items):
        return call
    if dotted not in MAPPINGS:
        return held
    pairs = [pair for item in held.items if (pair := _pair(item))]
    if len(pairs) != len(held.items):
        return held
    return Items(tuple(value for _, value in pairs), tuple(key for key, _ in pairs))


def _pair(item: Value) -> tuple[str, Value] | None:
    """Key and value of ``("key", layer)``, or of any number of them."""
    if isinstance(item, Repeat):
        inner = _pair(item.item)
        return ("*", Repeat(inner[1])) if inner else None
    if not isinstance(item, Items) or len(item.items) != 2:
        return None
    key, value = item.items
    return (key.text if isinstance(key, Constant) else "*"), value
