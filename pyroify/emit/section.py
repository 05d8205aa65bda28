"""One mapping of the ``svi:`` section while it is read: what is taken, what is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the key it is about (``svi.guide.rank``), what is wrong, what to do."""

    path: str
    message: str
    suggestion: str = ""
    code: str = "PYR400"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f"; {self.suggestion}" if self.suggestion else "")


@dataclass(slots=True)
class Section:
    """Reads keys one by one; a key that nobody read is a fault when the section is finished.

    A value of the wrong kind adds a Problem to ``problems`` and reads as the default, so that
    one look shows all faults.
    """

    path: str
    values: Mapping[str, Any]
    problems: list[Problem]
    known: list[str] = field(default_factory=list)

    def problem(self, key: str, message: str, suggestion: str = "", code: str = "PYR400") -> None:
        """Report a fault of ``key``."""
        self.problems.append(Problem(f"{self.path}.{key}", message, suggestion, code))

    def take(self, key: str) -> Any:
        """The value as it is, None where it is absent or null."""
        self.known.append(key)
        return self.values.get(key)

    def section(self, key: str) -> Section:
        """The mapping under ``key`` as a section of its own."""
        return Section(f"{self.path}.{key}", self.mapping(key), self.problems)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A mapping, empty where absent."""
        value = self.take(key)
        if value is None or isinstance(value, Mapping):
            return value or {}
        self.problem(key, f"{value!r} is not a mapping")
        return {}

    def text(self, key: str, default: str) -> str:
        """A string."""
        value = self.take(key)
        if value is None or isinstance(value, str):
            return value or default
        self.problem(key, f"{value!r} is not text")
        return default

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A string or a list of strings."""
        value = self.take(key)
        if value is None:
            return default
        items = [value] if isinstance(value, str) else value
        if isinstance(items, Sequence) and all(isinstance(item, str) for item in items):
            return tuple(items)
        self.problem(key, f"{value!r} is not text or a list of texts")
        return default

    def choice(self, key: str, choices: Iterable[str], default: str) -> str:
        """One of ``choices``."""
        value, choices = self.text(key, default), list(choices)
        if value in choices:
            return value
        self.problem(key, f"{value!r} is not known", _suggest(value, choices))
        return default

    def choices(self, key: str, choices: Sequence[str]) -> tuple[str, ...]:
        """Some of ``choices``."""
        values = self.texts(key)
        for value in values:
            if value not in choices:
                self.problem(key, f"{value!r} is not known", _suggest(value, choices))
        return values

    def number(self, key: str, default: float, least: float | None = None) -> float:
        """A finite number, positive unless ``least`` says what is allowed."""
        value = self.take(key)
        if value is None:
            return default
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if fits and math.isfinite(value) and (value > 0 if least is None else value >= least):
            return float(value)
        wanted = "a positive number" if least is None else f"a number of at least {least:g}"
        self.problem(key, f"{value!r} is not {wanted}")
        return default

    def count(self, key: str, default: int, least: int = 1) -> int:
        """A whole number."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self.problem(key, f"{value!r} is not a whole number of at least {least}")
        return default

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.take(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.problem(key, f"{value!r} is neither true nor false")
        return default

    def finish(self) -> None:
        """Report the keys that nobody asked for."""
        for key in self.values:
            if key not in self.known:
                self.problem(str(key), "no such key", _suggest(str(key), self.known))


def _suggest(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(choices)}"
