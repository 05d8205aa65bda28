"""What the outputs of a network mean, and whether they can mean that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from pyro import poutine
from torch import Tensor, nn

from ..data.rows import Rows, unscale
from ..errors import Abort
from ..run import Run
from .audit import check_fit
from .sites import pinned_sites
from .structure import returned_by

DRAWS, MOST = 20, 500
"""So many draws of the prior, for so many rows, are looked at."""

NOISES = ("raw", "variance", "sd", "logvar")


@dataclass(frozen=True)
class Output:
    """What the network gives, such as "logits", and the way there in what it returns.

    ``half``: the noise is the second half of the columns. ``told``: the spec says so, and no
    default.
    """

    gives: str
    at: tuple[int | str, ...] = ()
    half: bool = False
    told: bool = False

    def pick(self, returned: Any) -> Tensor:
        """The part of what the network returns that ``gives`` is about."""
        for key in self.at:
            returned = returned[key]
        part: Tensor = returned.chunk(2, dim=-1)[1] if self.half else returned
        return part


def check_outputs(output: Output, model: nn.Module, run: Run) -> None:
    """Refuses outputs and targets that cannot be what they are taken for, or do not fit."""
    refuse_outputs(output, model, run.rows[:MOST])
    check_fit(model, run.rows)
    if output.gives in ("mean", *NOISES) and not output.told:
        refuse_classes(run.rows.known.targets, run)


def refuse_outputs(output: Output, model: nn.Module, rows: Rows) -> None:
    """Refuses outputs that cannot be what they are taken for, under draws of the prior."""
    returned = prior_outputs(model, rows)
    if not returned:
        return
    if output.at and isinstance(returned[0], Tensor):
        what = f"{type(model.net).__name__} gives one tensor, of which svi.likelihood.output"
        raise Abort(4, f"{what} {list(output.at)} would be a row; leave it out")
    try:
        values = torch.stack([output.pick(each) for each in returned])
    except (TypeError, AttributeError, LookupError):
        return  # it has other parts, which ``check_fit`` says
    fault = fault_of(output.gives, values)
    if fault:
        what, instead = fault
        seen = f"in {DRAWS} draws of the prior"
        raise Abort(4, f"{what} {seen}; set svi.likelihood.gives in the spec to {instead}")


class Enough(Exception):
    """The network has returned."""


def prior_outputs(model: nn.Module, rows: Rows) -> list[Any]:
    """What the network returns under draws of the prior; nothing where it cannot be called.

    The likelihood, which what it returns may not suit, is not reached.
    """
    pinned = poutine.condition(data=pinned_sites(model))
    model.eval()
    quiet = torch.random.fork_rng()
    with returned_by(model, Enough) as returned, quiet, torch.no_grad(), pinned:
        for _ in range(DRAWS):
            try:
                model(*rows.args)
            except Enough:
                continue
            except Exception:  # what it is that fails, ``check_fit`` says
                break
    model.train()
    return returned


def fault_of(gives: str, values: Tensor) -> tuple[str, str] | None:
    """What is seen of the values that cannot be, and what they may be instead; None if they can.

    ``values`` have the classes on their last axis where there are several.
    """
    if not values.isfinite().all():
        return None  # the training will say so
    is_share = bool((values >= 0).all() and (values <= 1).all())
    is_negative, is_positive = bool((values < 0).any()), bool((values >= 0).all())
    match gives:
        case "logits" if is_share:
            return "all logits lie between 0 and 1", "probs"
        case "probs" if not is_share:
            return "some probabilities are below 0 or above 1", "logits"
        case "class_logits" if is_share and sums_to_1(values):
            return "the logits of the classes lie between 0 and 1, and sum to 1", "probs"
        case "class_probs" if not (is_share and sums_to_1(values)):
            return "the probabilities of the classes do not sum to 1", "logits"
        case "log_probs" if is_share or not sums_to_1(values.exp()):
            return "the probabilities of the classes do not sum to 1", "logits"
        case "raw" if is_positive:
            return "the raw noise is never negative", "variance or sd"
        case "variance" | "sd" if is_negative:
            return f"some {gives} is negative", "raw or logvar"
        case "rate" if is_negative:
            return "some rate is negative", "log_rate"
        case "log_rate" if is_positive:
            return "the logarithm of the rate is never negative", "rate"
    return None


def sums_to_1(values: Tensor) -> bool:
    """Over the last axis, or over that of the channels of pictures."""
    axes = {-1, 2 if values.dim() > 3 else -1}
    return any(bool(((values.sum(axis) - 1).abs() < 1e-3).all()) for axis in axes)


def kinds_of(targets: Tensor, run: Run) -> Tensor:
    """The values that there are, in the units of the data."""
    kinds: Tensor = unscale(targets, run.scalings["targets"][0]).unique()
    return kinds[kinds.isfinite()]


def refuse_classes(targets: Tensor, run: Run) -> None:
    """Refuses targets that are numbers of classes where they are taken for measurements."""
    if len(kinds_of(targets[:MOST], run)) > 20:
        return  # the rest cannot make them fewer
    kinds = kinds_of(targets, run)
    whole = kinds.round()
    first, count = int(whole[0]), len(kinds)
    is_even = torch.equal(whole, torch.arange(first, first + count).to(whole))
    if not is_even or (kinds - whole).abs().max() > 1e-4 or first not in (0, 1):
        return
    if not 2 <= count <= 20 or len(targets) < 5 * count:
        return
    what = "0 and 1" if count == 2 and not first else f"whole numbers, {first} to {int(whole[-1])}"
    family = "bernoulli" if count == 2 else "categorical, ordinal or poisson"
    why = f"the targets are only {what}, which a likelihood of measurements does not suit"
    hint = f"set svi.likelihood.family to {family}, or gives: mean if they are measurements"
    raise Abort(4, f"{why}; {hint}")
