"""Every row of the catalogue of distributions against the installed Pyro."""

import inspect

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.distributions import constraints
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule, PyroSample

from pyroify.catalog.constraints import CONSTRAINTS
from pyroify.catalog.distributions import DISTRIBUTIONS, REQUIRED, UNSUITABLE, Distribution

# One value that belongs to each constraint, as an argument with as many dimensions as one event.
INSIDE = {
    "real": 0.3,
    "positive": 1.5,
    "nonnegative": 1.5,
    "unit_interval": 0.4,
    "half_open_interval": 0.4,
    "interval": 0.5,
    "nonnegative_integer": 3,
    "positive_integer": 3,
    "simplex": torch.tensor([0.2, 0.3, 0.5]),
    "real_vector": torch.tensor([0.1, 0.2, 0.3]),
    "positive_definite": torch.eye(3),
    "lower_cholesky": torch.eye(3),
    "": 0.3,
}
OVERRIDES = {
    "Dirichlet": {"concentration": torch.tensor([1.0, 2.0, 3.0])},
    "ProjectedNormal": {"concentration": torch.tensor([1.0, 2.0, 3.0])},
    "LowRankMultivariateNormal": {"cov_factor": torch.ones(3, 1), "cov_diag": torch.ones(3)},
    "Wishart": {"df": 4.0},
    "Uniform": {"low": -1.0, "high": 2.0},
    "FoldedDistribution": {"base_dist": dist.Normal(0.0, 1.0)},
    "MixtureSameFamily": {
        "mixture_distribution": dist.Categorical(torch.tensor([0.5, 0.5])),
        "component_distribution": dist.Normal(torch.zeros(2), torch.tensor([1.0, 0.1])),
    },
    "Delta": {"v": torch.tensor(1.0)},
}
ROWS = pytest.mark.parametrize("row", DISTRIBUTIONS.values(), ids=list(DISTRIBUTIONS))


def required(row: Distribution) -> dict[str, object]:
    """Arguments that suffice: those without default, and one of each choice."""
    needed = [p.name for p in row.parameters if p.default is REQUIRED]
    needed += [choice[0] for choice in row.choices]
    given = {p.name: INSIDE[p.constraint] for p in row.parameters if p.name in needed}
    for parameter in row.parameters:
        if parameter.name in given and parameter.kind == "tensor" and not parameter.event_dim:
            given[parameter.name] = torch.as_tensor(given[parameter.name])
    return given | OVERRIDES.get(row.name, {})


def build(row: Distribution) -> dist.TorchDistribution:
    return getattr(dist, row.name)(**required(row))


def test_every_distribution_of_pyro_has_a_row():
    known = {
        name
        for name, value in vars(dist).items()
        if inspect.isclass(value) and issubclass(value, torch.distributions.Distribution)
    }
    assert known == set(DISTRIBUTIONS) | set(UNSUITABLE)
    assert not set(DISTRIBUTIONS) & set(UNSUITABLE)


@ROWS
def test_parameters_and_defaults(row):
    known = inspect.signature(getattr(dist, row.name)).parameters
    left_out = {"validate_args", "is_sparse", "event_dim", "lims", "coords"}
    names = [name for name in known if name not in left_out]
    assert [parameter.name for parameter in row.parameters] == names
    for parameter in row.parameters:
        default = known[parameter.name].default
        if parameter.default is REQUIRED:
            assert default is inspect.Parameter.empty, parameter.name
        else:
            assert eval(parameter.default) == default, parameter.name


@ROWS
def test_parameters_are_positional_in_this_order(row):
    """The declarations pass them by position."""
    for name in [parameter.name for parameter in row.parameters][: len(required(row))]:
        kind = inspect.signature(getattr(dist, row.name)).parameters[name].kind
        assert kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


@ROWS
def test_constraint_of_each_parameter(row):
    if row.name == "Uniform":
        pytest.skip("low and high constrain each other; the loader checks their order")
    expected = getattr(dist, row.name).arg_constraints
    if isinstance(expected, property):
        expected = build(row).arg_constraints
    for parameter in row.parameters:
        theirs = expected.get(parameter.name)
        if not parameter.constraint or theirs is None:
            continue
        known = getattr(constraints, parameter.constraint)
        ours = known(*parameter.bounds) if parameter.bounds else known
        stricter = (row.name, parameter.name) in STRICTER
        assert (describe(theirs) != describe(ours)) == stricter, parameter.name


# Where the catalogue asks for more than Pyro declares, because less does not work, and where
# Pyro's own bound depends on another argument.
STRICTER = {
    ("Wishart", "df"),
}


def describe(constraint: constraints.Constraint) -> tuple[object, ...]:
    """A constraint on single elements, or what is below the event dimensions."""
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    bounds = {name: float(value) for name, value in vars(constraint).items()}
    return type(constraint), bounds


@ROWS
def test_a_value_outside_is_refused_by_pyro(row):
    """The catalogue forbids nothing that Pyro allows."""
    if row.name == "ContinuousBernoulli":
        pytest.skip("it clamps probabilities instead of checking them")
    for parameter in row.parameters:
        constraint = CONSTRAINTS.get(parameter.constraint)
        if constraint is None or constraint.event_dim or parameter.kind != "number":
            continue
        outside = [
            v for v in (-5.0, -1.0, 0.0, 2.5) if not constraint.contains(v, parameter.bounds)
        ]
        if not outside or parameter.name not in required(row):
            continue
        with pytest.raises(ValueError):
            getattr(dist, row.name)(**required(row) | {parameter.name: torch.tensor(outside[0])})


@ROWS
def test_support_and_event_dim(row):
    built = build(row)
    assert built.event_dim == row.event_dim
    if row.support:
        assert repr(built.support) == repr(getattr(constraints, row.support))
    elif row.name != "MixtureSameFamily":
        assert constraints.is_dependent(getattr(dist, row.name).support)


@ROWS
def test_expands_to_the_shape_of_a_parameter(row):
    expanded = build(row).expand([4, 2]).to_event(2)
    assert expanded.batch_shape == ()
    assert expanded.sample().shape[:2] == (4, 2)
    assert expanded.event_dim == 2 + row.event_dim


class OneSite(PyroModule):
    def __init__(self, prior):
        super().__init__()
        self.weight = PyroSample(prior)

    def forward(self):
        pyro.sample("obs", dist.Normal(self.weight.sum(), 1.0), obs=torch.tensor(1.0))


@ROWS
def test_an_autoguide_takes_it_unless_the_row_says_why_not(row):
    pyro.set_rng_seed(0)
    pyro.clear_param_store()
    model = OneSite(build(row).expand([2]).to_event(1))
    try:
        guide = AutoNormal(model)
        loss = Trace_ELBO().differentiable_loss(model, guide)
        loss.backward()
        works = bool(loss.isfinite()) and all(
            parameter.grad is None or bool(parameter.grad.isfinite().all())
            for parameter in guide.parameters()
        )
    except (NotImplementedError, ValueError, RuntimeError):
        works = False
    assert works == (row.guide_problem == "")
