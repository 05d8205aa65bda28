"""Make a layer a PyroModule where it is built: ``PyroModule[nn.Linear](a, b)``."""

from __future__ import annotations

import libcst as cst

from pyroify.transforms._layout import fitted_expression

NODE = cst.Call


def apply(
    node: cst.Call,
    wrapper: str,
    argument: str,
    indent: int,
    statement: int,
    room: int,
    column: int,
    trailing: int,
) -> cst.Call:
    """Put the callee in brackets after ``wrapper``.

    ``argument`` is given where there is none: ``PyroModule[nn.ModuleList]`` needs one. A call that
    stands on one line from ``column`` may reach up to ``room``, or is broken; -1 leaves it.
    ``indent`` is the line's, ``statement`` the column of the statement, ``trailing`` what follows
    the call on its line.
    """
    callee = cst.Subscript(
        value=cst.parse_expression(wrapper),
        slice=[cst.SubscriptElement(cst.Index(node.func))],
    )
    made = node.with_changes(func=callee)
    if argument and not node.args:
        made = made.with_changes(args=[cst.Arg(cst.parse_expression(argument))])
    text = cst.Module([]).code_for_node(made)
    if room < 0 or column + len(text) <= room or "\n" in text or node.lpar:
        return made
    fitted = fitted_expression(text, column, indent, room, indent - statement, trailing)
    assert isinstance(fitted, cst.Call)
    return fitted
