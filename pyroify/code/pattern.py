"""Pieces of source with holes, which are written by ``str.format`` and read here."""

from __future__ import annotations

import ast
from functools import cache
from string import Formatter


def holes(pattern: str, node: ast.AST) -> dict[str, ast.expr] | None:
    """What fills the holes of ``pattern`` in an expression; None for one of another form."""
    found: dict[str, ast.expr] = {}
    return found if _fits(_tree(pattern), node, found) else None


@cache
def _tree(pattern: str) -> ast.expr:
    names = {name: f"_{name}_" for _, name, _, _ in Formatter().parse(pattern) if name}
    return ast.parse(pattern.format(**names), mode="eval").body


def _fits(pattern: object, node: object, found: dict[str, ast.expr]) -> bool:
    if isinstance(pattern, ast.Name) and pattern.id.startswith("_") and isinstance(node, ast.expr):
        return ast.dump(found.setdefault(pattern.id.strip("_"), node)) == ast.dump(node)
    if isinstance(pattern, list) and isinstance(node, list):
        pairs = zip(pattern, node, strict=False)
        return len(pattern) == len(node) and all(_fits(*pair, found) for pair in pairs)
    if not isinstance(pattern, ast.AST):
        return pattern == node
    fields = [field for field in pattern._fields if field not in ("ctx", "kind")]
    return type(pattern) is type(node) and all(
        _fits(getattr(pattern, field), getattr(node, field), found) for field in fields
    )
