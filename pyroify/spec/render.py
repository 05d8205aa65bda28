"""A decision about a site to the source of its declaration.

The source names nothing but what :class:`Names` and :class:`Place` hand in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pyroify.catalog.constraints import Constraint as Support
from pyroify.catalog.distributions import DISTRIBUTIONS, Distribution, Parameter
from pyroify.code.names import Names
from pyroify.code.statements import (
    Constraint,
    Declare,
    Draw,
    Lambda,
    Partial,
    PyroParam,
    PyroSample,
)
from pyroify.code.write import parenthesized, write_function
from pyroify.spec.check import (
    INIT_OUTSIDE,
    bind,
    constraint_values,
    describe,
    find_constraint,
    tensor_shape,
)
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
    contains,
    expand_presets,
    join_operators,
    static_value,
    to_text,
    walk,
)
from pyroify.spec.literals import FAR, Range, value_range
from pyroify.spec.model import Deterministic, Param, Sample

NOT_SHOWN = "PYR060"
WRONG_EVENT_SHAPE = "PYR113"
NOT_AT_THIS_SITE = "PYR114"

NOISE = "_noise"
"""What the name of the standard noise of a prior that is not centred ends in."""


@dataclass(frozen=True, slots=True)
class Place:
    """The site in source text.

    ``target`` reads the parameter (``self.fc1.weight``, or a loop variable), ``owner`` the
    module that owns it. ``shape`` is the source of each dimension, or None where only the target
    knows; ``ndim`` is known on its own then, or not at all. ``fan_in`` and ``fan_out`` are given
    for layers whose fans the shape does not tell (the bias of a Linear), ``measured`` is what they
    are read from where only run time knows them. ``initial`` is what the
    code passes to ``nn.Parameter``; without it the value is read from the target. ``function`` is
    what to call the function that a prior which reads attributes becomes; without it, it becomes
    a lambda, which cannot be pickled. ``keeps_dtype``: the target may have another dtype than the
    default, which draws are to have too. ``added`` are attributes that the spec puts on the owner.
    ``is_gone``: the file declares the target already, and no longer has the parameter it was.
    """

    target: str
    owner: str
    shape: tuple[str, ...] | None = None
    ndim: int | None = None
    fan_in: str | None = None
    fan_out: str | None = None
    measured: str = ""
    initial: str | None = None
    function: str = ""
    keeps_dtype: bool = False
    added: frozenset[str] = frozenset()
    is_gone: bool = False

    @property
    def shaped(self) -> str:
        """The target where its shape, dtype or device is read. Raises RenderError if it is gone."""
        return self._read(
            "its shape is needed, which its declaration does not show",
            "write the declaration by hand",
        )

    @property
    def first(self) -> str:
        """The target where its first value is read. Raises RenderError if it is gone."""
        return self._read(
            "it would start at its first value, which the file no longer has",
            "give `init:` a number",
        )

    def _read(self, lost: str, help: str) -> str:
        if self.is_gone:
            raise RenderError(NOT_SHOWN, lost, help)
        return self.target

    @property
    def dimensions(self) -> int | None:
        """The number of dimensions, where known."""
        return self.ndim if self.shape is None else len(self.shape)


class RenderError(Exception):
    """A decision that cannot be written at this site."""

    def __init__(self, code: str, message: str, help: str = "") -> None:
        self.code = code
        self.message = message
        self.help = help
        super().__init__(message)


def render_declarations(
    action: Sample | Deterministic | Param, place: Place, names: Names
) -> tuple[Declare, ...]:
    """What is declared, in order: one parameter, or noise and value for a non-centred prior.

    Raises RenderError.
    """
    if isinstance(action, Param):
        return (Declare(place.target, render_param(action, place, names)),)
    return tuple(Declare(target, prior.value) for target, prior in _priors(action, place, names))


def render_functions(
    action: Sample | Deterministic | Param, place: Place, names: Names
) -> tuple[str, ...]:
    """The functions of module level that the declarations at this place call.

    There are some only where the place names one. Raises RenderError.
    """
    if isinstance(action, Param):
        return ()
    priors = (prior for _, prior in _priors(action, place, names))
    return tuple(prior.function for prior in priors if prior.function)


def render_sample(action: Sample | Deterministic, place: Place, names: Names) -> PyroSample:
    """``PyroSample(dist.Normal(0.0, 1.0).expand([n]).to_event(1))``, for a centred prior.

    A deterministic one gives ``PyroSample(lambda self: self.scale * self.raw)``, which draws
    nothing. Raises RenderError.
    """
    return _prior(action, place, names).value


@dataclass(frozen=True, slots=True)
class _Prior:
    """A ``PyroSample``, and the source of the function it calls, if any."""

    value: PyroSample
    function: str = ""


def _priors(
    action: Sample | Deterministic, place: Place, names: Names
) -> tuple[tuple[str, _Prior], ...]:
    if isinstance(action, Deterministic) or action.centered:
        return ((place.target, _prior(action, place, names)),)
    return _noncentered(action, place, names)


def _prior(action: Sample | Deterministic, place: Place, names: Names) -> _Prior:
    if isinstance(action, Deterministic):
        return _value(action.value, place, names)
    if not action.centered:
        raise RenderError(
            NOT_AT_THIS_SITE,
            "a prior that is not centred needs an attribute of its own for the noise",
            "name the parameter in a rule of its own, or leave out centered",
        )
    writer = _writer(action.distribution, place, names)
    return writer.prior(writer.expanded(action.distribution))


def _value(value: Expression, place: Place, names: Names, own: str = "") -> _Prior:
    writer = _writer(value, place, names, own)
    return writer.prior(writer.number(value))


def _noncentered(
    sample: Sample, place: Place, names: Names
) -> tuple[tuple[str, _Prior], tuple[str, _Prior]]:
    """Standard noise, and ``loc + noise * scale`` under the parameter's own name."""
    owner, dot, attribute = place.target.rpartition(".")
    if not dot or owner != place.owner:
        _prior(sample, place, names)  # refuses, with the reason
    noise = f"{attribute}{NOISE}"
    given = bind(DISTRIBUTIONS[sample.distribution.name], sample.distribution)
    value: Expression = Attribute((noise,))
    scale, loc = given.get("scale", Number(1)), given.get("loc", Number(0))
    if static_value(scale) != 1:
        value = Binary("*", value, scale)
    if static_value(loc) != 0:
        value = Binary("+", loc, value)
    return (
        (f"{place.target}{NOISE}", _prior(standard_noise(sample), place, names)),
        (place.target, _value(value, place, names, noise)),
    )


def standard_noise(sample: Sample) -> Sample:
    """The prior of the noise of one that is not centred: the same distribution, standardised."""
    call = sample.distribution
    given = bind(DISTRIBUTIONS[call.name], call)
    standard = {**given, "loc": Number(0), "scale": Number(1)}
    return Sample(Call(call.name, (), tuple(standard.items())))


def render_param(param: Param, place: Place, names: Names) -> PyroParam:
    """``PyroParam(torch.ones(1), constraint=constraints.positive)``; raises RenderError."""
    _check_event_dim(param.constraint, place)
    event_dim = "" if param.event_dim is None else str(param.event_dim)
    initial, constraint = _initial(param, place, names), render_constraint(param.constraint)
    if isinstance(param.init, float) or param.init == "keep":
        copied = param.init == "keep" and place.initial is None
        return PyroParam(initial, constraint, event_dim, copied=copied)
    return PyroParam(initial, constraint, event_dim, param.init)


def render_constraint(call: Call) -> Constraint:
    """``constraints.interval(0.0, 1.0)``."""
    return Constraint(call.name, tuple(map(_float, constraint_values(call))))


def attributes_read(expression: Expression) -> tuple[str, ...]:
    """The attributes of the owner that ``expression`` reads, dotted, in order."""
    paths = (node.path for node in walk(expression) if isinstance(node, Attribute))
    return tuple(dict.fromkeys(".".join(path) for path in paths))


def reads_fans(action: Sample | Deterministic) -> bool:
    """Whether a prior depends on the inputs or outputs of its layer."""
    nodes = walk(expand_presets(action.expression))
    return any(isinstance(node, SiteName) and node.name.startswith("fan_") for node in nodes)


# Priors -----------------------------------------------------------------------------------------


def _writer(expression: Expression, place: Place, names: Names, known: str = "") -> _Writer:
    """A writer for ``expression``; ``known`` is an attribute the owner has for certain."""
    read = attributes_read(expression)
    reads = tuple(name for name in read if name != known)
    if not reads:
        return _Writer(place, names, read)
    strange = [name for name in reads if name not in place.added]
    if place.owner != "self" and strange:
        is_named = re.fullmatch(r"self(\.\w+)+", place.owner) is not None
        name = f"{place.owner}.{strange[0]}".removeprefix("self.")
        raise RenderError(
            NOT_AT_THIS_SITE,
            f"self.{strange[0]} would be read from {place.owner}, which owns the parameter",
            f"put one there: an entry of latents with `name: {name}`"
            if is_named
            else "a prior can only read attributes of the class that declares the parameter",
        )
    own = re.sub(r"^self\.", "", place.target)
    if own in reads:
        message = f"the prior of self.{own} reads self.{own} itself"
        raise RenderError(NOT_AT_THIS_SITE, message, "read another attribute")
    return _Writer(place, names, read)


@dataclass(slots=True)
class _Writer:
    """Writes expressions at one place; ``reads`` are the attributes of the owner they read.

    With any, they are written for a lambda or function that is called for every draw. There the
    target is the random value itself, so what is read from it (its shape, fans) is captured
    beforehand as an argument; for a function, so is all that belongs to the place.
    """

    place: Place
    names: Names
    reads: tuple[str, ...] = ()
    captured: dict[str, str] = field(default_factory=dict)

    @property
    def is_called(self) -> bool:
        return bool(self.reads)

    @property
    def is_function(self) -> bool:
        return self.is_called and bool(self.place.function)

    @property
    def this(self) -> str:
        """What the owner is called."""
        return "module" if self.is_function else "self"

    def prior(self, body: Draw | str) -> _Prior:
        """``body`` as a prior: as it is, behind a lambda or in a function."""
        captured = tuple(self.captured.items())
        if self.is_function:
            # Pyro renames a plain function, which then cannot be pickled; a partial one stays.
            called = Partial(self.place.function, captured)
            return _Prior(PyroSample(called), write_function(called, body, self.names))
        return _Prior(PyroSample(Lambda(captured, body) if self.is_called else body))

    def capture(self, name: str, source: str) -> str:
        """``source``, or the argument that holds it where it cannot be read any more."""
        # The lambda's own self is the owner; the source was written where self is the class, and
        # a loop may have gone on when the lambda is called.
        owner, target = self.place.owner, self.place.target
        changed = (target,) if owner == "self" else ("self", owner, target)
        is_void = self.is_called and any(_reads(source, name) for name in changed)
        if not self.is_function and not is_void:
            return source
        self.captured[name] = source
        return name

    # Distributions

    def expanded(self, call: Call) -> Draw:
        """The distribution over the whole site: expanded to its shape, all of it one event."""
        distribution = DISTRIBUTIONS[call.name]
        self.check_batch_shape(distribution, bind(distribution, call))
        base = self.distribution(call)
        dimensions, own = self.place.dimensions, distribution.event_dim
        if dimensions is not None and dimensions < own:
            raise RenderError(
                WRONG_EVENT_SHAPE,
                f"{call.name} draws {_EVENTS[own]}, but the parameter has {_count(dimensions)}",
                "use a distribution over single numbers, such as Normal",
            )
        if dimensions == own:
            return base
        return replace(base, batch=self.batch_shape(own), events=self.batch_ndim(own))

    def batch_shape(self, event_dim: int) -> tuple[str, ...] | str:
        if self.place.shape is not None and not self.is_function:
            return self.place.shape[: len(self.place.shape) - event_dim]
        shape = self.shape()
        return f"{shape}[:-{event_dim}]" if event_dim else shape

    def batch_ndim(self, event_dim: int) -> str:
        if self.is_function:
            return ""  # all of them
        if self.place.dimensions is not None:
            return str(self.place.dimensions - event_dim)
        if not event_dim:
            return ""
        ndim = "len(shape)" if self.is_called else f"{self.place.shaped}.dim()"
        return f"{ndim} - {event_dim}"

    def shape(self) -> str:
        """The shape of the target as one value."""
        if self.place.shape is None:
            return self.capture("shape", f"{self.place.shaped}.shape")
        return self.capture("shape", f"[{', '.join(self.place.shape)}]")

    def distribution(self, call: Call) -> Draw:
        distribution = DISTRIBUTIONS[call.name]
        given = bind(distribution, call)
        self.check_event_shape(distribution, given)
        arguments: list[tuple[str, str | Draw]] = []
        for name, value in given.items():
            source = self.argument(distribution, name, value)
            if self.place.keeps_dtype and not self.is_called and isinstance(source, str):
                is_tensor = _is_tensor(distribution, name, value)
                source = self.like_target(source, is_tensor, is_first=not arguments)
            arguments.append((name, source))
        return Draw(call.name, tuple(arguments))

    def like_target(self, source: str, is_tensor: bool, is_first: bool) -> str:
        """An argument in the dtype of the target; numbers take that of the first argument."""
        if is_tensor:
            return f"{parenthesized(source)}.to({self.place.shaped})"
        return f"{self.place.shaped}.new_tensor({source})" if is_first else source

    def argument(self, distribution: Distribution, name: str, value: Expression) -> str | Draw:
        parameter = distribution.parameter(name)
        assert parameter is not None
        if parameter.kind == "distribution":
            assert isinstance(value, Call)
            return self.distribution(value)
        if parameter.kind == "size":
            return to_text(value)
        if isinstance(value, Items | Attribute):
            return self.source(value)
        if parameter.event_dim:
            return self.filled(parameter, value)
        source = self.number(value)
        return self.tensor(f"tensor({source})") if parameter.kind == "tensor" else source

    def tensor(self, source: str) -> str:
        """A new tensor; in a function it goes where the attributes are that it is used with."""
        beside = f".to({self.this}.{self.reads[0]})" if self.is_function else ""
        return f"{self.names.say('torch')}.{source}{beside}"

    def filled(self, parameter: Parameter, value: Expression) -> str:
        """A number where a vector or matrix belongs: all elements, or that much identity."""
        static, size = static_value(value), self.event_size()
        if parameter.event_dim == 2:
            eye = self.tensor(f"eye({size})")
            return eye if static == 1 else f"{parenthesized(self.number(value))} * {eye}"
        if static in (0, 1):
            return self.tensor(f"{'ones' if static else 'zeros'}({size})")
        return self.tensor(f"full([{size}], {self.number(value)})")

    def event_size(self) -> str:
        """The last dimension of the site."""
        if self.place.shape and not self.is_function:
            return self.place.shape[-1]
        return f"{self.shape()}[-1]"

    def check_event_shape(
        self, distribution: Distribution, given: Mapping[str, Expression]
    ) -> None:
        """Refuse lists whose length is not that of the site's last dimension."""
        shape = self.place.shape
        if not shape or not distribution.event_dim or not shape[-1].isdecimal():
            return
        size = int(shape[-1])
        for name, value in given.items():
            parameter = distribution.parameter(name)
            length = tensor_shape(value)[-1:] if parameter and parameter.event_dim == 1 else ()
            if parameter is not None and parameter.kind == "size":
                length = (int(static_value(value) or 0),)
            if length and length[0] != size:
                raise RenderError(
                    WRONG_EVENT_SHAPE,
                    f"{name} of {distribution.name} has size {length[0]}, "
                    f"and the last dimension of the parameter is {size}",
                    f"give {size}",
                )

    def check_batch_shape(
        self, distribution: Distribution, given: Mapping[str, Expression]
    ) -> None:
        """Refuse lists of numbers, one for each element, that the site has not."""
        sizes = self.place.shape
        if sizes is None or distribution.event_dim:
            return
        for name, value in given.items():
            parameter, shape = distribution.parameter(name), tensor_shape(value)
            if parameter is None or parameter.event_dim or parameter.kind == "distribution":
                continue
            fits = all(
                size == 1 or not known.isdecimal() or size == int(known)
                for size, known in zip(reversed(shape), reversed(sizes), strict=False)
            )
            if len(shape) > len(sizes) or not fits:
                raise RenderError(
                    WRONG_EVENT_SHAPE,
                    f"{name} of {distribution.name} has shape {list(shape)}, "
                    f"and the parameter [{', '.join(sizes)}]",
                    "give one number, or a list as long as the last dimension",
                )

    # Numbers

    def number(self, expression: Expression) -> str:
        """A number or tensor; a lone whole number is written as a float."""
        expression = expand_presets(expression)
        if isinstance(expression, Number):
            return _float(expression.value)
        if isinstance(expression, Negative) and isinstance(expression.operand, Number):
            return _float(-expression.operand.value)
        return self.source(expression)

    def items(self, expression: Items) -> str:
        """A list literal, floats throughout: integers would make an integer tensor."""
        parts = [
            self.items(item) if isinstance(item, Items) else self.element(item)
            for item in expression.items
        ]
        return f"[{', '.join(parts)}]"

    def element(self, expression: Expression) -> str:
        if contains(expression, Attribute):
            raise RenderError(
                NOT_AT_THIS_SITE,
                f"a list cannot hold {to_text(expression)}, which is random",
                "let the attribute be the whole vector",
            )
        static = static_value(expression)
        return self.number(expression) if static is None else _float(static)

    def source(self, expression: Expression) -> str:
        match expression:
            case Number(value):
                return repr(value)
            case Attribute(path):
                return ".".join((self.this, *path))
            case SiteName(name):
                return self.site_name(name)
            case Size(index):
                return self.size(index)
            case Items():
                return self.tensor(f"tensor({self.items(expression)})")
            case Call("sqrt", (argument,)):
                return self.source(Binary("**", argument, Number(0.5)))
            case Call(name, (argument,)) if name in FUNCTIONS:
                return self.function(name, argument)
            case Negative() | Binary():
                return join_operators(expression, self.operand, is_python=True)
        raise AssertionError(expression)

    def operand(self, expression: Expression) -> str:
        """An operand; what is no operator itself binds tighter than any."""
        source = self.source(expression)
        return source if isinstance(expression, Negative | Binary) else parenthesized(source)

    def function(self, name: str, argument: Expression) -> str:
        """``exp`` or ``log``: of numbers by the math module, of tensors by their method."""
        if contains(argument, Attribute) or contains(argument, Items):
            return f"{parenthesized(self.source(argument))}.{name}()"
        return f"{self.names.say('math')}.{name}({self.source(argument)})"

    def site_name(self, name: str) -> str:
        if name == "fan_in":
            return self.fan("fan_in", self.place.fan_in)
        if name == "fan_out":
            return self.fan("fan_out", self.place.fan_out)
        shape = self.place.shape
        if name == "ndim":
            dimensions = self.place.dimensions
            unknown = (
                self.capture("ndim", f"{self.place.shaped}.dim()") if dimensions is None else ""
            )
            return unknown or str(dimensions)
        numel = f"{self.place.shaped}.numel()" if shape is None else _product(shape)
        return self.capture("numel", numel)

    def fan(self, name: str, given: str | None) -> str:
        """Inputs or outputs: as the layer says, else from the shape as torch.nn.init does."""
        if given is not None:
            return self.capture(name, given)
        place = self.place
        slice_ = "[0]" if name == "fan_in" else "[:, 0]"
        if place.measured:  # a vector has the fans of a row
            matrix = f"{self.names.say('torch')}.atleast_2d({place.measured})"
            return self.capture(name, f"{matrix}{slice_}.numel()")
        if place.dimensions is None or place.dimensions < 2:
            raise RenderError(
                NOT_AT_THIS_SITE,
                f"{name} is not defined for this parameter: it has fewer than two dimensions, "
                "or their number is not known",
                "give these parameters a rule of their own, with a number",
            )
        if place.shape is not None:
            first, second, *kernel = place.shape
            return self.capture(name, _product((first if name == "fan_out" else second, *kernel)))
        return self.capture(name, f"{place.shaped}{slice_}.numel()")

    def size(self, index: int) -> str:
        dimensions = self.place.dimensions
        if dimensions is not None and not -dimensions <= index < dimensions:
            message = f"shape[{index}]: the parameter has {_count(dimensions)}"
            raise RenderError(NOT_AT_THIS_SITE, message, "dimensions count from shape[0]")
        if self.place.shape is not None and not self.is_function:
            return self.place.shape[index]
        return f"{self.shape()}[{index}]"


def _is_tensor(distribution: Distribution, name: str, value: Expression) -> bool:
    """Whether an argument is written as a tensor."""
    parameter = distribution.parameter(name)
    assert parameter is not None
    if parameter.kind == "size":
        return False
    is_made = parameter.kind == "tensor" or parameter.event_dim > 0
    return is_made or contains(expand_presets(value), Items)


# Parameters -------------------------------------------------------------------------------------


def _initial(param: Param, place: Place, names: Names) -> str:
    if isinstance(param.init, float):
        return _filled(param.init, place, names)
    if place.initial is not None:
        if param.init == "keep" and (values := value_range(place.initial)):
            check_start(param.constraint, place.initial, values)
        return place.initial
    return f"{place.first}.detach()"


def _check_event_dim(call: Call, place: Place) -> None:
    constraint = find_constraint(call.name)
    dimensions = place.dimensions
    if constraint is not None and dimensions is not None and dimensions < constraint.event_dim:
        events = _EVENTS[constraint.event_dim]
        raise RenderError(
            WRONG_EVENT_SHAPE,
            f"{call.name} holds for {events}, but the parameter has {_count(dimensions)}",
            "use a constraint on single numbers, such as positive",
        )


def _filled(value: float, place: Place, names: Names) -> str:
    if place.shape is None:
        return f"{names.say('torch')}.full_like({place.shaped}, {_float(value)})"
    if not place.shape:
        return f"{names.say('torch')}.tensor({_float(value)})"
    sizes = ", ".join(place.shape)
    if value in (0, 1):
        return f"{names.say('torch')}.{'ones' if value else 'zeros'}({sizes})"
    return f"{names.say('torch')}.full([{sizes}], {_float(value)})"


def check_start(call: Call, source: str, values: Range) -> None:
    """Refuse a start that is, or may be, outside the constraint; the result would be nan.

    ``source`` says what it is, and ``values`` between what it lies. Raises RenderError.
    """
    constraint = find_constraint(call.name)
    if constraint is None:
        return
    bounds = constraint_values(call)
    if constraint.event_dim:
        is_inside = _may_be_inside(constraint, values)
        help = "give `init: unconstrained`, or another value in the code"
    else:
        is_inside = all(constraint.is_interior(value, bounds) for value in values)
        help = _initial_help(constraint.bounds(bounds))
    if not is_inside:
        message = f"{source} is not inside {describe(constraint, bounds)}"
        raise RenderError(INIT_OUTSIDE, message, help)


def _may_be_inside(constraint: Support, values: tuple[float, float]) -> bool:
    """Whether a tensor with elements in this range may be in a constraint on vectors or matrices.

    One value throughout is neither in order nor a matrix of full rank. Noise around zero is
    neither in order nor positive.
    """
    low, high = values
    if constraint.name in ("real_vector", "sphere"):
        return constraint.name == "real_vector" or values != (0.0, 0.0)
    if constraint.name == "simplex":
        return low >= 0 and not low == high == 0 and high <= 1
    return low != high and low > -FAR / 1e100


def _initial_help(bounds: tuple[float, float]) -> str:
    lower, upper = bounds
    if lower == 0 and upper == math.inf:
        return "give `init: 1.0`, or `init: exp` where the code treats the value as a logarithm"
    if math.isfinite(lower) and math.isfinite(upper):
        return f"give `init: {(lower + upper) / 2:g}`, or `init: unconstrained`"
    return "give `init:` with a number inside, or `init: unconstrained`"


# Source text ------------------------------------------------------------------------------------

_EVENTS: Final = ("numbers", "vectors", "matrices")


def _count(dimensions: int) -> str:
    return f"{dimensions} dimension{'' if dimensions == 1 else 's'}"


def _product(sizes: tuple[str, ...]) -> str:
    return " * ".join(map(parenthesized, sizes)) if len(sizes) > 1 else "".join(sizes) or "1"


def _float(value: float) -> str:
    return repr(float(value))


def _reads(source: str, target: str) -> bool:
    """Whether ``source``, in words of the file, reads ``target`` itself, a dotted name."""
    return re.search(rf"(?<![\w.]){re.escape(target)}(?!\w)", source) is not None
