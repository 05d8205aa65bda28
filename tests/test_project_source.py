"""Bytes to text and back again, exactly; what is no Python source is refused by name."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroify.source import LARGEST_CODE, SourceError, decode_source, read_source

WHOLE = {
    "utf-8": "x = 'é'\n".encode(),
    "bom": codecs.BOM_UTF8 + "x = 'é'\n".encode(),
    "bom and cookie": codecs.BOM_UTF8 + b"# -*- coding: utf-8 -*-\nx = 1\n",
    "latin-1 cookie": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
    "cookie in line two": "#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nx='€'".encode(
        "cp1252"
    ),
    "shift_jis": "# coding: shift_jis\nx = 'テスト'\n".encode("shift_jis"),
    "crlf": b"x = 1\r\ny = 2\r\n",
    "mixed line ends": b"x = 1\r\ny = 2\nz = 3\r",
    "no final newline": b"x = 1",
    "tabs and form feed": b"if 1:\n\tx = 1\n\x0c\ny = 2\n",
    "empty": b"",
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE.keys())
def test_decoded_source_encodes_to_the_same_bytes(data: bytes) -> None:
    source = decode_source(data, "net.py")
    assert source.encode(source.text) == data


@given(st.text().map(str.encode))
def test_any_utf8_text_without_nul_survives_or_is_refused(data: bytes) -> None:
    try:
        source = decode_source(data, "net.py")
    except SourceError:
        return
    assert source.encode(source.text) == data


def test_bom_is_not_part_of_the_text() -> None:
    source = decode_source(codecs.BOM_UTF8 + b"x = 1\n", "net.py")
    assert source.text == "x = 1\n"


def test_line_ends_are_not_translated() -> None:
    assert decode_source(b"x\r\ny\rz\n", "net.py").text == "x\r\ny\rz\n"


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"x = 1\ny = '\xff'\n", "PYR204", 2),
        (b"x = 1\n\n\0", "PYR205", 3),
        (b"# coding: klingon\n", "PYR204", 1),
        (codecs.BOM_UTF8 + b"# coding: latin-1\n", "PYR204", 1),
        ("x = 1\n".encode("utf-16"), "PYR205", 1),
        (b"# coding: utf-7\nx = 1 # +ZeVnLIqe-\xc3\n", "PYR204", 2),
    ],
    ids=["not utf-8", "NUL", "unknown cookie", "BOM against cookie", "utf-16", "utf-7"],
)
def test_what_is_no_python_text_is_refused_by_name(data: bytes, code: str, line: int) -> None:
    with pytest.raises(SourceError) as caught:
        decode_source(data, "models/net.py")
    finding = caught.value.finding
    assert (finding.path, finding.code, finding.line) == ("models/net.py", code, line)
    assert finding.help


def test_bytes_that_would_not_come_back_are_refused() -> None:
    # ISO-2022-JP has several spellings of one text; this one encodes back to a shorter one.
    data = b"# coding: iso-2022-jp\nx = '\x1b(B\x1b(B'\n"
    with pytest.raises(SourceError, match="round trip"):
        decode_source(data, "net.py")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_source(tmp_path / "gone.py", "gone.py")


def test_a_file_with_too_much_code_is_refused_by_name() -> None:
    line = b"# a comment\n"
    most = line * (LARGEST_CODE // len(line))
    assert decode_source(most, "net.py").text
    with pytest.raises(SourceError, match=r"has 1\.0 MB of code") as caught:
        decode_source(most + line, "net.py")
    assert caught.value.finding.code == "PYR245"
