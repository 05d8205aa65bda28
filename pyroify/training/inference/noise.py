"""Where the noise of a regression begins: at the error of a short fit, not at that of no fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyro
import torch
from pyro.infer.autoguide import AutoDelta, init_to_median, init_to_value
from torch import Tensor, nn

from ..data.rows import Rows
from ..model.sites import Draw, conditioned, observed, observed_in
from ..run import Run

STEPS, EVERY, MOST = 200, 10, 4096

STEPS_OF_NOISE = 8


def begin_noise(
    model: nn.Module, values: Draw, build_model: Callable[[int], tuple[Any, Draw]], run: Run
) -> None:
    """Lets the ``scale`` of the likelihood begin at the error of a short fit, if that is finite."""
    if run.flags.eval or run.flags.check or run.flags.smoke:
        return
    noise = fitted_noise(build_model, run)
    if not math.isfinite(noise):
        return  # the training will say so
    if "scale" in getattr(model, "_pyro_params", {}):
        model.scale = torch.tensor(noise)
    else:
        values["scale"] = torch.tensor(noise)


def fitted_noise(build_model: Callable[[int], tuple[Any, Draw]], run: Run) -> float:
    """The sd of what a network fitted to half of the rows leaves over in the other half.

    In the units of the scaled targets. A few steps, of which the best count; no random number of
    the training is used.
    """
    with torch.random.fork_rng(), pyro.validation_enabled(False):
        model, values = build_model(len(run.rows))
        rows = run.rows.known[:MOST]
        point = AutoDelta(model, init_loc_fn=init_to_value(values=values, fallback=init_to_median))
        point(*rows[:2].args, **rows[:2].given)
        whole = nn.ModuleList([model, point]).eval()
        optimizer = torch.optim.Adam(whole.parameters(), lr=0.02)
        fitted, kept = rows[::2], rows[1::2]
        least = squared_error(model, point, rows).item()
        for step in range(STEPS):
            optimizer.zero_grad()
            squared_error(model, point, fitted).backward()
            optimizer.step()
            if step % EVERY == 0 and len(kept):
                with torch.no_grad():
                    least = min(least, squared_error(model, point, kept).item())
    return min(max(math.sqrt(least), 1e-3), 1.0) if math.isfinite(least) else math.nan


def noise_parameters(model: nn.Module, point: nn.Module) -> list[nn.Parameter]:
    """What the ``scale`` of a likelihood is made of: a value of the point, or one of the model."""
    return [
        parameter
        for module in (model, point)
        for name, parameter in module.named_parameters()
        if name in ("scale", "scale_unconstrained")
    ]


def tell_noise(model: nn.Module, point: nn.Module, noise: list[nn.Parameter], rows: Rows) -> None:
    """Has the noise scale tell best of these rows, which the network has not been fitted to.

    What a network leaves over in the rows that it was fitted to is less than its error in others.
    """
    rows = rows.known[:MOST]
    search = torch.optim.LBFGS(noise, max_iter=STEPS_OF_NOISE, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        draw = point()
        trace = conditioned(model, draw, rows.args)
        told: Tensor = observed_in(trace, model, draw).log_prob(rows.targets).sum()
        if "scale" in draw:
            nodes: Any = trace.nodes
            told = told + nodes["scale"]["fn"].log_prob(draw["scale"]).sum()
        loss = -told / len(rows)
        loss.backward(inputs=noise)
        return loss

    before = [parameter.detach().clone() for parameter in noise]
    search.step(loss)
    if not all(parameter.isfinite().all() for parameter in noise):
        with torch.no_grad():
            for parameter, value in zip(noise, before, strict=True):
                parameter.copy_(value)  # the training will say so


def squared_error(model: nn.Module, point: nn.Module, rows: Rows) -> Tensor:
    """The mean over all targets that are there."""
    mean: Tensor = observed(model, point(), rows.args).mean
    return ((mean - rows.targets) ** 2).nanmean()
