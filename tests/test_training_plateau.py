"""When a training ends by itself: the rule alone, on loss curves whose end is known."""

import argparse
import math
import random
from collections.abc import Callable

import pytest

from pyroify.training.inference.plateau import (
    MOST,
    begin_cooling,
    cooled,
    error_of_mean,
    is_done,
    is_flat,
    latest,
    was_flat,
)


def curve(of: Callable[[int], float], epochs: int, noise: float = 0.0) -> list[float]:
    draw = random.Random(0)
    return [of(epoch) + noise * draw.gauss(0.0, 1.0) for epoch in range(epochs)]


@pytest.mark.parametrize(
    ("losses", "flat"),
    [
        (curve(lambda e: 5 * math.exp(-e / 50), 800), True),
        (curve(lambda e: 5 * math.exp(-e / 50), 100), False),
        (curve(lambda e: 3 - e / 1000, 400), False),
        (curve(lambda e: 3 - e / 1000, 400, noise=0.05), False),
        (curve(lambda e: 1.0, 400, noise=0.5), True),
        (curve(lambda e: 1.0 + e / 100, 400), True),  # it rises: more of it does not help
        (curve(lambda e: 5 / (1 + e) ** 0.5, 400), False),
        (curve(lambda e: 2.0 if e < 350 else 1.0, 400), False),
        ([1.0] * 7, False),  # too few to tell
    ],
)
def test_a_loss_is_flat_where_it_falls_no_more_than_chance(losses: list[float], flat: bool) -> None:
    assert is_flat(losses) == flat


def test_the_error_of_a_mean_is_that_of_noise_alone() -> None:
    noisy = curve(lambda e: 0.0, 400, noise=2.0)
    assert error_of_mean(noisy) == pytest.approx(2.0 / 20, rel=0.1)
    assert error_of_mean(curve(lambda e: -e / 1000, 400)) < 1e-4


def flags_of(least: int) -> argparse.Namespace:
    epochs = MOST * least
    return argparse.Namespace(least=least, epochs=epochs, flat=epochs, is_open=True)


def test_a_flat_loss_ends_it_but_not_before_the_least_epochs() -> None:
    flags = flags_of(least=90)
    assert latest(90) == 60
    assert not is_done(flags, [1.0] * 59)
    assert is_done(flags, [1.0] * 60)
    assert not is_done(flags, [1.0] * 60, kl_warmup=55)
    begin_cooling(flags, 60)
    assert (flags.epochs, flags.is_open, was_flat(flags)) == (90, False, True)


def test_a_loss_that_never_is_flat_ends_at_the_most_epochs_and_that_is_known() -> None:
    flags = flags_of(least=90)
    losses = curve(lambda e: -e, 450)
    ends = next(n for n in range(1, 450) if is_done(flags, losses[:n]))
    begin_cooling(flags, ends)
    assert (flags.epochs, was_flat(flags)) == (450, False)


def test_the_rate_is_whole_until_then_and_zero_at_the_end() -> None:
    flags = flags_of(least=90)
    assert [cooled(epoch, flags) for epoch in (0, 60, 449)] == [1, 1, 1]
    begin_cooling(flags, 60)
    assert [cooled(epoch, flags) for epoch in (60, 75, 90)] == pytest.approx([1, 0.5, 0])
    given = argparse.Namespace(epochs=10, flat=0, is_open=False)
    assert [cooled(epoch, given) for epoch in (0, 5, 10)] == pytest.approx([1, 0.5, 0])
