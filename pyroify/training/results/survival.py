"""Scores of times to an event, of which some had not come when the rows were written."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..data.rows import Scaling
from .scores import Columns, Density, Scores, as_columns

MOST = 5000
"""Rows of which all pairs are compared."""


class Survival(Density):
    """Targets are (time, 1), or (time, 0) where the event was still to come."""

    def score_rows(self, likelihoods: list[Any], targets: Tensor, scaling: Scaling) -> Scores:
        """NLL, and what the order of the events is told by."""
        predicted = torch.stack([p.median for p in likelihoods]).mean(0)
        at, came = targets.unbind(-1)
        scores = super().score_rows(likelihoods, targets, scaling)
        return {**scores, "time": at, "came": came, "predicted": predicted}

    def summarise(self, scores: Scores) -> dict[str, float]:
        """NLL, and the share of pairs in the right order."""
        parts = (scores[name][:MOST] for name in ("predicted", "time", "came"))
        return {**super().summarise(scores), "c_index": concordance(*parts)}

    def predictions(self, likelihoods: list[Any], scaling: Scaling) -> Columns:
        """The time before which half of the events come, and the 90 % interval."""
        times = torch.stack([p.sample()[..., 0] for p in likelihoods])
        low, middle, high = times.quantile(torch.tensor([0.05, 0.5, 0.95]), dim=0)
        return as_columns(median=middle, q05=low, q95=high)


def concordance(predicted: Tensor, at: Tensor, came: Tensor) -> float:
    """Of pairs whose order is known, the share that is predicted in that order; ties count half."""
    is_known = (at[:, None] < at) & (came[:, None] > 0)
    right = (predicted[:, None] < predicted).float() + (predicted[:, None] == predicted) / 2
    return right[is_known].mean().item()


def kaplan_meier(at: Tensor, came: Tensor, times: Tensor) -> Tensor:
    """The share without the event after each of the times, from all that is known of the rows."""
    order = at.argsort()
    at, came = at[order], came[order]
    left = torch.arange(len(at), 0, -1)  # still watched when each row's time comes
    shares = torch.cat([torch.ones(1), ((left - (came > 0).to(at)) / left).cumprod(0)])
    return shares[torch.searchsorted(at, times.contiguous(), right=True)]


def survival_brier(survival: Tensor, times: Tensor, at: Tensor, came: Tensor) -> Tensor:
    """At each time the squared error of the predicted ``survival``, of shape [times, rows].

    Rows that left before a time are made up for by those that stayed (Graf and others, 1999).
    """
    stays = kaplan_meier(at, 1 - came, times).clamp(min=1e-6)[:, None]
    stayed = kaplan_meier(at, 1 - came, at).clamp(min=1e-6)
    is_over = (at <= times[:, None]) & (came > 0)
    errors = survival**2 * is_over / stayed + (1 - survival) ** 2 * (at > times[:, None]) / stays
    return errors.mean(1)
