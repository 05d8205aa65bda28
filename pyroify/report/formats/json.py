"""One JSON document, for programs; ``report/schema.py`` says what is in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from pyroify import __version__
from pyroify.decide.model import ClassPlan
from pyroify.diagnostics import Finding
from pyroify.pipeline import FileResult
from pyroify.report.diff import render_diff
from pyroify.report.failure import Failure
from pyroify.report.formats import Output, RewriteOptions
from pyroify.report.run import Report, severity
from pyroify.report.status import KINDS, Progress, share
from pyroify.verify import Status, VerifyResult

STATUSES: tuple[Status, ...] = get_args(Status)


def render_plan(report: Report, exit_code: int) -> Output:
    """The report of `plan`."""
    return Output(render_json(report, "plan", exit_code))


def render_rewrite(report: Report, exit_code: int, options: RewriteOptions) -> Output:
    """The report of `rewrite`, which holds the diff too."""
    return Output(render_json(report, "rewrite", exit_code, with_diff=options.diff))


def render_status(found: Progress, root: Path, exit_code: int) -> Output:
    """The counts of each folder, and of all."""
    document = {
        "version": 1,
        "pyroify": __version__,
        "command": "status",
        "root": str(root),
        "exit_code": exit_code,
        "folders": [{"path": path, **_counts(counts)} for path, counts in found.folders.items()],
        "total": _counts(found.total),
    }
    return Output(_text(document))


def _counts(counts: Mapping[str, int]) -> dict[str, object]:
    known = {kind: counts.get(kind, 0) for kind in KINDS}
    return {**known, "share": _rounded(share(counts))}


def render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int) -> Output:
    """The result of each class, and how many there are of each status."""
    classes = [result for result in results if not result.is_test]
    counts = Counter(result.status for result in classes)
    lost = [result for result in results if result.is_test]
    document = {
        "version": 1,
        "pyroify": __version__,
        "command": "verify",
        "root": str(root),
        "exit_code": exit_code,
        "summary": {status: counts[status] for status in STATUSES},
        "results": [_result(result) for result in classes],
        "unbuilt": [result.name for result in classes if result.is_unbuilt],
        "tests": [{"name": r.name, "path": r.path, "reason": r.reason} for r in lost],
    }
    return Output(_text(document))


def render_failure(failure: Failure, command: str) -> Output:
    """A report of the keys that are known: it has findings only."""
    document = {
        "version": 1,
        "pyroify": __version__,
        "command": command,
        "exit_code": 2,
        "findings": [finding_document(finding) for finding in failure.findings],
    }
    return Output(_text(document))


def render_json(report: Report, command: str, exit_code: int, *, with_diff: bool = False) -> str:
    """The document, indented, with a final newline."""
    document = {
        "version": 1,
        "pyroify": __version__,
        "command": command,
        "root": str(report.root),
        "spec": report.spec.path,
        "written": report.written,
        "exit_code": exit_code,
        "summary": {
            "files": {"changed": len(report.changed), "failed": len(report.failed)},
            "classes": report.statuses,
            "sites": report.actions,
            "coverage": _rounded(report.coverage),
            "refused": report.refusals,
            "unreadable": len(report.unreadable),
            "networks": report.networks,
            "notebooks": report.notebooks,
            "coverage_of_all": _rounded(report.coverage_of_all),
        },
        "lock": "unchanged" if report.lock is None else "changed",
        "files": [_file(result, with_diff) for result in report.results],
        "classes": [_class(entry) for entry in report.classes],
        "trainings": [asdict(training) for training in report.trainings],
        "findings": [finding_document(finding) for finding in report.findings],
    }
    return _text(document)


def finding_document(finding: Finding) -> dict[str, object]:
    """One entry of ``findings``."""
    return asdict(finding) | {"severity": severity(finding.code)}


def _text(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 2)


def _file(result: FileResult, with_diff: bool) -> dict[str, object]:
    status = "failed" if result.after is None else "changed" if result.changed else "unchanged"
    entry: dict[str, object] = {"path": result.path, "status": status}
    if with_diff:
        entry["diff"] = render_diff([result]).decode("utf-8", "replace")
    return entry


def _class(entry: ClassPlan) -> dict[str, object]:
    document = asdict(entry)
    findings = document.pop("findings")
    return {
        "name": entry.name,
        **document,
        "given": dict(entry.given),
        "codes": sorted({finding["code"] for finding in findings}),
    }


def _result(result: VerifyResult) -> dict[str, object]:
    sites = {
        name: {"shape": shape, "event_dim": event_dim}
        for name, (shape, event_dim) in result.sites.items()
    }
    return {
        "name": result.name,
        "path": result.path,
        "status": result.status,
        "reason": result.reason,
        "built": result.built,
        "way": result.way,
        "place": result.place,
        "recorded": result.recorded,
        "calls": result.calls,
        "left_out": result.left_out,
        "max_difference": result.max_difference,
        "sites": sites,
    }
