"""Files and classes while they are written: forms put statements, imports and helpers into them.

Every class maps a tensor of shape ``(batch, d)`` to one of that shape, and its first argument is
``d=4``; so each can stand wherever a layer can. Forms spell torch.nn as ``nn.``; how a file spells
it is decided when it is rendered.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import indent

PLAIN_LAYERS = (
    "nn.Linear(d, d)",
    "nn.Linear(d, d)",
    "nn.Linear(d, d)",
    "nn.Linear(d, d, bias=False)",
    "nn.Linear(in_features=d, out_features=d)",
    "nn.LayerNorm(d)",
    "nn.RMSNorm(d)",
    "nn.GroupNorm(2, d)",
    "nn.BatchNorm1d(d)",
    "nn.BatchNorm1d(d, affine=False)",
    "nn.PReLU()",
    "nn.PReLU(d)",
)
"""Layers that map ``(batch, d)`` to itself."""

STATELESS_LAYERS = ("nn.ReLU()", "nn.Tanh()", "nn.Identity()", "nn.Dropout(0.1)", "nn.GELU()")


@dataclass(slots=True)
class Argument:
    """An argument of a constructor: its default, and other values to build it with."""

    name: str
    default: str
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class Helper:
    """A function or table at file level, by name; ``path`` is the file that has it."""

    name: str
    path: str


@dataclass(slots=True)
class FileDraft:
    """One file; ``blocks`` are helpers and classes in order, ``imports`` lines at the top."""

    path: str
    style: str
    imports: list[str] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """How names of other files are written here."""

    def add_import(self, line: str) -> None:
        """Import something, once."""
        if line not in self.imports:
            self.imports.append(line)


@dataclass(slots=True)
class ClassDraft:
    """One class. ``is_block`` says that other classes may build it with ``d`` alone."""

    project: ProjectDraft
    file: FileDraft
    name: str
    bases: list[str]
    arguments: list[Argument] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    super_call: str = "super().__init__()"
    init: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    decorators: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    """Attributes by kind: ``vector``, ``matrix``, ``linear``, ``layers`` ..."""
    used_forms: list[str] = field(default_factory=list)
    is_block: bool = True
    is_abstract: bool = False
    whole: str = ""
    """The text of a class that forms have written as a whole."""

    @property
    def rng(self) -> random.Random:
        """The random numbers of the program."""
        return self.project.rng

    def new_name(self, *stems: str) -> str:
        """An attribute that the class and its bases do not have."""
        stem = self.rng.choice(stems)
        number = 1
        name = stem
        while name in self.taken:
            number += 1
            name = f"{stem}{number}"
        self.taken.add(name)
        return name

    def argument(self, stem: str, default: str, *others: str) -> str:
        """A new argument of the constructor."""
        names = {argument.name for argument in self.arguments} | {"d"}
        name = next(
            name for name in (stem, *(f"{stem}_{n}" for n in range(2, 99))) if name not in names
        )
        self.arguments.append(Argument(name, default, others))
        return name

    def flag(self) -> str:
        """A new argument that switches something on or off."""
        stem = self.rng.choice(("bias", "use_norm", "affine", "learnable", "with_head"))
        return self.argument(stem, *self.rng.sample(("True", "False"), 2))

    def add(self, *statements: str) -> None:
        """Statements of the constructor."""
        self.init.extend(statements)

    def step(self, *statements: str) -> None:
        """Statements of forward, which change ``x``."""
        self.steps.extend(statements)

    def method(self, text: str) -> None:
        """A further method, from its first line on, not indented."""
        self.methods.append(text)

    def imports(self, line: str) -> None:
        """An import of the file."""
        self.file.add_import(line)

    def helper(self, stem: str, text: str, *, here: bool = False) -> str:
        """A function or table at file level; ``NAME`` in the text is its name. How to write it.

        ``here``: in this very file, because of what it names.
        """
        return self.project.helper(self, stem, text, here)

    def layer(self, *, blocks: bool = True, stateless: bool = False) -> str:
        """An expression for a layer, or an instance of a class written before."""
        choices = list(PLAIN_LAYERS)
        if stateless and self.rng.random() < 0.4:
            choices = list(STATELESS_LAYERS)
        if blocks and self.rng.random() < 0.35 and (block := self.block()):
            return f"{block}(d)"
        return self.rng.choice(choices)

    def block(self) -> str:
        """A class written before, as it is written here; empty if there is none."""
        found = [c for c in self.project.classes if c.is_block and not c.is_abstract]
        return self.project.refer(self, self.rng.choice(found)) if found else ""

    def one_of(self, *choices: str) -> str:
        """One of several spellings."""
        return self.rng.choice(choices)

    def signature(self, first: str = "self, d=4") -> str:
        """The arguments of the constructor."""
        rest = "".join(f", {a.name}={a.default}" for a in self.arguments)
        return f"{first}{rest}"

    @property
    def has_constructor(self) -> bool:
        """Whether it has one of its own."""
        is_plain = self.super_call == "super().__init__()"
        return bool(self.whole or self.init or self.early or self.arguments or not is_plain)

    def render(self) -> str:
        """The text of the class."""
        if self.whole:
            return self.whole
        bases = ", ".join(self.bases)
        lines = [
            *self.decorators,
            f"class {self.name}({bases}):" if bases else f"class {self.name}:",
        ]
        parts = ["\n".join(self.body)] if self.body else []
        if self.has_constructor:
            statements = [*self.early, *([self.super_call] if self.super_call else []), *self.init]
            parts.append(f"def __init__({self.signature()}):\n{block(statements)}")
        methods = list(self.methods)
        if self.steps:
            forward = f"def forward(self, x):\n{block([*self.steps, 'return x'])}"
            methods.insert(self.rng.randint(0, len(methods)), forward)
        parts += methods
        text = "\n\n".join(parts) or "pass"
        return "\n".join((*lines, indent(text, "    ")))


@dataclass(slots=True)
class ProjectDraft:
    """A project while it is written; ``package`` is its folder, or empty."""

    rng: random.Random
    package: str = ""
    files: list[FileDraft] = field(default_factory=list)
    classes: list[ClassDraft] = field(default_factory=list)
    helpers: dict[str, Helper] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def new_name(self, stem: str) -> str:
        """A name at file level that no file has."""
        name, number = stem, 1
        while name in self.names:
            number += 1
            name = f"{stem}{number}"
        self.names.add(name)
        return name

    def new_file(self, stem: str) -> FileDraft:
        """A further file."""
        path = f"{self.package}/{stem}.py" if self.package else f"{stem}.py"
        style = self.rng.choice(STYLES)
        self.files.append(FileDraft(path, style))
        return self.files[-1]

    def helper(self, user: ClassDraft, stem: str, text: str, here: bool) -> str:
        """Write a helper into the user's file, or into another one that it imports."""
        name = self.new_name(stem)
        others = [f for f in self.files if f is not user.file and f.path.endswith("common.py")]
        file = others[0] if others and not here and self.rng.random() < 0.4 else user.file
        self.helpers[name] = Helper(name, file.path)
        file.blocks.append(text.replace("NAME", name))
        for line in _imports_of(text):
            file.add_import(line)
        return self.refer_to(user.file, name, file.path)

    def refer(self, user: ClassDraft, cls: ClassDraft) -> str:
        """How ``user``'s file writes another class."""
        return self.refer_to(user.file, cls.name, cls.file.path)

    def refer_to(self, file: FileDraft, name: str, path: str) -> str:
        """How a file writes a name of the file ``path``; imports it where needed."""
        if path == file.path:
            return name
        if name not in file.names:
            file.names[name] = self._import(file, name, path)
        return file.names[name]

    def _import(self, file: FileDraft, name: str, path: str) -> str:
        module = path.removesuffix(".py").replace("/", ".")
        stem = module.rpartition(".")[2]
        near = f".{stem}" if self.package else stem
        way = self.rng.choice(IMPORTS)
        if way == "alias":
            file.add_import(f"from {near} import {name} as {name}Alias")
            return f"{name}Alias"
        if way == "star":
            file.add_import(f"from {near} import *")
            return name
        if way == "module" and self.package:
            file.add_import(f"from . import {stem}")
            return f"{stem}.{name}"
        if way == "module as":
            file.add_import(f"import {module} as {stem}_module")
            return f"{stem}_module.{name}"
        if way == "whole":
            file.add_import(f"import {module}")
            return f"{module}.{name}"
        if way == "re-export" and self.package:
            by = f"{stem}_names"  # one for each file, or two could import each other
            self.names.add(by)
            _reexport(self, f"{self.package}/{by}.py", name, f".{stem}")
            file.add_import(f"from .{by} import {name}")
            return name
        file.add_import(f"from {near if self.rng.random() < 0.6 else module} import {name}")
        return name


IMPORTS = ("name", "name", "name", "alias", "star", "module", "module as", "whole", "re-export")
STYLES = ("nn", "nn", "nn", "torch.nn", "names", "alias", "star", "parameter")


def _reexport(project: ProjectDraft, path: str, name: str, source: str) -> None:
    file = next((f for f in project.files if f.path == path), None)
    if file is None:
        file = FileDraft(path, "nn")
        project.files.insert(0, file)
    file.add_import(f"from {source} import {name}")


def _imports_of(text: str) -> Iterator[str]:
    """What a helper needs of the standard library."""
    for module in ("math", "copy", "functools", "itertools", "operator", "typing", "collections"):
        if re.search(rf"\b{module}\.", text):
            yield f"import {module}"


def block(statements: Sequence[str], prefix: str = "    ") -> str:
    """Statements, each of one or several lines, indented."""
    return "\n".join(indent(statement, prefix) for statement in statements) or f"{prefix}pass"


_NN = re.compile(r"\bnn\.([A-Z]\w*)")


def render_file(file: FileDraft, extra: Sequence[str] = ()) -> str:
    """The text of a file, with torch.nn spelled in its style."""
    text = "\n\n\n".join([*file.blocks, *extra])
    heads = ["import torch"]
    used = sorted(set(_NN.findall(text)))
    match file.style:
        case "torch.nn":
            text = re.sub(r"(?<![\w.])nn\.", "torch.nn.", text)
        case "names" if used:
            text = _NN.sub(r"\1", text)
            heads.append(f"from torch.nn import {', '.join(used)}")
        case "alias":
            text = re.sub(r"(?<![\w.])nn\.", "tnn.", text)
            heads.append("import torch.nn as tnn")
        case "star":
            text = _NN.sub(r"\1", text)
            heads.append("from torch.nn import *")
        case "parameter":
            text = text.replace("nn.Parameter(", "Parameter(")
            heads.append("from torch.nn.parameter import Parameter")
    if re.search(r"(?<![\w.])nn\.", text):
        heads.append("from torch import nn")
    if re.search(r"(?<![\w.])F\.", text):
        heads.append("import torch.nn.functional as F")
    for line in _imports_of(text):
        file.add_import(line)
    return "\n".join([*heads, *file.imports]) + "\n\n\n" + text + "\n"
