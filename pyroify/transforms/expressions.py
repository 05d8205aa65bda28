"""Replace one expression by another that means the same once parameters are random.

``self.weight.data`` becomes ``self.weight``, ``type(m) is nn.Linear`` becomes
``isinstance(m, nn.Linear)``.
"""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Expressions
from pyroify.transforms._sources import says

NODE = (cst.Name, cst.Attribute, cst.Call, cst.Comparison, cst.Subscript, cst.Annotation)


def matches(node: cst.CSTNode, edit: Expressions) -> bool:
    """Whether a node is the expression meant: several may start at one place."""
    return says(node, edit.old)


def apply(node: cst.BaseExpression, edit: Expressions) -> cst.BaseExpression:
    """The new expression, in the parentheses of the old one."""
    made = cst.parse_expression(edit.new)
    return made.with_changes(lpar=[*node.lpar, *made.lpar], rpar=[*made.rpar, *node.rpar])
