"""Until when a comment that suppresses holds."""

from __future__ import annotations

from datetime import date
from typing import cast

import pytest

from pyroify.checks.suppressions import Suppressions
from pyroify.program.index import Index
from pyroify.syntax.facts import File, Suppression


def codes(until: str, today: date, *, is_used: bool = True) -> list[str]:
    comments = Suppressions(cast(Index, None), today)
    if is_used:
        comments.use("a.py", 3)
    file = File("a.py", "a", suppressed=(Suppression(3, "ignore", None, until, 3),))
    return [finding.code for finding in comments.idle([file])]


@pytest.mark.parametrize(
    ("until", "last", "next_day"),
    [
        ("2027-03", date(2027, 3, 31), date(2027, 4, 1)),
        ("2028-02", date(2028, 2, 29), date(2028, 3, 1)),
        ("2027-03-15", date(2027, 3, 15), date(2027, 3, 16)),
        ("2027-12", date(2027, 12, 31), date(2028, 1, 1)),
    ],
)
def test_it_holds_on_the_last_day(until: str, last: date, next_day: date) -> None:
    assert codes(until, last) == []
    assert codes(until, next_day) == ["PYR074"]


def test_one_that_takes_nothing_out_does_not_expire() -> None:
    assert codes("2020-01", date(2027, 1, 1), is_used=False) == ["PYR064"]


@pytest.mark.parametrize("until", ["", "soon", "2027", "2027-13", "2027-02-30", "03/2027"])
def test_what_is_no_date_is_said(until: str) -> None:
    assert codes(until, date(2027, 1, 1)) == ["PYR075"]
