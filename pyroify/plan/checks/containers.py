"""Containers of random layers: those torch does not register, and those that are edited."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.diagnostics import Finding
from pyroify.plan.checks.subject import Subject
from pyroify.plan.lists import has_random_layers, is_registered, module_lists
from pyroify.plan.structure import Own, walk

NUMBERED = {"Sequential", "ModuleList"}
EDITS = {"insert", "pop"}


def python_list(subject: Subject) -> Iterator[Finding]:
    """Modules kept in a Python list or dict are not registered."""
    study, project = subject.study, subject.project
    for attribute in module_lists(study):
        if is_registered(study, attribute):
            continue
        owned = [item.cls for item in walk(attribute.node) if isinstance(item, Own)]
        if has_random_layers(study, attribute, project.spec) or any(map(project.draws, owned)):
            first = attribute.assignments[0]
            yield subject.finding(
                first.line,
                first.column,
                "PYR002",
                f"self.{attribute.name} keeps modules in a Python list or dict, which torch "
                "does not register",
                "use nn.ModuleList or nn.ModuleDict",
            )


def edited_container(subject: Subject) -> Iterator[Finding]:
    """A numbered container whose members move when one is put in front or taken out."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for use in method.uses:
            *path, name = use.path
            edited = use.how == "call" and name in EDITS and len(path) == 1
            removed = use.how == "delete" and use.item and len(use.path) == 1
            if (edited or removed) and _holds(subject, use.path[0], NUMBERED):
                what = "is edited, which leaves its members under old names"
                yield _moved(subject, use.line, use.column, use.path[0], what)


def sliced_container(subject: Subject) -> Iterator[Finding]:
    """A slice of a Sequential is a new root, and its layers lose the first part of their names."""
    for method in subject.methods:
        if method.name in subject.building and subject.at_run_time:
            continue
        for seen in method.observations:
            if seen.kind == "slice" and _holds(subject, seen.detail, {"Sequential"}):
                what = "is sliced, and its layers lose their prefix"
                yield _moved(subject, seen.line, seen.column, seen.detail, what)


def _holds(subject: Subject, name: str, kinds: set[str]) -> bool:
    """Whether an attribute is a container of one of these kinds, with random layers."""
    return name in subject.drawing and subject.study.container(name) in kinds


def _moved(subject: Subject, line: int, column: int, name: str, what: str) -> Finding:
    return subject.finding(
        line,
        column,
        "PYR033",
        f"self.{name} {what}",
        "build the list first and the container from it; loop over list(...)[:n] for a slice",
    )
