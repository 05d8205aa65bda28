"""``.pyroify/``, where runs note down what later ones need: at hand, but never in a commit.

What is found there may as well have come with the repository. So it is read with care, and
refused where git tracks it: what a run here wrote is in no commit.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from pyroify.git import GitError, is_in_repository, list_files
from pyroify.paths import link_fault, path_fault

STATE_FOLDER: Final = ".pyroify"


class StateError(Exception):
    """What is not trusted; the message completes "the journal ..." or "the record ..."."""


def make_state_folder(root: Path) -> Path:
    """The project's ``.pyroify`` folder, kept out of git. Raises OSError and StateError."""
    state = root / STATE_FOLDER
    state.mkdir(exist_ok=True)
    if state.is_symlink():
        raise StateError("is a link, which pyroify does not follow")
    with suppress(FileExistsError), open(state / ".gitignore", "x") as ignore:
        ignore.write("*\n")
    return state


def read_regular(path: Path, largest: int) -> bytes:
    """The bytes of a plain file: no link, and nothing that would block."""
    for step in (path.parent, path):
        if os.path.islink(step):
            raise StateError(f"is reached by a link: {step.name}")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StateError("is no file")
        if status.st_size > largest:
            raise StateError("is too large")
        return file.read()


def write_new(path: Path, data: bytes) -> None:
    """A file that was not there, flushed to the disk; no link is followed."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes renames in ``folder`` survive a power cut, where the file system can."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_target(root: Path, path: str) -> None:
    """Raises StateError for what no run writes: a path that is no file of the project."""
    check_path(root, path)
    if any(part.casefold().startswith(STATE_FOLDER) for part in path.split("/")):
        raise StateError(f"names {shown(path)}, which is a file of pyroify's own")


def check_path(root: Path, path: str) -> None:
    """Raises StateError for a path out of the root, in ``.git``, behind a link, or of no file."""
    if fault := path_fault(path) or link_fault(root, path):
        raise StateError(f"names {shown(path)}, which {fault}")
    if not _is_file_or_absent(root / path):
        raise StateError(f"names {shown(path)}, which is no file")


def check_untracked(root: Path, folder: Path, pattern: str) -> None:
    """Raises StateError if git tracks a file in ``folder`` that ``pattern`` matches."""
    if not folder.is_dir() or not is_in_repository(folder):
        return
    try:
        tracked = next(list_files(folder, "--", pattern), None)
    except GitError as error:
        raise StateError(f"cannot be trusted, as {error}") from error
    if tracked is not None:
        what = (folder / tracked).relative_to(root).as_posix()
        raise StateError(f"did not come from a run here: git tracks {shown(what)}")


def has_keys(value: object, keys: set[str]) -> bool:
    """Whether ``value`` is a mapping with just these keys."""
    return isinstance(value, dict) and value.keys() == keys


def digest(data: bytes | None) -> str:
    """What tells contents apart; "" for a file that is not there."""
    return "" if data is None else sha256(data).hexdigest()


def digest_of(path: Path) -> str:
    """The digest of what ``path`` holds."""
    try:
        return digest(path.read_bytes())
    except FileNotFoundError:
        return ""


def shown(path: str) -> str:
    """A path in a message, whatever characters are in it."""
    return repr(path if len(path) <= 200 else path[:200] + "...")


def _is_file_or_absent(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
