"""Frozen dataclasses as JSON and back, by their type hints alone.

What is read is checked against the hints: it is of these classes, with fields of these types, and
nothing else is ever made. An object that is reached in several ways is written once.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")

Write = Callable[[Any, Callable[[Any], int]], Any]
"""Makes JSON of a value, given what writes an object and tells its number."""
Read = Callable[[Any, Sequence[Any]], Any]
"""Makes a value of JSON, given the objects read so far. Raises CodecError."""

PLAIN = (str, int, bool, float, types.NoneType)


_dump = json.JSONEncoder(separators=(",", ":")).encode


class CodecError(Exception):
    """What is read is not what was written, or cannot be written."""


def write(root: object) -> str:
    """A dataclass, with all that it holds, as JSON. Raises CodecError for what nests too deep."""
    classes: dict[str, int] = {}
    rows: dict[str, int] = {}
    numbers: dict[int, int] = {}

    def put(value: Any) -> int:
        if id(value) not in numbers:
            cls: Any = type(value)
            row = [write(getattr(value, name), put) for name, write, _ in _fields(cls)]
            number = classes.setdefault(cls.__name__, len(classes))
            numbers[id(value)] = rows.setdefault(_dump([number, *row]), len(rows))
        return numbers[id(value)]

    try:
        put(root)
    except RecursionError as error:
        raise CodecError("nests too deep") from error
    return f'{{"classes":{_dump(list(classes))},"objects":[{",".join(rows)}]}}'


def read(text: str | bytes, kind: type[T]) -> T:
    """The dataclass ``kind`` that was written. Raises CodecError."""
    root: Any = kind
    known, made = _family(root), list[Any]()
    try:
        document = json.loads(text)
        readers = [(known[name], _readers(known[name])) for name in document["classes"]]
        for number, *row in document["objects"]:
            cls, each = readers[number]
            made.append(cls(*[read(item, made) for read, item in zip(each, row, strict=True)]))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise CodecError(str(error)) from error
    if not made or type(made[-1]) is not kind:
        raise CodecError(f"holds no {kind.__name__}")
    return made[-1]


@cache
def _fields(cls: Any) -> tuple[tuple[str, Write, Read], ...]:
    """The fields of a dataclass, with what writes and reads each."""
    hints = get_type_hints(cls)
    return tuple((item.name, *_codec(hints[item.name])) for item in fields(cls))


@cache
def _readers(cls: Any) -> tuple[Read, ...]:
    return tuple(read for _, _, read in _fields(cls))


@cache
def _codec(hint: Any) -> tuple[Write, Read]:
    """What writes and reads the values of a type."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple and args[1:] == (...,):
        return _many(tuple, *_codec(args[0]))
    if origin is frozenset:
        return _many(frozenset, *_codec(args[0]))
    if origin is tuple:
        return _fixed([_codec(arg) for arg in args])
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is Literal:
        return _checked(lambda value: value in args)
    if hint in PLAIN:
        return _checked(lambda value: type(value) is hint)
    if is_dataclass(hint):
        return lambda value, put: put(value), _reference(cast(type, hint))
    raise NotImplementedError(f"no codec for {hint}")


def _checked(fits: Callable[[Any], bool]) -> tuple[Write, Read]:
    def read(item: Any, made: Sequence[Any]) -> Any:
        if not fits(item):
            raise CodecError("another type")
        return item

    return lambda value, put: value, read


def _reference(kind: type | tuple[type, ...]) -> Read:
    def read(item: Any, made: Sequence[Any]) -> Any:
        if type(item) is not int or item < 0 or not isinstance(made[item], kind):
            raise CodecError("another class")
        return made[item]

    return read


def _many(make: Callable[[Any], Any], write: Write, read: Read) -> tuple[Write, Read]:
    def write_all(values: Any, put: Callable[[Any], int]) -> Any:
        written = [write(value, put) for value in values]
        return sorted(written) if make is frozenset else written

    def read_all(items: Any, made: Sequence[Any]) -> Any:
        if type(items) is not list:
            raise CodecError("no list")
        return make([read(item, made) for item in items])

    return write_all, read_all


def _fixed(each: Sequence[tuple[Write, Read]]) -> tuple[Write, Read]:
    def write_all(values: Any, put: Callable[[Any], int]) -> Any:
        return [write(value, put) for (write, _), value in zip(each, values, strict=True)]

    def read_all(items: Any, made: Sequence[Any]) -> Any:
        if type(items) is not list:
            raise CodecError("no list")
        return tuple(read(item, made) for (_, read), item in zip(each, items, strict=True))

    return write_all, read_all


def _union(args: Sequence[Any]) -> tuple[Write, Read]:
    """One of several types: plain ones, classes, and at most one kind of tuple."""
    plain = tuple(arg for arg in args if arg in PLAIN)
    classes = tuple(cast(type, arg) for arg in args if is_dataclass(arg))
    [*lists] = (_codec(arg) for arg in args if arg not in plain and arg not in classes)
    if len(lists) > 1 or (classes and {int, bool} & {*plain}):
        raise NotImplementedError(f"no codec for one of {args}")
    at = _reference(classes)

    def write(value: Any, put: Callable[[Any], int]) -> Any:
        if isinstance(value, tuple):
            return lists[0][0](value, put)
        return value if type(value) in plain else put(value)

    def read(item: Any, made: Sequence[Any]) -> Any:
        if type(item) in plain:
            return item
        return lists[0][1](item, made) if lists and type(item) is list else at(item, made)

    return write, read


@cache
def _family(root: Any) -> dict[str, type]:
    """The dataclasses that one may hold, by name: those of its hints, and what derives from them.

    What derives from a class in another module is another stage's.
    """
    found: dict[str, type] = {}
    waiting = [root]
    while waiting:
        cls = waiting.pop()
        if not (isinstance(cls, type) and is_dataclass(cls)):
            waiting += get_args(cls)
        elif cls.__name__ not in found:
            found[cls.__name__] = cls
            waiting += get_type_hints(cls).values()
            waiting += [sub for sub in _subclasses(cls) if sub.__module__ == cls.__module__]
    return found


def _subclasses(cls: Any) -> list[type]:
    found: list[type] = cls.__subclasses__()
    return found
