"""Work grows with what there is, and no faster; the sizes that hurt are in benchmarks/worst.py."""

import sys
from pathlib import Path

import pytest

from benchmarks.worst import CASES, Files, write
from pyroify.pipeline import Outcome, rewrite_project
from pyroify.spec.load import load_spec

SMALL = {
    "table": 60,
    "table_in_constructor": 40,
    "code": 6,
    "classes": 6,
    "layers": 12,
    "rules": 30,
    "patterns": 30,
    "comment": 100,
    "comment_in_constructor": 100,
}


def rewrite(root: Path, files: Files) -> Outcome:
    write(root, files)
    spec = load_spec(root / "pyroify.yaml")
    return rewrite_project(root, ["net.py"], spec)


def calls_of(root: Path, files: Files) -> int:
    """How often a rewrite calls a function, or goes on with a generator."""
    count = 0

    def watch(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(watch)
    try:
        rewrite(root, files)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", SMALL)
def test_four_times_as_much_takes_four_times_the_work(name: str, tmp_path: Path) -> None:
    make, size = CASES[name].make, SMALL[name]
    rewrite(tmp_path, make(1))  # what is found out once is known by then
    once, twice, more = (calls_of(tmp_path, make(times * size)) for times in (1, 2, 6))
    # What each piece costs, beyond what there is in any case: the same for many.
    assert more - twice < 4 * 1.3 * (twice - once)
    assert rewrite(tmp_path, make(size)).changes


def test_each_case_of_the_benchmark_has_a_small_one() -> None:
    assert {case.make for case in CASES.values()} == {CASES[name].make for name in SMALL}
