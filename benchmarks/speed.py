"""How fast pyroify is, as ratios to what cannot be avoided: ``make bench``.

Everything is measured side by side in one run, in CPU seconds, and each figure is a median, so that
the ratios mean the same on any machine. The sources are those of the installed torch, and generated
repositories of 100 and 1,000 files (``FILES="100 1000 10000"`` for more). ``PART=worst`` measures
the cases of ``benchmarks/worst.py`` only, ``PART=ratios`` the rest. The figures go to
``benchmarks/speed.json``, of which ``docs/reference/speed.md`` is made.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from worst import CASES, CODE, HEAD, SPEC, check, costs, environment, net, write

from pyroify.pipeline import rewrite_files
from pyroify.planning import build_plan
from pyroify.program import build_index
from pyroify.spec.load import parse_spec

FIGURES = Path(__file__).with_name("speed.json")
SUBPACKAGES = ("nn/modules", "ao/nn")
ROUNDS = 3
CODEMOD = """
import sys
from pathlib import Path
import libcst as cst
from libcst.metadata import MetadataWrapper, QualifiedNameProvider

class Rename(cst.CSTTransformer):
    METADATA_DEPENDENCIES = (QualifiedNameProvider,)

    def leave_Attribute(self, before, after):
        names = {name.name for name in self.get_metadata(QualifiedNameProvider, before, ())}
        return after.with_changes(attr=cst.Name("Lin")) if "torch.nn.Linear" in names else after

for path in sorted(Path(sys.argv[1]).rglob("*.py")):
    MetadataWrapper(cst.parse_module(path.read_text())).visit(Rename()).code
"""


def generate(root: Path, count: int) -> None:
    """A repository of so many files: every other one has a network, the rest plain functions."""
    files = {"pyroify.yaml": SPEC}
    for n in range(count):
        code = "".join(CODE.format(n=m) for m in range(6))
        if n % 2 == 0:
            above = f"from part{(n - 2) // 20}.net{n - 2} import Net{n - 2}\n" if n % 20 else ""
            inner = f"Net{n - 2}()" if n % 20 else "nn.Linear(2, 1)"
            code = f"{above}{HEAD}{net(n, inner)}{net(f'{n}b')}{code}"
        files[f"part{n // 20}/net{n}.py"] = code
    write(root, files)


def copy_sources(root: Path) -> None:
    """Modules of the installed torch."""
    import torch

    source = Path(torch.__file__).parent
    for package in SUBPACKAGES:
        for path in sorted((source / package).rglob("*.py")):
            write(root, {path.relative_to(source).as_posix(): path.read_text("utf-8")})
    write(root, {"pyroify.yaml": SPEC})


def cold(root: Path, *options: str) -> tuple[float, int]:
    """CPU seconds and MB of a check that knows nothing of an earlier one."""
    shutil.rmtree(root / ".pyroify", ignore_errors=True)
    cost = check(root, *(options or ("--jobs", "1")))
    return cost.seconds, cost.memory


def process(*arguments: str) -> float:
    """CPU seconds of Python in a process of its own."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        env=environment(),
    )
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    assert started.returncode == 0, arguments
    return used.ru_utime + used.ru_stime


def median(work: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The median of several rounds."""
    return statistics.median(work() for _ in range(rounds))


def parsing(root: Path) -> float:
    """CPU seconds to parse all files with ast."""
    texts = [path.read_text("utf-8") for path in sorted(root.rglob("*.py"))]
    start = time.process_time()
    for text in texts:
        ast.parse(text)
    return time.process_time() - start


def elapsed(root: Path, jobs: int) -> float:
    """Seconds on the clock."""
    start = time.perf_counter()
    cold(root, "--jobs", str(jobs))
    return time.perf_counter() - start


def stages(root: Path) -> dict[str, float]:
    """The share of each stage in the CPU time of one run, in percent."""
    spec = parse_spec(SPEC, "pyroify.yaml")
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))
    marks = [time.process_time()]
    index = build_index(root, files)
    marks.append(time.process_time())
    plan = build_plan(index, spec, frozenset(files))
    marks.append(time.process_time())
    list(rewrite_files(root, plan.files))
    marks.append(time.process_time())
    spent = [after - before for before, after in pairwise(marks)]
    names = ("reading and index", "plan", "rewrite")
    return {name: round(100 * part / sum(spent)) for name, part in zip(names, spent, strict=True)}


def row(what: str, figure: float, unit: str, bar: float, is_most: bool = True) -> dict[str, Any]:
    """A figure beside its bar, which is the most it may be, or the least."""
    made = {"what": what, "figure": round(figure, 2), "unit": unit, "bar": bar, "most": is_most}
    print(f"{what:72} {figure:8.2f} {unit:3} {'<=' if is_most else '>='} {bar}", flush=True)
    return made


def ratios(counts: Sequence[int]) -> Iterator[dict[str, Any]]:
    """All figures but those of the worst cases, after each repository."""
    libcst = median(lambda: process("-c", "import libcst"))
    click = median(lambda: process("-c", "import click"))
    helped = median(lambda: process("-m", "pyroify", "--help"))
    rows = [row("pyroify --help / import click", helped / click, "x", 2)]
    seconds: dict[int, float] = {}
    found = {"rows": rows, "sizes": {}, "stages": {}}
    with tempfile.TemporaryDirectory() as folder:
        for count in (*counts[:1], 0, *counts[1:]):
            name = f"{count:,} generated files" if count else "torch.nn"
            root = Path(folder) / str(count)
            generate(root, count) if count else copy_sources(root)
            files = list(root.rglob("*.py"))
            size = sum(path.stat().st_size for path in files)
            found["sizes"][name] = f"{len(files):,} files, {size / 1e6:.1f} MB"
            rounds = ROUNDS if count == counts[0] else 1
            parsed = median(lambda at=root: parsing(at))
            costs = [cold(root) for _ in range(rounds)]
            seconds[count] = statistics.median(spent for spent, _ in costs)
            title = f"{name}: rewrite --check, cold"
            rows.append(row(f"{title} / ast.parse", seconds[count] / parsed, "x", 2))
            one = "part0/net2.py" if count else "nn/modules/linear.py"
            alone = median(lambda at=root, file=one: cold(at, "--jobs", "1", file)[0], rounds)
            bar = 6 if count >= 10_000 else 4
            rows.append(row(f"{name}: one file, cold / import libcst", alone / libcst, "x", bar))
            if count >= 1_000:
                most = max(memory for _, memory in costs)
                rows.append(row(f"{name}: the most memory", most, "MB", 400))
                less = counts[counts.index(count) - 1]
                growth = (seconds[count] / count) / (seconds[less] / less)
                what = f"time for a file, of {count:,} / of {less:,}"
                rows.append(row(what, growth, "x", 1.2))
            if count == counts[0]:
                both = [median(lambda at=root, n=n: elapsed(at, n)) for n in (1, 2)]
                what = f"{name}: one job / two, on the clock"
                rows.append(row(what, both[0] / both[1], "x", 1.6, False))
            if count <= counts[0]:
                found["stages"][name] = stages(root)
                codemod = process("-c", CODEMOD, str(root))
                what = f"{name}: codemod with qualified names / rewrite --check"
                rows.append(row(what, codemod / seconds[count], "x", 15, False))
            yield found


def worst() -> Iterator[dict[str, Any]]:
    """The worst cases at full size, after each."""
    found: list[dict[str, Any]] = []
    for name, case in CASES.items():
        cost = costs(name)
        seconds = round(cost.seconds, 1)
        made = {"seconds": seconds, "memory": cost.memory, "outcome": cost.outcome}
        found.append({"case": case.title, **made})
        print(found[-1], flush=True)
        yield {"worst": found}


def main() -> None:
    """Measure what is asked for, and write it down beside what was measured before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=[100, 1_000])
    parser.add_argument("--part", choices=["ratios", "worst"])
    options = parser.parse_args()
    parts = [ratios(options.files)] if options.part != "worst" else []
    parts += [worst()] if options.part != "ratios" else []
    for part in parts:
        for found in part:
            figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
            FIGURES.write_text(json.dumps(figures | found, indent=1) + "\n")


if __name__ == "__main__":
    main()
