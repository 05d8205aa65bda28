"""For people: tables, messages and counts; a diff or a rewritten source has stdout for itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyroify.report import plan as tables
from pyroify.report.diff import colour_diff, render_diff
from pyroify.report.formats import Output, RewriteOptions
from pyroify.report.run import Report
from pyroify.report.status import Progress, render_progress
from pyroify.report.text import render_findings, render_run
from pyroify.verify import VerifyResult, render_results


def render_plan(report: Report, exit_code: int) -> Output:
    """Every parameter on stdout, the findings on stderr."""
    findings = render_findings(report.findings, report.root, report.spec)
    return Output(tables.render_plan(report), findings)


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """What was done; on stderr where stdout has a diff or a source."""
    done = render_run(report, quiet=options.quiet, verbose=options.verbose)
    content = _content(report, options)
    return Output(done) if content is None else Output(content, done)


def render_status(found: Progress, root: Path, exit_code: int) -> Output:
    """A line and a bar for each folder."""
    return Output(render_progress(found))


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """One line for each class, and the counts."""
    return Output(render_results(results))


def _content(report: Report, options: RewriteOptions) -> bytes | None:
    if not options.diff:
        return options.source
    diff = render_diff(report.results)
    return colour_diff(diff) if options.colour else diff
