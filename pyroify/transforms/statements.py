"""Drop a statement, put another in its place, or add statements after it."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Statements
from pyroify.transforms._layout import fitted_statement

NODE = (cst.SimpleStatementLine, cst.For, cst.FunctionDef)

Statement = cst.SimpleStatementLine | cst.For | cst.FunctionDef


def apply(node: Statement, edit: Statements) -> cst.FlattenSentinel[cst.BaseStatement]:
    """Give the statements of ``sources``, after the node itself where it is ``kept``.

    Without it the first takes over the lines above. A comment right above a statement that goes
    without a successor goes with it.
    """
    made = [fitted_statement(source, edit.indent, edit.limit) for source in edit.sources]
    if edit.kept:
        return cst.FlattenSentinel([node, *made])
    if made:
        made[0] = made[0].with_changes(leading_lines=node.leading_lines)
    return cst.FlattenSentinel(made)
