"""Do the priors get the gradients that the original's parameters got?

Equal outputs are not enough: ``self.weight.data`` computes the same and learns nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import transform_to

from pyroify.verify.compare.outputs import dense, difference, tensors
from pyroify.verify.compare.run import Run, describe
from pyroify.verify.compare.sites import constrained, parameters, ties

ROUNDING = 1e-5
"""Looser than for outputs: sums over a batch may be taken in another order."""


@dataclass(frozen=True, slots=True)
class Gradients:
    """Where the gradients of the rewritten module are not those of the original.

    ``used`` names the parameters that the original's output depends on.
    """

    used: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


def compare_gradients(
    original: nn.Module,
    rewritten: nn.Module,
    before: Run,
    after: Run,
    pinned: Mapping[str, Tensor],
) -> Gradients:
    """Compare the gradients of two outputs for every parameter, whatever became of it.

    And for the inputs that are differentiated by: a class is often one part of another.

    A gradient that is new is no problem: the rewrite may read ``self.weight`` where the original
    read ``self.weight.data``.
    """
    leaves = parameters(rewritten) | dict(pinned) | dict(after.given.leaves)
    try:
        wanted = _gradients(before.output, parameters(original) | dict(before.given.leaves))
    except RuntimeError:
        return Gradients()  # the original cannot be trained with this call either
    try:
        got = _gradients(after.output, leaves)
    except RuntimeError as error:
        return Gradients(problems=(f"differentiating the output raises {describe(error)}",))
    groups = [*ties(original), *((name,) for name in before.given.leaves)]
    shared = {names: wanted[names[0]] for names in groups if names[0] in wanted}
    apart = {path for path, _, _ in constrained(rewritten)}
    sampled_or_kept = {
        names: gradient
        for names, gradient in shared.items()
        if apart.isdisjoint(names) and any(name in leaves for name in names)
    }
    problems: list[str] = []
    for names, gradient in (sampled_or_kept | dict(_constrained(rewritten, wanted))).items():
        found = sum(got[name] for name in _distinct(names, leaves) if name in got)
        problems += _mismatches(names[0], gradient, found)
    used = (name for name, gradient in wanted.items() if gradient.count_nonzero())
    return Gradients(frozenset(used), tuple(problems))


def _gradients(output: object, leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Differentiate a fixed random projection of the output; a plain sum hides a softmax.

    It is a number, as torch loads sympy, which takes a second, for what it is given weights of.
    """
    ends = [dense(tensor) for _, tensor in tensors(output) if tensor.requires_grad]
    starts = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    if not ends or not starts:
        return {}
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(end.shape, generator=generator).to(end) for end in ends]
    sums = [(end * weight).sum() for end, weight in zip(ends, weights, strict=True)]
    found = torch.autograd.grad(sums, list(starts.values()), allow_unused=True)
    return {name: g for name, g in zip(starts, found, strict=True) if g is not None}


def _constrained(
    rewritten: nn.Module, wanted: Mapping[str, Tensor]
) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Yield the unconstrained name of every ``PyroParam``, and the gradient pulled back to it."""
    for path, owner, name in constrained(rewritten):
        if path not in wanted:
            continue
        constraint, _ = owner._pyro_params[name]
        start = owner._parameters.get(f"{name}_unconstrained")  # none before the first read
        if start is None or not start.requires_grad:
            continue
        end = transform_to(constraint)(start)
        (gradient,) = torch.autograd.grad((end * wanted[path]).sum(), start)
        yield (f"{path}_unconstrained",), gradient


def _distinct(names: tuple[str, ...], tensors: Mapping[str, Tensor]) -> list[str]:
    """Name each tensor once: a kept tie has one gradient under several names."""
    return list({id(tensors[name]): name for name in names if name in tensors}.values())


def _mismatches(name: str, expected: Tensor, found: object) -> tuple[str, ...]:
    if isinstance(found, Tensor):
        return difference(expected, found, f"the gradient of {name}", ROUNDING).mismatches
    if not expected.count_nonzero():
        return ()
    return (f"{name} gets no gradient any more: is it read through .data or .detach()?",)
