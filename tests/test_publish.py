"""Every file is whole at any time; a run's files become new together or not at all."""

import errno
import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroify import publish as publishing
from pyroify.publish import Change, PublishError, is_interrupted, publish, recover

OLD = {"a.py": b"old a\n", "pkg/b.py": b"old b\r\n", "pkg/sub/c.py": b"old c"}
NEW = {name: data.replace(b"old", b"new") for name, data in OLD.items()}
CHANGES = [Change(name, OLD[name], NEW[name]) for name in OLD]


@pytest.fixture
def root(lay_out: Callable) -> Path:
    return lay_out(OLD)


def contents(root: Path) -> dict[str, bytes]:
    """All files below the root, leftovers included, but not the tool's own folder."""
    files = (path for path in root.rglob("*") if path.is_file() and ".pyroify" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def refusal(root: Path, changes: list[Change]) -> tuple[str, str, str]:
    with pytest.raises(PublishError) as caught:
        publish(root, changes)
    finding = caught.value.finding
    assert finding.help
    return finding.path, finding.code, finding.message


class TestSuccess:
    def test_every_file_is_new_and_nothing_is_left_over(self, root: Path) -> None:
        publish(root, CHANGES)
        assert contents(root) == NEW
        assert not is_interrupted(root)

    def test_git_does_not_see_the_tools_folder(self, root: Path) -> None:
        publish(root, CHANGES)
        subprocess.run(["git", "init", "-q", root], check=True)
        status = subprocess.run(
            ["git", "-C", root, "status", "--porcelain", "-uall"], check=True, capture_output=True
        )
        assert b".pyroify" not in status.stdout

    def test_no_changes_touch_nothing(self, root: Path) -> None:
        publish(root, [])
        assert not (root / ".pyroify").exists()

    def test_a_new_file_gets_the_usual_mode(self, root: Path) -> None:
        publish(root, [Change("pyroify.yaml", None, b"version: 1\n")])
        usual = root / "usual"
        usual.touch()
        assert (root / "pyroify.yaml").read_bytes() == b"version: 1\n"
        assert (root / "pyroify.yaml").stat().st_mode == usual.stat().st_mode

    @pytest.mark.parametrize("mode", [0o755, 0o640, 0o600])
    def test_the_mode_stays(self, root: Path, mode: int) -> None:
        (root / "a.py").chmod(mode)
        publish(root, CHANGES)
        assert stat.S_IMODE((root / "a.py").stat().st_mode) == mode

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_the_owner_stays(self, root: Path) -> None:
        os.chown(root / "a.py", 1234, 1234)
        publish(root, CHANGES)
        status = (root / "a.py").stat()
        assert (status.st_uid, status.st_gid) == (1234, 1234)

    def test_a_link_stays_a_link_and_the_real_file_is_new(self, root: Path) -> None:
        (root / "link.py").symlink_to("pkg/b.py")
        publish(root, [Change("link.py", OLD["pkg/b.py"], NEW["pkg/b.py"])])
        assert (root / "link.py").is_symlink()
        assert (root / "pkg/b.py").read_bytes() == NEW["pkg/b.py"]

    def test_a_file_and_a_link_to_it_are_one(self, root: Path) -> None:
        (root / "link.py").symlink_to("a.py")
        publish(root, [CHANGES[0], Change("link.py", OLD["a.py"], NEW["a.py"])])
        assert (root / "link.py").is_symlink()
        assert (root / "a.py").read_bytes() == NEW["a.py"]


class TestRefusal:
    """Whatever is wrong with one file, no file is touched and nothing is left over."""

    def test_a_file_edited_since_it_was_read(self, root: Path) -> None:
        (root / "pkg/b.py").write_bytes(b"edited\n")
        before = contents(root)
        assert refusal(root, CHANGES)[:2] == ("pkg/b.py", "PYR232")
        assert contents(root) == before

    def test_a_file_deleted_since_it_was_read(self, root: Path) -> None:
        (root / "pkg/b.py").unlink()
        assert refusal(root, CHANGES)[:2] == ("pkg/b.py", "PYR232")
        assert contents(root) == {name: OLD[name] for name in OLD if name != "pkg/b.py"}

    def test_a_new_file_that_is_there_already(self, root: Path) -> None:
        assert refusal(root, [Change("a.py", None, b"x")])[:2] == ("a.py", "PYR232")
        assert contents(root) == OLD

    def test_a_read_only_file(self, root: Path) -> None:
        (root / "pkg/sub/c.py").chmod(0o444)
        assert refusal(root, CHANGES) == ("pkg/sub/c.py", "PYR233", "is read-only")
        assert contents(root) == OLD

    def test_a_link_that_leads_out_of_the_project(self, root: Path) -> None:
        project = root / "pkg"
        (project / "link.py").symlink_to(root / "a.py")
        path, code, message = refusal(project, [Change("link.py", OLD["a.py"], NEW["a.py"])])
        assert (path, code) == ("link.py", "PYR233")
        assert "outside the project" in message
        assert (root / "a.py").read_bytes() == OLD["a.py"]

    def test_one_real_file_with_two_results(self, root: Path) -> None:
        (root / "link.py").symlink_to("a.py")
        changes = [CHANGES[0], Change("link.py", OLD["a.py"], b"other\n")]
        assert refusal(root, changes)[1] == "PYR233"
        assert (root / "a.py").read_bytes() == OLD["a.py"]


class TestFailure:
    @pytest.mark.parametrize("call", [1, 3, 4, 5, 9])
    def test_a_full_disk_at_any_write(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, call: int
    ) -> None:
        # Syncs: 1 the journal, 2 its folder, 3-5 the files, 6-8 their folders, 9 the journal.
        fail_at(monkeypatch, "fsync", call, OSError(errno.ENOSPC, "No space left on device"))
        _, code, message = refusal(root, CHANGES)
        assert code == "PYR233"
        assert "No space left on device" in message
        monkeypatch.undo()
        assert contents(root) == OLD
        assert not is_interrupted(root)

    @pytest.mark.parametrize("call", [3, 4, 5])
    def test_a_rename_that_fails_is_undone(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, call: int
    ) -> None:
        # Renames: the journal twice, then the three files.
        fail_at(monkeypatch, "replace", call, OSError(errno.EACCES, "Permission denied"))
        path, code, message = refusal(root, CHANGES)
        assert (path, code) == (list(OLD)[call - 3], "PYR233")
        assert "nothing was changed" in message
        assert contents(root) == OLD

    def test_a_rename_that_cannot_be_undone_is_said(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        denied = OSError(errno.EACCES, "Permission denied")
        fail_at(monkeypatch, "replace", 5, denied, ever_after=True)
        path, _, message = refusal(root, CHANGES)
        assert path == "a.py"
        assert message.endswith("new content is in: a.py, pkg/b.py")
        assert contents(root) == {**NEW, "pkg/sub/c.py": OLD["pkg/sub/c.py"]}

    @pytest.mark.parametrize("call", range(1, 5))
    def test_ctrl_c_while_staging(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, call: int
    ) -> None:
        fail_at(monkeypatch, "fsync", call, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            publish(root, CHANGES)
        assert contents(root) == OLD
        assert not is_interrupted(root)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_while_renaming_waits_for_the_end(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        def interrupt(number: int, frame: object) -> None:
            raise KeyboardInterrupt

        replace = os.replace

        def send_and_replace(source: Path, target: Path) -> None:
            signal.raise_signal(number)
            replace(source, target)

        previous = signal.signal(number, interrupt)
        try:
            monkeypatch.setattr(publishing.os, "replace", send_and_replace, raising=True)
            monkeypatch.setattr(publishing, "_write_journal", lambda *_: None)
            with pytest.raises(KeyboardInterrupt):
                publish(root, CHANGES)
        finally:
            signal.signal(number, previous)
        assert contents(root) == NEW


def fail_at(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    call: int,
    error: BaseException,
    ever_after: bool = False,
) -> None:
    """Makes the ``call``-th call of ``os.<name>`` raise, and perhaps all later ones."""
    original, calls = getattr(os, name), iter(range(1, 1000))

    def fail(*args: object) -> object:
        number = next(calls)
        if number == call or (ever_after and number > call):
            raise error
        return original(*args)

    monkeypatch.setattr(publishing.os, name, fail)


class TestRecovery:
    """A process that is killed outright: the next run finds the journal."""

    def killed_at(self, root: Path, name: str, call: int) -> None:
        """Publishes in a child that dies without a word at the ``call``-th ``os.<name>``."""
        program = f"""
            import os, signal, sys
            from pathlib import Path
            from pyroify.publish import Change, publish
            original, calls = os.{name}, iter(range(1, 1000))
            def die(*args):
                if next(calls) == {call}:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*args)
            os.{name} = die
            publish(Path({str(root)!r}), {CHANGES!r})
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)])
        assert done.returncode == -signal.SIGKILL

    @pytest.mark.parametrize("call", [1, 3, 5])
    def test_killed_while_staging_is_cleared_away(self, root: Path, call: int) -> None:
        self.killed_at(root, "fsync", call)
        assert {name: contents(root)[name] for name in OLD} == OLD
        assert recover(root).finished == ()
        assert contents(root) == OLD
        assert not is_interrupted(root)

    @pytest.mark.parametrize("call", [3, 4, 5])
    def test_killed_while_renaming_is_finished(self, root: Path, call: int) -> None:
        self.killed_at(root, "replace", call)
        names = list(OLD)
        for number, name in enumerate(names):
            expected = NEW if number < call - 3 else OLD
            assert (root / name).read_bytes() == expected[name]
        assert is_interrupted(root)
        assert recover(root).finished == tuple(names[call - 3 :])
        assert contents(root) == NEW
        assert not is_interrupted(root)

    def test_a_file_edited_after_the_kill_is_left_alone(self, root: Path) -> None:
        self.killed_at(root, "replace", 4)
        (root / "pkg/b.py").write_bytes(b"edited\n")
        recovery = recover(root)
        assert (recovery.finished, recovery.left) == (("pkg/sub/c.py",), ("pkg/b.py",))
        assert contents(root) == {**NEW, "pkg/b.py": b"edited\n"}

    def test_recovery_can_be_killed_too(self, root: Path) -> None:
        self.killed_at(root, "replace", 3)
        program = f"""
            import os, signal
            from pathlib import Path
            from pyroify import publish
            original = os.replace
            def die(*args):
                original(*args)
                os.kill(os.getpid(), signal.SIGKILL)
            os.replace = die
            publish.recover(Path({str(root)!r}))
        """
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)])
        assert done.returncode == -signal.SIGKILL
        assert recover(root).finished == tuple(list(OLD)[1:])
        assert contents(root) == NEW

    def test_nothing_to_recover(self, root: Path) -> None:
        assert recover(root) == publishing.Recovery()
        assert contents(root) == OLD

    def test_a_journal_that_makes_no_sense_is_refused(self, root: Path) -> None:
        state = root / ".pyroify"
        state.mkdir()
        (state / "journal.json").write_text('{"phase": "publishing"}')
        with pytest.raises(PublishError) as caught:
            recover(root)
        assert caught.value.finding.code == "PYR236"

    @pytest.mark.slow
    def test_killed_at_random_moments_every_file_is_whole(self, tmp_path: Path) -> None:
        names = [f"pkg{i % 7}/module{i}.py" for i in range(120)]
        changes = [Change(name, b"old\n" * 500, b"new\n" * 600) for name in names]
        program = textwrap.dedent(f"""
            import sys
            from pathlib import Path
            from pyroify.publish import Change, publish
            changes = [Change(name, b"old\\n" * 500, b"new\\n" * 600) for name in {names!r}]
            print("go", flush=True)
            publish(Path(sys.argv[1]), changes)
        """)

        def start(root: Path) -> subprocess.Popen[bytes]:
            for change in changes:
                (root / change.path).parent.mkdir(parents=True, exist_ok=True)
                (root / change.path).write_bytes(change.before or b"")
            command = [sys.executable, "-c", program, str(root)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert child.stdout is not None and child.stdout.readline() == b"go\n"
            return child

        started = time.monotonic()
        start(tmp_path / "whole").communicate()
        duration = time.monotonic() - started
        dice = random.Random(0)
        for attempt in range(12):
            root = tmp_path / str(attempt)
            child = start(root)
            time.sleep(dice.uniform(0, duration))
            child.kill()
            child.communicate()
            for change in changes:
                assert (root / change.path).read_bytes() in (change.before, change.after)
            recover(root)
            after = contents(root)
            assert set(after) == set(names), "something was left over"
            assert len(set(after.values())) == 1, "some files are old and some are new"
