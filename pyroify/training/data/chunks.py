"""Tables that are larger than memory, read chunk by chunk in each epoch."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import Abort, first_line
from .files import Array, refusing_to_read
from .rows import Rows, as_rows
from .sources import Source
from .streams import Stream

CHUNK = 65_536
"""So many lines are read at once; within them the order is one of chance."""


@dataclass(frozen=True)
class Chunks:
    """Batches of a table's numbers, of shape [rows, columns]; ``read`` gives whole chunks.

    ``kept`` tells of each row of the table whether it is one of these, None for all.
    """

    read: Callable[[], Iterator[Array]]
    batch_size: int
    shuffle: bool = True
    kept: Array | None = None

    def __iter__(self) -> Iterator[Array]:
        seed = int(torch.empty((), dtype=torch.int64).random_())
        dice = np.random.default_rng(seed)  # one seed for all, as if no step came between
        start = 0
        for chunk in self.read():
            rows = chunk if self.kept is None else chunk[self.kept[start : start + len(chunk)]]
            start += len(chunk)
            if self.shuffle:
                rows = dice.permutation(rows)
            for first in range(0, len(rows), self.batch_size):
                yield rows[first : first + self.batch_size]

    def only(self, numbers: Tensor, count: int, shuffle: bool) -> Chunks:
        """Those rows of the ``count`` that there are."""
        kept = np.zeros(count, bool)
        kept[numbers.numpy()] = True
        return replace(self, kept=kept, shuffle=shuffle)


def stream_table(
    path: Path,
    inputs: tuple[str, ...],
    targets: tuple[str, ...],
    batch_size: int,
    *,
    size: int = 0,
    **kind: Any,
) -> Rows:
    """The rows of a ``.csv`` or ``.parquet`` file, of which no more than a chunk is in memory.

    Without ``inputs``, all columns but the targets; without ``size``, the rows are counted first.
    """
    is_csv = path.suffix == ".csv"
    header, count = csv_header(path) if is_csv else parquet_facts(path)
    inputs = inputs or tuple(name for name in header if name not in targets)
    for name in (*inputs, *targets):
        if name not in header:
            raise Abort(2, f"{path} has no column {name!r}; it has {header}")
    names = (*inputs, *targets)
    read = (
        partial(csv_chunks, path, header, names) if is_csv else partial(parquet_chunks, path, names)
    )
    size = size or count or csv_length(path)
    if not size:
        raise Abort(2, f"{path} has no rows")
    chunks = Chunks(read, batch_size)

    def rows_of(values: Array) -> Rows:
        parts = values[:, : len(inputs)], values[:, len(inputs) :]
        return as_rows([parts[0]], parts[1], columns=inputs, **kind)

    return Stream(
        name=str(path),
        loader=chunks,
        read=rows_of,
        refusing=Source(str(path)).refusing,
        size=size,
        dataset=chunks,
    )


def csv_header(path: Path) -> tuple[list[str], int]:
    """The names of its columns; how many rows it has is not known."""
    with (
        refusing_to_read(path, "a .csv file in UTF-8"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        header = next(csv.reader(file), [])
    if not header:
        raise Abort(2, f"{path} is empty")
    return header, 0


def csv_length(path: Path) -> int:
    """How many rows it has: its lines that are not empty, but for the header."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip()) - 1


def csv_chunks(path: Path, header: list[str], names: tuple[str, ...]) -> Iterator[Array]:
    """The named columns, chunk by chunk."""
    columns = [header.index(name) for name in names]
    at = 2
    with path.open(newline="", encoding="utf-8-sig") as file:
        next(file)
        while lines := list(islice(file, CHUNK)):
            filled = [line for line in lines if line.strip()]
            try:
                if filled:
                    yield np.loadtxt(
                        filled,
                        delimiter=",",
                        quotechar='"',
                        comments=None,
                        usecols=columns,
                        ndmin=2,
                    )
            except ValueError as error:
                where = f"lines {at} to {at + len(lines) - 1}"
                raise Abort(2, f"{path}, {where}: {first_line(error)}") from error
            at += len(lines)


def parquet_facts(path: Path) -> tuple[list[str], int]:
    """The names of its columns, and how many rows it has."""
    with refusing_to_read(path, "a .parquet file"):
        from pyarrow import parquet

        file = parquet.ParquetFile(path)
    return list(file.schema_arrow.names), file.metadata.num_rows


def parquet_chunks(path: Path, names: tuple[str, ...]) -> Iterator[Array]:
    """The named columns, chunk by chunk."""
    from pyarrow import parquet

    for batch in parquet.ParquetFile(path).iter_batches(CHUNK, columns=list(names)):
        columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
        numbers = [column.to_numpy(zero_copy_only=False) for column in columns]
        yield np.stack(numbers, axis=1).astype(float)
