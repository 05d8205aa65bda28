"""What is taken from a training script, as plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyroify.diagnostics import Finding


@dataclass(frozen=True)
class Origin:
    """The script at ``path`` as far as it is taken over.

    ``section`` is the ``svi:`` section that it amounts to. ``net``, ``data`` and ``output`` are
    functions as source: ``build_net``, ``project_data`` and ``output_of``, empty where something
    else says it. ``notes`` say what was taken from which line, ``findings`` what was not.
    """

    path: str
    section: Mapping[str, Any]
    net: str = ""
    data: str = ""
    output: str = ""
    keywords: tuple[str, ...] = ()
    picks_device: bool = False
    is_double: bool = False
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def digest(self) -> str:
        """Names what a checkpoint belongs to."""
        text = "\0".join((self.net, self.data, self.output))
        return hashlib.sha256(text.encode()).hexdigest()[:12]
