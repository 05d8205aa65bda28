"""Insert a definition the declarations need before the first class or function of a file."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

NODE = cst.Module


def apply(node: cst.Module, sources: tuple[str, ...]) -> cst.Module:
    """Insert definitions, two blank lines around each, or replace those of the same name."""
    for source in sources:
        made = cst.parse_statement(source)
        assert isinstance(made, cst.ClassDef | cst.FunctionDef)
        node = node.with_changes(body=_with(list(node.body), made))
    return node


def _with(
    body: list[cst.BaseStatement], made: cst.ClassDef | cst.FunctionDef
) -> list[cst.BaseStatement]:
    positions = [
        i for i, item in enumerate(body) if isinstance(item, cst.ClassDef | cst.FunctionDef)
    ]
    for position in positions:
        old = body[position]
        assert isinstance(old, cst.ClassDef | cst.FunctionDef)
        if old.name.value == made.name.value:
            body[position] = made.with_changes(leading_lines=old.leading_lines)
            return body
    position = positions[0] if positions else len(body)
    if positions:
        following = body[position]
        assert isinstance(following, cst.ClassDef | cst.FunctionDef)
        body[position] = following.with_changes(leading_lines=_apart(following.leading_lines))
    body.insert(position, made.with_changes(leading_lines=_apart(())))
    return body


def _apart(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Two blank lines before what is there."""
    missing = 2 - sum(1 for line in lines if line.comment is None)
    return [*[cst.EmptyLine(indent=False)] * max(missing, 0), *lines]
