"""Decorate a method that reads random attributes and is no ``forward``: ``@pyro_method``."""

from __future__ import annotations

import libcst as cst

NODE = cst.FunctionDef


def apply(node: cst.FunctionDef, decorator: str, position: int = 0) -> cst.FunctionDef:
    """Insert a decorator at ``position``; 0 is outermost, but always below ``@property``."""
    made = cst.Decorator(cst.parse_expression(decorator))
    decorators = list(node.decorators)
    if position == 0 and not decorators:
        return node.with_changes(decorators=[made])
    if position == 0:
        made = made.with_changes(leading_lines=decorators[0].leading_lines)
        decorators[0] = decorators[0].with_changes(leading_lines=[])
    decorators.insert(position, made)
    return node.with_changes(decorators=decorators)
