"""Ends Python code that takes too long, where the system can do that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


def within(seconds: float) -> AbstractContextManager[None]:
    """Raise ``TimeoutError`` in code that takes longer."""
    return _limit("ITIMER_REAL", "SIGALRM", seconds)


def computing(seconds: float) -> AbstractContextManager[None]:
    """Raise ``TimeoutError`` in code that computes longer, however busy the machine is."""
    return _limit("ITIMER_PROF", "SIGPROF", seconds)


@contextmanager
def _limit(timer: str, sent: str, seconds: float) -> Iterator[None]:
    if not hasattr(signal, timer):
        yield
        return

    def end(number: int, frame: Any) -> None:
        raise TimeoutError(f"takes longer than {seconds:g} s")

    which, number = getattr(signal, timer), getattr(signal, sent)
    before = signal.signal(number, end)
    signal.setitimer(which, seconds)
    try:
        yield
    finally:
        signal.setitimer(which, 0)
        signal.signal(number, before)
