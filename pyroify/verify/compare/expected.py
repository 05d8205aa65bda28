"""What a spec says of a parameter that is really there, read off the built object.

Nothing here knows the plan, or the source that was written: shapes and fans are those of the
tensor, layers and classes those of the modules around it, and expressions are computed, not
printed. So it can judge both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pyro import distributions as dist
from pyro.distributions import constraints
from torch import Tensor, nn

from pyroify.catalog.distributions import DISTRIBUTIONS, Parameter
from pyroify.catalog.layers import LAYERS
from pyroify.spec.check import bind, constraint_values
from pyroify.spec.expressions import (
    FUNCTIONS,
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
    static_value,
)
from pyroify.spec.match import Decision, SiteKey, decide
from pyroify.spec.model import Init, Param, Spec

Read = Callable[[tuple[str, ...]], Any]
"""Reads an attribute of the module that owns a site: the path without ``self``."""


class CannotTell(Exception):
    """The spec's expression has no value at this site; the message says why."""


@dataclass(frozen=True, slots=True)
class EnclosingModule:
    """A module around a parameter whose class is of the project.

    ``path`` leads from the root to the module, ``inner`` from there to the parameter. ``classes``
    are those of its method resolution order that are of the project, its own class first.
    """

    path: str
    inner: str
    classes: tuple[type, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A parameter of a built module.

    ``names`` are all paths that lead to it, ``path`` the one meant here. ``owner`` holds it under
    ``name``; ``layer`` is the class of torch.nn that the owner is, empty for one of the project's
    own. ``enclosing`` are the modules of the project around it, the innermost first.
    """

    path: str
    names: tuple[str, ...]
    tensor: Tensor
    owner: nn.Module
    name: str
    layer: str
    enclosing: tuple[EnclosingModule, ...]

    @property
    def is_frozen(self) -> bool:
        """Whether it was built with ``requires_grad=False``."""
        return not self.tensor.requires_grad


def find_parameters(root: nn.Module, is_own: Callable[[type], bool]) -> Iterator[Found]:
    """Every parameter under each of its names; ``is_own`` says which classes are the project's."""
    modules = dict(root.named_modules(remove_duplicate=False))
    named = dict(root.named_parameters(remove_duplicate=False))
    names: dict[int, list[str]] = {}
    for path, tensor in named.items():
        names.setdefault(id(tensor), []).append(path)
    for path, tensor in named.items():
        where, _, name = path.rpartition(".")
        owner = modules[where]
        enclosing = tuple(_enclosing(path, modules, is_own))
        yield Found(path, tuple(names[id(tensor)]), tensor, owner, name, layer_of(owner), enclosing)


def layer_of(owner: nn.Module) -> str:
    """The class of torch.nn that a module is or derives from, as rules name it."""
    for cls in type(owner).__mro__:
        row = LAYERS.get(cls.__name__)
        if row is not None and cls.__module__.startswith("torch.") and row.kind != "container":
            return row.name
    return ""


def spec_decision(
    spec: Spec,
    found: Found,
    name_of: Callable[[type], tuple[str, str]],
    declaring: type,
    builds: Callable[[type, str], bool] = lambda cls, way: True,
) -> Decision:
    """What the rules say of a parameter that ``declaring``, of its innermost module, declares.

    ``name_of`` gives module and qualified name as the spec writes them. A rule that spells out
    the way from a module further out is for that instance alone, and goes before, where the class
    of that module ``builds`` what is under that way, and is not handed it.
    """
    module = found.enclosing[0]
    spared: list[Decision] = []
    for position in range(len(found.enclosing) - 1, 0, -1):
        outer, held = found.enclosing[position], found.enclosing[position - 1]
        way = held.path.removeprefix(f"{outer.path}.") if outer.path else held.path
        for cls in (cls for cls in outer.classes if builds(cls, way)):
            for inner, instance in _as_spelled(outer.inner, way):
                key = SiteKey(*name_of(cls), inner, found.layer, found.is_frozen, instance)
                if (decision := decide(spec, key)).rule is not None:
                    return decision
                spared += [decision] if decision.spared else []
    key = SiteKey(*name_of(declaring), module.inner, found.layer, found.is_frozen)
    decision = decide(spec, key)
    return decision if decision.rule is not None or not spared else spared[0]


def _as_spelled(inner: str, way: str) -> Iterator[tuple[str, str]]:
    """A path as it is, and with its numbers as the ``*`` of a run-time index."""
    yield inner, way
    starred = ".".join("*" if name.isdecimal() else name for name in way.split("."))
    if starred != way:
        yield starred + inner.removeprefix(way), starred


def _enclosing(
    path: str, modules: Mapping[str, nn.Module], is_own: Callable[[type], bool]
) -> Iterator[EnclosingModule]:
    names = path.split(".")
    for count in range(len(names) - 1, -1, -1):
        where = ".".join(names[:count])
        classes = tuple(cls for cls in type(modules[where]).__mro__ if is_own(cls))
        if classes:
            yield EnclosingModule(where, ".".join(names[count:]), classes)


# Values -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """What expressions may ask of a site; fans are None where a tensor has none."""

    shape: tuple[int, ...]
    fan_in: int | None = None
    fan_out: int | None = None


def facts_of(found: Found) -> Facts:
    """Shape and fans of a parameter; the bias of a layer has the fans of its weight."""
    weight: Tensor | None = found.tensor
    if found.layer and "bias" in found.name:
        weight = found.owner._parameters.get(found.name.replace("bias", "weight"), found.tensor)
    shape = tuple(found.tensor.shape)
    if weight is None or weight.dim() < 2:
        return Facts(shape)
    kernel = math.prod(weight.shape[2:])
    return Facts(shape, weight.shape[1] * kernel, weight.shape[0] * kernel)


def law_of(call: Call, facts: Facts, read: Read) -> Any:
    """The distribution over a whole site: all of its dimensions are event dimensions.

    Raises :class:`CannotTell` where an expression has no value there.
    """
    own = DISTRIBUTIONS[call.name].event_dim
    batch = len(facts.shape) - own
    if batch < 0:
        raise CannotTell(f"{call.name} draws values of {own} dimensions")
    try:
        return _distribution(call, facts, read).expand(facts.shape[:batch]).to_event(batch)
    except (ValueError, RuntimeError) as error:
        raise CannotTell(str(error)) from error


def value_of(expression: Expression, facts: Facts, read: Read) -> Any:
    """The number or tensor that an expression stands for; raises :class:`CannotTell`."""
    try:
        return _value(expand_presets(expression), facts, read)
    except (ArithmeticError, AttributeError, IndexError, ValueError) as error:
        raise CannotTell(str(error)) from error


def constraint_of(call: Call) -> Any:
    """The constraint that a spec names."""
    values = constraint_values(call)
    constraint = getattr(constraints, call.name)
    return constraint(*values) if values else constraint


def start_of(param: Param, before: Tensor) -> Tensor:
    """Where a PyroParam starts whose parameter started at ``before``."""
    match param.init:
        case "keep":
            return before
        case "exp":
            return before.exp()
        case "softplus":
            return nn.functional.softplus(before)
        case "unconstrained":
            moved: Tensor = torch.distributions.transform_to(constraint_of(param.constraint))(
                before
            )
            return moved
    return torch.full_like(before, _number_of(param.init))


def _number_of(init: Init) -> float:
    assert not isinstance(init, str)
    return init


def _distribution(call: Call, facts: Facts, read: Read) -> Any:
    row = DISTRIBUTIONS[call.name]
    given = bind(row, call)
    arguments = {
        parameter.name: _argument(parameter, given[parameter.name], facts, read)
        for parameter in row.parameters
        if parameter.name in given
    }
    return getattr(dist, call.name)(**arguments)


def _argument(parameter: Parameter, expression: Expression, facts: Facts, read: Read) -> Any:
    if parameter.kind == "distribution":
        assert isinstance(expression, Call)
        return _distribution(expression, facts, read)
    value = value_of(expression, facts, read)
    if parameter.kind == "size":
        return int(value)
    if isinstance(value, Tensor):
        return value
    if parameter.event_dim == 2:
        return value * torch.eye(facts.shape[-1])
    if parameter.event_dim == 1:
        return torch.full((facts.shape[-1],), float(value))
    return torch.tensor(float(value)) if parameter.kind == "tensor" else float(value)


def _value(expression: Expression, facts: Facts, read: Read) -> Any:
    match expression:
        case Number(value):
            return value
        case SiteName("numel"):
            return math.prod(facts.shape)
        case SiteName("ndim"):
            return len(facts.shape)
        case SiteName(name):
            fan = facts.fan_in if name == "fan_in" else facts.fan_out
            if fan is None:
                raise CannotTell(f"{name} is not defined")
            return fan
        case Size(index):
            return facts.shape[index]
        case Attribute(path):
            return read(path)
        case Negative(operand):
            return -_value(operand, facts, read)
        case Binary(operator, left, right):
            return _OPERATIONS[operator](_value(left, facts, read), _value(right, facts, read))
        case Items(items):
            return torch.tensor([_element(item, facts, read) for item in items])
        case Call(name, (argument,)) if name in FUNCTIONS:
            value = _value(argument, facts, read)
            return _TENSOR[name](value) if isinstance(value, Tensor) else _FLOAT[name](value)
    raise CannotTell(f"{expression} is no value")


def _element(expression: Expression, facts: Facts, read: Read) -> Any:
    if isinstance(expression, Items):
        return [_element(item, facts, read) for item in expression.items]
    static = static_value(expression)
    return float(_value(expression, facts, read)) if static is None else static


_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
}
_FLOAT: Mapping[str, Callable[[float], float]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
}
_TENSOR: Mapping[str, Callable[[Tensor], Tensor]] = {
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
}


# Comparison -------------------------------------------------------------------------------------

_ROUNDING = 1e-5


def law_difference(planned: Any, drawn: Any) -> str:
    """How a distribution that was drawn from differs from the planned one; empty if it does not."""
    if _is_masked(drawn):
        return "is masked, so it does not count"
    if drawn.batch_shape:
        return f"has batch_shape {tuple(drawn.batch_shape)}, so its dims are no event dims"
    if drawn.event_shape != planned.event_shape:
        return f"has event_shape {tuple(drawn.event_shape)}, planned {tuple(planned.event_shape)}"
    return base_difference(planned, drawn) or _support_difference(planned, drawn)


def base_difference(planned: Any, drawn: Any) -> str:
    """How the family or the parameters of two distributions differ, whatever their shapes."""
    planned, drawn = unwrapped(planned), unwrapped(drawn)
    family, planned_family = type(drawn).__name__, type(planned).__name__
    if family != planned_family:
        return f"is {family}, planned {planned_family}"
    for parameter in DISTRIBUTIONS[family].parameters:
        wanted, got = (getattr(law, parameter.name, None) for law in (planned, drawn))
        if parameter.kind == "distribution":
            if reason := base_difference(wanted, got):
                return f"{parameter.name} {reason}"
        elif reason := value_difference(wanted, got):
            return f"{parameter.name} of {family} {reason}"
    return ""


def value_difference(planned: Any, got: Any) -> str:
    """How two numbers or tensors differ, up to rounding and broadcasting."""
    if planned is None or got is None:
        return "" if planned is got else f"is {got}, planned {planned}"
    wide = [torch.as_tensor(value).detach().to(torch.float64) for value in (planned, got)]
    kinds = [torch.as_tensor(value).dtype for value in (planned, got)]
    try:
        wanted, found = torch.broadcast_tensors(*wide)
    except RuntimeError:
        return f"has shape {tuple(wide[1].shape)}, planned {tuple(wide[0].shape)}"
    rounding = max([_ROUNDING, *(8 * torch.finfo(k).eps for k in kinds if k.is_floating_point)])
    if torch.allclose(wanted, found, rtol=rounding, atol=1e-12, equal_nan=True):
        return ""
    at = (wanted - found).abs().nan_to_num(nan=math.inf).argmax()
    return f"is {found.flatten()[at].item():.6g}, planned {wanted.flatten()[at].item():.6g}"


def constraint_difference(planned: Any, got: Any) -> str:
    """How a constraint differs from the planned one."""
    same = type(planned) is type(got) and all(
        not value_difference(getattr(planned, bound), getattr(got, bound, None))
        for bound in ("lower_bound", "upper_bound")
        if hasattr(planned, bound)
    )
    return "" if same else f"is under {got}, planned {planned}"


def unwrapped(law: Any) -> Any:
    """A distribution without what reshapes or masks it."""
    while type(law).__name__ in ("Independent", "ExpandedDistribution", "MaskedDistribution"):
        law = law.base_dist
    return law


def _is_masked(law: Any) -> bool:
    while type(law).__name__ in ("Independent", "ExpandedDistribution"):
        law = law.base_dist
    return type(law).__name__ == "MaskedDistribution"


def _support_difference(planned: Any, drawn: Any) -> str:
    try:
        wanted = planned.support
    except NotImplementedError:
        return ""
    got = drawn.support
    if type(wanted) is type(got) and wanted.event_dim == got.event_dim:
        return ""
    return f"has the support {got}, planned {wanted}"
