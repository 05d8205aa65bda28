"""Which statements at the end of a function are declarations of random attributes.

The plan writes these anew on every run and compares, so that a second run changes nothing and a
changed spec changes just what it concerns. Code written by hand in the same idiom is recognised
in the same way.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Sequence

from pyroify.code.names import (
    CAN_BE_RANDOM,
    DECLARING_FUNCTION,
    FOLLOW,
    LOAD_ORIGINAL,
    UNDECLARED,
    WEIGHT_OF,
)
from pyroify.code.read import DECLARING, declares, read_statement
from pyroify.dispatch import needs
from pyroify.syntax.facts import EarlyReturn, ExistingDeclaration
from pyroify.syntax.nodes import children, walk
from pyroify.syntax.source import Body, Source, chain

WRITTEN = {
    "TiedTo": "self.module",
    "PyroABCMeta": "PyroModule",
    "PyroGenericMeta": "PyroModule",
    "Following": "_prior_anchor",
    FOLLOW: "_prior_anchor",
    LOAD_ORIGINAL: "_pyro_samples",
    DECLARING_FUNCTION: "requires_grad",
    UNDECLARED: "to_pyro_module_",
    CAN_BE_RANDOM: "stays as it is",
    WEIGHT_OF: "module.eval",
}
"""What the rewrite calls classes and functions that declarations need, and what tells them from
others of that name."""
NOISE = "_noise"
GOES_OVER = {
    *("modules", "named_modules", "children", "named_children", "apply"),
    *("parameters", "named_parameters", "_parameters", "_modules", "__dict__"),
}
"""Members of a module that lead to all it holds."""


@needs(ast.Return, nothing=None)
def find_exit(code: Body) -> EarlyReturn | None:
    """Where a function may return before its end; of one that gives a value, its last statement."""
    body = code.statements
    index = exiting_index(body)
    if index is None:
        return None
    last = max(found.lineno for statement in body for found in _returns(statement))
    # Statements on one line are one statement to those who edit.
    before = len({statement.lineno for statement in body[:index]})
    return EarlyReturn(body[index].lineno, last, before)


def exiting_index(body: Sequence[ast.stmt]) -> int | None:
    """The position of the first statement that may return; of one with a value, if it is last."""
    exits = {index: list(_returns(statement)) for index, statement in enumerate(body)}
    if any(found.value is not None for each in exits.values() for found in each):
        return len(body) - 1 if isinstance(body[-1], ast.Return) else None
    return next((index for index, found in exits.items() if found), None)


def _returns(node: ast.AST) -> Iterator[ast.Return]:
    """The statements ``return``, those of functions defined inside apart."""
    if isinstance(node, ast.Return):
        yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for inner in children(node):
            if not isinstance(inner, ast.expr):
                yield from _returns(inner)


def definitions(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Classes and functions of a file that a rewrite has written: name, normalised source."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and _is_written(node):
            yield node.name, ast.unparse(node)


def _is_written(node: ast.ClassDef | ast.FunctionDef) -> bool:
    if mark := WRITTEN.get(node.name.removeprefix("_")):
        return mark in ast.unparse(node)
    if isinstance(node, ast.ClassDef) or not node.name.endswith("_prior"):
        return False
    first = [argument.arg for argument in node.args.args[:1]]
    return first == ["module"] and isinstance(node.body[0], ast.Return)


@needs("PyroSample", "PyroParam")
def unnamed_declarations(body: Body, this: str | None) -> Iterator[tuple[int, frozenset[str]]]:
    """Statements that declare by ``setattr``, or on something with another name than ``self``."""
    file = body.source
    made = {
        target.id
        for node in body.nodes.of(ast.Assign)
        if _is_declaration(file, node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for statement in body.statements:
        if any(_declares_unnamed(file, node, this, made) for node in walk(statement)):
            yield statement.lineno, reached_by(statement)


def _declares_unnamed(file: Source, node: ast.AST, this: str | None, made: Container[str]) -> bool:
    def is_made(value: ast.expr) -> bool:
        return _is_declaration(file, value) or (isinstance(value, ast.Name) and value.id in made)

    match node:
        case ast.Call(func=ast.Name(id="setattr"), args=[_, name, value]):
            is_named = isinstance(name, ast.Constant)
            return is_made(value) and not (is_named and chain(node.args[0]) == (this,))
        case ast.Assign(targets=[ast.Attribute() as target], value=value):
            return is_made(value) and chain(target)[:1] != (this,)
    return False


def _is_declaration(file: Source, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and file.dotted(value.func) in DECLARING


def names_with_noise(body: Sequence[ast.stmt], this: str) -> Iterator[str]:
    """What is there before its noise is declared, which has its shape: ``self.w_noise = ...``."""
    for node in (inner for statement in body for inner in walk(statement)):
        if isinstance(node, ast.Assign):
            owner, *rest = chain(node.targets[0]) or ("",)
            name = rest[0].removesuffix(NOISE) if owner == this and len(rest) == 1 else ""
            if name and name != rest[0] and _reads(node.value, (this, name)):
                yield name


def _reads(node: ast.expr, parts: tuple[str, ...]) -> bool:
    return parts in {chain(inner)[:2] for inner in walk(node)}


def read_declaration(
    file: Source, node: ast.stmt, this: str, known: frozenset[str]
) -> ExistingDeclaration | None:
    """A declaration at the end of a function; None for another statement.

    ``self.w = PyroSample(...)`` counts only where ``self.w`` exists before: where the class assigns
    it elsewhere (``known``), or the declaration reads it; so does the noise of a prior that is not
    centred. Else it stands in place of the original assignment, and belongs to the body.
    """
    statement = read_statement(node, file.dotted)
    if not declares(statement):
        return None
    for item in walk(node):
        if isinstance(item, ast.Assign):
            parts = chain(item.targets[0])
            if len(parts) == 2 and parts[0] == this and parts[1] not in known:
                is_there = _reads(item.value, parts) or parts[1].removesuffix(NOISE) in known
                if not is_there:
                    return None
    text, names = ast.unparse(node), names_in(node)
    return ExistingDeclaration(statement, node.lineno, text, names, reached_by(node))


def names_in(node: ast.AST) -> frozenset[str]:
    """The names that code reads."""
    return frozenset(item.id for item in walk(node) if isinstance(item, ast.Name))


def reached_by(node: ast.AST) -> frozenset[str]:
    """The attributes of ``self`` that code may reach parameters through; ``""``: all."""
    found: set[str] = set()
    members = [item for item in walk(node) if isinstance(item, ast.Attribute)]
    owners = {id(item.value) for item in members if not item.attr.startswith("__")}
    for member in members:
        if isinstance(member.value, ast.Name) and member.value.id == "self":
            found.add("" if member.attr in GOES_OVER else member.attr)
    for item in walk(node):
        if isinstance(item, ast.Name) and item.id == "self" and id(item) not in owners:
            found.add("")
    return frozenset(found or {""})
