"""The commented first spec that `init` writes for the classes it found."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from typing import Any

import yaml

from pyroify.decide.model import ClassPlan, Plan, SitePlan
from pyroify.emit.example import Example
from pyroify.report.offers import Offer, PlanWith, offers_of, usable
from pyroify.report.text import printable
from pyroify.spec.load import parse_spec
from pyroify.spec.model import Spec

SCHEMA_NAME = "pyroify.schema.json"
EXCLUDED = ("**/tests/**", "**/test/**")
"""What `init` leaves out: classes that stand in for others, and are compared with them."""

_HEAD = f"""\
# yaml-language-server: $schema={SCHEMA_NAME}
# Which parameters become random, and under which prior.
# The last rule that matches a parameter decides; `pyroify plan` shows the result.
version: 1

# Only these files are rewritten, and never those (globs as in .gitignore).
# include: ["src/**/*.py"]
exclude: {json.dumps(EXCLUDED)}

priors:
  # Every parameter of every class.
  - match: "**"
    sample: Normal(0, 1)
"""
_NORMS = """
  # Normalisation layers stay as they are: one learned value for each parameter.
  - match: "**"
    layer: ["*Norm*"]
    keep: true
"""
_LIFTED = """
  # The priors that scripts have given by pyro.random_module and poutine.lift.
"""
_OWN = """
  # What the code declares itself. It stays: no rule with wildcards is about it, and only one that
  # names it, such as "{first}", would replace it.
"""
_FROZEN = """
  # What is frozen. It stays: only a rule that names it would make it random.
"""
_FOUND = """
  # What was found. Copy a line and give it a prior of its own, for example
  #   - match: "**.weight"
  #     sample: Normal(0, fan_in ** -0.5)
  #
"""
_FOLLOW = """
# The code moves its networks to a device or dtype: their priors go along.
options: {follow_module: true}
"""
_SVI = """
# What `pyroify emit` makes a training script of. `data.source` makes numbers up until it names
# yours: a .npz, .csv or .parquet file, or package.module:function.
"""
_UNFINISHED = "# Fill in the arguments of the constructor, and take the # away.\n"

MOVED = "PYR011"
PADDING = "PYR026"


def default_spec() -> Spec:
    """A standard normal prior on everything but norm layers: what the starter begins with."""
    return parse_spec(_HEAD + _NORMS, "pyroify.yaml")


def render_starter(plan: Plan, plan_with: PlanWith, example: Example | None = None) -> str:
    """YAML for the classes of ``plan``, the plan of `default_spec`, with ``example`` to train.

    The rule about norm layers is always there: some may only show when the program runs. What is
    offered has been tried.
    """
    rules = f"{_HEAD}{_NORMS}{''.join(_norms(plan))}{_render_lifted(plan)}"
    offers = [offer for entry in plan.classes for offer in offers_of(entry)]
    before = plan if rules == _HEAD + _NORMS else plan_with(parse_spec(rules, "pyroify.yaml"))
    working = usable(offers, rules, before, plan_with)
    found = "".join(f"  # {printable(line)}\n" for line in _found(plan, working))
    parts = (rules, _render_own(plan), _render_frozen(plan), f"{_FOUND}{found}", _follow(plan))
    return "".join((*parts, render_svi(example) if example else ""))


def _norms(plan: Plan) -> Iterator[str]:
    """Rules for norm layers of the project's own: what scales starts at one."""
    for entry in plan.classes:
        if "Norm" in entry.qualname and any(site.start == (1.0, 1.0) for site in entry.sites):
            yield f"  - match: {json.dumps(f'{entry.name}.*')}\n    keep: true\n"


def _render_lifted(plan: Plan) -> str:
    rules = dict.fromkeys(
        f"  - match: {json.dumps(prior.match)}\n    sample: {prior.sample}\n"
        for prior in plan.lifted
    )
    return f"{_LIFTED}{''.join(rules)}" if rules else ""


def _render_own(plan: Plan) -> str:
    """The declarations that are in the code already, as comments."""
    # Names of files may hold anything: none may end the comment it stands in.
    own = {
        printable(f"{entry.name}.{site.path}"): printable(_in_one_line(site.source))
        for entry, site in _spared(plan, "own")
    }
    lines = (f"  #   {name}: {said or 'in code of the class'}\n" for name, said in own.items())
    return "".join((_OWN.format(first=next(iter(own))), *lines)) if own else ""


def _render_frozen(plan: Plan) -> str:
    names = dict.fromkeys(f"{entry.name}.{site.path}" for entry, site in _spared(plan, "frozen"))
    lines = (f"  #   {printable(name)}\n" for name in names)
    return "".join((_FROZEN, *lines)) if names else ""


def _spared(plan: Plan, why: str) -> Iterator[tuple[ClassPlan, SitePlan]]:
    for entry in plan.classes:
        yield from ((entry, site) for site in entry.sites if site.spared == why)


def _in_one_line(source: str) -> str:
    return " ".join(source.split())


def _found(plan: Plan, working: Collection[Offer]) -> Iterator[str]:
    for path, classes in groupby(plan.classes, key=lambda entry: entry.path):
        yield path
        for entry in classes:
            yield from _describe(
                entry, {offer.path: offer for offer in working if offer.cls == entry.name}
            )


def _describe(entry: ClassPlan, working: Mapping[str, Offer]) -> Iterator[str]:
    if entry.status == "refused":
        yield f"  {entry.name} is refused; `pyroify plan` says why"
    padded = {finding.line for finding in entry.findings if finding.code == PADDING}
    for path in dict.fromkeys(site.path for site in entry.sites if not site.spared):
        if offer := working.get(path):
            site = offer.site
            shape = site.shape if site.shape.startswith("[") else ""
            is_padded = site.line in padded and site.layer.startswith("Embedding")
            note = f"(its padding row is drawn too: {PADDING})" if is_padded else ""
            facts = " ".join(filter(None, ("  #", site.layer, shape, note)))
            yield f"  - match: {json.dumps(offer.match)}{facts.removesuffix('  #')}"
            yield from (f"    {line}" for line in offer.action)


def _follow(plan: Plan) -> str:
    """The option by which priors follow their module, where a script moves one."""
    return _FOLLOW if any(finding.code == MOVED for finding in (*plan.findings, *plan.uses)) else ""


def render_svi(example: Example) -> str:
    """The section on training, as a comment where the constructor needs what nobody knows."""
    section: dict[str, Any] = {"svi": example.section}
    text = yaml.safe_dump(
        section, sort_keys=False, allow_unicode=True, width=96, default_flow_style=None
    )
    if example.is_complete:
        return f"{_SVI}{text}"
    return f"{_SVI}{_UNFINISHED}" + "".join(f"# {line}\n" for line in text.splitlines())
