"""What draws: which attributes, reads and methods of a class give random values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from pyroify.catalog.members import METADATA
from pyroify.catalog.module import RETURNING_SELF
from pyroify.decide.project import Candidates, Chosen, own, random
from pyroify.program.attributes.aliases import other_names
from pyroify.program.calls import ENTRIES
from pyroify.program.index import ModuleClass
from pyroify.program.summary import ClassSummary
from pyroify.program.values import classes_in
from pyroify.syntax.facts import Function, Use
from pyroify.syntax.values import NOTHING, Argument, Constant, Name, Path

HANDLING = {
    *("parameters", "named_parameters", "buffers", "named_buffers", "state_dict"),
    *("load_state_dict", "modules", "named_modules", "children", "named_children"),
    *("zero_grad", *RETURNING_SELF),
}
"""Methods of every module that draw nothing."""


@dataclass(frozen=True)
class Randomness:
    """What of one class draws, as far as the sites of a project tell."""

    project: Candidates
    summary: ClassSummary

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of attributes that draw when they are read or called, in a subclass too."""
        family = {cls.key: cls for cls in (self.summary.cls, *self.summary.relatives)}
        lineages = {base.key: base for cls in family.values() for base in cls.lineage}
        found = {name for cls in lineages.values() for name in self._names_of(cls, random)}
        around = [self.project.summaries.get(key) for key in family]
        return frozenset(found).union(*(other_names(one, found) for one in around if one))

    @cached_property
    def by_hand(self) -> frozenset[str]:
        """Names of attributes that are random by declarations of the user, or hold such."""
        lineage = self.summary.cls.lineage
        return frozenset(name for cls in lineage for name in self._names_of(cls, own))

    def _names_of(self, cls: ModuleClass, chosen: Chosen) -> Iterator[str]:
        """Attributes that a class makes such sites, or gives instances of classes with some."""
        yield from (site.partition(".")[0] for site in chosen(self.project.of(cls)))
        summary = self.project.summaries.get(cls.key)
        for attribute in summary.everything if summary else ():
            if any(self.project.has(held, chosen) for held in classes_in(attribute.node)):
                yield attribute.name

    def is_random(self, path: Path) -> bool:
        """Whether ``self.<path>`` is a random parameter, here or further down."""
        return self.project.leads_to(self.summary.cls, path, random)

    def reads(self, use: Use) -> bool:
        """Whether a use reads the value of a random parameter, not only its shape or device."""
        if use.how in ("store", "delete"):
            return False
        for length in range(1, len(use.path) + 1):
            if self.is_random(use.path[:length]):
                return not METADATA & set(use.path[length:])
        return False

    def draws(self, use: Use) -> bool:
        """Whether a use reads a random parameter, or calls what does."""
        if self.reads(use):
            return True
        if use.how != "call":
            return False
        if len(use.path) == 1 and (called := tuple(self.summary.calls.methods(use.path[0]))):
            return any(self.is_drawing(method) for _, method in called)
        known = METADATA & set(use.path) or self._handles(use)
        return use.path[0] in self.names and not known

    def is_drawing(self, method: Function) -> bool:
        """Whether a method draws: it reads what is random, or calls a method that does."""
        reached = self.summary.calls.reached([(self.summary.cls, method)])
        return any(
            (current.self_calls | current.super_calls).intersection(ENTRIES)
            or _reads_layers(current)
            or (self.names and _reads_by_computed_name(current))
            or any(map(self.touches, current.uses))
            for _, current in reached
        )

    def touches(self, use: Use) -> bool:
        """Whether a use reads values of what is random or holds it, not only shape or device."""
        if use.path[0] not in self.names or use.how in ("store", "delete") or use.within == "is":
            return False
        if self._handles(use):
            return False
        is_method = use.how == "call" and use.path[-1] not in METADATA
        return is_method or not METADATA.intersection(use.path[1:])

    def _handles(self, use: Use) -> bool:
        """Whether a use calls a method that every module has, of a module and not of a draw."""
        if use.how != "call" or use.path[-1] not in HANDLING:
            return False
        return not any(self.is_random(use.path[:length]) for length in range(1, len(use.path)))


def _reads_layers(method: Function) -> bool:
    """Whether a method returns something of the weights of the modules that it goes over."""
    return not gives_nothing(method) and any(o.kind == "layers" for o in method.observations)


def _reads_by_computed_name(method: Function) -> bool:
    """Whether a method reads attributes of ``self`` under names that only run time shows."""
    return any(
        call.callee == Name("getattr")
        and len(call.args) > 1
        and call.args[0].value == Argument("self")
        and not isinstance(call.args[1].value, Constant)
        for call in method.layer_calls
    )


def gives_nothing(method: Function) -> bool:
    """Whether no value comes out of a method."""
    return all(value == NOTHING for value in method.returns)
