"""`pyroify status`: how far a migration is, folder by folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import LayOut, Run

SPEC = """\
version: 1
include: ["done/**", "open/**"]
priors:
  - {match: "**", sample: "Normal(0, 1)"}
"""
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""
REFUSED = """\


class Refused(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.body = getattr(nn, kind)(3)

    def named_children(self):
        return iter(())


class Old(nn.Module):  # pyroify: ignore-class
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
"""
USE = """\
from torch import nn


def build():
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
"""
FILES = {
    "done/net.py": NET,
    "open/net.py": NET + REFUSED,
    "open/use.py": USE,
    "later/net.py": NET,
    "plain/act.py": "from torch import nn\n\n\nclass Act(nn.ReLU):\n    pass\n",
    "pyroify.yaml": SPEC,
}


@pytest.fixture
def root(lay_out: LayOut, run: Run) -> Path:
    """A project that is converted in part."""
    root = lay_out(FILES)
    assert run("rewrite", "done").code == 0
    return root


def test_each_folder_has_its_counts(root: Path, run: Run) -> None:
    document = json.loads(run("status", "--format", "json").out)
    found = {entry.pop("path"): entry for entry in document["folders"]}
    assert {path: {k: n for k, n in counts.items() if n} for path, counts in found.items()} == {
        "done": {"converted": 1, "share": 100.0},
        "later": {"outside_include": 1},
        "open": {"to_convert": 1, "refused": 1, "suppressed": 1, "networks": 1},
    }
    assert document["total"]["share"] == 16.67


def test_people_see_bars(root: Path, run: Run) -> None:
    ended = run("status")
    assert ended.code == 0
    assert "done   ####################  100.0 %  1 converted\n" in ended.out
    assert "later  --------------------    0.0 %  1 outside include\n" in ended.out
    assert "1 to convert, 1 refused, 1 suppressed, 1 networks" in ended.out
    assert ended.out.splitlines()[-1].startswith("all    ###-----------------   16.7 %")


def test_of_some_paths(root: Path, run: Run) -> None:
    assert [line.split()[0] for line in run("status", "done").out.splitlines()] == ["done", "all"]


def test_where_nothing_is_to_be_converted(root: Path, run: Run) -> None:
    assert run("status", "plain").out == "all  nothing to convert\n"
