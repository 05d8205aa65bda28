"""What runs of `pyroify rewrite` replaced, kept in ``.pyroify/runs/`` for `pyroify undo`.

A run has a folder named by its number and the token of its journal: ``run.json`` says which files
it replaced, and the old bytes lie beside it, numbered. It is written before anything is replaced.

A record may as well have come with the repository. So nothing in it is trusted: it names files
below the root, which git does not track, with the bytes they are said to have, or it is refused.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from pyroify.state import (
    STATE_FOLDER,
    StateError,
    check_target,
    check_untracked,
    digest,
    has_keys,
    read_regular,
    shown,
    sync_folder,
    write_new,
)

RUNS: Final = "runs"
RECORD: Final = "run.json"
VERSION: Final = 1
KEPT: Final = 10
"""Runs that are kept at most."""
LARGEST: Final = 1 << 25
"""Bytes of a record."""
LARGEST_FILE: Final = 1 << 28

_FOLDER = re.compile(r"([1-9][0-9]{0,17})-([0-9a-f]{8})")
_GONE = "gone-"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Replaced:
    """A file of a run: its mode, and the digests of what it held and of what it held then.

    A file that the run made has no mode, and an empty ``before``.
    """

    path: str
    mode: int | None
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run that wrote. ``number`` counts from 1; ``folder`` has its record and the old bytes."""

    number: int
    time: datetime
    files: tuple[Replaced, ...]
    folder: Path

    def old(self, number: int) -> bytes | None:
        """What the file of that number held; None: it was not there. Raises StateError."""
        file = self.files[number]
        if not file.before:
            return None
        data = _read(self.folder / str(number), LARGEST_FILE)
        if digest(data) != file.before:
            raise StateError(f"is damaged: what {shown(file.path)} held is not what it was")
        return data


def keep(state: Path, token: str, files: Iterable[tuple[Replaced, bytes | None]]) -> None:
    """Records a run before it replaces its files. Raises OSError and StateError."""
    numbers = [number for number, _, _ in _folders(state)]
    folder = state / RUNS / f"{max(numbers, default=0) + 1}-{token}"
    folder.mkdir(parents=True)
    replaced = []
    for number, (file, old) in enumerate(files):
        replaced.append(asdict(file))
        if old is not None:
            write_new(folder / str(number), old)
    time = datetime.now(UTC).strftime(_TIME)
    document = {"version": VERSION, "time": time, "files": replaced}
    text = json.dumps(document, indent=1)
    if len(text) > LARGEST:
        raise StateError("would be too large")
    write_new(folder / f"{RECORD}.new", text.encode())
    os.replace(folder / f"{RECORD}.new", folder / RECORD)
    for changed in (folder, folder.parent, state):
        sync_folder(changed)


def forget(state: Path, token: str) -> None:
    """Removes the record of the run with that token, if there is one."""
    for _, found, folder in _folders(state):
        if found == token:
            _remove(folder)


def forget_oldest(state: Path) -> None:
    """Makes room for one run more, and clears away what a killed command has not removed."""
    folders = _folders(state)
    for _, _, folder in folders[: max(0, len(folders) + 1 - KEPT)]:
        _remove(folder)
    for folder in (state / RUNS).glob(f"{_GONE}*"):
        if not folder.is_symlink():
            shutil.rmtree(folder)


def _remove(folder: Path) -> None:
    """A record is there as a whole, or not at all."""
    gone = folder.with_name(_GONE + folder.name)
    os.replace(folder, gone)
    shutil.rmtree(gone)


def token_of(run: Run) -> str:
    """The token that tells a run from others."""
    return run.folder.name.partition("-")[2]


def read_runs(root: Path) -> Iterator[Run]:
    """The runs that are kept, the last one first. Raises StateError for one not to be trusted."""
    folders = _folders(root / STATE_FOLDER)
    if folders:
        check_untracked(root, root / STATE_FOLDER, ".")
    for number, _, folder in reversed(folders):
        if os.path.lexists(folder / RECORD):  # else the run was killed before it replaced anything
            yield _read_run(root, number, folder)


def _folders(state: Path) -> Sequence[tuple[int, str, Path]]:
    """Number, token and folder of each run, the first one first."""
    for folder in (state, state / RUNS):
        if folder.is_symlink():
            raise StateError(f"is reached by a link: {folder.name}")
    try:
        with os.scandir(state / RUNS) as listed:
            entries = [entry for entry in listed if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}") from error
    named = ((_FOLDER.fullmatch(entry.name), Path(entry.path)) for entry in entries)
    return sorted((int(match[1]), match[2], folder) for match, folder in named if match)


def _read_run(root: Path, number: int, folder: Path) -> Run:
    check_untracked(root, folder, ".")
    try:
        document = json.loads(_read(folder / RECORD, LARGEST))
        if not has_keys(document, {"version", "time", "files"}):
            raise StateError("cannot be understood: it must have version, time and files")
        if document["version"] != VERSION:
            raise StateError("was written by another version of pyroify")
        time = datetime.strptime(document["time"], _TIME).replace(tzinfo=UTC)
        files = tuple(map(_parse_file, document["files"]))
    except (ValueError, TypeError, RecursionError) as error:
        raise StateError(f"cannot be understood: {error}") from error
    for path, times in Counter(file.path for file in files).items():
        check_target(root, path)
        if times > 1:
            raise StateError(f"names {shown(path)} {times} times")
    return Run(number, time, files, folder)


def _parse_file(value: Mapping[str, object]) -> Replaced:
    if not has_keys(value, {"path", "mode", "before", "after"}):
        raise StateError("cannot be understood: a file lacks a key, or has one too many")
    path, mode, before, after = (value[key] for key in ("path", "mode", "before", "after"))
    if not all(isinstance(text, str) for text in (path, before, after)):
        raise StateError("cannot be understood: a file has a value that is no text")
    file = Replaced(cast(str, path), cast("int | None", mode), cast(str, before), cast(str, after))
    if not _DIGEST.fullmatch(file.after) or not _DIGEST.fullmatch(file.before or file.after):
        raise StateError("cannot be understood: a file has a digest that is none")
    if mode is not None and (type(mode) is not int or not 0 <= mode <= 0o777):
        raise StateError("cannot be understood: a file has a mode that is none")
    return file


def _read(path: Path, largest: int) -> bytes:
    try:
        return read_regular(path, largest)
    except OSError as error:
        raise StateError(f"cannot be read: {path.name}: {error.strerror}") from error
