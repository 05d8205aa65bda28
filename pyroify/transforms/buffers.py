"""Keep a frozen parameter frozen: ``nn.Parameter(t, requires_grad=False)`` becomes a buffer.

Pyro's global parameter store makes every parameter it meets trainable; a buffer keeps the key in
the state_dict and never trains.
"""

from __future__ import annotations

import libcst as cst

NODE = (cst.Assign, cst.Expr)


def apply(node: cst.Assign | cst.Expr, name: str, source: str) -> cst.Expr:
    """Register ``source`` as a buffer under ``name``."""
    call = cst.parse_expression(f'self.register_buffer("{name}", {source})')
    return cst.Expr(call, semicolon=node.semicolon)
