"""The whole repository as far as modules are concerned: files, classes, who derives from whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pyroify.program.index import Index, ModuleClass
from pyroify.program.load import load_project

__all__ = ["Index", "ModuleClass", "build_index"]


def build_index(
    root: Path,
    paths: Sequence[str],
    selected: Collection[str] | None = None,
    jobs: int = 1,
) -> Index:
    """What matters of a project for the ``selected`` files of it (None: all).

    It is read in up to ``jobs`` processes.
    """
    return Index(load_project(root, paths, selected, jobs))
