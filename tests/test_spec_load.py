"""YAML to Spec: what is read, what YAML 1.1 would have made of it, and every error's exact text."""

import textwrap

import pytest

from pyroify.spec.expressions import Attribute, Call, Items, Negative, Number, parse_expression
from pyroify.spec.load import load_spec, parse_spec
from pyroify.spec.model import (
    Deterministic,
    Keep,
    Options,
    Param,
    Position,
    Sample,
    Spec,
    SpecError,
)

EXAMPLE = """\
version: 1
include: ["src/**/*.py"]
exclude: ["**/legacy/**"]
priors:
  - match: "**"
    sample: Normal(0, 1)
  - match: "**.bias"
    sample: {Normal: {loc: 0, scale: 10}}
  - match: "**"
    layer: [LayerNorm, "BatchNorm*"]
    keep: true
  - match: "models.mlp:MLP.fc*.weight"
    sample: Normal(0, fan_in ** -0.5)
  - match: "GP.lengthscale"
    param: positive
    init: exp
  - match: "Hier.weight"
    sample: Normal(0, self.tau)
    centered: false
latents:
  - class: Hier
    name: tau
    sample: HalfCauchy(1)
  - class: "models.**:Hier"
    name: fc.rate
    value: exp(self.log_rate)
    shape: [3, self.width]
options:
  follow_module: true
svi:
  guide: {family: AutoNormal, init_scale: 1e-2}
  epochs: 200
"""


def rule(body: str) -> str:
    """A spec with one rule that matches everything."""
    return f'version: 1\npriors:\n  - match: "**"\n{textwrap.indent(body, "    ")}\n'


def read(body: str) -> Sample | Deterministic | Param | Keep:
    return parse_spec(rule(body), "pyroify.yaml").rules[0].action


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as info:
        parse_spec(text, "pyroify.yaml")
    return [str(problem) for problem in info.value.problems]


def test_the_whole_format():
    spec = parse_spec(EXAMPLE, "pyroify.yaml")
    assert (spec.version, spec.path) == (1, "pyroify.yaml")
    assert (spec.include, spec.exclude) == (("src/**/*.py",), ("**/legacy/**",))
    assert [rule.match for rule in spec.rules] == [
        "**",
        "**.bias",
        "**",
        "models.mlp:MLP.fc*.weight",
        "GP.lengthscale",
        "Hier.weight",
    ]
    assert [rule.index for rule in spec.rules] == list(range(6))
    assert [(rule.line, rule.column) for rule in spec.rules[:3]] == [(5, 5), (7, 5), (9, 5)]
    assert spec.rules[2].layers == ("LayerNorm", "BatchNorm*")
    normal = Call("Normal", (Number(0), Number(1)))
    assert [rule.action for rule in spec.rules] == [
        Sample(normal),
        Sample(Call("Normal", (), (("loc", Number(0)), ("scale", Number(10))))),
        Keep(),
        Sample(parse_expression("Normal(0, fan_in ** -0.5)")),
        Param(Call("positive"), "exp"),
        Sample(Call("Normal", (Number(0), Attribute(("tau",)))), centered=False),
    ]
    tau, rate = spec.latents
    assert (tau.class_pattern, tau.name, tau.shape) == ("Hier", "tau", ())
    assert tau.action == Sample(Call("HalfCauchy", (Number(1),)))
    assert (rate.class_pattern, rate.name) == ("models.**:Hier", "fc.rate")
    assert rate.action == Deterministic(parse_expression("exp(self.log_rate)"))
    assert rate.shape == (Number(3), Attribute(("width",)))
    assert spec.options == Options(follow_module=True, load_original_state_dict=False)
    assert spec.svi == {"guide": {"family": "AutoNormal", "init_scale": 0.01}, "epochs": 200}
    assert spec.warnings == ()


def test_positions_of_keys():
    spec = parse_spec(EXAMPLE, "pyroify.yaml")
    assert spec.position("svi.guide.family") == Position(31, 19)
    assert spec.position("svi.epochs") == Position(32, 11)
    assert spec.position("priors.1.sample") == Position(8, 13)
    assert spec.position("svi.guide.missing") == spec.position("svi.guide") == Position(31, 10)
    assert spec.position("nothing.at.all") == Position(1, 1)


def test_problems_that_others_find_point_into_the_file():
    spec = parse_spec(EXAMPLE, "pyroify.yaml")
    problem = spec.problem("svi.guide.family", "PYR400", "no guide of that name", "use AutoNormal")
    assert str(problem) == (
        "pyroify.yaml:31:19 PYR400 no guide of that name\n"
        "      guide: {family: AutoNormal, init_scale: 1e-2}\n"
        "                      ^\n"
        "    help: use AutoNormal"
    )


def test_the_smallest_spec():
    assert parse_spec("version: 1", "p.yaml") == Spec(version=1, path="p.yaml", text="version: 1")


@pytest.mark.parametrize("section", ["priors:", "latents:", "svi:", "options:", "priors: []"])
def test_an_empty_section_is_no_section(section):
    spec = parse_spec(f"version: 1\n{section}\n", "p.yaml")
    assert (spec.rules, spec.latents, spec.svi, spec.options) == ((), (), {}, Options())


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ("sample: Normal(0, 1)", Call("Normal", (Number(0), Number(1)))),
        ("sample: 'Normal(0, 1)'", Call("Normal", (Number(0), Number(1)))),
        ("sample: {Normal: [0, 1]}", Call("Normal", (Number(0), Number(1)))),
        ("sample: {HalfCauchy: 1}", Call("HalfCauchy", (Number(1),))),
        ("sample: {Normal: {loc: -1, scale: '2'}}",
         Call("Normal", (), (("loc", Negative(Number(1))), ("scale", Number(2))))),
        ("sample:\n  Normal:\n    loc: 0\n    scale: 1e-3",
         Call("Normal", (), (("loc", Number(0)), ("scale", Number(0.001))))),
        ("sample: {Dirichlet: {concentration: [1, 2.5]}}",
         Call("Dirichlet", (), (("concentration", Items((Number(1), Number(2.5)))),))),
        ("sample: {FoldedDistribution: {base_dist: {Normal: [0, 1]}}}",
         Call("FoldedDistribution", (), (("base_dist", Call("Normal", (Number(0), Number(1)))),))),
        ("sample: >-\n  Normal(0,\n  1)", Call("Normal", (Number(0), Number(1)))),
    ],
)  # fmt: skip
def test_forms_of_a_distribution(body, call):
    assert read(body) == Sample(call)


@pytest.mark.parametrize(
    ("body", "action"),
    [
        ("param: positive", Param(Call("positive"))),
        ("param: interval(0, 2)", Param(Call("interval", (Number(0), Number(2))))),
        ("param: {interval: [0, 2]}", Param(Call("interval", (Number(0), Number(2))))),
        ("param: {greater_than: {lower_bound: 1}}",
         Param(Call("greater_than", (), (("lower_bound", Number(1)),)))),
        ("param: positive\ninit: softplus", Param(Call("positive"), "softplus")),
        ("param: positive\ninit: 1", Param(Call("positive"), 1.0)),
        ("param: positive\ninit: 1e-3", Param(Call("positive"), 0.001)),
        ("param: simplex\ninit: unconstrained", Param(Call("simplex"), "unconstrained")),
        ("param: real\nevent_dim: 1", Param(Call("real"), event_dim=1)),
        ("value: self.a * self.b", Deterministic(parse_expression("self.a * self.b"))),
        ("keep: true", Keep()),
        ("keep: yes", Keep()),
        ("keep: on", Keep()),
    ],
)  # fmt: skip
def test_forms_of_an_action(body, action):
    assert read(body) == action


# What YAML 1.1 gets wrong


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("010", 10),
        ("0o10", "0o10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("'1'", "1"),
        ("2024-01-01", "2024-01-01"),
        (".inf", float("inf")),
        ("-.5", -0.5),
        ("+1", 1),
        ("[1, a]", [1, "a"]),
    ],
)
def test_scalars_of_the_svi_section(text, value):
    spec = parse_spec(f"version: 1\nsvi: {{key: {text}}}", "p.yaml")
    assert spec.svi == {"key": value}
    assert type(spec.svi["key"]) is type(value)


def test_words_stay_words():
    text = (
        "version: 1\nlatents:\n- {class: on, name: off, sample: HalfCauchy(1)}\nsvi: {on: 1, 2: no}"
    )
    spec = parse_spec(text, "p.yaml")
    assert (spec.latents[0].class_pattern, spec.latents[0].name) == ("on", "off")
    assert spec.svi == {"on": 1, "2": "no"}


def test_numbers_in_expressions_need_no_quotes():
    assert read("sample: {Normal: {loc: 010, scale: 1e-3}}") == Sample(
        Call("Normal", (), (("loc", Number(10)), ("scale", Number(0.001))))
    )


# Errors that a table of text cannot show; for all others see test_spec_errors.py


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p:1:1 PYR100 the spec is empty\n    help: start it with `version: 1`"),
        ("a: \x00", "p:1:4 PYR100 not valid YAML: character U+0000 is not allowed\n"
         "    a: \x00\n       ^"),
    ],
)  # fmt: skip
def test_unreadable(text, message):
    with pytest.raises(SpecError) as info:
        parse_spec(text, "p")
    assert str(info.value) == message


def test_alias_bombs_are_refused():
    lines = ["a: &a0 [x, x]"] + [
        f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)
    ]
    with pytest.raises(SpecError, match="nested too deep, or aliases repeat too much"):
        parse_spec("\n".join(lines), "p")


def test_deep_nesting_is_refused():
    with pytest.raises(SpecError) as info:
        parse_spec("a: " + "[" * 5000 + "]" * 5000, "p")
    assert str(info.value).startswith("p:1:1 PYR100 not valid YAML: nested too deep\n")


def test_aliases_may_share_a_list():
    text = (
        "version: 1\npriors:\n- {match: a, layer: &norms [LayerNorm], keep: true}\n"
        "- {match: b, layer: *norms, keep: true}\n"
    )
    assert parse_spec(text, "p").rules[1].layers == ("LayerNorm",)


@pytest.mark.parametrize("init", ["exp", "softplus"])
@pytest.mark.parametrize(
    "constraint", ["positive", "nonnegative", "softplus_positive", "greater_than(0)", "real"]
)
def test_exp_and_softplus_fit_where_every_positive_number_does(constraint, init):
    assert read(f"param: {constraint}\ninit: {init}").init == init


@pytest.mark.parametrize(
    "sample",
    [
        "Uniform([0, 1], 2)",
        "Uniform(fan_in, 0)",
        "MultivariateNormal(0, [[1, fan_in], [2, 1]])",
        "MultivariateNormal([0, 1], [[self.a, 0.5], [0.5, 1]])",
        "MultivariateNormal(0, scale_tril=[[1, 0], [fan_in, 1]])",
        "MultivariateNormal(0, self.cov)",
        "OneHotCategorical([fan_in, 0.5])",
        "Dirichlet([[1, 2], [3, 4]])",
        "LKJCholesky(3)",
        "Normal(0, 1 / fan_in - 5)",
    ],
)
def test_what_is_not_known_to_be_wrong_passes(sample):
    assert isinstance(read(f'sample: "{sample}"'), Sample)


def test_parts_of_a_mixture_may_be_discrete():
    body = "sample: MixtureSameFamily(Categorical([0.5, 0.5]), Normal([0, 0], [1, 0.1]))"
    spec = parse_spec(rule(body), "pyroify.yaml")
    assert [warning.message for warning in spec.warnings] == [
        "no autoguide can take MixtureSameFamily: Pyro has no transform for the support of a "
        "mixture"
    ]


def test_positions_where_the_text_is_not_written_as_is():
    """An escape, or a folded line: the error points at the start of the value."""
    for body in ('sample: "Normal(0,\\x20-1)"', "sample: >-\n  Normal(0,\n  -1)"):
        (problem,) = problems(rule(body))
        assert problem.startswith("pyroify.yaml:4:13 PYR108 scale = -1 is outside")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_positions_do_not_depend_on_line_ends(newline):
    text = rule("sample: Norml(0, 1)").replace("\n", newline)
    assert problems(text)[0].startswith("pyroify.yaml:4:13 ")


def test_file_with_bom(tmp_path):
    path = tmp_path / "pyroify.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\nprior: []\n")
    with pytest.raises(SpecError) as info:
        load_spec(path)
    assert str(info.value).startswith(f"{path.as_posix()}:2:1 PYR101 ")


def test_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "pyroify.yaml"
    path.write_bytes(b"version: 1 # \xff\n")
    with pytest.raises(SpecError) as info:
        load_spec(path)
    assert str(info.value) == (
        f"{path.as_posix()}:1:1 PYR100 the spec is not UTF-8: byte 13 is 0xff\n"
        "    help: save the file as UTF-8"
    )


def test_file_that_is_not_there(tmp_path):
    path = tmp_path / "pyroify.yaml"
    with pytest.raises(SpecError) as info:
        load_spec(path)
    message = "PYR100 cannot read the spec: No such file or directory"
    assert str(info.value) == f"{path.as_posix()}:1:1 {message}"


def test_specs_can_be_sent_to_workers():
    import pickle

    spec = parse_spec(EXAMPLE, "pyroify.yaml")
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_only_what_is_repeated_counts_as_repeated(monkeypatch):
    monkeypatch.setattr("pyroify.spec.reader._MAX_REPEATED", 2)
    rules = "".join(f"  - match: Net{n}.weight\n    sample: Normal(0, 1)\n" for n in range(20))
    assert len(parse_spec(f"version: 1\npriors:\n{rules}", "p").rules) == 20
