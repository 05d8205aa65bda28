"""Several processes, one per device, started by torchrun; one process alone is the usual case."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import distributed

from .errors import Abort


def rank() -> int:
    """The number of this process in its group."""
    return distributed.get_rank() if _is_group() else 0


def ranks() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _is_group() else 1


def _is_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def is_helper() -> bool:
    """Whether this is not the first of the processes that were started together."""
    return (os.environ.get("RANK") or os.environ.get("LOCAL_RANK", "0")) != "0"


def refuse_several() -> None:
    """Refuses to be one of several processes."""
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise Abort(2, "this script trains in one process; see svi.devices in the spec")


def join_ranks(device: str) -> None:
    """Makes the processes that torchrun started one group, each with its own device."""
    # Before the group is there, or its defaults keep it for ever.
    import torch.distributed.nn

    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        distributed.init_process_group("gloo" if device == "cpu" else "nccl")


def leave_ranks() -> bool:
    """Ends the group; whether this process was the first."""
    is_first = rank() == 0
    if ranks() > 1:
        distributed.barrier()  # or gloo may abort the last one that leaves
        distributed.destroy_process_group()  # with its threads
    return is_first


def mean_over_ranks(*values: float) -> list[float]:
    """The means, the same on every rank."""
    if ranks() == 1:
        return [float(value) for value in values]
    total = torch.tensor(values, dtype=torch.float64)
    distributed.all_reduce(total)
    means: list[float] = (total / ranks()).tolist()
    return means


def gather(value: Any) -> list[Any]:
    """The value of each rank."""
    values = [value] * ranks()
    if ranks() > 1:
        distributed.all_gather_object(values, value)
    return values
