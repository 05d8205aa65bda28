"""What the spec says of a parameter that is really there, without asking the planner."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from torch import Tensor, nn

from benchmarks.fuzz.sites import Key, Site
from pyroify.spec.expressions import (
    Attribute,
    Binary,
    Call,
    Expression,
    Items,
    Negative,
    Number,
    SiteName,
    Size,
    expand_presets,
)
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Action, Keep, Sample, Spec


class Unclear(Exception):
    """The documents do not say what is expected."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What becomes of a site; None where the classes it may belong to are treated apart."""

    action: Action | None


def expect(spec: Spec, site: Site) -> Expected:
    """What the last rule that matches says, for every way the parameter can be named."""
    actions = [
        _decide(spec, site, key, layer)
        for key in site.keys or (Key("", "", site.name),)
        for layer in site.layers
    ]
    first = actions[0]
    return Expected(first if all(_same(first, action) for action in actions) else None)


def _decide(spec: Spec, site: Site, key: Key, layer: str) -> Action:
    for holder in site.instance_keys:
        decision = decide(spec, _site_key(holder, layer, site.frozen))
        if decision.rule is not None:
            return decision.action
    return decide(spec, _site_key(key, layer, site.frozen)).action


def _site_key(key: Key, layer: str, frozen: bool) -> SiteKey:
    return SiteKey(key.module, key.qualname, key.path, layer, frozen, key.instance)


def _same(one: Action, other: Action) -> bool:
    return one is other or (isinstance(one, Keep) and isinstance(other, Keep))


def distribution(
    action: Sample, site: Site, owner: nn.Module, read: Callable[[str], Tensor]
) -> dist.Distribution:
    """The prior that ``action`` gives a site. ``read`` gives other attributes of the owner."""
    values = _Values(site.shape, _fans(site, owner), read)
    law = values.law(action.distribution)
    event = len(law.event_shape)
    batch = site.shape[: len(site.shape) - event]
    if site.shape[len(site.shape) - event :] != tuple(law.event_shape):
        raise Unclear("the shape of the distribution is not that of the parameter")
    return law.expand(torch.Size(batch)).to_event(len(batch))


def constraint(call: Call) -> constraints.Constraint:
    """The constraint of a ``param``."""
    values = _Values((), None, lambda name: torch.tensor(0.0))
    found = getattr(constraints, call.name)
    arguments = [float(values.number(a)) for a in call.arguments]
    keywords = {name: float(values.number(value)) for name, value in call.keywords}
    return found(*arguments, **keywords) if arguments or keywords else found


def _fans(site: Site, owner: nn.Module) -> tuple[int, int] | None:
    """Of the weight, for a bias; a vector has none."""
    shape = site.shape
    name = site.name.rpartition(".")[2]
    if len(shape) < 2 and "bias" in name:
        weight = getattr(owner, name.replace("bias", "weight"), None)
        shape = tuple(weight.shape) if isinstance(weight, Tensor) else shape
    if len(shape) < 2:
        return None
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


_OPERATIONS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_FUNCTIONS = {"sqrt": torch.sqrt, "exp": torch.exp, "log": torch.log}


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of expressions at one site."""

    shape: tuple[int, ...]
    fans: tuple[int, int] | None
    read: Callable[[str], Tensor]

    def law(self, call: Call) -> dist.Distribution:
        arguments = [self._argument(a) for a in call.arguments]
        keywords = {name: self._argument(value) for name, value in call.keywords}
        return getattr(dist, call.name)(*arguments, **keywords)

    def _argument(self, expression: Expression) -> Tensor | dist.Distribution:
        if isinstance(expression, Call) and hasattr(dist, expression.name):
            return self.law(expression)
        return self.number(expand_presets(expression))

    def number(self, expression: Expression) -> Tensor:
        match expression:
            case Number(value):
                return torch.tensor(float(value))
            case SiteName(name):
                return torch.tensor(float(self._fact(name)))
            case Size(index):
                return torch.tensor(float(self.shape[index]))
            case Attribute(path):
                return self.read(".".join(path))
            case Negative(operand):
                return -self.number(operand)
            case Binary(symbol, left, right):
                return _OPERATIONS[symbol](self.number(left), self.number(right))
            case Items(items):
                return torch.stack([self.number(item) for item in items])
            case Call(name, (argument,), ()):
                return _FUNCTIONS[name](self.number(argument))
        raise Unclear(str(expression))

    def _fact(self, name: str) -> int:
        if name == "numel":
            return math.prod(self.shape)
        if name == "ndim":
            return len(self.shape)
        if self.fans is None:
            raise Unclear("a vector has no fans")
        return self.fans[name == "fan_out"]
