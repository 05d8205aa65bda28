"""The values an initial tensor can hold, where its source shows them.

``torch.zeros(3)`` holds 0, ``0.1 * torch.randn(n)`` anything. Parsed, never evaluated.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from typing import Final

Range = tuple[float, float]
"""Lowest and highest value."""

FAR: Final = 1e300
"""As far out as values go: noise without bounds reaches there, but is finite."""

NEAR: Final = 1e-7
"""As near to a bound as noise comes that hits it practically never."""

AROUND_ZERO: Final[Range] = (-1e-3, 1e-3)
"""What noise around zero reaches for certain, on either side."""

_FILLS: dict[str, Range] = {
    "zeros": (0.0, 0.0),
    "zeros_like": (0.0, 0.0),
    "ones": (1.0, 1.0),
    "ones_like": (1.0, 1.0),
    "eye": (0.0, 1.0),
    "randn": (-FAR, FAR),
    "randn_like": (-FAR, FAR),
    "rand": (NEAR, 1 - NEAR),
    "rand_like": (NEAR, 1 - NEAR),
}
_CENTRED = ("xavier_", "kaiming_", "orthogonal_")
_WRITTEN = {"zeros_": 0.0, "zero_": 0.0, "ones_": 1.0}

_SAME = frozenset(
    "float double clone detach requires_grad_ to contiguous"
    " squeeze unsqueeze view reshape flatten expand repeat transpose permute t".split()
)
"""Methods whose result has the elements of the tensor."""

_IN_PLACE: Mapping[str, ast.operator] = {
    "add_": ast.Add(),
    "sub_": ast.Sub(),
    "mul_": ast.Mult(),
    "div_": ast.Div(),
}


def value_range(source: str) -> Range | None:
    """The range of the tensor that the expression ``source`` makes, or None where unknown."""
    try:
        return _range(ast.parse(source, mode="eval").body)
    except (SyntaxError, ArithmeticError, ValueError, RecursionError):
        return None


def alternatives(source: str) -> Iterator[str]:
    """What an expression may be: ``a`` and ``b`` in ``a if test else b`` and in ``a or b``."""
    try:
        waiting = [ast.parse(source, mode="eval").body]
    except SyntaxError:
        return
    while waiting:
        match waiting.pop():
            case ast.IfExp(body=body, orelse=otherwise):
                waiting += [body, otherwise]
            case ast.BoolOp(values=values):
                waiting += values
            case node:
                yield ast.unparse(node)


def written_range(source: str) -> Range | None:
    """The range of what a call writes into a tensor: ``nn.init.ones_(w)``, ``w.data.fill_(2)``."""
    match ast.parse(source, mode="eval").body:
        case ast.Call(func=ast.Attribute(value=inner, attr=name)) as call:
            return _written(call, inner, name)
    return None


def _written(call: ast.Call, inner: ast.expr, name: str) -> Range | None:
    is_function = ast.unparse(inner).endswith("init")
    named = {item.arg: _range(item.value) for item in call.keywords}
    values = call.args[1:] if is_function else call.args
    given = [found for value in values if (found := _range(value)) is not None]
    if name in _WRITTEN:
        return _WRITTEN[name], _WRITTEN[name]
    if name in ("constant_", "fill_"):
        return named.get("val", named.get("value")) or next(iter(given), None)
    if name == "uniform_" and len(given) == 2:
        return _union([*given])
    if name == "uniform_" and not values and not named:
        return NEAR, 1 - NEAR
    if name in ("normal_", "trunc_normal_"):
        mean = named.get("mean", given[0] if given else None)
        return AROUND_ZERO if mean in (None, (0.0, 0.0)) else None
    return AROUND_ZERO if name.startswith(_CENTRED) else None


def _range(node: ast.expr) -> Range | None:
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return float(value), float(value)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) if elements:
            return _union([_range(element) for element in elements])
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _negated(_range(operand))
        case ast.IfExp(body=body, orelse=otherwise):
            return _union([_range(body), _range(otherwise)])
        case ast.Subscript(value=inner):
            return _range(inner)
        case ast.BinOp(left=left, op=operator, right=right):
            return _combined(operator, _range(left), _range(right))
        case ast.Call(func=ast.Attribute(value=inner, attr=name)):
            return _of_call(node, inner, name)
    return None


def _of_call(node: ast.Call, inner: ast.expr, name: str) -> Range | None:
    if name in _SAME:
        return _range(inner)
    if name in _IN_PLACE and len(node.args) == 1:
        return _combined(_IN_PLACE[name], _range(inner), _range(node.args[0]))
    if name.endswith("_"):
        return _written(node, inner, name)
    if name == "exp" and not node.args:
        below = _range(inner)
        return below and (_exp(below[0]), _exp(below[1]))
    if name in _FILLS:
        return _FILLS[name]
    if name in ("tensor", "as_tensor", "Tensor", "FloatTensor") and node.args:
        # torch.Tensor(3) is three arbitrary numbers; torch.Tensor([3]) is the number 3.
        is_size = name.endswith("Tensor") and not isinstance(node.args[0], ast.List)
        return None if is_size else _range(node.args[0])
    if name in ("full", "full_like"):
        fill = [keyword.value for keyword in node.keywords if keyword.arg == "fill_value"]
        fill += node.args[1:2]
        return _range(fill[0]) if fill else None
    return None


def _exp(value: float) -> float:
    return math.exp(max(-700.0, min(value, 700.0)))


def _combined(operator: ast.operator, left: Range | None, right: Range | None) -> Range | None:
    if left is None or right is None:
        return None
    if isinstance(operator, ast.Sub):
        operator, right = ast.Add(), (-right[1], -right[0])
    if isinstance(operator, ast.Add):
        return _clip(left[0] + right[0]), _clip(left[1] + right[1])
    if isinstance(operator, ast.Div) and right[0] == right[1]:
        operator, right = ast.Mult(), (1 / right[0], 1 / right[0])
    if isinstance(operator, ast.Mult):
        products = [_clip(a * b) for a in left for b in right]
        return min(products), max(products)
    return None


def _clip(value: float) -> float:
    return max(-FAR, min(value, FAR))


def _negated(values: Range | None) -> Range | None:
    return None if values is None else (-values[1], -values[0])


def _union(ranges: list[Range | None]) -> Range | None:
    known = [values for values in ranges if values is not None]
    if len(known) < len(ranges):
        return None
    return min(low for low, _ in known), max(high for _, high in known)
