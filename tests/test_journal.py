"""A journal that came with the repository makes no run write, move or delete anything."""

import json
import os
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyroify.journal import LARGEST
from pyroify.publish import Change, PublishError, pending, publish, recover

NEW = b"new\n"
STAGED = ".pyroify-0123abcd-0"


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def entry(**changes: Any) -> dict[str, Any]:
    """A file ``a.py`` whose new content waits."""
    usual = {"target": "a.py", "staged": STAGED, "before": digest(b"old\n"), "after": digest(NEW)}
    return {**usual, **changes}


def journal(*entries: Any, **changes: Any) -> dict[str, Any]:
    usual = {"version": 1, "phase": "publishing", "entries": list(entries or [entry()])}
    return {**usual, **changes}


@pytest.fixture
def root(lay_out: Callable) -> Path:
    """A project inside a folder that it must not touch, with content that waits everywhere."""
    place = lay_out(
        {
            "outside/a.py": b"old\n",
            "project/a.py": b"old\n",
            "project/sub/b.py": b"old\n",
            "project/logo.txt": NEW,
            f"project/{STAGED}": NEW,
            f"project/sub/{STAGED}": NEW,
            f"outside/{STAGED}": NEW,
        }
    )
    root = place / "project"
    (root / "out").symlink_to(place / "outside")
    (root / "in").symlink_to("sub")
    (root / "link.py").symlink_to("a.py")
    return root


def leave(root: Path, document: Any) -> None:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    (root / ".pyroify").mkdir(exist_ok=True)
    (root / ".pyroify/journal.json").write_bytes(text)


def everything(folder: Path) -> dict[str, Any]:
    """Each file and link below ``folder``, the tool's own note to git apart."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file() and not name.endswith(".pyroify/.gitignore"):
            found[name] = path.read_bytes()
    return found


def refusal(root: Path) -> str:
    """Why the journal is refused, by all who read it; nothing has moved afterwards."""
    before = everything(root.parent)
    messages = []
    for act in (pending, recover, lambda root: publish(root, [Change("new.py", None, b"x")])):
        with pytest.raises(PublishError) as caught:
            act(root)
        finding = caught.value.finding
        assert finding.code == "PYR236"
        assert "journal.json" in finding.help
        messages.append(finding.message)
    assert everything(root.parent) == before
    assert len(set(messages)) == 1
    return messages[0]


def test_one_of_a_run_here_is_followed(root: Path) -> None:
    leave(root, journal())
    assert pending(root).finished == ("a.py",)
    assert (root / "a.py").read_bytes() == b"old\n"
    assert recover(root).finished == ("a.py",)
    assert (root / "a.py").read_bytes() == NEW
    assert not (root / ".pyroify/journal.json").exists()


def test_publish_finishes_it_first(root: Path) -> None:
    leave(root, journal())
    assert publish(root, [Change("new.py", None, b"x")]).finished == ("a.py",)
    assert (root / "a.py").read_bytes() == NEW
    assert (root / "new.py").read_bytes() == b"x"


def test_what_the_earlier_run_makes_new_was_edited_meanwhile(root: Path) -> None:
    leave(root, journal())
    with pytest.raises(PublishError, match="edited while"):
        publish(root, [Change("a.py", b"old\n", b"another\n")])
    assert (root / "a.py").read_bytes() == NEW


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "../outside/a.py"}, "not normalised"),
        ({"target": "sub/../../outside/a.py"}, "not normalised"),
        ({"target": "./a.py"}, "not normalised"),
        ({"target": "sub//b.py"}, "not normalised"),
        ({"target": ""}, "is no path"),
        ({"target": "a.py\0"}, "is no path"),
        ({"target": "\ud800.py"}, "is no path"),
        ({"target": "/etc/passwd"}, "not relative"),
        ({"target": "x" * 5000}, "too long"),
        ({"target": ".git/hooks/pre-commit"}, "in .git"),
        ({"target": "sub/.GIT/config"}, "in .git"),
        ({"target": ".gi\u200ct/config"}, "in .git"),
        ({"target": ".git./config"}, "in .git"),
        ({"target": "GIT~1/config"}, "in .git"),
        ({"target": ".git::$INDEX_ALLOCATION/config"}, "in .git"),
        ({"target": "out/a.py", "staged": f"out/{STAGED}"}, "by a link"),
        ({"target": "in/b.py", "staged": f"in/{STAGED}"}, "by a link"),
        ({"target": "link.py"}, "is a link"),
        ({"target": "sub"}, "is no file"),
        ({"target": ".pyroify/journal.json", "staged": f".pyroify/{STAGED}"}, "pyroify's own"),
        ({"target": ".pyroify-0123abcd-1"}, "pyroify's own"),
        ({"staged": "logo.txt"}, "no file that pyroify prepares"),
        ({"staged": f"sub/{STAGED}"}, "no file that pyroify prepares"),
        ({"staged": f"../outside/{STAGED}"}, "not normalised"),
        ({"staged": ".pyroify-0123abcd-00"}, "no file that pyroify prepares"),
        ({"staged": ".pyroify-0123ABCD-0"}, "no file that pyroify prepares"),
        ({"staged": f"{STAGED}\n"}, "no file that pyroify prepares"),
        ({"before": "x"}, "a digest that is none"),
        ({"before": "", "after": ""}, "a digest that is none"),
        ({"after": 1}, "no text"),
        ({"target": None}, "no text"),
        ({"mode": "0755"}, "one too many"),
    ],
)
def test_an_entry_that_no_run_writes(root: Path, changes: dict[str, Any], message: str) -> None:
    leave(root, journal(entry(**changes)))
    assert message in refusal(root)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (journal(phase="deleting"), "phase"),
        (journal(phase=["staging"]), "phase"),
        (journal(version=2), "another version"),
        (journal(more=1), "must have"),
        (journal(entries={}), "no list"),
        (journal("a.py"), "an entry lacks"),
        (journal(entry(), entry(staged=".pyroify-0123abcd-1")), "names 'a.py' 2 times"),
        (journal(entry(), entry(target="c.py")), f"names '{STAGED}' 2 times"),
        ([], "must have"),
        (b"", "cannot be understood"),
        (b'{"version": 1, "phase": "publ', "cannot be understood"),
        (b"\xff\xfe", "cannot be understood"),
        (b"[" * 100_000, "cannot be understood"),
        (b"9" * 10_000, "cannot be understood"),
        (b" " * (LARGEST + 1), "too large"),
    ],
)
def test_a_document_that_no_run_writes(root: Path, document: Any, message: str) -> None:
    leave(root, document)
    assert message in refusal(root)


def test_what_waits_must_be_a_file(root: Path) -> None:
    (root / STAGED).unlink()
    (root / STAGED).symlink_to("logo.txt")
    leave(root, journal())
    assert "is a link" in refusal(root)


def test_a_pipe_in_place_of_a_file_blocks_nobody(root: Path) -> None:
    (root / STAGED).unlink()
    os.mkfifo(root / STAGED)
    leave(root, journal())
    assert "is no file" in refusal(root)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_the_journal_must_be_a_file(root: Path, kind: str) -> None:
    path = root / ".pyroify/journal.json"
    path.parent.mkdir()
    if kind == "link":
        (root / "notes.json").write_text(json.dumps(journal()))
        path.symlink_to("../notes.json")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert refusal(root)


def test_a_folder_of_state_that_is_a_link_is_not_followed(root: Path) -> None:
    outside = root.parent / "outside"
    (root / ".pyroify").symlink_to(outside)
    for left in (None, json.dumps(journal())):
        if left:
            (outside / "journal.json").write_text(left)
        before = everything(root.parent)
        with pytest.raises(PublishError, match="is a link"):
            publish(root, [Change("new.py", None, b"x")])
        assert everything(root.parent) == before
    with pytest.raises(PublishError, match="is a link"):
        pending(root)


@pytest.mark.parametrize("name", [".gitignore", "journal.json.new"])
def test_links_in_the_folder_of_state_are_not_written_through(root: Path, name: str) -> None:
    outside = root.parent / "outside"
    (root / ".pyroify").mkdir()
    for number, target in enumerate((outside / "a.py", outside / "planted")):
        (root / ".pyroify" / name).unlink(missing_ok=True)
        (root / ".pyroify" / name).symlink_to(target)
        before = everything(outside)
        publish(root, [Change(f"new{number}.py", None, b"x")])
        assert everything(outside) == before


class TestGit:
    """What is in a commit, or is to be, is of no run that was killed here."""

    @pytest.fixture(autouse=True)
    def repository(self, root: Path) -> None:
        self.git(root, "init", "-q")

    def git(self, root: Path, *args: str) -> None:
        subprocess.run(["git", "-C", root, *args], check=True, capture_output=True)

    def test_nothing_of_it_tracked(self, root: Path) -> None:
        self.git(root, "add", "a.py")
        leave(root, journal())
        assert recover(root).finished == ("a.py",)

    @pytest.mark.parametrize("path", [".pyroify/journal.json", STAGED])
    def test_a_file_of_it_tracked(self, root: Path, path: str) -> None:
        leave(root, journal())
        self.git(root, "add", "-f", path)
        assert f"git tracks '{path}'" in refusal(root)

    def test_tracked_by_a_repository_of_its_own(self, root: Path) -> None:
        leave(root, journal())
        self.git(root / ".pyroify", "init", "-q")
        self.git(root / ".pyroify", "add", "-f", "journal.json")
        assert "git tracks '.pyroify/journal.json'" in refusal(root)

    def test_a_bare_repository_chooses_no_program(self, root: Path) -> None:
        leave(root, journal())
        self.git(root / ".pyroify", "init", "-q", "--bare")
        evil = root.parent / "evil"
        evil.write_text(f"#!/bin/sh\ntouch {root.parent}/PWNED\n")
        evil.chmod(0o755)
        with (root / ".pyroify/config").open("a") as config:
            config.write(f"\tbare = false\n\tworktree = ..\n\tfsmonitor = {evil}\n")
        assert "cannot be trusted" in refusal(root)

    def test_a_hook_of_another_repository(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Git sets these for the programs that its hooks run."""
        leave(root, journal())
        self.git(root, "add", "-f", STAGED)
        monkeypatch.setenv("GIT_DIR", str(root.parent / "other"))
        monkeypatch.setenv("GIT_INDEX_FILE", "other")
        assert "git tracks" in refusal(root)

    def test_without_git_nothing_is_trusted(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leave(root, journal())
        monkeypatch.setenv("PATH", "")
        assert "git cannot be asked" in refusal(root)


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", "sub/.Git/config"])
def test_no_change_goes_into_git(root: Path, path: str) -> None:
    (root / path).parent.mkdir(parents=True)
    with pytest.raises(PublishError, match=r"is in \.git"):
        publish(root, [Change(path, None, b"x")])


def test_no_change_follows_a_link_into_git(root: Path) -> None:
    (root / ".git/hooks").mkdir(parents=True)
    (root / "train.py").symlink_to(".git/hooks/pre-commit")
    with pytest.raises(PublishError, match=r"a link to .*, which is in \.git"):
        publish(root, [Change("train.py", None, b"x")])
    assert not (root / ".git/hooks/pre-commit").exists()


NAMES = st.sampled_from(
    f"a.py b.py .. . in out sub outside project {STAGED} .git .pyroify journal.json link.py "
    "logo.txt \0 \ud800 ~ C: \\".split(" ")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
HASHES = st.sampled_from([digest(b"old\n"), digest(NEW), "", "x"])
ENTRIES = st.fixed_dictionaries(
    {"target": PATHS, "staged": PATHS, "before": HASHES, "after": HASHES}
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(ENTRIES, max_size=3), st.sampled_from(["staging", "publishing"]))
def test_whatever_it_says_nothing_outside_moves(
    root: Path, entries: list[dict[str, str]], phase: str
) -> None:
    (root / ".git").mkdir(exist_ok=True)
    outside, git = everything(root.parent / "outside"), everything(root / ".git")
    leave(root, journal(phase=phase, entries=entries))
    try:
        recover(root)
    except PublishError as error:
        assert error.finding.code == "PYR236"
    assert everything(root.parent / "outside") == outside
    assert everything(root / ".git") == git
    assert (root / "logo.txt").read_bytes() == NEW
