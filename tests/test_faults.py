"""One bad file never costs the others: whatever is wrong with it is a finding, and exit code 2."""

import errno
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended, Run

from pyroify.program import load, resolve
from pyroify.program.faults import describe_fault

SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""
PROJECT = {"pyroify.yaml": SPEC, "good.py": NET}
FILES = {
    **PROJECT,
    "bad.py": NET.replace("Net", "Bad"),
    "sub.py": "from bad import Bad\nfrom torch import nn\n\n\nclass Sub(Bad):\n    pass\n",
    "part.py": NET.replace("Net", "Part"),
}


def elif_chain(length: int) -> str:
    arms = "".join(f"    elif x == {number}:\n        y = {number}\n" for number in range(length))
    return f"\n\ndef choose(x):\n    if x:\n        y = 0\n{arms}"


def check_the_rest_is_done(root: Path, ended: Ended, path: str, code: str) -> None:
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert re.search(rf"^{re.escape(path)}:\d+:\d+ {code} ", ended.out, re.MULTILINE), ended.out
    assert "PyroModule" in (root / "good.py").read_text()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"# coding: klingon\nimport torch\n", "PYR204"),
        (b"# coding: hex\nimport torch\n", "PYR204"),
        (b"# coding: rot13\nimport torch\n", "PYR204"),
        (b"# coding: punycode\nimport torch\n", "PYR204"),
        (b"# coding: undefined\nimport torch\n", "PYR204"),
        (b"# coding: unicode_escape\nimport torch\n# \\ud800\n", "PYR204"),
        (b"import torch\n\0", "PYR205"),
        (f"{NET}\n\nx = {' + '.join(['1'] * 5000)}\n", "PYR203"),
        (f"{NET}\n\nx = {'not ' * 5000}1\n", "PYR203"),
        (f"{NET}\n\nx = y{'.a' * 5000}\n", "PYR203"),
        (f"{NET}\n\nx = {'(' * 5000}1{')' * 5000}\n", "PYR203"),
        (f"{NET}\n\nx = {'[' * 5000}1{']' * 5000}\n", "PYR203"),
        (NET + elif_chain(900), "PYR203"),
        (NET.replace("Linear(3", f"Linear({' + '.join(['1'] * 900)}"), "PYR203"),
        (NET.replace("Linear(3", f"Linear({'9' * 5000}"), "PYR203"),
    ],
    ids=[
        *("unknown codec", "hex", "rot13", "punycode", "undefined", "lone surrogate", "NUL"),
        *("long sum", "nots", "attributes", "parentheses", "lists", "elif", "sum in a class"),
        "long number",
    ],
)
def test_a_file_that_cannot_be_read(
    run: Run, lay_out: Callable, content: str | bytes, code: str
) -> None:
    root = lay_out({**PROJECT, "bad.py": content})
    ended = run("rewrite")
    check_the_rest_is_done(root, ended, "bad.py", code)


def test_a_link_to_itself(run: Run, lay_out: Callable) -> None:
    root = lay_out(PROJECT)
    (root / "loop.py").symlink_to("loop.py")
    (root / "around").symlink_to(root)
    check_the_rest_is_done(root, run("rewrite"), "loop.py", "PYR204")


def test_a_file_that_vanishes(run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lay_out({**PROJECT, "gone.py": NET})
    read = Path.read_bytes

    def vanish(path: Path) -> bytes:
        path.unlink() if path.name == "gone.py" else None
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", vanish)
    check_the_rest_is_done(root, run("rewrite"), "gone.py", "PYR204")


class TestClosedFolder:
    @pytest.fixture
    def root(self, lay_out: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A project with a folder that nobody may list, not even root."""
        root = lay_out({**PROJECT, "closed/net.py": NET, "sub/net.py": NET})
        scan = os.scandir

        def refuse(folder: Any) -> Iterator[os.DirEntry[str]]:
            if Path(folder).name == "closed":
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
            return scan(folder)

        monkeypatch.setattr(os, "scandir", refuse)
        return root

    def test_is_said_and_the_rest_is_done(self, root: Path, run: Run) -> None:
        ended = run("rewrite")
        check_the_rest_is_done(root, ended, "closed", "PYR201")
        assert "closed:1:1 PYR201 cannot be listed: Permission denied" in ended.out

    def test_does_not_matter_where_it_is_left_out(self, root: Path, run: Run) -> None:
        (root / ".gitignore").write_text("/closed/\n")
        assert run("rewrite", "--check").code == 1
        (root / ".gitignore").unlink()
        (root / "pyroify.yaml").write_text(f"exclude: [closed/]\n{SPEC}")
        assert run("rewrite").code == 0

    def test_does_not_matter_where_other_paths_are_named(self, root: Path, run: Run) -> None:
        assert run("rewrite", "sub").code == 0

    def test_is_an_error_where_it_is_all_there_is(self, root: Path, run: Run) -> None:
        ended = run("plan", "closed")
        assert ended.code == 2
        assert "PYR201 cannot be listed: Permission denied" in ended.err


class TestNames:
    """Names of files may be any bytes but / and NUL."""

    @pytest.fixture
    def root(self, lay_out: Callable) -> Path:
        root = lay_out({"pyroify.yaml": SPEC})
        for name in (b"caf\xe9.py", b"st*r.py", b"[a].py", b"line\nend.py", b"d\xff/net.py"):
            path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
            path.parent.mkdir(exist_ok=True)
            path.write_text(NET)
        Path(os.fsdecode(os.fsencode(root) + b"/bad\xfe.py")).write_text("import torch (\n")
        return root

    @pytest.mark.parametrize(
        "args", [["plan"], ["rewrite", "--check", "-v"], ["rewrite"]], ids=" ".join
    )
    def test_are_shown_on_one_line_each(self, root: Path, run: Run, args: list[str]) -> None:
        ended = run(*args)
        assert ended.code == 2
        assert "bad\\udcfe.py:1:14 PYR203 " in ended.out + ended.err
        assert "line\\nend.py" in ended.out

    def test_survive_json(self, root: Path, run: Run) -> None:
        document = json.loads(run("rewrite", "--format", "json").out)
        paths = {entry["path"] for entry in document["files"]}
        assert paths == {"caf\udce9.py", "st*r.py", "[a].py", "line\nend.py", "d\udcff/net.py"}
        assert all("PyroModule" in (root / path).read_text() for path in paths)

    def test_survive_a_diff(
        self, root: Path, run: Run, capfdbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        with pytest.raises(UnicodeDecodeError) as caught:
            run("rewrite", "--diff")
        assert b"\n+++ b/caf\xe9.py\n" in caught.value.object

    def test_cannot_end_a_comment_of_the_starter(self, root: Path, run: Run) -> None:
        (root / "pyroify.yaml").unlink()
        run("init")
        found = (root / "pyroify.yaml").read_text().split("What was found")[1]
        comments = found.partition("\n\n")[0].splitlines()
        assert all(line.startswith("  #") for line in comments[1:])


class TestFaultsOfPyroify:
    """An error that nobody has foreseen, in each of the stages."""

    @pytest.mark.parametrize(
        "stage",
        [
            "pyroify.planning.known.find_ties",
            "pyroify.decide.declare.Declarer.declare",
            "pyroify.planning.build.check_class",
            "pyroify.planning.build.stale_methods",
            "pyroify.planning.files.base_edits",
            "pyroify.planning.files.EditPlanner._statements",
            "pyroify.planning.files.read_edits",
        ],
    )
    @pytest.mark.parametrize("error", [KeyError("weight"), RecursionError("maximum")])
    def test_cost_one_file(
        self,
        run: Run,
        lay_out: Callable,
        monkeypatch: pytest.MonkeyPatch,
        stage: str,
        error: Exception,
    ) -> None:
        self.break_for(monkeypatch, stage, "bad.py", error)
        root = lay_out(FILES)
        ended = run("rewrite", "-v")
        code = "PYR203" if isinstance(error, RecursionError) else "PYR234"
        assert ended.code == 2
        assert re.search(rf"^bad\.py:1:1 {code} ", ended.out, re.MULTILINE), ended.out
        assert re.search(r"^sub\.py:5:1 PYR062 its base Bad is not converted$", ended.out, re.M)
        assert "Traceback" in ended.out
        assert "refused bad:Bad\n" in ended.out
        assert "PyroModule" in (root / "good.py").read_text()
        assert "PyroModule" in (root / "part.py").read_text()
        assert (root / "bad.py").read_text() == FILES["bad.py"]
        assert (root / "sub.py").read_text() == FILES["sub.py"]

    def break_for(
        self, monkeypatch: pytest.MonkeyPatch, stage: str, path: str, error: Exception
    ) -> None:
        owner, _, name = stage.rpartition(".")
        holder = self.resolve(owner)
        original = getattr(holder, name)

        def fail(*args: Any, **options: Any) -> Any:
            if any(path in repr(getattr(item, "file", item)) for item in self.classes(args)):
                raise error
            return original(*args, **options)

        monkeypatch.setattr(holder, name, fail)

    def resolve(self, dotted: str) -> Any:
        import importlib

        try:
            return importlib.import_module(dotted)
        except ModuleNotFoundError:
            module, _, name = dotted.rpartition(".")
            return getattr(importlib.import_module(module), name)

    def classes(self, args: tuple[Any, ...]) -> Iterator[Any]:
        """The class that a stage is at work on, wherever its arguments have it."""
        for item in args:
            summary = getattr(item, "summary", item)
            if isinstance(found := getattr(summary, "cls", None), resolve.ModuleClass):
                yield found

    def test_in_the_index_cost_one_file(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        original = load.extract

        def fail(text: str, path: str, *rest: Any) -> Any:
            if path == "bad.py":
                raise KeyError("weight")
            return original(text, path, *rest)

        monkeypatch.setattr(load, "extract", fail)
        sub = "from bad import Bad\n" + NET.replace("Net(nn.Module)", "Sub(Bad)")
        root = lay_out({**FILES, "sub.py": sub})
        ended = run("rewrite")
        check_the_rest_is_done(root, ended, "bad.py", "PYR234")
        assert "could not be parsed: KeyError: 'weight'" in ended.out
        assert "please report it" in ended.out
        assert re.search(r"^sub\.py:5:1 PYR220 base Bad is not found", ended.out, re.MULTILINE)

    def test_what_the_file_may_hold_is_left_too(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.break_for(
            monkeypatch, "pyroify.planning.known.find_ties", "bad.py", KeyError("weight")
        )
        held = FILES["bad.py"].replace("nn.Linear(3, 1)", "Part()")
        root = lay_out({**FILES, "bad.py": f"from part import Part\n{held}"})
        ended = run("rewrite")
        check_the_rest_is_done(root, ended, "bad.py", "PYR234")
        assert re.search(r"^part\.py:4:1 PYR062 Bad, which holds it, ", ended.out, re.MULTILINE)
        assert (root / "part.py").read_text() == FILES["part.py"]

    def test_a_rule_for_such_a_file_stops_nothing(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.break_for(
            monkeypatch, "pyroify.planning.known.find_ties", "bad.py", KeyError("weight")
        )
        rule = '  - match: "Bad.fc.weight"\n    keep: true\n'
        root = lay_out({**FILES, "pyroify.yaml": SPEC + rule})
        check_the_rest_is_done(root, run("rewrite"), "bad.py", "PYR234")

    def test_that_come_up_elsewhere_have_no_place_in_it(self) -> None:
        fault = describe_fault("bad.py", KeyError("weight"), "analysed")
        assert fault.message == "could not be analysed: KeyError: 'weight'"
