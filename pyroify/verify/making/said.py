"""What source says of the shapes of arguments: annotations, docstrings, comments, and first uses.

``x: Float[Tensor, "batch dim"]``, ``x: (batch, seq, dim)`` in a docstring, ``# x: [B, C, H, W]``,
``b, n, d = x.shape`` and ``rearrange(x, "b n d -> b d n")`` all say how many dimensions there are,
and name them.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from torch import nn

_BATCH, _STEPS, _SIDE = 2, 5, 16
_SIZES = (
    (r"^(b|bs|bsz|n|batch|batch_?size|nb|num_graphs?|num_samples?)$", _BATCH),
    (r"^(t|l|s|seq|seq_?len(gth)?|len|length|time(steps?)?|steps|tokens?|frames?|nodes?)$", _STEPS),
    (r"^(h|w|d[12]|height|width|img_?size|image_?size|x|y|depth)$", _SIDE),
)
"""The sizes of dimensions by name; any other is as wide as the module."""

_KINDS = (
    (r"\b(Bool|bool|BoolTensor)\b", "bool"),
    (r"\b(Int\d*|UInt\d*|Integer|long|int|int64|int32|LongTensor|IntTensor|indices)\b", "int"),
)
_SHAPE = r"[(\[{]\s*(?P<dims>[\w*.'\" -]+(?:,[\w*.'\" -]+)*,?)\s*[)\]}]"
_NO_DIMS = re.compile(r"(?i)tensor|optional|default|torch|float|int|bool|list|tuple|str|array|e\.g")


@dataclass(frozen=True, slots=True)
class Said:
    """The names or sizes of the dimensions of an argument, and what it holds, if that is said."""

    dims: tuple[str, ...]
    kind: str = ""

    def sizes(self, module: nn.Module, width: int) -> tuple[int, ...]:
        """Sizes for the dimensions, in a module whose layers take ``width``."""
        return tuple(_size(name, module, width) for name in self.dims)


def shapes_said(cls: type, method: str) -> dict[str, list[Said]]:
    """What is said of each argument of a method, what is surest first."""
    source, tree = _source(cls, method)
    if tree is None:
        return {}
    texts = [ast.get_docstring(tree) or "", cls.__doc__ or "", "\n\n".join(_comments(source))]
    found: dict[str, list[Said]] = {}
    for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
        said = [
            *_annotated(argument),
            *_used(tree, argument.arg),
            *_documented(texts, argument.arg),
        ]
        kind = next((shape.kind for shape in said if shape.kind), "")
        if said:
            found[argument.arg] = list(dict.fromkeys(replace(shape, kind=kind) for shape in said))
    return found


def keys_said(cls: type, method: str) -> dict[str, list[str]]:
    """The names by which a method reads members of its arguments: ``batch["image"]``."""
    _, tree = _source(cls, method)
    found: dict[str, dict[str, None]] = {}
    if tree is None:
        return {}
    rest = [tree.args.kwarg] if tree.args.kwarg else []
    arguments = {argument.arg for argument in (*tree.args.args, *tree.args.kwonlyargs, *rest)}
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(
                value=ast.Name(id=name), slice=ast.Constant(value=str(key)), ctx=ast.Load()
            ) if name in arguments:
                found.setdefault(name, {})[key] = None
    return {name: list(keys) for name, keys in found.items()}


def _source(cls: type, method: str) -> tuple[str, ast.FunctionDef | None]:
    """The source of a method, and its syntax tree, where they can be had."""
    try:
        source = inspect.getsource(inspect.unwrap(getattr(cls, method)))
        tree = ast.parse(textwrap.dedent(source)).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return "", None
    return source, tree if isinstance(tree, ast.FunctionDef) else None


def _annotated(argument: ast.arg) -> Iterator[Said]:
    """``Float[Tensor, "batch dim"]`` of jaxtyping, ``TensorType["batch", 10]`` of torchtyping."""
    match argument.annotation:
        case ast.Subscript(value=of, slice=inside):
            parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            dims = [str(p.value) for p in parts if isinstance(p, ast.Constant)]
            names = [name.lstrip("#*") for text in dims for name in text.split()]
            if names and all(map(_is_dim, names)):
                yield Said(tuple(names), _kind(ast.unparse(of)))


def _used(function: ast.FunctionDef, name: str) -> Iterator[Said]:
    """How the sizes of an argument are taken apart, before it is set anew."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(
                targets=[ast.Tuple(elts=parts)],
                value=ast.Attribute(value=ast.Name(id=taken), attr="shape")
                | ast.Call(func=ast.Attribute(value=ast.Name(id=taken), attr="size"), args=[]),
            ) if taken == name:
                if not any(isinstance(part, ast.Starred) for part in parts):
                    yield Said(tuple(ast.unparse(part) for part in parts))
            case ast.Call(
                func=ast.Name(id="rearrange" | "reduce" | "repeat"),
                args=[ast.Name(id=taken), ast.Constant(value=str(pattern)), *_],
            ) if taken == name:
                dims = re.findall(r"\([^)]*\)|\S+", pattern.partition("->")[0])
                if "..." not in dims:
                    yield Said(tuple(dims))


def _documented(texts: Sequence[str], name: str) -> Iterator[Said]:
    """A shape in the part of a docstring that is about an argument, or in a comment."""
    about = rf"^[ \t#:\-*]*(?:param\s+)?[`*]*{re.escape(name)}[`*]*\s*(?:\([^)\n]*\)\s*)?[:=,-]"
    next_one = r"(?=\n\s*\n|\n[ \t#:\-*]*(?:param\s+)?[`*]*\w+[`*]*\s*(?:\([^)\n]*\)\s*)?:|\Z)"
    for text in texts:
        for part in re.finditer(f"{about}(?P<text>.*?){next_one}", text, re.MULTILINE | re.DOTALL):
            told = re.finditer(_SHAPE, part[0].partition(name)[2])
            # The longest first: others are what it may be without a batch.
            for shape in sorted(told, key=lambda shape: -shape["dims"].count(",")):
                dims = [dim.strip(" '\"`") for dim in re.split(r",| x ", shape["dims"])]
                dims = [dim for dim in dims if dim]
                is_word = len(dims) == 1 and len(dims[0]) > 2 and not _is_known(dims[0])
                if not dims or is_word or _NO_DIMS.search(shape["dims"]):
                    continue
                if all(map(_is_dim, dims)):
                    yield Said(tuple(dims), _kind(part[0]))
                    break


def _comments(source: str) -> Iterator[str]:
    """The comments; one beside an argument is about that."""
    for line in source.split("\n"):
        code, mark, comment = line.partition("#")
        beside = re.fullmatch(r"\s*(\w+)\s*(?::[^#]*)?,?\s*", code)
        if mark:
            yield f"{beside[1]}: {comment}" if beside else comment


def _kind(text: str) -> str:
    return next((kind for pattern, kind in _KINDS if re.search(pattern, text)), "")


def _is_dim(name: str) -> bool:
    """Whether it names one dimension; an ellipsis may be several."""
    return re.fullmatch(r"\w+|\w+ ?[*/+-] ?\w+", name) is not None


def _is_known(name: str) -> bool:
    return any(re.search(pattern, name.lower()) for pattern, _ in _SIZES)


def _size(name: str, module: nn.Module, width: int) -> int:
    if name.isdigit():
        return int(name) or 1
    with suppress(AttributeError):
        if type(held := getattr(module, name.removeprefix("self."))) is int and held > 0:
            return held
    lowered = name.lower()
    return next((size for pattern, size in _SIZES if re.search(pattern, lowered)), width)
