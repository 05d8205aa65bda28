"""The posterior on rows that training has not seen, beside what it is compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoints import State
from ..data.files import write_table
from ..data.rows import Rows, Scaling, check_lengths, held_out, scale_inputs
from ..data.trees import unflatten
from ..inference.objectives import Objective, Predict, posterior
from ..inference.point import Optimizers, fit_point
from ..model.audit import refusing_inputs
from ..model.sites import Draw, observed
from ..run import Flags, Run, write_json
from .pictures.draw import Drawn, draw_plots
from .report import write_report
from .scores import Scores, Task
from .verdicts import verdicts

MOST = 4096
"""So many rows are predicted at once."""


@torch.no_grad()
def score(task: Task, predict: Predict, rows: Rows, scaling: Scaling) -> Scores:
    """Scores of each row, in the units of the targets."""
    parts = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for part in rows.batches(MOST):
            parts.append(task.score_rows(predict(part.args), part.targets, scaling))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def validating(task: Task, objective: Objective, run: Run) -> Callable[[], float] | None:
    """Gives the validation NLL; None where there are no rows for it."""
    rows = run.parts["validation"]
    return (lambda: validation_nll(task, objective, rows)) if len(rows) else None


def validation_nll(task: Task, objective: Objective, rows: Rows) -> float:
    """Of ten draws, per row, in nats of the scaled targets as the loss."""
    was_training = objective.training
    objective.eval()
    scores = score(task, posterior(objective, 10), rows, {})
    objective.train(was_training)
    return scores["nll"].mean().item()


def fit_original(
    build_model: Callable[[int], tuple[nn.Module, Draw]],
    build_optimizer: Callable[[Any, Flags], Optimizers],
    run: Run,
    clip_norm: float = math.inf,
) -> Predict:
    """The network as it was before the priors: one value per parameter.

    It begins where the class begins, and is fitted by maximum likelihood with the same batch
    size, optimizer and epochs; validation rows choose the epoch here too.
    """
    model, point = fit_point(build_model, build_optimizer, run, clip_norm)
    return lambda inputs: [observed(model, point(), inputs)] * run.flags.samples


def print_table(title: str, columns: dict[str, dict[str, float]]) -> None:
    """A column for each predictor, a row for each score."""
    print(f"{title:22}" + "".join(f"{name:>18}" for name in columns))
    for name in next(iter(columns.values())):
        cells = "".join(f"{column[name]:18.4f}" for column in columns.values())
        print(f"{name:22}{cells}")


def compare(task: Task, predictors: dict[str, Predict], run: Run) -> dict[str, Scores]:
    """Prints the scores of the predictors on held-out rows, and writes ``results.json``."""
    name, rows = held_out(run.parts)
    scaling = run.scalings["targets"][0]
    scores = {title: score(task, each, rows, scaling) for title, each in predictors.items()}
    results = {title: task.summarise(each) for title, each in scores.items()}
    print_table(f"{name}, {len(rows)} rows", results)
    write_json(run.flags.out / "results.json", results)
    return scores


def report(
    task: Task,
    objective: Objective,
    predictors: dict[str, Predict],
    scores: dict[str, Scores],
    run: Run,
) -> None:
    """Writes ``report.html``, and with ``--plots`` the pictures in it."""
    pictures: list[Drawn] = []
    if run.flags.plots:
        pictures = draw_plots(task, objective, predictors, scores, run)
    name, rows = held_out(run.parts)
    path = run.flags.out / "report.html"
    title = f"{type(objective.model.net).__name__}: {name}, {len(rows)} rows"
    results = {title: task.summarise(each) for title, each in scores.items()}
    words = verdicts(objective, results, run)
    print("\n".join(words))
    write_report(path, title, results, pictures, words)
    print(f"report: {path}")


@torch.no_grad()
def predict_rows(
    task: Task, objective: Objective, inputs: tuple[Tensor, ...], about: State, samples: int
) -> dict[str, np.ndarray[Any, Any]]:
    """What is predicted of new rows, in the units of the targets."""
    check_lengths(*inputs)
    inputs = scale_inputs(inputs, about["scalings"])
    form = about["form"] or tuple(range(len(inputs)))
    predict = posterior(objective, samples)
    scaling = about["scalings"]["targets"][0]
    parts = []
    for start in range(0, len(inputs[0]), MOST):
        part = tuple(x[start : start + MOST] for x in inputs)
        with refusing_inputs(part):
            parts.append(task.predictions(predict(unflatten(form, part)), scaling))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write_predictions(
    task: Task,
    objective: Objective,
    inputs: tuple[Tensor, ...],
    about: State,
    flags: Flags,
) -> None:
    """Writes ``predictions.npz``; of the rows of a table also the table with what is predicted."""
    columns: dict[str, Any] = predict_rows(task, objective, inputs, about, flags.samples)
    path = flags.out / "predictions.npz"
    np.savez(path, **columns)
    written = str(path)
    if about["columns"]:
        added = {f"predicted_{name}": each for name, each in flat_columns(columns).items()}
        written += f", {write_table(flags.predict, added, flags.out).name}"
    print(f"predictions: {written}")


def flat_columns(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """The columns of all arrays, numbered where a row has more than one number of a kind."""
    flat = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            flat[name] = array
            continue
        columns = array.reshape(len(array), -1).T
        flat |= {f"{name}_{number}": column for number, column in enumerate(columns)}
    return flat
