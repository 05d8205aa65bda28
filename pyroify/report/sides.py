"""The changes of a file side by side: the lines of both versions, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from pyroify.pipeline import FileResult
from pyroify.source import decode_source
from pyroify.spec.model import LINE_END

CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, and its number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stand for each other; ``is_first``: lines before it are left out."""

    old: tuple[Line, ...]
    new: tuple[Line, ...]
    is_change: bool
    is_first: bool


def compare(result: FileResult) -> Iterator[Block]:
    """The blocks of a file that changes, with some lines around; a notebook is its code."""
    old, new = _lines(result.path, result.before), _lines(result.path, result.after)
    matcher = SequenceMatcher(None, [line.text for line in old], [line.text for line in new])
    for group in matcher.get_grouped_opcodes(CONTEXT):
        for number, (tag, start, end, new_start, new_end) in enumerate(group):
            is_change = tag != "equal"
            yield Block(old[start:end], new[new_start:new_end], is_change, number == 0)


def _lines(path: str, data: bytes | None) -> tuple[Line, ...]:
    if data is None:
        return ()
    texts = LINE_END.split(decode_source(data, path).text)
    if not texts[-1]:
        texts.pop()
    return tuple(Line(number, text) for number, text in enumerate(texts, 1))
