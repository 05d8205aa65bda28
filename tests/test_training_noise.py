"""Where the noise of a regression begins."""

from pathlib import Path
from typing import Any

import pyro
import pytest
import torch
from pyro.nn import PyroSample
from test_training_loop import Model, Net, flags

from pyroify.training.data.rows import Rows
from pyroify.training.inference.noise import begin_noise, fitted_noise
from pyroify.training.model.initial import built_with_values
from pyroify.training.run import Run, prepare


@pytest.fixture(autouse=True)
def local_params() -> Any:
    pyro.settings.set(module_local_params=True)
    yield
    pyro.settings.set(module_local_params=False)


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
    model.scale = PyroSample(pyro.distributions.LogNormal(0.0, 1.0))
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
