"""What the classes of a project are given when the project itself builds them.

An argument that nothing annotates is known if every call of the constructor is, and each gives it
instances of the project's classes, what holds no parameters, or one of some classes to be called.
One that all leave at None is there for code outside of the project, and not known.
A class that is handed on, looked up by a text or made by a decorator may be called by anyone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from pyroify.program.annotations import Annotations
from pyroify.program.index import Index, ModuleClass
from pyroify.program.points_to import CallSite, calls_of, code_of
from pyroify.program.resolve import Resolver
from pyroify.program.values import ClassInstance, Scope
from pyroify.syntax.facts import Function
from pyroify.syntax.source import chain
from pyroify.syntax.values import (
    NOTHING,
    Argument,
    Call,
    Name,
    Nothing,
    OneOf,
    Passed,
    Plain,
    Value,
    join,
    literal,
    options_of,
)

Key = tuple[str, str]
PARTIAL = Name("functools.partial")
CONSTRUCTOR = "__init__"


@dataclass
class Callers:
    """The calls of classes in a project, and what they give."""

    index: Index
    subclasses: Mapping[Key, tuple[ModuleClass, ...]]
    _given: dict[Key, Mapping[str, Value]] = field(default_factory=dict)
    _pending: set[Key] = field(default_factory=set)
    _left: dict[tuple[str, str, str], bool] = field(default_factory=dict)

    @cached_property
    def resolver(self) -> Resolver:
        """One of their own: what they look at is not made for the class that is called."""
        return Resolver(self.index, self.subclasses, callers=self)

    def given(self, cls: ModuleClass) -> Mapping[str, Value]:
        """The arguments of a constructor of which all that they may be is known."""
        if cls.key not in self._given and cls.key not in self._pending:
            self._pending.add(cls.key)
            self._given[cls.key] = dict(self._find(cls))
            self._pending.discard(cls.key)
        return self._given.get(cls.key, {})

    def is_left_to_others(self, cls: ModuleClass, name: str) -> bool:
        """Whether what is not known of an argument comes from code outside of the project."""
        method = cls.cls.method(CONSTRUCTOR)
        if method is None or name not in method.arguments or self._may_be_missed(cls):
            return False
        key = (*cls.key, name)
        if key not in self._left:
            self._left[key] = True  # where it is handed on to itself
            position = method.arguments.index(name)
            calls = self._calls.get(cls.key, ())
            self._left[key] = all(self._hands_on(name, position, *call) for call in calls)
        return self._left[key]

    def _hands_on(self, name: str, position: int, call: Call, at: CallSite) -> bool:
        """Whether a call gives an argument what is known or comes from outside, if anything."""
        passed = call.argument(name, position)
        if passed is None:
            return not call.starred
        scope = self._scope(at)
        if isinstance(passed.value, Argument) and scope.cls is not None and at.function is not None:
            if at.function.name == CONSTRUCTOR and passed.value.name not in scope.arguments:
                return self.is_left_to_others(scope.cls, passed.value.name)
        return self._known(passed.value, scope) is not None

    def _may_be_missed(self, cls: ModuleClass) -> bool:
        """Whether there may be calls that are not seen, also of a class that derives from it."""
        return any(map(self._is_handed_on, (cls, *self.subclasses.get(cls.key, ()))))

    def _find(self, cls: ModuleClass) -> Iterator[tuple[str, Value]]:
        method = cls.cls.method(CONSTRUCTOR)
        calls = self._calls.get(cls.key, ())
        if method is None or not calls or self._may_be_missed(cls):
            return
        for position, name in enumerate(method.arguments):
            values = [self._passed(name, position, cls, method, *call) for call in calls]
            known = [value for value in values if value is not None]
            if len(known) == len(values) and set(known) != {NOTHING}:
                yield name, join(*known)

    def _passed(
        self, name: str, position: int, cls: ModuleClass, method: Function, call: Call, at: CallSite
    ) -> Value | None:
        """What one call gives as an argument; None where that is not known."""
        passed = call.argument(name, position)
        if passed is not None and not passed.star:
            return self._known(passed.value, self._scope(at))
        default = dict(method.defaults).get(name)
        if call.starred or default is None:
            return None
        return self._default(default, cls)

    def _default(self, text: str, cls: ModuleClass) -> Value | None:
        node = ast.parse(text, mode="eval").body
        scope = Scope(cls.file.path)
        match node:
            case ast.Constant():
                return literal(text)
            case ast.Name() | ast.Attribute() if chain(node):
                return self._known(self._name(chain(node), cls), scope)
            case ast.Call(func=func, args=[], keywords=[]) if chain(func):
                call = Call(self._name(chain(func), cls), 0, 0, (), ast.unparse(func))
                return self._known(call, scope)
        return None

    def _name(self, names: tuple[str, ...], cls: ModuleClass) -> Name:
        head = dict(cls.file.imports).get(names[0], f"{cls.file.module}.{names[0]}")
        return Name(".".join((head, *names[1:])))

    def _known(self, value: Value, scope: Scope) -> Value | None:
        """Instances, what has no parameters, or classes to be called; None for all else."""
        node = join(*(self.resolver.held(option, scope) for option in options_of(value)))
        known = (ClassInstance, Plain, Nothing)
        if not all(isinstance(item, known) for item in options_of(node)):
            return None
        if isinstance(node, Plain) and not node.is_module:
            makers = self._makers(value, scope)
            return node if makers is None else join(*makers)
        return node

    def _makers(self, value: Value, scope: Scope) -> list[Value] | None:
        """The classes and functions that a value may be, by names that mean the same everywhere."""
        makers = self.resolver.makers(value, scope)
        if not makers:
            return None
        found: list[Value] = []
        for maker, inner in makers:
            if isinstance(maker, Call) and maker.args:
                found += self._makers(maker.args[0].value, inner) or [maker]
            elif isinstance(maker, Name):
                found.append(self._everywhere(maker, inner))
            else:
                return None
        return found

    def _everywhere(self, name: Name, scope: Scope) -> Name:
        target = self.index.resolve(name.dotted, scope.path)
        made = target.module_class.cls if target.module_class else target.plain_class
        if target.file is not None and (made or target.function):
            last = made.qualname if made else target.function.name if target.function else ""
            return Name(f"{target.file.module}.{last}")
        return Name(self.index.canonical(name.dotted, scope.path))

    def _scope(self, at: CallSite) -> Scope:
        """Where the arguments of a call stand, with what is known of those of its function."""
        index = self.index
        cls = index.module_class(at.file, at.cls) if at.cls is not None else None
        scope = Scope(at.file.path, cls, user=cls.key if cls else None)
        if cls is None or at.function is None:
            return scope
        return with_arguments(scope, known_arguments(cls, at.function, self.resolver))

    # Calls

    @cached_property
    def _calls(self) -> Mapping[Key, list[tuple[Call, CallSite]]]:
        """The calls of each class that defines a constructor, and of those that inherit it."""
        found: dict[Key, list[tuple[Call, CallSite]]] = {}
        for file in self.index.files:
            for at in code_of(file):
                for call, cls in self._called(at):
                    owner = cls.find_method(CONSTRUCTOR)
                    if owner is not None:
                        found.setdefault(owner[0].key, []).append((call, at))
        return found

    def _called(self, at: CallSite) -> Iterator[tuple[Call, ModuleClass]]:
        """The calls of classes that stand somewhere, and whose constructors they run."""
        index = self.index
        for call in calls_of(at):
            for callee, args in _callees(call.callee, call.args):
                made = index.resolve(callee.dotted, at.file.path).module_class
                if made is not None:
                    yield replace(call, args=args), made
        cls = index.module_class(at.file, at.cls) if at.cls is not None else None
        if at.function is not None and cls is not None and at.function.super_init is not None:
            for base in cls.bases:
                if base.local is not None:
                    yield at.function.super_init, base.local

    # Whoever else may call

    def _is_handed_on(self, cls: ModuleClass) -> bool:
        """Whether code that is not seen may build instances."""
        names = {f"{cls.file.module}.{cls.cls.qualname}", cls.file.module}
        bases = [base for base in cls.bases if base.local is not None]
        return (
            bool(names & self._mentioned)
            or bool(cls.cls.decorators)
            or cls.file.module in self._by_text
            or len(bases) > 1
            or any(map(_builds_its_like, cls.cls.methods))
        )

    @cached_property
    def _mentioned(self) -> frozenset[str]:
        """Modules and classes that code hands on."""
        index, found = self.index, set[str]()
        for file in index.files:
            imported = {dotted.partition(".")[0] for _, dotted in file.imports}
            for dotted in file.mentions:
                target = index.resolve(dotted, file.path)
                if target.module_class is not None:
                    cls = target.module_class
                    found.add(f"{cls.file.module}.{cls.cls.qualname}")
                elif dotted.partition(".")[0] in imported:
                    path = index.find_module(dotted, file.path)
                    found.update(f.module for f in [index.file(path or "")] if f)
        return frozenset(found)

    @cached_property
    def _by_text(self) -> frozenset[str]:
        """Modules with names that code looks up by texts."""
        index, found = self.index, set[str]()
        for file in index.files:
            if "*" in file.mentions:
                found.add(file.module)
                found.update(dotted.rpartition(".")[0] for _, dotted in file.imports)
                found.update(file.stars)
        return frozenset(found)


def known_arguments(cls: ModuleClass, method: Function, resolver: Resolver) -> Mapping[str, Value]:
    """The arguments of a method of which annotations, or all who call it, tell what they are."""
    read = Annotations(cls.file, resolver.index, resolver.subclasses)
    is_constructor = method.name == CONSTRUCTOR and resolver.callers is not None
    given = resolver.callers.given(cls) if resolver.callers and is_constructor else {}
    return {**given, **read.instances(method)}


def with_arguments(scope: Scope, known: Mapping[str, Value]) -> Scope:
    """Where code stands of which some arguments are known."""
    if not known:
        return scope
    passed = {name: Passed(value, name, stable=True) for name, value in known.items()}
    return replace(scope, arguments={name: (item, scope) for name, item in passed.items()})


def _callees(callee: Value, args: tuple[Passed, ...]) -> Iterator[tuple[Name, tuple[Passed, ...]]]:
    """The names that a call is of, each with all its arguments: those of partials, too."""
    match callee:
        case Name():
            yield callee, args
        case Call(callee=Name() as partial, args=(first, *given)) if partial == PARTIAL:
            yield from _callees(first.value, (*given, *args))
        case OneOf(options=options):
            for option in options:
                yield from _callees(option, args)


def _builds_its_like(method: Function) -> bool:
    """Whether a method may build instances of the class of ``self``, whatever that is."""
    return (
        "classmethod" in method.decorators
        or any(use.path[0] == "__class__" for use in method.uses)
        or any(
            isinstance(call.callee, Call) and call.callee.callee == Name("type")
            for call in method.layer_calls
        )
    )
