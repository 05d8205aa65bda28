"""What a node of the syntax tree says, however it is laid out."""

from __future__ import annotations

import ast
from contextlib import suppress

import libcst as cst


def says(node: cst.CSTNode, source: str) -> bool:
    """Whether a node says the same as an expression, parentheses around it aside."""
    bare = node.with_changes(lpar=[], rpar=[]) if isinstance(node, cst.BaseExpression) else node
    return _said(cst.Module([]).code_for_node(bare)) == _said(source)


def _said(source: str) -> str:
    """An expression without its comments and line breaks."""
    with suppress(SyntaxError):  # an annotation is none
        return ast.unparse(ast.parse(f"({source}\n)", mode="eval"))
    return "".join(source.split()).replace("'", '"')
