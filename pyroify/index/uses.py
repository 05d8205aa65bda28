"""How a method uses what hangs below ``self``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from pyroify.index.facts import Path, Use

SIZES = {"shape", "size", "dim", "ndim", "numel", "device", "dtype"}
"""What is asked of a tensor, also of an element, that is no value of it."""


class Source(Protocol):
    """What is needed of a file: columns in characters and dotted names."""

    def column(self, node: ast.expr | ast.stmt) -> int: ...
    def dotted(self, node: ast.AST) -> str: ...
    def is_plate(self, node: ast.expr) -> bool: ...


def chain(node: ast.AST | None) -> Path:
    """``("a", "b", "c")`` for ``a.b.c``; empty for anything that is not names and dots."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ()
    return (node.id, *reversed(parts))


def collect_uses(file: Source, body: Sequence[ast.stmt], this: str) -> tuple[Use, ...]:
    """Every chain of attributes below ``this``, each once, in the order of the source."""
    found: list[Use] = []
    for node in body:
        found.extend(_walk(file, node, this, "", None))
    return tuple(found)


def _walk(
    file: Source, node: ast.AST, this: str, within: str, plate: tuple[int, int] | None
) -> Iterator[Use]:
    if isinstance(node, ast.With) and any(file.is_plate(item.context_expr) for item in node.items):
        for item in node.items:
            yield from _walk(file, item, this, within, plate)
        for inner in node.body:
            yield from _walk(file, inner, this, within, plate or (node.lineno, file.column(node)))
        return
    if isinstance(node, ast.Call):
        yield from _walk_call(file, node, this, within, plate)
        return
    if isinstance(node, ast.Lambda) and not within:
        for use in _walk(file, node.body, this, "lambda", plate):
            yield replace(use, later=True)
        return
    if isinstance(node, ast.AugAssign) and (use := _use(file, node.target, this, "augmented")):
        yield _placed(use, within, plate)
        yield from _walk(file, node.value, this, within, plate)
        return
    if isinstance(node, ast.Subscript):
        how = {"Load": "subscript", "Del": "delete"}.get(type(node.ctx).__name__, "setitem")
        if use := _use(file, node.value, this, how):
            yield replace(_placed(use, within, plate), item=True)
            yield from _walk(file, node.slice, this, within, plate)
            return
    if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        if use := _use(file, node.iter, this, "iterate"):
            yield _placed(use, within, plate)
    match node:
        case ast.Attribute(value=ast.Subscript(value=owner), attr=attr) if attr in SIZES:
            if use := _use(file, owner, this, "read"):
                yield _placed(replace(use, path=(*use.path, attr)), within, plate)
                return
    if isinstance(node, ast.Compare) and all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
        within = "is"
    if isinstance(node, ast.Attribute):
        how = "read"
        if isinstance(node.ctx, ast.Store):
            how = "store"
        elif isinstance(node.ctx, ast.Del):
            how = "delete"
        if use := _use(file, node, this, how):
            yield _placed(use, within, plate)
            return
    for child in ast.iter_child_nodes(node):
        yield from _walk(file, child, this, within, plate)


def _walk_call(
    file: Source, node: ast.Call, this: str, within: str, plate: tuple[int, int] | None
) -> Iterator[Use]:
    if use := _use(file, node.func, this, "call"):
        yield _placed(use, within, plate)
    elif chain(node.func) == (this,):
        yield Use(("__call__",), "call", node.lineno, file.column(node), within, plate)
    else:
        yield from _walk(file, node.func, this, within, plate)
    name = file.dotted(node.func) or within
    if isinstance(node.func, ast.Attribute) and not chain(node.func):
        name = node.func.attr
    for argument in node.args:
        yield from _walk(file, argument, this, name, plate)
    for keyword in node.keywords:
        yield from _walk(file, keyword.value, this, name, plate)


def _use(file: Source, node: ast.expr, this: str, how: str) -> Use | None:
    parts = chain(node)
    if len(parts) < 2 or parts[0] != this:
        return None
    return Use(parts[1:], how, node.lineno, file.column(node))


def _placed(use: Use, within: str, plate: tuple[int, int] | None) -> Use:
    return Use(use.path, use.how, use.line, use.column, within, plate)
