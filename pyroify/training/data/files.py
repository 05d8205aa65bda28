"""Files of numbers: tables (.csv, .parquet) and arrays (.npz, .npy)."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

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
    """The columns of a table by their names; ``cells`` gives those of one, as they are."""

    def __init__(self, path: Path, columns: Mapping[str, Any]):
        self.path = path
        self.columns = columns

    def all_but(self, *names: str) -> tuple[str, ...]:
        """The names of the other columns."""
        return tuple(name for name in self.columns if name not in names)

    def pick(self, *names: str) -> Array:
        """The named columns as numbers, of shape [rows, columns]."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            why = f"has no column {missing[0]!r}; it has {list(self.columns)}"
            raise Abort(2, f"{self.path} {why}")
        return np.array([self.numbers(name) for name in names]).T

    def numbers(self, name: str) -> list[float]:
        """The numbers of one column; an empty cell becomes NaN."""
        numbers = []
        for line, cell in enumerate(self.columns[name], start=2):
            try:
                numbers.append(float(cell or "nan"))
            except ValueError:
                where = f"{self.path}, line {line}, column {name!r}"
                why = f"{cell!r} is not a number; svi.data.inputs may leave it out"
                raise Abort(2, f"{where}: {why}") from None
        return numbers


def read_csv(path: Path) -> Table:
    """A comma-separated file with a header line."""
    with (
        refusing_to_read(path, "a .csv file in UTF-8"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        lines = list(csv.reader(file))
    while lines and not lines[-1]:
        lines.pop()  # an empty line at the end
    if not lines:
        raise Abort(2, f"{path} is empty")
    header, *lines = lines
    if len(set(header)) < len(header):
        raise Abort(2, f"{path} has a column twice; it has {header}")
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(header):
            wrong = f"{len(cells)} cells, the header has {len(header)}"
            raise Abort(2, f"{path}, line {number}: {wrong}")
    return Table(path, {name: [cells[i] for cells in lines] for i, name in enumerate(header)})


class Frame(Table):
    """A table that pandas holds."""

    def pick(self, *names: str) -> Array:
        """The named columns as numbers, of shape [rows, columns]."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            why = f"has no column {missing[0]!r}; it has {list(self.columns)}"
            raise Abort(2, f"{self.path} {why}")
        frame: Any = self.columns
        try:
            numbers: Array = frame[list(names)].to_numpy(dtype=float, copy=True)
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
    columns = {**read_csv(path).columns, **{name: each.tolist() for name, each in added.items()}}
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return out
