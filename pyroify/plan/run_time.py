"""Structure out of sight: all layers are converted and declared at run time, in one loop.

The loop knows names and layers, not paths: sites that a rule addresses by path are declared before
it, or kept out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pyroify.catalog.layers import LayerParameter
from pyroify.index.facts import Assignment, Declared
from pyroify.index.resolve import ModuleClass
from pyroify.plan.loops import (
    Tables,
    declare_in_loops,
    find_parts,
    parameters_named,
    source_of,
    tables_below,
)
from pyroify.plan.placements import Spot, Where, join, place
from pyroify.plan.redeclare import redeclare
from pyroify.plan.sites import OTHER, Sites, measured
from pyroify.plan.structure import Own, walk
from pyroify.plan.study import Attribute, OwnParameter, Study
from pyroify.spec.model import Action, Keep, Param

CONVERSION = ("to_pyro_module_(self)",)

CONVERSION_WITH_GAPS = (
    "for module in reversed(list(self.modules())):\n"
    "    order = list(module._modules)\n"
    "    to_pyro_module_(module, recurse=False)\n"
    "    for name in order:\n"
    "        module._modules[name] = module._modules.pop(name)",
    "for name, module in list(self.named_children()):\n    setattr(self, name, module)",
)
"""Converts every module, then hands the names down; unlike ``to_pyro_module_(self)`` it passes by
children that are None. Pyro registers random children anew, behind those that are None, so their
order is put right."""


def declare_at_run_time(attributes: Sequence[Attribute], sites: Sites, gaps: bool) -> Iterator[str]:
    """Statements that convert everything below ``self``, and declare what rules say of it.

    ``gaps``: a container may hold None, which ``to_pyro_module_`` refuses.
    """
    line = attributes[0].line if attributes else sites.study.cls.cls.line
    sites.names.use("to_pyro_module_")
    tables = tables_below(OTHER, sites)
    exceptions = _exceptions(attributes, tables, sites)
    yield from CONVERSION_WITH_GAPS if gaps else CONVERSION
    yield from _declare_exceptions(exceptions, sites, line)
    kept = [*_kept(exceptions, tables, sites), *_decided_by_children(attributes, tables, sites)]
    yield from declare_in_loops(find_parts(attributes, tables, sites), tables, kept, sites, line)


def _exceptions(attributes: Sequence[Attribute], tables: Tables, sites: Sites) -> dict[str, Action]:
    """Parameters by path that the loop would treat otherwise than the rules; all seen are noted."""
    found: dict[str, Action] = {}
    for attribute in attributes:
        where = Where(attribute.target, attribute.name, attribute.line)
        for spot in place(attribute.node, where):
            if isinstance(spot, Spot):
                found |= _exceptions_of(spot, tables, sites)
        for path in parameters_named(attribute, sites):
            action = sites.record_looped(path, "", attribute.line).action
            found[source_of(path).removeprefix("self.")] = action
    for own in sites.study.all_parameters:
        action = sites.consult(own.name, frozen=own.frozen is True).action
        looped = own.frozen is not True and own.declared is None
        if isinstance(action, Keep) and looped and action != tables.default.of(own.name):
            found[own.name] = action
    return found


def _exceptions_of(spot: Spot, tables: Tables, sites: Sites) -> dict[str, Action]:
    found: dict[str, Action] = {}
    for parameter in spot.leaf.layer.parameters:
        path = join(spot.where.path, parameter.name)
        if there := sites.within.get(path):
            _redeclare(there, parameter, sites)
            continue
        action = sites.record_looped(path, parameter.layer, spot.where.line).action
        expected = tables.chain(parameter.layer).of(parameter.name.rpartition(".")[2])
        if expected != action and not spot.where.loops and "*" not in path:
            found[f"{spot.where.target}.{parameter.name}".removeprefix("self.")] = action
    return found


def _kept(exceptions: Mapping[str, Action], tables: Tables, sites: Sites) -> Iterator[str]:
    """The ids of what the loop must pass by: parameters that stay, and what constrained ones are.

    A PyroParam is an unconstrained parameter of another name to those who look for parameters.
    """
    constrained = {
        own.name: own.optional for own in sites.study.all_parameters if _is_constrained(own, sites)
    }
    for path, action in exceptions.items():
        if isinstance(action, Keep):
            yield f"id(self.{path})"
        elif isinstance(action, Param):
            constrained[path] = False
    for path, optional in constrained.items():
        owner, dot, name = path.rpartition(".")
        if isinstance(tables.default.of(f"{name}_unconstrained"), Keep):
            continue
        place = f"self{dot}{owner}"
        if optional:
            yield f'id(getattr({place}, "{name}_unconstrained", None))'
        else:
            yield f"id({place}.{name}_unconstrained)"


def _is_constrained(own: OwnParameter, sites: Sites) -> bool:
    action = sites.consult(own.name, frozen=own.frozen is True).action
    if isinstance(action, Keep) and own.declared is not None:
        return own.declared.action == "param"
    return isinstance(action, Param)


def _decided_by_children(
    attributes: Sequence[Attribute], tables: Tables, sites: Sites
) -> Iterator[str]:
    """The ids of all parameters of children whose classes decide otherwise than the loop would."""
    for attribute in attributes:
        held = [item.cls for item in walk(attribute.node) if isinstance(item, Own)]
        if any(_deviates(cls, tables, sites, frozenset()) for cls in held):
            yield f"*map(id, {attribute.target}.parameters())"


def _deviates(
    cls: ModuleClass, tables: Tables, sites: Sites, seen: frozenset[tuple[str, str]]
) -> bool:
    """Whether a class, or one that it holds, has plain parameters that the loop would declare."""
    if cls.key in seen:
        return False
    seen |= {cls.key}
    for item in cls.lineage:
        study = Study(item, sites.study.resolver, ())
        inner = replace(sites, study=study)
        for own in study.all_parameters:
            if own.frozen is not True and _would_change(inner, own.name, "", tables):
                return True
        for attribute in study.everything:
            for spot in place(attribute.node, Where(attribute.target, attribute.name, 0)):
                if isinstance(spot, Spot) and any(
                    _would_change(inner, join(spot.where.path, found.name), found.layer, tables)
                    for found in spot.leaf.layer.parameters
                ):
                    return True
        if any(_deviates(held, tables, sites, seen) for held in study.held):
            return True
    return False


def _would_change(sites: Sites, path: str, layer: str, tables: Tables) -> bool:
    """Whether the loop would declare a parameter that stays plain, or is constrained."""
    action = sites.consult(path, layer).action
    name = path.rpartition(".")[2] + ("_unconstrained" if isinstance(action, Param) else "")
    return isinstance(action, Keep | Param) and not isinstance(tables.chain(layer).of(name), Keep)


def _redeclare(there: Assignment, parameter: LayerParameter, sites: Sites) -> None:
    """A parameter that is declared where its layer is made, before all are converted."""
    assert isinstance(there.value, Declared)
    path = ".".join(there.path)
    target = f"self.{path}"
    decision = sites.decide(path, parameter.layer, there.line)
    redeclare(sites, there, there.value, decision, measured(target, target.rpartition(".")[0]))


def _declare_exceptions(exceptions: Mapping[str, Action], sites: Sites, line: int) -> Iterator[str]:
    for path, action in exceptions.items():
        target = f"self.{path}"
        pairs = sites.pairs(action, measured(target, target.rpartition(".")[0]), line)
        yield from (f"{name} = {source}" for name, source in pairs)
