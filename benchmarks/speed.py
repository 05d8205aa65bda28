"""How fast pyroify is, as ratios to what cannot be avoided: ``make bench``.

Everything is measured side by side in one run, several times, and the best of each is taken, so
that the figures mean the same on any machine. The sources are those of the installed torch.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import libcst as cst

from pyroify.pipeline import rewrite_project
from pyroify.planning import build_plan
from pyroify.program import build_index
from pyroify.spec.load import parse_spec

SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""
SUBPACKAGES = ("nn/modules", "ao/nn")
ROUNDS = 3


def main() -> None:
    """Print one line for each figure."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = copy_sources(root)
        texts = [(root / name).read_text("utf-8") for name in files]
        size = sum(map(len, texts)) / 1e6
        print(f"{len(files)} files, {size:.1f} MB of source")
        report_stages(root, files, texts)
    report_startup()


def copy_sources(root: Path) -> list[str]:
    """Copy modules of the installed torch to ``root``; returns their relative paths."""
    import torch

    source = Path(torch.__file__).parent
    names = []
    for package in SUBPACKAGES:
        for path in sorted((source / package).rglob("*.py")):
            target = root / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            names.append(target.relative_to(root).as_posix())
    return names


def report_stages(root: Path, files: list[str], texts: list[str]) -> None:
    """Each stage against parsing the same files with ast, and with LibCST."""
    spec = parse_spec(SPEC, "pyroify.yaml")
    parsed = best(lambda: [ast.parse(text) for text in texts])
    concrete = best(lambda: [cst.parse_module(text) for text in texts])
    indexed = best(lambda: build_index(root, files))
    index = build_index(root, files)
    planned = best(lambda: build_plan(index, spec, frozenset(files)))
    whole = best(lambda: rewrite_project(root, files, spec))
    outcome = rewrite_project(root, files, spec)
    print(f"index           {indexed / parsed:5.1f} x ast.parse of all files")
    print(f"plan            {planned / parsed:5.1f} x ast.parse of all files")
    print(f"whole rewrite   {whole / concrete:5.1f} x cst.parse_module of all files")
    print(f"                {len(outcome.changes)} of {len(files)} files changed")


def report_startup() -> None:
    """``pyroify --help`` against an empty Python, and against one that loads what it needs."""
    bare = best(lambda: run("-c", "pass"))
    needed = best(lambda: run("-c", "import click"))
    shown = best(lambda: run("-m", "pyroify", "--help"))
    print(f"pyroify --help  {shown / bare:5.1f} x python -c pass")
    print(f"                {shown / needed:5.1f} x python -c 'import click'")


def run(*arguments: str) -> None:
    """Run Python in a process of its own."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of several rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
