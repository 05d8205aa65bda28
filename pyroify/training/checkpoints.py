"""Checkpoints that are whole at any time, and the random state that belongs to one."""

from __future__ import annotations

import errno
import os
import pickle
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from .errors import Abort, first_line
from .ranks import is_helper, rank

State = dict[str, Any]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNWRITABLE = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors that a user can do something about: no room left, or no right to write."""

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
        raise Abort(2, unwritable(path, error)) from error


def unwritable(path: Path, error: OSError) -> str:
    """What to do about a folder that cannot be written to."""
    hint = "make room there, or choose --out" if error.errno in FULL else "choose --out"
    return f"cannot write to {path}: {error.strerror}; {hint}"


@contextmanager
def own_folder(path: Path) -> Iterator[None]:
    """Writes to the folder alone: refuses while another run does, which would mix the two.

    Of several processes of one run, the first alone asks.
    """
    make_folder(path)
    if is_helper():
        yield
        return
    lock = FileLock(path / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        why = f"another run writes to {path}; wait for it, or choose another --out"
        raise Abort(2, why) from error
    except OSError as error:
        raise Abort(2, unwritable(path, error)) from error
    try:
        yield
    finally:
        lock.release()


def save(path: Path, state: State) -> None:
    """Puts a checkpoint in place as a whole, and keeps the one before it.

    Of several processes, the first alone does.
    """
    if rank() > 0:
        return
    new, before = path.with_suffix(".new"), path.with_suffix(".before.pt")
    try:
        with new.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:  # torch calls a full disk a RuntimeError
        new.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or first_line(error)
        kept = "; the checkpoint before is kept" if path.exists() else ""
        hint = "make room there, or choose --out"
        raise Abort(2, f"cannot write {path}: {why}{kept}; {hint}") from error
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
        except UNREADABLE:
            is_damaged = True
            print(f"{candidate} is damaged", file=sys.stderr)
            continue
        if not (isinstance(state, dict) and {"about", "parameters"} <= state.keys()):
            why = "is no checkpoint of a training script"
            raise Abort(2, f"{candidate} {why}; move it away, or choose another --out")
        return state
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
        epochs = about["settings"].get("--epochs", 0)
        if 0 < epochs < state.get("done", 0):
            raise Abort(2, f"{path} has seen {state['done']} epochs, more than --epochs {epochs}")
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
    other = [name for name in ("data", "sites") if saved.get(name) != now[name]]
    before, settings = saved.get("settings", {}), now["settings"].items()
    other += [name for name, value in settings if not may_follow(name, before.get(name), value)]
    if other:
        why = f"{path} was made with other {', '.join(other)}"
        raise Abort(2, f"{why}; use --resume never, or another --out")


def may_follow(name: str, before: Any, now: Any) -> bool:
    """Whether a run may go on with this setting: with the same, or with more epochs."""
    return bool(before == now or (name == "--epochs" and before is not None and now > before))
