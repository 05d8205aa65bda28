"""Lay out generated source as a formatter would: broken after an opening bracket where too long."""

from __future__ import annotations

import libcst as cst


def fitted_statement(source: str, indent: int, limit: int) -> cst.BaseStatement:
    """Parse one statement; its lines that would pass ``limit`` are broken."""
    lines: list[str] = []
    for line in source.split("\n"):
        lines.extend(_fit(line, indent, limit))
    statement = cst.parse_statement("\n".join(lines) + "\n")
    assert isinstance(statement, cst.SimpleStatementLine | cst.BaseCompoundStatement)
    return statement


def fitted_expression(source: str, column: int, indent: int, limit: int) -> cst.BaseExpression:
    """Parse an expression that starts at ``column`` of a statement at ``indent``."""
    if column + len(source) <= limit:
        return cst.parse_expression(source)
    return cst.parse_expression("\n".join(_fit(source, indent, indent + len(source) - 1, limit)))


def _fit(line: str, indent: int, limit: int, inner_limit: int = 0) -> list[str]:
    """Break ``head(argument)`` after its bracket while the line is too long.

    A chain of calls is broken before its dots instead, as formatters do.
    """
    inner_limit = inner_limit or limit
    if indent + len(line) <= limit or not line.endswith(")"):
        return [line]
    lead = line[: len(line) - len(line.lstrip())]
    text = line.strip()
    if links := _links(text):
        return [lead + link for link in links]
    opening = _first_bracket(text)
    if opening <= 0:
        return [line]
    inner = f"{lead}    {text[opening + 1 : -1]}"
    return [f"{lead}{text[: opening + 1]}", *_fit(inner, indent, inner_limit), f"{lead})"]


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
    return [text[start:end] for start, end in zip(edges, edges[1:])]


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
