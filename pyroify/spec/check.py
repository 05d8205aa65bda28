"""What can be said about a distribution or a constraint from the catalogue alone."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pyroify.catalog.constraints import ALIASES, CONSTRAINTS, STRUCTURAL, Constraint
from pyroify.catalog.distributions import (
    DISTRIBUTIONS,
    REQUIRED,
    UNSUITABLE,
    Distribution,
    Parameter,
)
from pyroify.spec.expressions import (
    FUNCTIONS,
    PRESETS,
    SITE_NAMES,
    Attribute,
    Call,
    Expression,
    ExpressionError,
    Items,
    Number,
    children,
    contains,
    static_value,
    to_text,
    walk,
)
from pyroify.spec.model import Init

UNKNOWN_DISTRIBUTION = "PYR106"
BAD_ARGUMENTS = "PYR107"
OUTSIDE_SUPPORT = "PYR108"
BAD_CONSTRAINT = "PYR109"
NO_GUIDE = "PYR110"
INIT_OUTSIDE = "PYR034"

_LISTED = "pyroify schema lists the distributions"

_DIAGONAL = "give numbers above 0 on the diagonal"

LOCATION_SCALE = ("Normal", "Laplace", "Cauchy", "StudentT", "Logistic", "Gumbel")
"""Distributions of ``loc + scale * noise``, where the noise has loc 0 and scale 1."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with an expression; ``offset`` is where, as its nodes count."""

    code: str
    offset: int
    message: str
    help: str = ""
    is_warning: bool = False


def bind(distribution: Distribution, call: Call) -> Mapping[str, Expression]:
    """The arguments of ``call`` by parameter name, in the distribution's order.

    The call must have passed :func:`check_distribution`.
    """
    names = [parameter.name for parameter in distribution.parameters]
    given = dict(zip(names, call.arguments, strict=False)) | dict(call.keywords)
    return {name: given[name] for name in names if name in given}


def check_distribution(call: Call) -> Iterator[Fault]:
    """Everything wrong with a prior; warnings included."""
    distribution = DISTRIBUTIONS.get(call.name)
    if distribution is None:
        yield _unknown_distribution(call)
        return
    if faults := list(_check_binding(distribution, call)):
        yield from faults
        return
    given = bind(distribution, call)
    faults = [
        fault
        for parameter in distribution.parameters
        if parameter.name in given
        for fault in _check_argument(distribution, parameter, given[parameter.name])
    ]
    if not faults and call.name == "Uniform":
        faults += _check_order(given["low"], given["high"])
    yield from faults
    if distribution.guide_problem:
        yield Fault(
            NO_GUIDE,
            call.offset,
            f"no autoguide can take {call.name}: {distribution.guide_problem}",
            "sample it with NUTS where it is continuous, or write a guide by hand",
            is_warning=True,
        )


def check_value(expression: Expression) -> Iterator[Fault]:
    """Everything wrong with an expression that must be a number or tensor."""
    for node in walk(expression):
        if isinstance(node, Call):
            yield from _check_call(node)
        elif isinstance(node, Items):
            yield from _check_items(node)
    yield from _check_static(expression)


def check_deterministic(expression: Expression) -> Iterator[Fault]:
    """Everything wrong with the value of a deterministic attribute."""
    faults = list(check_value(expression))
    if not faults and not contains(expression, Attribute):
        message = "value reads no attribute, so it is a constant"
        faults = [Fault(BAD_ARGUMENTS, expression.offset, message, "read one: self.tau")]
    yield from faults


def check_noncentered(call: Call) -> Iterator[Fault]:
    """Whether ``call`` is a location and a scale, and can be written as noise times scale."""
    if call.name not in LOCATION_SCALE:
        message = f"{call.name} has no non-centred form"
        help = f"possible for {', '.join(LOCATION_SCALE)}"
        yield Fault(BAD_ARGUMENTS, call.offset, message, help)


def check_event_dim(call: Call, event_dim: int | None, offset: int) -> Iterator[Fault]:
    """Whether a PyroParam under the (checked) constraint ``call`` can have ``event_dim``."""
    constraint = find_constraint(call.name)
    if constraint is not None and event_dim is not None and event_dim < constraint.event_dim:
        message = f"event_dim must be at least {constraint.event_dim} for {call.name}"
        yield Fault(BAD_CONSTRAINT, offset, message, "leave event_dim out")


def check_constraint(call: Call) -> Iterator[Fault]:
    """Everything wrong with the constraint of a PyroParam."""
    constraint = find_constraint(call.name)
    if constraint is None:
        yield _unknown_constraint(call)
        return
    if not constraint.is_learnable:
        yield Fault(
            BAD_CONSTRAINT,
            call.offset,
            f"{call.name} has no transform, so no parameter can be learned under it",
            "use one of: " + ", ".join(name for name, c in CONSTRAINTS.items() if c.is_learnable),
        )
        return
    expected = constraint.arguments
    unknown = [key for key, _ in call.keywords if key not in expected]
    if unknown or len(call.arguments) + len(call.keywords) != len(expected):
        takes = f"takes {', '.join(expected)}" if expected else "takes no arguments"
        example = {0: "", 1: "(0)", 2: "(0, 1)"}[len(expected)]
        yield Fault(
            BAD_CONSTRAINT,
            call.offset,
            f"{call.name} {takes}",
            f"write {call.name}{example}",
        )
        return
    values = children(call)
    for value in values:
        faults = list(_check_static(value))
        if not faults and static_value(value) is None:
            faults = [
                Fault(
                    BAD_CONSTRAINT,
                    value.offset,
                    f"{to_text(value)} is not a plain number",
                    "bounds of a constraint are the same for every site",
                )
            ]
        yield from faults
        if faults:
            return
    if len(values) == 2:
        low, high = constraint_values(call)
        if low >= high:
            yield Fault(
                BAD_CONSTRAINT,
                call.offset,
                f"{to_text(call)} is empty: the lower bound is not below the upper one",
                "swap the bounds",
            )


def check_init(call: Call, init: Init, offset: int) -> Iterator[Fault]:
    """Whether a PyroParam under the (checked) constraint ``call`` can start from ``init``."""
    constraint = find_constraint(call.name)
    if constraint is None or init == "keep":
        return
    if init == "unconstrained":
        if constraint.name in ("corr_cholesky", "corr_matrix"):
            message = f"the unconstrained form of {call.name} has another shape"
            yield Fault(INIT_OUTSIDE, offset, message, "use init: keep")
        return
    arguments = constraint_values(call)
    if isinstance(init, str):
        lower, _ = constraint.bounds(arguments) if constraint.event_dim == 0 else (None, None)
        if lower is None or lower > 0 or constraint.bounds(arguments)[1] < float("inf"):
            yield Fault(
                INIT_OUTSIDE,
                offset,
                f"init {init} gives any positive number, but not all are in {to_text(call)}",
                "use init: unconstrained, or a number",
            )
        return
    if constraint.event_dim:
        yield Fault(
            INIT_OUTSIDE,
            offset,
            f"a tensor filled with {init} is not in {to_text(call)}",
            "use init: unconstrained",
        )
    elif not constraint.is_interior(init, arguments):
        yield Fault(
            INIT_OUTSIDE,
            offset,
            f"init {init} is not inside {describe(constraint, arguments)}",
            "give a number strictly inside",
        )


def find_constraint(name: str) -> Constraint | None:
    """The constraint called ``name``, under any of its names."""
    return CONSTRAINTS.get(ALIASES.get(name, name))


def constraint_values(call: Call) -> tuple[float, ...]:
    """The numbers given to a checked constraint, in the constraint's order."""
    constraint = find_constraint(call.name)
    assert constraint is not None
    given = dict(zip(constraint.arguments, call.arguments, strict=False)) | dict(call.keywords)
    values = (static_value(given[name]) for name in constraint.arguments)
    return tuple(value for value in values if value is not None)


def describe(constraint: Constraint, arguments: Iterable[float] = ()) -> str:
    """``positive (> 0)``: a constraint with what it means for a number."""
    lower, upper = constraint.bounds(tuple(arguments))
    parts = []
    if lower != float("-inf"):
        parts.append(f"{'>=' if constraint.is_closed_below else '>'} {lower:g}")
    if upper != float("inf"):
        parts.append(f"{'<=' if constraint.is_closed_above else '<'} {upper:g}")
    return f"{constraint.name} ({', '.join(parts)})" if parts else constraint.name


def suggest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the closest of ``known``, or nothing."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[close[0]]!r}?" if close else ""


def tensor_shape(expression: Expression) -> tuple[int, ...]:
    """The shape of a list literal, ``()`` for anything else; raises ExpressionError if ragged."""
    if not isinstance(expression, Items):
        return ()
    shapes = {tensor_shape(item) for item in expression.items}
    if len(shapes) > 1:
        raise ExpressionError("the rows of the list differ in length", expression.offset)
    return (len(expression.items), *shapes.pop())


def _unknown_distribution(call: Call) -> Fault:
    if call.name in UNSUITABLE:
        message = f"{call.name} cannot be a prior: {UNSUITABLE[call.name]}"
        return Fault(UNKNOWN_DISTRIBUTION, call.offset, message, _LISTED)
    if call.name in FUNCTIONS or call.name in PRESETS:
        message = f"{call.name} is a number, not a distribution"
        return Fault(UNKNOWN_DISTRIBUTION, call.offset, message, f"Normal(0, {to_text(call)})?")
    return Fault(
        UNKNOWN_DISTRIBUTION,
        call.offset,
        f"unknown distribution {call.name!r}",
        suggest(call.name, DISTRIBUTIONS) or _LISTED,
    )


def _unknown_constraint(call: Call) -> Fault:
    if call.name in STRUCTURAL:
        message = f"{call.name} is not a constraint a spec can use"
        return Fault(BAD_CONSTRAINT, call.offset, message, "event_dim: sets the event dimensions")
    learnable = [name for name, constraint in CONSTRAINTS.items() if constraint.is_learnable]
    return Fault(
        BAD_CONSTRAINT,
        call.offset,
        f"unknown constraint {call.name!r}",
        suggest(call.name, learnable) or f"use one of: {', '.join(learnable)}",
    )


def _check_binding(distribution: Distribution, call: Call) -> Iterator[Fault]:
    names = [parameter.name for parameter in distribution.parameters]
    takes = f"{call.name} takes {', '.join(names)}"
    if len(call.arguments) > len(names):
        surplus = call.arguments[len(names)]
        message = f"{call.name} has no {_ordinal(len(names) + 1)} argument"
        yield Fault(BAD_ARGUMENTS, surplus.offset, message, takes)
        return
    by_position = set(names[: len(call.arguments)])
    for name, value in call.keywords:
        if name not in names:
            message = f"{call.name} has no argument {name!r}"
            yield Fault(BAD_ARGUMENTS, value.offset, message, suggest(name, names) or takes)
            return
        if name in by_position:
            message = f"{name!r} is given by position and by name"
            yield Fault(BAD_ARGUMENTS, value.offset, message, "remove one of the two")
            return
    given = by_position | {name for name, _ in call.keywords}
    missing = [p.name for p in distribution.parameters if p.default is REQUIRED]
    missing = [name for name in missing if name not in given]
    if missing:
        yield Fault(BAD_ARGUMENTS, call.offset, f"{call.name} needs {' and '.join(missing)}", takes)
    for choice in distribution.choices:
        if len(given.intersection(choice)) != 1:
            message = f"{call.name} needs exactly one of {', '.join(choice)}"
            yield Fault(BAD_ARGUMENTS, call.offset, message, f"write {call.name}({choice[0]}=...)")


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _check_argument(
    distribution: Distribution, parameter: Parameter, value: Expression
) -> Iterator[Fault]:
    if parameter.kind == "distribution":
        yield from _check_component(distribution, parameter, value)
        return
    faults = list(_check_no_distribution(parameter, value)) or list(check_value(value))
    yield from faults or _check_shape(parameter, value) or _check_support(parameter, value)


def _check_component(
    distribution: Distribution, parameter: Parameter, value: Expression
) -> Iterator[Fault]:
    """A distribution that another is built from; guides never see it, so no warnings."""
    if isinstance(value, Call):
        yield from (fault for fault in check_distribution(value) if not fault.is_warning)
        return
    message = f"{parameter.name} of {distribution.name} must be a distribution"
    yield Fault(BAD_ARGUMENTS, value.offset, message, "for example: Normal(0, 1)")


def _check_no_distribution(parameter: Parameter, value: Expression) -> Iterator[Fault]:
    for node in walk(value):
        if isinstance(node, Call) and (node.name in DISTRIBUTIONS or node.name in UNSUITABLE):
            yield Fault(
                BAD_ARGUMENTS,
                node.offset,
                f"{parameter.name} must be a number or a tensor, not a distribution",
                f"declare it under latents: and read it here, as self.{parameter.name}",
            )


def _check_call(call: Call) -> Iterator[Fault]:
    if call.name in FUNCTIONS:
        takes, is_right = "one argument", len(call.arguments) == 1
    elif call.name == "kaiming":
        takes, is_right = "at most a gain", len(call.arguments) <= 1
    elif call.name in PRESETS:
        takes, is_right = "no arguments", not call.arguments
    else:
        known = (*FUNCTIONS, *PRESETS, *SITE_NAMES)
        hint = suggest(call.name, known) or f"known names: {', '.join(known)}, shape[i], self.name"
        yield Fault(BAD_ARGUMENTS, call.offset, f"unknown name {call.name!r}", hint)
        return
    if call.keywords or not is_right:
        help = "leave out the rest" if call.arguments else "give it one"
        yield Fault(BAD_ARGUMENTS, call.offset, f"{call.name} takes {takes}", help)


def _check_items(items: Items) -> Iterator[Fault]:
    for item in items.items:
        if not isinstance(item, Items) and contains(item, Items):
            message = "a list holds numbers, or lists of the same length"
            yield Fault(BAD_ARGUMENTS, item.offset, message)


def _check_static(expression: Expression) -> Iterator[Fault]:
    """Report the innermost parts that have no finite value."""
    faults = [fault for child in children(expression) for fault in _check_static(child)]
    if not faults:
        try:
            static_value(expression)
        except ExpressionError as error:
            help = "put a number in its place"
            faults = [Fault(OUTSIDE_SUPPORT, error.offset, error.message, help)]
    yield from faults


def _check_shape(parameter: Parameter, value: Expression) -> list[Fault]:
    try:
        shape = tensor_shape(value)
    except ExpressionError as error:
        return [Fault(BAD_ARGUMENTS, error.offset, error.message)]
    message = ""
    if parameter.kind == "size":
        if not (isinstance(value, Number) and isinstance(value.value, int)):
            message = f"{parameter.name} must be a whole number"
    elif isinstance(value, Items) and len(shape) < parameter.event_dim:
        message = f"{parameter.name} must be a list of {parameter.event_dim} dimensions"
    elif parameter.event_dim == 2 and shape and parameter.name != "cov_factor":
        if shape[-1] != shape[-2]:
            message = f"{parameter.name} must be square, not {shape[-2]} by {shape[-1]}"
    elif parameter.constraint == "simplex" and static_value(value) is not None:
        message = f"{parameter.name} must be a list that sums to 1"
    return [Fault(BAD_ARGUMENTS, value.offset, message)] if message else []


def _check_support(parameter: Parameter, value: Expression) -> Iterator[Fault]:
    constraint = find_constraint(parameter.constraint)
    if constraint is None:
        return
    if constraint.event_dim == 0:
        for leaf in _leaves(value):
            number = static_value(leaf)
            if number is not None and not constraint.contains(number, parameter.bounds):
                what, inside = (
                    describe(constraint, parameter.bounds),
                    _inside(constraint, parameter),
                )
                yield _outside(parameter, leaf, what, f"give a number inside, such as {inside:g}")
        return
    if constraint.name == "simplex":
        yield from _check_simplex(parameter, value)
    elif constraint.name in ("positive_definite", "lower_cholesky"):
        yield from _check_matrix(parameter, value, constraint.name)


def _check_simplex(parameter: Parameter, value: Expression) -> Iterator[Fault]:
    for row in _blocks(value, 1):
        numbers = [static_value(leaf) for leaf in _leaves(row)]
        known = [number for number in numbers if number is not None]
        if any(number < 0 for number in known):
            yield _outside(parameter, row, "simplex (>= 0)", "give probabilities")
        elif len(known) == len(numbers) and abs(sum(known) - 1) > 1e-6:
            what = f"simplex: it sums to {sum(known):g}, not to 1"
            yield _outside(parameter, row, what, "divide each by the sum")


def _check_matrix(parameter: Parameter, value: Expression, constraint: str) -> Iterator[Fault]:
    """What a matrix shows without a factorisation: its diagonal, and its upper triangle."""
    for block in _blocks(value, 2):
        rows = _known_rows(block)
        if any(row[i] <= 0 for i, row in enumerate(rows)):
            yield _outside(parameter, block, f"{constraint} (diagonal > 0)", _DIAGONAL)
        elif constraint == "lower_cholesky" and _differs_above(rows, is_mirrored=False):
            what = f"{constraint}: it is not zero above the diagonal"
            yield _outside(
                parameter, block, what, "put zeros there, or give it as covariance_matrix"
            )
        elif constraint == "positive_definite" and _differs_above(rows, is_mirrored=True):
            what = f"{constraint}: it is not symmetric"
            yield _outside(parameter, block, what, "make both halves equal")


def _known_rows(block: Expression) -> list[list[float]]:
    """The elements of a matrix; nan, which is neither above nor below anything, where unknown.

    A number stands for that multiple of the identity, so its diagonal is all there is to know.
    """
    rows = block.items if isinstance(block, Items) else (block,)
    return [[_value_or_nan(leaf) for leaf in _leaves(row)] for row in rows]


def _value_or_nan(expression: Expression) -> float:
    value = static_value(expression)
    return math.nan if value is None else value


def _differs_above(rows: list[list[float]], is_mirrored: bool) -> bool:
    """Whether an element above the diagonal is known to differ from its mirror image, or zero."""
    above = [(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    return any(abs(rows[i][j] - (rows[j][i] if is_mirrored else 0)) > 0 for i, j in above)


def _outside(parameter: Parameter, value: Expression, what: str, help: str) -> Fault:
    message = f"{parameter.name} = {to_text(value)} is outside {what}"
    return Fault(OUTSIDE_SUPPORT, value.offset, message, help)


def _inside(constraint: Constraint, parameter: Parameter) -> float:
    """A number that the constraint on a parameter allows."""
    lower, upper = constraint.bounds(parameter.bounds)
    if math.isinf(lower):
        return min(upper - 1, 0.0)
    return lower + 1 if math.isinf(upper) else (lower + upper) / 2


def _blocks(value: Expression, dimensions: int) -> Iterator[Expression]:
    """The parts of a list that have ``dimensions`` dimensions each."""
    if len(tensor_shape(value)) <= dimensions:
        yield value
        return
    assert isinstance(value, Items)
    for item in value.items:
        yield from _blocks(item, dimensions)


def _leaves(value: Expression) -> Iterator[Expression]:
    if not isinstance(value, Items):
        yield value
        return
    for item in value.items:
        yield from _leaves(item)


def _check_order(low: Expression, high: Expression) -> Iterator[Fault]:
    """Whether the bounds of a Uniform, both free of faults on their own, enclose anything."""
    if _value_or_nan(low) >= _value_or_nan(high):
        message = f"low = {to_text(low)} is not below high = {to_text(high)}"
        yield Fault(OUTSIDE_SUPPORT, low.offset, message, "swap them")
