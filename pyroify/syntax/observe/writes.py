"""Where a method writes into what hangs below ``self``, directly or by a local name for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Protocol

from pyroify.syntax.facts import Write
from pyroify.syntax.nodes import walk
from pyroify.syntax.values import Path

SAME_STORAGE = ("data", "T", "mT")
"""Attributes that give the same numbers under another name."""
VIEWS = frozenset(
    [
        *("detach", "view", "view_as", "t", "transpose", "permute", "squeeze", "unsqueeze"),
        *("narrow", "select", "expand", "diagonal", "movedim", "swapaxes", "unfold", "ravel"),
        *("reshape", "flatten"),
    ]
)
"""Methods that give, or may give, the same numbers in another shape."""
INITIALISERS = "torch.nn.init."

Names = dict[str, tuple[Path, ...]]
"""Local names, each with the places below ``self`` that it may stand for."""


class Source(Protocol):
    """What is needed of a file: columns in characters, dotted names and sources."""

    def column(self, node: ast.expr | ast.stmt) -> int: ...
    def dotted(self, node: ast.AST) -> str: ...
    def source(self, node: ast.AST) -> str: ...


def collect_writes(file: Source, body: Sequence[ast.stmt], this: str) -> tuple[Write, ...]:
    """Every write in place into something below ``this``, in the order of the source."""
    return tuple(_run(file, body, {this: ((),)}))


def collect_writes_into(
    file: Source, body: Sequence[ast.stmt], arguments: Sequence[str]
) -> tuple[Write, ...]:
    """The same for what a function is given; the name of the argument comes first in a path."""
    return tuple(_run(file, body, {name: ((name,),) for name in arguments}))


def _run(file: Source, body: Sequence[ast.stmt], names: Names) -> Iterator[Write]:
    """Walk statements in order; ``names`` are brought up to date on the way."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                continue
            case ast.If(test=test, body=then, orelse=otherwise):
                yield from _in_expression(file, test, names)
                yield from _branch(file, (then, otherwise), names)
            case ast.Match(subject=subject, cases=cases):
                yield from _in_expression(file, subject, names)
                yield from _branch(file, ([], *(case.body for case in cases)), names)
            case ast.For(target=target, iter=over) | ast.AsyncFor(target=target, iter=over):
                yield from _in_expression(file, over, names)
                _bind_element(target, over, names)
                yield from _run(file, [*node.body, *node.orelse], names)
            case ast.While(test=test):
                yield from _in_expression(file, test, names)
                yield from _run(file, [*node.body, *node.orelse], names)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                for item in items:
                    yield from _in_expression(file, item.context_expr, names)
                yield from _run(file, node.body, names)
            case ast.Try():
                for part in (
                    node.body,
                    *(h.body for h in node.handlers),
                    node.orelse,
                    node.finalbody,
                ):
                    yield from _run(file, part, names)
            case _:
                yield from _in_statement(file, node, names)


def _branch(file: Source, arms: Sequence[Sequence[ast.stmt]], names: Names) -> Iterator[Write]:
    """Walk statements of which one arm runs: after them a name stands for what it is in any."""
    merged: Names = {}
    for arm in arms:
        inside = dict(names)
        yield from _run(file, arm, inside)
        for name, paths in inside.items():
            merged[name] = tuple(dict.fromkeys((*merged.get(name, ()), *paths)))
    names.clear()
    names.update(merged)


def _in_statement(file: Source, node: ast.stmt, names: Names) -> Iterator[Write]:
    yield from _in_expression(file, node, names)
    if isinstance(node, ast.AugAssign):
        target = node.target.value if isinstance(node.target, ast.Subscript) else node.target
        for path in _paths(target, names):
            yield Write(path, "augmented", node.lineno, file.column(node))
    elif isinstance(node, ast.Assign):
        for assigned in node.targets:
            yield from _in_target(file, node, assigned, names)
        paths = _paths(node.value, names)
        for assigned in node.targets:
            _forget(assigned, names)
            if isinstance(assigned, ast.Name) and paths:
                names[assigned.id] = paths


def _in_target(file: Source, node: ast.stmt, target: ast.expr, names: Names) -> Iterator[Write]:
    """``w[0] = x``, ``w.data = x``, and several of them at once."""
    match target:
        case ast.Subscript(value=written):
            how = "item"
        case ast.Attribute(value=written, attr="data"):
            how = "data"
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _in_target(file, node, part, names)
            return
        case _:
            return
    for path in _paths(written, names):
        yield Write(path, how, node.lineno, file.column(node))


def _in_expression(file: Source, node: ast.AST, names: Names) -> Iterator[Write]:
    names = dict(names)
    for item in walk(node):
        if isinstance(item, ast.comprehension):
            _bind_element(item.target, item.iter, names)
    for item in walk(node):
        if not isinstance(item, ast.Call):
            continue
        written, how = None, "init"
        if file.dotted(item.func).startswith(INITIALISERS):
            written = item.args[0] if item.args else None
        elif isinstance(item.func, ast.Attribute) and _is_in_place(item.func.attr):
            written, how = item.func.value, "method"
        for path in _paths(written, names) if written is not None else ():
            yield Write(path, how, item.lineno, file.column(item), file.source(item))


def _is_in_place(method: str) -> bool:
    return method.endswith("_") and not method.startswith("_") and method != "requires_grad_"


def _bind_element(target: ast.expr, over: ast.expr, names: Names) -> None:
    """``for layer in self.layers``, also with ``enumerate`` or ``zip`` around it."""
    match over, target:
        case ast.Call(func=ast.Name(id="enumerate"), args=[over, *_]), ast.Tuple(elts=[_, target]):
            pass
        case ast.Call(func=ast.Name(id="zip"), args=each), ast.Tuple(elts=targets):
            for one, other in zip(targets, each, strict=False):
                _bind_element(one, other, names)
            return
    if isinstance(over, ast.Tuple | ast.List):  # for layer in (self.a, self.b)
        paths = tuple(path for item in over.elts for path in _paths(item, names))
    else:
        paths = tuple((*path, "*") for path in _paths(over, names))
    _forget(target, names)
    if isinstance(target, ast.Name) and paths:
        names[target.id] = paths


def _forget(target: ast.expr, names: Names) -> None:
    for item in walk(target):
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
            names.pop(item.id, None)


def _paths(node: ast.expr, names: Names) -> tuple[Path, ...]:
    """What an expression may stand for below ``self``; nothing for anything else."""
    found = (
        tuple(name for name in path if name not in SAME_STORAGE) for path in _chains(node, names)
    )
    return tuple(path for path in dict.fromkeys(found) if path)


def _chains(node: ast.expr, names: Names) -> Iterator[Path]:
    match node:
        case ast.Name(id=name):
            yield from names.get(name, ())
        case ast.Attribute(value=value, attr=attr):
            yield from ((*owner, attr) for owner in _chains(value, names))
        case ast.Subscript(value=value):
            yield from ((*owner, "*") for owner in _chains(value, names) if owner)
        case ast.IfExp(body=value, orelse=otherwise):
            yield from _chains(value, names)
            yield from _chains(otherwise, names)
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in VIEWS:
            yield from _chains(value, names)
