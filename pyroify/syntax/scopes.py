"""Which statement a name of a file stands for: functions nest, classes do not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from pyroify.syntax.nodes import children, walk

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Scope = ast.AST
"""A module, class or function."""


class Scopes:
    """The nesting of one syntax tree, and the names bound in each scope of it."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.parents = {child: node for node in walk(tree) for child in children(node)}

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What encloses a node, nearest first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def scope(self, node: ast.AST) -> Scope:
        """The module, class or function a node stands in."""
        kinds = (ast.Module, ast.ClassDef, *FUNCTIONS)
        return next(found for found in self.around(node) if isinstance(found, kinds))

    def function(self, node: ast.AST) -> Scope:
        """The function a node stands in, or the module."""
        kinds = (ast.Module, *FUNCTIONS)
        return next(found for found in self.around(node) if isinstance(found, kinds))

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement around an expression."""
        return next(found for found in self.around(node) if isinstance(found, ast.stmt))

    def contains(self, outer: ast.AST, inner: ast.AST) -> bool:
        """Whether a node is another, or stands within it."""
        return inner is outer or any(found is outer for found in self.around(inner))

    def holder(self, name: ast.Name) -> Scope | None:
        """The scope that binds a name as it is read here; None for builtins."""
        scope = self.scope(name)
        while True:
            if name.id in self._bound.get(scope, {}):
                return scope
            if isinstance(scope, ast.Module):
                return None
            scope = self.function(scope)

    def bindings(self, scope: Scope, name: str) -> tuple[ast.AST, ...]:
        """The nodes that bind a name in a scope."""
        return tuple(self._bound.get(scope, {}).get(name, ()))

    def definition(self, name: ast.Name) -> ast.Assign | None:
        """The one statement ``name = value`` behind a name, if nothing else binds it."""
        scope = self.holder(name)
        bound = self.bindings(scope, name.id) if scope is not None else ()
        if len(bound) != 1 or name.id in self._shared:
            return None
        statement = self.parents[bound[0]]
        is_plain = isinstance(statement, ast.Assign) and statement.targets == [bound[0]]
        return statement if isinstance(statement, ast.Assign) and is_plain else None

    def reads(self, scope: Scope, name: str) -> tuple[ast.Name, ...]:
        """Where the name that a scope binds is read, in functions within it too."""
        return tuple(
            node
            for node in walk(scope)
            if isinstance(node, ast.Name)
            and node.id == name
            and isinstance(node.ctx, ast.Load)
            and self.holder(node) is scope
        )

    def stands_alone(self, statement: ast.stmt) -> bool:
        """Whether a statement shares its lines with no other."""
        first, last = statement.lineno, statement.end_lineno
        parent = self.parents[statement]
        if isinstance(parent, ast.stmt) and parent.lineno == first:
            return False
        return not any(
            other is not statement
            and isinstance(other, ast.stmt)
            and (other.lineno == last or other.end_lineno == first)
            for other in children(parent)
        )

    @cached_property
    def _bound(self) -> dict[Scope, dict[str, list[ast.AST]]]:
        found: dict[Scope, dict[str, list[ast.AST]]] = {}
        for node in walk(self.tree):
            for name in _names_bound_by(node):
                found.setdefault(self.scope(node), {}).setdefault(name, []).append(node)
        return found

    @cached_property
    def _shared(self) -> frozenset[str]:
        """Names that ``global`` or ``nonlocal`` lets other functions bind."""
        return frozenset(
            name
            for node in walk(self.tree)
            if isinstance(node, ast.Global | ast.Nonlocal)
            for name in node.names
        )


def _names_bound_by(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return (name,)
        case ast.arg(arg=name):
            return (name,)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return (name,)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.alias(name=name, asname=local):
            return (local or name.partition(".")[0],)
    return ()
