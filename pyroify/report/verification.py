"""The results of a verification as findings and exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pyroify.decide.model import Plan
from pyroify.diagnostics import Finding
from pyroify.report.run import DIFFERS
from pyroify.verify import VerifyResult

NOT_VERIFIED = "PYR302"


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
