"""A quantity of a likelihood beside the network: a number, learned, or random."""

from __future__ import annotations

import difflib
import math
from typing import Any, Final

from pyroify.catalog.distributions import DISTRIBUTIONS, Distribution
from pyroify.emit.section import Section
from pyroify.emit.values import write_value
from pyroify.spec.expressions import Call, ExpressionError, parse_expression, static_value

SUPPORTS: Final = {
    "positive": ("positive", "nonnegative"),
    "share": ("unit_interval",),
}
"""The supports that a prior of each kind of quantity may have."""

_LEARNED: Final = {
    "positive": "PyroParam(torch.tensor(1.0), constraint=constraints.softplus_positive)",
    "share": "PyroParam(torch.tensor(0.1), constraint=constraints.unit_interval)",
}


def read_quantity(section: Section, key: str, kind: str, default: Any) -> str:
    """Source text of the quantity; faults go to the section's problems."""
    value = section.take(key)
    value = default if value is None else value
    if value == "learned":
        return _LEARNED[kind]
    if isinstance(value, str):
        return f"PyroSample({_read_distribution(section, key, kind, value)})"
    fits = isinstance(value, int | float) and 0 < value < (1 if kind == "share" else math.inf)
    if not fits:
        wanted = "a positive number" if kind == "positive" else "a number between 0 and 1"
        section.problem(
            key, f"{value!r} is not {wanted}", "write a number, `learned` or a distribution"
        )
        return "1.0"
    return f"torch.tensor({write_value(float(value))})"


def _read_distribution(section: Section, key: str, kind: str, text: str) -> str:
    """``LogNormal(0, 1)`` as source, after a look at its name, arguments and support."""
    try:
        call = parse_expression(text)
    except ExpressionError as error:
        section.problem(key, f"{text!r}: {error.message}", error.help or "try LogNormal(0, 1)")
        return ""
    suitable = {row.name: row for row in DISTRIBUTIONS.values() if row.support in SUPPORTS[kind]}
    if not isinstance(call, Call) or call.name not in suitable:
        name = call.name if isinstance(call, Call) else text
        close = difflib.get_close_matches(name, suitable, n=1)
        section.problem(
            key,
            f"{name!r} is no distribution of {_DESCRIBED[kind]}",
            f"did you mean {close[0]}?" if close else f"choose from {', '.join(suitable)}",
        )
        return ""
    return _write_call(section, key, text, suitable[call.name], call)


_DESCRIBED: Final = {"positive": "positive numbers", "share": "numbers between 0 and 1"}


def _write_call(section: Section, key: str, text: str, row: Distribution, call: Call) -> str:
    """The distribution with its arguments in order, all of them numbers."""
    names = [parameter.name for parameter in row.parameters]
    given = dict(zip(names, call.arguments, strict=False)) | dict(call.keywords)
    numbers: list[str] = []
    for name in names:
        try:
            value = static_value(given.pop(name)) if name in given else None
        except ExpressionError as error:
            section.problem(key, f"{text!r}: {error.message}", "write a finite number")
            return ""
        if value is None:
            section.problem(key, f"{row.name} needs a number for {name}")
            return ""
        numbers.append(write_value(float(value)))
    if given or len(call.arguments) > len(names):
        section.problem(key, f"{row.name} takes {', '.join(names)} and nothing else")
    return f"dist.{row.name}({', '.join(numbers)})"
