"""The names a rewritten file uses: what each is called there, and what must be imported."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyroify.catalog.layers import Layer
from pyroify.spec.render import Names
from pyroify.syntax.facts import File

SOURCES: dict[str, tuple[str, ...]] = {
    "dist": ("pyro.distributions",),
    "constraints": (
        "pyro.distributions.constraints",
        "torch.distributions.constraints",
    ),
    "PyroModule": ("pyro.nn.PyroModule", "pyro.nn.module.PyroModule"),
    "PyroSample": ("pyro.nn.PyroSample", "pyro.nn.module.PyroSample"),
    "PyroParam": ("pyro.nn.PyroParam", "pyro.nn.module.PyroParam"),
    "pyro_method": ("pyro.nn.pyro_method", "pyro.nn.module.pyro_method"),
    "to_pyro_module_": ("pyro.nn.module.to_pyro_module_",),
    "nn": ("torch.nn",),
    "torch": ("torch",),
    "math": ("math",),
    "transform_to": (
        "torch.distributions.transform_to",
        "torch.distributions.constraint_registry.transform_to",
    ),
    "ABCMeta": ("abc.ABCMeta",),
    "copy": ("copy",),
    "fnmatch": ("fnmatch.fnmatch",),
    "partial": ("functools.partial",),
}
"""Each name with the dotted objects that will do; the first is what an import gives."""

ALTERNATIVES = {"dist": "pyro_dist", "constraints": "pyro_constraints", "nn": "torch_nn"}


@dataclass
class FileNames:
    """What the declarations of one file are spelled with.

    ``touched`` are attribute names that other code than their own class writes to or initialises.
    ``definitions`` are those that the file lacks.
    """

    file: File
    touched: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set)
    definitions: dict[str, str] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()
    """Definitions under names of the rewrite that the user wrote, or has edited."""

    def use(self, *names: str) -> None:
        """Note that the rewritten file needs these names."""
        self.used.update(names)

    def local(self, name: str) -> str:
        """What a name is called in this file."""
        for local, dotted in self.file.imports:
            if dotted in SOURCES[name]:
                return local
        if name == "nn" and ("torch", "torch") in self.file.imports:
            return "torch.nn"
        if name == "ABCMeta" and ("abc", "abc") in self.file.imports:
            return "abc.ABCMeta"
        taken = {local for local, _ in self.file.imports} | self.file.bound
        return ALTERNATIVES.get(name, f"_{name}") if name in taken else name

    @property
    def spec_names(self) -> Names:
        """The names the renderer of priors uses."""
        return Names(
            dist=self.local("dist"),
            constraints=self.local("constraints"),
            sample=self.local("PyroSample"),
            param=self.local("PyroParam"),
            torch=self.local("torch"),
            math=self.local("math"),
            transform_to=self.local("transform_to"),
            partial=self.local("partial"),
        )

    def use_those_in(self, names: frozenset[str]) -> None:
        """Note which of the known names a source reads."""
        self.use(*(name for name in SOURCES if self.local(name).partition(".")[0] in names))

    def isinstance_test(self, variable: str, layers: Sequence[Layer]) -> str:
        """``isinstance(variable, (nn.A, nn.B))``."""
        self.use("nn")
        nn = self.local("nn")
        names = [f"{nn}.{layer.name}" for layer in layers]
        wanted = names[0] if len(names) == 1 else f"({', '.join(names)})"
        return f"isinstance({variable}, {wanted})"

    def take_over(self, other: FileNames) -> None:
        """Need what other declarations of the same file need, too."""
        self.used |= other.used
        self.definitions |= other.definitions

    def own(self, name: str) -> str:
        """What a definition of the rewrite is called here: another name where this one is taken."""
        taken = {local for local, _ in self.file.imports} | self.file.bound
        return f"_{name}" if name in taken - dict(self.file.definitions).keys() else name

    def define(self, name: str, source: str) -> None:
        """Note that the file needs a definition of its own, unless it is there already.

        One that the user has edited is his, and serves as it is.
        """
        there = dict(self.file.definitions).get(name)
        if name not in self.foreign and there != ast.unparse(ast.parse(source)):
            self.definitions[name] = source

    def imports(self) -> tuple[tuple[str, str, str], ...]:
        """Imports to add: module, name (empty for ``import module``) and alias."""
        present = {dotted for _, dotted in self.file.imports}
        added = []
        for name in sorted(self.used):
            dotted = SOURCES[name]
            if present & set(dotted) or "." in self.local(name):
                continue
            local = self.local(name)
            if name == "dist":
                added.append((dotted[0], "", local))
            elif "." not in dotted[0]:
                added.append((dotted[0], "", local if local != name else ""))
            else:
                module, _, attribute = dotted[0].rpartition(".")
                added.append((module, attribute, local if local != attribute else ""))
        return tuple(added)
