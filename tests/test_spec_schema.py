"""The JSON Schema accepts what the loader accepts, and refuses wrong structure."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from pyroify.catalog.constraints import CONSTRAINTS
from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.spec.load import parse_spec
from pyroify.spec.model import SpecError
from pyroify.spec.schema import spec_schema

FIXTURES = Path(__file__).parent / "fixtures"
SPECS = sorted(FIXTURES.rglob("*.spec.yaml")) + sorted(
    FIXTURES.parents[1].rglob("examples/**/pyroify.yaml")
)

VALIDATOR = Draft202012Validator(spec_schema())

GOOD = """\
version: 1
include: "src/**"
exclude: [a, b]
priors:
  - {match: "**", sample: "Normal(0, 1)"}
  - {match: "**", sample: {Normal: {loc: 0, scale: radford}}}
  - {match: "**", sample: {Normal: [0, 1]}, centered: false}
  - {match: "**", sample: {HalfCauchy: 1}}
  - {match: "**", sample: {Dirichlet: {concentration: [1, 2]}}}
  - {match: "**", sample: {FoldedDistribution: {base_dist: {Normal: [0, 1]}}}}
  - {match: "**", sample: {FoldedDistribution: {base_dist: "Normal(0, 1)"}}}
  - {match: "**", layer: LayerNorm, keep: true}
  - {match: "**", layer: [nn.LayerNorm, torch.nn.GroupNorm, "Batch*"], keep: true}
  - {match: "**", param: positive, init: exp}
  - {match: "**", param: "interval(0, 1)", init: 0.5, event_dim: 1}
  - {match: "**", param: {interval: [0, 1]}}
  - {match: "**", param: {greater_than: {lower_bound: 0}}}
  - {match: "**", value: self.a * self.b}
latents:
  - {class: Net, name: tau, sample: HalfCauchy(1)}
  - {class: Net, name: fc.tau, value: exp(self.a), shape: [3, self.hidden]}
options: {follow_module: true, load_original_state_dict: false}
svi: {anything: [1, 2]}
verify:
  - {class: "a.b:Net", build: {dim: 3}, inputs: ["float[2, 3]", 7]}
  - {class: "a:B.C", build: "t:f", inputs: "t:g"}
"""


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_schema_is_a_schema_and_plain_json():
    Draft202012Validator.check_schema(spec_schema())
    assert json.loads(json.dumps(spec_schema())) == spec_schema()


def test_every_key_is_described():
    def check(schema, where):
        for name, part in schema.get("properties", {}).items():
            described = part.get("description") or "$ref" in part
            assert described, f"{where}.{name}"

    schema = spec_schema()
    check(schema, "spec")
    for name, part in schema["$defs"].items():
        check(part, name)
    check(schema["properties"]["options"], "options")


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_the_specs_of_this_repository(path):
    assert errors(path.read_text()) == []


@pytest.mark.parametrize("line", [line for line in GOOD.splitlines() if "{" in line])
def test_good(line):
    text = (
        f"version: 1\npriors:\n{line}\n" if "match" in line else f"version: 1\nlatents:\n{line}\n"
    )
    if "build" in line:
        text = f"version: 1\nverify:\n{line}\n"
    if not line.startswith(" "):
        text = f"version: 1\n{line}\n"
    parse_spec(text, "p")
    assert errors(text) == []


def test_all_of_it():
    parse_spec(GOOD, "p")
    assert errors(GOOD) == []


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "version: 2",
        "version: 1\npriors: {}",
        "version: 1\nprior: []",
        "version: 1\npriors: [{sample: 'Normal(0, 1)'}]",
        "version: 1\npriors: [{match: '**'}]",
        "version: 1\npriors: [{match: '', keep: true}]",
        "version: 1\npriors: [{match: '**', keep: false}]",
        "version: 1\npriors: [{match: '**', keep: true, param: positive}]",
        "version: 1\npriors: [{match: '**', keep: true, init: exp}]",
        "version: 1\npriors: [{match: '**', param: real, centered: false}]",
        "version: 1\npriors: [{match: '**', param: real, init: nope}]",
        "version: 1\npriors: [{match: '**', param: positve}]",
        "version: 1\npriors: [{match: '**', param: {interval: [0]}}]",
        "version: 1\npriors: [{match: '**', param: {interval: {low: 0, high: 1}}}]",
        "version: 1\npriors: [{match: '**', param: boolean}]",
        "version: 1\npriors: [{match: '**', sample: 'Norml(0, 1)'}]",
        "version: 1\npriors: [{match: '**', sample: {Norml: [0, 1]}}]",
        "version: 1\npriors: [{match: '**', sample: {Normal: {loc: 0}}}]",
        "version: 1\npriors: [{match: '**', sample: {Normal: {loc: 0, sd: 1}}}]",
        "version: 1\npriors: [{match: '**', sample: {Normal: [0, 1, 2]}}]",
        "version: 1\npriors: [{match: '**', sample: {Normal: [0, 1], Gamma: [1, 1]}}]",
        "version: 1\npriors: [{match: '**', sample: {Dirichlet: {concentration: []}}}]",
        "version: 1\npriors: [{match: '**', sample: 3}]",
        "version: 1\npriors: [{match: '**', layer: LayerNrom, keep: true}]",
        "version: 1\nlatents: [{name: t, sample: HalfCauchy(1)}]",
        "version: 1\nlatents: [{class: A, name: 1t, sample: HalfCauchy(1)}]",
        "version: 1\nlatents: [{class: A, name: t}]",
        "version: 1\nlatents: [{class: A, name: t, sample: HalfCauchy(1), shape: [0]}]",
        "version: 1\noptions: {follow: true}",
        "version: 1\noptions: {follow_module: 3}",
        "version: 1\nsvi: []",
        "version: 1\nverify: {}",
        "version: 1\nverify: [{build: {a: 1}}]",
        "version: 1\nverify: [{class: Net}]",
        "version: 1\nverify: [{class: 'a:Net', build: [1]}]",
        "version: 1\nverify: [{class: 'a:Net', build: make}]",
        "version: 1\nverify: [{class: 'a:Net', inputs: 3}]",
        "version: 1\nverify: [{class: 'a:Net', input: []}]",
    ],
)
def test_bad(text):
    assert errors(text)
    with pytest.raises(SpecError):
        parse_spec(text, "p")


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_is_offered(name):
    prior = spec_schema()["$defs"]["prior"]["anyOf"]
    assert name in prior[1]["properties"]
    assert not list(Draft202012Validator(prior[0]).iter_errors(f"{name}(1)"))


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_learnable_constraints_are_offered(name):
    text = spec_schema()["$defs"]["constraint"]["anyOf"][0]
    assert Draft202012Validator(text).is_valid(name) == CONSTRAINTS[name].is_learnable
