"""What `pyroify undo` has to say: the runs that are kept, and what became of the last one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyroify.history import Run
from pyroify.project import from_here
from pyroify.report.text import count, printable
from pyroify.undo import Undone


def render_runs(runs: Iterable[Run], root: Path, *, verbose: bool = False) -> str:
    """A line for each run, the last one first; its files too where they are asked for."""
    lines = []
    for run in runs:
        time = run.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        lines.append(f"{run.number}  {time}  {count(len(run.files), 'file')}")
        if verbose:
            lines += [f"    {_shown(root, file.path)}" for file in run.files]
    return "".join(f"{line}\n" for line in lines)


def render_undone(undone: Undone, root: Path) -> str:
    """What is as it was before the run."""
    lines = [f"restored {_shown(root, path)}\n" for path in undone.restored]
    run = f"run {undone.run.number}"
    if not lines:
        return f"nothing to restore: every file of {run} is as it was before it\n"
    return "".join(lines) + f"took back {run}: {count(len(lines), 'file')} restored\n"


def _shown(root: Path, path: str) -> str:
    return printable(str(from_here(root / path)))
