"""What became of a checkpoint: what was written, and what found no place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyroify.checkpoint import Conversion
from pyroify.diagnostics import Finding
from pyroify.report.text import count

UNFIT = "PYR311"
SHOWN = 5


def render_conversion(conversion: Conversion, new: Path, guide: Path) -> str:
    """Two lines: the checkpoint, and where a guide can begin."""
    constrained = len(conversion.constrained)
    values = count(len(conversion.kept) + constrained, "value")
    random = count(len(conversion.random), "value")
    return (
        f"wrote {new}: {values}, {constrained} of them unconstrained\n"
        f"wrote {guide}: these and {random} of random parameters\n"
    )


def surplus_findings(conversion: Conversion, old: str) -> tuple[Finding, ...]:
    """Keys on one side only; ``old`` is how messages name the checkpoint."""
    sides = (
        ("the model has no place for", conversion.surplus),
        ("it has no value for", conversion.missing),
    )
    return tuple(
        Finding(old, 1, 1, UNFIT, f"{what} {_listed(keys)}", "build the model it was saved from")
        for what, keys in sides
        if keys
    )


def _listed(keys: Sequence[str]) -> str:
    more = len(keys) - SHOWN
    return ", ".join(keys[:SHOWN]) + (f" and {more} more" if more > 0 else "")
