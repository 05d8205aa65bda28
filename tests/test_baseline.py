"""`--baseline`: known findings are tolerated; new ones, and known ones that are gone, fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import LayOut, Run

from pyroify.diagnostics import Finding
from pyroify.report.baseline import BaselineError, entry_of, read_baseline, render_baseline

SPEC = """\
version: 1
priors:
  - {match: "**", sample: "Normal(0, 1)"}
"""
REFUSED = """\
from torch import nn


class Refused(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.body = getattr(nn, kind)(3)

    def named_children(self):
        return iter(())
"""
BASE = ("--baseline", "known.txt")


@pytest.fixture
def root(lay_out: LayOut, run: Run) -> Path:
    """A project with one refused class, and a baseline that knows it."""
    root = lay_out({"net.py": REFUSED, "pyroify.yaml": SPEC})
    assert run("rewrite", "--check").code == 1
    assert run("rewrite", "--check", *BASE, "--write-baseline").code == 0
    return root


def test_what_it_knows_is_tolerated(root: Path, run: Run) -> None:
    ended = run("rewrite", "--check", *BASE)
    assert ended.code == 0
    assert "PYR047 Refused" not in ended.out
    assert "1 finding known from the baseline" in ended.out


def test_lines_may_move(root: Path, run: Run) -> None:
    (root / "net.py").write_text("import os\n\n" + REFUSED)
    assert run("rewrite", "--check", *BASE).code == 0


def test_a_new_one_fails(root: Path, run: Run) -> None:
    (root / "more.py").write_text(REFUSED.replace("Refused", "More"))
    ended = run("rewrite", "--check", *BASE)
    assert ended.code == 1
    assert "more.py:4:1 PYR047 More.named_children" in ended.out


def test_one_that_is_gone_fails(root: Path, run: Run) -> None:
    (root / "net.py").write_text("import torch\n")
    ended = run("rewrite", "--check", *BASE)
    assert ended.code == 1
    assert "known.txt:2:1 PYR160 PYR047 of net:Refused is gone" in ended.out
    assert run("rewrite", "--check", *BASE, "--write-baseline").code == 0


NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
"""
USES = """\
import torch
from net import Net


def train(net: Net):
    torch.optim.Adam(net.parameters())
    torch.optim.SGD(net.parameters(), 0.1)
"""


def test_lines_that_move_change_nothing(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"net.py": NET, "use.py": USES, "pyroify.yaml": SPEC})
    run("rewrite")
    assert "(and 1 more: line 7)" in run("rewrite", "--check").out
    assert run("rewrite", "--check", *BASE, "--write-baseline").code == 0
    (root / "use.py").write_text("import os\n\n" + USES)
    assert "gone" not in run("rewrite", "--check", *BASE).out
    (root / "use.py").write_text(USES + "    torch.optim.Adam(net.parameters())\n")
    ended = run("rewrite", "--check", *BASE)
    assert "(and 2 more: lines 7, 8)" in ended.out
    assert "PYR160 PYR010 of use.py is gone" in ended.out


def test_an_error_is_never_known(root: Path, run: Run) -> None:
    (root / "broken.py").write_text("from torch import nn\nclass\n")
    assert run("rewrite", "--check", *BASE, "--write-baseline").code == 2


@pytest.mark.parametrize("text", ["", "something else\n", "{header}PYR002 without tabs\n"])
def test_what_is_no_baseline_is_refused(root: Path, run: Run, text: str) -> None:
    header = (root / "known.txt").read_text().partition("\n")[0] + "\n"
    (root / "known.txt").write_text(text.format(header=header))
    ended = run("rewrite", "--check", *BASE)
    assert ended.code == 2
    assert "known.txt: line" in ended.err


def test_options_that_do_not_go_together(root: Path, run: Run) -> None:
    assert run("rewrite", "--check", "--write-baseline").code == 2
    assert run("rewrite", "--check", "--baseline", "none.txt").code == 2


def test_is_read_as_it_is_written() -> None:
    one = Finding("a.py", 1, 1, "PYR002", "some\ttext  here", subject="a:Net")
    other = Finding("b.py", 9, 1, "PYR046", "a network")
    text = render_baseline([other, one, one])
    assert read_baseline(text) == {entry_of(one): [2, 3], entry_of(other): [4]}
    with pytest.raises(BaselineError):
        read_baseline(text.replace("\t", " "))
