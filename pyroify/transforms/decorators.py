"""Replace or drop a decorator that does not fit random attributes.

``@cached_property`` would keep the first draw, and becomes ``@property``; ``@torch.jit.export``
compiles what can no longer be compiled, and goes.
"""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Decorators

NODE = cst.FunctionDef


def apply(node: cst.FunctionDef, edit: Decorators) -> cst.FunctionDef:
    """Put another decorator at ``position``, or none where ``source`` is empty."""
    decorators = list(node.decorators)
    if edit.source:
        made = cst.parse_expression(edit.source)
        decorators[edit.position] = decorators[edit.position].with_changes(decorator=made)
        return node.with_changes(decorators=decorators)
    dropped = decorators.pop(edit.position)
    if not dropped.leading_lines:
        return node.with_changes(decorators=decorators)
    if decorators[edit.position :]:
        following = decorators[edit.position]
        decorators[edit.position] = following.with_changes(leading_lines=dropped.leading_lines)
        return node.with_changes(decorators=decorators)
    return node.with_changes(
        decorators=decorators, leading_lines=[*node.leading_lines, *dropped.leading_lines]
    )
