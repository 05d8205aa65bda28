"""How good predicted times are, where some events had not come yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..survival import kaplan_meier, survival_brier
from .picture import Picture, Seen


def pictures(seen: Seen) -> Iterator[Picture]:
    """Of rows that training has not seen."""
    at, came = seen.targets.unbind(-1)
    grid = torch.linspace(0, float(at.quantile(0.95)), 60)
    curves = torch.stack([law.survival(grid[:, None]) for law in seen.likelihoods])
    yield Picture(
        "survival",
        "Share without the event",
        "The steps are what was seen (Kaplan-Meier), the line the mean of the predicted curves "
        "with its 90 % band; the steps should lie within.",
        lambda axes: plot_survival(axes, grid, curves, at, came),
    )
    yield Picture(
        "brier",
        "Brier score over time",
        "The squared error of predicted survival at each time, lower is better; a prediction that "
        "says the same for every row, from the steps alone, is the grey line to beat.",
        lambda axes: plot_brier(axes, grid, curves.mean(0), at, came),
    )


def plot_survival(axes: Any, grid: Tensor, curves: Tensor, at: Tensor, came: Tensor) -> None:
    """Seen and predicted; ``curves`` has shape [draws, times, rows]."""
    means = curves.mean(-1)
    low, high = means.quantile(torch.tensor([0.05, 0.95]), dim=0).cpu()
    axes.step(grid.cpu(), kaplan_meier(at, came, grid).cpu(), "k", where="post", label="seen")
    axes.plot(grid.cpu(), means.mean(0).cpu(), label="predicted")
    axes.fill_between(grid.cpu(), low, high, alpha=0.25, linewidth=0)
    axes.set(xlabel="time", ylabel="share without the event", ylim=(0, 1.02))
    axes.legend(fontsize="small")


def plot_brier(axes: Any, grid: Tensor, survival: Tensor, at: Tensor, came: Tensor) -> None:
    """Of the prediction, and of one that knows no inputs; ``survival`` is [times, rows]."""
    known = kaplan_meier(at, came, grid)[:, None].expand_as(survival)
    axes.plot(grid.cpu(), survival_brier(known, grid, at, came).cpu(), "grey", label="no inputs")
    axes.plot(grid.cpu(), survival_brier(survival, grid, at, came).cpu(), label="posterior")
    axes.set(xlabel="time", ylabel="Brier score", ylim=(0, None))
    axes.legend(fontsize="small")
