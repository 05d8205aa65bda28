"""Comments of what an edit replaces: found, and put above what comes in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import libcst as cst

Made = cst.CSTNode | cst.FlattenSentinel[cst.CSTNode] | cst.RemovalSentinel


class _Comments(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def visit_Comment(self, node: cst.Comment) -> None:
        self.found.append(node.value)


def comments_in(made: Made) -> list[str]:
    """All comments in a node, or in the nodes that came in place of one."""
    visitor = _Comments()
    if isinstance(made, cst.CSTNode):
        made.visit(visitor)
    elif isinstance(made, cst.FlattenSentinel):
        for node in made:
            node.visit(visitor)
    return visitor.found


def lost(before: Sequence[str], after: Made) -> list[str]:
    """The comments ``before`` an edit that are not there after it."""
    left = Counter(before) - Counter(comments_in(after))
    return [comment for comment in before if left.pop(comment, 0)]


def as_lines(comments: Iterable[str]) -> list[cst.EmptyLine]:
    """A line for each comment."""
    return [cst.EmptyLine(comment=cst.Comment(comment)) for comment in comments]


def below(comments: Iterable[str], made: cst.CSTNode) -> cst.CSTNode:
    """A statement, or the first of several, with comments right above it.

    Those of a statement that goes without a successor go with it.
    """
    if isinstance(made, cst.FlattenSentinel):
        if not list(made):
            return made
        first, *rest = made
        return cst.FlattenSentinel([below(comments, first), *rest])  # type: ignore[return-value]
    lines = getattr(made, "leading_lines", ())
    return made.with_changes(leading_lines=[*lines, *as_lines(comments)])
