"""How much of public packages `pyroify verify` can verify, and why not the rest (``make proofs``).

Takes those packages of ``benchmarks/owners.yaml`` that have tests of their own, puts a
Normal(0, 1) prior on every parameter, and verifies the rewrite twice: with what is found and
guessed alone, and with a recording of the package's own tests, as ``--run`` makes it. Nothing is
said by hand; what the tests do not build is not guessed again. Writes ``benchmarks/proofs.json``,
from which tables of the documentation are made. Exits with 1 if a class is called different, or a
bar is missed.

``python benchmarks/proofs.py NAME...`` does some packages only, leaves the other rows, and tells
each class that is not equal.
"""

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from typing import Any

import owners
import yaml

from corpus import ROOT, STAND_INS
from pyroify.pipeline import rewrite_project
from pyroify.project import open_project
from pyroify.proof import OwnRun, verify_rewrite
from pyroify.spec.load import load_spec
from pyroify.verify import RunLimits, VerifyResult

TABLE = ROOT / "benchmarks" / "proofs.json"
SECONDS = 900.0
SPEC = """\
version: 1
exclude: ["tests/**", "test/**", "**/tests/**"]
priors:
  - match: "**"
    sample: Normal(0, 1)
"""
KINDS = (
    (
        "import, or a package that is not installed",
        r"cannot be imported|is no nn.Module|is not installed",
    ),
    ("arguments of the constructor", r"cannot be built"),
    ("inputs of forward", r"forward cannot be called|is built, but"),
    ("time", r"takes longer|is slow"),
    ("memory, or the process ends", r"ends the process|more than [\d,]+ numbers"),
)
"""Why a class is not verified: the first that is found in the reason."""
MOST = {"guessed": 0.35, "recorded": 0.10}
"""The largest share of classes that may stay unverified."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of the classes of one package.

    ``statuses``, the ``ways`` in which the equal ones were built and called, and the ``reasons`` of
    those not verified are counts. ``alarms`` say of the others what differs.
    """

    statuses: Mapping[str, int]
    ways: Mapping[str, int]
    reasons: Mapping[str, int]
    alarms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One package, verified by what is found and guessed, and with a ``recorded`` run."""

    package: str
    guessed: Proof
    recorded: Proof


def main(names: Sequence[str]) -> int:
    """Do the named packages, or all; return the exit code."""
    wanted = yaml.safe_load(owners.LIST.read_text())
    projects = [owners.Project(**entry) for entry in wanted["projects"]]
    able = [project for project in projects if project.package and project.tests]
    chosen = [project for project in able if not names or project.name in names]
    owners.WORK.mkdir(parents=True, exist_ok=True)
    (owners.WORK / "pytest.ini").write_text("[pytest]\n")
    owners.install(owners.DEPENDENCIES, wanted["needs"])
    for project in chosen:
        owners.install(owners.own_dependencies(project), project.needs)
    rows = {row["package"]: row for row in json.loads(TABLE.read_text())} if TABLE.exists() else {}
    with ProcessPoolExecutor(owners.PROCESSES) as pool:
        for done in as_completed([pool.submit(do_package, project) for project in chosen]):
            row, told = done.result()
            print(json.dumps(asdict(row)), *(told if names else ()), sep="\n", flush=True)
            rows[row.package] = asdict(row)
            listed = [rows[p.package] for p in able if p.package in rows]
            TABLE.write_text(json.dumps(listed, indent=1) + "\n")
    return judge(rows.values())


def do_package(project: owners.Project) -> tuple[Row, list[str]]:
    """Verify one package in both ways; also tell of each class that is not equal."""
    paths = (ROOT, owners.own_dependencies(project), owners.DEPENDENCIES, STAND_INS)
    os.environ |= {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "CUDA_VISIBLE_DEVICES": "",
    }
    folder = owners.fetch(project, None)
    assert folder is not None  # it is a package
    file = folder / "pyroify.yaml"
    file.write_text(SPEC)
    spec = load_spec(file)
    place = open_project([folder], file).narrowed(spec.include, spec.exclude)
    outcome = rewrite_project(place.root, place.files, spec, place.selected)
    tests = (project.recorded or project.tests).split()
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    run = OwnRun(words, RunLimits(SECONDS), lambda made: None)
    guessed = verify_rewrite(place, spec, outcome, timed("guessed"))
    recorded = verify_rewrite(place, spec, outcome, timed("recorded"), run, guessed=guessed)
    told = [*tell("guessed", guessed), *tell("recorded", recorded)]
    return Row(project.package, summed_up(guessed), summed_up(recorded)), told


def timed(how: str) -> Callable[[VerifyResult], None]:
    """Tells each class as it is done, with the seconds since the one before."""
    since = [time.monotonic()]

    def done(result: VerifyResult) -> None:
        since.append(time.monotonic())
        took = since[-1] - since[-2]
        print(
            f"    {took:5.0f} s {how}: {result.status} {result.name}", file=sys.stderr, flush=True
        )

    return done


def summed_up(results: Sequence[VerifyResult]) -> Proof:
    equal = [result for result in results if result.status == "equal"]
    differ = [result for result in results if result.status in ("different", "failed")]
    return Proof(
        dict(Counter(result.status for result in results)),
        dict(Counter(str(result.way) for result in equal)),
        dict(Counter(kinds(results))),
        {result.name: result.reason for result in differ},
    )


def tell(how: str, results: Iterable[VerifyResult]) -> list[str]:
    return [
        f"    {how}: {result.status} {result.name} {result.built}: {result.reason}"
        for result in results
        if result.status != "equal"
    ]


def kinds(results: Iterable[VerifyResult]) -> list[str]:
    """The kind of reason of each class that is not verified."""
    return [
        next((kind for kind, pattern in KINDS if re.search(pattern, result.reason)), "other")
        for result in results
        if result.status == "not_verified"
    ]


def unverified(statuses: Mapping[str, int]) -> float:
    """The share not verified, of what could be: abstract or nothing to call are neither."""
    could = sum(statuses.values()) - statuses.get("abstract", 0)
    could -= statuses.get("nothing_to_call", 0)
    return statuses.get("not_verified", 0) / max(1, could)


def judge(rows: Iterable[Mapping[str, Any]]) -> int:
    """Say whether the bars are held."""
    missed = False
    total = {how: Counter[str]() for how in MOST}
    for row in rows:
        for how, statuses in total.items():
            statuses.update(row[how]["statuses"])
    for how, most in MOST.items():
        share = unverified(total[how])
        alarms = total[how]["different"] + total[how]["failed"]
        print(f"{how}: {share:.1%} not verified (bar {most:.0%}), {alarms} different or failed")
        missed |= share > most or bool(alarms)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
