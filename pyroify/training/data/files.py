"""Files of numbers: tables (.csv, .parquet) and arrays (.npz, .npy)."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import Abort, first_line

Array = np.ndarray[Any, Any]


@contextmanager
def refusing_to_read(path: Path, wanted: str) -> Iterator[None]:
    """Says of a file that cannot be read what is wrong with it."""
    try:
        yield
    except ImportError as error:
        why = "a .parquet file needs pandas and pyarrow: pip install pandas pyarrow"
        raise Abort(2, why) from error
    except OSError as error:
        why = f"{error.strerror or first_line(error)}; is the path right?"
        raise Abort(2, f"cannot read {path}: {why}") from error
    except (EOFError, TypeError, ValueError, csv.Error, zipfile.BadZipFile) as error:
        raise Abort(2, f"{path} is not {wanted}") from error


class Table:
    """A file with named columns; the header alone is in memory."""

    def __init__(self, path: Path, columns: Any):
        self.path = path
        self.columns = columns

    def all_but(self, *names: str) -> tuple[str, ...]:
        """The names of the other columns."""
        return tuple(name for name in self.columns if name not in names)

    def pick(self, *names: str) -> Array:
        """The named columns as numbers, of shape [rows, columns]; an empty cell becomes NaN."""
        self.refuse_missing(names)
        places = [self.columns.index(name) for name in names]
        numbers = np.empty((0, len(names)), torch.empty(0).numpy().dtype)
        for number, lines in csv_lines(self.path, self.columns):
            cells = [[line[i] for i in places] for line in lines]
            grown = (len(numbers) + len(lines), len(names))
            numbers.resize(grown, refcheck=False)  # where it lies: never twice in memory
            numbers[-len(lines) :] = numbers_of(self.path, number, cells, names)
        return numbers

    def refuse_missing(self, names: Sequence[str]) -> None:
        """Says of the first column that is not there what there is."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            why = f"has no column {missing[0]!r}; it has {list(self.columns)}"
            raise Abort(2, f"{self.path} {why}")


LINES = 10_000
"""So many lines are in memory as text."""


def csv_lines(path: Path, header: Sequence[str]) -> Iterator[tuple[int, list[list[str]]]]:
    """The cells of the lines behind the header, chunk by chunk, with the first one's number."""
    blank, first, lines = 0, 2, []
    for number, cells in enumerate(csv_cells(path), start=1):
        if number == 1:
            continue
        if not cells:
            blank = blank or number
            continue
        if blank or len(cells) != len(header):  # there may be empty lines at the end
            wrong = f"{0 if blank else len(cells)} cells, the header has {len(header)}"
            raise Abort(2, f"{path}, line {blank or number}: {wrong}")
        lines.append(cells)
        if len(lines) == LINES:
            yield first, lines
            first, lines = number + 1, []
    if lines:
        yield first, lines


def csv_cells(path: Path) -> Iterator[list[str]]:
    """The cells of each line."""
    with (
        refusing_to_read(path, "a .csv file in UTF-8"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        yield from csv.reader(file)


def numbers_of(
    path: Path, number: int, lines: Sequence[Sequence[str]], names: Sequence[str]
) -> Array:
    """The numbers in cells of the named columns, the first line of which has that number."""
    dtype = torch.empty(0).numpy().dtype
    try:
        return np.array(lines, dtype)
    except ValueError:  # a cell is empty, or no number
        rows = [
            [cell_number(path, line, name, cell) for name, cell in zip(names, cells, strict=True)]
            for line, cells in enumerate(lines, start=number)
        ]
        return np.array(rows, dtype)


def cell_number(path: Path, line: int, name: str, cell: str) -> float:
    """The number in a cell."""
    try:
        return float(cell or "nan")
    except ValueError:
        where = f"{path}, line {line}, column {name!r}"
        why = f"{cell!r} is not a number; svi.data.inputs may leave it out"
        raise Abort(2, f"{where}: {why}") from None


def read_csv(path: Path) -> Table:
    """A comma-separated file with a header line."""
    header = next(csv_cells(path), [])
    if not header:
        raise Abort(2, f"{path} is empty")
    if len(set(header)) < len(header):
        raise Abort(2, f"{path} has a column twice; it has {header}")
    return Table(path, header)


class Frame(Table):
    """A table that pandas holds."""

    def pick(self, *names: str) -> Array:
        """The named columns as numbers, of shape [rows, columns]."""
        self.refuse_missing(names)
        try:
            numbers: Array = self.columns[list(names)].to_numpy(dtype=float, copy=True)
        except (TypeError, ValueError) as error:
            why = f"{first_line(error)}; encode it, or leave it out"
            raise Abort(2, f"{self.path}: {why}") from error
        return numbers


def read_parquet(path: Path) -> Table:
    """A Parquet file; the columns that are used hold numbers."""
    with refusing_to_read(path, "a .parquet file"):
        import pandas

        return Frame(path, pandas.read_parquet(path))


def read_archive(path: Path, *names: str) -> list[Array]:
    """The named arrays of an ``.npz`` file, which may hold others too."""
    with refusing_to_read(path, "an .npz file of numbers"), np.load(path) as archive:
        missing = [name for name in names if name not in archive.files]
        if missing:
            raise Abort(2, f"{path} has no array {missing[0]!r}; it has {archive.files}")
        return [archive[name] for name in names]


def read_arrays(path: Path) -> list[Array]:
    """A ``.npy`` file, or an ``.npz`` with one array per input."""
    with refusing_to_read(path, "a .npy or .npz file of numbers"):
        loaded = np.load(path)
        return [loaded] if isinstance(loaded, np.ndarray) else list(loaded.values())


def write_table(path: Path, added: Mapping[str, Array], folder: Path) -> Path:
    """Writes the table at ``path`` with more columns, as a file ``predictions`` of its own kind.

    What came in stays as it is, whether or not it was used, so that its rows can be told.
    """
    out = folder / f"predictions{path.suffix}"
    if path.suffix == ".parquet":
        frame: Any = read_parquet(path).columns
        frame.assign(**added).to_parquet(out)
        return out
    header = read_csv(path).columns
    kept = [place for place, name in enumerate(header) if name not in added]
    more = zip(*(column.tolist() for column in added.values()), strict=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(header[place] for place in kept), *added])
        for _, lines in csv_lines(path, header):
            for cells in lines:
                writer.writerow([*(cells[place] for place in kept), *next(more)])
    return out
