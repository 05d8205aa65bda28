"""A linearised Laplace approximation: exact where it can be, refused where it cannot be said."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from emit_cases import emit, lay_out_project, load_module, run_main

from pyroify.emit import EmitError

DATA = {"source": "synthetic", "shape": [3], "rows": 200}
FLAGS = ("--no-baseline", "--samples=50")
ODD = """
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule, PyroSample
from torch import nn

from models.networks import MLP, add_priors


class Heavy(MLP):
    def __init__(self):
        super().__init__(3, 4, 1)
        self.fc2.weight = PyroSample(dist.Laplace(0.0, 1.0).expand([1, 4]).to_event(2))


class Uneven(MLP):
    def __init__(self):
        super().__init__(3, 4, 1)
        scale = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
        self.fc2.weight = PyroSample(dist.Normal(torch.zeros(1, 4), scale).to_event(2))


class HalfRandom(MLP):
    def __init__(self):
        super().__init__(3, 4, 1)
        self.fc1.bias = nn.Parameter(torch.zeros(4))


class Waves(PyroModule):
    def __init__(self):
        super().__init__()
        self.conv = PyroModule[nn.Conv1d](1, 2, 2)
        self.head = PyroModule[nn.Linear](4, 1)
        add_priors(self)

    def forward(self, x):
        return self.head(torch.tanh(self.conv(x[:, None])).flatten(1))


class OneWay(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2


class NoTangent(MLP):
    def __init__(self):
        super().__init__(3, 4, 1)

    def forward(self, x):
        return OneWay.apply(super().forward(x))
"""


KRON = {"structure": "kron"}


def network(name: str, **kwargs: Any) -> dict[str, Any]:
    module = "models.networks" if name in ("MLP", "Line", "Hierarchical") else "odd"
    return {"class": f"{module}:{name}", "kwargs": kwargs}


def script_of(folder: Path, **changes: Any) -> ModuleType:
    lay_out_project(folder)
    (folder / "odd.py").write_text(ODD)
    path = folder / "train_svi.py"
    path.write_text(emit(**{"engine": "laplace", "data": DATA, "epochs": 60, **changes}).script)
    return load_module(path)


def give(module: ModuleType, x: Any, y: Any) -> None:
    module.load_data = lambda flags: module.rt.as_rows([x], y)  # type: ignore[attr-defined]


def trained(module: ModuleType) -> tuple[Any, dict[str, Any]]:
    objective, about = module.load_trained(module.parse_flags([]))
    return objective, about


# ---- the posterior -------------------------------------------------------------------


@pytest.fixture
def _library() -> None:
    pytest.importorskip("laplace")


with_library = pytest.mark.usefixtures("_library")


@with_library
def test_of_a_linear_regression_it_is_the_posterior(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 3)).astype("float32")
    y = x @ np.array([1.0, -2.0, 0.5], dtype="float32") + 0.5 * generator.normal(size=60)
    module = script_of(
        tmp_path,
        model=network("Line", in_features=3),
        data={"source": "models.data:arrays", "test": 0, "standardize": "none"},
        likelihood={"family": "normal", "scale": 0.5},
        laplace={"structure": "full", "draws": 4000},
        epochs=600,
        optimizer={"lr": 0.1},
    )
    give(module, x, y.astype("float32"))
    assert run_main(module, *FLAGS).code == 0
    objective, _ = trained(module)
    precision = x.T @ x / 0.25 + np.eye(3)
    expected = np.linalg.solve(precision, x.T @ y / 0.25)
    draws = objective.guide.samples["net.layer.weight"][:, 0]
    assert np.allclose(objective.guide.mode()["net.layer.weight"][0], expected, atol=1e-3)
    assert np.allclose(np.cov(draws.T), np.linalg.inv(precision), atol=4e-4)
    log_evidence = objective.guide.facts["evidence"] * 60
    covariance = 0.25 * np.eye(60) + x @ x.T
    exact = -0.5 * (y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(covariance)[1])
    assert log_evidence == pytest.approx(exact - 30 * np.log(2 * np.pi), abs=0.05)


@with_library
def test_what_rows_do_not_tell_keeps_its_prior_however_much_they_tell_else(tmp_path: Path) -> None:
    column = np.random.default_rng(0).normal(size=(200, 1)).astype("float32")
    module = script_of(
        tmp_path,
        model=network("Line", in_features=2),
        data={"source": "models.data:arrays", "test": 0, "standardize": "none"},
        likelihood={"family": "normal", "scale": 0.0005},
        laplace={"draws": 4000},
        epochs=2,
    )
    give(module, np.hstack([column, column]), column[:, 0])
    assert run_main(module, *FLAGS).code == 0
    objective, _ = trained(module)
    first, second = objective.guide.samples["net.layer.weight"][:, 0].T
    assert float((first - second).std()) == pytest.approx(2**0.5, abs=0.06)


@with_library
@pytest.mark.parametrize("structure", ["kron", "full"])
def test_predictions_are_those_of_laplace_torch(structure: str, tmp_path: Path) -> None:
    options = {"structure": structure, "draws": 500}
    likelihood = {"family": "normal", "scale": 0.3}
    data = {**DATA, "test": 0}
    module = script_of(tmp_path, laplace=options, likelihood=likelihood, data=data)
    rows = module.made_up_rows(60)
    module.load_data = lambda flags: rows  # type: ignore[attr-defined]
    assert run_main(module, *FLAGS).code == 0
    objective, about = trained(module)
    inputs = module.scale_parts({"train": rows}, about["scalings"])["train"]
    network = module.Network(objective.model, objective.guide.mode(), ("*",), inputs)
    library = module.CURVATURE.fitted(network, 1.0)
    with torch.no_grad():
        mean, variance = library(torch.arange(60), pred_type="glm")
        means = [each.mean for each in module.rt.posterior(objective, 500)(inputs.args)]
    drawn = torch.stack(means)
    assert torch.allclose(drawn.mean(0), mean[:, 0].float(), atol=0.1)
    ratio = drawn.std(0) / variance[:, 0, 0].sqrt()
    assert 0.93 < float(ratio.median()) < 1.07


NOISES = {"latent": "LogNormal(0, 1)", "learned": "learned", "known": 0.4}


@with_library
@pytest.mark.parametrize("noise", NOISES)
def test_the_noise_is_found_unless_it_is_known(noise: str, tmp_path: Path) -> None:
    likelihood = {"family": "normal", "scale": NOISES[noise]}
    data = {"source": "models.data:arrays", "standardize": "none"}
    module = script_of(tmp_path, likelihood=likelihood, data=data, epochs=300)
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    y = x[:, 0] + 0.4 * torch.randn(300, generator=torch.Generator().manual_seed(1))
    give(module, x, y)
    assert run_main(module, *FLAGS).code == 0
    objective, _ = trained(module)
    (predicted, *_) = module.rt.posterior(objective, 3)((x,))
    assert float(predicted.stddev[0].detach()) == pytest.approx(0.4, abs=0.05)
    assert ("scale" in objective.guide.samples) == (noise == "latent")


@with_library
def test_only_the_sites_that_are_named_have_a_posterior(tmp_path: Path) -> None:
    module = script_of(tmp_path, laplace={"sites": "net.fc2.*"})
    assert run_main(module, *FLAGS).code == 0
    objective, _ = trained(module)
    assert objective.guide.samples.keys() == {"net.fc2.weight", "net.fc2.bias", "scale"}
    first, second = objective.guide.spread(2)
    assert torch.equal(first["net.fc1.weight"], second["net.fc1.weight"])
    assert not torch.equal(first["net.fc2.weight"], second["net.fc2.weight"])


@with_library
def test_the_evidence_widens_a_prior_that_is_too_narrow(tmp_path: Path) -> None:
    module = script_of(
        tmp_path,
        model=network("Line", in_features=3),
        data={**DATA, "standardize": "none"},
        laplace={"prior": "evidence", **KRON},
        optimizer={"lr": 0.5},
        epochs=300,
    )
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    give(module, x, 10 * x.sum(1) + torch.randn(200, generator=torch.Generator().manual_seed(1)))
    ran = run_main(module, *FLAGS)
    assert ran.code == 0
    assert trained(module)[0].guide.facts["factor"] == pytest.approx(0.01, rel=0.2)
    assert "times the sds of the priors" in ran.out


FAMILIES: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "categorical": (3, lambda x: (x[:, 0] > 0).long() + (x[:, 1] > 0).long()),
    "bernoulli": (1, lambda x: (x[:, 0] > 0).float()),
}


@with_library
@pytest.mark.parametrize("family", FAMILIES)
def test_classes_are_learned_and_predicted(family: str, tmp_path: Path) -> None:
    outputs, label = FAMILIES[family]
    module = script_of(
        tmp_path,
        model=network("MLP", in_size=3, hidden=6, out_size=outputs),
        likelihood={"family": family},
        epochs=200,
    )
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    give(module, x, label(x))
    ran = run_main(module, *FLAGS)
    assert ran.code == 0, ran.err
    assert "learned: the 240 rows settled" in ran.out
    out = tmp_path / "runs/train_svi"
    scores = json.loads((out / "results.json").read_text())["posterior"]
    assert scores["accuracy"] > 0.85
    np.save(tmp_path / "new.npy", x[:5].numpy())
    assert run_main(module, f"--predict={tmp_path / 'new.npy'}").code == 0


@with_library
def test_data_that_tell_nothing_leave_the_prior_and_the_verdict_says_so(tmp_path: Path) -> None:
    module = script_of(tmp_path, likelihood={"family": "normal", "scale": 300.0})
    ran = run_main(module, *FLAGS)
    assert "nearly the prior: the 160 rows settled" in ran.out


# ---- what is kept of it --------------------------------------------------------------


@with_library
def test_a_stopped_training_goes_on_and_has_no_posterior_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script_of(tmp_path, data={**DATA, "batch_size": 16}, epochs=4)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_main(module, *FLAGS, f"--out={whole}").code == 0
    steps = iter(range(30))
    accepts = module.rt.Loop.accepts

    def stop_after_some(*step: Any) -> Any:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return accepts(*step)

    with monkeypatch.context() as patched:
        patched.setattr(module.rt.Loop, "accepts", stop_after_some)
        assert run_main(module, *FLAGS, f"--out={cut}", "--save-seconds=0").code == 130
    refused = run_main(module, *FLAGS, f"--out={cut}", "--eval")
    assert (refused.code, "this training is not done" in refused.err) == (2, True)
    assert run_main(module, *FLAGS, f"--out={cut}").code == 0
    results = [(out / "results.json").read_text() for out in (whole, cut)]
    assert results[0] == results[1]


@with_library
def test_exported_draws_serve_what_the_script_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script_of(tmp_path)
    assert run_main(module, *FLAGS).code == 0
    assert run_main(module, "--export", "--samples=7").code == 0
    out = tmp_path / "runs/train_svi"
    objective, about = trained(module)
    x = torch.randn(5, 3)
    inputs = module.scale_inputs((x,), about["scalings"])
    with torch.no_grad():
        means = [each.mean for each in module.rt.posterior(objective, 7)(inputs)]
    serving: dict[str, Any] = {}
    exec((out / "serve.py").read_text(), serving)

    class Original(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)

        def forward(self, x: Any) -> Any:
            return self.fc2(torch.relu(self.fc1(x)))

    served = serving["predict"](Original(), serving["load"](out / "draws.pt"), x)
    assert torch.allclose(served[..., 0], torch.stack(means), atol=1e-5)
    mean = torch.load(out / "mean.pt", weights_only=True)
    assert torch.equal(mean["fc1.weight"], objective.guide.mode()["net.fc1.weight"])


# ---- what is refused before anything is trained --------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another prior": (
        {"model": network("Heavy")},
        "laplace-torch has normal priors alone, and that of net.fc2.weight is Laplace",
    ),
    "a random scale": (
        {"model": network("Hierarchical"), "laplace": {"sites": "net.fc.*"}},
        "laplace-torch has priors with a fixed mean and sd, and those of net.fc.weight are random",
    ),
    "several sds in a site": (
        {"model": network("Uneven"), "laplace": KRON},
        "Kronecker factors go with one sd for a site, and net.fc2.weight has several; "
        "set svi.laplace.structure: full",
    ),
    "half of a layer": (
        {"model": network("HalfRandom"), "laplace": KRON},
        "Kronecker factors are those of a whole layer, and net.fc1.bias is fixed; "
        "leave it out of svi.laplace.sites, or set svi.laplace.structure: full",
    ),
    "another layer": (
        {"model": network("Waves"), "data": {**DATA, "shape": [3]}, "laplace": KRON},
        "there are Kronecker factors of linear layers and 2-d convolutions, not of net.conv; "
        "leave it out of svi.laplace.sites, or set svi.laplace.structure: full",
    ),
    "no derivative": (
        {"model": network("NoTangent")},
        "it cannot take NoTangent: ",
    ),
    "too many for all of the curvature": (
        {
            "model": network("MLP", in_size=3, hidden=800, out_size=1),
            "laplace": {"structure": "full"},
        },
        "the whole curvature of 4001 weights has the square of as many numbers; "
        "set svi.laplace.structure: kron, or name fewer svi.laplace.sites",
    ),
    "no site": (
        {"laplace": {"sites": "fc2.*"}},
        "svi.laplace.sites: fc2.* is none of net.fc1.weight, net.fc1.bias, net.fc2.weight",
    ),
}


@with_library
def test_of_many_weights_kronecker_factors_are_kept(tmp_path: Path) -> None:
    model = network("MLP", in_size=3, hidden=300, out_size=1)
    module = script_of(tmp_path, model=model, laplace={"draws": 5}, epochs=2)
    assert run_main(module, *FLAGS).code == 0
    objective, _ = trained(module)
    assert objective.guide.facts["weights"] == 1501


@with_library
@pytest.mark.parametrize("mode", ["--check", "--no-baseline"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_laplace_torch_cannot_express_is_refused(case: str, mode: str, tmp_path: Path) -> None:
    changes, why = REFUSED[case]
    ran = run_main(script_of(tmp_path, **changes), mode)
    assert ran.code == 2, ran.err
    assert why in ran.err
    assert not (tmp_path / "runs").exists()


@with_library
@pytest.mark.parametrize("name", ["Uneven", "HalfRandom", "Waves"])
def test_the_whole_curvature_takes_what_kronecker_factors_do_not(name: str, tmp_path: Path) -> None:
    module = script_of(tmp_path, model=network(name), epochs=2)
    assert run_main(module, *FLAGS).code == 0


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script_of(tmp_path)
    monkeypatch.setitem(sys.modules, "laplace", None)
    ran = run_main(module, *FLAGS)
    assert (ran.code, "pip install laplace-torch" in ran.err) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_a_module_of_that_name_is_not_taken_for_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script_of(tmp_path)
    other = ModuleType("laplace")
    other.__file__ = "laplace.py"
    monkeypatch.setitem(sys.modules, "laplace", other)
    ran = run_main(module, *FLAGS)
    assert (ran.code, "laplace.py stands in the way of laplace-torch" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"guide": {"family": "AutoNormal"}}, "PYR402", "svi.guide.family: a Laplace"),
        ({"elbo": {"particles": 2}}, "PYR402", "svi.elbo.particles: a Laplace approximation"),
        ({"handlers": {"do": "net.*"}}, "PYR402", "svi.handlers.do: a Laplace approximation"),
        ({"handlers": {"reparam": "net.*"}}, "PYR402", "svi.handlers.reparam: a Laplace"),
        ({"devices": "several"}, "PYR405", "engine laplace trains in one process"),
        (
            {"patience": 2, "data": {"source": "synthetic", "validation": 0.1}},
            "PYR406",
            "engine laplace does not validate while it trains",
        ),
        (
            {"likelihood": {"family": "heteroskedastic"}},
            "PYR407",
            "svi.likelihood: laplace-torch knows no likelihood heteroskedastic; "
            "write normal, categorical or bernoulli, or take another engine",
        ),
        (
            {"likelihood": {"family": "categorical", "gives": "probs"}},
            "PYR407",
            "svi.likelihood: laplace-torch takes categorical by logits or log_probs alone",
        ),
        ({"likelihood": "own", "data": {"source": "m:f"}}, "PYR407", "knows no likelihood own"),
        (
            {"data": {"source": "rows.csv", "weights": "w"}},
            "PYR407",
            "svi.data.weights: laplace-torch does not weigh rows; take another engine",
        ),
    ],
)
def test_what_a_spec_cannot_ask_of_it(changes: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(EmitError) as caught:
        emit(engine="laplace", **changes)
    assert [problem.code for problem in caught.value.problems] == [code]
    assert message in str(caught.value)


@pytest.mark.slow
@with_library
def test_the_tests_beside_the_script_pass(tmp_path: Path) -> None:
    lay_out_project(tmp_path)
    emitted = emit(engine="laplace")
    (tmp_path / "train_svi.py").write_text(emitted.script)
    (tmp_path / "test_train_svi.py").write_text(emitted.test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
