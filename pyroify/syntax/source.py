"""The syntax nodes of one file as text: where they stand, what they say, what their names mean."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from pyroify.catalog.layers import LAYERS
from pyroify.dispatch import Trait
from pyroify.syntax.nodes import Nodes
from pyroify.syntax.values import Path

IMPORTS: tuple[type[ast.Import | ast.ImportFrom], ...] = (ast.Import, ast.ImportFrom)
PLATES = {"pyro.plate", "pyro.primitives.plate"}


class Body:
    """Statements of a file: the nodes in them, and what there is among these."""

    def __init__(self, source: Source, statements: Sequence[ast.stmt]) -> None:
        self.source = source
        self.statements = statements
        self.nodes = Nodes(statements)

    @cached_property
    def traits(self) -> frozenset[Trait]:
        """What there is among its nodes."""
        return traits_among(self.nodes, self.source.imports)


class Source:
    """One file. ``module`` is its dotted name, from which relative imports are resolved."""

    def __init__(self, text: str, tree: ast.Module, module: str, is_package: bool) -> None:
        # ast splits lines at \n, \r\n and \r only; str.splitlines would split at more.
        self.lines = re.split(r"\r\n|\n|\r", text)
        self.module = module
        self.tree = tree
        self.nodes = Nodes([tree])
        self.imports: dict[str, str] = {}
        self.stars: list[str] = []
        self.modules: dict[str, None] = {}
        """All that is imported: modules, and names in them, which may be modules too."""
        self.imports_by_dots = False
        self.names = {
            node.name
            for node in own_statements(tree.body)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        """What the file defines; names it assigns are added as they are read."""
        package = package_of(module, is_package)
        for node in self.nodes.of(*IMPORTS):
            if isinstance(node, ast.Import):
                self._import(node)
            else:
                self._import_from(node, package)
        self._plates = frozenset(self._plate_names())

    @cached_property
    def traits(self) -> frozenset[Trait]:
        """What there is among its nodes."""
        return traits_among(self.nodes, self.imports)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.modules[alias.name] = None
            if alias.asname:
                self.imports[alias.asname] = alias.name
            else:
                head = alias.name.partition(".")[0]
                self.imports.setdefault(head, head)

    def _import_from(self, node: ast.ImportFrom, package: Sequence[str]) -> None:
        source = absolute(node.module or "", node.level, package)
        self.imports_by_dots = self.imports_by_dots or node.level > 0
        for alias in node.names:
            self.modules[source if alias.name == "*" else f"{source}.{alias.name}"] = None
            if alias.name == "*":
                self.stars.append(source)
            else:
                self.imports[alias.asname or alias.name] = f"{source}.{alias.name}"

    def _plate_names(self) -> Iterator[str]:
        """Names given to plates anywhere in the file."""
        for node in self.nodes.of(ast.Assign):
            if self._makes_plate(node.value):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))

    # Where nodes stand

    def column(self, node: ast.expr | ast.stmt) -> int:
        """Column of a node in characters, from 0."""
        line = self.lines[node.lineno - 1]
        if line.isascii():
            return node.col_offset
        return len(line.encode()[: node.col_offset].decode())

    def trailing(self, node: ast.expr) -> int:
        """Characters after an expression on its last line, comments included."""
        line = self.lines[(node.end_lineno or node.lineno) - 1].encode()
        return len(line[node.end_col_offset :].decode())

    def extent(self, node: ast.expr, statement: int) -> tuple[int, int, int, int] | None:
        """Where a call stands on one line, as in ``Call``; None where it takes several."""
        if node.lineno != node.end_lineno:
            return None
        line = self.lines[node.lineno - 1]
        return len(line) - len(line.lstrip()), self.trailing(node), len(line), statement

    # What nodes say and mean

    def source(self, node: ast.AST) -> str:
        """Source of an expression: as written where it stands on one line, else normalised."""
        if not isinstance(node, ast.expr) or node.lineno != node.end_lineno:
            return ast.unparse(node)
        line = self.lines[node.lineno - 1].encode()
        return line[node.col_offset : node.end_col_offset].decode()

    def dotted(self, node: ast.AST) -> str:
        """Dotted name of an expression through the imports; ``""`` for what is not a name."""
        if isinstance(node, ast.Call):
            return self.dotted(node.func)
        if isinstance(node, ast.Subscript):
            return self.dotted(node.value)
        parts = chain(node)
        return self.resolve(parts) if parts else ""

    def dotted_base(self, node: ast.expr) -> str:
        """The same of a base, which may be ``MissingBase if Base is object else Base``."""
        match node:
            case ast.IfExp(test=ast.Compare(ops=[ast.Is()], comparators=[ast.Name(id="object")])):
                return self.dotted(node.orelse)
        return self.dotted(node)

    def resolve(self, parts: Path) -> str:
        """Dotted name of a chain of names through the imports and definitions of the file."""
        head, *rest = parts
        if head in self.imports:
            head = self.imports[head]
        elif head in self.names:
            head = f"{self.module}.{head}"
        elif "torch.nn" in self.stars and (head in LAYERS or head in ("Module", "Parameter")):
            head = f"torch.nn.{head}"
        elif head == "nn" and self.stars:
            head = "torch.nn"  # by way of a star import: nobody calls anything else nn
        return ".".join([head, *rest])

    def is_plate(self, node: ast.expr) -> bool:
        """Whether an expression is ``pyro.plate(...)``, or a name that was given to one."""
        if isinstance(node, ast.Name):
            return node.id in self._plates
        return self._makes_plate(node)

    def _makes_plate(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self.dotted(node.func) in PLATES


def traits_among(nodes: Nodes, imports: Mapping[str, str]) -> frozenset[Trait]:
    """The forms of nodes, their names and texts; what is imported has the name of what it is."""
    found: set[Trait] = {*nodes.forms}  # type: ignore[arg-type]
    names = {node.id for node in nodes.of(ast.Name)}
    found.update(imports.get(name, name).rpartition(".")[2] for name in names)
    found.update(node.attr for node in nodes.of(ast.Attribute))
    constants = (node.value for node in nodes.of(ast.Constant))
    found.update(value for value in constants if isinstance(value, str))
    return frozenset(found)


def chain(node: ast.AST | None) -> Path:
    """``("a", "b", "c")`` for ``a.b.c``; empty for anything that is not names and dots."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ()
    return (node.id, *reversed(parts))


def own_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module or class body, those within compound statements included."""
    for node in body:
        match node:
            case ast.If():
                yield from own_statements([*node.body, *node.orelse])
            case ast.Try():
                handled = [item for handler in node.handlers for item in handler.body]
                yield from own_statements([*node.body, *handled, *node.orelse, *node.finalbody])
            case ast.With() | ast.AsyncWith():
                yield from own_statements(node.body)
            case ast.For() | ast.AsyncFor() | ast.While():
                yield node  # what it goes over
                yield from own_statements([*node.body, *node.orelse])
            case ast.Match():
                yield from own_statements([item for case in node.cases for item in case.body])
            case _:
                yield node


def package_of(module: str, is_package: bool) -> list[str]:
    """Names of the package a module belongs to, which is itself where it is one."""
    parts = module.split(".")
    return parts if is_package else parts[:-1]


def absolute(module: str, level: int, package: Sequence[str]) -> str:
    """The module that ``from ...module import`` means in a package, with ``level`` dots."""
    base = package[: max(len(package) - level + 1, 0)] if level else ()
    return ".".join([*base, *([module] if module else [])])
