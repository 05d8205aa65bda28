"""Rules of the spec that say nothing: they match no site, or later ones beat them everywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches

from pyroify.decide.model import HeldClass
from pyroify.decide.sites import OTHER
from pyroify.diagnostics import Finding
from pyroify.lock import LOCK_NAME
from pyroify.spec.match import (
    SiteKey,
    goes_through,
    has_wildcard,
    matches_class,
    nearest_site,
    powerless_rules,
    shadowed_rules,
    unmatched_rules,
)
from pyroify.spec.model import Rule, Spec


def rule_findings(
    spec: Spec,
    keys: Sequence[SiteKey],
    parts: Sequence[tuple[str, HeldClass]],
    at_run_time: bool,
) -> Iterator[Finding]:
    """Findings about rules.

    ``parts`` are the instances of classes of the project, each with the name of the class that
    holds it. ``at_run_time``: some sites only show when the program runs.
    """
    seen = [key for key in keys if OTHER not in key.path]
    for rule in unmatched_rules(spec, keys):
        if rule.match == "**" or (at_run_time and rule.match.startswith("**.")):
            continue  # it may match what only run time shows, or a project without parameters
        near = nearest_site(rule, seen)
        hint = _instance_hint(rule, parts) or (f"did you mean {near}? " if near else "")
        help = f"{hint}see pyroify plan for the sites there are, or pass --allow-unmatched"
        yield _at_rule(spec, rule, "PYR150", "matches no parameter", help)
    for rule in powerless_rules(spec, keys):
        yield _at_rule(
            spec,
            rule,
            "PYR152",
            "meets only what the code declares itself, which stays as it is",
            "name a parameter without wildcards to overrule the code; "
            f"if pyroify wrote it, restore {LOCK_NAME}",
        )
    for rule in shadowed_rules(spec, keys):
        if rule.match == "**" and not _is_repeated(spec, rule):
            continue  # what is said of everything holds for what is not there yet
        yield _at_rule(
            spec,
            rule,
            "PYR112",
            "decides nothing: later rules take all its sites",
            "remove it, or move it below the rules that beat it",
        )


def _is_repeated(spec: Spec, rule: Rule) -> bool:
    """Whether a later rule speaks of everything, too."""
    later = spec.rules[rule.index + 1 :]
    return any(other.match == "**" and other.layers in ((), rule.layers) for other in later)


def latent_findings(spec: Spec, classes: Collection[tuple[str, str]]) -> Iterator[Finding]:
    """Findings about latents; ``classes`` are the modules of the project, as module and name."""
    names = [name for _, name in classes]
    for latent in spec.latents:
        pattern = latent.class_pattern
        if not any(matches_class(pattern, module, name) for module, name in classes):
            near = get_close_matches(pattern.rpartition(":")[2], names, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            place = spec.position(f"latents.{latent.index}.class")
            message = f"latent {latent.index + 1} ({pattern}) matches no class"
            help = f"{hint}see pyroify plan for the classes there are, or pass --allow-unmatched"
            yield Finding(spec.path, place.line, place.column, "PYR150", message, help)
    yield from _shadowed_latents(spec, classes)


def _shadowed_latents(spec: Spec, classes: Collection[tuple[str, str]]) -> Iterator[Finding]:
    """Latents that others of the same name, further down, replace in every class."""
    for latent in spec.latents:
        later = [o for o in spec.latents[latent.index + 1 :] if o.name == latent.name]
        own = [cls for cls in classes if matches_class(latent.class_pattern, *cls)]
        if own and all(any(matches_class(o.class_pattern, *cls) for o in later) for cls in own):
            place = spec.position(f"latents.{latent.index}.name")
            message = f"latent {latent.index + 1} ({latent.name}) decides nothing: later ones do"
            help = "remove it, or move it below the ones that beat it"
            yield Finding(spec.path, place.line, place.column, "PYR112", message, help)


def _instance_hint(rule: Rule, parts: Sequence[tuple[str, HeldClass]]) -> str:
    """What to say of a pattern that goes through an attribute to the class that it holds."""
    for holder, part in parts if has_wildcard(rule.match) else ():
        name, cls = f"{holder}.{part.path.partition('.')[0]}", part.cls.rpartition(":")[2]
        if goes_through(rule, name):
            return f"match {cls}, which {name} holds, or spell out {name} for that one alone; "
    return ""


def _at_rule(spec: Spec, rule: Rule, code: str, what: str, help: str) -> Finding:
    message = f"rule {rule.index + 1} ({rule.match}) {what}"
    place = spec.position(f"priors.{rule.index}.match")
    return Finding(spec.path, place.line, place.column, code, message, help)
