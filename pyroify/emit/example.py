"""What to train first: the outermost network, built as the project itself builds it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyroify.decide.model import ClassPlan, Plan
from pyroify.emit.losses import find_losses
from pyroify.emit.values import Unwritable, is_reference, write_value
from pyroify.program import Index
from pyroify.program.index import ModuleClass
from pyroify.syntax.facts import Function
from pyroify.syntax.values import Call, Name

NEEDED = "..."
"""Stands for an argument that the project never gives in so many words."""

_SIZES = re.compile(r"\[(?:[^,\]]+), ?([^,\]]+)\]")


@dataclass(frozen=True)
class Example:
    """A section ``svi:`` for the class ``name``.

    ``is_complete``: no other class may be meant, and all that it needs is known.
    """

    name: str
    section: Mapping[str, Any] = field(default_factory=dict)
    is_complete: bool = True


def find_example(root: Path, files: Sequence[str], index: Index, plan: Plan) -> Example | None:
    """The outermost network of a plan, of several the one that holds most, and its loss."""
    outermost = list(_outermost(plan))
    entry = max(outermost, key=lambda entry: len(_below(plan, entry)), default=None)
    cls = _class(index, entry) if entry else None
    if entry is None or cls is None:
        return None
    kwargs = _kwargs(index, cls)
    section: dict[str, Any] = {"model": {"class": entry.name}}
    if kwargs:
        section["model"]["kwargs"] = kwargs
    if folder := _folder(cls):
        section["model"]["path"] = folder
    section["data"] = {"source": "synthetic", **_shape(entry, kwargs)}
    losses = find_losses(root, files, section["model"])
    if len(losses) == 1:
        section["likelihood"] = losses[0].section
    return Example(entry.name, section, len(outermost) == 1 and NEEDED not in kwargs.values())


def _outermost(plan: Plan) -> Iterator[ClassPlan]:
    """The converted classes that no other holds or derives from, and that can be imported."""
    converted = [entry for entry in plan.classes if entry.status == "converted"]
    inner = {part.cls for entry in converted for part in entry.parts if part.cls != entry.name}
    inner |= {base for entry in converted for base in entry.bases}
    yield from (e for e in converted if e.name not in inner and is_reference(e.name))


def _below(plan: Plan, entry: ClassPlan) -> set[str]:
    """The classes that one is made of, at any depth, and its sites."""
    classes = {item.name: item for item in plan.classes}
    seen: set[str] = set()
    waiting = [entry.name]
    while waiting:
        name = waiting.pop()
        if name in classes and name not in seen:
            seen.add(name)
            waiting += [part.cls for part in classes[name].parts]
    return seen | {f"{name}.{site.path}" for name in seen for site in classes[name].sites}


def _class(index: Index, entry: ClassPlan) -> ModuleClass | None:
    found = (cls for cls in index.module_classes if cls.file.path == entry.path)
    return next((cls for cls in found if cls.cls.qualname == entry.qualname), None)


def _folder(cls: ModuleClass) -> str:
    """The folder that its module is imported from, below the root."""
    stem = cls.file.path.removesuffix(".py").removesuffix("/__init__")
    return stem.removesuffix(cls.file.module.replace(".", "/")).rstrip("/")


# How it is built


def _kwargs(index: Index, cls: ModuleClass) -> Mapping[str, Any]:
    """The arguments of its constructor that have no default, as some call of the project has them.

    ``...`` stands for those that no call gives as a plain value.
    """
    found = cls.find_method("__init__")
    if found is None:
        return {}
    constructor = found[1]
    calls = [_given(call, constructor) for call in _calls(index, cls)]
    best = max(calls, key=len, default={})
    needed = [name for name in constructor.arguments if name not in dict(constructor.defaults)]
    return {**{name: best.get(name, NEEDED) for name in needed}, **best}


def _calls(index: Index, cls: ModuleClass) -> Iterator[Call]:
    """The calls of the project that make an instance of a class."""
    for file in index.files:
        methods = (method for other in file.classes for method in other.methods)
        functions = (*file.functions, *methods)
        for call in (*file.module_calls, *(c for item in functions for c in item.layer_calls)):
            if isinstance(call.callee, Name):
                target = index.resolve(call.callee.dotted, file.path).module_class
                if target is not None and target.key == cls.key:
                    yield call


def _given(call: Call, constructor: Function) -> dict[str, Any]:
    """What a call gives by plain values, by name; nothing where it unpacks something."""
    if any(passed.star for passed in call.args):
        return {}
    names = iter(constructor.arguments)
    given = ((passed.keyword or next(names, ""), passed.text) for passed in call.args)
    return {name: value for name, text in given if name for value in _plain(text)}


def _plain(text: str) -> Iterator[Any]:
    """The value that a text spells out, if a spec can hold it."""
    try:
        value = ast.literal_eval(text)
        write_value(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, Unwritable):
        return
    if isinstance(value, bool | int | float | str | list) or value is None:
        yield value


def _shape(entry: ClassPlan, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The shape of a row, where the network begins with a linear layer of known width."""
    first = next((site for site in entry.sites if site.layer), None)
    if first is None or any(part.line < first.line for part in entry.parts):
        return {}  # a class of the project comes before it
    sizes = _SIZES.fullmatch(first.shape) if first.layer == "Linear" else None
    size = kwargs.get(sizes[1], sizes[1]) if sizes else None
    is_known = isinstance(size, int) or (isinstance(size, str) and size.isdecimal())
    return {"shape": [int(size)]} if is_known and size is not None else {}
