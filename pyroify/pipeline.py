"""The stages in order: index, plan, rewritten files. Nothing is written here."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pyroify import planning
from pyroify import program as indexing
from pyroify.decide.model import ClassPlan, FilePlan, Plan
from pyroify.diagnostics import Finding
from pyroify.lock import LOCK_NAME
from pyroify.notebook import NotebookError
from pyroify.processes import each
from pyroify.program import Index
from pyroify.program.faults import describe_fault
from pyroify.program.ownership import next_entries
from pyroify.publish import Change
from pyroify.shard import Shard
from pyroify.source import NO_NOTEBOOK, NOT_DECODABLE, SourceError, decode_source
from pyroify.spec.model import Spec
from pyroify.timings import stage

FILES_PER_PROCESS = 4
"""With fewer files than this, a process costs more time to start than it saves."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file. ``after`` is None where the rewrite failed; findings say why.

    ``before`` is None for a file that is new.
    """

    path: str
    before: bytes | None
    after: bytes | None
    findings: tuple[Finding, ...] = ()
    traceback: str = ""

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self.after is not None and self.after != self.before


@dataclass(frozen=True, slots=True)
class Outcome:
    """The plan as far as it could be carried out, and what became of each file it touches."""

    plan: Plan
    results: tuple[FileResult, ...]
    lock: Change | None = None
    """What has to change in the file that tells pyroify's declarations from the user's."""

    @property
    def changes(self) -> tuple[FileResult, ...]:
        """The files to write."""
        return tuple(result for result in self.results if result.changed)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, by place, each once."""
        found = {*self.plan.findings, *self.plan.uses}
        found.update(finding for plan in self.plan.classes for finding in plan.findings)
        found.update(finding for result in self.results for finding in result.findings)
        return tuple(sorted(found))


Watched = Callable[[Iterable[FileResult], int], Iterable[FileResult]]
"""Gives the same results on, of which there are so many, and may show how far they are."""


def unwatched(results: Iterable[FileResult], length: int) -> Iterable[FileResult]:
    """Shows nothing."""
    return results


def survey(
    root: Path, files: Sequence[str], selected: Collection[str], jobs: int = 1
) -> tuple[Index, Callable[[Spec], Plan]]:
    """What is known of a project, and the plan of the ``selected`` files under any spec."""
    index = _index(root, files, selected, jobs)
    return index, lambda spec: _plan(index, spec, frozenset(selected))


def make_plan(
    root: Path,
    files: Sequence[str],
    spec: Spec,
    selected: Collection[str],
    jobs: int = 1,
) -> Plan:
    """What the spec makes of the ``selected`` files; all ``files`` are looked at."""
    return _plan(_index(root, files, selected, jobs), spec, frozenset(selected))


def rewrite_project(
    root: Path,
    files: Sequence[str],
    spec: Spec,
    selected: Collection[str] | None = None,
    jobs: int = 1,
    watched: Watched = unwatched,
    shard: Shard | None = None,
) -> Outcome:
    """Rewrites the ``selected`` files (None: all), in up to ``jobs`` processes.

    With a ``shard`` all of them are planned, as it may depend on any what becomes of one; results,
    and what changes in the lock, are those of its files.

    A file whose rewrite fails stays as it is, and with it every change that would need it: the
    plan is made again without that file, until the rest goes through.
    """
    remaining = frozenset(files if selected is None else selected)
    if not remaining:
        return Outcome(Plan(), ())
    index = _index(root, files, remaining, jobs)
    done: dict[FilePlan, FileResult] = {}
    failed: dict[str, FileResult] = {}
    refused: list[ClassPlan] = []
    while True:
        plan = _plan(index, spec, remaining)
        own = [file for file in plan.files if shard is None or file.path in shard]
        todo = [file for file in own if file not in done]
        with stage("rewrite"):
            done.update(zip(todo, watched(rewrite_files(root, todo, jobs), len(todo)), strict=True))
        broken = {file.path: done[file] for file in own if done[file].after is None}
        if not broken:
            break
        failed |= broken
        remaining -= broken.keys()
        refused += [_refuse(e, broken[e.path]) for e in plan.classes if e.path in broken]
    classes = (*refused, *(entry for entry in plan.classes if entry.path not in failed))
    faults = [
        FileResult(path, b"", None, (fault.finding,), fault.traceback)
        for path, fault in index.left.items()
        if path not in failed
    ]
    results = (*failed.values(), *faults, *(done[file] for file in own))
    with stage("lock"):
        lock = _next_lock(index, remaining, [done[file] for file in own], shard)
    return Outcome(
        replace(plan, classes=tuple(sorted(classes, key=lambda entry: (entry.path, entry.line)))),
        tuple(sorted(results, key=lambda result: result.path)),
        lock,
    )


def _index(root: Path, files: Sequence[str], selected: Collection[str], jobs: int) -> Index:
    with stage("read"):
        return indexing.build_index(root, files, selected, jobs)


def _plan(index: Index, spec: Spec, selected: frozenset[str]) -> Plan:
    with stage("plan"):
        return planning.build_plan(index, spec, selected)


def _next_lock(
    index: Index,
    selected: Collection[str],
    results: Sequence[FileResult],
    shard: Shard | None,
) -> Change | None:
    """The lock with what is pyroify's in the ``selected`` files once they are rewritten.

    Entries of other files stay; those of files that are gone do until all others are selected.
    Those of files that are not in the ``shard`` stay as well.
    """
    lock = index.lock
    if lock.findings:
        return None
    written = {result.path: result.after for result in results if result.changed}
    readable = frozenset(selected) - index.unreadable
    entries = {entry for entry in lock.entries if entry.path not in readable}
    if all(entry.path not in index.existing for entry in entries):
        entries.clear()
    for path in readable | {result.path for result in results if result.before is None}:
        if shard is None or path in shard:
            entries.update(next_entries(index, path, written.get(path)))
    if shard is not None:
        entries = {entry for entry in entries if entry.path in shard}
        entries |= {entry for entry in lock.entries if entry.path not in shard}
    after = lock.holding(entries)
    return None if after is None or after == lock.text else Change(LOCK_NAME, lock.text, after)


def _refuse(entry: ClassPlan, result: FileResult) -> ClassPlan:
    """A class of a file that failed: not converted, if it was to be."""
    if entry.status in ("unchanged", "suppressed"):
        return entry
    return replace(
        entry, status="refused", pending=False, findings=(*entry.findings, *result.findings)
    )


def rewrite_files(root: Path, plans: Sequence[FilePlan], jobs: int = 1) -> Iterator[FileResult]:
    """One result for each plan, in order; a process that dies takes only its own file along."""
    processes = min(jobs, len(plans) // FILES_PER_PROCESS)
    yield from each(partial(rewrite_file, root), plans, processes, _died)


def _died(plan: FilePlan) -> FileResult:
    error = RuntimeError("the process that rewrote it died")
    finding = describe_fault(plan.path, error, "rewritten")
    return FileResult(plan.path, b"", None, (finding,))


def rewrite_file(root: Path, plan: FilePlan) -> FileResult:
    """Carries out the plan of one file. Never raises: what goes wrong is in the findings."""
    from pyroify.rewrite import RewriteError, rewrite_source  # loads LibCST

    try:
        data = plan.start.encode() or (root / plan.path).read_bytes()
    except OSError as error:
        finding = Finding(plan.path, 1, 1, NOT_DECODABLE, f"cannot be read: {error.strerror}")
        return FileResult(plan.path, b"", None, (finding,))
    try:
        source = decode_source(data, plan.path)
        after = source.encode(rewrite_source(source.text, plan.edits))
    except SourceError as error:
        return FileResult(plan.path, data, None, (error.finding,))
    except NotebookError as error:
        finding = Finding(plan.path, 1, 1, NO_NOTEBOOK, f"cannot be written: {error}")
        return FileResult(plan.path, data, None, (finding,))
    except RewriteError as error:
        finding = Finding(plan.path, 1, 1, error.code, error.message, error.help)
        return FileResult(plan.path, data, None, (finding,))
    except Exception as error:  # a bug of ours: it must not cost the user the other files
        finding = describe_fault(plan.path, error, "rewritten")
        return FileResult(plan.path, data, None, (finding,), traceback.format_exc())
    return FileResult(plan.path, None if plan.start else data, after)
