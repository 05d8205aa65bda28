"""Writes many files together: every result is staged beside its target, then all are renamed.

Until the first rename nothing has changed, whatever fails; from then on a journal in
``.pyroify/`` lets the next run finish what a killed one began. So every file is whole at any
time, old or new. Targets are replaced, so a hard link to one of them keeps the old content.
Nothing is written or removed that is not below the root, or that is in ``.git``, whatever links
and journals the repository brings along.
"""

from __future__ import annotations

import os
import secrets
import signal
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pyroify import history
from pyroify.diagnostics import Finding
from pyroify.journal import (
    JOURNAL,
    Entry,
    Journal,
    Phase,
    read_journal,
    staging_name,
    token_of,
    write_text,
)
from pyroify.paths import path_fault
from pyroify.state import (
    STATE_FOLDER,
    StateError,
    digest,
    digest_of,
    make_state_folder,
    sync_folder,
    write_new,
)

if sys.platform != "win32":
    import fcntl

EDITED_MEANWHILE = "PYR232"
NOT_WRITABLE = "PYR233"
BAD_JOURNAL = "PYR236"
IN_THE_WAY = "PYR237"
HALF_PUBLISHED = "PYR238"
BAD_RECORD = "PYR239"


@dataclass(frozen=True, slots=True)
class Change:
    """``path`` (relative to the root) is to hold ``after``; None: it goes.

    ``before`` is what it held when it was read; None: it must not exist yet. It keeps its mode,
    unless it is to have another one.
    """

    path: str
    before: bytes | None
    after: bytes | None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of an interrupted run, or would become of it.

    ``found`` is false where no run was interrupted. ``finished`` files are new; ``left`` were
    edited since and stay as they are. Neither of them: no file waits for its new content, and
    what the run had prepared is cleared away.
    """

    found: bool = False
    finished: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class PublishError(Exception):
    """Nothing was published, or what the message says; ``finding`` names the file at fault."""

    def __init__(self, code: str, path: str, message: str, help: str) -> None:
        super().__init__(f"{path} {message}")
        self.finding = Finding(path, 1, 1, code, message, help)


def refuse_existing(root: Path, path: str, help: str) -> None:
    """Raises PublishError if ``path`` is there: it may hold work of the user."""
    if os.path.lexists(root / path):
        raise PublishError(IN_THE_WAY, path, "is there already", help)


def publish(
    root: Path, changes: Sequence[Change], *, keep: bool = False, forget: str = ""
) -> Recovery:
    """Makes every change, or none.

    With ``keep`` what is replaced can be brought back later; ``forget`` is the token of a run that
    has been taken back by that. A run that was killed here is dealt with first, under the same
    lock; the answer says how. Links are followed to the real file, which must lie below
    ``root``. Raises PublishError for a target that is read-only or was edited since it was read,
    and where writing fails.
    """
    changes = [change for change in changes if change.before != change.after]
    by_target = {_locate(root, change): change for change in changes}
    _check_agreement(by_target, changes, root)
    if not by_target and not forget:
        return recover(root)
    token = secrets.token_hex(4)
    entries = tuple(
        Entry(
            target,
            staging_name(target, token, number),
            digest(change.before),
            digest(change.after),
        )
        for number, (target, change) in enumerate(by_target.items())
    )
    with _state_folder(root) as state:
        recovery = _recover(root, state)
        began = False
        try:
            _write_journal(state, "staging", entries)
            for entry, change in zip(entries, by_target.values(), strict=True):
                if change.after is not None:
                    _stage(root, entry.target, entry.staged, change.after, change.mode)
            if keep:
                _keep(root, state, entries, by_target)
            _sync_folders(root, entries)
            with _signals_deferred():
                _check_unchanged(root, by_target)
                _write_journal(state, "publishing", entries)
                began = True
                _rename_all(root, entries, by_target)
                _forget(state, forget)
        finally:
            if keep and not (began and _is_any_new(root, entries)):
                _forget(state, token)
            _discard(root, entries)
            _remove_journal(state)
    return recovery


def is_interrupted(root: Path) -> bool:
    """Whether a run was killed here while it was writing (or is writing now)."""
    return os.path.lexists(root / STATE_FOLDER / JOURNAL)


def recover(root: Path) -> Recovery:
    """Finishes the run that was killed while it renamed, or clears away what it had staged.

    Raises PublishError for a journal that no run here can have written.
    """
    if not is_interrupted(root):
        return Recovery()
    with _state_folder(root) as state:
        return _recover(root, state)


def pending(root: Path) -> Recovery:
    """What ``recover`` would do. A run that writes now is waited for; nothing is written."""
    if not is_interrupted(root):
        return Recovery()
    with locked(root / STATE_FOLDER, shared=True):
        journal = _interrupted(root)
        return _outcome(root, journal) if journal else Recovery()


def refuse_half_published(recovery: Recovery) -> None:
    """Raises PublishError if some files are new and others old: no answer about them is right."""
    waiting = (*recovery.finished, *recovery.left)
    if not waiting:
        return
    names = ", ".join(waiting[:5]) + (f" and {len(waiting) - 5} more" if waiting[5:] else "")
    message = f"an earlier run was killed while it wrote; not yet as it would have them: {names}"
    help = "`pyroify rewrite` finishes that run first, and leaves what was edited since"
    raise PublishError(HALF_PUBLISHED, waiting[0], message, help)


def _interrupted(root: Path) -> Journal | None:
    """The journal of a killed run; None if there was no such run."""
    try:
        return read_journal(root)
    except StateError as error:
        path = f"{STATE_FOLDER}/{JOURNAL}"
        help = (
            "look at `git status`: each file is whole, old or new; remove files named .pyroify-*, "
            f"then {path}"
        )
        raise PublishError(BAD_JOURNAL, path, str(error), help) from error


def _outcome(root: Path, journal: Journal) -> Recovery:
    """What is finished by renaming: a file that is still the old one, whose new one is there."""
    if journal.phase == "staging":
        return Recovery(found=True)
    # What is to go needs no new content: nothing is, and nothing waits.
    old = [e for e in journal.entries if digest_of(root / e.target) != e.after]
    ready = {
        entry.target
        for entry in old
        if digest_of(root / entry.target) == entry.before
        and digest_of(root / entry.staged) == entry.after
    }
    return Recovery(
        True,
        tuple(entry.target for entry in old if entry.target in ready),
        tuple(entry.target for entry in old if entry.target not in ready),
    )


def _recover(root: Path, state: Path) -> Recovery:
    journal = _interrupted(root)
    if journal is None:
        return Recovery()
    recovery = _outcome(root, journal)
    finished = frozenset(recovery.finished)
    for entry in journal.entries:
        if entry.target in finished:
            try:
                _rename(root, entry)
            except OSError as error:
                raise _unwritable(entry.target, error, "the earlier run is unfinished") from error
    if not _is_any_new(root, journal.entries):
        _forget(state, token_of(journal.entries))
    _sync_folders(root, journal.entries)
    _discard(root, journal.entries)
    _remove_journal(state)
    return recovery


def _locate(root: Path, change: Change) -> str:
    """The real file of a change, relative to the root."""
    path = root / change.path
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        help = "run pyroify where that file lives, or exclude the link in the spec"
        raise PublishError(
            NOT_WRITABLE, change.path, f"is a link to {real}, outside the project", help
        )
    if fault := path_fault(real.relative_to(root.resolve()).as_posix()):
        help = "name another file"
        message = fault if real == path else f"is a link to {real}, which {fault}"
        raise PublishError(NOT_WRITABLE, change.path, message, help)
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


def _stage(root: Path, target: str, staged: str, data: bytes, mode: int | None = None) -> None:
    """Writes ``data`` to ``staged`` with the mode and, where possible, the owner of ``target``.

    Another ``mode`` than that may be given.
    """
    try:
        (root / staged).parent.mkdir(parents=True, exist_ok=True)
        write_new(root / staged, data)
        _copy_mode(root / target, root / staged)
        if mode is not None:
            os.chmod(root / staged, mode)
    except OSError as error:
        raise _unwritable(target, error) from error


def _keep(root: Path, state: Path, entries: Sequence[Entry], by_target: dict[str, Change]) -> None:
    """Keeps what the files hold that are about to be replaced."""
    files = (
        (
            history.Replaced(entry.target, _mode(root / entry.target), entry.before, entry.after),
            by_target[entry.target].before,
        )
        for entry in entries
    )
    path = f"{STATE_FOLDER}/{history.RUNS}"
    try:
        history.forget_oldest(state)
        history.keep(state, token_of(entries), files)
    except OSError as error:
        raise _unwritable(path, error) from error
    except StateError as error:
        raise PublishError(BAD_RECORD, path, str(error), f"remove {path}") from error


def _is_any_new(root: Path, entries: Sequence[Entry]) -> bool:
    return any(digest_of(root / entry.target) == entry.after for entry in entries)


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except FileNotFoundError:
        return None


def _forget(state: Path, token: str) -> None:
    """What is left of a record where this fails names files that are as it says already."""
    with suppress(OSError, StateError):
        history.forget(state, token)


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
        if digest_of(root / target) != digest(change.before):
            message = "was edited while pyroify was running; nothing was written"
            raise PublishError(EDITED_MEANWHILE, change.path, message, "run the command again")


def _rename_all(root: Path, entries: Sequence[Entry], by_target: dict[str, Change]) -> None:
    done: list[Entry] = []
    for entry in entries:
        try:
            _rename(root, entry)
        except OSError as error:
            _roll_back(root, done, by_target)
            raise _unwritable(entry.target, error) from error
        done.append(entry)
    _sync_folders(root, entries)


def _rename(root: Path, entry: Entry) -> None:
    """Makes a target what it is to be; where it goes, what it was is discarded later."""
    if entry.after:
        os.replace(root / entry.staged, root / entry.target)
    else:
        os.replace(root / entry.target, root / entry.staged)


def _roll_back(root: Path, done: Sequence[Entry], by_target: dict[str, Change]) -> None:
    """Puts the old content back; where that fails too, says which files are new."""
    for number, entry in enumerate(done):
        before = by_target[entry.target].before
        try:
            if before is None:
                (root / entry.target).unlink()
                continue
            if not entry.after:
                os.replace(root / entry.staged, root / entry.target)
                continue
            _stage(root, entry.target, entry.staged, before)
            os.replace(root / entry.staged, root / entry.target)
        except (OSError, PublishError) as error:
            new = ", ".join(late.target for late in done[number:])
            message = f"could not be restored after a failed rename; new content is in: {new}"
            raise PublishError(
                NOT_WRITABLE, entry.target, message, "restore them from git"
            ) from error


def _discard(root: Path, entries: Sequence[Entry]) -> None:
    """Removes what was staged, and folders that hold nothing after that."""
    for entry in entries:
        staged = root / entry.staged
        with suppress(FileNotFoundError, NotADirectoryError):
            staged.unlink()
        with suppress(OSError):
            for folder in staged.relative_to(root).parents[:-1]:
                (root / folder).rmdir()


def _unwritable(path: str, error: OSError, outcome: str = "nothing was changed") -> PublishError:
    message = f"cannot be written: {error.strerror or error}; {outcome}"
    return PublishError(NOT_WRITABLE, path, message, "free some space or correct the permissions")


@contextmanager
def _state_folder(root: Path) -> Iterator[Path]:
    """The project's ``.pyroify`` folder, kept out of git, locked against other runs."""
    try:
        state = make_state_folder(root)
    except StateError as error:
        raise PublishError(NOT_WRITABLE, STATE_FOLDER, str(error), "remove it") from error
    except OSError as error:
        raise _unwritable(STATE_FOLDER, error) from error
    with locked(state, shared=False):
        yield state


def _refuse_link(state: Path) -> None:
    if state.is_symlink():
        message = "is a link, which pyroify does not follow"
        raise PublishError(NOT_WRITABLE, STATE_FOLDER, message, "remove it")


@contextmanager
def locked(state: Path, *, shared: bool) -> Iterator[None]:
    """Other runs here wait; those that only read do so together. Raises PublishError."""
    if sys.platform == "win32":
        yield
        return
    _refuse_link(state)
    try:
        descriptor = os.open(state, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(STATE_FOLDER, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write_journal(state: Path, phase: Phase, entries: Sequence[Entry]) -> None:
    draft = state / f"{JOURNAL}.new"
    path = f"{STATE_FOLDER}/{JOURNAL}"
    try:
        draft.unlink(missing_ok=True)
        write_new(draft, write_text(phase, entries).encode())
        os.replace(draft, state / JOURNAL)
        sync_folder(state)
    except OSError as error:
        raise _unwritable(path, error) from error
    except StateError as error:
        raise PublishError(NOT_WRITABLE, path, str(error), "name fewer files at once") from error


def _remove_journal(state: Path) -> None:
    with suppress(FileNotFoundError):
        (state / JOURNAL).unlink()


def _sync_folders(root: Path, entries: Sequence[Entry]) -> None:
    for folder in {(root / entry.target).parent for entry in entries}:
        sync_folder(folder)


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
