"""Parts of which no PyroModule can be made: a loop over what is there passes them by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyroify.catalog.thirdparty import OWN_METACLASS, WITHOUT_PARAMETERS
from pyroify.checks.subject import AT_RUN_TIME, Subject
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.summary import Attribute
from pyroify.program.values import ContainerInstance
from pyroify.syntax.values import Call, Many, Name, Nothing, OneOf, Plain, Unknown, calls_in, walk

AROUND = (ContainerInstance, Many, OneOf, Nothing, Plain)
"""What may be around such a part, and has no parameters itself."""


@needs(AT_RUN_TIME)
def part_with_metaclass(subject: Subject) -> Iterator[Finding]:
    """A part of another library whose metaclass does not go together with PyroModule's."""
    for attribute in subject.summary.everything:
        sites = subject.sites_at((attribute.name,)) if attribute.name else ()
        parts = list(_parts(attribute, subject))
        if not parts or (attribute.name and not sites):
            continue
        is_alone = bool(sites) and _is_alone(attribute, parts)
        made, line, column = parts[0].text, parts[0].line, parts[0].column
        message = f"{made} makes a module whose metaclass cannot be joined with PyroModule's"
        if is_alone:
            help = "it stays as it is: keep it by a rule, or make it of layers of torch"
            yield subject.finding(line, column, "PYR031", message, help, sites)
        else:
            help = "give it an attribute of its own, apart from random layers"
            yield subject.finding(line, column, "PYR031", message, help)


def _parts(attribute: Attribute, subject: Subject) -> Iterator[Call]:
    """The calls for an attribute that make such parts: of a class, or of a method of one."""
    items = (*attribute.assignments, *subject.summary.attached_as(attribute.name))
    index, path = subject.project.index, subject.cls.file.path
    for call in dict.fromkeys(call for item in items for call in calls_in(item.value)):
        dotted = call.callee.dotted if isinstance(call.callee, Name) else ""
        for owner in (dotted, dotted.rpartition(".")[0]):
            name = index.canonical(owner, path)
            is_known = OWN_METACLASS.fullmatch(name) and not WITHOUT_PARAMETERS.fullmatch(name)
            if is_known and index.resolve(owner, path).module_class is None:
                yield call


def _is_alone(attribute: Attribute, parts: Sequence[Call]) -> bool:
    """Whether an attribute holds nothing beside such parts."""
    texts = {call.text for call in parts}
    return all(
        isinstance(item, AROUND) or (isinstance(item, Unknown) and item.text in texts)
        for item in walk(attribute.node)
    )
