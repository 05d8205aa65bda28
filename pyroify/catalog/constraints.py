"""The constraints of ``pyro.distributions.constraints``: bounds, event dimensions, arguments.

Plain data; torch is not imported. ``tests/test_catalog_constraints.py`` holds every row against
the installed Pyro.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Bound = float | str


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint.

    ``arguments`` names what it must be given. ``event_dim`` is the number of rightmost
    dimensions it ties together; elements of a constraint with ``event_dim`` 0 are checked one by
    one against ``lower`` and ``upper``, each a number or the name of an argument.
    ``is_discrete`` and ``is_learnable``: whether only whole numbers belong, and whether Pyro has
    a transform that a PyroParam can use.
    """

    name: str
    arguments: tuple[str, ...] = ()
    event_dim: int = 0
    lower: Bound = -math.inf
    upper: Bound = math.inf
    is_closed_below: bool = False
    is_closed_above: bool = False
    is_discrete: bool = False
    is_learnable: bool = True

    def contains(self, value: float, arguments: Sequence[float] = ()) -> bool:
        """Whether the number ``value`` belongs; for constraints on single elements only."""
        lower, upper = self.bounds(arguments)
        above = value >= lower if self.is_closed_below else value > lower
        below = value <= upper if self.is_closed_above else value < upper
        return above and below and (not self.is_discrete or float(value).is_integer())

    def is_interior(self, value: float, arguments: Sequence[float] = ()) -> bool:
        """Whether ``value`` lies strictly inside, so that its unconstrained form is finite."""
        lower, upper = self.bounds(arguments)
        return lower < value < upper

    def bounds(self, arguments: Sequence[float] = ()) -> tuple[float, float]:
        """Lowest and highest value, given the constraint's own ``arguments``."""
        known = dict(zip(self.arguments, arguments, strict=True))

        def resolve(bound: Bound) -> float:
            return known[bound] if isinstance(bound, str) else bound

        return resolve(self.lower), resolve(self.upper)


def _interval(
    name: str, lower: Bound, upper: Bound, closed: tuple[bool, bool], is_discrete: bool = False
) -> Constraint:
    arguments = tuple(bound for bound in (lower, upper) if isinstance(bound, str))
    return Constraint(
        name,
        arguments,
        lower=lower,
        upper=upper,
        is_closed_below=closed[0],
        is_closed_above=closed[1],
        is_discrete=is_discrete,
        is_learnable=not is_discrete,
    )


_OPEN, _CLOSED, _CLOSED_BELOW = (False, False), (True, True), (True, False)
_LEAST, _MOST = "lower_bound", "upper_bound"

CONSTRAINTS: Final[Mapping[str, Constraint]] = {
    row.name: row
    for row in (
        Constraint("real"),
        _interval("positive", 0.0, math.inf, _OPEN),
        _interval("softplus_positive", 0.0, math.inf, _OPEN),
        _interval("nonnegative", 0.0, math.inf, _CLOSED_BELOW),
        _interval("unit_interval", 0.0, 1.0, _CLOSED),
        _interval("interval", _LEAST, _MOST, _CLOSED),
        _interval("half_open_interval", _LEAST, _MOST, _CLOSED_BELOW),
        _interval("greater_than", _LEAST, math.inf, _OPEN),
        _interval("greater_than_eq", _LEAST, math.inf, _CLOSED_BELOW),
        _interval("less_than", -math.inf, _MOST, _OPEN),
        _interval("boolean", 0.0, 1.0, _CLOSED, is_discrete=True),
        _interval("integer", -math.inf, math.inf, _OPEN, is_discrete=True),
        _interval("nonnegative_integer", 0.0, math.inf, _CLOSED_BELOW, is_discrete=True),
        _interval("positive_integer", 1.0, math.inf, _CLOSED_BELOW, is_discrete=True),
        _interval("integer_interval", _LEAST, _MOST, _CLOSED, is_discrete=True),
        Constraint("real_vector", event_dim=1),
        Constraint("simplex", event_dim=1),
        Constraint("sphere", event_dim=1),
        Constraint("ordered_vector", event_dim=1),
        Constraint("positive_ordered_vector", event_dim=1),
        Constraint("one_hot", event_dim=1, is_discrete=True, is_learnable=False),
        Constraint("multinomial", (_MOST,), 1, is_discrete=True, is_learnable=False),
        Constraint("corr_cholesky", event_dim=2),
        Constraint("corr_matrix", event_dim=2),
        Constraint("lower_cholesky", event_dim=2),
        Constraint("softplus_lower_cholesky", event_dim=2),
        Constraint("unit_lower_cholesky", event_dim=2),
        Constraint("positive_definite", event_dim=2),
        Constraint("positive_semidefinite", event_dim=2),
        Constraint("lower_triangular", event_dim=2, is_learnable=False),
        Constraint("square", event_dim=2, is_learnable=False),
        Constraint("symmetric", event_dim=2, is_learnable=False),
    )
}
"""Every constraint a spec can name, by name."""

ALIASES: Final[Mapping[str, str]] = {"corr_cholesky_constraint": "corr_cholesky"}

STRUCTURAL: Final = frozenset(
    {
        "Constraint",
        "MixtureSameFamilyConstraint",
        "cat",
        "dependent",
        "dependent_property",
        "independent",
        "is_dependent",
        "stack",
    }
)
"""Names in the same module that build constraints from others, or serve class bodies. A spec has
no use for them: ``event_dim`` does what ``independent`` does."""
