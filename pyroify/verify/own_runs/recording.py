"""Runs a command of the user's on a copy of his project, under the recorder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pyroify.verify.model import Build, Target
from pyroify.verify.own_runs import recorder
from pyroify.verify.own_runs.command import run_command

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


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run of the project's own noted. ``ended`` says how the run itself came out.

    ``builds`` are the files of each class, by path and qualified name: how it was built, with the
    calls. ``lost`` says of classes why something could not be noted.
    """

    ended: str
    builds: Mapping[tuple[str, str], tuple[tuple[str, tuple[str, ...]], ...]]
    lost: Mapping[tuple[str, str], str]

    def build_of(self, target: Target) -> Build:
        """How to build a class: as the run did it, if it did."""
        key = (target.path, target.qualname)
        made = self.builds.get(key, ())
        lost = "" if made else self.lost.get(key, "the run did not build it")
        return replace(target.build, recorded=made, unrecorded=lost)


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
        yield _read(notes, ended)


def _run(root: Path, command: Sequence[str], limits: RunLimits, notes: Path, start: Path) -> str:
    """Run the command, and say how it ended."""
    variables = {
        recorder.ROOT: str(root),
        recorder.FOLDER: str(notes),
        recorder.LIMIT: str(limits.megabytes << 20),
    }
    return run_command(root, command, limits.seconds, start, variables)


def _read(notes: Path, ended: str) -> Recording:
    builds: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    lost: dict[tuple[str, str], str] = {}
    index = notes / recorder.INDEX
    lines = index.read_text().split("\n") if index.exists() else []
    for line in filter(None, lines):
        entry = json.loads(line)
        key = (entry["path"], entry["qualname"])
        if not entry["note"]:
            lost.setdefault(
                key, f"the {entry['kind']} in the run cannot be noted: {entry['reason']}"
            )
        elif entry["kind"] == "build":
            builds.setdefault(key, {}).setdefault(entry["note"], {})
        else:
            builds.setdefault(key, {}).setdefault(entry["built"], {})[entry["note"]] = None

    def file(note: str) -> str:
        return str(notes / note)

    return Recording(
        ended,
        {
            # Those with most calls first: they show most.
            key: tuple(
                (file(build), tuple(map(file, calls)))
                for build, calls in sorted(made.items(), key=lambda item: -len(item[1]))
            )
            for key, made in builds.items()
        },
        lost,
    )
