"""Draws that a constructor makes: a value computed from one is frozen for good.

And the random numbers that it starts parameters with: a rewritten one may draw fewer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn

from pyroify.verify.compare.outputs import dense, is_same
from pyroify.verify.compare.sites import buffers, dotted
from pyroify.verify.mode import Mode

_ALIKE = 10_000
"""As many draws are alike; a loop that waits for other numbers is to end."""


_WITHOUT_VALUES = frozenset(("empty", "empty_like", "empty_strided", "new_empty"))


class FilledMemory(Mode):
    """What is made without values is zero, not what the memory happens to hold."""

    def __torch_dispatch__(
        self, func: Any, types: Collection[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.zero_() if func.overloadpacket.__name__ in _WITHOUT_VALUES else made


class SameDraws(FilledMemory):
    """Every random operation starts from one seed: its result depends on its arguments alone.

    So two constructors that draw in another order, or draw less, give the same values.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = _ALIKE

    def __torch_dispatch__(
        self, func: Any, types: Collection[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags and self._left:
            self._left -= 1
            (given.get("generator") or torch.default_generator).manual_seed(7)
        return super().__torch_dispatch__(func, types, args, given)


@contextmanager
def values_replaced() -> Iterator[list[tuple[PyroModule, str, Tensor]]]:
    """Collect the value of each parameter that a ``PyroSample`` takes the place of.

    There a guide begins.
    """
    replaced: list[tuple[PyroModule, str, Tensor]] = []
    assign = PyroModule.__setattr__

    def assign_and_note(module: PyroModule, name: str, value: Any) -> None:
        parameter = module.__dict__.get("_parameters", {}).get(name)
        if isinstance(value, PyroSample) and parameter is not None:
            replaced.append((module, name, parameter.detach().clone()))
        assign(module, name, value)

    PyroModule.__setattr__ = assign_and_note  # type: ignore[method-assign,assignment]
    try:
        yield replaced
    finally:
        PyroModule.__setattr__ = assign  # type: ignore[method-assign]


class KeptDraw(Exception):
    """A constructor keeps a value that is computed from a draw."""


@contextmanager
def watch_draws(seed: int) -> Iterator[list[str]]:
    """Collect the names of the priors that are read outside of any call, where each read draws.

    These draws come from ``seed`` and take no random numbers from the code around them.
    """
    names: list[str] = []
    read = PyroModule.__getattr__

    def read_and_note(module: PyroModule, name: str) -> Any:
        if name not in module.__dict__.get("_pyro_samples", ()) or module._pyro_context.active:
            return read(module, name)
        names.append(name)
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed + len(names))
            return read(module, name)

    PyroModule.__getattr__ = read_and_note  # type: ignore[method-assign]
    try:
        yield names
    finally:
        PyroModule.__getattr__ = read  # type: ignore[method-assign]


def audit_construction(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a rewritten module, and make sure that none of its tensors comes from a draw.

    If its constructor draws, it is built again with other draws and otherwise the same random
    numbers: what differs is computed from them. Drawing as such is harmless: a mere
    ``self.weight.shape`` draws. Raises :class:`KeptDraw` with the names of such tensors.
    """
    with FilledMemory(), watch_draws(seed=0) as draws:
        module = build()
    if not draws:
        return module
    with FilledMemory(), watch_draws(seed=1 << 16):
        before, after = _fixed(module), _fixed(build())
    where = f"is computed from a draw of {' or '.join(sorted(set(draws)))} in the constructor"
    kept = [name for name in before if name in after and not _same(before[name], after[name])]
    if kept:
        raise KeptDraw("; ".join(f"{name} {where}" for name in kept))
    return module


def _fixed(module: nn.Module) -> dict[str, Tensor]:
    """The tensors that are neither parameters nor priors."""
    plain = {
        dotted(path, name): value
        for path, owner in module.named_modules()
        for name, value in vars(owner).items()
        if isinstance(value, Tensor)
    }
    return plain | buffers(module)


def _same(one: Tensor, other: Tensor) -> bool:
    return is_same(dense(one).nan_to_num(), dense(other).nan_to_num())
