"""What two modules returned, compared leaf by leaf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ROUNDING = 1e-6
"""Largest difference that counts as rounding, relative to the largest value of the tensor."""

_GENERATED = 16
_HASHED = (bool, int, float, str, bytes)
_OPAQUE = (FunctionType, MethodType, ModuleType, nn.Module, torch.Generator, type)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two outputs are apart: the largest absolute difference, and what is not rounding."""

    maximum: float = 0.0
    mismatches: tuple[str, ...] = ()


def tensors(output: object) -> list[tuple[str, Tensor]]:
    """Name every floating point tensor of a nested output, as ``output[0].loc``."""
    return [
        (path, leaf)
        for path, leaf in leaves(output)
        if isinstance(leaf, Tensor) and leaf.is_floating_point()
    ]


def leaves(
    value: object, path: str = "output", seen: frozenset[int] = frozenset()
) -> Iterator[Any]:
    """Yield ``(path, leaf)`` of tensors and scalars, and for each container its kind and size."""
    if id(value) in seen:
        return
    inside = seen | {id(value)}
    match value:
        case Tensor():
            yield path, value
        case np.ndarray() if value.dtype.kind in "biufc":
            yield path, torch.from_numpy(np.ascontiguousarray(value))
        case float() | complex():
            wide = torch.float64 if isinstance(value, float) else torch.complex128
            yield path, torch.tensor(value, dtype=wide)
        case None | bool() | int() | str() | bytes():
            yield path, value
        case GeneratorType():
            yield from leaves(list(islice(value, _GENERATED)), path, inside)
        case Mapping():
            yield path, f"{_kind(value)} of {len(value)}"
            for key, item in value.items():
                yield from leaves(item, f"{path}[{key!r}]", inside)
        case Sequence():
            yield path, f"{_kind(value)} of {len(value)}"
            for position, item in enumerate(value):
                yield from leaves(item, f"{path}[{position}]", inside)
        case Set():
            yield path, f"{_kind(value)} of {len(value)}"
            yield from ((f"{path}: {item!r}", item) for item in value if isinstance(item, _HASHED))
        case _:
            yield path, _kind(value)
            if not isinstance(value, _OPAQUE):
                for name, item in sorted(_attributes(value).items()):
                    yield from leaves(item, f"{path}.{name}", inside)


def difference(
    expected: object, actual: object, path: str = "output", rounding: float = ROUNDING
) -> Difference:
    """Compare two outputs: NaN equals NaN, and ``rounding`` is relative to the largest value."""
    wanted, got = dict(leaves(expected, path)), dict(leaves(actual, path))
    mismatches = [f"{name} is missing" for name in wanted if name not in got]
    mismatches += [f"{name} was not there before" for name in got if name not in wanted]
    maximum = 0.0
    for name in wanted.keys() & got.keys():
        apart, reason = _leaf_difference(wanted[name], got[name], rounding)
        maximum = max(maximum, apart)
        if reason:
            mismatches.append(f"{name} {reason}")
    return Difference(maximum, tuple(sorted(mismatches)))


def is_same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same values; torch itself compares no sparse ones."""
    if one.shape != other.shape:
        return False
    return torch.equal(dense(one), dense(other))


def is_freed(value: Tensor) -> bool:
    """Whether its memory was given back, as reversible networks do with their inputs."""
    is_strided = value.layout == torch.strided and value.numel() > 0
    return is_strided and not value.untyped_storage().nbytes()


def dense(value: Tensor) -> Tensor:
    """A tensor as one of the usual layout, which most of torch asks for."""
    return value if value.layout == torch.strided else value.to_dense()


def _leaf_difference(expected: object, actual: object, rounding: float) -> tuple[float, str]:
    if isinstance(expected, Tensor) and isinstance(actual, Tensor):
        return _tensor_difference(expected.detach(), actual.detach(), rounding)
    if type(expected) is type(actual) and expected == actual:
        return 0.0, ""
    return 0.0, f"was {_kind(expected)} {expected}, is {_kind(actual)} {actual}"


def _tensor_difference(expected: Tensor, actual: Tensor, rounding: float) -> tuple[float, str]:
    if expected.shape != actual.shape:
        return 0.0, f"had shape {tuple(expected.shape)}, has {tuple(actual.shape)}"
    if expected.dtype != actual.dtype:
        return 0.0, f"was {expected.dtype}, is {actual.dtype}"
    if is_freed(expected) or is_freed(actual):
        only = "is not there any more" if is_freed(actual) else "was not there any more"
        return 0.0, "" if is_freed(expected) == is_freed(actual) else only
    if is_same(expected, actual) or not expected.numel():
        return 0.0, ""
    wide = torch.complex128 if expected.is_complex() else torch.float64
    before, after = (dense(t).to("cpu", wide) for t in (expected, actual))
    same = (before == after) | (before.isnan() & after.isnan())
    if same.all():
        return 0.0, ""
    apart = (before - after).abs()[~same]
    scale = before.abs()[before.isfinite()].amax() if before.isfinite().any() else torch.tensor(0.0)
    maximum = float(apart.nan_to_num(nan=torch.inf).max())
    if maximum <= float(scale) * _tolerance(expected.dtype, rounding):
        return maximum, ""
    return maximum, f"differs by {maximum:.3g}, its values reach {float(scale):.3g}"


def _tolerance(dtype: torch.dtype, rounding: float) -> float:
    if not (dtype.is_floating_point or dtype.is_complex):
        return 0.0
    return max(rounding, 8 * torch.finfo(dtype).eps)


def _kind(value: object) -> str:
    """Name the type as the original does: ``PyroModule[Linear]`` calls itself ``PyroLinear``."""
    name = type(value).__name__
    return name.removeprefix("Pyro") if isinstance(value, nn.Module) else name


def _attributes(value: object) -> dict[str, object]:
    names = dict(getattr(value, "__dict__", {}))
    slots = [s for base in type(value).__mro__ for s in _slots(base) if hasattr(value, s)]
    return names | {slot: getattr(value, slot) for slot in slots}


def _slots(base: type) -> tuple[str, ...]:
    declared = base.__dict__.get("__slots__", ())
    names = (declared,) if isinstance(declared, str) else tuple(declared)
    return tuple(name for name in names if not name.startswith("__"))
