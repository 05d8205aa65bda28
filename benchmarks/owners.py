"""Whole projects, taken through pyroify as their owners would (``make owners``).

Each project of ``benchmarks/owners.yaml``: its own tests, ``pyroify init``, ``plan``, ``rewrite``,
a second ``rewrite``, ``verify``, its own tests again with the draws pinned to the old weights,
``emit``, and three epochs of the emitted script. All that an owner adds by hand is in that list:
the section ``svi:`` and what reads the data. Writes ``benchmarks/owners.json``, from which a table
of the documentation is made. Exits with 1 if something is wrong without being said.

Packages come from the package registry. Repositories are not downloaded: ``--checkouts DIR`` names
a folder that has them, each in a folder of its own. Folders there that the list does not know are
taken through it too, with what ``pyroify init`` wrote.

``python benchmarks/owners.py NAME...`` does some projects only, and leaves the other rows.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from corpus import CORPUS, ROOT, STAND_INS, pip, unpack
from pyroify.program.faults import FAULT

LIST = Path(__file__).with_name("owners.yaml")
TABLE = Path(__file__).with_name("owners.json")

WORK = CORPUS / "owners"
DEPENDENCIES = WORK / "dependencies"
"""What all projects import, and beside it a folder for those that need older releases."""

PROCESSES = 2
SECONDS = 1800
MEMORY = 8 << 30
"""Bytes that a process may allocate."""

AT_RUN_TIME = "**"
"""In the path of a site: which layers there are, only run time shows."""

FAILING = r"^(?:FAILED|ERROR|SUBFAILED.*) (\S+\.py\S*)"
"""How pytest sums up a test that fails; those of parts say more before the name."""

PINNED = "pyroify.verify.own_runs.pinned_draws"

RUNS_OF_SHAKY = 3
"""How often a test that fails now is run on the original: it may fail there now and then."""

SHORT_TRAINING = ("--epochs", "3", "--samples", "5", "--no-baseline", "--resume", "never")


@dataclass(frozen=True, slots=True)
class Project:
    """One entry of the list.

    ``package`` is a pinned source distribution; without one it is a checkout, at ``commit``.
    ``tests`` are the arguments of pytest, none if there are no tests; ``fails`` says of those that
    have to fail on the rewritten code why; ``recorded`` are tests that show more, for
    ``make proofs``. ``needs`` are releases that it alone imports. The owner
    writes ``prior`` in place of the one that `init` proposes, the section ``svi``, and ``files``,
    by path.
    """

    name: str
    kind: str = ""
    package: str = ""
    repository: str = ""
    commit: str = ""
    tests: str = ""
    fails: Mapping[str, str] = field(default_factory=dict)
    recorded: str = ""
    needs: Sequence[str] = ()
    prior: str = ""
    svi: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Here:
    """Where commands are run: the folder of a project, and that of what it alone needs."""

    folder: Path
    needs: Path


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended; ``code`` is None if it ran out of time."""

    code: int | None
    output: str
    errors: str

    def document(self) -> dict[str, Any]:
        """What it printed as JSON."""
        try:
            document: dict[str, Any] = json.loads(self.output)
        except ValueError:
            return {}
        return document

    def finding(self) -> str:
        """The first line with the code of a rule, or else the last one."""
        found = re.search(r"^.* PYR\d+ .*$", self.output + self.errors, re.MULTILINE)
        return found[0].strip() if found else self.last_line()

    def last_line(self) -> str:
        lines = [line for line in (self.output + self.errors).splitlines() if line.strip()]
        return "out of time" if self.code is None else lines[-1].strip() if lines else ""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one project.

    ``at_run_time`` are converted classes that leave part of their structure to run time.
    ``tests_before`` and ``tests_after`` are as pytest sums up; ``newly_failing`` are tests that
    pass on the original each time, and not any more. ``trained`` is "yes", or the reason.
    ``faults`` are those of pyroify: a crash, a difference, a second run that changes something, a
    test that fails for no known reason.
    """

    name: str
    kind: str
    source: str
    classes: int
    converted: int
    refused: int
    at_run_time: int
    coverage: float | None
    equal: int
    wrong: int
    not_verified: int
    tests_before: str
    tests_after: str
    newly_failing: list[str]
    trained: str
    faults: list[str]


def main(arguments: Sequence[str]) -> int:
    """Do the named projects, or all that can be had; return the exit code."""
    parser = argparse.ArgumentParser(description="Take whole projects through pyroify.")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--checkouts", type=Path, help="a folder of checkouts")
    options = parser.parse_args(arguments)
    wanted = yaml.safe_load(LIST.read_text())
    projects = [Project(**entry) for entry in wanted["projects"]]
    projects += others(options.checkouts, {project.name for project in projects})
    chosen = [p for p in projects if not options.names or p.name in options.names]
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "pytest.ini").write_text("[pytest]\n")  # or they would be run by our own settings
    install(DEPENDENCIES, wanted["needs"])
    for project in chosen:
        install(own_dependencies(project), project.needs)
    wrong = False
    with ProcessPoolExecutor(PROCESSES) as pool:
        for row in pool.map(partial(take_through, checkouts=options.checkouts), chosen):
            if row is not None:
                print(json.dumps(asdict(row)), flush=True)
                wrong |= bool(row.faults)
                put(row, wanted["projects"])
    return int(wrong)


def put(row: Row, listed: Sequence[Mapping[str, Any]]) -> None:
    """Write a row among those that are there, in the order of the list."""
    rows = {old["name"]: old for old in json.loads(TABLE.read_text())} if TABLE.exists() else {}
    rows[row.name] = asdict(row)
    table = [rows[entry["name"]] for entry in listed if entry["name"] in rows]
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


def others(checkouts: Path | None, known: set[str]) -> Iterator[Project]:
    """The checkouts that the list does not know."""
    for folder in sorted(checkouts.iterdir()) if checkouts else ():
        if folder.is_dir() and folder.name not in known:
            yield Project(name=folder.name, tests="tests" if (folder / "tests").is_dir() else "")


def own_dependencies(project: Project) -> Path:
    return WORK / "needs" / project.name


def install(folder: Path, needs: Sequence[str]) -> None:
    """Install what projects import, beside them."""
    if needs and not folder.exists():
        pip("install", "--target", str(folder), *needs)


def take_through(project: Project, checkouts: Path | None) -> Row | None:
    """All steps of one project; None where it cannot be had."""
    folder = fetch(project, checkouts)
    if folder is None:
        where = f"{project.repository} at {project.commit}"
        print(f"{project.name}: left out; --checkouts names no folder that has {where}")
        return None
    here = Here(folder, own_dependencies(project))
    commit(here)
    before, failing = own_tests(project, here)
    init = pyroify(here, "init", ".")
    add_by_hand(project, folder)
    commit(here)
    faults = crashes("init", init)
    plan = pyroify(here, "plan", "--format", "json")
    rewrite = pyroify(here, "rewrite", "--format", "json")
    (WORK / f"{project.name}.diff").write_text(run(here, "git", "diff").output)
    faults += crashes("plan", plan) + crashes("rewrite", rewrite)
    run(here, "git", "add", "--all")
    faults += crashes("second rewrite", pyroify(here, "rewrite"))
    if run(here, "git", "diff", "--quiet").code:
        faults.append("a second run changes something")
    if not plan_holds(plan.document(), rewrite.document()):
        faults.append("rewrite does something else than plan says")
    verify = pyroify(here, "verify", "--format", "json")
    proof = verify.document()
    if not proof:
        faults += crashes("verify", verify)
    (WORK / f"{project.name}.json").write_text(rewrite.output)
    (WORK / f"{project.name}.verify.json").write_text(verify.output)
    after, failing_now = own_tests(project, here, "-p", PINNED)
    newly = steady(project, here, failing_now - failing)
    unknown = sorted(newly - project.fails.keys())
    faults += [f"own tests: {test} fails now" for test in unknown]
    counts = proof.get("summary", {})
    wrong = counts.get("different", 0) + counts.get("failed", 0)
    return Row(
        name=project.name,
        kind=project.kind,
        source=project.package or f"{project.repository}@{project.commit[:7]}",
        **what_became(rewrite.document()),
        equal=counts.get("equal", 0),
        wrong=wrong,
        not_verified=counts.get("not_verified", 0),
        tests_before=before,
        tests_after=after,
        newly_failing=sorted(newly),
        trained=train(project, here),
        faults=faults + [f"verify: {wrong} classes differ or fail"] * bool(wrong),
    )


def fetch(project: Project, checkouts: Path | None) -> Path | None:
    """The sources of a project, in a folder of their own."""
    folder = WORK / "projects" / project.name
    shutil.rmtree(folder, ignore_errors=True)
    if project.package:
        downloads = WORK / "downloads" / project.package
        if not downloads.exists():
            pip(
                "download",
                "--no-build-isolation",
                *("--no-binary", ":all:", "--dest", str(downloads), project.package),
            )
        return unpack(next(downloads.iterdir()), folder)
    checkout = checkouts / project.name if checkouts else None
    if checkout is None or not checkout.is_dir():
        return None
    head = ("git", "-C", str(checkout), "rev-parse", "HEAD")
    if project.commit and subprocess.check_output(head, text=True).strip() != project.commit:
        return None
    shutil.copytree(checkout, folder, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    return folder


def commit(here: Here) -> None:
    who = ("-c", "user.name=owner", "-c", "user.email=owner@localhost")
    for arguments in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "-qm", "before")):
        run(here, "git", *arguments)


def own_tests(project: Project, here: Here, *options: str) -> tuple[str, set[str]]:
    """How the project's tests end, and which of them fail."""
    if not project.tests:
        return "", set()
    done = pytest(here, *options, *project.tests.split())
    (WORK / f"{project.name}.tests{''.join(options)}.txt").write_text(done.output + done.errors)
    failing = failed(done)
    found = re.findall(r"(\d+) (passed|failed|errors?)\b", done.last_line())
    return ", ".join(f"{count} {what}" for count, what in found) or done.last_line(), failing


def steady(project: Project, here: Here, tests: set[str]) -> set[str]:
    """Those of the tests that pass on the original each time."""
    if not tests:
        return tests
    with tempfile.TemporaryDirectory(prefix=f"{project.name}-") as folder:
        run(here, "git", "worktree", "add", "--detach", folder, "HEAD")
        original = replace(here, folder=Path(folder))
        for _ in range(RUNS_OF_SHAKY):
            tests = tests - failed(pytest(original, *sorted(tests))) if tests else tests
        run(here, "git", "worktree", "remove", "--force", folder)
    return tests


def pytest(here: Here, *arguments: str) -> Done:
    always = ("-q", "-rfE", "--tb=line", "--color=no", "-p", "no:cacheprovider")
    return run(here, sys.executable, "-m", "pytest", *always, *arguments)


def failed(done: Done) -> set[str]:
    """The tests that pytest says failed."""
    return set(re.findall(FAILING, done.output, re.MULTILINE))


def add_by_hand(project: Project, folder: Path) -> None:
    """What the owner writes himself: the training section, and what reads the data."""
    spec = folder / "pyroify.yaml"
    if not spec.exists():  # init has failed, which is a fault
        return
    if project.prior:
        spec.write_text(spec.read_text().replace("Normal(0, 1)", project.prior, 1))
    if project.svi:
        started = spec.read_text().split("\nsvi:")[0]  # init has filled the section in
        section = yaml.safe_dump({"svi": dict(project.svi)}, sort_keys=False)
        spec.write_text(f"{started}\n{section}")
    for name, text in project.files.items():
        (folder / name).write_text(text)


def plan_holds(plan: Mapping[str, Any], rewrite: Mapping[str, Any]) -> bool:
    """Whether the classes end as the plan says."""
    return status_by_class(plan) == status_by_class(rewrite)


def status_by_class(document: Mapping[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["status"] for entry in document.get("classes", ())}


def what_became(rewrite: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of the classes."""
    classes = rewrite.get("classes", [])
    converted = [entry for entry in classes if entry["status"] == "converted"]
    return {
        "classes": len(classes),
        "converted": len(converted),
        "refused": sum(entry["status"] == "refused" for entry in classes),
        "at_run_time": sum(
            any(AT_RUN_TIME in site["path"] for site in entry["sites"]) for entry in converted
        ),
        "coverage": rewrite.get("summary", {}).get("coverage"),
    }


def train(project: Project, here: Here) -> str:
    """Emit the script and train for a moment; "yes", or why not."""
    emit = pyroify(here, "emit")
    if emit.code not in (0, 1):
        return f"emit: {emit.finding()}"
    script = project.svi.get("output", "train_svi.py")
    if not (here.folder / script).exists():
        return f"emit: {emit.finding()}"
    done = run(here, sys.executable, script, *SHORT_TRAINING)
    (WORK / f"{project.name}.train.txt").write_text(done.output + done.errors)
    return "yes" if done.code == 0 else f"exit code {done.code}: {done.last_line()}"


def crashes(command: str, done: Done) -> list[str]:
    """A command that did not end as it may: 2 is for sources that are no Python, among others."""
    said = done.output + done.errors
    if done.code in (0, 1, 2) and "Traceback (most recent" not in said and FAULT not in said:
        return []
    return [f"{command}: {done.last_line()}"]


def pyroify(here: Here, *arguments: str) -> Done:
    return run(here, sys.executable, "-m", "pyroify", *arguments)


def run(here: Here, *command: str) -> Done:
    """Run a command within its limits."""
    paths = (ROOT, here.needs, DEPENDENCIES, STAND_INS)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
        "HF_HUB_OFFLINE": "1",
    }
    try:
        done = subprocess.run(
            command,
            cwd=here.folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            preexec_fn=limit_memory,
        )
    except subprocess.TimeoutExpired:
        return Done(None, "", "")
    return Done(done.returncode, done.stdout, done.stderr)


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
