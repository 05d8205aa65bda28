"""What commands print: results on stdout, chatter on stderr; coloured, and less if asked."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import IO, Any, TypeVar

import click

T = TypeVar("T")
Command = Callable[..., int]

PATIENCE = 2.0
"""Seconds after which someone who watches is shown how far the work is."""

_FINDING = re.compile(r"^(\S+:\d+:\d+) (PYR\d{3})\b", re.MULTILINE)
_HELP = re.compile(r"^    help: .*$", re.MULTILINE)
_COLOURS = {"error": "31", "refused": "31", "warning": "33"}


def volume(command: Command) -> Command:
    """Gives a command ``-q`` and ``-v``, which `is_quiet` and `is_verbose` tell."""

    def remember(context: click.Context, option: click.Parameter, value: bool) -> None:
        context.meta[f"pyroify.{option.name}"] = value

    options = (
        ("-q", "--quiet", "Only results, errors and refusals."),
        ("-v", "--verbose", "Say more; show tracebacks."),
    )
    for short, long, help in reversed(options):
        option = click.option(
            short, long, is_flag=True, expose_value=False, callback=remember, help=help
        )
        command = option(command)
    return command


def is_quiet() -> bool:
    """Whether only results, errors and refusals are wanted."""
    return _remembered("quiet")


def is_verbose() -> bool:
    """Whether more is wanted than usual."""
    return _remembered("verbose")


def _remembered(name: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(f"pyroify.{name}"))


def is_colourful(stream: IO[Any] | None = None) -> bool:
    """Whether colours are shown there, or on stdout: to a terminal, unless NO_COLOR is set."""
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR")


def put(result: str | bytes) -> None:
    """Writes a result to stdout; a reader that has seen enough is no error.

    Names of files that are not UTF-8 come out as they are on disk.
    """
    if isinstance(result, str) and is_colourful():
        result = colour_findings(result)
    data = result.encode(errors="surrogateescape") if isinstance(result, str) else result
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Writes chatter to stderr, unless it is not wanted."""
    if not is_quiet():
        warn(text)


def warn(text: str) -> None:
    """Writes to stderr what has to be said."""
    is_shown = is_colourful(sys.stderr)
    text = colour_findings(text) if is_shown else text
    click.echo(text, err=True, nl=False, color=is_shown or None)


def colour_findings(text: str) -> str:
    """``text`` with the places of findings in bold, their codes by severity, and dim help."""
    from pyroify.diagnostics import all_codes, lookup

    def coloured(match: re.Match[str]) -> str:
        place, code = match.groups()
        colour = _COLOURS[lookup(code).severity] if code in all_codes() else "1"
        return f"\x1b[1m{place}\x1b[0m \x1b[{colour}m{code}\x1b[0m"

    return _HELP.sub(lambda match: f"\x1b[2m{match[0]}\x1b[0m", _FINDING.sub(coloured, text))


def watched(work: Iterable[T], length: int) -> Iterator[T]:
    """The same, with a bar for someone who watches and has waited for a while."""
    if is_quiet() or not sys.stderr.isatty():
        yield from work
        return
    started, shown = monotonic(), None
    try:
        for number, item in enumerate(work, 1):
            yield item
            if shown is not None:
                shown.update(1)
            elif monotonic() - started > PATIENCE:
                shown = click.progressbar(length=length, label="rewriting", file=sys.stderr)
                shown.update(number)
    finally:
        if shown is not None:
            shown.render_finish()
