"""Each code has one text, each text is used, and the texts have one form."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pyroify.diagnostics import RULES, Finding, UnknownCode, all_codes, lookup

PACKAGE = RULES.parents[1]
CODE = re.compile(r"""["'](PYR\d{3})["']""")
SECTIONS = ["What it does", "Why it is bad", "Example", "What to do"]
FIXTURES = Path(__file__).parent / "fixtures"


def used_codes() -> set[str]:
    sources = [p.read_text() for p in PACKAGE.rglob("*.py")]
    return {code for source in sources for code in CODE.findall(source)}


def expected_codes() -> set[str]:
    files = FIXTURES.rglob("*.findings.txt")
    return {code for file in files for code in re.findall(r"PYR\d{3}", file.read_text())}


each_code = pytest.mark.parametrize("code", all_codes())


def test_every_code_of_the_source_has_a_text() -> None:
    assert used_codes() <= set(all_codes())


def test_every_text_is_of_a_code_of_the_source() -> None:
    # A fixture that expects a code fails itself until something reports it.
    assert set(all_codes()) <= used_codes() | expected_codes()


@each_code
def test_title_and_severity(code: str) -> None:
    rule = lookup(code)
    assert 10 <= len(rule.title) <= 72
    assert rule.title[0].isupper()
    assert rule.title[-1] not in ".:"
    assert rule.severity in ("error", "refused", "warning")


@each_code
def test_sections_are_the_four(code: str) -> None:
    assert re.findall(r"^## (.*)$", lookup(code).text, re.MULTILINE) == SECTIONS
    assert max(map(len, lookup(code).text.splitlines())) <= 100


@each_code
def test_examples_in_python_parse(code: str) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", lookup(code).text, re.MULTILINE | re.DOTALL):
        ast.parse(block)


def test_lookup_takes_either_case() -> None:
    assert lookup("pyr002").code == "PYR002"


def test_unknown_code_suggests_near_ones() -> None:
    with pytest.raises(
        UnknownCode, match=r"there is no rule PYR0022; did you mean .*PYR002"
    ) as info:
        lookup("PYR0022")
    assert "PYR002" in info.value.suggestions


def test_unknown_code_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        lookup("E501")


def test_fixtures_expect_known_codes() -> None:
    assert expected_codes() <= set(all_codes())


def test_what_others_say_is_counted() -> None:
    first, *more = (Finding("a.py", line, 1, "PYR010", "lost") for line in (3, 9, 7, 3))
    assert first.counting([]).told == "lost"
    assert first.counting(more).told == "lost (and 2 more: lines 7, 9)"
    assert first.counting(more[:1]).told == "lost (and 1 more: line 9)"


@pytest.mark.parametrize(
    "message", ["frozen by A (net.py:{})", "used in line {}", "line {}, sadly"]
)
def test_identity_has_no_lines(message: str) -> None:
    one, other = (Finding("a.py", n, 1, "PYR072", message.format(n)) for n in (3, 14))
    assert one.identity == other.identity
    assert one.identity != Finding("a.py", 3, 1, "PYR072", message.format("x")).identity
