"""pyroify from Python: what it offers, and that it does what the commands do."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LayOut, Run

import pyroify

STUB = Path(pyroify.__file__).with_suffix(".pyi")
SPEC = """\
version: 1
exclude: ["old/"]
priors:
  - {match: "**", sample: "Normal(0, 1)"}
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
BROKEN = "from torch import nn\nclass\n"
DERIVED = """\
# coding: latin-1
from base import Net


class Derived(Net):  # \xe9
    def named_children(self):
        return iter(())
"""


@pytest.fixture
def root(lay_out: LayOut, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = lay_out({"net.py": NET, "pyroify.yaml": SPEC})
    monkeypatch.chdir(root)
    return root


def test_the_stub_tells_the_homes() -> None:
    tree = ast.parse(STUB.read_text())
    homes = {
        alias.name: (node.module or "").removeprefix("pyroify.")
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes == pyroify._HOMES
    assert set(pyroify.__all__) == {"__version__", *homes}


@pytest.mark.parametrize("name", pyroify.__all__)
def test_all_is_there_and_documented(name: str) -> None:
    found = getattr(pyroify, name)
    assert found.__doc__
    assert name in dir(pyroify)


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        pyroify.nothing  # noqa: B018


def test_plan_is_the_function_whatever_was_imported_before() -> None:
    import pyroify.planning

    assert pyroify.plan.__module__ == "pyroify.api"


@pytest.mark.parametrize("name", ["load_spec", "plan", "rewrite_source"])
def test_asking_loads_no_torch(name: str) -> None:
    program = f"import sys, pyroify; pyroify.{name}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


class TestRewriteSource:
    def test_gives_what_the_command_gives(self, root: Path, run: Run) -> None:
        result = pyroify.rewrite_source(NET, pyroify.load_spec("pyroify.yaml"), filename="net.py")
        assert [(entry.name, entry.status) for entry in result.classes] == [
            ("net:Net", "converted")
        ]
        assert (root / "net.py").read_text() == NET
        run("rewrite")
        assert (root / "net.py").read_text() == result.text

    def test_the_project_around_it_is_looked_at(self, root: Path) -> None:
        (root / "base.py").write_text(NET)
        spec = pyroify.load_spec(root / "pyroify.yaml")
        result = pyroify.rewrite_source(DERIVED, spec, filename=root / "more.py")
        assert result.text == DERIVED
        assert {finding.code for finding in result.findings} == {"PYR221"}
        assert {finding.path for finding in result.findings} == {"more.py"}

    def test_line_ends_and_marks_stay(self, root: Path) -> None:
        text = "\ufeff" + NET.replace("\n", "\r\n")
        spec = pyroify.load_spec("pyroify.yaml")
        result = pyroify.rewrite_source(text, spec, filename="net.py")
        assert result.text.startswith("\ufeffimport pyro.distributions as dist\r\n")

    def test_of_a_notebook(self, root: Path) -> None:
        text = json.dumps({"cells": [{"cell_type": "code", "source": NET}]})
        spec = pyroify.load_spec("pyroify.yaml")
        result = pyroify.rewrite_source(text, spec, filename="try.ipynb")
        assert "PyroModule" in json.loads(result.text)["cells"][0]["source"]

    def test_what_the_spec_leaves_out_stays(self, root: Path) -> None:
        spec = pyroify.load_spec("pyroify.yaml")
        assert pyroify.rewrite_source(NET, spec, filename="old/net.py").text == NET

    def test_what_is_no_python_is_a_finding(self, root: Path) -> None:
        spec = pyroify.load_spec("pyroify.yaml")
        result = pyroify.rewrite_source(BROKEN, spec, filename="net.py")
        assert result.text == BROKEN
        assert [finding.code for finding in result.findings] == ["PYR203"]


class TestPlan:
    def test_is_that_of_the_command(self, root: Path, run: Run) -> None:
        report = pyroify.plan()
        document = json.loads(run("plan", "--format", "json").out)
        assert [entry.name for entry in report.classes] == [e["name"] for e in document["classes"]]
        assert report.statuses == document["summary"]["classes"]

    @pytest.mark.parametrize("as_object", [True, False])
    def test_of_another_spec(self, root: Path, as_object: bool) -> None:
        path = root / "other.yaml"
        path.write_text(SPEC.replace('sample: "Normal(0, 1)"', "keep: true"))
        report = pyroify.plan(["net.py"], spec=pyroify.load_spec(path) if as_object else path)
        assert [site.action for entry in report.classes for site in entry.sites] == ["keep"] * 2

    def test_errors_are_raised(self, root: Path) -> None:
        with pytest.raises(pyroify.ProjectError):
            pyroify.plan(["gone.py"])
        (root / "pyroify.yaml").write_text("nonsense: 1\n")
        with pytest.raises(pyroify.SpecError):
            pyroify.plan()


def test_the_example_of_the_page_runs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[1] / "docs/reference/python.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    exec(compile(example, "python.md", "exec"), {})
    said = capsys.readouterr().out
    assert "class Net(PyroModule):" in said
    assert "net:Net converted [('fc.weight', 'sample'), ('fc.bias', 'sample')]" in said
