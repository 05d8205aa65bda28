"""Which prior a site has once the module runs: what the rules say, and of no other site."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from pyroify.spec.expressions import Number
from pyroify.spec.load import load_spec
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Keep, Sample

FORMS = Path(__file__).parent / "fixtures" / "forms"
OUTPUT = FORMS / "instance_rules.out.py"


@pytest.fixture(scope="module")
def sites():
    poutine = pytest.importorskip("pyro.poutine")
    model, args = runpy.run_path(str(OUTPUT))["example"]()
    return poutine.trace(model).get_trace(*args).nodes


@pytest.mark.parametrize(
    ("site", "prior", "scale"),
    [
        ("encoder.fc.weight", "Normal", 0.1),
        ("encoder.fc.bias", "Normal", 1.0),
        ("decoder.fc.weight", "Normal", 2.0),
        ("decoder.gate.lin.weight", "Normal", 2.0),
        ("encoder.gate.lin.weight", "Normal", 1.0),
        ("decoder.shift", "Normal", 2.0),
        ("blocks.0.fc.weight", "Laplace", 3**-0.5),
        ("blocks.1.fc.weight", "Laplace", 3**-0.5),
        ("blocks.1.fc.bias", "Normal", 1.0),
        ("pair.0.fc.bias_noise", "Normal", 1.0),
        ("pair.0.scale", "Normal", 1.0),
    ],
)
def test_prior_of_an_instance(sites, site, prior, scale):
    distribution = sites[site]["fn"]
    while hasattr(distribution, "base_dist"):
        distribution = distribution.base_dist
    assert type(distribution).__name__ == prior
    assert distribution.scale.unique().item() == pytest.approx(scale)
    assert sites[site]["fn"].event_dim == sites[site]["value"].dim()


def test_learned_parameters_of_an_instance(sites):
    assert sites["encoder.shift"]["value"].item() == pytest.approx(0.5)
    assert sites["decoder.scale"]["value"].tolist() == pytest.approx([1.0] * 3)
    assert sites["blocks.0.shift"]["type"] == "param"  # as the class has it


@pytest.mark.parametrize("example", ["recurrent", "tagger"])
def test_globs_decide_the_same_where_names_are_only_known_at_run_time(example):
    poutine = pytest.importorskip("pyro.poutine")
    fixture = FORMS / "rules_with_globs_at_run_time"
    spec = load_spec(fixture.with_suffix(".spec.yaml"))
    model, args = runpy.run_path(str(fixture.with_suffix(".out.py")))["examples"]()[example]()
    nodes = poutine.trace(model).get_trace(*args).nodes
    found = {name: node for name, node in nodes.items() if node["type"] in ("sample", "param")}
    assert len(found) >= 8
    for name, node in found.items():
        action = decide(spec, SiteKey("m", type(model).__name__, name, "")).action
        if isinstance(action, Keep):
            assert node["type"] == "param", name
        else:
            assert isinstance(action, Sample)
            assert action.distribution.arguments[1] == Number(int(node["fn"].base_dist.scale.max()))
