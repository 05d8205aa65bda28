"""The traps of Pyro: what the naive form does wrong, and that the emitted script does not.

The numbers are those of the training script's notes; each test first shows that the naive form
fails with the installed Pyro, so that a trap that Pyro has closed is noticed.
"""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from emit_cases import emit, load_module, run_main
from pyro import poutine
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.infer.reparam import LocScaleReparam
from pyro.nn import PyroModule, PyroParam, PyroSample, pyro_method
from test_emit_training import write_script
from torch import nn

Write = Callable[..., ModuleType]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Emits, writes and loads a script for the small network."""
    return lambda **changes: load_module(write_script(tmp_path, **changes))


@pytest.fixture(autouse=True)
def clean_pyro() -> Any:
    pyro.settings.set(module_local_params=True)
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    yield
    pyro.settings.set(module_local_params=False)
    pyro.clear_param_store()


class Noise(PyroModule):
    """A single constrained latent: nothing is observed, so the posterior is the prior."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = PyroSample(dist.LogNormal(1.0, 1.0))

    def forward(self, *_: Any, targets: Any = None) -> torch.Tensor:
        scale = self.scale
        return pyro.sample("obs", dist.Normal(0.0, 1.0), obs=torch.tensor(0.0)) + 0 * scale


def test_t1_constrained_latents_keep_their_jacobian(write: Write) -> None:
    script = write()
    model = Noise()
    exact = 0.5 * math.log(2 * math.pi)  # the KL part is 0 where the guide is the prior

    def init(_: Any) -> torch.Tensor:
        return torch.tensor(math.e)

    naive = AutoNormal(model, init_loc_fn=init, init_scale=1.0)
    with torch.no_grad():
        loss = TraceMeanField_ELBO(num_particles=2000)(model, naive)()
    assert abs(float(loss) - exact) > 0.9  # off by the mean of log scale, 1
    rows = script.Rows((torch.zeros(1, 1),), torch.zeros(1))
    guide = script.MeanField(model, rows, init)
    with torch.no_grad():
        guide.log_scales["scale"].fill_(0.0)
    objective = script.MeanFieldElbo(model, guide, rows)
    loss, _ = objective(rows, 1.0)
    assert float(loss) == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("elbo", ["auto", "Trace_ELBO"])
def test_t2_kl_weight_scales_the_kl_alone(elbo: str, write: Write) -> None:
    script = write(elbo={"name": elbo})
    rows = script.made_up_rows(8)
    model, values = script.build_model(len(rows))
    objective = script.build_objective(model, values, rows)

    def at(weight: float) -> tuple[float, float]:
        torch.manual_seed(0)
        loss, nll = objective(rows, weight)
        return float(loss), nll

    (full, nll), (half, same_nll), (none, _) = at(1.0), at(0.5), at(0.0)
    assert same_nll == nll
    assert half - nll == pytest.approx((full - nll) / 2, rel=1e-4)
    assert none == pytest.approx(nll, rel=1e-4)


@pytest.mark.parametrize("scaled", ["model", "guide"])
def test_t2_scaling_one_side_alone_is_another_objective(scaled: str, write: Write) -> None:
    """The naive forms: a weight on the model or on the guide, which moves more than the KL."""
    script = write()
    rows = script.made_up_rows(8)
    model, _ = script.build_model(len(rows))
    guide = AutoNormal(model)
    elbo = Trace_ELBO()
    elbo(model, guide)(*rows.inputs, targets=rows.targets)
    halves = {"model": model, "guide": guide}
    halves[scaled] = poutine.scale(halves[scaled], scale=0.5)

    def loss(first: Any, second: Any) -> float:
        torch.manual_seed(0)
        return float(elbo.differentiable_loss(first, second, *rows.inputs, targets=rows.targets))

    torch.manual_seed(0)
    guided = poutine.trace(guide).get_trace(*rows.inputs, targets=rows.targets)
    replayed = poutine.trace(poutine.replay(model, trace=guided))
    trace = replayed.get_trace(*rows.inputs, targets=rows.targets)
    trace.compute_log_prob()
    nll = -float(trace.nodes["obs"]["log_prob_sum"])
    wanted = nll + 0.5 * (loss(model, guide) - nll)
    assert abs(loss(halves["model"], halves["guide"]) - wanted) > 0.01 * abs(wanted)
    with pytest.raises(ValueError, match="scale"), poutine.scale(scale=0.0):
        guide(*rows.inputs, targets=rows.targets)  # nor can it begin at 0


def test_t3_lift_leaves_forward_alone_so_no_script_has_it(write: Write) -> None:
    class Net(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.zeros(()))

        def forward(self) -> torch.Tensor:
            return self.w

    net = Net()
    lifted = poutine.lift(net, prior=dist.Normal(100.0, 0.1))
    trace = poutine.trace(lifted).get_trace()
    assert float(trace.nodes["_RETURN"]["value"].detach()) == 0.0
    assert "poutine.lift" not in emit().script
    script = write()
    rows = script.made_up_rows(4)
    model, _ = script.build_model(4)
    sites = script.latent_sites(model, rows)
    outputs = [
        script.observed(model, {n: by * s["value"] for n, s in sites.items()}, rows.inputs).mean
        for by in (1.0, 2.0)
    ]
    assert not torch.equal(*outputs)


def test_t4_tied_weights_are_one_latent() -> None:
    """The rewrite's alias is one site; two PyroSamples are two. The script adds no site."""

    class Tied(PyroModule):
        def __init__(self, is_naive: bool):
            super().__init__()
            self.a = PyroModule[nn.Linear](2, 2, bias=False)
            self.b = PyroModule[nn.Linear](2, 2, bias=False)
            prior = dist.Normal(0.0, 1.0).expand([2, 2]).to_event(2)
            self.a.weight = PyroSample(prior)
            self.owner = (self.a,)
            self.b.weight = PyroSample(prior if is_naive else lambda _: self.owner[0].weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x))

    latents = {
        naive: poutine.trace(Tied(naive)).get_trace(torch.ones(1, 2)).stochastic_nodes
        for naive in (True, False)
    }
    assert len(latents[True]) == 2
    assert latents[False] == ["a.weight"]


def test_t5_site_names_are_whole(write: Write) -> None:
    """A slice of a Sequential loses its prefix; the audit reports sites that are not there."""
    net = PyroModule[nn.Sequential](PyroModule[nn.Linear](1, 1), nn.ReLU())
    net[0].weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, 1]).to_event(2))

    class Sliced(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, *x: torch.Tensor, targets: Any = None) -> torch.Tensor:
            return pyro.sample("obs", dist.Normal(self.net[:1](x[0]), 1.0).to_event(2))

    script = write()
    rows = script.Rows((torch.ones(1, 1),), torch.ones(1, 1))
    faults = script.audit(Sliced(), rows)
    assert any("never sampled by that name" in fault for fault in faults)


def test_t6_noise_is_one_for_all_rows(write: Write) -> None:
    class Naive(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.scale = PyroSample(dist.LogNormal(0.0, 1.0))

        def forward(self, *x: torch.Tensor, targets: Any = None) -> torch.Tensor:
            with pyro.plate("data", len(x[0])):
                return pyro.sample("obs", dist.Normal(0.0, self.scale), obs=targets)

    script = write()
    rows = script.made_up_rows(6)
    assert script.latent_sites(Naive(), rows)["scale"]["value"].shape == (6,)
    assert "scale is drawn [6] times: in a plate, or no to_event?" in script.audit(Naive(), rows)
    model, _ = script.build_model(6)
    assert script.latent_sites(model, rows)["scale"]["value"].shape == ()


def test_t7_draws_are_looped_over(write: Write) -> None:
    script = write(elbo={"name": "Trace_ELBO", "particles": 2})
    rows = script.made_up_rows(6)
    model, values = script.build_model(6)
    objective = script.build_objective(model, values, rows)
    naive = Predictive(model, guide=objective.guide, num_samples=3, parallel=True)
    with pytest.raises(RuntimeError):
        naive(*rows.inputs)
    assert len(script.posterior(objective, 3)(rows.inputs)) == 3
    assert objective(rows, 1.0)[0].isfinite()


def test_t8_the_model_can_be_pickled(write: Write) -> None:
    class Naive(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.scale = PyroSample(lambda _: dist.LogNormal(0.0, 1.0))

    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(Naive())
    script = write(likelihood={"family": "normal", "scale": "LogNormal(0, 1)"})
    assert "PyroSample(lambda" not in emit().script
    model, _ = script.build_model(6)
    assert isinstance(model._pyro_samples["scale"], dist.Distribution)
    pickle.dumps(model._pyro_samples["scale"])


def test_t9_priors_are_built_in_the_dtype_asked_for(write: Write) -> None:
    naive = Noise().double()
    assert poutine.trace(naive).get_trace().nodes["scale"]["value"].dtype == torch.float32
    script = write()
    try:
        ran = run_main(script, "--dtype=float64", "--no-baseline")
    finally:
        torch.set_default_dtype(torch.float32)
    assert ran.code == 0, ran.err
    state = torch.load(Path(script.__file__).parent / "runs/train_svi/last.pt", weights_only=True)
    assert {value.dtype for value in state["parameters"].values()} == {torch.float64}


@pytest.mark.parametrize("elbo", ["auto", "Trace_ELBO"])
def test_t10_a_new_guide_loads_a_checkpoint(elbo: str, write: Write) -> None:
    script = write(elbo={"name": elbo})
    assert run_main(script, "--no-baseline").code == 0
    model, _ = script.build_model(4)
    state = script.trained(Path(script.__file__).parent / "runs/train_svi")
    guide = AutoNormal(model)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        guide.load_state_dict({"locs.scale": torch.tensor(0.0)})
    objective, about = script.load_trained(script.parse_flags([]))
    assert objective.state_dict().keys() == state["parameters"].keys()
    assert about["size"] > 0


def test_t11_plain_parameters_are_trained_by_both_engines(write: Write) -> None:
    """Local parameters with SVI and pyro.optim crash; the svi script does not use them."""
    model = PyroModule[nn.Linear](1, 1)
    guided = Trace_ELBO()

    def observe(x: torch.Tensor) -> None:
        pyro.sample("obs", dist.Normal(model(x), 1.0).to_event(2), obs=torch.zeros(1, 1))

    class Model(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = model

        def forward(self, x: torch.Tensor) -> None:
            out = self.net(x)
            pyro.sample("obs", dist.Normal(out, 1.0).to_event(2), obs=torch.zeros(1, 1))

    naive = SVI(Model(), lambda x: None, pyro.optim.Adam({"lr": 0.1}), guided)
    with pytest.raises(AttributeError, match="unconstrained"):
        naive.step(torch.ones(1, 1))
    script = write(engine="svi", likelihood={"family": "normal", "scale": "learned"})
    assert run_main(script, "--no-baseline").code == 0
    state = script.trained(Path(script.__file__).parent / "runs/train_svi")["parameters"]
    fresh, _ = script.build_model(4)
    learned = state["elbo.model.scale_unconstrained"]
    assert not torch.equal(learned, fresh.state_dict()["scale_unconstrained"])


def test_t12_kept_parameters_keep_their_key(write: Write) -> None:
    naive = PyroModule()
    naive.weight = PyroParam(torch.ones(1))
    assert list(naive.state_dict()) == ["weight_unconstrained"]
    script = write(model={"class": "models.networks:Plain"}, guide={"init": "prior"})
    model, _ = script.build_model(4)
    assert "net.fc.weight" in model.state_dict()


def test_t13_the_model_stays_a_module(write: Write) -> None:
    model = Noise()
    assert not isinstance(poutine.scale(model, scale=0.5), nn.Module)
    script = write(elbo={"name": "Trace_ELBO", "kl_weight": 0.5})
    rows = script.made_up_rows(4)
    objective = script.build_objective(*script.build_model(4), rows)
    assert isinstance(objective.model, nn.Module)
    assert isinstance(objective.guide, nn.Module)


def test_t14_one_call_of_the_model_is_one_draw(write: Write) -> None:
    class Scale(Noise):
        def forward(self, *_: Any, targets: Any = None) -> torch.Tensor:
            return self.scale

    class Twice(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.noise = Scale()

        def encode(self) -> torch.Tensor:
            return self.noise()

    naive = Twice()

    def twice() -> torch.Tensor:
        return naive.encode() + naive.encode()

    with pytest.raises(RuntimeError, match="Multiple sample sites"):
        poutine.trace(twice).get_trace()

    class Decorated(Twice):
        @pyro_method
        def twice(self) -> torch.Tensor:
            return self.encode() + self.encode()

    trace = poutine.trace(Decorated().twice).get_trace()
    assert trace.stochastic_nodes == ["noise.scale"]
    script = write()
    rows = script.made_up_rows(4)
    model, _ = script.build_model(4)
    assert script.trace_model(model, rows).nodes["obs"]["is_observed"]


def test_t15_padding_is_masked_out_of_the_likelihood(write: Write) -> None:
    model = {"class": "models.networks:Tokens", "kwargs": {"words": 7}}
    script = write(model=model, likelihood={"family": "tokens", "padding": 0})
    rows = script.made_up_rows(4)
    padded = script.Rows(rows.inputs, torch.zeros_like(rows.targets))
    network, _ = script.build_model(4)
    logits = network.net(*rows.inputs)
    naive = dist.Categorical(logits=logits).to_event(1)
    assert (naive.log_prob(padded.targets) < -0.1).all()
    trace = script.trace_model(network, padded)
    trace.compute_log_prob()
    assert float(trace.nodes["obs"]["log_prob_sum"]) == 0.0


def test_t15_no_learnable_centring(write: Write) -> None:
    class Naive(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.scale = PyroSample(dist.Normal(0.0, 1.0))

        def forward(self) -> torch.Tensor:
            return self.scale

    with pytest.raises(NotImplementedError), poutine.reparam(config={"scale": LocScaleReparam()}):
        Naive()()
    script = write(handlers={"reparam": ["net.fc1.weight"]})
    rows = script.made_up_rows(4)
    objective = script.build_objective(*script.build_model(4), rows)
    assert objective(rows, 1.0)[0].isfinite()


# ---- what local reparametrisation needs ----------------------------------------------


def test_local_reparametrisation_only_where_it_is_exact(write: Write) -> None:
    script = write()
    rows = script.made_up_rows(2)
    model, values = script.build_model(2)
    objective = script.build_objective(model, values, rows)
    assert objective.local == {f"net.fc{i}.{n}" for i in (1, 2) for n in ("weight", "bias")}
    tokens = {"class": "models.networks:Tokens", "kwargs": {"words": 7}}
    script = write(model=tokens, likelihood={"family": "tokens"})
    rows = script.made_up_rows(2)
    objective = script.build_objective(*script.build_model(2), rows)
    assert objective.local == frozenset()  # a weight that many positions share


def test_local_reparametrisation_has_the_same_loss_and_less_noise(write: Write) -> None:
    losses = {}
    gradients = {}
    for is_local in (True, False):
        script = write(elbo={"local_reparametrization": is_local})
        torch.manual_seed(1)
        rows = script.made_up_rows(64)
        objective = script.build_objective(*script.build_model(64), rows[:2])
        with torch.no_grad():
            for log_scale in objective.guide.log_scales.values():
                log_scale.fill_(math.log(0.3))
        torch.manual_seed(2)
        draws = []
        each = []
        for _ in range(300):
            objective.zero_grad()
            loss, _ = objective(rows, 1.0)
            loss.backward()
            each.append(float(loss))
            draws.append(objective.guide.locs["net/fc1/weight"].grad.clone())
        losses[is_local] = torch.tensor(each)
        gradients[is_local] = torch.stack(draws)
    error = losses[False].std() / math.sqrt(300)
    assert abs(losses[True].mean() - losses[False].mean()) < 5 * error
    assert gradients[True].std(0).mean() < 0.7 * gradients[False].std(0).mean()
