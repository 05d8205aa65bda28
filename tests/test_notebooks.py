"""Notebooks are rewritten cell by cell: Jupyter's, scripts in cells, Markdown with code cells."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import LayOut, Run

from pyroify import source
from pyroify.notebook import NotebookError, read_notebook, starts_of
from pyroify.source import SourceError, decode_source

SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'
IMPORTS = "import torch\nfrom torch import nn"
CLASS = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)"""
REWRITTEN = """\
class Net(PyroModule):
    def __init__(self):
        super().__init__()
        self.fc = PyroModule[nn.Linear](3, 1)

        self.fc.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, 3]).to_event(2))
        self.fc.bias = PyroSample(dist.Normal(0.0, 1.0).expand([1]).to_event(1))

    def forward(self, x):
        return self.fc(x)"""
NET = f"{IMPORTS}\n\n\n{CLASS}\n"
NEW_IMPORTS = (
    "import pyro.distributions as dist\nimport torch\n"
    "from pyro.nn import PyroModule, PyroSample\nfrom torch import nn"
)


def cell(code: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": code.splitlines(keepends=True), **more}


def notebook(*codes: str, indent: int | None = 1, **more: Any) -> str:
    """A notebook of format 4, with text before the first cell of code."""
    text = {"cell_type": "markdown", "source": ["class Net(nn.Module) is\n", "shown below: é"]}
    document = {"cells": [text, *map(cell, codes)], "nbformat": 4, "metadata": {}, **more}
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"


def codes_of(path: Path) -> list[str]:
    cells = json.loads(path.read_text())["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


def rewritten(run: Run, lay_out: LayOut, content: str, name: str = "try.ipynb") -> Path:
    root = lay_out({"pyroify.yaml": SPEC, name: content})
    ended = run("rewrite")
    assert "Traceback" not in ended.err
    assert run("rewrite", "--check").code == ended.code, "a second run changes something"
    return root / name


def test_cells_are_rewritten_like_files(run: Run, lay_out: LayOut) -> None:
    path = rewritten(run, lay_out, notebook(IMPORTS, CLASS, "net = Net()"))
    assert codes_of(path) == [NEW_IMPORTS, REWRITTEN, "net = Net()"]


def test_nothing_beside_the_changed_cells_moves(run: Run, lay_out: LayOut) -> None:
    magic = '%matplotlib inline\nimport os\nlisted = !ls "{os.sep}"\n!pip install a \\\n  b\nos?'
    document = {
        "cells": [
            cell(magic, id="a1", execution_count=3, metadata={"tags": ["x"]}, outputs=[]),
            cell(IMPORTS, id="b2", outputs=[{"data": {"text/html": ["<b>1</b>\n"]}}]),
            cell(CLASS, id="c3", outputs=[], metadata={"scrolled": True}),
            cell("%%bash\nclass nn.Linear(3, 3)", id="d4"),
            cell("%%time\nnet = Net();", id="e5", outputs=[{"text": "Wall time: 3 s"}]),
            cell("x = 1\n\n", id="f6"),
        ],
        "metadata": {"kernelspec": {"language": "python"}, "last": 1.50},
        "nbformat": 4,
    }
    before = json.dumps(document, indent=1) + "\n"
    path = rewritten(run, lay_out, before.replace("1.5\n", "1.50\n"))
    after = path.read_text()
    document["cells"][1]["source"] = NEW_IMPORTS.splitlines(keepends=True)
    document["cells"][2]["source"] = REWRITTEN.splitlines(keepends=True)
    assert after == json.dumps(document, indent=1).replace("1.5\n", "1.50\n") + "\n"


@pytest.mark.parametrize(
    "layout",
    [
        lambda text: json.dumps(json.loads(text)),
        lambda text: json.dumps(json.loads(text), indent=4),
        lambda text: json.dumps(json.loads(text), indent="\t", ensure_ascii=False),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: json.dumps(with_texts(json.loads(text)), indent=1),
    ],
    ids=["one line", "indent of 4", "tabs", "CRLF", "BOM", "texts"],
)
def test_the_layout_of_the_json_stays(
    run: Run, lay_out: LayOut, layout: Callable[[str], str]
) -> None:
    before = layout(notebook(IMPORTS, f"{CLASS}\n# ü \\N"))
    path = rewritten(run, lay_out, before)
    after = path.read_bytes().decode()
    sources = [NEW_IMPORTS, f"{REWRITTEN}\n# ü \\N"]
    assert after == layout(notebook(*sources))


def with_texts(document: Any) -> Any:
    for item in document["cells"]:
        item["source"] = "".join(item["source"])
    return document


def test_format_3_has_its_cells_in_sheets(run: Run, lay_out: LayOut) -> None:
    code = {"cell_type": "code", "input": [f"{IMPORTS}\n\n\n{CLASS}"]}
    path = rewritten(run, lay_out, json.dumps({"nbformat": 3, "worksheets": [{"cells": [code]}]}))
    [made] = json.loads(path.read_text())["worksheets"][0]["cells"]
    assert "".join(made["input"]) == f"{NEW_IMPORTS}\n\n\n{REWRITTEN}"


def test_imports_stand_above_what_needs_them(run: Run, lay_out: LayOut) -> None:
    late = "from pyro.nn import PyroParam\nimport torch.optim"
    path = rewritten(run, lay_out, notebook("%pip install torch", IMPORTS, CLASS, late))
    codes = codes_of(path)
    assert "PyroSample" in codes[1]
    assert codes[0] == "%pip install torch"
    assert codes[3] == late


def test_of_a_class_defined_in_two_cells_the_last_counts(run: Run, lay_out: LayOut) -> None:
    content = notebook(IMPORTS, CLASS, CLASS.replace("(3, 1)", "(3, 2)"))
    root = lay_out({"pyroify.yaml": SPEC, "try.ipynb": content})
    ended = run("rewrite")
    assert ended.code == 1
    assert "try.ipynb:1:1 PYR048 cell 3: Net is defined again" in ended.out
    assert codes_of(root / "try.ipynb")[1] == CLASS
    assert "PyroModule[nn.Linear](3, 2)" in codes_of(root / "try.ipynb")[2]


def test_findings_name_the_cell_and_its_line(run: Run, lay_out: LayOut) -> None:
    stack = "\n\nclass Stack(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    stack += "        self.layers = [nn.Linear(3, 3)]\n"
    root = lay_out({"pyroify.yaml": SPEC, "try.ipynb": notebook(IMPORTS, stack)})
    ended = run("rewrite")
    assert ended.code == 1
    assert "try.ipynb:6:" in ended.out
    assert " PYR002 cell 3: " in ended.out
    assert codes_of(root / "try.ipynb") == [IMPORTS, stack]


def test_what_scripts_are_told_notebooks_are_told(run: Run, lay_out: LayOut) -> None:
    step = "from net import Net\nnet = Net()\noptimizer = torch.optim.Adam(net.parameters())"
    lay_out({"pyroify.yaml": SPEC, "net.py": NET, "train.ipynb": notebook("import torch", step)})
    assert "train.ipynb:3:13 PYR010 cell 3: " in run("rewrite").out


def test_further_lines_of_a_finding_are_told_by_cell(run: Run, lay_out: LayOut) -> None:
    first = "from net import Net\nnet = Net()\ntorch.optim.Adam(net.parameters())"
    train = notebook("import torch", first, "\ntorch.optim.SGD(net.parameters(), 0.1)")
    lay_out({"pyroify.yaml": SPEC, "net.py": NET, "train.ipynb": train})
    assert "(and 1 more: line 2 of cell 4)" in run("rewrite").out


def test_what_is_made_in_the_cells_may_await(run: Run, lay_out: LayOut) -> None:
    path = rewritten(run, lay_out, notebook(f"{IMPORTS}\nawait thing()", CLASS))
    assert codes_of(path)[1] == REWRITTEN


class TestMarkdown:
    PAGE = (
        "---\njupytext: {formats: md:myst}\n---\n\n# Title\n\n"
        f"```{{code-cell}} ipython3\n---\ntags: [hide]\n---\n{IMPORTS}\n%matplotlib inline\n```\n\n"
        f"Text.\n\n```python\n{CLASS}\n```\n\n"
        "```{code-cell}\n:tags: [remove-output]\n\nCODE\n```\n\n"
        "```{code-cell} R\nclass <- nn.Module\n```\n\n```{code-cell} ipython3\n\n```\n"
    )

    def test_its_code_cells_are_rewritten(self, run: Run, lay_out: LayOut) -> None:
        path = rewritten(run, lay_out, self.PAGE.replace("CODE", CLASS), "page.md")
        expected = self.PAGE.replace("CODE", REWRITTEN).replace(IMPORTS, NEW_IMPORTS)
        assert path.read_text() == expected

    def test_other_pages_are_not_looked_at(self, run: Run, lay_out: LayOut) -> None:
        page = f"```python\n{NET}```\n"
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET, "README.md": page})
        assert run("rewrite").code == 0
        assert run("rewrite", "README.md").code == 0
        assert (root / "README.md").read_text() == page


def test_a_script_in_cells_keeps_them(run: Run, lay_out: LayOut) -> None:
    script = f"# %% [markdown]\n# # Title\n\n# %%\n{IMPORTS}\n\n# %% tags=['x']\n{CLASS}\n\n"
    script += "# %%\nnet = Net()\n"
    path = rewritten(run, lay_out, script, "try.py")
    text = path.read_text()
    assert [line for line in text.splitlines() if line.startswith("# %%")] == [
        line for line in script.splitlines() if line.startswith("# %%")
    ]
    assert text.index("import PyroModule") < text.index("# %% tags") < text.index("class Net")


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"cells": "nn"}',
        '{"cells": [1, {}, {"cell_type": "code"}, {"cell_type": "code", "source": ["nn", 1]}]}',
        notebook(NET, metadata={"kernelspec": {"language": "R"}}),
        notebook(NET, metadata={"language_info": {"name": "julia"}}),
    ],
)
def test_what_holds_no_network_stays(run: Run, lay_out: LayOut, content: str) -> None:
    root = lay_out({"pyroify.yaml": SPEC, "net.py": NET, "try.ipynb": content})
    assert run("rewrite").code == 0
    assert (root / "try.ipynb").read_text() == content


@pytest.mark.parametrize(
    "content",
    ["", "import torch", '["nn"]', "[" * 100_000 + "nn", '{"cells": [}', '{"nn": 1} x', '{"nn"'],
)
def test_what_cannot_be_read_is_said(run: Run, lay_out: LayOut, content: str) -> None:
    root = lay_out({"pyroify.yaml": SPEC, "net.py": NET, "try.ipynb": content})
    ended = run("rewrite")
    assert "try.ipynb:1:1 PYR240 cannot be read as a notebook: it is no " in ended.out
    assert ended.code == 1
    assert "PyroModule" in (root / "net.py").read_text()
    assert run("rewrite", "--min-coverage", "50").code == 0
    assert run("rewrite", "--min-coverage", "51").code == 1


def test_a_cell_that_is_no_python_is_said_and_kept(run: Run, lay_out: LayOut) -> None:
    broken = "net = nn.Linear(3, 1"
    root = lay_out({"pyroify.yaml": SPEC, "try.ipynb": notebook(IMPORTS, broken, CLASS, "x = (1")})
    assert "PYR240 cell 3 cannot be parsed: '(' was" in run("rewrite").out
    assert codes_of(root / "try.ipynb") == [NEW_IMPORTS, broken, REWRITTEN, "x = (1"]


def test_large_ones_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = notebook(NET).encode()
    assert decode_source(data, "try.ipynb").text
    monkeypatch.setattr(source, "LARGEST", 100)
    with pytest.raises(SourceError, match="more than"):
        decode_source(data, "try.ipynb")


def test_code_in_which_a_cell_is_lost_is_not_written() -> None:
    found = read_notebook(notebook("x = 1", "y = 1"), "try.ipynb")
    with pytest.raises(NotebookError):
        found.with_text(found.text.replace("cell 3", "cell"))


def test_cells_are_numbered_as_in_the_notebook() -> None:
    assert starts_of(read_notebook(notebook("a\nb", "c"), "t.ipynb").text) == ((2, 1), (3, 4))


def test_verify_says_that_nobody_imports_them(run: Run, lay_out: LayOut) -> None:
    pytest.importorskip("pyro")
    lay_out({"pyroify.yaml": SPEC, "try.ipynb": notebook(IMPORTS, CLASS)})
    ended = run("rewrite", "--verify")
    assert "PYR302 Net is not verified: it stands in a notebook" in ended.out
    assert ended.code == 1


class TestWhichCount:
    NOTEBOOK = notebook(IMPORTS, CLASS)

    def changed(self, run: Run, *args: str) -> list[str]:
        out = run("rewrite", "--check", *args).out
        return sorted(re.findall(r"would rewrite (.*\.ipynb)", out))

    def test_all_below_what_is_named(self, run: Run, lay_out: LayOut) -> None:
        names = ("try.ipynb", "sub/try.ipynb", ".ipynb_checkpoints/try.ipynb")
        files = {"pyroify.yaml": SPEC, "net.py": NET, "sub/net.py": NET}
        lay_out({**files, **dict.fromkeys(names, self.NOTEBOOK)})
        assert self.changed(run) == ["sub/try.ipynb", "try.ipynb"]
        assert self.changed(run, "sub") == ["sub/try.ipynb"]
        assert self.changed(run, "net.py") == []
        assert self.changed(run, "try.ipynb") == ["try.ipynb"]

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
        self, run: Run, lay_out: LayOut, key: str, expected: list[str]
    ) -> None:
        files = {"try.ipynb": self.NOTEBOOK, "sub/try.ipynb": self.NOTEBOOK, "sub/net.py": NET}
        lay_out({"net.py": NET, **files, "pyroify.yaml": f"{key}\n{SPEC}"})
        assert self.changed(run) == expected

    def test_what_git_ignores_does_not(self, run: Run, lay_out: LayOut) -> None:
        files = {"pyroify.yaml": SPEC, "net.py": NET, "try.ipynb": self.NOTEBOOK}
        lay_out({**files, ".gitignore": "*.ipynb\n"})
        assert self.changed(run) == []


# Run to the end

STEPS = (
    "%matplotlib inline\nimport pyro\nimport torch\nfrom torch import nn\nfrom pyro import poutine",
    CLASS,
    "net = Net()\nx = torch.ones(4, 3)\nassert net(x).shape == (4, 1)",
    "trace = poutine.trace(net).get_trace(x)\n"
    "assert len([s for s in trace.nodes.values() if s['type'] in ('sample', 'param')]) >= 0",
    "assert isinstance(net, nn.Module)\nended = True",
)


def run_through(path: Path) -> dict[str, Any]:
    """What the cells of a notebook leave behind, one after the other."""
    text = decode_source(path.read_bytes(), path.name).text
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, str(path), "exec"), names)
    return names


def test_what_is_rewritten_runs_to_its_end(run: Run, lay_out: LayOut) -> None:
    pytest.importorskip("pyro")
    left = run_through(rewritten(run, lay_out, notebook(*STEPS)))
    assert left["ended"]
    trace = left["trace"]
    assert {"fc.weight", "fc.bias"} <= set(trace.stochastic_nodes)


TUTORIALS = os.environ.get("PYROIFY_TUTORIALS", "")
"""A folder with tutorials in Markdown, as .md or .txt files."""
OF_TUTORIALS = f"""{SPEC}\
  - match: "Linear.*"
    keep: true
  - match: "BayesianLinear.bias"
    sample: Normal(0, 5)
"""


@pytest.mark.skipif(not TUTORIALS, reason="PYROIFY_TUTORIALS names no folder of tutorials")
def test_tutorials_keep_their_asserts(
    run: Run, lay_out: LayOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of Pyro on modules, as notebooks: what is random is declared, the rest stays."""
    pytest.importorskip("pyro")
    monkeypatch.setenv("CI", "1")
    pages = [path.read_text() for path in sorted(Path(TUTORIALS).iterdir())]
    pages = [page for page in pages if "{code-cell}" in page]
    assert pages
    files = {}
    for number, page in enumerate(pages):
        found = read_notebook(page, "page.md")
        codes = [re.sub(r"(?m)^assert pyro.__version__.*$", "", c.code) for c in found.cells]
        files[f"tutorial{number}.ipynb"] = notebook(*codes)
    root = lay_out({"pyroify.yaml": OF_TUTORIALS, **files})
    ended = run("rewrite")
    assert " 0 refused (" in ended.out
    for name, before in files.items():
        after = (root / name).read_text()
        assert "PyroSample(dist.Normal(0.0, 5.0)" in after
        assert after.count("assert ") == before.count("assert ")
        run_through(root / name)
