"""Priors as old Pyro code hands them over: a dict by parameter names, a loop, or a function."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyroify.syntax.facts import OldPrior, OldPriors
from pyroify.syntax.nodes import walk
from pyroify.syntax.scopes import FUNCTIONS, Scopes
from pyroify.syntax.source import Source

RESHAPING = {"expand", "expand_by", "to_event", "independent"}
"""Methods that only say how the numbers of a distribution belong together."""
PATH = re.compile(r"(\w+\.)*[^\W\d]\w*")
"""``0.weight``: names and numbers, a name at the end."""
DISTRIBUTIONS = "pyro.distributions."
MAX_DEPTH = 8


class _Unclear(Exception):
    """Why priors cannot be read."""


def read_priors(file: Source, scopes: Scopes, given: ast.expr | None, module: str) -> OldPriors:
    """What the argument ``given`` says of the parameters of ``module`` (its source)."""
    if given is None:
        return OldPriors("", problem="no prior is given")
    reader = _Reader(file, scopes, module, given)
    by_name = isinstance(reader.followed(given), ast.Dict | ast.DictComp)
    try:
        each = tuple(reader.read(given))
    except _Unclear as reason:
        return OldPriors(file.source(given), by_name=by_name, problem=str(reason))
    spots = tuple((node.lineno, file.column(node)) for node in reader.needless())
    return OldPriors(file.source(given), each, by_name, spots)


@dataclass
class _Reader:
    """Follows names from the argument; ``used`` are the statements it came by."""

    file: Source
    scopes: Scopes
    module: str
    given: ast.expr
    used: list[ast.stmt] = field(default_factory=list)

    def read(self, node: ast.expr) -> Iterator[OldPrior]:
        match self.followed(node):
            case ast.Dict(keys=[]) if isinstance(node, ast.Name):
                yield from self._filled_by_loop(node)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                        raise _Unclear("a key of the priors is not written out")
                    if not PATH.fullmatch(key.value):
                        raise _Unclear(f"{key.value!r} is no parameter")
                    yield self._prior(key.value, _attribute(self.module, key.value), value)
            case ast.DictComp(key=key, value=value, generators=[over]) if not over.ifs:
                name, target = self._loop_names(over.target, over.iter)
                if self.file.source(key) != name:
                    raise _Unclear("the keys of the priors are not the names of the parameters")
                yield self._prior("**", target, value)
            case ast.Lambda(body=body):
                yield self._prior("**", "", body)
            case ast.Name() as function:
                yield self._prior("**", "", self._returned_by(function))
            case _:
                raise _Unclear("its priors are not written out as a dict or function")

    def needless(self) -> Iterator[ast.stmt]:
        """The statements of the function that nothing reads once the priors stand elsewhere."""
        found = {
            node: None
            for node in self.used
            if isinstance(self.scopes.function(node), FUNCTIONS) and self.scopes.stands_alone(node)
        }
        while True:
            read = [node for node in found if self._is_read_outside(node, tuple(found))]
            if not read:
                return (node for node in sorted(found, key=lambda node: node.lineno))
            for node in read:
                del found[node]

    def _is_read_outside(self, statement: ast.stmt, dropped: Sequence[ast.stmt]) -> bool:
        names = (
            [statement.name]
            if isinstance(statement, ast.FunctionDef)
            else [
                node.id
                for node in walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]
        )
        scope = self.scopes.scope(statement)
        return any(
            not any(self.scopes.contains(node, read) for node in (*dropped, self.given))
            for name in names
            for read in self.scopes.reads(scope, name)
        )

    def followed(self, node: ast.expr, depth: int = 0) -> ast.expr:
        """What a name stands for, however often it is handed on."""
        if isinstance(node, ast.Name) and depth < MAX_DEPTH:
            if (statement := self.scopes.definition(node)) is not None:
                self.used.append(statement)
                return self.followed(statement.value, depth + 1)
        return node

    # Loops and functions

    def _loop_names(self, target: ast.expr, over: ast.expr) -> tuple[str, str]:
        """``name`` and ``parameter`` of ``for name, parameter in module.named_parameters()``."""
        match target, over:
            case ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=parameter)]), ast.Call(args=[]):
                if self.file.source(over.func) == f"{self.module}.named_parameters":
                    return name, parameter
        raise _Unclear(f"its priors are not made in a loop over {self.module}.named_parameters()")

    def _filled_by_loop(self, table: ast.Name) -> Iterator[OldPrior]:
        """``priors = {}``, and a loop with ``priors[name] = prior`` for every parameter."""
        scope = self.scopes.function(table)
        loops = [
            node
            for read in self.scopes.reads(scope, table.id)
            for node in self.scopes.around(read)
            if isinstance(node, ast.For)
        ]
        if not loops or any(loop is not loops[0] for loop in loops):
            raise _Unclear("its priors are not written out, nor made in one loop")
        name, target = self._loop_names(loops[0].target, loops[0].iter)
        self.used.append(loops[0])
        for value in self._stored(loops[0].body, f"{table.id}[{name}]"):
            yield self._prior("**", target, value)

    def _stored(self, body: Sequence[ast.stmt], place: str) -> list[ast.expr]:
        """The values stored by a loop's body, which has to store one on every way through."""
        found: list[ast.expr] = []
        for node in body:
            match node:
                case ast.Assign(targets=[ast.Subscript() as target], value=value):
                    if self.file.source(target) != place:
                        raise _Unclear("its priors are not stored by parameter names")
                    found.append(value)
                case ast.Assign(targets=[ast.Name()]):
                    continue
                case ast.If(body=then, orelse=otherwise) if otherwise:
                    found += [*self._stored(then, place), *self._stored(otherwise, place)]
                case _:
                    raise _Unclear("the loop that makes its priors does more than that")
        if not found:
            raise _Unclear("some parameters get no prior")
        return found

    def _returned_by(self, function: ast.Name) -> ast.expr:
        scope = self.scopes.holder(function)
        match self.scopes.bindings(scope, function.id) if scope is not None else ():
            case (ast.FunctionDef(body=[*_, ast.Return(value=ast.expr() as value)]) as node,):
                if len(node.body) == 1:
                    self.used.append(node)
                    return value
        raise _Unclear("its priors are not written out as a dict or function")

    # Distributions

    def _prior(self, path: str, target: str, node: ast.expr) -> OldPrior:
        """One prior: a distribution with its arguments, without what reshapes it."""
        node = self._bare(node)
        dotted = self.file.dotted(node) if isinstance(node, ast.Call) else ""
        name = dotted.rpartition(".")[2]
        if not isinstance(node, ast.Call) or dotted != f"{DISTRIBUTIONS}{name}":
            what = "some parameters" if path == "**" else path
            raise _Unclear(f"the prior of {what} is no distribution written out")
        arguments = [("", argument) for argument in node.args]
        arguments += [(keyword.arg or "**", keyword.value) for keyword in node.keywords]
        sources = tuple((key, ast.unparse(self._inlined(value))) for key, value in arguments)
        return OldPrior(path, name, self._spelling(node.func), sources, target)

    def _bare(self, node: ast.expr) -> ast.expr:
        node = self.followed(node)
        while isinstance(node, ast.Call):
            if self.file.dotted(node.func) == "pyro.sample" and len(node.args) > 1:
                node = self.followed(node.args[1])
            elif isinstance(node.func, ast.Attribute) and node.func.attr in RESHAPING:
                node = self.followed(node.func.value)
            else:
                break
        return node

    def _spelling(self, node: ast.expr) -> str:
        """How the distribution is called, if that is said at the top of the file."""
        first = next(item for item in walk(node) if isinstance(item, ast.Name))
        at_top = isinstance(self.scopes.holder(first), ast.Module)
        return self.file.source(node) if at_top else ""

    def _inlined(self, node: ast.AST, depth: int = 0) -> ast.AST:
        """A copy of an expression, with what its local names stand for."""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and depth < MAX_DEPTH:
            statement = None if node.id == self.module else self.scopes.definition(node)
            if statement is None:
                return node
            self.used.append(statement)
            return self._inlined(statement.value, depth + 1)
        fields = {name: self._inlined_field(value, depth) for name, value in ast.iter_fields(node)}
        return type(node)(**fields)

    def _inlined_field(self, value: object, depth: int) -> object:
        if isinstance(value, list):
            return [self._inlined_field(item, depth) for item in value]
        return self._inlined(value, depth) if isinstance(value, ast.AST) else value


def _attribute(module: str, path: str) -> str:
    """``net[0].weight`` for the parameter ``0.weight`` of ``net``."""
    parts = (f"[{part}]" if part.isdecimal() else f".{part}" for part in path.split("."))
    return module + "".join(parts)
