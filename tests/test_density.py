"""The curves of priors: each formula against torch, what the axis says, and where there is none."""

from __future__ import annotations

import re

import pytest

from pyroify.report.density import FAMILIES, HEIGHT, POINTS, WIDTH, Curve, draw
from pyroify.spec.expressions import Call, parse_expression

ARGUMENTS = {
    "Normal": {"loc": 1.0, "scale": 0.5},
    "Laplace": {"loc": -1.0, "scale": 2.0},
    "Cauchy": {"loc": 1.0, "scale": 0.5},
    "Logistic": {"loc": 1.0, "scale": 0.5},
    "Gumbel": {"loc": 1.0, "scale": 0.5},
    "StudentT": {"df": 3.0, "loc": 1.0, "scale": 0.5},
    "HalfNormal": {"scale": 2.0},
    "HalfCauchy": {"scale": 2.0},
    "Exponential": {"rate": 3.0},
    "LogNormal": {"loc": 0.5, "scale": 0.7},
    "Gamma": {"concentration": 2.5, "rate": 3.0},
    "Chi2": {"df": 5.0},
    "InverseGamma": {"concentration": 2.5, "rate": 3.0},
    "Weibull": {"scale": 2.0, "concentration": 1.5},
    "Uniform": {"low": -1.0, "high": 3.0},
    "Beta": {"concentration1": 2.0, "concentration0": 3.5},
}


def drawn(text: str) -> Curve | str:
    expression = parse_expression(text)
    assert isinstance(expression, Call)
    return draw(expression)


def test_every_family_is_tried() -> None:
    assert ARGUMENTS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_formula_is_that_of_pyro_up_to_a_constant(name: str) -> None:
    torch = pytest.importorskip("torch")
    dist = pytest.importorskip("pyro.distributions")
    family, values = FAMILIES[name], ARGUMENTS[name]
    shapes = [values[shape] for shape in family.shapes]
    place, width = family.place(values)
    low, high = family.reach(*shapes)
    points = [low + (high - low) * share for share in (0.15, 0.3, 0.5, 0.7, 0.85)]
    known = getattr(dist, name)(**{key: torch.tensor(value) for key, value in values.items()})
    ours = torch.tensor([family.log_density(point, *shapes) for point in points])
    gaps = known.log_prob(torch.tensor([place + width * point for point in points])) - ours
    assert torch.allclose(gaps, gaps[0], atol=1e-4)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_is_drawn_is_nearly_all_there_is(name: str) -> None:
    torch = pytest.importorskip("torch")
    dist = pytest.importorskip("pyro.distributions")
    values = ARGUMENTS[name]
    curve = drawn(f"{name}({', '.join(f'{key}={value}' for key, value in values.items())})")
    assert isinstance(curve, Curve)
    draws = getattr(dist, name)(**{k: torch.tensor(v) for k, v in values.items()}).sample((5000,))
    inside = (draws >= float(curve.low)) & (draws <= float(curve.high))
    assert inside.float().mean() > 0.9


def test_the_curve_is_highest_where_the_density_is() -> None:
    curve = drawn("Normal(0, 1)")
    assert isinstance(curve, Curve)
    assert (curve.low, curve.high, curve.axis) == ("-4", "4", "")
    points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", curve.path)]
    assert len(points) == POINTS + 1  # it begins on the axis
    x, y = min(points, key=lambda point: point[1])
    assert abs(x - WIDTH / 2) <= WIDTH / POINTS and y == pytest.approx(2, abs=0.1)
    assert {HEIGHT} == {points[0][1], points[1][1]}


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("StudentT(3)", ("-6", "6")),
        ("Normal(2, sqrt(4))", ("-6", "10")),
        ("Normal(scale=0.5, loc=1)", ("-1", "3")),
        ("Uniform(0, 1)", ("-0.15", "1.15")),
        ("Beta(0.5, 0.5)", ("0", "1")),
        ("Gamma(0.5, 1)", ("0", "5.33")),
    ],
)
def test_the_axis_shows_where_it_ends(text: str, ends: tuple[str, str]) -> None:
    curve = drawn(text)
    assert isinstance(curve, Curve)
    assert (curve.low, curve.high) == ends
    assert "nan" not in curve.path and "inf" not in curve.path


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("Normal(0, fan_in ** -0.5)", "x / (fan_in ** -0.5)"),
        ("Normal(self.mean, 1)", "(x - (self.mean))"),
        ("Laplace(1, radford)", "(x - (1)) / (radford)"),
        ("HalfNormal(self.tau)", "x / (self.tau)"),
    ],
)
def test_what_only_the_site_tells_is_what_the_axis_counts(text: str, axis: str) -> None:
    curve = drawn(text)
    assert isinstance(curve, Curve)
    assert curve.axis == axis
    assert float(curve.high) == (6 if "Laplace" in text else 4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("VonMises(0, 1)", "not drawn: no formula for VonMises"),
        ("Gamma(2, self.rate)", "not drawn: rate depends on more than the spec"),
        ("StudentT(self.df, 0, 1)", "not drawn: df depends on more than the spec"),
        ("Normal(0, 1e308)", "not drawn: its numbers are too large or too small"),
        ("LogNormal(0, 1000)", "not drawn: its numbers are too large or too small"),
    ],
)
def test_why_there_is_none(text: str, reason: str) -> None:
    assert drawn(text) == reason
