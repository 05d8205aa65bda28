"""How good predicted classes are, and how honest their probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..scores import Classification, Scores
from .picture import Picture, Seen

MOST_CLASSES = 20
"""So many classes at most can be told apart in one picture."""


def pictures(task: Classification, scores: dict[str, Scores], seen: Seen) -> Iterator[Picture]:
    """Of rows that training has not seen."""
    yield Picture(
        "calibration",
        "Confidence against accuracy",
        "A point on the diagonal is honest, below it too sure; the bars at the bottom tell how "
        "many rows have such a confidence, and a point of a few rows means little.",
        lambda axes: plot_reliability(axes, scores),
    )
    probabilities = torch.stack([task.probabilities(p) for p in seen.likelihoods]).mean(0)
    classes = probabilities.shape[-1]
    if classes > MOST_CLASSES:
        return
    guess, truth = probabilities.argmax(-1).flatten(), seen.targets.flatten().long()
    known = truth != task.padding if task.padding is not None else truth >= 0
    counts = torch.zeros(classes, classes)
    ones = torch.ones(int(known.sum()))
    counts.index_put_((truth[known], guess[known]), ones, accumulate=True)
    yield Picture(
        "confusion",
        "Which class is taken for which",
        "A line is a true class, a column what was guessed; all that is off the diagonal is a "
        "mistake.",
        lambda axes: plot_confusion(axes, counts),
    )


def plot_reliability(axes: Any, scores: dict[str, Scores]) -> None:
    """Accuracy against confidence in ten bins, and how many rows are in each."""
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    counted = axes.twinx()
    for number, (title, each) in enumerate(scores.items()):
        confidence, correct = each["confidence"].flatten(), each["correct"].flatten()
        confidence, correct = confidence[confidence.isfinite()], correct[correct.isfinite()]
        bins = (confidence * 10).long().clamp(max=9)
        rows = torch.bincount(bins, minlength=10)
        filled = rows.nonzero().flatten()
        means = [
            [values[bins == b].mean().item() for b in filled] for values in (confidence, correct)
        ]
        axes.plot(*means, marker="o", markersize=4, color=f"C{number}", label=title)
        left = (torch.arange(10) + 0.28 + 0.44 * number / len(scores)) / 10
        width = 0.04 / len(scores)
        counted.bar(
            left.tolist(), rows.tolist(), width, color=f"C{number}", alpha=0.35, align="edge"
        )
    most = int(counted.get_ylim()[1])
    counted.set_yticks([0, most])
    counted.set_ylim(0, 4 * most)
    counted.set_ylabel("rows (bars)")
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(fontsize="small", loc="upper left")


def plot_confusion(axes: Any, counts: Tensor) -> None:
    """How often each class was taken for each; shares of the true class as shades."""
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    axes.imshow(shares.cpu(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ticks = range(len(counts))
    if len(counts) <= 12:
        for line in ticks:
            for column in ticks:
                count = int(counts[line, column])
                color = "white" if shares[line, column] > 0.6 else "black"
                if count:
                    style = {"ha": "center", "va": "center", "fontsize": "small", "color": color}
                    axes.text(column, line, count, **style)
    axes.set_xticks(ticks, ticks)
    axes.set_yticks(ticks, ticks)
    axes.set(xlabel="guessed class", ylabel="true class")
