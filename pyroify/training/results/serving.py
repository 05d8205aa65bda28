"""Predictions of the exported draws: torch and the original class, no Pyro.

    outputs = predict(Network(...), load("draws.pt"), x)  # [draws, rows, ...]

Each draw is one plausible network: the mean of the outputs is the prediction, their
spread the uncertainty about it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp


def load(path: str) -> dict[str, Any]:
    """What was exported."""
    exported: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return exported


def predict(network: nn.Module, exported: dict[str, Any], *inputs: Tensor) -> Tensor:
    """Outputs of every draw, before the targets' scaling is undone by ``unscale``."""
    network.eval()
    scalings, dtype = exported["scalings"]["inputs"], exported["dtype"]
    inputs = tuple(x.to(dtype) if x.is_floating_point() else x for x in inputs)
    inputs = tuple(scale(x, by) for x, by in zip(inputs, scalings, strict=True))
    named = dict(zip(exported["keywords"], inputs, strict=False))
    args = () if named else inputs
    draws = exported["draws"]
    names = [name for name, _ in network.named_parameters()]
    names += [name for name, _ in network.named_buffers() if name in draws[0]]
    states = [{name: draw[name] for name in names} for draw in draws]

    def outputs(state: dict[str, Tensor]) -> Any:
        return functional_call(network, state, args, named)

    with torch.no_grad():
        if "mode" not in exported:
            return torch.stack([outputs(state) for state in states])
        mode = {name: exported["mode"][name] for name in names}
        return torch.stack([expand(outputs, mode, state) for state in states])


def expand(outputs: Callable[..., Any], mode: dict[str, Tensor], state: dict[str, Tensor]) -> Any:
    """What a draw of a Laplace approximation gives: the outputs to first order at the mode."""
    moves = {n: state[n] - at for n, at in mode.items() if not torch.equal(state[n], at)}
    start = {name: mode[name] for name in moves}
    value, change, *_ = jvp(lambda values: outputs(mode | values), (start,), (moves,))
    return value + change


def scale(values: Tensor, by: dict[str, Tensor]) -> Tensor:
    """The values as the network sees them."""
    return (values - by["mean"]) / by["sd"] if by else values


def unscale(values: Tensor, exported: dict[str, Any]) -> Tensor:
    """Outputs in the units of the targets."""
    by = exported["scalings"]["targets"][0]
    return values * by["sd"] + by["mean"] if by else values
