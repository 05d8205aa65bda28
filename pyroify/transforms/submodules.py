"""Make a layer a PyroModule where it is built: ``nn.Linear(a, b)`` becomes ``PyroModule[nn.Linear](a, b)``."""

from __future__ import annotations

import libcst as cst

NODE = cst.Call


def apply(node: cst.Call, wrapper: str, argument: str = "") -> cst.Call:
    """Put the callee in brackets after ``wrapper``.

    ``argument`` is given where there is none: ``PyroModule[nn.ModuleList]`` needs one.
    """
    callee = cst.Subscript(
        value=cst.parse_expression(wrapper),
        slice=[cst.SubscriptElement(cst.Index(node.func))],
    )
    if argument and not node.args:
        return node.with_changes(func=callee, args=[cst.Arg(cst.parse_expression(argument))])
    return node.with_changes(func=callee)
