"""Lay out generated source as a formatter would: broken after an opening bracket where too long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import libcst as cst

from pyroify.edits.kinds import Partials, Submodules
from pyroify.notebook import CELL

BOUNDARY = re.compile(rf"# ?%%|{CELL}")
"""A comment that begins a cell."""


def fitted_statement(
    source: str, indent: int, limit: int, newline: str = "\n"
) -> cst.BaseStatement:
    """Parse one statement; its lines that would pass ``limit`` are broken.

    ``newline`` is that of the file, which strings over several lines keep for themselves.
    """
    lines: list[str] = []
    for line in source.split("\n"):
        lines.extend(_fit(line, indent, limit))
    statement = cst.parse_statement(newline.join(lines) + newline)
    assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return statement


def fitted_expression(
    source: str, column: int, indent: int, limit: int, inside: int = 0, trailing: int = 0
) -> cst.BaseExpression:
    """Parse an expression that starts at ``column`` of a line at ``indent``.

    ``inside`` is how far that line is indented within its statement; ``trailing`` characters
    follow it, for which ``limit`` leaves room.
    """
    if column + len(source) <= limit:
        return cst.parse_expression(source)
    first, *rest = _fit(source, indent, indent + len(source) - 1, limit + trailing)
    return cst.parse_expression("\n".join([first, *(" " * inside + line for line in rest)]))


def fitted_call(made: cst.Call, edit: Submodules | Partials) -> cst.Call:
    """A call that has grown, broken where it reaches beyond the room that there is for it."""
    text = cst.Module([]).code_for_node(made)
    if edit.room < 0 or edit.column + len(text) <= edit.room or "\n" in text or made.lpar:
        return made
    fitted = fitted_expression(
        text, edit.column, edit.indent, edit.room, edit.indent - edit.statement, edit.trailing
    )
    assert isinstance(fitted, cst.Call)
    return fitted


def _fit(line: str, indent: int, limit: int, inner_limit: int = 0) -> list[str]:
    """Break ``head(arguments)`` after its bracket while the line is too long.

    What is inside goes on one line if it fits, else each argument on its own; a chain of calls
    is broken before its dots, as formatters do.
    """
    inner_limit = inner_limit or limit
    tail = line[-1] if line.endswith((",", ":")) else ""
    lead = line[: len(line) - len(line.lstrip())]
    text = line.strip().removesuffix(tail) if tail else line.strip()
    if indent + len(line) <= limit:
        return [line]
    keyword, _, test = text.partition(" ")
    if tail == ":" and keyword in ("if", "elif") and (operands := _operands(test)):
        return [
            f"{lead}{keyword} (",
            *(f"{lead}    {operand}" for operand in operands),
            f"{lead}):",
        ]
    if text[-1:] not in ")]}":
        return [line]
    opening = _first_bracket(text)
    name, equals, value = text.partition(" = ")
    if equals and name.isidentifier() and (links := _links(value)) and len(links) > 2:
        return [f"{lead}{name} = (", *(f"{lead}    {link}" for link in links), f"{lead})"]
    start = text.index(": ") + 2 if text.startswith("lambda ") else 0
    if not tail and lead and (links := _links(text[start:])):
        links[0] = text[:start] + links[0]
        return [lead + link for link in links]
    if opening < 0 or opening == len(text) - 2:
        return [line]
    head, inner, closing = text[: opening + 1], text[opening + 1 : -1], text[-1] + tail
    one_line = f"{lead}    {inner}"
    arguments = _arguments(inner)
    if indent + len(one_line) <= inner_limit:
        body = [one_line]
    elif len(arguments) == 1:
        clauses = [f"{lead}    {clause}" for clause in _clauses(inner)]
        body = clauses or _fit(one_line, indent, inner_limit)
    else:
        body = [
            row for item in arguments for row in _fit(f"{lead}    {item},", indent, inner_limit)
        ]
    return [f"{lead}{head}", *body, f"{lead}{closing}"]


def _arguments(text: str) -> list[str]:
    """Arguments separated by commas outside brackets and strings; one only for a generator."""
    items, start = [], 0
    for position in _outside(text):
        if text.startswith((" for ", "lambda "), position):
            return [text]  # the commas of a comprehension or lambda part no arguments
        if text[position] == ",":
            items.append(text[start:position].strip())
            start = position + 1
    if text[start:].strip():
        items.append(text[start:].strip())
    return items


def _clauses(text: str) -> list[str]:
    """``a``, ``for a in b``, ``if c`` for a comprehension; empty for anything else."""
    cuts = [at for at in _outside(text) if text.startswith((" for ", " if "), at)]
    while cuts and text.startswith(" if ", cuts[0]):
        cuts.pop(0)  # of what each of its elements is
    ends = pairwise([0, *cuts, len(text)]) if cuts else ()
    return [text[start:end].strip() for start, end in ends]


def _operands(text: str) -> list[str]:
    """``a``, ``or b`` for a test of several parts; empty for anything else."""
    outside = list(_outside(text))
    for operator in (" or ", " and "):
        if cuts := [position for position in outside if text.startswith(operator, position)]:
            return [text[start:end].strip() for start, end in pairwise([0, *cuts, len(text)])]
    return []


def _outside(text: str) -> Iterator[int]:
    """The positions outside of brackets and strings."""
    depth, quote = 0, ""
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0:
            yield position


def _links(text: str) -> list[str]:
    """``a.B(c)``, ``.d(e)``, ``.f(g)`` for a chain of several calls; empty for anything else."""
    cuts, depth = [], 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0 and text[position + 1 : position + 2] == ".":
                cuts.append(position + 1)
        elif character == " " and depth == 0:
            return []
    if not cuts:
        return []
    edges = [0, *cuts, len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def _first_bracket(text: str) -> int:
    """The bracket that opens what the last character closes."""
    depth = 0
    for position in range(len(text) - 1, -1, -1):
        if text[position] in ")]}":
            depth += 1
        elif text[position] in "([{":
            depth -= 1
            if depth == 0:
                return position
    return -1


def above_cell(lines: Sequence[cst.EmptyLine]) -> int:
    """How many of some leading lines stand above the cell of a statement, its own line included."""
    marks = [
        n for n, line in enumerate(lines) if line.comment and BOUNDARY.match(line.comment.value)
    ]
    return marks[-1] + 1 if marks else 0
