"""The code of a Jupyter notebook, as far as it is Python."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CODE = "PYR240"
HELP = "move the network into a .py file, or turn the notebook into one: jupytext --to py"

LARGEST = 64 * 2**20
"""Bytes that are read at most: outputs may hold whole videos."""

MAY_MATTER = re.compile(rb"\bclass |\bnn\b|torch|\bpyro\b")
_OF_MODULES = re.compile(r"\bclass\b|\bnn\b|torch|\bpyro\b")
_SHELL = re.compile(r"^(\s*)[!%].*$")
_ASSIGNED = re.compile(r"^(\s*[\w., ]+=\s*)[!%].*$")
_HELP = re.compile(r"^(\s*)\??\??[\w.]+\?\??\s*$|^(\s*)\?\??[\w.]+\s*$")
_CELL_MAGIC = re.compile(r"^\s*%%(\w+)")
_OF_PYTHON = frozenset({"time", "timeit", "capture", "prun", "python", "python3"})


class NotebookError(Exception):
    """A file that is no notebook, or cannot be read as one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell by its number, from 1, over all cells; ``error`` says why its code does not parse."""

    number: int
    code: str
    error: str = ""


def read_notebook(path: Path) -> tuple[Cell, ...]:
    """The code cells of a notebook that may be about networks; empty if it surely is not.

    What only IPython understands is taken out of them, line by line. Raises NotebookError.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise NotebookError(f"it has more than {LARGEST // 2**20} MB")
        data = path.read_bytes()
    except OSError as error:
        raise NotebookError(f"{error.strerror}") from error
    if not MAY_MATTER.search(data):
        return ()
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotebookError(f"it is no valid JSON ({error})") from error
    if not isinstance(document, Mapping):
        raise NotebookError("it is no notebook")
    return tuple(_cells(document)) if _is_python(document) else ()


def _is_python(document: Mapping[str, Any]) -> bool:
    metadata = _mapping(document, "metadata")
    names = (
        _mapping(metadata, "kernelspec").get("language"),
        _mapping(metadata, "language_info").get("name"),
    )
    return all(not isinstance(name, str) or "python" in name.lower() for name in names)


def _cells(document: Mapping[str, Any]) -> Iterator[Cell]:
    sheets = [document, *_list(document, "worksheets")]  # format 3 has its cells in sheets
    cells = [cell for sheet in sheets for cell in _list(sheet, "cells")]
    for number, cell in enumerate(cells, 1):
        if isinstance(cell, Mapping) and cell.get("cell_type") == "code":
            code = _python(_text(cell.get("source", cell.get("input"))))
            if error := _syntax_error(code):
                if _OF_MODULES.search(code):
                    yield Cell(number, "", error)
            else:
                yield Cell(number, code)


def _mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(parent: Any, key: str) -> Sequence[Any]:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return value if isinstance(value, list) else []


def _text(source: Any) -> str:
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def _python(code: str) -> str:
    """The code without what is meant for IPython or the shell."""
    lines = code.split("\n")
    if magic := _CELL_MAGIC.match(code):
        if magic[1] not in _OF_PYTHON:
            return ""
        lines[code[: magic.start(1)].count("\n")] = ""
    return "\n".join(map(_python_line, lines))


def _python_line(line: str) -> str:
    if match := _SHELL.match(line) or _HELP.match(line):
        return f"{match[1] or ''}pass"
    return _ASSIGNED.sub(r"\1None", line)


def _syntax_error(code: str) -> str:
    try:
        compile(code, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(getattr(error, "msg", "") or error)
    return ""
