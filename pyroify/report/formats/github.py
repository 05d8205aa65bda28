"""Workflow commands of GitHub: a finding becomes a remark at its line; the text is in the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pyroify.diagnostics import Finding
from pyroify.report.failure import Failure
from pyroify.report.formats import Output, RewriteOptions, text
from pyroify.report.run import Report, severity
from pyroify.report.verification import result_findings
from pyroify.verify import VerifyResult

LEVELS = {"error": "error", "refused": "error", "warning": "warning"}


def render_plan(report: Report, exit_code: int) -> Output:
    """The findings of `plan`."""
    return _with_log(report.findings, text.render_plan(report, exit_code))


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """The findings of `rewrite`, and the files that it would change."""
    would = () if report.written else (result.path for result in report.changed)
    pending = "".join(
        _command("error", path, 1, 1, "pyroify", "not as `pyroify rewrite` would have it")
        for path in would
    )
    said = _with_log(report.findings, text.render_rewrite(report, exit_code, options))
    return Output(f"{said.result!s}{pending}", said.notes)


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """What is not equal, at the file of its class."""
    return _with_log(result_findings(results), text.render_verify(root, results, exit_code))


def render_failure(failure: Failure, command: str) -> Output:
    """What stopped a command."""
    return Output(_commands(failure.findings))


def _with_log(findings: Iterable[Finding], log: Output) -> Output:
    result = log.result.decode(errors="replace") if isinstance(log.result, bytes) else log.result
    return Output(_commands(findings), result + log.notes)


def _commands(findings: Iterable[Finding]) -> str:
    return "".join(
        _command(
            LEVELS[severity(item.code)],
            *(item.path, item.line, item.column, item.code),
            f"{item.told}\n{item.help}".strip(),
        )
        for item in findings
    )


def _command(level: str, path: str, line: int, column: int, title: str, message: str) -> str:
    place = f"file={_property(path)},line={line},col={column},title={_property(title)}"
    return f"::{level} {place}::{_escaped(message)}\n"


def _escaped(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _escaped(value).replace(":", "%3A").replace(",", "%2C")
