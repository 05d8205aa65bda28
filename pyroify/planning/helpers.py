"""Helper functions that several files of a package need: once, in a module of that package."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pyroify.code.names import HELPERS, SOURCES, Definition, FileNames, normalised
from pyroify.globs import compile_globs
from pyroify.program.index import Index
from pyroify.program.ownership import foreign_definitions
from pyroify.spec.model import Helpers, Spec
from pyroify.syntax.facts import File

START = '"""Helper functions of the declarations in this package."""\n'
"""What such a module begins with."""


def module_for(index: Index, path: str) -> str:
    """Path of the module that would hold the helpers of a file; empty where it is in no package."""
    folder = index.loaded.names.package_of(path) if path.endswith(".py") else ""
    return f"{folder}/{HELPERS}.py" if folder else ""


def writable_modules(index: Index, spec: Spec, selected: Collection[str]) -> frozenset[str]:
    """The modules for helpers that a run may change or make: where it covers the whole package."""
    wanted, unwanted = compile_globs(spec.include or ("**",)), compile_globs(spec.exclude)

    def is_open(path: str) -> bool:
        return wanted.match_file(path) and not unwanted.match_file(path)

    modules = {module_for(index, file.path) for file in index.files} - {""}
    for path in index.existing - set(selected):
        if (module := module_for(index, path)) in modules and is_open(path):
            modules.remove(module)
    return frozenset(filter(is_open, modules))


def names_of(index: Index, file: File, touched: frozenset[str]) -> FileNames:
    """What declarations of a file are spelled with: its own definitions and those it imports.

    ``touched`` are attribute names that other code than their own class writes to.
    """
    foreign = foreign_definitions(index, file)
    module = index.file(module_for(index, file.path))
    if module is None:
        return FileNames(file, touched, foreign=foreign)
    known = {f"{module.module}.{name}": source for name, source in module.definitions}
    helpers = {name: known[dotted] for name, dotted in file.imports if dotted in known}
    foreign |= foreign_definitions(index, module) & helpers.keys()
    return FileNames(file, touched, helpers=helpers, foreign=foreign)


def share_helpers(
    names: dict[str, FileNames], index: Index, mode: Helpers, modules: Collection[str]
) -> None:
    """Move definitions that several files of a package lack to its module for helpers.

    ``names`` are those of the files that change, by path; those of ``modules`` come beside them. A
    definition stays in its file if it is written with names of that file, and unless ``mode`` is
    "module" if only one file needs it, or if the file may be run as a script: it imports nothing
    from its own package, and is not imported as a part of it, or says what to do when it is run.
    """
    by_module: dict[str, list[str]] = {}
    for path in names:
        by_module.setdefault(module_for(index, path), []).append(path)
    for path, members in by_module.items():
        if mode != "inline" and path in modules and not _is_of_user(index.file(path)):
            package = _Package(index, path, {member: names[member] for member in members})
            if moved := package.share(mode):
                names[path] = moved


def _is_of_user(module: File | None) -> bool:
    return module is not None and not module.definitions


@dataclass
class _Package:
    """A package and its module for helpers, which may not be there yet."""

    index: Index
    path: str
    members: Mapping[str, FileNames]

    def share(self, mode: Helpers) -> FileNames | None:
        """Move definitions, and say what the module needs; None if nothing moves."""
        file = self.index.file(self.path)
        names = FileNames(file or File(self.path, self.index.loaded.names.module_name(self.path)))
        there = dict(file.definitions) if file else {}
        chosen = dict(self._chosen(mode, there))
        while lacking := [
            name
            for name, made in chosen.items()
            if any(need not in {*SOURCES, *chosen, *there} for need in made.needs or ())
        ]:
            for name in lacking:
                del chosen[name]
        for name, made in chosen.items():
            if there.get(name) != normalised(made.source):
                names.definitions[name] = made
        for path, member in self.members.items():
            moved = [
                name
                for name, made in member.definitions.items()
                if made == chosen.get(name) and self._can_move(path, name, mode)
            ]
            left = {n: made for n, made in member.definitions.items() if n not in moved}
            needed = {need for made in left.values() for need in made.needs or ()}
            member.definitions = left
            for name in moved:
                if name not in member.helpers and (name not in member.inner or name in needed):
                    member.moved.append((self._imported_from(path), name, ""))
        return names if names.definitions else None

    def _chosen(self, mode: Helpers, there: Mapping[str, str]) -> Iterator[tuple[str, Definition]]:
        """The definitions that are worth it, each in the form that most files need."""
        wanted: dict[str, Counter[Definition]] = {}
        for path, member in self.members.items():
            for name, made in member.definitions.items():
                if self._can_move(path, name, mode):
                    wanted.setdefault(name, Counter())[made] += 1
        for name, forms in wanted.items():
            made, count = forms.most_common(1)[0]
            others = self._importing(name) - self.members.keys()
            if others and there.get(name) != normalised(made.source):
                continue  # what others read stays as it is
            if count + len(others) > 1 or mode == "module" or name in there:
                yield name, made

    def _importing(self, name: str) -> frozenset[str]:
        """The files that have a helper from the module already."""
        dotted = f"{self.index.loaded.names.module_name(self.path)}.{name}"
        return frozenset(
            file.path for file in self.index.files if any(dotted == d for _, d in file.imports)
        )

    def _can_move(self, path: str, name: str, mode: Helpers) -> bool:
        """Whether a definition says the same in the module, and the file can import it."""
        member = self.members[path]
        made = member.definitions[name]
        if made.needs is None or member.own(name) != name or name.startswith("_"):
            return False
        if name in dict(member.file.definitions):  # that one is brought up to date
            return False
        spelled = all(member.local(need) == need for need in made.needs if need in SOURCES)
        return spelled and (mode == "module" or bool(self._style(path)))

    def _style(self, path: str) -> str:
        """How a file imports from its own package: "dots", "name", or not at all."""
        file = self.index.file(path)
        assert file is not None
        if file.imports_by_dots:
            return "dots"
        top = file.module.partition(".")[0]
        if any(used.partition(".")[0] == top for used in file.modules):
            return "name"
        return "" if file.is_run or file.module not in self._imported else self._usual_style

    @cached_property
    def _imported(self) -> frozenset[str]:
        """The modules that some file imports, or names of them, each by its whole name."""
        used = {name for file in self.index.files for name in file.modules}
        return frozenset(used | {name.rpartition(".")[0] for name in used})

    @cached_property
    def _usual_style(self) -> str:
        """How files of the package import from it."""
        folder = posixpath.dirname(self.path) + "/"
        own = (file for file in self.index.files if file.path.startswith(folder))
        return "dots" if any(file.imports_by_dots for file in own) else "name"

    def _imported_from(self, path: str) -> str:
        """What a file calls the module in an import."""
        if self._style(path) == "name":
            return self.index.loaded.names.module_name(self.path)
        folder = posixpath.relpath(posixpath.dirname(path), posixpath.dirname(self.path))
        depth = 0 if folder == "." else len(folder.split("/"))
        return "." * (depth + 1) + HELPERS
