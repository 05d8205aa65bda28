"""Which converted class a value of a script is an instance of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from pyroify.catalog.module import RETURNING_SELF
from pyroify.decide.project import Candidates, Key
from pyroify.diagnostics import Finding
from pyroify.program.index import ModuleClass
from pyroify.program.resolve import Resolver
from pyroify.program.values import ClassInstance, Scope
from pyroify.syntax.facts import AttributeStore, Class, File, Function
from pyroify.syntax.values import Argument, Call, MethodCall, Name, OneOf, SelfRead, Unknown, Value

MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a call of a file stands: at the top, in a function, or in a method of a class."""

    function: Function | None = None
    cls: Class | None = None


@dataclass(frozen=True)
class Script:
    """One file under check; ``converted`` are the classes of the project that change."""

    project: Candidates
    file: File
    converted: frozenset[Key]
    _resolver: Resolver = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # A resolver of its own: what scripts build is not what the plan wraps.
        object.__setattr__(self, "_resolver", Resolver(self.project.index, {}))

    @cached_property
    def calls(self) -> tuple[tuple[Call, CallSite], ...]:
        """All calls of the file, each with where it stands."""
        return tuple(self._calls())

    def _calls(self) -> Iterator[tuple[Call, CallSite]]:
        for call in self.file.module_calls:
            yield call, CallSite()
        for function in self.file.functions:
            for call in function.layer_calls:
                yield call, CallSite(function)
        for cls in self.file.classes:
            for method in cls.methods:
                for call in method.layer_calls:
                    yield call, CallSite(method, cls)

    @property
    def puts(self) -> Iterator[tuple[AttributeStore, CallSite]]:
        """What the file attaches to objects where no declaration follows, each with its place."""
        yield from ((put, CallSite()) for put in self.file.puts)
        for function in self.file.functions:
            yield from ((put, CallSite(function)) for put in function.puts)
        for cls in self.file.classes:
            if self.project.index.module_class(self.file, cls) is None:
                for method in cls.methods:
                    yield from ((put, CallSite(method, cls)) for put in method.puts)

    @cached_property
    def concerned(self) -> bool:
        """Whether the file defines or imports a class that is converted."""
        if any((self.file.path, cls.qualname) in self.converted for cls in self.file.classes):
            return True
        targets = (
            self.project.index.resolve(name, self.file.path) for _, name in self.file.imports
        )
        return any(t.module_class and t.module_class.key in self.converted for t in targets)

    def instance(self, value: Value, place: CallSite, depth: int = 0) -> ModuleClass | None:
        """The converted class that a value is an instance of, as far as the source shows."""
        if depth > MAX_DEPTH:
            return None
        match value:
            case OneOf(options=options):
                found = (self.instance(option, place, depth + 1) for option in options)
                return next((cls for cls in found if cls is not None), None)
            case Argument(name=name):
                return self._argument(name, place)
            case SelfRead(path=(name,)):
                return self._attribute(name, place, depth)
            case MethodCall(name=name) if name in RETURNING_SELF:
                return self._class_at(place)
            case Name(dotted=dotted):
                target = self.project.index.resolve(dotted, self.file.path)
                return self.instance(target.alias, CallSite(), depth + 1) if target.alias else None
            case Call():
                owner, method = called_on(value)
                if owner is not None and method in RETURNING_SELF:
                    return self.instance(owner, place, depth + 1)
                return self.made(value)
        return None

    def made(self, call: Call) -> ModuleClass | None:
        """The converted class that a constructor or factory makes an instance of."""
        if called_on(call)[1] in RETURNING_SELF:
            return None  # it gives the one that is there
        node = self._resolver.resolve(call, Scope(self.file.path))
        return self._if_converted(node.cls) if isinstance(node, ClassInstance) else None

    def structure(self, value: Value) -> Value:
        """What a value of the file holds as a module."""
        return self._resolver.resolve(value, Scope(self.file.path))

    def owner(self, call: Call, place: CallSite) -> tuple[ModuleClass | None, str]:
        """The converted class a method is called on, and the method's name."""
        owner, method = called_on(call)
        return (self.instance(owner, place) if owner is not None else None), method

    def finding(self, call: Call, code: str, message: str, help: str = "") -> Finding:
        """A finding at a call of the file."""
        return Finding(self.file.path, call.line, call.column + 1, code, message, help)

    def _if_converted(self, cls: ModuleClass | None) -> ModuleClass | None:
        return cls if cls is not None and cls.key in self.converted else None

    def _class_at(self, place: CallSite) -> ModuleClass | None:
        if place.cls is None:
            return None
        return self._if_converted(self.project.index.module_class(self.file, place.cls))

    def _argument(self, name: str, place: CallSite) -> ModuleClass | None:
        """An argument by its annotation, and ``self``."""
        if place.function is None:
            return None
        if name not in place.function.arguments:
            return self._class_at(place)
        annotation = dict(place.function.annotations).get(name, "").strip("'\"")
        if not annotation.replace(".", "").isidentifier():
            return None
        head, *rest = annotation.split(".")
        head = dict(self.file.imports).get(head, f"{self.file.module}.{head}")
        dotted = ".".join([head, *rest])
        return self._if_converted(self.project.index.resolve(dotted, self.file.path).module_class)

    def _attribute(self, name: str, place: CallSite, depth: int) -> ModuleClass | None:
        """What a class, be it a module or not, has under a name of its own."""
        for method in place.cls.methods if place.cls else ():
            for item in method.assignments:
                if item.path == (name,) and item.how == "assign":
                    found = self.instance(item.value, CallSite(method, place.cls), depth + 1)
                    if found is not None:
                        return found
        return None


def called_on(call: Call) -> tuple[Value | None, str]:
    """What a method is called on, and its name: ``net`` and ``to`` for ``net.to(...)``."""
    match call.callee:
        case Unknown(owner=owner, path=(method,)):
            return owner, method
        case SelfRead(path=(method,)):
            return Argument("self"), method
        case SelfRead(path=(name, method)):
            return SelfRead((name,)), method
        case Name(dotted=dotted) if "." in dotted:
            owner_name, _, method = dotted.rpartition(".")
            return Name(owner_name), method
    return None, ""


def dotted(call: Call) -> str:
    """The dotted name of what is called; empty where it is no name."""
    return call.callee.dotted if isinstance(call.callee, Name) else ""
