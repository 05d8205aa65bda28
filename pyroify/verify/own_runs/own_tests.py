"""The project's own tests, on the original and on the rewritten code with the old weights.

With the draws pinned to what the parameters held, each test that passed has to pass again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyroify.verify.model import VerifyResult
from pyroify.verify.own_runs import outcomes
from pyroify.verify.own_runs.command import run_command
from pyroify.verify.session import VerifyError

_OUTCOMES, _PINNED = "pyroify_outcomes", "pyroify_pinned_draws"


@dataclass(frozen=True, slots=True)
class TestsCompared:
    """How many tests passed on the original, and those that do not any more, as failed results."""

    passed: int
    lost: tuple[VerifyResult, ...]


def compare_tests(
    original: Path, rewritten: Path, command: Sequence[str], seconds: float
) -> TestsCompared:
    """Run a command that starts pytest in two copies of a project, and compare test for test.

    The command runs the user's code. Raises :class:`VerifyError` where it cannot start, or no test
    passes on the original.
    """
    before, ended = _outcomes(original, command, seconds, _OUTCOMES)
    passed = [test for test, reason in before.items() if not reason]
    if not passed:
        said = f"the command {ended}" if ended else "it ran no test with pytest"
        raise VerifyError(f"no test passes on the original: {said}")
    after, ended = _outcomes(rewritten, command, seconds, f"{_OUTCOMES},{_PINNED}")
    gone = f"it is not run any more{ended and f': the command {ended}'}"
    lost = (
        VerifyResult(
            test,
            test.partition("::")[0],
            "failed",
            f"it passed before: {_of_its_file(test, after) or after.get(test, gone)}",
            is_test=True,
        )
        for test in passed
        if after.get(test, gone)
    )
    return TestsCompared(len(passed), tuple(lost))


def _outcomes(
    root: Path, command: Sequence[str], seconds: float, plugins: str
) -> tuple[dict[str, str], str]:
    """Why each test did not pass, empty where it did; and how the command ended."""
    with tempfile.TemporaryDirectory(prefix="pyroify-tests-") as folder:
        start, notes = Path(folder), Path(folder, "outcomes.jsonl")
        notes.touch()
        here = Path(outcomes.__file__)
        shutil.copyfile(here, start / f"{_OUTCOMES}.py")
        shutil.copyfile(here.with_name("pinned_draws.py"), start / f"{_PINNED}.py")
        others = os.environ.get("PYTEST_PLUGINS", "")
        variables = {
            "PYTEST_PLUGINS": ",".join(filter(None, (others, plugins))),
            outcomes.VARIABLE: str(notes),
        }
        ended = run_command(root, command, seconds, start, variables)
        return _read(notes), ended


def _read(notes: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in notes.read_text().splitlines():
        entry = json.loads(line)
        is_passed = entry["outcome"] == "passed" and not entry["expected"]
        reason = "" if is_passed else entry["reason"] or entry["outcome"]
        found[entry["test"]] = found.get(entry["test"]) or reason
    return found


def _of_its_file(test: str, after: dict[str, str]) -> str:
    """Why the file of a test cannot be collected, if so."""
    file = after.get(test.partition("::")[0], "")
    return "" if test in after else file
