"""Values of the spec as Python source. Whatever a spec says, it is data in the script.

Every text, number, list or mapping of a spec that goes into a script or its tests is written by
:func:`write_value`; what goes between quotes of a docstring, by :func:`docstring_text`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from typing import Any


class Unwritable(ValueError):
    """A value that has no source of its own."""


def write_value(value: Any) -> str:
    """``value`` as an expression that gives it back, in any file and with nothing imported.

    Raises Unwritable for anything but None, numbers, text, bytes, and lists, tuples and mappings
    of such.
    """
    match value:
        case None | bool():
            return repr(value)
        case float():
            return repr(value) if math.isfinite(value) else f'float("{value!r}")'
        case int() | bytes():
            return repr(value)
        case str():
            return _quote(value)
        case Mapping():
            pairs = (f"{write_value(key)}: {write_value(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case tuple():
            items = ", ".join(map(write_value, value))
            return f"({items},)" if len(value) == 1 else f"({items})"
        case Sequence():
            return f"[{', '.join(map(write_value, value))}]"
    raise Unwritable(f"{value!r} cannot be written as Python source")


def write_argument(name: str, source: str) -> str:
    """``name=source`` for a call, or what says the same where ``name`` is no plain name."""
    if is_name(name) and unicodedata.normalize("NFKC", name) == name:
        return f"{name}={source}"
    return f"**{{{write_value(name)}: {source}}}"


def is_name(text: str) -> bool:
    """Whether Python takes ``text`` for a name that code may bind."""
    return text.isidentifier() and not iskeyword(text) and text != "__debug__"


def is_reference(text: str) -> bool:
    """Whether ``text`` is ``package.module:name``."""
    module, colon, name = text.partition(":")
    return bool(colon) and all(map(is_name, (*module.split("."), name)))


def docstring_text(text: str) -> str:
    """``text`` for inside a docstring, which it cannot end: plain names stay as they are."""
    return repr(text)[1:-1].replace('"', '\\"')


def _quote(text: str) -> str:
    """A literal in double quotes where ``text`` contains none, as ``ruff format`` has it."""
    if '"' in text:
        return repr(text)
    # With a double quote in it, repr uses single quotes.
    inside = repr(f'{text}"')[1:-2]
    return '"' + re.sub(r"\\(.)", lambda e: "'" if e[1] == "'" else e[0], inside) + '"'
