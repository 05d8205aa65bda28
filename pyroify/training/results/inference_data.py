"""Draws, log-likelihoods and predictions as ArviZ reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import Abort
from ..inference.objectives import Objective, likelihood_at, posterior_draws
from ..run import Run


def write_arviz(objective: Objective, run: Run) -> None:
    """Draws, log-likelihoods and predictions for the training rows.

    Of the targets as they were scaled; ``arviz.from_netcdf`` reads the file.
    """
    path, rows = run.flags.out / "draws.nc", run.rows.known
    xarray = load_xarray()
    with torch.no_grad():
        draws = list(posterior_draws(objective.guide, run.flags.samples))
        likelihoods = [likelihood_at(objective, draw, rows.args) for draw in draws]
        log_probs = [p.log_prob(rows.targets) for p in likelihoods]
        predicted = [p.sample() for p in likelihoods]
    groups = {
        "posterior": {n: torch.stack([d[n] for d in draws]) for n in draws[0]},
        "log_likelihood": {"obs": torch.stack(log_probs)},
        "posterior_predictive": {"obs": torch.stack(predicted)},
    }
    observed_data = xarray.Dataset({"obs": labelled("obs", rows.targets, ())})
    observed_data.to_netcdf(path, group="observed_data", engine="h5netcdf")
    for group, values in groups.items():
        chain = {n: labelled(n, v[None], ("chain", "draw")) for n, v in values.items()}
        xarray.Dataset(chain).to_netcdf(path, "a", group=group, engine="h5netcdf")
    print(f"for ArviZ: {path}")


def labelled(name: str, value: Tensor, axes: tuple[str, ...]) -> tuple[Any, np.ndarray[Any, Any]]:
    """The names of the axes, as ArviZ gives them, and the numbers."""
    others = [f"{name}_dim_{i}" for i in range(value.dim() - len(axes))]
    return [*axes, *others], value.detach().cpu().numpy()


def load_xarray() -> Any:
    """The library, or a refusal."""
    try:
        import h5netcdf  # noqa: F401
        import xarray
    except ImportError as error:
        raise Abort(2, "this script writes for ArviZ: pip install arviz") from error
    return xarray
