"""The report of one run of `plan` or `rewrite`: plain data that every renderer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from pyroify.diagnostics import Finding, Severity, lookup
from pyroify.pipeline import FileResult, Outcome
from pyroify.plan.model import ClassPlan
from pyroify.project import Project
from pyroify.spec.model import Problem, Spec

UNMATCHED_RULE = "PYR150"
DIFFERS = "PYR301"
UNREADABLE = frozenset({"PYR201", "PYR203", "PYR204", "PYR205", "PYR234"})


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
    pending: frozenset[str] = frozenset()

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
        codes = {DIFFERS} if self.unreadable else {DIFFERS, UNMATCHED_RULE}
        return tuple(finding for finding in self.findings if finding.code in codes)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Files and folders of which nothing is known: what a rule matches may be in them."""
        return tuple(sorted({f.path for f in self.findings if f.code in UNREADABLE}))

    @property
    def statuses(self) -> Mapping[str, int]:
        """How many classes are converted, unchanged and refused."""
        counts = Counter(entry.status for entry in self.classes)
        return {status: counts[status] for status in ("converted", "unchanged", "refused")}

    @property
    def actions(self) -> Mapping[str, int]:
        """How many parameters become samples, become PyroParams, and are kept."""
        counts = Counter(site.action for entry in self.classes for site in entry.sites)
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
    def coverage(self) -> float:
        """Percentage of the classes that were not refused."""
        if not self.classes:
            return 100.0
        return 100 * (1 - self.statuses["refused"] / len(self.classes))


def make_report(
    project: Project,
    spec: Spec,
    outcome: Outcome,
    accepted: Set[str] = frozenset(),
) -> Report:
    """The report on ``outcome``, without what it says of files that were not selected.

    Findings whose codes are ``accepted`` are left out, too.
    """
    selected = frozenset(project.selected)
    hidden = frozenset(project.files) - selected
    classes = tuple(entry for entry in outcome.plan.classes if entry.path in selected)
    findings = tuple(
        finding
        for finding in (
            *project.findings,
            *spec_findings(spec.path, (*spec.warnings, *_unmatched_globs(project, spec))),
            *outcome.findings,
        )
        if finding.path not in hidden and finding.code not in accepted
    )
    pending = frozenset(file.path for file in outcome.plan.files)
    return Report(project.root, spec, classes, outcome.results, findings, pending=pending)


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
    is how much must be converted for what is left unconverted to be tolerated.
    """
    severities = {severity(finding.code) for finding in report.findings}
    if "error" in severities:
        return 2
    if would_change and report.changed:
        return 1
    if min_coverage is not None:
        return int(report.coverage < min_coverage)
    return int("refused" in severities or report.statuses["refused"] > 0)


def severity(code: str) -> Severity:
    """How bad a finding with this code is."""
    return lookup(code).severity
