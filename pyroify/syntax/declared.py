"""A declaration that is there already: what it declares, and the shape of it, as source text."""

from __future__ import annotations

import ast

from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.code import statements
from pyroify.code.read import (
    DECLARING,
    PARAM,
    applied_to,
    read_param,
    read_prior,
    read_sample,
)
from pyroify.code.statements import PyroParam, PyroSample
from pyroify.syntax.declarations import names_in
from pyroify.syntax.interpret.shapes import initial_shape
from pyroify.syntax.nodes import walk
from pyroify.syntax.source import Source
from pyroify.syntax.values import Declared

PRIORS = "pyro.distributions."

Shape = tuple[str, ...]


def read_declared(file: Source, node: ast.Call, action: str) -> Declared:
    """The facts of ``PyroSample(...)`` (``sample``) or ``PyroParam(...)`` (``param``)."""
    value: statements.Declared
    shape, initial = None, ""
    named = (keyword.value for keyword in node.keywords if keyword.arg in ("prior", "init_value"))
    given = node.args[0] if node.args else next(named, None)
    if action == "sample":
        value = read_sample(node, file.dotted)
        shape = _prior_shape(file, given) if given is not None else None
    else:
        value = read_param(node, file.dotted)
        if given is not None:
            before = applied_to(given)[1] if value.applied else given
            shape, _ = initial_shape(file, given if value.applied == "unconstrained" else before)
            initial = file.source(before)
    place = node.lineno, file.column(node)
    return Declared(value, *place, file.source(node), names_in(node), shape, initial)


def read_decorated(file: Source, node: ast.FunctionDef) -> Declared | None:
    """The facts of a method decorated as a declaration, whose value is what it returns."""
    for decorator in node.decorator_list:
        if file.dotted(decorator) in DECLARING and isinstance(node.body[-1], ast.Return):
            given = node.body[-1].value or ast.Constant(None)
            value: statements.Declared = PyroSample(read_prior(given, file.dotted))
            shape = _prior_shape(file, given)
            if file.dotted(decorator) in PARAM:
                value = PyroParam(ast.unparse(given))
                shape, _ = initial_shape(file, given)
            place = node.lineno, file.column(node)
            return Declared(value, *place, ast.unparse(given), names_in(given), shape)
    return None


def _prior_shape(file: Source, prior: ast.expr) -> Shape | None:
    """The shape of a draw; None where the source does not show it."""
    match prior:
        case ast.Lambda(body=body):
            return _prior_shape(file, body)
        case ast.Call(func=ast.Attribute(value=inner, attr="to_event")):
            return _prior_shape(file, inner)
        case ast.Call(func=ast.Attribute(value=inner, attr="expand"), args=[sizes]):
            return _expanded(file, _listed(file, sizes), inner)
        case ast.Call() if file.dotted(prior.func) == "functools.partial":
            shapes = [keyword.value for keyword in prior.keywords if keyword.arg == "shape"]
            return _listed(file, shapes[0]) if shapes else ()
        case ast.Call() if file.dotted(prior.func).startswith(PRIORS):
            return _drawn_shape(file, prior)
    return None


def _expanded(file: Source, batch: Shape | None, prior: ast.expr) -> Shape | None:
    """The shape of ``prior.expand(batch)``: what one event has stays."""
    row = DISTRIBUTIONS.get(file.dotted(prior).removeprefix(PRIORS))
    if row is None or batch is None or not row.event_dim:
        return batch
    drawn = _prior_shape(file, prior)
    return None if drawn is None else (*batch, *drawn[-row.event_dim :])


def _drawn_shape(file: Source, prior: ast.Call) -> Shape | None:
    """The shape of one draw of a distribution as it is constructed."""
    row = DISTRIBUTIONS.get(file.dotted(prior.func).removeprefix(PRIORS))
    given = [*prior.args, *(keyword.value for keyword in prior.keywords)]
    if row is None:
        return None
    if row.event_dim and row.parameters[0].kind == "size" and prior.args:
        return (file.source(prior.args[0]),) * row.event_dim
    shapes = [_argument_shape(file, value) for value in given]
    known = [shape for shape in shapes if shape]
    if row.event_dim:
        return (known[0][-1],) * row.event_dim if known else None
    return None if None in shapes else max(known, key=len, default=())


def _argument_shape(file: Source, value: ast.expr) -> Shape | None:
    """The shape of an argument; another attribute of the module is taken for a number."""
    if isinstance(value, ast.Attribute):
        return ()
    if not any(isinstance(item, ast.Name | ast.Call) for item in walk(value)):
        return ()
    return initial_shape(file, value)[0]


def _listed(file: Source, sizes: ast.expr) -> Shape | None:
    if not isinstance(sizes, ast.List | ast.Tuple):
        return None
    return tuple(file.source(size) for size in sizes.elts)
