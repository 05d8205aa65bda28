"""``.pyroify/cache/``: what was found out in earlier runs, each under all that it follows from.

So an entry is never out of date, and any number of commands may read and write at once: one that
is damaged, or half there, is as none. What lies there may as well have come with the repository.
It is read with care, and not at all where git tracks it; and no text of code that leaves pyroify
is made from it: a command that writes finds everything out anew (`set_aside`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Final

from pyroify.state import StateError, check_untracked, make_state_folder, read_regular

FOLDER: Final = "cache"
LARGEST: Final = 1 << 26
"""Bytes of an entry."""
ROOM: Final = 1 << 28
"""Bytes of all of them: beyond that, those that were of no use for longest are removed."""
NEW: Final = ".new"
UNFINISHED: Final = 3600.0
"""Seconds after which nobody goes on with what was begun to be written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A place for what follows from certain parts, there already or not."""

    folder: Path
    key: str
    is_read: bool

    def get(self) -> bytes | None:
        """What was kept there, if it is whole."""
        path = self.folder / self.key
        if not self.is_read:
            return None
        with suppress(OSError, StateError):
            seal, _, data = read_regular(path, LARGEST).partition(b"\n")
            if seal == self._seal(data):
                with suppress(OSError):
                    os.utime(path)  # it was of use
                return data
        return None

    def put(self, data: bytes) -> None:
        """Keep something; where that cannot be, it is found out again next time."""
        new = self.folder / f"{self.key}{token_hex(4)}{NEW}"
        with suppress(OSError):
            with open(new, "xb") as file:
                file.write(self._seal(data) + b"\n" + data)
            os.replace(new, self.folder / self.key)

    def _seal(self, data: bytes) -> bytes:
        return _digest(self.key.encode(), data).encode()


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder of a project in which entries are."""

    folder: Path
    is_read: bool = True


_OPEN: ContextVar[Cache | None] = ContextVar("cache", default=None)


@contextmanager
def keeping(root: Path) -> Iterator[None]:
    """What is found out is kept for later runs in the project at ``root``, and taken from there.

    Where there can be no such folder, or none that is to be trusted, everything is found out anew.
    """
    folder = _opened(root)
    if folder is None:
        yield
        return
    before = folder.stat().st_mtime_ns
    token = _OPEN.set(Cache(folder))
    try:
        yield
    finally:
        _OPEN.reset(token)
        with suppress(OSError):
            if folder.stat().st_mtime_ns != before:
                _make_room(folder)


def _opened(root: Path) -> Path | None:
    with suppress(OSError, StateError):
        folder = make_state_folder(root) / FOLDER
        folder.mkdir(exist_ok=True)
        check_untracked(root, folder.parent, FOLDER)
        return None if folder.is_symlink() else folder
    return None


def _make_room(folder: Path) -> None:
    """Remove what nobody goes on with, and the entries that are too many. Raises OSError."""
    size = 0
    with os.scandir(folder) as found:
        every = [(item.stat(follow_symlinks=False), item) for item in found]
    for status, item in sorted(every, key=lambda each: -each[0].st_mtime):
        size += status.st_size
        is_left = item.name.endswith(NEW) and status.st_mtime < time() - UNFINISHED
        if size > ROOM or is_left:
            os.unlink(item.path)


@contextmanager
def set_aside() -> Iterator[None]:
    """Nothing is taken from the cache for now: what comes of it will be written."""
    opened = _OPEN.get()
    token = _OPEN.set(replace(opened, is_read=False) if opened else None)
    try:
        yield
    finally:
        _OPEN.reset(token)


def is_read() -> bool:
    """Whether anything is taken from the cache."""
    opened = _OPEN.get()
    return opened is not None and opened.is_read


def entry(kind: str, *parts: str | bytes) -> Entry | None:
    """Where to keep what follows from ``parts`` for this pyroify and Python; None: nowhere."""
    if (opened := _OPEN.get()) is None:
        return None
    given = (
        part if isinstance(part, bytes) else part.encode(errors="surrogatepass") for part in parts
    )
    return Entry(opened.folder, _digest(_program(), kind.encode(), *given), opened.is_read)


@cache
def _program() -> bytes:
    """The digest of pyroify's own files, which a version alone would not tell apart."""
    package = Path(__file__).parent
    files = sorted(path for end in ("py", "md") for path in package.rglob(f"*.{end}"))
    return _digest(sys.version.encode(), *(path.read_bytes() for path in files)).encode()


def _digest(*parts: bytes) -> str:
    """The digest of several parts, each of which counts as a whole."""
    found = sha256()
    for part in parts:
        found.update(b"%d:" % len(part))
        found.update(part)
    return found.hexdigest()
