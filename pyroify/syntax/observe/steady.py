"""Which names keep one value through a function, and what can be written again at its end."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from pyroify.syntax.nodes import walk
from pyroify.syntax.source import Body

SIZES = (ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.operator)
TESTS = (*SIZES, ast.UnaryOp, ast.Not, ast.BoolOp, ast.boolop, ast.Compare, ast.cmpop)
BINDING: tuple[type[ast.For | ast.AsyncFor | ast.comprehension], ...] = (
    ast.For,
    ast.AsyncFor,
    ast.comprehension,
)
TAKING: tuple[type[ast.Lambda | ast.FunctionDef], ...] = (ast.Lambda, ast.FunctionDef)
LONGEST = 40
"""Characters of an expression that is worth writing a second time."""


def is_steady_size(node: ast.expr, text: str, moving: frozenset[str]) -> bool:
    """Whether a size (its source: ``text``) is short and means the same at the end."""
    numbers = (item for item in walk(node) if isinstance(item, ast.Constant))
    return _is_steady(node, text, moving, SIZES) and all(
        isinstance(item.value, int) for item in numbers
    )


def is_steady_test(node: ast.expr, text: str, moving: frozenset[str]) -> bool:
    """Whether the test of an ``if`` (its source: ``text``) is short and stays the same."""
    return _is_steady(node, text, moving, TESTS)


def _is_steady(
    node: ast.expr, text: str, moving: frozenset[str], allowed: tuple[type[ast.AST], ...]
) -> bool:
    return len(text) <= LONGEST and all(
        isinstance(item, allowed) and not (isinstance(item, ast.Name) and item.id in moving)
        for item in walk(node)
    )


def moving_names(body: Body, arguments: Sequence[str]) -> frozenset[str]:
    """Names of a function that do not keep one value from their first use to its end."""
    counts = dict.fromkeys(arguments, 1)
    moving: set[str] = set()
    for over in body.nodes.of(*BINDING):
        moving |= {n.id for n in walk(over.target) if isinstance(n, ast.Name)}
    for loop in body.nodes.of(ast.For, ast.AsyncFor, ast.While):
        moving |= {
            n.id for n in walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
    for inner in body.nodes.of(*TAKING):
        moving |= {argument.arg for argument in inner.args.args}
    for name in body.nodes.of(ast.Name):
        if not isinstance(name.ctx, ast.Load):
            counts[name.id] = counts.get(name.id, 0) + 1
    return frozenset(moving | {name for name, count in counts.items() if count > 1})
