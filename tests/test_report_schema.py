"""What ``--format json`` gives is what its schema says, and paths in it are relative."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from conftest import LayOut, Run
from jsonschema import Draft202012Validator
from test_formats import NET, RESULTS, SPEC

from pyroify.report import formats
from pyroify.report.schema import report_schema

VALIDATOR = Draft202012Validator(report_schema())
SCRIPT = """\
import torch
from pkg.net import Net

net = Net()
optimiser = torch.optim.Adam(net.parameters())
torch.nn.functional.mse_loss(net(torch.ones(3)), torch.ones(1)).backward()
optimiser.step()
"""


@pytest.fixture
def root(lay_out: LayOut) -> Path:
    return lay_out(
        {"pkg/net.py": NET, "pkg/__init__.py": "", "train.py": SCRIPT, "pyroify.yaml": SPEC}
    )


def paths(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            is_site = {"action", "shape"} <= document.keys() or "cls" in document
            if key == "path" and not is_site:
                yield value
            yield from paths(value)
    elif isinstance(document, list):
        for item in document:
            yield from paths(item)


def test_is_a_schema() -> None:
    Draft202012Validator.check_schema(report_schema())


@pytest.mark.parametrize(
    "command",
    [
        ["plan"],
        ["rewrite", "--check"],
        ["rewrite", "--diff"],
        ["rewrite"],
        ["status"],
        ["rewrite", "--spec", "gone.yaml"],
        ["plan", "pkg/net.py"],
    ],
)
def test_of_commands(root: Path, run: Run, command: list[str]) -> None:
    document = json.loads(run(*command, "--format", "json").out)
    VALIDATOR.validate(document)
    named = list(paths(document))
    assert named
    assert not any(PurePosixPath(path).is_absolute() or "\\" in path for path in named)


def test_of_a_verification() -> None:
    said = formats.renderer("json", "verify")(Path("/root"), RESULTS, 2)
    VALIDATOR.validate(json.loads(said.result))


def test_a_key_that_it_does_not_know_would_be_found(root: Path, run: Run) -> None:
    document = json.loads(run("plan", "--format", "json").out)
    document["classes"][0]["more"] = 1
    assert not VALIDATOR.is_valid(document)


def test_the_command_prints_it(run: Run) -> None:
    assert json.loads(run("schema", "report").out) == report_schema()
    assert json.loads(run("schema").out) == json.loads(run("schema", "spec").out)
