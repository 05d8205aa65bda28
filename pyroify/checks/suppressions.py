"""Comments in the source that take out findings: ``# pyroify: ignore`` at the end of a line."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from pyroify.diagnostics import Finding, all_codes
from pyroify.program.index import Index
from pyroify.syntax.facts import File, Suppression

IDLE = "PYR064"
EXPIRED = "PYR074"
NOT_UNDERSTOOD = "PYR075"

_DAY = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


@dataclass
class Suppressions:
    """The comments of a project, and which of them took something out."""

    index: Index
    today: date = field(default_factory=date.today)
    used: set[tuple[str, int, str]] = field(default_factory=set)
    """Path and line of each comment that did, and the code of the finding if it names codes."""

    def filter(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings less those that a comment suppresses."""
        for finding in findings:
            file = self.index.file(finding.path)
            comments = file.suppressed if file is not None else ()
            covering = [c for c in comments if c.covers(finding.line, finding.code)]
            for comment in covering:
                self.use(finding.path, comment.line, finding.code if comment.codes else "")
            if not covering:
                yield finding

    def use(self, path: str, line: int, code: str = "") -> None:
        """Note that the comment on a line, if there is one, took something out."""
        self.used.add((path, line, code))

    def idle(self, files: Iterable[File]) -> Iterator[Finding]:
        """A finding for each comment that took nothing out, has expired or is not understood."""
        for file in files:
            for comment in file.suppressed:
                yield from self._faults(file.path, comment)

    def _faults(self, path: str, comment: Suppression) -> Iterator[Finding]:
        if problem := _problem(comment):
            help = "the form is `# pyroify: ignore[PYR021] until=2027-03 reason`"
            yield Finding(path, comment.line, 1, NOT_UNDERSTOOD, problem, help)
            return
        codes = comment.codes or ("",)
        needless = [code for code in codes if (path, comment.line, code) not in self.used]
        if needless:
            named = f"[{', '.join(needless)}]" if comment.codes else ""
            message = f"the comment 'pyroify: {comment.kind}{named}' takes nothing out"
            yield Finding(path, comment.line, 1, IDLE, message, "remove it")
        if len(needless) < len(codes) and comment.until and _last_day(comment.until) < self.today:
            message = f"the comment 'pyroify: {comment.kind}' was to hold until {comment.until}"
            help = "convert what it takes out, and remove it; or give it another date"
            yield Finding(path, comment.line, 1, EXPIRED, message, help)


def _problem(comment: Suppression) -> str:
    """What is wrong with the text of a comment; "" if nothing is."""
    if comment.codes is not None and comment.kind != "ignore":
        return f"the comment 'pyroify: {comment.kind}' takes no codes"
    unknown = [code for code in comment.codes or () if code not in all_codes()]
    if unknown:
        return f"the comment 'pyroify: ignore' names {unknown[0]!r}, which is no code"
    if comment.until is not None:
        try:
            _last_day(comment.until)
        except ValueError:
            return f"the comment 'pyroify: {comment.kind}' holds until {comment.until!r}, no date"
    return ""


def _last_day(text: str) -> date:
    """The last day that a comment holds. Raises ValueError."""
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month = int(match[1]), int(match[2])
    first = date(year, month, 1)
    return first.replace(day=int(match[3]) if match[3] else monthrange(year, month)[1])
