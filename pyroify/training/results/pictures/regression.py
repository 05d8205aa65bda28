"""How good predicted numbers are, and how honest their spread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ...data.rows import Parts, Rows, Scalings, unscale
from ...inference.objectives import Predict
from ...run import Run
from ..scores import Scores, off_centre_of
from .picture import Picture, Seen

BARS = 150
"""So many intervals can still be told apart."""


def pictures(scores: dict[str, Scores], seen: Seen) -> Iterator[Picture]:
    """Of rows that training has not seen."""
    draws = seen.draws().flatten(1)
    truth = seen.in_units(seen.targets).flatten()
    draws, truth = draws[:, truth.isfinite()], truth[truth.isfinite()]
    yield Picture(
        "intervals",
        "Predicted interval against truth",
        "Each bar is the 90 % interval predicted for a row; nine in ten should reach the diagonal, "
        "and those that do not are red.",
        lambda axes: plot_intervals(axes, draws, truth),
    )
    yield Picture(
        "errors",
        "Error against predicted sd",
        "Where the model says that it is unsure it should be wrong by more: half of the dots "
        "belong below the lower line, nine in ten below the upper one.",
        lambda axes: plot_errors(axes, draws, truth),
    )
    yield Picture(
        "calibration",
        "Coverage of intervals",
        "A line on the diagonal is honest; one below it is of intervals that are too narrow, one "
        "above it of intervals that are too wide.",
        lambda axes: plot_coverage(axes, scores),
    )
    yield Picture(
        "ranks",
        "Rank of the truth among the draws",
        "Flat within the grey band is honest; high at both ends: too sure; high in the middle: too "
        "unsure; a slope: predictions are too low or too high.",
        lambda axes: plot_ranks(axes, scores["posterior"]["rank"].flatten()),
    )
    yield Picture(
        "predictive",
        "Targets as predicted and as they are",
        "Each thin line is a data set that the model could have made of these rows; the true one "
        "should look like any of them.",
        lambda axes: plot_predictive(axes, draws, truth),
    )


def plot_intervals(axes: Any, draws: Tensor, truth: Tensor) -> None:
    """Truth across, prediction upwards, of some rows evenly over all of the truth."""
    some = truth.argsort()[:: -(-len(truth) // BARS)]
    low, middle, high = draws[:, some].quantile(torch.tensor([0.05, 0.5, 0.95]), dim=0).cpu()
    across = truth[some].cpu()
    hit = (low <= across) & (across <= high)
    for chosen, color, label in ((hit, "C0", "holds the truth"), (~hit, "C3", "misses it")):
        at = across[chosen]
        axes.vlines(at, low[chosen], high[chosen], color=color, alpha=0.5, linewidth=1)
        axes.scatter(at, middle[chosen], s=6, color=color, label=f"{label}: {int(chosen.sum())}")
    ends = [float(across.min()), float(across.max())]
    axes.plot(ends, ends, color="grey", linewidth=0.8)
    axes.set(xlabel="truth", ylabel="predicted: median, 90 %")
    axes.legend(fontsize="small")


def plot_errors(axes: Any, draws: Tensor, truth: Tensor) -> None:
    """Predicted sd across, error upwards."""
    sd, error = draws.std(0).cpu(), (draws.mean(0) - truth).abs().cpu()
    axes.scatter(sd, error, s=6, alpha=0.5, linewidth=0)
    across = torch.tensor([0.0, float(sd.max()) * 1.05])
    for factor, label in ((1.645, "nine in ten below"), (0.674, "half below")):
        axes.plot(across, factor * across, color="grey", linewidth=0.8)
        axes.annotate(
            label,
            (float(across[1]), float(factor * across[1])),
            ha="right",
            va="bottom",
            fontsize="small",
        )
    axes.set(xlabel="predicted sd", ylabel="absolute error", xlim=(0, float(across[1])))


def plot_coverage(axes: Any, scores: dict[str, Scores]) -> None:
    """Share of rows inside central intervals of every width, of each predictor."""
    widths = torch.linspace(0, 1, 51)
    for title, each in scores.items():
        off_centre = off_centre_of(each)
        inside = [(off_centre <= width).float().mean().item() for width in widths]
        axes.plot(widths.cpu(), inside, label=title)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.set(xlabel="central interval", ylabel="share of rows inside")
    axes.legend(fontsize="small")


def plot_ranks(axes: Any, ranks: Tensor) -> None:
    """How often the truth is so high among the draws, with the band that chance allows."""
    ranks = ranks[ranks.isfinite()].cpu()
    bins = 10 if len(ranks) >= 50 else 5
    share = 1 / bins
    slack = 1.645 * (share * (1 - share) / len(ranks)) ** 0.5
    axes.axhspan(share - slack, share + slack, color="silver", label="90 % of chance", zorder=0)
    weights = torch.full_like(ranks, 1 / len(ranks))
    axes.hist(ranks.numpy(), bins=bins, range=(0, 1), weights=weights.numpy(), rwidth=0.9)
    axes.set(xlabel="share of the draws below the truth", ylabel="share of rows")
    axes.legend(fontsize="small")


def plot_predictive(axes: Any, draws: Tensor, truth: Tensor) -> None:
    """The spread of the targets, beside that of twenty data sets from the model."""
    whole = torch.cat([truth, draws[:20].flatten()])
    low, high = whole.quantile(torch.tensor([0.005, 0.995])).tolist()
    bins = min(max(round(len(truth) ** 0.5), 8), 30)
    form = {"bins": bins, "range": (low, high), "density": True}
    for number, drawn in enumerate(draws[:20]):
        label = "predicted" if number == 0 else None
        style = {"histtype": "step", "color": "C0", "alpha": 0.35, "linewidth": 0.8}
        axes.hist(drawn.cpu().numpy(), **form, **style, label=label)
    style = {"histtype": "step", "color": "black", "linewidth": 1.5}
    axes.hist(truth.cpu().numpy(), **form, **style, label="truth")
    axes.set(xlabel="target", ylabel="density")
    axes.legend(fontsize="small")


def spread_of_nll(scores: dict[str, Scores]) -> Picture:
    """Of targets of any form: how likely each of them was."""
    return Picture(
        "calibration",
        "How likely each row was",
        "Rows far to the right were expected by no draw; look at those first.",
        lambda axes: plot_nlls(axes, scores),
    )


def plot_nlls(axes: Any, scores: dict[str, Scores]) -> None:
    """How the negative log-likelihood is spread over the rows."""
    for title, each in scores.items():
        axes.hist(each["nll"].cpu().numpy(), bins=30, histtype="step", label=title)
    axes.set(xlabel="negative log-likelihood, nats", ylabel="rows")
    axes.legend(fontsize="small")


def has_one_number(rows: Rows) -> bool:
    """Whether rows are pairs of numbers."""
    is_plain = rows.form is None and rows.targets.dim() == 1
    return is_plain and [x.shape[1:] for x in rows.inputs] == [(1,)]


def curve(predictors: dict[str, Predict], run: Run) -> Picture:
    """What is predicted along the only input."""
    return Picture(
        "curve",
        "Prediction along the input",
        "The pale band should hold nine in ten rows; the darker one is what is not known of the "
        "curve itself, and should widen where there are no rows.",
        lambda axes: plot_curve(axes, predictors, run.parts, run.scalings),
    )


def plot_curve(axes: Any, predictors: dict[str, Predict], parts: Parts, scalings: Scalings) -> None:
    """Predictions over the range of a single input and beyond, beside the rows."""
    of_input, of_target = scalings["inputs"][0], scalings["targets"][0]
    for name, color in (("train", "silver"), ("test", "black")):
        rows = parts[name][:2000]
        if not len(rows):
            continue
        x = unscale(rows.inputs[0], of_input)
        y = unscale(rows.targets, of_target)
        axes.scatter(x.cpu(), y.cpu(), s=6, color=color, label=f"rows: {name}")
    low, high = (edge.item() for edge in parts["train"].known.inputs[0].aminmax())
    beyond = (high - low) / 4
    grid = torch.linspace(low - beyond, high + beyond, 200).unsqueeze(1)
    across = unscale(grid, of_input)[:, 0].cpu()
    with torch.no_grad():
        likelihoods = {title: predict((grid,)) for title, predict in predictors.items()}
    for title, each in likelihoods.items():
        mean = torch.stack([p.mean for p in each]).mean(0)
        axes.plot(across, unscale(mean, of_target).cpu(), label=title)
    each = likelihoods["posterior"]
    means = torch.stack([p.mean for p in each])
    draws = torch.cat([p.sample((10,)) for p in each])
    for values, what, alpha in ((draws, "rows", 0.15), (means, "the mean", 0.3)):
        edges = values.quantile(torch.tensor([0.05, 0.95]), dim=0)
        low, high = unscale(edges, of_target).cpu()
        style = {"label": f"90 % of {what}", "alpha": alpha, "linewidth": 0}
        axes.fill_between(across, low, high, color="C0", **style)
    axes.set(xlabel=(parts["train"].columns or ("input",))[0], ylabel="target")
    axes.legend(fontsize="small")
