"""What the classes of a project are given when the project itself builds them.

An argument that nothing annotates is known if every call of the constructor is, and each gives it
instances of the project's classes, what holds no parameters, or one of some classes to be called;
or a layer, always of one kind, that another class makes for it.
One that all leave at None is there for code outside of the project, and not known.
A class that is handed on to where it is not followed, looked up by a text or made by a decorator
may be called by anyone.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pyroify.program.annotations import Annotations, mixes_lists
from pyroify.program.handed import CONSTRUCTOR, LOCALS, Calls, Handed
from pyroify.program.index import Index, ModuleClass, Target
from pyroify.program.points_to import CallSite, calls_of, code_of
from pyroify.program.resolve import MAX_DEPTH, Resolver, is_literal
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    LayerInstance,
    Scope,
    holds_only_instances,
    is_certain,
    is_opaque,
    without_call,
)
from pyroify.syntax.facts import ATTACHING, Function
from pyroify.syntax.interpret.collections import element_of
from pyroify.syntax.source import chain
from pyroify.syntax.values import (
    NOTHING,
    Argument,
    Call,
    Element,
    Items,
    Many,
    Name,
    Nothing,
    OneOf,
    Passed,
    Plain,
    SelfRead,
    Unknown,
    Value,
    join,
    literal,
    options_of,
    walk,
)

Key = tuple[str, str]
PARTIAL = Name("functools.partial")
TELLING = {("__name__",), ("__qualname__",), ("__module__",), ("__doc__",)}
"""What a class tells of itself, which builds nothing."""


@dataclass
class Callers:
    """The calls of classes in a project, and what they give."""

    index: Index
    subclasses: Mapping[Key, tuple[ModuleClass, ...]]
    _given: dict[Key, Mapping[str, Value]] = field(default_factory=dict)
    _pending: set[Key] = field(default_factory=set)
    _left: dict[tuple[str, str, str], bool] = field(default_factory=dict)

    @cached_property
    def handed(self) -> Handed:
        """The classes that are given as arguments."""
        return Handed(self.index, self.subclasses)

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
        if method is not None and name in method.rest:
            return self._leaves_rest(cls, method)
        return method is not None and name in method.arguments and self._leaves(cls, name)

    def _leaves_rest(
        self, cls: ModuleClass, method: Function, named: frozenset[str] = frozenset()
    ) -> bool:
        """The same, of all that the constructor takes without a name for it.

        It hands that on to a constructor which takes the ``named`` by their names.
        """
        if self._may_be_missed(cls):
            return False
        named = named.union(method.arguments)
        key = (*cls.key, f"**{sorted(named)}")
        if key not in self._left:
            self._left[key] = True  # where it is handed on to itself
            calls = self._calls_of(cls)
            self._left[key] = all(
                self._is_rest_settled(passed, named, self._scope(at))
                for call, at in calls
                for passed in call.args
                if passed.star or (passed.keyword and passed.keyword not in named)
            )
        return self._left[key]

    def _is_rest_settled(self, passed: Passed, named: frozenset[str], scope: Scope) -> bool:
        """Whether one of several arguments without a name is known, or comes from outside."""
        match passed:
            case Passed(value=Argument(name=name), star="**") if scope.cls is not None:
                method = scope.cls.cls.method(CONSTRUCTOR)
                if method is not None and name in method.rest:
                    return self._leaves_rest(scope.cls, method, named)
        is_taken = passed.star == "**" and self._is_taken_from_outside(passed.value, scope)
        return is_taken or self._is_settled(passed.value, scope)

    def _leaves(self, cls: ModuleClass, name: str) -> bool:
        """The same, also of a name that the constructor takes by ``**``."""
        method = cls.cls.method(CONSTRUCTOR)
        if method is None or self._may_be_missed(cls):
            return False
        key = (*cls.key, name)
        if key not in self._left:
            self._left[key] = True  # where it is handed on to itself
            position = method.arguments.index(name) if name in method.arguments else sys.maxsize
            calls = self._calls_of(cls)
            self._left[key] = all(self._hands_on(name, position, *call) for call in calls)
        return self._left[key]

    def _hands_on(self, name: str, position: int, call: Call, at: CallSite) -> bool:
        """Whether a call gives an argument what is known or comes from outside, if anything."""
        passed, scope = call.argument(name, position), self._scope(at)
        if passed is not None:
            return self._is_settled(passed.value, scope)
        stars = [item.value for item in call.args if item.star and item.entries is None]
        return all(self._is_left(value, name, scope) for value in stars)

    def _is_left(self, starred: Value, name: str, scope: Scope) -> bool:
        """Whether an argument that may be in ``*args`` or ``**kwargs`` comes from outside."""
        if isinstance(starred, Argument) and scope.cls is not None:
            method = scope.cls.cls.method(CONSTRUCTOR)
            if method is not None and starred.name in method.rest:
                return self._leaves(scope.cls, name)
        return self.is_foreign(starred, scope) or self._is_taken_from_outside(starred, scope)

    def _is_taken_from_outside(self, value: Value, scope: Scope) -> bool:
        """Whether a dict of arguments is computed of nothing but what comes from outside."""
        given = [item for item in walk(value) if isinstance(item, Argument)]
        makes = any(map(is_certain, walk(self.resolver.resolve(value, scope))))
        return bool(given) and not makes and all(self.is_foreign(item, scope) for item in given)

    def _is_settled(self, value: Value, scope: Scope) -> bool:
        """Whether each thing that a value may be is known, or comes from outside."""
        options = options_of(value)
        return all(
            self._known(option, scope) is not None or self.is_foreign(option, scope)
            for option in options
        )

    def is_foreign(self, value: Value, scope: Scope) -> bool:
        """Whether what is hidden in a value comes from code outside, as far as anything is."""
        if scope.depth > MAX_DEPTH:
            return False
        deeper = replace(scope, depth=scope.depth + 1)
        match value:
            case Argument(name=name):
                if name in scope.arguments:
                    passed, outer = scope.arguments[name]
                    return self.is_foreign(passed.value, replace(outer, depth=deeper.depth))
                return scope.cls is not None and self.is_left_to_others(scope.cls, name)
            case SelfRead(path=(name, *_)) if scope.cls is not None:
                assigned = list(self._assigned(name, scope.cls))
                return bool(assigned) and all(
                    self._is_settled(item, replace(deeper, cls=owner, path=owner.file.path))
                    for item, owner in assigned
                )
            case Call(callee=Argument() as callee):
                return self.is_foreign(callee, scope)
            case Call() if (entered := self.resolver.entered(value, deeper)) is not None:
                if hidden := list(self._hidden_returns(*entered)):
                    return all(self.is_foreign(item, entered[1]) for item in hidden)
            case Call(callee=Element() as callee):
                makers = self.resolver.makers(callee, scope) or ()
                if makers and all(self._is_maker_outside(*maker) for maker in makers):
                    return True
            case Unknown(owner=Argument() as owner, path=(name, *_)):
                owners = options_of(self.resolver.resolve(owner, scope))
                if all(isinstance(item, ClassInstance) for item in owners):
                    return all(self._is_foreign_in(item, name, deeper) for item in owners)
        maker = value.callee if isinstance(value, Call) else value
        if isinstance(maker, Name) and "." in maker.dotted and self.is_outside(maker, scope):
            return True
        is_hidden = [is_opaque(self.resolver.resolve(part, scope)) for part in value.components]
        parts = [part for part, hides in zip(value.components, is_hidden, strict=True) if hides]
        return bool(parts) and all(self.is_foreign(part, deeper) for part in parts)

    def _hidden_returns(self, function: Function, scope: Scope) -> Iterator[Value]:
        """What a function may give of which not all is visible."""
        for value in function.returns:
            for option in options_of(value):
                if is_opaque(self.resolver.resolve(option, scope)):
                    yield option

    def _is_maker_outside(self, maker: Value, scope: Scope) -> bool:
        return isinstance(maker, Name) and self.is_outside(maker, scope)

    def _is_foreign_in(self, owner: Value, name: str, scope: Scope) -> bool:
        """The same, of an attribute of an instance."""
        assert isinstance(owner, ClassInstance)
        inner = Scope(owner.cls.file.path, owner.cls, depth=scope.depth, user=owner.cls.key)
        return self.is_foreign(SelfRead((name,)), inner)

    def _assigned(self, name: str, cls: ModuleClass) -> Iterator[tuple[Value, ModuleClass]]:
        """What a class and its bases assign to an attribute."""
        for owner in cls.lineage:
            for method in owner.cls.methods:
                for item in method.assignments:
                    if item.path == (name,) and item.how in ATTACHING:
                        yield item.value, owner

    def is_outside(self, callee: Value, scope: Scope) -> bool:
        """Whether nothing is known of what is called: it is neither the project's nor torch's."""
        if not isinstance(callee, Name):
            return isinstance(callee, Argument)
        is_torch = self.index.canonical(callee.dotted, scope.path).startswith("torch.")
        is_seen = is_torch or self.index.resolve(callee.dotted, scope.path) != Target()
        return not is_seen and not self.resolver.is_free(callee.dotted, scope)

    def _may_be_missed(self, cls: ModuleClass) -> bool:
        """Whether there may be calls that are not seen, also of a class that derives from it."""
        return any(map(self._is_handed_on, (cls, *self.subclasses.get(cls.key, ()))))

    def _find(self, cls: ModuleClass) -> Iterator[tuple[str, Value]]:
        method = cls.cls.method(CONSTRUCTOR)
        calls = self._calls_of(cls)
        if method is None or not calls or self._may_be_missed(cls):
            return
        for position, name in enumerate(method.arguments):
            values = [self._passed(name, position, cls, method, *call) for call in calls]
            known = [value for value in values if value is not None]
            if len(known) < len(values) or set(known) == {NOTHING}:
                continue
            node = _joined(known)
            if not mixes_lists(node) and not _is_one_of_layers(node):
                yield name, node

    def _passed(
        self, name: str, position: int, cls: ModuleClass, method: Function, call: Call, at: CallSite
    ) -> Value | None:
        """What one call gives as an argument; None where that is not known."""
        passed = call.argument(name, position)
        if passed is not None and not passed.star:
            node = self._known(passed.value, self._scope(at))
            return self._layers(passed.value, call, at) if node is None else node
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
            case ast.Call(func=func, args=args, keywords=keywords) if chain(func):
                name = self._name(chain(func), cls)
                if (args or keywords) and not self._makes_the_same(name, scope):
                    return None
                return self._known(Call(name, 0, 0, (), ast.unparse(func)), scope)
        return None

    def _makes_the_same(self, name: Name, scope: Scope) -> bool:
        """Whether what is made holds the same, whatever is given: of a class, or without any."""
        layer = self.index.layer(name.dotted, scope.path)
        if layer is not None:
            return layer.kind == "stateless"
        cls = self.index.resolve(name.dotted, scope.path).module_class
        return cls is not None and not cls.library_base

    def _name(self, names: tuple[str, ...], cls: ModuleClass) -> Name:
        head = dict(cls.file.imports).get(names[0], f"{cls.file.module}.{names[0]}")
        return Name(".".join((head, *names[1:])))

    def _known(self, value: Value, scope: Scope) -> Value | None:
        """Instances, what has no parameters, or classes to be called; None for all else."""
        node = join(*(self._instances(option, scope) for option in options_of(value)))
        known = (ClassInstance, Plain, Nothing, ContainerInstance)
        if not all(isinstance(item, known) or _lists_instances(item) for item in options_of(node)):
            return None
        if isinstance(node, Plain) and not node.is_module:
            if texts := self.resolver.texts(value, scope):
                return join(*texts)
            makers = self._makers(value, scope)
            return node if makers is None else join(*makers)
        return node

    def _instances(self, value: Value, scope: Scope) -> Value:
        """What a value holds; containers that are made for it, of instances alone, are seen."""
        node = without_call(self.resolver.held(value, scope))
        is_container = isinstance(node, ContainerInstance)
        is_seen = isinstance(value, Call | Argument) and holds_only_instances(node)
        return Unknown() if is_container and not is_seen else node

    def _layers(self, value: Value, call: Call, at: CallSite) -> Value | None:
        """A layer, or a container, that a class makes for another one and gives to nothing else.

        What functions and scripts give tells nothing: others may give other layers as well.
        """
        scope = replace(self._scope(at), inside=False)
        if scope.cls is None or _is_kept_apart(value, call, at):
            return None
        options = options_of(value)
        nodes = [self.resolver.resolve(option, scope) for option in options if option != NOTHING]
        is_made = all(isinstance(option, Call | Nothing) for option in options)
        is_seen = all(isinstance(item, LayerInstance | ContainerInstance) for item in nodes)
        inner = (item for node in nodes for item in walk(node))
        if not is_made or not is_seen or any(isinstance(i, Unknown | Many | OneOf) for i in inner):
            return None  # a loop that looks for layers would pass by those that others give
        return join(*map(_as_plain, nodes), *(option for option in options if option == NOTHING))

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

    def _calls_of(self, cls: ModuleClass) -> Calls:
        """The calls that run the constructor of a class, also where it is an argument."""
        heirs = (sub for sub in self.subclasses.get(cls.key, ()) if _owner(sub) == cls.key)
        handed = (call for item in (cls, *heirs) for call in self.handed.calls(item) or ())
        return (*self._calls.get(cls.key, ()), *handed)

    @cached_property
    def _calls(self) -> Mapping[Key, list[tuple[Call, CallSite]]]:
        """The calls of each class that defines a constructor, and of those that inherit it."""
        found: dict[Key, list[tuple[Call, CallSite]]] = {}
        for file in self.index.files:
            for at in code_of(file):
                around = _around(at)
                for call, cls in self._called(at):
                    owner = cls.find_method(CONSTRUCTOR)
                    if owner is not None:
                        placed = (_seen_from(around, call), around) if around else (call, at)
                        found.setdefault(owner[0].key, []).append(placed)
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
            or self.handed.calls(cls) is None
            or not all(self._hands_back(name, cls.file.path) for name in cls.cls.registered)
            or cls.file.module in self._by_text
            or len(bases) > 1
            or any(map(_builds_its_like, cls.cls.methods))
        )

    def _hands_back(self, decorator: str, path: str) -> bool:
        """Whether a decorator, or the function that it makes, gives the class back as it is."""
        target = self.index.resolve(decorator, path)
        if target.function is not None and target.file is not None:
            match target.function.returns:
                case (Name(dotted=dotted),) if LOCALS in dotted:
                    target = self.index.resolve(dotted, target.file.path)
        return target.function is not None and target.function.hands_back

    @cached_property
    def _mentioned(self) -> frozenset[str]:
        """Modules and classes that code hands on."""
        index, found = self.index, set[str]()
        for file in index.files:
            imported = {dotted.partition(".")[0] for _, dotted in file.imports}
            for dotted in (*file.mentions, *file.handed):
                target = index.resolve(dotted, file.path)
                if target.module_class is not None:
                    cls = target.module_class
                    if dotted in file.mentions:
                        found.add(f"{cls.file.module}.{cls.cls.qualname}")
                elif target.function is None and dotted.partition(".")[0] in imported:
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


def _is_kept_apart(value: Value, call: Call, at: CallSite) -> bool:
    """Whether a layer that a call is given goes elsewhere too, where it may be declared as well."""
    made = {item.place for item in options_of(value) if isinstance(item, Call)}
    kept = [passed.value for other in calls_of(at) if other != call for passed in other.args]
    if at.function is not None:
        kept += [item.value for item in at.function.assignments]
    return any(inner.place in made for item in kept for inner in _calls_beside(item, call))


def _calls_beside(value: Value, call: Call) -> Iterator[Call]:
    """The calls in a value, but those in the arguments of one."""
    if isinstance(value, Call):
        if value.place == call.place:
            return
        yield value
    for part in value.components:
        yield from _calls_beside(part, call)


def _joined(values: Sequence[Value]) -> Value:
    """What an argument may be; layers that differ in what they are made with are as one."""
    node = join(*values)
    made = [
        item for item in options_of(node) if isinstance(item, LayerInstance | ContainerInstance)
    ]
    return node if len(made) < 2 else join(*map(without_call, options_of(node)))


def _is_one_of_layers(node: Value) -> bool:
    """Whether it is a layer or something else: who hands in another one would not be told."""
    given = [item for item in options_of(node) if item != NOTHING]
    return len(given) > 1 and any(isinstance(item, LayerInstance) for item in walk(node))


def _as_plain(node: Value) -> Value:
    """Layers as those who get them see them: they may not have been made as Pyro's."""
    match node:
        case LayerInstance():
            return replace(node, call=node.call and _elsewhere(node.call), plain=True)
        case ContainerInstance():
            return replace(node, items=tuple(map(_as_plain, node.items)), plain=True)
    return node


def _elsewhere(call: Call) -> Call:
    """A call as it is read where only its literals mean the same."""
    args = (replace(passed, stable=is_literal(passed.text)) for passed in call.args)
    return replace(call, line=0, column=0, extent=None, args=tuple(args))


def _lists_instances(node: Value) -> bool:
    """Whether it is a list of instances of the project, and of what has no parameters."""
    if not isinstance(node, Items) or node.keys:
        return False
    has_one = any(isinstance(item, ClassInstance) for item in walk(node))
    return has_one and all(map(holds_only_instances, node.items))


def _around(at: CallSite) -> CallSite | None:
    """The method that a function is defined in, unless it has arguments of the same names."""
    if at.function is None or at.function.name.count(LOCALS) != 1:
        return None
    name, line = at.function.name.partition(LOCALS)[0], at.function.line
    found = [
        CallSite(at.file, method, cls)
        for cls in at.file.classes
        for method in cls.methods
        if method.name == name and method.line < line <= cls.end_line
    ]
    around = max(found, key=_line, default=None)
    own = {*at.function.arguments, *at.function.rest}
    if around is None or around.function is None or own.intersection(around.function.arguments):
        return None
    return around


def _line(at: CallSite) -> int:
    return at.function.line if at.function is not None else 0


def _seen_from(around: CallSite, call: Call) -> Call:
    """A call in a function within a method, given arguments of the method as what they are."""
    method, module = around.function, around.file.module
    steady = set(method.arguments) - method.rebound if method is not None else set()
    names = {spelling: name for name in steady for spelling in (name, f"{module}.{name}")}
    args = (
        replace(passed, value=Argument(names[passed.value.dotted]))
        if isinstance(passed.value, Name) and passed.value.dotted in names
        else passed
        for passed in call.args
    )
    return replace(call, args=tuple(args))


def _callees(callee: Value, args: tuple[Passed, ...]) -> Iterator[tuple[Name, tuple[Passed, ...]]]:
    """The names that a call is of, each with all its arguments: those of partials, too."""
    match callee:
        case Name(dotted="map") if args and not any(passed.star for passed in args):
            function, *over = args
            each = tuple(Passed(element_of(passed.value)) for passed in over)
            yield from _callees(function.value, each)
        case Name():
            yield callee, args
        case Call(callee=Name() as partial, args=(first, *given)) if partial == PARTIAL:
            yield from _callees(first.value, (*given, *args))
        case OneOf(options=options):
            for option in options:
                yield from _callees(option, args)


def _owner(cls: ModuleClass) -> Key | None:
    """The class whose constructor a class has."""
    found = cls.find_method(CONSTRUCTOR)
    return found[0].key if found is not None else None


def _builds_its_like(method: Function) -> bool:
    """Whether a method may build instances of the class of ``self``, whatever that is."""
    return (
        "classmethod" in method.decorators
        or any(use.path[0] == "__class__" and use.path[1:] not in TELLING for use in method.uses)
        or any(
            isinstance(call.callee, Call) and call.callee.callee == Name("type")
            for call in method.layer_calls
        )
    )
