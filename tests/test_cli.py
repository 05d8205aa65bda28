"""The commands as a user meets them: what they print where, and what they leave behind."""

import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, Run

from pyroify import __version__, planning

PROGRAM = (sys.executable, "-m", "pyroify")
SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""
HEADER = "from torch import nn\n\n\n"
NET = (
    HEADER
    + """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""
)
REFUSED = (
    HEADER
    + """\
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3, 3), nn.Linear(3, 3)]
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.fc(x)
"""
)
OUTSIDE = HEADER + "def build():\n    return nn.Linear(3, 1)\n"
BROKEN = "import torch\nclass Net(torch.nn.Module)\n"
SVI = """\
svi:
  model: {class: "net:Net"}
  data: {source: "sklearn:diabetes"}
"""
PROJECT = {"pyroify.yaml": SPEC, "net.py": NET}
TRAINING = {"pyroify.yaml": SPEC + SVI, "net.py": NET}
SUBCLASS = """\
from net import Net


class Sub(Net):
    def forward(self, x):
        return 2 * self.fc(x)
"""


class TestExitCode:
    """The table of the documentation, row by row."""

    @pytest.mark.parametrize(
        "args", [["--help"], ["-h"], ["--version"], ["rule"], ["rule", "PYR002"]]
    )
    def test_0_when_asked_about_itself(self, run: Run, args: list[str]) -> None:
        assert run(*args).code == 0

    @pytest.mark.parametrize("command", ["plan", "rewrite"])
    def test_0_done_and_complete(self, run: Run, lay_out: Callable, command: str) -> None:
        lay_out(PROJECT)
        assert run(command).code == 0

    def test_0_when_there_is_nothing_left_to_do(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(PROJECT)
        run("rewrite")
        done = (root / "net.py").read_bytes()
        assert run("rewrite").code == 0
        assert run("rewrite", "--check").code == 0
        assert run("rewrite", "--diff").code == 0
        assert (root / "net.py").read_bytes() == done

    def test_0_when_the_spec_excludes_all_that_was_named(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": f"exclude: [net.py]\n{SPEC}", "net.py": NET})
        assert run("rewrite", "net.py").code == 0

    @pytest.mark.parametrize("flag", ["--check", "--diff"])
    def test_1_if_anything_would_change(self, run: Run, lay_out: Callable, flag: str) -> None:
        root = lay_out(PROJECT)
        assert run("rewrite", flag).code == 1
        assert (root / "net.py").read_text() == NET

    @pytest.mark.parametrize("command", [["plan"], ["rewrite"], ["rewrite", "--check"]])
    def test_1_if_something_is_left_unconverted(
        self, run: Run, lay_out: Callable, command: list[str]
    ) -> None:
        lay_out({"pyroify.yaml": SPEC, "stack.py": REFUSED})
        assert run(*command).code == 1

    @pytest.mark.parametrize("command", [["plan"], ["rewrite"], ["rewrite", "--check"]])
    def test_1_if_a_network_stands_outside_of_classes(
        self, run: Run, lay_out: Callable, command: list[str]
    ) -> None:
        lay_out({"pyroify.yaml": SPEC, "build.py": OUTSIDE})
        ended = run(*command)
        assert ended.code == 1
        assert "build.py:5:12 PYR046 a network is made in build: nn.Linear" in ended.out + ended.err

    def test_0_if_comments_leave_out_what_is_not_converted(
        self, run: Run, lay_out: Callable
    ) -> None:
        stack = REFUSED.replace("(nn.Module):", "(nn.Module):  # pyroify: ignore-class")
        outside = OUTSIDE.replace("(3, 1)", "(3, 1)  # pyroify: ignore")
        lay_out({**PROJECT, "stack.py": stack, "build.py": outside})
        ended = run("rewrite")
        assert ended.code == 0
        assert ended.out.splitlines()[-3:] == [
            "2 classes: 1 converted, 0 unchanged, 0 refused (coverage 100.0 %)",
            "1 class suppressed by a comment",
            "coverage with these: 50.0 %",
        ]
        assert run("rewrite", "--min-coverage", "51").code == 1

    @pytest.mark.parametrize("floor", ["0", "100"])
    def test_a_network_is_no_coverage_of_100(self, run: Run, lay_out: Callable, floor: str) -> None:
        lay_out({"pyroify.yaml": SPEC, "build.py": OUTSIDE})
        ended = run("rewrite", "--min-coverage", floor, "--allow-unmatched")
        assert ended.code == int(floor == "100")
        assert "0 classes: 0 converted, 0 unchanged, 0 refused (coverage n/a)" in ended.out
        assert "coverage with these: 0.0 %" in ended.out

    @pytest.mark.parametrize(("floor", "code"), [("50", 0), ("50.1", 1), ("100", 1), ("0", 0)])
    def test_1_if_coverage_is_too_low(
        self, run: Run, lay_out: Callable, floor: str, code: int
    ) -> None:
        lay_out({**PROJECT, "stack.py": REFUSED})
        assert run("rewrite", "--min-coverage", floor).code == code

    @pytest.mark.parametrize(
        "args",
        [
            ["revrite"],
            ["rewrite", "--chekc"],
            ["rewrite", "-"],
            ["rewrite", "--stdin-filename", "net.py"],
            ["rewrite", "-", "--stdin-filename", "net.py", "--format", "json"],
            ["rewrite", "--jobs", "0"],
            ["rewrite", "--min-coverage", "101"],
            ["plan", "Net.fc.wieght"],
            ["rule", "PYR999"],
        ],
        ids=" ".join,
    )
    def test_2_bad_usage(self, run: Run, lay_out: Callable, args: list[str]) -> None:
        lay_out(PROJECT)
        ended = run(*args)
        assert ended.code == 2
        assert ended.err
        assert "Traceback" not in ended.err

    @pytest.mark.parametrize("command", ["plan", "rewrite"])
    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            (None, "pyroify init"),
            ("version: 1\npriors: [\n", "pyroify.yaml:"),
            (SPEC.replace("Normal", "Nromal"), "did you mean"),
            (SPEC + '  - match: "Gone.*"\n    keep: true\n', "matches no parameter"),
        ],
        ids=["missing", "no YAML", "unknown distribution", "unmatched rule"],
    )
    def test_2_bad_spec(
        self, run: Run, lay_out: Callable, command: str, spec: str | None, message: str
    ) -> None:
        root = lay_out({"net.py": NET} if spec is None else {"net.py": NET, "pyroify.yaml": spec})
        ended = run(command)
        assert ended.code == 2
        assert message in ended.err + ended.out
        assert (root / "net.py").read_text() == NET

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (BROKEN, "PYR203"),
            (b"# torch\n\xff", "PYR204"),
            (NET.encode() + b"\0", "PYR205"),
            (NET.encode("utf-16"), "PYR205"),
        ],
        ids=["syntax error", "not UTF-8", "NUL", "UTF-16"],
    )
    def test_2_bad_source_is_named_and_the_rest_is_done(
        self, run: Run, lay_out: Callable, content: str | bytes, code: str
    ) -> None:
        root = lay_out({**PROJECT, "bad.py": content})
        ended = run("rewrite")
        assert ended.code == 2
        assert re.search(rf"^bad\.py:\d+:\d+ {code} ", ended.out, re.MULTILINE)
        assert (root / "net.py").read_text() != NET

    def test_2_bad_source_is_named_by_init(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"net.py": NET, "bad.py": BROKEN})
        ended = run("init")
        assert ended.code == 2
        assert "bad.py:2:27 PYR203" in ended.err
        assert "net:Net.fc.weight" in (root / "pyroify.yaml").read_text()

    def test_type_parameters_need_a_python_that_reads_them(
        self, run: Run, lay_out: Callable
    ) -> None:
        generic = "from net import Net\n\n\nclass Typed[T: list[int]](Net):\n    pass\n"
        root = lay_out({**PROJECT, "typed.py": generic})
        ended = run("plan")
        if sys.version_info < (3, 12):
            assert "typed.py:4:12 PYR203 not valid Python 3.11" in ended.err
            return
        (root / "net.py").write_text(NET.replace("class Net(", "class Net[T]("))
        assert (
            "+class Net[T](PyroModule, metaclass=PyroGenericMeta):" in run("rewrite", "--diff").out
        )

    def test_2_missing_target(self, run: Run, lay_out: Callable) -> None:
        lay_out(PROJECT)
        ended = run("rewrite", "gone.py")
        assert ended.code == 2
        assert "gone.py:1:1 PYR201" in ended.err

    def test_2_a_target_that_cannot_be_written(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({**PROJECT, "more.py": NET})
        (root / "more.py").chmod(0o444)
        ended = run("rewrite")
        assert ended.code == 2
        assert "more.py:1:1 PYR233 is read-only" in ended.err
        assert (root / "net.py").read_text() == NET

    def test_2_a_crash_on_one_file_spares_the_others(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pyroify.rewrite

        original = pyroify.rewrite.rewrite_source

        def crash(text: str, edits: object) -> str:
            if "crash" in text:
                raise KeyError("weight")
            return original(text, edits)

        monkeypatch.setattr(pyroify.rewrite, "rewrite_source", crash)
        root = lay_out({**PROJECT, "bad.py": f"# crash\n{NET}"})
        ended = run("rewrite", "-v")
        assert ended.code == 2
        assert "bad.py:1:1 PYR234 could not be rewritten: KeyError: 'weight'" in ended.out
        assert "Traceback" in ended.out
        assert "2 classes: 1 converted, 0 unchanged, 1 refused" in ended.out
        assert "refused by code: PYR234 x1" in ended.out
        assert (root / "bad.py").read_text() == f"# crash\n{NET}"
        assert (root / "net.py").read_text() != NET

    def test_2_and_a_traceback_on_a_bug(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def bug(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("pyroify.api.make_plan", bug)
        lay_out(PROJECT)
        ended = run("plan")
        assert ended.code == 2
        assert "ZeroDivisionError" in ended.err
        assert "please report" in ended.err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_130_interrupted_with_every_file_whole(
        self, lay_out: Callable, number: signal.Signals
    ) -> None:
        root = lay_out({**PROJECT, "more.py": NET})
        program = f"""
import os
from pyroify import cli, publish
stage = publish._stage
def interrupt(*arguments):
    stage(*arguments)
    os.kill(os.getpid(), {int(number)})
publish._stage = interrupt
cli.main(["rewrite"])
"""
        ended = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True)
        assert ended.returncode == 130
        assert b"Traceback" not in ended.stderr
        assert {path.name for path in root.iterdir()} == {*PROJECT, "more.py", ".pyroify"}
        assert (root / "net.py").read_text() == (root / "more.py").read_text() == NET


class TestRewrite:
    def test_says_what_was_done(self, run: Run, lay_out: Callable) -> None:
        lay_out({**PROJECT, "sub/stack.py": REFUSED})
        ended = run("rewrite")
        lines = ended.out.splitlines()
        assert re.fullmatch(r"sub/stack\.py:7:\d+ PYR002 .+", lines[0])
        assert lines[1].startswith("    help: ")
        assert lines[-4:] == [
            "rewrote net.py",
            "1 file changed",
            "2 classes: 1 converted, 0 unchanged, 1 refused (coverage 50.0 %)",
            "refused by code: PYR002 x1; `pyroify rule CODE` explains",
        ]
        assert ended.err == ""

    def test_paths_are_as_seen_from_the_current_folder(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = lay_out({"repo/pyroify.yaml": SPEC, "repo/sub/net.py": NET})
        monkeypatch.chdir(root / "repo/sub")
        assert "would rewrite net.py\n" in run("rewrite", "--check").out
        monkeypatch.chdir(root)
        assert "would rewrite repo/sub/net.py\n" in run("rewrite", "--check", "repo").out
        monkeypatch.chdir(lay_out({"elsewhere/x.py": ""}) / "elsewhere")
        assert (
            f"would rewrite {root / 'repo/sub/net.py'}\n"
            in run("rewrite", "--check", str(root / "repo")).out
        )

    def test_quiet_leaves_the_summary_out(self, run: Run, lay_out: Callable) -> None:
        lay_out({**PROJECT, "stack.py": REFUSED})
        ended = run("rewrite", "-q")
        assert len(ended.out.splitlines()) == 2
        assert "PYR002" in ended.out

    def test_verbose_names_every_class(self, run: Run, lay_out: Callable) -> None:
        lay_out({**PROJECT, "stack.py": REFUSED})
        out = run("rewrite", "-v").out
        assert "converted net:Net\n" in out
        assert "refused stack:Stack\n" in out

    def test_only_what_was_named_is_written(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({**PROJECT, "other.py": NET})
        run("rewrite", "net.py")
        assert (root / "other.py").read_text() == NET
        assert (root / "net.py").read_text() != NET

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_jobs_change_nothing_but_the_time(self, run: Run, lay_out: Callable, jobs: str) -> None:
        names = [f"pkg/net{number}.py" for number in range(9)]
        root = lay_out({"pyroify.yaml": SPEC, **dict.fromkeys(names, NET)})
        ended = run("rewrite", "--jobs", jobs)
        assert ended.code == 0
        assert ended.out.count("rewrote ") == 9
        assert len({(root / name).read_text() for name in names} - {NET}) == 1

    def test_bytes_outside_the_edits_survive(self, run: Run, lay_out: Callable) -> None:
        windows = b"\xef\xbb\xbf" + NET.replace("\n", "\r\n").rstrip().encode()
        latin = ("# coding: latin-1\n# caf\xe9\n" + NET).encode("latin-1")
        root = lay_out({"pyroify.yaml": SPEC, "windows.py": windows, "latin.py": latin})
        (root / "latin.py").chmod(0o750)
        assert run("rewrite").code == 0
        rewritten = (root / "windows.py").read_bytes()
        assert rewritten.startswith(b"\xef\xbb\xbf")
        assert rewritten.count(b"\n") == rewritten.count(b"\r\n") > windows.count(b"\n")
        assert rewritten.endswith(b"return self.fc(x)")
        assert (
            (root / "latin.py")
            .read_bytes()
            .startswith("# coding: latin-1\n# caf\xe9\n".encode("latin-1"))
        )
        assert (root / "latin.py").stat().st_mode & 0o777 == 0o750

    def test_unmatched_rules_can_be_allowed(self, run: Run, lay_out: Callable) -> None:
        rule = '  - match: "Gone.*"\n    keep: true\n'
        lay_out({"pyroify.yaml": SPEC + rule, "net.py": NET})
        assert "nothing is written because of PYR150\n" in run("rewrite").out
        ended = run("rewrite", "--allow-unmatched")
        assert ended.code == 0
        assert "Gone" not in ended.out

    def test_a_spec_can_be_named(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"net.py": NET, "conf/priors.yaml": SPEC})
        assert run("rewrite", "--spec", "conf/priors.yaml").code == 0
        assert (root / "net.py").read_text() != NET

    def test_what_a_killed_run_began_is_finished_first(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({**PROJECT, "more.py": NET})
        program = """
import os, signal
from pyroify import cli, publish
replace, calls = os.replace, iter(range(9))
def die(source, target):
    replace(source, target)
    if next(calls) == 3:  # the journal, the record, the journal, a file
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = die
cli.main(["rewrite"])
"""
        killed = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True)
        assert killed.returncode == -signal.SIGKILL
        assert sorted((root / name).read_text() == NET for name in ("net.py", "more.py")) == [
            False,
            True,
        ]
        checked = run("rewrite", "--check")
        assert checked.code == 2
        assert "`pyroify rewrite` finishes that run first" in checked.err
        ended = run("rewrite")
        assert ended.code == 0
        assert "finished what a killed run began: " in ended.err
        assert "0 files changed" in ended.out


class TestCheckAndDiff:
    def test_check_names_the_files(self, run: Run, lay_out: Callable) -> None:
        lay_out(PROJECT)
        assert "would rewrite net.py\n1 file to change\n" in run("rewrite", "--check").out

    @pytest.mark.parametrize(
        "content",
        [NET.encode(), NET.replace("\n", "\r\n").encode(), NET.rstrip().encode()],
        ids=["plain", "crlf", "no final newline"],
    )
    def test_git_takes_the_diff(self, run: Run, lay_out: Callable, content: bytes) -> None:
        root = lay_out({"pyroify.yaml": SPEC, "pkg/net.py": content})
        diff = subprocess.run([*PROGRAM, "rewrite", "--diff"], cwd=root, capture_output=True)
        assert diff.returncode == 1
        subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
        subprocess.run(["git", "apply", "-"], cwd=root, check=True, input=diff.stdout)
        applied = (root / "pkg/net.py").read_bytes()
        (root / "pkg/net.py").write_bytes(content)
        run("rewrite")
        assert applied == (root / "pkg/net.py").read_bytes() != content

    def test_only_the_diff_is_on_stdout(self, run: Run, lay_out: Callable) -> None:
        lay_out({**PROJECT, "stack.py": REFUSED})
        ended = run("rewrite", "--diff")
        assert ended.out.startswith("--- a/net.py\n+++ b/net.py\n@@ ")
        assert "PYR002" not in ended.out
        assert "PYR002" in ended.err

    def test_nothing_is_written_not_even_a_folder(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(PROJECT)
        run("rewrite", "--check")
        run("rewrite", "--diff")
        run("plan")
        assert {path.name for path in root.iterdir()} == set(PROJECT)

    @pytest.mark.parametrize(
        ("environment", "colour"),
        [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)],
    )
    def test_colour_on_a_terminal_only(
        self, lay_out: Callable, environment: dict[str, str], colour: bool
    ) -> None:
        root = lay_out(PROJECT)
        terminal, end = pty.openpty()
        subprocess.run(
            [*PROGRAM, "rewrite", "--diff"],
            cwd=root,
            stdout=end,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
        os.close(end)
        shown = os.read(terminal, 100_000)
        os.close(terminal)
        assert (b"\x1b[" in shown) is colour

    def test_no_colour_in_a_pipe(self, run: Run, lay_out: Callable) -> None:
        lay_out(PROJECT)
        assert "\x1b" not in run("rewrite", "--diff").out


class TestStdin:
    def piped(self, root: Path, *args: str, text: str = NET) -> Ended:
        command = [*PROGRAM, "rewrite", "-", *args]
        ended = subprocess.run(command, cwd=root, input=text.encode(), capture_output=True)
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def test_the_result_goes_to_stdout(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(PROJECT)
        ended = self.piped(root, "--stdin-filename", "net.py", text=NET.replace("Net", "Fresh"))
        assert ended.code == 0
        assert "class Fresh(PyroModule):" in ended.out
        assert (root / "net.py").read_text() == NET
        run("rewrite")
        assert ended.out == (root / "net.py").read_text().replace("Net", "Fresh")

    def test_other_files_of_the_project_are_known(self, lay_out: Callable) -> None:
        root = lay_out(
            {"pyroify.yaml": SPEC, "base.py": HEADER + "class Base(nn.Module):\n    pass\n"}
        )
        text = NET.replace("from torch import nn", "from torch import nn\n\nfrom base import Base")
        ended = self.piped(
            root, "--stdin-filename", "net.py", text=text.replace("nn.Module", "Base")
        )
        assert "needs a change in base.py" in ended.err
        assert ended.code == 1

    def test_an_excluded_file_comes_out_as_it_is(self, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": f"exclude: [net.py]\n{SPEC}", "net.py": NET})
        ended = self.piped(root, "--stdin-filename", "net.py")
        assert (ended.code, ended.out) == (0, NET)

    def test_a_file_with_nothing_to_do_comes_out_as_it_is(self, lay_out: Callable) -> None:
        root = lay_out(PROJECT)
        ended = self.piped(root, "--stdin-filename", "tools.py", text="x = 1\r\n")
        assert (ended.code, ended.out) == (0, "x = 1\r\n")

    def test_check_prints_no_source(self, lay_out: Callable) -> None:
        root = lay_out(PROJECT)
        ended = self.piped(root, "--stdin-filename", "net.py", "--check")
        assert ended.code == 1
        assert "class" not in ended.out.splitlines()[0]

    def test_diff_prints_the_diff(self, lay_out: Callable) -> None:
        root = lay_out(PROJECT)
        ended = self.piped(root, "--stdin-filename", "net.py", "--diff")
        assert ended.code == 1
        assert ended.out.startswith("--- a/net.py\n")


HOLDERS = """from torch import nn


class Block(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.act = act

    def forward(self, x):
        return self.act(self.fc(x))


class Sub(Block):
    pass


class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.block = Block(*[nn.PReLU()])
        self.blocks = nn.ModuleList([Block(*[nn.PReLU()]) for _ in range(n)])
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(n)])

    def forward(self, x):
        for layer in (self.block, *self.blocks, *self.layers):
            x = layer(x)
        return x
"""


class TestInclude:
    def test_a_glob_that_matches_no_file_is_an_error(self, run: Run, lay_out: Callable) -> None:
        include = 'include: ["models/**", "net.py"]\n'
        lay_out({"pyroify.yaml": SPEC + include, "net.py": NET})
        ended = run("rewrite")
        assert ended.code == 2
        assert (
            "pyroify.yaml:5:11 PYR150 include models/** matches no Python file"
            in ended.err + ended.out
        )
        assert "nothing is written" in ended.err + ended.out
        assert run("rewrite", "--allow-unmatched").code == 0

    def test_a_file_beside_the_globs_is_no_error(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": SPEC + "include: models\n", "models/a.py": NET, "net.py": NET})
        assert run("rewrite", "--check", "net.py").code == 0


class TestPlan:
    def test_shows_every_parameter_and_what_decides(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": SPEC, "models/net.py": NET})
        lines = [re.sub(" +", " ", line.strip()) for line in run("plan").out.splitlines()]
        assert lines == [
            "models/net.py (to rewrite)",
            "Net, line 4: to convert",
            "site shape layer becomes decided by",
            "fc.weight [1, 3] Linear sample Normal(0, 1) ** (pyroify.yaml:3)",
            "fc.bias [1] Linear sample Normal(0, 1) ** (pyroify.yaml:3)",
            "",
            "2 parameters: 2 sample, 0 param, 0 keep",
            "1 class: 0 converted, 1 to convert, 0 unchanged, 0 refused",
            "1 file to rewrite",
        ]

    def test_a_class_waits_for_its_base(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": SPEC, "net.py": NET, "sub.py": SUBCLASS})
        count = "2 classes: {}, 0 unchanged, 0 refused"
        assert count.format("0 converted, 2 to convert") in run("plan").out
        run("rewrite")
        assert count.format("2 converted") in run("plan").out

    def test_says_what_is_done_already(self, run: Run, lay_out: Callable) -> None:
        lay_out(PROJECT)
        run("rewrite")
        lines = run("plan").out.splitlines()
        assert lines[0] == "net.py"
        assert lines[-1] == "0 files to rewrite"

    @pytest.mark.parametrize("name", ["Net.fc.bias", "net:Net.fc.bias"])
    def test_explains_a_site(self, run: Run, lay_out: Callable, name: str) -> None:
        spec = SPEC + '  - match: "**.bias"\n    sample: Normal(0, 10)\n'
        lay_out({"pyroify.yaml": spec, "net.py": NET})
        out = run("plan", name).out
        assert out.startswith("net:Net.fc.bias\n")
        assert "decided by rule 2, pyroify.yaml:5: **.bias -> sample Normal(0, 10)\n" in out
        assert "which beat rule 1, pyroify.yaml:3: ** -> sample Normal(0, 1)\n" in out

    @pytest.mark.parametrize("is_rewritten", [False, True])
    def test_explains_an_attribute_that_the_spec_adds(
        self, run: Run, lay_out: Callable, is_rewritten: bool
    ) -> None:
        spec = "version: 1\nlatents:\n  - {class: Net, name: tau, sample: HalfCauchy(1)}\n"
        lay_out({"net.py": NET, "pyroify.yaml": spec})
        if is_rewritten:
            run("rewrite")
        explained = run("plan", "Net.tau").out
        assert "  becomes    sample HalfCauchy(1)\n" in explained
        decided = "latent 1, pyroify.yaml:3: Net.tau -> sample HalfCauchy(1)"
        assert f"  decided by {decided}\n" in explained
        assert "Net.tau (pyroify.yaml:3)" in run("plan").out

    def test_explains_a_site_with_what_is_said_of_its_line(
        self, run: Run, lay_out: Callable
    ) -> None:
        words = "nn.Embedding(5, 3, padding_idx=0)\n        self.out = nn.Linear(3, 1)"
        lay_out({"net.py": NET.replace("nn.Linear(3, 1)", words), "pyroify.yaml": SPEC})
        assert "PYR026" in run("plan", "Net.fc.weight").out
        assert "PYR026" not in run("plan", "Net.out.weight").out

    def test_suggests_a_site_for_a_mistyped_one(self, run: Run, lay_out: Callable) -> None:
        lay_out(PROJECT)
        ended = run("plan", "Net.fc.wieght")
        assert ended.code == 2
        assert "did you mean Net.fc.weight?" in ended.err

    @pytest.mark.parametrize(
        ("asked", "found", "note"),
        [
            ("Net.block.fc.weight", "net:Block.fc.weight", "that name in a rule is for it alone"),
            ("net:Net.blocks.1.fc.bias", "net:Block.fc.bias", "is for it alone"),
            ("Sub.fc.weight", "net:Block.fc.weight", "which Sub inherits"),
            ("Net.layers.3.weight", "net:Net.layers.*.weight", "which only run time shows"),
            ("Net.block.act.a.weight", "net:Block.act.**", "is for it alone"),
        ],
    )
    def test_explains_a_site_by_where_it_is_found(
        self, run: Run, lay_out: Callable, asked: str, found: str, note: str
    ) -> None:
        lay_out({"pyroify.yaml": SPEC, "net.py": HOLDERS})
        first, second, *_ = run("plan", asked).out.splitlines()
        assert first == found
        assert second.startswith(f"  asked as   {asked}")
        assert second.endswith(note)

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("Block.fc", ["net:Block.fc.weight", "net:Block.fc.bias"]),
            ("Block", ["net:Block.act.**", "net:Block.fc.weight", "net:Block.fc.bias"]),
            ("net:*.fc.bias", ["net:Block.fc.bias"]),
            ("Net.layers", ["net:Net.layers.*.weight", "net:Net.layers.*.bias"]),
        ],
    )
    def test_explains_all_sites_below_a_name_or_of_a_pattern(
        self, run: Run, lay_out: Callable, asked: str, found: list[str]
    ) -> None:
        lay_out({"pyroify.yaml": SPEC, "net.py": HOLDERS})
        out = run("plan", asked).out
        assert [line for line in out.splitlines() if line.startswith("net:")] == found

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("requires_grad=False)", "it is frozen, which only a rule without wildcards would"),
            ("requires_grad=True)  # pyroify: ignore", "a comment takes it out"),
        ],
    )
    def test_says_why_rules_that_match_pass_a_parameter_by(
        self, run: Run, lay_out: Callable, line: str, reason: str
    ) -> None:
        parameter = f"nn.Parameter(nn.init.ones_(1), {line}"
        lay_out({"pyroify.yaml": SPEC, "net.py": NET.replace("nn.Linear(3, 1)", parameter)})
        assert f"  decided by no rule: {reason}" in run("plan", "Net.fc").out

    def test_a_site_goes_into_the_json(self, run: Run, lay_out: Callable) -> None:
        lay_out(PROJECT)
        document = json.loads(run("plan", "Net.fc.bias", "--format", "json").out)
        assert [s["path"] for c in document["classes"] for s in c["sites"]] == ["fc.bias"]

    def test_a_site_goes_with_the_paths_beside_it(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lay_out({"repo/pyroify.yaml": SPEC, "repo/net.py": NET})
        assert "net:Net.fc.bias" in run("plan", "repo", "Net.fc.bias").out


class TestSpec:
    def test_a_fault_is_named_as_seen_from_the_current_folder(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rule = '  - match: "Gone.*"\n    keep: true\n'
        root = lay_out({"repo/pyroify.yaml": SPEC + rule, "repo/sub/net.py": NET})
        assert "repo/pyroify.yaml:5:12 PYR150 " in run("rewrite", "--check", "repo").out
        monkeypatch.chdir(root / "repo/sub")
        assert f"{root}/repo/pyroify.yaml:5:12 PYR150 " in run("rewrite", "--check").out

    def test_a_warning_is_shown_and_changes_no_exit_code(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": SPEC.replace("Normal(0, 1)", "Delta(0)"), "net.py": NET})
        ended = run("rewrite")
        assert "pyroify.yaml:4:13 PYR110 " in ended.out
        assert ended.code == 0

    def test_its_schema_is_for_editors(self, run: Run) -> None:
        import jsonschema

        schema = json.loads(run("schema").out)
        jsonschema.validate({"version": 1, "priors": [{"match": "**", "keep": True}]}, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"version": 1, "prior": []}, schema)


class TestJson:
    @pytest.mark.parametrize("command", ["plan", "rewrite"])
    def test_is_one_document_on_stdout(self, run: Run, lay_out: Callable, command: str) -> None:
        root = lay_out({**PROJECT, "stack.py": REFUSED})
        ended = run(command, "--format", "json")
        document = json.loads(ended.out)
        assert (document["version"], document["command"]) == (1, command)
        assert document["exit_code"] == ended.code == 1
        assert document["root"] == str(root)
        done = int(command == "rewrite")
        counts = {"converted": done, "to_convert": 1 - done, "refused": 1}
        assert document["summary"]["classes"] == {"unchanged": 0, "suppressed": 0, **counts}
        assert document["summary"]["coverage"] == 50 * done
        assert {c["name"]: c["status"] for c in document["classes"]} == {
            "net:Net": "converted",
            "stack:Stack": "refused",
        }
        assert {f["code"] for f in document["findings"]} == {"PYR002"}

    def test_holds_the_diff_if_asked_for(self, run: Run, lay_out: Callable) -> None:
        lay_out(PROJECT)
        [file] = json.loads(run("rewrite", "--diff", "--format", "json").out)["files"]
        assert (file["path"], file["status"]) == ("net.py", "changed")
        assert file["diff"].startswith("--- a/net.py\n")

    def test_says_why_a_run_could_not_begin(self, run: Run, lay_out: Callable) -> None:
        lay_out({"net.py": NET})
        ended = run("rewrite", "--format", "json")
        document = json.loads(ended.out)
        assert (ended.code, document["exit_code"]) == (2, 2)
        assert [(f["code"], f["severity"]) for f in document["findings"]] == [("PYR207", "error")]

    def test_has_the_place_of_a_fault_in_the_spec(self, run: Run, lay_out: Callable) -> None:
        lay_out({"net.py": NET, "pyroify.yaml": SPEC.replace("Normal", "Nromal")})
        [finding] = json.loads(run("plan", "--format", "json").out)["findings"]
        assert (finding["path"], finding["line"], finding["column"]) == ("pyroify.yaml", 4, 13)


class TestInit:
    def test_writes_a_spec_that_works(self, run: Run, lay_out: Callable) -> None:
        norm = NET.replace("nn.Linear(3, 1)", "nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 1))")
        root = lay_out({"net.py": norm})
        ended = run("init")
        assert ended.code == 0
        assert "wrote pyroify.yaml" in ended.err
        text = (root / "pyroify.yaml").read_text()
        assert '    layer: ["*Norm*"]\n    keep: true\n' in text
        assert '#   - match: "net:Net.fc.1.weight"' in text
        plan = run("plan", "Net.fc.0.weight").out
        assert "becomes    keep\n" in plan
        assert run("rewrite").code == 0

    def test_the_rule_about_norm_layers_is_always_there(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"net.py": NET})
        run("init")
        assert '    layer: ["*Norm*"]\n    keep: true\n' in (root / "pyroify.yaml").read_text()
        assert run("plan").code == 0

    def test_keeps_norm_layers_that_only_run_time_shows(self, run: Run, lay_out: Callable) -> None:
        net = (
            "from torch import nn\n\n\n"
            "def layers(dim):\n    made = [nn.Linear(dim, dim)]\n"
            "    made.append(nn.BatchNorm1d(dim))\n    return made\n\n\n"
            "class Net(nn.Sequential):\n    def __init__(self, dim):\n        super().__init__()\n"
            "        for number, layer in enumerate(layers(dim)):\n"
            '            self.add_module(f"layer{number}", layer)\n'
        )
        root = lay_out({"net.py": net})
        assert run("init").code == 0
        assert run("rewrite").code == 0
        assert "BatchNorm" in (root / "net.py").read_text().partition("class Net")[2]

    def test_every_commented_rule_can_be_used(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"net.py": NET})
        run("init")
        text = (root / "pyroify.yaml").read_text()
        used = re.sub(r"^  #   (- match: \"net:.*)$", r"  \1\n    keep: true", text, flags=re.M)
        assert used.count("keep: true") > text.count("keep: true")
        (root / "pyroify.yaml").write_text(used)
        assert run("plan").code == 0

    def test_offers_what_names_and_arguments_tell(self, run: Run, lay_out: Callable) -> None:
        source = (
            "import torch\nfrom torch import nn\n\n\n"
            "class Kernel(nn.Module):\n"
            "    def __init__(self, n):\n"
            "        super().__init__()\n"
            "        self.lengthscale = nn.Parameter(torch.ones(n))\n"
            "        self.out_scale = nn.Parameter(torch.ones(1))\n"
            "        self.log_noise = nn.Parameter(torch.zeros(1))\n"
            "        self.mean = nn.Parameter(torch.zeros(1))\n"
            "        self.words = nn.Embedding(n, 3, padding_idx=0)\n"
        )
        root = lay_out({"gp.py": source})
        run("init")
        text = (root / "pyroify.yaml").read_text()
        offered = """\
  # gp.py
  #   - match: "gp:Kernel.lengthscale"  # [n]
  #     param: positive
  #   - match: "gp:Kernel.out_scale"  # [1]
  #     param: positive
  #   - match: "gp:Kernel.log_noise"  # [1]
  #     param: positive  # and read it without exp() in the code
  #     init: exp
  #   - match: "gp:Kernel.mean"  # [1]
  #   - match: "gp:Kernel.words.weight"  # Embedding [n, 3] (its padding row is drawn too: PYR026)
"""
        assert offered in text
        offered = re.sub(r"(?m)^  # (  - match: .*\n)  # (    param: .*\n)", r"\1\2", text)
        offered = offered.replace("  #     init", "    init")
        (root / "pyroify.yaml").write_text(offered)
        assert offered.count("\n    param: positive") == 3
        assert "3 param" in run("plan").out

    def test_never_replaces_a_spec(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(PROJECT)
        ended = run("init")
        assert ended.code == 2
        assert "pyroify.yaml:1:1 PYR237" in ended.err
        assert (root / "pyroify.yaml").read_text() == SPEC


def signed(text: str) -> str:
    """A file of the package that scripts share, as another version has written it."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"# Written by pyroify 0.0.9: a part of its training scripts (sha256 {digest}).\n{text}"


@pytest.mark.parametrize("command", [("emit", "--diff"), ("report", "--html", "out.html")])
def test_one_plan_is_enough(
    command: tuple[str, ...], run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(PROJECT)
    plans, made = [], planning.build_plan
    monkeypatch.setattr(planning, "build_plan", lambda *given: plans.append(0) or made(*given))
    run(*command)
    assert len(plans) == 1


class TestEmit:
    def test_writes_the_script(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(TRAINING)
        ended = run("emit")
        assert ended.code == 0
        assert ended.err.endswith("wrote train_svi.py\nwrote test_train_svi.py\n")
        compile((root / "train_svi.py").read_text(), "train_svi.py", "exec")

    def test_says_when_there_is_nothing_to_do(self, run: Run, lay_out: Callable) -> None:
        lay_out(TRAINING)
        run("emit")
        again = run("emit").err
        assert again.endswith("train_svi.py is up to date\ntest_train_svi.py is up to date\n")

    @pytest.mark.parametrize(
        ("files", "said", "written"),
        [
            (
                {"train.py": "from net import Net\nloss_of = F.cross_entropy\n", "b.py": "MSELoss"},
                "likelihood: categorical, by cross_entropy in train.py:2\n",
                "dist.Categorical",
            ),
            ({"b.py": "MSELoss"}, "likelihood: normal, by MSELoss in b.py:1\n", "dist.Normal"),
            (
                {"a.py": "Net, nn.L1Loss()", "b.py": "Net, nn.MSELoss()"},
                "likelihood: normal (several losses: L1Loss in a.py:1, MSELoss in b.py:1); "
                "svi.likelihood in the spec sets it\n",
                "dist.Normal",
            ),
            (
                {},
                "likelihood: normal (no loss that tells another); "
                "svi.likelihood in the spec sets it\n",
                "dist.Normal",
            ),
        ],
    )
    def test_the_likelihood_is_that_of_the_loss(
        self, run: Run, lay_out: Callable, files: dict[str, str], said: str, written: str
    ) -> None:
        root = lay_out({**TRAINING, **files})
        assert run("emit").err.startswith(said)
        script = (root / "train_svi.py").read_text()
        assert f"likelihood = {written}(" in script
        assert run("emit").err.startswith(said), "the script counts as a file of the project"

    def test_a_likelihood_in_the_spec_holds(self, run: Run, lay_out: Callable) -> None:
        spec = SPEC + SVI + "  likelihood: {family: laplace}\n"
        root = lay_out({"pyroify.yaml": spec, "net.py": NET, "train.py": "Net, MSELoss"})
        assert run("emit").err.startswith("wrote svi_runtime\n")
        assert "likelihood = dist.Laplace(" in (root / "train_svi.py").read_text()

    def test_an_edited_script_is_replaced_only_by_force(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({**TRAINING, "train_svi.py": "mine\n"})
        ended = run("emit")
        assert ended.code == 2
        assert "PYR237" in ended.err
        assert (root / "train_svi.py").read_text() == "mine\n"
        assert run("emit", "--force").code == 0
        assert (root / "train_svi.py").read_text() != "mine\n"

    def test_scripts_share_a_package_written_once(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(TRAINING)
        assert run("emit").err.splitlines()[-3:] == [
            "wrote svi_runtime",
            "wrote train_svi.py",
            "wrote test_train_svi.py",
        ]
        spec = root / "pyroify.yaml"
        spec.write_text(spec.read_text() + "  output: scripts/second.py\n")
        again = run("emit")
        assert again.code == 0
        assert "svi_runtime is up to date\nwrote scripts/second.py\n" in again.err
        header = (root / "svi_runtime/inference/loop.py").read_text().splitlines()[0]
        assert header.startswith("# Written by pyroify ")

    def test_the_package_of_another_version_is_brought_up_to_date(
        self, run: Run, lay_out: Callable
    ) -> None:
        root = lay_out(TRAINING)
        run("emit")
        path = root / "svi_runtime/inference/loop.py"
        now = path.read_text()
        path.write_text(signed("an older text\n"))
        assert "wrote svi_runtime\n" in run("emit").err
        assert path.read_text() == now

    def test_edits_of_the_package_are_told_and_stay(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(TRAINING)
        run("emit")
        path = root / "svi_runtime/inference/loop.py"
        now = path.read_text()
        path.write_text(now + "mine\n")
        ended = run("emit")
        assert ended.code == 0
        assert "svi_runtime/inference/loop.py has edits of yours, and stays as it is\n" in ended.err
        assert path.read_text() == now + "mine\n"
        assert run("emit", "--force").code == 0
        assert path.read_text() == now

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (lambda: signed("an older text\n") + "mine\n", "was written by another version"),
            (lambda: "mine\n", "is there already"),
        ],
    )
    def test_what_a_script_cannot_run_with_is_refused(
        self, run: Run, lay_out: Callable, text: Callable[[], str], reason: str
    ) -> None:
        root = lay_out({**TRAINING, "svi_runtime/inference/loop.py": text()})
        ended = run("emit")
        assert ended.code == 2
        assert "svi_runtime/inference/loop.py:1:1 PYR237" in ended.err
        assert reason in ended.err
        assert not (root / "train_svi.py").exists()

    def test_the_package_is_no_code_of_the_project(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(TRAINING)
        before = run("plan").out
        run("emit")
        assert run("plan").out == before
        files = {path: path.read_bytes() for path in (root / "svi_runtime").rglob("*.py")}
        assert run("rewrite", "svi_runtime/inference/guides.py", "net.py").code == 0
        assert {path: path.read_bytes() for path in files} == files

    def test_a_diff_shows_what_would_change_and_writes_nothing(
        self, run: Run, lay_out: Callable
    ) -> None:
        root = lay_out(TRAINING)
        ended = run("emit", "--diff")
        assert (ended.code, ended.out) == (1, "")
        assert "train_svi.py is not there yet\n" in ended.err
        assert not (root / "train_svi.py").exists()
        run("emit")
        ended = run("emit", "--diff")
        assert (ended.code, ended.out) == (0, "")
        path = root / "train_svi.py"
        edited = path.read_text().replace("lr=0.01,", "lr=0.5,")
        path.write_text(edited)
        spec = root / "pyroify.yaml"
        spec.write_text(spec.read_text() + "  epochs: 7\n")
        ended = run("emit", "--diff")
        assert ended.code == 1
        lines = ended.out.splitlines()
        assert lines[:2] == ["--- a/train_svi.py", "+++ b/train_svi.py"]
        assert {
            "-        steps=None,  # until the loss is flat",
            "+        epochs=7,",
        } <= set(lines)
        assert {"-        lr=0.5,", "+        lr=0.01,"} <= set(lines)
        assert path.read_text() == edited

    def test_a_fault_is_shown_in_the_spec(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": SPEC + SVI + "  epochs: many\n", "net.py": NET})
        ended = run("emit")
        assert ended.code == 2
        assert "pyroify.yaml:8:" in ended.err
        assert "PYR400" in ended.err

    def test_a_refused_combination_has_a_code_of_its_own(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": SPEC + SVI + "  devices: several\n  engine: svi\n", "net.py": NET})
        ended = run("emit")
        assert ended.code == 2
        assert "PYR405" in ended.err

    def test_the_script_is_not_rewritten_itself(self, run: Run, lay_out: Callable) -> None:
        root = lay_out(TRAINING)
        run("emit")
        script = (root / "train_svi.py").read_text()
        run("rewrite")
        assert (root / "train_svi.py").read_text() == script
        assert (root / "net.py").read_text() != NET


class TestRule:
    def test_explains_a_code(self, run: Run) -> None:
        out = run("rule", "pyr002").out
        assert out.startswith("# PYR002: Modules in a Python list or dict (refused)\n")
        assert "## What to do\n" in out

    def test_lists_all_codes(self, run: Run) -> None:
        lines = run("rule").out.splitlines()
        assert "PYR002  refused   Modules in a Python list or dict" in lines
        assert lines == sorted(lines)

    def test_suggests_for_a_mistyped_code(self, run: Run) -> None:
        assert "did you mean" in run("rule", "PYR0022").err


def test_version(run: Run) -> None:
    assert run("--version").out == f"pyroify {__version__}\n"


def test_a_reader_that_has_seen_enough_is_no_error(lay_out: Callable) -> None:
    names = [f"net{number}.py" for number in range(300)]
    root = lay_out({"pyroify.yaml": SPEC, **dict.fromkeys(names, NET)})
    child = subprocess.Popen(
        [*PROGRAM, "plan"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None and child.stderr is not None
    child.stdout.read(1)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 0


def test_it_is_installed_as_a_program() -> None:
    program = shutil.which("pyroify", path=str(Path(sys.executable).parent))
    assert program is not None
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"pyroify {__version__}\n"
