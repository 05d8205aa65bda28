"""Likelihoods of a project's own: a function of network and batch, or sites of the class."""

import json
from pathlib import Path
from typing import Any

import pyro
import pytest
import torch
from emit_cases import Ran, emit, load_module, run_main
from test_emit_settings import problems
from test_emit_training import write_script

FACTORS = {
    "Cell": ("series", "forecast"),
    "Process": ("curves", "process_evidence"),
    "Solution": ("points", "decay_residual"),
    "Risk": ("patients", "partial_likelihood"),
    "TwoRoots": ("roots", "of_either_order"),
    "Flow": ("moon", "flow_density"),
    "GraphNet": ("graphs", "graph_classes"),
}


def section(network: str, data: str, likelihood: Any, **changes: Any) -> dict[str, Any]:
    return {
        "model": {"class": f"models.own:{network}"},
        "data": {"source": f"models.own:{data}", "batch_size": 32, "test": 0.25},
        "likelihood": likelihood,
        "epochs": 30,
        "optimizer": {"lr": 0.03},
        **changes,
    }


def factor_section(network: str, **changes: Any) -> dict[str, Any]:
    data, function = FACTORS[network]
    return {**section(network, data, {"factor": f"models.own:{function}"}), **changes}


def trained(folder: Path, *flags: str, **changes: Any) -> tuple[Ran, dict[str, float], list[Any]]:
    """How the run went, the scores of the posterior, and the log of its epochs."""
    out = folder / "runs/train_svi"
    ran = run_main(load_module(write_script(folder, **changes)), "--samples=20", *flags)
    assert ran.code == 0, ran.err
    log = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return ran, json.loads((out / "results.json").read_text())["posterior"], log


@pytest.mark.parametrize("network", FACTORS)
def test_a_function_of_network_and_batch_is_a_likelihood(network: str, tmp_path: Path) -> None:
    ran, scores, log = trained(tmp_path, "--no-baseline", **factor_section(network))
    assert list(scores) == ["nll"]
    assert log[-1]["nll"] < log[0]["nll"] - 0.05
    assert scores["nll"] < log[0]["nll"]
    assert "report:" in ran.out


def test_a_prediction_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load_module(write_script(tmp_path, **factor_section("Cell")))
    with pytest.raises(SystemExit) as end:
        module.main(["--predict", "new.npz"])
    assert end.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--predict: a likelihood of your own tells how likely rows are" in said
    assert "--export" in said


@pytest.mark.parametrize("engine", ["torch", "svi", "lightning", "nuts"])
def test_every_engine_trains_by_a_function(engine: str, tmp_path: Path) -> None:
    if engine == "lightning":
        pytest.importorskip("lightning")
    changes = factor_section("TwoRoots", engine=engine, nuts={"samples": 4, "warmup": 2})
    script = load_module(write_script(tmp_path, **changes))
    ran = run_main(script, "--smoke")
    assert ran.code == 0, ran.err
    assert "original network" in ran.out


def test_a_batch_by_function_stands_for_all_rows(tmp_path: Path) -> None:
    """The plate scales the log-likelihoods; one draw of the weights serves all calls."""
    script = load_module(write_script(tmp_path, **factor_section("Cell")))
    rt = script.rt
    rows = rt.as_one_batch(script.load_data(script.parse_flags([])))
    model, _ = script.build_model(len(rows))
    draw = {name: site["value"] for name, site in rt.latent_sites(model, rows).items()}
    assert len(draw) == 6

    def log_likelihood(part: Any) -> float:
        with pyro.poutine.trace() as traced, pyro.poutine.condition(data=draw):
            model(*part.args)
        traced.trace.compute_log_prob()
        return float(traced.trace.nodes["obs"]["log_prob_sum"].detach())

    batches = [log_likelihood(rows[start : start + 20]) for start in range(0, 80, 20)]
    assert sum(batches) / 4 == pytest.approx(log_likelihood(rows), rel=1e-4)
    told = rt.observed(model, draw, rows.args).log_prob(rows.targets)
    assert float(told.sum()) == pytest.approx(log_likelihood(rows), rel=1e-4)


def test_own_likelihood_is_exported_and_checked(tmp_path: Path) -> None:
    script = load_module(write_script(tmp_path, **factor_section("Solution")))
    ran = run_main(script, "--check")
    assert ran.code == 0, ran.err
    assert "nine tenths of the log-likelihoods under the prior lie in" in ran.out
    assert run_main(script, "--no-baseline", "--epochs=1").code == 0
    assert run_main(script, "--export", "--epochs=1", "--samples=3").code == 0
    exported = torch.load(tmp_path / "runs/train_svi/draws.pt", weights_only=True)
    assert list(exported["draws"][0]) == [
        "net.0.weight",
        "net.0.bias",
        "net.2.weight",
        "net.2.bias",
    ]
    assert not hasattr(script.parse_flags([]), "predict") or script.parse_flags([]).predict is None
    with pytest.raises(SystemExit):
        run_main(script, "--predict=x.npy")


def test_a_likelihood_of_its_own_may_read_a_table(tmp_path: Path) -> None:
    lines = ["a,b,first,second", *(f"{i},{i % 3},{i % 2},{i % 5}" for i in range(40))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    data = {"source": "rows.csv", "targets": ["first", "second"], "test": 0.25}
    trained(tmp_path, "--no-baseline", "--epochs=2", **factor_section("TwoRoots", data=data))


# ---- sites of the class -----------------------------------------------------------------


def test_an_autoencoder_with_its_own_likelihood_trains(tmp_path: Path) -> None:
    changes = section("Autoencoder", "pixels", "own", epochs=60)
    _, scores, log = trained(tmp_path, "--no-baseline", **changes)
    assert log[-1]["nll"] < log[0]["nll"] - 0.3
    assert scores["nll"] < log[0]["nll"]


@pytest.mark.parametrize("engine", ["torch", "svi"])
@pytest.mark.parametrize("size", [None, 150])
def test_own_plates_stand_for_all_training_rows(
    size: int | None, engine: str, tmp_path: Path
) -> None:
    """Whether the plate counts a batch, which is scaled here, or all rows, which scales itself."""
    model = {"class": "models.own:Counted", "kwargs": {"size": size}}
    changes = section("Counted", "rows", "own", model=model, engine=engine)
    script = load_module(write_script(tmp_path, **changes))
    rt = script.rt
    rows = rt.as_one_batch(script.load_data(script.parse_flags([])))[:150]
    model, _ = script.build_model(150)
    with pyro.poutine.trace() as traced:
        model(*rows[:30].args)
    assert traced.trace.nodes["y"]["scale"] == pytest.approx(5.0)
    ran = run_main(script, "--no-baseline", "--samples=20")
    assert ran.code == 0, ran.err
    scores = json.loads((tmp_path / "runs/train_svi/results.json").read_text())
    assert scores["posterior"]["nll"] < 0.5  # 0.21 is that of the truth


def test_a_plate_of_another_size_is_told(tmp_path: Path) -> None:
    model = {"class": "models.own:Counted", "kwargs": {"size": 200}}
    script = write_script(tmp_path, **section("Counted", "rows", "own", model=model))
    ran = run_main(load_module(script), "--check")
    assert ran.code == 0
    assert "the plate rows has 200 rows, the training 150: a batch stands for those of" in ran.err


def test_the_baseline_of_an_own_likelihood(tmp_path: Path) -> None:
    ran, *_ = trained(tmp_path, **section("Counted", "rows", "own"))
    assert "original network" in ran.out


@pytest.mark.parametrize("likelihood", ["own", {"factor": "models.own:of_either_order"}])
def test_tests_beside_scripts_of_own_likelihoods_are_whole(likelihood: Any) -> None:
    text = emit(**section("Counted", "rows", likelihood)).test
    assert "made_up_rows" not in text
    assert "test_going_on_after_a_stop" in text


# ---- wrong uses -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [
        ("mean_loss", 2, "mean_loss gives a tensor of shape []; give the log-likelihood of each"),
        ("python_number", 2, "python_number gives a float; give a tensor"),
        ("one_too_few", 2, "there are 1 log-likelihoods for 2 rows; give one of each row"),
        ("unused_network", 4, "no parameter of TwoRoots has a prior, so nothing would be learned"),
    ],
)
def test_functions_that_are_no_likelihood_are_refused(
    function: str, code: int, message: str, tmp_path: Path
) -> None:
    likelihood = {"factor": f"models.own:{function}"}
    ran = run_main(load_module(write_script(tmp_path, **section("TwoRoots", "roots", likelihood))))
    assert ran.code == code, ran.err
    assert message in ran.err


@pytest.mark.parametrize(
    ("model", "likelihood", "message"),
    [
        ({"class": "models.own:Silent"}, "own", "Silent observes nothing when it is called"),
        (
            {"class": "models.own:Counted", "kwargs": {"outside": True}},
            "own",
            "y is in no plate, so a batch would count as all rows",
        ),
        (
            {"class": "models.own:Counted"},
            {"family": "normal"},
            "Counted samples y itself, in a plate: it has a likelihood of its own",
        ),
        ({"class": "models.own:Risk"}, "own", "the network does not take rows of shape"),
    ],
)
def test_classes_that_have_none_or_another_likelihood_are_refused(
    model: dict[str, Any], likelihood: Any, message: str, tmp_path: Path
) -> None:
    changes = section("Counted", "rows", likelihood, model=model)
    ran = run_main(load_module(write_script(tmp_path, **changes)), "--check")
    assert ran.code in (2, 4), ran.err
    assert message in ran.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"likelihood": "normal"}, "svi.likelihood: 'normal' is not known; write {family: normal}"),
        (
            {"likelihood": {"factor": "f"}},
            "svi.likelihood.factor: 'f' does not name a function; "
            'write "package.module:function"',
        ),
        (
            {"likelihood": {"factor": "m:f", "scale": 1}},
            "svi.likelihood.scale: no such key; choose from factor",
        ),
        (
            {"likelihood": "own"},
            "svi.data.source: no rows can be made up for a likelihood of your own; "
            'write "package.module:function"',
        ),
        (
            {"likelihood": "own", "data": {"source": "m:rows", "standardize": "columns"}},
            "svi.data.standardize: a likelihood of your own sees the data as they are; "
            "leave it out",
        ),
        (
            {"likelihood": "own", "data": {"source": "m:rows", "targets": "y"}},
            "svi.data.targets: a likelihood of your own is given whole batches; leave it out",
        ),
        (
            {"likelihood": "own", "data": {"source": "x.npz", "weights": "w"}},
            "svi.data.weights: a likelihood of your own weighs its rows itself; leave it out",
        ),
        (
            {"likelihood": "own", "elbo": {"local_reparametrization": True}},
            "svi.elbo.local_reparametrization: local reparametrisation draws noise for each row, "
            "which a likelihood may mix; leave it out",
        ),
        (
            {"likelihood": "own", "arviz": True},
            "svi.arviz: a likelihood of your own tells no predictions for ArviZ; leave it out",
        ),
    ],
)
def test_what_an_own_likelihood_cannot_have(changes: dict[str, Any], message: str) -> None:
    assert any(problem.startswith(message) for problem in problems(**changes))
