"""What pyroify has to say about a line of source: findings, and the one place of their codes.

The text of a code lives in ``diagnostics/rules/<CODE>.md``; ``pyroify rule CODE`` and the
documentation are made from those files and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "refused", "warning"]
"""``error``: nothing was done (exit 2). ``refused``: something was left unconverted (exit 1).
``warning``: converted, but worth a look (exit code unchanged)."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One remark about one place of the user's source.

    ``path`` is relative to the project root with forward slashes, ``line`` and ``column`` count
    from 1. ``message`` is one line; ``help`` says what to do next. ``subject`` is the class
    concerned (``module:Class``), or empty.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    help: str = ""
    subject: str = ""
