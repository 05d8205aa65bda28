"""How the spec says that a class is built and called: `verify`, `svi.model` and `svi.data`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import LayOut, Run

pytest.importorskip("pyro")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]

SPEC = """\
version: 1
priors:
  - {match: "**", sample: "Normal(0, 1)"}
"""
NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc = nn.Linear(config["inputs"], 1)

    def forward(self, x, scale):
        assert x.shape[1] == 5 and scale.dim() == 0
        return self.fc(x) * scale
"""
ROWS = """\
from torch import nn


class Rows(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 1)

    def forward(self, x):
        assert x.dim() == 2 and x.min() >= 100
        return self.fc(x)
"""
SAMPLES = """\
import torch


def small():
    from net import Net

    return Net({"inputs": 5})


def batch():
    return {"x": torch.ones(3, 5), "scale": torch.tensor(2.0)}


def other():
    return "nothing to verify"


def rows():
    return torch.full((9, 7), 200.0), torch.zeros(9)
"""


def result_of(lay_out: LayOut, run: Run, spec: str, source: str = NET) -> dict[str, Any]:
    """What a verification says of the one class of ``net.py``."""
    lay_out({"net.py": source, "samples.py": SAMPLES, "pyroify.yaml": SPEC + spec})
    keep = Path(f"{Path.cwd()}-before")
    keep.mkdir()
    for name in ("net.py", "samples.py", "table.csv"):
        if Path(name).exists():
            (keep / name).write_bytes(Path(name).read_bytes())
    assert run("rewrite").code == 0
    ended = run("verify", "--original", str(keep), "--format", "json")
    [result] = json.loads(ended.out)["results"]
    return dict(result)


@pytest.mark.parametrize(
    ("example", "built", "call"),
    [
        (
            'build: {config: {inputs: 5}}, inputs: ["float[2, 5]", "float[]"]',
            "Net(config={'inputs': 5})",
            "forward(float[2, 5], float[])",
        ),
        (
            'build: "samples:small", inputs: {x: "float[2, 5]", scale: "float[]"}',
            "Net(by samples:small)",
            "forward(x=float[2, 5], scale=float[])",
        ),
        (
            'build: "samples:small", inputs: "samples:batch"',
            "Net(by samples:small)",
            "forward(x=float32[3, 5], scale=float32[])",
        ),
    ],
    ids=["arguments", "a function that builds", "a function that gives inputs"],
)
def test_an_example(lay_out: LayOut, run: Run, example: str, built: str, call: str) -> None:
    found = result_of(lay_out, run, f"verify:\n  - {{class: 'net:Net', {example}}}\n")
    assert (found["status"], found["built"]) == ("equal", built), found
    assert found["calls"][0] == call


def test_a_function_that_returns_something_else(lay_out: LayOut, run: Run) -> None:
    found = result_of(lay_out, run, "verify: [{class: 'net:Net', build: 'samples:other'}]\n")
    assert found["status"] == "not_verified"
    assert "samples:other returns str, not Net" in found["reason"]


def test_a_class_that_is_not_there(lay_out: LayOut, run: Run) -> None:
    lay_out({"net.py": NET, "pyroify.yaml": SPEC + "verify:\n  - class: net:Nat\n"})
    ended = run("rewrite", "--verify")
    assert ended.code == 2
    assert "pyroify.yaml:5:5: verify is about net:Nat, but there is no such class" in ended.err


@pytest.mark.parametrize(
    ("data", "width"),
    [
        ("source: table.csv, targets: price", 2),
        ("source: 'samples:rows'", 7),
        ("source: table.csv, targets: price, inputs: {x: all}", 0),
    ],
    ids=["a table", "a function", "an argument of one column"],
)
def test_rows_of_the_data_are_an_input(lay_out: LayOut, run: Run, data: str, width: int) -> None:
    lay_out({"table.csv": "price,all,half\n" + "1,150,110\n" * 6})
    source = (
        ROWS if width else ROWS.replace("x.dim() == 2 and", "").replace("(x)\n", "(x[:, None])\n")
    )
    model = f"{{class: 'net:Rows', kwargs: {{width: {width or 1}}}}}"
    svi = f"svi: {{model: {model}, data: {{{data}}}}}\n"
    found = result_of(lay_out, run, svi, source)
    assert found["status"] == "equal", found
    assert "float32[4" in found["calls"][0]
