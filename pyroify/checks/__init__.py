"""What cannot be converted, or needs a look: one function for each construct.

A public function of this package with the one argument ``subject`` checks a class, one with the
argument ``script`` the code of a file. Both yield findings; nothing lists them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from inspect import getmembers, isfunction, unwrap

from pyroify.checks.instances import Script
from pyroify.checks.subject import Subject
from pyroify.checks.training import first_training
from pyroify.decide.model import Training
from pyroify.decide.project import Candidates, Key
from pyroify.diagnostics import Finding
from pyroify.program.faults import looking_at
from pyroify.program.summary import ClassSummary

Check = Callable[..., Iterator[Finding]]


def check_class(project: Candidates, summary: ClassSummary, at_run_time: bool) -> Iterator[Finding]:
    """All findings about one class, in the order of the source."""
    subject = Subject(project, summary, at_run_time)
    found = {finding: None for check in checks("subject") for finding in check(subject)}
    yield from sorted(found)


def check_files(project: Candidates, converted: frozenset[Key]) -> Iterator[Finding]:
    """Findings about code that uses the ``converted`` classes, in whatever file it stands."""
    for file in project.index.files if converted else ():
        with looking_at(file.path):
            script = Script(project, file, converted)
            found = {finding: None for check in checks("script") for finding in check(script)}
        yield from sorted(found)


def find_trainings(project: Candidates, converted: frozenset[Key]) -> Iterator[Training]:
    """The scripts that train the ``converted`` classes and miss their random parameters."""
    for file in project.index.files if converted else ():
        with looking_at(file.path):
            found = first_training(Script(project, file, converted))
        if found is not None:
            yield found


@cache
def checks(argument: str) -> tuple[Check, ...]:
    """The checks that look at a ``subject`` or at a ``script``."""
    found: dict[str, Check] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for name, function in getmembers(module, isfunction):
            code = unwrap(function).__code__
            if name[0] != "_" and code.co_argcount == 1 and code.co_varnames[0] == argument:
                found[f"{function.__module__}.{name}"] = function
    return tuple(found.values())
