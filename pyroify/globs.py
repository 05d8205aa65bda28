"""Globs as git has them in ``.gitignore``: what counts as one, and which paths some match."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from pathspec import GitIgnoreSpec


def compile_globs(globs: Iterable[str]) -> GitIgnoreSpec:
    """What matches a path if these globs do; those that git would not understand match nothing."""
    return _compile([glob for glob in globs if _parse(glob) is not None])


def is_glob(text: str) -> bool:
    """Whether ``text`` can match or except anything at all."""
    parsed = _parse(text)
    return parsed is not None and any(item.include is not None for item in parsed.patterns)


def _parse(glob: str) -> GitIgnoreSpec | None:
    try:
        return _compile([glob])
    except Exception:  # ValueError, or an error of `re`, or another one by version of pathspec
        return None


def _compile(globs: list[str]) -> GitIgnoreSpec:
    with warnings.catch_warnings():  # of `re`, about brackets within brackets
        warnings.simplefilter("ignore")
        return GitIgnoreSpec.from_lines(globs)
