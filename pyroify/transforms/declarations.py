"""Declare random attributes as the last statements of a method, most often ``__init__``."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import libcst as cst

from pyroify.plan.meaning import meaning
from pyroify.transforms._layout import fitted_statement

NODE = cst.FunctionDef


def apply(
    node: cst.FunctionDef,
    sources: tuple[str, ...],
    existing: tuple[str, ...],
    indent: int,
    limit: int,
    before: int | None,
) -> cst.FunctionDef:
    """Replace the statements whose normalised sources are ``existing`` by others.

    They are the last ones, or those that ``before`` others stand before. Those that mean the same
    stay as they are. ``indent`` is the body's column.
    """
    body = _as_block(node.body)
    start = len(body.body) - len(existing) if before is None else before
    rest = body.body[start + len(existing) :]
    old = list(body.body[start : start + len(existing)])
    gap: Sequence[cst.EmptyLine] = [cst.EmptyLine(indent=False)]
    if old:  # the blank lines above belong to the block, comments to their statement
        gap, old[0] = _parted(old[0])
    made: list[cst.BaseStatement] = []
    matcher = SequenceMatcher(None, [*map(meaning, existing)], [*map(meaning, sources)], False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            made.extend(old[first:last])
            continue
        new = [fitted_statement(source, indent, limit) for source in sources[begin:end]]
        for position, replaced in enumerate(old[first:last][: len(new)]):
            new[position] = _below(_lines_above(replaced), new[position])
        made.extend(new)
    if made:
        made[0] = _below([*gap, *_lines_above(made[0])], made[0])
    return node.with_changes(body=body.with_changes(body=[*body.body[:start], *made, *rest]))


def _parted(node: cst.BaseStatement) -> tuple[Sequence[cst.EmptyLine], cst.BaseStatement]:
    """The blank lines above a statement, and the statement with the comments below them."""
    lines = _lines_above(node)
    first = next((i for i, line in enumerate(lines) if line.comment), len(lines))
    return lines[:first], _below(lines[first:], node)


def _lines_above(node: cst.BaseStatement) -> Sequence[cst.EmptyLine]:
    assert isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return node.leading_lines


def _below(lines: Sequence[cst.EmptyLine], node: cst.BaseStatement) -> cst.BaseStatement:
    return node.with_changes(leading_lines=lines)


def _as_block(body: cst.BaseSuite) -> cst.IndentedBlock:
    """A body on lines of its own, also where it was written behind the colon."""
    if isinstance(body, cst.IndentedBlock):
        return body
    assert isinstance(body, cst.SimpleStatementSuite)
    line = cst.SimpleStatementLine(body.body, trailing_whitespace=body.trailing_whitespace)
    return cst.IndentedBlock([line])
