"""Expressions to values: what names, literals and calls make, while a function is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pyroify.code.read import DECLARING
from pyroify.syntax.declared import read_declared
from pyroify.syntax.interpret.collections import (
    Building,
    collect,
    element_of,
    held_by_method,
    is_dict,
    is_number,
    merged,
    pick,
    spread,
    taken_from,
)
from pyroify.syntax.nodes import children
from pyroify.syntax.observe.steady import is_steady_size
from pyroify.syntax.parameters import CHAINED, PARAMETER, chain_method, read_parameter
from pyroify.syntax.source import Source, chain
from pyroify.syntax.values import (
    NOTHING,
    Argument,
    Call,
    Closure,
    Computed,
    Items,
    Many,
    MethodCall,
    Name,
    Parameter,
    Passed,
    Path,
    SelfRead,
    Unknown,
    Value,
    join,
    literal,
)

INITIALISERS = "torch.nn.init."
ARITHMETIC = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.MatMult, ast.LShift, ast.RShift)
"""Operators that give no list, whatever they are given."""
MAP = Name("map")
PYRO_MODULE = {"pyro.nn.PyroModule", "pyro.nn.module.PyroModule"}


@dataclass
class Expressions:
    """Evaluates expressions one after the other, and writes down every call in them.

    ``this`` is the name of the instance, if any. ``moving`` are names that do not keep one value.
    ``scope`` is what local names hold at this point, and what lists below ``self`` do (as
    ``self.parts``); ``statement_column`` is where the statement at hand begins.
    """

    source: Source
    this: str | None = None
    moving: frozenset[str] = frozenset()
    scope: dict[str, Value | Building] = field(default_factory=dict)
    statement_column: int = 0
    calls: list[Call] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    choices: list[tuple[int, int, str]] = field(default_factory=list)
    super_calls: set[str] = field(default_factory=set)
    super_init: Call | None = None
    base_calls: list[tuple[str, int, int]] = field(default_factory=list)

    def evaluate(self, node: ast.expr) -> Value:
        """What an expression makes. Every call in it is written down once."""
        match node:
            case ast.Constant():
                return literal(repr(node.value))
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.IfExp():
                self.evaluate(node.test)
                test = self.source.source(node.test)
                for arm in (node.body, node.orelse):
                    self.choices.append((arm.lineno, arm.end_lineno or arm.lineno, test))
                return join(self.evaluate(node.body), self.evaluate(node.orelse))
            case ast.BoolOp():
                return join(*[self.evaluate(value) for value in node.values])
            case ast.NamedExpr():
                value = self.evaluate(node.value)
                self.bind(node.target, value)
                return value
            case ast.List() | ast.Tuple() | ast.Set():
                return Items(tuple(self._elements(node.elts)))
            case ast.Dict():
                return self._dict(node)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                self._comprehension(node.generators)
                return Items((Many(self.evaluate(node.elt)),))
            case ast.DictComp():
                self._comprehension(node.generators)
                self.evaluate(node.key)
                return Items((Many(self.evaluate(node.value)),), ("*",))
            case ast.BinOp():
                return self._binary(node)
            case ast.Subscript():
                return self._subscript(node)
            case ast.Starred() | ast.Await():
                return self.evaluate(node.value)
            case ast.Lambda():
                return self._lambda(node)
            case ast.Yield(value=value):
                self.yields.append(self.evaluate(value) if value else NOTHING)
                return Unknown()
            case ast.YieldFrom(value=value):
                self.yields.append(element_of(self.evaluate(value)))
                return Unknown()
            case ast.Compare() | ast.UnaryOp() | ast.JoinedStr():
                self.evaluate_within(node)
                return Computed(self.source.source(node))
        return self._unknown(node, parts=self.evaluate_within(node))

    def evaluate_within(self, node: ast.AST) -> tuple[Value, ...]:
        """What the expressions that a node consists of make; their calls are written down."""
        inner = children(node)
        return tuple(self.evaluate(child) for child in inner if isinstance(child, ast.expr))

    def _lambda(self, node: ast.Lambda, known: Sequence[Value] = ()) -> Closure:
        """What a lambda gives for arguments of which the first may be ``known``."""
        given = node.args
        named = [item.arg for item in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        rest = [item.arg for item in (given.vararg, given.kwarg) if item]
        outer = dict(self.scope)
        self.scope.update((name, Argument(name)) for name in (*named, *rest))
        self.scope.update(zip(named, known, strict=False))
        body = self.evaluate(node.body)
        self.scope = outer
        return Closure(tuple(named), body, self.source.source(node))

    def path(self, node: ast.AST) -> Path:
        """Attribute names below ``self``; empty for anything else."""
        parts = chain(node)
        if self.this is None or len(parts) < 2 or parts[0] != self.this:
            return ()
        return parts[1:]

    def is_this(self, node: ast.AST) -> bool:
        """Whether an expression is the instance itself."""
        return isinstance(node, ast.Name) and node.id == self.this

    def bind(self, target: ast.expr, value: Value) -> None:
        """Let a local name hold a value, or several names a part of it each."""
        match target:
            case ast.Name():
                self.scope[target.id] = value
            case ast.Tuple() | ast.List():
                for item, part in zip(target.elts, taken_from(value, target), strict=True):
                    self.bind(item, part)
            case ast.Starred():
                self.bind(target.value, value)

    # Names and literals

    def _unknown(
        self,
        node: ast.expr,
        owner: Value | None = None,
        path: Path = (),
        parts: tuple[Value, ...] = (),
    ) -> Unknown:
        return Unknown(self.source.source(node), owner, path, parts)

    def _name(self, node: ast.Name) -> Value:
        value = self.scope.get(node.id)
        if value is None:
            return Name(self.source.resolve((node.id,)))
        return value.freeze() if isinstance(value, Building) else value

    def held(self, node: ast.AST) -> Value | Building | None:
        """What a local name holds, or a list or dict below ``self`` that is being filled."""
        return self.scope.get(".".join(chain(node)))

    def hold(self, target: ast.expr, value: Value | Building) -> None:
        """Let an attribute below ``self`` hold a list or dict; of other values, none is kept."""
        name = ".".join(chain(target))
        if isinstance(value, Building):
            self.scope[name] = value
        else:
            self.scope.pop(name, None)

    def _attribute(self, node: ast.Attribute) -> Value:
        if self._is_own_class(node.value):
            self.evaluate(node.value)
            return SelfRead((node.attr,))
        if path := self.path(node):
            held = self.held(node)
            if isinstance(held, Building) and held.items:
                return held.freeze()
            return SelfRead(path)  # an empty list may have been filled by another method
        parts = chain(node)
        if not parts:
            return self._unknown(node, self.evaluate(node.value), (node.attr,))
        held = self.scope.get(parts[0])
        if held is None:
            return Name(self.source.resolve(parts))
        if isinstance(held, Name):
            return Name(".".join([held.dotted, *parts[1:]]))
        owner = held.freeze() if isinstance(held, Building) else held
        return self._unknown(node, owner, parts[1:])

    def _is_own_class(self, node: ast.expr) -> bool:
        """Whether an expression is the class of the instance: what it has, the instance has."""
        match node:
            case ast.Call(func=ast.Name(id="type"), args=[given], keywords=[]):
                return self.is_this(given)
            case ast.Attribute(value=given, attr="__class__"):
                return self.is_this(given)
        return False

    def _elements(self, nodes: Sequence[ast.expr]) -> Iterator[Value]:
        for node in nodes:
            value = self.evaluate(node)
            yield from spread(value) if isinstance(node, ast.Starred) else (value,)

    def _dict(self, node: ast.Dict) -> Items:
        parts: list[Value] = []
        for key, value in zip(node.keys, node.values, strict=True):
            made = self.evaluate(value)
            if key is not None:
                self.evaluate(key)
                made = Items((made,), (self.key(key),))
            parts.append(made)
        return merged(parts)

    def key(self, node: ast.expr) -> str:
        """The source of a key; a text as Python shows it, whatever quotes it is written in."""
        match node:
            case ast.Constant(value=str(text)):
                return repr(text)
        return self.source.source(node)

    def _comprehension(self, generators: Sequence[ast.comprehension]) -> None:
        for generator in generators:
            over = self.evaluate(generator.iter)
            self.bind(generator.target, element_of(over))
            for test in generator.ifs:
                self.evaluate(test)

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if isinstance(node.op, ast.Add) and (isinstance(left, Items) or isinstance(right, Items)):
            return Items((*spread(left), *spread(right)))
        if isinstance(node.op, ast.BitOr) and (is_dict(left) or is_dict(right)):
            return merged((left, right))
        if isinstance(node.op, ast.Mult):
            for side in (left, right):
                if isinstance(side, Items):
                    return Items(tuple(map(Many, side.items)))
            if any(isinstance(side, Call | MethodCall | SelfRead) for side in (left, right)):
                return self._unknown(node, parts=(left, right))  # a Sequential can be repeated
        if isinstance(node.op, ARITHMETIC) or is_number(left) or is_number(right):
            return Computed(self.source.source(node))
        return self._unknown(node, parts=(left, right))

    def _subscript(self, node: ast.Subscript) -> Value:
        """An entry of a registry, or what one of several classes is picked from."""
        if chain(node.value) and self.source.dotted(node) in PYRO_MODULE:
            made = self.evaluate(node.slice)
            return replace(made, wrapped=True) if isinstance(made, Name) else made
        value, text = self.evaluate(node.value), self.source.source(node)
        self.evaluate(node.slice)
        if isinstance(node.slice, ast.Slice):
            if isinstance(value, Items):
                return Items(tuple(map(Many, value.items)))
            return Unknown(text, parts=(value,))
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return pick(value, index if isinstance(index, int | str) else None, text)

    # Calls

    def _call(self, node: ast.Call) -> Value:
        call = self._read_call(node)
        if isinstance(call.callee, SelfRead) and len(call.callee.path) == 1:
            self.calls.append(call)
            return MethodCall(call.callee.path[0], call)
        if method := _super_method(node.func):
            self.super_calls.add(method)
            if method == "__init__":
                self.super_init = call
            return MethodCall(method, call)
        made = self._known(node, call)
        if made is not None:
            return made
        self.calls.append(call)
        return call

    def _read_call(self, node: ast.Call) -> Call:
        function, wrapped = node.func, False
        if isinstance(function, ast.Subscript) and self.source.dotted(function) in PYRO_MODULE:
            function, wrapped = function.slice, True
        callee = self.evaluate(function)
        is_map = callee == MAP and isinstance(node.args[0] if node.args else None, ast.Lambda)
        return Call(
            callee=callee,
            line=node.lineno,
            column=self.source.column(node),
            args=tuple(self._mapped(node) if is_map else self._arguments(node)),
            text=self.source.source(function),
            wrapped=wrapped,
            extent=self.source.extent(node, self.statement_column),
        )

    def _arguments(self, node: ast.Call) -> Iterator[Passed]:
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                yield self._passed("", "*", argument.value)
            else:
                yield self._passed("", "", argument)
        for keyword in node.keywords:
            star = "" if keyword.arg else "**"
            yield self._passed(keyword.arg or "", star, keyword.value)

    def _mapped(self, node: ast.Call) -> Iterator[Passed]:
        """The arguments of ``map(lambda item: ..., items)``: what the lambda is given is seen."""
        function, *over = node.args
        assert isinstance(function, ast.Lambda)
        if node.keywords or any(isinstance(item, ast.Starred) for item in over):
            yield from self._arguments(node)
            return
        given = [self._passed("", "", item) for item in over]
        known = [element_of(item.value) for item in given]
        yield Passed(self._lambda(function, known), self.source.source(function))
        yield from given

    def _passed(self, keyword: str, star: str, node: ast.expr) -> Passed:
        value, text = self.evaluate(node), self.source.source(node)
        stable = not star and is_steady_size(node, text, self.moving)
        return Passed(value, text, stable, keyword, star)

    def _known(self, node: ast.Call, call: Call) -> Value | None:
        """What a call makes, where its function is one of those that are known."""
        match call.callee:
            case Name(dotted) if dotted in PARAMETER:
                self.parameters.append(read_parameter(self.source, node, call, self.moving))
                return self.parameters[-1]
            case Name(dotted) if dotted.startswith(INITIALISERS):
                first = call.args[0].value if call.args else None
                return replace(first, chained=True) if isinstance(first, Parameter) else None
            case Name(dotted) if dotted in DECLARING:
                action = "sample" if dotted.endswith("PyroSample") else "param"
                return read_declared(self.source, node, action)
            case Name(dotted) if dotted.endswith(".__init__"):
                base = dotted.removesuffix(".__init__")
                self.base_calls.append((base, call.line, call.column))
            case Name(dotted):
                made = collect(dotted, call)
                if made is not None:
                    self.calls.append(call)
                return made
            case Unknown(owner=Items() as items, path=(method,)):
                held = held_by_method(items, method, call)
                if held is not None:
                    self.calls.append(call)
                return held
            case Unknown(owner=Parameter() as parameter, path=(method,)) if method in CHAINED:
                return chain_method(parameter, method, node)
        return None


def _super_method(function: ast.expr) -> str:
    """The method in ``super().method``, in any of its spellings; ``""`` for another callee."""
    match function:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=method):
            return method
    return ""
