"""The explanation of a diagnostic, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from pyroify.diagnostics import Diagnostic


def render_codes(diagnostics: Iterable[Diagnostic]) -> str:
    """One line for each code."""
    return "".join(f"{d.code}  {d.severity:8}  {d.title}\n" for d in diagnostics)


def render_rule(diagnostic: Diagnostic, *, colour: bool) -> str:
    """The title and the text; headings stand out where the terminal can show it."""
    title = f"{diagnostic.code}: {diagnostic.title} ({diagnostic.severity})"
    lines = [f"# {title}", "", *diagnostic.text.strip().splitlines()]
    return "".join(f"{_emphasise(line) if colour else line}\n" for line in lines)


def _emphasise(line: str) -> str:
    heading = line.lstrip("#")
    return f"\x1b[1m{heading.strip()}\x1b[0m" if line.startswith("#") else line
