"""Which classes of the project a value may be an instance of: a points-to analysis of all code.

An argument may be what any call of its function in the project gives, an attribute what any code
assigns. The order of statements counts within one function alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

from pyroify.catalog.calls import LOADING, NO_MODULES, NUMBERS, PROPERTIES, TRANSPARENT
from pyroify.catalog.layers import Kind, lookup
from pyroify.catalog.module import MODULE_NAMES, RETURNING_SELF
from pyroify.catalog.training import GUIDES, LIBRARIES
from pyroify.program.index import Index, Target
from pyroify.program.resolve import Resolver
from pyroify.program.values import ClassInstance, Scope, is_opaque
from pyroify.syntax.facts import Class, File, Function
from pyroify.syntax.values import (
    Argument,
    Call,
    Closure,
    Computed,
    Constant,
    Element,
    Items,
    Many,
    MethodCall,
    Name,
    OneOf,
    Parameter,
    Passed,
    Path,
    SelfRead,
    Unknown,
    Value,
    walk,
)

MAX_DEPTH = 10
MAX_NESTED = 30
"""Questions that one leads to, one within the other: more are not asked."""
HOLDING = frozenset("parameters named_parameters children modules values items keys copy".split())
"""Methods that give what is in a module or a dict."""

LEAVES: frozenset[Kind] = frozenset(("layer", "recurrent", "lazy", "stateless"))
"""Layers of torch that hold no other module, whatever they are given."""

Key = tuple[str, str]
"""A class: the path of its file and its qualified name."""


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where code stands: at the top of a file, in a function, or in a method of a class."""

    file: File
    function: Function | None = None
    cls: Class | None = None


@dataclass(frozen=True, slots=True)
class PointsTo:
    """What a value may be. ``classes``: instances of these, ``parts``: or of what holds them.

    ``anything``: it may be an instance of any other class, for all that the source shows.
    ``guide``: a guide of Pyro's, or a loss of model and guide, is in it.
    """

    classes: tuple[Key, ...] = ()
    parts: tuple[Key, ...] = ()
    anything: bool = False
    guide: bool = False

    def __or__(self, other: PointsTo) -> PointsTo:
        if other in (self, NO_INSTANCE):
            return self
        return PointsTo(
            tuple(dict.fromkeys((*self.classes, *other.classes))),
            tuple(dict.fromkeys((*self.parts, *other.parts))),
            self.anything or other.anything,
            self.guide or other.guide,
        )

    @property
    def held(self) -> PointsTo:
        """The same as parts of something."""
        return PointsTo((), (*self.classes, *self.parts), self.anything, self.guide)


NO_INSTANCE = PointsTo()
ANYTHING = PointsTo(anything=True)


def union(found: Iterable[PointsTo]) -> PointsTo:
    """What any of several values may be."""
    return reduce(PointsTo.__or__, found, NO_INSTANCE)


@dataclass(frozen=True, slots=True)
class Members:
    """What a class has by itself or from its bases in the project, the nearest first.

    ``assigned``: what its code gives each attribute, and where that stands.
    """

    lineage: tuple[tuple[File, Class], ...]
    methods: Mapping[str, CallSite]
    assigned: Mapping[str, Sequence[tuple[Value, CallSite]]]


def members_of(lineage: tuple[tuple[File, Class], ...]) -> Members:
    """The methods and attributes of a class whose bases are known."""
    methods: dict[str, CallSite] = {}
    assigned: dict[str, list[tuple[Value, CallSite]]] = {}
    for file, cls in lineage:
        for method in cls.methods:
            at = CallSite(file, method, cls)
            for item in method.assignments:
                for name in item.path[:1]:
                    assigned.setdefault(name, []).append((item.value, at))
            if PROPERTIES.intersection(method.decorators):
                returned = ((value, at) for value in method.returns)
                assigned.setdefault(method.name, []).extend(returned)
        for name, value in cls.class_attributes:
            assigned.setdefault(name, []).append((value, CallSite(file)))
        last = {method.name: CallSite(file, method, cls) for method in cls.methods}
        methods = last | methods
    return Members(lineage, methods, assigned)


def code_of(file: File) -> Iterator[CallSite]:
    """All code of a file: its top, its functions, the methods of its classes."""
    yield CallSite(file)
    yield from (CallSite(file, function) for function in file.functions)
    for cls in file.classes:
        yield from (CallSite(file, method, cls) for method in cls.methods)


def calls_of(at: CallSite) -> tuple[Call, ...]:
    """The calls that stand there."""
    return at.file.module_calls if at.function is None else at.function.layer_calls


def called_on(call: Call) -> tuple[Value | None, str]:
    """What a method is called on, and its name: ``net`` and ``to`` for ``net.to(...)``."""
    match call.callee:
        case Unknown(owner=owner, path=(method,)):
            return owner, method
        case Unknown(owner=owner, path=(*path, method)) if owner is not None:
            return Unknown("", owner, tuple(path)), method
        case SelfRead(path=(method,)):
            return Argument("self"), method
        case SelfRead(path=(*path, method)):
            return SelfRead(tuple(path)), method
        case Name(dotted=dotted) if "." in dotted:
            owner_name, _, method = dotted.rpartition(".")
            return Name(owner_name), method
    return None, ""


@dataclass
class Pointers:
    """Asks the whole project what values may be; each answer is found once."""

    index: Index
    _found: dict[object, PointsTo] = field(default_factory=dict)
    _classes: dict[Key, Members] = field(default_factory=dict)
    _settled: set[object] = field(default_factory=set)
    _round: set[object] = field(default_factory=set)
    _nested: list[object] = field(default_factory=list)
    _grown: bool = False

    def of(self, value: Value, at: CallSite, depth: int = 0) -> PointsTo:
        """What a value may be that stands in some code."""
        if depth > MAX_DEPTH:
            return ANYTHING
        match value:
            case Call():
                return self._call(value, at, depth + 1)
            case MethodCall(name=name, call=call):
                return self._method(Argument("self"), name, call, at, depth + 1)
            case Argument(name=name):
                return self._argument(name, at)
            case SelfRead(path=path):
                return self._attributes(self.of(Argument("self"), at, depth + 1), path)
            case Name(dotted=dotted):
                return self._named(dotted, at, depth + 1)
            case Unknown(owner=owner, path=path) if owner is not None:
                return self._attributes(self.of(owner, at, depth + 1), path)
            case Unknown(parts=()):
                return ANYTHING
            case OneOf() | Many() | Items() | Element() | Unknown():
                return union(self.of(item, at, depth + 1) for item in value.components)
            case Constant() | Computed() | Parameter() | Closure():
                return NO_INSTANCE
        return NO_INSTANCE

    def functions(self, value: Value, at: CallSite) -> Iterator[CallSite]:
        """The functions and methods of the project that a value may be, without being called."""
        if isinstance(value, Name):
            target = self.index.resolve(value.dotted, at.file.path)
            if target.function is not None and target.file is not None:
                yield CallSite(target.file, target.function)
        elif isinstance(value, Argument):
            for passed, caller in self._values_given(value.name, at):
                yield from self.functions(passed, caller)
        owner, name = called_on(Call(value, 0, 0, (), ""))
        for key in self.of(owner, at).classes if owner is not None else ():
            yield from self._methods(key, name)

    def _values_given(self, name: str, at: CallSite) -> Iterator[tuple[Value, CallSite]]:
        """What calls give as an argument, where that is no argument of its own."""
        function = at.function
        if function is None or name not in function.arguments:
            return
        position = function.arguments.index(name)
        for call, caller in self._calls_of(function, at):
            passed = call.argument(name, position)
            if passed is not None and not isinstance(passed.value, Argument):
                yield passed.value, caller

    def is_mentioned(self, name: str) -> bool:
        """Whether code calls something of this name, or gives it to what it calls."""
        return name in self._mentioned

    @cached_property
    def _mentioned(self) -> frozenset[str]:
        calls = [call for _, call in self._all_calls]
        texts = [text for c in calls for text in (c.text, *(passed.text for passed in c.args))]
        return frozenset(text.rpartition(".")[2] for text in texts)

    def _once(self, key: object, find: Callable[[], PointsTo]) -> PointsTo:
        """What is found under a key, which may depend on itself: the least that fits all.

        Answers grow round after round, each of which finds every one once, until none does.
        """
        if key in self._settled or key in self._round:
            return self._found.get(key, NO_INSTANCE)
        if len(self._nested) > MAX_NESTED:
            return ANYTHING
        if self._nested:
            return self._find(key, find)
        while self._grown or key not in self._round:
            self._round.clear()
            self._grown = False
            self._find(key, find)
        self._settled |= self._round
        self._round.clear()
        return self._found[key]

    def _find(self, key: object, find: Callable[[], PointsTo]) -> PointsTo:
        self._round.add(key)
        self._nested.append(key)
        before = self._found.get(key, NO_INSTANCE)
        found = before | find()
        self._nested.pop()
        self._grown = self._grown or found != before
        self._found[key] = found
        return found

    # Arguments

    def _argument(self, name: str, at: CallSite) -> PointsTo:
        function = at.function
        if function is None:
            return ANYTHING
        if name in ("self", "cls") and name not in function.arguments and at.cls is not None:
            return self._instances(at.file, at.cls)
        key = ("argument", at.file.path, function.line, name)
        return self._once(key, lambda: self._given(name, function, at))

    def _instances(self, file: File, cls: Class) -> PointsTo:
        """An instance of a class, or of one that derives from it."""
        below = self._subclasses.get((file.path, cls.qualname), ())
        return PointsTo(((file.path, cls.qualname), *below))

    @cached_property
    def _subclasses(self) -> Mapping[Key, tuple[Key, ...]]:
        found: dict[Key, list[Key]] = {}
        for file in self.index.files:
            for cls in file.classes:
                for base_file, base in self._members((file.path, cls.qualname)).lineage[1:]:
                    found.setdefault((base_file.path, base.qualname), []).append(
                        (file.path, cls.qualname)
                    )
        return {key: tuple(classes) for key, classes in found.items()}

    def _given(self, name: str, function: Function, at: CallSite) -> PointsTo:
        """What calls in the project give as an argument; its annotation, where there are none."""
        if name not in function.arguments:
            return ANYTHING
        position = function.arguments.index(name)
        calls = self._calls_of(function, at)
        found = [self._passed(name, position, function, call, caller) for call, caller in calls]
        annotated = self._annotated(name, function, at)
        if annotated is not None and not any(item.classes or item.parts for item in found):
            return annotated
        is_seen = bool(found) and function.line not in self._handed_on.get(at.file.path, ())
        return union(found) if is_seen else union(found) | ANYTHING

    def _passed(
        self, name: str, position: int, function: Function, call: Call, at: CallSite
    ) -> PointsTo:
        passed = call.argument(name, position)
        if passed is not None and not passed.star:
            return self.of(passed.value, at)
        if call.starred:
            return ANYTHING
        return NO_INSTANCE if name in dict(function.defaults) else ANYTHING

    def _annotated(self, name: str, function: Function, at: CallSite) -> PointsTo | None:
        """What an annotation says: a class of the project, or numbers and the like."""
        text = dict(function.annotations).get(name, "").strip("'\"")
        if text in ("int", "float", "str", "bool", "torch.Tensor", "Tensor"):
            return NO_INSTANCE
        if not text.replace(".", "").isidentifier():
            return None
        head, *rest = text.split(".")
        head = dict(at.file.imports).get(head, f"{at.file.module}.{head}")
        target = self.index.resolve(".".join([head, *rest]), at.file.path)
        if target.module_class is not None:
            return self._instances(target.module_class.file, target.module_class.cls)
        if target.plain_class is not None and target.file is not None:
            return self._instances(target.file, target.plain_class)
        return None

    def _calls_of(self, function: Function, at: CallSite) -> Sequence[tuple[Call, CallSite]]:
        found = self._calls.get((at.file.path, function.line), ())
        if at.cls is None or function.name == "__init__":
            return found
        return (*found, *self._method_calls.get(function.name, ()))

    @cached_property
    def _calls(self) -> Mapping[tuple[str, int], list[tuple[Call, CallSite]]]:
        """The calls of each function and constructor, by its file and line."""
        found: dict[tuple[str, int], list[tuple[Call, CallSite]]] = {}
        for at, call in self._all_calls:
            for place in self._called_functions(call, at):
                found.setdefault(place, []).append((call, at))
        return found

    @cached_property
    def _all_calls(self) -> tuple[tuple[CallSite, Call], ...]:
        places = [at for file in self.index.files for at in code_of(file)]
        return tuple((at, call) for at in places for call in calls_of(at))

    @cached_property
    def _method_calls(self) -> Mapping[str, list[tuple[Call, CallSite]]]:
        """Calls of methods, by name alone."""
        found: dict[str, list[tuple[Call, CallSite]]] = {}
        for at, call in self._all_calls:
            owner, method = called_on(call)
            if owner is not None:
                found.setdefault(method, []).append((call, at))
        return found

    @cached_property
    def _handed_on(self) -> Mapping[str, frozenset[int]]:
        """Functions that are given to others to call, by file and line."""
        found: dict[str, set[int]] = {}
        for at, call in self._all_calls:
            for passed in call.args:
                if isinstance(passed.value, Name):
                    target = self.index.resolve(passed.value.dotted, at.file.path)
                    if target.function is not None and target.file is not None:
                        found.setdefault(target.file.path, set()).add(target.function.line)
        return {path: frozenset(lines) for path, lines in found.items()}

    def _called_functions(self, call: Call, at: CallSite) -> Iterator[tuple[str, int]]:
        """The function that a call by name is of, or the constructor."""
        if not isinstance(call.callee, Name):
            return
        target = self.index.resolve(call.callee.dotted, at.file.path)
        if target.function is not None and target.file is not None:
            yield target.file.path, target.function.line
        elif (found := _class_of(target)) is not None:
            yield from self._constructor(*found)

    def _constructor(self, file: File, cls: Class) -> Iterator[tuple[str, int]]:
        for owner_file, owner in self._members((file.path, cls.qualname)).lineage:
            if (method := owner.method("__init__")) is not None:
                yield owner_file.path, method.line
                call = method.super_init
                if call is None or not any(p.star for p in call.args):
                    return

    def _members(self, key: Key) -> Members:
        """What a class has, found once."""
        if key not in self._classes:
            self._classes[key] = members_of(self._lineage(*self._class(key)))
        return self._classes[key]

    def _lineage(self, file: File, cls: Class) -> tuple[tuple[File, Class], ...]:
        """A class and its bases in the project, nearest first."""
        found: dict[Key, tuple[File, Class]] = {}
        waiting = [(file, cls)]
        while waiting:
            owner, item = waiting.pop(0)
            if (owner.path, item.qualname) in found:
                continue
            found[owner.path, item.qualname] = owner, item
            for _, dotted, *_ in item.bases:
                if (base := _class_of(self.index.resolve(dotted, owner.path))) is not None:
                    waiting.append(base)
        return tuple(found.values())

    # Attributes

    def _attributes(self, owner: PointsTo, path: Path) -> PointsTo:
        """What may be under attributes of an instance."""
        for name in path:
            owner = self._attribute(owner, name)
        return owner

    def _attribute(self, owner: PointsTo, name: str) -> PointsTo:
        if owner.anything:
            return ANYTHING
        return union(self._attribute_of(key, name) for key in owner.classes)

    def _attribute_of(self, key: Key, name: str) -> PointsTo:
        return self._once(("attribute", key, name), lambda: self._assigned(key, name))

    def _assigned(self, key: Key, name: str) -> PointsTo:
        """What the methods of a class assign to an attribute, or code elsewhere puts there."""
        members = self._members(key)
        found = [self.of(value, at) for value, at in members.assigned.get(name, ())]
        if not found:
            return NO_INSTANCE if name in members.methods else ANYTHING
        return union((*found, *self._put(name)))

    def _put(self, name: str) -> Iterator[PointsTo]:
        """What code elsewhere puts under a name into whatever object."""
        yield from (self.of(value, at) for value, at in self._puts.get(name, ()))

    @cached_property
    def _puts(self) -> Mapping[str, list[tuple[Value, CallSite]]]:
        found: dict[str, list[tuple[Value, CallSite]]] = {}
        for file in self.index.files:
            for at in code_of(file):
                for put in file.puts if at.function is None else at.function.puts:
                    found.setdefault(put.name, []).append((put.value, at))
        return found

    def _class(self, key: Key) -> tuple[File, Class]:
        path, qualname = key
        file = self.index.file(path)
        assert file is not None
        return file, next(cls for cls in file.classes if cls.qualname == qualname)

    def _methods(self, key: Key, name: str) -> Iterator[CallSite]:
        """The method of a name that a class has, if it has one."""
        if (method := self._members(key).methods.get(name)) is not None:
            yield method

    # Names and calls

    def _named(self, dotted: str, at: CallSite, depth: int) -> PointsTo:
        target = self.index.resolve(dotted, at.file.path)
        if target.alias is not None and target.file is not None:
            key = ("name", target.file.path, dotted)
            file, alias = target.file, target.alias
            return self._once(key, lambda: self.of(alias, CallSite(file), depth))
        if target != Target():
            return NO_INSTANCE
        if (found := self._prefix(dotted, at)) is not None:
            owner, path = found
            return self._attributes(self._named(owner, at, depth), path)
        return NO_INSTANCE if self._is_outside(dotted, at) else ANYTHING

    def _prefix(self, dotted: str, at: CallSite) -> tuple[str, Path] | None:
        """A name that is assigned in a file, and the attributes of it that follow."""
        parts = dotted.split(".")
        for end in range(len(parts) - 1, 0, -1):
            owner = ".".join(parts[:end])
            if self.index.resolve(owner, at.file.path).alias is not None:
                return owner, tuple(parts[end:])
        return None

    def _is_outside(self, dotted: str, at: CallSite) -> bool:
        """Whether a name is one of a package that knows no class of the project."""
        name = self.index.canonical(dotted, at.file.path)
        head = name.partition(".")[0]
        return (
            name in NUMBERS
            or head in sys.stdlib_module_names
            or head in NO_MODULES
            or LIBRARIES.match(f"{name}.") is not None
        )

    def _call(self, call: Call, at: CallSite, depth: int) -> PointsTo:
        match call.callee:
            case Name(dotted=dotted):
                return self._named_call(call, dotted, at, depth)
            case Call() as inner if self.of(inner, at, depth).guide:
                return PointsTo(guide=True)
        owner, method = called_on(call)
        if owner is not None:
            return self._method(owner, method, call, at, depth)
        return self._made(call, at)

    @cached_property
    def resolver(self) -> Resolver:
        """One of their own: what scripts build is not what the plan wraps."""
        return Resolver(self.index, {})

    def _made(self, call: Call, at: CallSite) -> PointsTo:
        """What a call makes of a class that is looked up, handed in or returned."""
        node = self.resolver.resolve(call, Scope(at.file.path))
        found = [item.cls for item in walk(node) if isinstance(item, ClassInstance)]
        made = PointsTo(tuple(cls.key for cls in found))
        return made | ANYTHING if is_opaque(node) else made

    def _named_call(self, call: Call, dotted: str, at: CallSite, depth: int) -> PointsTo:
        target = self.index.resolve(dotted, at.file.path)
        if target.module_class is not None:
            held = self._arguments(call, at, depth).held
            return PointsTo((target.module_class.key,)) | held
        if target.plain_class is not None and target.file is not None:
            return PointsTo(((target.file.path, target.plain_class.qualname),))
        if target.function is not None and target.file is not None:
            return self._returned(CallSite(target.file, target.function))
        if target.alias is not None:
            return self._called_alias(call, target, at)
        owner, _, method = dotted.rpartition(".")
        behind = self.index.resolve(owner, at.file.path) if owner else Target()
        if self._prefix(dotted, at) is not None:
            return self._method(Name(owner), method, call, at, depth)
        if (found := _class_of(behind)) is not None:
            file, cls = found
            return union(
                self._returned(m) for m in self._methods((file.path, cls.qualname), method)
            )
        return self._outside_call(call, dotted, self._arguments(call, at, depth), at)

    def _called_alias(self, call: Call, target: Target, at: CallSite) -> PointsTo:
        assert target.alias is not None and target.file is not None
        if self.of(target.alias, CallSite(target.file)).classes:
            return NO_INSTANCE  # what an instance computes
        return self._made(call, at)

    def _outside_call(self, call: Call, dotted: str, given: PointsTo, at: CallSite) -> PointsTo:
        name = self.index.canonical(dotted, at.file.path)
        if GUIDES.match(name):
            return PointsTo(guide=True)
        if name == "getattr":
            return self._looked_up(call, given)
        if name in LOADING:
            return ANYTHING
        layer = lookup(name)
        if layer is not None and layer.kind in LEAVES:
            return NO_INSTANCE
        return given if self._is_outside(dotted, at) else given | ANYTHING

    def _looked_up(self, call: Call, given: PointsTo) -> PointsTo:
        """``getattr(owner, name)``."""
        match call.args:
            case (_, Passed(value=Constant(text=text)), *_) if text[:1] in "'\"":
                return self._attribute(given, text.strip("'\"")) if given.classes else ANYTHING
        return ANYTHING

    def _arguments(self, call: Call, at: CallSite, depth: int) -> PointsTo:
        return union(self.of(passed.value, at, depth) for passed in call.args)

    def _method(self, owner: Value, name: str, call: Call, at: CallSite, depth: int) -> PointsTo:
        """What a method gives that is called on a value."""
        held = self.of(owner, at, depth)
        if name in RETURNING_SELF | HOLDING and not self._defines(held, name):
            return held
        if held.anything or held.guide:
            return held
        found = []
        for key in held.classes:
            methods = list(self._methods(key, name))
            if not methods and name not in MODULE_NAMES:
                found.append(self._called_attribute(key, name, call, at))
            found += map(self._returned, methods)
        return union(found)

    def _defines(self, held: PointsTo, name: str) -> bool:
        return any(next(self._methods(key, name), None) for key in held.classes)

    def _called_attribute(self, key: Key, name: str, call: Call, at: CallSite) -> PointsTo:
        """A call of what an attribute holds: modules compute, of others nothing is known."""
        return NO_INSTANCE if self._attribute_of(key, name).classes else ANYTHING

    def _returned(self, at: CallSite) -> PointsTo:
        """What a function gives."""
        function = at.function
        assert function is not None
        key = ("returned", at.file.path, function.line)
        return self._once(key, lambda: self._find_returned(function, at))

    def _find_returned(self, function: Function, at: CallSite) -> PointsTo:
        found = union(self.of(value, at) for value in (*function.returns, *function.yields))
        is_plain = TRANSPARENT.issuperset(function.decorators)
        return found if is_plain else found | ANYTHING


def _class_of(target: Target) -> tuple[File, Class] | None:
    """The class that a name stands for, be it a module or not."""
    if target.module_class is not None:
        return target.module_class.file, target.module_class.cls
    if target.plain_class is not None and target.file is not None:
        return target.file, target.plain_class
    return None
