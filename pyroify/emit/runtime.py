"""The package that scripts share: the files of its copy in a project.

It is `pyroify/training/`, read as text.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pyroify import __version__
from pyroify.project import RUNTIME

_HEADER: Final = re.compile(r"# Written by pyroify [^\n]*\(sha256 ([0-9a-f]{16})\)\.\n")


@cache
def runtime_files() -> dict[str, str]:
    """The text of each file, by its path below the root of a project."""
    return {f"{RUNTIME}/{name}": _signed(text) for name, text in sorted(_sources())}


@cache
def runtime_modules() -> frozenset[str]:
    """The top-level modules that the package imports."""
    found: set[str] = set()
    for _, text in _sources():
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Import(names=names):
                    found.update(alias.name.partition(".")[0] for alias in names)
                case ast.ImportFrom(module=str(module), level=0):
                    found.add(module.partition(".")[0])
    return frozenset(found)


Standing = Literal["as written", "edited", "edited before", "foreign"]


def standing(before: str, path: str) -> Standing:
    """What a file of a project is that stands where one of the package belongs.

    "as written": by this pyroify or another. "edited" since this one's was written, or
    "edited before" this one's. "foreign": by no pyroify.
    """
    header = _HEADER.match(before)
    if header is None:
        return "foreign"
    if header[1] == _digest(before[header.end() :]):
        return "as written"
    ours = _HEADER.match(runtime_files()[path])
    return "edited" if ours and header[1] == ours[1] else "edited before"


def _sources() -> Iterator[tuple[str, str]]:
    """Each file of the package: its path below the package, and its text."""
    folders = [("", files("pyroify") / "training")]
    for place, folder in folders:
        for entry in folder.iterdir():
            if entry.name.endswith(".py"):
                yield place + entry.name, entry.read_text(encoding="utf-8")
            elif entry.is_dir() and entry.name != "__pycache__":
                folders.append((f"{place}{entry.name}/", entry))


def _signed(text: str) -> str:
    what = "a part of its training scripts that none of them changes"
    return f"# Written by pyroify {__version__}: {what} (sha256 {_digest(text)}).\n{text}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
