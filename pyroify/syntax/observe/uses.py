"""How a method uses what hangs below ``self``."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pyroify.catalog.members import METADATA
from pyroify.syntax.facts import Use
from pyroify.syntax.nodes import children
from pyroify.syntax.source import Source, chain
from pyroify.syntax.values import Location

SIZES = {"shape", "size", "dim", "ndim", "numel", "device", "dtype"}
"""What is asked of a tensor, also of an element, that is no value of it."""
ATTRIBUTE = {ast.Load: "read", ast.Store: "store", ast.Del: "delete"}
ELEMENT = {ast.Load: "subscript", ast.Store: "setitem", ast.Del: "delete"}


def collect_uses(file: Source, body: Sequence[ast.stmt], this: str) -> tuple[Use, ...]:
    """Every chain of attributes below ``this``, each once, in the order of the source."""
    return tuple(use for node in body for use in _walk(node, _Context(file, this)))


@dataclass(frozen=True, slots=True)
class _Context:
    """What encloses a node, as in ``Use``."""

    file: Source
    this: str
    within: str = ""
    plate: Location | None = None
    later: bool = False

    def use(self, node: ast.expr, how: str) -> Use | None:
        """The use that an expression is, if it is attributes below ``self``."""
        parts = chain(node)
        if len(parts) < 2 or parts[0] != self.this:
            return None
        return self.made(node, parts[1:], how)

    def made(self, node: ast.expr, path: tuple[str, ...], how: str) -> Use:
        """A use at a node."""
        column = self.file.column(node)
        return Use(path, how, node.lineno, column, self.within, self.plate, later=self.later)


def _walk(node: ast.AST, at: _Context) -> Iterator[Use]:
    match node:
        case ast.Call():
            yield from _walk_call(node, at)
        case ast.Lambda(body=body) if not at.within:
            yield from _walk(body, replace(at, within="lambda", later=True))
        case ast.With() if any(at.file.is_plate(item.context_expr) for item in node.items):
            yield from _walk_plate(node, at)
        case ast.AugAssign(target=target, value=value) if use := at.use(target, "augmented"):
            yield use
            yield from _walk(value, at)
        case ast.Subscript(value=ast.Name(id=at.this), ctx=ast.Del()):
            yield at.made(node, ("__delitem__",), "call")
            yield from _walk(node.slice, at)
        case ast.Subscript() if use := at.use(node.value, ELEMENT[type(node.ctx)]):
            yield replace(use, item=True)
            yield from _walk(node.slice, at)
        case ast.Attribute(attr=attr) if attr in METADATA and (element := _element_above(node)):
            if use := at.use(element.value, "read"):
                names = _names_below(node, element)
                yield replace(use, path=(*use.path, *names))
                yield from _walk(element.slice, at)
            else:
                yield from _walk_all(children(node), at)
        case ast.Attribute() if use := at.use(node, ATTRIBUTE[type(node.ctx)]):
            yield use
        case ast.Compare(ops=ops) if all(isinstance(op, ast.Is | ast.IsNot) for op in ops):
            yield from _walk_all(children(node), replace(at, within="is"))
        case _:
            if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
                if use := at.use(node.iter, "iterate"):
                    yield use
            yield from _walk_all(children(node), at)


def _element_above(node: ast.Attribute) -> ast.Subscript | None:
    """The element in brackets that a chain of attributes begins at: ``x[0]`` in ``x[0].a.b``."""
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner if isinstance(inner, ast.Subscript) else None


def _names_below(node: ast.expr, element: ast.Subscript) -> tuple[str, ...]:
    """The attributes of a chain that begins at an element."""
    if node is element or not isinstance(node, ast.Attribute):
        return ()
    return (*_names_below(node.value, element), node.attr)


def _walk_all(nodes: Iterable[ast.AST], at: _Context) -> Iterator[Use]:
    for node in nodes:
        yield from _walk(node, at)


def _walk_plate(node: ast.With, at: _Context) -> Iterator[Use]:
    yield from _walk_all(node.items, at)
    plate = at.plate or (node.lineno, at.file.column(node))
    yield from _walk_all(node.body, replace(at, plate=plate))


def _walk_call(node: ast.Call, at: _Context) -> Iterator[Use]:
    if use := at.use(node.func, "call"):
        yield use
    elif chain(node.func) == (at.this,):
        yield at.made(node, ("__call__",), "call")
    else:
        yield from _walk(node.func, at)
    name = at.file.dotted(node.func) or at.within
    if isinstance(node.func, ast.Attribute) and not chain(node.func):
        name = node.func.attr
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    yield from _walk_all(given, replace(at, within=name))
