"""A posterior around one value of the weights, for the network's expansion to first order there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from pyro import poutine
from pyro.infer.autoguide import AutoDelta
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ..errors import Abort
from ..model.sites import Draw, observed


class Linearised(AutoDelta):
    """One value of every latent while it is trained, the mode; then draws around it, too.

    ``samples`` are those of the sites that have a posterior, each of shape [draws, ...]; ``facts``
    is what the verdicts say of it.
    """

    def __init__(self, model: nn.Module, init_loc_fn: Callable[[Any], Tensor]):
        super().__init__(model, init_loc_fn=init_loc_fn)  # type: ignore[no-untyped-call]
        self.samples: Draw = {}
        self.facts: dict[str, float] = {}

    def mode(self) -> Draw:
        """The value of every latent."""
        return {name: value.detach().clone() for name, value in self().items()}

    def spread(self, count: int) -> Iterator[Draw]:
        """So many draws, or all if they are fewer."""
        if not self.samples:
            raise Abort(2, "this training is not done; the same command goes on")
        mode = self.mode()
        drawn = len(next(iter(self.samples.values())))
        for number in range(min(count, drawn)):
            yield mode | {name: values[number] for name, values in self.samples.items()}

    def observed(self, model: nn.Module, draw: Draw, args: tuple[Any, ...]) -> Any:
        """The likelihood of each row under one draw.

        The curvature tells of the network to first order at the mode, and of that alone: the
        network itself, so far from the mode, would predict much too widely.
        """
        mode = self.mode()
        moves = {name: draw[name] - mode[name] for name in self.samples if in_network(name)}
        with expanded(model, mode, moves):
            return observed(model, beside_network(draw), args)

    def get_extra_state(self) -> Any:
        """What a checkpoint holds beside the mode."""
        return {"samples": self.samples, "facts": self.facts}

    def set_extra_state(self, state: Any) -> None:
        """Takes it from a checkpoint."""
        self.samples, self.facts = state["samples"], state["facts"]


def in_network(site: str) -> bool:
    """Whether a site is a parameter of the network, not of the likelihood."""
    return site.startswith("net.")


def beside_network(draw: Draw) -> Draw:
    """The latents that are no parameters of the network."""
    return {name: value for name, value in draw.items() if not in_network(name)}


@contextmanager
def expanded(model: nn.Module, mode: Draw, moves: Draw) -> Iterator[None]:
    """Within it the network gives what it gives at the mode, and what the moves add to that."""
    net: Any = model.net
    forward = net.forward
    start = {name: mode[name] for name in moves}
    fixed = {name: value for name, value in mode.items() if in_network(name)}

    def moved(*args: Any, **kwargs: Any) -> Any:
        def at(values: Draw) -> Any:
            with poutine.condition(data={**fixed, **values}):
                return forward(*args, **kwargs)

        output, change, *_ = torch.func.jvp(at, (start,), (moves,))
        return pytree.tree_map(torch.add, output, change)

    with patch.object(net, "forward", moved):
        yield
