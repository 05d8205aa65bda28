"""What the command line loads: for help nothing heavy, and for rewriting never torch.

How long it takes is measured by ``make bench``: no test depends on the speed of a machine.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroify.cli import cli

HEAVY = ("torch", "pyro", "libcst", "yaml", "jinja2", "rich", "pydantic", "pathspec")
RUNTIME = ("torch", "pyro", "numpy")
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
"""
SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'


def loaded(statement: str, folder: Path, modules: tuple[str, ...]) -> list[str]:
    """Which of ``modules`` are in sys.modules once ``statement`` is done."""
    program = f"""
import sys
try:
    {statement}
except SystemExit:
    pass
print(*(name for name in {modules!r} if name in sys.modules), file=sys.stderr)
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return ended.stderr.splitlines()[-1].split()


def command(*args: str) -> str:
    return f"from pyroify.cli import main; main({list(args)!r})"


@pytest.mark.parametrize(
    "statement",
    [
        "import pyroify",
        *map(command, ("--help", "--version", "rule")),
        *(command(name, "--help") for name in cli.commands),
        command("rule", "PYR002"),
    ],
)
def test_nothing_heavy_is_loaded_to_speak_of_itself(tmp_path: Path, statement: str) -> None:
    assert loaded(statement, tmp_path, HEAVY) == []


@pytest.mark.parametrize(
    "args",
    [
        *(["plan"], ["rewrite", "--diff"], ["rewrite"], ["init"], ["rule", "PYR002"]),
        ["report", "--html", "report.html"],
    ],
)
def test_torch_is_not_loaded_by_the_core(lay_out: Callable, args: list[str]) -> None:
    files = {"net.py": NET} if args == ["init"] else {"net.py": NET, "pyroify.yaml": SPEC}
    assert loaded(command(*args), lay_out(files), RUNTIME) == []


def test_libcst_is_not_loaded_where_nothing_changes(lay_out: Callable) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": SPEC})
    assert loaded(command("plan"), root, ("libcst",)) == []
    assert loaded(command("rewrite"), root, ("libcst",)) == ["libcst"]
    assert loaded(command("rewrite"), root, ("libcst",)) == []
