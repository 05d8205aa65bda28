"""What surrounds an ensemble: networks that are fitted one by one, each from a start of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import torch

from ..checkpoints import check_same, load, own_folder, save
from ..errors import Abort
from ..progress import stop_signals
from ..run import Run
from .guides import Members
from .objectives import Objective
from .point import without_part


def members_left(objective: Objective, run: Run, count: int) -> Iterator[Run]:
    """The runs of the members that are still to be fitted, each with a seed of its own.

    Each leaves a part of the rows of its own to validate on, unless there are rows for that.
    Each member is kept when it is done; a run that is stopped goes on with the next one.
    """
    flags = run.flags
    if flags.resume not in ("auto", "never"):
        raise Abort(2, "an ensemble cannot go on from a file; use --resume auto or never")
    members: Any = objective.guide
    assert isinstance(members, Members)
    last = flags.out / "last.pt"
    with own_folder(flags.out), stop_signals() as stop:
        before = load(last) if flags.resume == "auto" else None
        if before:
            check_same(before["about"], run.about, last)
            members.set_extra_state(before["parameters"]["guide._extra_state"])
            print(f"going on after member {len(members)}", file=sys.stderr)
        run.write_facts()
        for number in range(len(members), count):
            yield without_part(run, number, count)
            if stop:
                raise Abort(130, "stopped; the same command goes on with the next member")
            save(last, {"about": run.about, "parameters": objective.state_dict()})
            print(f"member {number + 1}/{count}", file=sys.stderr)


def keep_member(objective: Objective, model: torch.nn.Module, point: Any) -> None:
    """Adds a network that was fitted: the values of its latents, and what is plain beside them."""
    members: Any = objective.guide
    with torch.no_grad():
        draw = {name: value.clone() for name, value in point().items()}
    members.add(draw, {name: value.clone() for name, value in model.state_dict().items()})
