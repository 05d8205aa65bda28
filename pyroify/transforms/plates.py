"""Read random attributes before a plate: a first read inside would draw one value a datum."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from pyroify.edits.kinds import Plates

NODE = cst.With


def apply(node: cst.With, edit: Plates) -> cst.With | cst.FlattenSentinel[cst.BaseStatement]:
    """Move the first ``leading`` statements above the plate, and name reads before it.

    ``reads`` are pairs of an attribute's source (``self.sigma``) and the local name it gets.
    """
    assert isinstance(node.body, cst.IndentedBlock)
    moved = list(node.body.body[: edit.leading])
    body = node.body.with_changes(body=node.body.body[edit.leading :])
    made: list[cst.BaseStatement] = []
    for source, name in edit.reads:
        made.append(cst.parse_statement(f"{name} = {source}"))
        replaced = body.visit(_Renamed(source, name))
        assert isinstance(replaced, cst.IndentedBlock)
        body = replaced
    blank, comments = _parted(node.leading_lines)
    rows: list[cst.BaseStatement] = [
        *(_led(statement, _parted(_lines_above(statement))[1]) for statement in moved),
        *made,
        node.with_changes(body=body, leading_lines=comments),
    ]
    rows[0] = _led(rows[0], [*blank, *_lines_above(rows[0])])
    return cst.FlattenSentinel(rows)


def _parted(
    lines: Sequence[cst.EmptyLine],
) -> tuple[Sequence[cst.EmptyLine], Sequence[cst.EmptyLine]]:
    """The blank lines above a statement, and its comments below them."""
    first = next((i for i, line in enumerate(lines) if line.comment), len(lines))
    return lines[:first], lines[first:]


def _lines_above(node: cst.BaseStatement) -> Sequence[cst.EmptyLine]:
    assert isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return node.leading_lines


def _led(node: cst.BaseStatement, lines: Sequence[cst.EmptyLine]) -> cst.BaseStatement:
    return node.with_changes(leading_lines=lines)


class _Renamed(cst.CSTTransformer):
    """Replaces an attribute, given by its source, by a name."""

    def __init__(self, source: str, name: str) -> None:
        super().__init__()
        self.source, self.name = source, name

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        if cst.Module([]).code_for_node(original_node) == self.source:
            return cst.Name(self.name)
        return updated_node
