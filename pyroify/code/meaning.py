"""Whether two declarations say the same in different words, as people and this tool write them."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Sequence
from typing import cast

from pyroify.catalog.distributions import DISTRIBUTIONS

ARGUMENTS = {"PyroSample": ("prior",), "PyroParam": ("init_value", "constraint", "event_dim")}


def meaning(source: str) -> str:
    """The source in one of its wordings: equal for what declares the same."""
    return ast.unparse(_Wording().visit(ast.parse(source)))


def unchanged(present: Iterable[str], wanted: Iterable[str]) -> bool:
    """Whether statements mean the same, one by one."""
    return [*map(meaning, present)] == [*map(meaning, wanted)]


def arranged(wanted: Sequence[str], present: Sequence[str]) -> tuple[str, ...]:
    """The ``wanted`` statements in the order of those ``present``, where order says nothing."""
    order = {_target(text): position for position, text in enumerate(present)}
    targets = [_target(text) for text in wanted]
    if "" in targets or "" in order:
        return tuple(wanted)
    places = [order.get(target, len(order)) for target in targets]
    return tuple(wanted[i] for i in sorted(range(len(wanted)), key=places.__getitem__))


def kept_within(
    wanted: Sequence[str], present: Sequence[str], theirs: Container[str]
) -> tuple[str, ...]:
    """The ``wanted`` statements with those ``present`` that are ``theirs``, where these stood.

    What is declared one by one gives way to another declaration of the same.
    """
    made = [*wanted]
    meanings = [*map(meaning, wanted)]
    targets = {target for text in wanted if (target := _target(text))}
    position = 0
    for text in present:
        said = meaning(text)
        if said in meanings:
            position = meanings.index(said) + 1
        elif text in theirs and _target(text) not in targets:
            made.insert(position, text)
            meanings.insert(position, said)
            position += 1
    return tuple(made)


def _target(source: str) -> str:
    """What one statement declares; empty for any other statement."""
    match ast.parse(source).body:
        case [ast.Assign(targets=[ast.Attribute() as target], value=ast.Call())]:
            return ast.unparse(target)
    return ""


class _Wording(ast.NodeTransformer):
    """Writes calls of declarations and of priors in one way."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in ARGUMENTS:
            return _named(node, ARGUMENTS[name])
        if name in DISTRIBUTIONS:
            node.args = [_as_float(value) for value in node.args]
            for keyword in node.keywords:
                keyword.value = _as_float(keyword.value)
            return _named(node, [parameter.name for parameter in DISTRIBUTIONS[name].parameters])
        if ast.unparse(node).endswith(".detach().clone()"):
            return cast(ast.Attribute, node.func).value
        if name == "expand":
            node.args = [_as_list(node.args)] if node.args else []
        if name == "to_event" and node.args and _covers(node):
            node.args = []
        return node


def _named(node: ast.Call, names: Sequence[str]) -> ast.Call:
    """A call with all its arguments by name, in the order of ``names``."""
    if any(isinstance(value, ast.Starred) for value in node.args) or len(node.args) > len(names):
        return node
    given = [ast.keyword(name, value) for name, value in zip(names, node.args, strict=False)]
    given += [item for item in node.keywords if not _is_default(item)]
    node.args = []
    node.keywords = sorted(given, key=lambda item: [*names, item.arg].index(item.arg))
    return node


def _is_default(item: ast.keyword) -> bool:
    return item.arg == "constraint" and ast.unparse(item.value) == "constraints.real"


def _as_float(value: ast.expr) -> ast.expr:
    """A whole number as a distribution takes it, whose sign is an operator."""
    match value:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return ast.Constant(float(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ast.UnaryOp(ast.USub(), _as_float(operand))
    return value


def _as_list(sizes: Sequence[ast.expr]) -> ast.expr:
    """``[a, b]`` for ``a, b``, for ``(a, b)`` and for ``torch.Size([a, b])``."""
    match sizes:
        case [ast.Tuple(elts=items) | ast.List(elts=items)]:
            return ast.List(items, ast.Load())
        case [ast.Call(func=ast.Attribute(attr="Size"), args=[inner])]:
            return _as_list([inner])
        case [single]:
            return single
    return ast.List(list(sizes), ast.Load())


def _covers(node: ast.Call) -> bool:
    """Whether ``.expand([a, b]).to_event(2)`` counts all the dimensions there are."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Attribute(attr="expand"), args=[sizes])),
            args=[ast.Constant(value=count)],
        ):
            return isinstance(sizes, ast.List) and len(sizes.elts) == count
    return False
