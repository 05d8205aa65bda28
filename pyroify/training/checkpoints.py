"""Checkpoints that are whole at any time, and the random state that belongs to one."""

from __future__ import annotations

import os
import pickle
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .errors import Abort
from .ranks import is_helper, rank

State = dict[str, Any]

UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError)


def random_state() -> State:
    """Of all generators that training may draw from."""
    numpy: Any = np.random.get_state()
    device = torch.get_default_device()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": [numpy[0], numpy[1].tolist(), *numpy[2:]],
        "python": random.getstate(),
    }


def set_random_state(state: State) -> None:
    """Goes on drawing where ``random_state`` was read."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], torch.get_default_device())
    np.random.set_state(tuple(state["numpy"]))
    random.setstate(state["python"])


def set_seeds(seed: int) -> None:
    """Begins all generators anew."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def make_folder(path: Path) -> None:
    """The folder to write to, or a refusal."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"cannot write to {path}: {error.strerror}; choose --out"
        raise Abort(2, why) from error


def save(path: Path, state: State) -> None:
    """Puts a checkpoint in place as a whole, and keeps the one before it.

    Of several processes, the first alone does.
    """
    if rank() > 0:
        return
    new, before = path.with_suffix(".new"), path.with_suffix(".before.pt")
    with new.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        os.replace(path, before)
    os.replace(new, path)


def load(path: Path) -> State | None:
    """The checkpoint, or the one before where it is damaged; None if there is none."""
    is_damaged = False
    for candidate in (path, path.with_suffix(".before.pt")):
        if not candidate.exists():
            continue
        try:
            state: State = torch.load(candidate, map_location="cpu", weights_only=True)
            return state
        except UNREADABLE:
            is_damaged = True
            print(f"{candidate} is damaged", file=sys.stderr)
    if is_damaged:
        raise Abort(2, "no whole checkpoint is left; start again with --resume never")
    return None


def trained(out: Path, choose: str = "last") -> State:
    """The last checkpoint, or the "best" by validation, where there is one."""
    state = (load(out / "best.pt") if choose == "best" else None) or load(out / "last.pt")
    if state is None:
        raise Abort(2, f"nothing is trained in {out} yet")
    return state


def resumed(out: Path, resume: str, about: State) -> State | None:
    """The checkpoint to go on from; None to begin anew, for which old files are cleared away.

    ``resume`` is "auto", "never" or the path of a checkpoint. Refuses one of another run.
    """
    make_folder(out)
    is_path = resume not in ("auto", "never")
    path = Path(resume) if is_path else out / "last.pt"
    state = None if resume == "never" else load(path)
    if state:
        check_same(state["about"], about, path)
        return state
    if is_path:
        raise Abort(2, f"there is no checkpoint {path}")
    if not is_helper():
        for pattern in ("*.pt", "metrics.jsonl"):
            for old in out.glob(pattern):
                old.unlink()
    return None


def check_same(saved: State, now: State, path: Path) -> None:
    """Refuses to go on with other settings, data or sites than the checkpoint's."""
    other = [name for name in ("data", "sites") if saved[name] != now[name]]
    settings = now["settings"].items()
    other += [name for name, value in settings if saved["settings"].get(name) != value]
    if other:
        why = f"{path} was made with other {', '.join(other)}"
        raise Abort(2, f"{why}; use --resume never, or another --out")
