"""One function for a file whose classes would all end in the same run-time conversion."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from pyroify.code.statements import normalised
from pyroify.decide.loops import REASON
from pyroify.syntax.declarations import DECLARING_FUNCTION
from pyroify.syntax.facts import File

NAME = DECLARING_FUNCTION
CALL = f"{NAME}(self)"
DOCSTRING = '"""Make the parameters of a module, and of all it holds, random."""'
ANY_SELF = re.compile(r"\bself\b")
OPTIONS = re.compile(
    r"_?follow_module\(self\)|self\.(register_load_state_dict_pre_hook\(|original_init = )"
)
"""What the options of the spec add to the end of each constructor."""
GENERAL = re.compile(r"\(self\)|\(\(\"\", self\),")


def shared_function(file: File, tails: Iterable[tuple[str, ...]]) -> str:
    """The function that stands for the conversion most classes of a file end in.

    Empty where only one class needs it, where each needs another, or where the name is taken.
    """
    counts = Counter(block for tail in tails if (block := _conversion(tail)))
    if not counts or (NAME in file.bound and not _existing(file)):
        return ""
    block, count = counts.most_common(1)[0]
    if count < 2:
        return ""
    lines = "\n".join(block).replace("self", "root").split("\n")
    body = "\n".join(f"    {line}" for line in [DOCSTRING, *lines])
    return f"def {NAME}(root):\n{body}\n"


def with_call(tail: tuple[str, ...], function: str) -> tuple[str, ...]:
    """A tail that calls the function in place of the statements that it holds."""
    block = _conversion(tail)
    if not block or not function:
        return tail
    indented = "".join(
        f"    {line}\n" for line in "\n".join(block).replace("self", "root").split("\n")
    )
    if not function.endswith(indented):
        return tail
    start = tail.index(block[0])
    return (*tail[:start], CALL, *tail[start + len(block) :])


def is_up_to_date(file: File, function: str) -> bool:
    """Whether the file holds the function as it should be."""
    return _existing(file) == normalised(function)


def _existing(file: File) -> str:
    return next((f.source for f in file.functions if f.name == NAME and f.source), "")


def _conversion(tail: tuple[str, ...]) -> tuple[str, ...]:
    """The statements that end a tail and convert whatever is there, whoever ``self`` is."""
    for position, statement in enumerate(tail):
        if statement.startswith("kept = "):
            return ()
        if statement.startswith(REASON):
            block = tuple(item for item in tail[position:] if not OPTIONS.match(item))
            text = "\n".join(block)
            general = len(GENERAL.findall(text)) == len(ANY_SELF.findall(text))
            return block if general else ()
    return ()
