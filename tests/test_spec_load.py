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
        "pyroify.yaml:31:19: PYR400 no guide of that name\n"
        "      guide: {family: AutoNormal, init_scale: 1e-2}\n"
        "                      ^\n"
        "  help: use AutoNormal"
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


# Errors: exact text and position


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p:1:1: PYR100 the spec is empty\n  help: start it with `version: 1`"),
        ("# nothing\n", "p:1:1: PYR100 the spec is empty\n    # nothing\n    ^\n"
         "  help: start it with `version: 1`"),
        ("- a\n", "p:1:1: PYR100 the spec must be a mapping\n    - a\n    ^\n"
         "  help: start it with `version: 1`"),
        ("version: 1\npriors: [\n", "p:3:1: PYR100 not valid YAML: expected the node content, "
         "but found '<stream end>'"),
        ("a: b: c\n", "p:1:5: PYR100 not valid YAML: mapping values are not allowed here\n"
         "    a: b: c\n        ^\n  help: quote text that holds a colon"),
        ("priors:\n- match: **\n", "p:2:11: PYR100 not valid YAML: expected alphabetic or numeric "
         "character, but found '*'\n    - match: **\n              ^\n"
         "  help: quote what begins with an asterisk: match: \"**\""),
        ("layer: *Norm\n", "p:1:8: PYR100 not valid YAML: found undefined alias 'Norm'\n"
         "    layer: *Norm\n           ^\n"
         "  help: quote what begins with an asterisk: match: \"**\""),
        ("version: 1\n\tsvi: 2\n", "p:2:1: PYR100 not valid YAML: found character '\\t' that "
         "cannot start any token\n     svi: 2\n    ^\n  help: indent with spaces"),
        ("a: \x00", "p:1:4: PYR100 not valid YAML: character U+0000 is not allowed\n"
         "    a: \x00\n       ^"),
        ("--- 1\n--- 2\n", "p:2:1: PYR100 not valid YAML: but found another document\n"
         "    --- 2\n    ^"),
        ("a: &x [*x]\n", "p:1:4: PYR100 nested too deep, or aliases repeat too much\n"
         "    a: &x [*x]\n       ^"),
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
    with pytest.raises(SpecError, match="nested too deep"):
        parse_spec("a: " + "[" * 5000 + "]" * 5000, "p")


def test_aliases_may_share_a_list():
    text = (
        "version: 1\npriors:\n- {match: a, layer: &norms [LayerNorm], keep: true}\n"
        "- {match: b, layer: *norms, keep: true}\n"
    )
    assert parse_spec(text, "p").rules[1].layers == ("LayerNorm",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("svi: {}", "1:1: PYR102 the spec has no version\n    svi: {}\n    ^\n"
         "  help: add `version: 1`"),
        ("version: 2", "1:10: PYR103 version 2 of the spec is not known\n    version: 2\n"
         "             ^\n  help: this pyroify reads `version: 1`"),
        ("version: one", "1:10: PYR103 version must be a whole number\n    version: one\n"
         "             ^"),
        ("version: 1\nprior: []", "2:1: PYR101 the spec has no key 'prior'\n    prior: []\n    ^\n"
         "  help: did you mean 'priors'?"),
        ("version: 1\nx: []", "2:1: PYR101 the spec has no key 'x'\n    x: []\n    ^\n"
         "  help: known keys: version, include, exclude, priors, latents, options, svi"),
        ("version: 1\nsvi: {}\nsvi: {}", "3:1: PYR117 'svi' is given twice; first in line 2\n"
         "    svi: {}\n    ^"),
        ("version: 1\n[a]: 1", "2:1: PYR103 a key of the spec must be a plain word\n    [a]: 1\n"
         "    ^"),
        ("version: 1\npriors: {}", "2:9: PYR103 priors must be a list\n    priors: {}\n"
         "            ^\n  help: start each entry with '- '"),
        ("version: 1\npriors: [x]", "2:10: PYR103 a rule must be a mapping\n    priors: [x]\n"
         "             ^\n  help: known keys: match, layer, sample, value, param, keep, init, "
         "event_dim, centered"),
        ("version: 1\ninclude: {}", "2:10: PYR103 include must be a list\n    include: {}\n"
         "             ^\n  help: start each entry with '- '"),
        ("version: 1\nsvi: [1]", "2:6: PYR103 svi must be a mapping\n    svi: [1]\n         ^"),
        ("version: 1\noptions: {follow: true}", "2:11: PYR101 options has no key 'follow'\n"
         "    options: {follow: true}\n              ^\n  help: did you mean 'follow_module'?"),
        ("version: 1\noptions: {follow_module: 1}", "2:26: PYR103 follow_module must be true or "
         "false\n    options: {follow_module: 1}\n                             ^"),
    ],
)  # fmt: skip
def test_errors_of_the_spec(text, message):
    (problem,) = problems(text)
    assert problem == f"pyroify.yaml:{message}"


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        ("x: 1", "4:5", "PYR101 a rule has no key 'x'"),
        ("layer: Linear", "3:5", "PYR102 a rule says nothing to do"),
        ("keep: false", "4:11", "PYR103 keep: false says nothing"),
        ("keep: maybe", "4:11", "PYR103 keep must be true or false"),
        ("keep: true\nparam: positive", "5:5", "PYR103 a rule has both keep and param"),
        ("keep: true\ninit: 1", "5:5", "PYR101 init only goes with param"),
        ("keep: true\nevent_dim: 1", "5:5", "PYR101 event_dim only goes with param"),
        ("param: real\ncentered: false", "5:5", "PYR101 centered only goes with sample"),
        ("sample: 3", "4:13", "PYR103 sample must be a distribution"),
        ("sample: ", "4:12", "PYR103 sample must be a string"),
        ("sample: [1]", "4:13", "PYR103 sample must be a distribution"),
        ("sample: {}", "4:13", "PYR103 sample must have exactly one key, the name"),
        ("sample: {Normal: 0, Gamma: 1}", "4:13",
         "PYR103 sample must have exactly one key, the name"),
        ("sample: {1a: 0}", "4:14", "PYR105 '1a' is not a name"),
        ("sample: {Normal: []}", "4:14", "PYR107 Normal needs loc and scale"),
        ("sample: {Normal: {loc: [], scale: 1}}", "4:28", "PYR105 an empty list is no tensor"),
        ("sample: Normal(0, 1", "4:24", "PYR105 the expression ends too early"),
        ("sample: 'Normal(0; 1)'", "4:22", "PYR105 unexpected ';'"),
        ("layer: Linaer\nkeep: true", "4:12", "PYR116 torch.nn has no layer 'Linaer'"),
        ("layer: [nn.Linear, MyLayer]\nkeep: true", "4:24",
         "PYR116 torch.nn has no layer 'MyLayer'"),
        ("layer: [~]\nkeep: true", "4:13", "PYR103 layer must be a string"),
        ("layer: ReLU\nkeep: true", "4:12", "PYR116 ReLU has no parameters of its own"),
        ("layer: Batchnorm*\nkeep: true", "4:12",
         "PYR116 torch.nn has no layer that matches 'Batchnorm*'"),
        ("layer: {a: b}\nkeep: true", "4:12", "PYR103 layer must be a list"),
        ("param: 3", "4:12", "PYR103 param must be a constraint"),
        ("param: positive\ninit: nope", "5:11", "PYR103 init must be a number, keep, exp, softplus "
         "or unconstrained"),
        ("param: positive\ninit: .inf", "5:11", "PYR103 init must be a number, keep, exp, softplus "
         "or unconstrained"),
        ("param: positive\nevent_dim: a", "5:16", "PYR103 event_dim must be a whole number"),
        ("value: 1 + 2", "4:14", "PYR107 value reads no attribute, so it is a constant"),
    ],
)  # fmt: skip
def test_errors_of_a_rule(body, place, message):
    (problem,) = problems(rule(body))
    assert problem.splitlines()[0] == f"pyroify.yaml:{place}: {message}"


@pytest.mark.parametrize(
    ("sample", "offset", "message", "help"),
    [
        ("Norml(0, 1)", 0, "PYR106 unknown distribution 'Norml'", "did you mean 'Normal'?"),
        ("normal(0, 1)", 0, "PYR106 unknown distribution 'normal'", "did you mean 'Normal'?"),
        ("Zzz(0)", 0, "PYR106 unknown distribution 'Zzz'",
         "pyroify schema lists the distributions"),
        ("LKJ(3)", 0, "PYR106 LKJ cannot be a prior: it cannot be expanded to the shape of a "
         "parameter; use LKJCholesky", ""),
        ("ImproperUniform(0)", 0, "PYR106 ImproperUniform cannot be a prior: it cannot be sampled",
         ""),
        ("sqrt(2)", 0, "PYR106 sqrt is a number, not a distribution", "Normal(0, sqrt(2))?"),
        ("Normal", 0, "PYR107 Normal needs loc and scale", "Normal takes loc, scale"),
        ("Normal(0)", 0, "PYR107 Normal needs scale", "Normal takes loc, scale"),
        ("Normal(0, 1, 2)", 13, "PYR107 Normal has no third argument", "Normal takes loc, scale"),
        ("Normal(0, sclae=1)", 16, "PYR107 Normal has no argument 'sclae'",
         "did you mean 'scale'?"),
        ("Normal(0, 1, loc=1)", 17, "PYR107 'loc' is given by position and by name", ""),
        ("Bernoulli()", 0, "PYR107 Bernoulli needs exactly one of probs, logits", ""),
        ("Bernoulli(0.5, 0)", 0, "PYR107 Bernoulli needs exactly one of probs, logits", ""),
        ("MultivariateNormal(0)", 0, "PYR107 MultivariateNormal needs exactly one of "
         "covariance_matrix, precision_matrix, scale_tril", ""),
        ("Normal(0, HalfCauchy(1))", 10, "PYR107 scale must be a number or a tensor, not a "
         "distribution", "declare it under latents: and read it here, as self.scale"),
        ("Normal(0, fan_inn)", 10, "PYR107 unknown name 'fan_inn'", "did you mean 'fan_in'?"),
        ("Normal(0, open(1))", 10, "PYR107 unknown name 'open'",
         "known names: sqrt, exp, log, radford, xavier, kaiming, fan_in, fan_out, numel, ndim, "
         "shape[i], self.name"),
        ("Normal(0, sqrt(1, 2))", 10, "PYR107 sqrt takes one argument", ""),
        ("Normal(0, sqrt(x=1))", 10, "PYR107 sqrt takes one argument", ""),
        ("Normal(0, radford(1))", 10, "PYR107 radford takes no arguments", ""),
        ("Normal(0, kaiming(1, 2))", 10, "PYR107 kaiming takes at most a gain", ""),
        ("Normal(0, -1)", 10, "PYR108 scale = -1 is outside positive (> 0)", ""),
        ("Normal(0, 0)", 10, "PYR108 scale = 0 is outside positive (> 0)", ""),
        ("Normal(0, 1 - 2)", 12, "PYR108 scale = 1 - 2 is outside positive (> 0)", ""),
        ("Normal(0, [1, -1])", 14, "PYR108 scale = -1 is outside positive (> 0)", ""),
        ("Normal(0, 1 / 0)", 12, "PYR108 1 / 0 has no finite value", ""),
        ("Normal(0, fan_in + 1 / 0)", 21, "PYR108 1 / 0 has no finite value", ""),
        ("Normal(0, log(0))", 10, "PYR108 log(0) has no finite value", ""),
        ("Uniform(1, 0)", 8, "PYR108 low = 1 is not below high = 0", ""),
        ("Uniform(1, 1)", 8, "PYR108 low = 1 is not below high = 1", ""),
        ("Stable(3, 0)", 7, "PYR108 stability = 3 is outside interval (>= 0, <= 2)", ""),
        ("Dirichlet([1, 0])", 14, "PYR108 concentration = 0 is outside positive (> 0)", ""),
        ("Dirichlet([[1, 2], [3]])", 10, "PYR107 the rows of the list differ in length", ""),
        ("Normal([1 + [2], 3], 1)", 10, "PYR107 a list holds numbers, or lists of the same length",
         ""),
        ("LKJCholesky(fan_in)", 12, "PYR107 dim must be a whole number", ""),
        ("LKJCholesky(2.5)", 12, "PYR107 dim must be a whole number", ""),
        ("LKJCholesky(0)", 12, "PYR108 dim = 0 is outside positive_integer (>= 1)", ""),
        ("MultivariateNormal(0, [[1, 0]])", 22,
         "PYR107 covariance_matrix must be square, not 1 by 2", ""),
        ("MultivariateNormal(0, [1, 2])", 22,
         "PYR107 covariance_matrix must be a list of 2 dimensions", ""),
        ("MultivariateNormal(0, [[1, 2], [3, 1]])", 22,
         "PYR108 covariance_matrix = [[1, 2], [3, 1]] is outside positive_definite: it is not "
         "symmetric", ""),
        ("MultivariateNormal(0, [[1, 0], [0, -1]])", 22,
         "PYR108 covariance_matrix = [[1, 0], [0, -1]] is outside positive_definite "
         "(diagonal > 0)", ""),
        ("MultivariateNormal(0, scale_tril=[[1, 2], [0, 1]])", 33,
         "PYR108 scale_tril = [[1, 2], [0, 1]] is outside lower_cholesky: it is not zero above "
         "the diagonal", ""),
        ("Uniform([1, 1 / 0], 0)", 14, "PYR108 1 / 0 has no finite value", ""),
        ("MultivariateNormal(0, [[[1, 0], [0, 1]], [[1, 0], [0, -1]]])", 41,
         "PYR108 covariance_matrix = [[1, 0], [0, -1]] is outside positive_definite "
         "(diagonal > 0)", ""),
        ("MultivariateNormal(0, scale_tril=-1)", 33,
         "PYR108 scale_tril = -1 is outside lower_cholesky (diagonal > 0)", ""),
        ("OneHotCategorical(0.5)", 18, "PYR107 probs must be a list that sums to 1", ""),
        ("OneHotCategorical([0.5, 0.6])", 18,
         "PYR108 probs = [0.5, 0.6] is outside simplex: it sums to 1.1, not to 1", ""),
        ("OneHotCategorical([1.5, -0.5])", 18,
         "PYR108 probs = [1.5, -0.5] is outside simplex (>= 0)", ""),
        ("FoldedDistribution(1)", 19, "PYR107 base_dist of FoldedDistribution must be a "
         "distribution", ""),
        ("FoldedDistribution(Normal(0, -1))", 29, "PYR108 scale = -1 is outside positive (> 0)",
         ""),
    ],
)  # fmt: skip
def test_errors_of_a_distribution(sample, offset, message, help):
    text = rule(f'sample: "{sample}"')
    (problem,) = problems(text)
    expected = (
        f"pyroify.yaml:4:{14 + offset}: {message}\n"
        f'        sample: "{sample}"\n'
        f"{' ' * (4 + 13 + offset)}^"
    )
    assert problem == expected + (f"\n  help: {help}" if help else "")


@pytest.mark.parametrize(
    ("body", "line", "column", "message"),
    [
        ("param: positve", 4, 12, "PYR109 unknown constraint 'positve'"),
        ("param: independent", 4, 12, "PYR109 independent is not a constraint a spec can use"),
        ("param: boolean", 4, 12,
         "PYR109 boolean has no transform, so no parameter can be learned under it"),
        ("param: interval", 4, 12, "PYR109 interval takes lower_bound, upper_bound"),
        ("param: interval(0)", 4, 12, "PYR109 interval takes lower_bound, upper_bound"),
        ("param: positive(1)", 4, 12, "PYR109 positive takes no arguments"),
        ("param: greater_than(x=1)", 4, 12, "PYR109 greater_than takes lower_bound"),
        ("param: greater_than(fan_in)", 4, 25, "PYR109 fan_in is not a plain number"),
        ("param: greater_than(1 / 0)", 4, 27, "PYR108 1 / 0 has no finite value"),
        ("param: interval(2, 1)", 4, 12,
         "PYR109 interval(2, 1) is empty: the lower bound is not below the upper one"),
        ("param: positive\ninit: 0", 5, 11, "PYR034 init 0.0 is not inside positive (> 0)"),
        ("param: positive\ninit: -1", 5, 11, "PYR034 init -1.0 is not inside positive (> 0)"),
        ("param: unit_interval\ninit: 1", 5, 11,
         "PYR034 init 1.0 is not inside unit_interval (>= 0, <= 1)"),
        ("param: interval(1, 2)\ninit: 3", 5, 11,
         "PYR034 init 3.0 is not inside interval (>= 1, <= 2)"),
        ("param: simplex\ninit: 1", 5, 11, "PYR034 a tensor filled with 1.0 is not in simplex"),
        ("param: unit_interval\ninit: exp", 5, 11,
         "PYR034 init exp gives any positive number, but not all are in unit_interval"),
        ("param: simplex\ninit: softplus", 5, 11,
         "PYR034 init softplus gives any positive number, but not all are in simplex"),
        ("param: corr_cholesky\ninit: unconstrained", 5, 11,
         "PYR034 the unconstrained form of corr_cholesky has another shape"),
        ("param: simplex\nevent_dim: 0", 5, 16,
         "PYR109 event_dim must be at least 1 for simplex"),
        ("sample: Gamma(1, 1)\ncentered: false", 4, 13, "PYR107 Gamma has no non-centred form"),
    ],
)  # fmt: skip
def test_errors_of_a_param(body, line, column, message):
    (problem,) = problems(rule(body))
    assert problem.splitlines()[0] == f"pyroify.yaml:{line}:{column}: {message}"


@pytest.mark.parametrize("init", ["exp", "softplus"])
@pytest.mark.parametrize(
    "constraint", ["positive", "nonnegative", "softplus_positive", "greater_than(0)", "real"]
)
def test_exp_and_softplus_fit_where_every_positive_number_does(constraint, init):
    assert read(f"param: {constraint}\ninit: {init}").init == init


@pytest.mark.parametrize(
    ("entry", "column", "message"),
    [
        ("{name: t, sample: HalfCauchy(1)}", 5, "PYR102 a latent has no class"),
        ("{class: A, sample: HalfCauchy(1)}", 5, "PYR102 a latent has no name"),
        ("{class: A, name: t}", 5, "PYR102 a latent says nothing to do"),
        ("{class: A, name: 1t, sample: HalfCauchy(1)}", 22, "PYR103 '1t' is not the name of an "
         "attribute"),
        ("{class: A, name: class, sample: HalfCauchy(1)}", 22, "PYR103 'class' is not the name of "
         "an attribute"),
        ("{class: A, name: a..b, sample: HalfCauchy(1)}", 22, "PYR103 'a..b' is not the name of an "
         "attribute"),
        ("{class: A, name: t_unconstrained, sample: HalfCauchy(1)}", 22,
         "PYR103 Pyro uses the name 't_unconstrained' itself"),
        ("{class: A, name: _pyro_x, sample: HalfCauchy(1)}", 22,
         "PYR103 Pyro uses the name '_pyro_x' itself"),
        ("{class: A, name: , sample: HalfCauchy(1)}", 21, "PYR103 name must be a string"),
        ("{class: A, name: t, value: 3}", 32,
         "PYR107 value reads no attribute, so it is a constant"),
        ("{class: a b, name: t, sample: HalfCauchy(1)}", 14, "PYR104 unexpected ' ' in a pattern"),
        ("{class: A, name: t, sample: HalfCauchy(-1)}", 44,
         "PYR108 scale = -1 is outside positive (> 0)"),
        ("{class: A, name: t, sample: HalfCauchy(1), shape: [0]}", 56,
         "PYR103 a size must be a whole number above 0, or an attribute: self.hidden"),
        ("{class: A, name: t, sample: HalfCauchy(1), shape: 3}", 55,
         "PYR103 shape must be a list"),
        ("{class: A, name: t, keep: true, sample: HalfCauchy(1)}", 25,
         "PYR101 a latent has no key 'keep'"),
    ],
)  # fmt: skip
def test_errors_of_a_latent(entry, column, message):
    (problem,) = problems(f"version: 1\nlatents:\n  - {entry}\n")
    assert problem.splitlines()[0] == f"pyroify.yaml:3:{column}: {message}"


def test_a_comma_that_cuts_an_expression_short():
    text = "version: 1\npriors:\n  - {match: a, sample: Normal(0, 1)}\n"
    cut_off, rest = problems(text)
    assert cut_off == (
        "pyroify.yaml:3:32: PYR105 the expression ends too early\n"
        "      - {match: a, sample: Normal(0, 1)}\n"
        "                                   ^\n"
        "  help: inside { } a comma ends the value; quote it"
    )
    assert rest.startswith("pyroify.yaml:3:34: PYR101 a rule has no key '1)'")


def test_all_errors_are_reported_in_the_order_of_the_file():
    text = 'version: 3\npriors:\n  - {match: "a..b", sample: "Norml(0)"}\n  - {}\nlatents: 1\n'
    assert [problem.splitlines()[0] for problem in problems(text)] == [
        "pyroify.yaml:1:10: PYR103 version 3 of the spec is not known",
        "pyroify.yaml:3:16: PYR104 two dots with nothing between, or a dot at an end",
        "pyroify.yaml:3:30: PYR106 unknown distribution 'Norml'",
        "pyroify.yaml:4:5: PYR102 a rule has no match",
        "pyroify.yaml:4:5: PYR102 a rule says nothing to do",
        "pyroify.yaml:5:10: PYR103 latents must be a list",
    ]


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


def test_a_discrete_prior_is_a_warning():
    spec = parse_spec(rule("sample: Bernoulli(0.5)"), "pyroify.yaml")
    assert [str(warning) for warning in spec.warnings] == [
        "pyroify.yaml:4:13: PYR110 no autoguide can take Bernoulli: its values are discrete, and "
        "autoguides are continuous\n"
        "        sample: Bernoulli(0.5)\n"
        "                ^\n"
        "  help: sample it with NUTS where it is continuous, or write a guide by hand"
    ]


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
        assert problem.startswith("pyroify.yaml:4:13: PYR108 scale = -1 is outside")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_positions_do_not_depend_on_line_ends(newline):
    text = rule("sample: Norml(0, 1)").replace("\n", newline)
    assert problems(text)[0].startswith("pyroify.yaml:4:13: ")


def test_file_with_bom(tmp_path):
    path = tmp_path / "pyroify.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\nprior: []\n")
    with pytest.raises(SpecError) as info:
        load_spec(path)
    assert str(info.value).startswith(f"{path.as_posix()}:2:1: PYR101 ")


def test_file_that_is_not_utf8(tmp_path):
    path = tmp_path / "pyroify.yaml"
    path.write_bytes(b"version: 1 # \xff\n")
    with pytest.raises(SpecError) as info:
        load_spec(path)
    assert str(info.value) == (
        f"{path.as_posix()}:1:1: PYR100 the spec is not UTF-8: byte 13 is 0xff\n"
        "  help: save the file as UTF-8"
    )


def test_file_that_is_not_there(tmp_path):
    path = tmp_path / "pyroify.yaml"
    with pytest.raises(SpecError) as info:
        load_spec(path)
    message = "PYR100 cannot read the spec: No such file or directory"
    assert str(info.value) == f"{path.as_posix()}:1:1: {message}"


def test_specs_can_be_sent_to_workers():
    import pickle

    spec = parse_spec(EXAMPLE, "pyroify.yaml")
    assert pickle.loads(pickle.dumps(spec)) == spec
