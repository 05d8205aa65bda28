"""What the posterior of the weights looks like, beside their prior."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...inference.objectives import Objective, posterior_draws
from ...model.sites import latent_sites
from ...run import Run
from .picture import Picture

DRAWS = 100


def pictures(objective: Objective, run: Run) -> Iterator[Picture]:
    """Two, with a line for each site."""
    draws = some_entries(objective.guide, DRAWS)
    sites = latent_sites(objective.model, run.rows[:2])
    priors = {name: site["fn"] for name, site in sites.items() if name in draws}
    yield Picture(
        "prior_posterior",
        "Prior against posterior",
        "Nine tenths of the entries of a site: grey by the prior, blue by the posterior. Where "
        "both are alike the data said nothing about the site.",
        lambda axes: plot_priors(axes, priors, draws),
    )
    yield Picture(
        "posterior_sd",
        "Posterior sd of the weights",
        "How unsure the posterior is of the entries of each site; a site whose sds are those of "
        "the prior has learned nothing, one near zero is sure.",
        lambda axes: plot_sds(axes, objective.guide),
    )


def some_entries(guide: nn.Module, most: int) -> dict[str, Tensor]:
    """A thousand entries of every latent at most, of so many draws at most: [draws, entries]."""
    thinned: dict[str, list[Tensor]] = {}
    for draw in posterior_draws(guide, most):
        for name, value in draw.items():
            some = value.detach().flatten()[:: value.numel() // 1000 + 1].clone()
            thinned.setdefault(name, []).append(some)
    return {name: torch.stack(values) for name, values in thinned.items()}


def posterior_sds(guide: nn.Module, most: int) -> dict[str, Tensor]:
    """The sds of a thousand entries of every latent, from so many draws at most."""
    return {name: draws.std(0) for name, draws in some_entries(guide, most).items()}


def plot_sds(axes: Any, guide: nn.Module) -> None:
    """How wide the posterior of every latent is."""
    sds = posterior_sds(guide, DRAWS)
    names = list(reversed(sds))
    make_room(axes, len(names))
    axes.boxplot(
        [sds[name].cpu().numpy() for name in names],
        tick_labels=names,
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
    )
    axes.set(xlabel="sd of the entries: median, quartiles, 5 % and 95 %")


def plot_priors(axes: Any, priors: dict[str, Any], draws: dict[str, Tensor]) -> None:
    """Where nine tenths of the entries of each site are, before and after the data."""
    names = list(reversed(priors))
    make_room(axes, len(names))
    tenths = torch.tensor([0.05, 0.95])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = {name: priors[name].sample((DRAWS,)).flatten()[:100_000] for name in names}
    for entries, color, height in ((drawn, "silver", 0.7), (draws, "C0", 0.35)):
        ends = [entries[name].flatten()[:100_000].quantile(tenths).cpu() for name in names]
        widths = [float(high - low) for low, high in ends]
        label = "prior" if entries is drawn else "posterior"
        left = [float(low) for low, _ in ends]
        axes.barh(range(len(names)), widths, height, left=left, color=color, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="nine tenths of the entries")
    axes.set_xscale("symlog", linthresh=1.0)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.figure.legend(loc="outside lower right", ncols=2, fontsize="small")


def make_room(axes: Any, lines: int) -> None:
    """A line for each site, whose names may be long."""
    axes.figure.set_figheight(max(axes.figure.get_figheight(), 1 + lines / 4))
    axes.tick_params(axis="y", labelsize="small")
