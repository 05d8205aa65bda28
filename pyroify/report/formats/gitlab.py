"""A Code Quality report of GitLab: findings, with fingerprints that do not move with the lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from pyroify.diagnostics import Finding
from pyroify.report.failure import Failure
from pyroify.report.formats import Output, RewriteOptions
from pyroify.report.run import Report, severity
from pyroify.report.verification import result_findings
from pyroify.verify import VerifyResult

LEVELS = {"error": "critical", "refused": "major", "warning": "minor"}


def render_plan(report: Report, exit_code: int) -> Output:
    """The findings of `plan`."""
    return _document(report.findings)


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """The findings of `rewrite`."""
    return _document(report.findings)


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """What is not equal."""
    return _document(result_findings(results))


def render_failure(failure: Failure, command: str) -> Output:
    """What stopped a command."""
    return _document(failure.findings)


def _document(findings: Iterable[Finding]) -> Output:
    seen: Counter[str] = Counter()
    entries = []
    for item in findings:
        seen[item.identity] += 1  # the same once more is another
        told = f"{item.identity}\0{seen[item.identity]}"
        entries.append(
            {
                "description": item.told,
                "check_name": item.code,
                "fingerprint": sha256(told.encode()).hexdigest(),
                "severity": LEVELS[severity(item.code)],
                "location": {"path": item.path, "lines": {"begin": item.line}},
            }
        )
    return Output(json.dumps(entries, indent=2) + "\n")
