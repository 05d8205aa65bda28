"""Draws that a constructor makes: a value computed from one is frozen for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pyro.nn import PyroModule
from torch import Tensor, nn

from pyroify.verify.outputs import dense, is_same
from pyroify.verify.sites import buffers, dotted


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
    with watch_draws(seed=0) as draws:
        module = build()
    if not draws:
        return module
    with watch_draws(seed=1 << 16):
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
