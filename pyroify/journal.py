"""What a run that writes notes down first, so that the next one can finish it after a kill.

A journal may as well have come with the repository, from someone who wants files written, moved
or deleted where they should not be. So nothing in it is trusted: it names files of a run of
pyroify below the root, which git does not track, or it is refused whole.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, cast

from pyroify.paths import link_fault, path_fault

STATE_FOLDER: Final = ".pyroify"
JOURNAL: Final = "journal.json"
VERSION: Final = 1
LARGEST: Final = 1 << 25
"""Bytes of a journal: some hundred thousand files."""

Phase = Literal["staging", "publishing"]
PHASES: Final = ("staging", "publishing")

_STAGED = re.compile(r"\.pyroify-[0-9a-f]{8}-(0|[1-9][0-9]{0,6})")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class JournalError(Exception):
    """A journal that is not followed; the message completes "the journal ..."."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a run. Paths are relative to the root; ``before`` is empty for a new file."""

    target: str
    staged: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Journal:
    """While ``staging`` no target has changed; while ``publishing`` some may have."""

    phase: Phase
    entries: tuple[Entry, ...]


def staging_name(target: str, token: str, number: int) -> str:
    """Where the new content of ``target`` waits: beside it, so that a rename is enough."""
    folder, slash, _ = target.rpartition("/")
    return f"{folder}{slash}.pyroify-{token}-{number}"


def write_text(phase: Phase, entries: Sequence[Entry]) -> str:
    """The journal as it stands in the file; raises JournalError where it would not be read."""
    document = {"version": VERSION, "phase": phase, "entries": [asdict(e) for e in entries]}
    text = json.dumps(document, indent=1)
    if len(text) > LARGEST:
        raise JournalError("would be too large")
    return text


def read_journal(root: Path) -> Journal | None:
    """The journal below ``root``, checked; None if there is none. Raises JournalError."""
    path = root / STATE_FOLDER / JOURNAL
    try:
        data = _read_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"cannot be read: {error.strerror}") from error
    journal = _parse(data)
    _check(root, journal.entries)
    return journal


def _read_regular(path: Path) -> bytes:
    """The bytes of a plain file: no link, and nothing that would block."""
    for folder in (path.parent, path):
        if os.path.islink(folder):
            raise JournalError(f"is reached by a link: {folder.name}")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise JournalError("is no file")
        if status.st_size > LARGEST:
            raise JournalError("is too large")
        return file.read()


def _parse(data: bytes) -> Journal:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise JournalError(f"cannot be understood: {error}") from error
    if not _has_keys(document, {"version", "phase", "entries"}):
        raise JournalError("cannot be understood: it must have version, phase and entries")
    if document["version"] != VERSION:
        raise JournalError("was written by another version of pyroify")
    if document["phase"] not in PHASES:
        raise JournalError(f"cannot be understood: its phase is none of {', '.join(PHASES)}")
    entries = document["entries"]
    if not isinstance(entries, list):
        raise JournalError("cannot be understood: its entries are no list")
    return Journal(cast(Phase, document["phase"]), tuple(map(_parse_entry, entries)))


def _has_keys(value: object, keys: set[str]) -> bool:
    return isinstance(value, dict) and value.keys() == keys


def _parse_entry(value: Mapping[str, object]) -> Entry:
    if not _has_keys(value, {"target", "staged", "before", "after"}):
        raise JournalError("cannot be understood: an entry lacks a key, or has one too many")
    if not all(isinstance(text, str) for text in value.values()):
        raise JournalError("cannot be understood: an entry has a value that is no text")
    entry = Entry(**cast(Mapping[str, str], value))
    if not _DIGEST.fullmatch(entry.after) or not _DIGEST.fullmatch(entry.before or entry.after):
        raise JournalError("cannot be understood: an entry has a digest that is none")
    return entry


def _check(root: Path, entries: Sequence[Entry]) -> None:
    """Refuse what no run of pyroify writes down."""
    for entry in entries:
        for path in (entry.target, entry.staged):
            if fault := path_fault(path) or link_fault(root, path):
                raise JournalError(f"names {_shown(path)}, which {fault}")
        _check_names(entry)
        for path in (entry.target, entry.staged):
            if not _is_file_or_absent(root / path):
                raise JournalError(f"names {_shown(path)}, which is no file")
    paths = Counter(path for entry in entries for path in (entry.target, entry.staged))
    for path, count in paths.items():
        if count > 1:
            raise JournalError(f"names {_shown(path)} {count} times")
    _check_untracked(root, {entry.staged.rpartition("/")[0] for entry in entries})


def _check_names(entry: Entry) -> None:
    folder, _, name = entry.target.rpartition("/")
    if any(part.casefold().startswith(STATE_FOLDER) for part in entry.target.split("/")):
        raise JournalError(f"names {_shown(entry.target)}, which is a file of pyroify's own")
    beside, _, staged = entry.staged.rpartition("/")
    if beside != folder or not _STAGED.fullmatch(staged):
        what = f"{_shown(entry.staged)}, which is no file that pyroify prepares for {_shown(name)}"
        raise JournalError(f"names {what}")


def _is_file_or_absent(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _check_untracked(root: Path, folders: Iterable[str]) -> None:
    """A run that was killed here is in no commit; what git tracks came from someone else."""
    wanted = {root / STATE_FOLDER: f":(icase,glob){JOURNAL}"}
    wanted |= {root / folder: ":(icase,glob).pyroify-*" for folder in folders}
    for folder, pattern in wanted.items():
        if tracked := _tracked(folder, pattern):
            what = (folder / tracked).relative_to(root).as_posix()
            raise JournalError(f"did not come from a run here: git tracks {_shown(what)}")


def _tracked(folder: Path, pattern: str) -> str:
    """The first file right in ``folder`` that git tracks and that ``pattern`` matches, or ""."""
    above = (folder.resolve(), *folder.resolve().parents)
    if not folder.is_dir() or not any(os.path.lexists(parent / ".git") for parent in above):
        return ""
    # Nothing of the repository may choose a program to run, nor be a repository unasked.
    settings = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
    command = ("git", *settings, "-C", str(folder), "ls-files", "-z", "--", pattern)
    # A hook is run with these set for the repository of the hook.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JournalError(f"cannot be trusted, as git cannot be asked: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise JournalError(f"cannot be trusted, as git does not say what it tracks: {said}")
    return os.fsdecode(done.stdout.partition(b"\0")[0])


def _shown(path: str) -> str:
    """A path of the journal in a message, whatever characters are in it."""
    return repr(path if len(path) <= 200 else path[:200] + "...")
