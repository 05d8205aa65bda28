"""What a check of classes looks at: one class, and where its random parameters are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from pyroify.decide.project import Candidates, declared, matches
from pyroify.decide.randomness import Randomness
from pyroify.diagnostics import Finding
from pyroify.dispatch import Trait
from pyroify.program.calls import Method
from pyroify.program.index import ModuleClass
from pyroify.program.summary import ClassSummary
from pyroify.syntax.access_paths import paths_of
from pyroify.syntax.facts import Assignment, AttributeStore, Function, Use, Write
from pyroify.syntax.observe.observations import MODULES
from pyroify.syntax.values import (
    Argument,
    Call,
    Element,
    MethodCall,
    Name,
    Path,
    SelfRead,
    Value,
    walk,
)

AT_RUN_TIME: Trait = "at run time"
"""That a loop over what is there converts the layers of a class."""


@dataclass(frozen=True)
class Subject:
    """A class under check. ``at_run_time``: a loop over what is there converts its layers."""

    project: Candidates
    summary: ClassSummary
    at_run_time: bool = False

    @cached_property
    def traits(self) -> frozenset[Trait]:
        """What there is in the source of the class, and in the project."""
        return self.summary.traits.union([AT_RUN_TIME] if self.at_run_time else ())

    @property
    def cls(self) -> ModuleClass:
        """The class itself."""
        return self.summary.cls

    @property
    def methods(self) -> tuple[Function, ...]:
        """The methods the class itself defines."""
        return self.cls.cls.methods

    @property
    def building(self) -> frozenset[str]:
        """Names of methods that run during construction, of the class or of a relative."""
        return self.summary.calls.building

    @property
    def calling(self) -> frozenset[str]:
        """Names of methods that run when the module is called, as far as the source shows."""
        return self.summary.calls.calling

    @cached_property
    def randomness(self) -> Randomness:
        """What of the class draws."""
        return Randomness(self.project, self.summary)

    def is_declared(self, path: Path) -> bool:
        """Whether ``self.<path>`` is a parameter that is declared at last, here or further down."""
        return self.project.leads_to(self.cls, path, declared)

    def is_declared_before(self, path: Path) -> bool:
        """Whether it is declared before the constructor ends: by a base, or in a child."""
        project = self.project
        if self.is_inherited(path):
            return not any(matches(site, path) for site in project.of(self.cls).declared)
        return project.leads_below(self.cls, path, declared)

    def is_inherited(self, path: Path) -> bool:
        """Whether a base declares it, whose constructor ends before the class sets anything."""
        bases = map(self.project.of, self.cls.lineage[1:])
        return any(matches(site, path) for base in bases for site in base.declared)

    def writes(self, method: Function) -> Iterator[Write]:
        """Writes in place of a method, and of the functions that it hands what it writes into."""
        yield from method.writes
        for call, function, name, value in self.passed(method):
            for write in function.writes:
                for owner in paths_of(value) if write.path[0] == name else ():
                    path = (*owner, *write.path[1:])
                    yield replace(write, path=path, line=call.line, column=call.column)

    def puts(self, method: Function) -> Iterator[tuple[AttributeStore, tuple[Path, ...]]]:
        """What a method sets by a local name, and the functions that it hands what they set it in.

        With the places below ``self`` that it may be set in.
        """
        for put in method.puts:
            yield put, tuple(self._owners(put))
        for call, function, name, value in self.passed(method):
            for put in function.puts:
                if put.owner == Argument(name):
                    at = replace(put, owner=value, line=call.line, column=call.column)
                    yield at, tuple(self._owners(at))

    def _owners(self, put: AttributeStore) -> Iterator[Path]:
        """Where something is set: of what goes over all modules, wherever that name is declared."""
        yield from paths_of(put.owner)
        if any(map(_gives_modules, walk(put.owner))):
            for _, site in self.project.sites_at(self.cls, ()):
                *owner, name = site.split(".")
                if name == put.name and owner:
                    yield tuple(owner)

    def passed(self, method: Function) -> Iterator[tuple[Call, Function, str, Value]]:
        """What a method hands to functions of the project, with the argument that it is there."""
        for call in method.layer_calls:
            if call.callee == SelfRead(("apply",)) and call.args:
                function = self._function(call.args[0].value)
                if function and function.arguments:
                    each = Element(MethodCall("modules", call))
                    yield call, function, function.arguments[0], each
            function = self._function(call.callee)
            for number, passed in enumerate(call.args if function else ()):
                if function is None or passed.star:
                    break
                name = passed.keyword or "".join(function.arguments[number : number + 1])
                yield call, function, name, passed.value

    def called(self, call: Call) -> Function | None:
        """The function of the project, or the method of the class, that a call is of."""
        match call.callee:
            case SelfRead(path=(name,)):
                found = self.cls.find_method(name)
                return found[1] if found is not None else None
        return self._function(call.callee)

    def _function(self, value: Value) -> Function | None:
        """The function of the project that a name stands for."""
        dotted = value.dotted if isinstance(value, Name) else ""
        return self.project.index.resolve(dotted, self.cls.file.path).function

    def finding(
        self,
        line: int,
        column: int,
        code: str,
        message: str,
        help: str = "",
        sites: Iterable[str] = (),
    ) -> Finding:
        """A finding in the file of the class; ``column`` from 0.

        Where ``sites`` stay plain the rest of the class can be converted.
        """
        path, subject = self.cls.file.path, self.cls.name
        return Finding(path, line, column + 1, code, message, help, subject, tuple(sites))

    def sites_at(self, path: Path) -> tuple[str, ...]:
        """The declared parameters that ``self.<path>`` is, or holds, as ``module:Class.path``.

        None where one of them is the user's own.
        """
        found = dict.fromkeys(self.project.sites_at(self.cls, path))
        ours = all(site not in self.project.of(cls).own for cls, site in found)
        return tuple(f"{cls.name}.{site}" for cls, site in found) if ours else ()

    def sites_drawn(self, path: Path) -> tuple[str, ...]:
        """The same, of what gives values where ``self.<path>`` is read or called."""
        if len(path) == 1 and (called := tuple(self.summary.calls.methods(*path))):
            return tuple(dict.fromkeys(self._drawn_by(called)))
        return self._sites_read(path)

    def _drawn_by(self, methods: Iterable[Method]) -> Iterator[str]:
        """Those that methods read, directly or by what they call, each in the class it is in."""
        for cls, method in self.summary.calls.reached(methods, reads=True):
            if summary := self.project.summaries.get(cls.key):
                inner = replace(self, summary=summary)
                for use in filter(inner.randomness.touches, method.uses):
                    yield from inner._sites_read(use.path)

    def _sites_read(self, path: Path) -> tuple[str, ...]:
        lengths = range(1, len(path) + 1)
        read = (path[:length] for length in lengths if self.is_declared(path[:length]))
        return self.sites_at(next(read, path[:1]))


def _gives_modules(value: Value) -> bool:
    """``self.modules()``, and its like."""
    return isinstance(value, MethodCall) and value.name in MODULES


def uses_in(method: Function, item: Assignment) -> tuple[Use, ...]:
    """Uses of attributes in the value of an assignment."""
    start = (item.value_line, item.value_column)
    return tuple(
        use for use in method.uses if start <= (use.line, use.column) and use.line <= item.end_line
    )
