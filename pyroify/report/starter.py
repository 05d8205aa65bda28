"""The commented first spec that `init` writes for the classes it found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby

from pyroify.decide.model import ClassPlan, Plan, SitePlan
from pyroify.report.text import printable
from pyroify.spec.load import parse_spec
from pyroify.spec.model import Spec

_HEAD = """\
# Which parameters become random, and under which prior.
# The last rule that matches a parameter decides; `pyroify plan` shows the result.
version: 1

# Only these files are rewritten, and never those (globs as in .gitignore).
# include: ["src/**/*.py"]
# exclude: ["tests/**"]

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
_FOUND = """
  # What was found. Copy a line and give it a prior of its own, for example
  #   - match: "**.weight"
  #     sample: Normal(0, fan_in ** -0.5)
  #
"""

_OWN = """
  # What the code declares itself. It stays: no rule with wildcards is about it, and only one that
  # names it, such as "{first}", would replace it.
"""

_LOGARITHM = re.compile(r"log_\w+")
_SCALE = re.compile(r"\w*scale")
_PADDING = "PYR026"


def default_spec() -> Spec:
    """A standard normal prior on everything: what the starter begins with."""
    return parse_spec(_HEAD, "pyroify.yaml")


def render_starter(plan: Plan) -> str:
    """YAML for the classes of ``plan``.

    The rule about norm layers is always there: some may only show when the program runs.
    """
    # Names of files may hold anything: none may end the comment it stands in.
    found = "".join(f"  # {printable(line)}\n" for line in _found(plan))
    return f"{_HEAD}{_NORMS}{_render_own(plan)}{_FOUND}{found}"


def _render_own(plan: Plan) -> str:
    """The declarations that are in the code already, as comments."""
    own = [(entry, site) for entry in plan.classes for site in entry.sites if _is_own(site)]
    if not own:
        return ""
    first = printable(f"{own[0][0].name}.{own[0][1].path}")
    lines = [
        f"  #   {printable(f'{entry.name}.{site.path}: {said}')}\n"
        for entry, site in own
        for said in [_in_one_line(site.source) or "in code of the class"]
    ]
    return "".join((_OWN.format(first=first), *lines))


def _is_own(site: SitePlan) -> bool:
    return site.spared == "own"


def _in_one_line(source: str) -> str:
    return " ".join(source.split())


def _found(plan: Plan) -> Iterator[str]:
    for path, classes in groupby(plan.classes, key=lambda entry: entry.path):
        yield path
        for entry in classes:
            yield from _describe(entry)


def _describe(entry: ClassPlan) -> Iterator[str]:
    if entry.status == "refused":
        yield f"  {entry.name} is refused; `pyroify plan` says why"
    padded = {finding.line for finding in entry.findings if finding.code == _PADDING}
    for site in entry.sites:
        if _is_own(site):
            continue  # a copied line would replace it
        shape = site.shape if site.shape.startswith("[") else ""
        is_padded = site.line in padded and site.layer.startswith("Embedding")
        note = f"(its padding row is drawn too: {_PADDING})" if is_padded else ""
        facts = " ".join(filter(None, ("  #", site.layer, shape, note)))
        yield f"  - match: {json.dumps(f'{entry.name}.{site.path}')}{facts.removesuffix('  #')}"
        yield from _offer(site)


def _offer(site: SitePlan) -> Iterator[str]:
    """A constraint for what its name tells to be positive, or the logarithm of such."""
    if site.layer or "." in site.path:
        return
    if _LOGARITHM.fullmatch(site.path):
        yield "    param: positive  # and read it without exp() in the code"
        yield "    init: exp"
    elif _SCALE.fullmatch(site.path):
        yield "    param: positive"
