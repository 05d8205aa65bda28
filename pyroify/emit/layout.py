"""Lays out source whose width depends on the spec, as ``ruff format`` would."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pyroify.emit.values import write_value

WIDTH = 88

_PIECE = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(.)""", re.DOTALL)
"""A string as a whole, or one character."""


def wrap_call(call: str, indent: int) -> str:
    """The statement ``name = f(a, b=[1, 2])``, which starts at ``indent``, over enough lines.

    One line where it fits, else all arguments on the next, else an argument a line.
    """
    if indent + len(call) <= WIDTH:
        return call
    head, _, rest = call.partition("(")
    inside = rest.removesuffix(")")
    pad = " " * indent
    if indent + 4 + len(inside) <= WIDTH:
        return f"{head}(\n{pad}    {inside}\n{pad})"
    items = "".join(f"{pad}    {item},\n" for item in _arguments(inside))
    return f"{head}(\n{items}{pad})"


def _arguments(text: str) -> Iterator[str]:
    """The parts of ``text`` between commas that are in no bracket and no string."""
    depth, start = 0, 0
    for piece in _PIECE.finditer(text):
        character = piece[2]
        if character in ("(", "[", "{"):
            depth += 1
        elif character in (")", "]", "}"):
            depth -= 1
        elif character == "," and not depth:
            yield text[start : piece.start()].strip()
            start = piece.end()
    yield text[start:].strip()


def mapping_statement(name: str, values: Mapping[str, str], indent: int) -> str:
    """``name = {...}`` of texts and sources, from ``indent`` on; an item a line where long."""
    items = [f"{write_value(key)}: {source}" for key, source in values.items()]
    line = f"{name} = {{{', '.join(items)}}}"
    if indent + len(line) <= WIDTH:
        return line
    pad = " " * indent
    return "\n".join([f"{name} = {{", *(f"{pad}    {item}," for item in items), f"{pad}}}"])


def tuple_statement(name: str, items: Sequence[str]) -> str:
    """``name = (...)`` at the left margin, an item a line where one line is too long."""
    line = f"{name} = {write_value(tuple(items))}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = (", *(f"    {write_value(item)}," for item in items), ")"])
