"""Insert a definition the declarations need before the first class or function of a file."""

from __future__ import annotations

import libcst as cst

NODE = cst.Module


def apply(node: cst.Module, sources: tuple[str, ...]) -> cst.Module:
    """Insert definitions, two blank lines around each, as formatters leave it."""
    body = list(node.body)
    position = next(
        (i for i, item in enumerate(body) if isinstance(item, cst.ClassDef | cst.FunctionDef)),
        len(body),
    )
    made = []
    for source in sources:
        statement = cst.parse_statement(source)
        blank = [cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)]
        made.append(statement.with_changes(leading_lines=blank))
    if position < len(body):
        following = body[position]
        lines = list(following.leading_lines)  # type: ignore[union-attr]
        missing = 2 - sum(1 for line in lines if line.comment is None)
        blank = [cst.EmptyLine(indent=False)] * max(missing, 0)
        body[position] = following.with_changes(leading_lines=[*blank, *lines])
    return node.with_changes(body=[*body[:position], *made, *body[position:]])
