"""Faults of pyroify itself while it looks at one file: they cost that file, and no other."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroify.diagnostics import Finding

FAULT = "PYR234"
TOO_DEEP = "PYR203"
_HELP = "this is a bug in pyroify: please report it with the file and the output of `rewrite -v`"
_PACKAGE = Path(__file__).parent.parent


class FileFault(Exception):
    """An unexpected error while the file ``path`` was looked at; ``__cause__`` is that error."""

    def __init__(self, path: str, error: Exception, doing: str) -> None:
        super().__init__(path)
        self.path = path
        self.finding = describe_fault(path, error, doing)
        self.traceback = "".join(traceback.format_exception(error))


@contextmanager
def looking_at(path: str, doing: str = "analysed") -> Iterator[None]:
    """Raises FileFault for ``path`` where anything goes wrong that nobody has foreseen."""
    try:
        yield
    except FileFault:
        raise
    except Exception as error:
        raise FileFault(path, error, doing) from error


def describe_fault(path: str, error: Exception, doing: str) -> Finding:
    """What to tell of an unexpected error: a bug, unless the source only nests too deeply."""
    if isinstance(error, RecursionError):
        message = f"cannot be {doing}: it nests too deeply"
        help = "split the longest expression, or chain of elif, into several; or exclude the file"
        return Finding(path, 1, 1, TOO_DEEP, message, help)
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return Finding(path, 1, 1, FAULT, f"could not be {doing}: {what}{_place(error)}", _HELP)


def _place(error: Exception) -> str:
    """Where in pyroify an error came up, for a report without a traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(frame)]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return Path(frame.filename).is_relative_to(_PACKAGE)
