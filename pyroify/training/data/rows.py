"""Rows of inputs and targets: made of arrays, refused where they are bad, split and scaled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import Abort
from .trees import Form, flatten, part_names, unflatten


@dataclass(frozen=True)
class Rows:
    """Inputs and their targets, each of shape [rows, ...], and weights, of shape [rows], if any.

    ``columns`` names the columns of the one input where it comes from a table. ``form`` says how
    the inputs go to a model that does not take them one by one. Targets of shape [rows, 0]: there
    are none, the likelihood is one that looks at the inputs alone. ``uncut``: they are one batch,
    of which no part can be taken.
    """

    inputs: tuple[Tensor, ...]
    targets: Tensor
    weights: Tensor | None = None
    columns: tuple[str, ...] = ()
    form: Form = None
    uncut: bool = False

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: Tensor | slice) -> Rows:
        if self.uncut:
            return self
        weights = None if self.weights is None else self.weights[index]
        inputs = tuple(x[index] for x in self.inputs)
        return replace(self, inputs=inputs, targets=self.targets[index], weights=weights)

    @property
    def known(self) -> Rows:
        """Those that are in memory, to see what rows are like: all of them."""
        return self

    def batches(self, size: int) -> Iterator[Rows]:
        """In their order."""
        for start in range(0, len(self) if not self.uncut else 1, size):
            yield self[start : start + size]

    def shuffled(self, size: int) -> Iterator[Rows]:
        """The batches of an epoch, by chance."""
        for index in torch.randperm(len(self), device="cpu").split(self.batch_of(size)):
            yield self[index]

    def batch_of(self, size: int) -> int:
        """How many rows a batch has, for which ``size`` are asked."""
        return len(self) if self.uncut else size

    def steps(self, size: int) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self) / self.batch_of(size))

    def changed(self, change: Callable[[Rows], Rows]) -> Rows:
        """The rows after a change of each."""
        return change(self)

    def parted(self, order: Tensor, cuts: Sequence[int]) -> list[Rows]:
        """The rows in that order, cut in as many parts and one more; no array of the caller's."""
        if self.uncut:
            return [*(NONE for _ in cuts), self]
        rows = self.reordered(order) if self.columns else self[order]
        ends = (0, *cuts, len(order))
        return [rows[start:end] for start, end in pairwise(ends)]

    def reordered(self, order: Tensor) -> Rows:
        """The rows in that order, where they lie: a table's, which nobody else has."""
        for values in (*self.inputs, *self.given.values()):
            for column in values.unbind(1) if values.dim() == 2 else (values,):
                column.copy_(column[order])  # one at a time: never all of them twice
        return self

    @property
    def args(self) -> tuple[Any, ...]:
        """What a model takes by position."""
        return self.inputs if self.form is None else unflatten(self.form, self.inputs)

    @property
    def has_targets(self) -> bool:
        """Whether there is something to predict."""
        return self.targets.shape[1:] != (0,)

    @property
    def given(self) -> dict[str, Tensor]:
        """What a model takes by name."""
        if not self.has_targets:
            return {}
        if self.weights is None:
            return {"targets": self.targets}
        return {"targets": self.targets, "weights": self.weights}


NONE = Rows((), torch.zeros(0))
"""A part without rows."""

Parts = dict[str, Rows]
"""Rows by the name of their part: "train", "validation" and "test"."""


def as_rows(
    inputs: Iterable[Any],
    targets: Any,
    weights: Any = None,
    *,
    columns: tuple[str, ...] = (),
    labels: bool = False,
    may_be_nan: bool = False,
) -> Rows:
    """Rows of arrays; targets are whole numbers where they are ``labels``.

    Raises Abort for what is not numbers, not finite, or of different lengths.
    """
    tensors = as_inputs(inputs)
    values = as_tensor(targets, "targets", may_be_nan)
    if labels:
        if (values.long() != values).any():
            raise Abort(2, "targets: class labels must be whole numbers")
        values = values.long()
    else:
        values = values.to(torch.get_default_dtype())
    if values.dim() == 2 and values.shape[1] == 1:
        values = values.squeeze(1)
    if weights is None:
        check_lengths(*tensors, values)
        return Rows(tensors, values, columns=columns)
    weighing = as_tensor(weights, "weights").to(torch.get_default_dtype()).flatten()
    if (weighing <= 0).any():
        raise Abort(2, "weights must be positive; leave out rows that do not count")
    check_lengths(*tensors, values, weighing)
    return Rows(tensors, values, weighing, columns)


def as_batch(batch: Any, count: str = "") -> Rows:
    """Rows in the project's own form, which go to a model as they are: as one batch.

    ``count`` is the name of what in a batch says how many rows it has: a number, or a mask.
    """
    parts, form = flatten(batch)
    if not parts:
        raise Abort(2, "the data has no rows")
    names = part_names(form)
    kept = [as_part(part, name, None) for part, name in zip(parts, names, strict=True)]
    uncut = bool(count) or not all(map(is_plain, kept))
    if count:
        rows = int(torch.as_tensor(named(batch, count)).sum())
    elif uncut:
        rows = next((size for size in map(own_size, kept) if size), 0)
        if not rows:
            kind = type(kept[0]).__name__
            raise Abort(2, f"a {kind} has no batch_size; svi.data.count names what counts rows")
    else:
        check_lengths(*kept)
        rows = len(kept[0])
    return Rows(tuple(kept), torch.zeros(rows, 0), form=(form,), uncut=uncut)


def own_size(part: Any) -> int:
    """How many rows an object says that it has; 0 where it does not."""
    if isinstance(part, Tensor):
        return 0 if is_plain(part) else part.size(0)
    return int(getattr(part, "batch_size", 0) or 0)


def is_plain(part: Any) -> bool:
    """Whether it is a tensor of rows of one shape, which can be cut and scaled."""
    return isinstance(part, Tensor) and not part.is_nested


def named(batch: Any, name: str) -> Any:
    """What a mapping, or an object, has under that name."""
    if isinstance(batch, Mapping):
        if name in batch:
            return batch[name]
    elif hasattr(batch, name):
        return getattr(batch, name)
    has = f"; it has {list(batch)}" if isinstance(batch, Mapping) else ""
    raise Abort(2, f"no {name!r} in a {type(batch).__name__}{has}")


def as_part(part: Any, name: str, may_be_nan: bool | None = False) -> Any:
    """A tensor, but of what is neither an array nor text, or of rows of many shapes: that."""
    if isinstance(part, Tensor) and part.is_nested:
        return part
    is_plain = isinstance(part, Tensor | np.ndarray | np.generic | bool | int | float | str | bytes)
    if part is None or is_plain or hasattr(part, "__array__"):
        return as_tensor(part, name, may_be_nan)
    return part


def as_one_batch(rows: Rows) -> Rows:
    """Inputs and targets together, as one batch."""
    if not rows.has_targets:
        return rows
    return as_batch((*rows.args, rows.targets))


def as_kept(inputs: Sequence[Any], targets: Any, **kind: Any) -> Rows:
    """Rows whose inputs go to the network in the form that they have."""
    parts, form = flatten(tuple(inputs))
    kept = [as_part(part, name) for part, name in zip(parts, part_names(form), strict=True)]
    if all(map(is_plain, kept)):
        return replace(as_rows(kept, targets, **kind), form=form)
    rows = as_rows([targets], targets, **kind)  # an object has as many rows as its targets
    return replace(rows, inputs=tuple(kept), form=form, uncut=True)


def as_joined(inputs: Sequence[Any], targets: Any, **kind: Any) -> Rows:
    """One batch of inputs whose rows and positions the network makes rows of, as targets are."""
    rows = as_rows([targets], targets, **kind)
    return beside(as_inputs(inputs), rows.targets)


def beside(
    inputs: tuple[Tensor, ...], targets: Tensor, weights: Tensor | None = None, form: Form = None
) -> Rows:
    """Rows of tensors; one batch, where there are not as many targets as inputs."""
    uncut = any(len(x) != len(targets) for x in inputs)
    return Rows(inputs, targets, weights, form=form, uncut=uncut)


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows of several batches."""
    first = parts[0]
    if first.uncut or len(parts) == 1:
        return first
    inputs = tuple(map(torch.cat, zip(*(part.inputs for part in parts), strict=True)))
    return replace(first, inputs=inputs, targets=torch.cat([part.targets for part in parts]))


def as_inputs(arrays: Iterable[Any], names: Sequence[str] = ()) -> tuple[Tensor, ...]:
    """Inputs of a network as tensors; ``names`` are what a refusal calls them."""
    called = chain(names, (f"input {i}" for i in count(len(names))))
    return tuple(as_tensor(array, name) for array, name in zip(arrays, called, strict=False))


def as_tensor(values: Any, name: str, may_be_nan: bool | None = False) -> Tensor:
    """The values as a tensor: of bool, of int64 for whole numbers, else of the default dtype.

    ``may_be_nan`` None: they may be infinite too.
    """
    try:
        tensor = torch.as_tensor(values, device=torch.get_default_device())
    except (TypeError, ValueError, RuntimeError) as error:
        kind = getattr(values, "dtype", type(values).__name__)
        raise Abort(2, f"{name}: {kind} are not numbers; encode them as such") from error
    if tensor.is_complex() or not tensor.dim():
        why = "complex numbers" if tensor.is_complex() else "one number"
        raise Abort(2, f"{name}: {why} cannot be used; give rows of real numbers")
    if not tensor.is_floating_point():
        return tensor if tensor.dtype == torch.bool else tensor.long()
    if may_be_nan is None or is_finite(tensor):
        return tensor.to(torch.get_default_dtype())
    bad = ~tensor.isfinite() & ~(may_be_nan & tensor.isnan())
    if bad.any():
        first = tuple(bad.nonzero()[0].tolist())
        count = f"NaN or infinite values: {int(bad.sum())}, the first at index {first}"
        raise Abort(2, f"{name}: {count}; remove or fill those rows")
    return tensor.to(torch.get_default_dtype())


def is_finite(values: Tensor) -> bool:
    """Whether all are; takes no memory of their size."""
    return not values.numel() or all(end.isfinite() for end in torch.aminmax(values))


def check_lengths(*tensors: Tensor) -> None:
    """Refuses tensors that do not have the same number of rows, or none."""
    lengths = [len(x) for x in tensors]
    if len(set(lengths)) > 1:
        raise Abort(2, f"inputs and targets differ in their number of rows: {lengths}")
    if not lengths[0]:
        raise Abort(2, "the data has no rows")


def split(rows: Rows | Parts, seed: int, test: float = 0.0, validation: float = 0.0) -> Parts:
    """The rows in random order, cut into three parts; parts that are there stay."""
    if isinstance(rows, dict):
        return {name: rows.get(name, NONE) for name in ("train", "validation", "test")}
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(rows), generator=generator, device="cpu")
    first = round(len(rows) * test)
    second = first + round(len(rows) * validation)
    if second >= len(rows):
        raise Abort(2, f"{len(rows)} rows are too few to train, validate and test")
    names = ("test", "validation", "train")
    parts = dict(zip(names, rows.parted(order, (first, second)), strict=True))
    return {name: parts[name] for name in reversed(names)}


def held_out(parts: Parts) -> tuple[str, Rows]:
    """The rows to evaluate on, and which part they are: the test's, where there are any."""
    name = next(name for name in ("test", "validation", "train") if len(parts[name]))
    return name, parts[name]


Scaling = dict[str, Tensor]
""""mean" and "sd", of the shape of one row; empty: as it is."""

Scalings = dict[str, list[Scaling]]
"""The scaling of each of the "inputs", and of the "targets"."""


MANY = 65_536
"""So many rows are looked at at once."""


def fit_scaling(values: Tensor) -> Scaling:
    """Mean and sd of each column, or of all values where a row has more axes; NaN left out."""
    if not values.is_floating_point():
        return {}
    axes = (0,) if values.dim() <= 2 else tuple(range(values.dim()))
    parts = values.split(MANY)  # what is made of all of them would be larger than they are
    count = torch.stack([(~part.isnan()).sum(axes) for part in parts]).sum(0)
    mean = torch.stack([part.nansum(axes) for part in parts]).sum(0) / count
    squares = [(part - mean).square_().nansum(axes) for part in parts]
    sd = (torch.stack(squares).sum(0) / count).sqrt()
    return {"mean": mean, "sd": torch.where(sd > 0, sd, 1.0)}


def fit_scalings(rows: Rows, inputs: str = "columns", targets: bool = False) -> Scalings:
    """What brings inputs and targets to mean 0 and sd 1, from training rows alone.

    ``inputs``: by "columns", all values of an input "together", or "none".
    """
    rows = rows.known
    tensors = [x if is_plain(x) else torch.zeros(1).long() for x in rows.inputs]
    flat = [x.flatten() if inputs == "together" else x for x in tensors]
    return {
        "inputs": [{} if inputs == "none" else fit_scaling(x) for x in flat],
        "targets": [fit_scaling(rows.targets) if targets else {}],
    }


def scale(values: Tensor, by: Scaling, in_place: bool = False) -> Tensor:
    """The values as the network sees them."""
    if not by:
        return values
    return (values.sub_(by["mean"]) if in_place else values - by["mean"]).div_(by["sd"])


def unscale(values: Tensor, by: Scaling) -> Tensor:
    """The values in the units of the data."""
    return values * by["sd"] + by["mean"] if by else values


def scale_inputs(
    inputs: Sequence[Tensor], scalings: Scalings, in_place: bool = False
) -> tuple[Tensor, ...]:
    """Inputs as the network sees them; refuses those of another number or shape."""
    if len(inputs) != len(scalings["inputs"]):
        raise Abort(2, f"{len(inputs)} inputs were given, {len(scalings['inputs'])} are needed")
    for x, by in zip(inputs, scalings["inputs"], strict=True):
        if by and by["mean"].dim() and x.shape[1:] != by["mean"].shape:
            needed = f"rows of shape {list(by['mean'].shape)} are needed"
            raise Abort(2, f"{needed}, not {list(x.shape[1:])}")
    pairs = zip(inputs, scalings["inputs"], strict=True)
    return tuple(scale(x, by, in_place) for x, by in pairs)


def scale_rows(rows: Rows, scalings: Scalings, in_place: bool = False) -> Rows:
    """Rows as the network sees them."""
    inputs = scale_inputs(rows.inputs, scalings, in_place)
    return replace(
        rows, inputs=inputs, targets=scale(rows.targets, scalings["targets"][0], in_place)
    )


def scale_parts(parts: Parts, scalings: Scalings, in_place: bool = False) -> Parts:
    """All parts as the network sees them; ``in_place`` where nobody else has their arrays."""
    change = partial(scale_rows, scalings=scalings, in_place=in_place)
    return {name: rows.changed(change) if len(rows) else rows for name, rows in parts.items()}
