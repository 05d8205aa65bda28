"""Draws that a constructor makes: a value computed from one is frozen for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from pyro.nn import PyroModule
from torch import Tensor, nn

from pyroify.verify.sites import buffers, dotted


@contextmanager
def watch_draws() -> Iterator[list[str]]:
    """Collect the names of the priors that are read outside of any call, where each read draws."""
    names: list[str] = []
    read = PyroModule.__getattr__

    def read_and_note(module: PyroModule, name: str) -> Any:
        if name in module.__dict__.get("_pyro_samples", ()) and not module._pyro_context.active:
            names.append(name)
        return read(module, name)

    PyroModule.__getattr__ = read_and_note  # type: ignore[method-assign]
    try:
        yield names
    finally:
        PyroModule.__getattr__ = read  # type: ignore[method-assign]


def audit_construction(
    original: nn.Module, rewritten: nn.Module, draws: Sequence[str]
) -> tuple[str, ...]:
    """Say which tensors of a new module were computed from draws of its constructor.

    Both modules are new and built with the same random numbers. Drawing as such is harmless
    (``self.weight.shape`` draws), and without it other random numbers explain a difference.
    """
    if not draws:
        return ()
    before, after = _fixed(original), _fixed(rewritten)
    return tuple(
        f"{name} is computed from a draw of {' or '.join(sorted(set(draws)))} in the constructor"
        for name in before.keys() & after.keys()
        if not _same(before[name], after[name])
    )


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
    return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
