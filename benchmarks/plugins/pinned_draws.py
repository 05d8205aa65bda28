"""A plugin of pytest: every prior keeps one value, that of the parameter it took the place of.

The tests of a rewritten project then meet the old weights, read through the new declarations. A
prior that was declared without a parameter before it keeps the first value it draws. Pyro's
``module_local_params`` is on, as in the training scripts.
"""

from typing import Any

import pyro
import torch
from pyro.nn import PyroModule, PyroSample

KEPT = "_pinned_draws"

pyro.settings.set(module_local_params=True)
assign, read, remove = PyroModule.__setattr__, PyroModule.__getattr__, PyroModule.__delattr__


def assign_and_keep(module: PyroModule, name: str, value: Any) -> None:
    kept = module.__dict__.setdefault(KEPT, {})
    if isinstance(value, PyroSample):
        old = module.__dict__.get("_parameters", {}).get(name)
        if old is not None:
            kept[name] = old
    else:
        kept.pop(name, None)
    assign(module, name, value)


def read_what_is_kept(module: PyroModule, name: str) -> Any:
    if name not in module.__dict__.get("_pyro_samples", ()):
        return read(module, name)
    kept = module.__dict__.setdefault(KEPT, {})
    if name not in kept:
        with torch.random.fork_rng(devices=()):
            kept[name] = read(module, name).detach().requires_grad_()
    return kept[name]


def remove_and_forget(module: PyroModule, name: str) -> None:
    module.__dict__.get(KEPT, {}).pop(name, None)
    remove(module, name)


PyroModule.__setattr__ = assign_and_keep  # type: ignore[method-assign]
PyroModule.__getattr__ = read_what_is_kept  # type: ignore[method-assign]
PyroModule.__delattr__ = remove_and_forget  # type: ignore[method-assign]
