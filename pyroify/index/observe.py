"""Expressions that mean something else once layers are PyroModules and parameters are random."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from pyroify.catalog.layers import LAYERS, lookup
from pyroify.index.facts import Observation, Plate
from pyroify.index.source import Source, chain

PARAMETER = {"torch.nn.Parameter", "torch.nn.parameter.Parameter"}


def observe(file: Source, body: Sequence[ast.stmt], this: str) -> tuple[Observation, ...]:
    """What one method does that depends on parameters being parameters."""
    return tuple(found for node in body for found in _method(file, node, this))


def _method(file: Source, node: ast.stmt, this: str) -> Iterator[Observation]:
    for item in ast.walk(node):
        if isinstance(item, ast.Call) and chain(item.func) == ("next",) and len(item.args) == 1:
            owner = item.args[0]
            called = chain(owner.func) if isinstance(owner, ast.Call) else ()
            if called[:1] == (this,) and called[-1] == "parameters":
                yield _seen(file, "anchor", item, ".".join(called[1:-1]))
        elif isinstance(item, ast.Call) and file.dotted(item.func) in PARAMETER:
            if item.args and _is_transposed(item.args[0]):
                yield _seen(file, "transposed", item.args[0], "")
        elif isinstance(item, ast.Subscript) and isinstance(item.slice, ast.Constant):
            if chain(item.value) == (this, "_parameters"):
                yield _seen(file, "parameters_dict", item, str(item.slice.value))


def _is_transposed(node: ast.expr) -> bool:
    """Whether a tensor is a view whose numbers stand in another order."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("t", "transpose", "permute", "swapaxes", "movedim")
    return isinstance(node, ast.Attribute) and node.attr in ("T", "mT")


def frozen_paths(body: Sequence[ast.stmt], this: str) -> tuple[tuple[str, ...], ...]:
    """Attributes below ``self`` whose ``requires_grad`` a method sets to False."""
    return tuple(
        path for node in body for item in ast.walk(node) for path in _freezes(item, this) if path
    )


def _freezes(node: ast.AST, this: str) -> Iterator[tuple[str, ...]]:
    if isinstance(node, ast.For) and isinstance(node.target, ast.Name | ast.Tuple):
        names = {item.id for item in ast.walk(node.target) if isinstance(item, ast.Name)}
        over = node.iter.func if isinstance(node.iter, ast.Call) else node.iter
        parts = chain(over)
        last = parts[-1:] in (("parameters",), ("named_parameters",))
        if parts[:1] == (this,) and last and len(parts) > 2:
            inner = [item for statement in node.body for item in ast.walk(statement)]
            if any(path[:1] and path[0] in names for item in inner for path in _set_false(item)):
                yield parts[1:-1]
    for parts in _set_false(node):
        if parts[:1] == (this,):
            yield parts[1:]


def _set_false(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """What ``x.requires_grad = False`` and ``x.requires_grad_(False)`` are about."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
        for target in node.targets:
            parts = chain(target)
            if parts[-1:] == ("requires_grad",) and node.value.value is False:
                yield parts[:-1]
    elif isinstance(node, ast.Call) and chain(node.func)[-1:] == ("requires_grad_",):
        given = node.args[0] if node.args else None
        if isinstance(given, ast.Constant) and given.value is False:
            yield chain(node.func)[:-1]


def type_tests(file: Source, tree: ast.Module) -> tuple[Observation, ...]:
    """Comparisons of a module's exact class with a layer of torch; ``detail`` is what to write."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            if replacement := _isinstance_test(file, node):
                found.append(_seen(file, "type_test", node, replacement))
    return tuple(found)


def _isinstance_test(file: Source, node: ast.Compare) -> str:
    """``isinstance(m, nn.Linear)`` for ``type(m) is nn.Linear`` and its like; ``""`` for others."""
    operator, right = node.ops[0], node.comparators[0]
    negated = isinstance(operator, ast.IsNot | ast.NotEq | ast.NotIn)
    variable = _whose_type(file, node.left)
    if variable and isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
        wanted = file.source(right) if lookup(file.dotted(right)) else ""
    elif (
        variable
        and isinstance(operator, ast.In | ast.NotIn)
        and isinstance(right, ast.Tuple | ast.List | ast.Set)
    ):
        layers = [file.source(item) for item in right.elts if lookup(file.dotted(item))]
        wanted = f"({', '.join(layers)})" if layers and len(layers) == len(right.elts) else ""
    else:
        variable = _whose_class_name(file, node.left)
        named = isinstance(right, ast.Constant) and right.value in LAYERS
        nn = _torch_nn(file)
        wanted = f"{nn}.{right.value}" if variable and named and nn else ""  # type: ignore[attr-defined]
        if not isinstance(operator, ast.Eq | ast.NotEq):
            return ""
    if not variable or not wanted:
        return ""
    return f"{'not ' if negated else ''}isinstance({variable}, {wanted})"


def _whose_type(file: Source, node: ast.expr) -> str:
    """``m`` for ``type(m)`` and ``m.__class__``."""
    if isinstance(node, ast.Call) and chain(node.func) == ("type",) and len(node.args) == 1:
        return file.source(node.args[0])
    if isinstance(node, ast.Attribute) and node.attr == "__class__":
        return file.source(node.value)
    return ""


def _whose_class_name(file: Source, node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and node.attr == "__name__":
        return _whose_type(file, node.value)
    return ""


def _torch_nn(file: Source) -> str:
    for name in ("nn", "torch.nn"):
        if file.resolve(tuple(name.split("."))) == "torch.nn":
            return name
    return ""


def plates(file: Source, body: Sequence[ast.stmt]) -> tuple[Plate, ...]:
    """The plates of a method, and which of their first statements could as well stand before."""
    found = []
    for node in body:
        for item in ast.walk(node):
            if isinstance(item, ast.With) and any(
                file.is_plate(entry.context_expr) for entry in item.items
            ):
                found.append(_plate(file, item))
    return tuple(found)


def _plate(file: Source, node: ast.With) -> Plate:
    indices = {
        name.id
        for entry in node.items
        if entry.optional_vars is not None
        for name in ast.walk(entry.optional_vars)
        if isinstance(name, ast.Name)
    }
    movable = []
    for statement in node.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            break
        names = {item.id for item in ast.walk(statement) if isinstance(item, ast.Name)}
        calls = [item for item in ast.walk(statement) if isinstance(item, ast.Call)]
        if names & indices or any(file.dotted(call.func).startswith("pyro.") for call in calls):
            break
        movable.append((statement.lineno, statement.end_lineno or statement.lineno))
    return Plate(node.lineno, file.column(node), tuple(movable))


def _seen(file: Source, kind: str, node: ast.expr, detail: str) -> Observation:
    return Observation(kind, node.lineno, file.column(node), file.source(node), detail)
