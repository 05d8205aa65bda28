"""Notebooks as Python source, and that source put back: Jupyter's, and Markdown with code cells.

All code cells are one text, a line of its own before each. What only IPython understands, and cells
in other languages, are comments there, which give back what they were made of. What is put back
changes the cells that differ, and not one byte beside them.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SUFFIXES = (".ipynb", ".md")
CELL = "# ␞␞ cell "
KEPT = "# ␞ "

_BOUNDARY = re.compile(rf"^{CELL}\d+\n", re.MULTILINE)
_OF_MODULES = re.compile(r"\bclass\b|\bnn\b|torch|\bpyro\b")
_SHELL = re.compile(r"^(\s*)([!%].*)$")
_ASSIGNED = re.compile(r"^(\s*[\w., ]+=\s*)([!%].*)$")
_HELP = re.compile(r"^(\s*)(\?\??[\w.]+\?{0,2}\s*|[\w.]+\?\??\s*)$")
_CELL_MAGIC = re.compile(r"^\s*%%(\w+)")
_OF_PYTHON = frozenset({"time", "timeit", "capture", "prun", "python", "python3"})
_FENCE = re.compile(
    r"^(?P<fence>`{3,})\{code-cell\}[ \t]*(?P<language>[\w+-]*)[^\n]*\n"
    r"(?P<head>(?:---\n(?:.*\n)*?---\n)?(?::[\w-]+:.*\n)*)(?P<code>(?:.*\n)*?)(?P=fence)[ \t]*$",
    re.MULTILINE,
)


class NotebookError(Exception):
    """A file that is no notebook, or cannot be read or written as one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell by its number, from 1 over all cells of a notebook.

    ``code`` is its text, which stands between ``start`` and ``end`` of the document. ``error`` says
    why it is not Python.
    """

    number: int
    code: str
    start: int
    end: int
    error: str = ""
    is_python: bool = True


@dataclass(frozen=True, slots=True)
class Notebook:
    """A document and its code cells."""

    document: str
    cells: tuple[Cell, ...]
    write: Callable[[str, Cell, str], str]

    @property
    def text(self) -> str:
        """All code, as Python."""
        return "".join(f"{CELL}{cell.number}\n{_as_python(cell)}\n" for cell in self.cells)

    def with_text(self, text: str) -> str:
        """The document with this code in its cells. Raises NotebookError where a cell is lost."""
        codes = [_BOUNDARY.split(text)[1:], _BOUNDARY.split(self.text)[1:]]
        if len(codes[0]) != len(self.cells):
            raise NotebookError("its cells cannot be told apart any more")
        document = self.document
        for cell, new, old in reversed(list(zip(self.cells, *codes, strict=True))):
            if new != old:
                code = self.write(document, cell, _with_edges_of(cell.code, _as_written(new)))
                document = document[: cell.start] + code + document[cell.end :]
        return document


def is_notebook(path: str) -> bool:
    """Whether a file is a notebook, by its name."""
    return path.endswith(SUFFIXES)


def read_notebook(document: str, path: str) -> Notebook:
    """The notebook that a document is. Raises NotebookError."""
    if path.endswith(".md"):
        return Notebook(document, tuple(_markdown_cells(document)), lambda _, __, code: f"{code}\n")
    return Notebook(document, tuple(_jupyter_cells(document)), _jupyter_source)


def starts_of(text: str) -> tuple[tuple[int, int], ...]:
    """The number of each cell in the text of a notebook, and the line before its first."""
    lines = enumerate(text.split("\n"), 1)
    return tuple((int(line[len(CELL) :]), n) for n, line in lines if line.startswith(CELL))


# Python and what is none


def _cell(number: int, code: str, start: int, end: int, is_python: bool = True) -> Cell:
    magic = _CELL_MAGIC.match(code)
    if not is_python or (magic and magic[1] not in _OF_PYTHON):
        return Cell(number, code, start, end, is_python=False)
    made = Cell(number, code, start, end)
    error = _syntax_error(_as_python(made))
    return Cell(number, code, start, end, error if _OF_MODULES.search(code) else "", not error)


def _as_python(cell: Cell) -> str:
    lines = cell.code.split("\n")
    if not cell.is_python:
        return "\n".join(f"{KEPT}{line}" for line in lines)
    made = []
    goes_on = False
    for line in lines:
        shell = _SHELL.match(line) or _HELP.match(line)
        if goes_on or shell:
            indent = shell[1] if shell else ""
            made.append(f"{indent}pass  {KEPT}{line[len(indent) :]}")
            goes_on = line.endswith("\\")
        else:
            made.append(_ASSIGNED.sub(rf"\1None  {KEPT}\2", line))
    return "\n".join(made)


_KEPT_LINE = re.compile(rf"^(?:{KEPT}|(\s*)pass  {KEPT}|(.*)None  {KEPT})", re.MULTILINE)


def _as_written(text: str) -> str:
    """The code of a cell as its user knows it."""
    return _KEPT_LINE.sub(lambda found: found[1] or found[2] or "", text)


def _with_edges_of(old: str, new: str) -> str:
    """A new text that begins and ends in as many blank lines as the old one."""
    if not old.strip("\n"):
        return new.strip("\n")
    before = old[: len(old) - len(old.lstrip("\n"))]
    return before + new.strip("\n") + old[len(old.rstrip("\n")) :]


def _syntax_error(code: str) -> str:
    try:
        compile(code, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(getattr(error, "msg", "") or error)
    return ""


# Markdown


def _markdown_cells(document: str) -> Iterator[Cell]:
    for number, found in enumerate(_FENCE.finditer(document), 1):
        is_python = found["language"].lower() in ("", "python", "python3", "ipython", "ipython3")
        start, end = found.span("code")
        yield _cell(number, found["code"].removesuffix("\n"), start, end, is_python)


# Jupyter


def _jupyter_cells(document: str) -> Iterator[Cell]:
    try:
        top = _Json(document).read()
    except (ValueError, RecursionError, IndexError) as error:
        raise NotebookError(f"it is no valid JSON ({error})") from error
    if not isinstance(top.value, Mapping):
        raise NotebookError("it is no notebook")
    sheets = [top, *_items(_member(top, "worksheets"))]  # format 3 has its cells in sheets
    cells = [cell for sheet in sheets for cell in _items(_member(sheet, "cells"))]
    is_python = _is_python(_plain(top))
    for number, cell in enumerate(cells, 1):
        kind, source = _member(cell, "cell_type"), _member(cell, "source", "input")
        if kind and kind.value == "code" and source and is_python:
            yield _cell(number, _text(_plain(source)), source.start, source.end)


def _jupyter_source(document: str, cell: Cell, code: str) -> str:
    """The code in JSON, laid out as what it takes the place of."""
    old = document[cell.start : cell.end]
    as_ascii = document.isascii()
    if not old.startswith("["):
        return json.dumps(code, ensure_ascii=as_ascii)
    parts = _items(_Json(old).read())
    written = {part.value: old[part.start : part.end] for part in parts}
    lines = code.splitlines(keepends=True) if "\r" not in code else code.split("\n")
    made = [written.get(line) or json.dumps(line, ensure_ascii=as_ascii) for line in lines]
    if not parts:
        return f"[{', '.join(made)}]"
    head, tail = old[: parts[0].start], old[parts[-1].end :]
    between = old[parts[0].end : parts[1].start] if len(parts) > 1 else f",{head[1:]}"
    return f"{head}{between.join(made)}{tail}"


@dataclass(frozen=True, slots=True)
class _Node:
    """A value of a JSON document, and where it stands; of lists and objects, what is in them."""

    value: Any
    start: int
    end: int


class _Json:
    """Reads a JSON document, and keeps where each value stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.decoder = json.JSONDecoder(strict=False)

    def read(self) -> _Node:
        """The document as a whole. Raises ValueError."""
        node = self._value(self._skip(0))
        if self._skip(node.end) != len(self.text):
            raise ValueError("something follows its end")
        return node

    def _skip(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in " \t\r\n":
            at += 1
        return at

    def _value(self, at: int) -> _Node:
        if self.text[at] == "[":
            return self._list(at)
        if self.text[at] == "{":
            return self._object(at)
        value, end = self.decoder.raw_decode(self.text, at)
        return _Node(value, at, end)

    def _list(self, at: int) -> _Node:
        found: list[_Node] = []
        end = self._skip(at + 1)
        while self.text[end] != "]":
            found.append(self._value(end))
            end = self._next(found[-1].end, "]")
        return _Node(found, at, end + 1)

    def _object(self, at: int) -> _Node:
        found: dict[str, _Node] = {}
        end = self._skip(at + 1)
        while self.text[end] != "}":
            key, end = self.decoder.raw_decode(self.text, end)
            end = self._skip(end)
            if self.text[end] != ":" or not isinstance(key, str):
                raise ValueError(f"a key is no text at {end}")
            found[key] = self._value(self._skip(end + 1))
            end = self._next(found[key].end, "}")
        return _Node(found, at, end + 1)

    def _next(self, at: int, closing: str) -> int:
        """Where the next value begins, or the list or object ends."""
        at = self._skip(at)
        if self.text[at] == ",":
            return self._skip(at + 1)
        if self.text[at] != closing:
            raise ValueError(f"{closing} is missing at {at}")
        return at


def _member(node: _Node | None, *keys: str) -> _Node | None:
    inside = node.value if node and isinstance(node.value, Mapping) else {}
    return next((inside[key] for key in keys if key in inside), None)


def _items(node: _Node | None) -> Sequence[_Node]:
    return node.value if node and isinstance(node.value, list) else ()


def _plain(node: _Node) -> Any:
    """The value without places."""
    if isinstance(node.value, Mapping):
        return {key: _plain(value) for key, value in node.value.items()}
    return [_plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def _is_python(document: Mapping[str, Any]) -> bool:
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    named = [metadata.get(key) for key in ("kernelspec", "language_info")]
    inner = [item if isinstance(item, Mapping) else {} for item in named]
    names = (inner[0].get("language"), inner[1].get("name"))
    return all(not isinstance(name, str) or "python" in name.lower() for name in names)


def _text(source: Any) -> str:
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))
