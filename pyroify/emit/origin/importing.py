"""Whether the new script can import what the old one defines."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final

from pyroify.emit.origin.code import Code, Definition, Module, bound_by, flat, reads
from pyroify.emit.origin.options import PARSERS
from pyroify.emit.origin.text import Writer
from pyroify.emit.values import is_name
from pyroify.syntax.nodes import is_main_guard

QUIET: Final = re.compile(
    r"(torch|numpy|random|np)\.(\w+\.)*(manual_seed|seed|set_\w+|use_\w+)|warnings\.\w+"
    r"|logging\.\w+|matplotlib\.\w+|sys\.path\.\w+|os\.environ\.\w+|os\.makedirs|print"
    r"|(\w+\.)*(seed_everything|set_style|set_theme)|pyro\.settings\.set"
)
"""Calls at the top of a file that leave it importable."""

PLAIN: Final = re.compile(r"logging\.getLogger|os\.path\.\w+|pathlib\.(Path|PurePath)(\.\w+)?")
"""Calls that give the same wherever a file is imported."""


@dataclass(frozen=True, eq=False)
class Importing:
    """Asks whether definitions work when they are imported; each is looked at once."""

    code: Code
    found: dict[ast.AST, bool] = field(default_factory=dict)

    def works(self, module: Module, node: Definition) -> bool:
        """Whether the new script can import a definition and have it work as in the old one."""
        if node not in self.found:
            self.found[node] = True  # what it needs may need it
            self.found[node] = self._find(module, node)
        return self.found[node]

    def unset(self, module: Module, node: Definition) -> frozenset[str]:
        """Names that a network's class reads, and that its file sets only where it is run.

        Whoever imports the class has to set them.
        """
        if module is not self.code.script or not isinstance(node, ast.ClassDef):
            return frozenset()
        top = self.code.top(module)
        found, waiting, seen = set[str](), [node], set[ast.AST]()
        while waiting:
            cls = waiting.pop()
            if cls in seen or self.code.class_of(module, cls) is None:
                continue
            seen.add(cls)
            read = reads(cls) & top.bound
            found |= read & self._set_when_run
            waiting += [
                other
                for other in module.definitions.values()
                if isinstance(other, ast.ClassDef) and other.name in read
            ]
        return frozenset(found)

    @cached_property
    def _set_when_run(self) -> frozenset[str]:
        """What the script binds below ``if __name__ == "__main__"``."""
        guards = (
            statement
            for statement in self.code.script.source.tree.body
            if isinstance(statement, ast.If) and is_main_guard(statement.test)
        )
        return frozenset(name for guard in guards for s in flat(guard.body) for name in bound_by(s))

    def _find(self, module: Module, node: Definition) -> bool:
        if not is_name(PurePosixPath(module.path).stem):
            return False  # train-gat.py: no import statement names it
        if module is self.code.script and not self._is_quiet(module):
            return False
        if isinstance(node, ast.FunctionDef) and self._reads_surroundings(module, node):
            return False
        top = self.code.top(module)
        for name in (reads(node) & top.bound) - self.unset(module, node):
            for statement in flat(module.source.tree.body):
                if name not in bound_by(statement) or isinstance(statement, ast.Import):
                    continue
                if isinstance(statement, Definition):
                    if not self.works(module, statement):
                        return False
                elif isinstance(statement, ast.ImportFrom):
                    found = self.code.defined(module.source.imports.get(name, ""), module)
                    if found is not None and not self.works(*found):
                        return False
                elif statement not in module.source.tree.body or not self._is_constant(
                    statement, module
                ):
                    return False
        return True

    def _reads_surroundings(self, module: Module, node: Definition) -> bool:
        """Whether code reads the command line, or picks a device."""
        writer = Writer(self.code, module)
        for item in ast.walk(node):
            match item:
                case ast.Call(func=ast.Attribute(attr=name)) if name in PARSERS:
                    return True
                case ast.Call(func=ast.Attribute(attr="cuda")):
                    return True
                case ast.Assign(value=value) if writer.is_device(value):
                    return True
        return False

    def _is_quiet(self, module: Module) -> bool:
        """Whether importing a file only defines things."""
        for statement in module.source.tree.body:
            match statement:
                case ast.For() | ast.While() | ast.With():
                    return False
                case ast.Expr(value=ast.Call(func=func)):
                    if not QUIET.fullmatch(self.code.dotted(func, module) or ast.unparse(func)):
                        return False
                case ast.Assign(value=value):
                    if any(
                        isinstance(n, ast.Attribute) and n.attr in PARSERS for n in ast.walk(value)
                    ):
                        return False
        return True

    def _is_constant(self, statement: ast.stmt, module: Module) -> bool:
        """Whether a statement sets names to what is spelled out, or to paths."""
        value = getattr(statement, "value", None)
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or value is None:
            return False
        calls = (
            self.code.dotted(n.func, module) for n in ast.walk(value) if isinstance(n, ast.Call)
        )
        return all(map(PLAIN.fullmatch, calls))
