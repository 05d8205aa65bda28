"""The import lines a script needs, found from the names it uses."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

_MODULES: Final = {
    "lightning": "import lightning",
    "math": "import math",
    "os": "import os",
    "subprocess": "import subprocess",
    "sys": "import sys",
    "pyro": "import pyro",
    "pytest": "import pytest",
    "dist": "import pyro.distributions as dist",
    "torch": "import torch",
}
_MEMBERS: Final = {
    "collections.abc": ("Iterable",),
    "lightning.pytorch.loggers": ("CSVLogger", "MLFlowLogger", "TensorBoardLogger", "WandbLogger"),
    "pathlib": ("Path",),
    "typing": ("Any",),
    "pyro": ("poutine",),
    "pyro.distributions": ("constraints",),
    "pyro.infer": ("MCMC", "NUTS", "SVI", "Trace_ELBO"),
    "pyro.infer.autoguide": (
        "init_to_feasible",
        "init_to_median",
        "init_to_sample",
        "init_to_value",
    ),
    "pyro.nn": ("PyroModule", "PyroParam", "PyroSample"),
    "torch": ("Tensor", "nn"),
    "torch.nn": ("functional",),
}
_THIRD_PARTY: Final = ("lightning", "pyro", "pytest", "torch")
_WIDTH: Final = 88


@dataclass(frozen=True, slots=True)
class Uses:
    """The names of a source: those it reads and never binds, and all that mean something in it.

    ``modules`` are the top-level ones that it imports itself.
    """

    free: frozenset[str]
    taken: frozenset[str]
    modules: frozenset[str]


def find_uses(source: str, function: str = "") -> Uses:
    """What ``source``, or one top-level function of it, uses."""
    body = ast.parse(source).body
    if function:
        body = [n for n in body if isinstance(n, ast.FunctionDef) and n.name == function]
    read: set[str] = set()
    bound: set[str] = set()
    modules: set[str] = set()
    for node in ast.walk(ast.Module(body, [])):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Name(id=name):
                bound.add(name)
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.Import(names=names):
                modules.update(alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module)):
                modules.add(module.partition(".")[0])
            case ast.alias(name=name, asname=asname):
                bound.add(asname or name.partition(".")[0])
    return Uses(frozenset(read - bound), frozenset(read | bound), frozenset(modules))


def import_block(used: Collection[str]) -> str:
    """Import statements for the known names among those ``used``, as isort orders them."""
    statements = [line for name, line in _MODULES.items() if name in used]
    members = {m: [name for name in names if name in used] for m, names in _MEMBERS.items()}
    members["pyro.infer.autoguide"] += [name for name in used if name.startswith("Auto")]
    statements += [import_from(module, names) for module, names in members.items() if names]
    ordered = sorted(statements, key=_order)
    third = [line for line in ordered if _module(line).split(".")[0] in _THIRD_PARTY]
    standard = [line for line in ordered if line not in third]
    return "\n\n".join("\n".join(group) for group in (standard, third) if group)


def import_from(module: str, names: Iterable[str], comment: str = "") -> str:
    """One ``from`` import, over several lines where one is too long."""
    names = sorted(names, key=_member_order)
    line = f"from {module} import {', '.join(names)}"
    if len(line + comment) <= _WIDTH:
        return line + comment
    return "\n".join([f"from {module} import ({comment}", *(f"    {name}," for name in names), ")"])


def _module(statement: str) -> str:
    return statement.split()[1]


def _order(statement: str) -> tuple[bool, str]:
    return statement.startswith("from"), _module(statement)


def _member_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    rank = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return rank, name
