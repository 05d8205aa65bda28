"""Work spread over several processes, of which one that dies takes only its own piece along."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    processes: int,
    died: Callable[[Item], Result],
) -> Iterator[Result]:
    """What ``work`` makes of each item, in order; ``died``: of one that ends its process.

    ``work`` is not to raise. What cannot be handed between processes is done in this one.
    """
    if processes <= 1:
        yield from map(work, items)
        return
    from concurrent.futures.process import BrokenProcessPool

    with _pool(processes) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for item, future in zip(items, futures, strict=True):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield _alone(work, item, died)
                except Exception:
                    yield work(item)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _alone(work: Callable[[Item], Result], item: Item, died: Callable[[Item], Result]) -> Result:
    """An item again in a process of its own: was it the one that killed the pool?"""
    from concurrent.futures.process import BrokenProcessPool

    with _pool(1) as pool:
        try:
            return pool.submit(work, item).result()
        except BrokenProcessPool:
            return died(item)


def _pool(processes: int) -> ProcessPoolExecutor:
    import multiprocessing
    import threading
    from concurrent.futures import ProcessPoolExecutor

    # A fork has all modules from the start, but a lock that another thread holds is never freed.
    is_safe = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if is_safe else "spawn")
    return ProcessPoolExecutor(processes, context, initializer=_leave_interrupts)


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the parent alone is to answer it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
