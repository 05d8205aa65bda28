"""``python -m benchmarks.fuzz``: see ``--help``."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from benchmarks.fuzz.forms import all_forms
from benchmarks.fuzz.make import SHAPES, make_program, make_simple
from benchmarks.fuzz.oracle import Fault, Verdict
from benchmarks.fuzz.pool import judge_in_child, warm_up
from benchmarks.fuzz.program import Program, load, save
from benchmarks.fuzz.shrink import shrink

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
FIGURES = ROOT / "benchmarks" / "fuzz.json"

FAULTS = {
    "silent": "silent faults",
    "crash_rewritten": "crashes of rewritten code",
    "crash_tool": "crashes of the tool",
    "not_idempotent": "not idempotent",
    "line_ends": "mixed line ends",
}
"""The kinds of fault that the bars are about; there are others for the generator's own faults."""


@dataclass(slots=True)
class Tally:
    """What a run has seen: counts, and the programs of each kind of fault."""

    counts: Counter[str] = field(default_factory=Counter)
    kinds: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, program: Program, verdict: Verdict) -> None:
        """Count one program."""
        self.counts.update(
            {
                "programs": 1,
                "classes": program.classes,
                "targets": verdict.targets,
                "sites": verdict.sites,
                "unclear": verdict.unclear,
                "said": verdict.said,
                "not_built": len(verdict.not_built),
                **verdict.statuses,
                **{f"fault {kind}": 1 for kind in {fault.kind for fault in verdict.faults}},
            }
        )

    @property
    def has_faults(self) -> bool:
        """Whether anything is wrong, the generator's own faults included."""
        return bool(self.kinds or self.counts["not_built"])

    def figures(self) -> dict[str, int]:
        """The counts as the documentation shows them, faults by kind included."""
        names = ("programs", "classes", "targets", "sites", "said", "converted", "refused")
        found = {name: self.counts[name] for name in names}
        return found | {kind: self.counts[f"fault {kind}"] for kind in FAULTS}


def main() -> int:
    """Do what the command line says; return the exit code: 1 for any fault."""
    options = _parse()
    torch.set_num_threads(1)
    warm_up()
    if options.run:
        program = load(options.run)
        return _show(program, judge_in_child(program))
    if options.only:
        return max(_show_number(options.seed, number) for number in options.only)
    if options.forms:
        return _try_forms(options)
    return _try_many(options)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description="Rewrite random programs, and compare."
    )
    parser.add_argument("-n", type=int, default=3000, help="how many classes, at least")
    parser.add_argument("--seed", default="0", help="another seed, other programs")
    parser.add_argument("--start", type=int, default=0, help="the number of the first program")
    parser.add_argument("--only", type=int, action="append", help="show the program NUMBER alone")
    parser.add_argument("--run", type=Path, help="try a saved program again")
    parser.add_argument("--forms", type=int, help="try so many programs of each form alone")
    parser.add_argument("--form", action="append", help="with --forms: this one only")
    parser.add_argument("--each", type=int, default=2, help="how many of one kind to make small")
    parser.add_argument("--no-shrink", action="store_true", help="leave failing programs large")
    parser.add_argument("--figures", action="store_true", help="write benchmarks/fuzz.json")
    return parser.parse_args()


def _try_many(options: argparse.Namespace) -> int:
    """Programs until there are enough classes."""
    start, tally = time.process_time(), Tally()
    number = options.start
    while tally.counts["classes"] < options.n:
        program = make_program(f"{options.seed}/{number}")
        verdict = judge_in_child(program)
        tally.add(program, verdict)
        for what in verdict.not_built:
            print(f"{number} not built: {what}", flush=True)
        for fault in _new(verdict, tally, str(number), options.each):
            print(f"{number} {_text(fault)}", flush=True)
            if not options.no_shrink:
                folder = _keep(replace(program, spec=verdict.spec), fault)
                print(f"    python -m benchmarks.fuzz --run {folder}", flush=True)
        number += 1
    _sum_up(tally, time.process_time() - start)
    if options.figures:
        figures = {"seed": options.seed, **tally.figures()}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    return int(tally.has_faults)


def _new(verdict: Verdict, tally: Tally, number: str, each: int) -> Iterator[Fault]:
    """The faults of kinds that have not been seen often enough; all are noted."""
    for signature, fault in {fault.signature: fault for fault in verdict.faults}.items():
        numbers = tally.kinds.setdefault(signature, [])
        numbers.append(number)
        if len(numbers) <= each:
            yield fault


def _sum_up(tally: Tally, seconds: float) -> None:
    by_count: Sequence[tuple[tuple[str, str], list[str]]] = sorted(
        tally.kinds.items(), key=lambda item: -len(item[1])
    )
    for (kind, what), numbers in by_count:
        print(f"{len(numbers):5} {kind}: {what} (programs {', '.join(numbers[:8])})")
    for name, count in tally.figures().items():
        print(f"{count:7} {FAULTS.get(name, name)}")
    print(f"{tally.counts['unclear']:7} sites that the documents leave open")
    print(f"{tally.counts['not_built']:7} classes that do not run before the rewrite")


def _try_forms(options: argparse.Namespace) -> int:
    """Each form alone: what fails is small already."""
    tally = Tally()
    for name in options.form or (*all_forms(), *(f"shape.{shape}" for shape in SHAPES)):
        seen: set[int] = set()
        for number in range(options.forms):
            program = make_simple(name, f"{options.seed}/{name}/{number}")
            if hash(program) in seen:
                continue
            seen.add(hash(program))
            verdict = judge_in_child(program)
            tally.add(program, verdict)
            for _ in _new(verdict, tally, f"{name}/{number}", 0):
                pass
            if verdict.faults or verdict.not_built:
                print(f"### {name} {number}")
                _show(program, verdict, whole=True)
                save(program, FOLDER / "forms" / f"{name}-{number}")
                sys.stdout.flush()
    _sum_up(tally, 0.0)
    return int(tally.has_faults)


def _show_number(seed: str, number: int) -> int:
    program = make_program(f"{seed}/{number}")
    return _show(program, judge_in_child(program), whole=True)


def _show(program: Program, verdict: Verdict, whole: bool = False) -> int:
    if whole:
        for path, data in program.files.items():
            print(f"=== {path}\n{data.decode('utf-8-sig')}")
        print(f"=== spec\n{verdict.spec}")
        print("forms:", *program.forms)
    print(f"exit {verdict.exit_code}, {verdict.statuses}, {verdict.codes}, {verdict.seconds:.2f} s")
    for what in verdict.not_built:
        print(f"  not built: {what}")
    for fault in verdict.faults:
        print(f"  {_text(fault)}")
    return int(bool(verdict.faults or verdict.not_built))


def _text(fault: Fault) -> str:
    return f"{fault.kind} {fault.target}: {fault.message}: {fault.where}"


def _keep(program: Program, fault: Fault) -> Path:
    """Save a failing program, as small as it gets."""
    small = shrink(program, fault, judge_in_child)
    kind = re.sub(r"\W+", "-", " ".join(fault.signature)).strip("-").lower()[:60]
    folder = FOLDER / f"{program.seed.replace('/', '-')}-{kind}"
    shutil.rmtree(folder, ignore_errors=True)
    save(small, folder)
    again = f"python -m benchmarks.fuzz --run {folder.relative_to(ROOT)}"
    (folder / "NOTE").write_text(f"{_text(fault)}\n\nTry it again: {again}\n")
    return folder.relative_to(ROOT)


if __name__ == "__main__":
    sys.exit(main())
