"""Which line of the plan is about which parameter of a built object, and what is to become of it.

What a line of a loop (``layers.**``) means for one parameter, the spec says: a plan names such
sites together.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from pyroify.decide.model import ClassPlan, SitePlan
from pyroify.spec.match import Decision, covers, has_wildcard
from pyroify.spec.model import Action, Keep, Spec
from pyroify.verify.compare.expected import Found, find_parameters, spec_decision
from pyroify.verify.model import PlannedClasses

SAID = frozenset(("PYR060", "PYR072", "PYR079"))
"""Findings that say why a parameter does not become what a rule says."""


Key = tuple[str, str]
"""Where a class stands, as a file or module, and its qualified name; where is empty for others."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A spec, the classes of the plan made from it, and how a class is found among them.

    ``key_of`` gives the key of a class that was built. ``places`` are the files or modules that
    the plan covers: of classes elsewhere in the project nothing is known.
    """

    spec: Spec
    entries: Mapping[Key, ClassPlan]
    places: frozenset[str]
    key_of: Callable[[type], Key]

    @classmethod
    def by_module(cls, spec: Spec, classes: Sequence[ClassPlan]) -> Planned:
        """Classes are found by the names of their modules."""
        entries = {(entry.module, entry.qualname): entry for entry in classes}
        places = frozenset(entry.module for entry in classes)

        def key_of(built: type) -> Key:
            return (built.__module__ if built.__module__ in places else "", built.__qualname__)

        return cls(spec, entries, places, key_of)

    def entry(self, built: type) -> ClassPlan | None:
        """What the plan says of a class, if anything."""
        return self.entries.get(self.key_of(built))

    def is_own(self, built: type) -> bool:
        """Whether a class is of the project."""
        return bool(self.key_of(built)[0])

    def is_covered(self, built: type) -> bool:
        """Whether the plan would say something of a class, if it knew it."""
        return self.key_of(built)[0] in self.places

    def builds(self, built: type, way: str) -> bool:
        """Whether a class builds the instance of another that it holds under ``way``."""
        entry = self.entry(built)
        return entry is not None and any(covers(part.path, "", way) for part in entry.parts)

    def begins_elsewhere(self, module: nn.Module) -> bool:
        """Whether it is said that an initialiser of a class in it has no effect any more."""
        classes = {cls for part in module.modules() for cls in type(part).__mro__}
        entries = filter(None, map(self.entry, classes))
        return any(found.code == "PYR003" for entry in entries for found in entry.findings)

    def name(self, built: type) -> tuple[str, str]:
        """Module and qualified name of a class, as rules name it."""
        entry = self.entry(built)
        return (entry.module, entry.qualname) if entry else (built.__module__, built.__qualname__)


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
        inner = self.line.path if self.line else self.found.enclosing[0].inner
        label = f"{self.entry.qualname}.{inner}"
        return label if inner == self.found.path else f"{label} (at {self.found.path})"


def find_classes(planned: PlannedClasses, root: Path, module: nn.Module) -> Planned:
    """How the classes of ``module``, which was imported from ``root``, are found in a plan.

    By their files: a file may be imported under another name than the plan has.
    """
    classes = {cls for part in module.modules() for cls in type(part).__mro__}
    keys = {cls: (_file_below(root, cls), cls.__qualname__) for cls in classes}
    entries = {(entry.path, entry.qualname): entry for entry in planned.classes}
    return Planned(planned.spec, entries, planned.files, lambda cls: keys.get(cls, ("", "")))


def _file_below(root: Path, cls: type) -> str:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    path = Path(file).resolve() if file else root
    return path.relative_to(root).as_posix() if path.is_relative_to(root) and file else ""


def expect(planned: Planned, root: nn.Module) -> Iterator[Expected]:
    """What plan and spec say of each parameter of the original ``root``, under all its names.

    Parameters of a class that the plan does not cover are passed over.
    """
    for found in find_parameters(root, planned.is_own):
        if found.enclosing and _is_covered(planned, found):
            yield _expect(planned, found)


def passed_over(planned: Planned, root: nn.Module) -> frozenset[str]:
    """The parameters of classes of the project that the plan does not cover, by all their names.

    What holds them may declare them, as it does with any layer.
    """
    return frozenset(
        name
        for found in find_parameters(root, planned.is_own)
        if found.enclosing and not _is_covered(planned, found)
        for name in found.names
    )


def _is_covered(planned: Planned, found: Found) -> bool:
    return all(map(planned.is_covered, found.enclosing[0].classes))


def _expect(planned: Planned, found: Found) -> Expected:
    cls, line = _line_of(planned, found)
    entry = planned.entry(cls) or ClassPlan(*planned.name(cls), "", 0, 0, "unchanged")
    if _is_left(entry, line):
        return Expected(found, entry, Keep(), line)
    inner = found.enclosing[0].classes
    is_put_in = line is not None and "**" not in line.path and cls not in inner
    declaring = inner[0] if is_put_in else cls  # what others put into it, its own class names
    decision = spec_decision(planned.spec, found, planned.name, declaring, planned.builds)
    if line is None:
        site = f"{entry.module}:{entry.qualname}.{found.enclosing[0].inner}"
        if any(site in said.sites for said in entry.findings):
            return Expected(found, entry, Keep())
        return Expected(found, entry, decision.action, reason="it is not in the plan")
    if _is_said(entry, line):
        action = line.rule.action(planned.spec) if line.rule else Keep()
        return Expected(found, entry, action, line)
    return Expected(found, entry, decision.action, line, _disagreement(line, decision))


def _is_left(entry: ClassPlan, line: SitePlan | None) -> bool:
    """Whether a finding or a comment says that a parameter stays what it is.

    So does code of the user's that declares others beside it.
    """
    if entry.status in ("refused", "suppressed") or line is None:
        return entry.status in ("refused", "suppressed")
    is_taken_out = entry.status == "unchanged" and line.action != "keep"
    return is_taken_out or line.spared in ("ignored", "own", "barred")


def _is_said(entry: ClassPlan, line: SitePlan) -> bool:
    """Whether the line decides, and no rule: it is of a latent, or a finding says why not."""
    if line.rule is not None and line.rule.section == "latents":
        return True
    found = [found for found in entry.findings if found.line == line.line]
    frozen = f"self.{line.path} "  # of what others freeze on that line it is one that is named
    return any(
        item.code in SAID and (item.code != "PYR072" or item.message.startswith(frozen))
        for item in found
    )


def _disagreement(line: SitePlan, decision: Decision) -> str:
    planned = line.rule.index if line.rule else None
    decides = decision.rule.index if decision.rule else None
    # Whether it is frozen may be an argument: then the object shows whether that is obeyed.
    if has_wildcard(line.path) or planned == decides or decision.spared == "frozen":
        return ""
    named = "no rule" if planned is None else f"rule {planned + 1}"
    return f"the plan follows {named}, but " + (
        "no rule is about it" if decides is None else f"rule {decides + 1} decides"
    )


def _line_of(planned: Planned, found: Found) -> tuple[type, SitePlan | None]:
    """The class that decides about a parameter, with its line: the innermost that has one.

    The line of a class further out goes before where it names this instance, not all it holds. A
    loop leaves what a base has declared: there the base's own line goes before.
    """
    best: tuple[type, SitePlan] | None = None
    for module in found.enclosing:
        lines = [
            (cls, entry, line)
            for cls in module.classes
            if (entry := planned.entry(cls))
            and (line := _closest(entry, module.inner, found.layer))
        ]
        # What a class attaches out of sight (``**``) is nothing that a base of it names.
        lines.sort(key=lambda item: ("**" in item[2].path, item[2].path.startswith("**")))
        for cls, entry, line in lines:
            if best is None or _names_instance(entry, line):
                best = cls, line
                break
    return best or (found.enclosing[0].classes[0], None)


def _names_instance(entry: ClassPlan, line: SitePlan) -> bool:
    """Whether a line is about what an instance holds, and not about layers beside instances."""
    if not has_wildcard(line.path):
        return True
    match = line.rule.match.rpartition(":")[2] if line.rule else ""
    return "**" not in line.path and match.startswith(f"{entry.qualname}.")


def _closest(entry: ClassPlan, path: str, layer: str) -> SitePlan | None:
    lines = [line for line in entry.sites if covers(line.path, "", path)]
    if not lines:  # what torch computes a weight from that stays plain
        barred = (line for line in entry.sites if line.spared == "barred")
        lines = [line for line in barred if covers(line.path, "", _computed_of(path))]
    return max(lines, key=lambda line: _closeness(line, layer), default=None)


def _computed_of(path: str) -> str:
    """``fc.weight`` for ``fc.parametrizations.weight.original0``, and for ``fc.weight_g``."""
    path = re.sub(r"\bparametrizations\.(\w+)\.\w+$", r"\1", path)
    return re.sub(r"_(g|v|orig)$", "", path)


def _closeness(line: SitePlan, layer: str) -> tuple[bool, bool, int, bool, int]:
    is_one, is_loop = not has_wildcard(line.path), "**" in line.path
    reaches = len(line.path.partition("**")[0]) if is_loop else 0
    return not is_loop, is_one, reaches, layer in line.layer.split(", "), len(line.path)
