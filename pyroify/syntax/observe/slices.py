"""Slices of what hangs below ``self``: which are called, and which only give their members."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from pyroify.dispatch import needs
from pyroify.syntax.facts import Observation
from pyroify.syntax.source import Body, chain

ITERATING = {"enumerate", "zip", "reversed", "len", "list", "tuple", "iter", "any", "all", "map"}


@needs(ast.Slice, nothing=())
def observe_slices(body: Body, this: str) -> tuple[Observation, ...]:
    """Slices of attributes, or of the instance, in a method that are not set to ``self`` again.

    ``detail`` is the attribute, empty for the instance. Kind ``members``: it is iterated over,
    counted or indexed, and nothing else. ``slice``: it may be called.
    """
    file, nodes = body.source, body.nodes.all
    found = {id(item): item for item in body.nodes.of(ast.Subscript) if _is_slice(item, this)}
    if not found:
        return ()
    attached = {id(item) for node in nodes for item in _attached(node, this)}
    iterated = {id(item) for node in nodes for item in _iterated(node)}
    iterated |= {id(item) for node in nodes for item in _iterated_by_name(node, nodes, iterated)}
    return tuple(
        Observation(
            "members" if key in iterated else "slice",
            item.lineno,
            file.column(item),
            file.source(item.value),
            "".join(chain(item.value)[1:]),
        )
        for key, item in found.items()
        if key not in attached
    )


def _is_slice(node: ast.Subscript, this: str) -> bool:
    if not isinstance(node.slice, ast.Slice):
        return False
    parts = chain(node.value)
    return len(parts) in (1, 2) and parts[0] == this and isinstance(node.ctx, ast.Load)


def _arms(node: ast.expr) -> Iterator[ast.expr]:
    """An expression, or what a conditional chooses from."""
    if isinstance(node, ast.IfExp):
        yield from _arms(node.body)
        yield from _arms(node.orelse)
    else:
        yield node


def _attached(node: ast.AST, this: str) -> Iterator[ast.expr]:
    """What is set to an attribute of ``self``: it gets its name there."""
    if isinstance(node, ast.Assign) and any(chain(t)[:1] == (this,) for t in node.targets):
        yield from _arms(node.value)


def _iterated(node: ast.AST) -> Iterator[ast.expr]:
    """What only gives its members, at this node."""
    match node:
        case ast.For(iter=over) | ast.AsyncFor(iter=over) | ast.comprehension(iter=over):
            yield from _arms(over)
        case ast.Starred(value=over) | ast.Subscript(value=over):
            yield from _arms(over)
        case ast.Call(func=ast.Name(id=name), args=args) if name in ITERATING:
            for argument in args:
                yield from _arms(argument)


def _iterated_by_name(
    node: ast.AST, nodes: Sequence[ast.AST], iterated: set[int]
) -> Iterator[ast.expr]:
    """What is given to a local name that only gives its members, wherever it is read."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return
    name = node.targets[0].id
    reads = [
        item
        for item in nodes
        if isinstance(item, ast.Name) and item.id == name and isinstance(item.ctx, ast.Load)
    ]
    if all(id(item) in iterated for item in reads):
        yield from _arms(node.value)
