"""The files that have to do with some of a project: what these import, and what imports them."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyroify.program.names import ModuleNames
from pyroify.syntax.source import absolute, package_of

IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]+))",
    re.MULTILINE,
)
NO_NAMES = re.compile(rb"#[^\n]*|\bas\s+\w+")
"""What is no module or name of one in a list of imports."""
WORD = re.compile(rb"[.\w]+")
BUILTINS = frozenset(vars(builtins))
EVERYTHING = frozenset(("globals", "locals", "vars", "dir"))
"""Functions that give all names there are."""


@dataclass(frozen=True)
class Reached:
    """Files whose code counts, and packages that imports of them only run, or take names from."""

    entered: frozenset[str] = frozenset()
    passed: frozenset[str] = frozenset()

    @property
    def both(self) -> frozenset[str]:
        """All of them."""
        return self.entered | self.passed

    def __or__(self, other: Reached) -> Reached:
        return Reached(self.entered | other.entered, self.passed | other.passed)


@dataclass
class Closures:
    """Follows imports, which are told from the bytes of files: too many are harmless.

    A package that only hands names on is passed through name by name: who imports one of them has
    to do with the file that defines it, not with all that the package imports. Where that cannot
    be told, the package is entered like any other file.
    """

    names: ModuleNames
    codes: Mapping[str, bytes | None]
    _imports: dict[str, Reached] = field(default_factory=dict)
    _handed_on: dict[str, Mapping[str, Sequence[str]] | None] = field(default_factory=dict)
    _sources: dict[tuple[str, str], Reached] = field(default_factory=dict)

    def around(self, selected: Collection[str]) -> Reached:
        """What imports the selected files, directly or not, and what these and those import."""
        if self.names.existing.issubset(selected):
            return Reached(self.names.existing)
        imported = {path: self.imports(path).entered for path in self.codes}
        importers: dict[str, set[str]] = {}
        for path, found in imported.items():
            for other in found:
                importers.setdefault(other, set()).add(path)
        users = _reached(importers, selected)
        passed = {
            path for path in users.difference(selected) if self._handed_on_by(path) is not None
        }
        entered = _reached(imported, users - passed)
        passed.update(*(self.imports(path).passed for path in entered))
        return Reached(entered, frozenset(passed) - entered)

    @property
    def imported(self) -> frozenset[str]:
        """Files that some other file may import."""
        found = ((path, self.imports(path).both) for path in self.codes)
        return frozenset(other for path, others in found for other in others if other != path)

    def imports(self, path: str) -> Reached:
        """What a file imports itself."""
        if path not in self._imports:
            found = Reached()
            package = self._package_of(path)
            for source, listed, plain in IMPORT.findall(
                (self.codes[path] or b"").replace(b"\0", b"")
            ):
                for dotted in _words(plain):
                    found |= Reached(frozenset(self.names.modules_on_the_way(dotted, path)))
                if source:
                    below = source.lstrip(b".")
                    module = absolute(below.decode(), len(source) - len(below), package)
                    for dotted in [f"{module}.{name}" for name in _words(listed)] or [module]:
                        found |= self.leads_to(dotted, path)
            self._imports[path] = found
        return self._imports[path]

    def leads_to(self, dotted: str, importer: str) -> Reached:
        """Where the import of a module, or of a name in one, leads to."""
        found = list(self.names.steps(dotted, importer))
        if not found:
            return Reached()
        *above, (target, below) = found
        leads = self._named(target, below[0]) if below else Reached(frozenset([target]))
        return leads | Reached(passed=frozenset(path for path, _ in above))

    def _named(self, path: str, name: str) -> Reached:
        """Where a name that is imported from a module comes from."""
        handed_on = self._handed_on_by(path)
        if handed_on is None:
            return Reached(frozenset([path]))
        if (path, name) not in self._sources:
            self._sources[path, name] = Reached()  # modules may import one another
            found = Reached()
            for dotted in handed_on.get(name, ()):
                found |= self.leads_to(dotted, path)
            for dotted in handed_on.get("*", ()):
                module = self.names.find_module(dotted, path)
                if module and re.search(rb"\b%s\b" % name.encode(), self.codes[module] or b""):
                    found |= self._named(module, name)
            known = found.entered or name in handed_on
            self._sources[path, name] = (
                found | Reached(passed=frozenset([path])) if known else Reached(frozenset([path]))
            )
        return self._sources[path, name]

    def _handed_on_by(self, path: str) -> Mapping[str, Sequence[str]] | None:
        """What a package hands on of others, by name; None for a file that does more than that."""
        if path not in self._handed_on:
            self._handed_on[path] = None
            if path.endswith("__init__.py"):
                self._handed_on[path] = self._read_package(path)
        return self._handed_on[path]

    def _read_package(self, path: str) -> Mapping[str, Sequence[str]] | None:
        try:
            nodes = [*ast.walk(ast.parse(self.codes[path] or b""))]
        except (SyntaxError, ValueError):
            return None
        found: dict[str, list[str]] = {}
        known = {*BUILTINS, *_assigned(nodes)}
        for name, dotted in _bindings(nodes, self._package_of(path)):
            if [*self.names.modules_on_the_way(dotted, path)]:
                found.setdefault(name, []).append(dotted)
            else:
                known.add(name)
        used = _read_names(nodes)
        may_use_them = used & (found.keys() | EVERYTHING) or ("*" in found and used - known)
        return None if may_use_them else found

    def _package_of(self, path: str) -> Sequence[str]:
        return package_of(self.names.module_name(path), path.endswith("__init__.py"))


def _words(code: bytes) -> list[str]:
    return [word.decode() for word in WORD.findall(NO_NAMES.sub(b"", code))]


def _bindings(nodes: Iterable[ast.AST], package: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names that imports bind (``*`` for all), and what each stands for."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            source = absolute(node.module or "", node.level, package)
            for alias in node.names:
                dotted = source if alias.name == "*" else f"{source}.{alias.name}"
                yield alias.asname or alias.name, dotted
        elif isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (head, head)


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that code defines itself."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id


def _read_names(nodes: Sequence[ast.AST]) -> frozenset[str]:
    """Names that code reads, but for lists of names that it puts together (``layers.__all__``)."""
    lists = (node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "__all__")
    left = {id(node.value) for node in lists}
    return frozenset(
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in left
    )


def _reached(graph: Mapping[str, Collection[str]], start: Iterable[str]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(graph.get(path, ()))
    return frozenset(seen)
