"""`pyroify undo`: what the last rewrite replaced is what it was, and nobody else's work goes."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import LayOut, Run

from pyroify.history import KEPT
from pyroify.publish import Change, publish
from pyroify.undo import UndoError, list_runs, undo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.kills import FAULTS, attempt

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
"""
SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, {scale})\n'
FILES = {"net.py": NET, "sub/more.py": NET, "pyroify.yaml": SPEC.format(scale=1)}


@pytest.fixture
def root(lay_out: LayOut, run: Run) -> Path:
    """A project that has just been rewritten."""
    root = lay_out(FILES)
    (root / "sub/more.py").chmod(0o755)
    assert run("rewrite").code == 0
    return root


def contents(root: Path) -> dict[str, str]:
    own = {".pyroify", ".git"}
    files = (p for p in root.rglob("*") if p.is_file() and own.isdisjoint(p.parts))
    return {path.relative_to(root).as_posix(): path.read_text() for path in files}


def git(root: Path, *args: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *identity, "-C", root, *args], check=True, capture_output=True)


class TestUndo:
    def test_brings_bytes_and_modes_back_and_takes_new_files_away(
        self, root: Path, run: Run
    ) -> None:
        (root / "sub/more.py").chmod(0o600)
        ended = run("undo")
        assert ended.code == 0
        assert ended.err.endswith("took back run 1: 3 files restored\n")
        assert contents(root) == FILES
        assert stat.S_IMODE((root / "sub/more.py").stat().st_mode) == 0o755

    def test_run_after_run(self, root: Path, run: Run) -> None:
        once = contents(root)
        (root / "pyroify.yaml").write_text(SPEC.format(scale=2))
        assert run("rewrite").code == 0
        assert run("undo").code == 0
        assert {**contents(root), "pyroify.yaml": once["pyroify.yaml"]} == once
        assert run("undo").code == 0
        assert contents(root)["net.py"] == NET
        ended = run("undo")
        assert ended.code == 2
        assert "PYR244 no run is kept here" in ended.err

    def test_what_was_edited_since_is_named_and_everything_stays(
        self, root: Path, run: Run
    ) -> None:
        (root / "net.py").write_text("mine = 1\n")
        before = contents(root)
        ended = run("undo")
        assert ended.code == 2
        assert "net.py:1:1 PYR241 was edited since the last run" in ended.err
        assert "sub/more.py" not in ended.err
        assert contents(root) == before
        [kept] = [p for p in root.glob(".pyroify/runs/*/*") if p.read_text() == NET][:1]
        assert kept.relative_to(root).as_posix() in ended.err

    def test_what_was_deleted_since_counts_as_edited(self, root: Path, run: Run) -> None:
        (root / "net.py").unlink()
        assert "net.py:1:1 PYR241" in run("undo").err

    def test_what_is_back_already_is_left(self, root: Path, run: Run) -> None:
        (root / "net.py").write_text(NET)
        assert "restored net.py" not in run("undo").err
        assert contents(root) == FILES

    def test_a_run_that_git_has_taken_back(self, root: Path, run: Run) -> None:
        for path, text in FILES.items():
            (root / path).write_text(text)
        (root / "pyroify.lock").unlink()
        ended = run("undo")
        assert (ended.code, ended.err.partition(":")[0]) == (0, "nothing to restore")
        assert run("undo").code == 2

    def test_lists_the_runs(self, root: Path, run: Run) -> None:
        (root / "pyroify.yaml").write_text(SPEC.format(scale=2))
        run("rewrite")
        lines = run("undo", "--list").out.splitlines()
        assert [(line.split()[0], line.split()[3:]) for line in lines] == [
            ("2", ["3", "files"]),
            ("1", ["3", "files"]),
        ]
        assert "    sub/more.py" in run("undo", "--list", "-v").out.splitlines()
        assert "class Net(PyroModule)" in contents(root)["net.py"]

    def test_no_file_of_the_project_need_be_left(self, root: Path, run: Run) -> None:
        for path in root.rglob("*.py"):
            path.unlink()
        assert "PYR241" in run("undo").err

    def test_from_another_folder(
        self, root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir("/")
        assert run("undo", str(root)).code == 0
        assert contents(root) == FILES

    def test_a_rewrite_that_writes_nothing_is_no_run(self, root: Path, run: Run) -> None:
        run("rewrite")
        run("rewrite", "--diff")
        assert len(run("undo", "--list").out.splitlines()) == 1

    def test_git_sees_nothing_of_it(self, root: Path) -> None:
        git(root, "init", "-q")
        ls_files = ["git", "-C", root, "ls-files", "-o", "--exclude-standard"]
        listed = subprocess.run(ls_files, check=True, capture_output=True, text=True)
        assert ".pyroify" not in listed.stdout

    def test_some_runs_are_kept(self, lay_out: LayOut) -> None:
        root = lay_out({"a.py": "0"})
        for number in range(KEPT + 3):
            publish(root, [Change("a.py", b"%d" % number, b"%d" % (number + 1))], keep=True)
        assert [run.number for run in list_runs(root)] == list(range(KEPT + 3, 3, -1))
        for _ in range(KEPT):
            undo(root)
        assert (root / "a.py").read_text() == "3"
        assert list((root / ".pyroify/runs").iterdir()) == []


class TestClean:
    @pytest.fixture
    def root(self, lay_out: LayOut) -> Path:
        root = lay_out({**FILES, "crlf.py": NET.replace("\n", "\r\n")})
        git(root, "init", "-q")
        git(root, "-c", "core.autocrlf=input", "add", ".")
        return root

    def test_what_is_committed_or_staged_is_clean(self, root: Path, run: Run) -> None:
        ended = run("rewrite", "--require-clean")
        assert (ended.code, ended.err) == (0, "")

    @pytest.mark.parametrize("is_new", [False, True])
    def test_what_is_not_is_named(self, root: Path, run: Run, is_new: bool) -> None:
        (root / ("new.py" if is_new else "net.py")).write_text(NET + "# mine\n")
        path = "new.py" if is_new else "net.py"
        before = contents(root)
        ended = run("rewrite", "--require-clean")
        assert ended.code == 2
        assert f"{path}:1:1 PYR243 has changes that git does not have" in ended.err
        assert contents(root) == before
        ended = run("rewrite")
        assert ended.code == 0
        assert f"replaces what git does not have: {path} (`pyroify undo`" in ended.err

    def test_where_there_is_no_git(self, lay_out: LayOut, run: Run, tmp_path: Path) -> None:
        for child in tmp_path.iterdir():
            if child.name == ".git":
                subprocess.run(["rm", "-r", child], check=True)
        lay_out(FILES)
        assert run("rewrite", "--require-clean").code == 2
        assert run("rewrite").err == ""

    def test_git_runs_nothing_that_the_repository_names(self, root: Path, run: Run) -> None:
        evil = root.parent / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {root}/PWNED\ncat\n")
        evil.chmod(0o755)
        (root / ".gitattributes").write_text("* filter=evil\n")
        for key in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor"):
            git(root, "config", key, str(evil))
        (root / "net.py").write_text(NET + "# mine\n")
        run("rewrite")
        assert not (root / "PWNED").exists()


class TestRecord:
    """A record that came with the repository makes no undo write, move or delete anything."""

    @pytest.fixture
    def place(self, lay_out: LayOut) -> Path:
        place = lay_out({"outside/a.py": "old\n", "project/a.py": "old\n"})
        publish(place / "project", [Change("a.py", b"old\n", b"new\n")], keep=True)
        return place

    def change(self, root: Path, **changes: Any) -> None:
        [record] = root.glob(".pyroify/runs/*/run.json")
        document = json.loads(record.read_text())
        for key, value in changes.items():
            holder = document if key in document else document["files"][0]
            holder[key] = value
        record.write_text(json.dumps(document))

    def refused(self, place: Path) -> str:
        before = contents(place)
        with pytest.raises(UndoError) as caught:
            undo(place / "project")
        assert contents(place) == before
        [finding] = caught.value.findings
        assert finding.code == "PYR239"
        return finding.message

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"path": "../outside/a.py"}, "not normalised"),
            ({"path": "/etc/passwd"}, "not relative"),
            ({"path": ".git/hooks/pre-commit"}, "in .git"),
            ({"path": "sub/.GIT/config"}, "in .git"),
            ({"path": ".pyroify/journal.json"}, "pyroify's own"),
            ({"path": "out/a.py"}, "by a link"),
            ({"path": "link.py"}, "is a link"),
            ({"path": 1}, "no text"),
            ({"mode": 0o4755}, "a mode that is none"),
            ({"mode": True}, "a mode that is none"),
            ({"after": ""}, "a digest that is none"),
            ({"before": "x"}, "a digest that is none"),
            ({"before": "0" * 64}, "damaged"),
            ({"version": 2}, "another version"),
            ({"time": "now"}, "cannot be understood"),
            ({"files": 1}, "cannot be understood"),
            ({"files": ["a.py"]}, "lacks a key"),
        ],
    )
    def test_that_no_run_writes(self, place: Path, changes: dict[str, Any], message: str) -> None:
        (place / "project/out").symlink_to(place / "outside")
        (place / "project/link.py").symlink_to("a.py")
        self.change(place / "project", **changes)
        assert message in self.refused(place)

    def test_that_git_tracks(self, place: Path) -> None:
        git(place / "project", "init", "-q")
        git(place / "project", "add", "-f", ".pyroify/runs")
        assert "git tracks '.pyroify/runs/" in self.refused(place)

    def test_old_bytes_that_are_a_link(self, place: Path) -> None:
        [kept] = place.glob("project/.pyroify/runs/*/0")
        kept.unlink()
        kept.symlink_to(place / "outside/a.py")
        assert "reached by a link" in self.refused(place)

    @pytest.mark.parametrize("name", ["runs", "runs/1-00000000"])
    def test_a_folder_that_is_a_link_is_never_emptied(self, place: Path, name: str) -> None:
        root = place / "project"
        (place / "outside/1-00000000").mkdir()
        (place / "outside/1-00000000/run.json").write_text("{}")
        subprocess.run(["rm", "-r", root / ".pyroify/runs"], check=True)
        (root / ".pyroify" / name).parent.mkdir(exist_ok=True)
        target = "outside" if name == "runs" else "outside/1-00000000"
        (root / ".pyroify" / name).symlink_to(place / target)
        with pytest.raises(UndoError):
            undo(root)
        for number in range(KEPT + 2):
            try:
                publish(root, [Change(f"{number}.py", None, b"x")], keep=True)
            except Exception as error:
                assert "link" in str(error)
        assert (place / "outside/1-00000000/run.json").read_text() == "{}"
        assert {path.name for path in (place / "outside").iterdir()} == {"a.py", "1-00000000"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("seed", range(4 * len(FAULTS)))
def test_nothing_is_lost_whatever_happens(tmp_path: Path, seed: int) -> None:
    """``make kills`` does this some hundred times."""
    assert attempt(tmp_path, seed) == ""


def test_a_loss_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import benchmarks.kills

    monkeypatch.setattr(benchmarks.kills, "undo", lambda root: None)
    assert "undo does not lead back" in attempt(tmp_path, 1)
