"""``self.register_parameter("w", nn.Parameter(...))`` becomes ``self.w = PyroSample(...)``."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Registrations
from pyroify.transforms._layout import fitted_statement

NODE = cst.Expr


def apply(node: cst.Expr, edit: Registrations) -> cst.BaseSmallStatement:
    """Replace an expression statement by another simple statement."""
    made = fitted_statement(edit.source, edit.indent, edit.limit)
    assert isinstance(made, cst.SimpleStatementLine)
    return made.body[0].with_changes(semicolon=node.semicolon)
