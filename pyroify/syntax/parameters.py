"""What ``nn.Parameter(...)`` makes, as its source shows it."""

from __future__ import annotations

import ast
from dataclasses import replace

from pyroify.syntax.interpret.shapes import initial_shape
from pyroify.syntax.observe.steady import is_steady_size
from pyroify.syntax.source import Source
from pyroify.syntax.values import Call, Constant, Name, Parameter

UNINITIALIZED = {
    "torch.nn.UninitializedParameter",
    "torch.nn.parameter.UninitializedParameter",
}
PARAMETER = {"torch.nn.Parameter", "torch.nn.parameter.Parameter", *UNINITIALIZED}
CHAINED = {"requires_grad_", "float", "double", "half", "to", "cuda", "cpu", "detach", "clone"}
"""Methods after which a parameter is still taken for one."""


def read_parameter(source: Source, node: ast.Call, call: Call, moving: frozenset[str]) -> Parameter:
    """The facts of ``nn.Parameter(...)``; ``moving`` are names that do not keep their value."""
    data = call.argument("data", 0)
    shape, dtype = _shape(source, node, call)
    return Parameter(
        line=call.line,
        column=call.column,
        initial=data.text if data else "",
        shape=shape,
        stable=shape is not None and all(_is_steady(size, moving) for size in shape),
        frozen=_frozen(call),
        dtype=dtype,
        trailing=source.trailing(node),
    )


def chain_method(parameter: Parameter, method: str, node: ast.Call) -> Parameter:
    """What ``parameter.method(...)`` gives, a method of ``CHAINED``."""
    frozen = parameter.frozen
    if method == "requires_grad_":
        frozen = False
        if node.args:
            argument = node.args[0]
            frozen = not argument.value if isinstance(argument, ast.Constant) else None
    return replace(parameter, chained=True, frozen=frozen, line=node.lineno)


def _shape(source: Source, node: ast.Call, call: Call) -> tuple[tuple[str, ...] | None, str]:
    """Shape and dtype of what the parameter starts from."""
    if isinstance(call.callee, Name) and call.callee.dotted in UNINITIALIZED:
        return None, ""
    named = [keyword.value for keyword in node.keywords if keyword.arg == "data"]
    given = [*named, *node.args]
    return initial_shape(source, given[0]) if given else (None, "")


def _is_steady(size: str, moving: frozenset[str]) -> bool:
    return is_steady_size(ast.parse(size, mode="eval").body, size, moving)


def _frozen(call: Call) -> bool | None:
    """Whether it needs no gradient; None where an expression says so."""
    wanted = call.argument("requires_grad", 1)
    if wanted is None:
        return False
    return wanted.value.text == "False" if isinstance(wanted.value, Constant) else None
