"""What cannot be converted, or needs a look: one function for each construct."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pyroify.diagnostics import Finding
from pyroify.index.resolve import Index
from pyroify.plan.structure import Leaf, Listed, walk
from pyroify.plan.study import Study

Check = Callable[["Subject"], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A class under check: ``random`` are the names of its attributes that become random."""

    study: Study
    random: frozenset[str]
    at_run_time: bool
    index: Index

    def finding(self, line: int, column: int, code: str, message: str, help: str = "") -> Finding:
        """A finding in the file of the class; ``column`` from 0."""
        cls = self.study.cls
        subject = f"{cls.file.module}:{cls.cls.qualname}"
        return Finding(cls.file.path, line, column + 1, code, message, help, subject)


def check_class(
    study: Study, random: frozenset[str], at_run_time: bool, index: Index
) -> Iterator[Finding]:
    """All findings about one class."""
    subject = Subject(study, random, at_run_time, index)
    for check in CHECKS:
        yield from check(subject)


def check_files(
    index: Index, converted: frozenset[tuple[str, str]], selected: frozenset[str]
) -> Iterator[Finding]:
    """Findings about code outside classes."""
    yield from ()


def suppressed(findings: Iterable[Finding], index: Index) -> Iterator[Finding]:
    """The findings less those a comment in the source suppresses."""
    for finding in findings:
        file = index.file(finding.path) if finding.path in index.paths else None
        comments = dict(file.suppressed) if file else {}
        if comments.get(finding.line) != "ignore":
            yield finding


def python_list(subject: Subject) -> Iterator[Finding]:
    """Modules kept in a Python list or dict are not registered."""
    for attribute in subject.study.everything:
        if isinstance(attribute.node, Listed) and any(
            isinstance(item, Leaf) for item in walk(attribute.node)
        ):
            first = attribute.assignments[0]
            yield subject.finding(
                first.line,
                first.column,
                "PYR002",
                f"self.{attribute.name} keeps modules in a Python list or dict, which torch "
                "does not register",
                "use nn.ModuleList or nn.ModuleDict",
            )


def early_return(subject: Subject) -> Iterator[Finding]:
    """Declarations at the end of a constructor that returns early would be skipped."""
    constructor = subject.study.constructor
    if constructor is not None and constructor.return_lines:
        yield subject.finding(
            constructor.return_lines[0],
            0,
            "PYR063",
            f"{constructor.name} returns early, before its end",
            "turn the return into an if/else",
        )


def unresolved_base(subject: Subject) -> Iterator[Finding]:
    """A base class that cannot be found may define anything."""
    for base in subject.study.cls.bases:
        if base.kind == "unresolved":
            line = subject.study.cls.cls.line
            yield subject.finding(
                line,
                subject.study.cls.cls.column,
                "PYR220",
                f"base {base.text} is not found in the project, and not known",
                "run over the folder that defines it, or derive from nn.Module directly",
            )


CHECKS: tuple[Check, ...] = (python_list, early_return, unresolved_base)
