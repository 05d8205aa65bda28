"""What someone at a terminal sees: colours, a bar, less or more of it, and completion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from conftest import LayOut, Run

from pyroify import terminal
from pyroify.cli import cli
from pyroify.terminal import colour_findings, watched

SPEC = 'version: 1\npriors:\n  - {match: "**", sample: "Normal(0, 1)"}\n'
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)  # pyroify: ignore[PYR026]
"""


@pytest.fixture
def root(lay_out: LayOut) -> Path:
    return lay_out({"net.py": NET, "pyroify.yaml": SPEC})


class TestColours:
    def test_of_findings(self) -> None:
        text = "a.py:3:1 PYR064 said\n    help: do\na.py:4:1 PYR074 more\nno finding PYR064\n"
        assert colour_findings(text) == (
            "\x1b[1ma.py:3:1\x1b[0m \x1b[33mPYR064\x1b[0m said\n"
            "\x1b[2m    help: do\x1b[0m\n"
            "\x1b[1ma.py:4:1\x1b[0m \x1b[31mPYR074\x1b[0m more\n"
            "no finding PYR064\n"
        )

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
    @pytest.mark.parametrize("no_color", ["", "1"])
    def test_only_on_a_terminal_that_wants_them(self, root: Path, no_color: str) -> None:
        import pty

        ours, theirs = pty.openpty()
        environment = {**os.environ, "NO_COLOR": no_color}
        command = [sys.executable, "-m", "pyroify", "rewrite", "--check"]
        subprocess.run(command, cwd=root, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        said = os.read(ours, 1 << 16)
        assert b"PYR064" in said
        assert (b"\x1b[33mPYR064\x1b[0m" in said) is not bool(no_color)

    def test_not_in_a_pipe(self, root: Path, run: Run) -> None:
        assert "\x1b" not in run("rewrite", "--check").out


class TestVolume:
    @pytest.mark.parametrize("name", sorted(cli.commands))
    def test_every_command_has_it(self, name: str) -> None:
        options = {option for p in cli.commands[name].params for option in p.opts}
        assert {"-q", "--quiet", "-v", "--verbose"} <= options

    def test_quiet_leaves_warnings_and_chatter_out(self, root: Path, run: Run) -> None:
        assert "PYR064" in run("plan").err
        assert run("plan", "-q").err == ""
        assert run("rewrite", "-q").err == run("rewrite", "-q").out == ""
        assert run("undo", "-q").err == ""

    def test_quiet_says_what_went_wrong(self, root: Path, run: Run) -> None:
        assert "PYR201" in run("rewrite", "gone.py", "-q").err

    def test_verbose_shows_where_an_error_came_from(self, root: Path, run: Run) -> None:
        assert "Traceback" in run("rewrite", "gone.py", "-v").err
        assert "Traceback" not in run("rewrite", "gone.py").err


class TestBar:
    @pytest.fixture
    def shown(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """What the bar was told."""
        told: list[int] = []

        class Bar:
            def update(self, steps: int) -> None:
                told.append(steps)

            def render_finish(self) -> None:
                told.append(-1)

        monkeypatch.setattr(click, "progressbar", lambda **_: Bar())
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        return told

    def seconds(self, monkeypatch: pytest.MonkeyPatch, *times: float) -> None:
        clock: Iterator[float] = iter(times)
        monkeypatch.setattr(terminal, "monotonic", lambda: next(clock))

    def test_comes_after_a_while(self, monkeypatch: pytest.MonkeyPatch, shown: list[int]) -> None:
        self.seconds(monkeypatch, 0, 1, 2.5)
        assert list(watched("abcd", 4)) == [*"abcd"]
        assert shown == [2, 1, 1, -1]

    def test_not_for_quick_work(self, monkeypatch: pytest.MonkeyPatch, shown: list[int]) -> None:
        self.seconds(monkeypatch, 0, 1, 1, 1)
        assert list(watched("abc", 3)) == [*"abc"]
        assert shown == []

    def test_not_where_nobody_watches(
        self, monkeypatch: pytest.MonkeyPatch, shown: list[int]
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
        assert list(watched("abc", 3)) == [*"abc"]
        assert shown == []


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_scripts(self, run: Run, shell: str) -> None:
        ended = run("completion", shell)
        assert ended.code == 0
        assert "_PYROIFY_COMPLETE" in ended.out

    def test_of_the_users_shell(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHELL", "/usr/bin/fish")
        assert run("completion").out == run("completion", "fish").out
        monkeypatch.setenv("SHELL", "/bin/csh")
        ended = run("completion")
        assert ended.code == 2
        assert "no completion for csh" in ended.err

    @pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
    def test_bash_completes(self, tmp_path: Path) -> None:
        program = tmp_path / "pyroify"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pyroify "$@"\n')
        program.chmod(0o755)
        script = """
            eval "$(pyroify completion bash)"
            COMP_WORDS=(pyroify rew) COMP_CWORD=1
            _pyroify_completion pyroify; echo "${COMPREPLY[@]}"
        """
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        ended = subprocess.run(
            ["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert ended.stdout.strip() == "rewrite", ended.stderr


def test_emit_offers_a_section_where_there_is_none(root: Path, run: Run) -> None:
    run("rewrite")
    ended = run("emit")
    assert ended.code == 2
    assert "\nsvi:\n" in ended.out
    with (root / "pyroify.yaml").open("a") as spec:
        spec.write(ended.out)
    assert run("emit").code == 0
    assert (root / "train_svi.py").exists()
