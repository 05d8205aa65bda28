"""The worst files and specs, made of one number: how large they are.

``python benchmarks/worst.py`` checks each at its full size, and prints the CPU seconds, the memory
and what became of it. ``tests/test_worst_cases.py`` holds that small ones cost in proportion.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HEAD = "import torch\nfrom torch import nn\n\n\n"
SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'
NET = """\
class Net{n}(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = {layer}

    def forward(self, x):
        return self.layer(x)


"""
ROW = "    [0.125, 1.5e-3, -2, 'abc', (1, 2)],\n"
COMMENT = "# " + 7 * "a comment " + "\n"
CODE = """\
def work{n}(a, b):
    total = 0
    for i in range(a):
        if i % 2 == 0 and b > 3:
            total += compute(i, b, key="value")
        else:
            total -= [x for x in range(i)][-1] + {{"a": 1, "b": 2}}["a"]
    return total


"""

Files = Mapping[str, str]


def net(n: object = "", layer: str = "nn.Linear(2, 1)") -> str:
    """A class with one layer."""
    return NET.format(n=n, layer=layer)


def project(code: str, spec: str = SPEC) -> Files:
    """One file and the spec."""
    return {"net.py": HEAD + code, "pyroify.yaml": spec}


def table(size: int) -> Files:
    """A table of so many rows beside a class."""
    return project(f"TABLE = [\n{size * ROW}]\n\n\n{net()}")


def table_in_constructor(size: int) -> Files:
    """A table of so many rows among what a constructor does."""
    statement = f"self.table = [\n{size * ROW}        ]\n        self.layer"
    return project(net().replace("self.layer", statement, 1))


def code(size: int) -> Files:
    """So many functions beside a class."""
    return project("".join(CODE.format(n=n) for n in range(size)) + net())


def classes(size: int) -> Files:
    """So many classes, each of which holds the one before."""
    return project(
        "".join(net(n, f"Net{n - 1}()" if n else "nn.Linear(2, 1)") for n in range(size))
    )


def layers(size: int) -> Files:
    """A class with so many layers."""
    lines = "".join(f"        self.layer{n} = nn.Linear(2, 1)\n" for n in range(size))
    return project(net().replace("        self.layer =", f"{lines}        self.layer =", 1))


def rules(size: int) -> Files:
    """So many rules, each for a class, for ten classes that are there."""
    lines = "".join(
        f"  - match: Net{n}.layer.weight\n    sample: Normal(0, {n + 1})\n" for n in range(size)
    )
    return project("".join(map(net, range(10))), SPEC + lines)


def patterns(size: int) -> Files:
    """So many rules with wildcards, for ten classes."""
    lines = "".join(
        f'  - match: "**.layer{n}.*"\n    sample: Normal(0, {n + 1})\n' for n in range(size)
    )
    return project("".join(map(net, range(10))), SPEC + lines)


def comment(size: int) -> Files:
    """A comment of so many lines above a class."""
    return project(size * COMMENT + net())


def comment_in_constructor(size: int) -> Files:
    """A comment of so many lines in a constructor."""
    lines = size * f"        {COMMENT}"
    return project(net().replace("        self.layer", f"{lines}        self.layer", 1))


@dataclass(frozen=True, slots=True)
class Case:
    """A project of some size: ``full`` is that of the benchmark, ``title`` says what it is."""

    title: str
    make: Callable[[int], Files]
    full: int


CASES = {
    "table": Case("a table of 10 MB in one file", table, 10_000_000 // len(ROW)),
    "table_1mb": Case("a table of 1 MB", table, 1_000_000 // len(ROW)),
    "table_in_constructor": Case(
        "a table of 1 MB in a constructor", table_in_constructor, 1_000_000 // len(ROW)
    ),
    "code": Case("2 MB of code in one file", code, 2_000_000 // len(CODE)),
    "code_1mb": Case("1 MB of code", code, 1_000_000 // len(CODE)),
    "classes": Case("500 classes in one file", classes, 500),
    "layers": Case("a class with 2,000 layers", layers, 2_000),
    "rules": Case("20,000 rules", rules, 20_000),
    "patterns": Case("20,000 rules with wildcards", patterns, 20_000),
    "comment": Case("a comment of 30 MB", comment, 30_000_000 // len(COMMENT)),
    "comment_1mb": Case("a comment of 1 MB", comment, 1_000_000 // len(COMMENT)),
    "comment_in_constructor": Case(
        "a comment of 0.9 MB in a constructor", comment_in_constructor, 900_000 // len(COMMENT)
    ),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds, the most memory in MB, and the outcome: ``done``, or the code of a finding."""

    seconds: float
    memory: int
    outcome: str


def write(root: Path, files: Files) -> None:
    """Write a project below a folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def environment() -> dict[str, str]:
    """That of a process with this pyroify, which may keep what it compiles, as an installed one."""
    package = str(Path(__file__).resolve().parents[1])
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": package}


def check(root: Path, *options: str) -> Cost:
    """What ``pyroify rewrite --check`` of a project costs, in a process of its own."""
    command = [sys.executable, "-m", "pyroify", "rewrite", "--check", "--allow-unmatched", "-q"]
    options = options or ("--jobs", "1")
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [*command, *options],
            cwd=root,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    refused = " PYR245 " in text
    assert process.returncode == 2 if refused else process.returncode < 2, text[-2000:]
    return Cost(
        used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, "PYR245" if refused else "done"
    )


def costs(name: str) -> Cost:
    """What a case costs at its full size."""
    with tempfile.TemporaryDirectory() as folder:
        case = CASES[name]
        write(Path(folder), case.make(case.full))
        return check(Path(folder))


def main() -> None:
    """Print one line for each case, or for those that are named."""
    for name in sys.argv[1:] or CASES:
        cost = costs(name)
        title = CASES[name].title
        print(f"{title:40} {cost.seconds:6.1f} s {cost.memory:6} MB  {cost.outcome}", flush=True)


if __name__ == "__main__":
    main()
