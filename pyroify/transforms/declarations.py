"""Declare random attributes as the last statements of a method, most often ``__init__``."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import libcst as cst

from pyroify.edits.kinds import Declarations
from pyroify.transforms._comments import as_lines, comments_in, lost
from pyroify.transforms._layout import fitted_statement

NODE = cst.FunctionDef


def apply(node: cst.FunctionDef, edit: Declarations) -> cst.FunctionDef:
    """Replace the statements that are ``existing`` by others.

    They are the last ones, or those that ``before`` others stand before. Those that say the same
    stay as they are. ``indent`` is the body's column.
    """
    body = _as_block(node.body)
    start = len(body.body) - len(edit.existing) if edit.before is None else edit.before
    rest = list(body.body[start + len(edit.existing) :])
    old = list(body.body[start : start + len(edit.existing)])
    gap: Sequence[cst.EmptyLine] = [cst.EmptyLine(indent=False)]
    if old:  # the blank lines above belong to the block, comments to their statement
        gap, old[0] = _parted(old[0])
    made: list[cst.BaseStatement] = []
    homeless: list[cst.EmptyLine] = []
    """Comments of what is taken back, for the statement that follows."""
    matcher = SequenceMatcher(None, edit.existing, edit.statements, False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        new, left = old[first:last], list[cst.EmptyLine]()
        if kind != "equal":
            new = [
                fitted_statement(source, edit.indent, edit.limit)
                for source in edit.sources[begin:end]
            ]
            new, left = _in_place(old[first:last], new)
        if new:
            new[0], homeless = _below([*homeless, *_lines_above(new[0])], new[0]), []
        made.extend(new)
        homeless += left
    if homeless and rest:
        rest[0], homeless = _below([*homeless, *_lines_above(rest[0])], rest[0]), []
    if made:
        made[0] = _below([*gap, *_lines_above(made[0])], made[0])
    statements, footer = [*body.body[:start], *made, *rest], [*homeless, *body.footer]
    return node.with_changes(body=body.with_changes(body=statements, footer=footer))


def _in_place(
    old: Sequence[cst.BaseStatement], new: Sequence[cst.BaseStatement]
) -> tuple[list[cst.BaseStatement], list[cst.EmptyLine]]:
    """New statements with the comments of the old ones, and the comments that find no place.

    One that declares the same takes them, else one at the same position.
    """
    made, left = [*new], list[cst.EmptyLine]()
    targets = [*map(_target, new)]
    for position, replaced in enumerate(old):
        target = _target(replaced)
        place = targets.index(target) if target in targets else position
        if place < len(made) and (target in targets or targets[place] not in map(_target, old)):
            made[place] = _instead(replaced, made[place])
        else:
            left += as_lines(comments_in(replaced))
    return made, left


def _instead(replaced: cst.BaseStatement, new: cst.BaseStatement) -> cst.BaseStatement:
    """A statement with the comments of the one it replaces."""
    if isinstance(replaced, cst.SimpleStatementLine) and isinstance(new, cst.SimpleStatementLine):
        new = new.with_changes(trailing_whitespace=replaced.trailing_whitespace)
    new = _below([*_lines_above(replaced), *_lines_above(new)], new)
    return _below([*_lines_above(new), *as_lines(lost(comments_in(replaced), new))], new)


def _target(node: cst.BaseStatement) -> str:
    """What a statement assigns to; for any other, all of it."""
    match node:
        case cst.SimpleStatementLine(body=[cst.Assign(targets=[cst.AssignTarget(target=target)])]):
            return cst.Module([]).code_for_node(target)
    return cst.Module([]).code_for_node(_below((), node))


def _parted(node: cst.BaseStatement) -> tuple[Sequence[cst.EmptyLine], cst.BaseStatement]:
    """The blank lines above a statement, and the statement with the comments below them."""
    lines = _lines_above(node)
    first = next((i for i, line in enumerate(lines) if line.comment), len(lines))
    return lines[:first], _below(lines[first:], node)


def _lines_above(node: cst.BaseStatement) -> Sequence[cst.EmptyLine]:
    assert isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return node.leading_lines


def _below(lines: Sequence[cst.EmptyLine], node: cst.BaseStatement) -> cst.BaseStatement:
    return node.with_changes(leading_lines=lines)


def _as_block(body: cst.BaseSuite) -> cst.IndentedBlock:
    """A body on lines of its own, also where it was written behind the colon."""
    if isinstance(body, cst.IndentedBlock):
        return body
    assert isinstance(body, cst.SimpleStatementSuite)
    line = cst.SimpleStatementLine(body.body, trailing_whitespace=body.trailing_whitespace)
    return cst.IndentedBlock([line])
