"""Arguments that source code makes: of the spec's, or cut out of the project's own files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from pyroify.verify.compare.run import Given, kept_random_state, set_seed
from pyroify.verify.making.guess import Arguments


@dataclass(frozen=True, slots=True)
class GuessedCode:
    """Arguments that source code makes, anew for each module; ``place`` is where it is from."""

    code: str
    place: str = ""

    def __str__(self) -> str:
        """As between the parentheses of a call, where what it imports can be had."""
        with suppress(Exception):
            return str(_given(self.run())) if self.place else "..."
        return "..."

    def construct(self, cls: Callable[..., Any], *, converted: bool = False, seed: int = 0) -> Any:
        """Do as arguments do; the code imports what the current version has."""
        set_seed(0)
        given = _given(self.run())
        made = Arguments(tuple(given.args), given.kwargs)
        return made.construct(cls, converted=converted, seed=seed)

    def run(self) -> dict[str, Any]:
        """Run the code; return the names it has set."""
        names: dict[str, Any] = {}
        exec(self.code, names)
        return names


class MakesParameters(Exception):
    """Arguments of a call are what a network computes, which may be random in one version."""


@dataclass(frozen=True, slots=True)
class CodeCall:
    """A call whose arguments source code makes, anew each time and always the same.

    Raises :class:`MakesParameters` where the code makes a network for that.
    """

    method: str
    code: str

    def arguments(self) -> Given:
        """What the code makes, with classes of the current version."""

        def refuse(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
            raise MakesParameters(f"the arguments of {self.method} are computed by a network")

        watched = register_module_parameter_registration_hook(refuse)
        try:
            with kept_random_state():
                set_seed(0)
                return _given(GuessedCode(self.code).run())
        finally:
            watched.remove()

    @property
    def label(self) -> str:
        """What is called, with shapes in place of tensors."""
        return f"{self.method}({self.arguments()})"


def _given(names: dict[str, Any]) -> Given:
    return Given(names.get("args", ()), names.get("kwargs", {}))
