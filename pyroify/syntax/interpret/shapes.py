"""The shape of what ``nn.Parameter`` is given, as source text, where the source shows it."""

from __future__ import annotations

import ast
import re
from functools import partial

from pyroify.syntax.nodes import walk
from pyroify.syntax.source import Source

SIZED = {"zeros", "ones", "randn", "rand", "empty"}
LEGACY = {"Tensor", "FloatTensor", "DoubleTensor"}
SAME_SHAPE = {
    *("normal_", "uniform_", "fill_", "zero_", "clone", "detach", "float", "contiguous", "mul_"),
    *("exp", "log", "abs", "sqrt", "neg", "sigmoid", "tanh", "requires_grad_", "div_", "add_"),
    *("trunc_normal_", "exp_", "log_", "mul", "div", "add", "sub", "pow", "clamp", "to", "cuda"),
}
SCALARS = {"float", "int", "len", "math.sqrt", "math.log", "math.exp", "math.pow"}
OTHER_DTYPES = {"double": "torch.float64", "half": "torch.float16", "bfloat16": "torch.bfloat16"}
"""Methods of a tensor that change its dtype, by name."""
NUMPY = "numpy"
"""The dtype of what may come from numpy, where numbers are double by default."""
TUPLE_NAME = re.compile(r"shape$|^sizes?$|sizes$|^dims$|_dims$")


def initial_shape(file: Source, node: ast.expr) -> tuple[tuple[str, ...] | None, str]:
    """Shape (source of each dimension) and dtype (source) of a tensor expression.

    None where the shape cannot be told from the expression alone.
    """
    if isinstance(node, ast.UnaryOp):
        return initial_shape(file, node.operand)
    if isinstance(node, ast.BinOp):
        return _arithmetic(file, node)
    if not isinstance(node, ast.Call):
        return None, ""
    # What ** hands on may have a dtype in it.
    dtype = next((file.source(k.value) for k in node.keywords if k.arg in ("dtype", None)), "")
    name = file.dotted(node.func)
    head, _, last = name.rpartition(".")
    if head == "torch":
        shape = _factory(file, node, last)
        return shape, dtype or (NUMPY if shape is None and _from_numpy(file, node, last) else "")
    if isinstance(node.func, ast.Attribute) and node.func.attr in OTHER_DTYPES:
        return initial_shape(file, node.func.value)[0], OTHER_DTYPES[node.func.attr]
    if isinstance(node.func, ast.Attribute) and node.func.attr in SAME_SHAPE:
        shape, inner = initial_shape(file, node.func.value)
        if node.func.attr == "to" and node.args:
            return shape, inner or file.source(node.args[0])
        if node.func.attr == "float":
            inner = ""
        is_kept = _is_factor if node.func.attr.endswith("_") else partial(_keeps, shape=shape)
        return (shape if all(is_kept(file, item) for item in node.args) else None), inner
    return None, dtype


def _arithmetic(file: Source, node: ast.BinOp) -> tuple[tuple[str, ...] | None, str]:
    """A tensor times or plus a number keeps its shape; a matrix product has another."""
    if isinstance(node.op, ast.MatMult):
        return None, ""
    for tensor, other in ((node.left, node.right), (node.right, node.left)):
        shape, dtype = initial_shape(file, tensor)
        if shape is not None and _keeps(file, other, shape):
            return shape, dtype
    return None, ""


def _keeps(file: Source, factor: ast.expr, shape: tuple[str, ...] | None) -> bool:
    """Whether a tensor of this shape keeps it, times or plus ``factor``.

    What has a name is nearly always a number; an array would widen a tensor of one element.
    """
    is_one = set(shape or ()) <= {"1"}
    return _is_number(file, factor) or (not is_one and _is_factor(file, factor))


def _factory(file: Source, node: ast.Call, name: str) -> tuple[str, ...] | None:
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return None
    if name in SIZED or name in LEGACY:
        size = next((k.value for k in node.keywords if k.arg == "size"), None)
        return _sizes(file, [size] if size is not None else list(node.args), name in LEGACY)
    if name == "full" and node.args:
        return _sizes(file, [node.args[0]], tuple_only=True)
    if name == "tensor" and len(node.args) == 1:
        (value,) = node.args
        if _is_number(file, value):
            return ()
        if (
            isinstance(value, ast.List)
            and value.elts
            and all(_is_number(file, item) for item in value.elts)
        ):
            return (str(len(value.elts)),)
    if name == "eye" and len(node.args) in (1, 2):
        sizes = _sizes(file, list(node.args))
        return sizes * 2 if sizes and len(sizes) == 1 else sizes
    if name == "normal" and len(node.args) == 3:
        return _sizes(file, [node.args[2]], tuple_only=True)
    if name == "linspace" and len(node.args) == 3:
        return _sizes(file, [node.args[2]])
    return None


def _from_numpy(file: Source, node: ast.Call, name: str) -> bool:
    """Whether a tensor is made of an array, or in a file with numpy of what may be one."""
    if name in ("tensor", "as_tensor"):
        given = [item for argument in node.args for item in walk(argument)]
        computed = any(isinstance(item, ast.BinOp | ast.Call) for item in given)
        return computed and any(dotted.split(".")[0] == "numpy" for dotted in file.imports.values())
    return name == "from_numpy"


def _sizes(
    file: Source, arguments: list[ast.expr], legacy: bool = False, tuple_only: bool = False
) -> tuple[str, ...] | None:
    """Sizes given one by one, or as one tuple or list."""
    if legacy and len(arguments) == 1 and _is_sequence(arguments[0]):
        return None  # torch.Tensor([3, 4]) holds the numbers, it is not of that shape
    if len(arguments) == 1 and isinstance(arguments[0], ast.Tuple | ast.List):
        sizes = arguments[0].elts
    elif tuple_only:
        return None
    else:
        sizes = arguments
        if len(sizes) == 1 and not _is_whole_number(sizes[0]):
            # torch.zeros(n) may be given an int or a torch.Size: only the name of a size will do.
            return _lone_size(file, sizes[0])
    if any(isinstance(size, ast.Starred) for size in sizes):
        return None
    return tuple(file.source(size) for size in sizes)


def _lone_size(file: Source, node: ast.expr) -> tuple[str, ...] | None:
    text = file.source(node)
    # "out_size" is a number; "size" alone may well be a tuple.
    last = text.rpartition(".")[2].lstrip("_")
    if isinstance(node, ast.Name | ast.Attribute) and not TUPLE_NAME.search(last):
        return (text,)
    if isinstance(node, ast.BinOp) and not _is_sequence(node):
        return (text,)
    if isinstance(node, ast.Call) and file.dotted(node.func) in ("int", "len"):
        return (text,)
    return None


def _is_sequence(node: ast.expr) -> bool:
    """Whether an expression is surely several values: ``[0.1] * n``, ``(rows,) + sizes``."""
    if isinstance(node, ast.BinOp):
        return _is_sequence(node.left) or _is_sequence(node.right)
    return isinstance(node, ast.List | ast.Tuple | ast.ListComp)


def _is_whole_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _is_number(file: Source, node: ast.expr) -> bool:
    """Whether an expression is surely one number, and no array."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float)
        case ast.UnaryOp(operand=operand):
            return _is_number(file, operand)
        case ast.BinOp(left=left, right=right):
            return _is_number(file, left) and _is_number(file, right)
        case ast.Call():
            return file.dotted(node.func) in SCALARS
    return False


def _is_factor(file: Source, node: ast.expr) -> bool:
    """Whether an expression is a number if the names in it are."""
    if isinstance(node, ast.UnaryOp):
        return _is_factor(file, node.operand)
    if isinstance(node, ast.BinOp):
        return _is_factor(file, node.left) and _is_factor(file, node.right)
    return isinstance(node, ast.Name | ast.Attribute) or _is_number(file, node)
