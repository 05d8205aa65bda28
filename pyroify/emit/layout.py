"""Lays out source whose width depends on the spec, as ``ruff format`` would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

WIDTH = 88


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
    depth, quoted, start = 0, "", 0
    for index, character in enumerate(text):
        if quoted:
            quoted = "" if character == quoted and text[index - 1] != "\\" else quoted
        elif character in "\"'":
            quoted = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and not depth:
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()


def tuple_source(names: Sequence[str]) -> str:
    """A tuple of strings."""
    items = ", ".join(map(quote, names))
    return f"({items},)" if len(names) == 1 else f"({items})"


def tuple_statement(name: str, items: Sequence[str]) -> str:
    """``name = (...)`` at the left margin, an item a line where one line is too long."""
    line = f"{name} = {tuple_source(items)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = (", *(f"    {quote(item)}," for item in items), ")"])


def quote(text: str) -> str:
    """``text`` as a Python literal, in double quotes where it contains none."""
    return repr(text) if '"' in text else '"' + repr(text + '"')[1:-2] + '"'
