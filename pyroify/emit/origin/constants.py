"""Where expressions lead, and what numbers of a script come to: defaults of options, of configs."""

from __future__ import annotations

import ast
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pyroify.emit.origin.code import Code, Frame, Module, Scope, flat
from pyroify.emit.origin.options import PARSERS, option_of
from pyroify.emit.origin.text import PREPARING, WRAPPERS
from pyroify.syntax.source import chain

MOVING: Final = frozenset("to cuda cpu float double half train eval requires_grad_".split())
DEEPEST: Final = 25
_OPERATORS: Final = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class Located:
    """An expression, and the frame it stands in."""

    node: ast.expr
    frame: Frame


@dataclass(frozen=True)
class Constants:
    """Follows names to what they are set to, through arguments, attributes and returns."""

    code: Code

    def number(self, node: ast.expr, frame: Frame) -> float | int | None:
        """What an expression comes to, where the source shows a number."""
        value = self.value(node, frame)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number else None

    def value(self, node: ast.expr, frame: Frame, depth: int = 0) -> Any:
        """The constant that an expression comes to; None where that is not one."""
        if depth > DEEPEST:
            return None
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand, frame, depth + 1)
                return -inner if isinstance(inner, int | float) else None
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                sides = [self.value(side, frame, depth + 1) for side in (left, right)]
                return _computed(_OPERATORS[type(op)], *sides)
            case ast.Call(func=ast.Name(id="int" | "float" as kind), args=[inner_node]):
                inner = self.value(inner_node, frame, depth + 1)
                number = isinstance(inner, int | float | str)
                return _computed({"int": int, "float": float}[kind], inner) if number else None
        found = self.locate(node, frame, depth + 1)
        if found is None or found.node is node:
            return None
        return self.value(found.node, found.frame, depth + 1)

    def locate(self, node: ast.expr, frame: Frame, depth: int = 0) -> Located | None:
        """The expression that a name, attribute or item was last set to; itself otherwise."""
        if depth > DEEPEST:
            return None
        match node:
            case ast.Name(id=name):
                return self._name(name, frame, depth + 1)
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if frame.scope.cls is not None:
                return self._of_self(name, frame, depth + 1)
            case ast.Attribute(value=owner, attr=name):
                return self._member(owner, name, frame, depth + 1)
            case ast.Subscript(value=owner, slice=ast.Constant(value=key)):
                return self._member(owner, str(key), frame, depth + 1)
            case ast.Call(
                func=ast.Attribute(value=owner, attr="get"), args=[ast.Constant(value=key), *rest]
            ):
                found = self._member(owner, str(key), frame, depth + 1)
                return found or (Located(rest[0], frame) if rest else None)
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in MOVING:
                return self.locate(owner, frame, depth + 1)
            case ast.Call() if self._wraps(node, frame.scope.module):
                return self.locate(node.args[0], frame, depth + 1)
            case ast.Call():
                return self._returned(node, frame, depth + 1) or Located(node, frame)
        return Located(node, frame)

    def _wraps(self, call: ast.Call, module: Module) -> bool:
        dotted = self.code.dotted(call.func, module) if chain(call.func) else ""
        return bool(call.args and WRAPPERS.fullmatch(dotted))

    def _returned(self, call: ast.Call, frame: Frame, depth: int) -> Located | None:
        """What a function of the project returns, where it is one expression."""
        scope = self._method(call.func, frame)
        if scope is None:
            definition = (
                self.code.definition(call.func, frame.scope.module) if chain(call.func) else None
            )
            if definition is None or not isinstance(definition[1], ast.FunctionDef):
                return None
            scope = self.code.scope_of(definition[1])
        returned = [n.value for n in flat(scope.node.body) if isinstance(n, ast.Return) and n.value]
        if not returned:
            return None
        return self.locate(returned[-1], Frame(scope, call, frame), depth)

    def _method(self, func: ast.expr, frame: Frame) -> Scope | None:
        """The method of ``self.method``."""
        match func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name) if frame.scope.cls is not None:
                module, cls = frame.scope.module, frame.scope.cls
                lines = [*self._derived(module, cls, name), *self.family(module, cls)]
                found = (self.code.method(item, name) for _, item in lines)
                return next(filter(None, found), None)
        return None

    def _derived(
        self, module: Module, cls: ast.ClassDef, name: str
    ) -> list[tuple[Module, ast.ClassDef]]:
        """The class that a method of a base is overridden in, where it is the only one."""
        overriding = [
            (scope.module, scope.cls)
            for scope in self.code.scopes
            if scope.cls is not None
            and scope.cls is not cls
            and getattr(scope.node, "name", "") == name
            and any(item is cls for _, item in self.family(scope.module, scope.cls))
        ]
        return overriding if len(overriding) == 1 else []

    def _name(self, name: str, frame: Frame, depth: int) -> Located | None:
        for value in self.assigned(name, frame.scope):
            return self.locate(value, frame, depth)
        if name in frame.scope.parameters:
            given = frame.argument(name)
            if given is None:
                return None
            value, caller = given
            return self.locate(value, caller or Frame(self.code.top(frame.scope.module)), depth)
        top = self.code.top(frame.scope.module)
        if frame.scope.outer is not None:
            around = (
                frame.caller if frame.caller and frame.caller.scope is frame.scope.outer else None
            )
            return self._name(name, around or self.code.frames(frame.scope.outer)[0], depth)
        if not frame.scope.is_top and name in top.bound:
            return self._name(name, Frame(top), depth)
        definition = self.code.defined(
            frame.scope.module.source.resolve((name,)), frame.scope.module
        )
        if definition is not None:
            return Located(ast.Name(name, ast.Load()), frame)
        return self._imported(name, frame.scope.module, depth)

    def _imported(self, name: str, module: Module, depth: int) -> Located | None:
        """A constant of another file, or a name of a library."""
        dotted = module.source.imports.get(name, "")
        source, _, last = dotted.rpartition(".")
        path = self.code.index.find_module(source, module.path) if source else None
        if path in self.code.modules:
            return self._name(last, Frame(self.code.top(self.code.modules[path])), depth)
        return Located(ast.Name(name, ast.Load()), Frame(self.code.top(module)))

    def assigned(self, name: str, scope: Scope) -> Iterator[ast.expr]:
        """What statements of a scope set a name to, but for what reads the name itself."""
        for statement in flat(scope.node.body):
            match statement:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        yield from _matched(name, target, value)
                case ast.AnnAssign(target=target, value=value) if value is not None:
                    yield from _matched(name, target, value)
                case ast.With(items=items):
                    for item in items:
                        if item.optional_vars is not None:
                            yield from _matched(name, item.optional_vars, item.context_expr)

    # Attributes and items

    def _of_self(self, name: str, frame: Frame, depth: int) -> Located | None:
        cls, module = frame.scope.cls, frame.scope.module
        assert cls is not None
        for owner_module, owner in self.family(module, cls):
            scopes = [s for s in self.code.scopes if s.cls is owner and s.module is owner_module]
            scopes.sort(key=lambda s: getattr(s.node, "name", "") != "__init__")
            for scope in scopes:
                for value in self.assigned(f"self.{name}", scope):
                    return self.locate(value, self._in_class(scope, frame), depth)
            for statement in owner.body:
                match statement:
                    case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                        return self.locate(value, Frame(self.code.top(owner_module)), depth)
                    case ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value) if (
                        found == name
                    ):
                        return self.locate(value, Frame(self.code.top(owner_module)), depth)
        return None

    def _in_class(self, scope: Scope, frame: Frame) -> Frame:
        if frame.scope is scope:
            return frame
        return self.code.frames(scope)[0]

    def family(self, module: Module, cls: ast.ClassDef) -> Iterator[tuple[Module, ast.ClassDef]]:
        """A class and its bases in the project."""
        yield module, cls
        for base in cls.bases:
            found = self.code.definition(base, module) if chain(base) else None
            if found is not None and isinstance(found[1], ast.ClassDef):
                yield from self.family(found[0], found[1])

    def _member(self, owner: ast.expr, name: str, frame: Frame, depth: int) -> Located | None:
        """An attribute or item of what an expression leads to."""
        module = frame.scope.module
        if ast.unparse(owner) == "self.hparams" and frame.scope.cls is not None:
            return self._hyperparameter(name, frame, depth)
        dotted = self.code.dotted(owner, module) if chain(owner) else ""
        path = self.code.index.find_module(dotted, module.path) if dotted else None
        if path in self.code.modules:
            return self._name(name, Frame(self.code.top(self.code.modules[path])), depth)
        if any(self._is_set(owner, name, scope) for scope in self.code.scopes):
            return None  # what it is then depends on when
        found = self.locate(owner, frame, depth)
        if found is None:
            return None
        match found.node:
            case ast.Tuple(elts=items) if name.isdecimal() and int(name) < len(items):
                return self.locate(items[int(name)], found.frame, depth)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and str(key.value) == name:
                        return self.locate(value, found.frame, depth)
                return None
            case ast.Call(func=ast.Attribute(attr=method)) if method in PARSERS:
                return self._option(name, depth)
            case ast.Subscript(value=ast.Call(func=ast.Attribute(attr="parse_known_args"))):
                return self._option(name, depth)
            case ast.Call() as call:
                return self._of_call(call, name, found.frame, depth)
            case ast.Name() as named:
                definition = self.code.definition(named, found.frame.scope.module)
                if definition and isinstance(definition[1], ast.ClassDef):
                    return self._field(definition[0], definition[1], name, depth)
        if isinstance(owner, ast.Name) and found.node is owner:
            return Located(ast.Attribute(owner, name, ast.Load()), frame)
        return None

    def _hyperparameter(self, name: str, frame: Frame, depth: int) -> Located | None:
        """An argument of the constructor, as Lightning keeps it."""
        for scope in self.code.scopes:
            if scope.cls is frame.scope.cls and getattr(scope.node, "name", "") == "__init__":
                if name in scope.parameters:
                    return self._name(name, self.code.frames(scope)[0], depth)
        return None

    def _is_set(self, owner: ast.expr, name: str, scope: Scope) -> bool:
        text = f"{ast.unparse(owner)}.{name}"
        if text.startswith("self."):
            return False
        return any(
            isinstance(s, ast.Assign) and any(ast.unparse(t) == text for t in s.targets)
            for s in flat(scope.node.body)
        )

    def _of_call(self, call: ast.Call, name: str, frame: Frame, depth: int) -> Located | None:
        """An attribute of an instance: of a config, say."""
        for keyword in call.keywords:
            if keyword.arg == name:
                return self.locate(keyword.value, frame, depth)
        definition = (
            self.code.definition(call.func, frame.scope.module) if chain(call.func) else None
        )
        if definition is None or not isinstance(definition[1], ast.ClassDef):
            if len(call.args) == 1:  # a mapping made into something with attributes
                return self._member(call.args[0], name, frame, depth)
            return None
        module, cls = definition
        assert isinstance(cls, ast.ClassDef)
        fields = [
            s.target.id
            for s in cls.body
            if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
        ]
        if cls.decorator_list and name in fields and fields.index(name) < len(call.args):
            return self.locate(call.args[fields.index(name)], frame, depth)
        for scope in self.code.scopes:
            if scope.cls is cls and getattr(scope.node, "name", "") == "__init__":
                for value in self.assigned(f"self.{name}", scope):
                    return self.locate(value, Frame(scope, call, frame), depth)
        return self._field(module, cls, name, depth)

    def _field(self, module: Module, cls: ast.ClassDef, name: str, depth: int) -> Located | None:
        top = Frame(self.code.top(module))
        for statement in cls.body:
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id=target)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value)
                ) if target == name:
                    return self._default(value, top, depth)
        return None

    def _default(self, value: ast.expr, top: Frame, depth: int) -> Located | None:
        """The default of a field of a dataclass."""
        match value:
            case ast.Call(func=ast.Name(id="field"), keywords=keywords):
                given = [k.value for k in keywords if k.arg == "default"]
                return self.locate(given[0], top, depth) if given else None
        return self.locate(value, top, depth)

    def _option(self, name: str, depth: int) -> Located | None:
        """The default of an option of the command line."""
        for module in self.code.modules.values():
            for node in module.source.nodes.of(ast.Expr):
                if option_of(node) == name:
                    assert isinstance(node.value, ast.Call)
                    for keyword in node.value.keywords:
                        if keyword.arg == "default":
                            return self.locate(keyword.value, Frame(self.code.top(module)), depth)
        return None


def _matched(name: str, target: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
    """What an assignment gives a name, one by one for tuples."""
    match target, value:
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            for one, given in zip(targets, values, strict=True):
                yield from _matched(name, one, given)
        case ast.Tuple(elts=targets), ast.Call(func=ast.Attribute(attr=method), args=args) if (
            method in PREPARING and len(args) == len(targets)
        ):
            for one, given in zip(targets, args, strict=True):
                yield from _matched(name, one, given)
        case ast.Tuple(elts=[first, *_]), ast.Call(func=ast.Attribute(attr="parse_known_args")):
            yield from _matched(name, first, value)
        case ast.Tuple(elts=targets), ast.Call():
            for number, one in enumerate(targets):
                yield from _matched(name, one, ast.Subscript(value, ast.Constant(number)))
        case ((ast.Name() | ast.Attribute()), _):
            text = ast.unparse(target)
            is_own = any(
                ast.unparse(n) == text
                for n in ast.walk(value)
                if isinstance(n, ast.Name | ast.Attribute)
            )
            if text == name and not is_own:
                yield value


def _computed(function: Any, *values: Any) -> Any:
    try:
        return None if None in values else function(*values)
    except (TypeError, ValueError, ArithmeticError):
        return None
