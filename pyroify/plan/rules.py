"""Rules of the spec that say nothing: they match no site, or later ones beat them everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyroify.diagnostics import Finding
from pyroify.plan.sites import OTHER
from pyroify.spec.match import SiteKey, nearest_site, shadowed_rules, unmatched_rules
from pyroify.spec.model import Rule, Spec


def rule_findings(spec: Spec, keys: Sequence[SiteKey], at_run_time: bool) -> Iterator[Finding]:
    """Findings about rules; ``at_run_time``: some sites only show when the program runs."""
    seen = [key for key in keys if OTHER not in key.path]
    for rule in unmatched_rules(spec, keys):
        if rule.match == "**" or (at_run_time and rule.match.startswith("**.")):
            continue  # it may match what only run time shows, or a project without parameters
        near = nearest_site(rule, seen)
        yield _at_rule(
            spec,
            rule,
            "PYR150",
            "matches no parameter",
            (f"did you mean {near}? " if near else "")
            + "see pyroify plan for the sites there are, or pass --allow-unmatched",
        )
    for rule in shadowed_rules(spec, keys):
        yield _at_rule(
            spec,
            rule,
            "PYR112",
            "decides nothing: later rules take all its sites",
            "remove it, or move it below the rules that beat it",
        )


def _at_rule(spec: Spec, rule: Rule, code: str, what: str, help: str) -> Finding:
    message = f"rule {rule.index + 1} ({rule.match}) {what}"
    place = spec.position(f"priors.{rule.index}.match")
    return Finding(spec.path, place.line, place.column, code, message, help)
