"""Python source between bytes and text, exactly: decoded text encodes to the same bytes again."""

from __future__ import annotations

import codecs
import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

from pyroify.diagnostics import Finding
from pyroify.notebook import Notebook, NotebookError, is_notebook, read_notebook

NOT_DECODABLE = "PYR204"
HAS_NUL = "PYR205"
NO_NOTEBOOK = "PYR240"
TOO_LARGE = "PYR245"

LARGEST = 64 * 2**20
"""Bytes of a notebook that are read at most: outputs may hold whole videos."""
LARGEST_CODE = 2**20
"""Characters of code that are looked at in one file: more is data, or written by a program."""


class SourceError(Exception):
    """A file that pyroify cannot take as Python source; ``finding`` says which and why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Source:
    """One file as text.

    ``text`` has neither the BOM nor translated line ends: CRLF, lone CR, mixed line ends and a
    missing final newline are in it as they are in the file. ``encoding`` is what PEP 263 says.
    Of a ``notebook`` the text is its code.
    """

    text: str
    encoding: str
    bom: bool
    notebook: Notebook | None = None

    def encode(self, text: str) -> bytes:
        """``text`` as bytes in this file's encoding, with its BOM. Raises NotebookError."""
        document = self.notebook.with_text(text) if self.notebook else text
        data = document.encode(self.encoding)
        return codecs.BOM_UTF8 + data if self.bom else data


def read_source(path: Path, name: str) -> Source:
    """Reads ``path``; errors call it ``name``. Raises SourceError where it is no Python text."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _refused(name, NOT_DECODABLE, f"cannot be read: {error.strerror}") from error
    return decode_source(data, name)


def decode_source(data: bytes, name: str) -> Source:
    """Decodes ``data`` as Python would.

    Raises SourceError for NUL bytes, for bytes that cannot be decoded, and for too much code.
    """
    source = _decode_notebook(data, name) if is_notebook(name) else _decode_python(data, name)
    if len(source.text) > LARGEST_CODE:
        message = (
            f"has {len(source.text) / 2**20:.1f} MB of code; {LARGEST_CODE // 2**20} MB are read"
        )
        help = (
            "move tables to a file of data and classes to files of their own, or exclude the file"
        )
        raise _refused(name, TOO_LARGE, message, help)
    return source


def _decode_python(data: bytes, name: str) -> Source:
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise _refused(
            name,
            HAS_NUL,
            "contains NUL bytes, which Python refuses in source",
            "save the file as UTF-8 text, or exclude it in the spec",
            line,
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        raise _refused(
            name, NOT_DECODABLE, f"cannot be decoded: {error.msg}", _COOKIE_HELP
        ) from error
    bom = data.startswith(codecs.BOM_UTF8)
    encoding = "utf-8" if bom else encoding
    body = data[len(codecs.BOM_UTF8) :] if bom else data
    try:
        source = Source(body.decode(encoding), encoding, bom)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        message = f"is not {encoding}: byte {body[error.start]:#04x} at offset {error.start}"
        raise _refused(name, NOT_DECODABLE, message, _COOKIE_HELP, line) from error
    except (ValueError, LookupError) as error:  # `hex` and `rot13` are codecs, but of no text
        message = f"cannot be decoded: {error}"
        raise _refused(name, NOT_DECODABLE, message, _COOKIE_HELP) from error
    if not _encodes_back(source, data):
        message = f"does not survive a round trip through {encoding}, so it could not be kept whole"
        raise _refused(name, NOT_DECODABLE, message, "save the file as UTF-8")
    return source


def _decode_notebook(data: bytes, name: str) -> Source:
    """The code of a notebook, which is always UTF-8."""
    help = "mend the notebook, or leave it out by exclude: in the spec"
    if len(data) > LARGEST:
        message = f"cannot be read as a notebook: it has more than {LARGEST // 2**20} MB"
        raise _refused(name, NO_NOTEBOOK, message, help)
    bom = data.startswith(codecs.BOM_UTF8)
    try:
        document = data.removeprefix(codecs.BOM_UTF8).decode()
        notebook = read_notebook(document, name)
    except (NotebookError, UnicodeDecodeError) as error:
        message = f"cannot be read as a notebook: {error}"
        raise _refused(name, NO_NOTEBOOK, message, help) from error
    return Source(notebook.text, "utf-8", bom, notebook)


_COOKIE_HELP = "save the file as UTF-8, or correct its coding comment (PEP 263)"


def _encodes_back(source: Source, data: bytes) -> bool:
    try:
        return source.encode(source.text) == data
    except ValueError:
        return False


def _refused(name: str, code: str, message: str, help: str = "", line: int = 1) -> SourceError:
    return SourceError(Finding(name, line, 1, code, message, help))
