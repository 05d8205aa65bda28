"""The whole repository as far as modules are concerned: files, classes, who derives from whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyroify.lock import read_lock
from pyroify.program.resolve import Index, ModuleClass

__all__ = ["Index", "ModuleClass", "build_index"]


def build_index(root: Path, files: Sequence[str], notebooks: Sequence[str] = ()) -> Index:
    """Index the files of a project (paths relative to ``root``).

    Only files that may hold a module class are parsed at once; others when a name leads to them.
    """
    from pyroify.program.scan import candidates

    index = Index(root, tuple(files), tuple(notebooks), lock=read_lock(root))
    for path in candidates(root, files):
        index.file(path)
    return index
