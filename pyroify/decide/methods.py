"""Which methods other than ``forward`` need ``@pyro_method``."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.calls import PROPERTIES
from pyroify.catalog.module import MODULE_NAMES
from pyroify.code.read import DECLARING
from pyroify.decide.randomness import Randomness, gives_nothing
from pyroify.program.summary import ClassSummary
from pyroify.program.values import ClassInstance, ContainerInstance, LayerInstance
from pyroify.syntax.facts import Function

DECORATED = {"pyro.nn.pyro_method", "pyro.nn.module.pyro_method"}
NO_ENTRIES = MODULE_NAMES - {"apply"}
"""What every module has is no way to call it: printing, moving or saving it takes no draw."""
NEVER = {"staticmethod", "classmethod", "abc.abstractmethod", "abstractmethod"}


def methods_to_decorate(
    summary: ClassSummary, randomness: Randomness
) -> Iterator[tuple[Function, int]]:
    """Methods that draw and may be called from outside, each with the place of the decorator."""
    building = summary.calls.building
    called = {
        name
        for item in (summary.cls, *summary.relatives)
        for method in item.cls.methods
        for name in method.self_calls
        if name != method.name
    }
    for method in summary.cls.cls.methods:
        if method.name in NO_ENTRIES or method.name in building or method.generator:
            continue
        if method.name.startswith("__") and method.name != "__call__":
            continue
        if set(method.decorators) & (DECORATED | NEVER | DECLARING) or _is_setter(method):
            continue
        if _initialises(method) or _builds(summary, method) or _trains(summary, method):
            continue
        if method.name.startswith("_") and method.name != "__call__" and method.name in called:
            continue
        if randomness.is_drawing(method):
            yield method, _position(method)


def _initialises(method: Function) -> bool:
    """Whether all a method does is to set values, for the constructor of some parent maybe.

    Were it an entry point, what has been called could not become part of that parent any more.
    """
    return gives_nothing(method) and any(write.how == "init" for write in method.writes)


def _builds(summary: ClassSummary, method: Function) -> bool:
    """Whether a method attaches layers and gives no value: that is no call of the module."""
    if not gives_nothing(method):
        return False
    if summary.parameters((method,)) or summary.attributes((method,)):
        return True
    return any(
        isinstance(summary.node(item), LayerInstance | ContainerInstance | ClassInstance)
        for item in method.assignments
    )


def _trains(summary: ClassSummary, method: Function) -> bool:
    """Whether a method runs a whole training, which one draw for all of it would defeat."""
    reached = summary.calls.reached([(summary.cls, method)])
    return any(seen.kind == "training" for _, current in reached for seen in current.observations)


def _is_setter(method: Function) -> bool:
    return any(name.endswith((".setter", ".deleter", ".getter")) for name in method.decorators)


def _position(method: Function) -> int:
    for index, name in enumerate(method.decorators):
        if name in PROPERTIES:
            return index + 1
    return 0
