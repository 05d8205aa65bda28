"""What a value of the spec may be: each kind tells editors what it takes, and refuses the rest."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Schema = dict[str, Any]


class Wrong(ValueError):
    """A value that is not of its kind; ``help`` says what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message, self.help = message, help


class Kind(Protocol):
    """What a key may hold."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""

    def read(self, value: Any) -> Any:
        """A plain ``value`` as the tool keeps it; raises Wrong where it is none of the kind."""


@dataclass(frozen=True, slots=True)
class Form:
    """What ``shape`` describes, as JSON Schema. Whoever reads it checks it with its place."""

    shape: Schema

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return self.shape

    def read(self, value: Any) -> Any:
        """``value`` as it is."""
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """A string; ``more`` tells editors of it what they can check."""

    more: Schema = field(default_factory=dict)

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"type": "string", **self.more}

    def read(self, value: Any) -> str:
        """The string."""
        if isinstance(value, str):
            return value
        raise Wrong(f"{value!r} is not text")


@dataclass(frozen=True, slots=True)
class Texts:
    """A string or a list of strings; ``choices``, if any, are those that it may hold."""

    choices: tuple[str, ...] = ()

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        item: Schema = {"enum": list(self.choices)} if self.choices else {"type": "string"}
        return {"anyOf": [item, {"type": "array", "items": item}]}

    def read(self, value: Any) -> tuple[str, ...]:
        """The strings."""
        items = [value] if isinstance(value, str) else value
        if not (isinstance(items, Sequence) and all(isinstance(item, str) for item in items)):
            raise Wrong(f"{value!r} is not text or a list of texts")
        for item in items:
            if self.choices and item not in self.choices:
                raise unknown(item, self.choices)
        return tuple(items)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    choices: tuple[str, ...]

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"enum": list(self.choices)}

    def read(self, value: Any) -> str:
        """The word."""
        word = Text().read(value)
        if word in self.choices:
            return word
        raise unknown(word, self.choices)


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number, positive unless ``least`` says what is allowed."""

    least: float | None = None

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        bound = {"exclusiveMinimum": 0} if self.least is None else {"minimum": self.least}
        return {"type": "number", **bound}

    def read(self, value: Any) -> float:
        """The number."""
        if is_finite(value) and (value > 0 if self.least is None else value >= self.least):
            return float(value)
        wanted = (
            "a positive number" if self.least is None else f"a number of at least {self.least:g}"
        )
        raise Wrong(f"{value!r} is not {wanted}")


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number."""

    least: int = 1

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"type": "integer", "minimum": self.least}

    def read(self, value: Any) -> int:
        """The number."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= self.least:
            return value
        raise Wrong(f"{value!r} is not a whole number of at least {self.least}")


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"type": "boolean"}

    def read(self, value: Any) -> bool:
        """The truth value."""
        if isinstance(value, bool):
            return value
        raise Wrong(f"{value!r} is neither true nor false")


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping with keys of any name."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"type": "object"}

    def read(self, value: Any) -> Mapping[str, Any]:
        """The mapping."""
        if isinstance(value, Mapping):
            return value
        raise Wrong(f"{value!r} is not a mapping")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping: what it is for, what it may hold, what holds without it.

    ``missing`` is what to add where the key has to be there, empty where it may be left out;
    ``only_with`` the key that it needs beside it. ``default`` is the value that counts as given
    where it is absent; where there is none, ``otherwise`` may say in words what holds.
    """

    name: str
    says: str
    kind: Kind
    default: Any = None
    missing: str = ""
    only_with: str = ""
    otherwise: str = ""

    def schema(self) -> Schema:
        """The key's value as JSON Schema."""
        default = {} if self.default in (None, "") else {"default": self.default}
        return {"description": self.says, **self.kind.schema(), **default}


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping: the keys that it may have, of which exactly one of ``one_of`` is there.

    ``what`` names it in messages. It may be left empty where ``is_optional`` says so.
    """

    what: str
    says: str
    keys: tuple[Key, ...]
    one_of: tuple[str, ...] = ()
    is_optional: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The keys by name."""
        return tuple(key.name for key in self.keys)

    def __getitem__(self, name: str) -> Key:
        return next(key for key in self.keys if key.name == name)

    def schema(self) -> Schema:
        """The mapping as JSON Schema."""
        needed = [key.name for key in self.keys if key.missing]
        pairs = {key.name: [key.only_with] for key in self.keys if key.only_with}
        whole: Schema = {
            "description": self.says,
            "type": ["object", "null"] if self.is_optional else "object",
            "properties": {key.name: key.schema() for key in self.keys},
            "required": needed,
            "oneOf": [{"required": [name]} for name in self.one_of],
            "dependentRequired": pairs,
            "additionalProperties": False,
        }
        return {name: part for name, part in whole.items() if part not in ([], {}) or part is False}

    def read(self, value: Any) -> Mapping[str, Any]:
        """The mapping, whose keys are read one by one."""
        return Named().read(value)


def unknown(word: str, choices: Iterable[str]) -> Wrong:
    """What is said of a word that is none of ``choices``."""
    return Wrong(f"{word!r} is not known", suggest_one(word, tuple(choices)))


def suggest_one(word: str, choices: Sequence[str]) -> str:
    """The choice that was probably meant, or all of them."""
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(choices)}"


def is_finite(value: Any) -> bool:
    """Whether ``value`` is a number and no truth value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
