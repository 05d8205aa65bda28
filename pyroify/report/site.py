"""One parameter for people: where it is, what becomes of it, and which rules competed for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from pyroify.decide.model import ClassPlan, RuleRef, SitePlan
from pyroify.diagnostics import Finding
from pyroify.report.plan import describe_action, known_shape, outcome
from pyroify.report.run import Report, severity
from pyroify.report.text import printable
from pyroify.spec.match import covers, has_wildcard
from pyroify.spec.model import Spec

_SPARED = {
    "": "nothing in the spec matches, so it is kept",
    "frozen": "it is frozen, which only a rule without wildcards would change",
    "ignored": "a comment takes it out",
    "own": "the code declares it itself, which only a rule without wildcards would change",
    "barred": "it cannot be random, as a finding says",
}


@dataclass(frozen=True, slots=True)
class NamedSite:
    """A site with its class. ``asked``: how it was found where that was not by its own name."""

    entry: ClassPlan
    site: SitePlan
    asked: str = ""

    @property
    def name(self) -> str:
        """The full name, ``module:Class.path``, as a spec names it."""
        return f"{self.entry.name}.{self.site.path}"

    @property
    def short_name(self) -> str:
        """``Class.path``, which a spec takes too."""
        return f"{self.entry.qualname}.{self.site.path}"


def find_sites(asked: str, classes: Sequence[ClassPlan]) -> tuple[NamedSite, ...]:
    """The sites that a name stands for, which may be a pattern, or lead through other classes.

    ``Net.fc`` and ``Net`` stand for all that is below. ``Net.block.weight`` is a site of the class
    that ``Net.block`` holds, and ``Sub.weight`` one of the base that declares it.
    """
    return (
        tuple(_matching(asked, classes))
        or tuple(_matching(f"{asked}.**", classes))
        or tuple(_elsewhere(asked, classes))
    )


def suggest_site(asked: str, classes: Sequence[ClassPlan]) -> str:
    """The name of a site that is close to one that is not there, or nothing."""
    sites = [NamedSite(entry, site) for entry in classes for site in entry.sites]
    known = [name for site in sites for name in (site.short_name, site.name)]
    return next(iter(get_close_matches(asked, known, 1)), "")


def with_sites(report: Report, found: Sequence[NamedSite]) -> Report:
    """The report on these sites and their classes alone."""
    sites: dict[ClassPlan, dict[SitePlan, None]] = {}
    for item in found:
        sites.setdefault(item.entry, {})[item.site] = None
    classes = (replace(entry, sites=tuple(chosen)) for entry, chosen in sites.items())
    return replace(report, classes=tuple(classes))


def explain_site(named: NamedSite, spec: Spec) -> str:
    """Where a site is, what becomes of it, which rule decides, and which rules that one beats."""
    entry, site = named.entry, named.site
    lines = [
        f"{named.name}",
        *([f"  asked as   {named.asked}"] if named.asked else []),
        f"  declared   {printable(entry.path)}:{site.line}:{site.column}",
        f"  shape      {known_shape(site) or 'not known from the source'}",
        f"  layer      {site.layer or _without_layer(site)}",
        f"  becomes    {outcome(site, spec)}",
    ]
    if site.source:
        lines.append(f"  written as {site.source}")
    if site.rule is None:
        lines.append(f"  decided by no rule: {_SPARED[site.spared]}")
    else:
        lines.append(f"  decided by {_explain_rule(site.rule, spec)}")
    lines += [f"  which beat {_explain_rule(rule, spec)}" for rule in site.beaten]
    lines += [f"  {f.code} {f.told}" for f in entry.findings if _concerns(f, site)]
    return "\n".join(lines) + "\n"


def _matching(asked: str, classes: Sequence[ClassPlan]) -> Iterator[NamedSite]:
    """Sites of a pattern; of a name, the first in each class: the others are less specific."""
    for entry in classes:
        sites = [NamedSite(entry, site) for site in entry.sites]
        exact = [site for site in sites if asked in (site.name, site.short_name)]
        found = exact or [s for s in sites if covers(asked, entry.module, s.short_name)]
        if has_wildcard(asked) or exact:
            yield from found
        elif found:
            yield replace(found[0], asked=f"{asked}, which only run time shows")


def _elsewhere(asked: str, classes: Sequence[ClassPlan]) -> Iterator[NamedSite]:
    """Sites of the classes that a class holds or derives from."""
    for entry in classes:
        ways = [
            *(
                (part.path, part.cls, "; that name in a rule is for it alone")
                for part in entry.parts
            ),
            *(("", base, f", which {entry.qualname} inherits") for base in entry.bases),
        ]
        for path, cls, note in ways:
            rest = _below(asked, entry, path)
            if rest is not None:
                found = find_sites(f"{cls}{rest}", classes)
                yield from (replace(site, asked=f"{asked}{note}") for site in found)


def _below(asked: str, entry: ClassPlan, path: str) -> str | None:
    """What a name says below something that a class holds, with its dot; None if it is not so."""
    module, colon, name = asked.rpartition(":")
    held = f"{entry.qualname}.{path}".rstrip(".")
    names, count = name.split("."), len(held.split("."))
    if not covers(f"{module}{colon}{'.'.join(names[:count])}", entry.module, held):
        return None
    return "".join(f".{name}" for name in names[count:])


def _concerns(finding: Finding, site: SitePlan) -> bool:
    """Whether a finding is about a site: its line, or why its class is not converted."""
    return finding.line == site.line or severity(finding.code) != "warning"


def _without_layer(site: SitePlan) -> str:
    if site.foreign:
        return "what code outside of the project hands in or makes"
    if "." in site.path:
        return "not known from the source"
    return "none: a parameter of the class itself"


def _explain_rule(rule: RuleRef, spec: Spec) -> str:
    action = describe_action(rule.action(spec))
    kind = "latent" if rule.section == "latents" else "rule"
    return f"{kind} {rule.index + 1}, {spec.path}:{rule.line}: {rule.match} -> {action}"
