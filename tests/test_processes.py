"""Work in several processes: each item gets its result, whatever becomes of the others."""

from __future__ import annotations

import os
import signal

from pyroify.processes import each


def halved(number: int) -> object:
    """Stands for work: ends its process at 13, and gives what cannot be handed over at 7."""
    if number == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return (lambda: None) if number == 7 else (number // 2, os.getpid())


def test_one_process_is_this_one() -> None:
    assert [*each(halved, [2, 4], 1, str)] == [(1, os.getpid()), (2, os.getpid())]


def test_results_come_in_order_from_other_processes() -> None:
    found = [*each(halved, [*range(0, 12, 2)], 2, str)]
    assert [half for half, _ in found] == [*range(6)]
    assert os.getpid() not in {process for _, process in found}


def test_an_item_that_ends_its_process_takes_no_other_along() -> None:
    found = [*each(halved, [2, 13, 4, 6], 2, lambda number: f"{number} died")]
    assert found[1] == "13 died"
    assert [item[0] for item in (found[0], *found[2:])] == [1, 2, 3]


def test_what_cannot_be_handed_over_is_done_here() -> None:
    first, odd = each(halved, [2, 7], 2, str)
    assert first[0] == 1
    assert callable(odd)
