"""Both versions as they are built, before any weight is copied: is all that is kept still there?

Once the old weights are put in, another start is no longer seen; a constant that no call of ours
depends on, a hook, or a method that nothing here can call, never is.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from pyroify.verify.compare.expected import value_difference
from pyroify.verify.compare.outputs import dense
from pyroify.verify.compare.sites import buffers, dotted, parameters

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_state_dict_hooks")
_LIBRARIES = ("torch", "pyro", "builtins")


def compare_fresh(
    original: nn.Module,
    rewritten: nn.Module,
    again: nn.Module,
    starts: Iterable[tuple[nn.Module, str, Tensor]] = (),
) -> tuple[str, ...]:
    """Say what of the kept differs between two modules that are as built, alike.

    What differs in ``again`` too, the original built once more with other random numbers, is
    nothing to go by. ``starts`` are the values that priors took the place of.
    """
    twins = dict(rewritten.named_modules(remove_duplicate=False))
    others = dict(again.named_modules(remove_duplicate=False))
    paths = {module: path for path, module in rewritten.named_modules()}
    begun = {
        dotted(paths[module], name): value for module, name, value in starts if module in paths
    }
    found = [
        *_tensors(_held(original), _held(rewritten), _held(again)),
        *_tensors(parameters(original), begun, parameters(again)),
    ]
    for path, module in original.named_modules(remove_duplicate=False):
        if (twin := twins.get(path)) is not None:
            found += [*_attributes(path, module, twin, others.get(path, module))]
    return tuple(dict.fromkeys([*found, *_members(type(original), type(rewritten))]))


def _tensors(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], other: Mapping[str, Tensor]
) -> Iterator[str]:
    for name, value in before.items():
        twin = other.get(name, value)
        is_shared = isinstance(value, nn.Parameter) and twin is value  # made when it is imported
        if name not in after or is_shared or _apart(value, twin):
            continue
        if reason := _apart(value, after[name]):
            yield f"{name}: the value that it begins with {reason}"


def _held(module: nn.Module) -> Mapping[str, Tensor]:
    """The buffers, and the tensors that are plain attributes."""
    plain = {
        dotted(path, name): value
        for path, owner in module.named_modules(remove_duplicate=False)
        for name, value in vars(owner).items()
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
    }
    return buffers(module) | plain


def _apart(planned: Tensor, got: Tensor) -> str:
    if planned.dtype != got.dtype:
        return f"is {got.dtype}, was {planned.dtype}"
    if planned.shape != got.shape:
        return f"has shape {tuple(got.shape)}, had {tuple(planned.shape)}"
    if planned.is_meta or got.is_meta or not planned.numel():
        return ""
    if planned.is_complex():
        planned, got = planned.abs(), got.abs()
    return value_difference(dense(planned), dense(got)).replace("planned", "was")


def _attributes(path: str, module: nn.Module, twin: nn.Module, other: nn.Module) -> Iterator[str]:
    """Judge plain values, the mode, and the hooks of one module."""
    held, others = vars(twin), vars(other)
    for name, value in vars(module).items():
        if name.startswith("_pyro") or not _is_plain(value):
            continue
        if _differs(value, others.get(name, value)):
            continue
        got = held.get(name, inspect.getattr_static(type(twin), name, value))
        if _is_plain(got) and _differs(value, got):
            yield f"{dotted(path, name)}: it is {got!r}, was {value!r}"
    for name in _HOOKS:
        if len(vars(module).get(name) or ()) > len(held.get(name) or ()):
            yield f"{path or type(module).__name__}: a hook is lost ({name.removeprefix('_')})"


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (
        type(value) is tuple and all(isinstance(item, _PLAIN) for item in value)
    )


def _differs(one: Any, other: Any) -> bool:
    return type(one) is not type(other) or (one != other and not (one != one and other != other))


def _members(before: type, after: type) -> Iterator[str]:
    """Judge the methods of a class by their signatures, and its constants."""
    for base in before.__mro__:
        if base.__module__.split(".")[0] in _LIBRARIES:
            continue
        for name, value in vars(base).items():
            if name.startswith("__") or inspect.getattr_static(before, name, None) is not value:
                continue
            now = inspect.getattr_static(after, name, None)
            if now is None and value is not None:
                yield f"{before.__name__}.{name}: it is gone"
            elif _is_plain(value) and _is_plain(now) and _differs(value, now):
                yield f"{before.__name__}.{name}: it is {now!r}, was {value!r}"
            elif inspect.isfunction(value) and inspect.isfunction(now):
                one, other = _signature(value), _signature(now)
                if one != other:
                    yield f"{before.__name__}.{name}: it takes ({other}), took ({one})"


def _signature(function: Any) -> str:
    """The arguments, with those defaults that are plain."""
    return ", ".join(
        f"{p.name}={p.default!r}" if p.default is not p.empty and _is_plain(p.default) else p.name
        for p in inspect.signature(function).parameters.values()
    )
