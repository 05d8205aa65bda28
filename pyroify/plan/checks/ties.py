"""Ties that the rewrite cannot carry out."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.diagnostics import Finding
from pyroify.index.facts import Assignment, Call, Declared, Path, SelfRead
from pyroify.index.resolve import ModuleClass
from pyroify.plan.checks.project import declared
from pyroify.plan.checks.subject import Subject
from pyroify.plan.study import ATTACHING, Study, always_assigned, exclusive
from pyroify.plan.ties import Tie


def replaced_under_one_name(subject: Subject) -> Iterator[Finding]:
    """A parameter with two names gives way to another under the one that the other name reads."""
    for item in _made(subject):
        if item.how not in ATTACHING or "*" in item.path or not item.path or _stays(item):
            continue
        for cls, path in _made_by(subject.study, item.path):
            study = subject.study if cls is subject.cls else _study(cls, subject)
            for tie in study.ties:
                if _loses(subject, study, tie, item, path):
                    name, other = ".".join(item.path), f"{cls.cls.name}.{tie.left}"
                    yield subject.finding(
                        item.line,
                        item.column,
                        "PYR073",
                        f"self.{name} is replaced, but {other} is a second name of what was there",
                        "replace it before it gets the second name, or under both",
                    )


def _made(subject: Subject) -> Iterator[Assignment]:
    """What the class assigns while it is built."""
    for method in subject.methods:
        yield from method.assignments if method.name in subject.building else ()


def _made_by(study: Study, path: Path) -> Iterator[tuple[ModuleClass, Path]]:
    """The class, a base or the classes of parts that make what is at a path."""
    yield from dict.fromkeys((cls, path) for cls in study.cls.lineage)
    yield from study.owners_of(path)


def _study(cls: ModuleClass, subject: Subject) -> Study:
    return Study(cls, subject.study.resolver, ())


def _stays(item: Assignment) -> bool:
    """Whether what was there is part of what takes its place, or has been declared."""
    args = item.value.args if isinstance(item.value, Call) else ()
    reads = [item.value, *(passed.value for passed in args)]
    return isinstance(item.value, Declared) or SelfRead(item.path) in reads


def _loses(subject: Subject, study: Study, tie: Tie, item: Assignment, path: Path) -> bool:
    """Whether a tie would come to read what takes the place of its right side."""
    right = tuple(tie.right.split("."))
    if right[: len(path)] != path or tie.left == ".".join(path):
        return False
    left = (*item.path[: len(item.path) - len(path)], *tie.left.split("."))
    if study is not subject.study:
        others = (one for one in _made(subject) if one.path == left)
        if always_assigned(others):
            return False  # the second name is given away as well
    else:
        if any(exclusive(one, item) for one in _made(subject) if one.line == tie.line):
            return False
        if study.runs_after(item.line, tie.line) is not True:
            return False
    if tie.left in subject.project.of(study.cls).same:
        return False
    return subject.project.leads_to(study.cls, right, declared)
