"""How far one layer travels through pyroify: ``make walk``.

A file with one class, which has one ``nn.Linear``, is rewritten under one rule, in this process,
with every module loaded before. While that runs, what is written in pyroify is counted:

- ``modules``: modules with at least one call.
- ``calls``: calls of functions and methods. A comprehension belongs to the function around it, a
  generator counts once, however often it is resumed, and a method that ``dataclass`` makes does
  not count.
- ``changes``: of these calls, those whose nearest caller in pyroify stands in another module.
- ``forms``: classes defined in pyroify of which at least one instance is made, data or not. They
  are told by a call of ``__init__`` or ``__new__``, one that ``dataclass`` made too. Exceptions
  are left out.

A second file differs by one more ``nn.Linear``. What that adds is counted beside it: the calls and
changes that are made more often, and the modules and forms of which this is true.

``--figures`` writes them to ``benchmarks/walk.json``.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import pyroify
from pyroify.pipeline import rewrite_project
from pyroify.spec.load import parse_spec

FIGURES = Path(__file__).with_name("walk.json")
PACKAGE = str(Path(pyroify.__file__).parent)
SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""
TWO = NET.replace(
    "self.fc = nn.Linear(3, 1)\n",
    "self.fc = nn.Linear(3, 1)\n        self.out = nn.Linear(1, 1)\n",
).replace("self.fc(x)", "self.out(self.fc(x))")
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


@dataclass
class Walk:
    """What was seen so far; ``watch`` is for ``sys.setprofile``."""

    modules: Counter[str] = field(default_factory=Counter)
    """Calls by the file of what is called."""
    forms: Counter[type] = field(default_factory=Counter)
    """Instances by their class."""
    frames: set[FrameType] = field(default_factory=set)
    """Kept, so that a generator that is resumed is known."""
    changes: int = 0

    def watch(self, frame: FrameType, event: str, argument: object) -> None:
        """Note a call of a function, and what it makes."""
        if event != "call":
            return
        if frame.f_code.co_name in ("__init__", "__new__"):
            self._note_form(frame)
        if not _is_counted(frame.f_code) or frame in self.frames:
            return
        self.frames.add(frame)
        self.modules[frame.f_code.co_filename] += 1
        self.changes += _caller(frame) not in (None, frame.f_code.co_filename)

    def _note_form(self, frame: FrameType) -> None:
        first = frame.f_locals[frame.f_code.co_varnames[0]]
        made = first if isinstance(first, type) else type(first)
        is_own = made.__module__.partition(".")[0] == "pyroify"
        if is_own and not issubclass(made, BaseException):
            self.forms[made] += 1

    def figures(self) -> dict[str, int]:
        """The counts, by the names of the docstring above."""
        return {
            "modules": len(self.modules),
            "calls": self.modules.total(),
            "changes": self.changes,
            "forms": len(self.forms),
        }

    def beyond(self, other: Walk) -> Walk:
        """What is done more often than in another walk."""
        more = Walk(self.modules - other.modules, self.forms - other.forms)
        more.changes = self.changes - other.changes
        return more


def _is_counted(code: CodeType) -> bool:
    """Whether this is a function of pyroify, neither a body of a class nor a comprehension."""
    return (
        code.co_filename.startswith(PACKAGE)
        and bool(code.co_flags & inspect.CO_OPTIMIZED)
        and code.co_name not in COMPREHENSIONS
    )


def _caller(frame: FrameType) -> str | None:
    """The file of the nearest caller in pyroify."""
    above = frame.f_back
    while above is not None and not above.f_code.co_filename.startswith(PACKAGE):
        above = above.f_back
    return above and above.f_code.co_filename


def walk_of(source: str) -> Walk:
    """Rewrite a file while watching."""
    spec, walk = parse_spec(SPEC, "pyroify.yaml"), Walk()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "net.py").write_text(source)
        sys.setprofile(walk.watch)
        try:
            outcome = rewrite_project(Path(folder), ["net.py"], spec)
        finally:
            sys.setprofile(None)
    assert outcome.changes, outcome.findings
    return walk


def _load_all() -> None:
    """Import every module, so that no import is part of the walk."""
    for module in pkgutil.walk_packages(pyroify.__path__, "pyroify."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main() -> None:
    """Print one line for each figure; with ``--verbose``, the modules and forms too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figures", action="store_true", help="write benchmarks/walk.json")
    parser.add_argument("--verbose", action="store_true", help="name the modules and the forms")
    options = parser.parse_args()
    _load_all()
    one, two = walk_of(NET), walk_of(TWO)
    again = walk_of(NET)  # without what is found out once in a process, as for the second file
    walks = {"one": one, "more": two.beyond(again)}
    figures = {name: walk.figures() for name, walk in walks.items()}
    print(f"{'':8}{'one':>6}{'more':>6}")
    for name in figures["one"]:
        print(f"{name:8}{figures['one'][name]:6}{figures['more'][name]:6}")
    for name, walk in walks.items() if options.verbose else ():
        forms = sorted(f"{form.__module__}.{form.__qualname__}" for form in walk.forms)
        print(f"\n{name}:", *sorted(walk.modules), *forms, sep="\n")
    if options.figures:
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
