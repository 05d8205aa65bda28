"""The catalogue of calls and members holds against Python and the installed torch."""

import builtins
from collections import namedtuple

import pytest

from pyroify.catalog.calls import LOADING, NUMBERS
from pyroify.catalog.members import (
    BUILTIN_MEMBERS,
    DATA_MEMBERS,
    NAMED_TUPLE_MEMBERS,
    TENSOR_MEMBERS,
)
from pyroify.program.roles import MODULE_MEMBERS


def test_numbers_are_builtins() -> None:
    assert frozenset(vars(builtins)) >= NUMBERS
    assert not NUMBERS & LOADING


def test_builtin_members_exist() -> None:
    kinds = (dict, list, str, set, tuple, int, float, bytes, frozenset, complex)
    assert {name for kind in kinds for name in dir(kind)} >= BUILTIN_MEMBERS


def test_named_tuple_members_exist() -> None:
    assert set(dir(namedtuple("Pair", "a b"))) >= NAMED_TUPLE_MEMBERS


def test_tensor_members_are_listed() -> None:
    torch = pytest.importorskip("torch")
    missing = {name for name in dir(torch.Tensor) if name[0] != "_"} - TENSOR_MEMBERS
    assert missing <= {"requires_grad_"}


def test_module_members_are_no_members_of_data() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(1, 1)
    assert all(hasattr(layer, name) for name in MODULE_MEMBERS)
    assert not MODULE_MEMBERS & DATA_MEMBERS
