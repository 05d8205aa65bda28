"""Comments of what an edit replaces: found, and put above what comes in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

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
    for node in [made] if isinstance(made, cst.CSTNode) else _nodes(made):
        node.visit(visitor)
    return visitor.found


def lost(before: Sequence[str], after: Made) -> list[str]:
    """The comments ``before`` an edit that are not there after it."""
    left = Counter(before) - Counter(comments_in(after))
    return [comment for comment in before if left.pop(comment, 0)]


def lost_by(before: cst.CSTNode, after: Made) -> list[str]:
    """The comments of a node that are not there after an edit; only what differs is looked at."""
    gone, new = [before], _nodes(after)
    if isinstance(after, cst.CSTNode):
        gone, new = _differing(before, after)
    if not Counter(_all_in(gone)) - Counter(_all_in(new)):
        return []
    return lost(comments_in(before), after)


def _nodes(made: Made) -> list[cst.CSTNode]:
    return list(made) if isinstance(made, cst.FlattenSentinel) else []


def _all_in(nodes: Iterable[cst.CSTNode]) -> Iterator[str]:
    """All comments in some nodes, in whatever order: a visitor would cost several times as much."""
    for node in nodes:
        if isinstance(node, cst.Comment):
            yield node.value
        for name in node.__dataclass_fields__:
            yield from _all_in(_apart(getattr(node, name)))


def _differing(
    before: cst.CSTNode, after: cst.CSTNode
) -> tuple[list[cst.CSTNode], list[cst.CSTNode]]:
    """What of two nodes is not in the other, down to nodes of different types."""
    if type(before) is not type(after):
        return [before], [after]
    gone: list[cst.CSTNode] = []
    new: list[cst.CSTNode] = []
    for name in before.__dataclass_fields__:
        olds, news = (_apart(getattr(node, name)) for node in (before, after))
        shared = {id(node) for node in olds} & {id(node) for node in news}
        olds = [node for node in olds if id(node) not in shared]
        news = [node for node in news if id(node) not in shared]
        if len(olds) != len(news):
            gone, new = [*gone, *olds], [*new, *news]
            continue
        for old, made in zip(olds, news, strict=True):
            one, other = _differing(old, made)
            gone, new = [*gone, *one], [*new, *other]
    return gone, new


def _apart(value: object) -> list[cst.CSTNode]:
    """The nodes that a field holds."""
    values = value if isinstance(value, list | tuple) else (value,)
    return [node for node in values if isinstance(node, cst.CSTNode)]


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
