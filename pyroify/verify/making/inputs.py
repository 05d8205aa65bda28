"""Inputs of a module guessed from names and layers, and corrected by what the module complains of.

An error of torch says what it wanted: ``mat1 and mat2 shapes cannot be multiplied (2x8 and 5x3)``
wants 5 columns. So a call is tried, its error read, and the shape mended, until it runs.
"""

from __future__ import annotations

import inspect
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, product
from math import prod, sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from pyroify.verify.compare.outputs import tensors
from pyroify.verify.compare.run import EntryCall, describe, invoke
from pyroify.verify.making.guess import SIZE, guess_values
from pyroify.verify.making.said import Said, keys_said, shapes_said
from pyroify.verify.making.time_limit import computing

ATTEMPTS = 120
LARGEST = 4_000_000
"""Numbers that a tensor holds at most."""
FORWARD_SECONDS, METHOD_SECONDS = 20.0, 3.0
"""How long forward, and another method, may compute; a method may be a whole search."""
TOKENS = 4
"""Whole numbers in an input are below this: they index embeddings."""

_SIDES = (16, 32, 64, 128, 224, 299, 331)
_CONVOLUTIONS = {
    nn.Conv1d: 3,
    nn.ConvTranspose1d: 3,
    nn.Conv2d: 4,
    nn.ConvTranspose2d: 4,
    nn.Conv3d: 5,
    nn.ConvTranspose3d: 5,
}
_SEQUENTIAL = (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.Transformer)


class NoCall(Exception):
    """Nothing that was tried runs; the message is the error of the likeliest try."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a tensor, and what it holds.

    Numbers (float, or complex), indices (int), or truth (bool).
    """

    sizes: tuple[int, ...]
    kind: str = "float"

    def __str__(self) -> str:
        """As ``float[2, 8]``."""
        return f"{self.kind}{list(self.sizes)}"

    def tensor(self, dtype: torch.dtype) -> Tensor:
        """Make the tensor, always the same."""
        generator = torch.Generator().manual_seed(0)
        if self.kind == "int":
            return torch.randint(TOKENS, self.sizes, generator=generator)
        if self.kind == "bool":
            return torch.ones(self.sizes, dtype=torch.bool)
        if self.kind == "complex":
            both = torch.rand(*self.sizes, 2, generator=generator)
            return torch.view_as_complex(both).to(dtype.to_complex())
        return torch.rand(self.sizes, generator=generator).to(dtype)


Inputs = Mapping[str, Any]
"""Arguments by name: shapes, lists and dicts of shapes, and plain values."""


def find_call(module: nn.Module, method: str, deadline: float) -> tuple[EntryCall, str]:
    """Find arguments with which ``method`` of ``module`` runs, and say what they are.

    ``deadline`` is a value of ``time.process_time()``. Raises :class:`NoCall`.
    """
    if isinstance(inspect.getattr_static(type(module), method), property | cached_property):
        return EntryCall(method), method
    parameters = list(inspect.signature(getattr(module, method)).parameters.values())
    dtype = _usual_dtype(module)
    said = shapes_said(type(module), method)
    keys = keys_said(type(module), method)
    queue = [
        *_with_keys(module, parameters, keys),
        *_as_said(module, parameters, said),
        *_with_states(module, parameters),
        *_first_guesses(module, parameters),
    ]
    seen, first_error, first = set(), "", None
    for _ in range(ATTEMPTS):
        if not queue or time.process_time() > deadline:
            break
        inputs = queue.pop(0)
        if repr(inputs) in seen or not _is_moderate(inputs):
            continue
        seen.add(repr(inputs))
        call = _call(method, parameters, inputs, dtype)
        try:
            with computing(FORWARD_SECONDS if method == "forward" else METHOD_SECONDS):
                output = invoke(module, call)
        except Exception as error:
            first_error, first = first_error or describe(error), first or error
            queue = [
                *_with_key(inputs, parameters, error),
                *_mended(inputs, str(error), _widths(module)),
                *queue,
            ]
            continue
        if not any(tensor.numel() and tensor.isnan().all() for _, tensor in tensors(output)):
            return call, f"{method}({_labels(inputs)})"
        first_error = first_error or "it returns NaN"
    raise NoCall(first_error or "no arguments were found") from first


def _usual_dtype(module: nn.Module) -> torch.dtype:
    """The dtype of most numbers that it holds: a single one may be of another precision."""
    counts = Counter[torch.dtype]()
    for parameter in module.parameters():
        if parameter.is_floating_point():
            counts[parameter.dtype] += 1 if is_lazy(parameter) else parameter.numel()
    return max(counts, key=counts.__getitem__, default=torch.float32)


def _is_moderate(inputs: Inputs) -> bool:
    return all(prod(shape.sizes) <= LARGEST for _, shape in _shapes_in(inputs))


def given_call(inputs: Sequence[Any] | Mapping[str, Any]) -> tuple[EntryCall, str]:
    """Make the call of forward with ``inputs``; ``float[2, 8]`` stands for a tensor."""
    named = inputs if isinstance(inputs, Mapping) else {}
    values = [] if isinstance(inputs, Mapping) else [_parsed(value) for value in inputs]
    kwargs = {name: _parsed(value) for name, value in named.items()}
    dtype = torch.get_default_dtype()
    call = EntryCall(
        "forward",
        [_realised(value, dtype) for value in values],
        {name: _realised(value, dtype) for name, value in kwargs.items()},
    )
    shown = [*map(_label, values), *filter(None, [_labels(kwargs)])]
    return call, f"forward({', '.join(shown)})"


def _parsed(value: Any) -> Any:
    match = (
        re.fullmatch(r"(float|int|bool)\[([\d, ]*)\]", value) if isinstance(value, str) else None
    )
    if not match:
        return value
    return Shape(tuple(int(size) for size in re.findall(r"\d+", match[2])), match[1])


def _labels(inputs: Inputs) -> str:
    return ", ".join(f"{name}={_label(value)}" for name, value in inputs.items())


def _label(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_label, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_label, value))})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_label(item)}' for key, item in value.items())}}}"
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return str(value) if isinstance(value, Shape) else repr(value)


def _call(
    method: str, parameters: Sequence[inspect.Parameter], inputs: Inputs, dtype: torch.dtype
) -> EntryCall:
    values = {name: _realised(value, dtype) for name, value in inputs.items()}
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
    args = tuple(values.pop(name) for name in positional if name in values)
    for rest in [p.name for p in parameters if p.kind is p.VAR_KEYWORD and p.name in values]:
        values |= values.pop(rest)
    return EntryCall(method, args, values)


def _realised(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, list):
        return [_realised(item, dtype) for item in value]
    if isinstance(value, dict):
        return {key: _realised(item, dtype) for key, item in value.items()}
    return value.tensor(dtype) if isinstance(value, Shape) else value


# What to try first


def _as_said(
    module: nn.Module, parameters: Sequence[inspect.Parameter], said: Mapping[str, Sequence[Said]]
) -> Iterator[dict[str, Any]]:
    """Shapes that the source names, with each width that may be meant by a name."""
    wanted = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    if not any(parameter.name in said for parameter in wanted):
        return
    kind = next(_shapes(module)).kind
    for rank in range(max(map(len, said.values()))):
        for width in _widths(module)[:3]:
            shapes = {
                p.name: Shape(
                    shapes[min(rank, len(shapes) - 1)].sizes(module, width),
                    shapes[min(rank, len(shapes) - 1)].kind or _kind(p.name) or kind,
                )
                for p in wanted
                if (shapes := said.get(p.name, ()))
            }
            main = next(iter(shapes.values()))
            yield {p.name: shapes.get(p.name) or _guess(p, main, None) for p in wanted}


def _with_keys(
    module: nn.Module, parameters: Sequence[inspect.Parameter], keys: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, Any]]:
    """Dicts for the arguments of which the source reads members by their names."""
    wanted = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    rest = [p for p in parameters if p.kind is p.VAR_KEYWORD]
    read = [p for p in (*wanted, *rest) if p.name in keys]
    for shape in _shapes(module) if read else ():
        dicts = {p.name: {key: _member(key, shape) for key in keys[p.name]} for p in read}
        yield {p.name: _guess(p, shape, None) for p in wanted} | dicts


def _with_key(
    inputs: Inputs, parameters: Sequence[inspect.Parameter], error: Exception
) -> Iterator[dict[str, Any]]:
    """Add the member that a dict lacks; keywords that a method takes are one."""
    match error:
        case KeyError(args=(str(key),)):
            shapes = [item for _, item in _shapes_in(inputs)]
            main = shapes[0] if shapes else Shape((2, SIZE))
            rest: Inputs = {p.name: {} for p in parameters if p.kind is p.VAR_KEYWORD}
            for name, value in {**rest, **inputs}.items():
                if isinstance(value, dict) and key not in value:
                    yield {**inputs, name: {**value, key: _member(key, main)}}


def _member(key: str, main: Shape) -> Shape:
    """What a dict holds by that name."""
    return replace(main, kind=_kind(key) or main.kind)


Place = tuple[str | int, ...]
"""Where something is among the inputs: the name of one, and what leads on in lists and dicts."""


def _shapes_in(inputs: Any) -> Iterator[tuple[Place, Shape]]:
    """The shapes among the inputs and in lists and dicts of them, with where they are."""
    members = inputs.items() if isinstance(inputs, Mapping) else enumerate(inputs)
    for key, value in members:
        if isinstance(value, Shape):
            yield (key,), value
        elif isinstance(value, list | dict):
            yield from (((key, *place), shape) for place, shape in _shapes_in(value))


def _with_shape(inputs: Any, place: Place, shape: Shape) -> Any:
    """The inputs with another shape in one place."""
    key, *below = place
    changed: Any = dict(inputs) if isinstance(inputs, Mapping) else list(inputs)
    changed[key] = _with_shape(inputs[key], tuple(below), shape) if below else shape
    return changed


_STATE = re.compile(r"hidden|state|carry|memory|^h(x|c|_?0)?$")
_STATE_MAKER = re.compile(
    r"_*(init|zero|initial|get|make|create|begin|start).*(hidden|state|carry)"
)


def _with_states(
    module: nn.Module, parameters: Sequence[inspect.Parameter]
) -> Iterator[dict[str, Any]]:
    """Shapes, with the first state of a recurrent network as a method of its own makes it."""
    wanted = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    carried = [parameter.name for parameter in wanted if _STATE.search(parameter.name)]
    cls = type(module)
    names = [n for n in dir(cls) if _STATE_MAKER.match(n) and not hasattr(nn.Module, n)]
    if len(carried) != 1 or len(wanted) < 2 or not names:
        return
    for shape in _shapes(module):
        for state in _states([getattr(module, name) for name in names], shape.sizes):
            yield {p.name: state if p.name in carried else _guess(p, shape, None) for p in wanted}


def _states(makers: Sequence[Callable[..., Any]], sizes: Sequence[int]) -> Iterator[Any]:
    """What the methods make: of nothing, of the number of rows, or of that and of a size."""
    for maker, given in product(makers, ((), (*sizes[:1],), (*sizes[:1], tuple(sizes[2:])))):
        with suppress(Exception):
            made = maker(*given)
            if any(True for _ in tensors(made)):
                yield _detached(made)


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    return type(value)(map(_detached, value)) if type(value) in (list, tuple) else value


def _kind(name: str) -> str:
    return next((kind for pattern, kind in _KINDS if re.search(pattern, name)), "")


def _first_guesses(
    module: nn.Module, parameters: Sequence[inspect.Parameter]
) -> Iterator[dict[str, Any]]:
    wanted = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    undecided = [p for p in parameters if p.default is None]
    if not wanted:
        yield {}
    shapes = list(_shapes(module))
    optional = [[parameter] for parameter in undecided]
    for extra in ([], *optional, undecided) if len(undecided) > 1 else ([], *optional):
        some = wanted + extra
        for other in (None, *_OTHERS):
            for shape in shapes:
                yield {p.name: _guess(p, shape, other) for p in some}
            if len(some) < 2:
                break


_OTHERS = (Shape((2,)), Shape((2, SIZE)), Shape((2,), "int"), Shape((2, 5, SIZE)))
"""What a tensor that is not the first may be, if it is not as the first one."""

_KINDS = (
    (r"mask", "bool"),
    (r"categ|tokens?|_ids?$|^ids?$|idx|ind(ex|ices)|labels?|targets?|words?|captions?", "int"),
)


def _guess(parameter: inspect.Parameter, main: Shape, other: Shape | None) -> Any:
    name, annotation = parameter.name, parameter.annotation
    if re.search(r"layer$|fn$|func", name):
        return nn.Identity()
    if annotation in (int, float, bool, str, "int", "float", "bool", "str"):
        return guess_values(name, annotation)[0]
    if re.fullmatch(r"(out(put)?_)?(size|shape)", name) and len(main.sizes) > 2:
        return main.sizes[2:]
    if re.search(r"^(xs|inputs|feats|features|tensors|outputs)$", name) and other:
        return [main, main]
    if re.search(r"^(t|time|times|timesteps?|sigmas?|lengths?|lens)$", name):
        return Shape(main.sizes[:1], "int" if name.startswith("len") else main.kind)
    for pattern, kind in _KINDS:
        if re.search(pattern, name):
            return Shape(main.sizes[:2] if kind == "bool" else (other or main).sizes, kind)
    is_first = re.search(r"^(x|inputs?|imgs?|images?|q|query|src|z)$", name)
    return main if is_first or other is None else other


def _shapes(module: nn.Module) -> Iterator[Shape]:
    """Yield shapes of the main input, the likeliest first."""
    widths = _widths(module)
    first = next((m for m in module.modules() if any(True for _ in _own(m))), None)
    if isinstance(first, nn.Embedding):
        yield Shape((2, 5), "int")
    sequential = any(isinstance(m, _SEQUENTIAL) for m in module.modules())
    rank = next((r for kind, r in _CONVOLUTIONS.items() if isinstance(first, kind)), 3 * sequential)
    for width in widths[:3]:
        shapes = _of_width(width)
        yield from sorted(shapes, key=lambda shape: len(shape.sizes) != rank)
    yield from (Shape((2, 5), "int"), Shape((2,), "int"), Shape((2,)), Shape(()))


def _own(module: nn.Module) -> Iterator[nn.Parameter]:
    return module.parameters(recurse=False)


def _of_width(width: int) -> list[Shape]:
    """Rows, sequences, signals, images, heads, images with channels last, volumes, films."""
    flat = ((2, width), (2, 5, width), (2, width, 16), (width,))
    images = ((2, width, 16, 16), (2, 2, 5, width), (2, 8, 8, width))
    deep = (*images, (2, width, 4, 16, 16), (2, 5, width, 16, 16))
    return [Shape(sizes) for sizes in (*flat[:3], *deep, *flat[3:])]


def _widths(module: nn.Module) -> list[int]:
    """Yield the widths that layers take, the first layer's first."""
    names = (
        "in_features",
        "in_channels",
        "input_size",
        "num_features",
        "embed_dim",
        "in_dim",
        "dim",
    )
    found = [getattr(m, name, None) for m in module.modules() for name in names]
    edges = [size for p in module.parameters() for size in (p.shape[-1:] + p.shape[:1])]
    widths = [w for w in chain(found[:200], edges[:50]) if type(w) is int and w > 0]
    return list(dict.fromkeys([*widths, SIZE, 3, 1]))[:8]


# What an error asks for


def _mended(inputs: Inputs, message: str, widths: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the inputs with every shape changed as ``message`` asks, and with one of them alone.

    What is to hold something else is one of them first: tokens stand beside numbers.
    """
    places = list(_shapes_in(inputs))
    for pattern, mend in _MENDERS:
        if not (match := re.search(pattern, message)):
            continue
        shapes = {shape: list(mend(match, shape, widths)) for _, shape in places}
        ways = [_all_mended(inputs, places, shapes)]
        if len(places) > 1:
            ways.append(_one_mended(inputs, places, shapes))
        is_other_kind = any(o.kind != shape.kind for shape in shapes for o in shapes[shape])
        yield from chain.from_iterable(reversed(ways) if is_other_kind else ways)


Places = Sequence[tuple[Place, Shape]]
Mended = Mapping[Shape, Sequence[Shape]]
"""What may take the place of shapes."""


def _all_mended(inputs: Inputs, places: Places, shapes: Mended) -> Iterator[dict[str, Any]]:
    for rank in range(max(map(len, shapes.values()), default=0)):
        changed = dict(inputs)
        for place, shape in places:
            if others := shapes[shape]:
                changed = _with_shape(changed, place, others[min(rank, len(others) - 1)])
        yield changed


def _one_mended(inputs: Inputs, places: Places, shapes: Mended) -> Iterator[dict[str, Any]]:
    for place, shape in places:
        for other in shapes[shape][:_ALONE]:
            yield _with_shape(inputs, place, other)


_ALONE = 2
"""How many other shapes are tried for one input of several."""

Mender = Callable[["re.Match[str]", Shape, Sequence[int]], Iterator[Shape]]


def _set_columns(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    """Other columns, or another side of an image that is flattened later on."""
    got, wanted = int(match["got"]), int(match["wanted"])
    *rows, columns = shape.sizes or (1,)
    if columns == got:
        yield replace(shape, sizes=(*rows, wanted))
    elif columns + wanted - got > 0:  # something was appended
        yield replace(shape, sizes=(*rows, columns + wanted - got))
    if columns != got and len(shape.sizes) == 4:
        side = max(1, round(columns * sqrt(wanted / got)))
        yield replace(shape, sizes=(*shape.sizes[:2], side, side))
    if columns != got and len(shape.sizes) == 3:
        yield replace(shape, sizes=(*rows, max(1, columns * wanted // got)))


def _set_channels(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    if len(shape.sizes) >= 2:
        yield replace(shape, sizes=(shape.sizes[0], int(match[1]), *shape.sizes[2:]))


def _set_width(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    if shape.sizes:
        yield replace(shape, sizes=(*shape.sizes[:-1], int(match[1])))


def _set_rank(match: re.Match[str], shape: Shape, widths: Sequence[int]) -> Iterator[Shape]:
    ranks = [int(digit) for digit in match.groups() if digit]
    for width in (*shape.sizes[-1:], *widths):
        yield from (s for s in _of_width(width) if len(s.sizes) in ranks)


def _add_dimension(match: re.Match[str], shape: Shape, widths: Sequence[int]) -> Iterator[Shape]:
    for width in (*shape.sizes[-1:], *widths[:2]):
        yield from (s for s in _of_width(width) if len(s.sizes) == len(shape.sizes) + 1)


def _set_square(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    if len(shape.sizes) >= 4:
        yield replace(shape, sizes=(*shape.sizes[:-2], int(match[1]), int(match[2])))


def _enlarge(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    larger = [side for side in _SIDES if side > max(shape.sizes[2:], default=_SIDES[-1])]
    yield from (
        replace(shape, sizes=(*shape.sizes[:2], *(side for _ in shape.sizes[2:])))
        for side in larger
    )


def _divide(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    got, chunk = int(match[1]), int(match[2])
    sizes = tuple(4 * chunk if size == got else size for size in shape.sizes)
    yield replace(shape, sizes=sizes)


def _swap(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    """Put one of two sizes that should be the same in the place of the other."""
    one, two = int(match[1]), int(match[2])
    for old, new in ((one, two), (two, one)):
        if old in shape.sizes and new:
            yield replace(shape, sizes=tuple(new if s == old else s for s in shape.sizes))


def _as(kind: str) -> Mender:
    def mend(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
        if shape.kind != kind:
            yield replace(shape, kind=kind)

    return mend


def _as_indices(match: re.Match[str], shape: Shape, _: Sequence[int]) -> Iterator[Shape]:
    """Whole numbers; an embedding gives each of them a dimension more."""
    if shape.kind != "int":
        yield from (Shape(sizes, "int") for sizes in dict.fromkeys((shape.sizes[:2], shape.sizes)))


_MENDERS: tuple[tuple[str, Mender], ...] = (
    (r"shapes cannot be multiplied \(\d+x(?P<got>\d+) and (?P<wanted>\d+)x", _set_columns),
    (r"to have (\d+) channels, but got", _set_channels),
    (r"should contain \d+ elements not (\d+)", _set_channels),
    (r"num_channels=(\d+)", _set_channels),
    (r"normalized_shape=\[(?P<wanted>\d+)\].*size\[[\d, ]*?(?P<got>\d+)\]", _set_columns),
    (r"(?:input_size\. Expected|embedding dimension of) (\d+)", _set_width),
    (r"expected (\d)-?D(?:.*? or (\d)-?D)?", _set_rank),
    (r"Expected (\d)D \(unbatched\) or (\d)D", _set_rank),
    (r"unpack \(expected (\d)", _set_rank),
    (r"expected (\d) dims", _set_rank),
    (r"len\(dims\) = (\d)", _set_rank),
    (r"subscripts in the equation \((\d)\)", _set_rank),
    (r"Dimension out of range|must have at least|too many indices|number of axis", _add_dimension),
    (r"doesn't match model \((\d+)[*x](\d+)\)", _set_square),
    (
        r"too small|can't be greater than actual input|larger than|non-empty|non-zero size"
        r"|Padding size should be less",
        _enlarge,
    ),
    (r"more than 1 value per channel", _enlarge),
    (r"can't divide axis of length (\d+) in chunks of (\d+)", _divide),
    (
        r"scalar types?:? Long|must be long|expected scalar type (Long|Int)|index tensor",
        _as_indices,
    ),
    (r"for 'Long'|floating|same dtype|type \(.*Long.*\) and|Float but found Long", _as("float")),
    (r"dtype bool|for 'Bool'|mask.*bool", _as("bool")),
    (r"non-complex|complex tensor", _as("complex")),
    (r"hidden size \(\d+, (\d+), \d+\), got \[\d+, (\d+),", _swap),
    (r"\D(\d+)\D+?(\d+)\b", _swap),
)
"""What to do about an error; all that match are tried, in this order."""
