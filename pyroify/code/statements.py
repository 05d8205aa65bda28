"""Source of the statements that declare parameters, compound ones built from their parts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

WEIGHT = re.compile(r"(?<![\w.\"'])weight(?=[\[).])")

Loop = tuple[str, str]
"""A loop variable, and what it runs over."""


def block(head: str, body: Iterable[str]) -> str:
    """``head`` with the statements of ``body`` below it."""
    lines = [line for statement in body for line in statement.split("\n")]
    return "\n".join([head, *(f"    {line}" for line in lines)])


def guarded(test: str, statements: Iterable[str]) -> str:
    """Statements under a test, if there is one."""
    return block(f"if {test}:", statements) if test else "\n".join(statements)


def joined(statements: Iterable[str]) -> list[str]:
    """The statements, neighbours under the same test as one."""
    found: list[str] = []
    for statement in statements:
        test, _, body = statement.partition("\n")
        last = found[-1] if found else ""
        if test.startswith("if ") and _is_all_under(test, last) and _is_all_under(test, statement):
            found[-1] += "\n" + body
        else:
            found.append(statement)
    return found


def _is_all_under(test: str, statement: str) -> bool:
    head, *body = statement.split("\n")
    return head == test and all(line.startswith(" ") for line in body)


def nested(loops: Sequence[Loop], guards: Sequence[str], statements: Iterable[str]) -> str:
    """Statements inside loops, inside tests."""
    for variable, over in reversed(loops):
        statements = [block(f"for {variable} in {over}:", statements)]
    for guard in reversed(guards):
        statements = [block(f"if {guard}:", statements)]
    return "\n".join(statements)


def branches(arms: Iterable[tuple[str, Iterable[str]]], otherwise: Sequence[str] = ()) -> str:
    """``if``, ``elif`` and ``else``: each test with its statements."""
    written = [
        block(f"{'elif' if position else 'if'} {test}:", body)
        for position, (test, body) in enumerate(arms)
    ]
    if otherwise:
        written.append(block("else:", otherwise))
    return "\n".join(written)


def reads_weight(body: Iterable[str]) -> bool:
    """Whether statements read the ``weight`` beside a bias."""
    return any(WEIGHT.search(statement) for statement in body)


def each_parameter(owner: str, body: Sequence[str], trained: bool = False, weight: str = "") -> str:
    """A loop over the parameters of one module, or those to train, as ``name`` and ``value``.

    The ``weight`` that the body may read is the one beside a bias, or the parameter itself.
    """
    found = f"{owner}.named_parameters(recurse=False)"
    if trained:
        return each_parameter(owner, [block("if value.requires_grad:", body)], weight=weight)
    if not reads_weight(body):
        return block(f"for name, value in list({found}):", body)
    beside = weight or 'values.get(name.replace("bias", "weight"), value)'
    head = f"for name, value in (values := dict({found})).items():"
    return block(head, [f"weight = {beside}", *body])


def normalised(source: str) -> str:
    """Source without what formatters may change about it."""
    return ast.unparse(ast.parse(source))
