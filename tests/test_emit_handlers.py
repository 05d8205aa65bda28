"""Effect handlers: what each key of the spec does to a script, and the page that shows them."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from emit_cases import BASE, emit, lay_out_project, load_module, run_main
from pyro import poutine
from test_emit_training import write_script

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "handlers.md"
OUT = Path("runs/train_svi")
HIERARCHICAL = {"class": "models.networks:Hierarchical"}

Write = Callable[..., ModuleType]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return lambda **changes: load_module(write_script(tmp_path, **changes))


# ---- condition -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "elbo"), [("torch", "auto"), ("torch", "Trace_ELBO"), ("svi", "auto")]
)
def test_condition_pins_a_layer_while_the_rest_is_learned(
    engine: str, elbo: str, write: Write, tmp_path: Path
) -> None:
    handlers = {"condition": {"net.fc1.*": "init", "net.fc2.bias": 0.5}}
    script = write(handlers=handlers, engine=engine, elbo={"name": elbo})
    ran = run_main(script, "--check")
    assert ran.out.endswith("no faults; latent: net.fc2.weight, scale\n")
    assert run_main(script, "--no-baseline").code == 0
    objective, _ = script.load_trained(script.parse_flags([]))
    pinned = script.pinned_sites(objective.model)
    assert set(pinned) == {"net.fc1.weight", "net.fc1.bias", "net.fc2.bias"}
    assert torch.equal(pinned["net.fc2.bias"], torch.tensor([0.5]))
    assert not any("fc1" in name for name, _ in objective.guide.named_parameters())
    assert run_main(script, "--export", "--samples=3").code == 0
    for draw in torch.load(tmp_path / OUT / "draws.pt", weights_only=True)["draws"]:
        assert torch.equal(draw["fc1.weight"], pinned["net.fc1.weight"])
        assert draw["fc2.bias"] == 0.5


def test_condition_counts_what_the_prior_says_of_pinned_values(write: Write) -> None:
    """A pinned weight still tells about the scale of its prior."""
    kl = {}
    for value in (0.0, 100.0):
        script = write(model=HIERARCHICAL, handlers={"condition": {"net.fc.weight": value}})
        rows = script.made_up_rows(4)
        objective = script.build_objective(*script.build_model(4), rows)
        torch.manual_seed(0)
        loss, nll = objective(rows, 1.0)
        kl[value] = float(loss) - nll
    assert kl[100.0] > kl[0.0] + 100


# ---- reparam -------------------------------------------------------------------------


@pytest.mark.parametrize("elbo", ["auto", "Trace_ELBO"])
def test_reparam_learns_a_weight_without_its_scale(elbo: str, write: Write, tmp_path: Path) -> None:
    script = write(model=HIERARCHICAL, handlers={"reparam": "net.fc.weight"}, elbo={"name": elbo})
    ran = run_main(script, "--check")
    assert ran.out.endswith("latent: net.tau, net.fc.weight_decentered, scale\n"), ran
    assert run_main(script).code == 0
    assert run_main(script, "--export", "--samples=3").code == 0
    objective, about = script.load_trained(script.parse_flags([]))
    draws = torch.load(tmp_path / OUT / "draws.pt", weights_only=True)["draws"]
    for draw, state in zip(script.posterior_draws(objective.guide, 3), draws, strict=True):
        weight = draw["net.tau"] * draw["net.fc.weight_decentered"]
        assert torch.allclose(state["fc.weight"], weight)
        inputs = script.example_rows(about).inputs
        mean = script.observed(objective.model, draw, inputs).mean
        plain = torch.nn.functional.linear(inputs[0], state["fc.weight"], state["fc.bias"])
        assert torch.equal(mean, plain.squeeze(1))


def test_reparam_begins_where_the_class_begins(write: Write) -> None:
    script = write(model=HIERARCHICAL, handlers={"reparam": "net.fc.weight"})
    model, values = script.build_model(4)
    rows = script.made_up_rows(4)
    objective = script.build_objective(model, values, rows)
    with torch.no_grad():
        for log_scale in objective.guide.log_scales.values():
            log_scale.fill_(-20.0)
        draw = script.whole_draw(model, objective.guide(), rows)
    assert torch.allclose(draw["net.fc.weight"], values["net.fc.weight"], atol=1e-4)


# ---- do ------------------------------------------------------------------------------


def test_do_adds_a_column_without_a_layer(write: Write) -> None:
    script = write(handlers={"do": ["net.fc2.weight"]}, likelihood={"family": "normal", "scale": 1})
    ran = run_main(script, "--no-baseline")
    assert "no net.fc2.weight" in ran.out
    objective, about = script.load_trained(script.parse_flags([]))
    rows = script.example_rows(about)
    without = script.ablated(objective, rows, "net.fc2.weight", 4)(rows.inputs)
    biases = [draw["net.fc2.bias"] for draw in script.posterior_draws(objective.guide, 4)]
    for likelihood, bias in zip(without, biases, strict=True):
        assert torch.equal(likelihood.mean, bias.expand(2))


# ---- patterns that cannot be meant ---------------------------------------------------


@pytest.mark.parametrize(
    ("handlers", "message"),
    [
        (
            {"condition": "net.fc3.*"},
            "svi.handlers.condition: 'net.fc3.*' matches none of scale, n",
        ),
        ({"reparam": "weight"}, "svi.handlers.reparam: 'weight' matches none of "),
        ({"reparam": "scale"}, "svi.handlers.reparam: scale has no location and scale; narrow"),
        ({"condition": "scale"}, "svi.handlers.condition: scale has no value to begin with; give"),
        ({"do": "net.fc9.*"}, "svi.handlers.do: 'net.fc9.*' matches none of scale, n"),
    ],
)
def test_patterns_that_fit_nothing_are_refused(
    handlers: dict[str, Any], message: str, write: Write
) -> None:
    ran = run_main(write(handlers=handlers), "--no-baseline", "--samples=2")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert message in ran.err


# ---- block, mask, scale, uncondition -------------------------------------------------


def test_block_splits_the_network_between_two_guides(write: Write) -> None:
    script = write(guide={"family": "last_layer", "head": ["net.fc2.*"], "rank": 2})
    rows = script.made_up_rows(4)
    objective = script.build_objective(*script.build_model(4), rows)
    one, other = (objective.guide(), objective.guide())
    same = {name for name, value in one.items() if torch.equal(value, other[name])}
    assert same == {"net.fc1.weight", "net.fc1.bias", "scale"}


def test_mask_takes_missing_targets_out_of_the_likelihood(write: Write) -> None:
    model = {**BASE["model"], "kwargs": {"in_size": 3, "hidden": 4, "out_size": 2}}
    script = write(model=model, likelihood={"family": "missing_normal"})
    model, _ = script.build_model(4)
    rows = script.made_up_rows(4)
    targets = rows.targets.clone()
    targets[:, 1] = torch.nan
    draw = {name: site["value"] for name, site in script.latent_sites(model, rows).items()}
    likelihood = script.observed(model, draw, rows.inputs)
    seen = torch.distributions.Normal(likelihood.mean[:, 0], draw["scale"])
    expected = seen.log_prob(targets[:, 0])
    assert torch.allclose(likelihood.log_prob(targets), expected)


@pytest.mark.parametrize("engine", ["torch", "svi", "nuts"])
@pytest.mark.parametrize("suffix", ["npz", "csv"])
def test_scale_gives_rows_the_weights_of_a_column(
    engine: str, suffix: str, write: Write, tmp_path: Path
) -> None:
    changes = {} if engine == "nuts" else {"elbo": {"name": "Trace_ELBO"}}
    data = {"source": f"rows.{suffix}", "weights": "w", "test": 0, "validation": 0}
    script = write(data=data, engine=engine, nuts={"samples": 4, "warmup": 2}, **changes)
    x, y, w = np.random.default_rng(0).normal(size=(6, 3)), np.arange(6.0), np.arange(1.0, 7)
    if suffix == "npz":
        np.savez(tmp_path / "rows.npz", x=x, y=y, w=w)
    else:
        table = np.column_stack([x, y, w])
        np.savetxt(tmp_path / "rows.csv", table, "%s", ",", header="a,b,c,y,w", comments="")
    rows = script.load_data(script.parse_flags([]))
    assert rows.inputs[0].shape == (6, 3)
    model, _ = script.build_model(6)
    draw = {name: site["value"] for name, site in script.latent_sites(model, rows).items()}
    with poutine.trace() as traced, poutine.condition(data=draw):
        model(*rows.inputs, **rows.given)
    traced.trace.compute_log_prob()
    each = script.observed(model, draw, rows.inputs).log_prob(rows.targets)
    weighed = (torch.tensor(w).float() * each).sum()
    assert torch.isclose(traced.trace.nodes["obs"]["log_prob_sum"], weighed)
    ran = run_main(script, "--no-baseline", "--samples=2")
    assert ran.code == 0, ran.err


def test_weights_that_are_not_positive_are_refused(write: Write, tmp_path: Path) -> None:
    script = write(data={"source": "rows.npz", "weights": "w"})
    np.savez(tmp_path / "rows.npz", x=np.ones((6, 3)), y=np.arange(6.0), w=np.arange(6.0))
    ran = run_main(script)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "weights must be positive; leave out rows that do not count" in ran.err


@pytest.mark.parametrize("handlers", [{}, {"condition": {"net.fc2.bias": 1000.0}}])
def test_uncondition_shows_what_the_prior_expects(handlers: dict[str, Any], write: Write) -> None:
    script = write(handlers=handlers)
    ran = run_main(script, "--check")
    assert ran.code == 0
    assert "of those that the prior expects in" in ran.out
    rows = script.made_up_rows(50)
    far = script.Rows(rows.inputs, rows.targets + 1e6)  # the targets do not matter
    model, _ = script.build_model(50)
    expected = script.prior_predictive(model, far)
    assert expected.shape == (100, 50)
    assert expected.abs().max() < 1e5
    assert (expected.mean() > 500) == bool(handlers)  # what is pinned stays


# ---- the page ------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```"
    return re.findall(pattern, PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_examples_run_beside_the_script(tmp_path: Path) -> None:
    lay_out_project(tmp_path)
    (tmp_path / "train_svi.py").write_text(emit().script)
    examples = blocks("python")
    assert len(examples) > 5
    (tmp_path / "examples.py").write_text("\n".join(examples))
    ran = subprocess.run([sys.executable, "examples.py"], cwd=tmp_path, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()


def test_the_settings_on_the_page_are_accepted() -> None:
    settings = [yaml.safe_load(block)["svi"] for block in blocks("yaml")]
    assert {"handlers", "data", "likelihood", "guide", "elbo"} <= {k for s in settings for k in s}
    for section in settings:
        assert emit(**section).script
