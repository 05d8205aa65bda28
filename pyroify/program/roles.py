"""Which attributes hold modules, as far as their uses show: modules are called, numbers are not.

What an attribute is called says nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence

from pyroify.catalog.calls import NO_MODULES, PROPERTIES
from pyroify.catalog.members import DATA_MEMBERS
from pyroify.program.index import Index, ModuleClass, Target
from pyroify.syntax.facts import Function, ValueUse
from pyroify.syntax.traits import CONSTRUCTORS
from pyroify.syntax.values import Element, SelfRead

MODULE_MEMBERS = frozenset(
    """
    forward parameters named_parameters modules named_modules children named_children state_dict
    load_state_dict train eval buffers named_buffers get_submodule get_parameter
    register_forward_hook register_forward_pre_hook requires_grad_ __call__
    weight bias in_features out_features
    """.split()
)
"""Members of modules and layers that numbers, texts and tensors have not."""
CALLING = re.compile(
    r"map|functools\.(partial|reduce)|operator\.call|torch\.(vmap|compile)|torch\.func\..*"
    r"|torch\.autograd\.functional\..*|torch\.nn\.Module\..*|(.*\.)?checkpoint(_sequential)?"
)
"""Functions that call what they are given first, or the members of that."""
DEPTH = 4
"""Functions that hand on what they are given to others, at most."""


def module_uses(classes: Iterable[ModuleClass], index: Index) -> frozenset[str]:
    """The attributes that methods of a class or its relatives use as they use modules."""
    uses = [(cls, method) for cls in classes for method in cls.cls.methods]
    handled = [(cls, method, item) for cls, method in uses for item in method.handled]
    numbers = {item.name for cls, _, item in handled if _is_of_number(item, cls, index)}
    proven = {
        item.name
        for cls, method, item in handled
        if item.name.startswith("self.")
        and (
            _is_of_module(item, cls, index, DEPTH)
            or (item.name not in numbers and _may_be_of_module(item, method, cls, index))
        )
    }
    return frozenset(name.removeprefix("self.") for name in _with_sources(proven, numbers, uses))


def number_uses(classes: Iterable[ModuleClass], index: Index) -> frozenset[str]:
    """The attributes that methods of a class or its relatives use as they use numbers."""
    return frozenset(
        item.name.removeprefix("self.")
        for cls in classes
        for method in cls.cls.methods
        for item in method.handled
        if _is_of_number(item, cls, index)
    )


def _with_sources(
    proven: set[str], numbers: set[str], uses: Sequence[tuple[ModuleClass, Function]]
) -> frozenset[str]:
    """Attributes that are modules because others, which are got from them, are."""
    sources = [source for _, method in uses for source in _sources(method)]
    found = set(proven)
    while True:
        more = {source for name, source in sources if name in found} - found - numbers
        if not more:
            return frozenset(found)
        found |= more


def _sources(method: Function) -> Iterator[tuple[str, str]]:
    """What a property or method returns, and what an attribute is taken from."""
    name = f"self.{method.name}" + ("" if PROPERTIES.intersection(method.decorators) else "()")
    yield from ((name, item.name) for item in method.handled if item.how == "returned")
    for assignment in method.assignments:
        value = assignment.value
        while isinstance(value, Element):
            value = value.of
        if isinstance(value, SelfRead) and assignment.path:
            yield f"self.{assignment.path[0]}", f"self.{value.path[0]}"


def _is_of_number(found: ValueUse, cls: ModuleClass, index: Index) -> bool:
    """Whether something is done to a value that is done to numbers alone."""
    if found.how == "given":
        layer = index.layer(found.detail, cls.file.path)
        return layer is not None and layer.kind in ("layer", "recurrent")
    return found.how == "number"


def _is_of_module(found: ValueUse, cls: ModuleClass, index: Index, depth: int) -> bool:
    """Whether something is done to a value that is done to modules alone."""
    if found.how == "called":
        return True
    if found.how in ("member", "member called"):
        return found.detail in MODULE_MEMBERS
    return found.how == "given" and _calls_it(found, cls, index, depth)


def _may_be_of_module(found: ValueUse, method: Function, cls: ModuleClass, index: Index) -> bool:
    """Whether something is done to a value that hardly anything but a module is there for.

    A method of its own is called that tensors, texts and the like have not, or code that nobody
    can see is given it first, as solvers are, once the class is built.
    """
    if found.how == "member called":
        return found.detail not in DATA_MEMBERS
    if found.how != "given" or found.slot != 0 or method.name in CONSTRUCTORS:
        return False
    callee = found.detail
    if found.alone and not callee.rpartition(".")[2][:1].isupper():
        return False
    if "." not in callee.strip(".") or callee.startswith((".", "self.")):
        return False
    is_free = callee.partition(".")[0] in {"torch", *sys.stdlib_module_names} | NO_MODULES
    return not is_free and index.resolve(callee, cls.file.path) == Target()


def _calls_it(found: ValueUse, cls: ModuleClass, index: Index, depth: int) -> bool:
    """Whether what is given to a function is called there."""
    if CALLING.fullmatch(found.detail):
        return found.slot == 0 or (found.slot == 1 and found.detail.endswith("reduce"))
    layer = index.layer(found.detail, cls.file.path)
    if layer is not None:
        return layer.kind == "container" and isinstance(found.slot, int)
    callee = _function_of(found, cls, index)
    return callee is not None and _is_called_in(*callee, found, index, depth)


def _function_of(
    found: ValueUse, cls: ModuleClass, index: Index
) -> tuple[Function, ModuleClass] | None:
    """The function or method of the project that something is given to."""
    if found.detail.startswith("self."):
        method = cls.find_method(found.detail.removeprefix("self."))
        return (method[1], method[0]) if method is not None else None
    function = index.resolve(found.detail, cls.file.path).function
    return (function, cls) if function is not None else None


def is_filled_by_functions(cls: ModuleClass, method: Function, index: Index) -> bool:
    """Whether a method hands the instance to functions of the project that attach something."""
    for found in method.handled:
        if found.name == "self" and found.how == "given":
            callee = _function_of(found, cls, index)
            if callee is not None and _argument(callee[0], found) in callee[0].fills:
                return True
    return False


def _argument(function: Function, found: ValueUse) -> str:
    """The argument of a function as which something is given to it."""
    if isinstance(found.slot, str):
        return found.slot
    return function.arguments[found.slot] if found.slot < len(function.arguments) else ""


def _is_called_in(
    function: Function, cls: ModuleClass, found: ValueUse, index: Index, depth: int
) -> bool:
    name = _argument(function, found)
    return depth > 0 and any(
        inner.name == name and _is_of_module(inner, cls, index, depth - 1)
        for inner in function.handled
    )
