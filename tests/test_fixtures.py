"""Every case under ``tests/fixtures``: what goes in, what comes out, and that it computes the same.

A case is ``<area>/<case>.in.py`` beside ``<case>.out.py``, or a folder ``<case>.in/`` beside
``<case>.out/``. No ``.out`` means: nothing may change. ``<case>.spec.yaml`` is the spec (default:
a Normal(0, 1) on every parameter) and ``<case>.findings.txt`` what must be reported (default:
nothing), one ``[file:]line:column CODE [message]`` a line; without a message any will do.
In ``reconcile`` the declarations of the input are pyroify's, by its lock; elsewhere there is none,
and they are the user's.

A case that can run defines ``example()``, which returns ``(model, args)`` or
``(model, args, method)``, or ``examples()``, a dict of functions that do. What it computes is
compared with ``<case>.original.py``, where the input has been rewritten before.

``PYROIFY_UPDATE_FIXTURES=1`` writes what the tool does now, for review with ``git diff``.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import lock_of_all

from pyroify.decide.model import Plan
from pyroify.lock import LOCK_NAME, read_lock
from pyroify.spec.model import Spec

FIXTURES = Path(__file__).parent / "fixtures"
UPDATE = os.environ.get("PYROIFY_UPDATE_FIXTURES") == "1"
DEFAULT_SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""
EXAMPLE = re.compile(r"^def examples?\(\)", re.MULTILINE)

Sources = dict[str, str]
"""File texts by path relative to the project root."""


@dataclass(frozen=True, slots=True)
class Case:
    """One fixture; ``folder`` and ``stem`` name its files, ``is_folder`` their form."""

    folder: Path
    stem: str
    is_folder: bool

    @property
    def name(self) -> str:
        return f"{self.folder.relative_to(FIXTURES).as_posix()}/{self.stem}"

    def read(self, kind: str) -> Sources:
        """The sources of ``in`` or ``out``; empty where there are none."""
        if self.is_folder:
            root = self.folder / f"{self.stem}.{kind}"
            return {
                p.relative_to(root).as_posix(): read_text(p) for p in sorted(root.rglob("*.py"))
            }
        file = self.folder / f"{self.stem}.{kind}.py"
        return {f"{self.stem}.py": read_text(file)} if file.exists() else {}

    def write(self, kind: str, sources: Sources) -> None:
        for path, text in sources.items():
            target = self.folder / f"{self.stem}.{kind}.py"
            if self.is_folder:
                target = self.folder / f"{self.stem}.{kind}" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())

    @property
    def sources(self) -> Sources:
        return self.read("in")

    @property
    def original(self) -> Sources:
        """What the sources were before any rewrite."""
        return {**self.sources, **self.read("original")}

    @property
    def expected(self) -> Sources:
        return {**self.sources, **self.read("out")}

    @property
    def spec(self) -> str:
        file = self.folder / f"{self.stem}.spec.yaml"
        return file.read_text() if file.exists() else DEFAULT_SPEC

    @property
    def findings_file(self) -> Path:
        return self.folder / f"{self.stem}.findings.txt"

    @property
    def findings(self) -> list[str]:
        return self.findings_file.read_text().splitlines() if self.findings_file.exists() else []

    @property
    def is_ours(self) -> bool:
        """Whether pyroify wrote the declarations of the input."""
        return self.folder.name == "reconcile"

    def settings(self) -> AbstractContextManager[None]:
        """The settings of Pyro that a case needs: its global store would train what is frozen."""
        import pyro

        is_thawed = any(" PYR008" in line for line in self.findings)
        return pyro.settings.context(module_local_params=True) if is_thawed else nullcontext()

    @property
    def runs(self) -> bool:
        return any(EXAMPLE.search(text) for text in self.sources.values())


def read_text(path: Path) -> str:
    """Like ``Path.read_text``, but newlines stay what they are."""
    return path.read_bytes().decode()


def all_cases() -> list[Case]:
    found = []
    for path in sorted(FIXTURES.rglob("*.in*")):
        stem, dot_in, rest = path.name.rpartition(".in")
        if dot_in and rest in ("", ".py"):
            found.append(Case(path.parent, stem, is_folder=path.is_dir()))
    return found


# Those that run come first: pytest puts together what has one index, and all tests of a case follow
# one another, so that ``first`` is made once for it.
CASES = sorted(all_cases(), key=lambda case: not case.runs)
RUNNING = [case for case in CASES if case.runs]


def each_of(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case", cases, ids=lambda case: case.name, indirect=True, scope="module"
    )


each_case, each_running_case = each_of(CASES), each_of(RUNNING)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a rewrite in ``root``, which has its lock, has come to."""

    root: Path
    spec: Spec
    sources: Sources
    findings: list[str]
    plan: Plan


@pytest.fixture(scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def first(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Rewritten:
    root = tmp_path_factory.mktemp("first")
    return rewrite_all(root, case.sources, case.spec, ours=case.is_ours)


def lay_out(root: Path, sources: Sources) -> list[str]:
    for path, text in sources.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    return sorted(sources)


def rewrite(
    root: Path, sources: Sources, spec_text: str, line_length: int = 100, ours: bool = False
) -> tuple[Sources, list[str]]:
    """Runs the whole pipeline in ``root``; returns the new sources and the findings as lines.

    ``ours``: the declarations that are there are pyroify's. The lock is left for another run.
    """
    done = rewrite_all(root, sources, spec_text, line_length, ours)
    return done.sources, done.findings


def rewrite_all(
    root: Path, sources: Sources, spec_text: str, line_length: int = 100, ours: bool = False
) -> Rewritten:
    from pyroify.pipeline import rewrite_project
    from pyroify.spec.load import load_spec

    files = begin(root, sources, line_length, ours)
    (root / "pyroify.yaml").write_text(spec_text)
    spec = load_spec(root / "pyroify.yaml")
    outcome = rewrite_project(root, files, spec)
    if outcome.lock:
        (root / LOCK_NAME).write_bytes(outcome.lock.after)
    changed = {change.path: (change.after or b"").decode() for change in outcome.changes}
    findings = [finding_line(finding, sources) for finding in outcome.findings]
    return Rewritten(root, spec, {**sources, **changed}, findings, outcome.plan)


def begin(root: Path, sources: Sources, line_length: int, ours: bool) -> list[str]:
    """The files that are laid out, with a lock if their declarations are pyroify's."""
    files = lay_out(root, sources)
    (root / "pyproject.toml").write_text(f"[tool.ruff]\nline-length = {line_length}\n")
    if ours:
        (root / LOCK_NAME).write_bytes(lock_of_all(root, files))
    return files


def differences(expected: Sources, got: Sources) -> str:
    return "".join(
        line
        for path in sorted({*expected, *got})
        for line in unified_diff(
            expected.get(path, "").splitlines(keepends=True),
            got.get(path, "").splitlines(keepends=True),
            f"expected {path}",
            f"got {path}",
        )
    )


def finding_line(finding: Any, sources: Sources) -> str:
    file = f"{finding.path}:" if len(sources) > 1 else ""
    return f"{file}{finding.line}:{finding.column} {finding.code} {finding.told}"


def as_expected(got: list[str], expected: list[str]) -> list[str]:
    """``got`` with the messages cut off where the expectation gives none."""
    bare = {line for line in expected if line.count(" ") == 1}
    return [head if (head := " ".join(line.split(" ")[:2])) in bare else line for line in got]


@each_case
def test_output_and_findings(case: Case, first: Rewritten) -> None:
    got, findings = first.sources, first.findings
    if UPDATE:
        case.write("out", {p: text for p, text in got.items() if text != case.sources.get(p)})
        case.findings_file.unlink(missing_ok=True)
        if findings:
            case.findings_file.write_text("\n".join(findings) + "\n")
    assert not differences(case.expected, got), differences(case.expected, got)
    assert as_expected(findings, case.findings) == case.findings


@each_case
def test_the_plan_is_the_same_with_what_is_kept(
    case: Case, first: Rewritten, tmp_path: Path
) -> None:
    from pyroify.cache import keeping
    from pyroify.codec import read, write
    from pyroify.pipeline import make_plan
    from pyroify.program import build_index
    from pyroify.syntax.facts import File

    files = lay_out(tmp_path / "before", case.sources)
    with keeping(tmp_path):
        for facts in build_index(tmp_path / "before", files).files:
            assert read(write(facts), File) == facts
            assert write(read(write(facts), File)) == write(facts)
        files = begin(tmp_path / "after", case.sources, 100, case.is_ours)
        kept = make_plan(tmp_path / "after", files, first.spec, frozenset(files))
    by_line = tuple(sorted(kept.classes, key=lambda entry: (entry.path, entry.line)))
    assert replace(kept, classes=by_line) == first.plan


@each_case
def test_output_is_left_alone_by_a_second_run(case: Case, first: Rewritten) -> None:
    lock = read_lock(first.root)
    assert not lock.findings
    again, _ = rewrite(first.root, first.sources, case.spec)
    assert not differences(first.sources, again), differences(first.sources, again)
    assert read_lock(first.root) == lock


@each_case
def test_output_is_left_alone_where_it_is_the_users(case: Case, tmp_path: Path) -> None:
    again, _ = rewrite(tmp_path, case.expected, case.spec)
    assert not differences(case.expected, again), differences(case.expected, again)


@each_case
def test_output_compiles(case: Case) -> None:
    for path, text in case.expected.items():
        compile(text, path, "exec", dont_inherit=True)


@each_case
def test_output_compiles_and_keeps_its_line_ends_where_lines_are_short(
    case: Case, tmp_path: Path
) -> None:
    sources = case.sources
    has_own_ends = any("\r" in text for text in sources.values())
    if not has_own_ends:
        sources = {path: text.replace("\n", "\r\n") for path, text in sources.items()}
    got, findings = rewrite(tmp_path, sources, case.spec, 79, ours=case.is_ours)
    assert not any("PYR234" in finding for finding in findings)
    for path, text in got.items():
        compile(text, path, "exec", dont_inherit=True)
    if not has_own_ends:
        old = {path: got[path] for path in sources}
        assert [path for path, text in old.items() if "\n" in text.replace("\r\n", "")] == []


@each_running_case
def test_output_computes_what_the_input_computed(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("pyro")
    from pyroify.verify.compare.pin import compare

    with case.settings():
        before = list(run_examples(tmp_path / "before", case.original))
        after = list(run_examples(tmp_path / "after", case.expected))
        assert [name for name, *_ in after] == [name for name, *_ in before]
        for (name, old, args, method), (_, new, _, _) in zip(before, after, strict=True):
            comparison = compare(old, new, args, method=method)
            assert comparison.equal, (name, comparison.problems)


@each_running_case
def test_output_is_what_the_plan_says(case: Case, first: Rewritten, tmp_path: Path) -> None:
    pytest.importorskip("pyro")
    from pyroify.verify.compare.agreement import compare_with_plan
    from pyroify.verify.compare.lines import Planned

    classes = first.plan.classes
    if {"PYR060", "PYR067"} & {f.code for entry in classes for f in entry.findings}:
        pytest.skip("a declaration is left, and reported")
    planned = Planned.by_module(first.spec, classes)
    before = run_examples(tmp_path / "before", case.original)
    again = run_examples(tmp_path / "again", case.original, seed=1)
    after = run_examples(tmp_path / "after", case.expected)
    for (name, old, *_), (_, other, *_), (_, new, *_) in zip(
        list(before), list(again), list(after), strict=True
    ):
        assert not (found := compare_with_plan(planned, old, new, other)), (name, found)


def run_examples(
    root: Path, sources: Sources, seed: int = 0
) -> Iterator[tuple[str, Any, tuple[Any, ...], str]]:
    """Yields ``(name, model, args, method)`` for each example, built from the same seed."""
    import torch

    lay_out(root, sources)
    for path, text in sources.items():
        if not EXAMPLE.search(text):
            continue
        with imported(root, path.removesuffix(".py").replace("/", ".")) as module:
            for name, build in examples_of(module).items():
                torch.manual_seed(seed)
                model, args, *method = build()
                yield name, model, args, method[0] if method else "forward"


def examples_of(module: ModuleType) -> dict[str, Callable[[], Any]]:
    if hasattr(module, "examples"):
        return dict(module.examples())
    return {"example": module.example}


@contextmanager
def imported(root: Path, name: str) -> Iterator[ModuleType]:
    """Imports ``name`` from ``root``, whose modules are new, and forgets them afterwards."""
    own = {path.stem for path in root.iterdir() if path.is_dir() or path.suffix == ".py"}
    sys.path.insert(0, str(root))
    forget(own)
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(root))
        forget(own)


def forget(names: Collection[str]) -> None:
    """Takes modules of these top-level names, and those below them, out of ``sys.modules``."""
    if not any(name in sys.modules for name in names):
        return
    for module in [module for module in sys.modules if module.partition(".")[0] in names]:
        del sys.modules[module]
