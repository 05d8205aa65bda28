"""Other inputs for a call that runs: of both signs, of other sizes, with options given or not.

What a class does with the negative ones, with a single row or with a mask, one call does not show.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from pyroify.verify.compare.outputs import tensors
from pyroify.verify.compare.run import Call, Given, invoke
from pyroify.verify.making.guess import guess_values

Change = Callable[[Given], Given]

_OPTIONS = 6
"""How many optional arguments of a call are tried, and how many values of each."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A call with other arguments, made from those that it has."""

    call: Call
    change: Change

    @property
    def method(self) -> str:
        """The entry point."""
        return self.call.method

    def arguments(self) -> Given:
        """The changed arguments."""
        return self.change(self.call.arguments())


@dataclass(frozen=True, slots=True)
class Varied:
    """A call, and the same with other arguments, by what is other.

    ``cut``: the time was over before all that may be other was tried.
    """

    call: Call
    variants: Mapping[str, Call]
    cut: bool = False


def vary(module: nn.Module, call: Call, deadline: float) -> Varied:
    """Find the variants of a call that ``module`` can be called with as well."""
    found: dict[str, Call] = {}
    for name, ways in _ways(module, call):
        for way in ways:
            if time.process_time() > deadline:
                return Varied(call, found, cut=True)
            changed = Changed(call, way)
            if _runs(module, changed):
                found[name] = changed
                break
    return Varied(call, found)


def _runs(module: nn.Module, call: Call) -> bool:
    try:
        with torch.random.fork_rng(devices=()):
            output = invoke(module, call)
    except (Exception, SystemExit):
        return False
    return not any(tensor.numel() and tensor.isnan().all() for _, tensor in tensors(output))


def _ways(module: nn.Module, call: Call) -> Iterator[tuple[str, list[Change]]]:
    """What to try, by name: of each the first that runs."""
    signed = partial(_each, _signed)
    other = partial(_each, partial(_other, top=_indices(module)))
    yield "again", [lambda given: given]
    given = call.arguments()
    found = list(_tensors((given.args, given.kwargs)))
    if found:
        yield (
            "of both signs",
            [
                _chain(other, signed, _differentiable),
                _chain(other, signed),
                _chain(signed, _differentiable),
                signed,
                _chain(other, _differentiable),
                other,
            ],
        )
    rows = next((t.shape[0] for t in found if t.dim()), 0)
    for count in (1, 5) if rows else ():
        resized = partial(_each, partial(_resized, dim=0, size=rows, count=count))
        yield f"{count} row{'s' * (count > 1)}", [_chain(resized, signed), resized]
    long = next((t.shape[1] for t in found if t.dim() == (3 if t.is_floating_point() else 2)), 0)
    if long > 1:
        longer = partial(_each, partial(_resized, dim=1, size=long, count=long + 2))
        yield f"{long + 2} long", [_chain(longer, signed), longer]
    yield from _options(module, call, given)


def _chain(*changes: Change) -> Change:
    def change(given: Given) -> Given:
        for step in changes:
            given = step(given)
        return given

    return change


# Tensors ----------------------------------------------------------------------------------------


def _tensors(value: Any) -> Iterator[Tensor]:
    match value:
        case Tensor():
            yield value
        case list() | tuple():
            for item in value:
                yield from _tensors(item)
        case dict():
            for item in value.values():
                yield from _tensors(item)


def _each(change: Callable[[Tensor], Tensor], given: Given) -> Given:
    """Change all tensors in the arguments."""

    def changed(value: Any) -> Any:
        if isinstance(value, Tensor):
            return change(value) if value.layout == torch.strided else value
        if type(value) in (list, tuple):
            return type(value)(changed(item) for item in value)
        if type(value) is dict:
            return {key: changed(item) for key, item in value.items()}
        return value

    kwargs = {name: changed(value) for name, value in given.kwargs.items()}
    return replace(given, args=tuple(map(changed, given.args)), kwargs=kwargs)


def _signed(value: Tensor) -> Tensor:
    """Numbers of both signs, small ones, large ones and zero."""
    if not value.is_floating_point():
        return value
    generator = torch.Generator().manual_seed(1)
    size, zero = (torch.randn(value.shape, generator=generator) for _ in range(2))
    noise = torch.randn(value.shape, generator=generator) * size.exp()
    return torch.where(zero.abs() < 0.05, torch.zeros(()), noise).to(value)


def _other(value: Tensor, top: int) -> Tensor:
    """Other indices, and truth that is not the same everywhere."""
    generator = torch.Generator().manual_seed(1)
    if value.dtype == torch.bool:
        kept = torch.rand(value.shape, generator=generator) < 0.6
        return (kept | _first(value)).to(value.device)
    if value.is_floating_point() or value.is_complex() or not value.numel():
        return value
    highest = max(int(value.max()), top - 1)
    return torch.randint(highest + 1, value.shape, generator=generator).to(value)


def _first(value: Tensor) -> Tensor:
    """True at the first of each row, and on the diagonal: a row that is masked whole gives NaN."""
    if value.dim() >= 2 and value.shape[-1] == value.shape[-2]:
        return torch.eye(value.shape[-1], dtype=torch.bool).expand(value.shape)
    first = torch.zeros(value.shape, dtype=torch.bool)
    if value.dim():
        first[..., 0] = True
    return first


def _indices(module: nn.Module) -> int:
    """How many indices every embedding of a module knows."""
    counts = [m.num_embeddings for m in module.modules() if isinstance(m, nn.Embedding)]
    return min(counts, default=0)


def _resized(value: Tensor, dim: int, size: int, count: int) -> Tensor:
    if value.dim() <= dim or value.shape[dim] != size:
        return value
    return value.index_select(dim, torch.arange(count) % size)


def _differentiable(given: Given) -> Given:
    """Compute the arguments from leaves; as they are, they may be written into."""
    leaves: dict[str, Tensor] = {}

    def leaf(value: Tensor) -> Tensor:
        if not value.is_floating_point():
            return value
        start = value.detach().clone().requires_grad_()
        leaves[f"input {len(leaves) + 1}"] = start
        return start.clone()

    return replace(_each(leaf, given), leaves=leaves)


# Options ----------------------------------------------------------------------------------------


def _options(module: nn.Module, call: Call, given: Given) -> Iterator[tuple[str, list[Change]]]:
    """Optional arguments that are left out, given; those that are given by name, left out."""
    with suppress(TypeError, ValueError):
        signature = inspect.signature(getattr(module, call.method))
        bound = signature.bind(*given.args, **given.kwargs).arguments
        main = next(_tensors(list(bound.values())), None)
        optional = [p for p in signature.parameters.values() if p.default is not p.empty]
        for parameter in islice(optional, _OPTIONS):
            name = parameter.name
            if name in given.kwargs:
                yield f"without {name}", [partial(_without, name)]
            elif name not in bound and parameter.kind is not parameter.POSITIONAL_ONLY:
                values = islice(_values(parameter, main), _OPTIONS)
                yield f"with {name}", [partial(_with, name, value) for value in values]


def _without(name: str, given: Given) -> Given:
    return replace(given, kwargs={k: v for k, v in given.kwargs.items() if k != name})


def _with(name: str, value: Any, given: Given) -> Given:
    return replace(given, kwargs={**given.kwargs, name: _fresh(value)})


def _fresh(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _values(parameter: inspect.Parameter, main: Tensor | None) -> Iterable[Any]:
    """What to give for an optional argument, the likeliest first."""
    name, default = parameter.name, parameter.default
    match default:
        case bool():
            return [not default]
        case int():
            return [default + 1, max(default - 1, 0)]
        case float():
            return [default * 0.5 + 0.25, default + 1.0]
    if main is None or default is not None:
        return []
    if "mask" in name:
        return _masks(main)
    if parameter.annotation in (int, float, bool, str, "int", "float", "bool", "str"):
        return [value for value in guess_values(name, parameter.annotation) if value is not None]
    floats = _signed(main.float()).to(main if main.is_floating_point() else torch.float32)
    shapes = [floats, floats[..., :1], floats.reshape(len(floats), -1)[:, 0]] if main.dim() else []
    whole = torch.zeros(main.shape[:1], dtype=torch.long)
    return [*shapes, whole, *(v for v in guess_values(name) if isinstance(v, int | float))]


def _masks(main: Tensor) -> Iterator[Tensor]:
    """Masks of each value, of each row or step, and of pairs of steps; truth, or numbers."""
    steps = main.shape[1] if main.dim() > 1 else main.shape[0] if main.dim() else 1
    sizes = [main.shape[:2], (steps, steps), main.shape, (*main.shape[:1], 1, steps, steps)]
    for size in dict.fromkeys(map(tuple, sizes)):
        mask = _other(torch.ones(size, dtype=torch.bool), 0)
        yield mask
        yield mask.float()
