"""A quantity of a likelihood beside the network: a number, learned, or random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from pyroify.catalog.distributions import DISTRIBUTIONS, Distribution
from pyroify.emit.values import write_value
from pyroify.spec.expressions import Call, ExpressionError, parse_expression, static_value
from pyroify.spec.kinds import Schema, Wrong, is_finite, suggest_one

SUPPORTS: Final = {
    "positive": ("positive", "nonnegative"),
    "share": ("unit_interval",),
}
"""The supports that a prior of each kind of quantity may have."""

_LEARNED: Final = {
    "positive": "PyroParam(torch.tensor(1.0), constraint=constraints.softplus_positive)",
    "share": "PyroParam(torch.tensor(0.1), constraint=constraints.unit_interval)",
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, ``learned``, or a distribution, of numbers as ``kind`` says."""

    kind: str

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        bound = {"exclusiveMaximum": 1} if self.kind == "share" else {}
        named = "|".join(_suitable(self.kind))
        return {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, **bound},
                {"const": "learned"},
                {"type": "string", "pattern": rf"^\s*({named})\s*\("},
            ]
        }

    def read(self, value: Any) -> str:
        """The quantity as source."""
        if value == "learned":
            return _LEARNED[self.kind]
        if isinstance(value, str):
            return f"PyroSample({_read_distribution(self.kind, value)})"
        if is_finite(value) and 0 < value < (1 if self.kind == "share" else math.inf):
            return f"torch.tensor({write_value(float(value))})"
        wanted = "a positive number" if self.kind == "positive" else "a number between 0 and 1"
        help = "write a number, `learned` or a distribution"
        raise Wrong(f"{value!r} is not {wanted}", help)


def _suitable(kind: str) -> dict[str, Distribution]:
    return {row.name: row for row in DISTRIBUTIONS.values() if row.support in SUPPORTS[kind]}


def _read_distribution(kind: str, text: str) -> str:
    """``LogNormal(0, 1)`` as source, after a look at its name, arguments and support."""
    try:
        call = parse_expression(text)
    except ExpressionError as error:
        raise Wrong(f"{text!r}: {error.message}", error.help or "try LogNormal(0, 1)") from None
    suitable = _suitable(kind)
    if isinstance(call, Call) and call.name in suitable:
        return _write_call(text, suitable[call.name], call)
    name = call.name if isinstance(call, Call) else text
    message = f"{name!r} is no distribution of {_DESCRIBED[kind]}"
    raise Wrong(message, suggest_one(name, tuple(suitable)))


_DESCRIBED: Final = {"positive": "positive numbers", "share": "numbers between 0 and 1"}


def _write_call(text: str, row: Distribution, call: Call) -> str:
    """The distribution with its arguments in order, all of them numbers."""
    names = [parameter.name for parameter in row.parameters]
    given = dict(zip(names, call.arguments, strict=False)) | dict(call.keywords)
    numbers: list[str] = []
    for name in names:
        try:
            value = static_value(given.pop(name)) if name in given else None
        except ExpressionError as error:
            raise Wrong(f"{text!r}: {error.message}", "write a finite number") from None
        if value is None:
            raise Wrong(f"{row.name} needs a number for {name}")
        numbers.append(write_value(float(value)))
    if given or len(call.arguments) > len(names):
        raise Wrong(f"{row.name} takes {', '.join(names)} and nothing else")
    return f"dist.{row.name}({', '.join(numbers)})"
