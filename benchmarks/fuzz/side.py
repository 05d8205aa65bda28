"""One version of a program, and its modules while they are the imported ones."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_CURRENT: list[Side] = []


class Side:
    """The program below ``root``; ``names`` are all its modules."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root, self.names = str(root), names
        self.modules: dict[str, ModuleType] = {}

    def load(self, module: str, name: str) -> Any:
        """A class, only while this side is imported."""
        return getattr(importlib.import_module(module), name)

    def forget(self) -> None:
        """Import the modules anew from now on: some keep what they have made."""
        self.modules.clear()

    def enter(self) -> None:
        sys.path.insert(0, self.root)
        importlib.invalidate_caches()
        sys.modules.update(self.modules)

    def leave(self) -> None:
        sys.path.remove(self.root)
        found = {name: sys.modules.pop(name) for name in self.names if name in sys.modules}
        self.modules.update(found)


@contextmanager
def imported(side: Side) -> Iterator[None]:
    """Imports find this side for a while, whichever it was before."""
    before = _CURRENT[-1] if _CURRENT else None
    if before:
        before.leave()
    side.enter()
    _CURRENT.append(side)
    try:
        yield
    finally:
        _CURRENT.pop()
        side.leave()
        if before:
            before.enter()
