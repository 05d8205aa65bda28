"""Which paths below a root may be written, whoever names them: a spec, a journal, a link."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

LONGEST = 4096
"""Characters of a path; Linux takes no longer ones."""


def path_fault(path: str) -> str:
    """Why ``path``, relative with forward slashes, is no place below a root; "" if it is one.

    Only the text is looked at, not the disk.
    """
    parts = path.split("/")
    if len(path) > LONGEST:
        return "is too long"
    if not _is_name_of_file(path):
        return "is no path"
    if path.startswith("/") or (sys.platform == "win32" and ":" in path):
        return "is not relative"
    if any(part in ("", ".", "..") for part in parts):
        return "is not normalised"
    if any(map(_names_git, parts)):
        return "is in .git"
    return ""


def link_fault(root: Path, path: str) -> str:
    """Why ``path`` is not the file that its text names: a link on the way; "" if none is."""
    folder, _, name = path.rpartition("/")
    real = root.resolve()
    if (real / folder).resolve() != Path(real, folder):
        return "is reached by a link"
    return "is a link" if os.path.islink(real / folder / name) else ""


def _is_name_of_file(path: str) -> bool:
    if "\0" in path or (sys.platform == "win32" and "\\" in path):
        return False
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return bool(path)


def _names_git(part: str) -> bool:
    """Whether some file system takes ``part`` for ``.git``, as macOS and Windows do for others."""
    shown = "".join(c for c in part if unicodedata.category(c) != "Cf")
    return shown.casefold().partition(":")[0].rstrip(". ") in (".git", "git~1")
