"""What is told of each row, and of all: for numbers, for classes, for anything with a density."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..data.rows import Scaling

Scores = dict[str, Tensor]
"""Each of shape [rows] or [rows, outputs]."""

Columns = dict[str, np.ndarray[Any, Any]]

LEVELS = (50, 80, 90, 95)
"""Central predictive intervals, in percent."""


class Task(Protocol):
    """How the targets are scored; ``likelihoods`` has one for each posterior draw."""

    def score_rows(self, likelihoods: list[Any], targets: Tensor, scaling: Scaling) -> Scores:
        """Scores of the equal-weight mixture of the likelihoods, for each row."""

    def summarise(self, scores: Scores) -> dict[str, float]:
        """Scores of all rows, in the units of the targets."""

    def predictions(self, likelihoods: list[Any], scaling: Scaling) -> Columns:
        """What ``--predict`` writes for each row."""


class Regression:
    """Targets are numbers; missing ones are NaN and are not scored."""

    def score_rows(self, likelihoods: list[Any], targets: Tensor, scaling: Scaling) -> Scores:
        """Errors, NLL, CRPS, rank and the two parts of the variance."""
        count, rows = len(likelihoods), len(targets)
        sd = scaling.get("sd", torch.tensor(1.0))
        log_prob = torch.stack([p.log_prob(targets) for p in likelihoods]).logsumexp(0)
        log_sd = (sd.log() * ~targets.isnan()).reshape(rows, -1).sum(1)
        means = torch.stack([p.mean for p in likelihoods]) * sd
        draws = torch.stack([p.sample() for p in likelihoods]).sort(0).values * sd
        targets = targets * sd
        error = means.mean(0) - targets
        weights = torch.arange(1 - count, count, 2).view(-1, *[1] * targets.dim())
        spread = (weights * draws).sum(0) / (count * max(count - 1, 1))
        below, ties = (draws < targets).float(), (draws == targets).float()
        ties[:, targets.isnan()] = math.nan  # a missing target has no rank
        return {
            "squared_error": error**2,
            "absolute_error": error.abs(),
            "nll": math.log(count) - log_prob + log_sd,
            "crps": (draws - targets).abs().mean(0) - spread,
            "rank": (below + ties / 2).mean(0),
            "aleatoric": torch.stack([p.variance for p in likelihoods]).mean(0) * sd**2,
            "epistemic": means.var(0, correction=0),
        }

    def summarise(self, scores: Scores) -> dict[str, float]:
        """RMSE, MAE, NLL, CRPS, coverage of central intervals, and where the spread is from."""
        off_centre = 100 * off_centre_of(scores)
        return {
            "rmse": scores["squared_error"].nanmean().sqrt().item(),
            "mae": scores["absolute_error"].nanmean().item(),
            "nll": scores["nll"].nanmean().item(),
            "crps": scores["crps"].nanmean().item(),
            **{f"coverage_{p}": (off_centre <= p).float().mean().item() for p in LEVELS},
            "aleatoric_sd": scores["aleatoric"].nanmean().sqrt().item(),
            "epistemic_sd": scores["epistemic"].nanmean().sqrt().item(),
        }

    def predictions(self, likelihoods: list[Any], scaling: Scaling) -> Columns:
        """Mean, sd and the 90 % interval."""
        mean, sd = scaling.get("mean", 0.0), scaling.get("sd", 1.0)
        draws = torch.stack([p.sample() for p in likelihoods])
        means = torch.stack([p.mean for p in likelihoods]).mean(0) * sd + mean
        low, high = draws.quantile(torch.tensor([0.05, 0.95]), dim=0) * sd + mean
        return as_columns(mean=means, sd=draws.std(0) * sd, q05=low, q95=high)


def off_centre_of(scores: Scores) -> Tensor:
    """The width of the central interval that just holds each target, from 0 to 1."""
    off_centre = 2 * (scores["rank"].flatten() - 0.5).abs()
    return off_centre[off_centre.isfinite()]


class Classification:
    """Targets are class numbers; those that are ``padding`` are not scored.

    ``probabilities`` gives those of a likelihood, of shape [rows, ..., classes].
    """

    def __init__(self, probabilities: Callable[[Any], Tensor], padding: int | None = None):
        self.probabilities = probabilities
        self.padding = padding

    def score_rows(self, likelihoods: list[Any], targets: Tensor, scaling: Scaling) -> Scores:
        """Hits, NLL, Brier score, confidence and the two parts of the uncertainty."""
        each = torch.stack([self.probabilities(p) for p in likelihoods])
        mean = each.mean(0)
        known = targets if self.padding is None else targets.where(targets != self.padding, 0)
        target = known.long().unsqueeze(-1)
        confidence, guess = mean.max(-1)
        hit = torch.zeros_like(mean).scatter(-1, target, 1.0)
        entropy = entropy_of(mean)
        scores = {
            "correct": (guess == targets).float(),
            "brier": ((mean - hit) ** 2).sum(-1),
            "confidence": confidence,
            "entropy": entropy,
            "mutual_information": (entropy - entropy_of(each).mean(0)).clamp(min=0),
        }
        if self.padding is None:
            log_probs = [p.log_prob(targets) for p in likelihoods]
        else:
            seen = targets != self.padding
            log_probs = [(p.base_dist.log_prob(known) * seen).sum(-1) for p in likelihoods]
            scores = {name: value.where(seen, math.nan) for name, value in scores.items()}
        scores["nll"] = math.log(len(likelihoods)) - torch.stack(log_probs).logsumexp(0)
        return scores

    def summarise(self, scores: Scores) -> dict[str, float]:
        """Accuracy, NLL, Brier score, calibration error, entropy and its epistemic part."""
        return {
            "accuracy": scores["correct"].nanmean().item(),
            "nll": scores["nll"].mean().item(),
            "brier": scores["brier"].nanmean().item(),
            "ece": calibration_error(scores["confidence"], scores["correct"]),
            "entropy": scores["entropy"].nanmean().item(),
            "mutual_information": scores["mutual_information"].nanmean().item(),
        }

    def predictions(self, likelihoods: list[Any], scaling: Scaling) -> Columns:
        """The likeliest class, the probability of each, and how uncertain that is."""
        each = torch.stack([self.probabilities(p) for p in likelihoods])
        mean = each.mean(0)
        entropy = entropy_of(mean)
        epistemic = (entropy - entropy_of(each).mean(0)).clamp(min=0)
        columns = as_columns(probabilities=mean, entropy=entropy, mutual_information=epistemic)
        return {**as_columns(**{"class": mean.argmax(-1)}), **columns}


def two_classes(likelihood: Any) -> Tensor:
    """The probabilities of 0 and 1 under a Bernoulli, on a last axis of their own."""
    return torch.stack([1 - likelihood.mean, likelihood.mean], dim=-1)


def entropy_of(probabilities: Tensor) -> Tensor:
    """In nats, over the last axis."""
    entropy: Tensor = torch.special.entr(probabilities).sum(-1)
    return entropy


def calibration_error(confidence: Tensor, correct: Tensor) -> float:
    """Mean gap between confidence and accuracy over 15 bins of equal width."""
    seen = confidence.isfinite()
    confidence, correct = confidence[seen], correct[seen]
    bins = (confidence * 15).long().clamp(max=14)
    gaps = torch.zeros(15).scatter_add(0, bins, confidence - correct)
    return gaps.abs().sum().item() / confidence.numel()


class Density:
    """Targets of any form; all that is told of a row is how likely it was."""

    def score_rows(self, likelihoods: list[Any], targets: Tensor, scaling: Scaling) -> Scores:
        """NLL alone."""
        log_prob = torch.stack([p.log_prob(targets) for p in likelihoods]).logsumexp(0)
        return {"nll": math.log(len(likelihoods)) - log_prob}

    def summarise(self, scores: Scores) -> dict[str, float]:
        """NLL alone."""
        return {"nll": scores["nll"].mean().item()}

    def predictions(self, likelihoods: list[Any], scaling: Scaling) -> Columns:
        """Draws of the targets, of shape [rows, draws, ...]."""
        return as_columns(draws=torch.stack([p.sample() for p in likelihoods], 1))


def as_columns(**tensors: Tensor) -> Columns:
    """Arrays of NumPy."""
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
