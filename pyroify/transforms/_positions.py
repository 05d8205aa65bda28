"""Where each node of a syntax tree stands in the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
from libcst.metadata import CodeRange
from libcst.metadata.position_provider import PositionProvidingCodegenState

Ranges = Mapping[cst.CSTNode, CodeRange]


@dataclass
class _Recorder:
    """Takes the place of the metadata provider that LibCST's own pass reports to."""

    _computed: dict[cst.CSTNode, CodeRange] = field(default_factory=dict)


def locate(module: cst.Module) -> tuple[str, Ranges]:
    """The source of ``module``, and where each node stands in it.

    LibCST's own provider gives the same, but walks the tree once more for nothing, which takes
    longer than to parse the file; and it keeps the source to itself.
    """
    recorder: Any = _Recorder()
    state = PositionProvidingCodegenState(
        default_indent=module.default_indent,
        default_newline=module.default_newline,
        provider=recorder,
    )
    module._codegen(state)
    return "".join(state.tokens), recorder._computed
