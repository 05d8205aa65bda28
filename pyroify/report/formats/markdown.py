"""Markdown, for the summary of a step in CI: tables of counts and of findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pyroify.diagnostics import Finding
from pyroify.report.failure import Failure
from pyroify.report.formats import Output, RewriteOptions
from pyroify.report.run import Report, severity
from pyroify.report.status import KINDS, Progress, share
from pyroify.report.text import count, printable, render_statuses
from pyroify.report.verification import result_findings
from pyroify.verify import VerifyResult

SHOWN = 50
"""Findings that a summary lists; more than these nobody reads there."""


def render_plan(report: Report, exit_code: int) -> Output:
    """The findings of `plan`, and how many classes there are."""
    return _document("plan", exit_code, [render_statuses(report)], report.findings)


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """What was done or would be, and the findings."""
    rates = (("coverage", report.coverage), ("of all", report.coverage_of_all))
    said = ", ".join(f"{name} {rate:.1f} %" for name, rate in rates if rate is not None)
    verb = "changed" if report.written else "to change"
    lines = [
        f"{count(len(report.changed), 'file')} {verb}",
        f"{render_statuses(report)}{f' ({said})' if said else ''}",
    ]
    return _document("rewrite", exit_code, lines, report.findings)


def render_status(found: Progress, root: Path, exit_code: int) -> Output:
    """The counts of each folder, and of all."""
    rows = [*found.folders.items(), ("all", found.total)]
    table = _table(
        ("folder", *(kind.replace("_", " ") for kind in KINDS), "share"),
        (
            (_code(path), *(str(counts.get(kind, 0)) for kind in KINDS), _percentage(share(counts)))
            for path, counts in rows
        ),
    )
    return Output(f"## pyroify status\n\n{table}")


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """How many classes were compared, and what is not equal."""
    classes = [result for result in results if not result.is_test]
    equal = sum(result.status == "equal" for result in classes)
    lines = [f"{count(len(classes), 'class', 'classes')}: {equal} equal"]
    return _document("verify", exit_code, lines, result_findings(results))


def render_failure(failure: Failure, command: str) -> Output:
    """What stopped a command."""
    return _document(command, 2, [], failure.findings)


def _document(
    command: str, exit_code: int, lines: Sequence[str], findings: Iterable[Finding]
) -> Output:
    found = list(findings)
    said = "".join(f"- {line}\n" for line in (*lines, f"exit code {exit_code}"))
    text = f"## pyroify {command}\n\n{said}"
    if found:
        text += "\n" + _table(("", "place", "code", ""), map(_row, found[:SHOWN]))
    if found[SHOWN:]:
        text += f"\nand {len(found) - SHOWN} more\n"
    return Output(text)


def _row(finding: Finding) -> tuple[str, ...]:
    place = f"{finding.path}:{finding.line}:{finding.column}"
    return (severity(finding.code), _code(place), finding.code, _plain(finding.told))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = (names, ["---"] * len(names), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _code(text: str) -> str:
    """A name as code; what ends a cell or the code is taken out."""
    return f"`{printable(text).replace('`', '').replace('|', '')}`"


def _plain(text: str) -> str:
    """Text in which nothing is a mark: it may hold whatever a repository is called."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+!|~&" else c for c in printable(text))


def _percentage(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.1f} %"
