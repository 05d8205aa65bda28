"""Keep a frozen parameter frozen: ``nn.Parameter(t, requires_grad=False)`` becomes a buffer.

Pyro's global parameter store makes every parameter it meets trainable; a buffer keeps the key in
the state_dict and never trains. A condition stays: what may be None becomes a buffer that may be.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from pyroify.edits.kinds import Buffers

NODE = (cst.Assign, cst.AnnAssign, cst.Expr)


def apply(node: cst.Assign | cst.AnnAssign | cst.Expr, edit: Buffers) -> cst.Expr:
    """Register a buffer under ``name``; ``sources`` take the place of the parameters in turn."""
    value = node.value
    if isinstance(value, cst.IfExp):
        made = _with_tensors(value, iter(edit.sources))
    else:
        made = cst.parse_expression(edit.sources[0])
    call = cst.parse_expression(f'self.register_buffer("{edit.name}", tensor)')
    assert isinstance(call, cst.Call)
    arguments = [call.args[0], call.args[1].with_changes(value=made)]
    return cst.Expr(call.with_changes(args=arguments), semicolon=node.semicolon)


def _with_tensors(node: cst.BaseExpression, sources: Iterator[str]) -> cst.BaseExpression:
    """A conditional whose arms are tensors where they were parameters; None stays."""
    if isinstance(node, cst.IfExp):
        body = _with_tensors(node.body, sources)
        return node.with_changes(body=body, orelse=_with_tensors(node.orelse, sources))
    return cst.parse_expression(next(sources)) if isinstance(node, cst.Call) else node
