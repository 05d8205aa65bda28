"""The posterior that laplace-torch finds around a mode, and what it has no words for."""

from __future__ import annotations

import copy
import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from ..data.rows import Rows
from ..errors import Abort, first_line
from ..model.sites import Draw, latent_sites, observed, pinned_sites, prior_names, sites_like
from ..run import Run
from .linearised import Linearised, beside_network, expanded, in_network
from .objectives import Objective

ROWS = 1024
"""So many are looked at at once."""

FULL, MOST = 1000, 3000
"""The whole curvature is taken of so many weights by itself, and where it is asked for."""

LAYERS = (nn.Linear, nn.Conv2d)
"""Those that laplace-torch has Kronecker factors of."""

FARTHEST = 7.0
"""So far, in logarithms, the evidence may take noise and prior from where they are."""

ELSE = "take engine: torch, with guide AutoNormal or AutoLaplaceApproximation"
WHOLE = "svi.laplace.structure: full"


def refused(why: str, hint: str = ELSE) -> Abort:
    """What laplace-torch would compute something else for."""
    return Abort(2, f"engine: laplace: {why}; {hint}")


@dataclass(frozen=True)
class Curvature:
    """What is asked of laplace-torch.

    ``structure`` is "full", "kron", or "auto" for the one that suits the size. ``sites``, patterns,
    have a posterior; all others keep the value of the mode. With ``scale_prior`` the evidence
    scales the precision of their priors. So many ``draws`` are kept.
    """

    structure: str
    sites: Sequence[str] = ("*",)
    scale_prior: bool = False
    draws: int = 200

    def check(self, objective: Objective, run: Run) -> None:
        """Refuses what it has no words for, before anything is trained."""
        model, guide = objective.model, objective.guide
        assert isinstance(guide, Linearised)
        if run.rows.uncut:
            raise refused("its rows cannot be taken one by one")
        rows, mode, was_training = run.rows[:2], guide.mode(), model.training
        model.eval()
        name = type(model.net).__name__
        with torch.random.fork_rng():
            network = Network(model, mode, self.sites, rows)
            if network.size > MOST and self.structure == "full":
                size = f"{network.size} weights has the square of as many numbers"
                why = f"the whole curvature of {size}"
                raise refused(
                    why, "set svi.laplace.structure: kron, or name fewer svi.laplace.sites"
                )
            if self.structure_of(network) == "kron":
                network.refuse_parts_of_layers()
            try:
                moves = network.by_site(draws_of(self.fitted(network, 1.0), 1))
                with torch.no_grad(), expanded(model, mode, {n: v[0] for n, v in moves.items()}):
                    observed(model, beside_network(mode), rows.args)
            except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
                raise refused(f"it cannot take {name}: {first_line(error)}") from error
        model.train(was_training)

    def fit(self, objective: Objective, run: Run) -> None:
        """Puts a posterior around the mode that was found, with the noise of the evidence."""
        model, guide = objective.model, objective.guide
        assert isinstance(guide, Linearised)
        objective.eval()
        with torch.random.fork_rng():
            torch.manual_seed(run.flags.seed)
            network = Network(model, guide.mode(), self.sites, run.rows)
            laplace = self.fitted(network, run.flags.kl_weight)
            evidence, factor = raise_evidence(laplace, network.noise, self.scale_prior)
            guide.samples = network.by_site(draws_of(laplace, self.draws))
        guide.facts = {
            "rows": len(run.rows),
            "weights": laplace.n_params,
            "settled": settled(laplace),
            "evidence": evidence / len(run.rows),
            "factor": factor,
        }
        scale = laplace.sigma_noise
        if network.noise.is_learned:
            model.scale = scale
        elif network.noise.prior is not None:
            guide.samples["scale"] = scale.repeat(self.draws)

    def structure_of(self, network: Network) -> str:
        """What is kept of the curvature of a network of this size."""
        if self.structure == "auto":
            return "full" if network.size <= FULL else "kron"
        return self.structure

    def fitted(self, network: Network, prior: float) -> Any:
        """What laplace-torch makes of the network, under a prior of this weight."""
        structure = self.structure_of(network)
        is_full = structure == "full"
        means, precisions = network.priors(is_each=is_full)
        laplace = load_laplace().Laplace(
            network,
            network.kind,
            subset_of_weights="all",
            hessian_structure=structure,
            prior_mean=means,
            prior_precision=prior * precisions,
            sigma_noise=network.noise.scale,
            backend=precise_backend() if is_full else None,
        )
        if is_full:  # adds to what is there, as for rows that come one after another
            laplace.H = precisions.new_zeros(network.size, network.size, dtype=torch.float64)
            laplace.loss = laplace.n_data = 0
        rows = TensorDataset(torch.arange(len(network.rows)), network.targets)
        laplace.fit(DataLoader(rows, batch_size=ROWS), override=not is_full)
        return laplace


class Network(nn.Module):
    """The model as laplace-torch takes it: a function of numbers of rows, with plain parameters.

    Those of its ``sites``, in this order, require gradients.
    """

    def __init__(self, model: nn.Module, mode: Draw, patterns: Sequence[str], rows: Rows):
        super().__init__()
        self.rows, self.beside = rows, beside_network(mode)
        self.laws = normal_priors(model, rows[:2], matching_sites(mode, patterns))
        self.model = copy.deepcopy(model).requires_grad_(False)
        put = put_values(self.model, {**mode, **pinned_sites(model)})
        for site in self.laws:
            put[site].requires_grad_()
        names = {id(parameter): site for site, parameter in put.items()}
        self.sites = {names[id(p)]: p for p in self.parameters() if p.requires_grad}
        likelihood = observed(model, mode, rows[:2].args)
        self.kind, expected = link(likelihood)
        self.noise = noise_of(model, likelihood, rows[:2])
        targets = rows.targets
        is_number = self.kind == "regression"
        self.targets = targets.reshape(len(targets), -1) if is_number else targets.long()
        outputs = self(torch.arange(len(expected)))
        if len(self.sites) < len(self.laws) or not torch.allclose(outputs, expected, atol=1e-4):
            raise refused("the values of some priors cannot be made parameters of the network")

    @property
    def size(self) -> int:
        """How many weights have a posterior."""
        return sum(parameter.numel() for parameter in self.sites.values())

    def forward(self, numbers: Tensor) -> Tensor:
        """The means, or the logits, of these rows: [rows, outputs]."""
        return link(observed(self.model, self.beside, self.rows[numbers].args))[1]

    def priors(self, is_each: bool) -> tuple[Tensor, Tensor]:
        """Means of all entries, and precisions: of each entry, or one for each site."""
        laws = {site: self.laws[site] for site in self.sites}
        means = torch.cat([law.loc.flatten() for law in laws.values()])
        precisions = {site: law.scale.flatten() ** -2 for site, law in laws.items()}
        if is_each:
            return means, torch.cat(list(precisions.values()))
        for site, each in precisions.items():
            if (each != each[0]).any():
                why = f"Kronecker factors go with one sd for a site, and {site} has several"
                raise refused(why, f"set {WHOLE}")
        return means, torch.stack([each[0] for each in precisions.values()])

    def by_site(self, draws: Tensor) -> Draw:
        """Draws of all entries, [draws, entries], as those of each site."""
        parts = draws.split([parameter.numel() for parameter in self.sites.values()], dim=1)
        shapes = {site: parameter.shape for site, parameter in self.sites.items()}
        return {
            site: part.reshape(len(draws), *shape).contiguous()
            for part, (site, shape) in zip(parts, shapes.items(), strict=True)
        }

    def refuse_parts_of_layers(self) -> None:
        """Refuses what laplace-torch has no Kronecker factors of, or would leave out."""
        for name, layer in self.model.named_modules():
            own = dict(layer.named_parameters(recurse=False))
            held = [part for part, value in own.items() if not value.requires_grad]
            if len(held) == len(own) or (isinstance(layer, LAYERS) and not held):
                continue
            why = (
                f"there are Kronecker factors of linear layers and 2-d convolutions, not of {name}"
            )
            if held and isinstance(layer, LAYERS):
                why = f"Kronecker factors are those of a whole layer, and {name}.{held[0]} is fixed"
            raise refused(why, f"leave it out of svi.laplace.sites, or set {WHOLE}")


def matching_sites(mode: Draw, patterns: Sequence[str]) -> list[str]:
    """The sites of the network that are to have a posterior."""
    known = list(filter(in_network, mode))
    is_meant = sites_like(patterns)
    names = [name for name in known if is_meant({"name": name})]
    if not names:
        raise Abort(2, f"svi.laplace.sites: {', '.join(patterns)} is none of {', '.join(known)}")
    return names


def normal_priors(model: nn.Module, rows: Rows, names: Sequence[str]) -> dict[str, Any]:
    """The normal of each entry by site; refuses others, and those of a random mean or sd."""
    first = latent_sites(model, rows)
    with torch.random.fork_rng():
        torch.manual_seed(1)  # what is drawn is another value then
        second = latent_sites(model, rows)
    laws = {}
    for name in names:
        law, again = (without_events(sites[name]["fn"]) for sites in (first, second))
        if type(law) is not dist.Normal:
            why = (
                f"laplace-torch has normal priors alone, and that of {name} is {type(law).__name__}"
            )
            raise refused(why)
        if not (torch.equal(law.loc, again.loc) and torch.equal(law.scale, again.scale)):
            why = (
                f"laplace-torch has priors with a fixed mean and sd, and those of {name} are random"
            )
            raise refused(why)
        laws[name] = law
    return laws


def without_events(law: Any) -> Any:
    """The distribution of the entries."""
    while isinstance(law, dist.Independent):
        law = law.base_dist
    return law


def put_values(model: nn.Module, values: Draw) -> dict[str, nn.Parameter]:
    """Makes plain parameters of all that has a prior in the network, each by its site."""
    put = {}
    for name in sorted(filter(in_network, prior_names(model)), reverse=True):  # weight, then bias
        prefix, _, last = name.rpartition(".")
        put[name] = nn.Parameter(values[name].clone(), requires_grad=False)
        setattr(model.get_submodule(prefix), last, put[name])
    return put


def link(likelihood: Any) -> tuple[str, Tensor]:
    """What laplace-torch calls a likelihood, and its means or logits: [rows, outputs]."""
    law = without_events(likelihood)
    if type(law) is dist.Normal:
        return "regression", law.loc.reshape(len(law.loc), -1)
    if type(law) is dist.Categorical and law.logits.dim() == 2:
        return "classification", law.logits
    if type(law) is dist.Bernoulli and law.logits.dim() == 1:
        return "classification", torch.stack([torch.zeros_like(law.logits), law.logits], 1)
    raise refused(f"laplace-torch has a normal or one class of each row, no {type(law).__name__}")


@dataclass(frozen=True)
class Noise:
    """The scale of a normal likelihood: a number, learned, or a latent with this prior."""

    scale: float = 1.0
    is_learned: bool = False
    prior: Any = None

    def log_prior(self, scale: Tensor) -> Tensor:
        """What is known of it before the data."""
        return torch.zeros(()) if self.prior is None else self.prior.log_prob(scale).sum()


def noise_of(model: nn.Module, likelihood: Any, rows: Rows) -> Noise:
    """That of all rows; 1 where there is none."""
    law = without_events(likelihood)
    if type(law) is not dist.Normal:
        return Noise()
    site = latent_sites(model, rows).get("scale")
    is_learned = "scale" in getattr(model, "_pyro_params", {})
    return Noise(float(law.scale.detach().flatten()[0]), is_learned, site["fn"] if site else None)


@torch.no_grad()
def raise_evidence(laplace: Any, noise: Noise, scale_prior: bool) -> tuple[float, float]:
    """Finds the noise that is not fixed, and by how much to scale the prior's precision.

    Gives the evidence, in nats, and that number. Without gradients: laplace-torch 0.3 has none of
    the noise where there are Kronecker factors.
    """
    from scipy.optimize import minimize  # laplace-torch needs it too

    is_free = noise.is_learned or noise.prior is not None
    precision, rows = laplace.prior_precision, float(laplace.n_data)

    def evidence(logs: Sequence[float]) -> tuple[float, float, Tensor]:
        factor = math.exp(logs[-1]) if scale_prior else 1.0
        scale = torch.tensor(noise.scale * math.exp(logs[0]) if is_free else noise.scale)
        given = {"sigma_noise": scale} if is_free else {}
        return float(laplace.log_marginal_likelihood(precision * factor, **given)), factor, scale

    def loss(logs: Sequence[float]) -> float:
        value, _, scale = evidence(logs)
        return -(value + float(noise.log_prior(scale))) / rows

    found = [0.0] * (is_free + scale_prior)
    if found:
        bounds = [(-FARTHEST, FARTHEST)] * len(found)
        found = minimize(loss, found, method="Nelder-Mead", bounds=bounds).x
    value, factor, _ = evidence(found)
    if not math.isfinite(value):
        raise Abort(3, "the evidence of the Laplace approximation is not finite; fix the noise")
    return value, factor


def draws_of(laplace: Any, count: int) -> Tensor:
    """So many draws of all entries, [draws, entries], in the precision of the network."""
    if not hasattr(laplace, "posterior_scale"):
        return laplace.sample(count)  # type: ignore[no-any-return]
    root = laplace.posterior_scale
    noise = torch.randn(count, laplace.n_params, dtype=root.dtype, device=root.device)
    drawn: Tensor = laplace.mean + (noise @ root.T).to(laplace.mean.dtype)
    return drawn


def settled(laplace: Any) -> float:
    """How many of the weights the data settled: the sum of how much of each variance is gone."""
    if hasattr(laplace, "posterior_covariance"):
        variance = laplace.posterior_covariance.diag()
    else:
        variance = laplace.posterior_precision.diag(-1)
    return float((1 - laplace.prior_precision_diag * variance).sum())


def precise_backend() -> type:
    """Sums up the whole curvature in double precision.

    What rows say of one direction may be ten million times what the prior says of another, which in
    single precision is lost, or makes the curvature of no normal.
    """
    load_laplace()
    interface: Any = importlib.import_module("laplace.curvature").GGNInterface

    class PreciseGGN(interface):  # type: ignore[misc]
        def jacobians(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
            jacobians, outputs = super().jacobians(*args, **kwargs)
            return jacobians.double(), outputs.double()

    return PreciseGGN


def load_laplace() -> Any:
    """The library, or a refusal."""
    try:
        library = importlib.import_module("laplace")
    except ImportError as error:
        raise Abort(2, f"engine: laplace: {error}; pip install laplace-torch") from error
    if not hasattr(library, "Laplace"):
        why = f"{library.__file__} stands in the way of laplace-torch"
        raise Abort(2, f"engine: laplace: {why}; rename it")
    return library
