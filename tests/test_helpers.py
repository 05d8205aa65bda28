"""Functions that declarations call: in the file, or once in a module of its package."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import LayOut, Run

SPEC = """\
version: 1
priors:
  - {match: "**", sample: "Normal(0, 1)"}
"""
PART = """\
from torch import nn

from . import sizes


class %s(nn.Module):
    def __init__(self, kind="Linear"):
        super().__init__()
        self.body = getattr(nn, kind)(3, 3)

    def forward(self, x):
        return self.body(x)
"""
WHOLE = """\
from torch import nn
from %(package)sa import A
from %(package)sb import B


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([A(), B()])

    def forward(self, x):
        return self.parts[0](x)
"""
FILES = {
    "net/__init__.py": "",
    "net/sizes.py": "WIDTH = 3\n",
    "net/a.py": PART % "A",
    "net/b.py": PART % "B",
    "pyroify.yaml": SPEC,
}
MODULE = "net/pyro_helpers.py"
DEFINITION, IMPORT = "def undeclared(", "from .pyro_helpers import undeclared\n"


def with_option(value: str) -> dict[str, str]:
    return {**FILES, "pyroify.yaml": f"{SPEC}options: {{helpers: {value}}}\n"}


def holders(root: Path) -> list[str]:
    """The files that define the helper."""
    found = (
        path.relative_to(root) for path in root.rglob("*.py") if DEFINITION in path.read_text()
    )
    return sorted(path.as_posix() for path in found)


class TestWhereTheyStand:
    def test_two_files_of_a_package_share_a_module(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out(FILES)
        ended = run("rewrite")
        assert ended.code == 0
        assert "wrote net/pyro_helpers.py" in ended.out
        assert holders(root) == [MODULE]
        assert IMPORT in (root / "net/a.py").read_text()
        assert f"{MODULE} * undeclared" in (root / "pyroify.lock").read_text()

    def test_a_second_run_changes_nothing(self, lay_out: LayOut, run: Run) -> None:
        lay_out(FILES)
        run("rewrite")
        assert run("rewrite", "--check").code == 0

    def test_one_file_keeps_its_own(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out({name: text for name, text in FILES.items() if name != "net/b.py"})
        assert run("rewrite").code == 0
        assert holders(root) == ["net/a.py"]

    def test_unless_a_module_is_asked_for(self, lay_out: LayOut, run: Run) -> None:
        files = {name: text for name, text in with_option("module").items() if name != "net/b.py"}
        root = lay_out(files)
        assert run("rewrite").code == 0
        assert holders(root) == [MODULE]

    def test_inline_is_each_for_itself(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out(with_option("inline"))
        assert run("rewrite").code == 0
        assert holders(root) == ["net/a.py", "net/b.py"]

    @pytest.mark.parametrize("name", ["a.py", "b.py"])
    def test_files_outside_of_packages_keep_theirs(
        self, lay_out: LayOut, run: Run, name: str
    ) -> None:
        alone = PART.replace("from . import sizes\n", "import sizes\n")
        files = {"a.py": alone % "A", "b.py": alone % "B", "sizes.py": "", "pyroify.yaml": SPEC}
        root = lay_out(files)
        assert run("rewrite").code == 0
        assert name in holders(root)

    def test_a_file_that_its_package_imports_is_no_script(self, lay_out: LayOut, run: Run) -> None:
        alone = PART.replace("from . import sizes\n", "")
        root = lay_out(
            {
                "net/__init__.py": "",
                "net/all.py": WHOLE % {"package": "."},
                "net/a.py": alone % "A",
                "net/b.py": alone % "B",
                "net/c.py": alone % "C" + '\n\nif __name__ == "__main__":\n    print(C())\n',
                "net/d.py": alone % "D",
                "pyroify.yaml": SPEC,
            }
        )
        assert run("rewrite").code == 0
        assert holders(root) == ["net/c.py", "net/d.py", MODULE]
        assert IMPORT in (root / "net/a.py").read_text()

    def test_a_package_without_dots_is_named(self, lay_out: LayOut, run: Run) -> None:
        alone = PART.replace("from . import sizes\n", "")
        files = {"net/__init__.py": "", "net/a.py": alone % "A", "net/b.py": alone % "B"}
        root = lay_out({**files, "use.py": WHOLE % {"package": "net."}, "pyroify.yaml": SPEC})
        assert run("rewrite").code == 0
        assert holders(root) == [MODULE]
        assert "from net.pyro_helpers import undeclared\n" in (root / "net/a.py").read_text()

    def test_what_only_another_helper_needs_is_not_imported(
        self, lay_out: LayOut, run: Run
    ) -> None:
        root = lay_out({**FILES, "pyroify.yaml": f"{SPEC}options: {{follow_module: true}}\n"})
        assert run("rewrite").code == 0
        assert (
            "from .pyro_helpers import follow_module, undeclared\n"
            in (root / "net/a.py").read_text()
        )
        assert "class Following:" in (root / MODULE).read_text()
        assert run("rewrite", "--check").code == 0

    def test_a_name_that_is_taken_stays_in_its_file(self, lay_out: LayOut, run: Run) -> None:
        taken = PART % "B" + "\n\nundeclared = None\n"
        root = lay_out({**FILES, "net/c.py": PART % "C", "net/b.py": taken})
        assert run("rewrite").code == 0
        assert holders(root) == [MODULE]
        assert "def _undeclared(" in (root / "net/b.py").read_text()

    def test_the_users_module_of_that_name_is_his(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out({**FILES, MODULE: "import torch\n"})
        assert run("rewrite").code == 0
        assert (root / MODULE).read_text() == "import torch\n"
        assert holders(root) == ["net/a.py", "net/b.py"]

    def test_nothing_is_made_where_the_spec_lets_nothing_change(
        self, lay_out: LayOut, run: Run
    ) -> None:
        spec = f'{SPEC}exclude: ["net/pyro_helpers.py"]\n'
        root = lay_out({**FILES, "pyroify.yaml": spec})
        assert run("rewrite").code in (0, 2)
        assert not (root / MODULE).exists()


class TestStepByStep:
    def test_a_run_over_some_files_makes_no_module(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out(FILES)
        assert run("rewrite", "net/a.py", "net/b.py").code == 0
        assert holders(root) == ["net/a.py", "net/b.py"]

    def test_a_new_file_imports_what_is_there(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out(FILES)
        run("rewrite")
        lay_out({"net/c.py": PART % "C"})
        assert run("rewrite").code == 0
        assert holders(root) == [MODULE]
        assert IMPORT in (root / "net/c.py").read_text()

    def test_what_the_user_edits_serves_as_it_is(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out(FILES)
        run("rewrite")
        edited = (root / MODULE).read_text().replace("yield path + name", "yield name")
        (root / MODULE).write_text(edited)
        run("rewrite")
        assert (root / MODULE).read_text() == edited
        assert holders(root) == [MODULE]

    def test_an_old_one_is_brought_up_to_date(
        self, lay_out: LayOut, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from pyroify.code import undeclared

        root = lay_out(FILES)
        now = undeclared.FUNCTION
        with monkeypatch.context() as older:
            older.setattr(undeclared, "FUNCTION", now.replace("Paths and modules", "Modules"))
            run("rewrite")
            assert "Modules below one" in (root / MODULE).read_text()
        assert run("rewrite").code == 0
        assert "Paths and modules below one" in (root / MODULE).read_text()
        assert holders(root) == [MODULE]


class TestWhatIsSaid:
    def test_the_diff_makes_the_file(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out(FILES)
        diff = run("rewrite", "--diff").out
        assert not (root / MODULE).exists()
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        subprocess.run(["git", "apply", "-"], cwd=root, input=diff.encode(), check=True)
        assert holders(root) == [MODULE]

    def test_proofs_are_of_the_tree_that_has_it(self, lay_out: LayOut, run: Run) -> None:
        lay_out(FILES)
        ended = run("rewrite", "--verify")
        assert ended.code == 0, ended.out + ended.err

    def test_another_word_is_refused(self, lay_out: LayOut, run: Run) -> None:
        lay_out(with_option("shared"))
        ended = run("rewrite", "--check")
        assert ended.code == 2
        assert "helpers must be auto or inline or module" in ended.out + ended.err
