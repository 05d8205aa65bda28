"""What holds of every check: it is found, one sentence says what for, and a fixture shows it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from pyroify import checks as package
from pyroify.checks import Check, checks

CODE = re.compile(r'"(PYR\d{3})"')
FIXTURES = Path(__file__).parent / "fixtures"
SOURCES = sorted(Path(package.__file__).parent.glob("*.py"))
ALL = [*checks("subject"), *checks("script")]


def reported_codes() -> set[str]:
    return {code for path in SOURCES for code in CODE.findall(path.read_text())}


def shown_codes() -> set[str]:
    found = FIXTURES.rglob("*.findings.txt")
    return {code for path in found for code in re.findall(r"PYR\d{3}", path.read_text())}


each_check = pytest.mark.parametrize("check", ALL, ids=lambda check: check.__name__)


def test_checks_are_found_by_what_they_look_at() -> None:
    assert "python_list" in {check.__name__ for check in checks("subject")}
    assert "weight_decay" in {check.__name__ for check in checks("script")}
    assert not checks("nothing")


@each_check
def test_check_says_in_one_sentence_what_it_is_for(check: Check) -> None:
    text = inspect.getdoc(check) or ""
    assert text.endswith(".")
    assert "\n\n" not in text


def test_every_code_that_a_check_reports_has_a_fixture() -> None:
    assert reported_codes() <= shown_codes()
