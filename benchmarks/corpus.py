"""Real code: rewrite public packages, and compare what their classes compute (``make corpus``).

Downloads the packages of ``tests/corpus.txt`` into ``corpus/``, rewrites each with a Normal(0, 1)
prior on every parameter, builds every class that builds with guessed arguments, and compares.
Writes ``benchmarks/corpus.json``, from which the tables of the documentation are made. Exits with
1 if a class computes something else than before, if the tool crashes, or if a bar is missed.

``python benchmarks/corpus.py NAME...`` does some packages only, tells what could not be compared,
and writes no table.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from corpus_builds import build_of

from pyroify.decide.model import ClassPlan
from pyroify.diagnostics import lookup
from pyroify.pipeline import Outcome, rewrite_project
from pyroify.program.faults import FAULT
from pyroify.project import open_project
from pyroify.proof import targets_of
from pyroify.spec.load import load_spec
from pyroify.verify import PlannedClasses, VerifyResult, verify

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "corpus"
NAMES = ROOT / "tests" / "corpus.txt"
STAND_INS = ROOT / "benchmarks" / "stand_ins"
TABLE = ROOT / "benchmarks" / "corpus.json"
SECONDS = 60.0
SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""
DEPENDENCIES = (
    "beartype",
    "certifi",
    "charset-normalizer",
    "discrete-continuous-embed-readout",
    "einops",
    "einx",
    "farama-notifications",
    "frozendict",
    "gymnasium",
    "hyper-connections",
    "idna",
    "loguru",
    "munch",
    "pandas",
    "requests",
    "torch-einops-utils",
    "urllib3",
    "wrapt",
    "x-mlps-pytorch",
)
"""What the packages import, without what those would pull in: never another torch."""

MIN_EQUAL = 0.97
MIN_CONVERTED = 0.95


@dataclass(frozen=True, slots=True)
class Row:
    """The counts of one package; ``converted`` includes classes with nothing to convert."""

    package: str
    version: str
    classes: int
    converted: int
    refused: int
    built: int
    equal: int
    wrong: int
    not_built: int
    not_importable: int
    crashes: int
    refused_by_code: dict[str, int]
    missing_imports: dict[str, int]


def main(names: Sequence[str]) -> int:
    """Do the named packages, or all; return the exit code."""
    listed = [line for line in NAMES.read_text().split("\n") if line and line[0] != "#"]
    install_dependencies()
    rows = []
    for name in names or listed:
        outcome, results, release = do_package(name)
        rows.append(make_row(name, release, outcome, results))
        show(rows[-1], results, verbose=bool(names))
    if not names:
        TABLE.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return judge(rows)


def install_dependencies() -> None:
    """Install them beside the packages, for the child processes only."""
    folder = CORPUS / "dependencies"
    if not folder.exists():
        pip("install", "--target", str(folder), *DEPENDENCIES)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), str(STAND_INS)])


def pip(command: str, *arguments: str) -> None:
    quiet = ("-qq", "--disable-pip-version-check", "--no-deps")
    subprocess.run([sys.executable, "-m", "pip", command, *quiet, *arguments], check=True)


def do_package(name: str) -> tuple[Outcome, tuple[VerifyResult, ...], str]:
    """Rewrite and verify one package; also return its version."""
    archive = download(name)
    before = unpack(archive, CORPUS / "original" / name)
    after = unpack(archive, CORPUS / "rewritten" / name)
    spec_file = after / "pyroify.yaml"
    spec_file.write_text(SPEC)
    spec = load_spec(spec_file)
    project = open_project([after], spec_file)
    outcome = rewrite_project(project.root, project.files, spec, project.selected)
    for result in outcome.changes:
        (after / result.path).write_bytes(result.after or b"")
    targets = [replace(t, build=build_of(t.name)) for t in targets_of(outcome.plan, spec)]
    planned = PlannedClasses(spec, outcome.plan.classes, frozenset(project.selected))
    results = verify(before, after, targets, SECONDS, planned=planned)
    return outcome, results, archive.name.removesuffix(".tar.gz").split("-")[1]


def download(name: str) -> Path:
    folder = CORPUS / "downloads" / name
    if not folder.exists():
        pip("download", "--dest", str(folder), name)
    return next(folder.iterdir())


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a wheel, or the sources in a source distribution, into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
        return folder
    with tarfile.open(archive) as sources:
        sources.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def make_row(name: str, release: str, outcome: Outcome, results: Sequence[VerifyResult]) -> Row:
    status = Counter(entry.status for entry in outcome.plan.classes)
    refused = [entry for entry in outcome.plan.classes if entry.status == "refused"]
    proof = Counter(result.status for result in results)
    missing = Counter(filter(None, map(missing_import, results)))
    unverified = proof["not_verified"] + proof["abstract"] + proof["nothing_to_call"]
    return Row(
        package=name,
        version=release,
        classes=status.total(),
        converted=status["converted"] + status["unchanged"],
        refused=len(refused),
        built=len(results) - unverified,
        equal=proof["equal"],
        wrong=proof["different"] + proof["failed"],
        not_built=unverified - missing.total(),
        not_importable=missing.total(),
        crashes=sum(finding.code == FAULT for finding in outcome.findings),
        refused_by_code=dict(Counter(code for entry in refused for code in refusals(entry))),
        missing_imports=dict(missing),
    )


def refusals(entry: ClassPlan) -> set[str]:
    codes = {finding.code for finding in entry.findings}
    return {code for code in codes if lookup(code).severity == "refused"}


def missing_import(result: VerifyResult) -> str:
    """Name the package that a class's file imports and that is not installed."""
    found = re.search(r"No module named '(\w+)", result.reason)
    return found[1] if found and "cannot be imported" in result.reason else ""


def show(row: Row, results: Sequence[VerifyResult], *, verbose: bool) -> None:
    counts = ", ".join(f"{key} {value}" for key, value in asdict(row).items() if value)
    print(counts.removeprefix("package "), flush=True)
    unverified = ("not_verified", "abstract", "nothing_to_call")
    silent = ("equal",) if verbose else ("equal", *unverified)
    for result in results:
        if result.status not in silent:
            print(f"    {result.status} {result.name} {result.built}: {result.reason}", flush=True)


def judge(rows: Sequence[Row]) -> int:
    """Say whether the bars are held."""
    total = Counter[str]()
    for row in rows:
        total.update({key: value for key, value in asdict(row).items() if type(value) is int})
    equal = total["equal"] / max(1, total["built"])
    converted = total["converted"] / max(1, total["classes"])
    print(f"{len(rows)} packages: {', '.join(f'{key} {value}' for key, value in total.items())}")
    print(f"equal {equal:.1%} of built (bar {MIN_EQUAL:.0%})")
    print(f"converted {converted:.1%} of classes (bar {MIN_CONVERTED:.0%})")
    harm = total["wrong"] + total["crashes"]
    return int(bool(harm) or equal < MIN_EQUAL or converted < MIN_CONVERTED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
