"""Which line of the plan is about which parameter of a built object, and what is to become of it.

What a line of a loop (``layers.**``) means for one parameter, the spec says: a plan names such
sites together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from pyroify.plan.model import ClassPlan, SitePlan
from pyroify.spec.match import Decision, covers, has_wildcard
from pyroify.spec.model import Action, Keep, Spec
from pyroify.verify.expected import Found, find_parameters, spec_decision

LEFT = "PYR060"
"""A declaration that stays although the spec says otherwise; that is reported."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A spec, the classes of the plan made from it, and how a class is found among them.

    ``key_of`` gives what a class that was built and ``keys`` of the plan have in common.
    """

    spec: Spec
    entries: dict[tuple[str, str], ClassPlan]
    key_of: Callable[[type], tuple[str, str]]

    @classmethod
    def by_module(cls, spec: Spec, classes: tuple[ClassPlan, ...]) -> Planned:
        """Classes are found by the names of their modules."""
        entries = {(entry.module, entry.qualname): entry for entry in classes}
        return cls(spec, entries, lambda built: (built.__module__, built.__qualname__))

    @classmethod
    def by_file(
        cls, spec: Spec, classes: tuple[ClassPlan, ...], file_of: Callable[[type], str]
    ) -> Planned:
        """Classes are found by their files: a file may be imported under another name."""
        entries = {(entry.path, entry.qualname): entry for entry in classes}
        return cls(spec, entries, lambda built: (file_of(built), built.__qualname__))

    def entry(self, built: type) -> ClassPlan | None:
        """What the plan says of a class; None for one that is not of the project."""
        return self.entries.get(self.key_of(built))

    def is_own(self, built: type) -> bool:
        """Whether a class is of the project."""
        return self.entry(built) is not None

    def name(self, built: type) -> tuple[str, str]:
        """Module and qualified name of a class of the project, as rules name it."""
        entry = self.entries[self.key_of(built)]
        return entry.module, entry.qualname


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to become of one parameter, and the line of the plan about it.

    ``entry`` is the class that has the line, or would have. Without a line there is a ``reason``:
    it is a fault already, as it is where plan and spec disagree.
    """

    found: Found
    entry: ClassPlan
    action: Action
    line: SitePlan | None = None
    reason: str = ""

    @property
    def label(self) -> str:
        """``Block.fc.weight``, and the whole way to it where that is longer."""
        inner = self.line.path if self.line else self.found.seats[0].inner
        label = f"{self.entry.qualname}.{inner}"
        return label if inner == self.found.path else f"{label} (at {self.found.path})"


def expect(planned: Planned, root: nn.Module) -> Iterator[Expected]:
    """What plan and spec say of each parameter of the original ``root``, under all its names."""
    for found in find_parameters(root, planned.is_own):
        if found.seats:
            yield _expect(planned, found)


def _expect(planned: Planned, found: Found) -> Expected:
    cls, line = _line_of(planned, found)
    entry = planned.entries[planned.key_of(cls)]
    if _is_left(entry, line):
        return Expected(found, entry, Keep(), line)
    decision = spec_decision(planned.spec, found, planned.name, cls)
    if line is None:
        return Expected(found, entry, decision.action, reason="it is not in the plan")
    if _is_said(entry, line):
        action = line.rule.action(planned.spec) if line.rule else Keep()
        return Expected(found, entry, action, line)
    return Expected(found, entry, decision.action, line, _disagreement(line, decision))


def _is_left(entry: ClassPlan, line: SitePlan | None) -> bool:
    """Whether a finding or a comment says that a parameter stays what it is."""
    if entry.status == "refused" or line is None:
        return entry.status == "refused"
    is_taken_out = entry.status == "unchanged" and line.action != "keep"
    return is_taken_out or line.spared == "ignored"


def _is_said(entry: ClassPlan, line: SitePlan) -> bool:
    """Whether the line decides, and no rule: it is of a latent, or a finding says why not."""
    if line.rule is not None and line.rule.section == "latents":
        return True
    return any(found.code == LEFT and found.line == line.line for found in entry.findings)


def _disagreement(line: SitePlan, decision: Decision) -> str:
    planned = line.rule.index if line.rule else None
    decides = decision.rule.index if decision.rule else None
    if has_wildcard(line.path) or planned == decides:
        return ""
    named = "no rule" if planned is None else f"rule {planned + 1}"
    return f"the plan follows {named}, but " + (
        "no rule is about it" if decides is None else f"rule {decides + 1} decides"
    )


def _line_of(planned: Planned, found: Found) -> tuple[type, SitePlan | None]:
    """The class that decides about a parameter, with its line: the innermost that has one.

    The line of a class further out goes before where it names this instance, not all it holds.
    """
    best: tuple[type, SitePlan] | None = None
    for seat in found.seats:
        for cls in seat.classes:
            entry = planned.entries[planned.key_of(cls)]
            line = _closest(entry, seat.inner, found.layer)
            if line is not None and (best is None or "**" not in line.path):
                best = cls, line
                break
    return best or (found.seats[0].classes[0], None)


def _closest(entry: ClassPlan, path: str, layer: str) -> SitePlan | None:
    lines = [line for line in entry.sites if covers(line.path, "", path)]
    return max(lines, key=lambda line: _closeness(line, layer), default=None)


def _closeness(line: SitePlan, layer: str) -> tuple[bool, bool, bool, int]:
    is_one, is_loop = not has_wildcard(line.path), "**" in line.path
    return not is_loop, is_one, line.layer == layer, len(line.path)
