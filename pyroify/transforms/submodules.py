"""Make a layer a PyroModule where it is built: ``PyroModule[nn.Linear](a, b)``."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Submodules
from pyroify.transforms._layout import fitted_call
from pyroify.transforms._sources import says

NODE = cst.Call


def matches(node: cst.CSTNode, edit: Submodules) -> bool:
    """Whether a node is the call meant: several may start at one place."""
    return not edit.callee or (isinstance(node, cst.Call) and says(node.func, edit.callee))


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
    return fitted_call(made, edit)
