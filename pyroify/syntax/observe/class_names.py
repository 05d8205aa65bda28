"""Code that goes by the name of a layer's class, which is another one for a PyroModule."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from pyroify.catalog.layers import LAYERS
from pyroify.dispatch import needs
from pyroify.syntax.facts import Dispatch
from pyroify.syntax.source import Source, chain

PICKING = {"startswith", "endswith", "get"}
"""Methods of a name, or of a dict that is given one, which tell ``PyroLinear`` from ``Linear``."""


@needs("__name__", "_get_name", nothing=())
def dispatches(file: Source) -> tuple[Dispatch, ...]:
    """Where a name of a layer is compared with that of a class, or is the key to something."""
    return tuple(_Finder(file, frozenset(_named(file))).find())


def _named(file: Source) -> Iterator[str]:
    """Variables that are given the name of a class."""
    for node in file.nodes.of(ast.Assign):
        if _is_class_name(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _is_class_name(node: ast.expr) -> bool:
    """``type(m).__name__``, ``m.__class__.__name__``, ``m._get_name()``: not of ``self``."""
    match node:
        case ast.Attribute(value=ast.Attribute(value=owner, attr="__class__"), attr="__name__"):
            return chain(owner) != ("self",)
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type"), args=[owner])):
            return node.attr == "__name__" and chain(owner) != ("self",)
        case ast.Call(func=ast.Attribute(value=owner, attr="_get_name")):
            return chain(owner) != ("self",)
    return False


@dataclass(frozen=True)
class _Finder:
    file: Source
    variables: frozenset[str]

    def find(self) -> Iterator[Dispatch]:
        for node in self.file.nodes.of(ast.Compare, ast.Subscript, ast.Call):
            if self._goes_by_name(node):
                yield Dispatch(node.lineno, self.file.column(node), self.file.source(node))

    def _goes_by_name(self, node: ast.expr) -> bool:
        match node:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]):
                is_rewritten = _is_class_name(left) and isinstance(right, ast.Constant)
                return not is_rewritten and self._compares(left, right)
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn()], comparators=[right]):
                return self._is_name(left) and not isinstance(right, ast.Constant)
            case ast.Subscript(slice=key):
                return self._is_name(key)
            case ast.Call(func=ast.Attribute(value=owner, attr=method), args=[first, *_]):
                is_given = method == "get" and self._is_name(first)
                return is_given or (
                    method in PICKING and self._is_name(owner) and _names_layer(first)
                )
        return False

    def _compares(self, left: ast.expr, right: ast.expr) -> bool:
        return any(
            self._is_name(one) and _names_layer(other)
            for one, other in ((left, right), (right, left))
        )

    def _is_name(self, node: ast.expr) -> bool:
        """Whether an expression is the name of a class, or a variable that was given one."""
        parts = chain(node)
        return _is_class_name(node) or (len(parts) == 1 and parts[0] in self.variables)


def _names_layer(node: ast.expr) -> bool:
    """Whether a text is, or begins, the name of a layer of torch."""
    match node:
        case ast.Constant(value=str(text)):
            return bool(text) and any(layer.startswith(text) for layer in LAYERS)
        case ast.Tuple(elts=items):
            return any(map(_names_layer, items))
    return False
