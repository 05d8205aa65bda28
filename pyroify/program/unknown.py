"""What may come out of something that is not known: it is unknown of what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pyroify.catalog.calls import LOADING, MODULE_FREE, NAMESPACE, NAMESPACES, NUMBERS
from pyroify.catalog.module import RETURNING_SELF
from pyroify.program.index import Target
from pyroify.program.values import ClassInstance, ContainerInstance, LayerInstance, Scope
from pyroify.syntax.facts import Function
from pyroify.syntax.parameters import PARAMETER
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
    Path,
    SelfRead,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from pyroify.program.resolve import Resolver


@dataclass
class Contents:
    """Whether modules, parameters, or what makes them, are somewhere in values.

    ``sure``: some are. ``maybe``: there is something that is not known.
    """

    resolver: Resolver
    sure: bool = False
    maybe: bool = False
    _seen: dict[int, Value] = field(default_factory=dict)

    def look_at_all(self, call: Call, scope: Scope) -> None:
        """Look at what a call is given."""
        for passed in call.args:
            self.look_at(passed.value, scope)

    def look_at(self, value: Value, scope: Scope) -> None:
        """Look at a value and all it is made of."""
        waiting = [(value, scope)]
        while waiting and not self.sure:
            found, inner = waiting.pop()
            if id(found) not in self._seen:
                self._seen[id(found)] = found
                waiting.extend((item, at) for item, at in self._within(found, inner))

    def _within(self, value: Value, scope: Scope) -> Iterator[tuple[Value, Scope]]:
        """What a value is made of, after it was looked at itself."""
        match value:
            case Parameter() | ClassInstance() | LayerInstance():
                self.sure = True
            case SelfRead():
                self.maybe = True
            case Argument(name=name):
                if name in scope.arguments:
                    passed, outer = scope.arguments[name]
                    yield passed.value, outer
                else:
                    self.maybe = True
            case Name(dotted=dotted):
                yield from self._named(dotted, scope)
            case Element() | Closure() | Items() | OneOf() | Many() | ContainerInstance():
                yield from ((item, scope) for item in value.components)
            case Unknown(owner=None, parts=parts):
                self.maybe = self.maybe or not parts
                yield from ((item, scope) for item in parts)
            case Unknown(owner=owner, path=path) if owner is not None:
                if not self._is_number(owner, path, scope):
                    self.maybe = True
                    self.sure = self.sure or self._is_parameter(owner, path, scope)
            case Call():
                yield from self._call(value, scope)
            case MethodCall(name=name, call=call):
                yield from ((passed.value, scope) for passed in call.args)
                found = scope.cls.find_method(name) if scope.cls is not None else None
                if found is None:
                    self.maybe = True
                else:
                    cls, method = found
                    self._look_at_function(method, replace(scope, cls=cls), cls.file.path)

    def _is_parameter(self, owner: Value, path: Path, scope: Scope) -> bool:
        """Whether an attribute is the parameter of a layer that is made there."""
        if not isinstance(owner, Call) or not isinstance(owner.callee, Name) or len(path) != 1:
            return False
        layer = self.resolver.index.layer(owner.callee.dotted, scope.path)
        return layer is not None and path[0] in {found.name for found in layer.parameters}

    def _is_number(self, owner: Value, path: Path, scope: Scope) -> bool:
        """Whether an attribute or method of something is, or gives, no module and no parameter."""
        if isinstance(owner, Parameter | Constant | Computed):
            return True  # what is computed of a tensor
        if not isinstance(owner, Call) or not isinstance(owner.callee, Name):
            return False
        layer = self.resolver.index.layer(owner.callee.dotted, scope.path)
        if layer is not None:
            return path[0] in layer.names and path[0] not in {p.name for p in layer.parameters}
        name = self.resolver.index.canonical(owner.callee.dotted, scope.path)
        return name in NUMBERS or bool(MODULE_FREE.fullmatch(name))

    def _named(self, dotted: str, scope: Scope) -> Iterator[tuple[Value, Scope]]:
        resolver = self.resolver
        if dotted.removesuffix(NAMESPACE) in NAMESPACES:
            self.sure = True
            return
        layer = resolver.index.layer(dotted, scope.path)
        if layer is not None:
            self.sure = self.sure or layer.kind != "stateless"
            return
        target = resolver.index.resolve(dotted, scope.path)
        if target.module_class is not None:
            self.sure = True
        elif target.function is not None and target.file is not None:
            self._look_at_function(target.function, scope, target.file.path)
        elif (behind := resolver.behind(Name(dotted), scope)) is not None:
            yield behind
        elif not resolver.is_free(dotted, scope):
            self.maybe = True

    def _call(self, call: Call, scope: Scope) -> Iterator[tuple[Value, Scope]]:
        resolver = self.resolver
        if not isinstance(call.callee, Name):
            yield call.callee, scope
            match call.callee:
                case Unknown(owner=owner, path=(*_, method)) if owner is not None:
                    if method in RETURNING_SELF or not isinstance(owner, Call | MethodCall):
                        yield owner, scope
            yield from ((passed.value, scope) for passed in call.args)
            return
        dotted = call.callee.dotted
        name = resolver.index.canonical(dotted, scope.path)
        if name in NUMBERS or MODULE_FREE.fullmatch(name):
            return
        yield from ((passed.value, scope) for passed in call.args)
        layer = resolver.index.layer(dotted, scope.path)
        if layer is not None:
            self.sure = self.sure or layer.kind not in ("stateless", "container")
        elif name in PARAMETER:
            self.sure = True
        elif resolver.index.resolve(dotted, scope.path) == Target():
            self.maybe = self.maybe or not resolver.is_free(name, scope) or name in LOADING
        else:
            yield call.callee, scope

    def _look_at_function(self, function: Function, scope: Scope, path: str) -> None:
        """Look at what a function gives, whatever it is given; each one is looked at once."""
        makings, key = self.resolver.makings, (path, function.line)
        if key not in makings:
            makings[key] = (False, True)  # where it calls itself
            inner = Scope(path, scope.cls, inside=False)
            given = Contents(self.resolver)
            for value in (*function.returns, *function.yields):
                given.look_at(value, inner)
            makings[key] = (given.sure, given.maybe)
        sure, maybe = makings[key]
        self.sure, self.maybe = self.sure or sure, self.maybe or maybe
