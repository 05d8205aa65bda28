"""Where a guide begins: at what the class, or a checkpoint, had before it became random."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from pyro.infer.autoguide import init_to_median, init_to_value
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn

from ..data.rows import Rows, beside
from ..errors import Abort, first_line
from .sites import latent_sites, module_names

Init = Callable[[Any], Tensor]
"""Gives a site the value that a guide begins at."""


def built_with_values(build: Callable[[], nn.Module]) -> tuple[nn.Module, dict[str, Tensor]]:
    """The network, and what its random parameters held before they became random, by site."""
    with _parameters_replaced() as replaced:
        net = build()
    prefixes = module_names(net, "net")
    values = {
        f"{prefixes[module]}.{name}": value
        for module, name, value in replaced
        if module in prefixes
    }
    return net, values


@contextmanager
def _parameters_replaced() -> Iterator[list[tuple[nn.Module, str, Tensor]]]:
    """Fills with the value of each parameter that a PyroSample takes the place of."""
    replaced: list[tuple[nn.Module, str, Tensor]] = []
    assign = PyroModule.__setattr__

    def assign_and_keep(module: Any, name: str, value: Any) -> None:
        parameter = module.__dict__.get("_parameters", {}).get(name)
        if isinstance(value, PyroSample) and parameter is not None:
            replaced.append((module, name, parameter.detach().clone()))
        assign(module, name, value)

    with patch.object(PyroModule, "__setattr__", assign_and_keep):
        yield replaced


def load_values(net: nn.Module, path: Path) -> dict[str, Tensor]:
    """Loads what a checkpoint has for plain parameters; its values of the random ones, by site."""
    try:
        trained = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise Abort(2, f"cannot read {path}: {first_line(error)}") from error
    kept = trained.keys() & net.state_dict().keys()
    net.load_state_dict({name: trained[name] for name in kept}, strict=False)
    values = {f"net.{name}": trained[name] for name in trained.keys() - kept}
    random = {
        f"{prefix}.{name}"
        for prefix, module in net.named_modules(prefix="net", remove_duplicate=False)
        for name in getattr(module, "_pyro_samples", {})
    }
    unknown = sorted(values.keys() - random)
    if unknown:
        raise Abort(4, f"initial values of nothing random: {', '.join(unknown)}")
    return values


def init_to_known(values: dict[str, Tensor], model: nn.Module, rows: Rows) -> Init:
    """Begins at these values, and elsewhere at the median of the prior."""
    decentred: set[str] = getattr(model, "decentred", set())
    known = latent_sites(model, rows).keys() | decentred
    values = {name: value for name, value in values.items() if name in known}  # a tie has no site
    init: Init = init_to_value(values=values, fallback=init_to_median)
    return init


def refuse_large(model: nn.Module, rows: Rows, limit: int, guide: str) -> None:
    """Refuses a network whose number of latents squared would not fit."""
    size = sum(site["value"].numel() for site in latent_sites(model, rows).values())
    if size > limit:
        why = f"{guide} needs the square of as many numbers"
        raise Abort(2, f"{size} random numbers are too many: {why}")


@contextmanager
def first_call(model: nn.Module) -> Iterator[None]:
    """For the call that makes a guide's parameters: in eval mode, and no random number is used."""
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    model.eval()
    with torch.random.fork_rng():
        yield
    model.train()
    if any(parameter.requires_grad for parameter in frozen):
        raise Abort(4, "SVI would train frozen parameters; use engine: torch")


def made_up_inputs(net: nn.Module, count: int) -> tuple[Tensor, ...]:
    """Inputs for the first layer that says what it takes."""
    layers: Iterator[Any] = net.modules()
    for layer in layers:
        if hasattr(layer, "num_embeddings"):
            return (torch.randint(layer.num_embeddings, (count, 16)),)
        if hasattr(layer, "in_features"):
            return (torch.randn(count, layer.in_features),)
        if hasattr(layer, "in_channels"):
            sizes = [32] * len(layer.kernel_size)
            return (torch.randn(count, layer.in_channels, *sizes),)
    raise Abort(2, "no layer tells the shape of a row; set svi.data.shape in the spec")


def drawn_rows(model: nn.Module, inputs: tuple[Tensor, ...], weighted: bool = False) -> Rows:
    """Rows with these inputs, and targets from the prior predictive."""
    with torch.no_grad():
        targets = model(*inputs)
    weights = torch.ones(len(targets)) if weighted else None
    return beside(inputs, targets, weights)
