"""Findings in notebooks, where their users look for them: by cell."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from pyroify.diagnostics import Finding
from pyroify.program.index import Index


def by_cell(index: Index, finding: Finding) -> Finding:
    """A finding with the line within its cell, which the message names, where it is in one."""
    cells = index.loaded.cells.get(finding.path, ())
    position = bisect_left([line for _, line in cells], finding.line) - 1
    if position < 0:
        return finding
    number, line = cells[position]
    message = f"cell {number}: {finding.message}"
    return replace(finding, line=finding.line - line, message=message)
