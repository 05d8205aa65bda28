"""Effect handlers on latent sites: pinned, without location and scale, or set to zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from typing import Any, TypeVar

import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer.reparam import LocScaleReparam
from pyro.nn import PyroModule
from torch import Tensor, nn

from ..data.rows import Rows
from ..errors import Abort
from ..inference.objectives import Objective, Predict, posterior
from .sites import pinned_sites, prior_names, trace_model


class Handled(PyroModule):
    """A model some sites of which are pinned, or learned without their location and scale."""

    def __init__(self) -> None:
        super().__init__()
        self.decentred: set[str] = set()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """One call under the handlers."""
        pinned = poutine.condition(data=pinned_sites(self))
        with pinned, poutine.reparam(config=self.decentre):
            return super().__call__(*args, **kwargs)

    def decentre(self, site: Any) -> LocScaleReparam | None:
        """Takes location and scale out of the sites that are to be learned without."""
        if site["name"] not in self.decentred:
            return None
        prior = site["fn"]
        while isinstance(prior, dist.Independent):
            prior = prior.base_dist
        if prior.support is not constraints.real or not hasattr(prior, "scale"):
            why = "has no location and scale; narrow the pattern"
            raise Abort(2, f"svi.handlers.reparam: {site['name']} {why}")
        return LocScaleReparam(0.0)


Model = TypeVar("Model", bound=Handled)


def matching(model: nn.Module, handler: str, pattern: str) -> list[str]:
    """The names of the priors that a pattern under svi.handlers stands for."""
    names = prior_names(model)
    found = [name for name in names if fnmatch(name, pattern)]
    if not found:
        why = f"{pattern!r} matches none of {', '.join(names)}"
        raise Abort(2, f"svi.handlers.{handler}: {why}")
    return found


def set_handlers(
    model: Model,
    values: dict[str, Tensor],
    *,
    condition: Mapping[str, float | None] | None = None,
    reparam: Iterable[str] = (),
) -> tuple[Model, dict[str, Tensor]]:
    """The model with its handlers, and the values of the sites that stay random.

    ``condition`` pins the sites of a pattern at a number, or at their value (None).
    """
    for pattern in reparam:
        model.decentred.update(matching(model, "reparam", pattern))
    for pattern, number in (condition or {}).items():
        for site in matching(model, "condition", pattern):
            value = values.get(site)
            if number is not None:
                prefix, _, name = site.rpartition(".")
                draw = getattr(model.get_submodule(prefix), name)
                value = torch.full_like(draw, number)
            if value is None:
                why = f"{site} has no value to begin with; give it a number"
                raise Abort(2, f"svi.handlers.condition: {why}")
            model.register_buffer("pinned/" + site.replace(".", "/"), value)
    pinned = pinned_sites(model)
    return model, {name: value for name, value in values.items() if name not in pinned}


def ablated(objective: Objective, rows: Rows, pattern: str, count: int) -> Predict:
    """Predicts as ``posterior`` with the sites of a pattern set to zero."""
    nodes = trace_model(objective.model, rows).nodes
    names = matching(objective.model, "do", pattern)
    zeros: dict[str, Any] = {name: torch.zeros_like(nodes[name]["value"]) for name in names}

    def predict(inputs: tuple[Tensor, ...]) -> list[Any]:
        with poutine.do(data=zeros):
            return posterior(objective, count)(inputs)

    return predict
