"""What a training came to, in words: each says what was seen, and where it is bad what to try."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from ..data.rows import held_out
from ..inference.guides import Chain
from ..inference.linearised import Linearised
from ..inference.objectives import Objective
from ..inference.plateau import was_flat
from ..model.sites import latent_sites
from ..run import Run

Summary = Mapping[str, Mapping[str, float]]
"""The scores of each predictor."""

SETTLED = 0.05
"""So much of the fall of the KL at most is left to the last tenth of a training that converged."""

COSTLY = 3.0
"""Nats of KL a row that no row can pay for."""

WIDE = 10
"""Weights a row from which on a mean-field guide tends to fall back on the prior."""

LITTLE = 0.02
"""Of the weights, or of the rows where those are fewer: data that settle less tell nothing."""

BETTER = "engine: ensemble"
"""What to take where a posterior does not pay."""

NOTHING = 0.97
"""Of the score that one guess for all rows has; a posterior with more has learned nothing."""

FEWEST = 20
"""Rows from which on such a guess has a score worth a comparison."""

HONEST = (0.82, 0.97)
"""Between these shares of the targets lie in 90 % intervals that are as wide as they should be."""


def verdicts(objective: Objective, results: Summary, run: Run) -> list[str]:
    """One line for each thing to look at."""
    guide = objective.guide
    is_curved = isinstance(guide, Linearised)
    found = [] if isinstance(guide, Chain) else list(of_training(run, is_curved))
    if run.chosen:
        which = "the best by validation" if run.flags.choose == "best" else "the last"
        found.insert(0, f"evaluated: epoch {run.chosen}, {which}")
    found += of_curvature(guide) if isinstance(guide, Linearised) else of_size(objective, run)
    return [*found, *of_collapse(results, run), *of_scores(results, run, is_curved)]


def of_training(run: Run, is_point: bool = False) -> Iterator[str]:
    """Whether loss and KL have stopped to fall, and whether the KL is small enough.

    Of one ``point`` there is no KL, and nothing begins narrow.
    """
    path = run.flags.out / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    flags, more = run.flags, f"try --epochs {3 * len(rows)}, the same command goes on"
    if flags.flat and len(rows) >= flags.epochs:
        if was_flat(flags):
            yield f"ended by itself: the loss was flat after epoch {flags.flat}"
        else:
            yield f"not converged: the loss still fell after the most epochs, {len(rows)}; {more}"
    if is_point:
        return
    if len(rows) >= 10:
        share = share_of_last_tenth(rows)
        seen = f"{share:.0%} of the fall of the KL came in the last tenth of the training"
        if share > SETTLED:
            yield f"not converged: {seen}; {more}"
        else:
            yield f"converged: {seen}"
    if rows and rows[-1]["kl"] > COSTLY:
        kl = rows[-1]["kl"]
        yield (
            f"far from the prior: the KL is {kl:.3g} nats a row, more than rows can tell; "
            f"{more}, then a prior of fan_in ** -0.5 in the spec"
        )


def share_of_last_tenth(rows: Sequence[Mapping[str, float]]) -> float:
    """How much of the fall of the KL, from its highest, came in the last tenth of the training.

    An epoch counts by its learning rate: at a rate near zero nothing falls, converged or not.
    """
    kls = [row["kl"] for row in rows]
    done = list(accumulate(row.get("lr", 1.0) for row in rows))
    tenth = next(i for i, rate in enumerate(done) if rate >= 0.9 * done[-1] * (1 - 1e-9))
    fall = max(kls) - kls[-1]
    return max((kls[tenth] - kls[-1]) / fall, 0.0) if fall > 0 else 0.0  # it may rise again


def of_size(objective: Objective, run: Run) -> Iterator[str]:
    """Whether there are more weights than the rows can tell about."""
    sites = latent_sites(objective.model, run.rows[:2])
    size = sum(site["value"].numel() for site in sites.values())
    if size > WIDE * len(run.rows) and not isinstance(objective.guide, Chain):
        yield (
            f"wide: {size} random numbers for {len(run.rows)} rows; independent normals tend to "
            "fall back on the prior: try fan_in ** -0.5 as its scale, or guide last_layer"
        )


def of_curvature(guide: Linearised) -> Iterator[str]:
    """How much the data settled of the weights around the mode."""
    facts = guide.facts
    seen = (
        f"the {facts['rows']:g} rows settled {facts['settled']:.3g} of {facts['weights']:g} weights"
    )
    evidence = f"the evidence is {facts['evidence']:.3f} nats a row"
    if facts["factor"] != 1:
        evidence += f", with {facts['factor'] ** -0.5:.3g} times the sds of the priors"
    if facts["settled"] < LITTLE * min(facts["rows"], facts["weights"]):
        yield (
            f"nearly the prior: {seen}; {evidence}; try laplace: {{prior: evidence}} in the spec, "
            "or fan_in ** -0.5 as the scale of the prior"
        )
    else:
        yield f"learned: {seen}; {evidence}"


def of_collapse(results: Summary, run: Run) -> Iterator[str]:
    """Whether one guess for all rows would do as well, as where all is back at the prior."""
    scores = results["posterior"]
    name, alone = score_of_one_guess(scores, run)
    if not scores.get(name, 0.0) > NOTHING * alone:
        return
    seen = f"{name} {scores[name]:.3g}, that of one guess for all rows is {alone:.3g}"
    original = results.get("original network")
    if original and original[name] > NOTHING * alone:
        yield f"learned nothing: {seen}, nor has the original network; look at the data"
    else:
        yield (
            f"collapsed: {seen}; the posterior has fallen back on its prior: try fan_in ** -0.5 as "
            "the scale of the prior, guide last_layer, or engine: ensemble"
        )


def score_of_one_guess(scores: Mapping[str, float], run: Run) -> tuple[str, float]:
    """The name of a score, and what it is where the same is said of all held-out rows.

    Not a number where there is no such score, or where the rows are too few.
    """
    targets = held_out(run.parts)[1].known.targets
    if len(targets) < FEWEST:
        return "", math.nan
    if "rmse" in scores:
        sd = run.scalings["targets"][0].get("sd", torch.tensor(1.0))
        spread: Tensor = (targets - targets.nanmean(0)) * sd
        return "rmse", spread.square().nanmean().sqrt().item()
    if "accuracy" in scores and targets.dim() == 1:
        counts = targets.unique(return_counts=True)[1]
        return "nll", torch.special.entr(counts / len(targets)).sum().item()
    return "", math.nan


def of_scores(results: Summary, run: Run, is_curved: bool = False) -> Iterator[str]:
    """The posterior beside the original network, its intervals and its noise.

    More training makes no intervals narrower that are ``curved``, those of a Laplace approximation.
    """
    scores = results["posterior"]
    original = results.get("original network")
    if original:
        seen = f"NLL {scores['nll']:.3f} against {original['nll']:.3f}"
        if scores["nll"] > original["nll"] + 0.02:
            yield f"worse than the original network: {seen}; take {BETTER} in the spec"
        else:
            yield f"as good as the original network or better: {seen}"
    if "coverage_90" in scores:
        inside = scores["coverage_90"]
        seen = f"90 % intervals hold {inside:.0%} of the targets"
        if inside < HONEST[0]:
            weight = run.flags.kl_weight
            hint = "--kl-weight 1" if weight < 1 else "a noise scale that is learned"
            yield f"too sure: {seen}; try {hint}"
        elif inside > HONEST[1]:
            hint = f"--epochs {3 * run.flags.epochs}"
            if is_curved:
                hint = "laplace: {prior: evidence} in the spec, or engine: torch"
            yield f"too unsure: {seen}; try {hint}"
        else:
            yield f"honest: {seen}"
    if scores.get("aleatoric_sd", 0.0) > 1.5 * scores.get("rmse", float("inf")):
        yield (
            f"too much noise: its sd is {scores['aleatoric_sd']:.3g}, the error only "
            f"{scores['rmse']:.3g}; try --epochs {3 * run.flags.epochs}"
        )
