"""Which parameters are declared already, and where: at the end of a method, or within it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyroify.syntax.facts import Assignment, Function
from pyroify.syntax.values import Declared

TARGET = re.compile(r"(?:if [^\n]*:\n    )?self\.([\w.\[\]']+) = [^\n]*")
KEY = re.compile(r"\['?(\w+)'?\]")


@dataclass(frozen=True, slots=True)
class Present:
    """A declaration at the end of a method: its normalised source, and its line."""

    text: str
    line: int

    @property
    def is_prior(self) -> bool:
        """Whether it declares, and is no helper of declarations."""
        return "PyroSample(" in self.text or "PyroParam(" in self.text

    @property
    def action(self) -> str:
        """``sample`` or ``param``."""
        return "param" if "PyroParam(" in self.text else "sample"


def present_at_end(method: Function | None) -> Mapping[str, Present]:
    """The parameters that statements at the end of a method declare one by one, by path.

    A tie declares none: it makes one the same as another.
    """
    if method is None or method.declarations is None:
        return {}
    there = method.declarations
    found = {}
    for text, line in zip(there.texts, there.lines, strict=True):
        if (match := TARGET.fullmatch(text)) and "TiedTo(" not in text:
            found[KEY.sub(r".\1", match[1])] = Present(text, line)
    return found


def present_within(covered: Iterable[Function]) -> Mapping[str, Assignment]:
    """The parameters of children that are declared where the child is made, by path."""
    return {
        ".".join(item.path): item
        for method in covered
        for item in method.assignments
        if len(item.path) > 1 and item.how == "assign" and isinstance(item.value, Declared)
        if "TiedTo(" not in item.value.text
    }
