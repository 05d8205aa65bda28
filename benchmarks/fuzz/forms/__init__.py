"""The forms, one function each, by kind: how real code declares parameters and layers.

A form takes a :class:`~benchmarks.fuzz.draft.ClassDraft` and adds its statements to the
constructor, its helpers to the file, and a step to forward. Further files are found by walking
this folder; nothing lists them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from benchmarks.fuzz.draft import ClassDraft

Form = Callable[[ClassDraft], None]


def all_forms() -> dict[str, tuple[str, Form]]:
    """Kind and function of every form, by name: the public functions of the modules here."""
    found = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, value in vars(module).items():
            if callable(value) and getattr(value, "__module__", "") == module.__name__:
                if not name.startswith("_") and not isinstance(value, type):
                    found[f"{info.name}.{name}"] = (info.name, value)
    return found
