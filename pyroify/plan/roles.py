"""Which attributes hold modules, as far as their uses show: modules are called, numbers are not.

What an attribute is called says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyroify.index.facts import Function, Handling
from pyroify.index.resolve import Index, ModuleClass

MODULE_MEMBERS = frozenset(
    """
    forward parameters named_parameters modules named_modules children named_children state_dict
    load_state_dict train eval zero_grad buffers named_buffers get_submodule get_parameter
    register_forward_hook register_forward_pre_hook requires_grad_
    weight bias in_features out_features encode decode
    """.split()
)
"""Members of modules and layers that numbers, texts and tensors have not."""
CHECKPOINTS = ("checkpoint", "checkpoint_sequential")
"""Functions that call what they are given, whatever package they are of."""
DEPTH = 4
"""Functions that hand on what they are given to others, at most."""


def module_uses(classes: Iterable[ModuleClass], index: Index) -> frozenset[str]:
    """The attributes that methods of a class or its relatives use as they use modules."""
    proven: set[str] = set()
    for cls in classes:
        for method in cls.cls.methods:
            for found in method.handled:
                if found.name.startswith("self.") and _is_of_module(found, cls, index, DEPTH):
                    proven.add(found.name.removeprefix("self."))
    return frozenset(proven)


def _is_of_module(found: Handling, cls: ModuleClass, index: Index, depth: int) -> bool:
    """Whether something is done to a value that is done to modules alone."""
    if found.how == "called":
        return True
    if found.how in ("member", "member called"):
        return found.detail in MODULE_MEMBERS
    return found.how == "given" and _calls_it(found, cls, index, depth)


def _calls_it(found: Handling, cls: ModuleClass, index: Index, depth: int) -> bool:
    """Whether what is given to a function is called there."""
    if found.detail.rpartition(".")[2] in CHECKPOINTS:
        return True
    if found.detail.startswith("self."):
        method = cls.find_method(found.detail.removeprefix("self."))
        return method is not None and _is_called_in(method[1], found, method[0], index, depth)
    target = index.resolve(found.detail, cls.file.path)
    if target.function is not None:
        return _is_called_in(target.function, found, cls, index, depth)
    return False


def _is_called_in(
    function: Function, found: Handling, cls: ModuleClass, index: Index, depth: int
) -> bool:
    slot = found.slot
    if isinstance(slot, int):
        slot = function.arguments[slot] if slot < len(function.arguments) else ""
    return depth > 0 and any(
        inner.name == slot and _is_of_module(inner, cls, index, depth - 1)
        for inner in function.handled
    )
