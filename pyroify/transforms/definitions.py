"""Insert definitions the declarations need before the first class or function of a file.

Those that nothing needs any more are removed.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import libcst as cst

from pyroify.edits.kinds import Definitions
from pyroify.transforms._layout import above_cell, fitted_statement

NODE = cst.Module

Definition = cst.ClassDef | cst.FunctionDef


def apply(node: cst.Module, edit: Definitions) -> cst.Module:
    """Insert definitions, two blank lines around each, or replace those of the same name."""
    made = {
        definition.name.value: definition
        for definition in _parsed(edit.sources, edit.limit, node.default_newline)
    }
    body = [item for item in node.body if not _is_named(item, edit.dropped)]
    for position, old in enumerate(body):
        if isinstance(old, Definition) and (new := made.pop(old.name.value, None)):
            body[position] = new.with_changes(leading_lines=old.leading_lines)
    first = next((i for i, item in enumerate(body) if isinstance(item, Definition)), len(body))
    added = [definition.with_changes(leading_lines=_apart(())) for definition in made.values()]
    if added and first < len(body):
        following = body[first]
        assert isinstance(following, Definition)
        cut = above_cell(following.leading_lines)
        above, own = following.leading_lines[:cut], following.leading_lines[cut:]
        added[0] = added[0].with_changes(leading_lines=[*above, *_apart(())[: 0 if cut else 2]])
        body[first] = following.with_changes(leading_lines=_apart(own))
    return node.with_changes(body=[*body[:first], *added, *body[first:]])


def _is_named(item: cst.CSTNode, names: Set[str]) -> bool:
    return isinstance(item, Definition) and item.name.value in names


def _parsed(sources: Sequence[str], limit: int, newline: str) -> list[Definition]:
    statements = [fitted_statement(source.rstrip("\n"), 0, limit, newline) for source in sources]
    return [statement for statement in statements if isinstance(statement, Definition)]


def _apart(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Two blank lines before what is there."""
    missing = 2 - sum(1 for line in lines if line.comment is None)
    return [*[cst.EmptyLine(indent=False)] * max(missing, 0), *lines]
