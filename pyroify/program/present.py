"""Which parameters are declared already, and where: at the end of a method, or within it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyroify.code.statements import Declare, Declared, If, tie_of
from pyroify.syntax.facts import Assignment, ExistingDeclaration, Function
from pyroify.syntax.values import Declared as There


@dataclass(frozen=True, slots=True)
class Present:
    """A declaration at the end of a method: the statement, and what that declares."""

    there: ExistingDeclaration
    value: Declared


def present_at_end(method: Function | None) -> Mapping[str, Present]:
    """The parameters that statements at the end of a method declare one by one, by path.

    A tie declares none: it makes one the same as another.
    """
    found = {}
    for there in method.declarations if method else ():
        match there.statement:
            case Declare() as declared:
                pass
            case If(arms=((_, (Declare() as declared,)),), otherwise=()):
                pass
            case _:
                continue
        if declared.path and tie_of(declared.value) is None:
            found[declared.path] = Present(there, declared.value)
    return found


def present_within(covered: Iterable[Function]) -> Mapping[str, Assignment]:
    """The parameters of children that are declared where the child is made, by path."""
    return {
        ".".join(item.path): item
        for method in covered
        for item in method.assignments
        if len(item.path) > 1 and item.how == "assign" and isinstance(item.value, There)
        if tie_of(item.value.value) is None
    }
