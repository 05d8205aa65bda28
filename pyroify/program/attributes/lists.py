"""Modules in Python lists and dicts: which of them torch gets to see all the same."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.layers import KEYED, NUMBERED, OF_PARAMETERS
from pyroify.dispatch import needs
from pyroify.program.summary import Attribute, ClassSummary
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    LayerInstance,
    may_be_any_class,
    places,
)
from pyroify.syntax.facts import Assignment, Function
from pyroify.syntax.traits import BEYOND_LAYERS
from pyroify.syntax.values import (
    Call,
    Items,
    Location,
    Many,
    Name,
    Nothing,
    OneOf,
    Parameter,
    Plain,
    Value,
    calls_in,
    options_of,
    walk,
)

REGISTERING = {f"torch.nn.{name}" for name in NUMBERED | KEYED - OF_PARAMETERS}
"""Calls that register the modules they are handed."""


@needs(BEYOND_LAYERS, nothing=())
def module_lists(summary: ClassSummary) -> tuple[Attribute, ...]:
    """Attributes that hold, in a list or dict, modules that no other attribute is seen to make."""
    lists = [item for item in summary.everything if any(_lists(item.node))]
    if not lists:
        return ()
    others = [item.node for item in summary.everything if item not in lists]
    seen = {place for node in others for place in places(node)}
    return tuple(item for item in lists if _makes_more(item.node, seen))


def is_registered(summary: ClassSummary, attribute: Attribute) -> bool:
    """Whether what a list holds is handed to a container, or added under computed names.

    Functions that are handed it may add it, too.
    """
    methods = summary.cls.cls.methods
    listed = _calls_listed(summary, attribute)
    if listed and listed <= set(_calls_set_by_functions(summary)):
        return True
    named_at_run_time = (
        item for method in methods for item in method.assignments if item.path == ("*",)
    )
    if any(_may_be_of(attribute, item, summary) for item in named_at_run_time):
        return True
    return any(
        use.path == (attribute.name,) and use.within in REGISTERING
        for method in methods
        for use in method.uses
    )


def _may_be_of(attribute: Attribute, named: Assignment, summary: ClassSummary) -> bool:
    """Whether a name of run time may be given to what a list holds, and not to a module anew."""
    node = summary.node(named)
    if isinstance(named.value, Call) and isinstance(
        node, LayerInstance | ContainerInstance | ClassInstance
    ):
        return named.value.place in _calls_listed(summary, attribute)
    return _may_be_module(node)


def _calls_set_by_functions(summary: ClassSummary) -> Iterator[Location]:
    """Where what is handed to functions is made that set it as an attribute of something."""
    index, path = summary.resolver.index, summary.cls.file.path
    for call in (call for method in summary.cls.cls.methods for call in method.layer_calls):
        dotted = call.callee.dotted if isinstance(call.callee, Name) else ""
        function = index.resolve(dotted, path).function
        for position, name in enumerate(function.arguments if function else ()):
            passed = call.argument(name, position)
            if passed is not None and function is not None and _sets(function, name):
                yield from (inner.place for inner in calls_in(passed.value))


def _sets(function: Function, argument: str) -> bool:
    """Whether a function makes what it is given an attribute of something."""
    return any(
        (found.name, found.how, found.detail, found.slot) == (argument, "given", "setattr", 2)
        for found in function.handled
    )


def _calls_listed(summary: ClassSummary, attribute: Attribute) -> set[Location]:
    """Where what is put in a list is made."""
    every = (item for method in summary.cls.cls.methods for item in method.assignments)
    mine = (item for item in every if item.path[:1] == (attribute.name,))
    return {call.place for item in mine for call in calls_in(item.value)}


def _may_be_module(node: Value) -> bool:
    """Whether a structure may be more than a parameter, a number or None."""
    return any(not isinstance(item, Parameter | Plain | Nothing) for item in options_of(node))


def _lists(node: Value) -> Iterator[Items]:
    """The lists that a structure is, or may be; those handed to a container are no more."""
    match node:
        case Items():
            yield node
        case Many(item=inner):
            yield from _lists(inner)
        case OneOf(options=nodes):
            for inner in nodes:
                yield from _lists(inner)


def _makes_more(node: Value, seen: set[tuple[int, int]]) -> bool:
    inside = [item for found in _lists(node) for item in walk(found)]
    made = {place for item in inside for place in places(item)}
    return not made <= seen if made else any(map(is_made_somewhere, inside))


def is_made_somewhere(node: Value) -> bool:
    """Whether a node is an instance of a class of the project, or of one that is handed in."""
    return isinstance(node, ClassInstance) or may_be_any_class(node)
