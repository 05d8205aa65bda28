"""Batches in a project's own form: tuples and mappings of tensors, as one list and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Form = Any
"""The same tuples and mappings, with the number of a part of the list in the place of each part."""


def flatten(value: Any) -> tuple[list[Any], Form]:
    """The parts that are no tuple, list or mapping, and the form that they have together."""
    parts: list[Any] = []

    def form_of(value: Any) -> Form:
        match value:
            case Mapping():
                return {name: form_of(part) for name, part in value.items()}
            case tuple() | list():
                return tuple(form_of(part) for part in value)
        parts.append(value)
        return len(parts) - 1

    form = form_of(value)
    return parts, form


def unflatten(form: Form, parts: Sequence[Any]) -> Any:
    """The parts in that form."""
    match form:
        case dict():
            return {name: unflatten(inner, parts) for name, inner in form.items()}
        case tuple():
            return tuple(unflatten(inner, parts) for inner in form)
    return parts[form]


def part_names(form: Form, name: str = "") -> list[str]:
    """What a person calls each part: ``0.mask``."""
    match form:
        case dict():
            pairs = form.items()
        case tuple():
            pairs = dict(enumerate(form)).items()
        case _:
            return [name or "the batch"]
    found: list[str] = []
    for key, inner in pairs:
        found += part_names(inner, f"{name}.{key}".lstrip("."))
    return found
