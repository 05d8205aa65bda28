"""Scores against what they are by definition."""

import math

import pyro.distributions as dist
import pytest
import torch

from pyroify.training.model.distributions import CensoredWeibull
from pyroify.training.results.scores import (
    Classification,
    Density,
    Regression,
    calibration_error,
    two_classes,
)
from pyroify.training.results.survival import concordance, kaplan_meier, survival_brier


def test_a_regression_is_scored_as_the_mixture_of_its_draws() -> None:
    targets = torch.tensor([0.0, 2.0])
    draws = [dist.Normal(torch.zeros(2), 1.0), dist.Normal(torch.ones(2), 2.0)]
    scores = Regression().score_rows(draws, targets, {})
    density = torch.stack([draw.log_prob(targets).exp() for draw in draws]).mean(0)
    assert torch.allclose(scores["nll"], -density.log())
    assert scores["squared_error"].tolist() == [0.25, 2.25]
    assert torch.allclose(scores["aleatoric"], torch.full((2,), 2.5))
    assert torch.allclose(scores["epistemic"], torch.full((2,), 0.25))


def test_scores_are_in_the_units_of_the_targets() -> None:
    draws = [dist.Normal(torch.zeros(50), 1.0) for _ in range(20)]
    targets, task = torch.linspace(-2, 2, 50), Regression()
    torch.manual_seed(0)
    plain = task.summarise(task.score_rows(draws, targets, {}))
    torch.manual_seed(0)
    scaling = {"mean": torch.tensor(5.0), "sd": torch.tensor(10.0)}
    scaled = task.summarise(task.score_rows(draws, targets, scaling))
    for name in ("rmse", "mae", "crps", "aleatoric_sd"):
        assert scaled[name] == pytest.approx(10 * plain[name], rel=1e-4)
    assert scaled["nll"] == pytest.approx(plain["nll"] + math.log(10), rel=1e-4)
    assert scaled["coverage_90"] == plain["coverage_90"]


def test_missing_targets_are_not_scored() -> None:
    targets = torch.tensor([[0.0, torch.nan], [1.0, 1.0]])
    draws = [dist.NanMaskedNormal(torch.zeros(2, 2), 1.0).to_event(1) for _ in range(5)]
    task = Regression()
    summary = task.summarise(task.score_rows(draws, targets, {"sd": torch.tensor(1.0)}))
    assert summary["rmse"] == pytest.approx(math.sqrt(2 / 3))
    assert all(math.isfinite(value) for value in summary.values())


def test_crps_of_one_draw_is_the_absolute_error() -> None:
    scores = Regression().score_rows([dist.Delta(torch.ones(3))], torch.zeros(3), {})
    assert scores["crps"].tolist() == [1, 1, 1]


def test_a_classification_parts_the_uncertainty() -> None:
    sure = [dist.Categorical(torch.tensor([[0.9, 0.1]]))] * 2
    torn = [dist.Categorical(torch.tensor([p])) for p in ([1.0, 0.0], [0.0, 1.0])]
    task = Classification(lambda p: p.probs)
    agreed = task.score_rows(sure, torch.tensor([0]), {})
    split = task.score_rows(torn, torch.tensor([0]), {})
    assert agreed["mutual_information"].item() == pytest.approx(0, abs=1e-6)
    assert split["mutual_information"].item() == pytest.approx(math.log(2), rel=1e-5)
    assert agreed["nll"].item() == pytest.approx(-math.log(0.9), rel=1e-5)
    assert split["brier"].item() == pytest.approx(0.5)


def test_padding_is_not_scored() -> None:
    probs = torch.tensor([[[0.2, 0.8], [0.9, 0.1]]])
    draws = [dist.Categorical(probs).to_event(1)]
    task = Classification(lambda p: p.base_dist.probs, padding=0)
    summary = task.summarise(task.score_rows(draws, torch.tensor([[1, 0]]), {}))
    assert summary["accuracy"] == 1
    assert summary["nll"] == pytest.approx(-math.log(0.8), rel=1e-5)
    assert summary["ece"] == pytest.approx(0.2, rel=1e-5)


def test_calibration_error_is_the_gap_of_confidence_and_hits() -> None:
    confidence, correct = torch.full((10,), 0.7), torch.tensor([1.0] * 7 + [0.0] * 3)
    assert calibration_error(confidence, correct) == pytest.approx(0, abs=1e-6)
    assert calibration_error(confidence, torch.ones(10)) == pytest.approx(0.3, rel=1e-5)


def test_two_classes_of_a_bernoulli() -> None:
    likelihood = dist.Bernoulli(torch.tensor([0.25]))
    assert two_classes(likelihood).tolist() == [[0.75, 0.25]]


def test_what_is_predicted_of_each_task() -> None:
    normal = [dist.Normal(torch.zeros(3), 1.0)] * 4
    scaling = {"mean": torch.tensor(5.0), "sd": torch.tensor(2.0)}
    predicted = Regression().predictions(normal, scaling)
    assert predicted["mean"].tolist() == [5, 5, 5]
    assert (predicted["q05"] <= predicted["q95"]).all()
    classes = [dist.Categorical(torch.tensor([[0.1, 0.9]]))]
    assert Classification(lambda p: p.probs).predictions(classes, {})["class"].tolist() == [1]
    assert Density().predictions(normal, {})["draws"].shape == (3, 4)
    assert Density().summarise(Density().score_rows(normal, torch.zeros(3), {})) == {
        "nll": pytest.approx(0.5 * math.log(2 * math.pi))
    }


def test_a_censored_time_counts_by_its_survival() -> None:
    law = CensoredWeibull(torch.tensor([2.0]), 1.0)  # an exponential with mean 2
    assert law.log_prob(torch.tensor([[3.0, 0.0]])).item() == pytest.approx(-1.5)
    assert law.log_prob(torch.tensor([[3.0, 1.0]])).item() == pytest.approx(-1.5 - math.log(2))
    assert law.sample((5,)).shape == (5, 1, 2)
    assert law.expand((3,)).batch_shape == (3,)


def test_the_share_without_the_event_counts_who_was_still_there() -> None:
    at, came = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 0.0, 1.0, 1.0])
    shares = kaplan_meier(at, came, torch.tensor([0.5, 1.0, 2.5, 3.0, 9.0]))
    torch.testing.assert_close(shares, torch.tensor([1.0, 0.75, 0.75, 0.375, 0.0]))


def test_only_pairs_whose_order_is_known_are_concordant() -> None:
    at, came = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 0.0, 1.0])
    # Known: 1 before 2, 1 before 3; not 2 and 3, since the second left early.
    assert concordance(torch.tensor([1.0, 2.0, 0.5]), at, came) == 0.5
    assert concordance(torch.tensor([1.0, 1.0, 1.5]), at, came) == 0.75


def test_a_brier_score_without_censoring_is_the_squared_error() -> None:
    at, times = torch.tensor([1.0, 3.0]), torch.tensor([2.0])
    score = survival_brier(torch.tensor([[0.2, 0.9]]), times, at, torch.ones(2))
    assert score.item() == pytest.approx((0.2**2 + 0.1**2) / 2)


def test_half_of_the_events_come_before_the_median() -> None:
    law = CensoredWeibull(torch.tensor([2.0]), 1.5)
    assert law.survival(law.median).item() == pytest.approx(0.5)
