"""Make what a partial is of a PyroModule: ``partial(PyroModule[nn.Linear], bias=False)``."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Partials
from pyroify.transforms._layout import fitted_call

NODE = cst.Call


def apply(node: cst.Call, edit: Partials) -> cst.Call:
    """Put the first argument in brackets after ``wrapper``; the layout is that of submodules."""
    first, *others = node.args
    wrapped = cst.Subscript(
        value=cst.parse_expression(edit.wrapper),
        slice=[cst.SubscriptElement(cst.Index(first.value))],
    )
    return fitted_call(node.with_changes(args=[first.with_changes(value=wrapped), *others]), edit)
