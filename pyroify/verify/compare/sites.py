"""Where the priors of a module are, and which parameters of the original they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyro.nn import PyroModule
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Prior:
    """One ``PyroSample``: the module that owns it, and its name there."""

    owner: PyroModule
    name: str

    @property
    def key(self) -> tuple[int, str]:
        """What stays the same when one module is reached by two paths."""
        return id(self.owner), self.name

    @property
    def is_lambda(self) -> bool:
        """Whether it is written as a lambda, which cannot be pickled."""
        written = self.owner._pyro_samples[self.name]
        return str(getattr(written, "__name__", "")).endswith("<lambda>")

    @property
    def repeated(self) -> nn.Parameter | None:
        """The parameter that it reads, if it draws nothing; None where it does."""
        written = self.owner._pyro_samples[self.name]
        value = None if hasattr(written, "sample") else getattr(self.owner, self.name)
        return value if isinstance(value, nn.Parameter) else None


def dotted(path: str, name: str) -> str:
    """Join a module's path and an attribute; the root's path is empty."""
    return f"{path}.{name}" if path else name


def priors(module: nn.Module) -> dict[str, Prior]:
    """Map the dotted path of every ``PyroSample`` to it; a shared module gives several paths."""
    return {
        dotted(path, name): Prior(owner, name)
        for path, owner in module.named_modules(remove_duplicate=False)
        for name in getattr(owner, "_pyro_samples", ())
    }


def name_by_path(module: nn.Module) -> None:
    """Name the sites of each PyroModule by where it is, also below a holder that is none.

    Pyro leaves the path out there, so that two parts of one kind cannot be told apart.
    """
    paths: dict[PyroModule, list[str]] = {}
    for path, owner in module.named_modules(remove_duplicate=False):
        if isinstance(owner, PyroModule):
            paths.setdefault(owner, []).append(path)
    for owner, known in paths.items():
        if owner._pyro_name not in known:
            vars(owner)["_pyro_name"] = known[-1]  # as Pyro: the last one it is given


def constrained(module: nn.Module) -> Iterator[tuple[str, PyroModule, str]]:
    """Yield the dotted path, the owner and the name of every ``PyroParam``."""
    for path, owner in module.named_modules(remove_duplicate=False):
        for name in getattr(owner, "_pyro_params", ()):
            yield dotted(path, name), owner, name


def parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters by dotted path, tied ones under each of their names."""
    return dict(module.named_parameters(remove_duplicate=False))


def ties(module: nn.Module) -> list[tuple[str, ...]]:
    """All parameters, each as the paths it has: more than one where weights are tied."""
    paths: dict[int, list[str]] = {}
    for path, parameter in parameters(module).items():
        paths.setdefault(id(parameter), []).append(path)
    return [tuple(names) for names in paths.values()]


def buffers(module: nn.Module) -> dict[str, Tensor]:
    """All buffers by dotted path, shared ones under each of their names."""
    return dict(module.named_buffers(remove_duplicate=False))
