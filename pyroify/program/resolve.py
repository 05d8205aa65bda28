"""What an attribute of a module holds: layers, containers of layers, classes of the project.

The values of the facts are followed through helper functions and methods, local variables and
aliases, over the whole project. Where the source does not show what is made, the answer is Unknown.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from pyroify.catalog.calls import (
    CLONES,
    LOADING,
    MODULE_FREE,
    NAMESPACE,
    NO_MODULES,
    NORMED,
    NUMBERS,
    PROPERTIES,
    TRANSPARENT,
    computes_weight,
    makes_function,
)
from pyroify.catalog.layers import KEYED, LAYERS, Layer
from pyroify.catalog.module import MODULE, MODULE_NAMES, RETURNING_IT_UNCHANGED, RETURNING_SELF
from pyroify.catalog.thirdparty import HOLDING, SEQUENTIAL
from pyroify.program.index import Index, ModuleClass, Target
from pyroify.program.unknown import Contents
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    LayerInstance,
    Scope,
    hidden,
    holds_parameters,
    is_data,
    without_call,
)
from pyroify.syntax.facts import ATTACHING, Class, File, Function
from pyroify.syntax.interpret.collections import held_by_method, is_text, keyed, pick
from pyroify.syntax.parameters import PARAMETER
from pyroify.syntax.values import (
    NOTHING,
    PLAIN,
    STATELESS,
    Argument,
    Call,
    Closure,
    Computed,
    Constant,
    Declared,
    Element,
    Items,
    Many,
    MethodCall,
    Name,
    Nothing,
    OneOf,
    Parameter,
    Passed,
    Path,
    Plain,
    SelfRead,
    Unknown,
    Value,
    join,
    literal,
    member_of,
    options_of,
    walk,
)

if TYPE_CHECKING:
    from pyroify.program.attributes.frozen import FrozenBy
    from pyroify.program.callers import Callers
    from pyroify.program.summary import ClassSummary


MAX_DEPTH = 12
BUILTINS = frozenset(vars(builtins))


@dataclass
class Resolver:
    """Follows values to structures over an index."""

    index: Index
    subclasses: Mapping[tuple[str, str], tuple[ModuleClass, ...]]
    functions: dict[tuple[str, str], Function] = field(default_factory=dict)
    """Functions of the project that make layers for classes, by path and name, as met."""
    users: dict[tuple[str, str], set[tuple[str, str] | None]] = field(default_factory=dict)
    """The classes that they make layers for; None for what is made outside classes."""
    frozen: Mapping[tuple[str, str], tuple[FrozenBy, ...]] = field(default_factory=dict)
    """What is frozen of a class by other classes, which hold it or derive from it."""
    handed_over: Mapping[tuple[str, str], tuple[ModuleClass, ...]] = field(default_factory=dict)
    """The classes whose instances a class is seen to be given."""
    callers: Callers | None = None
    """What the classes of the project are given by those who build them."""
    summaries: dict[tuple[str, str], ClassSummary] = field(default_factory=dict)
    """Summaries of classes by themselves, as far as they were asked for."""
    _constants: dict[tuple[str, str], Value] = field(default_factory=dict)
    makings: dict[tuple[str, int], tuple[bool, bool]] = field(default_factory=dict)

    @cached_property
    def computes_weights(self) -> bool:
        """Whether anything of the project has weights computed from other parameters."""
        calls = (call for function in self._functions for call in function.layer_calls)
        callees = (call.callee for call in calls)
        return any(isinstance(c, Name) and computes_weight(c.dotted) for c in callees)

    @cached_property
    def parameter_makers(self) -> frozenset[str]:
        """Names of functions and methods in the project that may give a parameter."""
        return frozenset(
            function.name
            for function in self._functions
            if any(isinstance(part, Parameter) for one in function.returns for part in walk(one))
        )

    @property
    def _functions(self) -> Iterator[Function]:
        """All functions and methods of the project."""
        for file in self.index.files:
            yield from file.functions
            for cls in file.classes:
                yield from cls.methods

    @cached_property
    def registered(self) -> Mapping[str, tuple[ModuleClass, ...]]:
        """The classes that decorators put into a registry, by all the names it may have.

        Those are the names that a decorating function reads, or what it is a method of.
        """
        found: dict[str, list[ModuleClass]] = {}
        for file in self.index.files:
            for cls in file.classes:
                made = self.index.resolve(f"{file.module}.{cls.qualname}", file.path).module_class
                if made is None:
                    continue
                registries = [self._registries(dotted, file) for dotted in cls.registered]
                for name in dict.fromkeys(chain.from_iterable(registries)):
                    found.setdefault(name, []).append(made)
        return {name: tuple(classes) for name, classes in found.items()}

    def registered_in(self, dotted: str, importer: str) -> tuple[ModuleClass, ...]:
        """The classes of a registry, by a name that a file has for it or its method (``x.get``)."""
        owner = dotted.rpartition(".")[0]
        around = (
            ()
            if owner in self.index.modules
            else self.registered.get(self.index.canonical(owner, importer), ())
        )
        return self.registered.get(self.index.canonical(dotted, importer), around)

    def _registries(self, decorator: str, file: File) -> Iterator[str]:
        target = self.index.resolve(decorator, file.path)
        if target.function is not None and target.file is not None:
            for name in target.function.names:
                dotted = f"{target.file.module}.{name}"
                yield self.index.canonical(dotted, target.file.path)
        yield self.index.canonical(decorator.rpartition(".")[0], file.path)

    def resolve(self, value: Value, scope: Scope) -> Value:
        """The structure of a value."""
        match value:
            case Nothing():
                return NOTHING
            case Name(dotted=dotted):
                return self._named(dotted, scope)
            case Constant() | Computed() | Declared() | Closure() | Plain():
                return PLAIN
            case Parameter() | ClassInstance() | ContainerInstance() | LayerInstance():
                return value
            case Unknown(owner=owner, path=path) if self._is_part(owner, path, scope):
                return PLAIN  # a further name for what its own class declares
            case Argument(name=name):
                if name in scope.arguments:
                    passed, outer = scope.arguments[name]
                    return self.resolve(passed.value, outer)
                return Unknown(name)
            case SelfRead(path=path):
                return self._read(path, scope)
            case Element():
                return self._element(value, scope)
            case OneOf(options=options):
                return join(*[self.resolve(option, scope) for option in options])
            case Many(item=item):
                node = self.resolve(item, scope)
                return node if isinstance(node, Plain | Nothing) else Many(node)
            case Items():
                return self._items(value, scope)
            case MethodCall():
                return self._method_call(value, scope)
            case Call():
                return self._call(value, scope)
            case Unknown(text=text):
                holding = Contents(self)
                holding.look_at(value, scope)
                return Unknown(text, sure=holding.sure)
        return Unknown()

    # Names, and what hangs below self

    def _named(self, dotted: str, scope: Scope) -> Value:
        """A name that is not called: a module built at file level, a class, a number."""
        target = self.index.resolve(dotted, scope.path)
        if target.alias is not None and target.file is not None and scope.depth <= MAX_DEPTH:
            key = (dotted, scope.path)
            if key not in self._constants:
                self._constants[key] = Unknown(dotted)  # where it is made of itself
                made = self.resolve(
                    target.alias, Scope(target.file.path, inside=False, of_file=True)
                )
                self._constants[key] = _made_elsewhere(made, dotted)
            return self._constants[key]
        name = self.index.canonical(dotted, scope.path)
        if target != Target() or name in BUILTINS or name.startswith("torch."):
            return PLAIN
        return PLAIN if self.is_free(dotted, scope) else Unknown(dotted)

    def is_free(self, dotted: str, scope: Scope) -> bool:
        """Whether a name from outside the project is known to be no module, and to make none."""
        name = self.index.canonical(dotted, scope.path)
        head = name.partition(".")[0]
        if self.index.layer(dotted, scope.path) is not None or name in MODULE:
            return True  # a class, as long as nobody calls it
        if name in LOADING:
            return False
        return ("." not in name and name in NUMBERS) or bool(
            head in sys.stdlib_module_names
            or head in NO_MODULES
            or MODULE_FREE.fullmatch(name)
            or HOLDING.fullmatch(name)
        )

    def _read(self, path: Path, scope: Scope) -> Value:
        """The value of ``self.<path>``: another name for what an attribute holds and declares.

        A property makes what it gives; what nobody is seen to assign is not known.
        """
        text = f"self.{'.'.join(path)}"
        if scope.cls is None or scope.depth > MAX_DEPTH:
            return Unknown(text)
        if (found := scope.cls.find_method(path[0])) is not None:
            owner, method = found
            if not PROPERTIES.intersection(method.decorators):
                return PLAIN
            call = Call(SelfRead(path), method.line, 0, (), text)
            node = self._returned(method, call, replace(scope, cls=owner), owner.file.path)
            return node if len(path) == 1 else Unknown(text)
        if path[0] in MODULE_NAMES or any(self._assigned(path[:1], scope.cls)):
            return PLAIN
        for owner in scope.cls.lineage:
            if (value := dict(owner.cls.class_attributes).get(path[0])) is not None:
                inner = _inside_file(owner.file, scope)
                return _made_elsewhere(self.resolve(value, inner), text)
        return Unknown(text)

    def _is_part(self, owner: Value | None, path: Path, scope: Scope) -> bool:
        """Whether an attribute of instances of the project is a module that they hold."""
        if not isinstance(owner, Argument) or len(path) != 1 or scope.depth > MAX_DEPTH:
            return False
        made = [item for item in options_of(self.resolve(owner, scope)) if item != NOTHING]
        parts = [
            option
            for item in made
            if isinstance(item, ClassInstance)
            for option in options_of(self._held_by(item.cls, path, scope))
        ]
        modules = (LayerInstance, ContainerInstance, ClassInstance, Nothing, Plain)
        is_module = all(isinstance(part, modules) for part in parts)
        return bool(parts) and is_module and all(isinstance(item, ClassInstance) for item in made)

    def _held_by(self, cls: ModuleClass, path: Path, scope: Scope) -> Value:
        """What an instance of a class holds under a name."""
        inner = Scope(cls.file.path, cls, depth=scope.depth + 1, inside=False)
        return self.held(SelfRead(path), inner)

    def _assigned(self, path: Path, cls: ModuleClass) -> Iterator[tuple[Value, ModuleClass]]:
        """What a class and its bases assign to ``self.<path>``."""
        for owner in cls.lineage:
            for method in owner.cls.methods:
                for item in method.assignments:
                    if item.path == path and item.how in ATTACHING:
                        yield item.value, owner

    def held(self, value: Value, scope: Scope) -> Value:
        """The structure of a value, looked up where it is only another name."""
        match value:
            case SelfRead(path=path) if scope.cls is not None and scope.depth <= MAX_DEPTH:
                deeper = replace(scope, depth=scope.depth + 1, inside=False)
                nodes = [
                    self.held(found, replace(deeper, cls=owner, path=owner.file.path))
                    for found, owner in self._assigned(path, scope.cls)
                ]
                return join(*nodes) if nodes else self._read(path, scope)
            case Element(of=SelfRead() as of, index=index, text=text):
                return _element_of(self.held(of, scope), index, text, is_copied=True)
        return self.resolve(value, scope)

    def _element(self, value: Element, scope: Scope) -> Value:
        if isinstance(value.of, SelfRead):
            return Unknown(value.text)  # another name for a part of what is there
        if (held := self._instances_at(value, scope)) is not None:
            return held
        if (found := self.behind(value.of, scope)) is not None:
            held, inner = found
            node = self.resolve(pick(held, value.index, value.text), inner)
            return node if isinstance(value.of, Argument) else _made_elsewhere(node, value.text)
        return _element_of(self.resolve(value.of, scope), value.index, value.text)

    def _instances_at(self, value: Value, scope: Scope) -> Value | None:
        """What a container that was handed in has at a place, if that is instances alone.

        They declare their parameters themselves, whatever else they are named.
        """
        node = self._part(value, scope)
        options = options_of(node)
        is_known = all(isinstance(item, ClassInstance | Plain | Nothing) for item in options)
        return node if is_known and any(isinstance(i, ClassInstance) for i in options) else None

    def _part(self, value: Value, scope: Scope) -> Value:
        match value:
            case Element(of=of, index=index, text=text):
                return _element_of(self._part(of, scope), index, text, is_copied=True)
            case Argument(name=name) if name in scope.arguments:
                passed, outer = scope.arguments[name]
                return self._part(passed.value, outer)
            case ContainerInstance():
                return value
        return Unknown()

    def behind(self, value: Value, scope: Scope) -> tuple[Value, Scope] | None:
        """What a name, an argument or a class attribute stands for, and where that is written."""
        if scope.depth > MAX_DEPTH:
            return None
        match value:
            case Argument(name=name) if name in scope.arguments:
                passed, outer = scope.arguments[name]
                return passed.value, outer
            case Name(dotted=dotted):
                target = self.index.resolve(dotted, scope.path)
                if target.alias is not None and target.file is not None:
                    is_grown = self.index.canonical(dotted, scope.path) in self._grown
                    held = _with_more(target.alias, dotted) if is_grown else target.alias
                    return held, _inside_file(target.file, scope)
                return self._class_attribute(dotted, scope)
            case SelfRead(path=(name,)) if scope.cls is not None:
                for owner in scope.cls.lineage:
                    if (found := dict(owner.cls.class_attributes).get(name)) is not None:
                        return self._of_class(found, name, owner.cls, owner.file, scope)
        return None

    def _of_class(
        self, value: Value, name: str, cls: Class, file: File, scope: Scope
    ) -> tuple[Value, Scope]:
        """What a class attribute stands for, and where that is written."""
        names = (f"{file.module}.{cls.qualname}.{name}", f"*.{name}")
        held = _with_more(value, name) if self._grown.intersection(names) else value
        return held, _inside_file(file, scope)

    @cached_property
    def _grown(self) -> frozenset[str]:
        """Lists and dicts that code puts further members into, by their full names."""
        index = self.index
        names = ((name, file.path) for file in index.files for name in file.grown)
        return frozenset(
            name if name.startswith("*") else index.canonical(name, path) for name, path in names
        )

    def _class_attribute(self, dotted: str, scope: Scope) -> tuple[Value, Scope] | None:
        """What ``Class.NAME`` stands for."""
        owner, _, name = dotted.rpartition(".")
        target = self.index.resolve(owner, scope.path)
        cls = target.module_class.cls if target.module_class else target.plain_class
        value = dict(cls.class_attributes).get(name) if cls is not None else None
        if cls is None or value is None or target.file is None:
            return None
        return self._of_class(value, name, cls, target.file, scope)

    def _items(self, value: Items, scope: Scope) -> Items:
        return Items(tuple(self.resolve(item, scope) for item in value.items), value.keys)

    # Functions and methods of the project

    def _method_call(self, value: MethodCall, scope: Scope) -> Value:
        call = value.call
        if scope.cls is None or scope.depth > MAX_DEPTH:
            return Unknown(call.text)
        found = scope.cls.find_method(value.name)
        if found is None:
            return self._attribute_call(value, scope, scope.cls)
        owner, method = found
        inner = replace(scope, cls=owner)
        node = self._returned(method, call, inner, owner.file.path)
        overriding = list(self._overriding(value.name, scope.cls))
        if not overriding:
            return node
        nodes = [node]
        for sub in overriding:
            if (other := sub.cls.method(value.name)) is not None:
                nodes.append(self._returned(other, call, replace(scope, cls=sub), sub.file.path))
            else:
                nodes.append(Unknown(call.text))
        return _any_of(nodes, call.text)

    def _attribute_call(self, value: MethodCall, scope: Scope, cls: ModuleClass) -> Value:
        """A call of ``self.name`` where that is no method: a class, a function or a module."""
        call = value.call
        for owner in cls.lineage:
            inner = f"{owner.file.module}.{owner.cls.qualname}.{value.name}"
            nested = self.index.resolve(inner, owner.file.path).module_class
            if nested is not None:
                return ClassInstance(nested)
        if any(self._overriding(value.name, cls)):
            return Unknown(call.text)
        attribute = dict(cls.cls.class_attributes).get(value.name)
        if isinstance(attribute, Name):
            return self._call(replace(call, callee=attribute), scope)
        held = self.held(SelfRead((value.name,)), scope)
        if all(
            isinstance(item, LayerInstance | ContainerInstance | ClassInstance)
            for item in options_of(held)
        ):
            return PLAIN  # what a module computes
        return self._called(call, scope, SelfRead((value.name,)))

    def _overriding(self, name: str, cls: ModuleClass) -> Iterator[ModuleClass]:
        """Classes that derive from one and define a method or attribute anew."""
        for sub in self.subclasses.get(cls.key, ()):
            if sub.cls.method(name) is not None or name in dict(sub.cls.class_attributes):
                yield sub

    def _returned(self, function: Function, call: Call, scope: Scope, path: str) -> Value:
        """What a function gives for a call: the union of what it returns."""
        place = (path, function.line)
        if place in scope.callers or scope.depth > MAX_DEPTH:
            return Unknown(call.text)
        if function.reshapes:
            return Unknown(call.text, sure=True)
        inner = self._inside(function, call, scope, path)
        if function.generator:
            children = [self.resolve(Many(value), inner) for value in function.yields]
            node: Value = Items(tuple(children))
        elif not function.returns:
            return PLAIN
        else:
            node = join(*[self.resolve(value, inner) for value in function.returns])
        if isinstance(node, Plain) and scope.cls is None and function.parameter_calls:
            return Unknown(call.text, sure=True)  # it attaches them to what it gives
        if function.coroutine or not TRANSPARENT.issuperset(function.decorators):
            unknown = hidden(call.text, node)
            return join(
                *(item for item in options_of(node) if isinstance(item, Parameter)), unknown
            )
        return node

    def entered(self, call: Call, scope: Scope) -> tuple[Function, Scope] | None:
        """The function of the project that a call is of, and where its body stands by then."""
        if not isinstance(call.callee, Name) or scope.depth > MAX_DEPTH:
            return None
        target = self.index.resolve(call.callee.dotted, scope.path)
        if target.function is None or target.file is None:
            return None
        inner = self._inside(target.function, call, scope, target.file.path)
        return target.function, replace(inner, cls=None)

    def _inside(self, function: Function, call: Call, scope: Scope, path: str) -> Scope:
        """Where the body of a function stands, with the arguments of a call."""
        arguments: dict[str, tuple[Passed, Scope]] = {}
        for position, name in enumerate(function.arguments):
            if passed := call.argument(name, position):
                arguments[name] = (passed, scope)
            elif default := dict(function.defaults).get(name):
                if is_literal(default) and not call.starred:
                    arguments[name] = (Passed(literal(default), default, stable=True), scope)
        callers = scope.callers | {(path, function.line)}
        return Scope(path, scope.cls, arguments, scope.depth + 1, False, callers, scope.user)

    # Calls

    def _call(self, call: Call, scope: Scope) -> Value:
        if scope.depth > MAX_DEPTH:
            return Unknown(call.text)
        match call.callee:
            case Name(dotted=dotted):
                return self._named_call(call, dotted, scope)
            case OneOf(options=options):
                nodes = [self._call(replace(call, callee=option), scope) for option in options]
                return self._where_wrapped(call, call.callee, nodes, scope)
            case Closure():
                return self._closed(call, call.callee, scope, scope)
            case Constant():
                return PLAIN
        return self._called(call, scope, call.callee)

    def _called(self, call: Call, scope: Scope, callee: Value) -> Value:
        """A call of what is no plain name: of what is picked from a dict, handed in or returned.

        A layer cannot be wrapped there.
        """
        if isinstance(callee, Unknown) and len(callee.path) == 1 and callee.owner is not None:
            if callee.path[0] in RETURNING_SELF:
                owner = self.resolve(callee.owner, scope)
                if callee.path[0] in RETURNING_IT_UNCHANGED or isinstance(owner, ClassInstance):
                    return owner
                return hidden(call.text, owner)
            if (
                made := self._given_by_plain(callee.owner, callee.path[0], call, scope)
            ) is not None:
                return made
            if (held := self.behind(callee.owner, scope)) is not None:
                if (value := held_by_method(held[0], callee.path[0], call)) is not None:
                    return _made_elsewhere(self.resolve(value, held[1]), call.text)
        makers = self.makers(callee, scope)
        if makers is None:
            any_class = not self._is_of_library(callee, scope)
            return replace(self._mixture(call, scope, (callee,)), any_class=any_class)
        nodes = [self._made_by(call, maker, inner, scope) for maker, inner in makers]
        return self._where_wrapped(call, callee, nodes, scope)

    def _given_by_plain(self, owner: Value, name: str, call: Call, scope: Scope) -> Value | None:
        """What a method gives of an instance, made there, of a class that is no module."""
        if not isinstance(owner, Call) or not isinstance(owner.callee, Name):
            return None
        target = self.index.resolve(owner.callee.dotted, scope.path)
        method = target.plain_class.method(name) if target.plain_class is not None else None
        if method is None or target.file is None or self.resolve(owner, scope) != PLAIN:
            return None
        node = self._returned(method, call, replace(scope, cls=None), target.file.path)
        return _made_elsewhere(node, call.text)

    def _where_wrapped(
        self, call: Call, callee: Value, nodes: Iterable[Value], scope: Scope
    ) -> Value:
        """What a call makes; its layers are hidden where it may as well make something else.

        A class of the project cannot be wrapped there, and so the layers are not either. What is
        made by a class that is handed in stays plain at first.
        """
        if self.layers_called(callee, scope):
            return join(*nodes)
        is_handed_in = isinstance(callee, Argument)
        return join(
            *(
                _left_plain(node, call, is_handed_in) if _is_made_by(node, call) else node
                for node in nodes
            )
        )

    def layers_called(self, callee: Value, scope: Scope) -> tuple[Layer, ...]:
        """The layers that a callee may be, if it is a class of torch whoever calls the function.

        Such a callee can be wrapped, whatever it is picked from.
        """
        makers = self.makers(callee, replace(scope, arguments={})) or ()
        found = [
            self.index.layer(maker.dotted, inner.path) if isinstance(maker, Name) else None
            for maker, inner in makers
        ]
        layers = tuple(layer for layer in found if layer is not None)
        return layers if len(layers) == len(found) else ()

    def is_wrapped(self, callee: Value, scope: Scope) -> bool:
        """Whether all classes that a callee may be are written ``PyroModule[...]``."""
        makers = self.makers(callee, replace(scope, arguments={})) or ()
        return all(isinstance(maker, Name) and maker.wrapped for maker, _ in makers)

    def _made_by(self, call: Call, maker: Value, inner: Scope, scope: Scope) -> Value:
        """What a call makes of a maker that is written elsewhere."""
        if isinstance(maker, Closure):
            return self._closed(call, maker, inner, scope)
        if isinstance(maker, Call):
            return self._completed(call, maker, inner, scope)
        depth = scope.depth + 1
        made = replace(call, callee=maker)
        return self._call(made, replace(scope, path=inner.path, depth=depth))

    def _closed(self, call: Call, closure: Closure, inner: Scope, scope: Scope) -> Value:
        """What a lambda gives, made where its body stands."""
        arguments = dict(inner.arguments)
        for position, name in enumerate(closure.arguments):
            if passed := call.argument(name, position):
                arguments[name] = (passed, scope)
            else:
                arguments.pop(name, None)
        within = replace(inner, arguments=arguments, depth=scope.depth + 1, inside=False)
        node = self.resolve(closure.body, within)
        is_wrapped = inner.callers <= scope.callers and not inner.of_file
        return node if is_wrapped else _made_elsewhere(node, call.text)

    def _completed(self, call: Call, partial: Call, inner: Scope, scope: Scope) -> Value:
        """What ``functools.partial(callee, ...)`` gives, made where the partial is."""
        callee, *given = partial.args
        makers = self.makers(callee.value, replace(inner, depth=scope.depth + 1))
        if makers is None:
            return self._mixture(call, scope, (callee.value,))
        if not self.layers_called(callee.value, inner):
            positions = [passed for passed in given if not passed.keyword]
            if positions and not all(self._is_own(*maker) for maker in makers):
                # The arguments of a function would be others.
                return self._mixture(call, scope, (callee.value,))
            nodes = [self._made_by(call, maker, at, scope) for maker, at in makers]
            return self._where_wrapped(call, callee.value, nodes, scope)
        is_here = inner.callers == scope.callers and not inner.of_file
        seen = given if is_here else [_seen_elsewhere(passed) for passed in given]
        made = replace(partial, args=_completed(seen, call.args))
        nodes = [self._made_by(made, maker, at, scope) for maker, at in makers]
        if any(isinstance(node, ContainerInstance) for node in nodes):
            return hidden(call.text, *nodes)
        place = None if self.is_wrapped(callee.value, inner) else (inner.path, partial)
        return join(*(_of_partial(node, place) for node in nodes))

    def _is_own(self, maker: Value, scope: Scope) -> bool:
        """Whether something makes instances of a class of the project, whatever it is given."""
        if isinstance(maker, Call) and maker.args:
            inner = self.makers(maker.args[0].value, replace(scope, depth=scope.depth + 1))
            return bool(inner) and all(self._is_own(*each) for each in inner or ())
        name = maker.dotted if isinstance(maker, Name) else ""
        cls = self.index.resolve(name, scope.path).module_class
        base = cls.library_base if cls is not None else None
        return cls is not None and (base is None or base.kind != "container")

    def makers(self, callee: Value, scope: Scope) -> list[tuple[Value, Scope]] | None:
        """The classes and functions that a value may be; None where the source does not show."""
        if scope.depth > MAX_DEPTH:
            return None
        if isinstance(callee, Closure | Name) and not self._is_alias(callee, scope):
            return [(callee, scope)]
        deeper = replace(scope, depth=scope.depth + 1)
        match callee:
            case OneOf(options=options):
                called = [option for option in options if option != NOTHING]  # None cannot be
                found = [self.makers(option, deeper) for option in called]
                return None if None in found else [one for some in found if some for one in some]
            case Element(of=Name(dotted=of_name), index=str(key)) if of_name.endswith(NAMESPACE):
                return [(Name(f"{of_name.removesuffix(NAMESPACE)}.{key}"), scope)]
            case Element(
                of=Call(callee=Name(dotted="vars"), args=(Passed(value=Name(dotted=owner)),)),
                index=str(key),
            ):
                return [(Name(f"{owner}.{key}"), scope)]
            case Call(
                callee=Name(dotted="getattr"),
                args=(Passed(value=Name(dotted=owner)), Passed(value=name)),
            ) if texts := self.texts(name, deeper):
                return [(Name(f"{owner}.{ast.literal_eval(i.text)}"), scope) for i in texts]
            case Element(of=of, index=index, text=text):
                entries = self._entries(of, index, text, deeper)
                if entries is None:
                    return None
                found = [self.makers(entry, inner) for entry, inner in entries]
                return None if None in found else [one for some in found if some for one in some]
            case Call(callee=Name(dotted="functools.partial"), args=(Passed(star=""), *_)):
                return [(callee, scope)]
            case Call() if (got := self._entry(callee, deeper)) is not None:
                return self.makers(*got)
            case Call(callee=Name(dotted=dotted)):
                return self._returned_makers(callee, dotted, deeper)
            case MethodCall(name=name, call=call) if scope.cls is not None:
                if any(self._overriding(name, scope.cls)):
                    return None
                return self._makers_of_method(scope.cls, name, call, deeper)
        if (behind := self.behind(callee, deeper)) is not None:
            return self.makers(behind[0], replace(behind[1], depth=deeper.depth))
        return None

    def texts(self, value: Value, scope: Scope) -> tuple[Constant, ...]:
        """The texts that a value may be, if it is one of some that all who give it have written."""
        match value:
            case Constant(text=text) if is_text(text):
                return (value,)
            case OneOf(options=options):
                found = [self.texts(option, scope) for option in options]
                return tuple(chain.from_iterable(found)) if all(found) else ()
            case Argument(name=name) if name in scope.arguments and scope.depth <= MAX_DEPTH:
                passed, outer = scope.arguments[name]
                return self.texts(passed.value, replace(outer, depth=scope.depth + 1))
        return ()

    def _entries(
        self, of: Value, index: int | str | None, text: str, scope: Scope
    ) -> list[tuple[Value, Scope]] | None:
        """What may be picked from lists and dicts, which may be picked from others themselves."""
        if scope.depth > MAX_DEPTH:
            return None
        deeper = replace(scope, depth=scope.depth + 1)
        held: list[tuple[Value, Scope]] | None
        match of:
            case Items():
                entry = pick(of, index, text)
                if isinstance(entry, Element):
                    entry = OneOf(tuple(map(member_of, of.items)))
                return [(option, scope) for option in options_of(entry)]
            case OneOf(options=options):
                held = [(option, scope) for option in options]
            case Element(of=outer, index=key, text=source):
                held = self._entries(outer, key, source, deeper)
            case _:
                behind = self.behind(of, deeper)
                held = [behind] if behind else None
        if held is None:
            return None
        found = [self._entries(value, index, text, at) for value, at in held]
        return None if None in found else [one for some in found if some for one in some]

    def _entry(self, call: Call, scope: Scope) -> tuple[Value, Scope] | None:
        """What ``NAMES.get(key)`` gives of a dict that is written elsewhere, and where that is."""
        match call.callee:
            case Name(dotted=dotted):
                owner: Value = Name(dotted.rpartition(".")[0])
                method = dotted.rpartition(".")[2]
            case SelfRead(path=(name, method)):
                owner = SelfRead((name,))
            case Unknown(owner=Argument() as owner, path=(method,)):
                pass
            case _:
                return None
        if (held := self.behind(owner, scope)) is None:
            return None
        made = held_by_method(held[0], method, call)
        return None if made is None else (made, replace(held[1], depth=scope.depth))

    def _is_of_library(self, callee: Value, scope: Scope) -> bool:
        """Whether a callee is looked up, by a computed name, in a module outside the project."""
        match callee:
            case Call(callee=Name(dotted="getattr"), args=(Passed(value=Name(dotted=of)), *_)):
                owner = of
            case Element(of=Name(dotted=of)) if of.endswith(NAMESPACE):
                owner = of.removesuffix(NAMESPACE)
            case Element(
                of=Call(callee=Name(dotted="vars"), args=(Passed(value=Name(dotted=of)),))
            ):
                owner = of
            case _:
                return False
        is_known = self.index.resolve(owner, scope.path) != Target()
        return not is_known and self.index.find_module(owner, scope.path) is None

    def _is_alias(self, value: Value, scope: Scope) -> bool:
        if not isinstance(value, Name):
            return False
        target = self.index.resolve(value.dotted, scope.path)
        return target.alias is not None or (
            target == Target() and self._class_attribute(value.dotted, scope) is not None
        )

    def _returned_makers(
        self, call: Call, dotted: str, scope: Scope
    ) -> list[tuple[Value, Scope]] | None:
        """The classes and functions that a function of the project gives, or a static method."""
        target = self.index.resolve(dotted, scope.path)
        if target.function is not None and target.file is not None:
            inner = replace(scope, cls=None)
            return self._makers_given(target.function, call, inner, target.file.path)
        owner, _, name = dotted.rpartition(".")
        cls = self.index.resolve(owner, scope.path).module_class
        return self._makers_of_method(cls, name, call, scope) if cls is not None else None

    def _makers_of_method(
        self, cls: ModuleClass, name: str, call: Call, scope: Scope
    ) -> list[tuple[Value, Scope]] | None:
        if (found := cls.find_method(name)) is None:
            return None
        owner, method = found
        return self._makers_given(method, call, replace(scope, cls=owner), owner.file.path)

    def _makers_given(
        self, function: Function, call: Call, scope: Scope, path: str
    ) -> list[tuple[Value, Scope]] | None:
        """The classes and functions that a function or method gives for a call."""
        if not function.returns or function.generator or function.coroutine:
            return None
        place = (path, function.line)
        if place in scope.callers or not TRANSPARENT.issuperset(function.decorators):
            return None
        inner = self._inside(function, call, scope, path)
        found = [self.makers(value, inner) for value in function.returns]
        return None if None in found else [one for some in found if some for one in some]

    def _named_call(self, call: Call, dotted: str, scope: Scope) -> Value:
        index = self.index
        layer = index.layer(dotted, scope.path)
        if layer is not None:
            return self._layer_call(call, layer, scope)
        name = index.canonical(dotted, scope.path)
        if name in PARAMETER:
            return _parameter_of(call)
        if name in CLONES and call.args:
            return self._copied(call, call.args[0].value, scope)
        if name in NORMED:
            return self._normed(call, scope)
        if SEQUENTIAL.fullmatch(name):
            return self._sequential(call, scope)
        target = index.resolve(dotted, scope.path)
        if target.module_class is not None:
            return self._instance(call, target.module_class, scope)
        if target.plain_class is not None and target.file is not None:
            return self._plain_instance(call, target.plain_class, target.file, scope)
        if target.function is not None and target.file is not None:
            if _lacks_arguments(target.function, call):
                return PLAIN  # it is not reached with this function
            node = self._returned(target.function, call, replace(scope, cls=None), target.file.path)
            if holds_parameters(node) and not is_data(node):
                place = (target.file.path, target.function.name)
                self.functions[place] = target.function
                self.users.setdefault(place, set()).add(scope.user)
            return node
        if target.alias is not None and target.file is not None:
            return self._alias_call(call, target.alias, target.file.path, scope)
        if (made := self._member_call(call, dotted, scope)) is not None:
            return made
        return self._outside_call(call, name, scope)

    def _sequential(self, call: Call, scope: Scope) -> ContainerInstance:
        """What a library's function makes of layers: a plain container of those that are there."""
        container = self.container(call, LAYERS["Sequential"], scope)
        items = tuple(_if_any(item) for item in container.items if item != NOTHING)
        return replace(container, call=None, items=items, plain=True)

    def _normed(self, call: Call, scope: Scope) -> Value:
        """A layer with other parameters; an instance of the project keeps those it declares."""
        given = call.args[0].value if call.args else call
        node = join(*self._before(given, scope)) if given != call else Unknown(call.text)
        if all(isinstance(item, ClassInstance) for item in options_of(node)):
            return without_call(node)
        return Unknown(call.text, sure=True)

    def _before(self, value: Value, scope: Scope) -> Iterator[Value]:
        """What is handed to a function that gives it back; of an attribute, what it is by then."""
        if not isinstance(value, SelfRead) or scope.cls is None:
            yield self.held(value, scope)
            return
        for found, owner in self._assigned(value.path, scope.cls):
            if not (isinstance(found, Call) and found.args and found.args[0].value == value):
                yield self.held(found, replace(scope, cls=owner, path=owner.file.path))

    def _copied(self, call: Call, value: Value, scope: Scope) -> Value:
        """A copy of a value; what a base makes is of the class that the base gives it."""
        node = without_call(self.held(value, scope))
        own = (
            {item.path[:1] for m in scope.cls.cls.methods for item in m.assignments}
            if scope.cls
            else ()
        )
        reads = (item.path[:1] for item in walk(value) if isinstance(item, SelfRead))
        return node if all(path in own for path in reads) else _made_elsewhere(node, call.text)

    def _member_call(self, call: Call, dotted: str, scope: Scope) -> Value | None:
        """A call of something that belongs to a class or a constant of the project."""
        if dotted == "cls" and scope.cls is not None:
            return ClassInstance(scope.cls)
        owner, _, name = dotted.rpartition(".")
        target = self.index.resolve(owner, scope.path)
        if target.module_class is not None:
            if (found := target.module_class.find_method(name)) is not None:
                cls, method = found
                node = self._returned_by(method, call, replace(scope, cls=cls), cls.file.path)
                is_own = scope.cls is not None and cls in scope.cls.lineage
                return node if is_own else _made_elsewhere(node, call.text)
        elif target.plain_class is not None and target.file is not None:
            if (plain := target.plain_class.method(name)) is not None:
                inner = replace(scope, cls=None)
                node = self._returned_by(plain, call, inner, target.file.path)
                return _made_elsewhere(node, call.text)
        if target.alias is not None or self._class_attribute(dotted, scope) is not None:
            path = (name,) if target.alias is not None else ()
            held = Unknown(dotted, Name(owner), path) if path else Name(dotted)
            return self._called(call, replace(scope, depth=scope.depth + 1), held)
        return None

    def _returned_by(self, method: Function, call: Call, scope: Scope, path: str) -> Value:
        """What ``Class.method(...)`` gives: the instance comes first, if there is one."""
        if not {"staticmethod", "classmethod"}.intersection(method.decorators):
            call = replace(call, args=call.args[1:])
        return self._returned(method, call, scope, path)

    def _instance(self, call: Call, cls: ModuleClass, scope: Scope) -> Value:
        """An instance of a class; what a bare container is given belongs to whoever gives it."""
        base = cls.library_base
        if base is None or base.kind != "container" or cls.find_method("__init__") is not None:
            return ClassInstance(cls)
        container = self.container(call, base, scope)
        return replace(container, cls=cls) if container.items else ClassInstance(cls)

    def _plain_instance(self, call: Call, cls: Class, file: File, scope: Scope) -> Value:
        """An instance of a class that is no module, unless its ``__new__`` gives something else."""
        is_known = self.index.is_known(file, cls) and not cls.metaclass
        instance = PLAIN if is_known else Unknown(call.text)
        if (method := cls.method("__new__")) is None:
            return instance
        others = tuple(value for value in method.returns if not _is_new(value))
        if is_known and len(others) < len(method.returns):
            method = replace(method, returns=others)
        node = self._returned(method, call, replace(scope, cls=None), file.path)
        return _made_elsewhere(node, call.text)

    def _alias_call(self, call: Call, alias: Value, path: str, scope: Scope) -> Value:
        deeper = replace(scope, depth=scope.depth + 1)
        if isinstance(alias, Name | OneOf):
            return self._call(replace(call, callee=alias), replace(deeper, path=path, cls=None))
        return self._called(call, deeper, call.callee)

    def _outside_call(self, call: Call, name: str, scope: Scope) -> Value:
        """A call of something outside the project: unknown of what it is given."""
        if ("." not in name and name in NUMBERS) or MODULE_FREE.fullmatch(name):
            return PLAIN
        if makes_function(name) or (name in TRANSPARENT and self._is_function(call, scope)):
            return PLAIN
        is_known = self.is_free(name, scope) or name in BUILTINS
        node = self._mixture(call, scope)
        if is_known and name not in LOADING and isinstance(node, Unknown) and not node.sure:
            holding = Contents(self)
            holding.look_at_all(call, scope)
            return node if holding.maybe else PLAIN
        sure = node.sure or (not is_known and _makes_instance(name))
        return replace(node, sure=sure, any_class=name in LOADING, foreign=not is_known)

    def _is_function(self, call: Call, scope: Scope) -> bool:
        """Whether a call is given a function of the project first, as decorators are."""
        first = call.argument("", 0)
        if first is None or not isinstance(first.value, Name):
            return False
        return self.index.resolve(first.value.dotted, scope.path).function is not None

    def _mixture(self, call: Call, scope: Scope, more: tuple[Value, ...] = ()) -> Unknown:
        """What an unknown function makes of what it is given."""
        holding = Contents(self)
        holding.look_at_all(call, scope)
        for value in more:
            holding.look_at(value, scope)
        return Unknown(call.text, sure=holding.sure)

    def _layer_call(self, call: Call, layer: Layer, scope: Scope) -> Value:
        if layer.kind == "stateless":
            return STATELESS
        if call.indirect:
            return Unknown(call.text, sure=True)  # it cannot be wrapped there
        if layer.kind == "container":
            return self.container(call, layer, scope)
        return LayerInstance(layer, call if scope.inside else self._seen_from_outside(call, scope))

    def _seen_from_outside(self, call: Call, scope: Scope) -> Call:
        """A call in a helper as its caller sees it: literals, and arguments the caller passed."""
        arguments = []
        for passed in call.args:
            if isinstance(passed.value, Argument) and passed.value.name in scope.arguments:
                given, outer = scope.arguments[passed.value.name]
                seen = replace(given, keyword=passed.keyword, star=passed.star)
                arguments.append(
                    seen if outer.inside or is_literal(given.text) else replace(seen, stable=False)
                )
            else:
                anywhere = is_literal(passed.text) or (scope.cls is not None and reads_self(passed))
                arguments.append(replace(passed, stable=anywhere))
        return replace(call, args=tuple(arguments))

    def container(self, call: Call, layer: Layer, scope: Scope) -> ContainerInstance:
        """A container with what a call gives it."""
        children: list[Value] = []
        keys: list[str] = []
        for passed in call.args:
            value = passed.value
            if isinstance(value, Items):
                held = keyed(value) if layer.name in KEYED else value
                children.extend(chain.from_iterable(self._listed(i, scope) for i in held.items))
                keys.extend(held.keys)
                continue
            is_gone_over = bool(passed.star) or layer.name != "Sequential"
            if isinstance(value, SelfRead) and is_gone_over:
                node = self._members_of(value, scope)
            else:
                node = _without_none(self.resolve(value, scope), passed)
            if is_gone_over:
                node = _members(node)
            if isinstance(node, Items):
                children.extend(node.items)
                keys.extend(node.keys)
            elif is_gone_over:
                children.append(node if isinstance(node, Plain | Nothing) else Many(node))
            else:
                children.append(node)
        return ContainerInstance(
            layer, call if scope.inside else None, tuple(children), tuple(keys)
        )

    def _listed(self, item: Value, scope: Scope) -> Iterator[Value]:
        """What an item of a list stands for: itself, or some of a container made for that."""
        match item:
            case Many(item=Element(of=Call() as of, index=None)):
                options = options_of(self.resolve(of, scope))
                if all(isinstance(node, ContainerInstance) for node in options):
                    held = chain.from_iterable(_members(node).components for node in options)
                    yield from (Many(member_of(child)) for child in held)
                    return
        yield self.resolve(item, scope)

    def _members_of(self, read: SelfRead, scope: Scope) -> Value:
        """What a container is given by ``*self.parts``: hidden if that is filled elsewhere."""
        methods = scope.cls.cls.methods if scope.cls else ()
        assigned = [
            item.value
            for method in methods
            for item in method.assignments
            if item.path == read.path and item.how == "assign"
        ]
        hidden = assigned and all(isinstance(value, Items | Argument) for value in assigned)
        return Unknown(f"self.{'.'.join(read.path)}", sure=True) if hidden else PLAIN


def _members(node: Value) -> Value:
    """What a container of torch gives where it is gone over: its modules; others as they are."""
    match node:
        case ContainerInstance(cls=None):
            return Items(node.items, node.keys)
        case OneOf(options=options):
            return join(*map(_members, options))
    return node


def _without_none(node: Value, passed: Passed) -> Value:
    """What ``*value`` is, which is not None."""
    options = [option for option in options_of(node) if option != NOTHING or not passed.star]
    return join(*options)


def _if_any(node: Value) -> Value:
    """A member that is left out where it is None: how many there are of it is not known then."""
    there = [option for option in options_of(node) if option != NOTHING]
    return Many(join(*there)) if 0 < len(there) < len(options_of(node)) else node


def _with_more(value: Value, text: str) -> Value:
    """A list or dict that gets more members than are seen."""
    if not isinstance(value, Items):
        return value
    keys = ("*",) if len(value.keys) == len(value.items) else ()
    return Items((*value.items, Many(Unknown(text))), (*value.keys, *keys))


def _seen_elsewhere(passed: Passed) -> Passed:
    """An argument as another function sees it: only a literal means the same there."""
    return replace(passed, stable=is_literal(passed.text), value=Computed(passed.text))


def _is_new(value: Value) -> bool:
    """Whether it is what ``__new__`` of a base gives: a new instance of the class itself."""
    match value:
        case MethodCall(name=name):
            return name == "__new__"
        case Call(callee=Name(dotted=dotted)):
            return dotted.endswith(".__new__")
    return False


def _of_partial(node: Value, place: tuple[str, Call] | None) -> Value:
    return replace(node, partial=place) if isinstance(node, LayerInstance) else node


def _completed(given: Sequence[Passed], more: Sequence[Passed]) -> tuple[Passed, ...]:
    """The arguments of a partial with those of its call, which come last and take precedence."""
    keywords = {passed.keyword for passed in more if passed.keyword}
    left = [passed for passed in given if not passed.keyword or passed.keyword not in keywords]
    if any(passed.star == "**" for passed in more):  # it may take precedence as well
        left = [
            replace(passed, text="", stable=False) if passed.keyword else passed for passed in left
        ]
    return (*left, *more)


def _inside_file(file: File, scope: Scope) -> Scope:
    """Where what a file assigns by itself stands."""
    depth = scope.depth + 1
    return Scope(
        file.path,
        depth=depth,
        inside=False,
        callers=scope.callers,
        user=scope.user,
        of_file=True,
    )


def _made_elsewhere(node: Value, text: str) -> Value:
    """A structure whose layers are made where they cannot be wrapped."""
    if isinstance(node, Items):
        children = tuple(_made_elsewhere(child, text) for child in node.items)
        return replace(node, items=children)
    if isinstance(node, Many):
        return Many(_made_elsewhere(node.item, text))
    if any(isinstance(item, LayerInstance | ContainerInstance) for item in walk(node)):
        return Unknown(text, sure=True)
    return node


def _element_of(node: Value, index: int | str | None, text: str, is_copied: bool = False) -> Value:
    """What a structure holds at a position or under a key, or somewhere."""
    match node:
        case OneOf(options=nodes):
            return join(*[_element_of(inner, index, text, is_copied) for inner in nodes])
        case ContainerInstance() | Items() if isinstance(node, Items) or is_copied:
            children = node.items
            if isinstance(index, int) and not node.keys and 0 <= index < len(children):
                if not any(isinstance(child, Many) for child in children[: index + 1]):
                    return children[index]
            inner = [*map(member_of, children)]
            return join(*inner) if inner else Unknown(text)
        case Plain() | Nothing() | Parameter():
            return PLAIN
    return Unknown(text)


def _any_of(nodes: Sequence[Value], text: str) -> Value:
    """What one of several methods gives, where only run time knows which."""
    if all(isinstance(node, Plain | Nothing) for node in nodes):
        return PLAIN
    return hidden(text, *nodes)


def _lacks_arguments(function: Function, call: Call) -> bool:
    """Whether a function cannot be called so: an argument without a default is not given."""
    defaults = dict(function.defaults)
    return not (call.starred or call.indirect or function.decorators) and any(
        call.argument(name, position) is None and name not in defaults
        for position, name in enumerate(function.arguments)
    )


def _makes_instance(name: str) -> bool:
    """Whether something called is a class by its name, or a method of one, such as ``X.new``."""
    return any(part[:1].isupper() for part in name.split(".")[-2:])


def _parameter_of(call: Call) -> Parameter:
    """A parameter made under a name that its own file does not show to be torch's."""
    wanted = call.argument("requires_grad", 1)
    frozen: bool | None = False
    if wanted is not None:
        frozen = wanted.text == "False" if isinstance(wanted.value, Constant) else None
    data = call.argument("data", 0)
    is_empty = not call.args and not call.indirect
    initial = "" if is_empty else data.text if data is not None and data.text else call.text
    return Parameter(call.line, call.column, initial, None, False, frozen)


def _is_made_by(node: Value, call: Call) -> bool:
    """Whether there is a layer or container in a structure that a call itself makes."""
    made = (item for item in walk(node) if isinstance(item, LayerInstance | ContainerInstance))
    return any(item.call is not None and item.call.place == call.place for item in made)


def _left_plain(node: Value, call: Call, is_handed_in: bool) -> Value:
    """What a call makes where it cannot be wrapped: a single layer is declared all the same."""
    if is_handed_in and isinstance(node, LayerInstance):
        return replace(node, call=None, plain=True)
    return Unknown(call.text, sure=True)


def is_literal(text: str) -> bool:
    """Whether source is a plain number, flag or None, which means the same everywhere."""
    return text in ("None", "True", "False") or text.isdigit()


def reads_self(passed: Passed) -> bool:
    """Whether a size reads attributes of ``self`` and nothing else, so that any method may."""
    names = re.findall(r"(?<![\w.])[A-Za-z_]\w*", passed.text)
    return passed.stable and bool(names) and set(names) == {"self"}
