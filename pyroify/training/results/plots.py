"""Pictures of the training, the scores and the posterior."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..data.rows import Parts, Scalings, unscale
from ..inference.guides import Chain
from ..inference.objectives import Objective, Predict, posterior_draws
from ..run import Run
from .pictures import load_pyplot
from .scores import Regression, Scores, Task


def draw_plots(
    task: Task,
    objective: Objective,
    predictors: dict[str, Predict],
    scores: dict[str, Scores],
    run: Run,
) -> list[Path]:
    """The pictures, each in a file below ``plots``."""
    out = run.flags.out
    guide = objective.guide
    drawings: dict[str, Callable[[Any], None]] = {
        "training": lambda axes: (
            plot_chain(axes, guide.samples)
            if isinstance(guide, Chain)
            else plot_training(axes, out)
        ),
        "calibration": lambda axes: plot_calibrations(axes, task, scores),
        "posterior_sd": lambda axes: plot_sds(axes, guide),
    }
    rows = run.rows.known
    is_plain = rows.form is None and rows.targets.dim() == 1
    has_one_number = is_plain and [x.shape[1:] for x in rows.inputs] == [(1,)]
    if has_one_number and isinstance(task, Regression):
        drawings["curve"] = lambda axes: plot_curve(axes, predictors, run.parts, run.scalings)
    pyplot = load_pyplot()
    folder = out / "plots"
    folder.mkdir(exist_ok=True)
    for name, draw in drawings.items():
        figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
        draw(axes)
        figure.savefig(folder / f"{name}.png", dpi=100)
        pyplot.close(figure)
    print(f"plots: {folder}")
    return [folder / f"{name}.png" for name in drawings]


def plot_chain(axes: Any, samples: dict[str, Tensor]) -> None:
    """How the chain moves: the size of each latent, draw by draw."""
    for name, values in samples.items():
        sizes = values.reshape(len(values), -1).square().mean(1).sqrt()
        axes.plot(sizes.cpu(), linewidth=0.8, label=name)
    axes.set(xlabel="draw", ylabel="root mean square of the entries", yscale="log")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")


def plot_training(axes: Any, out: Path) -> None:
    """The loss and its two parts."""
    lines = (out / "metrics.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    epochs = [row["epoch"] for row in history]
    for name in ("loss", "nll", "kl"):
        axes.plot(epochs, [row[name] for row in history], label=name)
    held_out = [row for row in history if "validation_nll" in row]
    if held_out:
        nlls = [row["validation_nll"] for row in held_out]
        axes.plot([row["epoch"] for row in held_out], nlls, label="validation nll")
    axes.set(xlabel="epoch", ylabel="nats per row")
    axes.set_yscale("symlog", subs=(2, 5))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend()


def plot_calibrations(axes: Any, task: Task, scores: dict[str, Scores]) -> None:
    """Each predictor's calibration."""
    for title, each in scores.items():
        task.plot_calibration(axes, title, each)
    axes.legend()


def posterior_sds(guide: nn.Module, most: int) -> dict[str, Tensor]:
    """The sds of a thousand entries of every latent, from so many draws at most."""
    thinned: dict[str, list[Tensor]] = {}
    for draw in posterior_draws(guide, most):
        for name, value in draw.items():
            some = value.detach().flatten()[:: value.numel() // 1000 + 1].clone()
            thinned.setdefault(name, []).append(some)
    return {name: torch.stack(values).std(0) for name, values in thinned.items()}


def plot_sds(axes: Any, guide: nn.Module) -> None:
    """How wide the posterior of every latent is."""
    sds = posterior_sds(guide, 100)
    names = list(reversed(sds))
    axes.figure.set_figheight(max(4.5, len(names) / 4))
    axes.boxplot(
        [sds[name].cpu().numpy() for name in names],
        tick_labels=names,
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
    )
    axes.set(xlabel="posterior sd of the entries: median, quartiles, 5 % and 95 %")


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
    axes.legend()
