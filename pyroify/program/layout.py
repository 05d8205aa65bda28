"""How the project's own formatter lays lines out, as far as a rewrite has to know."""

from __future__ import annotations

import tomllib
from pathlib import Path


def line_limit(root: Path) -> int | None:
    """Line length of ruff or black as the project's pyproject.toml sets it, if it does."""
    try:
        tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        return None
    for tool in ("ruff", "black"):
        value = tools.get(tool, {}).get("line-length")
        if isinstance(value, int):
            return value
    return None
