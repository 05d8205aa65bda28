"""What ``--format`` takes: one module per format, found by walking this folder.

The name of its file is the name of a format. It fits every command for which it defines a
function, which gives an ``Output``::

    render_plan(report: Report, exit_code: int)
    render_rewrite(report: Report, exit_code: int, options: RewriteOptions)
    render_status(found: Progress, root: Path, exit_code: int)
    render_verify(root: Path, results: Sequence[VerifyResult], exit_code: int)
    render_failure(failure: Failure, command: str)    what stopped any of these; stderr has it too

Which functions there are is read from the source, so that offering a format imports none.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

DEFAULT = "text"
FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Output:
    """What a command says: ``result`` on stdout, ``notes`` on stderr."""

    result: str | bytes
    notes: str = ""


@dataclass(frozen=True, slots=True)
class RewriteOptions:
    """What `rewrite` is asked to show.

    ``source`` is what became of the file on stdin, where that goes to stdout.
    """

    diff: bool = False
    source: bytes | None = None
    quiet: bool = False
    verbose: bool = False
    colour: bool = False


def format_names(command: str) -> tuple[str, ...]:
    """The formats that fit a command, the default one first."""
    found = (module.name for module in iter_modules(__path__) if fits(module.name, command))
    return tuple(sorted(found, key=lambda name: (name != DEFAULT, name)))


def fits(name: str, command: str) -> bool:
    """Whether a format says how a command, or its failure, is rendered."""
    return _function(command) in _functions(name)


def renderer(name: str, command: str) -> Callable[..., Output]:
    """The function of a format for a command that it fits."""
    function: Callable[..., Output] = getattr(
        import_module(f"{__name__}.{name}"), _function(command)
    )
    return function


def _function(command: str) -> str:
    return f"render_{command}"


@cache
def _functions(name: str) -> frozenset[str]:
    """The functions that the module of a format defines."""
    spec = find_spec(f"{__name__}.{name}")
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_bytes())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
