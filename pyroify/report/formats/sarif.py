"""SARIF 2.1.0, which code scanning of several hosts reads: rules, findings, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from pyroify import __version__
from pyroify.diagnostics import Finding, all_codes, lookup
from pyroify.report.failure import Failure
from pyroify.report.formats import Output, RewriteOptions
from pyroify.report.run import Report, severity
from pyroify.report.verification import result_findings
from pyroify.verify import VerifyResult

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "refused": "error", "warning": "warning"}


def render_plan(report: Report, exit_code: int) -> Output:
    """The findings of `plan`."""
    return _document(report.findings, exit_code)


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """The findings of `rewrite`."""
    return _document(report.findings, exit_code)


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """What is not equal."""
    return _document(result_findings(results), exit_code)


def render_failure(failure: Failure, command: str) -> Output:
    """What stopped a command."""
    return _document(failure.findings, 2)


def _document(findings: Iterable[Finding], exit_code: int) -> Output:
    found = list(findings)
    codes = sorted({item.code for item in found} & {*all_codes()})
    driver = {"name": "pyroify", "version": __version__, "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": exit_code < 2, "exitCode": exit_code}],
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, codes) for item in found],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return Output(json.dumps(document, indent=2) + "\n")


def _rule(code: str) -> dict[str, object]:
    known = lookup(code)
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "help": {"text": known.text, "markdown": known.text},
        "defaultConfiguration": {"level": LEVELS[known.severity]},
    }


def _result(item: Finding, codes: Sequence[str]) -> dict[str, object]:
    region = {"startLine": item.line, "startColumn": item.column}
    place = {"artifactLocation": {"uri": quote(item.path)}, "region": region}
    result: dict[str, object] = {
        "ruleId": item.code,
        "level": LEVELS[severity(item.code)],
        "message": {"text": "\n".join(filter(None, (item.message, item.help)))},
        "locations": [{"physicalLocation": place}],
        # The line is not in it: what moves is the same finding.
        "partialFingerprints": {"pyroify/v1": sha256(item.identity.encode()).hexdigest()},
    }
    return result | ({"ruleIndex": codes.index(item.code)} if item.code in codes else {})
