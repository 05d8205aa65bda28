"""What a function does with attributes of ``self``, with its arguments, and with their elements.

How a value is used tells a module from a number: a module is called, a number is computed with.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyroify.syntax.facts import ValueUse
from pyroify.syntax.nodes import walk
from pyroify.syntax.source import Body, Source, chain

PASSING = {"enumerate", "zip", "reversed", "list", "tuple", "iter", "next", "sorted", "filter"}
"""Builtins whose results are, or hold, what they are given."""
HOLDING = {
    "items",
    "values",
    "children",
    "named_children",
    "modules",
    "named_modules",
    "pop",
    "get",
}
"""Methods that give what a container holds."""
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
BINDING: tuple[type[ast.AST], ...] = (
    *(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.For, ast.AsyncFor),
    *(ast.comprehension, ast.withitem),
)
"""The nodes that give names a value."""
USING: tuple[type[ast.AST], ...] = (
    *(ast.Call, ast.Attribute, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Subscript),
    *(ast.AugAssign, ast.Return),
)
"""The nodes that do something with a value."""
LONGEST = 4
"""Names that stand for names that stand for ..., at most."""


def collect_value_uses(
    body: Body, this: str | None, arguments: Sequence[str]
) -> tuple[ValueUse, ...]:
    """All that a body does with attributes of ``this`` and with arguments, each once."""
    reader = _Reader(body.source, this, {name: frozenset([name]) for name in arguments})
    reader.follow(body.nodes.of(*BINDING))
    nodes = body.nodes.of(*USING)
    return tuple(dict.fromkeys(found for node in nodes for found in reader.read(node)))


@dataclass
class _Reader:
    """``known``: what local names may be. An attribute is named ``self.name``."""

    source: Source
    this: str | None
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def follow(self, nodes: Sequence[ast.AST]) -> None:
        """Learn what local names stand for."""
        bindings = [binding for node in nodes for binding in _bindings(node)]
        for _ in range(LONGEST):
            before = dict(self.known)
            for target, value in bindings:
                if found := self.origins(value):
                    for item in walk(target):
                        if isinstance(item, ast.Name):
                            known = self.known.get(item.id, frozenset())
                            self.known[item.id] = known | found
            if self.known == before:
                return

    def origins(self, node: ast.AST) -> frozenset[str]:
        """The attributes and arguments that an expression is, or has for elements."""
        match node:
            case ast.Name(id=name):
                return self.known.get(name, frozenset())
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name == self.this:
                return frozenset([f"self.{attr}"])
            case ast.Attribute(value=owner, attr="_modules"):
                return self.origins(owner)
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id=name), attr="_modules"),
                slice=ast.Constant(value=str(key)),
            ) if name == self.this:
                return frozenset([f"self.{key}"])
            case ast.Subscript(value=owner) | ast.Starred(value=owner) | ast.Await(value=owner):
                return self.origins(owner)
            case ast.NamedExpr(value=owner):
                return self.origins(owner)
            case ast.IfExp(body=body, orelse=orelse):
                return self.origins(body) | self.origins(orelse)
            case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Tuple(elts=values):
                return frozenset().union(*map(self.origins, values))
            case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt):
                return self.origins(elt)
            case ast.Call(
                func=ast.Name(id="getattr"), args=[owner, ast.Constant(value=str(name)), *_]
            ):
                if isinstance(owner, ast.Name) and owner.id == self.this:
                    return frozenset([f"self.{name}"])
            case ast.Call(func=ast.Name(id=name), args=args) if name in PASSING:
                return frozenset().union(*map(self.origins, args))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if (
                name == self.this
            ):
                return frozenset([f"self.{attr}()"])
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in HOLDING:
                return self.origins(owner)
        return frozenset()

    def read(self, node: ast.AST) -> Iterator[ValueUse]:
        """What one node does."""
        match node:
            case ast.Call(func=function):
                yield from self._read_call(node, function)
            case ast.Attribute(value=owner, attr=attr):
                yield from (ValueUse(name, "member", attr) for name in self.origins(owner))
            case ast.BinOp(left=left, right=right):
                yield from self._numbers(left, right)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Invert(), operand=operand):
                yield from self._numbers(operand)
            case ast.Compare(left=left, ops=ops, comparators=others):
                if any(isinstance(op, ORDER) for op in ops):
                    yield from self._numbers(left, *others)
            case ast.Subscript(slice=ast.Slice(lower=lower, upper=upper, step=step)):
                yield from self._numbers(*filter(None, (lower, upper, step)))
            case ast.Subscript(slice=index):
                yield from self._numbers(index)
            case ast.AugAssign(target=target, value=value):
                yield from self._numbers(target, value)
            case ast.Return(value=ast.expr() as value):
                if not isinstance(value, ast.Tuple):
                    yield from (ValueUse(name, "returned") for name in self.origins(value))

    def _numbers(self, *nodes: ast.expr) -> Iterator[ValueUse]:
        for node in nodes:
            for item in node.elts if isinstance(node, ast.Tuple) else (node,):
                yield from (ValueUse(name, "number") for name in self.origins(item))

    def _read_call(self, node: ast.Call, function: ast.expr) -> Iterator[ValueUse]:
        yield from (ValueUse(name, "called") for name in self.origins(function))
        owner = function
        while isinstance(owner, ast.Subscript):
            owner = owner.value
        if isinstance(owner, ast.Attribute) and owner is not function:
            owners = self.origins(owner.value)
            yield from (ValueUse(name, "member called", owner.attr) for name in owners)
        callee = self.source.dotted(function) if chain(function) else ""
        if isinstance(function, ast.Attribute):
            owners = self.origins(function.value)
            yield from (ValueUse(name, "member called", function.attr) for name in owners)
            if chain(function)[:1] == (self.this,) and len(chain(function)) == 2:
                callee = f"self.{function.attr}"
            elif not callee or chain(function)[0] not in self.source.imports:
                callee = f".{function.attr}"
        alone = len(node.args) + len(node.keywords) == 1
        for position, argument in enumerate(node.args):
            if isinstance(argument, ast.Name) and argument.id == self.this:
                yield ValueUse("self", "given", callee, position, alone)
            for name in self.origins(argument):
                yield ValueUse(name, "given", callee, position, alone)
        for keyword in node.keywords:
            if isinstance(keyword.value, ast.Name) and keyword.value.id == self.this:
                yield ValueUse("self", "given", callee, keyword.arg or "**", alone)
            for name in self.origins(keyword.value):
                yield ValueUse(name, "given", callee, keyword.arg or "**")


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Targets of a node, and what they are given."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Name | ast.Tuple | ast.List):
                    yield from _paired(target, value)
        case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
            yield target, value
        case ast.NamedExpr(target=target, value=value):
            yield target, value
        case ast.For(target=target, iter=over) | ast.AsyncFor(target=target, iter=over):
            yield from _looped(target, over)
        case ast.comprehension(target=target, iter=over):
            yield from _looped(target, over)
        case ast.withitem(context_expr=value, optional_vars=ast.Name() as target):
            yield target, value


def _looped(target: ast.expr, over: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a loop binds: names beside each other go over what is beside each other."""
    if isinstance(over, ast.Call) and isinstance(target, ast.Tuple):
        match over.func:
            case ast.Name(id="zip") if len(over.args) == len(target.elts):
                for item, value in zip(target.elts, over.args, strict=True):
                    yield from _looped(item, value)
                return
            case ast.Name(id="enumerate") if len(target.elts) == 2 and over.args:
                yield from _looped(target.elts[1], over.args[0])
                return
            case ast.Attribute(attr="items") if len(target.elts) == 2:
                yield target.elts[1], over
                return
    yield target, over


def _paired(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        if len(target.elts) == len(value.elts):
            yield from zip(target.elts, value.elts, strict=True)
            return
    yield target, value
