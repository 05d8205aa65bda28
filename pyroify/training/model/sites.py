"""The sites of a model: which there are, and what they are under one value of every latent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatch
from typing import Any

import torch
from pyro import poutine
from pyro.poutine.trace_struct import Trace
from pyro.poutine.util import site_is_subsample
from torch import Tensor, nn

from ..data.rows import Rows

Draw = dict[str, Tensor]
"""A value for each latent, by the name of its site."""


def module_names(root: nn.Module, prefix: str = "") -> dict[nn.Module, str]:
    """Every module by the name that its sites begin with: of several, the last."""
    modules = root.named_modules(prefix=prefix, remove_duplicate=False)
    return {module: name for name, module in modules}


def prior_names(model: nn.Module) -> list[str]:
    """The names of all that has a prior."""
    return [
        f"{prefix}.{name}".lstrip(".")
        for module, prefix in module_names(model).items()
        for name in getattr(module, "_pyro_samples", {})
    ]


def trace_model(model: nn.Module, rows: Rows) -> Any:
    """The trace of one call with targets; the random state stays."""
    with torch.random.fork_rng(), torch.no_grad(), poutine.trace() as traced:
        model(*rows.args, **rows.given)
    return traced.trace


def latent_sites(model: nn.Module, rows: Rows) -> dict[str, Any]:
    """The sites that are not observed, by name."""
    sites = trace_model(model, rows).iter_stochastic_nodes()
    return {name: site for name, site in sites if not site_is_subsample(site)}


def observed(model: nn.Module, draw: Draw, args: tuple[Any, ...]) -> Any:
    """The likelihood of each row under one value of every latent."""
    return observed_in(conditioned(model, draw, args), model, draw)


def conditioned(model: nn.Module, draw: Draw, args: tuple[Any, ...]) -> Trace:
    """What the model samples under one value of every latent."""
    with poutine.trace() as traced, poutine.condition(data=draw):
        model(*args)
    return traced.trace


def observed_in(trace: Trace, model: nn.Module, draw: Draw) -> Any:
    """The likelihood of each row in a trace under these values of the latents."""
    site = trace.nodes.get("obs")
    if site and not site["is_observed"]:
        return site["fn"]
    trace.compute_log_prob()
    latent = {*draw, *pinned_sites(model)}
    sites = likelihood_sites(trace.nodes, latent).values()
    return Told([site["unscaled_log_prob"] for site in sites])


class Told:
    """A likelihood of which a model tells no more than its logarithm for the rows it was given."""

    def __init__(self, log_probs: list[Tensor]):
        self.log_probs = log_probs

    def log_prob(self, targets: Tensor) -> Tensor:
        """Of each row; ``targets`` says how many there are."""
        log_prob = torch.stack([for_each(part, len(targets)) for part in self.log_probs]).sum(0)
        return log_prob if torch.is_grad_enabled() else log_prob.detach()


def for_each(log_prob: Tensor, rows: int) -> Tensor:
    """Summed over all axes but that of the rows; in equal shares where there is no such axis."""
    if log_prob.shape[-1:] == (rows,):
        return log_prob.reshape(-1, rows).sum(0)
    if log_prob.shape[:1] == (rows,):
        return log_prob.reshape(rows, -1).sum(1)
    return (log_prob.sum() / rows).expand(rows)


def likelihood_sites(nodes: Any, latent: Collection[str]) -> dict[str, Any]:
    """The sites that are observed in the data, by name; not those that are ``latent``."""
    return {name: site for name, site in nodes.items() if is_likelihood(site, latent)}


def is_likelihood(site: Any, latent: Collection[str]) -> bool:
    """Whether a site is observed in the data."""
    is_sample = site["type"] == "sample" and site["is_observed"]
    if not is_sample or site["name"] in latent:
        return False
    return not (site_is_subsample(site) or site["infer"].get("_deterministic"))


def drop_column(out: Tensor) -> Tensor:
    """[rows, 1] as [rows]; anything else as it is."""
    return out.squeeze(1) if out.dim() == 2 and out.shape[1] == 1 else out


def sites_like(patterns: Iterable[str]) -> Callable[[Any], bool]:
    """Tells whether a site has a name like one of the patterns."""
    kept = tuple(patterns)
    return lambda site: any(fnmatch(site["name"], pattern) for pattern in kept)


def key(site: str) -> str:
    """The name of a site where torch allows no dots."""
    return site.replace(".", "/")


def pinned_sites(model: nn.Module) -> Draw:
    """The sites that are not learned, by name, and their values."""
    pins = {n: v for n, v in model.named_buffers(recurse=False) if n.startswith("pinned/")}
    return {n.removeprefix("pinned/").replace("/", "."): v for n, v in pins.items()}


def whole_draw(model: nn.Module, draw: Draw, rows: Rows) -> Draw:
    """The draw by the names of the priors, as if the model had no handlers."""
    with poutine.condition(data=draw):
        nodes = trace_model(model, rows).nodes
    names = [name.removesuffix("_decentered") for name in draw]
    return {name: nodes[name]["value"] for name in [*names, *pinned_sites(model)]}
