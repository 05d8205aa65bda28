"""The results of a verification as findings, exit code and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from pyroify import __version__
from pyroify.diagnostics import Finding
from pyroify.plan.model import Plan
from pyroify.report.run import DIFFERS
from pyroify.verify import Status, VerifyResult

NOT_VERIFIED = "PYR302"
STATUSES: tuple[Status, ...] = get_args(Status)


def verification_exit_code(results: Sequence[VerifyResult]) -> int:
    """2: a class is not what it was, or was to be; 1: one could not be compared; 0: all agree.

    Classes that are abstract or have nothing to call do not count, unless there are no others.
    """
    counts = Counter(result.status for result in results)
    if counts["different"] or counts["failed"]:
        return 2
    return int(bool(counts["not_verified"]) or not counts["equal"])


def verification_findings(results: Sequence[VerifyResult], plan: Plan) -> Iterator[Finding]:
    """A finding for each class that is not equal, at its place in ``plan``."""
    places = {entry.name: entry for entry in plan.classes}
    for result in results:
        if result.status == "equal":
            continue
        entry = places[result.name]
        code = DIFFERS if result.status in ("different", "failed") else NOT_VERIFIED
        what = "is not verified" if code == NOT_VERIFIED else f"is {result.status}"
        message = f"{entry.qualname} {what}: {result.reason}"
        yield Finding(entry.path, entry.line, entry.column, code, message, "", entry.name)


def render_verification(root: Path, results: Sequence[VerifyResult], exit_code: int) -> str:
    """One JSON document: version, pyroify, command, root, exit_code, summary and results.

    A result has name, path, status, reason, built, calls[], left_out[], max_difference (or null)
    and sites:
    ``{NAME: {shape: [...], event_dim: number}}``.
    """
    counts = Counter(result.status for result in results)
    document = {
        "version": 1,
        "pyroify": __version__,
        "command": "verify",
        "root": str(root),
        "exit_code": exit_code,
        "summary": {status: counts[status] for status in STATUSES},
        "results": [_result(result) for result in results],
    }
    return json.dumps(document, indent=2) + "\n"


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
        "calls": result.calls,
        "left_out": result.left_out,
        "max_difference": result.max_difference,
        "sites": sites,
    }
