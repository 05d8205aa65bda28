"""What the command line loads: help is instant, and rewriting never needs torch."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
    ["import pyroify", command("--help"), command("rewrite", "--help"), command("--version")],
)
def test_nothing_heavy_is_loaded_to_show_help(tmp_path: Path, statement: str) -> None:
    assert loaded(statement, tmp_path, HEAVY) == []


@pytest.mark.parametrize(
    "args", [["plan"], ["rewrite", "--diff"], ["rewrite"], ["init"], ["rule", "PYR002"]]
)
def test_torch_is_not_loaded_by_the_core(lay_out: Callable, args: list[str]) -> None:
    files = {"net.py": NET} if args == ["init"] else {"net.py": NET, "pyroify.yaml": SPEC}
    assert loaded(command(*args), lay_out(files), RUNTIME) == []


def test_libcst_is_not_loaded_where_nothing_changes(lay_out: Callable) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": SPEC})
    assert loaded(command("plan"), root, ("libcst",)) == []
    assert loaded(command("rewrite"), root, ("libcst",)) == ["libcst"]
    assert loaded(command("rewrite"), root, ("libcst",)) == []


@pytest.mark.slow
def test_help_takes_a_tenth_of_a_second_at_most() -> None:
    def seconds(*args: str) -> float:
        """CPU time, so that other processes do not count."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *args], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    bare = min(seconds("-c", "pass") for _ in range(7))
    help = min(seconds("-m", "pyroify", "--help") for _ in range(7))
    assert help - bare < 0.1
