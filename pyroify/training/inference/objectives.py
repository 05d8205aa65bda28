"""What is minimised: the negative ELBO of all training rows, and the draws of its guide."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn
from torch.distributions import kl_divergence

from ..data.rows import Rows
from ..model.sites import Draw, is_likelihood, likelihood_sites, observed, pinned_sites
from .guides import Chain, MeanField
from .linearised import Linearised
from .reparametrization import LocalMeans, NoisyLayers, local_sites

Predict = Callable[[tuple[Any, ...]], list[Any]]
"""Gives the likelihood of the rows for each draw, from what a model takes by position."""


class Objective(nn.Module):
    """A model and its guide, whose draws are those of the posterior."""

    def __init__(self, model: nn.Module, guide: nn.Module):
        super().__init__()
        self.model = model
        self.guide = guide

    def forward(self, rows: Rows, kl_weight: float) -> tuple[Tensor, float]:
        """The loss of all training rows, estimated from these, and its likelihood part: nats."""
        raise NotImplementedError(f"nothing is minimised for {type(self.guide).__name__}")


class MeanFieldElbo(Objective):
    """The negative ELBO under a mean-field normal guide, with the KL divergence in closed form.

    ``local_reparametrization`` draws noise in the outputs of layers that are used once for each
    row; "everywhere": of convolutions and of layers over tokens too, which are called twice then.
    """

    guide: MeanField

    def __init__(
        self,
        model: nn.Module,
        guide: MeanField,
        rows: Rows,
        *,
        particles: int = 1,
        local_reparametrization: bool | str = True,
    ):
        super().__init__(model, guide)
        self.particles = particles
        self.local = frozenset[str]()
        if local_reparametrization:
            closed = {
                name
                for name, prior in guide.priors.items()
                if is_normal(guide.posterior(name))
                and closed_divergence(guide.posterior(name), prior) is not None
            }
            everywhere = local_reparametrization == "everywhere"
            self.local = local_sites(model, guide, rows, closed, everywhere)

    def forward(self, rows: Rows, kl_weight: float) -> tuple[Tensor, float]:
        """The loss, and the negative log-likelihood alone."""
        if self.particles == 1:
            nll, kl = self.parts(rows)
        else:
            parts = [self.parts(rows) for _ in range(self.particles)]
            nll, kl = (torch.stack(part).mean() for part in zip(*parts, strict=True))
        return nll + kl_weight * kl, nll.item()

    def parts(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood and KL divergence at one draw of the latents."""
        if self.local:
            with LocalMeans(self.local) as drawn, NoisyLayers(drawn.scales):
                guided, trace = self.traces(rows)
        else:
            guided, trace = self.traces(rows)
        pinned = pinned_sites(self.model)
        trace.compute_log_prob(lambda name, site: name in pinned or is_likelihood(site, pinned))
        told = likelihood_sites(trace.nodes, pinned).values()
        latents = {name: site for name, site in guided.nodes.items() if "fn" in site}
        divergences = [
            divergence(site["fn"], trace.nodes[name]["fn"], site["value"])
            for name, site in latents.items()
        ]
        divergences += [-trace.nodes[name]["log_prob_sum"] for name in pinned]
        nll = -sum(site["log_prob_sum"] for site in told)
        return nll, torch.stack(divergences).sum()

    def traces(self, rows: Rows) -> tuple[Any, Any]:
        """Of the guide, and of the model at the guide's draw."""
        guided = poutine.trace(self.guide).get_trace()
        model = poutine.trace(poutine.replay(self.model, trace=guided))
        return guided, model.get_trace(*rows.args, **rows.given)


def divergence(posterior: Any, prior: Any, value: Any) -> Tensor:
    """KL divergence, in closed form where there is one, else at ``value``."""
    closed = closed_divergence(posterior, prior)
    if closed is None:
        estimate: Tensor = (posterior.log_prob(value) - prior.log_prob(value)).sum()
        return estimate
    return closed


def closed_divergence(posterior: Any, prior: Any) -> Tensor | None:
    """The KL divergence in closed form; None where there is none."""
    if is_normal(posterior) and is_normal(prior):  # the usual case, in few steps
        q, p = posterior.base_dist, prior.base_dist
        shift, ratio = (q.loc - p.loc) / p.scale, q.scale / p.scale
        squares = (shift * shift).sum() + (ratio * ratio).sum()
        total: Tensor = (squares - ratio.numel()) / 2 - ratio.log().sum()
        return total
    try:
        return kl_divergence(posterior, prior).sum()
    except NotImplementedError:
        return None


def is_normal(law: Any) -> bool:
    """Whether all its entries are independent normals."""
    return isinstance(law, dist.Independent) and type(law.base_dist) is dist.Normal


class TraceElbo(Objective):
    """The negative ELBO by Pyro's ``Trace_ELBO``, for every guide."""

    def __init__(self, model: nn.Module, guide: nn.Module, particles: int = 1):
        nn.Module.__init__(self)
        self.particles = particles
        self.elbo: Any = Trace_ELBO(num_particles=particles)(model, guide)

    @property
    def model(self) -> nn.Module:  # type: ignore[override]
        """As the ELBO holds it."""
        return self.elbo.model  # type: ignore[no-any-return]

    @property
    def guide(self) -> nn.Module:  # type: ignore[override]
        """As the ELBO holds it."""
        return self.elbo.guide  # type: ignore[no-any-return]

    def forward(self, rows: Rows, kl_weight: float) -> tuple[Tensor, float]:
        """The loss, and the negative log-likelihood alone."""
        with Terms(kl_weight, pinned_sites(self.model)) as terms:
            loss = self.elbo(*rows.args, **rows.given)
        return loss, terms.nll / self.particles


class Terms(Messenger):
    """Weighs the KL part of an ELBO and reads off its likelihood part, in nats.

    The latent sites of model and guide get the same weight: weighing one of them alone would be
    another objective; so do those that are ``pinned``. ``nll`` is summed over the calls.
    """

    def __init__(self, kl_weight: float, pinned: Collection[str] = ()):
        super().__init__()
        self.pinned = pinned
        self.kl_weight = max(kl_weight, 1e-6)  # Pyro refuses a scale of 0
        self.nll = 0.0

    def _pyro_sample(self, site: Any) -> None:
        if self.kl_weight != 1 and not is_likelihood(site, self.pinned):
            site["scale"] = site["scale"] * self.kl_weight

    def _pyro_post_sample(self, site: Any) -> None:
        if is_likelihood(site, self.pinned):
            with torch.no_grad():
                log_prob = site["fn"].log_prob(site["value"])
            self.nll -= float((log_prob * site["scale"]).sum().detach())


def posterior_draws(guide: nn.Module, count: int) -> Iterator[dict[str, Tensor]]:
    """The same draws at each call, one in memory at a time; no more than a chain has."""
    if isinstance(guide, Chain | Linearised):
        yield from guide.spread(count)
        return
    for number in range(count):
        with torch.random.fork_rng():
            torch.manual_seed(number)
            draw = guide()
        yield draw


def posterior(objective: Objective, count: int) -> Predict:
    """Predicts by ``count`` draws of the guide.

    Where there are fewer, as of an ensemble, each counts so many times: a row's intervals are those
    of draws from its likelihoods, and five would be too few to tell nine tenths.
    """

    def predict(args: tuple[Any, ...]) -> list[Any]:
        draws = posterior_draws(objective.guide, count)
        likelihoods = [likelihood_at(objective, draw, args) for draw in draws]
        return likelihoods * (count // len(likelihoods))

    return predict


def likelihood_at(objective: Objective, draw: Draw, args: tuple[Any, ...]) -> Any:
    """The likelihood of each row under one draw of the guide."""
    if isinstance(objective.guide, Linearised):
        return objective.guide.observed(objective.model, draw, args)
    return observed(objective.model, draw, args)
