"""What a check of classes looks at: one class, and where its random parameters are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pyroify.decide.methods import building_names, methods_called, touches
from pyroify.decide.project import Project, declared, matches, own, random
from pyroify.diagnostics import Finding
from pyroify.program.aliases import other_names
from pyroify.program.resolve import ModuleClass
from pyroify.program.study import METADATA, Study
from pyroify.syntax.facts import Assignment, Function, Use
from pyroify.syntax.values import Path


@dataclass(frozen=True)
class Subject:
    """A class under check. ``at_run_time``: a loop over what is there converts its layers."""

    project: Project
    study: Study
    at_run_time: bool = False

    @property
    def cls(self) -> ModuleClass:
        """The class itself."""
        return self.study.cls

    @property
    def methods(self) -> tuple[Function, ...]:
        """The methods the class itself defines."""
        return self.cls.cls.methods

    @cached_property
    def building(self) -> frozenset[str]:
        """Names of methods that run during construction, of the class or of a relative."""
        return building_names(self.study)

    @cached_property
    def calling(self) -> frozenset[str]:
        """Names of methods that run when the module is called, as far as the source shows."""
        reached: set[str] = set()
        waiting = ["forward", "__call__"]
        while waiting:
            name = waiting.pop()
            found = self.cls.find_method(name)
            if found is not None and name not in reached:
                reached.add(name)
                waiting.extend(found[1].self_calls)
        return frozenset(reached)

    @cached_property
    def drawing(self) -> frozenset[str]:
        """Names of attributes that draw when they are read or called, in a subclass too."""
        project = self.project
        own = {
            site.split(".")[0]
            for cls in (self.cls, *self.study.relatives)
            for site in project.of(cls).random
        }
        names = {attribute.name for attribute in self.study.everything}
        held = {
            name
            for name in names
            for cls in project.classes_at(self.cls, name)
            if project.draws(cls)
        }
        return frozenset(own | held | other_names(self.study, own | held))

    @cached_property
    def drawn_by_hand(self) -> frozenset[str]:
        """Names of attributes that are random by declarations of the user, or hold such."""
        project = self.project
        sites = {site for cls in self.cls.lineage for site in project.of(cls).own}
        held = {
            attribute.name
            for attribute in self.study.everything
            for cls in project.classes_at(self.cls, attribute.name)
            if project.has(cls, own)
        }
        return frozenset({site.partition(".")[0] for site in sites} | held)

    def is_random(self, path: Path) -> bool:
        """Whether ``self.<path>`` is a random parameter, here or further down."""
        return self.project.leads_to(self.cls, path, random)

    def is_declared(self, path: Path) -> bool:
        """Whether ``self.<path>`` is a parameter that is declared at last, here or further down."""
        return self.project.leads_to(self.cls, path, declared)

    def is_declared_before(self, path: Path) -> bool:
        """Whether it is declared before the constructor ends: by a base, or in a child."""
        project = self.project
        inherited = [site for base in self.cls.lineage[1:] for site in project.of(base).declared]
        if any(matches(site, path) for site in inherited):
            return not any(matches(site, path) for site in project.of(self.cls).declared)
        return project.leads_below(self.cls, path, declared)

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
        if len(use.path) == 1 and (methods := tuple(methods_called(self.study, use.path[0]))):
            return any(touches(self.study, method, self.drawing) for method in methods)
        return use.path[0] in self.drawing and not METADATA & set(use.path)

    def finding(self, line: int, column: int, code: str, message: str, help: str = "") -> Finding:
        """A finding in the file of the class; ``column`` from 0."""
        subject = f"{self.cls.file.module}:{self.cls.cls.qualname}"
        return Finding(self.cls.file.path, line, column + 1, code, message, help, subject)


def uses_in(method: Function, item: Assignment) -> tuple[Use, ...]:
    """Uses of attributes in the value of an assignment."""
    start = (item.value_line, item.value_column)
    return tuple(
        use for use in method.uses if start <= (use.line, use.column) and use.line <= item.end_line
    )
