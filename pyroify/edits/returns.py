"""Methods that return early, and where their declarations go all the same."""

from __future__ import annotations

from pyroify.catalog.members import METADATA
from pyroify.decide.project import ClassSites
from pyroify.program.summary import ClassSummary, lines_making, parameters_in
from pyroify.program.values import is_opaque
from pyroify.syntax.facts import EarlyReturn, Function

HARMLESS = {"register_buffer"}


def declared_names(summary: ClassSummary, sites: ClassSites) -> frozenset[str]:
    """Attributes that the declarations of a class are about, as far as the source shows."""
    names = {site.partition(".")[0] for site in sites.declared}
    if "**" not in names:
        return frozenset(names)
    kept = {site.partition(".")[0] for site in sites.kept}
    hidden = {item.name for item in summary.everything if is_opaque(item.node)}
    return frozenset(names - {"**"} | (hidden - kept))


def returns_past_declarations(
    summary: ClassSummary, method: Function, declared: frozenset[str]
) -> bool:
    """Whether ``declared`` would be skipped, or come too early, wherever declarations stand."""
    if method is summary.constructor:
        return _exit(summary) is not None and not (
            _are_made_after(summary, declared) or _are_made_before(summary, declared)
        )
    early = [line for line in method.return_lines if line != _final_return(method)]
    attached = summary.attached((method,))
    return bool(early) and min(lines_making(attached, method), default=max(early) + 1) <= max(early)


def statements_before_declarations(
    summary: ClassSummary, method: Function, declared: frozenset[str]
) -> int | None:
    """How many statements of a method stand before its declarations; None for all."""
    exit = method.exit
    if method is not summary.constructor:
        return exit.before if exit is not None and _final_return(method) else None
    if exit is None or _are_made_after(summary, declared):
        return None
    return exit.before if _are_made_before(summary, declared) else None


def _final_return(method: Function) -> int:
    """The line of the statement ``return`` that a method ends in, or 0."""
    exit = method.exit
    return exit.line if exit is not None and exit.line in method.return_lines[-1:] else 0


def _exit(summary: ClassSummary) -> EarlyReturn | None:
    return summary.constructor.exit if summary.constructor else None


def _are_made_after(summary: ClassSummary, declared: frozenset[str]) -> bool:
    """Whether there is nothing to declare yet where the constructor returns early."""
    exit, lines = _exit(summary), summary.lines_making(declared)
    return exit is not None and all(line > exit.last_return for line in lines)


def _are_made_before(summary: ClassSummary, declared: frozenset[str]) -> bool:
    """Whether all there is to declare is made, and left alone from there on."""
    constructor, exit = summary.constructor, _exit(summary)
    lines = summary.lines_making(declared)
    if constructor is None or exit is None or any(line >= exit.line for line in lines):
        return False
    late = [use for use in constructor.uses if use.line >= exit.line]
    touched = any(use.path[0] in declared and not METADATA & set(use.path) for use in late)
    called = any(
        use.how == "call" and len(use.path) == 1 and use.path[0] not in HARMLESS for use in late
    )
    handed_on = any(put.line >= exit.line and parameters_in(put.value) for put in constructor.puts)
    return not (touched or called or handed_on)
