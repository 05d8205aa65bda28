"""Lays out source whose width depends on the spec, as ``ruff format`` would."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 88


def call_lines(function: str, arguments: Sequence[tuple[str, str]], indent: int) -> str:
    """``function(a=1, b=2)`` on one line where it fits at ``indent``, else an argument a line."""
    written = [f"{name}={value}" for name, value in arguments]
    line = f"{function}({', '.join(written)})"
    if indent + len(line) <= WIDTH:
        return line
    pad = " " * indent
    return "\n".join([f"{function}(", *(f"{pad}    {item}," for item in written), f"{pad})"])


def tuple_source(names: Sequence[str]) -> str:
    """A tuple of strings."""
    items = ", ".join(map(quote, names))
    return f"({items},)" if len(names) == 1 else f"({items})"


def quote(text: str) -> str:
    """``text`` as a Python literal, in double quotes where it contains none."""
    return repr(text) if '"' in text else '"' + repr(text + '"')[1:-2] + '"'
