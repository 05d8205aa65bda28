"""What a run of the user's noted, built and called again in either version of the project."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pyroify.verify.compare.pin import copy_values
from pyroify.verify.compare.run import Given, set_seed
from pyroify.verify.compare.sites import buffers, parameters
from pyroify.verify.making.guess import Arguments
from pyroify.verify.making.tree import Imports


class _Reader(pickle.Unpickler):
    """Reads a note; what belongs to the project is that of the version of the moment."""

    def __init__(self, note: Path, imports: Imports, converted: bool) -> None:
        super().__init__(io.BytesIO(note.read_bytes()))
        self.note, self.imports, self.converted = note, imports, converted
        self.made: dict[int, Any] = {}

    def persistent_load(self, told: Any) -> Any:
        match told:
            case ("global", path, module, qualname):
                tree = self.imports.current
                name = (
                    path.removesuffix(".py").replace("/", ".") if module == "__main__" else module
                )
                return tree.load(path, name, qualname)
            case ("instance", built, number):
                if number not in self.made:
                    self.made[number] = self._build(self.note.with_name(built))
                return self.made[number]
        raise pickle.UnpicklingError(f"{told!r} is nothing that a recorder notes")

    def _build(self, note: Path) -> Any:
        cls, (args, kwargs, _) = read_note(note, self.imports, self.converted)
        return Arguments(tuple(args), kwargs).construct(cls, converted=self.converted)


def read_note(note: Path, imports: Imports, converted: bool = False) -> Any:
    """What a note holds: a class and the arguments it was built with, or those of a call.

    With ``converted`` the modules in it are those of a rewritten project. Raises what the project's
    own code raises, and what pickle does of a note that is damaged.
    """
    return _Reader(note, imports, converted).load()


@dataclass(frozen=True, slots=True)
class RecordedArguments:
    """The arguments that a run has built a class with; anew for each module."""

    note: Path
    imports: Imports = field(repr=False)
    label: str = ""
    dtype: torch.dtype = torch.float32
    """That of new tensors, when it was built."""

    @classmethod
    def read(cls, note: Path, imports: Imports) -> RecordedArguments:
        """Those of a note, with what they look like in the version of the moment."""
        _, (args, kwargs, dtype) = read_note(note, imports)
        return cls(note, imports, str(Given(args, kwargs)), dtype)

    def __str__(self) -> str:
        """As between the parentheses of a call."""
        return self.label

    def construct(self, cls: Callable[..., Any], *, converted: bool = False, seed: int = 0) -> Any:
        """Call ``cls`` with ``seed``; what the arguments draw is always drawn with seed 0."""
        set_seed(0)
        _, (args, kwargs, _) = read_note(self.note, self.imports, converted)
        return Arguments(tuple(args), kwargs).construct(cls, converted=converted, seed=seed)


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call of forward as a run has made it."""

    note: Path
    imports: Imports = field(repr=False)
    method: str = "forward"

    def arguments(self) -> Given:
        """What it was called with, read anew."""
        args, kwargs, moment = self._read()
        return Given(args, kwargs, random=moment["random"])

    def restore(self, module: nn.Module) -> None:
        """Give a module the values and modes that it had when it was called."""
        _, _, moment = self._read()
        held = {**parameters(module), **buffers(module)}
        state = moment["state"].items()
        copy_values({n: v for n, v in state if n in held and v.dtype == held[n].dtype}, module)
        for path, part in module.named_modules():
            part.training = moment["training"].get(path, part.training)

    @property
    def label(self) -> str:
        """What is called, with shapes in place of tensors."""
        return f"forward({self.arguments()})"

    def _read(self) -> tuple[Sequence[Any], Mapping[str, Any], Mapping[str, Any]]:
        _, (args, kwargs, moment) = read_note(self.note, self.imports)
        return args, kwargs, moment
