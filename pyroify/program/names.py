"""Which file of a project an import leads to, told from the paths of its files alone."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pyroify.diagnostics import Finding


@dataclass(frozen=True)
class ModuleNames:
    """The modules that the files at ``paths`` are. ``findings``: imports that may mean several."""

    paths: Sequence[str]
    findings: dict[Finding, None] = field(default_factory=dict)
    _found: dict[tuple[str, tuple[str, str]], str | None] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)

    @cached_property
    def existing(self) -> frozenset[str]:
        """The paths of all files of the project, read or not."""
        return frozenset(self.paths)

    @cached_property
    def _roots(self) -> tuple[str, ...]:
        tops = {self._package_parent(path) for path in self.paths}
        return tuple(dict.fromkeys(["", "src", *sorted(tops)]))

    def module_name(self, path: str) -> str:
        """Dotted name of a file, below the parent of its top-level package."""
        parent = self._package_parent(path)
        relative = path[len(parent) + 1 :] if parent else path
        if not parent and relative.startswith("src/"):
            relative = relative[4:]
        stem, dot, suffix = relative.rpartition(".")
        stem = stem if dot and suffix in ("py", "pyi", "ipynb", "md") else relative
        return stem.removesuffix("/__init__").replace("/", ".")

    def _package_parent(self, path: str) -> str:
        """Folder that holds the top-level package of a file, or the file itself."""
        if path not in self._parents:
            self._parents[path] = self._look_for_parent(path)
        return self._parents[path]

    def _look_for_parent(self, path: str) -> str:
        folder = posixpath.dirname(path)
        if f"{folder}/__init__.py".lstrip("/") not in self.existing:
            # A script, or a package without __init__.py: named from the root.
            return "src" if path.startswith("src/") else ""
        while folder and f"{folder}/__init__.py" in self.existing:
            folder = posixpath.dirname(folder)
        return folder

    def package_of(self, path: str) -> str:
        """Folder of the top-level package that a file is in; empty where it is in none."""
        parent = self._package_parent(path)
        top, _, below = path[len(parent) + 1 if parent else 0 :].partition("/")
        folder = posixpath.join(parent, top)
        return folder if below and f"{folder}/__init__.py" in self.existing else ""

    def find_module(self, dotted: str, importer: str) -> str | None:
        """File of a module, as an import in ``importer`` finds it."""
        if not dotted:
            return None
        own = (self._package_parent(importer), posixpath.dirname(importer))
        if (dotted, own) not in self._found:
            self._found[dotted, own] = self._look_up(dotted, importer, own)
        return self._found[dotted, own]

    def modules_on_the_way(self, dotted: str, importer: str) -> Iterator[str]:
        """Files of a module and of the packages around it, which an import runs first."""
        return (path for path, _ in self.steps(dotted, importer))

    def steps(self, dotted: str, importer: str) -> Iterator[tuple[str, list[str]]]:
        """The same, each with the names that are left below it."""
        parts = dotted.split(".")
        for end in range(1, len(parts) + 1):
            if path := self.find_module(".".join(parts[:end]), importer):
                yield path, parts[end:]

    def _look_up(self, dotted: str, importer: str, own: tuple[str, str]) -> str | None:
        tail = dotted.replace(".", "/")
        for roots in (own, self._roots):
            hits = {
                path: None
                for base in roots
                for path in (
                    posixpath.join(base, f"{tail}.py"),
                    posixpath.join(base, tail, "__init__.py"),
                )
                if path in self.existing
            }
            if len(hits) == 1 or (hits and roots is own):
                return next(iter(hits))
            if len(hits) > 1:
                self._say_ambiguous(dotted, importer, sorted(hits))
                return None
        return None

    def _say_ambiguous(self, dotted: str, importer: str, hits: Sequence[str]) -> None:
        message = f"import of {dotted} may mean {' or '.join(hits)}"
        help = "rewrite from the folder that is on the import path, or exclude one of them"
        self.findings[Finding(importer, 1, 1, "PYR206", message, help)] = None
