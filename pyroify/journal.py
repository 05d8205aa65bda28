"""What a run that writes notes down first, so that the next one can finish it after a kill.

A journal may as well have come with the repository, from someone who wants files written, moved
or deleted where they should not be. So nothing in it is trusted: it names files of a run of
pyroify below the root, which git does not track, or it is refused whole.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, cast

from pyroify.state import (
    STATE_FOLDER,
    StateError,
    check_path,
    check_target,
    check_untracked,
    has_keys,
    read_regular,
    shown,
)

JOURNAL: Final = "journal.json"
VERSION: Final = 1
LARGEST: Final = 1 << 25
"""Bytes of a journal: some hundred thousand files."""

Phase = Literal["staging", "publishing"]
PHASES: Final = ("staging", "publishing")

_STAGED = re.compile(r"\.pyroify-[0-9a-f]{8}-(0|[1-9][0-9]{0,6})")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a run. Paths are relative to the root.

    ``before`` is empty for a new file, and ``after`` for one that goes.
    """

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
    """The journal as it stands in the file; raises StateError where it would not be read."""
    document = {"version": VERSION, "phase": phase, "entries": [asdict(e) for e in entries]}
    text = json.dumps(document, indent=1)
    if len(text) > LARGEST:
        raise StateError("would be too large")
    return text


def token_of(entries: Sequence[Entry]) -> str:
    """What the names of a run's files have in common."""
    return next((entry.staged.rpartition("/")[2].split("-")[1] for entry in entries), "")


def read_journal(root: Path) -> Journal | None:
    """The journal below ``root``, checked; None if there is none. Raises StateError."""
    try:
        data = read_regular(root / STATE_FOLDER / JOURNAL, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}") from error
    journal = _parse(data)
    _check(root, journal.entries)
    return journal


def _parse(data: bytes) -> Journal:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StateError(f"cannot be understood: {error}") from error
    if not has_keys(document, {"version", "phase", "entries"}):
        raise StateError("cannot be understood: it must have version, phase and entries")
    if document["version"] != VERSION:
        raise StateError("was written by another version of pyroify")
    if document["phase"] not in PHASES:
        raise StateError(f"cannot be understood: its phase is none of {', '.join(PHASES)}")
    entries = document["entries"]
    if not isinstance(entries, list):
        raise StateError("cannot be understood: its entries are no list")
    return Journal(cast(Phase, document["phase"]), tuple(map(_parse_entry, entries)))


def _parse_entry(value: Mapping[str, object]) -> Entry:
    if not has_keys(value, {"target", "staged", "before", "after"}):
        raise StateError("cannot be understood: an entry lacks a key, or has one too many")
    if not all(isinstance(text, str) for text in value.values()):
        raise StateError("cannot be understood: an entry has a value that is no text")
    entry = Entry(**cast(Mapping[str, str], value))
    digests = [digest for digest in (entry.before, entry.after) if digest]
    if not digests or not all(map(_DIGEST.fullmatch, digests)):
        raise StateError("cannot be understood: an entry has a digest that is none")
    return entry


def _check(root: Path, entries: Sequence[Entry]) -> None:
    """Refuse what no run of pyroify writes down."""
    for entry in entries:
        check_target(root, entry.target)
        check_path(root, entry.staged)
        _check_name(entry)
    paths = Counter(path for entry in entries for path in (entry.target, entry.staged))
    for path, count in paths.items():
        if count > 1:
            raise StateError(f"names {shown(path)} {count} times")
    check_untracked(root, root / STATE_FOLDER, f":(icase,glob){JOURNAL}")
    for folder in {entry.staged.rpartition("/")[0] for entry in entries}:
        check_untracked(root, root / folder, ":(icase,glob).pyroify-*")


def _check_name(entry: Entry) -> None:
    folder, _, name = entry.target.rpartition("/")
    beside, _, staged = entry.staged.rpartition("/")
    if beside != folder or not _STAGED.fullmatch(staged):
        what = f"{shown(entry.staged)}, which is no file that pyroify prepares for {shown(name)}"
        raise StateError(f"names {what}")
