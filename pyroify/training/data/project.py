"""What a project's own training script trains on: loaders, batches or whole arrays, made rows."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ..errors import Abort, first_line
from .rows import NONE, Parts, Rows, as_joined, as_rows
from .sources import Source, loaders_of
from .streams import Stream

RowsOf = Callable[[Any], tuple[Any, Any]]
"""Inputs and targets of a batch."""


def read_project(
    script: str,
    make: Callable[[], tuple[Mapping[str, Any], RowsOf | None]],
    stream: bool = True,
    **kind: Any,
) -> Rows | Parts:
    """The rows that ``make`` gives; split already where there are more parts than the training's.

    Loaders of several parts are read in each epoch, with their samplers and what is random in
    them. Rows of one part are read once, so that some can be kept for the test. ``script`` is what
    refusals call it, ``kind`` says what targets are, as for ``as_rows``.
    """
    with own_randomness(), torch.device("cpu"):
        given, rows_of = make()
        given = loaders_of(given["module"]) if "module" in given else given
        given = {n: part for n, part in given.items() if part is not None or n == "train"}
        if stream and len(given) == 1 and isinstance(given["train"], DataLoader):
            what = f"{script} has one loader: its rows are read once, to keep some for the test"
            print(f"{what}; what is random in them stays as it is then", file=sys.stderr)
        is_read_anew = stream and len(given) > 1
        read = {
            name: part
            if is_read_anew and isinstance(part, DataLoader)
            else read_batches(f"{script} ({name})", part, rows_of)
            for name, part in given.items()
        }
    parts = {
        name: rows_or_joined(f"{script} ({name})", found, isinstance(given[name], tuple), kind)
        if isinstance(found, tuple)
        else stream_of(f"{script} ({name})", found, rows_of, **kind)
        for name, found in read.items()
    }
    if len(parts) == 1:
        return parts["train"]
    return {"train": parts["train"], "validation": NONE, "test": NONE} | parts


def rows_or_joined(
    name: str, found: tuple[list[Tensor], Tensor], is_batch: bool, kind: Mapping[str, Any]
) -> Rows:
    """The rows, on the device; a batch that has several targets for each of its inputs stays one.

    The loss of the script is given them so: its network joins rows and positions.
    """
    inputs, targets = found
    lengths = {len(x) if x.dim() else 0 for x in inputs}
    if is_batch and len(lengths) == 1 and targets.dim() and len(targets) > (few := max(lengths)):
        if few and not len(targets) % few:
            seen = f"{name} has {len(targets)} targets for {few} inputs"
            print(f"{seen}: its network joins them, so they stay one batch", file=sys.stderr)
            return as_joined(inputs, targets, **kind)
    return as_rows(inputs, targets, **kind)


def stream_of(name: str, loader: Any, rows_of: RowsOf | None, **kind: Any) -> Stream:
    """The rows of a loader, read in each epoch."""

    def read(batch: Any) -> Rows:
        inputs, targets = rows_of(batch) if rows_of else batch
        return as_rows(list(map(detached, inputs)), detached(targets), **kind)

    source = Source(name, targets="y")
    return Stream(
        name=name, loader=loader, read=read, refusing=source.refusing, size=source.size_of(loader)
    )


@contextmanager
def own_randomness() -> Iterator[None]:
    """Seeds that are set within do not reach what comes after."""
    numbers, states = np.random.get_state(), random.getstate()
    with torch.random.fork_rng():
        yield
    np.random.set_state(numbers)
    random.setstate(states)


def read_batches(name: str, batches: Any, rows_of: RowsOf | None) -> tuple[list[Tensor], Tensor]:
    """All rows of a loader or of other batches, each once and in order; or those of one tuple."""
    if isinstance(batches, tuple):
        inputs, targets = batches
        return list(map(detached, inputs)), detached(targets)
    made = [rows_of(batch) if rows_of else batch for batch in in_order(batches)]
    if not made:
        raise Abort(2, f"{name}: the data has no rows")
    columns = zip(*(inputs for inputs, _ in made), strict=True)
    try:
        inputs = [torch.cat([detached(x) for x in column]) for column in columns]
        targets = torch.cat([detached(y) for _, y in made])
    except RuntimeError as error:
        why = f"batches do not stack, make their rows of one shape: {first_line(error)}"
        raise Abort(2, f"{name}: {why}") from error
    return inputs, targets


def in_order(batches: Any) -> Any:
    """The batches of a loader without its shuffling, and with the rows that it drops at its end."""
    if not isinstance(batches, DataLoader) or batches.batch_size is None:
        return batches
    if isinstance(batches.dataset, IterableDataset):
        return batches
    return DataLoader(batches.dataset, batch_size=batches.batch_size, collate_fn=batches.collate_fn)


def detached(values: Any) -> Tensor:
    """The values as a tensor of their own."""
    return torch.as_tensor(values).detach()


def some_inputs(rows: Rows | Parts, count: int) -> tuple[Tensor, ...]:
    """So many inputs, of the rows that there are."""
    train = (rows["train"] if isinstance(rows, dict) else rows).known
    if train.uncut:
        return train.inputs
    index = torch.randint(len(train), (count,), device="cpu")
    return tuple(x[index.to(x.device)] for x in train.inputs)
