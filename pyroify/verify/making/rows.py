"""A few rows of the data that a spec trains on, as the input of its network."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pyroify.verify.making.guess import imported

_ROWS = 4


def rows_of(data: Mapping[str, Any]) -> list[Any] | dict[str, Any]:
    """The first rows of ``svi.data``; in the folder of the project.

    Raises what reading them raises, and ``ValueError`` where the section does not say enough.
    """
    source, shape = str(data.get("source", "synthetic")), data.get("shape")
    inputs = _inputs(data)
    kind = PurePath(source).suffix
    if kind == ".npz":
        with np.load(source) as arrays:
            found = {name: arrays[name][:_ROWS] for name in inputs or {"x": ""}}
    elif kind in (".csv", ".parquet"):
        found = _columns(_table(source, kind), data, inputs)
    elif ":" in source and not source.startswith("sklearn:"):
        return _returned(imported(source)())
    elif shape:
        return [f"float{[_ROWS, *row]}" for row in _shapes(shape)]
    else:
        raise ValueError(f"{source} has no rows to look at")
    tensors = {name: _tensor(value) for name, value in found.items()}
    if isinstance(data.get("inputs"), Mapping):
        return {argument: tensors[name] for name, argument in inputs.items()}
    return list(tensors.values())


def _inputs(data: Mapping[str, Any]) -> dict[str, str]:
    """The arrays or columns that are inputs, each with the argument that it goes to, if said."""
    match data.get("inputs"):
        case str() as name:
            return {name: ""}
        case Mapping() as named:
            return {str(column): str(argument) for argument, column in named.items()}
        case list() as names:
            return dict.fromkeys(map(str, names), "")
    return {}


def _shapes(shape: Any) -> list[list[int]]:
    return shape if isinstance(shape[0], list) else [shape]


def _table(source: str, kind: str) -> dict[str, np.ndarray[Any, Any]]:
    """The columns of a table, by name."""
    if kind == ".parquet":
        import pyarrow.parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]

        read = pyarrow.parquet.read_table(source).slice(0, _ROWS)
        return {name: read[name].to_numpy() for name in read.column_names}
    with open(source, newline="") as file:
        rows = list(islice(csv.DictReader(file), _ROWS))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def _columns(
    table: Mapping[str, np.ndarray[Any, Any]], data: Mapping[str, Any], inputs: Mapping[str, str]
) -> dict[str, np.ndarray[Any, Any]]:
    """The columns that are inputs: together, or each by itself where arguments have names."""
    if isinstance(data.get("inputs"), Mapping):
        return {name: table[name] for name in inputs}
    targets = data.get("targets", "y")
    others = {*([targets] if isinstance(targets, str) else targets), data.get("weights")}
    names = list(inputs) or [name for name in table if name not in others]
    return {"": np.stack([table[name] for name in names], axis=1)}


def _tensor(value: np.ndarray[Any, Any]) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(value))
    return tensor.float() if tensor.is_floating_point() else tensor


def _returned(made: Any) -> list[Any]:
    """The inputs of what a function returned: rows, a data set, a loader, or a data module."""
    if hasattr(made, "train_dataloader"):
        made = made.train_dataloader()
    if isinstance(made, tuple) and len(made) == 2:
        first = made[0]
    elif hasattr(made, "__getitem__") and hasattr(made, "__len__"):
        rows = [made[index][0] for index in range(min(_ROWS, len(made)))]
        first = torch.stack([torch.as_tensor(row) for row in rows])
    else:
        first = next(iter(made))[0][:_ROWS]
    parts: Iterable[Any] = first if isinstance(first, tuple | list) else [first]
    tensors = [torch.as_tensor(part)[:_ROWS] for part in parts]
    return [t.float() if t.is_floating_point() else t for t in tensors]
