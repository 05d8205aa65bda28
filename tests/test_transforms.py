"""Every transform is given edits of one kind, and every kind of edit has its transform."""

from __future__ import annotations

import dataclasses
import inspect
import typing

from pyroify.decide.model import Edit
from pyroify.edits import kinds
from pyroify.transforms import transforms

KINDS = {
    cls(1, 0, *(None for _ in dataclasses.fields(cls)[2:])).kind: cls
    for cls in vars(kinds).values()
    if isinstance(cls, type) and issubclass(cls, Edit) and cls is not Edit
}


def test_kinds_and_transforms_are_the_same() -> None:
    assert KINDS.keys() == transforms().keys()


def test_a_transform_takes_a_node_and_an_edit_of_its_kind() -> None:
    for kind, transform in transforms().items():
        for function in (transform.apply, getattr(transform, "matches", transform.apply)):
            node, edit = inspect.signature(function).parameters
            assert (node, edit) == ("node", "edit")
            assert typing.get_type_hints(function)["edit"] is KINDS[kind], kind


def test_edits_are_compared_by_kind() -> None:
    one, other = kinds.Initialisers(3, 4), kinds.Imports(3, 4, ())
    assert one == kinds.Initialisers(3, 4)
    assert one != other
    assert (one.kind, other.kind) == ("initialisers", "imports")
