"""How long a training goes on that was given neither epochs nor steps: until its loss is flat."""

from __future__ import annotations

import itertools
import math
from argparse import Namespace as Flags
from collections.abc import Sequence

FALL = 0.01
"""Nats a row; a loss that falls by less in a quarter of its epochs is flat."""

MOST = 5
"""Times the least epochs, after which a training ends that is not flat."""

COOLING = 0.5
"""So many epochs more, of those before, have a rate that falls to zero."""


def is_flat(losses: Sequence[float]) -> bool:
    """Whether a loss per row has stopped to fall, one number for each epoch.

    The mean of the last quarter of the epochs is beside that of the quarter before: the loss is
    flat where it fell by less than ``FALL``, or by no more than chance would have it fall.
    """
    size = len(losses) // 4
    if size < 2:
        return False
    before, last = losses[-2 * size : -size], losses[-size:]
    fall = sum(before) / size - sum(last) / size
    return fall < max(FALL, 2 * math.hypot(*(error_of_mean(part) for part in (before, last))))


def error_of_mean(losses: Sequence[float]) -> float:
    """The standard error of the mean: of the noise from one epoch to the next, not of a trend."""
    steps = [later - loss for loss, later in itertools.pairwise(losses)]
    noise = sum(step * step for step in steps) / (2 * len(steps))
    return math.sqrt(noise / len(losses))


def is_done(flags: Flags, losses: Sequence[float], kl_warmup: int = 0) -> bool:
    """Whether the rate is to fall now: the loss is flat, or there is no time left but for that.

    Never before it would have to fall for the least number of epochs, nor while the weight of the
    KL rises.
    """
    if len(losses) < latest(flags.least):
        return False
    return is_flat(losses[kl_warmup:]) or len(losses) >= latest(MOST * flags.least)


def was_flat(flags: Flags) -> bool:
    """Whether a training ended because its loss was flat, not for want of time."""
    flat: int = flags.flat
    return flat < latest(MOST * flags.least)


def begin_cooling(flags: Flags, epoch: int) -> None:
    """Lets the rate fall to zero from this epoch on, and the training end there."""
    flags.is_open = False
    flags.flat = epoch
    flags.epochs = min(flags.epochs, epoch + math.ceil(COOLING * epoch))


def kl_warmup(flags: Flags) -> int:
    """The epochs over which the weight of the KL rises: half of the least that a training has.

    Without them the prior wins before the data could pull, and units that would be of use later
    stay off for good.
    """
    epochs: int = min(flags.epochs, flags.least)
    return max(1, epochs // 2)


def latest(epochs: int) -> int:
    """The last one of so many epochs from which on the rate may fall, for all to be enough."""
    return math.floor(epochs / (1 + COOLING))


def cooled(epoch: int, flags: Flags) -> float:
    """The share of the rate that an epoch has: all while the loss falls, then down a cosine.

    Where the epochs were given it falls from the first one on.
    """
    done = max(epoch - flags.flat, 0) / max(flags.epochs - flags.flat, 1)
    return (1 + math.cos(math.pi * min(done, 1.0))) / 2
