"""Which output of a network a likelihood takes, and what it means."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from emit_cases import emit, load_module, run_main
from test_emit_settings import problems
from test_emit_training import write_script

from pyroify.emit.losses import find_losses
from pyroify.training.model.outputs import Output, fault_of


def section(
    returns: str, likelihood: dict[str, Any], data: str, outputs: int = 1, **changes: Any
) -> dict[str, Any]:
    return {
        "model": {
            "class": "models.outputs:Last",
            "kwargs": {"outputs": outputs, "returns": returns},
        },
        "data": {"source": f"models.outputs:{data}", "batch_size": 50, "test": 0.25},
        "likelihood": likelihood,
        "epochs": 60,
        "optimizer": {"lr": 0.05},
        **changes,
    }


def scores(folder: Path, **changes: Any) -> dict[str, float]:
    """Those of the posterior after a training."""
    script = load_module(write_script(folder, **changes))
    ran = run_main(script, "--no-baseline", "--samples=30")
    assert ran.code == 0, ran.err
    results: dict[str, dict[str, float]] = json.loads(
        (folder / "runs/train_svi/results.json").read_text()
    )
    return results["posterior"]


def refusal(folder: Path, **changes: Any) -> str:
    ran = run_main(load_module(write_script(folder, **changes)), "--check")
    assert ran.code == 4, (ran.code, ran.err)
    return ran.err


HETEROSKEDASTIC = {"family": "heteroskedastic"}
POISSON = {"family": "poisson"}
CLASSES = {"family": "categorical"}


@pytest.mark.parametrize(
    ("returns", "outputs", "data", "likelihood"),
    [
        ("sigmoid", 1, "two_classes", {"family": "bernoulli", "gives": "probs"}),
        ("softmax", 3, "three_classes", {**CLASSES, "gives": "probs"}),
        ("log_softmax", 3, "three_classes", {**CLASSES, "gives": "log_probs"}),
        ("raw", 3, "three_classes", {**CLASSES, "gives": "logits"}),
    ],
)
def test_probabilities_are_not_squashed_twice(
    returns: str, outputs: int, data: str, likelihood: dict[str, Any], tmp_path: Path
) -> None:
    found = scores(tmp_path, **section(returns, likelihood, data, outputs))
    assert found["accuracy"] > 0.85
    assert found["nll"] < 0.5


NLL_OF_TRUTH = 0.6
"""Of the rows with uneven noise; without noise of each row it is 0.9 at best."""


@pytest.mark.parametrize(
    ("returns", "likelihood"),
    [
        ("columns", {"gives": "variance"}),
        ("raw", {"gives": "raw"}),
        ("raw", {"gives": "logvar"}),
        ("columns", {"gives": "sd"}),
        ("pair", {"output": {"mean": 0, "variance": 1}}),
        ("named", {"output": {"mean": "mean", "variance": "var"}}),
        ("nested", {"output": ["outputs", 1], "gives": "raw"}),
    ],
)
def test_mean_and_noise_are_taken_for_what_they_are(
    returns: str, likelihood: dict[str, Any], tmp_path: Path
) -> None:
    data = "uneven_noise"
    found = scores(tmp_path, **section(returns, {**HETEROSKEDASTIC, **likelihood}, data, 2))
    assert found["nll"] < NLL_OF_TRUTH + 0.35
    assert 0.75 < found["coverage_90"] <= 1


@pytest.mark.parametrize(("returns", "gives"), [("positive", "rate"), ("raw", "log_rate")])
def test_rates_are_taken_for_what_they_are(returns: str, gives: str, tmp_path: Path) -> None:
    found = scores(tmp_path, **section(returns, {**POISSON, "gives": gives}, "counts"))
    assert found["nll"] < 1.6


def test_one_of_several_outputs_is_taken(tmp_path: Path) -> None:
    likelihood = {"family": "normal", "output": ["outputs", 0]}
    found = scores(tmp_path, **section("nested", likelihood, "uneven_noise", 2))
    assert found["rmse"] < 0.8


@pytest.mark.parametrize("engine", ["torch", "svi"])
def test_a_language_model_with_a_state_trains(engine: str, tmp_path: Path) -> None:
    changes = section("", {"family": "tokens", "output": [0]}, "sentences", engine=engine)
    found = scores(tmp_path, **{**changes, "model": {"class": "models.outputs:Language"}})
    assert found["nll"] < 5  # of six words; by chance 6 log 4


# ---- what outputs cannot be ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("returns", "outputs", "data", "likelihood", "message"),
    [
        (
            "sigmoid",
            1,
            "two_classes",
            {"family": "bernoulli"},
            "all logits lie between 0 and 1 in 20 draws of the prior; set svi.likelihood.gives in "
            "the spec to probs",
        ),
        ("raw", 1, "two_classes", {"family": "bernoulli", "gives": "probs"}, "gives in the spec"),
        ("softmax", 3, "three_classes", CLASSES, "lie between 0 and 1, and sum to 1 in 20 draws"),
        ("raw", 3, "three_classes", {**CLASSES, "gives": "probs"}, "do not sum to 1"),
        ("raw", 3, "three_classes", {**CLASSES, "gives": "log_probs"}, "do not sum to 1"),
        ("columns", 2, "uneven_noise", HETEROSKEDASTIC, "the raw noise is never negative"),
        (
            "named",
            2,
            "uneven_noise",
            {**HETEROSKEDASTIC, "output": {"mean": "mean", "raw": "var"}},
            "the raw noise is never negative",
        ),
        ("raw", 2, "uneven_noise", {**HETEROSKEDASTIC, "gives": "variance"}, "some variance is"),
        ("raw", 1, "counts", {**POISSON, "gives": "rate"}, "some rate is negative"),
        ("positive", 1, "counts", POISSON, "the logarithm of the rate is never negative"),
        (
            "raw",
            1,
            "two_classes",
            {"family": "normal"},
            "the targets are only 0 and 1, which a likelihood of measurements does not suit; set "
            "svi.likelihood.family to bernoulli, or gives: mean",
        ),
        (
            "raw",
            1,
            "three_classes",
            {"family": "laplace"},
            "the targets are only whole numbers, 0 to 2",
        ),
        (
            "raw",
            2,
            "uneven_noise",
            {"family": "normal", "output": [0]},
            "Last gives one tensor, of which svi.likelihood.output [0] would be a row",
        ),
    ],
)
def test_outputs_that_cannot_be_what_they_are_taken_for(
    returns: str,
    outputs: int,
    data: str,
    likelihood: dict[str, Any],
    message: str,
    tmp_path: Path,
) -> None:
    assert message in refusal(tmp_path, **section(returns, likelihood, data, outputs))


def test_measurements_may_be_whole_numbers_where_the_spec_says_so(tmp_path: Path) -> None:
    likelihood = {"family": "normal", "gives": "mean"}
    script = write_script(tmp_path, **section("raw", likelihood, "three_classes"))
    assert run_main(load_module(script), "--check").code == 0


@pytest.mark.parametrize(
    ("returns", "outputs", "message"),
    [
        ("pair", 2, "Last gives a tuple of 2; say which is meant by svi.likelihood.output, such"),
        ("named", 2, "Last gives a dict with mean, var; say which is meant by svi.likelihood.out"),
        ("object", 2, "Last gives a slice, which is no tensor"),
    ],
)
def test_outputs_of_several_parts_are_refused_by_name(
    returns: str, outputs: int, message: str, tmp_path: Path
) -> None:
    changes = section(returns, {"family": "normal"}, "uneven_noise", outputs)
    ran = run_main(load_module(write_script(tmp_path, **changes)), "--check")
    assert ran.code == 2
    assert message in ran.err


def test_what_is_not_finite_is_left_to_the_training() -> None:
    assert fault_of("variance", torch.tensor([-1.0, math.nan])) is None
    assert Output("sd", ("a", 1)).pick({"a": [0, torch.ones(2)]}).tolist() == [1, 1]


# ---- what a spec may say -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("likelihood", "message"),
    [
        (
            {"family": "bernoulli", "gives": "prob"},
            "svi.likelihood.gives: 'prob' is not known; did you mean probs?",
        ),
        (
            {"family": "beta", "gives": "mean"},
            "svi.likelihood.gives: there is but one thing it may be; leave it out",
        ),
        (
            {"family": "bernoulli", "gives": "probs", "output": {"logits": 0}},
            "svi.likelihood.gives: output says what it is; leave it out",
        ),
        (
            {"family": "normal", "output": {"mean": 0, "variance": 1}},
            "svi.likelihood.output: the outputs mean, variance do not make this likelihood; "
            "use family heteroskedastic for a noise of each row",
        ),
        (
            {"family": "heteroskedastic", "output": {"mean": 0, "noise": 1}},
            "svi.likelihood.output: the outputs mean, noise do not make this likelihood; "
            "name mean and one of raw, variance, sd, logvar",
        ),
        (
            {"family": "bernoulli", "output": {"probs": 0, "logits": 1}},
            "svi.likelihood.output: the outputs probs, logits do not make this likelihood; "
            "name one of logits, probs",
        ),
        (
            {"family": "normal", "output": 1.5},
            "svi.likelihood.output: 1.5 is no place in an output; write 0, a key, or [0, key]",
        ),
    ],
)
def test_what_a_spec_cannot_say_of_outputs(likelihood: dict[str, Any], message: str) -> None:
    assert message in problems(likelihood=likelihood)


def test_an_output_key_stays_a_value() -> None:
    key = '"]; import os; x["'
    script = emit(likelihood={"family": "normal", "output": [key]}).script
    assert f"[{key!r}]" in script
    compile(script, "script", "exec")


# ---- what the project's loss says ------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("nn.BCELoss()", {"family": "bernoulli", "gives": "probs"}),
        ("F.binary_cross_entropy(p, y)", {"family": "bernoulli", "gives": "probs"}),
        ("nn.BCEWithLogitsLoss()", {"family": "bernoulli"}),
        ("F.nll_loss(p, y)", {"family": "categorical", "gives": "log_probs"}),
        ("nn.CrossEntropyLoss()", {"family": "categorical"}),
        ("F.gaussian_nll_loss(m, y, v)", {"family": "heteroskedastic", "gives": "variance"}),
        ("nn.PoissonNLLLoss()", {"family": "poisson"}),
        ("nn.PoissonNLLLoss(log_input = False)", {"family": "poisson", "gives": "rate"}),
        ("F.poisson_nll_loss(net(x), y, log_input=False)", {"family": "poisson", "gives": "rate"}),
        ("nn.MSELoss()", {"family": "normal"}),
    ],
)
def test_a_loss_tells_what_an_output_is(text: str, section: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(f"loss = {text}\n")
    (found,) = find_losses(tmp_path, ["train.py"], {})
    assert found.section == section


def test_losses_that_take_an_output_differently_do_not_agree(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("a = nn.BCELoss()\nb = nn.BCEWithLogitsLoss()\n")
    assert len(find_losses(tmp_path, ["train.py"], {})) == 2
