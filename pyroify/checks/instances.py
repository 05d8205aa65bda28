"""Which converted class a value of a script is an instance of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from pyroify.catalog.module import RETURNING_SELF
from pyroify.decide.project import Candidates, Key
from pyroify.decide.randomness import Randomness
from pyroify.diagnostics import Finding
from pyroify.dispatch import Trait
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite, PointsTo, called_on, calls_of, code_of
from pyroify.program.values import ClassInstance, Scope, is_opaque
from pyroify.syntax.facts import AttributeStore, File
from pyroify.syntax.traits import outside, traits_of_file
from pyroify.syntax.values import Call, Name, SelfRead, Value


@dataclass(frozen=True)
class Script:
    """One file under check; ``converted`` are the classes of the project that change."""

    project: Candidates
    file: File
    converted: frozenset[Key]

    @cached_property
    def traits(self) -> frozenset[Trait]:
        """What there is in the file, outside of the classes that are converted, and anywhere."""
        file, index = self.file, self.project.index
        beside = set(traits_of_file(file)).union(*map(index.traits_of, file.functions))
        within: set[Trait] = set()
        for cls in file.classes:
            is_converted = (file.path, cls.qualname) in self.converted
            (within if is_converted else beside).update(*map(index.traits_of, cls.methods))
        return index.traits.union(within, beside, outside(*beside))

    @cached_property
    def calls(self) -> tuple[tuple[Call, CallSite], ...]:
        """All calls of the file, each with where it stands."""
        return tuple((call, at) for at in code_of(self.file) for call in calls_of(at))

    @property
    def puts(self) -> Iterator[tuple[AttributeStore, CallSite]]:
        """What the file attaches to objects where no declaration follows, each with its place."""
        for at in code_of(self.file):
            if at.function is None:
                yield from ((put, at) for put in self.file.puts)
            elif at.cls is None or not self._is_module(at):
                yield from ((put, at) for put in at.function.puts)

    def _is_module(self, at: CallSite) -> bool:
        assert at.cls is not None
        return self.project.index.module_class(self.file, at.cls) is not None

    @cached_property
    def concerned(self) -> bool:
        """Whether the file defines or imports a class that is converted."""
        if any((self.file.path, cls.qualname) in self.converted for cls in self.file.classes):
            return True
        targets = (
            self.project.index.resolve(name, self.file.path) for _, name in self.file.imports
        )
        return any(t.module_class and t.module_class.key in self.converted for t in targets)

    def points_to(self, value: Value, at: CallSite) -> PointsTo:
        """What a value may be."""
        return self.project.pointers.of(value, at)

    def instance(self, value: Value, at: CallSite) -> ModuleClass | None:
        """A converted class that a value may be an instance of, as far as the source shows."""
        return next(self._converted(self.points_to(value, at).classes), None)

    def sole_instance(self, value: Value, at: CallSite) -> ModuleClass | None:
        """The converted class that a value surely is an instance of."""
        found = self.points_to(value, at)
        is_sole = len(found.classes) == 1 and not found.anything
        return self.instance(value, at) if is_sole else None

    def losing(self, found: PointsTo) -> tuple[ModuleClass, ...]:
        """Those of some classes whose ``parameters()`` lose the random ones, or may."""
        whole = tuple(filter(self._loses, self._modules(found.classes)))
        return whole or tuple(filter(self._loses, self._modules(found.parts)))

    def drawn(self, value: Value, at: CallSite) -> Iterator[ModuleClass]:
        """The classes with random parameters that a value may be an instance of."""
        modules = self._modules(self.points_to(value, at).classes)
        yield from (cls for cls in modules if self._drawing.draws(cls))

    def _loses(self, cls: ModuleClass) -> bool:
        """Whether random parameters are below a class, or may come to be handed to it."""
        if self._drawing.draws(cls):
            return True
        summary = self.project.summaries.get(cls.key)
        opaque = summary is not None and any(is_opaque(a.node) for a in summary.everything)
        return cls.key in self.converted and opaque

    @cached_property
    def _drawing(self) -> Candidates:
        return self.project.with_random_in(self.converted)

    def made(self, call: Call) -> ModuleClass | None:
        """The converted class that a constructor or factory makes an instance of."""
        if called_on(call)[1] in RETURNING_SELF:
            return None  # it gives the one that is there
        node = self.project.outside.resolve(call, Scope(self.file.path))
        is_one = isinstance(node, ClassInstance) and node.cls.key in self.converted
        return node.cls if isinstance(node, ClassInstance) and is_one else None

    def is_within_call(self, at: CallSite) -> bool:
        """Whether code is that of a converted class, where a draw is one for the whole call."""
        return at.cls is not None and (self.file.path, at.cls.qualname) in self.converted

    def is_random_part(self, value: Value, at: CallSite) -> bool:
        """Whether an attribute of a module has random parameters."""
        summary = at.cls and self.project.summaries.get((self.file.path, at.cls.qualname))
        names = Randomness(self.project, summary).names if summary else frozenset()
        return isinstance(value, SelfRead) and value.path[0] in names

    def is_building(self, at: CallSite) -> bool:
        """Whether code runs while an instance of a module class is built."""
        summary = at.cls and self.project.summaries.get((self.file.path, at.cls.qualname))
        return bool(summary and at.function and at.function.name in summary.building)

    def structure(self, value: Value) -> Value:
        """What a value of the file holds as a module."""
        return self.project.outside.resolve(value, Scope(self.file.path))

    def owner(self, call: Call, at: CallSite) -> ModuleClass | None:
        """The converted class that a method is called on."""
        owner, _ = called_on(call)
        return self.instance(owner, at) if owner is not None else None

    def finding(self, call: Call, code: str, message: str, help: str = "") -> Finding:
        """A finding at a call of the file."""
        return Finding(self.file.path, call.line, call.column + 1, code, message, help)

    def _converted(self, keys: tuple[Key, ...]) -> Iterator[ModuleClass]:
        yield from (cls for cls in self._modules(keys) if cls.key in self.converted)

    def _modules(self, keys: tuple[Key, ...]) -> Iterator[ModuleClass]:
        for key in keys:
            if (cls := self.project.index.class_at(key)) is not None:
                yield cls


def dotted(call: Call) -> str:
    """The dotted name of what is called; empty where it is no name."""
    return call.callee.dotted if isinstance(call.callee, Name) else ""
