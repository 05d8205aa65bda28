"""The plan against the object: is everything that was built what plan and spec say it is?

Equal outputs do not show it: a prior of another scale, or a parameter that stayed as it was,
computes the same with the old weights put in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import Delta
from pyro.nn import PyroModule
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn

from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.spec.check import bind
from pyroify.spec.expressions import Number
from pyroify.spec.match import matches_class
from pyroify.spec.model import Action, Deterministic, Keep, Latent, Param, Sample
from pyroify.spec.render import NOISE, standard_noise
from pyroify.verify.compare.audit import restore_flags
from pyroify.verify.compare.expected import (
    CannotTell,
    Facts,
    Read,
    constraint_difference,
    constraint_of,
    facts_of,
    law_difference,
    law_of,
    start_of,
    unwrapped,
    value_difference,
    value_of,
)
from pyroify.verify.compare.lines import Expected, Planned, expect, passed_over
from pyroify.verify.compare.run import describe, kept_random_state
from pyroify.verify.compare.sites import buffers, constrained, dotted, parameters, priors

_ANCHORS = ("_anchor", "_prior_anchor")
"""Empty buffers that a rewrite adds, to know the device and dtype of a module."""


def compare_with_plan(
    planned: Planned,
    original: nn.Module,
    rewritten: nn.Module,
    again: nn.Module | None = None,
) -> tuple[str, ...]:
    """Say where the rewritten module is not what was planned: class, site and reason, one each.

    Both modules are as built, from one seed; ``again`` is the original from another seed, which
    tells what of it is random. Nothing is called but the priors.
    """
    with kept_random_state(), pyro.get_param_store().scope():
        own = _declared(original)
        expected = [item for item in expect(planned, original) if item.found.path not in own]
        is_said = planned.begins_elsewhere(original)
        built = _Built.of(original, rewritten, None if is_said else again)
        found = [
            *_parameters(expected, built),
            *_latents(planned, built),
            *_unplanned(planned, expected, built),
            *_buffers(built),
        ]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class _Built:
    """The modules, and what of the rewritten one is random, constrained or kept, by path.

    ``sites`` are those of all priors, drawn once, and can be differentiated by; ``failures`` says
    what drawing one raises.
    """

    original: nn.Module
    rewritten: nn.Module
    again: nn.Module | None
    sites: Mapping[str, Any]
    failures: Mapping[str, str]

    @classmethod
    def of(cls, original: nn.Module, rewritten: nn.Module, again: nn.Module | None) -> _Built:
        sites, failures = _draw(rewritten)
        return cls(original, rewritten, again, sites, failures)

    @cached_property
    def priors(self) -> Mapping[str, Any]:
        return priors(self.rewritten)

    @cached_property
    def constrained(self) -> Mapping[str, tuple[PyroModule, str]]:
        return {path: (owner, name) for path, owner, name in constrained(self.rewritten)}

    @cached_property
    def kept(self) -> Mapping[str, nn.Parameter]:
        return parameters(self.rewritten)

    @cached_property
    def buffers(self) -> Mapping[str, Tensor]:
        return buffers(self.rewritten)

    def is_fixed(self, path: str) -> bool:
        """Whether the original starts a parameter at the same value each time it is built."""
        if self.again is None:
            return False
        one, other = (parameters(module).get(path) for module in (self.original, self.again))
        if one is None or other is None or one is other:  # shared: made when it is imported
            return False
        return not value_difference(one, other)

    def reader(self, path: str) -> Read:
        """Reads attributes of the module that owns a site: as drawn, or as they are."""
        where = path.rpartition(".")[0]

        def read(names: Sequence[str]) -> Any:
            site = self.sites.get(dotted(where, ".".join(names)))
            if site is not None:
                return site["value"]
            value: Any = self.rewritten.get_submodule(where)
            for name in names:
                value = getattr(value, name)
            return value

        return read

    def what(self, names: Sequence[str]) -> str:
        """What became of a parameter."""
        for name in names:
            if name in self.priors:
                return "random"
            if name in self.constrained:
                return "a PyroParam"
            if name in self.kept:
                return "a parameter"
            if name in self.buffers:
                return "a buffer"
        return "gone"


class _Leaves(Messenger):
    """Makes each value that is drawn one that others can be differentiated by."""

    def _pyro_sample(self, msg: Any) -> None:
        if msg["value"] is None and not msg["is_observed"]:
            value = msg["fn"](*msg["args"], **msg["kwargs"]).detach()
            msg["value"] = value.requires_grad_(value.is_floating_point())


def _draw(rewritten: nn.Module) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Draw every prior once, each of what it reads as well; also what drawing one raises."""
    declared, failures = priors(rewritten), {}
    flags = {name: value.requires_grad for name, value in parameters(rewritten).items()}
    contexts = {id(p.owner._pyro_context): p.owner._pyro_context for p in declared.values()}
    used = {key: context.used for key, context in contexts.items()}
    with ExitStack() as stack:
        trace = stack.enter_context(poutine.trace())
        stack.enter_context(_Leaves())
        for context in contexts.values():
            stack.enter_context(context)
        for path, prior in declared.items():
            try:
                getattr(prior.owner, prior.name)
            except Exception as error:
                failures[path] = describe(error)
    for key, context in contexts.items():
        context.used = used[key]  # the module has not run by that
    restore_flags(rewritten, flags)  # what a prior reads would be trained now
    return dict(trace.trace.nodes), failures


def _declared(module: nn.Module) -> frozenset[str]:
    """What a module declares with Pyro, and the parameters behind that, by path."""
    values = {path for path, _, _ in constrained(module)}
    return frozenset({*priors(module), *values, *(f"{path}_unconstrained" for path in values)})


# Parameters -------------------------------------------------------------------------------------


def _parameters(expected: Sequence[Expected], built: _Built) -> Iterator[str]:
    """Judge each parameter once: what is said of one of its names is enough."""
    groups: dict[int, list[Expected]] = {}
    for item in expected:
        groups.setdefault(id(item.found.tensor), []).append(item)
    for group in groups.values():
        named = [item for item in group if item.line] or group[:1]
        yield from min((list(_parameter(item, built)) for item in named), key=len)


def _parameter(item: Expected, built: _Built) -> Iterator[str]:
    if item.reason:
        yield f"{item.label}: {item.reason}"
    for reason in _reasons(item, item.action, built):
        yield f"{item.label}: {reason}"


def _reasons(item: Expected, action: Action, built: _Built) -> Iterator[str]:
    match action:
        case Sample(centered=True):
            yield from _sampled(action, facts_of(item.found), item.found.names, built)
        case Sample():
            noise = [f"{name}{NOISE}" for name in item.found.names]
            yield from _sampled(standard_noise(action), facts_of(item.found), noise, built)
            yield from _scaled(item, action, built)
        case Deterministic():
            yield from _computed(item, action, built)
        case Param():
            yield from _constrained(item, action, built)
        case Keep():
            yield from _kept(item, built)


def _sampled(action: Sample, facts: Facts, names: Sequence[str], built: _Built) -> Iterator[str]:
    declared = [name for name in names if name in built.priors]
    if not declared:
        yield f"should be random, but is {built.what(names)}"
        return
    if failed := next((built.failures[name] for name in declared if name in built.failures), ""):
        yield f"its prior raises {failed}"
        return
    latents = [n for n in names if n in built.sites and not built.sites[n]["is_observed"]]
    if not latents:
        computed = any(name in built.sites for name in names)
        yield f"should be random, but its prior is {'computed' if computed else 'never drawn'}"
    for name in latents:
        if reason := _law_reason(action, facts, name, built):
            yield f"its prior {reason}"
        elif not built.sites[name]["value"].is_contiguous():
            yield "its prior draws what is not contiguous"


def _law_reason(action: Sample, facts: Facts, name: str, built: _Built) -> str:
    law = built.sites[name]["fn"]
    shape = tuple(law.batch_shape + law.event_shape)
    if shape != facts.shape:
        return f"has shape {shape}, planned {facts.shape}"
    try:
        planned = law_of(action.distribution, facts, built.reader(name))
    except CannotTell as error:
        family = type(unwrapped(law)).__name__
        return "" if family == action.distribution.name else f"is {family}, but {error}"
    return law_difference(planned, law) or _dependence_difference(planned, law, built)


def _dependence_difference(planned: Any, drawn: Any, built: _Built) -> str:
    """Compare what two equal distributions learn about what they read."""
    leaves = {
        name: site["value"]
        for name, site in built.sites.items()
        if site["type"] == "sample" and site["value"].is_leaf and site["value"].requires_grad
    }
    value = drawn.sample()
    wanted, got = (_derivatives(law.log_prob(value).sum(), leaves) for law in (planned, drawn))
    lost = sorted(wanted - got)
    return f"does not depend on {' and '.join(lost)}, which it is to learn from" if lost else ""


def _derivatives(density: Tensor, leaves: Mapping[str, Tensor]) -> set[str]:
    """The names that a density depends on."""
    if not density.requires_grad or not leaves:
        return set()
    found = torch.autograd.grad(density, list(leaves.values()), allow_unused=True)
    return {name for name, item in zip(leaves, found, strict=True) if item is not None}


def _scaled(item: Expected, action: Sample, built: _Built) -> Iterator[str]:
    """Compare a prior that is not centred: location plus scale times the noise that was drawn."""
    call = action.distribution
    given = bind(DISTRIBUTIONS[call.name], call)
    for name in item.found.names:
        if not (noise := built.sites.get(f"{name}{NOISE}")):
            continue
        facts, read = facts_of(item.found), built.reader(name)
        try:
            scale = value_of(given.get("scale", Number(1)), facts, read)
            loc = value_of(given.get("loc", Number(0)), facts, read)
        except CannotTell:
            continue
        if reason := _value_reason(name, loc + scale * noise["value"], built):
            yield reason


def _computed(item: Expected, action: Deterministic, built: _Built) -> Iterator[str]:
    names = [name for name in item.found.names if name in built.priors]
    if not names:
        yield f"should be computed, but is {built.what(item.found.names)}"
    for name in names:
        try:
            value = value_of(action.value, facts_of(item.found), built.reader(name))
        except CannotTell:
            continue
        if reason := _value_reason(name, value, built):
            yield reason


def _value_reason(name: str, planned: Any, built: _Built) -> str:
    site = built.sites.get(name)
    if site is None:
        return built.failures.get(name, "is never computed")
    if not isinstance(law := unwrapped(site["fn"]), Delta):
        return f"is drawn from {type(law).__name__}, but should be computed"
    difference = value_difference(planned, law.v)
    return f"its value {difference}" if difference else ""


def _constrained(item: Expected, action: Param, built: _Built) -> Iterator[str]:
    name = next((name for name in item.found.names if name in built.constrained), "")
    if not name:
        yield f"should be a PyroParam, but is {built.what(item.found.names)}"
        return
    owner, attribute = built.constrained[name]
    constraint, event_dim = owner._pyro_params[attribute]
    if reason := constraint_difference(constraint_of(action.constraint), constraint):
        yield reason
    if action.event_dim is not None and event_dim != action.event_dim:
        yield f"has event_dim {event_dim}, planned {action.event_dim}"
    value, before = getattr(owner, attribute), item.found.tensor
    if value.shape != before.shape:
        yield f"has shape {tuple(value.shape)}, planned {tuple(before.shape)}"
    elif built.is_fixed(item.found.path) or isinstance(action.init, float):
        if reason := value_difference(start_of(action, before), value):
            yield f"its first value {reason}"


def _kept(item: Expected, built: _Built) -> Iterator[str]:
    before = item.found
    name = next((name for name in before.names if name in built.kept), "")
    if not name:
        became = next((name for name in before.names if name in built.buffers), "")
        if not (before.is_frozen and became):  # what is read as a latent has no use for a gradient
            yield f"should be kept, but is {built.what(before.names)}"
        elif built.is_fixed(before.path):
            reason = value_difference(before.tensor, built.buffers[became])
            yield from [f"its first value {reason}"] if reason else []
        return
    after = built.kept[name]
    if after.shape != before.tensor.shape:
        yield f"has shape {tuple(after.shape)}, had {tuple(before.tensor.shape)}"
    elif built.is_fixed(before.path) and (reason := value_difference(before.tensor, after)):
        yield f"its first value {reason}"
    if after.dtype != before.tensor.dtype:
        yield f"is {after.dtype}, was {before.tensor.dtype}"
    if before.tensor.is_contiguous() and not after.is_contiguous():
        yield "is not contiguous any more: Pyro's store would train a copy of it"
    if after.requires_grad != before.tensor.requires_grad:
        yield f"its requires_grad is {after.requires_grad}, was {before.tensor.requires_grad}"


# What else there is -----------------------------------------------------------------------------


def _latents(planned: Planned, built: _Built) -> Iterator[str]:
    """Judge the attributes that the spec adds."""
    before = {path for path, _ in built.original.named_parameters(remove_duplicate=False)}
    for path, latent, qualname in _added(planned, built.original):
        name = dotted(path, latent.name)
        if name in before or isinstance(latent.action, Deterministic):
            continue
        try:
            sizes = [int(value_of(size, Facts(()), built.reader(name))) for size in latent.shape]
        except CannotTell:
            continue
        centered = latent.action.centered
        action = latent.action if centered else standard_noise(latent.action)
        names = [name if centered else f"{name}{NOISE}"]
        for reason in _sampled(action, Facts(tuple(sizes)), names, built):
            yield f"{qualname}.{latent.name}{_at(name, latent.name)}: {reason}"


def _added(planned: Planned, original: nn.Module) -> Iterator[tuple[str, Latent, str]]:
    for path, module in original.named_modules():
        for cls in type(module).__mro__:
            entry = planned.entry(cls)
            if entry is None or entry.status != "converted":
                continue
            latents = {
                latent.name: latent
                for latent in planned.spec.latents
                if matches_class(latent.class_pattern, entry.module, entry.qualname)
            }
            yield from ((path, latent, entry.qualname) for latent in latents.values())


def _unplanned(planned: Planned, expected: Sequence[Expected], built: _Built) -> Iterator[str]:
    """Name what is random, or constrained, and nothing says so."""
    by_path = {name for item in expected for name in item.found.names}
    added = {dotted(path, latent.name) for path, latent, _ in _added(planned, built.original)}
    known = by_path | added | _declared(built.original) | passed_over(planned, built.original)
    for path in (*built.priors, *built.constrained):
        if path not in known and path.removesuffix(NOISE) not in known:
            yield f"{path}: it is {built.what([path])}, and the plan does not name it"


def _buffers(built: _Built) -> Iterator[str]:
    before = buffers(built.original)
    frozen = {name for name, p in parameters(built.original).items() if not p.requires_grad}
    for name in before.keys() - built.buffers.keys():
        yield f"{name}: the buffer is {built.what([name])}"
    for name in built.buffers.keys() - before.keys() - frozen:
        if name.rpartition(".")[2] in _ANCHORS and not built.buffers[name].numel():
            continue
        yield f"{name}: it is a buffer, and was none"
    persistent = set(built.original.state_dict()) ^ set(built.rewritten.state_dict())
    for name in before.keys() & built.buffers.keys() & persistent:
        yield f"{name}: the buffer was saved with the module before or is now, not both"


def _at(path: str, inner: str) -> str:
    return "" if path == inner else f" (at {path})"
