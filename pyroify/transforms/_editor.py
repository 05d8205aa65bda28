"""Makes edits in one walk over a file's syntax tree; no comment is lost on the way."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from types import ModuleType

import libcst as cst

from pyroify.decide.model import Edit
from pyroify.transforms._comments import below, lost_by
from pyroify.transforms._positions import Ranges

Place = tuple[str, int, int]


def edited(
    module: cst.Module,
    edits: Sequence[Edit],
    transforms: Mapping[str, ModuleType],
    ranges: Ranges,
) -> tuple[cst.Module, tuple[Edit, ...]]:
    """The module with its edits made, and those that found no node at their place."""
    editor = _Editor(edits, ranges, transforms)
    made = module.visit(editor)
    assert isinstance(made, cst.Module)
    return made, tuple(editor.waiting.values())


class _Editor(cst.CSTTransformer):
    """Makes each edit at the innermost node of its kind that starts at its place."""

    def __init__(
        self,
        edits: Sequence[Edit],
        ranges: Ranges,
        transforms: Mapping[str, ModuleType],
    ) -> None:
        super().__init__()
        self.ranges, self.transforms = ranges, transforms
        self.waiting: dict[Place, Edit] = {
            (edit.kind, edit.line, edit.column): edit for edit in edits
        }
        self.lines = sorted({edit.line for edit in edits})
        self.homeless: list[list[str]] = [[]]
        """Comments of what edits replaced, for each statement around: they go above it."""
        self.kinds: dict[type[cst.CSTNode], tuple[str, ...]] = {}
        for kind in dict.fromkeys(edit.kind for edit in edits):
            wanted = transforms[kind].NODE
            for node_type in wanted if isinstance(wanted, tuple) else (wanted,):
                self.kinds[node_type] = (*self.kinds.get(node_type, ()), kind)

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Pass by statements that hold no edit."""
        if hasattr(node, "leading_lines"):
            self.homeless.append([])
        if not isinstance(node, cst.FunctionDef | cst.ClassDef | cst.SimpleStatementLine):
            return True
        place = self.ranges[node]
        first = bisect_left(self.lines, place.start.line)
        return first < len(self.lines) and self.lines[first] <= place.end.line

    def on_leave(  # type: ignore[override]
        self, original: cst.CSTNode, updated: cst.CSTNode
    ) -> cst.CSTNode:
        """Make the edits meant for this node."""
        kinds = self.kinds.get(type(original))
        if kinds:
            updated = self._edited(original, updated, kinds)
        if hasattr(original, "leading_lines") and (comments := self.homeless.pop()):
            updated = below(comments, updated)
        return updated

    def _edited(
        self, original: cst.CSTNode, updated: cst.CSTNode, kinds: Sequence[str]
    ) -> cst.CSTNode:
        start = self.ranges[original].start
        for kind in kinds:
            edit = self.waiting.get((kind, start.line, start.column))
            transform = self.transforms[kind]
            if edit is None or not _means(transform, original, edit):
                continue
            del self.waiting[kind, start.line, start.column]
            before, updated = updated, transform.apply(updated, edit)
            self.homeless[-1] += lost_by(before, updated)
        return updated


def _means(transform: ModuleType, node: cst.CSTNode, edit: Edit) -> bool:
    """Whether an edit means this node, where several of its type start at one place."""
    return not hasattr(transform, "matches") or bool(transform.matches(node, edit))
