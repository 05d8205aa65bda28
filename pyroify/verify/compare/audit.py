"""Faults of a rewritten module that its output does not show.

``audit_declarations`` looks at the two modules, ``audit_trace`` at what a call drew.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import pyro
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn

from pyroify.verify.compare.outputs import difference
from pyroify.verify.compare.run import Run
from pyroify.verify.compare.sites import (
    Prior,
    buffers,
    constrained,
    dotted,
    parameters,
    priors,
    ties,
)

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def audit_declarations(original: nn.Module, rewritten: nn.Module) -> tuple[str, ...]:
    """Say what the rewrite lost, hid, added or untied. Neither module is called."""
    return (
        *_vanished(original, rewritten),
        *_shadowed(rewritten),
        *_added_to_none(original, rewritten),
        *_outside_constraint(original, rewritten),
        *_changed_flags(original, rewritten),
        *_changed_keys(original, rewritten),
        *_plain_in_containers(rewritten),
    )


def audit_trace(
    original: nn.Module,
    rewritten: nn.Module,
    pinned: Mapping[str, Tensor],
    before: Run,
    after: Run,
) -> tuple[str, ...]:
    """Say what a call drew under a wrong name, with a wrong shape, or twice for one parameter."""
    return (
        *_misnamed(rewritten, before, after),
        *_own_sites(original, before, after),
        *_weighted(rewritten, after),
        *_misshapen(pinned, after),
        *_untied(original, rewritten, after),
    )


def audit_reads(
    original: nn.Module, rewritten: nn.Module, after: Run, used: Set[str]
) -> tuple[str, ...]:
    """Say what a call read past Pyro, of the parameters ``used`` that its output depends on."""
    return (*_unreached(original, rewritten, after, used), *_unregistered(rewritten, after, used))


def audit_flags(rewritten: nn.Module, flags: Mapping[str, bool]) -> tuple[str, ...]:
    """Say which parameters do not have the ``requires_grad`` of before the call; restore it."""
    return tuple(
        f"{name} was frozen; reading it made it trainable (pyro issue 3438)"
        for name in restore_flags(rewritten, flags)
    )


def restore_flags(rewritten: nn.Module, flags: Mapping[str, bool]) -> list[str]:
    """Give parameters the ``requires_grad`` of before; return the paths of those that lost it."""
    changed = []
    for name, parameter in parameters(rewritten).items():
        if name in flags and parameter.requires_grad != flags[name]:
            parameter.requires_grad_(flags[name])
            changed.append(name)
    return changed


def _vanished(original: nn.Module, rewritten: nn.Module) -> list[str]:
    after = {**parameters(rewritten), **buffers(rewritten), **priors(rewritten)}
    after |= {path: None for path, _, _ in constrained(rewritten)}
    before = {**parameters(original), **buffers(original)}
    lost = [
        f"{name} vanished: it is no prior, parameter or buffer" for name in before.keys() - after
    ]
    reshaped = [
        f"{name} had shape {tuple(before[name].shape)}, has {tuple(value.shape)}"
        for name, value in after.items()
        if isinstance(value, Tensor) and name in before and value.shape != before[name].shape
    ]
    return sorted(lost + reshaped)


def _shadowed(rewritten: nn.Module) -> list[str]:
    return [
        f"the prior of {path} is hidden by a plain attribute of the same name"
        for path, prior in priors(rewritten).items()
        if _is_shadowed(prior)
    ]


def _is_shadowed(prior: Prior) -> bool:
    owner, name = prior.owner, prior.name
    held = (vars(owner), owner._parameters, owner._buffers, owner._modules)
    on_class = getattr(type(owner), name, None)
    return any(name in names for names in held) or not (
        on_class is None or isinstance(on_class, PyroSample)
    )


def _added_to_none(original: nn.Module, rewritten: nn.Module) -> list[str]:
    absent = {
        dotted(path, name)
        for path, owner in original.named_modules(remove_duplicate=False)
        for name, value in owner._parameters.items()
        if value is None
    }
    return [f"{path} has a prior, but was None" for path in priors(rewritten) if path in absent]


def _outside_constraint(original: nn.Module, rewritten: nn.Module) -> list[str]:
    before = parameters(original)
    return [
        f"{path} cannot hold its old value: it is not in {owner._pyro_params[name][0]}"
        for path, owner, name in constrained(rewritten)
        if path in before and not owner._pyro_params[name][0].check(before[path]).all()
    ]


def _untied(original: nn.Module, rewritten: nn.Module, after: Run) -> list[str]:
    """Names that shared one parameter share one latent (the others repeat it), or one parameter."""
    free, paths, latents = parameters(rewritten), priors(rewritten), after.latents()
    found = []
    for names in ties(original):
        kept = {id(free[name]) for name in names if name in free}
        others = [paths[name] for name in names if name in paths]
        declared = {prior.key for prior in others if not kept or id(prior.repeated) not in kept}
        drawn = {paths[name].key for name in names if name in paths and name in latents}
        if len(kept) + max(len(drawn), bool(declared)) > 1:
            found.append(f"{' and '.join(names)} were one parameter and are independent now")
    return found


def _changed_flags(original: nn.Module, rewritten: nn.Module) -> list[str]:
    after = parameters(rewritten)
    return [
        f"requires_grad of {name} was {parameter.requires_grad}, is {after[name].requires_grad}"
        for name, parameter in parameters(original).items()
        if name in after and after[name].requires_grad != parameter.requires_grad
    ]


def _changed_keys(original: nn.Module, rewritten: nn.Module) -> list[str]:
    before, after = set(original.state_dict()), set(rewritten.state_dict())
    moved = set(priors(rewritten))
    for path, _, _ in constrained(rewritten):
        moved |= {path, f"{path}_unconstrained"}
    lost = [f"{name} is no longer in the state_dict" for name in before - after - moved]
    return sorted(lost + [f"{name} is new in the state_dict" for name in after - before - moved])


def _plain_in_containers(rewritten: nn.Module) -> list[str]:
    return [
        f"{dotted(path, name)} is a plain {type(child).__name__} in a PyroModule container:"
        " its parameters are never registered"
        for path, owner in rewritten.named_modules()
        if isinstance(owner, PyroModule) and isinstance(owner, _CONTAINERS)
        for name, child in owner.named_children()
        if not isinstance(child, PyroModule) and any(p.requires_grad for p in child.parameters())
    ]


def _misnamed(rewritten: nn.Module, before: Run, after: Run) -> list[str]:
    expected = priors(rewritten).keys() | before.latents().keys()
    return [
        f"a latent is drawn as {name!r}, which is the path of no prior"
        for name in after.latents()
        if name not in expected
    ]


def _own_sites(original: nn.Module, before: Run, after: Run) -> list[str]:
    """Say what became of the sites that the original has itself.

    A prior below a plain module lacks the first part of its name, which a conversion gives it.
    """
    found, paths = [], priors(original).keys()
    for name, site in before.sites.items():
        is_shortened = name not in paths and any(path.endswith(f".{name}") for path in paths)
        if site["type"] != "sample" or is_shortened:
            continue
        now = after.sites.get(name)
        if now is None or now["type"] != "sample":
            found.append(f"the site {name} of the original is gone")
        elif reason := _site_difference(site, now):
            found.append(f"the site {name} of the original {reason}")
    return found


def _site_difference(before: Any, after: Any) -> str:
    for key, words in (("is_observed", "is observed"), ("scale", "has the scale")):
        if isinstance(before[key], Tensor) or isinstance(after[key], Tensor):
            continue
        if before[key] != after[key]:
            return f"{words}: {after[key]}, was {before[key]}"
    plates = [[(f.name, f.size) for f in site["cond_indep_stack"]] for site in (before, after)]
    if plates[0] != plates[1]:
        return f"stands in the plates {plates[1]}, stood in {plates[0]}"
    apart = difference(before["fn"], after["fn"], "distribution").mismatches
    # What a distribution has computed on the way may be there on one side only.
    shown = [line for line in apart if not line.endswith((" is missing", " was not there before"))]
    return f"has another {shown[0]}" if shown else ""


def _weighted(rewritten: nn.Module, after: Run) -> list[str]:
    """Priors that count more, or less, than once in the density."""
    found, paths = [], priors(rewritten)
    for name, site in after.latents().items():
        if name in paths and (site["scale"] != 1.0 or site["mask"] is not None):
            found.append(f"the prior of {name} is scaled or masked where it is drawn")
    return found


def _misshapen(pinned: Mapping[str, Tensor], after: Run) -> list[str]:
    found = []
    for name, site in after.latents().items():
        if name not in pinned:
            continue
        law, value = site["fn"], pinned[name]
        if law.batch_shape:
            found.append(f"the prior of {name} has batch_shape {tuple(law.batch_shape)}, not ()")
        if law.batch_shape + law.event_shape != value.shape:
            shape = tuple(law.batch_shape + law.event_shape)
            found.append(f"the prior of {name} has shape {shape}, not {tuple(value.shape)}")
        elif law.sample().dtype != value.dtype:
            found.append(f"the prior of {name} draws {law.sample().dtype}, not {value.dtype}")
    return found


def _unreached(original: nn.Module, rewritten: nn.Module, after: Run, used: Set[str]) -> list[str]:
    """Priors the call needs but did not draw under their path.

    A shared module has several paths, and a tied parameter need not be read under each of its own.
    """
    paths = priors(rewritten)
    drawn = {paths[name].key for name in after.sites if name in paths}
    tied = {name: names for names in ties(original) for name in names}

    def is_drawn(name: str) -> bool:
        names = tied.get(name, (name,))
        return any(paths[other].key in drawn for other in names if other in paths)

    return [
        f"{name} is used, but not drawn: is it read outside forward and @pyro_method?"
        for name in paths
        if name in used and not is_drawn(name)
    ]


def _unregistered(rewritten: nn.Module, after: Run, used: Set[str]) -> list[str]:
    """Trainable parameters that SVI does not see, because they are read past the PyroModule.

    With ``module_local_params`` the optimizer takes them from the module, seen or not.
    """
    if not isinstance(rewritten, PyroModule) or pyro.settings.get("module_local_params"):
        return []
    values = [site["value"] for site in after.sites.values() if site["type"] == "param"]
    seen = {id(v.unconstrained() if hasattr(v, "unconstrained") else v) for v in values}
    return [
        f"{name} is trainable, but the call does not register it with Pyro"
        for name, parameter in parameters(rewritten).items()
        if name in used and parameter.requires_grad and id(parameter) not in seen
    ]
