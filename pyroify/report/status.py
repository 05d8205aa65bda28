"""How far a migration is: what each folder has converted, and what is still to do there."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pyroify.notebook import is_notebook
from pyroify.report.run import OUTSIDE_CLASSES, Report
from pyroify.report.text import printable

KINDS = (
    *("converted", "to_convert", "refused", "suppressed"),
    *("outside_include", "networks", "in_notebooks"),
)
"""What classes of a folder are; and the networks made outside of classes there."""

_BAR = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """The counts of each folder, by its path; classes that need no change are not among them.

    ``outside_include`` are classes in files that the spec leaves out, ``in_notebooks`` those of
    the others that stand in notebooks: they count as what they are, too.
    """

    folders: Mapping[str, Counter[str]]

    @property
    def total(self) -> Counter[str]:
        """The counts of all folders."""
        return sum(self.folders.values(), Counter[str]())


def progress(report: Report, selected: Collection[str]) -> Progress:
    """The counts of a report on all files, of which the spec has ``selected`` some."""
    folders: dict[str, Counter[str]] = {}
    for entry in report.classes:
        status = report.status(entry)
        if status == "unchanged":
            continue
        counts = folders.setdefault(posixpath.dirname(entry.path) or ".", Counter())
        counts[status if entry.path in selected else "outside_include"] += 1
        counts["in_notebooks"] += is_notebook(entry.path)
    for finding in report.findings:
        if finding.code == OUTSIDE_CLASSES:
            counts = folders.setdefault(posixpath.dirname(finding.path) or ".", Counter())
            counts["networks"] += 1
    return Progress(dict(sorted(folders.items())))


def share(counts: Mapping[str, int]) -> float | None:
    """Percentage of what is converted in all that a spec may want; None where there is nothing."""
    whole = sum(counts.get(kind, 0) for kind in KINDS if kind != "in_notebooks")
    return counts.get("converted", 0) * 100 / whole if whole else None


def render_progress(found: Progress) -> str:
    """A line for each folder, with a bar and what there is of it; the whole at the end."""
    rows = [(path, counts) for path, counts in found.folders.items()]
    rows.append(("all", found.total))
    width = max(len(printable(path)) for path, _ in rows)
    return "".join(f"{_line(path, counts, width)}\n" for path, counts in rows)


def _line(path: str, counts: Mapping[str, int], width: int) -> str:
    rate = share(counts)
    if rate is None:
        return f"{printable(path):{width}}  nothing to convert"
    done = int(rate * _BAR // 100)
    bar = "#" * done + "-" * (_BAR - done)
    return f"{printable(path):{width}}  {bar}  {rate:5.1f} %  {describe_counts(counts)}"


def describe_counts(counts: Mapping[str, int]) -> str:
    """``2 converted, 1 refused``."""
    return ", ".join(
        f"{counts[kind]} {kind.replace('_', ' ')}" for kind in KINDS if counts.get(kind)
    )
