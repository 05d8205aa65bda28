"""Takes the last run of `pyroify rewrite` back: each file it replaced is again what it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyroify.diagnostics import Finding
from pyroify.git import GitError, is_in_repository, uncommitted
from pyroify.history import Run, read_runs, token_of
from pyroify.paths import link_fault
from pyroify.publish import BAD_RECORD, Change, Recovery, locked, publish
from pyroify.state import STATE_FOLDER, StateError, digest

EDITED_SINCE = "PYR241"
NOT_COMMITTED = "PYR243"
NOTHING_KEPT = "PYR244"


class UndoError(Exception):
    """Nothing was taken back; the findings say why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(findings[0].message)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Undone:
    """The run that was taken back, the paths that are what they were again, and what was pending.

    Files that someone had restored already are not among them.
    """

    run: Run
    restored: tuple[str, ...]
    recovery: Recovery


def list_runs(root: Path) -> Sequence[Run]:
    """The runs that can be taken back, the last one first. Raises UndoError."""
    state = root / STATE_FOLDER
    if not state.is_dir():
        return ()
    try:
        with locked(state, shared=True):
            return tuple(read_runs(root))
    except StateError as error:
        raise _not_followed(error) from error


def undo(root: Path) -> Undone:
    """Takes the last run back, all of it or nothing.

    Raises UndoError where there is none, and for files that were edited since: both the edits and
    the rest of the run stay. Raises PublishError where writing fails.
    """
    runs = list_runs(root)
    if not runs:
        help = "runs are kept in .pyroify/ of the project they wrote to; git may know more"
        raise UndoError(Finding(".", 1, 1, NOTHING_KEPT, "no run is kept here", help))
    run = runs[0]
    present = [_content(root / file.path) for file in run.files]
    edited = [
        _edited(root, run, number)
        for number, file in enumerate(run.files)
        if digest(present[number]) not in (file.before, file.after) or link_fault(root, file.path)
    ]
    if edited:
        raise UndoError(*edited)
    changes = [
        Change(file.path, present[number], _old(run, number), file.mode)
        for number, file in enumerate(run.files)
        if digest(present[number]) == file.after
    ]
    recovery = publish(root, changes, forget=token_of(run))
    return Undone(run, tuple(change.path for change in changes), recovery)


def check_committed(root: Path, changes: Iterable[Change], require: bool) -> str:
    """What to say of files that are about to be replaced and that git could not give back.

    Raises UndoError if git is required to have them all.
    """
    contents = {change.path: change.before for change in changes if change.before is not None}
    help = "commit or stage them first, or do without --require-clean"
    if not require and not is_in_repository(root):
        return ""
    try:
        lost = uncommitted(root, contents)
    except GitError as error:
        if require:
            raise UndoError(Finding(".", 1, 1, NOT_COMMITTED, str(error), help)) from error
        return f"whether git has what is replaced is not known: {error}\n"
    if require and lost:
        message = "has changes that git does not have; nothing was written"
        raise UndoError(*(Finding(path, 1, 1, NOT_COMMITTED, message, help) for path in lost))
    names = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if lost[5:] else "")
    return f"replaces what git does not have: {names} (`pyroify undo` restores it)\n" * bool(lost)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _old(run: Run, number: int) -> bytes | None:
    try:
        return run.old(number)
    except StateError as error:
        raise _not_followed(error) from error


def _edited(root: Path, run: Run, number: int) -> Finding:
    file = run.files[number]
    kept = (run.folder / str(number)).relative_to(root).as_posix()
    where = f"what it held is in {kept}" if file.before else "it was new"
    message = "was edited since the last run, so that nothing is taken back"
    help = f"put your edits away (git stash) and undo again; {where}"
    return Finding(file.path, 1, 1, EDITED_SINCE, message, help)


def _not_followed(error: StateError) -> UndoError:
    help = "look at `git status`, then remove .pyroify/runs: nothing can be taken back any more"
    return UndoError(Finding(".pyroify/runs", 1, 1, BAD_RECORD, str(error), help))
