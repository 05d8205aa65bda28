"""The plan for people: every parameter, by file and class, and what decides about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from pyroify.decide.model import ClassPlan, RuleRef, SitePlan
from pyroify.report.run import Report
from pyroify.report.text import count, printable, render_statuses
from pyroify.spec.expressions import to_text
from pyroify.spec.model import Action, Keep, Param, Sample, Spec

HEADERS = ("site", "shape", "layer", "becomes", "decided by")
_NO_RULE = {"own": "own (the code declares it)", "barred": "no rule: it cannot be random"}
FATES = {
    "converted": "converted",
    "to_convert": "to convert",
    "unchanged": "stays as it is",
    "refused": "refused",
    "suppressed": "suppressed by a comment",
}


def render_plan(report: Report) -> str:
    """One table for each class with parameters, then the counts."""
    blocks = [
        "\n".join((_head(path, report), *_class_lines(tuple(classes), report)))
        for path, classes in groupby(report.classes, key=lambda entry: entry.path)
    ]
    return "\n\n".join((*blocks, _counts(report))) + "\n"


def _head(path: str, report: Report) -> str:
    return printable(f"{path} (to rewrite)" if path in report.pending else path)


def _class_lines(classes: Sequence[ClassPlan], report: Report) -> Iterator[str]:
    for entry in classes:
        codes = " ".join(sorted({finding.code for finding in entry.findings}))
        fate = FATES[report.status(entry)]
        yield f"  {entry.qualname}, line {entry.line}: {fate} {codes}".rstrip()
        rows = [HEADERS, *(site_row(site, report.spec) for site in entry.sites)]
        if entry.sites:
            yield from (f"    {line}" for line in _table(rows))


def site_row(site: SitePlan, spec: Spec) -> tuple[str, ...]:
    """What a table says of a site, below HEADERS."""
    rule = _name_rule(site.rule, spec) if site.rule else _NO_RULE.get(site.spared, "no rule")
    return site.path, known_shape(site) or "?", site.layer or "-", outcome(site, spec), rule


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _name_rule(rule: RuleRef, spec: Spec) -> str:
    return f"{rule.match} ({spec.path}:{rule.line})"


def outcome(site: SitePlan, spec: Spec) -> str:
    """What becomes of a site, as the spec would say it."""
    action = carried_out(site, spec)
    return site.action if action is None else describe_action(action)


def carried_out(site: SitePlan, spec: Spec) -> Action | None:
    """What a rule makes of a site; None if the plan knows better, for a frozen parameter, say."""
    action = site.rule.action(spec) if site.rule else None
    return action if (site.action == "keep") == isinstance(action, Keep) else None


def describe_action(action: Action) -> str:
    """``sample Normal(0, 1)``, ``value self.a * self.b``, ``param positive``, ``keep``."""
    match action:
        case Sample(distribution=distribution):
            return f"sample {to_text(distribution)}"
        case Param(constraint=constraint, init=init):
            start = "" if init == "keep" else f", init {init}"
            return f"param {to_text(constraint).removesuffix('()')}{start}"
        case Keep():
            return "keep"
    return f"value {to_text(action.value)}"


def _counts(report: Report) -> str:
    actions = report.actions
    return (
        f"{count(sum(actions.values()), 'parameter')}: {actions['sample']} sample, "
        f"{actions['param']} param, {actions['keep']} keep\n"
        f"{render_statuses(report)}\n"
        f"{count(len(report.pending), 'file')} to rewrite"
    )


def known_shape(site: SitePlan) -> str:
    """Source of the shape; nothing where a loop reads it from each ``value``."""
    return "" if site.shape.startswith("value.") else site.shape
