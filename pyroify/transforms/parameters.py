"""Declare in place: ``nn.Parameter(...)`` becomes ``PyroSample(...)`` or ``PyroParam(...)``."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Parameters
from pyroify.transforms._layout import fitted_expression

NODE = cst.Call


def apply(node: cst.Call, edit: Parameters) -> cst.Call:
    """Replace the call by another.

    ``column`` is where it starts, ``indent`` where its statement does, ``limit`` how far a line
    may go, ``trailing`` how much follows the call on its last line.
    """
    made = fitted_expression(
        edit.source, edit.column, edit.indent, edit.limit - edit.trailing, trailing=edit.trailing
    )
    assert isinstance(made, cst.Call)
    return made.with_changes(lpar=node.lpar, rpar=node.rpar)
