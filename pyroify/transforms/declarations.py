"""Declare random attributes as the last statements of a method, most often ``__init__``."""

from __future__ import annotations

import libcst as cst

from pyroify.transforms._layout import fitted_statement

NODE = cst.FunctionDef


def apply(
    node: cst.FunctionDef, sources: tuple[str, ...], existing: int, indent: int, limit: int
) -> cst.FunctionDef:
    """Replace the last ``existing`` statements by others; ``indent`` is the body's column."""
    body = _as_block(node.body)
    statements = list(body.body)
    first_lines = None
    if existing:
        first_lines = getattr(statements[-existing], "leading_lines", None)
        statements = statements[:-existing]
    made = [fitted_statement(source, indent, limit) for source in sources]
    if made:
        lead = first_lines if first_lines is not None else [cst.EmptyLine(indent=False)]
        made[0] = made[0].with_changes(leading_lines=lead)
    return node.with_changes(body=body.with_changes(body=[*statements, *made]))


def _as_block(body: cst.BaseSuite) -> cst.IndentedBlock:
    """A body on lines of its own, also where it was written behind the colon."""
    if isinstance(body, cst.IndentedBlock):
        return body
    assert isinstance(body, cst.SimpleStatementSuite)
    line = cst.SimpleStatementLine(body.body, trailing_whitespace=body.trailing_whitespace)
    return cst.IndentedBlock([line])
