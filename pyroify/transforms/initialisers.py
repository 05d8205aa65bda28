"""``nn.Module.__init__(self)`` becomes ``super().__init__()``, which PyroModule needs."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Initialisers

NODE = cst.Call


def apply(node: cst.Call, edit: Initialisers) -> cst.Call:
    """Call the next ``__init__`` in line, without ``self``."""
    return node.with_changes(func=cst.parse_expression("super().__init__"), args=node.args[1:])
