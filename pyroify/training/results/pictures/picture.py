"""A picture, and the library that it is drawn with, where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...data.rows import Scaling, unscale
from ...errors import Abort


@dataclass(frozen=True)
class Picture:
    """What ``draw`` puts into axes of its own; ``reading`` says how to read it."""

    name: str
    title: str
    reading: str
    draw: Callable[[Any], None]


@dataclass(frozen=True)
class Seen:
    """Held-out targets, and their likelihood under each draw of the posterior."""

    targets: Tensor
    likelihoods: list[Any]
    scaling: Scaling

    def in_units(self, values: Tensor) -> Tensor:
        """Scaled values in the units of the targets."""
        return unscale(values, self.scaling)

    def draws(self, most: int = 200) -> Tensor:
        """Predicted targets, one of each likelihood, in their units: [draws, rows, ...]."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            drawn = [likelihood.sample() for likelihood in self.likelihoods[:most]]
        return self.in_units(torch.stack(drawn))


def load_pyplot() -> Any:
    """The library, or a refusal."""
    try:
        import matplotlib
    except ImportError as error:
        raise Abort(2, "--plots needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
