"""The results of a verification as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pyroify.verify.model import Status, VerifyResult, Way

_WORDS: dict[Status, str] = {
    "equal": "equal",
    "different": "DIFFERENT",
    "failed": "FAILED",
    "not_verified": "not verified",
    "abstract": "abstract",
    "nothing_to_call": "nothing to call",
}

_WAYS: dict[Way, str] = {
    "spec": "",
    "guess": "",
    "run": " (as in the run)",
    "within": " (as in the run, within {place})",
    "code": " (as in {place})",
    "part": " (as within {place})",
}
"""How it was known what to build and call, where that is worth a word."""

_APART: tuple[Status, ...] = ("abstract", "nothing_to_call")
"""What need not be there: counted where it is."""

_REASONS = 4
"""How many reasons are shown for one class."""


def render_results(results: Sequence[VerifyResult]) -> str:
    """One line for each class, the reason below it where there is one, and the counts."""
    width = max((len(result.name) for result in results), default=0)
    lines = [line for result in results for line in _lines(result, width)]
    classes = [result for result in results if not result.is_test]
    lost = len(results) - len(classes)
    counts = Counter(result.status for result in classes)
    shown = [status for status in _WORDS if counts[status] or status not in _APART]
    total = ", ".join(f"{counts[status]} {_WORDS[status].lower()}" for status in shown)
    noun = "class" if len(classes) == 1 else "classes"
    sums = [f"{len(classes)} {noun}: {total}"]
    if unbuilt := [result.name for result in classes if result.is_unbuilt]:
        sums += [f"{len(unbuilt)} of them the run did not build: {', '.join(unbuilt)}"]
    sums += [f"{_count(lost, 'test')} of the project's own passed before"] if lost else []
    return "\n".join([*lines, *sums]) + "\n"


def _lines(result: VerifyResult, width: int) -> list[str]:
    word = f"{result.name:{width}}  {_WORDS[result.status]}"
    if result.status == "equal":
        names = dict.fromkeys(call.partition("(")[0].partition(",")[0] for call in result.calls)
        inputs, sites = _count(len(result.calls), "input"), _count(len(result.sites), "site")
        left_out = [
            f"    not compared: {name} ({'PYR015' if name == 'pickle' else 'PYR010'})"
            for name in result.left_out
        ]
        how = _WAYS[result.way].format(place=result.place) if result.way else ""
        what = f"{', '.join(names)} of {result.built}{how}"
        return [f"{word}: {what}, {inputs}, {sites}, {_apart(result)}", *left_out]
    reasons = result.reason.split("; ")
    more = [f"... and {len(reasons) - _REASONS} more"] if len(reasons) > _REASONS else []
    return [word, *(f"    {line}" for line in [*reasons[:_REASONS], *more])]


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _apart(result: VerifyResult) -> str:
    if not result.max_difference:
        return "bit for bit"
    return f"up to {result.max_difference:.1g}"
