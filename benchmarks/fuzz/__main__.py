"""``python -m benchmarks.fuzz``: see ``--help``."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.fuzz.make import make_program
from benchmarks.fuzz.oracle import Fault, Verdict
from benchmarks.fuzz.pool import judge_in_child, warm_up
from benchmarks.fuzz.program import Program, load, save
from benchmarks.fuzz.shrink import shrink

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("-n", type=int, default=3000, help="how many classes, at least")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--only", type=int, action="append", help="only the program of this number")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--run", type=Path, help="a saved program")
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--each", type=int, default=3, help="how many of one kind to shrink")
    parser.add_argument("-v", action="store_true", help="one line for each program")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warm_up()
    if options.run:
        return show(load(options.run), judge_in_child(load(options.run)))
    if options.only:
        code = 0
        for number in options.only:
            program = make_program(f"{options.seed}/{number}")
            code |= show(program, judge_in_child(program), whole=True)
        return code
    return run_many(options)


def show(program: Program, verdict: Verdict, whole: bool = False) -> int:
    if whole:
        for path, data in program.files.items():
            print(f"=== {path}\n{data.decode('utf-8-sig')}")
        print(f"=== spec\n{verdict.spec}")
        print("forms:", *program.forms)
    print(f"exit {verdict.exit_code}, {verdict.statuses}, {verdict.codes}, {verdict.seconds:.2f} s")
    for what in verdict.not_built:
        print(f"  not built: {what}")
    for fault in verdict.faults:
        print(f"  {fault.kind} {fault.target}: {fault.message}: {fault.where}")
    return bool(verdict.faults)


def run_many(options: argparse.Namespace) -> int:
    start, total, number = time.monotonic(), Counter[str](), options.start
    kinds: dict[tuple[str, str], list[str]] = {}
    while total["classes"] < options.n:
        program = make_program(f"{options.seed}/{number}")
        verdict = judge_in_child(program)
        total["programs"] += 1
        total["classes"] += program.classes
        total["targets"] += verdict.targets
        total["sites"] += verdict.sites
        total["unclear"] += verdict.unclear
        total["said"] += verdict.said
        total["not built"] += len(verdict.not_built)
        total.update({f"status {k}": v for k, v in verdict.statuses.items()})
        total.update({f"fault {kind}": 1 for kind in {f.kind for f in verdict.faults}})
        for what in verdict.not_built:
            print(f"{number} not built {what}", flush=True)
        for signature, fault in {f.signature: f for f in verdict.faults}.items():
            if len(kinds.get(signature, ())) < options.each or options.v:
                print(
                    f"{number} {fault.kind} {fault.target}: {fault.message}: {fault.where}",
                    flush=True,
                )
            kinds.setdefault(signature, []).append(str(number))
            if not options.no_shrink and len(kinds[signature]) <= options.each:
                print(f"    {keep(replace(program, spec=verdict.spec), fault)}", flush=True)
        number += 1
    print(f"{time.monotonic() - start:.0f} s", dict(total))
    for signature, numbers in sorted(kinds.items(), key=lambda item: -len(item[1])):
        print(len(numbers), signature, "in", " ".join(numbers[:8]))
    return 0


def keep(program: Program, fault: Fault) -> Path:
    """Save a failing program, as small as it gets."""
    small = shrink(program, fault, judge_in_child)
    kind = re.sub(r"\W+", "-", " ".join(fault.signature)).strip("-").lower()[:60]
    number = program.seed.rpartition("/")[2]
    folder = FOLDER / f"{number}-{kind}"
    shutil.rmtree(folder, ignore_errors=True)
    save(small, folder)
    note = f"{fault.kind} {fault.target}: {fault.message}: {fault.where}\n\nAgain: python -m benchmarks.fuzz --run {folder}\n"
    (folder / "NOTE").write_text(note)
    return folder


if __name__ == "__main__":
    sys.exit(main())
