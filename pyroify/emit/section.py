"""One mapping of the ``svi:`` section while it is read: what is taken, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyroify.spec.kinds import Key, Table, Wrong, suggest_one


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the key it is about (``svi.guide.rank``), what is wrong, what to do."""

    path: str
    message: str
    suggestion: str = ""
    code: str = "PYR400"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f"; {self.suggestion}" if self.suggestion else "")


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping, and the keys that it may have.

    A value of the wrong kind adds a Problem to ``problems`` and reads as the default, so that
    one look shows all faults.
    """

    path: str
    values: Mapping[str, Any]
    keys: tuple[Key, ...]
    problems: list[Problem]

    def problem(self, key: str, message: str, suggestion: str = "", code: str = "PYR400") -> None:
        """Report a fault of ``key``."""
        self.problems.append(Problem(f"{self.path}.{key}", message, suggestion, code))

    def read(self, name: str) -> Any:
        """The value of a key as its kind has it; the default where it is absent or null."""
        key = next(key for key in self.keys if key.name == name)
        value = self.values.get(name)
        try:
            if value is not None:
                return key.kind.read(value)
        except Wrong as wrong:
            self.problem(name, wrong.message, wrong.help)
        return None if key.default is None else key.kind.read(key.default)

    def below(self, name: str, keys: tuple[Key, ...]) -> Section:
        """The mapping under ``name`` as a section of its own, empty where there is none."""
        value = self.values.get(name)
        values = value if isinstance(value, Mapping) else {}
        return Section(f"{self.path}.{name}", values, keys, self.problems)

    def section(self, table: Table) -> Section:
        """The mapping that ``table`` describes, under the key of that name."""
        self.read(table.what)
        return self.below(table.what, table.keys)

    def without(self, name: str) -> Section:
        """The same without a key, of which something was said."""
        values = {key: value for key, value in self.values.items() if key != name}
        return replace(self, values=values)

    def finish(self, *said: str) -> None:
        """Report the keys that there are not, but for those of which something is ``said``."""
        known = [key.name for key in self.keys]
        for key in self.values:
            if key not in known and key not in said:
                self.problem(str(key), "no such key", suggest_one(str(key), known))
