"""The density of a prior as a small curve, from the plain formula of its family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, inf, isfinite, log, log1p, sqrt
from typing import Final

from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.spec.expressions import (
    Call,
    Expression,
    ExpressionError,
    parse_expression,
    static_value,
    to_text,
)

WIDTH, HEIGHT = 120, 32
POINTS = 80

Place = tuple[float, float]
"""Where a family lies, and how wide it is."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A path in a box of WIDTH by HEIGHT, and what its axis says.

    ``axis`` is what the numbers count, where that is not the value itself.
    """

    path: str
    low: str
    high: str
    axis: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """The logarithm of a density, up to a constant, at place 0 and width 1.

    ``shapes`` are the arguments that it depends on there, as does ``reach``, the part that is
    drawn. ``place`` tells from all arguments where the family lies.
    """

    log_density: Callable[..., float]
    reach: Callable[..., tuple[float, float]]
    place: Callable[[Mapping[str, float]], Place]
    shapes: tuple[str, ...] = ()


def draw(distribution: Call) -> Curve | str:
    """The curve of a distribution; or why there is none."""
    family = FAMILIES.get(distribution.name)
    if family is None:
        return f"not drawn: no formula for {distribution.name}"
    given = _arguments(distribution)
    values = {name: _number(value) for name, value in given.items()}
    known = {name: value for name, value in values.items() if value is not None}
    unknown = [name for name in values if name not in known]
    axis = ""
    if unknown:
        if family.place is not _moved or set(unknown) & {*family.shapes}:
            return f"not drawn: {unknown[0]} depends on more than the spec"
        axis = _axis(given)
        known |= {"loc": 0.0, "scale": 1.0}
    try:
        return _curve(family, known, axis)
    except (ArithmeticError, ValueError):
        return "not drawn: its numbers are too large or too small"


def _arguments(distribution: Call) -> dict[str, Expression]:
    """The arguments by name, defaults included."""
    parameters = DISTRIBUTIONS[distribution.name].parameters
    defaults = {
        known.name: parse_expression(known.default) for known in parameters if known.default
    }
    names = (known.name for known in parameters)
    positional = dict(zip(names, distribution.arguments, strict=False))
    return defaults | positional | dict(distribution.keywords)


def _number(expression: Expression) -> float | None:
    try:
        return static_value(expression)
    except ExpressionError:
        return None


def _axis(given: Mapping[str, Expression]) -> str:
    """What the axis counts at place 0 and width 1."""
    loc = given.get("loc")
    moved = "x" if loc is None or _number(loc) == 0 else f"(x - ({to_text(loc)}))"
    return moved if _number(given["scale"]) == 1 else f"{moved} / ({to_text(given['scale'])})"


def _curve(family: Family, values: Mapping[str, float], axis: str) -> Curve:
    shapes = [values[name] for name in family.shapes]
    place, width = family.place(values)
    low, high = family.reach(*shapes)
    ends = (place + width * low, place + width * high)
    if not all(map(isfinite, (low, high, *ends))):
        raise ValueError
    # Between the ends: some densities are infinite there.
    shares = [(number + 0.5) / POINTS for number in range(POINTS)]
    heights = [family.log_density(low + (high - low) * share, *shapes) for share in shares]
    top = max(heights)
    points = (
        f"{WIDTH * share:.1f} {HEIGHT - (HEIGHT - 2) * exp(height - top):.1f}"
        for share, height in zip(shares, heights, strict=True)
    )
    path = f"M{'L'.join((f'{WIDTH * shares[0]:.1f} {HEIGHT}', *points))}V{HEIGHT}Z"
    return Curve(path, f"{ends[0]:.3g}", f"{ends[1]:.3g}", axis)


def _moved(values: Mapping[str, float]) -> Place:
    return values.get("loc", 0.0), values["scale"]


def _of_gamma(x: float, concentration: float) -> float:
    return (concentration - 1) * log(x) - x


def _reach_of_gamma(concentration: float) -> tuple[float, float]:
    width = sqrt(concentration)
    return max(0.0, concentration - 5 * width), concentration + 4 * width + 2


def _of_beta(x: float, concentration1: float, concentration0: float) -> float:
    return (concentration1 - 1) * log(x) + (concentration0 - 1) * log1p(-x)


def _reach_of_beta(concentration1: float, concentration0: float) -> tuple[float, float]:
    total = concentration1 + concentration0
    mean = concentration1 / total
    width = 5 * sqrt(mean * (1 - mean) / (total + 1))
    return max(0.0, mean - width), min(1.0, mean + width)


def _of_student(x: float, df: float) -> float:
    return -(df + 1) / 2 * log1p(x * x / df)


FAMILIES: Final[Mapping[str, Family]] = {
    "Normal": Family(lambda x: -x * x / 2, lambda: (-4, 4), _moved),
    "Laplace": Family(lambda x: -abs(x), lambda: (-6, 6), _moved),
    "Cauchy": Family(lambda x: -log1p(x * x), lambda: (-8, 8), _moved),
    "Logistic": Family(lambda x: -x - 2 * log1p(exp(-x)), lambda: (-8, 8), _moved),
    "Gumbel": Family(lambda x: -x - exp(-x), lambda: (-3, 7), _moved),
    "StudentT": Family(_of_student, lambda df: (-6, 6), _moved, ("df",)),
    "HalfNormal": Family(lambda x: -x * x / 2, lambda: (0, 4), _moved),
    "HalfCauchy": Family(lambda x: -log1p(x * x), lambda: (0, 8), _moved),
    "Exponential": Family(lambda x: -x, lambda: (0, 6), lambda v: (0, 1 / v["rate"])),
    "LogNormal": Family(
        lambda x, scale: -((log(x) / scale) ** 2) / 2 - log(x),
        lambda scale: (0, exp(2 * scale)),
        lambda v: (0, exp(v["loc"])),
        ("scale",),
    ),
    "Gamma": Family(_of_gamma, _reach_of_gamma, lambda v: (0, 1 / v["rate"]), ("concentration",)),
    "Chi2": Family(
        lambda x, df: _of_gamma(x, df / 2),
        lambda df: _reach_of_gamma(df / 2),
        lambda v: (0, 2),
        ("df",),
    ),
    "InverseGamma": Family(
        lambda x, concentration: -(concentration + 1) * log(x) - 1 / x,
        lambda concentration: (0, 8 / (concentration + 1)),
        lambda v: (0, v["rate"]),
        ("concentration",),
    ),
    "Weibull": Family(
        lambda x, concentration: (concentration - 1) * log(x) - x**concentration,
        lambda concentration: (0, 5 ** (1 / concentration)),
        lambda v: (0, v["scale"]),
        ("concentration",),
    ),
    "Uniform": Family(
        lambda x: 0.0 if 0 <= x <= 1 else -inf,
        lambda: (-0.15, 1.15),
        lambda v: (v["low"], v["high"] - v["low"]),
    ),
    "Beta": Family(
        _of_beta, _reach_of_beta, lambda v: (0, 1), ("concentration1", "concentration0")
    ),
}
"""The families that are drawn, by their names in Pyro."""
