"""Every row of the catalogue of constraints against the installed Pyro."""

import math

import pytest
import torch
from pyro.distributions import constraints
from torch.distributions import transform_to
from torch.distributions.constraints import Constraint as TorchConstraint

from pyroify.catalog.constraints import ALIASES, CONSTRAINTS, STRUCTURAL, Constraint

ARGUMENTS = (-1.0, 2.0)
VALUES = (-math.pi, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)


def build(row: Constraint) -> TorchConstraint:
    """Pyro's own constraint, with example arguments."""
    found = getattr(constraints, row.name)
    return found(*ARGUMENTS[: len(row.arguments)]) if row.arguments else found


def test_every_constraint_of_pyro_has_a_row():
    assert set(constraints.__all__) == set(CONSTRAINTS) | set(ALIASES) | STRUCTURAL


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_is_the_same_object(alias):
    assert getattr(constraints, alias) is getattr(constraints, ALIASES[alias])


@pytest.mark.parametrize("row", CONSTRAINTS.values(), ids=list(CONSTRAINTS))
def test_arguments(row):
    found = getattr(constraints, row.name)
    names = () if isinstance(found, TorchConstraint) else found.__init__.__code__.co_varnames
    assert row.arguments == tuple(name for name in names if name != "self")


@pytest.mark.parametrize("row", CONSTRAINTS.values(), ids=list(CONSTRAINTS))
def test_event_dim_and_kind(row):
    built = build(row)
    # Pyro leaves the event_dim of positive_ordered_vector at 0 although it ties a vector together.
    expected = 1 if row.name == "positive_ordered_vector" else built.event_dim
    assert row.event_dim == expected
    assert row.is_discrete == built.is_discrete


@pytest.mark.parametrize(
    "row", [row for row in CONSTRAINTS.values() if not row.event_dim], ids=lambda row: row.name
)
def test_contains_agrees_with_pyro(row):
    built = build(row)
    for value in VALUES:
        expected = bool(built.check(torch.tensor(value)))
        assert row.contains(value, ARGUMENTS[: len(row.arguments)]) == expected, value


@pytest.mark.parametrize("row", CONSTRAINTS.values(), ids=list(CONSTRAINTS))
def test_learnable_means_pyro_has_a_transform(row):
    if row.is_learnable:
        assert transform_to(build(row)) is not None
    else:
        with pytest.raises(NotImplementedError):
            transform_to(build(row))


@pytest.mark.parametrize(
    "row",
    [row for row in CONSTRAINTS.values() if row.is_learnable and not row.event_dim],
    ids=lambda row: row.name,
)
def test_interior_means_learnable_from_there(row):
    """Strictly inside, the value comes back from its unconstrained form and can still move."""
    arguments = ARGUMENTS[: len(row.arguments)]
    transform = transform_to(build(row))
    for value in VALUES:
        raw = transform.inv(torch.tensor(value)).requires_grad_()
        back = transform(raw)
        (slope,) = torch.autograd.grad(back, raw)
        comes_back = math.isclose(back.item(), value, abs_tol=1e-6)
        assert row.is_interior(value, arguments) == (comes_back and abs(float(slope)) > 1e-6), value
