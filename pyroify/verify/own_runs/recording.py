"""Runs a command of the user's on a copy of his project, under the recorder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyroify.verify.own_runs import recorder
from pyroify.verify.own_runs.command import run_command
from pyroify.verify.own_runs.notes import Recording, read_notes

_CUSTOMIZE = """\
import importlib.machinery
import importlib.util
import sys

spec = importlib.util.spec_from_file_location("pyroify_recorder", {recorder!r})
module = importlib.util.module_from_spec(spec)
sys.modules["pyroify_recorder"] = module
spec.loader.exec_module(module)
module.start()
others = [folder for folder in sys.path if folder != {folder!r}]
found = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
if found is not None:  # the one that would have been loaded
    found.loader.exec_module(importlib.util.module_from_spec(found))
"""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a run may take: ``seconds`` until it is ended, and ``megabytes`` of notes on disk."""

    seconds: float = 600.0
    megabytes: int = 512


@contextmanager
def record(
    root: Path, command: Sequence[str], limits: RunLimits = RunLimits()
) -> Iterator[Recording]:
    """Run a command in ``root``, a copy of the project, and keep what it noted for a while.

    The command runs the user's code. Raises ``VerifyError`` if it cannot start.
    """
    with tempfile.TemporaryDirectory(prefix="pyroify-recording-") as folder:
        notes, start = Path(folder, "notes"), Path(folder, "start")
        notes.mkdir()
        start.mkdir()
        source = _CUSTOMIZE.format(recorder=recorder.__file__, folder=str(start))
        (start / "sitecustomize.py").write_text(source)
        ended = _run(root, command, limits, notes, start)
        yield read_notes(notes, ended)


def _run(root: Path, command: Sequence[str], limits: RunLimits, notes: Path, start: Path) -> str:
    """Run the command, and say how it ended."""
    variables = {
        recorder.ROOT: str(root),
        recorder.FOLDER: str(notes),
        recorder.LIMIT: str(limits.megabytes << 20),
    }
    return run_command(root, command, limits.seconds, start, variables)
