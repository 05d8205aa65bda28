"""Rules, and names of files, are never more than what they name in the code that is written."""

import ast
from collections.abc import Callable

import pytest
from conftest import Run

from pyroify.spec.load import load_spec

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, enc):
        super().__init__()
        self.enc = enc
        self.parts = nn.ModuleDict({"a-b": nn.Linear(3, 3)})
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(self.enc(x))
"""


def spec(pattern: str) -> str:
    rules = "".join(
        f"  - match: '{match}'\n    sample: Normal(0, {scale})\n"
        for scale, match in enumerate(("**", pattern), start=1)
    )
    return f"version: 1\npriors:\n{rules}"


@pytest.mark.parametrize(
    "pattern",
    [
        "Net.enc.a-PWNED.weight",
        "Net.enc.a>PWNED.**",
        "Net.enc.fc.a-PWNED",
        "Net.enc.<PWNED>.weight",
        "Net.enc.class.weight",
        "Net.enc.1PWNED.weight",
    ],
)
def test_what_is_no_name_matches_nothing_and_is_reported(
    run: Run, lay_out: Callable, pattern: str
) -> None:
    root = lay_out({"pyroify.yaml": spec(pattern), "net.py": NET})
    ended = run("rewrite")
    assert ended.code == 2
    assert f"PYR150 rule 2 ({pattern}) matches no parameter" in ended.out
    assert (root / "net.py").read_text() == NET
    assert "PWNED" not in "".join(
        line for line in run("rewrite", "--diff").out.splitlines() if line.startswith("+")
    )


@pytest.mark.parametrize("pattern", ["Net.enc.fc.weight", "Net.enc.0.weight", "Net.enc.deep.**"])
def test_names_and_numbers_are_still_told_apart(run: Run, lay_out: Callable, pattern: str) -> None:
    root = lay_out({"pyroify.yaml": spec(pattern), "net.py": NET})
    assert run("rewrite").code == 0
    written = (root / "net.py").read_text()
    ast.parse(written)
    assert "dist.Normal(0.0, 2.0)" in written


@pytest.mark.parametrize("character", list("\"'\\\n{}()=;# "))
def test_what_could_end_a_text_is_no_pattern(run: Run, lay_out: Callable, character: str) -> None:
    quoted = character.replace("'", "''")
    lay_out({"pyroify.yaml": spec(f"**.a{quoted}PWNED"), "net.py": NET})
    assert "PYR104" in run("plan").err


def test_the_name_of_a_file_ends_no_comment(run: Run, lay_out: Callable) -> None:
    name = "a\nsvi: {output: planted.py}\n#.py"
    root = lay_out({name: NET})
    assert run("init").code == 0
    assert not load_spec(root / "pyroify.yaml").svi
