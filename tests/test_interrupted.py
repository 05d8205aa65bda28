"""Every command says when an earlier run was left half published."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from conftest import Run
from test_cli import NET, SPEC, SVI, TRAINING

WAITING = NET.replace("Net", "New")
STAGED = ".pyroify-0123abcd-0"
READING = [
    ["plan"],
    ["plan", "Net.fc.weight"],
    ["plan", "--format", "json"],
    ["rewrite", "--check"],
    ["rewrite", "--diff"],
    ["rewrite", "--check", "--format", "json"],
    ["rewrite", "-", "--stdin-filename", "net.py"],
    ["verify"],
    ["verify", "--format", "json"],
    ["convert-checkpoint", "old.pt"],
]
WRITING = [["rewrite"], ["rewrite", "--format", "json"], ["emit"], ["init"]]


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@pytest.fixture
def root(lay_out: Callable) -> Path:
    """A project in which a killed run has still to make other.py new."""
    return lay_out(
        {
            **TRAINING,
            "old.pt": b"",
            "other.py": NET,
            STAGED: WAITING,
            ".pyroify/journal.json": json.dumps(
                {
                    "version": 1,
                    "phase": "publishing",
                    "entries": [
                        {
                            "target": "other.py",
                            "staged": STAGED,
                            "before": digest(NET),
                            "after": digest(WAITING),
                        }
                    ],
                }
            ),
        }
    )


def contents(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def as_phase(root: Path, phase: str) -> None:
    path = root / ".pyroify/journal.json"
    path.write_text(path.read_text().replace("publishing", phase))


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_names_the_files_and_exits_2(
    run: Run, root: Path, command: list[str]
) -> None:
    before = contents(root)
    ended = run(*command)
    assert ended.code == 2
    assert "other.py:1:1 PYR238 an earlier run was killed while it wrote" in ended.err
    assert "`pyroify rewrite` finishes that run" in ended.err
    assert contents(root) == before
    if "json" in command:
        assert json.loads(ended.out)["findings"][0]["code"] == "PYR238"
    else:
        assert not ended.out


@pytest.mark.parametrize("command", WRITING)
def test_a_command_that_writes_finishes_it_and_says_so(
    run: Run, root: Path, command: list[str]
) -> None:
    if command == ["init"]:
        (root / "pyroify.yaml").unlink()
    ended = run(*command)
    assert ended.code == 0
    assert "finished what a killed run began: other.py\n" in ended.err
    assert "class New" in (root / "other.py").read_text()
    assert not (root / STAGED).exists()
    assert not (root / ".pyroify/journal.json").exists()
    assert run("plan").code == 0


@pytest.mark.parametrize("command", WRITING)
def test_what_was_edited_since_is_named_and_left(run: Run, root: Path, command: list[str]) -> None:
    edited = NET.replace("Net", "Mine")
    (root / "other.py").write_text(edited)
    assert run("plan").code == 2
    if command == ["init"]:
        (root / "pyroify.yaml").unlink()
    ended = run(*command)
    assert "edited since a run was killed, left as it is: other.py\n" in ended.err
    assert "class Mine" in (root / "other.py").read_text()
    assert run("plan").code == 0


@pytest.mark.parametrize("command", [*READING[:-1], *WRITING])
def test_a_run_that_had_changed_nothing_is_no_half_published_one(
    run: Run, root: Path, command: list[str]
) -> None:
    as_phase(root, "staging")
    if command == ["init"]:
        (root / "pyroify.yaml").unlink()
    ended = run(*command)
    assert "PYR238" not in ended.err
    assert ("cleared away what a killed run had prepared" in ended.err) is (command in WRITING)
    assert (root / STAGED).exists() is (command not in WRITING)


@pytest.mark.parametrize("command", [*READING, *WRITING])
def test_a_journal_that_is_not_followed_stops_every_command(
    run: Run, root: Path, command: list[str]
) -> None:
    as_phase(root, "deleting")
    if command == ["init"]:
        (root / "pyroify.yaml").unlink()
    before = contents(root)
    ended = run(*command)
    assert ended.code == 2
    assert ".pyroify/journal.json:1:1 PYR236 cannot be understood" in ended.err
    ignored = str(root / ".pyroify/.gitignore")
    assert {name: data for name, data in contents(root).items() if name != ignored} == before


def test_it_is_said_before_the_spec_is_read(run: Run, root: Path) -> None:
    (root / "pyroify.yaml").unlink()
    assert "PYR238" in run("plan").err
    (root / "pyroify.yaml").write_text(SPEC + "nonsense: 1\n" + SVI)
    assert "PYR238" in run("plan").err


def test_many_files_are_counted(run: Run, root: Path) -> None:
    path = root / ".pyroify/journal.json"
    document = json.loads(path.read_text())
    for number in range(1, 9):
        (root / f"more{number}.py").write_text(NET)
        (root / f".pyroify-0123abcd-{number}").write_text(WAITING)
        entry = dict(document["entries"][0])
        entry |= {"target": f"more{number}.py", "staged": f".pyroify-0123abcd-{number}"}
        document["entries"].append(entry)
    path.write_text(json.dumps(document))
    assert "other.py, more1.py, more2.py, more3.py, more4.py and 4 more\n" in run("plan").err
