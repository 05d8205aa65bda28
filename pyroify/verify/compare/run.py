"""One call of a module under a trace, with its random numbers and its priors fixed."""

from __future__ import annotations

import copy
import random
import reprlib
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyro
import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of one call, which it may change.

    ``leaves`` are tensors that some of them are computed from, to be differentiated by. ``random``
    is the state of torch's random numbers in which it is made, if it is known.
    """

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    leaves: Mapping[str, Tensor] = field(default_factory=dict)
    random: Tensor | None = None

    def __str__(self) -> str:
        """As between the parentheses of a call, with shapes in place of tensors."""
        named = (f"{name}={_short(value)}" for name, value in self.kwargs.items())
        return ", ".join([*map(_short, self.args), *named])


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, nn.Module) or repr(value) == object.__repr__(value):
        return f"{type(value).__name__}(...)"
    return reprlib.repr(value)


_HAS_DEVICES = any(kind.is_available() for kind in (torch.cuda, torch.xpu, torch.backends.mps))
_LONGEST = 400
"""Characters of a message that are shown."""


class Call(Protocol):
    """What is called on both versions of a module."""

    @property
    def method(self) -> str:
        """The entry point."""

    def arguments(self) -> Given:
        """What it is called with, made anew each time."""


@dataclass(frozen=True, slots=True)
class EntryCall:
    """One entry point and its arguments: a method, or a property without any."""

    method: str = "forward"
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self) -> Given:
        """Copies: a forward may change them in place."""
        return Given(_copied(self.args), _copied(self.kwargs))


def invoke(module: nn.Module, call: Call, given: Given | None = None) -> Any:
    """Make a call, with arguments of its own unless some are given."""
    given = call.arguments() if given is None else given
    if call.method == "forward":
        return module(*given.args, **given.kwargs)
    attribute = getattr(module, call.method)
    return attribute(*given.args, **given.kwargs) if callable(attribute) else attribute


@dataclass(frozen=True, slots=True)
class Run:
    """What a call returned, its trace (the sites by name), and its arguments as it left them."""

    output: Any
    sites: Mapping[str, Any]
    given: Given

    def latents(self) -> dict[str, Any]:
        """The sample sites that inference would have to infer."""
        return {
            name: site
            for name, site in self.sites.items()
            if site["type"] == "sample"
            and not site["is_observed"]
            and not poutine.util.site_is_subsample(site)
        }


@dataclass(frozen=True, slots=True)
class Pins:
    """What becomes of the sample sites of a run.

    ``values`` are the old weights, by site. ``tied`` are those that shared one weight, each with
    all names of it, ``added`` the latents that the original does not have. ``own`` are the values
    that the original itself drew from its priors.
    """

    values: Mapping[str, Tensor] = field(default_factory=dict)
    tied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added: Set[str] = frozenset()
    own: Mapping[str, Tensor] = field(default_factory=dict)


NO_PINS = Pins()


class _Pinned(Messenger):
    """Gives sites their old values.

    A site that is computed from other sites takes its old value too, unless it repeats a tied
    weight that has it by another name: a tie must show. Added latents are drawn apart, so that
    dropout sees the same random numbers as before; so are those of the original, which the other
    side then repeats.
    """

    def __init__(self, pins: Pins) -> None:
        super().__init__()
        self.pins = pins
        self.given: set[str] = set()

    def _pyro_sample(self, msg: Any) -> None:
        name, pins = msg["name"], self.pins
        if name in pins.values:
            if not (msg["is_observed"] and self._repeats(name)):
                msg["value"] = pins.values[name]
                self.given.add(name)
        elif name in pins.own and not msg["is_observed"]:
            msg["value"] = pins.own[name]
        elif name in pins.added and not msg["is_observed"]:
            with torch.random.fork_rng():
                msg["value"] = msg["fn"](*msg["args"], **msg["kwargs"])

    def _repeats(self, name: str) -> bool:
        """Whether a weight has had its value under another name, or is a parameter under one."""
        others = [other for other in self.pins.tied.get(name, ()) if other != name]
        return any(other in self.given or other not in self.pins.values for other in others)


def run(module: nn.Module, call: Call, seed: int, pins: Pins = NO_PINS) -> Run:
    """Make the call under a trace, with the random numbers of ``seed`` and with pinned sites."""
    given = call.arguments()  # whatever is drawn for them is no site of the module
    with ExitStack() as stack:
        stack.enter_context(pyro.get_param_store().scope())
        trace = stack.enter_context(poutine.trace())
        stack.enter_context(_Pinned(pins))
        set_seed(seed)
        if given.random is not None:
            torch.set_rng_state(given.random)
        output = invoke(module, call, given)
    return Run(output, dict(trace.trace.nodes), given)


def set_seed(seed: int) -> None:
    """As ``pyro.set_rng_seed``, which takes longer than most calls to note it for other devices."""
    if _HAS_DEVICES:
        pyro.set_rng_seed(seed)
        return
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def describe(error: BaseException) -> str:
    """Name an exception and the first line of what it says, with the next if that is a heading."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return f"{type(error).__name__}: {text[:_LONGEST]}" if text else type(error).__name__


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Leave the random numbers of torch, numpy and Python as they were."""
    state = pyro.util.get_rng_state()
    try:
        yield
    finally:
        pyro.util.set_rng_state(state)


def _copied(values: Any) -> Any:
    try:
        return copy.deepcopy(values)
    except Exception:
        return values  # a generator, say: then both calls share it
