"""What pyroify has to say about a line of source: findings, and the one place of their codes.

The text of a code lives in ``diagnostics/rules/<CODE>.md``; ``pyroify rule CODE`` and the
documentation are made from those files and from nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final, Literal, cast

Severity = Literal["error", "refused", "warning"]
"""``error``: nothing was done (exit 2). ``refused``: something was left unconverted (exit 1).
``warning``: converted, but worth a look (exit code unchanged)."""

RULES: Final = Path(__file__).parent / "rules"
_LINES = re.compile(r"(?<=\bline )\d+|(?<=\.py:)\d+")
"""Numbers of lines in a message."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One remark about one place of the user's source.

    ``path`` is relative to the project root with forward slashes, ``line`` and ``column`` count
    from 1. ``message`` is one line; ``help`` says what to do next. ``subject`` is the class
    concerned (``module:Class``), or empty. ``sites`` (``module:Class.path``) are the parameters
    that stay plain for it; without any, a class that is refused is left as a whole.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    help: str = ""
    subject: str = ""
    sites: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Further lines of the file of which the same is to be said."""

    @property
    def told(self) -> str:
        """The message, and how often else it is true of the file."""
        if not self.others:
            return self.message
        noun = "line" if len(self.others) == 1 else "lines"
        return f"{self.message} (and {len(self.others)} more: {noun} {', '.join(self.others)})"

    @property
    def gist(self) -> str:
        """The message without numbers of lines, which move with every edit."""
        return _LINES.sub("", self.message)

    @property
    def identity(self) -> str:
        """What tells it from others of its file, and stays when lines above it move."""
        return "\0".join((self.path, self.code, self.subject, self.gist))

    def counting(self, others: Iterable[Finding]) -> Finding:
        """This one for all that say the same of other lines."""
        lines = sorted({finding.line for finding in others} - {self.line})
        return replace(self, others=tuple(map(str, lines)))


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What a code means. ``text`` is Markdown: what, why, an example, and what to do."""

    code: str
    title: str
    severity: Severity
    text: str


class UnknownCode(KeyError):
    """No diagnostic has this code; ``suggestions`` are codes that look like it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.suggestions = tuple(get_close_matches(code.upper(), all_codes(), cutoff=0.5))

    def __str__(self) -> str:
        hint = f"; did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        return f"there is no rule {self.code}{hint}"


@cache
def lookup(code: str) -> Diagnostic:
    """The diagnostic with this code, in either case; raises UnknownCode."""
    code = code.upper()
    if code not in all_codes():
        raise UnknownCode(code)
    _, front, text = (RULES / f"{code}.md").read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    return Diagnostic(
        code, fields["title"], cast(Severity, fields["severity"]), text.strip() + "\n"
    )


@cache
def all_codes() -> tuple[str, ...]:
    """Every code there is, in order."""
    return tuple(sorted(path.stem for path in RULES.glob("PYR*.md")))


def once_per_file(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The first warning of each code in each file, which counts the others; what is no warning."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        is_one = lookup(finding.code).severity == "warning"
        key = (finding.path, finding.code if is_one else f"{finding.code}:{finding.line}")
        groups.setdefault(key, []).append(finding)
    for first, *more in groups.values():
        yield first.counting(more)
        others = (finding for finding in more if finding.line == first.line)
        yield from (finding for finding in others if finding.message != first.message)
