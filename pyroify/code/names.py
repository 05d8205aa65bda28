"""The names a rewritten file uses: what each is called there, and what must be imported."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

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
    "warnings": ("warnings",),
    "fnmatch": ("fnmatch.fnmatch",),
    "partial": ("functools.partial",),
}
"""Each name with the dotted objects that will do; the first is what an import gives."""

DECLARING_FUNCTION = "declare_priors"
"""What the rewrite calls a function of its own that declares what it is given."""
UNDECLARED = "undeclared"
"""What it calls the function that gives modules whose parameters are to be declared."""
CAN_BE_RANDOM = "can_be_random"
"""What it calls the function that tells whether a PyroModule can be made of a module."""
WEIGHT_OF = "weight_of"
"""What it calls the function that gives the weight beside a bias, where weights are computed."""

ANCHOR = "_anchor"
"""What it calls a buffer without elements, which tells where a module is."""
FOLLOW = "follow_module"
"""What it calls the function that makes priors follow their module to another place."""
LOAD_ORIGINAL, HOOK = "load_original", "register_load_state_dict_pre_hook"
"""What it calls the hook that lets a state_dict of the original class load, and what takes it."""
ORIGINAL_INIT = "original_init"
"""What it calls an attribute that says how values of the original class are to be read."""

HELPERS = "pyro_helpers"
"""The module of a package that holds the helper functions which several of its files need."""

ALTERNATIVES = {"dist": "pyro_dist", "constraints": "pyro_constraints", "nn": "torch_nn"}


@dataclass
class Names:
    """What the things that declarations need are called, and which of these were asked for."""

    spelled: Mapping[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def say(self, name: str) -> str:
        """What a name is called; the name itself, unless it is spelled otherwise."""
        self.used.add(name)
        return self.spelled.get(name, name)

    def own(self, name: str) -> str:
        """What a definition of the rewrite is called."""
        return self.spelled.get(name, name)


class Namespace(Protocol):
    """What is known of the names of a file."""

    @property
    def imports(self) -> tuple[tuple[str, str], ...]:
        """Local names, and what they stand for, dotted."""

    @property
    def bound(self) -> frozenset[str]:
        """All names that something in the file is bound to."""

    @property
    def definitions(self) -> tuple[tuple[str, str], ...]:
        """Functions and classes that a rewrite may have written, with normalised source."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class that declarations call.

    ``needs`` are the names that it is written with; None where it serves one file alone.
    """

    source: str
    needs: tuple[str, ...] | None = None


@dataclass
class FileNames:
    """What the declarations of one file are spelled with.

    ``touched`` are attribute names that other code than their own class writes to or initialises.
    ``definitions`` are those that the file lacks, ``helpers`` those that it imports from the module
    of its package, by name, with normalised source.
    """

    file: Namespace
    touched: frozenset[str] = frozenset()
    used: set[str] = field(default_factory=set)
    definitions: dict[str, Definition] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    moved: list[tuple[str, str, str]] = field(default_factory=list)
    """What it imports from a module for helpers: module, name, alias."""
    inner: set[str] = field(default_factory=set)
    """Definitions that only others of these are written with."""
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

    def say(self, name: str) -> str:
        """What a name is called in this file, which needs it."""
        self.use(name)
        return self.local(name)

    def spelling(self) -> Names:
        """The names of this file for a text of which it is not yet known if it can be written."""
        return Names(
            {name: self.local(name) for name in SOURCES} | {UNDECLARED: self.own(UNDECLARED)}
        )

    def dotted(self, node: ast.AST) -> str:
        """What a name of the rewritten file stands for, dotted."""
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value)}.{node.attr}"
        if not isinstance(node, ast.Name):
            return ""
        return self._meant.get(node.id, node.id)

    @cached_property
    def _meant(self) -> dict[str, str]:
        added = {self.local(name): objects[0] for name, objects in SOURCES.items()}
        return {**added, **dict(self.file.imports)}

    def take_over(self, other: FileNames) -> None:
        """Need what other declarations of the same file need, too."""
        self.used |= other.used
        self.definitions |= other.definitions
        self.inner |= other.inner
        self.helpers = {**self.helpers, **other.helpers}

    def own(self, name: str) -> str:
        """What a definition of the rewrite is called here: another name where this one is taken."""
        taken = {local for local, _ in self.file.imports} | self.file.bound
        written = dict(self.file.definitions).keys() | self.helpers.keys()
        return f"_{name}" if name in taken - written else name

    def define(
        self, name: str, source: str, needs: tuple[str, ...] | None = None, inner: bool = False
    ) -> None:
        """Note that the file needs a definition of its own, unless it is there already.

        One that the user has edited is his, and serves as it is. ``inner``: no declaration calls
        it, only another definition.
        """
        self.inner |= {name} if inner else set()
        there = {**self.helpers, **dict(self.file.definitions)}.get(name)
        if name not in self.foreign and there != normalised(source):
            self.definitions[name] = Definition(source, needs)

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
        return (*added, *self.moved)


Spelling = Names | FileNames
"""What things are called in a file that is being written."""


def normalised(source: str) -> str:
    """Source without what formatters may change about it."""
    return ast.unparse(ast.parse(source))
