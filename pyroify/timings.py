"""How much processor time each stage of a run takes, its child processes included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Seconds by stage; at any time one is under way, whatever it is part of waits."""

    spent: dict[str, float] = field(default_factory=dict)
    current: str = "start"
    since: float = 0.0

    def switch(self, stage: str) -> str:
        """Go on with another stage; gives the one before."""
        now = sum(os.times()[:4])
        self.spent[self.current] = self.spent.get(self.current, 0.0) + now - self.since
        before, self.current, self.since = self.current, stage, now
        return before

    def render(self) -> str:
        """One line for each stage, in the order in which they began."""
        self.switch(self.current)
        lines = {**self.spent, "in all": sum(self.spent.values())}
        return "".join(f"{seconds:8.2f} s {stage}\n" for stage, seconds in lines.items())


_CLOCK: ContextVar[Clock | None] = ContextVar("clock", default=None)


def start() -> Clock:
    """Measure from here on; what the process has used by now counts as the stage ``start``."""
    clock = Clock()
    _CLOCK.set(clock)
    return clock


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What happens within is a stage of its own."""
    clock = _CLOCK.get()
    if clock is None:
        yield
        return
    before = clock.switch(name)
    try:
        yield
    finally:
        clock.switch(before)
