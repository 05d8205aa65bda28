"""Notebooks are not rewritten; what is said of them, and what of those that cannot be read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run

from pyroify.syntax import notebook
from pyroify.syntax.notebook import read_notebook

SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""
CLASS = NET.partition("\n\n\n")[2]
PROJECT = {"pyroify.yaml": SPEC, "net.py": NET}


def cells(*codes: str, **more: Any) -> str:
    """A notebook of format 4, with text before the first cell of code."""
    code = [{"cell_type": "code", "source": code.splitlines(keepends=True)} for code in codes]
    text = {"cell_type": "markdown", "source": ["class Net(nn.Module) is\n", "shown below"]}
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": [text, *code], **more})


def said(run: Run, lay_out: Callable, *notebooks: str) -> list[str]:
    """What `rewrite` says of notebooks beside a file that is converted."""
    files = {f"try{number}.ipynb": content for number, content in enumerate(notebooks)}
    root = lay_out({**PROJECT, **files})
    ended = run("rewrite")
    assert "Traceback" not in ended.err
    assert "PyroModule" in (root / "net.py").read_text()
    found = [line for line in ended.out.splitlines() if line.startswith("try")]
    assert ended.code == int(bool(found))
    return [line.removeprefix("try0.ipynb:1:1 PYR240 ") for line in found]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["from torch import nn", CLASS], "defines Net (cell 3)"),
        (
            ["from torch import nn\n" + CLASS, "x = 1", CLASS.replace("Net", "Other")],
            "defines Net, Other (cells 2, 4)",
        ),
        (
            ["from torch import nn", "net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())"],
            "makes nn.Sequential (cell 3)",
        ),
        (
            ["from torch import nn", "def build():\n    return nn.Linear(3, 3)", "build()"],
            "makes nn.Linear (cell 3)",
        ),
        (["from net import Net", "class Sub(Net):\n    pass"], None),
        (
            ["from net import Net\nfrom torch import nn", CLASS.replace("nn.Module", "Net")],
            "defines Net (cell 3)",
        ),
        (["from net import Net", "net = Net()"], None),
        (["from torch import nn", CLASS.replace("nn.Linear(3, 1)", "nn.ReLU()")], None),
        (["import torch\nx = torch.ones(3)"], None),
        (["%pip install torch", "%%bash\nclass nn.Linear(3, 3)", "!ls nn.py"], None),
        (
            ["%load_ext x\nfrom torch import nn", "%%time\n" + CLASS, "x = !ls\n?nn\nnn.Linear?"],
            "defines Net (cell 3)",
        ),
        (
            ["from torch import nn", "for i in range(3):\n    !echo {i}\n" + CLASS],
            "defines Net (cell 3)",
        ),
        (["import torch\nawait torch.ones(3)"], None),
        (["from torch import nn", "net = nn.Linear(3, 1"], "cell 3 cannot be parsed: '(' was"),
        (["x = (1"], None),
    ],
)
def test_what_is_said(run: Run, lay_out: Callable, codes: list[str], expected: str | None) -> None:
    found = said(run, lay_out, cells(*codes))
    if expected is None:
        assert found == []
    else:
        [line] = found
        assert line.startswith(expected)
        assert line.endswith("; notebooks are not rewritten")


def test_format_3_has_its_cells_in_sheets(run: Run, lay_out: Callable) -> None:
    code = {"cell_type": "code", "input": [f"from torch import nn\n{CLASS}"]}
    old = json.dumps({"nbformat": 3, "worksheets": [{"cells": [code]}]})
    assert said(run, lay_out, old) == ["defines Net (cell 1); notebooks are not rewritten"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '"nn"',
        '{"cells": "nn"}',
        '{"cells": [1, {}, {"cell_type": "code"}, {"cell_type": "code", "source": ["nn", 1]}]}',
        cells(NET, metadata={"kernelspec": {"language": "R"}}),
        cells(NET, metadata={"language_info": {"name": "julia"}}),
    ],
)
def test_of_what_holds_no_network_nothing_is_said(
    run: Run, lay_out: Callable, content: str
) -> None:
    assert [line for line in said(run, lay_out, content) if "no notebook" not in line] == []


@pytest.mark.parametrize(
    "content", ["import torch", '["nn"]', "[" * 100_000 + "nn"], ids=["no JSON", "list", "deep"]
)
def test_what_cannot_be_read_is_said(run: Run, lay_out: Callable, content: str) -> None:
    [line] = said(run, lay_out, content)
    assert line.startswith("cannot be read as a notebook: it is no ")


def test_large_ones_are_not_read(lay_out: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lay_out({"try.ipynb": cells(NET)})
    assert read_notebook(root / "try.ipynb")
    monkeypatch.setattr(notebook, "LARGEST", 100)
    with pytest.raises(notebook.NotebookError, match="more than"):
        read_notebook(root / "try.ipynb")


def test_a_fault_of_pyroify_costs_one_notebook(
    run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise KeyError(path.name)

    monkeypatch.setattr("pyroify.program.load.read_notebook", fail)
    root = lay_out({**PROJECT, "try.ipynb": cells(NET)})
    ended = run("rewrite")
    assert ended.code == 2
    assert "try.ipynb:1:1 PYR234 could not be read: KeyError: 'try.ipynb'" in ended.out
    assert "PyroModule" in (root / "net.py").read_text()


class TestWhichCount:
    NOTEBOOK = cells(NET)

    def lines(self, run: Run, *args: str) -> list[str]:
        out = run("rewrite", "--check", *args).out
        return [line.partition(":")[0] for line in out.splitlines() if "PYR240" in line]

    def test_all_below_what_is_named(self, run: Run, lay_out: Callable) -> None:
        names = ("try.ipynb", "sub/try.ipynb", ".ipynb_checkpoints/try.ipynb")
        lay_out({**PROJECT, **dict.fromkeys(names, self.NOTEBOOK), "sub/net.py": NET})
        assert self.lines(run) == ["sub/try.ipynb", "try.ipynb"]
        assert self.lines(run, "sub") == ["sub/try.ipynb"]
        assert self.lines(run, "net.py") == []

    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ('exclude: ["*.ipynb"]', []),
            ("exclude: [sub/]", ["try.ipynb"]),
            ('include: ["sub/**/*.py"]', ["sub/try.ipynb"]),
            ('include: ["*.py"]', ["sub/try.ipynb", "try.ipynb"]),
        ],
    )
    def test_what_the_spec_leaves_out_does_not(
        self, run: Run, lay_out: Callable, key: str, expected: list[str]
    ) -> None:
        files = {"try.ipynb": self.NOTEBOOK, "sub/try.ipynb": self.NOTEBOOK, "sub/net.py": NET}
        lay_out({**PROJECT, **files, "pyroify.yaml": f"{key}\n{SPEC}"})
        assert self.lines(run) == expected

    def test_what_git_ignores_does_not(self, run: Run, lay_out: Callable) -> None:
        lay_out({**PROJECT, "try.ipynb": self.NOTEBOOK, ".gitignore": "*.ipynb\n"})
        assert self.lines(run) == []

    def test_they_are_counted(self, run: Run, lay_out: Callable) -> None:
        lay_out({**PROJECT, "try.ipynb": self.NOTEBOOK})
        summary = json.loads(run("rewrite", "--format", "json").out)["summary"]
        assert (summary["notebooks"], summary["coverage"], summary["coverage_of_all"]) == (
            1,
            100,
            50,
        )
        assert run("rewrite", "--min-coverage", "50").code == 0
        assert run("rewrite", "--min-coverage", "51").code == 1
        assert run("rewrite", "--check").code == 1
        assert run("plan").code == 1


def test_training_a_converted_class_is_said(run: Run, lay_out: Callable) -> None:
    made = "from net import Net\nimport torch\nnet = Net()"
    trained = cells(made, "optimizer = torch.optim.Adam(net.parameters())")
    other = cells("import torch\noptimizer = torch.optim.Adam([torch.zeros(3)])")
    lay_out({**PROJECT, "try.ipynb": trained, "other.ipynb": other})
    ended = run("rewrite")
    assert ended.code == 0
    found = [line for line in ended.out.splitlines() if ".ipynb" in line]
    assert found == ["try.ipynb:1:1 PYR010 trains Net (cell 3) less its random parameters"]
