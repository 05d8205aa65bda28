"""The rewrite of real code beside an earlier commit: ``make compare BEFORE=HEAD~1``.

Rewrites the packages of ``tests/corpus.txt`` with both states of pyroify in turn, with a Normal(0,
1) prior on every parameter, and compares what they would write byte for byte, and their CPU time.
``python benchmarks/compare.py COMMIT NAME...`` does some packages. Exits with 1 if texts differ.
"""

from __future__ import annotations

import difflib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from corpus import CORPUS, NAMES, ROOT, SPEC, download, unpack

ROUNDS = 2
SHOWN = 20
"""Lines that are shown of a difference."""


def main(commit: str, names: Sequence[str]) -> int:
    """Do the named packages, or all; return the exit code."""
    listed = [line for line in NAMES.read_text().split("\n") if line and line[0] != "#"]
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        git("worktree", "add", "--quiet", "--detach", str(before), commit)
        try:
            return compare(before, names or listed)
        finally:
            git("worktree", "remove", "--force", str(before))


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)


def compare(before: Path, names: Sequence[str]) -> int:
    """Print a line for each package, and one for all."""
    totals, changed = [0.0, 0.0], 0
    print("package                     CPU before   now  ratio  lines of diff  text")
    for name in names:
        root = unpack(download(name), CORPUS / "compared" / name)
        (root / "pyroify.yaml").write_text(SPEC)
        seconds: list[list[float]] = [[], []]
        texts = ["", ""]
        for _ in range(ROUNDS):
            for side, tree in enumerate((before, ROOT)):
                texts[side], spent = rewrite(tree, root)
                seconds[side].append(spent)
        old, new = map(min, seconds)
        totals = [totals[0] + old, totals[1] + new]
        is_same = texts[0] == texts[1]
        changed += not is_same
        lines = len(texts[1].splitlines())
        said = "same" if is_same else "other"
        print(f"{name:27} {old:10.1f} {new:5.1f} {new / old:6.2f} {lines:14} {said}", flush=True)
        if not is_same:
            pair = (text.splitlines() for text in texts)
            found = list(difflib.unified_diff(*pair, "before", "now", lineterm="", n=0))
            print("\n".join(f"    {line}" for line in found[:SHOWN]))
    print(f"{'all':27} {totals[0]:10.1f} {totals[1]:5.1f} {totals[1] / totals[0]:6.2f}")
    return int(changed > 0)


def rewrite(tree: Path, root: Path) -> tuple[str, float]:
    """What one state of pyroify would write, and the CPU seconds it took."""
    start = spent()
    command = [sys.executable, "-m", "pyroify", "rewrite", "--diff", "--check", str(root)]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}
    found = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    return found.stdout, spent() - start


def spent() -> float:
    """CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
