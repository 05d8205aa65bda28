"""Containers of random layers: those torch does not register, and those that are edited."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.diagnostics import Finding
from pyroify.index.facts import Use
from pyroify.plan.checks.subject import Subject
from pyroify.plan.structure import Box, Leaf, Listed, Own, walk
from pyroify.plan.study import Attribute, Study
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Keep, Spec

REGISTERING = {
    "torch.nn.ModuleList",
    "torch.nn.ModuleDict",
    "torch.nn.Sequential",
    "self.add_module",
}
NUMBERED = {"Sequential", "ModuleList"}
EDITS = {"insert", "pop"}


def python_list(subject: Subject) -> Iterator[Finding]:
    """Modules kept in a Python list or dict are not registered."""
    for attribute in hidden_modules(subject.study):
        leaves = _is_random_inside(subject.study, attribute, subject.project.spec)
        owned = any(
            subject.project.draws(item.cls)
            for item in walk(attribute.node)
            if isinstance(item, Own)
        )
        if leaves or owned:
            first = attribute.assignments[0]
            yield subject.finding(
                first.line,
                first.column,
                "PYR002",
                f"self.{attribute.name} keeps modules in a Python list or dict, which torch "
                "does not register",
                "use nn.ModuleList or nn.ModuleDict",
            )


def hides_random_layers(study: Study, spec: Spec) -> bool:
    """Whether layers the spec makes random are in a Python list or dict."""
    return any(_is_random_inside(study, attribute, spec) for attribute in hidden_modules(study))


def hidden_modules(study: Study) -> Iterator[Attribute]:
    """Attributes that hold, in a Python list or dict, modules that no other attribute registers."""
    lists = [item for item in study.everything if any(map(_is_list, walk(item.node)))]
    if not lists:
        return
    registered = {
        (item.call.line, item.call.column)
        for attribute in study.everything
        if attribute not in lists
        for item in walk(attribute.node)
        if isinstance(item, Leaf | Box) and item.call
    }
    for attribute in lists:
        made = [
            item for listed in walk(attribute.node) if _is_list(listed) for item in walk(listed)
        ]
        calls = {(i.call.line, i.call.column) for i in made if isinstance(i, Leaf) and i.call}
        owned = any(isinstance(item, Own) for item in made)
        if (calls - registered or owned and not calls) and not _is_registered(
            study, attribute.name
        ):
            yield attribute


def _is_list(node: object) -> bool:
    return isinstance(node, Listed)


def _is_registered(study: Study, name: str) -> bool:
    """Whether what a list holds is handed to a container, or added under computed names."""
    dynamic = any(item.path == ("*",) for m in study.cls.cls.methods for item in m.assignments)
    uses = (use for method in study.cls.cls.methods for use in method.uses)
    return dynamic or any(use.path == (name,) and use.within in REGISTERING for use in uses)


def _is_random_inside(study: Study, attribute: Attribute, spec: Spec) -> bool:
    cls = study.cls
    layers = [item.layer for item in walk(attribute.node) if isinstance(item, Leaf)]
    return any(
        not isinstance(
            decide(
                spec,
                SiteKey(
                    cls.file.module,
                    cls.cls.qualname,
                    f"{attribute.name}.*.{parameter.name}",
                    parameter.layer,
                ),
            ).action,
            Keep,
        )
        for layer in layers
        for parameter in layer.parameters
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
                yield _moved(subject, use, "is edited, which leaves its members under old names")


def sliced_container(subject: Subject) -> Iterator[Finding]:
    """A slice of a Sequential is a new root, and its layers lose the first part of their names."""
    for method in subject.methods:
        if method.name in subject.building and subject.at_run_time:
            continue
        for use in method.uses:
            if use.how == "subscript" and use.item == "slice" and len(use.path) == 1:
                if _holds(subject, use.path[0], {"Sequential"}):
                    yield _moved(subject, use, "is sliced, and its layers lose their prefix")


def _holds(subject: Subject, name: str, kinds: set[str]) -> bool:
    """Whether an attribute is a container of one of these kinds, with random layers."""
    return name in subject.drawing and any(
        isinstance(item, Box) and item.layer.name in kinds
        for cls in subject.cls.lineage
        if (study := subject.project.studies.get(cls.key))
        for attribute in study.everything
        if attribute.name == name
        for item in _outermost(attribute)
    )


def _outermost(attribute: Attribute) -> Iterator[object]:
    for item in walk(attribute.node):
        if isinstance(item, Box):
            yield item
            return


def _moved(subject: Subject, use: Use, what: str) -> Finding:
    return subject.finding(
        use.line,
        use.column,
        "PYR033",
        f"self.{use.path[0]} {what}",
        "build the list first and the container from it; loop over list(...)[:n] for a slice",
    )
