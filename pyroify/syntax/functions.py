"""What is known of one function or method: how it is declared, and what its body does."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pyroify.code.names import DECLARING_FUNCTION
from pyroify.code.read import read_block
from pyroify.syntax.access_paths import Roots
from pyroify.syntax.declarations import (
    exiting_index,
    find_exit,
    names_with_noise,
    read_declaration,
    unnamed_declarations,
)
from pyroify.syntax.declared import read_decorated
from pyroify.syntax.facts import ExistingDeclaration, Function
from pyroify.syntax.interpret.expressions import Expressions
from pyroify.syntax.interpret.statements import Statements
from pyroify.syntax.nodes import Nodes
from pyroify.syntax.observe.freezes import find_freezes
from pyroify.syntax.observe.handed_back import hands_back
from pyroify.syntax.observe.observations import observe, observe_members, plates
from pyroify.syntax.observe.slices import observe_slices
from pyroify.syntax.observe.steady import moving_names
from pyroify.syntax.observe.uses import collect_uses
from pyroify.syntax.observe.value_uses import collect_value_uses
from pyroify.syntax.observe.writes import collect_writes
from pyroify.syntax.source import Body, Source
from pyroify.syntax.values import Argument

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def read_function(source: Source, node: Definition, name: str) -> Function:
    """The facts of a function; those of functions and classes within it are left out."""
    return _read(Body(source, node.body), node, name, None)


def read_method(source: Source, node: Definition, known: frozenset[str]) -> Function:
    """The facts of a method of a class that assigns the attributes ``known``."""
    this = _instance(source, node)
    if this is None:
        return read_function(source, node, node.name)
    statements, declarations = _split_declarations(source, node.body, this, known)
    body = Body(source, statements)
    function = _read(body, node, node.name, this)
    uses = collect_uses(source, statements, this)
    return replace(
        function,
        arguments=function.arguments[1:],
        declarations=declarations,
        exit=find_exit(body),
        uses=uses,
        self_calls=frozenset(
            use.path[0] for use in uses if use.how == "call" and len(use.path) == 1
        ),
        observations=(
            *observe(body, this),
            *observe_members(body, this),
            *observe_slices(body, this),
        ),
        plates=tuple(plates(body)),
        declared=read_decorated(source, node)
        if isinstance(node, ast.FunctionDef) and node.decorator_list
        else None,
    )


def _read(body: Body, node: Definition, name: str, this: str | None) -> Function:
    source = body.source
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments = [parameter.arg for parameter in parameters]
    rest = [parameter for parameter in (node.args.vararg, node.args.kwarg) if parameter]
    expressions = Expressions(source, this, moving_names(body, arguments))
    given = [*parameters, *rest]
    expressions.scope.update((item.arg, Argument(item.arg)) for item in given)
    statements = Statements(source, name, expressions)
    statements.run(body.statements)
    roots: Roots = {this: ()} if this else {name: (name,) for name in arguments}
    everything = Nodes([node])
    names = everything.of(ast.Name)
    return Function(
        name=name,
        line=node.lineno,
        column=source.column(node),
        arguments=tuple(arguments),
        rest=tuple(item.arg for item in rest),
        rebound=frozenset(arguments) & {n.id for n in names if not isinstance(n.ctx, ast.Load)},
        defaults=tuple((key, source.source(value)) for key, value in _defaults(node.args)),
        annotations=tuple((p.arg, source.source(p.annotation)) for p in given if p.annotation),
        decorators=tuple(map(source.dotted, node.decorator_list)),
        assignments=tuple(statements.assignments),
        super_calls=frozenset(expressions.super_calls),
        super_init=expressions.super_init,
        base_calls=tuple(expressions.base_calls),
        returns=tuple(statements.returns),
        yields=tuple(expressions.yields),
        handled=collect_value_uses(body, this, arguments),
        return_lines=tuple(statements.return_lines),
        generator=not everything.forms.isdisjoint((ast.Yield, ast.YieldFrom)),
        coroutine=isinstance(node, ast.AsyncFunctionDef),
        layer_calls=tuple(expressions.calls),
        parameter_calls=tuple(expressions.parameters),
        names=frozenset(item.id for item in names),
        conditions=tuple(statements.conditions),
        guards=tuple(statements.guards),
        choices=tuple(statements.expressions.choices),
        puts=tuple(statements.puts),
        writes=collect_writes(expressions.calls, statements.stores, statements.assignments, roots),
        fills=frozenset(statements.fills),
        reshapes=statements.reshapes,
        freezes=find_freezes(body, this),
        cleared=frozenset(statements.cleared),
        hands_back=set(statements.returns) == {Argument(arguments[0])}
        and hands_back(body, arguments[0])
        if this is None and arguments
        else False,
        shared=read_block(node.body, source.dotted) if node.name == DECLARING_FUNCTION else (),
        declaring=tuple(unnamed_declarations(body, this)),
    )


def _instance(source: Source, node: Definition) -> str | None:
    """The name of the instance in a method, which is its first argument."""
    positional = [*node.args.posonlyargs, *node.args.args]
    if not positional or "staticmethod" in map(source.dotted, node.decorator_list):
        return None
    return positional[0].arg


def _defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    given = positional[len(positional) - len(arguments.defaults) :]
    for argument, default in zip(given, arguments.defaults, strict=True):
        yield argument.arg, default
    for argument, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if keyword_default is not None:
            yield argument.arg, keyword_default


def _split_declarations(
    source: Source, body: Sequence[ast.stmt], this: str, known: frozenset[str]
) -> tuple[list[ast.stmt], tuple[ExistingDeclaration, ...]]:
    """Part a body from its declarations, which the plan writes anew.

    They stand at its end, or where it may return for the first time.
    """
    known |= {*names_with_noise(body, this)}
    for end in (len(body), exiting_index(body) or 0):
        found: list[ExistingDeclaration] = []
        start = end
        while start and (there := read_declaration(source, body[start - 1], this, known)):
            found.insert(0, there)
            start -= 1
        if found:
            return [*body[:start], *body[end:]], tuple(found)
    return list(body), ()
