"""Replace one expression by another that means the same once parameters are random.

``self.weight.data`` becomes ``self.weight``, ``type(m) is nn.Linear`` becomes
``isinstance(m, nn.Linear)``.
"""

from __future__ import annotations

import ast
from contextlib import suppress

import libcst as cst

from pyroify.edits.kinds import Expressions

NODE = (cst.Name, cst.Attribute, cst.Call, cst.Comparison, cst.Subscript, cst.Annotation)


def matches(node: cst.CSTNode, edit: Expressions) -> bool:
    """Whether a node is the expression meant: several may start at one place."""
    bare = node.with_changes(lpar=[], rpar=[]) if isinstance(node, cst.BaseExpression) else node
    return _said(cst.Module([]).code_for_node(bare)) == _said(edit.old)


def apply(node: cst.BaseExpression, edit: Expressions) -> cst.BaseExpression:
    """The new expression, in the parentheses of the old one."""
    made = cst.parse_expression(edit.new)
    return made.with_changes(lpar=[*node.lpar, *made.lpar], rpar=[*made.rpar, *node.rpar])


def _said(source: str) -> str:
    """An expression without its comments and line breaks."""
    with suppress(SyntaxError):  # an annotation is none
        return ast.unparse(ast.parse(f"({source}\n)", mode="eval"))
    return "".join(source.split()).replace("'", '"')
