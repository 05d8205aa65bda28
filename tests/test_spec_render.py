"""Decisions to source: the exact text, and what Pyro makes of it."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.distributions import constraints
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch.distributions import transform_to

from pyroify.catalog.constraints import CONSTRAINTS
from pyroify.code.names import Names
from pyroify.code.statements import Declared
from pyroify.code.write import write_constraint, write_value
from pyroify.migration.old_priors import free_names
from pyroify.spec.expressions import parse_expression
from pyroify.spec.literals import AROUND_ZERO, NEAR, written_range
from pyroify.spec.model import Deterministic, Param, Sample
from pyroify.spec.render import (
    Place,
    RenderError,
    attributes_read,
    render_constraint,
    render_declarations,
    render_param,
    render_sample,
)

FC = Place("self.fc1.weight", "self.fc1", ("out_features", "in_features"))
BIAS = Place("self.fc1.bias", "self.fc1", ("out_features",), fan_in="in_features")
CONV = Place("self.conv.weight", "self.conv", None, ndim=4)
OWN = Place("self.w", "self", ("n", "m + 1"))
VECTOR = Place("self.w", "self", ("3",))
SCALAR = Place("self.w", "self", ())
UNKNOWN = Place("self.w", "self")
LOOP = Place("value", "module")


def sample(text: str, centered: bool = True) -> Sample:
    return Sample(parse_expression(text), centered)


def param(text: str, init="keep", event_dim=None) -> Param:
    return Param(parse_expression(text), init, event_dim)


def written(value: Declared, names: Names | None = None) -> str:
    return write_value(value, names or Names())


def declarations(action: Sample | Deterministic | Param, place: Place) -> list[tuple[str, str]]:
    made = render_declarations(action, place, Names())
    return [(item.target, written(item.value)) for item in made]


@pytest.mark.parametrize(
    ("prior", "place", "source"),
    [
        ("Normal(0, 1)", FC,
         "dist.Normal(0.0, 1.0).expand([out_features, in_features]).to_event(2)"),
        ("Normal(0, 1)", UNKNOWN,
         "dist.Normal(0.0, 1.0).expand(self.w.shape).to_event()"),
        ("Normal(0, 1)", LOOP, "dist.Normal(0.0, 1.0).expand(value.shape).to_event()"),
        ("Normal(0, 1)", CONV,
         "dist.Normal(0.0, 1.0).expand(self.conv.weight.shape).to_event(4)"),
        ("Normal(0, 1)", SCALAR, "dist.Normal(0.0, 1.0)"),
        ("Normal(-1, 1e-3)", VECTOR, "dist.Normal(-1.0, 0.001).expand([3]).to_event(1)"),
        ("Normal(scale=1, loc=0)", VECTOR, "dist.Normal(0.0, 1.0).expand([3]).to_event(1)"),
        ("StudentT(3)", VECTOR, "dist.StudentT(3.0).expand([3]).to_event(1)"),
        ("StudentT(3, scale=2)", VECTOR, "dist.StudentT(3.0, scale=2.0).expand([3]).to_event(1)"),
        ("Normal(0, fan_in ** -0.5)", FC,
         "dist.Normal(0.0, in_features**-0.5).expand([out_features, in_features]).to_event(2)"),
        ("Normal(0, fan_in ** -0.5)", BIAS,
         "dist.Normal(0.0, in_features**-0.5).expand([out_features]).to_event(1)"),
        ("Normal(0, radford)", CONV,
         "dist.Normal(0.0, self.conv.weight[0].numel() ** -0.5)"
         ".expand(self.conv.weight.shape).to_event(4)"),
        ("Normal(0, xavier)", OWN,
         "dist.Normal(0.0, (2 / ((m + 1) + n)) ** 0.5).expand([n, m + 1]).to_event(2)"),
        ("Normal(0, kaiming(2))", OWN,
         "dist.Normal(0.0, 2 * (m + 1) ** -0.5).expand([n, m + 1]).to_event(2)"),
        ("Normal(0, 1 / fan_out)", CONV,
         "dist.Normal(0.0, 1 / self.conv.weight[:, 0].numel())"
         ".expand(self.conv.weight.shape).to_event(4)"),
        ("Normal(0, 1 / numel)", OWN,
         "dist.Normal(0.0, 1 / (n * (m + 1))).expand([n, m + 1]).to_event(2)"),
        ("Normal(0, numel)", SCALAR, "dist.Normal(0.0, 1)"),
        ("Normal(0, sqrt(numel))", VECTOR, "dist.Normal(0.0, 3**0.5).expand([3]).to_event(1)"),
        ("Normal(shape[-1], exp(ndim))", OWN,
         "dist.Normal(m + 1, math.exp(2)).expand([n, m + 1]).to_event(2)"),
        ("Normal(-fan_in ** 2, (1 + ndim) ** 2)", FC,
         "dist.Normal(-(in_features**2), (1 + 2) ** 2)"
         ".expand([out_features, in_features]).to_event(2)"),
        ("Normal([0, 1, 2], 1)", VECTOR,
         "dist.Normal(torch.tensor([0.0, 1.0, 2.0]), 1.0).expand([3]).to_event(1)"),
        ("Normal([1 / 4, 1, 2], 1)", VECTOR,
         "dist.Normal(torch.tensor([0.25, 1.0, 2.0]), 1.0).expand([3]).to_event(1)"),
        ("Normal([fan_out, 1, 2], 1)", Place("self.w", "self", ("3",), fan_out="k"),
         "dist.Normal(torch.tensor([k, 1.0, 2.0]), 1.0).expand([3]).to_event(1)"),
        ("Bernoulli(logits=0)", VECTOR, "dist.Bernoulli(logits=0.0).expand([3]).to_event(1)"),
        ("Bernoulli(0.5)", VECTOR, "dist.Bernoulli(probs=0.5).expand([3]).to_event(1)"),
        ("RelaxedBernoulli(0.5, 0.2)", VECTOR,
         "dist.RelaxedBernoulli(torch.tensor(0.5), probs=0.2).expand([3]).to_event(1)"),
        ("FoldedDistribution(Normal(0, 1))", VECTOR,
         "dist.FoldedDistribution(dist.Normal(0.0, 1.0)).expand([3]).to_event(1)"),
        ("MixtureSameFamily(Categorical([0.5, 0.5]), Normal([0, 0], [1, 0.1]))", VECTOR,
         "dist.MixtureSameFamily(dist.Categorical(probs=torch.tensor([0.5, 0.5])), "
         "dist.Normal(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.1])))"
         ".expand([3]).to_event(1)"),
        ("Dirichlet(1)", VECTOR, "dist.Dirichlet(torch.ones(3))"),
        ("Dirichlet(0.5)", OWN, "dist.Dirichlet(torch.full([m + 1], 0.5)).expand([n]).to_event(1)"),
        ("Dirichlet([1, 2, 3])", VECTOR, "dist.Dirichlet(torch.tensor([1.0, 2.0, 3.0]))"),
        ("Dirichlet(1)", UNKNOWN,
         "dist.Dirichlet(torch.ones(self.w.shape[-1]))"
         ".expand(self.w.shape[:-1]).to_event(self.w.dim() - 1)"),
        ("MultivariateNormal(0, scale_tril=2)", OWN,
         "dist.MultivariateNormal(torch.zeros(m + 1), scale_tril=2.0 * torch.eye(m + 1))"
         ".expand([n]).to_event(1)"),
        ("MultivariateNormal([0, 1], [[1, 0], [0, 2]])", Place("self.w", "self", ("2",)),
         "dist.MultivariateNormal(torch.tensor([0.0, 1.0]), "
         "covariance_matrix=torch.tensor([[1.0, 0.0], [0.0, 2.0]]))"),
        ("MultivariateNormal(0, fan_in)", OWN,
         "dist.MultivariateNormal(torch.zeros(m + 1), covariance_matrix=(m + 1) * torch.eye(m + 1))"
         ".expand([n]).to_event(1)"),
        ("LKJCholesky(3)", Place("self.w", "self", ("3", "3")), "dist.LKJCholesky(3)"),
        ("LKJCholesky(3, 2)", Place("self.w", "self", ("k", "3", "3")),
         "dist.LKJCholesky(3, 2.0).expand([k]).to_event(1)"),
    ],
)  # fmt: skip
def test_samples(prior, place, source):
    assert written(render_sample(sample(prior), place, Names())) == f"PyroSample({source})"


@pytest.mark.parametrize(
    ("prior", "place", "source"),
    [
        ("Normal(0, self.tau)", OWN,
         "lambda self: dist.Normal(0.0, self.tau).expand([n, m + 1]).to_event(2)"),
        ("Normal(self.a.b, 1)", SCALAR, "lambda self: dist.Normal(self.a.b, 1.0)"),
        ("Normal(0, exp(self.log_tau / 2))", SCALAR,
         "lambda self: dist.Normal(0.0, (self.log_tau / 2).exp())"),
        ("Normal(0, exp([1, 2, 3]) * self.tau)", VECTOR,
         "lambda self: dist.Normal(0.0, torch.tensor([1.0, 2.0, 3.0]).exp() * self.tau)"
         ".expand([3]).to_event(1)"),
        ("Normal(0, sqrt(self.v))", SCALAR, "lambda self: dist.Normal(0.0, self.v**0.5)"),
        ("Dirichlet(self.alpha)", VECTOR, "lambda self: dist.Dirichlet(self.alpha)"),
        ("Normal(0, self.tau)", UNKNOWN,
         "lambda self, shape=self.w.shape: "
         "dist.Normal(0.0, self.tau).expand(shape).to_event()"),
        ("Normal(0, self.tau * radford)", Place("self.w", "self", None, ndim=2),
         "lambda self, fan_in=self.w[0].numel(), shape=self.w.shape: "
         "dist.Normal(0.0, self.tau * fan_in**-0.5).expand(shape).to_event(2)"),
        ("MultivariateNormal(0, scale_tril=self.l)", UNKNOWN,
         "lambda self, shape=self.w.shape: dist.MultivariateNormal(torch.zeros(shape[-1]), "
         "scale_tril=self.l).expand(shape[:-1]).to_event(len(shape) - 1)"),
    ],
)  # fmt: skip
def test_priors_that_read_attributes(prior, place, source):
    assert written(render_sample(sample(prior), place, Names())) == f"PyroSample({source})"


def test_deterministic():
    value = Deterministic(parse_expression("self.loc + exp(self.raw) * 2"))
    source = "PyroSample(lambda self: self.loc + self.raw.exp() * 2)"
    assert written(render_sample(value, OWN, Names())) == source
    assert declarations(value, OWN) == [("self.w", source)]


@pytest.mark.parametrize(
    ("prior", "place", "noise", "value"),
    [
        ("Normal(0, self.tau)", OWN, "dist.Normal(0.0, 1.0).expand([n, m + 1]).to_event(2)",
         "lambda self: self.w_noise * self.tau"),
        ("StudentT(3, self.m, 2)", SCALAR, "dist.StudentT(3.0, 0.0, 1.0)",
         "lambda self: self.m + self.w_noise * 2"),
        ("Normal(1, 1)", SCALAR, "dist.Normal(0.0, 1.0)", "lambda self: 1 + self.w_noise"),
        ("Normal(0, 1)", SCALAR, "dist.Normal(0.0, 1.0)", "lambda self: self.w_noise"),
        ("Normal(0, radford)", Place("self.w", "self", None, ndim=2),
         "dist.Normal(0.0, 1.0).expand(self.w.shape).to_event(2)",
         "lambda self, fan_in=self.w[0].numel(): self.w_noise * fan_in**-0.5"),
    ],
)  # fmt: skip
def test_priors_that_are_not_centred(prior, place, noise, value):
    assert declarations(sample(prior, centered=False), place) == [
        ("self.w_noise", f"PyroSample({noise})"),
        ("self.w", f"PyroSample({value})"),
    ]


def test_not_centred_on_a_layer_reads_the_outer_self_beforehand():
    place = Place("self.fc.weight", "self.fc", ("a", "b"), fan_in="self.fc.in_features")
    _, (target, source) = declarations(sample("Normal(0, radford)", False), place)
    assert target == "self.fc.weight"
    assert source == (
        "PyroSample(lambda self, fan_in=self.fc.in_features: self.weight_noise * fan_in**-0.5)"
    )


def test_names_of_the_file_are_used():
    names = Names(
        {
            "dist": "pd",
            "constraints": "c",
            "PyroSample": "nn.PyroSample",
            "PyroParam": "nn.PyroParam",
            "torch": "t",
        }
    )
    assert written(render_sample(sample("Dirichlet(1)"), VECTOR, names), names) == (
        "nn.PyroSample(pd.Dirichlet(t.ones(3)))"
    )
    place = Place("self.w", "self", ("3",), initial="t.ones(3)")
    assert written(render_param(param("positive"), place, names), names) == (
        "nn.PyroParam(t.ones(3), constraint=c.positive)"
    )
    assert names.used == {"dist", "constraints", "PyroSample", "PyroParam", "torch"}


def test_names_are_noted_as_far_as_they_are_needed():
    place, names = Place("value", "layer", measured="weight"), Names()
    render_sample(sample("Normal(0, 1)"), place, names)
    assert not names.used
    source = written(render_sample(sample("Normal(0, radford)"), place, names))
    assert names.used == {"torch"}
    assert source == (
        "PyroSample(dist.Normal(0.0, torch.atleast_2d(weight)[0].numel() ** -0.5)"
        ".expand(value.shape).to_event())"
    )


@pytest.mark.parametrize(
    ("prior", "place", "code", "message"),
    [
        ("Normal(0, radford)", VECTOR, "PYR114", "fan_in is not defined for this parameter: it has "
         "fewer than two dimensions, or their number is not known"),
        ("Normal(0, xavier)", LOOP, "PYR114", "fan_in is not defined for this parameter: it has "
         "fewer than two dimensions, or their number is not known"),
        ("Normal(0, self.tau)", FC, "PYR114",
         "self.tau would be read from self.fc1, which owns the parameter"),
        ("Normal(0, self.w)", OWN, "PYR114", "the prior of self.w reads self.w itself"),
        ("Normal(shape[2], 1)", OWN, "PYR114", "shape[2]: the parameter has 2 dimensions"),
        ("Normal(shape[-1], 1)", SCALAR, "PYR114", "shape[-1]: the parameter has 0 dimensions"),
        ("Normal([self.a, 0, 1], 1)", VECTOR, "PYR114",
         "a list cannot hold self.a, which is random"),
        ("Dirichlet(1)", SCALAR, "PYR113",
         "Dirichlet draws vectors, but the parameter has 0 dimensions"),
        ("LKJCholesky(3)", VECTOR, "PYR113",
         "LKJCholesky draws matrices, but the parameter has 1 dimension"),
        ("Dirichlet([1, 2])", VECTOR, "PYR113",
         "concentration of Dirichlet has size 2, and the last dimension of the parameter is 3"),
        ("LKJCholesky(4)", Place("self.w", "self", ("3", "3")), "PYR113",
         "dim of LKJCholesky has size 4, and the last dimension of the parameter is 3"),
    ],
)  # fmt: skip
def test_samples_that_cannot_be_written(prior, place, code, message):
    with pytest.raises(RenderError) as info:
        render_sample(sample(prior), place, Names())
    assert (info.value.code, info.value.message) == (code, message)


def test_not_centred_needs_a_name_for_the_noise():
    with pytest.raises(RenderError) as info:
        render_declarations(sample("Normal(0, 2)", centered=False), LOOP, Names())
    assert (info.value.code, info.value.message) == (
        "PYR114",
        "a prior that is not centred needs an attribute of its own for the noise",
    )


def initial(source: str, shape=("3",)) -> Place:
    return Place("self.w", "self", shape, initial=source)


@pytest.mark.parametrize(
    ("action", "place", "source"),
    [
        (param("positive"), initial("torch.ones(3)"),
         "torch.ones(3), constraint=constraints.positive"),
        (param("positive"), UNKNOWN, "self.w.detach().clone(), constraint=constraints.positive"),
        (param("positive", "exp"), initial("torch.zeros(3)"),
         "torch.zeros(3).exp(), constraint=constraints.positive"),
        (param("positive", "exp"), initial("a + b"),
         "(a + b).exp(), constraint=constraints.positive"),
        (param("positive", "exp"), UNKNOWN,
         "self.w.detach().exp(), constraint=constraints.positive"),
        (param("positive", "softplus"), initial("a + b"),
         "torch.nn.functional.softplus(a + b), constraint=constraints.positive"),
        (param("interval(0, 2)", "unconstrained"), initial("a"),
         "transform_to(constraints.interval(0.0, 2.0))(a), "
         "constraint=constraints.interval(0.0, 2.0)"),
        (param("positive", 1.0), VECTOR, "torch.ones(3), constraint=constraints.positive"),
        (param("real", 0.0), OWN, "torch.zeros(n, m + 1), constraint=constraints.real"),
        (param("positive", 0.5), OWN,
         "torch.full([n, m + 1], 0.5), constraint=constraints.positive"),
        (param("positive", 2.0), SCALAR, "torch.tensor(2.0), constraint=constraints.positive"),
        (param("positive", 2.0), UNKNOWN,
         "torch.full_like(self.w, 2.0), constraint=constraints.positive"),
        (param("real", event_dim=1), initial("a"), "a, constraint=constraints.real, event_dim=1"),
        (param("greater_than(lower_bound=-1)"), initial("torch.zeros(3)"),
         "torch.zeros(3), constraint=constraints.greater_than(-1.0)"),
    ],
)  # fmt: skip
def test_params(action, place, source):
    assert written(render_param(action, place, Names())) == f"PyroParam({source})"
    assert declarations(action, place) == [(place.target, f"PyroParam({source})")]


@pytest.mark.parametrize(
    ("constraint", "source", "message", "help"),
    [
        ("positive", "torch.zeros(3)", "positive (> 0)", "give `init: 1.0`, or `init: exp` where "
         "the code treats the value as a logarithm"),
        ("positive", "-torch.ones(3)", "positive (> 0)", "give `init: 1.0`, or `init: exp` where "
         "the code treats the value as a logarithm"),
        ("positive", "0.1 * torch.randn(3)", "positive (> 0)", "give `init: 1.0`, or `init: exp` "
         "where the code treats the value as a logarithm"),
        ("unit_interval", "torch.full((3,), 2.0)", "unit_interval (>= 0, <= 1)",
         "give `init: 0.5`, or `init: unconstrained`"),
        ("unit_interval", "torch.ones(3)", "unit_interval (>= 0, <= 1)",
         "give `init: 0.5`, or `init: unconstrained`"),
        ("ordered_vector", "torch.zeros(3)", "ordered_vector",
         "give `init: unconstrained`, or another value in the code"),
        ("positive_ordered_vector", "torch.randn(3)", "positive_ordered_vector",
         "give `init: unconstrained`, or another value in the code"),
        ("sphere", "torch.zeros(3)", "sphere",
         "give `init: unconstrained`, or another value in the code"),
        ("simplex", "torch.randn(3)", "simplex",
         "give `init: unconstrained`, or another value in the code"),
        ("less_than(0)", "torch.ones(3)", "less_than (< 0)",
         "give `init:` with a number inside, or `init: unconstrained`"),
    ],
)  # fmt: skip
def test_initial_values_outside_the_constraint(constraint, source, message, help):
    with pytest.raises(RenderError) as info:
        render_param(param(constraint), initial(source), Names())
    assert info.value.code == "PYR034"
    assert info.value.message == f"{source} is not inside {message}"
    assert info.value.help == help


@pytest.mark.parametrize(
    ("constraint", "source"),
    [
        ("positive", "torch.randn(3).exp()"),
        ("positive", "0.1 * torch.ones(3)"),
        ("positive", "torch.rand(3)"),
        ("positive", "torch.tensor([1.0, 2])"),
        ("positive", "torch.full((3,), fill_value=2)"),
        ("positive", "torch.ones(3) / 4 + 1"),
        ("positive", "torch.zeros(3) - -1"),
        ("positive", "start"),
        ("positive", "torch.zeros(3) + start"),
        ("positive", "torch.Tensor(3)"),
        ("positive", "f(x"),
        ("real", "torch.randn(3) * torch.randn(3) - torch.randn(3)"),
        ("real", "-torch.randn(3)"),
        ("unit_interval", "torch.full((3,), 1 / 2)"),
        ("greater_than(-1)", "torch.zeros(3)"),
        ("real_vector", "torch.zeros(3)"),
        ("simplex", "torch.ones(3) / 3"),
        ("sphere", "torch.randn(3)"),
        ("ordered_vector", "torch.tensor([-1.0, 0.0, 2.0])"),
    ],
)
def test_initial_values_that_are_or_may_be_inside(constraint, source):
    rendered = written(render_param(param(constraint), initial(source), Names()))
    assert rendered.startswith(f"PyroParam({source}, constraint=")


def test_a_constraint_with_more_dimensions_than_the_parameter():
    with pytest.raises(RenderError) as info:
        render_param(param("corr_cholesky"), VECTOR, Names())
    assert info.value.code == "PYR113"
    assert (
        info.value.message == "corr_cholesky holds for matrices, but the parameter has 1 dimension"
    )


def test_attributes_read():
    assert attributes_read(parse_expression("Normal(self.a, self.b.c * self.a)")) == ("a", "b.c")


def test_free_names():
    source = written(render_sample(sample("Normal(0, self.tau * exp(fan_in))"), OWN, Names()))
    assert free_names(source) == {"PyroSample", "dist", "n", "m", "math"}


# What Pyro makes of it


class Layer(PyroModule):
    """A parameter of shape [2, 3], and attributes that priors may read."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2, 3))
        self.tau = PyroSample(dist.HalfCauchy(1.0))
        self.scale = PyroParam(torch.ones(3), constraint=constraints.positive)

    def forward(self):
        return self.w


SCOPE = {
    "dist": dist, "constraints": constraints, "PyroSample": PyroSample, "PyroParam": PyroParam,
    "torch": torch, "math": __import__("math"), "transform_to": transform_to, "n": 2, "m": 2,
}  # fmt: skip
PLACES = {
    "known": OWN,
    "rank": Place("self.w", "self", None, ndim=2),
    "unknown": UNKNOWN,
}


def declare(action: Sample | Deterministic | Param, place: Place) -> Layer:
    """A layer on which the rendered declarations have been carried out."""
    layer = Layer()
    for target, source in declarations(action, place):
        exec(f"{target} = {source}", SCOPE | {"self": layer})
    return layer


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(
    "prior",
    [
        "Normal(0, 1)",
        "Normal(0, 1 / numel)",
        "Normal([1, 2, 3], 1)",
        "Normal(0, self.tau)",
        "Normal(self.scale, self.tau * 2)",
        "HalfCauchy(self.tau)",
        "Dirichlet(1)",
        "Dirichlet(self.scale)",
        "MultivariateNormal(0, 1)",
        "MultivariateNormal(0, scale_tril=0.5)",
        "MultivariateStudentT(3, 0, 1)",
        "LowRankMultivariateNormal(0, [[1], [1], [1]], 1)",
        "OneHotCategorical([0.2, 0.3, 0.5])",
        "RelaxedOneHotCategorical(0.5, logits=0)",
        "MixtureSameFamily(Categorical([0.5, 0.5]), Normal([0, 0], [1, 0.1]))",
        "FoldedDistribution(Normal(0, 1))",
    ],
)
def test_the_declaration_is_one_site_of_the_parameters_shape(prior, place):
    layer = declare(sample(prior), place)
    trace = pyro.poutine.trace(layer).get_trace()
    site = trace.nodes["w"]
    assert site["value"].shape == (2, 3)
    assert site["fn"].batch_shape == ()
    assert site["fn"].event_shape == (2, 3)
    assert ("tau" in trace.nodes) == ("tau" in prior)


@pytest.mark.parametrize("place", [OWN, PLACES["rank"]], ids=["known", "rank"])
@pytest.mark.parametrize("preset", ["radford", "xavier", "kaiming", "kaiming(3)"])
def test_presets_are_the_scales_of_their_authors(preset, place):
    layer = declare(sample(f"Normal(0, {preset})"), place)
    scale = pyro.poutine.trace(layer).get_trace().nodes["w"]["fn"].base_dist.scale
    fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(2, 3))
    expected = {
        "radford": fan_in**-0.5,
        "xavier": (2 / (fan_in + fan_out)) ** 0.5,
        "kaiming": 2**0.5 * fan_in**-0.5,
        "kaiming(3)": 3 * fan_in**-0.5,
    }[preset]
    assert torch.allclose(scale, torch.tensor(expected))


def test_fans_of_a_convolution_are_those_of_torch():
    self = torch.nn.Module()
    self.conv = torch.nn.Conv2d(4, 6, (3, 5), groups=2)
    fans = torch.nn.init._calculate_fan_in_and_fan_out(self.conv.weight)
    for place in (CONV, Place("self.conv.weight", "self.conv", ("6", "2", "3", "5"))):
        prior = written(render_sample(sample("Normal(fan_in, fan_out)"), place, Names()))
        built = eval(prior, SCOPE | {"self": self}).prior.base_dist
        assert (built.loc.unique().item(), built.scale.unique().item()) == fans


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_not_centred_is_the_same_prior(place):
    """Noise one, times the scale: the value has the density of the centred prior."""
    layer = declare(sample("Normal(1, self.tau)", centered=False), place)
    pinned = pyro.poutine.condition(
        layer, {"w_noise": torch.full((2, 3), 0.5), "tau": torch.tensor(4.0)}
    )
    trace = pyro.poutine.trace(pinned).get_trace()
    assert torch.equal(trace.nodes["w"]["value"], torch.full((2, 3), 3.0))
    assert trace.nodes["w_noise"]["fn"].event_shape == (2, 3)
    assert trace.nodes["w"]["infer"]["_deterministic"]


def test_deterministic_draws_nothing():
    layer = declare(Deterministic(parse_expression("exp(self.tau) * self.scale")), OWN)
    trace = pyro.poutine.trace(
        pyro.poutine.condition(layer, {"tau": torch.tensor(0.0)})
    ).get_trace()
    assert torch.equal(trace.nodes["w"]["value"], torch.ones(3))


INITS = {
    "positive": (0.5, "exp", "softplus", "unconstrained", "keep"),
    "softplus_positive": (0.5, "exp", "unconstrained", "keep"),
    "nonnegative": (0.5, "exp", "keep"),
    "greater_than": ("exp", "unconstrained", "keep"),
    "greater_than_eq": ("exp", "keep"),
    "interval": (0.5, "unconstrained"),
    "half_open_interval": (0.5, "unconstrained"),
    "unit_interval": (0.5, "unconstrained"),
    "less_than": (0.5, "unconstrained"),
    "real": (0.5, "exp", "unconstrained", "keep"),
    "real_vector": ("keep", "unconstrained"),
    "simplex": ("unconstrained",),
    "sphere": ("unconstrained",),
    "ordered_vector": ("unconstrained",),
    "positive_ordered_vector": ("unconstrained",),
    "lower_cholesky": ("unconstrained",),
    "softplus_lower_cholesky": ("unconstrained",),
    "unit_lower_cholesky": ("unconstrained",),
    "positive_definite": ("unconstrained",),
    "positive_semidefinite": ("unconstrained",),
    "corr_cholesky": ("keep",),
    "corr_matrix": ("keep",),
}
ARGUMENTS = {0: "", 1: "(0)", 2: "(0, 2)"}


def test_every_learnable_constraint_is_tried_below():
    assert set(INITS) == {name for name, row in CONSTRAINTS.items() if row.is_learnable}


@pytest.mark.parametrize(
    ("name", "init"), [(name, init) for name, inits in INITS.items() for init in inits]
)
@pytest.mark.parametrize("place", [OWN, UNKNOWN], ids=["known", "unknown"])
def test_params_start_inside_their_constraint(name, init, place):
    arguments = "(1)" if name == "less_than" else ARGUMENTS[len(CONSTRAINTS[name].arguments)]
    action = param(name + arguments, init)
    layer = Layer()
    layer.w = torch.nn.Parameter(torch.eye(3) if CONSTRAINTS[name].event_dim == 2 else layer.w)
    if place is OWN:
        place = Place("self.w", "self", tuple(map(str, layer.w.shape)))
    original = layer.w.detach().clone()
    ((_, source),) = declarations(action, place)
    exec(f"self.w = {source}", SCOPE | {"self": layer})
    value = layer.w
    assert value.shape == original.shape
    assert value.isfinite().all()
    assert layer.w_unconstrained.isfinite().all()
    constraint = eval(write_constraint(render_constraint(action.constraint), Names()), SCOPE)
    assert constraint.check(value).all()
    if init == "keep":
        assert torch.allclose(value, original)
    if init == "unconstrained":
        assert torch.allclose(value, transform_to(constraint)(original), atol=1e-5)


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("nn.init.zeros_(self.w)", (0, 0)),
        ("self.w.data.zero_()", (0, 0)),
        ("nn.init.ones_(self.w)", (1, 1)),
        ("nn.init.constant_(self.w, -2)", (-2, -2)),
        ("nn.init.constant_(self.w, val=3.0)", (3, 3)),
        ("self.w.data.fill_(0.5)", (0.5, 0.5)),
        ("nn.init.constant_(self.w, bias)", None),
        ("nn.init.uniform_(self.w, -1, 2)", (-1, 2)),
        ("nn.init.uniform_(self.w)", (NEAR, 1 - NEAR)),
        ("nn.init.uniform_(self.w, -bound, bound)", None),
        ("self.w.data.uniform_(-bound, bound)", None),
        ("nn.init.normal_(self.w, 0, 0.1)", AROUND_ZERO),
        ("nn.init.trunc_normal_(self.w, std=0.02)", AROUND_ZERO),
        ("nn.init.normal_(self.w, mean=1.0, std=0.02)", None),
        ("nn.init.normal_(self.w, 1, 0.02)", None),
        ("nn.init.kaiming_uniform_(self.w, a=math.sqrt(5))", AROUND_ZERO),
        ("nn.init.eye_(self.w)", None),
        ("self.w.copy_(other)", None),
    ],
)
def test_what_initialisers_write(source: str, values: tuple[float, float] | None) -> None:
    assert written_range(source) == values
