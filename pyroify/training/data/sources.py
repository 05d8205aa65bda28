"""What a project gives as its data: arrays, a torch Dataset or DataLoader, a data module."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    SubsetRandomSampler,
    default_collate,
)

from ..errors import Abort, first_line
from .rows import NONE, Parts, Rows, as_batch, as_kept, as_rows
from .streams import Stream

PARTS = {"train", "validation", "test"}


class Source:
    """Reads what ``package.module:name`` gives.

    ``inputs`` and ``targets`` name what rows that are mappings hold; without ``inputs``, all but
    the targets. ``kind`` says what targets are, as for ``as_rows``. ``whole``: a batch stays in the
    form that the project gives it, for a likelihood of its own; "kept" as ``form`` keeps that of
    the inputs alone. Data sets and loaders are read as a ``stream``, or once. ``size`` is the
    number of rows where they do not tell it, ``count`` the name of what in a batch says how many
    it has.
    """

    def __init__(
        self,
        name: str,
        targets: str = "",
        inputs: tuple[str, ...] = (),
        whole: bool = False,
        form: str = "flat",
        stream: bool = True,
        size: int = 0,
        count: str = "",
        **kind: Any,
    ):
        self.name = name
        self.whole = whole
        self.form = form
        self.stream = stream
        self.size = size
        self.count = count
        self.targets = targets
        self.inputs = inputs
        self.kind = kind

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Says where the project's own code failed."""
        try:
            yield
        except Abort:
            raise
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(at.filename).name}, line {at.lineno}"
            why = f"{type(error).__name__}: {first_line(error)} ({where})"
            raise Abort(2, f"{self.name}() failed with {why}") from error

    def read(self, source: Any, batch_size: int = 128) -> Rows | Parts:
        """All rows, or those of each part where the source has parts."""
        if hasattr(source, "train_dataloader"):
            return self.read_module(source, batch_size)
        if isinstance(source, Mapping) and "train" in source and source.keys() <= PARTS:
            return {name: self.read_part(part, batch_size) for name, part in source.items()}
        return self.read_part(source, batch_size)

    def read_part(self, source: Any, batch_size: int) -> Rows:
        """All rows."""
        if isinstance(source, DataLoader):
            return self.read_loader(source)
        is_batch = isinstance(source, tuple | list) or (
            self.whole and (isinstance(source, Mapping) or hasattr(source, "shape"))
        )
        if isinstance(source, IterableDataset):
            return self.read_loader(DataLoader(source, batch_size))
        if not is_batch and hasattr(source, "__getitem__"):
            return self.read_dataset(source, batch_size)
        if not is_batch and hasattr(source, "__iter__"):
            return self.read_loader(source)
        if self.whole:
            return self.read_batch(source)
        if not is_batch or len(source) != 2:
            wanted = "return (inputs, targets), a Dataset, a DataLoader or a data module"
            raise Abort(2, f"{self.name} gave a {type(source).__name__}; {wanted}")
        return self.read_batch(source)

    def read_module(self, module: Any, batch_size: int) -> Parts:
        """The parts of a Lightning data module; one without a loader is empty."""
        loaders = loaders_of(module)
        read = {name: self.read_own_loader(part, batch_size) for name, part in loaders.items()}
        return {"train": read["train"], "validation": NONE, "test": NONE} | read

    def read_own_loader(self, loader: Any, batch_size: int) -> Rows:
        """All rows of a loader of a data module, of which it may have but one for each part."""
        if isinstance(loader, tuple | list | Mapping):
            why = f"a loader is a {type(loader).__name__}; give one torch DataLoader"
            raise Abort(2, f"{self.name}: {why}")
        return self.read_part(loader, batch_size)

    def read_loader(self, loader: Any) -> Rows:
        """The rows of a loader, which is read in each epoch, or its data set once."""
        if self.stream:
            size = self.size_of(loader)
            return self.streamed(loader, size)
        if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
            why = "only a data set with a length can be read at once"
            raise Abort(2, f"{self.name}: {why}; leave out svi.data.stream: false")
        return self.read_once(loader.dataset, loader.collate_fn)

    def size_of(self, loader: Any) -> int:
        """How many rows one epoch stands for."""
        if self.size:
            return self.size
        sampler = getattr(loader, "sampler", None)
        if isinstance(sampler, SubsetRandomSampler):
            return len(sampler)
        is_batched = getattr(loader, "batch_sampler", None) is not None
        try:
            size = len(loader.dataset) if is_batched else 0
        except (TypeError, AttributeError, NotImplementedError):
            size = 0
        if not size and is_batched and hasattr(getattr(loader, "dataset", None), "__len__"):
            raise Abort(2, f"{self.name}: the data has no rows")
        if not size:
            raise Abort(2, f"{self.name} does not tell how many rows it has; set svi.data.rows")
        return size

    def read_dataset(self, dataset: Any, batch_size: int) -> Rows:
        """The rows of a data set, in an order of chance."""
        if not hasattr(dataset, "__len__"):
            raise Abort(2, f"{self.name}: give the data set a length, as its __len__")
        if not len(dataset):
            raise Abort(2, f"{self.name}: the data has no rows")
        if not self.stream:
            return self.read_once(dataset)
        loader = DataLoader(dataset, batch_size, shuffle=True, collate_fn=self.stack)
        size = self.size or len(dataset)
        return self.streamed(loader, size, dataset)

    def streamed(self, loader: Any, size: int, dataset: Any = None) -> Stream:
        """The rows of a loader, read in each epoch."""
        return Stream(
            name=self.name,
            loader=loader,
            read=self.read_collated,
            refusing=self.refusing,
            size=size,
            dataset=dataset,
        )

    def read_once(
        self, dataset: Any, collate: Callable[[list[Any]], Any] = default_collate
    ) -> Rows:
        """All rows of a data set, each read once."""
        rows = [dataset[number] for number in range(len(dataset))]
        if not rows:
            raise Abort(2, f"{self.name}: the data has no rows")
        return self.read_collated(self.stack(rows, collate))

    def stack(self, rows: list[Any], collate: Callable[[list[Any]], Any] = default_collate) -> Any:
        """One batch of several rows."""
        try:
            return collate(rows)
        except (RuntimeError, TypeError) as error:
            why = f"rows do not stack, make them of one shape: {first_line(error)}"
            raise Abort(2, f"{self.name}: {why}") from error

    def read_collated(self, batch: Any) -> Rows:
        """Of a batch as a loader gives it, where inputs of a row are a list."""
        if self.whole or not isinstance(batch, tuple | list):
            return self.read_batch(batch)
        return self.read_batch([tuple(x) if isinstance(x, list) else x for x in batch])

    def read_batch(self, batch: Any) -> Rows:
        """Of (inputs, targets), (input, ..., targets), or what names them."""
        if self.whole:
            return as_batch(batch, self.count)
        if isinstance(batch, Tensor):
            why = "a batch is one tensor; give (inputs, targets)"
            raise Abort(2, f"{self.name}: {why}")
        if isinstance(batch, Mapping):
            rest = {name: batch[name] for name in self.inputs or batch if name != self.targets}
            targets = self.named(batch, self.targets)
            if self.form == "kept":
                return as_kept([rest], targets, **self.kind)
            return as_rows(self.pick(batch), targets, **self.kind)
        if not isinstance(batch, tuple | list):
            return as_kept([batch], self.named(batch, self.targets), **self.kind)
        *inputs, targets = batch
        if self.form == "kept":
            return as_kept(inputs, targets, **self.kind)
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            return as_rows(self.pick(inputs[0]), targets, **self.kind)
        if len(inputs) == 1 and isinstance(inputs[0], tuple):
            return as_rows(inputs[0], targets, **self.kind)
        return as_rows(inputs, targets, **self.kind)

    def pick(self, values: Mapping[str, Any]) -> list[Any]:
        """The inputs of a mapping."""
        names = self.inputs or [name for name in values if name != self.targets]
        return [self.named(values, name) for name in names]

    def named(self, values: Any, name: str) -> Any:
        """One value of a row that is a mapping, or an attribute of an object."""
        if not isinstance(values, Mapping) and hasattr(values, name):
            return getattr(values, name)
        if not isinstance(values, Mapping) or name not in values:
            has = list(values) if isinstance(values, Mapping) else f"a {type(values).__name__}"
            raise Abort(2, f"{self.name}: no {name!r} in a row; it has {has}")
        return values[name]


def loaders_of(module: Any) -> dict[str, Any]:
    """The loaders of a Lightning data module, by their parts: those that it has of its own."""
    module.prepare_data()
    module.setup("fit")
    module.setup("test")
    found = {"train": module.train_dataloader()}
    rest = {"validation": module.val_dataloader, "test": module.test_dataloader}
    for name, loader in rest.items():
        if "lightning" not in loader.__module__.split(".")[0]:
            found[name] = loader()
    return found
