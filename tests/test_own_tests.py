"""`verify --tests`: the project's own tests pass on the rewritten code as they did before."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import Ended, LayOut, Run

pytest.importorskip("pyro")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]

SPEC = """\
version: 1
exclude: ["tests/**"]
priors:
  - {match: "**", sample: "Normal(0, 1)"}
"""
NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        nn.init.constant_(self.fc.weight, 2.0)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        return self.fc(x)
"""
TESTS = """\
from pathlib import Path

import pytest
import torch

from net import Net


@pytest.fixture
def net():
    return Net()


def test_value(net):
    assert torch.equal(net(torch.ones(1, 3)), torch.full((1, 2), 6.0))


def test_same_twice(net):
    x = torch.randn(4, 3)
    assert torch.equal(net(x), net(x))


def test_fails_before():
    assert False


def test_parameters(net):
    assert len(list(net.parameters())) == 2


@pytest.mark.parametrize("rows", [1, 2])
def test_writes(net, rows):
    Path("written.txt").write_text("x")
    assert net(torch.ones(rows, 3)).shape == (rows, 2)
"""
COMMAND = f"{sys.executable} -m pytest -q tests -p no:cacheprovider"


def verified(run: Run, *options: str, change: tuple[str, str] = ("", "")) -> Ended:
    """A verification of the project as it is rewritten, and then changed."""
    before = shutil.copytree(Path.cwd(), f"{Path.cwd()}-before")
    assert run("rewrite").code == 0
    net = Path("net.py")
    net.write_text(net.read_text().replace(*change) if change[0] else net.read_text())
    return run("verify", "--original", str(before), *options)


def test_what_passed_and_does_not_is_told_test_for_test(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"net.py": NET, "tests/test_net.py": TESTS, "pyroify.yaml": SPEC})
    ended = verified(run, "--tests", COMMAND, "--format", "json")
    assert ended.code == 2
    assert f"running `{COMMAND}` on copies of the original and of the rewritten" in ended.err
    assert "4 of the 5 tests that passed on the original pass" in ended.err
    document = json.loads(ended.out)
    [lost] = document["tests"]
    assert (lost["name"], lost["path"]) == (
        "tests/test_net.py::test_parameters",
        "tests/test_net.py",
    )
    assert lost["reason"].startswith("it passed before: assert 0 == 2")
    assert document["summary"]["equal"] == 1
    assert not (root / "written.txt").exists()


def test_all_pass(lay_out: LayOut, run: Run) -> None:
    tests = TESTS.replace("def test_parameters", "def no_test_parameters")
    lay_out({"net.py": NET, "tests/test_net.py": tests, "pyroify.yaml": SPEC})
    ended = verified(run, "--tests", COMMAND)
    assert ended.code == 0, ended.out
    assert "4 of the 4 tests that passed on the original pass" in ended.err


def test_a_file_that_cannot_be_imported_any_more(lay_out: LayOut, run: Run) -> None:
    lay_out({"net.py": NET, "tests/test_net.py": TESTS, "pyroify.yaml": SPEC})
    ended = verified(run, "--tests", COMMAND, change=("class Net(", "class Nett("))
    assert ended.code == 2
    assert "tests/test_net.py::test_value" in ended.out
    assert "cannot import name 'Net'" in ended.out
    assert "5 tests of the project's own passed before" in ended.out


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program", "no-such-program cannot be started"),
        (f"{sys.executable} -c pass", "no test passes on the original: it ran no test"),
        (f"{sys.executable} -m pytest -q tests -k fails", "the command ended with exit code 1"),
        ("'", "--tests: No closing quotation"),
    ],
)
def test_that_cannot_be(lay_out: LayOut, run: Run, command: str, said: str) -> None:
    lay_out({"net.py": NET, "tests/test_net.py": TESTS, "pyroify.yaml": SPEC})
    ended = verified(run, "--tests", command)
    assert ended.code == 2
    assert said in ended.err
