"""What is known of the classes whatever the spec says: found once for all plans of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyroify.decide.candidate import Candidate, Key
from pyroify.decide.reaching import receivers
from pyroify.planning.helpers import names_of
from pyroify.program.attributes.frozen import frozen_from_outside
from pyroify.program.attributes.ties import Tie, find_ties
from pyroify.program.callers import Callers
from pyroify.program.faults import looking_at
from pyroify.program.index import Index, ModuleClass
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary


@dataclass(frozen=True)
class Known:
    """The classes of a project, each with its summary and its ties, whatever the spec says.

    Of classes in files that pyroify failed on there are no ties.
    """

    index: Index
    resolver: Resolver
    subclasses: Mapping[Key, Sequence[ModuleClass]]
    summaries: Mapping[Key, ClassSummary]
    ties: Mapping[Key, tuple[Tie, ...]]
    touched: frozenset[str]
    """Names of parameters that code initialises or sets through an instance."""

    def candidates(self) -> dict[Key, Candidate]:
        """The classes, of which nothing is decided yet."""
        found: dict[Key, Candidate] = {}
        for key, summary in self.summaries.items():
            file = summary.cls.file
            with looking_at(file.path):
                names = names_of(self.index, file, self.touched)
                candidate = found[key] = Candidate(summary, names, ties=self.ties.get(key, ()))
                _ = candidate.parts if key in self.ties else ()
        return found


def know(index: Index) -> Known:
    """Look at all classes of a project."""
    classes = index.module_classes
    subclasses = _subclasses(classes)
    resolver = Resolver(index, subclasses, callers=Callers(index, subclasses))
    summaries: dict[Key, ClassSummary] = {}
    ties: dict[Key, tuple[Tie, ...]] = {}
    for cls in classes:
        relatives = (*cls.lineage[1:], *subclasses.get(cls.key, ()))
        with looking_at(cls.file.path):
            summary = summaries[cls.key] = ClassSummary(cls, resolver, relatives)
            if cls.file.path not in index.left:
                ties[cls.key] = find_ties(summary)
                # What others ask of it is found out here, where a fault is known to be its own.
                _ = (summary.held, summary.handed_on, summary.has_parameters)
    resolver.handed_over = receivers(index)
    resolver.frozen = frozen_from_outside(index, {key: summaries[key] for key in ties})
    resolver.summaries.clear()
    return Known(index, resolver, subclasses, summaries, ties, _touched(classes))


def _subclasses(classes: Sequence[ModuleClass]) -> dict[Key, tuple[ModuleClass, ...]]:
    found: dict[Key, list[ModuleClass]] = {}
    for cls in classes:
        for base in cls.lineage[1:]:
            found.setdefault(base.key, []).append(cls)
    return {key: tuple(items) for key, items in found.items()}


def _touched(classes: Sequence[ModuleClass]) -> frozenset[str]:
    found: set[str] = set()
    for cls in classes:
        for method in cls.cls.methods:
            for use in method.uses:
                changes = use.how in ("store", "augmented", "setitem", "delete")
                initial = "init" in use.within or use.path[-1] == "data"
                if changes or initial or use.path[-1].endswith("_"):
                    found.update(use.path[1:])
    return frozenset(found)
