"""A package that is not installed, stood in for while one module of the project is imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

_MOST = 3
"""How many packages are stood in for, for one module."""

_T = TypeVar("_T")


class Missing:
    """What is taken from a package that is not there.

    As a base it is left out, as a type it fits nothing, and what is taken from it is missing, too.
    """

    __iter__ = None

    def __init__(self, package: str) -> None:
        self._package = package

    def __getattr__(self, name: str) -> Missing:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Missing:
        return self

    def __or__(self, other: Any) -> Missing:
        return self

    __ror__ = __or__

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return ()

    def __instancecheck__(self, instance: Any) -> bool:
        return False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ModuleNotFoundError(f"{self._package} is not installed")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, packages: Collection[str]) -> None:
        self.packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] not in self.packages:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        whole = Missing(module.__name__.partition(".")[0])
        vars(module).update(__getattr__=lambda name: getattr(whole, name), __all__=[])


def load_without(load: Callable[[], _T], root: Path, packages: set[str]) -> _T:
    """Load something; ``packages`` are those that may be missing, and get those that are.

    Those of the project itself, below ``root``, may not. Raises what ``load`` raises.
    """
    while True:
        try:
            with _stood_in(packages):
                return load()
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            is_own = any((root / f"{package}{end}").exists() for end in ("", ".py"))
            if not package or package in packages or is_own or len(packages) == _MOST:
                raise
            packages.add(package)


@contextmanager
def _stood_in(packages: Collection[str]) -> Iterator[None]:
    """Find these packages; other modules are to find that they are not there."""
    finder = _Finder(frozenset(packages))
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
            del sys.modules[name]
