"""Replace or drop a decorator that does not fit random attributes.

``@cached_property`` would keep the first draw, and becomes ``@property``; ``@torch.jit.export``
compiles what can no longer be compiled, and goes.
"""

from __future__ import annotations

import libcst as cst

NODE = cst.FunctionDef


def apply(node: cst.FunctionDef, position: int, source: str) -> cst.FunctionDef:
    """Put another decorator at ``position``, or none where ``source`` is empty."""
    decorators = list(node.decorators)
    if source:
        made = cst.parse_expression(source)
        decorators[position] = decorators[position].with_changes(decorator=made)
        return node.with_changes(decorators=decorators)
    dropped = decorators.pop(position)
    if not dropped.leading_lines:
        return node.with_changes(decorators=decorators)
    if decorators[position:]:
        following = decorators[position]
        decorators[position] = following.with_changes(leading_lines=dropped.leading_lines)
        return node.with_changes(decorators=decorators)
    return node.with_changes(
        decorators=decorators, leading_lines=[*node.leading_lines, *dropped.leading_lines]
    )
