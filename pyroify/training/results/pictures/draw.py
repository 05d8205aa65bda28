"""Which pictures a run has, and where they are put."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from ...data.rows import held_out
from ...inference.objectives import Objective, Predict
from ...run import Run
from ..scores import Classification, Regression, Scores, Task
from ..survival import Survival
from . import classification, posterior, regression, survival, training
from .picture import Picture, Seen, load_pyplot

MOST = 2000
"""So many held-out rows at most are looked at one by one."""

WIDTH, HEIGHT, DOTS = 5.0, 3.5, 200
"""Inches, and dots an inch: to be read at the width of a phone, and sharp on a screen."""


@dataclass(frozen=True)
class Drawn:
    """A picture in a file."""

    picture: Picture
    path: Path


@torch.no_grad()
def draw_plots(
    task: Task,
    objective: Objective,
    predictors: dict[str, Predict],
    scores: dict[str, Scores],
    run: Run,
) -> list[Drawn]:
    """The pictures, each in a file below ``plots``."""
    folder = run.flags.out / "plots"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    drawn = []
    pyplot = load_pyplot()
    for picture in pictures_of(task, objective, predictors, scores, run):
        figure, axes = pyplot.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
        picture.draw(axes)
        figure.suptitle(picture.title, fontsize="large")
        path = folder / f"{picture.name}.png"
        figure.savefig(path, dpi=DOTS)
        pyplot.close(figure)
        drawn.append(Drawn(picture, path))
    print(f"plots: {folder}")
    return drawn


def pictures_of(
    task: Task,
    objective: Objective,
    predictors: dict[str, Predict],
    scores: dict[str, Scores],
    run: Run,
) -> Iterator[Picture]:
    """Those of the predictions first, then of the posterior, then of the training."""
    rows = next(iter(held_out(run.parts)[1].batches(MOST)))[:MOST]
    likelihoods = predictors["posterior"](rows.args)
    seen = Seen(rows.targets, likelihoods, run.scalings["targets"][0])
    match task:
        case Regression():
            yield from regression.pictures(scores, seen)
            if regression.has_one_number(run.rows.known):
                yield regression.curve(predictors, run)
        case Classification():
            yield from classification.pictures(task, scores, seen)
        case Survival():
            yield from survival.pictures(seen)
        case _:
            yield regression.spread_of_nll(scores)
    yield from posterior.pictures(objective, run)
    yield from training.pictures(objective.guide, run.flags.out)
