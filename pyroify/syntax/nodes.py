"""Syntax trees gone over many times: what is below a node is looked up once.

The order is that of `ast.walk` and `ast.iter_child_nodes`. The trees are never changed.
"""

from __future__ import annotations

import ast


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
        found: tuple[ast.AST, ...] = node._children  # type: ignore[attr-defined]
    except AttributeError:
        found = node._children = tuple(ast.iter_child_nodes(node))  # type: ignore[attr-defined]
    return found
