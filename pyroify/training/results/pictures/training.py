"""How a training went: its loss, or its chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...inference.guides import Chain, Members
from .picture import Picture


def pictures(guide: nn.Module, out: Path) -> Iterator[Picture]:
    """Of what there is: an ensemble keeps nothing of its trainings."""
    if isinstance(guide, Members):
        return
    if isinstance(guide, Chain):
        reading = "A line that drifts has not settled: draw more, and leave out more at the start."
        yield Picture(
            "training", "The chain", reading, lambda axes: plot_chain(axes, guide.samples)
        )
        return
    reading = (
        "The loss is the NLL, how badly the rows are predicted, plus the KL, how far the posterior "
        "is from the prior; all are flat at the end of a training that was long enough."
    )
    yield Picture("training", "Loss and its parts", reading, lambda axes: plot_training(axes, out))


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
    validated = [row for row in history if "validation_nll" in row]
    if validated:
        nlls = [row["validation_nll"] for row in validated]
        axes.plot([row["epoch"] for row in validated], nlls, label="validation nll")
    axes.set(xlabel="epoch", ylabel="nats per row")
    axes.set_yscale("symlog", subs=(2, 5))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend()
