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
    """Assign; of a prior that takes the place of a parameter, keep what that held."""
    old = module.__dict__.get("_parameters", {}).get(name)
    assign(module, name, value)  # which removes what was there before, and forgets it
    kept = module.__dict__.setdefault(KEPT, {})
    if isinstance(value, PyroSample) and old is not None:
        kept[name] = old
    elif not isinstance(value, PyroSample):
        kept.pop(name, None)


def read_what_is_kept(module: PyroModule, name: str) -> Any:
    """Read; a prior without a parameter before it keeps its first draw, unless it is computed."""
    priors = module.__dict__.get("_pyro_samples", {})
    if name not in priors:
        return read(module, name)
    if not hasattr(priors[name], "sample") and isinstance(
        computed := priors[name](module), torch.Tensor
    ):
        return computed
    kept = module.__dict__.setdefault(KEPT, {})
    if name not in kept:
        with torch.random.fork_rng(devices=()):
            kept[name] = read(module, name).detach().requires_grad_()
    return kept[name]


def remove_and_forget(module: PyroModule, name: str) -> None:
    """Remove, and keep nothing of that name."""
    module.__dict__.get(KEPT, {}).pop(name, None)
    remove(module, name)


PyroModule.__setattr__ = assign_and_keep  # type: ignore[method-assign,assignment]
PyroModule.__getattr__ = read_what_is_kept  # type: ignore[method-assign]
PyroModule.__delattr__ = remove_and_forget  # type: ignore[method-assign]
