"""What a project gives as its data: arrays, a torch Dataset or DataLoader, a data module."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, default_collate

from .data import Parts, Rows, as_batch, as_rows
from .errors import Abort, first_line


class Source:
    """Reads what ``package.module:name`` gives.

    ``inputs`` and ``targets`` name what rows that are mappings hold; without ``inputs``, all but
    the targets. ``kind`` says what targets are, as for ``as_rows``. ``whole``: a batch stays in the
    form that the project gives it, for a likelihood of its own.
    """

    def __init__(
        self,
        name: str,
        targets: str = "",
        inputs: tuple[str, ...] = (),
        whole: bool = False,
        **kind: Any,
    ):
        self.name = name
        self.whole = whole
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

    def read(self, source: Any) -> Rows | Parts:
        """All rows, or those of each part where the source has parts."""
        if hasattr(source, "train_dataloader"):
            return self.read_module(source)
        if isinstance(source, DataLoader):
            return self.read_loader(source)
        is_batch = isinstance(source, tuple | list) or (
            self.whole and (isinstance(source, Mapping) or hasattr(source, "shape"))
        )
        if hasattr(source, "__getitem__") and not is_batch:
            return self.read_dataset(source)
        if self.whole:
            return self.read_batch(source)
        if not isinstance(source, tuple | list) or len(source) != 2:
            wanted = "return (inputs, targets), a Dataset, a DataLoader or a data module"
            raise Abort(2, f"{self.name} gave a {type(source).__name__}; {wanted}")
        return self.read_batch(source)

    def read_module(self, module: Any) -> Parts:
        """The parts of a Lightning data module; one without a loader is empty."""
        module.prepare_data()
        module.setup("fit")
        module.setup("test")
        parts = {"train": self.read_loader(module.train_dataloader())}
        rest = {"validation": module.val_dataloader, "test": module.test_dataloader}
        for name, loader in rest.items():
            is_own = "lightning" not in loader.__module__.split(".")[0]
            parts[name] = self.read_loader(loader()) if is_own else parts["train"][:0]
        return parts

    def read_loader(self, loader: Any) -> Rows:
        """All rows of the data set that a loader draws from."""
        if not isinstance(loader, DataLoader):
            why = f"a loader is a {type(loader).__name__}; give one torch DataLoader"
            raise Abort(2, f"{self.name}: {why}")
        return self.read_dataset(loader.dataset, loader.collate_fn)

    def read_dataset(
        self, dataset: Any, collate: Callable[[list[Any]], Any] = default_collate
    ) -> Rows:
        """All rows of a data set, each read once."""
        if not hasattr(dataset, "__len__"):
            raise Abort(2, f"{self.name}: give the data set a length, as its __len__")
        rows = [dataset[number] for number in range(len(dataset))]
        if not rows:
            raise Abort(2, f"{self.name}: the data has no rows")
        try:
            batch = collate(rows)
        except (RuntimeError, TypeError) as error:
            why = f"rows do not stack, make them of one shape: {first_line(error)}"
            raise Abort(2, f"{self.name}: {why}") from error
        if self.whole or isinstance(batch, Mapping):
            return self.read_batch(batch)
        return self.read_batch([tuple(x) if isinstance(x, list) else x for x in batch])

    def read_batch(self, batch: Any) -> Rows:
        """Of (inputs, targets), (input, ..., targets), or a mapping that names them."""
        if self.whole:
            return as_batch(batch)
        if isinstance(batch, Mapping):
            return as_rows(self.pick(batch), self.named(batch, self.targets), **self.kind)
        *inputs, targets = batch
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            return as_rows(self.pick(inputs[0]), targets, **self.kind)
        if len(inputs) == 1 and isinstance(inputs[0], tuple):
            return as_rows(inputs[0], targets, **self.kind)
        return as_rows(inputs, targets, **self.kind)

    def pick(self, values: Mapping[str, Any]) -> list[Any]:
        """The inputs of a mapping."""
        names = self.inputs or [name for name in values if name != self.targets]
        return [self.named(values, name) for name in names]

    def named(self, values: Mapping[str, Any], name: str) -> Any:
        """One value of a row that is a mapping."""
        if name not in values:
            raise Abort(2, f"{self.name}: no {name!r} in a row; it has {list(values)}")
        return values[name]
