"""Guides beside those that Pyro brings: what stands for the posterior of every latent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.distributions import constraints
from pyro.infer.autoguide import AutoLaplaceApproximation
from pyro.infer.autoguide.initialization import InitMessenger
from torch import Tensor, nn
from torch.distributions import biject_to

from ..data.rows import Rows
from ..model.initial import Init
from ..model.sites import key, latent_sites, likelihood_sites, pinned_sites


class MeanField(nn.Module):
    """AutoNormal with one distribution per site, so that its KL has a closed form.

    Pyro's own draws an auxiliary normal and a Delta in its place.
    """

    def __init__(self, model: nn.Module, rows: Rows, init: Init, init_scale: float = 0.01):
        super().__init__()
        self.locs = nn.ParameterDict()
        self.log_scales = nn.ParameterDict()
        with InitMessenger(init):
            sites = latent_sites(model, rows)
        self.priors = {name: site["fn"] for name, site in sites.items()}
        self.supports = {name: site["fn"].support for name, site in sites.items()}
        for name, site in sites.items():
            loc = biject_to(site["fn"].support).inv(site["value"]).detach().clone()
            self.locs[key(name)] = nn.Parameter(loc)
            self.log_scales[key(name)] = nn.Parameter(torch.full_like(loc, math.log(init_scale)))

    def forward(self, *_: Any, **__: Any) -> dict[str, Tensor]:
        """One draw of every latent."""
        return {name: pyro.sample(name, self.posterior(name)) for name in self.supports}

    def posterior(self, name: str) -> Any:
        """The distribution of one site."""
        loc, scale = self.locs[key(name)], self.log_scales[key(name)].exp()
        normal = dist.Normal(loc, scale).to_event()
        if is_real(self.supports[name]):
            return normal
        return dist.TransformedDistribution(normal, biject_to(self.supports[name]))


def is_real(support: Any) -> bool:
    """Whether every entry may be any number."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    return support is constraints.real


class Laplace(AutoLaplaceApproximation):
    """Finds the mode, then takes the curvature there for the posterior's precision."""

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)  # type: ignore[no-untyped-call]
        size = len(self.loc)
        self.register_buffer("scale_tril", self.loc.new_zeros(size, size))

    def get_posterior(self, *args: Any, **kwargs: Any) -> Any:
        """Of all latents in one vector: a point until ``finish``, then a normal."""
        if self.scale_tril.any():
            return dist.MultivariateNormal(self.loc, scale_tril=self.scale_tril)
        return super().get_posterior()  # type: ignore[no-untyped-call]

    def finish(self, model: nn.Module, rows: Rows) -> None:
        """Where the likelihood curves the wrong way, the prior's curvature is left."""
        self.scale_tril.zero_()
        guided = poutine.trace(self).get_trace()
        traced = poutine.trace(poutine.replay(self.model, trace=guided))
        trace = traced.get_trace(*rows.args, **rows.given)
        log_joint = trace.log_prob_sum()
        sites = likelihood_sites(trace.nodes, pinned_sites(model)).values()
        log_likelihood = torch.stack([site["log_prob_sum"] for site in sites]).sum()
        log_prior = log_joint - log_likelihood
        jacobian = guided.log_prob_sum()  # of the way to unconstrained numbers
        prior = hessian(jacobian - log_prior, self.loc).diagonal().clamp(min=1e-6)
        unit = prior.rsqrt()
        curvature = unit[:, None] * hessian(-log_likelihood, self.loc) * unit
        values, vectors = torch.linalg.eigh(curvature)
        root = unit[:, None] * vectors * (1 + values.clamp(min=0)).rsqrt()
        self.scale_tril.copy_(torch.linalg.cholesky(root @ root.T))


def hessian(value: Tensor, point: Tensor) -> Tensor:
    """Second derivatives, of shape [entries, entries]."""
    gradient = torch.autograd.grad(value, point, create_graph=True)[0]
    return torch.stack([torch.autograd.grad(g, point, retain_graph=True)[0] for g in gradient])


class Chain(nn.Module):
    """The draws of a Markov chain in the place of a guide: a call gives one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.samples: dict[str, Tensor] = {}  # each of shape [draws, ...]

    def forward(self) -> dict[str, Tensor]:
        """One draw of every latent, by chance."""
        return self.draw(int(torch.randint(len(self), ())))

    def __len__(self) -> int:
        return len(next(iter(self.samples.values())))

    def draw(self, number: int) -> dict[str, Tensor]:
        """Every latent at one step of the chain."""
        return {name: samples[number] for name, samples in self.samples.items()}

    def spread(self, count: int) -> Iterator[dict[str, Tensor]]:
        """So many draws, as far apart as can be, or all if they are fewer."""
        kept = min(count, len(self))
        for number in range(kept):
            yield self.draw(number * len(self) // kept)

    def get_extra_state(self) -> dict[str, Tensor]:
        """The draws, as a checkpoint holds them."""
        return self.samples

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Takes the draws of a checkpoint."""
        self.samples = state


class Members(Chain):
    """The members of an ensemble in the place of a guide.

    What is plain in the ``model`` goes along with each of them: a draw puts it there.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = [model]  # in a list, so that it is no part of this one
        self.plain: list[dict[str, Tensor]] = []

    def __len__(self) -> int:
        return len(self.plain)

    def add(self, draw: dict[str, Tensor], plain: dict[str, Tensor]) -> None:
        """One more member, by its latents and the state of its model."""
        for name, value in draw.items():
            kept = self.samples.get(name, value[None][:0])
            self.samples[name] = torch.cat([kept, value[None]])
        self.plain.append(plain)

    def draw(self, number: int) -> dict[str, Tensor]:
        """The latents of one member; the model is then that member's."""
        # Not in place: a likelihood may still hold what another member has.
        self.model[0].load_state_dict(self.plain[number], assign=True)
        return super().draw(number)

    def get_extra_state(self) -> Any:
        """The members, as a checkpoint holds them."""
        return {"samples": self.samples, "plain": self.plain}

    def set_extra_state(self, state: Any) -> None:
        """Takes the members of a checkpoint."""
        self.samples, self.plain = state["samples"], state["plain"]
