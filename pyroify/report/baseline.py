"""Known findings: a migration in steps fails for new ones, and for those of them that are gone.

A baseline is a text file with a line for each finding, in order: its code, its class or else its
file, and its message, with tabs between. Lines of the source are not in it, so that edits elsewhere
in a file change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from pyroify.diagnostics import Finding
from pyroify.report.run import Report, severity

HEADER = (
    "# pyroify baseline 1 - known findings: code, class or file, message. `--write-baseline`.\n"
)
GONE = "PYR160"

Entry = tuple[str, str, str]


class BaselineError(Exception):
    """A file that is no baseline; the message says where."""


def entry_of(finding: Finding) -> Entry:
    """What a baseline holds of a finding."""
    message = " ".join(finding.gist.split())
    if finding.others:
        message += f" (and {len(finding.others)} more)"
    return finding.code, finding.subject or finding.path, message


def render_baseline(findings: Iterable[Finding]) -> str:
    """The baseline of all findings but errors, which nobody can put off."""
    known = (entry_of(item) for item in findings if severity(item.code) != "error")
    return HEADER + "".join("\t".join(entry) + "\n" for entry in sorted(known))


def read_baseline(text: str) -> dict[Entry, list[int]]:
    """The entries of a baseline, each with its lines; raises BaselineError."""
    header, *lines = text.split("\n")
    if f"{header}\n" != HEADER:
        raise BaselineError("line 1 is not the header of a baseline of this version")
    found: dict[Entry, list[int]] = {}
    for number, line in enumerate(lines, 2):
        code, _, rest = line.partition("\t")
        subject, tab, message = rest.partition("\t")
        if line and not tab:
            raise BaselineError(f"line {number} is not a code, a class and a message")
        if line:
            found.setdefault((code, subject, message), []).append(number)
    return found


def without_known(report: Report, known: dict[Entry, list[int]], path: str) -> Report:
    """The report on what the baseline at ``path`` does not have, and on what it has too many."""
    counts = Counter({entry: len(lines) for entry, lines in known.items()})
    new = []
    for finding in report.findings:
        entry = entry_of(finding)
        if severity(finding.code) == "error" or not counts[entry]:
            new.append(finding)
        else:
            counts[entry] -= 1
    gone = [
        Finding(
            path,
            known[entry][-1 - missing],
            1,
            GONE,
            f"{entry[0]} of {entry[1]} is gone: {entry[2]}",
            "write the baseline anew with --write-baseline",
        )
        for entry, count in counts.items()
        for missing in range(count)
    ]
    found = len(report.findings) - len(new)
    return replace(report, findings=tuple(sorted((*new, *gone))), known=found)
