"""The rules that `init` offers for what it found: each is tried, and those that are refused go."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pyroify.decide.model import ClassPlan, Plan, SitePlan
from pyroify.diagnostics import Finding, lookup
from pyroify.spec.load import parse_spec
from pyroify.spec.model import Spec, SpecError

PlanWith = Callable[[Spec], Plan]
"""The plan of a project under a spec."""

OF_RULES = ("PYR150", "PYR152")
"""Said of a rule that is about nothing."""

_EXAMPLE = ("sample: Normal(0, 0.5)",)
_LOGARITHM = re.compile(r"log_\w+")
_SCALE = re.compile(r"\w*scale")
_NAMED = re.compile(r"\brule (\d+) \(")


@dataclass(frozen=True, slots=True)
class Offer:
    """A rule for one site of a class; ``action`` is what its name suggests, line by line."""

    cls: str
    path: str
    site: SitePlan
    action: tuple[str, ...] = ()

    @property
    def match(self) -> str:
        """What the rule matches."""
        return f"{self.cls}.{self.path}"

    @property
    def rule(self) -> str:
        """The rule as a spec has it, with some prior where none suggests itself."""
        said = (json.dumps(self.match), *(self.action or _EXAMPLE))
        first, *rest = (line.partition("  #")[0] for line in said)
        return "".join((f"  - match: {first}\n", *(f"    {line}\n" for line in rest)))


def offers_of(entry: ClassPlan) -> Iterator[Offer]:
    """A rule for each site of a class that another rule may decide."""
    found = dict.fromkeys(site.path for site in entry.sites if not site.spared)
    sites = {site.path: site for site in reversed(entry.sites)}
    for path in found:
        yield Offer(entry.name, path, sites[path], _suggested(sites[path]))


def _suggested(site: SitePlan) -> tuple[str, ...]:
    """A constraint for what its name tells to be positive, or the logarithm of such."""
    if site.layer or "." in site.path:
        return ()
    if _LOGARITHM.fullmatch(site.path):
        return ("param: positive  # and read it without exp() in the code", "init: exp")
    return ("param: positive",) if _SCALE.fullmatch(site.path) else ()


def usable(
    offers: Sequence[Offer], start: str, before: Plan, plan_with: PlanWith
) -> frozenset[Offer]:
    """Those of the ``offers`` that may follow the rules of the spec ``start``, of plan ``before``.

    Those that one pattern may be about together are tried apart: a name and what is below it.
    """
    of_class: dict[str, list[Offer]] = {}
    for offer in offers:
        of_class.setdefault(offer.cls, []).append(offer)
    groups: dict[tuple[int, bool], list[Offer]] = {}
    for offer in offers:
        depth = 1 + offer.path.count(".") if _may_meet(offer, of_class[offer.cls]) else 0
        groups.setdefault((depth, offer.path.endswith("**")), []).append(offer)
    tried = (_tried(group, start, before, plan_with) for group in groups.values())
    return frozenset(offer for left in tried for offer in left)


def _may_meet(offer: Offer, others: Sequence[Offer]) -> bool:
    """Whether another one of its class is about a part of it, or about what it is a part of.

    With a wildcard, any may be.
    """
    if any("*" in other.path for other in others):
        return True
    return any(
        other is not offer
        and (offer.path.startswith(f"{other.path}.") or other.path.startswith(f"{offer.path}."))
        for other in others
    )


def _tried(
    offers: Sequence[Offer], start: str, before: Plan, plan_with: PlanWith
) -> Sequence[Offer]:
    """What is left of some offers when those that the plan refuses are taken out, in turn."""
    left = list(offers)
    while left:
        faulty = _faulty(left, start, before, plan_with)
        if not faulty:
            break
        left = [
            replace(offer, action=()) if n in faulty else offer
            for n, offer in enumerate(left)
            if offer.action or n not in faulty
        ]
    return left


def _faulty(
    offers: Sequence[Offer], start: str, before: Plan, plan_with: PlanWith
) -> frozenset[int]:
    """Which offers, by number, a plan with all of them refuses, or refuses a class for."""
    text = start + "".join(offer.rule for offer in offers)
    try:
        spec = parse_spec(text, "pyroify.yaml")
    except SpecError:
        return frozenset(range(len(offers)))
    plan = plan_with(spec)
    first = len(spec.rules) - len(offers)
    new = set(_refusals(plan)) - set(_refusals(before))
    named = {int(found) - 1 - first for item in new for found in _NAMED.findall(item.message)}
    if faulty := named & set(range(len(offers))):
        return frozenset(faulty)
    refused = _refused(plan) - _refused(before)
    theirs = frozenset(n for n, offer in enumerate(offers) if offer.cls in refused)
    return theirs or frozenset(range(len(offers)) if refused else ())


def _refusals(plan: Plan) -> Iterator[Finding]:
    for finding in (*plan.findings, *(f for entry in plan.classes for f in entry.findings)):
        if finding.code in OF_RULES or lookup(finding.code).severity != "warning":
            yield finding


def _refused(plan: Plan) -> set[str]:
    return {entry.name for entry in plan.classes if entry.status == "refused"}
