"""The words at the end of a training: what each is about, and the flag it names."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pyroify.training.data.rows import Rows
from pyroify.training.results.verdicts import of_collapse, of_scores, of_training
from pyroify.training.run import Run

GOOD = {"nll": 1.0, "rmse": 1.0, "coverage_90": 0.9, "aleatoric_sd": 1.0}


def run_with(out: Path, kls: list[float], rates: list[float] | None = None) -> Run:
    rates = rates or [1.0] * len(kls)
    rows = zip(kls, rates, strict=True)
    lines = (json.dumps({"kl": kl, "lr": rate}) + "\n" for kl, rate in rows)
    (out / "metrics.jsonl").write_text("".join(lines))
    flags = argparse.Namespace(out=out, epochs=len(kls), lr=0.01, kl_weight=1.0, flat=0, least=10)
    return Run(flags, {"train": Rows((torch.zeros(2, 1),), torch.zeros(2))}, {})


@pytest.mark.parametrize(
    ("kls", "words"),
    [
        ([2.0 - 0.1 * i for i in range(20)], ["not converged: 11% of", "try --epochs 60"]),
        ([2.0] * 5 + [1.0] * 15, ["converged: 0% of the fall"]),
        ([200.0] * 5 + [160.0] * 15, ["converged", "the KL is 160 nats a row"]),
        ([1.0, 0.5], []),
    ],
)
def test_the_fall_of_the_kl_is_judged(kls: list[float], words: list[str], tmp_path: Path) -> None:
    said = "\n".join(of_training(run_with(tmp_path, kls)))
    assert all(word in said for word in words)
    assert bool(said) == bool(words)


def test_a_kl_that_stands_because_the_rate_is_zero_has_not_converged(tmp_path: Path) -> None:
    kls = [2.0 - 0.1 * min(i, 10) for i in range(20)]
    rates = [1.0] * 10 + [0.0] * 10
    assert "not converged: 20%" in "\n".join(of_training(run_with(tmp_path, kls, rates)))


@pytest.mark.parametrize(
    ("flat", "words"),
    [
        (20, "ended by itself: the loss was flat after epoch 20"),
        (33, "not converged: the loss still fell after the most epochs"),
    ],
)
def test_how_a_training_ended_is_said(flat: int, words: str, tmp_path: Path) -> None:
    run = run_with(tmp_path, [1.0] * 50)
    run.flags.flat = flat
    assert words in "\n".join(of_training(run))


@pytest.mark.parametrize(
    ("change", "original", "words"),
    [
        ({}, 2.0, ["as good as the original network or better: NLL 1.000 against 2.000", "honest"]),
        ({}, 0.5, ["worse than the original network", "take engine: ensemble in"]),
        ({"coverage_90": 0.5}, 2.0, ["too sure: 90 % intervals hold 50% of the targets"]),
        ({"coverage_90": 1.0}, 2.0, ["too unsure: 90 % intervals hold 100%"]),
        ({"aleatoric_sd": 2.0}, 2.0, ["too much noise: its sd is 2, the error only 1"]),
    ],
)
def test_the_scores_are_judged(
    change: dict[str, float], original: float, words: list[str], tmp_path: Path
) -> None:
    results: Any = {"posterior": {**GOOD, **change}, "original network": {"nll": original}}
    said = "\n".join(of_scores(results, run_with(tmp_path, [1.0])))
    assert all(word in said for word in words)


def test_classes_have_no_intervals(tmp_path: Path) -> None:
    assert list(of_scores({"posterior": {"nll": 1.0}}, run_with(tmp_path, [1.0]))) == []


def test_intervals_of_a_curvature_are_not_narrowed_by_more_epochs(tmp_path: Path) -> None:
    results: Any = {"posterior": {**GOOD, "coverage_90": 1.0}}
    (said,) = of_scores(results, run_with(tmp_path, [1.0]), is_curved=True)
    assert "too unsure" in said
    assert "laplace: {prior: evidence}" in said


@pytest.mark.parametrize(
    ("posterior", "original", "words"),
    [
        ({"rmse": 2.0}, {"rmse": 0.5}, "collapsed: rmse 2, that of one guess for all rows is 2;"),
        ({"rmse": 1.98}, {"rmse": 1.99}, "learned nothing: rmse 1.98"),
        ({"rmse": 1.0}, None, ""),
        (
            {"accuracy": 0.5, "nll": 0.69},
            None,
            "collapsed: nll 0.69, that of one guess for all rows",
        ),
        ({"accuracy": 0.9, "nll": 0.3}, None, ""),
        ({"nll": 9.0}, None, ""),
    ],
)
def test_a_collapse_is_named(
    posterior: dict[str, float], original: dict[str, float] | None, words: str, tmp_path: Path
) -> None:
    run = run_with(tmp_path, [0.001])
    targets = torch.tensor([0.0, 1.0] * 20)  # their sd is a half, in units four
    run.parts["test"] = Rows((torch.zeros(40, 1),), targets)
    run.scalings["targets"] = [{"mean": torch.tensor(0.0), "sd": torch.tensor(4.0)}]
    results: Any = {"posterior": posterior} | ({"original network": original} if original else {})
    assert "\n".join(of_collapse(results, run)).startswith(words)
    assert bool(words) == bool(list(of_collapse(results, run)))
    run.parts["test"] = run.parts["test"][:10]
    assert not list(of_collapse(results, run))
