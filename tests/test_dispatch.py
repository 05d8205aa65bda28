"""Work is left out where there is nothing for it, and nothing is lost by that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pyroify.dispatch import needs

HERE = Path(__file__).parent


@dataclass
class Thing:
    traits: frozenset[object]


@needs("a", "b")
def letters(thing: Thing, more: str = "") -> Iterator[str]:
    yield from sorted(map(str, thing.traits))
    yield more


@needs("a", nothing=0)
def size(thing: Thing) -> int:
    return len(thing.traits)


def test_one_of_the_traits_is_enough() -> None:
    assert list(letters(Thing(frozenset("bc")), "more")) == ["b", "c", "more"]


def test_nothing_comes_of_what_is_not_entered() -> None:
    assert next(letters(Thing(frozenset("c"))), None) is None


def test_what_comes_of_it_may_be_said() -> None:
    assert size(Thing(frozenset("abc"))) == 3
    assert size(Thing(frozenset("c"))) == 0


@pytest.mark.slow
def test_fixtures_come_out_the_same_where_everything_is_entered() -> None:
    plugins = ["-p", "undispatched", "-p", "no:cacheprovider", "-p", "no:xdist"]
    cases = "test_fixtures.py::test_output_and_findings"
    command = [sys.executable, "-m", "pytest", "-q", *plugins, cases]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
