"""The plan against the object: each planted fault is found, with its class, site and reason."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch import nn

from pyroify.pipeline import rewrite_project
from pyroify.spec.load import load_spec
from pyroify.verify.compare import agreement
from pyroify.verify.compare.agreement import compare_with_plan
from pyroify.verify.compare.lines import Planned

NETS = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.gain = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))
        self.fixed = nn.Parameter(torch.full((width,), 2.0), requires_grad=False)
        self.register_buffer("steps", torch.zeros(1), persistent=False)

    def forward(self, x):
        return self.norm(self.fc(x)) * self.gain * self.fixed + self.shift


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.block = Block(width)
        self.raw = nn.Parameter(torch.randn(width))
        self.enc = nn.Linear(width, 3)
        self.dec = nn.Linear(3, width)
        self.rest = nn.ModuleList(nn.Linear(width, width) for _ in range(2))

    def forward(self, x):
        x = self.dec(self.enc(self.block(x))) * self.raw
        for layer in self.rest:
            x = layer(x)
        return x
"""
SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, fan_in ** -0.5)
  - match: "**.bias"
    sample: StudentT(3, 0, 2)
  - {match: "**", layer: LayerNorm, keep: true}
  - {match: Block.gain, param: positive}
  - {match: Block.shift, keep: true}
  - {match: Net.raw, sample: "Normal(0, self.tau)", centered: false}
  - {match: Net.enc.weight, sample: "MultivariateNormal(0, scale_tril=2)"}
latents:
  - {class: Net, name: tau, sample: HalfCauchy(1)}
"""
Built = tuple[Planned, nn.Module, nn.Module, nn.Module]


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Built]:
    """Builds original and rewritten ``Net(4)`` with what was planned."""
    folder = tmp_path_factory.mktemp("agreement")
    before, after = folder / "before", folder / "after"
    for root in (before, after):
        root.mkdir()
        (root / "nets.py").write_text(NETS)
    (folder / "pyroify.yaml").write_text(SPEC)
    spec = load_spec(folder / "pyroify.yaml")
    outcome = rewrite_project(after, ("nets.py",), spec)
    for change in outcome.changes:
        (after / change.path).write_bytes(change.after or b"")
    modules = [imported(root) for root in (before, after)]

    def build() -> Built:
        planned = Planned.by_module(spec, outcome.plan.classes)
        old, new, again = (
            net(m, seed) for m, seed in zip((*modules, modules[0]), (0, 0, 1), strict=True)
        )
        return planned, old, new, again

    return build


def imported(root: Path) -> ModuleType:
    """Imports ``nets`` of one version; the name is forgotten, so that there can be two."""
    sys.path.insert(0, str(root))
    try:
        return importlib.import_module("nets")
    finally:
        sys.path.remove(str(root))
        del sys.modules["nets"]


def net(module: ModuleType, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    built: nn.Module = module.Net(4)
    return built


def normal(shape: list[int], scale: float) -> PyroSample:
    return PyroSample(dist.Normal(0.0, scale).expand(shape).to_event(len(shape)))


def redeclare(path: str, value: object) -> Callable[[nn.Module], None]:
    def change(model: nn.Module) -> None:
        owner, _, name = path.rpartition(".")
        module = model.get_submodule(owner)
        if name in getattr(module, "_pyro_samples", ()):
            delattr(module, name)
        setattr(module, name, value)

    return change


def shadow(model: nn.Module) -> None:
    vars(model.enc)["weight"] = torch.zeros(3, 4)


def thaw(model: nn.Module) -> None:
    for held in (model.block._parameters, model.block._buffers):
        held.pop("fixed", None)
    model.block._parameters["fixed"] = nn.Parameter(torch.full((4,), 2.0))


def add_prior(model: nn.Module) -> None:
    model.block.extra = normal([1], 1.0)


def drop_buffer(model: nn.Module) -> None:
    del model.block.steps


def keep_buffer(model: nn.Module) -> None:
    model.block._non_persistent_buffers_set.discard("steps")


def loosen(model: nn.Module) -> None:
    del model.block.gain
    model.block.gain = PyroParam(torch.ones(4), constraint=dist.constraints.real)


def start_elsewhere(model: nn.Module) -> None:
    model.block.gain = torch.full((4,), 1.01)


def test_what_was_planned_is_no_fault(nets):
    assert compare_with_plan(*nets()) == ()


def test_what_is_declared_is_not_looked_up_for_each_parameter(nets, monkeypatch):
    """A network of hundreds of layers would take minutes."""
    lookups: list[nn.Module] = []
    declared = agreement._declared
    monkeypatch.setattr(
        agreement, "_declared", lambda module: lookups.append(module) or declared(module)
    )
    compare_with_plan(*nets())
    assert len(lookups) <= 2  # of more parameters than that


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (shadow, "Net.enc.weight: should be random, but its prior is never drawn"),
        (
            redeclare("enc.weight", nn.Parameter(torch.zeros(3, 4))),
            "Net.enc.weight: should be random, but is a parameter",
        ),
        (
            redeclare("block.shift", normal([4], 1.0)),
            "Block.shift (at block.shift): should be kept, but is random",
        ),
        (
            redeclare("block.fc.weight", normal([4, 4], 0.505)),
            "Block.fc.weight (at block.fc.weight): its prior scale of Normal is 0.505, planned 0.5",
        ),
        (
            redeclare("rest.1.weight", normal([4, 4], 1.0)),
            "Net.rest.*.weight (at rest.1.weight): its prior scale of Normal is 1, planned 0.5",
        ),
        (
            redeclare("dec.bias", PyroSample(dist.StudentT(3.0, 0.1, 2.0).expand([4]).to_event(1))),
            "Net.dec.bias: its prior loc of StudentT is 0.1, planned 0",
        ),
        (
            redeclare("dec.bias", PyroSample(dist.Laplace(0.0, 2.0).expand([4]).to_event(1))),
            "Net.dec.bias: its prior is Laplace, planned StudentT",
        ),
        (
            redeclare("dec.bias", PyroSample(dist.StudentT(3.0, 0.0, 2.0).expand([4]))),
            "Net.dec.bias: its prior has batch_shape (4,), so its dims are no event dims",
        ),
        (
            redeclare("dec.bias", normal([1], 2.0)),
            "Net.dec.bias: its prior has shape (1,), planned (4,)",
        ),
        (
            redeclare("tau", PyroSample(dist.HalfCauchy(1.5))),
            "Net.tau: its prior scale of HalfCauchy is 1.5, planned 1",
        ),
        (
            redeclare("raw", PyroSample(lambda self: 2 * self.raw_noise * self.tau)),
            "Net.raw: its value is",
        ),
        (
            redeclare("raw_noise", normal([4], 2.0)),
            "Net.raw: its prior scale of Normal is 2, planned 1",
        ),
        (
            loosen,
            "Block.gain (at block.gain): is under Real(), planned GreaterThan(lower_bound=0.0)",
        ),
        (start_elsewhere, "Block.gain (at block.gain): its first value is 1.01, planned 1"),
        (thaw, "Block.fixed (at block.fixed): its requires_grad is True, was False"),
        (add_prior, "block.extra: it is random, and the plan does not name it"),
        (drop_buffer, "block.steps: the buffer is gone"),
        (keep_buffer, "block.steps: the buffer was saved"),
    ],
)
def test_a_planted_fault_is_found(nets, change, fault):
    planned, old, new, again = nets()
    change(new)
    found = compare_with_plan(planned, old, new, again)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_parameter_that_no_line_covers_is_a_fault(nets):
    planned, old, new, again = nets()
    for model in (old, again):
        model.late = nn.Parameter(torch.ones(2))
    assert "Net.late: it is not in the plan" in compare_with_plan(planned, old, new, again)


def test_comparing_changes_nothing(nets):
    planned, old, new, again = nets()
    state = {name: value.clone() for name, value in new.state_dict().items()}
    flags = [p.requires_grad for p in new.parameters()]
    random, stored = torch.get_rng_state(), set(pyro.get_param_store())
    compare_with_plan(planned, old, new, again)
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in new.state_dict().items())
    assert flags == [p.requires_grad for p in new.parameters()]
    assert set(pyro.get_param_store()) == stored
    assert isinstance(new, PyroModule)
