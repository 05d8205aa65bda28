"""What is kept in ``.pyroify/cache`` saves time, and does nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import LayOut, Run

from pyroify import cache
from pyroify.cache import keeping, set_aside
from pyroify.codec import CodecError, read, write
from pyroify.lock import render_lock
from pyroify.program import load
from pyroify.syntax.facts import File

NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x):
        return self.fc(x)
"""
SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'
PROJECT = {"net.py": NET, "other.py": NET.replace("Net", "Other"), "pyroify.yaml": SPEC}


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the entries; the command line uses it here."""
    monkeypatch.delenv("PYROIFY_NO_CACHE")
    return tmp_path / ".pyroify" / "cache"


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the files that were looked at, rather than known already."""
    found: list[str] = []
    extract = load.extract

    def counted(text: str, path: str, *about: object) -> File:
        found.append(path)
        return extract(text, path, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(load, "extract", counted)
    return found


def facts(root: Path, text: str = NET) -> File:
    (root / "net.py").write_text(text)
    with keeping(root):
        return loaded(root)


def loaded(root: Path) -> File:
    found = load.load_project(root, ["net.py"]).files["net.py"]
    assert found is not None
    return found


def test_what_did_not_change_is_looked_at_once(
    lay_out: LayOut, run: Run, extracted: list[str]
) -> None:
    lay_out(PROJECT)
    run("rewrite", "--check")
    assert sorted(extracted) == ["net.py", "other.py"]
    extracted.clear()
    lay_out({"net.py": NET + "\n# changed\n"})
    run("rewrite", "--check")
    assert extracted == ["net.py"]
    run("rewrite", "--check", "--no-cache")
    assert extracted.count("other.py") == 1


def test_an_unchanged_project_is_said_the_same_of(
    lay_out: LayOut, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(PROJECT)
    for command in (("rewrite", "--check"), ("rewrite", "--check", "--format", "json"), ("plan",)):
        first = run(*command)
        with monkeypatch.context() as patched:
            patched.setattr("pyroify.program.build_index", None)  # it is not asked for
            assert run(*command) == first
        assert run(*command, "--no-cache") == first


@pytest.mark.parametrize(
    "changed",
    [
        {"net.py": NET.replace("fc", "head")},
        {"new.py": NET.replace("Net", "New")},
        {"pyroify.yaml": SPEC.replace("0, 1", "0, 2")},
        {"pyroify.lock": render_lock(set())},
        {"pyproject.toml": "[tool.ruff]\nline-length = 60\n"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_changes_is_looked_at(changed: dict[str, str], lay_out: LayOut, run: Run) -> None:
    lay_out(PROJECT)
    run("rewrite", "--check")
    lay_out(changed)
    assert plans_made(run) == 1
    assert plans_made(run) == 0


def plans_made(run: Run) -> int:
    """How many plans a check makes."""
    from pyroify import planning

    plans = []
    with pytest.MonkeyPatch.context() as patched:
        made = planning.build_plan
        patched.setattr(planning, "build_plan", lambda *given: plans.append(0) or made(*given))
        run("rewrite", "--check")
    return len(plans)


def test_other_options_are_another_question(lay_out: LayOut, run: Run) -> None:
    lay_out(PROJECT)
    text = run("rewrite", "--check").out
    assert run("rewrite", "--check", "-q").out != text
    assert run("rewrite", "--check", "net.py").out != text
    assert run("rewrite", "--check", "--format", "json").out != text


def test_what_is_written_comes_from_no_cache(lay_out: LayOut, run: Run, kept: Path) -> None:
    root = lay_out(PROJECT)
    with keeping(root):
        for path in ("net.py", "other.py"):
            entry = cache.entry("facts", path, path[:-3], PROJECT[path])
            assert entry is not None
            found = load.extract(NET.replace("fc", "evil"), path, path[:-3], False)
            entry.put(write(found).encode())
    assert "evil" in run("plan").out
    assert "evil" not in run("rewrite", "--diff").out
    run("rewrite")
    assert "PyroSample" in (root / "net.py").read_text()
    assert "evil" not in (root / "net.py").read_text()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"Linear", b"Conv2d"),
        lambda data: b"",
        lambda data: b"\xff\xfe" + data,
    ],
    ids=["cut off", "edited", "empty", "not text"],
)
def test_what_is_damaged_is_found_out_anew(
    damage: Callable[[bytes], bytes], tmp_path: Path, kept: Path, extracted: list[str]
) -> None:
    good = facts(tmp_path)
    [entry] = kept.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert facts(tmp_path) == good
    assert len(extracted) == 2
    assert facts(tmp_path) == good
    assert len(extracted) == 2  # it was mended


@dataclass(frozen=True)
class Stranger:
    """Something else than facts."""

    path: str = "net.py"


def test_what_is_no_facts_of_this_file_is_discarded(tmp_path: Path, extracted: list[str]) -> None:
    good = facts(tmp_path)
    other = load.extract(NET, "elsewhere.py", "elsewhere", False)
    for found in (write(Stranger()), write(other), "[]", '{"classes":["File"],"objects":[[0]]}'):
        with keeping(tmp_path):
            entry = cache.entry("facts", "net.py", "net", NET)
            assert entry is not None
            entry.put(found.encode())
        assert facts(tmp_path) == good


@pytest.mark.parametrize(
    "document",
    [
        '{"classes":["Stranger"],"objects":[[0,1]]}',
        '{"classes":["Stranger"],"objects":[[0,"a","b"]]}',
        '{"classes":["Stranger"],"objects":[[1,"a"]]}',
        '{"classes":["Path"],"objects":[[0,"a"]]}',
        '{"classes":["Stranger"],"objects":[]}',
        '{"classes":3}',
        "[" * 100_000,
    ],
)
def test_only_what_the_hints_say_is_read(document: str) -> None:
    with pytest.raises(CodecError):
        read(document, Stranger)


def test_what_nests_too_deep_is_not_kept(tmp_path: Path, kept: Path) -> None:
    text = "import torch\nclass A(torch.nn.Module):\n def f(self, x):\n  self.x = " + "g(" * 80
    facts(tmp_path, text + "x" + ")" * 80)
    assert len([*kept.iterdir()]) <= 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_links_are_not_followed(tmp_path: Path, extracted: list[str]) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    facts(there)
    (here / ".pyroify").mkdir()
    (here / ".pyroify" / "cache").symlink_to(there / ".pyroify" / "cache")
    facts(here)
    (here / ".pyroify" / "cache").unlink()
    facts(here)
    [entry] = (here / ".pyroify" / "cache").iterdir()
    entry.unlink()
    entry.symlink_to(there / ".pyroify" / "cache" / entry.name)
    facts(here)
    assert len(extracted) == 4


def test_what_git_tracks_is_not_trusted(tmp_path: Path, kept: Path, extracted: list[str]) -> None:
    facts(tmp_path)
    for command in (["init", "-q"], ["add", "-f", ".pyroify/cache"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    facts(tmp_path)
    facts(tmp_path)
    assert len(extracted) == 3


def test_git_ignores_it_by_itself(lay_out: LayOut, run: Run, kept: Path) -> None:
    root = lay_out(PROJECT)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    run("rewrite", "--check")
    seen = subprocess.run(["git", "status", "--short"], cwd=root, capture_output=True, text=True)
    assert [*kept.iterdir()] and ".pyroify" not in seen.stdout


def test_no_cache_leaves_no_folder(
    lay_out: LayOut, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = lay_out(PROJECT)
    run("rewrite", "--check", "--no-cache")
    monkeypatch.setenv("PYROIFY_NO_CACHE", "1")
    run("rewrite", "--check")
    assert not (root / ".pyroify").exists()


def test_what_was_of_no_use_for_longest_makes_room(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, extracted: list[str]
) -> None:
    texts = [f"{NET}\n# {number}\n" for number in range(4)]
    for text in texts:
        facts(tmp_path, text)
    entries = sorted(kept.iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
    for age, entry in enumerate(reversed(entries)):
        os.utime(entry, (1e9 - age, 1e9 - age))
    (kept / "begun.new").write_bytes(b"")
    os.utime(kept / "begun.new", (1e9, 1e9))
    monkeypatch.setattr(cache, "ROOM", int(3.5 * entries[0].stat().st_size))
    facts(tmp_path, texts[0])  # the oldest, of use again
    facts(tmp_path, NET)
    left = {entry.name for entry in kept.iterdir()}
    assert entries[0].name in left and len(left) == 3
    assert entries[1].name not in left and "begun.new" not in left


def test_several_processes_may_keep_at_once(lay_out: LayOut, kept: Path) -> None:
    many = {f"net{n}.py": NET.replace("Net", f"Net{n}") for n in range(30)}
    root = lay_out({**many, "pyroify.yaml": SPEC})
    command = [sys.executable, "-m", "pyroify", "rewrite", "--check", "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cache.__file__).parents[1])}
    running = [
        subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    said = {process.communicate()[0] for process in running}
    assert len(said) == 1 and {process.returncode for process in running} == {1}
    assert len([*kept.iterdir()]) == 31 and not [*kept.glob("*.new")]


def test_set_aside_keeps_but_does_not_read(tmp_path: Path, extracted: list[str]) -> None:
    facts(tmp_path)
    with keeping(tmp_path):
        with set_aside():
            loaded(tmp_path)
        loaded(tmp_path)
    assert len(extracted) == 2


@pytest.mark.parametrize("command", [("rewrite", "--check"), ("plan",), ("status",)])
def test_timings_say_what_each_stage_took(
    command: tuple[str, ...], lay_out: LayOut, run: Run
) -> None:
    lay_out(PROJECT)
    plain = run(*command, "--no-cache")
    timed = run(*command, "--no-cache", "--timings")
    assert (timed.code, timed.out) == (plain.code, plain.out)
    lines = [line.split(" s ") for line in timed.err.splitlines() if " s " in line]
    spent = {stage: float(seconds) for seconds, stage in lines}
    assert [*spent][:4] == ["start", "find files", "read", "plan"]
    *stages, (last, whole) = spent.items()
    assert last == "in all" and whole == pytest.approx(sum(s for _, s in stages), abs=0.05)
