"""Abstract values: what an expression makes as far as modules and parameters are concerned.

One lattice, from the text of a file to the structure of a module. Its top is ``Unknown``; that a
value is ``Nothing``, or ``Plain``, has to be proven. Values of one file may be terms that nothing
of another file has been looked at for (``Name``, ``Argument``, ``SelfRead``, ``Element``, ``Call``,
``MethodCall``, ``Closure``); names are dotted and absolute as the imports say. ``program/`` puts
layers, containers and instances (``program/values.py``) in their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pyroify.code import statements as code

Path = tuple[str, ...]
"""Attribute names below ``self``: ``("fc", "weight")`` for ``self.fc.weight``."""

Location = tuple[int, int]
"""Line (from 1) and column (from 0, in characters) of a syntax node."""


@dataclass(frozen=True, slots=True)
class Value:
    """An element of the lattice."""

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return ()


@dataclass(frozen=True, slots=True)
class Constant(Value):
    """A literal, by its ``repr``."""

    text: str

    @property
    def unquoted(self) -> str:
        """The source of a text without its quotes."""
        return self.text.strip("'\"")


@dataclass(frozen=True, slots=True)
class Nothing(Constant):
    """None."""

    text: str = "None"


@dataclass(frozen=True, slots=True)
class Plain(Value):
    """What holds no parameters; ``is_module``: a layer without any."""

    is_module: bool = False


NOTHING, PLAIN, STATELESS = Nothing(), Plain(), Plain(is_module=True)


@dataclass(frozen=True, slots=True)
class Name(Value):
    """Something importable or defined in the file: ``torch.nn.Linear``, ``models.blocks.Block``.

    ``wrapped``: written ``PyroModule[torch.nn.Linear]``.
    """

    dotted: str
    wrapped: bool = False


@dataclass(frozen=True, slots=True)
class Argument(Value):
    """An argument of the function at hand."""

    name: str


@dataclass(frozen=True, slots=True)
class SelfRead(Value):
    """The value of ``self.<path>``."""

    path: Path


@dataclass(frozen=True, slots=True)
class Computed(Value):
    """A number, a flag or a text that is computed; ``text`` is its source."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown(Value):
    """Anything at all; ``text`` is its source, and ``parts`` are the values it is computed of.

    Where it is an attribute of something made before, ``owner`` is that and ``path`` the names.
    ``sure``: it is, or holds, a module with parameters or a parameter. ``any_class``: what makes it
    is not known either, so that it may be an instance of any class of the project. ``foreign``: a
    call of something outside the project gives it, of which nothing is known.
    """

    text: str = ""
    owner: Value | None = None
    path: Path = ()
    parts: tuple[Value, ...] = ()
    sure: bool = False
    any_class: bool = False
    foreign: bool = False

    def __hash__(self) -> int:
        return hash((self.text, self.path))

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return self.parts if self.owner is None else (self.owner, *self.parts)


@dataclass(frozen=True, slots=True)
class Element(Value):
    """What ``of`` holds at a position or under a key, or somewhere (None); ``text``: its source."""

    of: Value
    index: int | str | None = None
    text: str = ""

    def __hash__(self) -> int:
        return hash((self.index, self.text))

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return (self.of,)


@dataclass(frozen=True, slots=True)
class Closure(Value):
    """``lambda arguments: body``, and what the body makes."""

    arguments: tuple[str, ...]
    body: Value
    text: str = ""

    def __hash__(self) -> int:
        return hash((self.arguments, self.text))

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return (self.body,)


@dataclass(frozen=True, slots=True)
class OneOf(Value):
    """One of several values: the branches of an ``if``."""

    options: tuple[Value, ...]

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return self.options


@dataclass(frozen=True, slots=True)
class Many(Value):
    """Any number of values of one form: a comprehension, or what a loop appends."""

    item: Value

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return (self.item,)


@dataclass(frozen=True, slots=True)
class Items(Value):
    """A list, tuple or dict literal with what was appended to it; ``keys`` are source texts."""

    items: tuple[Value, ...]
    keys: tuple[str, ...] = ()

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return self.items


@dataclass(frozen=True, slots=True)
class Passed:
    """One argument of a call. ``star`` is ``""``, ``"*"`` or ``"**"``.

    ``stable``: evaluating ``text`` again at the end of the same function gives the same value.
    """

    value: Value
    text: str = ""
    stable: bool = False
    keyword: str = ""
    star: str = ""

    @property
    def entries(self) -> Mapping[str, Value] | None:
        """What each keyword is of ``**named``; None where that is no dict whose keys are told."""
        match self.value:
            case Items(items=items, keys=keys) if self.star == "**" and len(items) == len(keys):
                is_told = all(key[:1] in "'\"" for key in keys)
                if is_told and not any(isinstance(item, Many) for item in items):
                    return {key[1:-1]: item for key, item in zip(keys, items, strict=True)}
        return None


@dataclass(frozen=True, slots=True)
class Call(Value):
    """``callee(args)`` at ``line`` (from 1) and ``column`` (from 0, in characters).

    ``wrapped``: written ``PyroModule[callee](args)``. ``text`` is the source of the callee.
    ``indirect``: made by a function that is handed the callee, as ``map`` is.
    """

    callee: Value
    line: int
    column: int
    args: tuple[Passed, ...]
    text: str
    wrapped: bool = False
    extent: tuple[int, int, int, int] | None = None
    """Where it stands on one line: the line's indent, the characters after it, the line's length,
    and the column of its statement."""
    indirect: bool = False

    def argument(self, keyword: str, position: int) -> Passed | None:
        """The argument given for a parameter, or None where it is left out or not to be told."""
        for passed in self.args:
            if passed.keyword == keyword:
                return passed
            if passed.star == "**" and (told := passed.entries) and keyword in told:
                return Passed(told[keyword], keyword=keyword)
        plain = [passed for passed in self.args if not passed.keyword]
        if position < len(plain) and not any(passed.star for passed in plain[: position + 1]):
            return plain[position]
        return None

    @property
    def place(self) -> Location:
        """Where it stands, which tells it from other calls."""
        return self.line, self.column

    @property
    def starred(self) -> bool:
        """Whether arguments are handed on with ``*``, or with ``**`` that names none of them."""
        return any(passed.star and passed.entries is None for passed in self.args)

    def __hash__(self) -> int:
        # The arguments may hold each other many times over: x = f(x, x), line after line.
        return hash((self.line, self.column, self.text))

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return (self.callee, *(passed.value for passed in self.args))


@dataclass(frozen=True, slots=True)
class MethodCall(Value):
    """``self.name(args)`` or ``super().name(args)``."""

    name: str
    call: Call

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return tuple(passed.value for passed in self.call.args)


@dataclass(frozen=True, slots=True)
class Parameter(Value):
    """``nn.Parameter(initial)``, with what is known of it.

    ``shape``: source of each dimension, where it can be told. ``frozen``: ``requires_grad`` is
    False (True), not (False), or an expression (None). ``stable``: see ``Passed``.
    """

    line: int
    column: int
    initial: str
    shape: tuple[str, ...] | None
    stable: bool
    frozen: bool | None = False
    chained: bool = False
    dtype: str = ""
    trailing: int = 0
    """Characters that follow the call on its last line."""


@dataclass(frozen=True, slots=True)
class Declared(Value):
    """A declaration that is there already: ``PyroSample(...)`` (sample) or ``PyroParam(...)``.

    ``names`` are those that its ``text`` reads.
    """

    value: code.Declared
    line: int
    column: int
    text: str
    names: frozenset[str]
    shape: tuple[str, ...] | None
    initial: str = ""

    @property
    def action(self) -> Literal["sample", "param"]:
        """What becomes of the parameter."""
        return self.value.action


def literal(text: str) -> Constant:
    """A literal by its ``repr``; None is Nothing."""
    return NOTHING if text == "None" else Constant(text)


def join(*values: Value) -> Value:
    """One of several values, flattened, each once; a single one as it is."""
    options = dict.fromkeys(option for value in values for option in options_of(value))
    if len(options) == 1:
        return next(iter(options))
    return OneOf(tuple(options)) if options else PLAIN


def options_of(value: Value) -> tuple[Value, ...]:
    """What a value may be."""
    return value.options if isinstance(value, OneOf) else (value,)


def member_of(value: Value) -> Value:
    """A single one of what a list has any number of."""
    return value.item if isinstance(value, Many) else value


def walk(value: Value) -> Iterator[Value]:
    """A value and all that it is made of, each object once.

    Values may hold each other many times over: ``x = f(x, x)``, line after line.
    """
    yield value
    waiting = [*reversed(value.components)]
    seen = {id(value): value}  # which keeps those that are made for the walk
    while waiting:
        item = waiting.pop()
        if id(item) not in seen:
            seen[id(item)] = item
            yield item
            if components := item.components:
                waiting.extend(reversed(components))


def calls_in(value: Value) -> Iterator[Call]:
    """A value's calls, those in its arguments and in what it is picked from included."""
    for item in walk(value):
        if isinstance(item, Call | MethodCall):
            yield item.call if isinstance(item, MethodCall) else item
