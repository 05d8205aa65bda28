"""What is refused in public packages, and what is left to run time (``make survey``).

Plans and rewrites, in memory, the packages of ``tests/corpus.txt`` and of ``packages.txt`` with a
Normal(0, 1) prior on every parameter, and counts classes. Nothing is run or imported. Writes
``benchmarks/survey.json``, from which a table of the documentation is made. Exits with 1 if the
tool crashes, or if a bar is missed.

``python benchmarks/survey.py NAME...`` does some packages only, lists the classes, and writes no
table. ``--starter`` plans them as their owner would at first, by ``pyroify plan`` with the spec
that ``pyroify init`` starts with, and writes ``benchmarks/survey_starter.json`` for a second table.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from corpus import CORPUS, NAMES, ROOT, SPEC, download, refusals, unpack
from pyroify.decide.model import ClassPlan, SitePlan
from pyroify.diagnostics import lookup
from pyroify.pipeline import rewrite_project
from pyroify.program.faults import FAULT
from pyroify.project import open_project
from pyroify.report.starter import default_spec
from pyroify.spec.load import load_spec

MORE = Path(__file__).with_name("packages.txt")
TABLE = Path(__file__).with_name("survey.json")
STARTER_TABLE = Path(__file__).with_name("survey_starter.json")
PROCESSES = 2
AT_RUN_TIME = "**"
"""In the path of a site: which layers there are, only run time shows."""

MAX_REFUSED = 0.03
MAX_REFUSED_FOR_OTHERS = 0.005
MAX_AT_RUN_TIME = 0.10


@dataclass(frozen=True, slots=True)
class Row:
    """The counts of one package.

    ``for_others`` are refused only because of another class, ``plain`` have parameters that stay
    plain by a finding, ``with_sites`` are converted and have sites, and ``at_run_time`` are those
    of them that leave part of their own structure to run time. ``foreign`` do so only with what
    code outside of the package hands in or makes. Of ``declarations``, ``in_loops`` are those that
    stand for whatever a loop finds.
    """

    package: str
    version: str
    classes: int
    converted: int
    unchanged: int
    refused: int
    for_others: int
    plain: int
    with_sites: int
    at_run_time: int
    foreign: int
    declarations: int
    in_loops: int
    crashes: int
    codes: dict[str, int]


@dataclass(frozen=True, slots=True)
class StarterRow:
    """What `plan` makes of a package with the spec that `init` starts with.

    ``tests`` are left out by that spec. ``seconds`` are of one processor.
    """

    package: str
    version: str
    classes: int
    converted: int
    unchanged: int
    refused: int
    for_others: int
    seconds: int
    codes: dict[str, int]


def main(arguments: Sequence[str]) -> int:
    """Survey the named packages, or all; return the exit code."""
    parser = argparse.ArgumentParser(description="Count what is refused in public packages.")
    parser.add_argument("names", nargs="*")
    parser.add_argument(
        "--starter", action="store_true", help="with the spec that init starts with"
    )
    options = parser.parse_args(arguments)
    names = options.names
    if options.starter:
        return survey_starter(names or list(listed()))
    rows = []
    with ProcessPoolExecutor(PROCESSES) as pool:
        for row in pool.map(partial(survey, verbose=bool(names)), names or list(listed())):
            print(", ".join(f"{key} {value}" for key, value in asdict(row).items()), flush=True)
            rows.append(row)
    if not names:
        TABLE.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return judge(rows)


def listed() -> Iterator[str]:
    """The packages of both lists, the largest of them first."""
    for file in (MORE, NAMES):
        yield from (line for line in file.read_text().split("\n") if line and line[0] != "#")


def survey(name: str, *, verbose: bool = False) -> Row:
    """Count what becomes of the classes of one package."""
    archive = download(name)
    folder = unpack(archive, CORPUS / "survey" / name)
    spec_file = folder / "pyroify.yaml"
    spec_file.write_text(SPEC)
    project = open_project([folder], spec_file)
    spec = load_spec(spec_file)
    outcome = rewrite_project(project.root, project.files, spec, project.selected)
    status = Counter(entry.status for entry in outcome.plan.classes)
    refused = [entry for entry in outcome.plan.classes if entry.status == "refused"]
    with_sites = [
        entry for entry in outcome.plan.classes if entry.status == "converted" and entry.sites
    ]
    unseen = [entry for entry in with_sites if any(map(_is_at_run_time, entry.sites))]
    foreign = [entry for entry in unseen if not any(map(_is_own_at_run_time, entry.sites))]
    declared = [site for entry in with_sites for site in entry.sites if site.action != "keep"]
    if verbose:
        show(refused, unseen)
    return Row(
        package=name,
        version=archive.name.removesuffix(".tar.gz").split("-")[1],
        classes=status.total(),
        converted=status["converted"],
        unchanged=status["unchanged"],
        refused=len(refused),
        for_others=sum(refusals(entry) == {"PYR062"} for entry in refused),
        plain=sum(entry.status == "converted" and _has_plain(entry) for entry in with_sites),
        with_sites=len(with_sites),
        at_run_time=len(unseen) - len(foreign),
        foreign=len(foreign),
        declarations=len(declared),
        in_loops=sum(map(_is_at_run_time, declared)),
        crashes=sum(finding.code == FAULT for finding in outcome.findings),
        codes=dict(Counter(code for entry in refused for code in refusals(entry))),
    )


def survey_starter(names: Sequence[str]) -> int:
    """Plan packages with the spec that `init` starts with, and keep the rows of all others."""
    known = json.loads(STARTER_TABLE.read_text()) if STARTER_TABLE.exists() else []
    rows = {row["package"]: row for row in known}
    missed = False
    for name in names:
        row = plan_starter(name)
        print(json.dumps(asdict(row)), flush=True)
        missed |= row.refused > MAX_REFUSED * row.classes
        rows[name] = asdict(row)
        STARTER_TABLE.write_text(json.dumps([*rows.values()], indent=1) + "\n")
    return int(missed)


def plan_starter(name: str) -> StarterRow:
    """Plan one package so."""
    archive = download(name)
    folder = unpack(archive, CORPUS / "starter" / name)
    (folder / "pyroify.yaml").write_text(default_spec().text)
    command = (sys.executable, "-m", "pyroify", "plan", "--format", "json", "--allow-unmatched")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    version = archive.name.removesuffix(".tar.gz").split("-")[1]
    return starter_row(name, version, json.loads(done.stdout), seconds)


def starter_row(package: str, version: str, plan: Mapping[str, Any], seconds: float) -> StarterRow:
    """The counts of a plan, as ``--format json`` gives it."""
    refused = [entry for entry in plan["classes"] if entry["status"] == "refused"]
    reasons = [
        {code for code in entry["codes"] if lookup(code).severity == "refused"} for entry in refused
    ]
    counts = plan["summary"]["classes"]
    return StarterRow(
        package=package,
        version=version,
        classes=len(plan["classes"]),
        converted=counts["to_convert"] + counts["converted"],
        unchanged=counts["unchanged"],
        refused=len(refused),
        for_others=sum(codes == {"PYR062"} for codes in reasons),
        seconds=round(seconds),
        codes=dict(Counter(code for codes in reasons for code in codes)),
    )


def show(refused: Sequence[ClassPlan], unseen: Sequence[ClassPlan]) -> None:
    for entry in refused:
        for finding in entry.findings:
            print(f"    refused {entry.name}:{finding.line} {finding.code} {finding.message}")
    for entry in unseen:
        sites = [site for site in entry.sites if _is_at_run_time(site)]
        paths = ", ".join(site.path + " (foreign)" * site.foreign for site in sites)
        print(f"    at run time {entry.name}: {paths}")


def _is_at_run_time(site: SitePlan) -> bool:
    return AT_RUN_TIME in site.path


def _is_own_at_run_time(site: SitePlan) -> bool:
    return _is_at_run_time(site) and not site.foreign


def _has_plain(entry: ClassPlan) -> bool:
    return any(finding.sites for finding in entry.findings)


def judge(rows: Sequence[Row]) -> int:
    """Say whether the bars are held."""
    total = Counter[str]()
    for row in rows:
        total.update({key: value for key, value in asdict(row).items() if type(value) is int})
    classes, with_sites = max(1, total["classes"]), max(1, total["with_sites"])
    shares = [
        ("refused", total["refused"] / classes, MAX_REFUSED),
        ("refused for another's sake", total["for_others"] / classes, MAX_REFUSED_FOR_OTHERS),
        ("at run time, of those with sites", total["at_run_time"] / with_sites, MAX_AT_RUN_TIME),
        ("foreign at run time", total["foreign"] / with_sites, 1.0),
        ("declarations in loops", total["in_loops"] / max(1, total["declarations"]), 1.0),
    ]
    print(f"{len(rows)} packages: {', '.join(f'{key} {value}' for key, value in total.items())}")
    for what, share, bar in shares:
        print(f"{what} {share:.2%} (bar {bar:.1%})")
    return int(bool(total["crashes"]) or any(share > bar for _, share, bar in shares))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
