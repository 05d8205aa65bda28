"""Give a class that has none an ``__init__``, to declare what it inherits from a library layer."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Constructors
from pyroify.transforms._comments import as_lines, comments_in
from pyroify.transforms._layout import fitted_statement

NODE = cst.ClassDef


def apply(node: cst.ClassDef, edit: Constructors) -> cst.ClassDef:
    """Insert ``__init__`` before the first method, after docstring and class attributes."""
    head = cst.parse_statement(
        "def __init__(self, *args, **kwargs):\n    super().__init__(*args, **kwargs)\n"
    )
    assert isinstance(head, cst.FunctionDef) and isinstance(head.body, cst.IndentedBlock)
    body = head.body
    statements = [
        *body.body,
        *(fitted_statement(source, edit.indent, edit.limit) for source in edit.sources),
    ]
    made = head.with_changes(body=body.with_changes(body=statements))
    if not isinstance(node.body, cst.IndentedBlock):
        made = made.with_changes(leading_lines=as_lines(comments_in(node.body)))
        block = cst.IndentedBlock([made])
        return node.with_changes(body=block)
    items = list(node.body.body)
    position = next(
        (i for i, item in enumerate(items) if isinstance(item, cst.FunctionDef)), len(items)
    )
    if len(items) == 1 and _is_pass(items[0]):
        made = made.with_changes(leading_lines=as_lines(comments_in(items[0])))
        return node.with_changes(body=node.body.with_changes(body=[made]))
    if position < len(items) and not getattr(items[position], "leading_lines", ()):
        items[position] = items[position].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    if position:
        made = made.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    items.insert(position, made)
    return node.with_changes(body=node.body.with_changes(body=items))


def _is_pass(node: cst.BaseStatement) -> bool:
    return isinstance(node, cst.SimpleStatementLine) and isinstance(node.body[0], cst.Pass)
