"""Syntax trees gone over many times: what is below a node is looked up once.

The order is that of `ast.walk` and `ast.iter_child_nodes`, without contexts such as `ast.Load`,
which the nodes that have one tell. The trees are never changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from typing import TypeVar

N = TypeVar("N", bound=ast.AST)
NO_NODES = frozenset("arg asname attr ctx id is_async kind level lineno module simple".split())
"""Fields that hold no node to go on with."""


class Nodes:
    """Nodes and all that is below them, walked once, and those of each form among these."""

    def __init__(self, roots: Iterable[ast.AST]) -> None:
        self.all = tuple(node for root in roots for node in walk(root))
        self._placed: dict[type[ast.AST], list[tuple[int, ast.AST]]] = {}
        for place, node in enumerate(self.all):
            self._placed.setdefault(type(node), []).append((place, node))

    @property
    def forms(self) -> frozenset[type[ast.AST]]:
        """The forms there are."""
        return frozenset(self._placed)

    def of(self, *forms: type[N]) -> list[N]:
        """Those of some forms, in order."""
        found = [placed for form in forms for placed in self._placed.get(form, ())]
        if len(forms) > 1:
            found.sort()
        return [node for _, node in found]  # type: ignore[misc]


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all that is below it."""
    found = [node]
    for item in found:
        try:
            found += item._children  # type: ignore[attr-defined]
        except AttributeError:
            found += children(item)
    return found


def is_main_guard(test: ast.expr) -> bool:
    """Whether a condition is ``__name__ == "__main__"``."""
    return ast.unparse(test).replace('"', "'") in (
        "__name__ == '__main__'",
        "'__main__' == __name__",
    )


def children(node: ast.AST) -> tuple[ast.AST, ...]:
    """What is directly below a node."""
    try:
        return node._children  # type: ignore[attr-defined, no-any-return]
    except AttributeError:
        found: list[ast.AST] = []
        for name in _fields(type(node)):  # type: ignore[arg-type]
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
        made = node._children = tuple(found)  # type: ignore[attr-defined]
        return made


@cache
def _fields(form: type[ast.AST]) -> tuple[str, ...]:
    return tuple(name for name in form._fields if name not in NO_NODES)
