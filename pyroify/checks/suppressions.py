"""Comments in the source that take out findings: ``# pyroify: ignore`` at the end of a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyroify.diagnostics import Finding
from pyroify.program.index import Index
from pyroify.syntax.facts import File


@dataclass
class Suppressions:
    """The comments of a project, and which of them took something out."""

    index: Index
    used: set[tuple[str, int]] = field(default_factory=set)

    def filter(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings less those that a comment on their line suppresses."""
        for finding in findings:
            file = self.index.file(finding.path)
            if file is not None and (finding.line, "ignore") in file.suppressed:
                self.used.add((finding.path, finding.line))
            else:
                yield finding

    def use(self, path: str, line: int) -> None:
        """Note that the comment on a line, if there is one, took something out."""
        self.used.add((path, line))

    def unused(self, files: Iterable[File]) -> Iterator[Finding]:
        """A finding for each comment that took nothing out."""
        for file in files:
            for line, kind in file.suppressed:
                if (file.path, line) not in self.used:
                    yield Finding(
                        file.path,
                        line,
                        1,
                        "PYR064",
                        f"the comment 'pyroify: {kind}' takes nothing out",
                        "remove it",
                    )
