"""The JSON Schema accepts what the loader accepts, and refuses wrong structure."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from pyroify.catalog.constraints import CONSTRAINTS
from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.emit.family import GUIDES, LIKELIHOODS, names
from pyroify.emit.schema import whole_schema
from pyroify.emit.settings import EmitError, read_settings
from pyroify.spec.load import parse_spec
from pyroify.spec.model import SpecError

FIXTURES = Path(__file__).parent / "fixtures"
SPECS = sorted(FIXTURES.rglob("*.spec.yaml")) + sorted(
    FIXTURES.parents[1].rglob("examples/**/pyroify.yaml")
)

VALIDATOR = Draft202012Validator(whole_schema())

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
svi: {model: {class: "a:Net"}, engine: svi}
verify:
  - {class: "a.b:Net", build: {dim: 3}, inputs: ["float[2, 3]", 7]}
  - {class: "a:B.C", build: "t:f", inputs: "t:g"}
"""


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_schema_is_a_schema_and_plain_json():
    Draft202012Validator.check_schema(whole_schema())
    assert json.loads(json.dumps(whole_schema())) == whole_schema()


def test_every_key_is_described():
    def check(schema, where):
        for name, part in schema.get("properties", {}).items():
            described = part.get("description") or "$ref" in part
            assert described, f"{where}.{name}"
            check(part, f"{where}.{name}")
        for part in [*schema.get("anyOf", []), *schema.get("allOf", [])]:
            if "family" not in part.get("if", {}).get("properties", {}):
                check(part, where)
            else:
                check(part["then"], where)

    schema = whole_schema()
    check(schema, "spec")
    for name, part in schema["$defs"].items():
        check(part, name)


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
    prior = whole_schema()["$defs"]["prior"]["anyOf"]
    assert name in prior[1]["properties"]
    assert not list(Draft202012Validator(prior[0]).iter_errors(f"{name}(1)"))


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_learnable_constraints_are_offered(name):
    text = whole_schema()["$defs"]["constraint"]["anyOf"][0]
    assert Draft202012Validator(text).is_valid(name) == CONSTRAINTS[name].is_learnable


def said_of_svi(text: str) -> tuple[list[str], list[str]]:
    """What is said of a section by the schema, and by `emit`."""
    svi = yaml.safe_load(text)
    spec = {"version": 1, "svi": svi}
    by_schema = [error.message for error in VALIDATOR.iter_errors(spec)]
    try:
        read_settings(svi)
    except EmitError as error:
        return by_schema, [str(problem) for problem in error.problems]
    return by_schema, []


CASES = sorted((FIXTURES.parent / "emit").glob("*/*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_family_is_in_the_schema(path):
    section = {"model": {"class": "a.b:Net"}, **yaml.safe_load(path.read_text())}
    assert said_of_svi(yaml.safe_dump(section)) == ([], [])


def test_there_is_a_case_for_every_family():
    found = {path.stem for path in CASES}
    assert found == {*names(LIKELIHOODS), *names(GUIDES)}


MODEL = "model: {class: 'a.b:Net'}\n"


@pytest.mark.parametrize(
    "text",
    [
        "model: {class: 'a:Net', kwargs: {width: 3}, path: [src, .]}",
        MODEL + "likelihood: own\ndata: {source: 'a:b'}",
        MODEL + "likelihood: {factor: 'a:b'}\ndata: {source: 'a:b'}",
        MODEL + "likelihood: {family: normal, scale: learned}",
        MODEL + "likelihood: {scale: 0.5}",
        MODEL + "likelihood: {scale: 'HalfNormal(1)', output: [0, mean]}",
        MODEL + "likelihood: {family: heteroskedastic, output: {mean: mean, variance: var}}",
        MODEL + "likelihood: {family: categorical, gives: probs}",
        MODEL + "likelihood:\nguide:\ndata:\noptimizer:",
        MODEL + "guide: {init: old.pt}",
        MODEL + "guide: {family: last_layer, head: 'net.fc2.*'}",
        MODEL + "elbo: {kl_warmup: 0, kl_weight: 0.1}",
        MODEL + "elbo: {kl_warmup: auto}\nsteps: auto",
        MODEL + "data: {source: rows.npz, inputs: {x: a, y: b}, shape: [[3], [2, 2]]}",
        MODEL + "data: {source: 'a:b', shape: [3], stream: false, form: kept, count: mask}",
        MODEL + "handlers: {condition: {'net.*': 1.5, 'net.b': init}, reparam: net.c, do: [net.d]}",
        MODEL + "leave_out: plots\npatience: 3\ndata: {validation: 0.2}",
        MODEL + "engine: lightning\nlogger: csv\ndevices: several",
        MODEL + "engine: nuts\nnuts: {samples: 10, warmup: 10}",
        MODEL + "engine: ensemble\nensemble: {members: 2}",
        MODEL + "engine: laplace\nlaplace: {structure: full, sites: [net.a, net.b], draws: 2}",
    ],
)
def test_good_svi(text):
    assert said_of_svi(text) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        MODEL + "trainer: 1",
        MODEL + "engine: fast",
        MODEL + "epochs: 0",
        MODEL + "steps: many",
        MODEL + "seed: -1",
        MODEL + "arviz: yes please",
        MODEL + "model: {class: 'a:Net', kwargs: [1]}",
        MODEL + "data: []",
        MODEL + "data: {test: 1}",
        MODEL + "data: {batch_size: 0}",
        MODEL + "data: {standardize: rows}",
        MODEL + "data: {inputs: {x: 3}}",
        MODEL + "data: {shape: [0]}",
        MODEL + "data: {sorce: a}",
        MODEL + "likelihood: normal",
        MODEL + "likelihood: {family: norml}",
        MODEL + "likelihood: {family: categorical, scale: 1}",
        MODEL + "likelihood: {rank: 1}",
        MODEL + "likelihood: {scale: -1}",
        MODEL + "likelihood: {scale: 'Normal(0, 1)'}",
        MODEL + "likelihood: {family: zero_inflated_poisson, gate: 1.5}",
        MODEL + "likelihood: {family: ordinal}",
        MODEL + "likelihood: {family: gamma, gives: mean}",
        MODEL + "likelihood: {family: categorical, gives: mean}",
        MODEL + "likelihood: {factor: own}",
        MODEL + "likelihood: {factor: 'a:b', family: normal}",
        MODEL + "likelihood: {output: 1.5}",
        MODEL + "guide: {family: AutoNormal, rank: 3}",
        MODEL + "guide: {family: last_layer}",
        MODEL + "guide: {init: nowhere}",
        MODEL + "guide: 3",
        MODEL + "optimizer: {name: AdamW}",
        MODEL + "optimizer: {weight_decay: 0.1}",
        MODEL + "optimizer: {lr: 0}",
        MODEL + "elbo: {name: TraceEnum_ELBO}",
        MODEL + "elbo: {particles: 1.5}",
        MODEL + "elbo: {local_reparametrization: 1}",
        MODEL + "nuts: {samples: 3}",
        MODEL + "ensemble: {members: 1}",
        MODEL + "laplace: {structure: diagonal}",
        MODEL + "laplace: {draws: 1}",
        MODEL + "handlers: {condition: {net.a: much}}",
        MODEL + "handlers: {lift: a}",
        MODEL + "leave_out: test",
    ],
)
def test_bad_svi(text):
    by_schema, by_emit = said_of_svi(text)
    assert by_schema
    assert by_emit


def test_the_schema_has_an_address():
    assert whole_schema()["$id"].endswith("/reference/spec.schema.json")
