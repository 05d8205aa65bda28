"""Findings in notebooks, where their users look for them: by cell."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from pyroify.diagnostics import Finding
from pyroify.program.index import Index


def by_cell(index: Index, finding: Finding) -> Finding:
    """A finding with the lines within its cells, which the message names, where it is in one."""
    cells = index.loaded.cells.get(finding.path, ())
    number, line = _place(cells, finding.line)
    if not number:
        return finding
    others = (_place(cells, int(other)) for other in finding.others)
    return replace(
        finding,
        line=line,
        message=f"cell {number}: {finding.message}",
        others=tuple(f"{line} of cell {number}" for number, line in others),
    )


def _place(cells: Sequence[tuple[int, int]], line: int) -> tuple[int, int]:
    """The number of the cell of a line, from 1, and the line within it; 0 where it is in none."""
    position = bisect_left([start for _, start in cells], line) - 1
    if position < 0:
        return 0, line
    number, start = cells[position]
    return number, line - start
