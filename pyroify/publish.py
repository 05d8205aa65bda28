"""Writes many files together: every result is staged beside its target, then all are renamed.

Until the first rename nothing has changed, whatever fails; from then on a journal in
``.pyroify/`` lets the next run finish what a killed one began. So every file is whole at any
time, old or new. Targets are replaced, so a hard link to one of them keeps the old content.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from types import FrameType

from pyroify.diagnostics import Finding

if sys.platform != "win32":
    import fcntl

EDITED_MEANWHILE = "PYR232"
NOT_WRITABLE = "PYR233"
BAD_JOURNAL = "PYR236"
IN_THE_WAY = "PYR237"

STATE_FOLDER = ".pyroify"
JOURNAL = "journal.json"


@dataclass(frozen=True, slots=True)
class Change:
    """``path`` (relative to the root) is to hold ``after``.

    ``before`` is what it held when it was read; None: it must not exist yet.
    """

    path: str
    before: bytes | None
    after: bytes


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of an interrupted run: ``finished`` files are new, ``left`` were edited since."""

    finished: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class PublishError(Exception):
    """Nothing was published, or what the message says; ``finding`` names the file at fault."""

    def __init__(self, code: str, path: str, message: str, help: str) -> None:
        super().__init__(f"{path} {message}")
        self.finding = Finding(path, 1, 1, code, message, help)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file of a run. Paths are relative to the root; ``before`` is empty for a new file."""

    target: str
    staged: str
    before: str
    after: str


def refuse_existing(root: Path, path: str, help: str) -> None:
    """Raises PublishError if ``path`` is there: it may hold work of the user."""
    if (root / path).exists():
        raise PublishError(IN_THE_WAY, path, "is there already", help)


def publish(root: Path, changes: Sequence[Change]) -> None:
    """Makes every change, or none.

    Links are followed to the real file, which must lie below ``root``. Raises PublishError for a
    target that is read-only or was edited since it was read, and where writing fails.
    """
    changes = [change for change in changes if change.before != change.after]
    by_target = {_locate(root, change): change for change in changes}
    _check_agreement(by_target, changes, root)
    if not by_target:
        return
    token = secrets.token_hex(4)
    entries = tuple(
        _Entry(
            target,
            _staging_name(target, token, number),
            _digest(change.before),
            _digest(change.after),
        )
        for number, (target, change) in enumerate(by_target.items())
    )
    with _state_folder(root) as state:
        try:
            _write_journal(state, "staging", entries)
            for entry, change in zip(entries, by_target.values(), strict=True):
                _stage(root, entry.target, entry.staged, change.after)
            _sync_folders(root, entries)
            with _signals_deferred():
                _check_unchanged(root, by_target)
                _write_journal(state, "publishing", entries)
                _rename_all(root, entries, by_target)
        finally:
            _discard(root, entries)
            _remove_journal(state)


def is_interrupted(root: Path) -> bool:
    """Whether a run was killed here while it was writing (or is writing now)."""
    return (root / STATE_FOLDER / JOURNAL).exists()


def recover(root: Path) -> Recovery:
    """Finishes the run that was killed while it renamed, or clears away what it had staged."""
    if not is_interrupted(root):
        return Recovery()
    with _state_folder(root) as state:
        phase, entries = _read_journal(state)
        if phase == "staging":
            _discard(root, entries)
            _remove_journal(state)
            return Recovery()
        recovery = Recovery(
            finished=tuple(entry.target for entry in entries if _finish(root, entry)),
            left=tuple(e.target for e in entries if _digest_of(root / e.target) != e.after),
        )
        _sync_folders(root, entries)
        _discard(root, entries)
        _remove_journal(state)
    return recovery


def _finish(root: Path, entry: _Entry) -> bool:
    """Renames the staged file if its target is still the old one."""
    staged, target = root / entry.staged, root / entry.target
    if _digest_of(staged) != entry.after or _digest_of(target) != entry.before:
        return False
    os.replace(staged, target)
    return True


def _locate(root: Path, change: Change) -> str:
    """The real file of a change, relative to the root."""
    path = root / change.path
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        help = "run pyroify where that file lives, or exclude the link in the spec"
        raise PublishError(
            NOT_WRITABLE, change.path, f"is a link to {real}, outside the project", help
        )
    if change.before is not None and real.exists() and not _is_writable(real):
        help = "make it writable (chmod u+w), or exclude it in the spec"
        raise PublishError(NOT_WRITABLE, change.path, "is read-only", help)
    return real.relative_to(root.resolve()).as_posix()


def _is_writable(path: Path) -> bool:
    """Whether its owner may write the file; os.access alone says yes to root, always."""
    return bool(path.stat().st_mode & 0o222) and os.access(path, os.W_OK)


def _check_agreement(by_target: dict[str, Change], changes: Sequence[Change], root: Path) -> None:
    for change in changes:
        agreed = by_target[_locate(root, change)]
        if agreed.after != change.after:
            help = "name only one of them, or exclude the link in the spec"
            message = f"and {agreed.path} are one file, and would be rewritten differently"
            raise PublishError(NOT_WRITABLE, change.path, message, help)


def _staging_name(target: str, token: str, number: int) -> str:
    folder, _, _ = target.rpartition("/")
    name = f".pyroify-{token}-{number}"
    return f"{folder}/{name}" if folder else name


def _stage(root: Path, target: str, staged: str, data: bytes) -> None:
    """Writes ``data`` to ``staged`` with the mode and, where possible, the owner of ``target``."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(root / staged, flags, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _copy_mode(root / target, root / staged)
    except OSError as error:
        raise _unwritable(target, error) from error


def _copy_mode(source: Path, staged: Path) -> None:
    with suppress(FileNotFoundError):
        status = source.stat()
        if sys.platform != "win32" and (status.st_uid, status.st_gid) != _owner(staged):
            with suppress(PermissionError):
                os.chown(staged, status.st_uid, status.st_gid)
        os.chmod(staged, stat.S_IMODE(status.st_mode))


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def _check_unchanged(root: Path, by_target: dict[str, Change]) -> None:
    for target, change in by_target.items():
        if _digest_of(root / target) != _digest(change.before):
            message = "was edited while pyroify was running; nothing was written"
            raise PublishError(EDITED_MEANWHILE, change.path, message, "run the command again")


def _rename_all(root: Path, entries: Sequence[_Entry], by_target: dict[str, Change]) -> None:
    done: list[_Entry] = []
    for entry in entries:
        try:
            os.replace(root / entry.staged, root / entry.target)
        except OSError as error:
            _roll_back(root, done, by_target)
            raise _unwritable(entry.target, error) from error
        done.append(entry)
    _sync_folders(root, entries)


def _roll_back(root: Path, done: Sequence[_Entry], by_target: dict[str, Change]) -> None:
    """Puts the old content back; where that fails too, says which files are new."""
    for number, entry in enumerate(done):
        before = by_target[entry.target].before
        try:
            if before is None:
                (root / entry.target).unlink()
                continue
            _stage(root, entry.target, entry.staged, before)
            os.replace(root / entry.staged, root / entry.target)
        except (OSError, PublishError) as error:
            new = ", ".join(late.target for late in done[number:])
            message = f"could not be restored after a failed rename; new content is in: {new}"
            raise PublishError(
                NOT_WRITABLE, entry.target, message, "restore them from git"
            ) from error


def _discard(root: Path, entries: Sequence[_Entry]) -> None:
    for entry in entries:
        with suppress(FileNotFoundError):
            (root / entry.staged).unlink()


def _unwritable(path: str, error: OSError) -> PublishError:
    message = f"cannot be written: {error.strerror or error}; nothing was changed"
    return PublishError(NOT_WRITABLE, path, message, "free some space or correct the permissions")


@contextmanager
def _state_folder(root: Path) -> Iterator[Path]:
    """The project's ``.pyroify`` folder, kept out of git, locked against other runs."""
    state = root / STATE_FOLDER
    try:
        state.mkdir(exist_ok=True)
        ignore = state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(STATE_FOLDER, error) from error
    if sys.platform == "win32":
        yield state
        return
    descriptor = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield state
    finally:
        os.close(descriptor)


def _write_journal(state: Path, phase: str, entries: Sequence[_Entry]) -> None:
    document = {"version": 1, "phase": phase, "entries": [asdict(entry) for entry in entries]}
    draft = state / f"{JOURNAL}.new"
    try:
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, state / JOURNAL)
        _sync_folder(state)
    except OSError as error:
        raise _unwritable(f"{STATE_FOLDER}/{JOURNAL}", error) from error


def _read_journal(state: Path) -> tuple[str, tuple[_Entry, ...]]:
    try:
        document = json.loads((state / JOURNAL).read_text(encoding="utf-8"))
        return document["phase"], tuple(_Entry(**entry) for entry in document["entries"])
    except FileNotFoundError:
        return "staging", ()
    except (ValueError, KeyError, TypeError) as error:
        path = f"{STATE_FOLDER}/{JOURNAL}"
        help = "look at `git status`, remove files named .pyroify-*, then remove the journal"
        raise PublishError(BAD_JOURNAL, path, f"cannot be understood: {error}", help) from error


def _remove_journal(state: Path) -> None:
    with suppress(FileNotFoundError):
        (state / JOURNAL).unlink()


def _sync_folders(root: Path, entries: Sequence[_Entry]) -> None:
    for folder in {(root / entry.target).parent for entry in entries}:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Makes renames in ``folder`` survive a power cut, where the file system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(data: bytes | None) -> str:
    return "" if data is None else sha256(data).hexdigest()


def _digest_of(path: Path) -> str:
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return ""


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Lets Ctrl-C and a polite kill wait until the renames are done (main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)

    names = [signal.SIGINT, signal.SIGTERM]
    previous = {name: signal.signal(name, remember) for name in names}
    try:
        yield
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
    if received:
        signal.raise_signal(received[0])
