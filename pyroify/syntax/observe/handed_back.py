"""Functions that decorate a class and leave nothing of it anywhere: they give it back as it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pyroify.syntax.source import Body, Source, chain

ASKING = frozenset("hasattr isclass isinstance issubclass print repr str type".split())
"""Functions that keep nothing of what they are given first, by their last names."""
BUILDING = frozenset(("__call__", "__class__", "__init__", "__new__"))
"""What decides how instances are built."""
KEEPING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def hands_back(body: Body, name: str) -> bool:
    """Whether a function gives its argument ``name`` back, and nothing else can get at it.

    Attributes of it may be read and set, but for those by which instances are built.
    """
    returned = body.nodes.of(ast.Return)
    if not returned or body.nodes.of(*KEEPING):
        return False
    reads = [node for node in body.nodes.of(ast.Name) if node.id == name]
    harmless = {id(node) for node in _harmless(body)}
    is_returned = all(isinstance(i.value, ast.Name) and i.value.id == name for i in returned)
    return is_returned and all(id(node) in harmless for node in reads)


def _harmless(body: Body) -> Iterator[ast.expr]:
    """Expressions that are given back, asked about, or have an attribute read or set."""
    called = {id(node.func) for node in body.nodes.of(ast.Call)}
    for node in body.nodes.of(ast.Return, ast.Call, ast.Attribute):
        match node:
            case ast.Return(value=ast.expr() as value):
                yield value
            case ast.Call(func=ast.Name(id="setattr"), args=[owner, name, _]):
                if _text(name, body.source) not in (*BUILDING, None):
                    yield owner
            case ast.Call(func=function, args=[first, *_]) if chain(function):
                if chain(function)[-1] in ASKING:
                    yield first
            case ast.Attribute(value=owner, attr=attr) if id(node) not in called:
                if attr not in BUILDING:
                    yield owner


def _text(node: ast.expr, source: Source) -> str | None:
    """A text, written there or as a constant of the file."""
    if isinstance(node, ast.Name):
        given = [
            item.value
            for item in source.tree.body
            if isinstance(item, ast.Assign)
            and any(
                isinstance(target, ast.Name) and target.id == node.id for target in item.targets
            )
        ]
        return _text(given[0], source) if len(given) == 1 else None
    match node:
        case ast.Constant(value=str(text)):
            return text
    return None
