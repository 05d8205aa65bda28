"""Make a layer a PyroModule where it is built: ``PyroModule[nn.Linear](a, b)``."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Submodules
from pyroify.transforms._layout import fitted_expression

NODE = cst.Call


def apply(node: cst.Call, edit: Submodules) -> cst.Call:
    """Put the callee in brackets after ``wrapper``.

    ``argument`` is given where there is none: ``PyroModule[nn.ModuleList]`` needs one. A call that
    stands on one line from ``column`` may reach up to ``room``, or is broken; -1 leaves it.
    ``indent`` is the line's, ``statement`` the column of the statement, ``trailing`` what follows
    the call on its line.
    """
    callee = cst.Subscript(
        value=cst.parse_expression(edit.wrapper),
        slice=[cst.SubscriptElement(cst.Index(node.func))],
    )
    made = node.with_changes(func=callee)
    if edit.argument and not node.args:
        made = made.with_changes(args=[cst.Arg(cst.parse_expression(edit.argument))])
    text = cst.Module([]).code_for_node(made)
    if edit.room < 0 or edit.column + len(text) <= edit.room or "\n" in text or node.lpar:
        return made
    fitted = fitted_expression(
        text, edit.column, edit.indent, edit.room, edit.indent - edit.statement, edit.trailing
    )
    assert isinstance(fitted, cst.Call)
    return fitted
