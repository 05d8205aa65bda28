"""The state_dict of an original module as its rewritten class has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from pyro.nn import PyroModule
from torch import Tensor, nn
from torch.distributions import transform_to

from pyroify.verify.compare.sites import Prior, constrained, priors

READ: Mapping[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "softplus": torch.nn.functional.softplus,
}
"""What makes an original value a constrained one, by the spec's ``init``."""


class Unfit(Exception):
    """A checkpoint that cannot be converted; the message says why."""


@dataclass(frozen=True, slots=True)
class Converted:
    """``state`` is what the rewritten module loads, ``random`` the values of its latent sites.

    ``constrained`` are the keys that went to unconstrained values, ``missing`` those that the
    module wants and ``surplus`` those that it has no place for.
    """

    state: dict[str, Tensor]
    random: dict[str, Tensor]
    constrained: tuple[str, ...]
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def convert(
    module: nn.Module, original: Mapping[str, Tensor], inits: Mapping[str, str]
) -> Converted:
    """Convert the ``original`` state_dict for ``module``, whose class is rewritten.

    ``inits`` says how the values of constrained parameters are read, by ``Class.path``, where not
    as they are. Raises Unfit.
    """
    name, wanted, sites = type(module).__qualname__, module.state_dict(), priors(module)
    bound = {
        path: _unconstrained(owner, attribute, path, original[path], _init(module, path, inits))
        for path, owner, attribute in constrained(module)
        if path in original
    }
    random = {path: original[path] for path in sites if path in original}
    found = {key: value for key, value in original.items() if key in wanted}
    if not (bound or random):
        raise Unfit(_why_nothing(name, bool(sites), bool(found)))
    found |= {f"{path}_unconstrained": value for path, value in bound.items()}
    for key, value in found.items():
        _check_shape(name, key, value, wanted[key].shape)
    return Converted(
        state={key: found[key] for key in wanted if key in found},
        random={
            path: value
            for path, value in random.items()
            if _is_drawn(name, path, sites[path], value)
        },
        constrained=tuple(bound),
        missing=tuple(key for key in wanted if key not in found),
        surplus=tuple(key for key in original if key not in {*found, *bound, *random}),
    )


def _why_nothing(name: str, has_priors: bool, has_keys: bool) -> str:
    if not has_priors:
        return f"{name} has no priors: run `pyroify rewrite` first"
    if has_keys:
        return f"the rewritten {name} loads it as it is"
    return f"it holds nothing of {name}"


def _init(module: nn.Module, path: str, inits: Mapping[str, str]) -> str:
    """What the spec says of a parameter, in the class of any module above it."""
    parts = path.split(".")
    for depth in range(len(parts)):
        owner = module.get_submodule(".".join(parts[:depth]))
        for cls in type(owner).__mro__:
            name = f"{cls.__qualname__}.{'.'.join(parts[depth:])}"
            for pattern, init in inits.items():
                if fnmatchcase(name, pattern):
                    return init
    return ""


def _unconstrained(
    owner: PyroModule, attribute: str, path: str, value: Tensor, init: str
) -> Tensor:
    if init == "unconstrained":
        return value
    constraint, _ = owner._pyro_params[attribute]
    value = READ[init](value) if init in READ else value
    inside = constraint.check(value)
    if not inside.all():
        raise Unfit(f"{path} holds values outside its constraint {constraint}: {_shown(value)}")
    transformed: Tensor = transform_to(constraint).inv(value)
    return transformed


def _shown(value: Tensor) -> str:
    few = ", ".join(f"{number:g}" for number in value.flatten()[:3].tolist())
    return f"{few}, ..." if value.numel() > 3 else few


def _is_drawn(name: str, path: str, prior: Prior, value: Tensor) -> bool:
    """Whether a site is drawn, not computed from others; its draws must have the value's shape."""
    with torch.no_grad(), torch.random.fork_rng():
        given: Any = prior.owner._pyro_samples[prior.name]
        given = given if hasattr(given, "sample") else given(prior.owner)
    if isinstance(given, Tensor):
        return False
    _check_shape(name, path, value, given.batch_shape + given.event_shape)
    return True


def _check_shape(name: str, key: str, value: Tensor, expected: torch.Size) -> None:
    if value.shape != expected:
        raise Unfit(
            f"{key} has shape {list(value.shape)} in it and {list(expected)} in {name}; "
            "give the arguments it was trained with under svi: model: kwargs"
        )
