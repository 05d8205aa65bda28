"""Pin a rewritten module to the weights of the original, and compare what the two compute.

Both modules are built with the same arguments. :func:`pin` gives the rewritten one the values of
the original; :func:`compare` calls both and says what differs.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import pyro
import torch
from torch import Tensor, nn

from pyroify.verify.compare.audit import audit_declarations, audit_flags, audit_reads, audit_trace
from pyroify.verify.compare.gradients import compare_gradients
from pyroify.verify.compare.outputs import difference, is_same
from pyroify.verify.compare.run import Call, EntryCall, Pins, Run, describe, kept_random_state, run
from pyroify.verify.compare.sites import (
    buffers,
    constrained,
    name_by_path,
    parameters,
    priors,
    ties,
)
from pyroify.verify.compare.step import svi_step


class OriginalError(Exception):
    """The original raises, so there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Site:
    """A latent that was drawn: the shape of its value, and how many of its dims are event dims."""

    shape: tuple[int, ...]
    event_dim: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the rewritten module is the original with priors, and what speaks against it.

    ``equal`` means: same output up to rounding, and no problem of any other kind. ``same_output``
    is only the first. ``max_difference`` is the largest absolute difference of the outputs, None
    if the rewritten module raised. ``sites`` are the latents that were drawn, by name.
    ``left_out`` is what was not tried: ``pickle``, where a prior is a lambda.
    """

    equal: bool
    problems: tuple[str, ...] = ()
    same_output: bool = False
    max_difference: float | None = None
    sites: Mapping[str, Site] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def pin(original: nn.Module, rewritten: nn.Module) -> dict[str, Tensor]:
    """Give ``rewritten`` the original's values; return those of its priors, by dotted path.

    Parameters and buffers that were kept are copied, and so are tensors that are plain
    attributes: they may be random, and the two constructors need not draw alike. A ``PyroParam``
    is set; where its constraint rounds, or has no room for the old value, the original takes over
    the new one.
    """
    before = parameters(original)
    with torch.no_grad():
        copy_values(before | buffers(original), rewritten)
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
    thorough: bool = True,
    within: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Comparison:
    """Call both modules with the same weights, arguments and random numbers, and compare.

    Works in the mode the original is in (train or eval) and in the ``module_local_params``
    setting of the moment; it must be the one the modules were built in. A ``thorough``
    comparison also copies and pickles the module and takes one step of SVI. ``within`` is entered
    around what the original does. Raises :class:`OriginalError` where the original raises; what
    only the rewritten module raises is a problem.
    """
    call = EntryCall(method, tuple(args), dict(kwargs or {}))
    return compare_call(original, rewritten, call, seed=seed, thorough=thorough, within=within)


def compare_call(
    original: nn.Module,
    rewritten: nn.Module,
    call: Call,
    *,
    seed: int = 0,
    thorough: bool = True,
    within: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Comparison:
    """Do what :func:`compare` does, with a call that knows its arguments."""
    with kept_random_state(), pyro.get_param_store().scope(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _compare(original, rewritten, call, seed, thorough, within)


def _compare(
    original: nn.Module,
    rewritten: nn.Module,
    call: Call,
    seed: int,
    thorough: bool,
    within: Callable[[], AbstractContextManager[None]],
) -> Comparison:
    _copy_mode(original, rewritten)
    name_by_path(original)
    declared = audit_declarations(original, rewritten)
    pins = _pins(original, rewritten)
    flags = {name: value.requires_grad for name, value in parameters(rewritten).items()}
    old = {name: value.detach().clone() for name, value in pins.values.items()}
    by_lambda = any(prior.is_lambda for prior in priors(rewritten).values())
    left_out = ("pickle",) if by_lambda else ()
    ways: list[str] = []
    with within():
        if thorough:
            ways = [
                way
                for way, copy_of in _WAYS_TO_COPY.items()
                if way not in left_out and _succeeds(copy_of, original)
            ]
        try:
            own = _own_draws(original, call, seed)
            before = run(original, call, seed, Pins(added=priors(original).keys(), own=own))
        except Exception as error:
            raise OriginalError(describe(error)) from error
    twins, failures = _copies(rewritten, ways)
    pins = replace(pins, own=own)
    try:
        after = run(rewritten, call, seed, pins)
    except Exception as error:
        return Comparison(False, (f"raises {describe(error)}", *declared))
    outputs = difference(before.output, after.output)
    gradients = compare_gradients(original, rewritten, before, after, pins.values)
    problems = (
        *outputs.mismatches,
        *declared,
        *_state_mismatches(original, rewritten),
        *difference(old, pins.values, "the draws changed in place:").mismatches,
        *_input_mismatches(before, after),
        *audit_trace(original, rewritten, pins.values, before, after),
        *audit_reads(original, rewritten, after, gradients.used),
        *gradients.problems,
        *audit_flags(rewritten, flags),
    )
    if not problems:
        problems = (*failures, *_copy_problems(twins, call, seed, pins, after))
    if not problems and "copy.deepcopy" in twins and not before.latents():
        problems = svi_step(twins["copy.deepcopy"], call, pins.values, after)
    sites = {
        name: Site(tuple(site["value"].shape), site["fn"].event_dim)
        for name, site in after.latents().items()
    }
    same = not outputs.mismatches
    return Comparison(not problems, problems, same, outputs.maximum, sites, left_out)


def _pins(original: nn.Module, rewritten: nn.Module) -> Pins:
    values = pin(original, rewritten)
    tied = {name: names for names in ties(original) if len(names) > 1 for name in names}
    return Pins(values, tied, priors(rewritten).keys() - values.keys())


def _own_draws(original: nn.Module, call: Call, seed: int) -> dict[str, Tensor]:
    """What the original draws from priors of its own, by site: both sides are to read that.

    A copy is run, as a call may change the module.
    """
    own = priors(original)
    if not own:
        return {}
    drawn = run(copy.deepcopy(original), call, seed, Pins(added=own.keys())).latents()
    return {name: site["value"].detach() for name, site in drawn.items() if name in own}


def _copy_mode(original: nn.Module, rewritten: nn.Module) -> None:
    rewritten.train(original.training)
    modules = dict(original.named_modules())
    for path, module in rewritten.named_modules():
        if path in modules:
            module.training = modules[path].training


def copy_values(values: Mapping[str, Tensor], module: nn.Module) -> None:
    """Give parameters and buffers the values of the same name and shape."""
    for name, held in {**parameters(module), **buffers(module)}.items():
        value = values.get(name)
        if value is not None and value.shape == held.shape and not is_same(value, held):
            held.data = value.detach().clone()


def _copy_plain(original: nn.Module, rewritten: nn.Module) -> None:
    twins = dict(rewritten.named_modules(remove_duplicate=False))
    for path, module in original.named_modules(remove_duplicate=False):
        attributes = vars(twins.get(path, module))
        for name, value in vars(module).items():
            held = attributes.get(name)
            if not (isinstance(value, Tensor) and isinstance(held, Tensor)):
                continue
            if value.shape == held.shape and not is_same(value, held):
                attributes[name] = value.detach().clone()


def _set_constrained(before: Mapping[str, Tensor], rewritten: nn.Module) -> None:
    for path, owner, name in constrained(rewritten):
        constraint, _ = owner._pyro_params[name]
        if path not in before:
            continue
        if constraint.check(before[path]).all():
            setattr(owner, name, before[path].detach().clone())
        if constraint.check(value := getattr(owner, name)).all():
            before[path].data.copy_(value)


def _leaf(value: Tensor) -> Tensor:
    return value.detach().clone().requires_grad_(value.is_floating_point())


def _state_mismatches(original: nn.Module, rewritten: nn.Module) -> tuple[str, ...]:
    """Compare the buffers that the call has moved, such as running means."""
    before, after = buffers(original), buffers(rewritten)
    names = before.keys() & after.keys()
    return difference(
        {name: before[name] for name in names}, {name: after[name] for name in names}, "buffers"
    ).mismatches


def _input_mismatches(before: Run, after: Run) -> tuple[str, ...]:
    """Compare what the calls made of their arguments: both may write into them, but alike."""
    wanted, got = ((run.given.args, dict(run.given.kwargs)) for run in (before, after))
    return difference(wanted, got, "after the call, its arguments").mismatches


def _duplicate_by_pickle(module: nn.Module) -> nn.Module:
    duplicate: nn.Module = pickle.loads(pickle.dumps(module))
    return duplicate


_WAYS_TO_COPY: Mapping[str, Callable[[nn.Module], nn.Module]] = {
    "copy.deepcopy": copy.deepcopy,
    "pickle": _duplicate_by_pickle,
}


def _succeeds(duplicate: Callable[[nn.Module], nn.Module], module: nn.Module) -> bool:
    try:
        duplicate(module)
    except Exception:
        return False
    return True


def _copies(
    rewritten: nn.Module, ways: Sequence[str]
) -> tuple[dict[str, nn.Module], tuple[str, ...]]:
    """Copy the module as it is before the call, which may change its state."""
    twins, failures = {}, []
    for way in ways:
        try:
            twins[way] = _WAYS_TO_COPY[way](rewritten)
        except Exception as error:
            failures.append(f"{way} fails: {describe(error)}")
    return twins, tuple(failures)


def _copy_problems(
    twins: Mapping[str, nn.Module], call: Call, seed: int, pins: Pins, after: Run
) -> tuple[str, ...]:
    problems: list[str] = []
    for way, twin in twins.items():
        try:
            apart = difference(after.output, run(twin, call, seed, pins).output)
        except Exception as error:
            problems.append(f"after {way} it raises {describe(error)}")
            continue
        problems += [f"after {way}, {mismatch}" for mismatch in apart.mismatches]
    return tuple(problems)
