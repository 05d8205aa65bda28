"""Where the noise of a regression begins."""

from pathlib import Path
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import AutoDelta, init_to_median
from pyro.nn import PyroSample
from test_training_loop import Model, Net, flags
from torch import nn

from pyroify.training.data.rows import Rows
from pyroify.training.inference.guides import MeanField
from pyroify.training.inference.noise import begin_noise, fitted_noise
from pyroify.training.inference.objectives import TraceElbo
from pyroify.training.inference.point import fit_point, hold_noise, without_part
from pyroify.training.model.initial import built_with_values
from pyroify.training.run import Flags, Run, prepare


@pytest.fixture(autouse=True)
def local_params() -> Any:
    pyro.settings.set(module_local_params=True)
    yield
    pyro.settings.set(module_local_params=False)


class Wide(Net):
    """More weights than rows, so that it can learn the noise by heart."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 300), nn.ReLU(), nn.Linear(300, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.body(x)


class Noisy(Model):
    def forward(self, *inputs: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        scale = self.scale
        mean = self.net(*inputs).squeeze(1)
        size = len(mean) if targets is None else self.size
        with pyro.plate("data", size, subsample=torch.arange(len(mean))):
            return pyro.sample("obs", dist.Normal(mean, scale), obs=targets)


def build_wide(size: int) -> tuple[Model, dict[str, torch.Tensor]]:
    net, values = built_with_values(Wide)
    model = Noisy(net, size)
    model.scale = PyroSample(dist.LogNormal(0.0, 1.0))
    return model, values


def build_optimizer(parameters: Any, flags: Flags) -> Any:
    return torch.optim.Adam(parameters, lr=0.02), None


def few_rows(out: Path, *given: str) -> Run:
    torch.manual_seed(2)
    x = torch.randn(60, 2)
    y = torch.randn(60)  # nothing but noise
    settings = flags(out, "--epochs=300", "--batch-size=60", *given)
    return prepare(Rows((x,), y), settings, test=0, validation=0, scale_targets=True)


def build_model(size: int) -> tuple[Model, dict[str, torch.Tensor]]:
    net, values = built_with_values(Net)
    return Model(net, size), values


def run_with(noise: float, out: Path, *given: str) -> Run:
    torch.manual_seed(1)
    x = torch.randn(200, 2)
    y = 2 * x[:, 0] + noise * torch.randn(200)
    settings = flags(out, *given)
    return prepare(Rows((x,), y), settings, test=0, validation=0, scale_targets=True)


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_it_is_that_of_the_rows_and_draws_nothing(noise: float, tmp_path: Path) -> None:
    run = run_with(noise, tmp_path)
    before = torch.get_rng_state()
    found = fitted_noise(build_model, run)
    unit = run.scalings["targets"][0]["sd"].item()
    assert found * unit == pytest.approx(noise, rel=0.25)
    assert torch.equal(torch.get_rng_state(), before)
    assert fitted_noise(build_model, run) == found


def test_it_goes_to_the_guide_and_only_before_a_training(tmp_path: Path) -> None:
    model, values = build_model(200)
    model.scale = PyroSample(dist.LogNormal(0.0, 1.0))
    begin_noise(model, values, build_model, run_with(0.5, tmp_path, "--eval"))
    assert "scale" not in values
    begin_noise(model, values, build_model, run_with(0.5, tmp_path))
    assert 0.15 < values["scale"].item() < 0.4


def test_what_is_not_finite_leaves_it_where_it_was(tmp_path: Path) -> None:
    class Exploding(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * float("inf")

    def build(size: int) -> tuple[Model, dict[str, torch.Tensor]]:
        net, values = built_with_values(Exploding)
        return Model(net, size), values

    model, values = build(200)
    begin_noise(model, values, build, run_with(0.5, tmp_path))
    assert "scale" not in values


def test_that_of_a_point_is_what_it_leaves_in_rows_it_has_not_seen(tmp_path: Path) -> None:
    left_out = without_part(few_rows(tmp_path), 0, 5)
    noises = []
    for run, unseen in ((few_rows(tmp_path), False), (left_out, True)):
        _, point = fit_point(build_wide, build_optimizer, run, prior=1.0, unseen_noise=unseen)
        noises.append(point()["scale"].item())
    assert noises[0] < 0.6 < 0.8 < noises[1]


def test_each_part_is_left_out_once(tmp_path: Path) -> None:
    run = few_rows(tmp_path)
    members = [without_part(run, number, 5) for number in range(5)]
    for member in members:
        kept, left_out = member.rows, member.parts["validation"]
        together = torch.cat([kept.targets, left_out.targets])
        assert torch.equal(together.sort()[0], run.rows.targets.sort()[0])
    unseen = torch.cat([member.parts["validation"].targets for member in members])
    assert torch.equal(unseen.sort()[0], run.rows.targets.sort()[0])
    assert [member.flags.seed for member in members] == [0, 1, 2, 3, 4]
    assert run.flags.seed == 0


def test_rows_to_validate_on_are_taken_where_there_are_any(tmp_path: Path) -> None:
    run = few_rows(tmp_path)
    run.parts["validation"] = run.rows[:7]
    assert without_part(run, 1, 5).parts == run.parts
    few = few_rows(tmp_path)
    few.parts["train"] = few.rows[:9]
    assert not len(without_part(few, 1, 5).parts["validation"])


def test_the_noise_of_a_point_is_held_while_it_is_trained(tmp_path: Path) -> None:
    run = few_rows(tmp_path)
    model, _ = build_wide(60)
    guide = AutoDelta(model)
    objective = TraceElbo(model, guide)
    objective(run.rows, 1.0)
    before = torch.get_rng_state()
    hold_noise(objective, build_wide, build_optimizer, run)
    assert torch.equal(torch.get_rng_state(), before)
    assert 0.8 < guide()["scale"].item() < 1.5
    assert not dict(guide.named_parameters())["scale_unconstrained"].requires_grad
    spread = MeanField(model, run.rows, init_to_median)
    hold_noise(TraceElbo(model, spread), build_wide, build_optimizer, run)
    assert all(parameter.requires_grad for parameter in spread.parameters())
