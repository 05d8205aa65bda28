"""Odd but valid spellings of a whole file."""

from __future__ import annotations

import random
import re
from collections.abc import Callable


def spell(text: str, rng: random.Random, alone: bool) -> bytes:
    """The bytes of a file; most are as a formatter would leave them.

    Names are only changed in a file that is ``alone``.
    """
    for way in WAYS:
        if rng.random() < 0.06 and (alone or way is not _unicode_names):
            text = _if_valid(text, way(text, rng))
    try:
        compile(text, "spelled", "exec")
    except SyntaxError as error:
        raise AssertionError(f"{error}\n{text}") from error
    data = text.encode()
    if rng.random() < 0.04:
        data = data.replace(b"\n", b"\r\n")
    if rng.random() < 0.03:
        data = b"\xef\xbb\xbf" + data
    return data


def _tabs(text: str, rng: random.Random) -> str:
    return re.sub(r"^(?: {4})+", lambda m: "\t" * (len(m[0]) // 4), text, flags=re.MULTILINE)


def _two_spaces(text: str, rng: random.Random) -> str:
    return re.sub(r"^(?: {4})+", lambda m: "  " * (len(m[0]) // 4), text, flags=re.MULTILINE)


def _no_final_newline(text: str, rng: random.Random) -> str:
    return text.rstrip("\n")


def _comments(text: str, rng: random.Random) -> str:
    lines = []
    for line in text.split("\n"):
        if '"' not in line and "'" not in line and line.strip() and rng.random() < 0.3:
            line += rng.choice(("  # a comment", "  # ü", " #", "  # type: ignore"))
        lines.append(line)
    return "\n".join(lines)


def _own_line_comments(text: str, rng: random.Random) -> str:
    def comment(match: re.Match[str]) -> str:
        return f"{match[1]}# before\n{match[0]}" if rng.random() < 0.4 else match[0]

    return re.sub(r"^( +)(?:self\.|x = |def ).*$", comment, text, flags=re.MULTILINE)


def _semicolons(text: str, rng: random.Random) -> str:
    """Join simple statements of the same depth."""
    pattern = re.compile(
        r"^( +)(self\.\w+ = [^\n\\#]*[^\n\\:,(\[{;#])\n\1(?=self\.\w+ = [^\n]*[^\n:,(\[{]$)",
        re.MULTILINE,
    )

    def join(match: re.Match[str]) -> str:
        one_line = match[2].count("(") == match[2].count(")") and match[2].count("[") == match[
            2
        ].count("]")
        return f"{match[1]}{match[2]}; " if one_line and rng.random() < 0.5 else match[0]

    return pattern.sub(join, text)


def _continuations(text: str, rng: random.Random) -> str:
    return re.sub(r"^( +self\.\w+) = (?=\S)", r"\1 = \\\n            ", text, flags=re.MULTILINE)


def _wide(text: str, rng: random.Random) -> str:
    """Blanks in brackets."""
    return re.sub(r"\(d, d\)", "( d , d )", text)


def _broken_calls(text: str, rng: random.Random) -> str:
    return re.sub(r"\(d, d\)", "(\n            d,\n            d,\n        )", text)


def _long_lines(text: str, rng: random.Random) -> str:
    return re.sub(
        r"nn\.Linear\(d, d\)",
        "nn.Linear(in_features=(((d)) + 0 * 1000000000000), "
        "out_features=(d + 0 * 10000000000000000000000), bias=True)",
        text,
    )


def _unicode_names(text: str, rng: random.Random) -> str:
    name = rng.choice(("größe", "层", "λ", "véc"))
    return re.sub(
        r"\b(fc|weight_|scale|net)\b(?=\s*=|\(|\.|\))",
        lambda m: name if m[1] == "fc" else m[0],
        text,
    )


def _one_line_bodies(text: str, rng: random.Random) -> str:
    return re.sub(
        r"^( +(?:for|if|else)[^\n]*:)\n +([^\n:]*)$(?!\n +\S)", r"\1 \2", text, flags=re.MULTILINE
    )


def _blank_lines(text: str, rng: random.Random) -> str:
    return re.sub(r"\n\n\n", "\n\n\n\n\n", text)


def _trailing_blanks(text: str, rng: random.Random) -> str:
    return re.sub(r"([\w)\]])$", r"\1  ", text, flags=re.MULTILINE)


def _module_docstring(text: str, rng: random.Random) -> str:
    return (
        rng.choice(
            (
                '"""A module."""\n',
                "# -*- coding: utf-8 -*-\n",
                '#!/usr/bin/env python\n"""Doc."""\nfrom __future__ import annotations\n\n',
                "from __future__ import annotations\n",
                "# Copyright\n#\n\n",
            )
        )
        + text
    )


def _main_block(text: str, rng: random.Random) -> str:
    return text + '\n\nif __name__ == "__main__":\n    print("done")\n'


def _if_valid(before: str, after: str) -> str:
    try:
        compile(after, "spelled", "exec")
    except SyntaxError:
        return before
    return after


WAYS: tuple[Callable[[str, random.Random], str], ...] = (
    _unicode_names,
    _semicolons,
    _wide,
    _broken_calls,
    _long_lines,
    _continuations,
    _one_line_bodies,
    _comments,
    _own_line_comments,
    _module_docstring,
    _main_block,
    _blank_lines,
    _two_spaces,
    _tabs,
    _trailing_blanks,
    _no_final_newline,
)
