"""Decorate a method that reads random attributes and is no ``forward``: ``@pyro_method``."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Methods

NODE = cst.FunctionDef


def apply(node: cst.FunctionDef, edit: Methods) -> cst.FunctionDef:
    """Insert a decorator at ``position``; 0 is outermost, but always below ``@property``."""
    made = cst.Decorator(cst.parse_expression(edit.decorator))
    decorators = list(node.decorators)
    if edit.position == 0 and not decorators:
        return node.with_changes(decorators=[made])
    if edit.position == 0:
        made = made.with_changes(leading_lines=decorators[0].leading_lines)
        decorators[0] = decorators[0].with_changes(leading_lines=[])
    decorators.insert(edit.position, made)
    return node.with_changes(decorators=decorators)
