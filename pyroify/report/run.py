"""The report of one run of `plan` or `rewrite`: plain data that every renderer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

from pyroify.decide.model import ClassPlan, Training
from pyroify.diagnostics import Finding, Severity, lookup
from pyroify.globs import compile_globs
from pyroify.lock import BAD_LOCK
from pyroify.pipeline import FileResult, Outcome
from pyroify.project import Project
from pyroify.publish import Change
from pyroify.shard import Shard
from pyroify.spec.model import Problem, Spec

UNMATCHED_RULE = "PYR150"
DIFFERS = "PYR301"
OUTSIDE_CLASSES = "PYR046"
IN_NOTEBOOK = "PYR240"
STATUSES = ("converted", "to_convert", "unchanged", "refused", "suppressed")
UNREADABLE = frozenset({"PYR201", "PYR203", "PYR204", "PYR205", "PYR234", "PYR245"})


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen in the selected files, and what became of it.

    ``pending`` are the files that the plan edits, ``results`` what that gave for each of them;
    ``written`` says whether ``results`` are in the files now (else they only would be).
    """

    root: Path
    spec: Spec
    classes: tuple[ClassPlan, ...]
    results: tuple[FileResult, ...]
    findings: tuple[Finding, ...]
    written: bool = False
    lock: Change | None = None
    """What changes, or would, in the file that tells pyroify's declarations from the user's."""
    pending: frozenset[str] = frozenset()
    trainings: tuple[Training, ...] = ()
    """Where scripts train converted classes without their random parameters."""
    others: tuple[ClassPlan, ...] = ()
    """Classes of other shards, which those of this one may hold or derive from."""
    known: int | None = None
    """How many findings a baseline knows, which are not among these; None without one."""

    @property
    def changed(self) -> tuple[FileResult, ...]:
        """The files that were changed, or would be."""
        return tuple(result for result in self.results if result.changed)

    @property
    def failed(self) -> tuple[FileResult, ...]:
        """The files that could not be rewritten."""
        return tuple(result for result in self.results if result.after is None)

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What forbids to write anything: the result would not be what was asked for."""
        codes = {DIFFERS, BAD_LOCK} | (set() if self.unreadable else {UNMATCHED_RULE})
        return tuple(finding for finding in self.findings if finding.code in codes)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Files and folders of which nothing is known: what a rule matches may be in them."""
        return tuple(sorted({f.path for f in self.findings if f.code in UNREADABLE}))

    @property
    def statuses(self) -> Mapping[str, int]:
        """How many classes are converted, still to convert, unchanged, refused, and suppressed."""
        counts = Counter(map(self.status, self.classes))
        return {status: counts[status] for status in STATUSES}

    def status(self, entry: ClassPlan) -> str:
        """What a class is now: a change that is not written yet has converted nothing."""
        return "to_convert" if entry.pending and not self.written else entry.status

    @property
    def actions(self) -> Mapping[str, int]:
        """How many parameters become samples, become PyroParams, and are kept.

        All those of classes that stay as they are, for whatever reason, are kept.
        """
        counts = Counter(
            site.action if entry.status == "converted" else "keep"
            for entry in self.classes
            for site in entry.sites
        )
        return {action: counts[action] for action in ("sample", "param", "keep")}

    @property
    def refusals(self) -> Mapping[str, int]:
        """How many classes were refused, by the codes of their findings; most frequent first."""
        refused = (entry for entry in self.classes if entry.status == "refused")
        codes = Counter(
            code
            for entry in refused
            for code in {finding.code for finding in entry.findings}
            if severity(code) != "warning"
        )
        return dict(sorted(codes.items(), key=lambda item: (-item[1], item[0])))

    @property
    def coverage(self) -> float | None:
        """Percentage of the classes with a parameter some rule touches that are converted.

        Suppressed ones do not count; None where there is no class to count.
        """
        return _percentage(self._counted["converted"], self._counted.total())

    @property
    def coverage_of_all(self) -> float | None:
        """The same, where all that is counted apart counts as not converted."""
        apart = (self.statuses["suppressed"], len(self.unreadable), self.networks, self.notebooks)
        return _percentage(self._counted["converted"], self._counted.total() + sum(apart))

    @property
    def _counted(self) -> Counter[str]:
        """The classes that a rate is about, by status."""
        named = {entry.name: entry for entry in (*self.classes, *self.others)}
        return Counter(
            status
            for entry in self.classes
            if (status := self.status(entry)) in ("converted", "to_convert", "refused")
            and _is_touched(entry, named, frozenset())
        )

    @property
    def networks(self) -> int:
        """How many networks are made outside of classes."""
        return sum(finding.code == OUTSIDE_CLASSES for finding in self.findings)

    @property
    def notebooks(self) -> int:
        """How many notebooks cannot be read, or not all of them."""
        return len({finding.path for finding in self.findings if finding.code == IN_NOTEBOOK})


def without_warnings(report: Report) -> Report:
    """The report with what is grave alone."""
    grave = tuple(found for found in report.findings if severity(found.code) != "warning")
    return replace(report, findings=grave)


def in_shard(report: Report, shard: Shard) -> Report:
    """What of a report is about the files of a shard; about the spec, where that is one of them."""
    return replace(
        report,
        classes=tuple(entry for entry in report.classes if entry.path in shard),
        others=tuple(entry for entry in report.classes if entry.path not in shard),
        results=tuple(result for result in report.results if result.path in shard),
        findings=tuple(finding for finding in report.findings if finding.path in shard),
        pending=frozenset(path for path in report.pending if path in shard),
        trainings=tuple(training for training in report.trainings if training.path in shard),
    )


def _percentage(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _is_touched(entry: ClassPlan, named: Mapping[str, ClassPlan], seen: frozenset[str]) -> bool:
    """Whether some rule decides about a parameter of a class, its own or one of its parts.

    A class that was refused before any parameter was seen may have some.
    """
    if any(site.rule is not None or site.spared == "barred" for site in entry.sites):
        return True
    if entry.status == "refused" and not entry.sites and not entry.parts:
        return True
    below = {*(part.cls for part in entry.parts), *entry.bases} - seen
    seen |= {entry.name, *below}
    return any(name in named and _is_touched(named[name], named, seen) for name in below)


def make_report(
    project: Project,
    spec: Spec,
    outcome: Outcome,
    accepted: Set[str] = frozenset(),
) -> Report:
    """The report on ``outcome``, without what it says of files that were not selected.

    What it says of code that uses the converted classes stays, unless the spec excludes the file.
    Findings whose codes are ``accepted`` are left out, too.
    """
    selected = frozenset(project.selected)
    hidden = frozenset(project.files) - selected
    excluded, uses = compile_globs(spec.exclude), frozenset(outcome.plan.uses)
    classes = tuple(entry for entry in outcome.plan.classes if entry.path in selected)
    findings = tuple(
        finding
        for finding in (
            *project.findings,
            *spec_findings(spec.path, (*spec.warnings, *_unmatched_globs(project, spec))),
            *outcome.findings,
        )
        if finding.path not in hidden or (finding in uses and not excluded.match_file(finding.path))
        if finding.code not in accepted
    )
    pending = frozenset(file.path for file in outcome.plan.files)
    return Report(
        project.root,
        spec,
        classes,
        outcome.results,
        findings,
        lock=outcome.lock,
        pending=pending,
        trainings=outcome.plan.trainings,
    )


def _unmatched_globs(project: Project, spec: Spec) -> Iterator[Problem]:
    """What `include` asks for and the project does not have."""
    for number in project.unmatched(spec.include):
        message = f"include {spec.include[number]} matches no Python file"
        help = "globs are those of .gitignore, from the root; or pass --allow-unmatched"
        yield spec.problem(f"include.{number}", UNMATCHED_RULE, message, help)


def spec_findings(path: str, problems: Iterable[Problem]) -> Iterator[Finding]:
    """What is wrong in the spec, as findings; ``path`` is how they name it."""
    for problem in problems:
        line, column = problem.position.line, problem.position.column
        yield Finding(path, line, column, problem.code, problem.message, problem.help)


def exit_code(report: Report, *, would_change: bool, min_coverage: float | None = None) -> int:
    """2: an error; 1: something left unconverted, or to be changed; 0: done and complete.

    ``would_change`` makes changes count (`--check` and `--diff`). ``min_coverage``, in percent,
    is how much of all there is must be converted for what is left unconverted to be tolerated.
    With a baseline what it knows is tolerated, and nothing else that there is to say.
    """
    severities = {severity(finding.code) for finding in report.findings}
    if "error" in severities:
        return 2
    if would_change and (report.changed or report.lock):
        return 1
    if report.known is not None:
        return int(bool(report.findings))
    if min_coverage is not None:
        if report.coverage_of_all is not None:
            return int(report.coverage_of_all < min_coverage)
        return int("refused" in severities)
    return int("refused" in severities or report.statuses["refused"] > 0)


def severity(code: str) -> Severity:
    """How bad a finding with this code is."""
    return lookup(code).severity
