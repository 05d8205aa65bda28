"""Pin a rewritten module to the weights of the original, and compare what the two compute.

Both modules are built with the same arguments. :func:`pin` gives the rewritten one the values of
the original; :func:`compare` calls both and says what differs.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyro
import torch
from torch import Tensor, nn

from pyroify.verify.audit import audit_declarations, audit_flags, audit_reads, audit_trace
from pyroify.verify.gradients import compare_gradients
from pyroify.verify.outputs import difference
from pyroify.verify.run import Call, Run, describe, kept_random_state, run
from pyroify.verify.sites import buffers, constrained, parameters, priors
from pyroify.verify.step import svi_step


@dataclass(frozen=True, slots=True)
class Site:
    """A latent that was drawn: the shape of its value, and how many of its dims are event dims."""

    shape: tuple[int, ...]
    event_dim: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the rewritten module is the original with priors, and what speaks against it.

    ``equal`` means: same output up to rounding, and no problem of any other kind.
    ``max_difference`` is the largest absolute difference of the outputs. ``sites`` are the
    latents that were drawn, by name.
    """

    equal: bool
    max_difference: float
    sites: Mapping[str, Site] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def pin(original: nn.Module, rewritten: nn.Module) -> dict[str, Tensor]:
    """Give ``rewritten`` the original's values; return those of its priors, by dotted path.

    Parameters and buffers that were kept are copied, and so are tensors that are plain
    attributes: they may be random, and the two constructors need not draw alike. A ``PyroParam``
    is set; where its constraint rounds, the original takes over the rounded value.
    """
    before = parameters(original)
    with torch.no_grad():
        _copy_kept(before | buffers(original), rewritten)
        _copy_plain(original, rewritten)
        _set_constrained(before, rewritten)
    return {name: _leaf(before[name]) for name in priors(rewritten) if name in before}


def compare(
    original: nn.Module,
    rewritten: nn.Module,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    method: str = "forward",
    seed: int = 0,
) -> Comparison:
    """Call both modules with the same weights, arguments and random numbers, and compare.

    Works in the mode the original is in (train or eval) and in the ``module_local_params``
    setting of the moment; it must be the one the modules were built in. Raises what the original
    raises. What only the rewritten module raises is a problem.
    """
    call = Call(method, tuple(args), dict(kwargs or {}))
    with kept_random_state(), pyro.get_param_store().scope():
        return _compare(original, rewritten, call, seed)


def _compare(original: nn.Module, rewritten: nn.Module, call: Call, seed: int) -> Comparison:
    _copy_mode(original, rewritten)
    declared = audit_declarations(original, rewritten)
    pinned = pin(original, rewritten)
    flags = {name: value.requires_grad for name, value in parameters(rewritten).items()}
    old = {name: value.detach().clone() for name, value in pinned.items()}
    before = run(original, call, seed)
    try:
        after = _run_pinned(rewritten, call, seed, pinned)
    except Exception as error:
        return Comparison(False, torch.inf, {}, (*declared, f"raises {describe(error)}"))
    outputs = difference(before.output, after.output)
    gradients = compare_gradients(original, rewritten, before.output, after.output, pinned)
    problems = (
        *declared,
        *outputs.mismatches,
        *_state_mismatches(original, rewritten),
        *difference(old, pinned, "the draws changed in place:").mismatches,
        *audit_trace(original, rewritten, pinned, before, after),
        *audit_reads(rewritten, after, gradients.used),
        *gradients.problems,
        *audit_flags(rewritten, flags),
    )
    if not problems:
        problems += _copy_problems(original, rewritten, call, seed, pinned, after)
    if not problems and call.method == "forward" and not before.latents():
        problems += svi_step(rewritten, call, pinned, after)
    sites = {
        name: Site(tuple(site["value"].shape), site["fn"].event_dim)
        for name, site in after.latents().items()
    }
    return Comparison(not problems, outputs.maximum, sites, problems)


def _run_pinned(module: nn.Module, call: Call, seed: int, pinned: Mapping[str, Tensor]) -> Run:
    return run(module, call, seed, pinned, priors(module).keys() - pinned.keys())


def _copy_mode(original: nn.Module, rewritten: nn.Module) -> None:
    rewritten.train(original.training)
    modules = dict(original.named_modules())
    for path, module in rewritten.named_modules():
        if path in modules:
            module.training = modules[path].training


def _copy_kept(values: Mapping[str, Tensor], rewritten: nn.Module) -> None:
    for name, held in {**parameters(rewritten), **buffers(rewritten)}.items():
        value = values.get(name)
        if value is not None and value.shape == held.shape and not torch.equal(value, held):
            held.data = value.detach().clone()


def _copy_plain(original: nn.Module, rewritten: nn.Module) -> None:
    twins = dict(rewritten.named_modules(remove_duplicate=False))
    for path, module in original.named_modules(remove_duplicate=False):
        attributes = vars(twins.get(path, module))
        for name, value in vars(module).items():
            held = attributes.get(name)
            if not (isinstance(value, Tensor) and isinstance(held, Tensor)):
                continue
            if value.shape == held.shape and not torch.equal(value, held):
                attributes[name] = value.detach().clone()


def _set_constrained(before: Mapping[str, Tensor], rewritten: nn.Module) -> None:
    for path, owner, name in constrained(rewritten):
        constraint, _ = owner._pyro_params[name]
        if path in before and constraint.check(before[path]).all():
            setattr(owner, name, before[path].detach().clone())
            before[path].data.copy_(getattr(owner, name))


def _leaf(value: Tensor) -> Tensor:
    return value.detach().clone().requires_grad_(value.is_floating_point())


def _state_mismatches(original: nn.Module, rewritten: nn.Module) -> tuple[str, ...]:
    """Compare the buffers that the call has moved, such as running means."""
    before, after = buffers(original), buffers(rewritten)
    names = before.keys() & after.keys()
    return difference(
        {name: before[name] for name in names}, {name: after[name] for name in names}, "buffers"
    ).mismatches


def _copy_problems(
    original: nn.Module,
    rewritten: nn.Module,
    call: Call,
    seed: int,
    pinned: Mapping[str, Tensor],
    after: Run,
) -> tuple[str, ...]:
    """Where the original can be copied or pickled, the rewritten module can, and is the same."""
    ways: dict[str, Callable[[nn.Module], nn.Module]] = {
        "copy.deepcopy": copy.deepcopy,
        "pickle": lambda module: pickle.loads(pickle.dumps(module)),
    }
    problems: list[str] = []
    for way, duplicate in ways.items():
        try:
            duplicate(original)
        except Exception:
            continue
        try:
            twin = _run_pinned(duplicate(rewritten), call, seed, pinned)
        except Exception as error:
            problems.append(f"{way} fails: {describe(error)}")
            continue
        apart = difference(after.output, twin.output)
        problems += [f"after {way}, {mismatch}" for mismatch in apart.mismatches]
    return tuple(problems)
