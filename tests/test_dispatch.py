"""Work is left out where there is nothing for it, and nothing is lost by that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
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
def test_plans_are_the_same_where_everything_is_entered(tmp_path: Path) -> None:
    torch = find_spec("torch")
    assert torch is not None and torch.origin is not None
    folders = [Path(torch.origin).parent / "nn" / "modules", HERE.parent / "examples"]
    dispatched = planned("dispatched", tmp_path / "dispatched.json", folders)
    undispatched = planned("undispatched", tmp_path / "undispatched.json", folders)
    assert dispatched.keys() == undispatched.keys()
    assert [name for name in dispatched if dispatched[name] != undispatched[name]] == []


def planned(how: str, out: Path, folders: Sequence[Path]) -> dict[str, str]:
    """What ``plans.py`` writes, in a process where sets have one order."""
    command = [sys.executable, str(HERE / "plans.py"), how, str(out), *map(str, folders)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(command, check=True, env=environment, cwd=HERE.parent)
    found: dict[str, str] = json.loads(out.read_text())
    return found
