"""A plugin of pytest: notes how each test ended, a line each, in the file that a variable names.

It is loaded by the pytest of the project that is verified, and needs nothing of pyroify.
"""

import json
import os
from typing import Any

VARIABLE = "PYROIFY_OUTCOMES"


def pytest_runtest_logreport(report: Any) -> None:
    """Note one phase of a test: its setup, the test itself, or its end."""
    note(report)


def pytest_collectreport(report: Any) -> None:
    """Note a file that cannot be collected."""
    if report.failed:
        note(report)


def note(report: Any) -> None:
    """Append how something ended, and the line that says why."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr or "")
    lines = [line for line in text.splitlines() if line.strip()]
    entry = {
        "test": report.nodeid,
        "outcome": report.outcome,
        "expected": hasattr(report, "wasxfail"),
        "reason": lines[0 if crash is not None else -1].strip() if lines else "",
    }
    with open(os.environ[VARIABLE], "a") as file:
        file.write(json.dumps(entry) + "\n")
