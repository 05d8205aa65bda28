"""What makes the edits, one kind per file: each changes one syntax node as its edit says.

A transform module has ``NODE``, the LibCST class it applies to, and ``apply(node, edit)``, which
gives the changed node. Its file name is the ``kind`` of the edits it makes. Transforms are found
by walking this package; nothing lists them.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def transforms() -> dict[str, ModuleType]:
    """All transforms by kind."""
    return {
        info.name: importlib.import_module(f"{__name__}.{info.name}")
        for info in pkgutil.iter_modules(__path__)
        if not info.name.startswith("_")
    }
