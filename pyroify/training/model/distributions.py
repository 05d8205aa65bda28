"""Distributions beside those that Pyro brings."""

from __future__ import annotations

import math
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from torch import Tensor


class CensoredWeibull(dist.TorchDistribution):
    """Pairs of a time and whether the event came then (1) or had not come yet (0)."""

    support = constraints.independent(constraints.nonnegative, 1)

    def __init__(self, scale: Tensor, shape: Tensor | float):
        self.times = dist.Weibull(scale, shape)
        super().__init__(self.times.batch_shape, torch.Size((2,)), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Pairs of shape [*sample_shape, *batch_shape, 2], none of them censored."""
        times = self.times.sample(sample_shape)
        return torch.stack([times, torch.ones_like(times)], dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Density of a time, or probability that the event comes later."""
        at, came = value.unbind(-1)
        log_survival = -((at / self.times.scale) ** self.times.concentration)
        return torch.where(came > 0, self.times.log_prob(at), log_survival)

    def survival(self, times: Tensor) -> Tensor:
        """The probability that the event comes later than each of the times."""
        later: Tensor = (-((times / self.times.scale) ** self.times.concentration)).exp()
        return later

    @property
    def median(self) -> Tensor:
        """The times before which half of the events come."""
        half: Tensor = self.times.scale * math.log(2) ** (1 / self.times.concentration)
        return half

    def expand(self, batch_shape: Any, _: Any = None) -> CensoredWeibull:
        """The same for a batch of another shape."""
        times = self.times.expand(batch_shape)
        return CensoredWeibull(times.scale, times.concentration)
