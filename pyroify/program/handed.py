"""Where a class goes that is given as an argument, and how it is called there.

``ResNet(Bottleneck, [3, 4])`` builds its blocks in ``ResNet``. An argument is followed through the
functions, methods and constructors of the project that it is handed on to. Where it is kept,
given back or handed to anything else, whoever gets it may call it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pyroify.program.index import Index, ModuleClass
from pyroify.program.points_to import CallSite, calls_of, code_of
from pyroify.syntax.facts import Function, ValueUse
from pyroify.syntax.observe.mentions import FOLLOWED
from pyroify.syntax.values import (
    Argument,
    Call,
    MethodCall,
    Name,
    Passed,
    SelfRead,
    Unknown,
    Value,
    options_of,
)

Key = tuple[str, str]
Calls = tuple[tuple[Call, CallSite], ...]
CONSTRUCTOR = "__init__"
LOCALS = ".<locals>."
TELLING = frozenset(("called", "member", "member called", "number"))
"""What may be done with a class that keeps it where it is."""


class Escaped(Exception):
    """A class gets to where nothing is known of its calls."""


@dataclass(frozen=True, slots=True)
class _Given:
    """An argument of a function that a class is given as."""

    at: CallSite
    name: str


@dataclass
class Handed:
    """The classes of a project that are given as arguments."""

    index: Index
    subclasses: Mapping[Key, tuple[ModuleClass, ...]]
    _found: dict[Key, Calls | None] = field(default_factory=dict)

    def calls(self, cls: ModuleClass) -> Calls | None:
        """The calls of a class where it is an argument; None where there may be others."""
        if cls.key not in self._found:
            self._found[cls.key] = self._follow(cls.key) if cls.key in self._handed else ()
        return self._found[cls.key]

    @cached_property
    def _handed(self) -> Mapping[Key, frozenset[str]]:
        """The files, by path, that give each class to a call."""
        found: dict[Key, set[str]] = {}
        for file in self.index.files:
            for dotted in file.handed:
                target = self.index.resolve(dotted, file.path).module_class
                if target is not None:
                    found.setdefault(target.key, set()).add(file.path)
        return {key: frozenset(paths) for key, paths in found.items()}

    def _follow(self, key: Key) -> Calls | None:
        try:
            waiting = list(self._starts(key))
            seen: set[tuple[str, int, str]] = set()
            found: list[tuple[Call, CallSite]] = []
            while waiting:
                given = waiting.pop()
                assert given.at.function is not None
                place = (given.at.file.path, given.at.function.line, given.name)
                if place not in seen:
                    seen.add(place)
                    found += self._called(given)
                    waiting += self._handed_further(given)
        except Escaped:
            return None
        return tuple(found)

    def _starts(self, key: Key) -> Iterator[_Given]:
        """The arguments that a class is given as by its name."""
        for path in sorted(self._handed[key]):
            file, is_found = self.index.file(path), False
            for at in code_of(file) if file is not None else ():
                for call, passed in _passed(at):
                    if isinstance(passed.value, Name) and self._is(passed.value, path, key):
                        is_found = True
                        yield from self._receivers(call, passed, at)
            if not is_found:
                raise Escaped

    def _is(self, name: Name, path: str, key: Key) -> bool:
        made = self.index.resolve(name.dotted, path).module_class
        return made is not None and made.key == key

    def _called(self, given: _Given) -> Iterator[tuple[Call, CallSite]]:
        for call in calls_of(given.at):
            if Argument(given.name) in options_of(call.callee):
                yield call, given.at

    def _handed_further(self, given: _Given) -> Iterator[_Given]:
        """The arguments that an argument is handed on as."""
        function, argument = given.at.function, Argument(given.name)
        assert function is not None
        inner = f"{function.name}{LOCALS}"
        if (
            given.name in function.rebound
            or any(use.how not in (*TELLING, "given") for use in _uses(function, given.name))
            or any(argument in _kept(item.value) for item in function.assignments)
            or any(argument in _kept(item) for item in (*function.returns, *function.yields))
            or any(
                other.name.startswith(inner) and given.name in other.names
                for other in given.at.file.functions
            )
        ):
            raise Escaped
        is_followed = False
        for call, passed in _passed(given.at):
            if passed.value == argument:
                is_followed = True
                yield from self._receivers(call, passed, given.at)
            elif argument in _kept(passed.value):
                raise Escaped
        if not is_followed and any(use.how == "given" for use in _uses(function, given.name)):
            raise Escaped

    def _receivers(self, call: Call, passed: Passed, at: CallSite) -> Iterator[_Given]:
        """The arguments of functions that what is passed is there, in subclasses too."""
        targets = list(self._targets(call, at))
        if not targets or passed.star:
            raise Escaped
        for target in targets:
            assert target.function is not None
            yield _Given(target, _name_of(call, passed, target.function))

    def _targets(self, call: Call, at: CallSite) -> Iterator[CallSite]:
        """The functions that a call runs."""
        match call.callee:
            case Name(dotted=dotted):
                target = self.index.resolve(dotted, at.file.path)
                if target.function is not None and target.file is not None:
                    yield CallSite(target.file, target.function)
                elif target.module_class is not None:
                    yield from self._methods(target.module_class, CONSTRUCTOR)
            case SelfRead(path=(name,)) if (cls := self._class(at)) is not None:
                yield from self._methods(cls, name)
                for sub in self.subclasses.get(cls.key, ()):
                    if sub.cls.method(name) is not None:
                        yield from self._methods(sub, name)
            case Unknown(text="super().__init__") if (cls := self._class(at)) is not None:
                bases = [base.local for base in cls.bases if base.local is not None]
                if len(bases) == 1:
                    yield from self._methods(bases[0], CONSTRUCTOR)

    def _class(self, at: CallSite) -> ModuleClass | None:
        return self.index.module_class(at.file, at.cls) if at.cls is not None else None

    def _methods(self, cls: ModuleClass, name: str) -> Iterator[CallSite]:
        found = cls.find_method(name)
        if found is not None:
            owner, method = found
            yield CallSite(owner.file, method, owner.cls)


def _passed(at: CallSite) -> Iterator[tuple[Call, Passed]]:
    """The arguments of all calls that stand somewhere, and may hand them on."""
    start = at.function.super_init if at.function is not None else None
    for call in dict.fromkeys((*calls_of(at), *([start] if start is not None else ()))):
        if not isinstance(call.callee, Name) or call.callee.dotted not in FOLLOWED:
            yield from ((call, passed) for passed in call.args)


def _name_of(call: Call, passed: Passed, function: Function) -> str:
    """What a function calls an argument."""
    if passed.keyword in function.arguments:
        return passed.keyword
    place = next(place for place, item in enumerate(call.args) if item is passed)
    before = call.args[: place + 1]
    if passed.keyword or any(item.star or item.keyword for item in before):
        raise Escaped
    if place >= len(function.arguments):
        raise Escaped
    return function.arguments[place]


def _uses(function: Function, name: str) -> Iterator[ValueUse]:
    return (use for use in function.handled if use.name == name)


def _kept(value: Value) -> Iterator[Value]:
    """What a value is, or may hold: not what calls are given, nor what an attribute is read of."""
    yield value
    if not isinstance(value, Call | MethodCall):
        for part in value.parts if isinstance(value, Unknown) else value.components:
            yield from _kept(part)
