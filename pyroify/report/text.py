"""The report of `rewrite` for people: one line per finding, then what was done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote

from pyroify.decide.model import Training
from pyroify.diagnostics import Finding
from pyroify.project import from_here
from pyroify.report.run import Report, severity
from pyroify.spec.model import Position, Spec, excerpt

SHOWN = 3
"""Classes that are named of each script."""


def render_findings(findings: Iterable[Finding], root: Path, spec: Spec | None = None) -> str:
    """`path:line:column CODE message` and the help below it; paths as seen from here.

    What is about the ``spec`` shows its line, with a caret below.
    """
    return "".join(
        f"{line}\n" for finding in findings for line in _finding_lines(finding, root, spec)
    )


def _finding_lines(finding: Finding, root: Path, spec: Spec | None) -> Iterator[str]:
    place = f"{from_here(root / finding.path)}:{finding.line}:{finding.column}"
    yield printable(f"{place} {finding.code} {finding.told}")
    if spec is not None and finding.path == spec.path:
        position = Position(finding.line, finding.column)
        yield f"    {excerpt(spec.text, position)}"
        yield f"    {' ' * (finding.column - 1)}^"
    if finding.sites:
        names = dict.fromkeys(site.rpartition(":")[2] for site in finding.sites)
        yield printable(f"    stays plain: {', '.join(names)}")
    if finding.help:
        yield printable(f"    help: {finding.help}")


def render_run(report: Report, *, quiet: bool = False, verbose: bool = False) -> str:
    """All there is to say about a run of `rewrite`; ``quiet`` leaves warnings and counts out."""
    if quiet:
        grave = [finding for finding in report.findings if severity(finding.code) != "warning"]
        return render_findings(grave, report.root, report.spec)
    lines = [
        f"{_verb(report, result.before is None)} "
        f"{printable(str(from_here(report.root / result.path)))}\n"
        for result in report.changed
    ]
    if report.lock is not None and not report.changed:  # with changed files it goes without saying
        lines.append(f"{_verb(report)} {from_here(report.root / report.lock.path)}\n")
    if verbose:
        lines += [f"{entry.status} {printable(entry.name)}\n" for entry in report.classes]
        lines += [result.traceback for result in report.results]
    if report.blockers:
        codes = ", ".join(sorted({finding.code for finding in report.blockers}))
        lines.append(f"nothing is written because of {codes}\n")
    findings = render_findings(report.findings, report.root, report.spec)
    return "".join((findings, *lines, _summary(report)))


def _verb(report: Report, is_new: bool = False) -> str:
    if report.written:
        return "wrote" if is_new else "rewrote"
    return "would write" if is_new else "would rewrite"


def _summary(report: Report) -> str:
    changed = len(report.changed)
    verb = "changed" if report.written else "to change"
    lines = [
        f"{count(changed, 'file')} {verb}"
        + (f", {count(len(report.failed), 'file')} failed" if report.failed else ""),
        f"{render_statuses(report)} (coverage {_percentage(report.coverage)})",
        *_counted_apart(report),
    ]
    if report.known is not None:
        lines.append(f"{count(report.known, 'finding')} known from the baseline")
    if report.refusals:
        counts = ", ".join(f"{code} x{count}" for code, count in report.refusals.items())
        lines.append(f"refused by code: {counts}; `pyroify rule CODE` explains")
    return "".join(f"{line}\n" for line in (*lines, *_trainings(report)))


def _trainings(report: Report) -> Iterator[str]:
    """The scripts that go on training what is left of the parameters."""
    if not report.trainings:
        return
    scripts = count(len(report.trainings), "script trains", "scripts train")
    yield f"{scripts} converted classes without their random parameters:"
    for found in report.trainings:
        place = f"{from_here(report.root / found.path)}:{found.line}"
        names = ", ".join(found.classes[:SHOWN]) + (", ..." if len(found.classes) > SHOWN else "")
        yield printable(f"  {place} {names or 'what it is given'}")
    yield f"`pyroify emit{_from(report.trainings, report.root)}` writes a script that trains them"


def render_scripts(trainings: Sequence[Training], root: Path) -> str:
    """Which scripts `emit` may take network, data and loss from."""
    lines: list[str] = []
    for found in trainings:
        names = ", ".join(found.classes[:SHOWN]) or "what it is given"
        line = f"{from_here(root / found.path)}:{found.line} trains {names}"
        if option := _from([found], root):
            line += f"; `pyroify emit{option}` takes network, data and loss from it"
        lines.append(printable(line) + "\n")
    return "".join(lines)


def _from(trainings: Sequence[Training], root: Path) -> str:
    """The option that takes from the first script of some, as a shell reads it."""
    scripts = [found.script for found in trainings if found.script.endswith(".py")]
    return f" --from {quote(str(from_here(root / scripts[0])))}" if scripts else ""


def render_statuses(report: Report) -> str:
    """How many classes there are, and what they are now."""
    counts = report.statuses
    parts = [
        f"{counts['converted']} converted",
        *([f"{counts['to_convert']} to convert"] if counts["to_convert"] else []),
        f"{counts['unchanged']} unchanged",
        f"{counts['refused']} refused",
    ]
    return f"{count(len(report.classes), 'class', 'classes')}: {', '.join(parts)}"


def _counted_apart(report: Report) -> Iterator[str]:
    """What coverage leaves out, and the rate with it, which ``--min-coverage`` is about."""
    suppressed, unreadable = report.statuses["suppressed"], len(report.unreadable)
    lines = [
        (suppressed, f"{count(suppressed, 'class', 'classes')} suppressed by a comment"),
        (unreadable, f"{count(unreadable, 'file or folder', 'files or folders')} not readable"),
        (report.networks, f"{count(report.networks, 'network')} outside of classes"),
        (report.notebooks, f"{count(report.notebooks, 'notebook')} that cannot be read"),
    ]
    found = [line for number, line in lines if number]
    yield from found
    if found:
        yield f"coverage with these: {_percentage(report.coverage_of_all)}"


def _percentage(rate: float | None) -> str:
    return "n/a" if rate is None else f"{rate:.1f} %"


def printable(line: str) -> str:
    """``line`` without line ends, control characters and bytes that names of files may hold."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
