"""Containers of random layers: those torch does not register, and those that are edited."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.layers import NUMBERED
from pyroify.checks.subject import Subject
from pyroify.decide.unregistered import has_random_layers
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.attributes.lists import is_registered, module_lists
from pyroify.program.attributes.wrapped import made_by_bases
from pyroify.program.index import Base
from pyroify.program.values import (
    ContainerInstance,
    LayerInstance,
    classes_in,
    holds_parameters,
)
from pyroify.syntax.facts import Assignment, Observation, Use
from pyroify.syntax.traits import BEYOND_LAYERS, called, later
from pyroify.syntax.values import Many, OneOf, Plain, Unknown, walk

EDITS = {"insert", "pop", "__delitem__"}


@needs(BEYOND_LAYERS)
def python_list(subject: Subject) -> Iterator[Finding]:
    """Modules kept in a Python list or dict are not registered."""
    summary, project = subject.summary, subject.project
    for attribute in module_lists(summary):
        if is_registered(summary, attribute):
            continue
        owned = classes_in(attribute.node)
        if has_random_layers(summary, attribute, project.spec) or any(map(project.draws, owned)):
            first = attribute.assignments[0]
            yield subject.finding(
                first.line,
                first.column,
                "PYR002",
                f"self.{attribute.name} keeps modules in a Python list or dict, which torch "
                "does not register",
                "use nn.ModuleList or nn.ModuleDict",
            )


@needs((Base, "local"))
def kept_in_another_place(subject: Subject) -> Iterator[Finding]:
    """A parameter that a base declares, and that stays where the class puts it in a container."""
    project = subject.project
    for path in sorted(project.of(subject.cls).kept):
        for base, before in made_by_bases(subject.summary, path):
            if before in project.of(base).declared:
                put = next(iter(subject.summary.attached_as(path.partition(".")[0])))
                yield subject.finding(
                    put.line,
                    put.column,
                    "PYR061",
                    f"self.{path} is not to change, but {base.cls.name} has declared it by then, "
                    f"as self.{before}",
                    "let one rule decide both",
                    (f"{base.name}.{before}",),
                )


@needs(*later((Use, "delete"), *called(*EDITS)))
def edited_container(subject: Subject) -> Iterator[Finding]:
    """A numbered container whose members move when one is put in front or taken out."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for use in method.uses:
            *path, name = use.path
            removed = use.how == "delete" and use.item and len(use.path) == 1
            if not removed and not (use.how == "call" and name in EDITS and len(path) <= 1):
                continue
            owner = name if removed else "".join(path)
            if _is_random(subject, owner) and _kind(subject, owner) in NUMBERED:
                what = "is edited, which leaves its members under old names"
                yield _moved(subject, use.line, use.column, owner, what)


@needs((Assignment, "setitem"), (Assignment, "below"))
def replaced_member(subject: Subject) -> Iterator[Finding]:
    """A member that gives way to a module of Pyro, in a container that is one already."""
    summary = subject.summary
    for method in subject.methods:
        is_building = method.name in subject.building
        for name, item in summary.members_replaced(method):
            if not holds_parameters(summary.node(item)):
                continue
            plain = is_building and all(
                isinstance(node, LayerInstance | ContainerInstance | Plain | Many | OneOf)
                for node in walk(summary.node(item))
            )
            if plain or (is_building and summary.is_container_made_here(name)):
                continue
            if _is_random(subject, name):
                what = "gets a new member, which Pyro puts last"
                yield _moved(subject, item.line, item.column, name, what)


@needs(*later((Assignment, Unknown)))
def replaced_slice(subject: Subject) -> Iterator[Finding]:
    """A slice of a ModuleList that takes its place, and counts the members anew."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for item in method.assignments:
            value = item.value
            if len(item.path) == 1 and isinstance(value, Unknown):
                name = item.path[0]
                is_slice = value.text.startswith(f"self.{name}[") and ":" in value.text
                from_start = value.text.startswith(f"self.{name}[:")
                if not is_slice or from_start or _kind(subject, name) != "ModuleList":
                    continue
                if _is_random(subject, name):
                    what = "is cut, which leaves its members under old names"
                    yield _moved(subject, item.line, item.column, name, what)


@needs((Observation, "slice"))
def sliced_container(subject: Subject) -> Iterator[Finding]:
    """A slice that is a new root for Pyro, where layers lose the first part of their names."""
    for method in subject.methods:
        if method.name in subject.building and subject.at_run_time:
            continue
        for seen in method.observations:
            if seen.kind != "slice" or not _is_random(subject, seen.detail):
                continue
            if subject.summary.loses_names_in_slices(seen.detail):
                what = "is sliced, and its layers lose their prefix"
                yield _moved(subject, seen.line, seen.column, seen.detail, what)


def _is_random(subject: Subject, name: str) -> bool:
    """Whether an attribute has random layers; of the module itself its holder may know."""
    return not name or name in subject.randomness.names


def _kind(subject: Subject, name: str) -> str:
    container = subject.summary.container(name)
    return container.layer.name if container else ""


def _moved(subject: Subject, line: int, column: int, name: str, what: str) -> Finding:
    return subject.finding(
        line,
        column,
        "PYR033",
        f"self.{name} {what}" if name else f"self {what}",
        "build the list first and the container from it; loop over list(...)[:n] for a slice",
    )
