"""How many faults the tests would find: ``make mutants``.

mutmut makes small changes, one at a time, in the functions of ``syntax``, ``program``, ``decide``,
``code`` and ``edits``. A sample of these mutants, drawn with a seed, meets the tests that
``[tool.mutmut]`` of pyproject.toml names, in a copy of the tree: those that reach the function, the
fastest first, until one fails and the mutant is killed. A test that does not end kills it too.
Functions with a decorator, properties above all, and what stands outside of functions are not
changed by mutmut.

In the copy, a function without a mutant of the sample is left as it is: what mutmut puts around
each one makes every call several times as slow.

``--figures`` writes ``benchmarks/mutants.json``. Why a survivor is no gap of the tests is written
there by hand, as its ``reason``, and stays there as long as the mutant does. ``--only`` runs the
mutants whose names hold a text, whether they are in the sample or not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import libcst as cst
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

ROOT = Path(__file__).resolve().parents[1]
FIGURES = Path(__file__).with_name("mutants.json")
SIZE, SEED = 300, 0
SKIP = cst.TrailingWhitespace(
    whitespace=cst.SimpleWhitespace("  "), comment=cst.Comment("# pragma: no mutate block")
)
STATES = {"killed": "killed", "timeout": "killed", "survived": "survived"}
"""What mutmut says of a mutant, and what counts; anything else is told as it is."""


def all_mutants(root: Path) -> list[str]:
    """The names of all mutants of a tree, in order."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["mutmut"]
    paths = [
        path
        for path in sorted((root / "pyroify").rglob("*.py"))
        if any(fnmatch(path.relative_to(root).as_posix(), glob) for glob in settings["only_mutate"])
    ]
    with ProcessPoolExecutor() as pool:
        return sorted(name for names in pool.map(_mutants_of, paths) for name in names)


def _mutants_of(path: Path) -> list[str]:
    made = mutate_file_contents(str(path), path.read_text())
    return [get_mutant_name(path.relative_to(ROOT), name) for name in made.mutant_names]


def function_of(mutant: str) -> str:
    """The mangled name of the function that a mutant is of, with its module."""
    return mutant.rpartition("__mutmut_")[0]


class _Sparing(cst.CSTTransformer):
    """Takes functions out of the mutation that are not ``wanted``, by their mangled names."""

    def __init__(self, module: str, wanted: Collection[str]) -> None:
        self.module, self.wanted = module, wanted
        self.around: list[str] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self.around.append(node.name.value)

    def leave_ClassDef(self, node: cst.ClassDef, updated: cst.ClassDef) -> cst.ClassDef:
        self.around.pop()
        return updated

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def leave_FunctionDef(self, node: cst.FunctionDef, updated: cst.FunctionDef) -> cst.FunctionDef:
        name = node.name.value
        mangled = f"xǁ{'.'.join(self.around)}ǁ{name}" if self.around else f"x_{name}"
        if f"{self.module}.{mangled}" in self.wanted or not isinstance(
            node.body, cst.IndentedBlock
        ):
            return updated
        return updated.with_changes(body=node.body.with_changes(header=SKIP))


def lay_out(root: Path, mutants: Sequence[str]) -> None:
    """Copy the tree, with only the functions of some mutants open to mutation."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    wanted = set(map(function_of, mutants))
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, root / name
        if not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
        if name.startswith("pyroify/") and name.endswith(".py"):
            module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            tree = cst.parse_module(data.decode()).visit(_Sparing(module, wanted))
            data = tree.code.encode()
        target.write_bytes(data)


def run(root: Path, mutants: Sequence[str], jobs: int) -> Iterator[tuple[str, str, str]]:
    """The name of each mutant, what became of it, and its change where it survived."""
    mutmut = [sys.executable, "-m", "mutmut"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*mutmut, "run", "--max-children", str(jobs), *mutants]
    subprocess.run(command, cwd=root, env=environment, stdout=sys.stderr, check=False)
    shown = subprocess.run(
        [*mutmut, "results", "--all", "true"], cwd=root, capture_output=True, text=True, check=True
    )
    found = dict(line.strip().split(": ") for line in shown.stdout.splitlines() if ": " in line)
    for name in mutants:
        state = STATES.get(found[name], found[name])
        yield name, state, "" if state == "killed" else change(root, name)


def change(root: Path, mutant: str) -> str:
    """The lines that a mutant takes away and puts in."""
    shown = subprocess.run(
        [sys.executable, "-m", "mutmut", "show", mutant],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = shown.stdout.splitlines()
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(changed)


def figures(found: Sequence[tuple[str, str, str]], total: int, seed: int) -> dict[str, Any]:
    """What goes into the file, with the reasons that stand there already."""
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {"survivors": []}
    reasons = {(item["name"], item["change"]): item["reason"] for item in known["survivors"]}
    packages: dict[str, Counter[str]] = {}
    for name, state, _ in found:
        packages.setdefault(name.split(".")[1], Counter()).update([state])
    return {
        "seed": seed,
        "mutants": total,
        "packages": {
            name: {"run": counts.total(), "killed": counts["killed"]}
            for name, counts in sorted(packages.items())
        },
        "survivors": [
            {"name": name, "change": text, "reason": reasons.get((name, text), "")}
            for name, state, text in sorted(found)
            if state != "killed"
        ],
    }


def main() -> None:
    """Run a sample, and say how many were killed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", type=int, default=SIZE, help="how many mutants to run")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="run all mutants whose names hold this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--figures", action="store_true", help=f"write {FIGURES.name}")
    given = parser.parse_args()
    os.chdir(ROOT)  # mutmut reads its settings there
    names = all_mutants(ROOT)
    chosen = [name for name in names if given.only and given.only in name]
    chosen = chosen or random.Random(given.seed).sample(names, min(given.n, len(names)))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pyroify"
        lay_out(root, chosen)
        found = list(run(root, chosen, given.jobs))
    killed = sum(state == "killed" for _, state, _ in found)
    for name, state, text in sorted(found):
        if state != "killed":
            print(f"{name}: {state}\n{text}\n")
    print(f"{killed} of {len(found)} mutants killed ({killed / len(found):.1%}), of {len(names)}")
    if given.figures:
        made = figures(found, len(names), given.seed)
        FIGURES.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
