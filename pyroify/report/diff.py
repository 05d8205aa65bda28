"""The changes of a run as a unified diff, in bytes, so that `git apply` takes it as it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from difflib import diff_bytes, unified_diff

from pyroify.pipeline import FileResult
from pyroify.publish import Change

_NO_NEWLINE = b"\\ No newline at end of file\n"
_COLOURS = ((b"+++", b"1"), (b"---", b"1"), (b"@@", b"36"), (b"+", b"32"), (b"-", b"31"))


def render_diff(results: Iterable[FileResult | Change]) -> bytes:
    """The diff of all that changed something; paths are relative to the project root."""
    return b"".join(line for result in results for line in _diff_lines(result))


def colour_diff(diff: bytes) -> bytes:
    """``diff`` as a terminal shows it best."""
    return b"".join(_colour(line) for line in diff.splitlines(keepends=True))


def _diff_lines(result: FileResult | Change) -> Iterator[bytes]:
    if result.after is None:
        return
    old, new = os.fsencode(f"a/{result.path}"), os.fsencode(f"b/{result.path}")
    if result.before is None:
        old = b"/dev/null"
    lines = diff_bytes(unified_diff, _lines(result.before or b""), _lines(result.after), old, new)
    for line in lines:
        yield line if line.endswith(b"\n") else line + b"\n" + _NO_NEWLINE


def _lines(data: bytes) -> list[bytes]:
    """Lines as diff and git see them: only a line feed ends one."""
    *lines, last = data.split(b"\n")
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _colour(line: bytes) -> bytes:
    text = line.rstrip(b"\r\n")
    for prefix, colour in _COLOURS:
        if line.startswith(prefix):
            return b"\x1b[" + colour + b"m" + text + b"\x1b[0m" + line[len(text) :]
    return line
