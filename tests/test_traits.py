"""What the traits of a class and its methods tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyroify.dispatch import Trait
from pyroify.program import build_index
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.syntax.facts import Assignment, Freeze, Observation, Plate, Use, Write
from pyroify.syntax.traits import BEYOND_LAYERS, anywhere, called, early, later
from pyroify.syntax.values import Call, Name

CLASS = """\
import pyro
import torch
from torch import nn


def initialise(module):
    nn.init.zeros_(module.weight)


class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        {start}

    def forward(self, x):
        {body}
        return x
"""


def traits(folder: Path, start: str = "pass", body: str = "pass") -> frozenset[Trait]:
    """Those of a class with a line in its constructor and one in what is called."""
    (folder / "net.py").write_text(CLASS.format(start=start, body=body))
    index = build_index(folder, ["net.py"])
    (cls,) = index.module_classes
    return ClassSummary(cls, Resolver(index, {}), ()).traits


@pytest.mark.parametrize(
    ("start", "is_beyond"),
    [
        ("self.fc = nn.Linear(width, 1)", False),
        ("self.width = 3", False),
        ("self.fc = None", False),
        ("self.net = nn.Sequential(nn.Linear(3, 1), nn.ReLU())", False),
        ("self.net = nn.ModuleList([nn.Linear(3, 1)])", True),
        ("self.net = nn.Sequential(*layers)", True),
        ("self.width = width", True),
        ("self.w = nn.Parameter(torch.ones(3))", True),
        ("self.fc = nn.LazyLinear(3)", True),
        ("self.fc = nn.Linear(3, 1) if width else made()", True),
        ("self.fc.extra = nn.Linear(3, 1)", True),
        ("self.layers.append(nn.Linear(3, 1))", True),
        ("setattr(self, name, nn.Linear(3, 1))", True),
        ("self.add_module(name, nn.Linear(3, 1))", True),
    ],
)
def test_beyond_layers_is_all_but_layers_and_constants(
    start: str, is_beyond: bool, tmp_path: Path
) -> None:
    assert (BEYOND_LAYERS in traits(tmp_path, start)) == is_beyond


@pytest.mark.parametrize(
    ("start", "trait"),
    [
        ("self.fc = nn.Linear(3, 1)", (Assignment, "assign")),
        ("self.block.fc = nn.Linear(3, 1)", (Assignment, "below")),
        ("x = self.w[0]", Use),
        ("x = self.w + 1", Use),
        ("del self.w", (Use, "delete")),
        ("self.fc.reset_parameters()", (Use, "call below")),
        ("keep(self.w)", (Call, Name)),
        ("torch.save(self, 'net.pt')", *called("torch.save")),
        ("self.w.requires_grad = False", Freeze),
        ("nn.init.zeros_(self.w)", Write),
    ],
)
def test_traits_tell_what_there_is_and_when_it_runs(
    start: str, trait: Trait, tmp_path: Path
) -> None:
    (tmp_path / "early").mkdir()
    (tmp_path / "later").mkdir()
    in_constructor = traits(tmp_path / "early", start)
    in_forward = traits(tmp_path / "later", body=start)
    assert trait in in_constructor & in_forward
    assert {*early(trait)} <= in_constructor - in_forward
    assert {*later(trait)} <= in_forward - in_constructor


@pytest.mark.parametrize(
    ("body", "trait"),
    [
        ("with pyro.plate('data', 3): x = self.fc(x)", Plate),
        ("x = self.layers[1:](x)", (Observation, "slice")),
        ("x = next(self.parameters()).device", (Observation, "anchor")),
    ],
)
def test_traits_of_what_is_observed(body: str, trait: Trait, tmp_path: Path) -> None:
    assert trait in traits(tmp_path, body=body)
    assert trait not in traits(tmp_path)


def test_the_project_has_what_any_function_has(tmp_path: Path) -> None:
    assert {*anywhere(*called("torch.nn.init.zeros_"))} <= traits(tmp_path)
    assert Write not in traits(tmp_path)
