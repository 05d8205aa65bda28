"""Likelihoods and guides: one template each, which also states its facts.

A template sets ``title`` and ``options``; the options a spec may give are read from there, so
that a new family is one new file.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.emit.section import Section
from pyroify.spec.expressions import (
    Call,
    ExpressionError,
    parse_expression,
    static_value,
)

LIKELIHOODS: Final = "likelihoods"
GUIDES: Final = "guides"
SUFFIX: Final = ".py.j2"


@dataclass(frozen=True, slots=True)
class Family:
    """A likelihood or guide with its options. ``positive`` holds source text for attributes."""

    name: str
    options: Mapping[str, Any]
    positive: Mapping[str, str]


@cache
def environment() -> Environment:
    """The templates; a name that is not defined is an error, never empty text."""
    return Environment(
        loader=PackageLoader("pyroify", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def names(kind: str) -> tuple[str, ...]:
    """The families of a kind: the templates in its folder."""
    folder = files("pyroify") / "templates" / kind
    return tuple(
        sorted(
            entry.name.removesuffix(SUFFIX)
            for entry in folder.iterdir()
            if entry.name.endswith(SUFFIX)
        )
    )


def facts(kind: str, name: str) -> Any:
    """What the template of a family sets."""
    return environment().get_template(f"{kind}/{name}{SUFFIX}").module


def read_family(section: Section, kind: str, default: str, taken: tuple[str, ...] = ()) -> Family:
    """The family that the section names, with every option it has; ``taken``: keys read before."""
    name = section.choice("family", names(kind), default)
    options: dict[str, Any] = {}
    positive: dict[str, str] = {}
    for option, (type_, fallback) in facts(kind, name).options.items():
        if type_ == "positive":
            positive[option] = _positive(section, option, fallback)
        elif type_ == "count":
            options[option] = section.count(option, fallback)
        else:
            options[option] = section.number(option, fallback)
    section.known.extend(taken)
    section.finish()
    return Family(name, options, positive)


def _positive(section: Section, key: str, default: Any) -> str:
    """A positive quantity: a number, ``learned``, or a distribution that makes it a latent."""
    value = section.take(key)
    value = default if value is None else value
    if value == "learned":
        return "PyroParam(torch.tensor(1.0), constraint=constraints.softplus_positive)"
    if isinstance(value, str):
        return f"PyroSample({_distribution(section, key, value)})"
    section.known.remove(key)
    return repr(section.number(key, float(default) if isinstance(default, int | float) else 1.0))


def _distribution(section: Section, key: str, text: str) -> str:
    """``LogNormal(0, 1)`` as source, after a look at its name, arguments and support."""
    try:
        call = parse_expression(text)
        assert isinstance(call, Call)
        numbers = [static_value(argument) for argument in call.arguments]
    except (ExpressionError, AssertionError):
        section.problem(
            key, f"{text!r} is no positive number, `learned` or distribution", "try LogNormal(0, 1)"
        )
        return "dist.LogNormal(0.0, 1.0)"
    positive = [
        row.name for row in DISTRIBUTIONS.values() if row.support in ("positive", "nonnegative")
    ]
    if call.name not in positive:
        close = difflib.get_close_matches(call.name, positive, n=1)
        section.problem(
            key,
            f"{call.name} is no distribution of positive numbers",
            f"did you mean {close[0]}?" if close else "try LogNormal(0, 1)",
        )
    return f"dist.{call.name}({', '.join(repr(float(number or 0)) for number in numbers)})"
