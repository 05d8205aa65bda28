"""Noise drawn in the outputs: of each row it is distributed as under draws of the weights."""

from collections.abc import Callable
from typing import Any

import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import init_to_median
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn
from torch.nn import functional

from pyroify.training.data.rows import Rows
from pyroify.training.inference.guides import MeanField
from pyroify.training.inference.objectives import MeanFieldElbo
from pyroify.training.inference.reparametrization import NoisyLayers

DRAWS = 3000
LAYERS: dict[str, tuple[Callable[..., Tensor], list[int], list[int], int, tuple[Any, ...]]] = {
    "rows": (functional.linear, [2, 3], [2, 3], 2, ()),
    "tokens": (functional.linear, [2, 3, 2], [2, 2], 2, ()),
    "tokens of heads": (functional.linear, [2, 2, 2, 2], [2, 2], 2, ()),
    "conv1d": (functional.conv1d, [2, 2, 4], [2, 2, 3], 2, (1, 1)),
    "conv2d": (functional.conv2d, [2, 2, 3, 3], [2, 2, 2, 2], 2, (2, 1)),
    "groups": (functional.conv2d, [2, 2, 3, 3], [2, 1, 2, 2], 2, (1, 0, 1, 2)),
    "conv3d": (functional.conv3d, [2, 1, 2, 2, 2], [2, 1, 2, 2, 2], 2, ()),
    "transposed": (functional.conv_transpose2d, [2, 2, 2, 2], [2, 1, 2, 2], 1, ()),
}


def noisy(layer: Callable[..., Tensor], args: list[Any], scales: list[Tensor]) -> Tensor:
    """Outputs with noise, of shape [draws, rows, numbers of a row]."""
    known = {id(args[1]): scales[0], id(args[2]): scales[1]}
    with NoisyLayers(known):
        drawn = torch.stack([layer(*args) for _ in range(DRAWS)])
    return drawn.flatten(2).double()


@pytest.mark.parametrize("name", LAYERS)
def test_a_row_is_as_under_draws_of_the_weights(name: str) -> None:
    torch.manual_seed(0)
    layer, inputs, weights, outputs, options = LAYERS[name]
    x, weight, bias = torch.randn(inputs), torch.randn(weights), torch.randn(outputs)
    scales = [0.1 + torch.rand(weights), 0.1 + torch.rand(outputs)]
    drawn = noisy(layer, [x, weight, bias, *options], scales)
    mean = layer(x, weight, bias, *options).flatten(1).double()

    def of_parameters(flat: Tensor) -> Tensor:
        w, b = flat.split([weight.numel(), bias.numel()])
        return layer(x, w.reshape(weights), b, *options).flatten(1)

    point = torch.cat([weight.flatten(), bias])
    slopes = torch.func.jacfwd(of_parameters)(point).double()
    variances = torch.cat([scale.flatten() for scale in scales]).double() ** 2
    for row in range(len(x)):
        exact = slopes[row] * variances @ slopes[row].T
        sds = exact.diagonal().sqrt()
        assert ((drawn[:, row].mean(0) - mean[row]).abs() < 5 * sds / DRAWS**0.5).all()
        slack = (
            ((sds[:, None] * sds) ** 2 + exact**2).mul(3 / DRAWS).sqrt()
        )  # of tails like a product's
        if layer is functional.linear and x.dim() == 2:
            exact = exact.diagonal().diag()
        assert ((drawn[:, row].T.cov() - exact).abs() < 5 * slack).all()
    both = drawn[:, :, 0].T.corrcoef()
    assert abs(both[0, 1]) < 5 / DRAWS**0.5, "two rows have the same noise"


class Net(PyroModule):
    """A convolution, a layer over what it leaves at each place, one over rows, one over both."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = PyroModule[nn.Conv1d](1, 3, 2)
        self.places = PyroModule[nn.Linear](3, 2)
        self.flat = PyroModule[nn.Linear](2, 2)
        self.head = PyroModule[nn.Linear](2, 1)
        for layer in (self.conv, self.places, self.flat, self.head):
            for name, value in list(layer.named_parameters()):
                setattr(
                    layer, name, PyroSample(dist.Normal(0.0, torch.ones_like(value)).to_event())
                )

    def forward(self, x: Tensor, targets: Tensor | None = None) -> Tensor:
        places = self.places(self.conv(x[:, None]).transpose(1, 2))  # [rows, places, 2]
        shape = places.shape
        again = self.flat(places.reshape(-1, 2)).reshape(shape)
        return self.head(again.sum(1))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(True, {"head"}), ("everywhere", {"conv", "places", "head"}), (False, set())],
)
def test_layers_whose_rows_are_told_from_other_axes_are_local(
    asked: bool | str, expected: set[str]
) -> None:
    rows = Rows((torch.randn(2, 3),), torch.randn(2))
    model = Net()
    guide = MeanField(model, rows, init_to_median)
    objective = MeanFieldElbo(model, guide, rows, local_reparametrization=asked)
    layers = {name.rpartition(".")[0] for name in objective.local}
    assert layers == expected, "with two rows, four places of two rows are no rows"
