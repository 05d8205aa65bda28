"""Two versions of one project in one process: each imports its own modules."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any


class Tree:
    """A version of the project below ``root``, with the modules it has imported."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._modules: dict[str, ModuleType] = {}
        self._others: dict[str, ModuleType] = {}
        """Modules that are known to be of no version: there are thousands."""
        self._folders: list[str] = []
        self._passed_over: dict[str, Exception] = {}
        """What the ``__init__.py`` raised of packages whose modules are imported without it."""

    def enter(self) -> None:
        """From now on imports find this version, and ``root`` is the current folder."""
        sys.modules.update(self._modules)
        sys.path[:0] = self._folders
        importlib.invalidate_caches()
        os.chdir(self.root)

    def leave(self) -> None:
        """Put the modules of this version out of sight."""
        others = self._others
        new = {name: m for name, m in sys.modules.items() if others.get(name) is not m}
        self._modules = {name: m for name, m in new.items() if self._holds(m)}
        others |= {name: m for name, m in new.items() if name not in self._modules}
        for name in self._modules:
            del sys.modules[name]
        sys.path[:] = [folder for folder in sys.path if folder not in self._folders]

    def load(self, path: str, module: str, qualname: str) -> Any:
        """Import ``qualname`` from the file ``path``, as :meth:`module_of` does.

        Raises ``AttributeError`` where the file has no such class.
        """
        return reduce(getattr, qualname.split("."), self.module_of(path, module))

    def module_of(self, path: str, module: str) -> ModuleType:
        """Import the file ``path``; only after :meth:`enter`.

        By its name in its package, or else as ``module``. Raises what the import raises.
        """
        file = self.root / path
        if not file.exists():
            raise FileNotFoundError(f"there is no file {path}")
        return self._import(file, module)

    def path_of(self, cls: type) -> str:
        """The file of a class, relative to the root; empty for another's."""
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        path = Path(file).resolve() if file else self.root
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else ""

    def _import(self, file: Path, module: str) -> ModuleType:
        self._add_folders(file.parent, self.root / "src", self.root)
        names = [name for name in (name_in_package(file), module) if name]
        error: Exception | None = None
        for name in dict.fromkeys(names):
            folder = _folder_of(file, name)
            self._add_folders(folder)
            try:
                loaded = self._import_module(name, folder)
            except Exception as raised:
                packages = (self._passed_over.get(parent) for parent in _parents(name))
                error = error or next(filter(None, packages), raised)
                continue
            if _is_from(loaded, file):
                return loaded
        if error:
            raise error
        return _import_file(file)

    def _import_module(self, name: str, folder: Path) -> ModuleType:
        """Import a module below ``folder``.

        A package whose own ``__init__.py`` fails, for want of something that the module itself does
        not need, is passed over.
        """
        try:
            return importlib.import_module(name)
        except Exception as error:
            failed = [parent for parent in _parents(name) if parent not in sys.modules]
            if not failed:
                raise
            self._passed_over |= dict.fromkeys(failed, error)
        for parent in failed:
            package = ModuleType(parent)
            package.__path__ = [str(folder.joinpath(*parent.split(".")))]
            sys.modules[parent] = package
        return importlib.import_module(name)

    def _add_folders(self, *folders: Path) -> None:
        """Search ``folders`` for imports, the last one first."""
        for folder in map(str, folders):
            if folder not in self._folders and os.path.isdir(folder):
                self._folders.insert(0, folder)
                sys.path.insert(0, folder)

    def _holds(self, module: ModuleType) -> bool:
        """Whether the module is of this version; an environment below the root is not."""
        root = f"{self.root}{os.sep}"
        return any(
            place.startswith(root) and "site-packages" not in place.removeprefix(root)
            for place in _places(module)
        )


class Imports:
    """Which version is imported at the moment."""

    def __init__(self) -> None:
        self._current: Tree | None = None

    @property
    def current(self) -> Tree:
        """The version that is imported at the moment."""
        assert self._current is not None
        return self._current

    @contextmanager
    def of(self, tree: Tree) -> Iterator[None]:
        """Import ``tree`` for a while, whichever version it was before."""
        previous = self._current
        self._switch(tree)
        try:
            yield
        finally:
            self._switch(previous)

    def _switch(self, tree: Tree | None) -> None:
        if self._current:
            self._current.leave()
        self._current = tree
        if tree:
            tree.enter()


def _places(module: ModuleType) -> list[str]:
    """The file of a module, or the folders of a package that has none."""
    names = vars(module)
    file = names.get("__file__")
    return [file] if isinstance(file, str) else [str(p) for p in names.get("__path__") or ()]


def _is_from(module: ModuleType, file: Path) -> bool:
    return any(Path(place).resolve() == file.resolve() for place in _places(module))


def name_in_package(file: Path) -> str:
    """The dotted name that the ``__init__.py`` files above give; empty without any."""
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) if folder != file.parent else ""


def _folder_of(file: Path, name: str) -> Path:
    """The folder from which ``import name`` finds the file."""
    depth = name.count(".") + (file.stem == "__init__")
    return file.parents[min(depth, len(file.parents) - 1)]


def _parents(name: str) -> list[str]:
    """The packages that a dotted name leads through, the outermost first."""
    return [name.rsplit(".", depth)[0] for depth in range(name.count("."), 0, -1)]


def _import_file(file: Path) -> ModuleType:
    """Import a file whose name is that of another module, under a name of its own."""
    name = f"{file.stem}_of_{file.parent.name}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
