"""Likelihoods of the project's own: a function of network and batch, or sites of the class."""

from __future__ import annotations

from typing import Any

from pyro.poutine.messenger import Messenger
from torch import Tensor

from ..data.trees import flatten
from ..errors import Abort


def one_of_each_row(log_likelihood: Any, name: str) -> Tensor:
    """What the function of that name gives, or a refusal of what is not one number of each row."""
    if not isinstance(log_likelihood, Tensor):
        kind = type(log_likelihood).__name__
        raise Abort(2, f"{name} gives a {kind}; give a tensor: the log-likelihood of each row")
    if log_likelihood.dim() != 1:
        shape = list(log_likelihood.shape)
        why = "give the log-likelihood of each row, not their sum or mean"
        raise Abort(2, f"{name} gives a tensor of shape {shape}; {why}")
    return log_likelihood


def row_count(batch: Any) -> int:
    """How many rows a batch has."""
    return len(flatten(batch)[0][0])


class ForAllRows(Messenger):
    """Lets what is observed of the rows of a batch stand for all ``size`` rows.

    Only where the plates of a site count these rows: one that subsamples has its own scale, and
    what is in no plate is of no row.
    """

    def __init__(self, size: int, rows: int):
        super().__init__()
        self.size = size
        self.rows = rows

    def _pyro_sample(self, site: Any) -> None:
        plates = site["cond_indep_stack"]
        if not site["is_observed"] or any(plate.size != plate.full_size for plate in plates):
            return
        if any(plate.size == self.rows for plate in plates):
            site["scale"] = site["scale"] * (self.size / self.rows)
