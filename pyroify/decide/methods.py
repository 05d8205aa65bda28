"""Which methods other than ``forward`` need ``@pyro_method``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from functools import partial

from pyroify.catalog.calls import PROPERTIES
from pyroify.program.study import METADATA, Study
from pyroify.program.values import Box, Leaf, Own
from pyroify.syntax.declarations import DECLARING
from pyroify.syntax.facts import Function
from pyroify.syntax.values import NOTHING

DECORATED = {"pyro.nn.pyro_method", "pyro.nn.module.pyro_method"}
NEVER = {"staticmethod", "classmethod", "abc.abstractmethod", "abstractmethod"}
HANDLING = {
    *("parameters", "named_parameters", "buffers", "named_buffers", "state_dict"),
    *("load_state_dict", "modules", "named_modules", "children", "named_children"),
    *("train", "eval", "to", "cuda", "cpu", "requires_grad_", "zero_grad"),
}
"""Methods of every module that draw nothing."""


def methods_to_decorate(study: Study, random: frozenset[str]) -> Iterator[tuple[Function, int]]:
    """Methods that draw and may be called from outside, each with the place of the decorator."""
    building = building_names(study)
    called = {
        name
        for item in (study.cls, *study.relatives)
        for method in item.cls.methods
        for name in method.self_calls
        if name != method.name
    }
    for method in study.cls.cls.methods:
        if method.name == "forward" or method.name in building or method.generator:
            continue
        if method.name.startswith("__") and method.name != "__call__":
            continue
        if set(method.decorators) & (DECORATED | NEVER | DECLARING) or _is_setter(method):
            continue
        if _initialises(method) or _builds(study, method) or _trains(study, method):
            continue
        if method.name.startswith("_") and method.name != "__call__" and method.name in called:
            continue
        if touches(study, method, random):
            yield method, _position(method)


def building_names(study: Study) -> frozenset[str]:
    """Methods that run during construction of the class or of a relative."""
    names = set(study.building)
    for item in study.relatives:
        relative = Study(item, study.resolver, ())
        names |= relative.building
        for name in relative.building:
            if method := item.cls.method(name):
                names |= method.self_calls
    return frozenset(names)


def touches(study: Study, method: Function, random: frozenset[str]) -> bool:
    """Whether a method draws: it reads a random attribute, or calls a method that does.

    What it calls may be an override of a subclass.
    """
    reached = _reached(method, _calls, partial(methods_called, study))
    return any(
        _calls(current) & {"forward", "__call__"}
        or _reads_layers(current)
        or any(reads(use.path, use.how, random) for use in current.uses)
        for current in reached
    )


def _calls(method: Function) -> frozenset[str]:
    return method.self_calls | method.super_calls


def _reached(
    method: Function,
    names_called: Callable[[Function], Set[str]],
    find: Callable[[str], Iterable[Function]],
) -> Iterator[Function]:
    """A method and all that it calls, directly or not, each name once."""
    seen, waiting = {method.name}, [method]
    while waiting:
        current = waiting.pop()
        yield current
        for name in names_called(current) - seen:
            seen.add(name)
            waiting += find(name)


def _reads_layers(method: Function) -> bool:
    """Whether a method returns something of the weights of the modules that it goes over."""
    return not _returns_nothing(method) and any(o.kind == "layers" for o in method.observations)


def methods_called(study: Study, name: str) -> Iterator[Function]:
    """What ``self.name()`` may be: the method of the class, or an override of a subclass."""
    if found := study.cls.find_method(name):
        yield found[1]
    bases = {base.key for base in study.cls.lineage}
    for item in study.relatives:
        if item.key not in bases and (override := item.cls.method(name)):
            yield override


def reads(path: tuple[str, ...], how: str, random: frozenset[str]) -> bool:
    """Whether a use of ``self.<path>`` reads values, not only their shape or device."""
    if path[0] not in random or how in ("store", "delete"):
        return False
    if how == "call" and path[-1] in HANDLING:
        return False
    return not set(path[1:]) & METADATA or (how == "call" and path[-1] not in METADATA)


def _initialises(method: Function) -> bool:
    """Whether all a method does is to set values, for the constructor of some parent maybe.

    Were it an entry point, what has been called could not become part of that parent any more.
    """
    return _returns_nothing(method) and any(write.how == "init" for write in method.writes)


def _builds(study: Study, method: Function) -> bool:
    """Whether a method attaches layers and gives no value: that is no call of the module."""
    if not _returns_nothing(method):
        return False
    if study.parameters((method,)) or study.attributes((method,)):
        return True
    return any(isinstance(study.node(item), Leaf | Box | Own) for item in method.assignments)


def _trains(study: Study, method: Function) -> bool:
    """Whether a method runs a whole training, which one draw for all of it would defeat."""

    def find(name: str) -> tuple[Function, ...]:
        found = study.cls.find_method(name)
        return (found[1],) if found else ()

    reached = _reached(method, lambda current: current.self_calls, find)
    return any(seen.kind == "training" for current in reached for seen in current.observations)


def _returns_nothing(method: Function) -> bool:
    """Whether no value comes out of a method."""
    return all(value == NOTHING for value in method.returns)


def _is_setter(method: Function) -> bool:
    return any(name.endswith((".setter", ".deleter", ".getter")) for name in method.decorators)


def _position(method: Function) -> int:
    for index, name in enumerate(method.decorators):
        if name in PROPERTIES:
            return index + 1
    return 0
