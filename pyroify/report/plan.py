"""The plan for people: every parameter, by file and class, and what decides about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from pyroify.diagnostics import Finding
from pyroify.plan.model import ClassPlan, RuleRef, SitePlan
from pyroify.report.run import Report, severity
from pyroify.report.text import count
from pyroify.spec.expressions import to_text
from pyroify.spec.model import Action, Keep, Param, Sample, Spec

_HEADERS = ("site", "shape", "layer", "becomes", "decided by")
_FATES = {"converted": "converted", "unchanged": "stays as it is", "refused": "refused"}


@dataclass(frozen=True, slots=True)
class NamedSite:
    """A site with its class; ``name`` is ``module:Class.path``, as a spec names it."""

    entry: ClassPlan
    site: SitePlan

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.entry.name}.{self.site.path}"

    @property
    def short_name(self) -> str:
        """``Class.path``, which a spec takes too."""
        return f"{self.entry.qualname}.{self.site.path}"


def named_sites(classes: Iterable[ClassPlan]) -> tuple[NamedSite, ...]:
    """All sites of ``classes``, in order."""
    return tuple(NamedSite(entry, site) for entry in classes for site in entry.sites)


def render_plan(report: Report) -> str:
    """One table for each class with parameters, then the counts."""
    blocks = [
        "\n".join((_head(path, report), *_class_lines(tuple(classes), report.spec)))
        for path, classes in groupby(report.classes, key=lambda entry: entry.path)
    ]
    return "\n\n".join((*blocks, _counts(report))) + "\n"


def _head(path: str, report: Report) -> str:
    return f"{path} (to rewrite)" if path in report.pending else path


def _class_lines(classes: Sequence[ClassPlan], spec: Spec) -> Iterator[str]:
    for entry in classes:
        codes = " ".join(sorted({finding.code for finding in entry.findings}))
        yield f"  {entry.qualname}, line {entry.line}: {_FATES[entry.status]} {codes}".rstrip()
        rows = [_HEADERS, *(_row(site, spec) for site in entry.sites)]
        if entry.sites:
            yield from (f"    {line}" for line in _table(rows))


def _row(site: SitePlan, spec: Spec) -> tuple[str, ...]:
    rule = _name_rule(site.rule, spec) if site.rule else "no rule"
    return site.path, _shape(site) or "?", site.layer or "-", _outcome(site, spec), rule


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _name_rule(rule: RuleRef, spec: Spec) -> str:
    return f"{rule.match} ({spec.path}:{rule.line})"


def _outcome(site: SitePlan, spec: Spec) -> str:
    """What becomes of a site, as the spec would say it."""
    if site.rule is None:
        return site.action
    action = site.rule.action(spec)
    return describe_action(action) if _is_carried_out(site, action) else site.action


def _is_carried_out(site: SitePlan, action: Action) -> bool:
    """Not if the plan knows better, for a frozen parameter, say."""
    return (site.action == "keep") == isinstance(action, Keep)


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
    actions, classes = report.actions, report.statuses
    return (
        f"{count(sum(actions.values()), 'parameter')}: {actions['sample']} sample, "
        f"{actions['param']} param, {actions['keep']} keep\n"
        f"{count(len(report.classes), 'class', 'classes')}: {classes['converted']} converted, "
        f"{classes['unchanged']} unchanged, {classes['refused']} refused\n"
        f"{count(len(report.pending), 'file')} to rewrite"
    )


def explain_site(named: NamedSite, spec: Spec) -> str:
    """Where a site is, what becomes of it, which rule decides, and which rules that one beats."""
    entry, site = named.entry, named.site
    lines = [
        f"{named.name}",
        f"  declared   {entry.path}:{site.line}:{site.column}",
        f"  shape      {_shape(site) or 'not known from the source'}",
        f"  layer      {site.layer or _without_layer(site)}",
        f"  becomes    {_outcome(site, spec)}",
    ]
    if site.source:
        lines.append(f"  written as {site.source}")
    if site.rule is None:
        lines.append("  decided by no rule: nothing in the spec matches, so it is kept")
    else:
        lines.append(f"  decided by {_explain_rule(site.rule, spec)}")
    lines += [f"  which beat {_explain_rule(rule, spec)}" for rule in site.beaten]
    lines += [f"  {f.code} {f.message}" for f in entry.findings if _concerns(f, site)]
    return "\n".join(lines) + "\n"


def _concerns(finding: Finding, site: SitePlan) -> bool:
    """Whether a finding is about a site: its line, or why its class is not converted."""
    return finding.line == site.line or severity(finding.code) != "warning"


def _shape(site: SitePlan) -> str:
    """Source of the shape; nothing where a loop reads it from each ``value``."""
    return "" if site.shape.startswith("value.") else site.shape


def _without_layer(site: SitePlan) -> str:
    if "." in site.path:
        return "not known from the source"
    return "none: a parameter of the class itself"


def _explain_rule(rule: RuleRef, spec: Spec) -> str:
    action = describe_action(rule.action(spec))
    kind = "latent" if rule.section == "latents" else "rule"
    return f"{kind} {rule.index + 1}, {spec.path}:{rule.line}: {rule.match} -> {action}"
