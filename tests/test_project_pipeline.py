"""The stages in order: what one bad file costs the others, and what several processes change."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroify import pipeline
from pyroify.decide.model import ClassPlan, Edit, FilePlan, Plan
from pyroify.diagnostics import Finding
from pyroify.pipeline import FileResult, rewrite_file, rewrite_files, rewrite_project
from pyroify.rewrite import RewriteError
from pyroify.spec.load import parse_spec

SPEC = parse_spec(
    "version: 1\npriors:\n  - match: '**'\n    sample: Normal(0, 1)\n", "pyroify.yaml"
)
PLAN = FilePlan("net.py", (Edit(1, 0),))


@pytest.fixture
def edits(monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Replaces the rewriting core by a function of the text."""

    def use(function: Callable[[str], str]) -> None:
        monkeypatch.setattr("pyroify.rewrite.rewrite_source", lambda text, _: function(text))

    return use


def raising(error: Exception) -> Callable[[str], str]:
    def fail(text: str) -> str:
        raise error

    return fail


class TestOneFile:
    def test_bytes_outside_the_edits_stay(self, lay_out: Callable, edits: Callable) -> None:
        before = b"\xef\xbb\xbf# a\r\nx = 1\ny = '\xc3\xa9'"
        root = lay_out({"net.py": before})
        edits(lambda text: text.replace("x = 1", "x = 2"))
        result = rewrite_file(root, PLAN)
        assert result.before == before
        assert result.after == before.replace(b"x = 1", b"x = 2")
        assert result.changed

    def test_an_edit_without_effect_is_no_change(self, lay_out: Callable, edits: Callable) -> None:
        edits(str)
        assert not rewrite_file(lay_out({"net.py": "x = 1\n"}), PLAN).changed

    @pytest.mark.parametrize(
        ("content", "code"), [(b"\xff", "PYR204"), (b"\0", "PYR205"), (None, "PYR204")]
    )
    def test_an_unreadable_file_is_a_finding(
        self, lay_out: Callable, content: bytes | None, code: str
    ) -> None:
        root = lay_out({} if content is None else {"net.py": content})
        result = rewrite_file(root, PLAN)
        assert result.after is None
        assert [(f.path, f.code) for f in result.findings] == [("net.py", code)]

    def test_a_refused_rewrite_is_a_finding(self, lay_out: Callable, edits: Callable) -> None:
        edits(raising(RewriteError("PYR208", "cannot be reproduced", "exclude it")))
        result = rewrite_file(lay_out({"net.py": "x\n"}), PLAN)
        assert result.after is None
        assert result.findings == (
            Finding("net.py", 1, 1, "PYR208", "cannot be reproduced", "exclude it"),
        )

    def test_a_bug_is_a_finding_with_a_traceback(self, lay_out: Callable, edits: Callable) -> None:
        edits(raising(IndexError("too odd\nreally")))
        result = rewrite_file(lay_out({"net.py": "x\n"}), PLAN)
        assert result.after is None
        [finding] = result.findings
        assert finding.code == "PYR234"
        assert finding.message.startswith("could not be rewritten: IndexError: too odd (pipeline.")
        assert "report" in finding.help
        assert "Traceback" in result.traceback


def mark(root: Path, plan: FilePlan) -> FileResult:
    """Stands for rewrite_file in other processes: says which one it ran in."""
    if plan.path == "fatal.py":
        os.kill(os.getpid(), signal.SIGKILL)
    return FileResult(plan.path, b"", str(os.getpid()).encode())


class TestProcesses:
    def results(
        self, monkeypatch: pytest.MonkeyPatch, names: list[str], jobs: int
    ) -> list[FileResult]:
        monkeypatch.setattr(pipeline, "rewrite_file", mark)
        return list(rewrite_files(Path(), [FilePlan(name, ()) for name in names], jobs))

    def test_few_files_stay_in_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        results = self.results(monkeypatch, ["a.py", "b.py", "c.py"], jobs=8)
        assert {result.after for result in results} == {str(os.getpid()).encode()}

    def test_one_job_stays_in_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        results = self.results(monkeypatch, [f"{i}.py" for i in range(40)], jobs=1)
        assert {result.after for result in results} == {str(os.getpid()).encode()}

    def test_many_files_are_spread_and_stay_in_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = [f"{i}.py" for i in range(40)]
        results = self.results(monkeypatch, names, jobs=2)
        assert [result.path for result in results] == names
        assert str(os.getpid()).encode() not in {result.after for result in results}

    def test_a_process_that_dies_takes_only_its_file_along(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = [*(f"{i}.py" for i in range(6)), "fatal.py", "last.py"]
        results = self.results(monkeypatch, names, jobs=2)
        assert [result.path for result in results] == names
        assert [result.path for result in results if result.after is None] == ["fatal.py"]
        [finding] = results[6].findings
        assert (finding.code, finding.path) == ("PYR234", "fatal.py")


class TestProject:
    """base.py fails; derived.py needs it; other.py does not."""

    def plan(self, index: object, spec: object, selected: frozenset[str]) -> Plan:
        needs = {"base.py": {"base.py"}, "derived.py": {"base.py", "derived.py"}, "other.py": set()}
        classes, files, findings = [], [], []
        for path, needed in needs.items():
            ready = needed <= selected
            status = "converted" if ready else "refused"
            if path in selected:
                classes.append(ClassPlan(path[:-3], "Net", path, 1, 1, status))
            if ready:
                files.append(FilePlan(path, (Edit(1, 0),)))
            elif path in selected:
                findings.append(Finding(path, 1, 1, "PYR050", "needs base.py"))
        return Plan(tuple(classes), tuple(files), tuple(findings))

    @pytest.fixture
    def root(self, lay_out: Callable, edits: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
        def edit(text: str) -> str:
            if text == "base\n":
                raise RewriteError("PYR208", "no")
            return text.upper()

        edits(edit)
        monkeypatch.setattr("pyroify.planning.build_plan", self.plan, raising=False)
        return lay_out({f"{name}.py": f"{name}\n" for name in ("base", "derived", "other")})

    def test_what_needs_a_failed_file_is_not_rewritten_either(self, root: Path) -> None:
        outcome = rewrite_project(root, ["base.py", "derived.py", "other.py"], SPEC)
        assert [(r.path, r.after) for r in outcome.changes] == [("other.py", b"OTHER\n")]
        assert [(f.path, f.code) for f in outcome.findings] == [
            ("base.py", "PYR208"),
            ("derived.py", "PYR050"),
        ]

    def test_the_classes_of_a_failed_file_are_refused(self, root: Path) -> None:
        outcome = rewrite_project(root, ["base.py", "derived.py", "other.py"], SPEC)
        [base, *_] = outcome.plan.classes
        assert (base.path, base.status) == ("base.py", "refused")
        assert [finding.code for finding in base.findings] == ["PYR208"]

    def test_only_selected_files_are_rewritten(self, root: Path) -> None:
        files = ["base.py", "derived.py", "other.py"]
        outcome = rewrite_project(root, files, SPEC, selected=["other.py"])
        assert [result.path for result in outcome.results] == ["other.py"]

    def test_nothing_selected_is_nothing_to_do(self, root: Path) -> None:
        outcome = rewrite_project(root, ["base.py"], SPEC, selected=[])
        assert (outcome.results, outcome.findings) == ((), ())

    def test_nothing_is_written(self, root: Path) -> None:
        rewrite_project(root, ["other.py"], SPEC)
        assert (root / "other.py").read_text() == "other\n"


@pytest.mark.parametrize(
    ("name", "source", "used"),
    [
        ("function", "def make(d):\n    return nn.Linear(d, d)\n", "layers.make(d)"),
        ("partial", "make = partial(nn.Linear, bias=False)\n", "layers.make(d, d)"),
    ],
)
def test_what_makes_layers_in_a_file_that_is_not_given_is_missed(
    name: str, source: str, used: str, lay_out: Callable
) -> None:
    net = f"""\
import layers
from torch import nn


class Net(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = {used}
"""
    head = "from functools import partial\nfrom torch import nn\n"
    root = lay_out({"net.py": net, "layers.py": head + source})
    outcome = rewrite_project(root, ["net.py", "layers.py"], SPEC, {"net.py"})
    assert [finding.code for finding in outcome.findings] == ["PYR221"], name
    assert not outcome.changes
    both = rewrite_project(root, ["net.py", "layers.py"], SPEC)
    assert {change.path for change in both.changes} == {"net.py", "layers.py"}
