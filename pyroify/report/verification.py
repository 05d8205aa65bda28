"""The results of a verification as findings and exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pyroify.decide.model import Plan
from pyroify.diagnostics import Finding
from pyroify.report.run import DIFFERS
from pyroify.verify import VerifyResult

NOT_VERIFIED = "PYR302"


def verification_exit_code(
    results: Sequence[VerifyResult], min_verified: float | None = None
) -> int:
    """2: a class is not what it was, or was to be; 1: one could not be compared; 0: all agree.

    With ``min_verified`` that percentage has to be compared; see :func:`are_enough`.
    """
    if {"different", "failed"} & {result.status for result in results}:
        return 2
    return int(not are_enough(results, min_verified))


def are_enough(results: Sequence[VerifyResult], min_verified: float | None = None) -> bool:
    """Whether as many classes were compared as asked for: all of them, or a percentage.

    Classes that are abstract or have nothing to call do not count, unless there are no others.
    """
    counts = Counter(result.status for result in results)
    compared = counts["equal"] + counts["different"] + counts["failed"]
    if min_verified is None:
        return bool(compared) and not counts["not_verified"]
    return compared * 100 >= min_verified * (compared + counts["not_verified"])


def result_findings(results: Sequence[VerifyResult]) -> Iterator[Finding]:
    """A finding for each class that is not equal, at its file: where it stands is not known."""
    for result in results:
        if result.status in ("different", "failed", "not_verified"):
            yield _finding(result, result.name, (result.path, 1, 1))


def verification_findings(results: Sequence[VerifyResult], plan: Plan) -> Iterator[Finding]:
    """A finding for each class that is not equal, at its place in ``plan``."""
    places = {entry.name: entry for entry in plan.classes}
    for result in results:
        if result.status != "equal":
            entry = places[result.name]
            yield _finding(result, entry.qualname, (entry.path, entry.line, entry.column))


def _finding(result: VerifyResult, name: str, place: tuple[str, int, int]) -> Finding:
    """What is to be said of a class that is not equal; ``name`` is what it is called."""
    code = DIFFERS if result.status in ("different", "failed") else NOT_VERIFIED
    what = "is not verified" if code == NOT_VERIFIED else f"is {result.status}"
    return Finding(*place, code, f"{name} {what}: {result.reason}", "", result.name)
