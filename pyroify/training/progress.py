"""What a run shows while it trains, and how it notices that it is asked to stop."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from .ranks import rank
from .run import Flags


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Fills when the run is asked to stop, so that no step is cut in half."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_log(path: Path, epochs: int) -> TextIO:
    """The log, cut back to the epochs that the checkpoint has seen."""
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    path.write_text("".join(lines[:epochs]))
    return path.open("a")


class Progress:
    """A bar with loss, NLL, KL and time left on a terminal; ten lines elsewhere."""

    def __init__(self, flags: Flags, start: int):
        self.flags = flags
        self.start = start
        self.began = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def show(self, row: dict[str, float]) -> None:
        """The averages of an epoch."""
        done, epochs = int(row["epoch"]), self.flags.epochs
        is_last = done == epochs
        if rank() > 0:
            return
        if not (self.terminal or is_last or done % math.ceil(epochs / 10) == 0):
            return
        pace = (time.monotonic() - self.began) / (done - self.start)
        terms = "  ".join(f"{name} {row[name]:.4f}" for name in ("loss", "nll", "kl"))
        most = "at most " if self.flags.is_open else ""
        left = f"{most}{pace * (epochs - done):.0f} s left"
        text = f"epoch {done}/{epochs}  {terms}  {left}"
        if self.terminal:
            text = f"\r[{'#' * (20 * done // epochs):20}] {text}\x1b[K"
        end = "" if self.terminal and not is_last else "\n"
        print(text, end=end, file=sys.stderr, flush=True)
