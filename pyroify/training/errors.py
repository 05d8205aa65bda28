"""How a run ends when it cannot go on."""

from __future__ import annotations


class Abort(Exception):
    """Ends the run with a message of one line and an exit code."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


def first_line(error: BaseException) -> str:
    """What an error says first, or what it is."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
