"""Rows that a loader gives batch by batch: each epoch reads them again, and none are kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from ..checkpoints import State, random_state, set_random_state
from ..errors import Abort
from .rows import NONE, Rows, joined

MOST_KEPT = 4096
"""So many rows at most are in memory, to see what rows are like."""


@dataclass(frozen=True, kw_only=True)
class Stream(Rows):
    """All rows of a ``loader``, which are ``size``; ``read`` makes rows of one of its batches.

    ``name`` is where it comes from, and ``refusing`` says what fails there. ``dataset`` is what may
    be cut into parts, None where the loader is the project's own. ``changes`` are made to each
    batch, one after the other. Inputs and targets are those of its batches.
    """

    inputs: tuple[()] = ()
    targets: Any = None
    name: str
    loader: Any
    read: Callable[[Any], Rows]
    refusing: Callable[[], AbstractContextManager[None]]
    size: int
    dataset: Any = None
    changes: tuple[Callable[[Rows], Rows], ...] = ()

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Tensor | slice) -> Rows:
        if not isinstance(index, slice) or index.start:
            self.refuse("reads rows by their number")
        return self.known[index]

    def refuse(self, what: str) -> None:
        """Says of what needs more than batches how to have it."""
        why = f"{self.name} is read batch by batch, but the script {what}"
        raise Abort(2, f"{why}; set svi.data.stream: false, if the rows fit into memory")

    @property
    def args(self) -> tuple[Any, ...]:
        """No stream has all rows at once."""
        self.refuse("takes all rows at once")
        return ()

    @property
    def has_targets(self) -> bool:
        """Whether there is something to predict."""
        return self.known.has_targets

    @cached_property
    def known(self) -> Rows:
        """The first rows, as many as may be in memory; the random state stays."""
        state, own = random_state(), self.own_state()
        parts: list[Rows] = []
        for part in self.read_batches():
            parts.append(part)
            if part.uncut or sum(map(len, parts)) >= MOST_KEPT:
                break
        set_random_state(state)
        self.set_own_state(own)
        if not parts:
            raise Abort(2, f"{self.name}: the data has no rows")
        return joined(parts)

    def changed(self, change: Callable[[Rows], Rows]) -> Rows:
        """The rows after one more change of each batch."""
        stream = replace(self, changes=(*self.changes, change))
        if "known" in self.__dict__:
            stream.__dict__["known"] = change(self.known)  # and so need not be read again
        return stream

    def parted(self, order: Tensor, cuts: Sequence[int]) -> list[Rows]:
        """The rows in that order, cut in as many parts and one more; a loader's are one part."""
        if self.dataset is None:
            if cuts[-1]:
                hint = 'return {"train": ..., "test": ...} to keep some for the test'
                what = f"{self.name} is one loader, all of which is trained on"
                print(f"{what}; {hint}", file=sys.stderr)
            return [*(NONE for _ in cuts), self]
        *held, train = order.tensor_split(list(cuts))
        parts = [self.part(part, shuffle=False) if len(part) else NONE for part in held]
        return [*parts, self.part(train, shuffle=True)]

    def part(self, numbers: Tensor, shuffle: bool) -> Stream:
        """Those rows of the data set, or of the table."""
        if hasattr(self.dataset, "only"):
            chunks = self.dataset.only(numbers, self.size, shuffle)
            return replace(self, loader=chunks, dataset=None, size=len(numbers))
        subset = Subset(self.dataset, numbers.tolist())
        given = {"batch_size": self.loader.batch_size, "collate_fn": self.loader.collate_fn}
        loader = DataLoader(subset, shuffle=shuffle, **given)
        return replace(self, loader=loader, dataset=subset, size=len(numbers))

    def steps(self, size: int) -> int:
        """How many batches an epoch has, as far as is known."""
        try:
            return max(1, len(self.loader))
        except TypeError:
            return max(1, -(-self.size // (getattr(self.loader, "batch_size", None) or size)))

    def batches(self, size: int) -> Iterator[Rows]:
        """Those of the loader, of its own size."""
        return self.read_batches()

    def shuffled(self, size: int) -> Iterator[Rows]:
        """Those of the loader, in its own order."""
        return self.read_batches()

    def read_batches(self, skip: int = 0, state: State | None = None) -> Iterator[Rows]:
        """The batches of an epoch but the first, which are read in another random state.

        Samplers draw on the CPU.
        """
        with self.refusing(), torch.device("cpu"):
            given = iter(self.loader)
            for _ in range(skip):
                next(given, None)
        if state:
            set_random_state(state)
        while True:
            with self.refusing(), torch.device("cpu"):
                batch = next(given, self)
            if batch is self:
                return
            rows = self.read(batch)
            for change in self.changes:
                rows = change(rows)
            yield rows

    def own_state(self) -> State:
        """Of the loader: of its own generator, and all of one that can tell."""
        generator = getattr(self.loader, "generator", None)
        knows_where_it_is = hasattr(self.loader, "load_state_dict")  # as torchdata's does
        return {
            "generator": generator.get_state() if generator is not None else None,
            "loader": self.loader.state_dict() if knows_where_it_is else None,
        }

    def set_own_state(self, state: State) -> None:
        """Goes on from there."""
        if state["generator"] is not None:
            self.loader.generator.set_state(state["generator"])
        if state["loader"] is not None:
            self.loader.load_state_dict(state["loader"])
