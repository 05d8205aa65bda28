"""Lists and dicts of a file, or of another one, that code puts further members into."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator

from pyroify.syntax.source import Source, chain

ADDING = frozenset("add append extend insert setdefault update __setitem__".split())
OWNERS = ("self", "cls")


def grown(source: Source, followed: Container[ast.AST]) -> Iterator[str]:
    """Dotted names of what gets members, but by what is ``followed`` elsewhere."""
    for node in source.nodes.of(ast.Subscript, ast.Call, ast.AugAssign):
        if node in followed:
            continue
        match node:
            case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
                yield from _dotted(source, owner)
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in ADDING:
                yield from _dotted(source, owner)
            case ast.AugAssign(target=ast.Name() | ast.Attribute() as owner):
                yield from _dotted(source, owner)


def _dotted(source: Source, owner: ast.expr) -> Iterator[str]:
    names = chain(owner)
    if names[:1] and names[0] in OWNERS and len(names) == 2:
        yield f"*.{names[1]}"
    elif names and "." in (dotted := source.resolve(names)):
        yield dotted
