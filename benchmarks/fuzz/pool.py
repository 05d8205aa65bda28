"""Runs each program in a child of its own, with time and memory limits.

The parent has torch and Pyro loaded, so that a child is a fork and starts at once.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks.fuzz.oracle import ALL, Fault, Verdict, judge
from benchmarks.fuzz.program import Program, Target

SECONDS = 60.0
MEMORY = 8 << 30


_TINY = b"""import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, d=4):
        super().__init__()
        self.fc = nn.Linear(d, d)
        self.net = nn.Sequential(*[nn.Linear(d, d) for _ in range(d)])

    def forward(self, x):
        return self.net(self.fc(x))
"""


def warm_up() -> None:
    """Load here, once, what each child would load for itself."""
    judge(Program({"net.py": _TINY}, (Target("net.py", "Net", "Net()"),), seed="warm"))


def judge_in_child(
    program: Program,
    steps: frozenset[str] = ALL,
    seconds: float = SECONDS,
    tamper: Callable[[Path], None] = lambda root: None,
) -> Verdict:
    """The verdict of a child; what it does to itself is a fault."""
    start = time.monotonic()
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_child(program, steps, tamper, writer)
    os.close(writer)
    data, timed_out = _read(reader, seconds)
    os.close(reader)
    if timed_out:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    verdict = _parse(data, timed_out, status)
    verdict.seconds = time.monotonic() - start
    return verdict


def _be_child(
    program: Program, steps: frozenset[str], tamper: Callable[[Path], None], writer: int
) -> None:
    """Judge, write, and end without running what the parent has registered."""
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        quiet = os.open(os.devnull, os.O_RDWR)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            text = json.dumps({"verdict": asdict(judge(program, steps, tamper))})
        except BaseException:
            text = json.dumps({"error": traceback.format_exc()})
        with os.fdopen(writer, "w") as pipe:
            pipe.write(text)
    finally:
        os._exit(0)


def _read(reader: int, seconds: float) -> tuple[bytes, bool]:
    parts = []
    deadline = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return b"".join(parts), True
        part = os.read(reader, 1 << 16)
        if not part:
            return b"".join(parts), False
        parts.append(part)


def _parse(data: bytes, timed_out: bool, status: int) -> Verdict:
    if timed_out:
        return Verdict(faults=[Fault("timeout", "", "takes too long")])
    if not data:
        return Verdict(faults=[Fault("crash_rewritten", "", f"the process died: {status}")])
    document = json.loads(data)
    if "error" in document:
        lines = document["error"].strip().split("\n")
        return Verdict(faults=[Fault("oracle", "", f"{lines[-1]} | {' | '.join(lines[-5:-1])}")])
    values = document["verdict"]
    faults = [Fault(**fault) for fault in values.pop("faults")]
    return Verdict(faults=faults, **values)
