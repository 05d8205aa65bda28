"""Converts a checkpoint in a child process, which builds the rewritten model to learn its keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyroify.verify import Target

_BOOTSTRAP = """\
import runpy, sys
sys.path.append(sys.argv.pop(1))
runpy.run_module("pyroify.checkpoint.child", run_name="__main__")
"""


class CheckpointError(Exception):
    """A checkpoint that cannot be converted; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to convert. ``target`` is the rewritten class below ``root``.

    ``inits`` says how values of constrained parameters are to be read, where not as they are:
    ``exp``, ``softplus`` or ``unconstrained``, by ``Class.path``.
    """

    root: Path
    target: Target
    old: Path
    inits: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written, by key.

    ``kept`` went as they are, ``constrained`` to their unconstrained values, ``random`` beside
    them. ``missing`` are keys of the model that the checkpoint does not have, ``surplus`` keys of
    the checkpoint that the model has no place for.
    """

    kept: tuple[str, ...]
    constrained: tuple[str, ...]
    random: tuple[str, ...]
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def convert_checkpoint(
    request: Request, new: Path, guide: Path, *, python: str = sys.executable
) -> Conversion:
    """Writes ``new``, which the rewritten class loads, and ``guide``.

    The latter holds the values of random parameters too, by site: the training script's guide can
    begin there. Neither may be there already. Raises CheckpointError; then nothing is written.
    """
    with TemporaryDirectory(prefix=".pyroify-", dir=new.parent) as folder:
        place = Path(folder)
        answer = _ask(request, place, python)
        if "error" in answer:
            raise CheckpointError(answer["error"])
        _put(place / "new.pt", new)
        try:
            _put(place / "guide.pt", guide)
        except CheckpointError:
            new.unlink()
            raise
    return Conversion(**{name: tuple(keys) for name, keys in answer.items()})


def _ask(request: Request, place: Path, python: str) -> dict[str, Any]:
    """Runs the child, which leaves ``new.pt`` and ``guide.pt`` in ``place``."""
    document = {**asdict(request), "root": str(request.root), "old": str(request.old.resolve())}
    (place / "request.json").write_text(json.dumps(document))
    package_folder = str(Path(__file__).resolve().parents[2])
    quiet = {"MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    child = subprocess.run(
        [python, "-c", _BOOTSTRAP, package_folder, str(place)],
        env={**os.environ, **quiet},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    answer = place / "answer.json"
    if answer.exists():
        return dict(json.loads(answer.read_text()))
    words = child.stderr.strip().rpartition("\n")[2]
    if "No module named 'torch'" in words or "No module named 'pyro'" in words:
        words = "torch and pyro-ppl are needed: pip install 'pyroify[run]'"
    raise CheckpointError(words or f"the child process ended with exit code {child.returncode}")


def _put(staged: Path, target: Path) -> None:
    """Gives a whole file its name, unless something has taken that meanwhile."""
    try:
        os.link(staged, target)
    except FileExistsError as error:
        raise CheckpointError(f"{target.name} is there already") from error
    except OSError:  # a file system without links
        if target.exists():
            raise CheckpointError(f"{target.name} is there already") from None
        staged.rename(target)
