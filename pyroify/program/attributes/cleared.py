"""Parameters of layers that are set to None again: a declaration would bring them back."""

from __future__ import annotations

from pyroify.catalog.layers import LayerParameter
from pyroify.program.placements import presence
from pyroify.program.summary import ClassSummary, always_assigned
from pyroify.program.values import LayerInstance
from pyroify.syntax.facts import Assignment, Function


def is_present(
    parameter: LayerParameter,
    instance: LayerInstance,
    summary: ClassSummary,
    method: Function | None,
    path: str,
) -> bool | None:
    """Whether a layer has a parameter, and it is left at the end of the ``method``.

    None where only run time knows.
    """
    is_made = True if summary.set_anew(path) else presence(parameter, instance.call)
    states = [is_made, _is_left(summary, method, path)]
    return False if False in states else None if None in states else True


def _is_left(summary: ClassSummary, method: Function | None, path: str) -> bool | None:
    """Whether a parameter of a layer is not set to None by the end of a method."""
    names = tuple(path.split("."))
    cleared = summary.cleared.get(names, ())
    if method is not None and any(_is_final(item, method) for item in cleared):
        return False
    if cleared or any(tie.left == path and tie.may_be_none for tie in summary.ties):
        return None
    return None if names[-1] in summary.cleared_elsewhere else True


def _is_final(item: Assignment, method: Function) -> bool:
    """Whether an assignment is made in any case, and nothing in its method comes after it."""
    if item not in method.assignments or not always_assigned([item]):
        return False
    later = method.assignments[method.assignments.index(item) + 1 :]
    return not any(item.path[: len(other.path)] == other.path for other in later)
