"""Structure out of sight: all layers are converted and declared at run time, in one loop.

The loop knows names and layers, not paths: sites that a rule addresses by path are declared before
it, or kept out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pyroify.index.resolve import ModuleClass
from pyroify.plan.loops import (
    Tables,
    declare_in_loops,
    find_parts,
    note_unseen,
    parameters_named,
    report_places,
    source_of,
    tables_below,
)
from pyroify.plan.placements import Spot, Where, join, place, presence
from pyroify.plan.sites import OTHER, Sites, measured
from pyroify.plan.structure import Own, walk
from pyroify.plan.study import Attribute, Study
from pyroify.plan.visible import declare_parameter, note_looped
from pyroify.spec.expressions import Call
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


@dataclass(frozen=True, slots=True)
class Apart:
    """A parameter that the loop would treat otherwise than its rule says.

    ``source`` reads it where ``guards`` hold; ``optional``: it may be None, or not be there.
    ``statements`` declare it.
    """

    source: str
    action: Action
    statements: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    optional: bool = False

    def ids(self, tables: Tables) -> Iterator[str]:
        """What the loop must pass by: the parameter if it stays, or what is below a constraint.

        A PyroParam is an unconstrained parameter of another name to those who look for parameters.
        """
        owner, _, name = self.source.rpartition(".")
        found = ""
        if isinstance(self.action, Keep):
            found = f"id({self.source})"
        elif isinstance(self.action, Param) and not isinstance(
            tables.default.of(f"{name}_unconstrained"), Keep
        ):
            inner = f"{name}_unconstrained"
            found = f"id({owner}.{inner})"
            if self.optional:
                found = f'id(getattr({owner}, "{inner}", None))'
        if found:
            yield f"*([{found}] if {' and '.join(self.guards)} else [])" if self.guards else found


def convert_at_run_time(sites: Sites, gaps: bool) -> tuple[str, ...]:
    """Statements that convert everything below ``self``; for ``gaps`` see below."""
    sites.names.use("to_pyro_module_")
    return CONVERSION_WITH_GAPS if gaps else CONVERSION


def declare_at_run_time(
    attributes: Sequence[Attribute], sites: Sites, gaps: bool, misses: bool
) -> Iterator[str]:
    """Statements that convert everything below ``self``, and declare what rules say of it.

    ``gaps``: a container may hold None, which ``to_pyro_module_`` refuses. ``misses``: a layer is
    made that none of the attributes is seen to hold.
    """
    line = attributes[0].line if attributes else sites.study.cls.cls.line
    for attribute in attributes:
        report_places(attribute, sites)
    tables = tables_below(OTHER, sites)
    if misses:
        note_unseen(tables, sites)
    apart = [*_all_apart(attributes, tables, sites), *_own_apart(tables, sites)]
    yield from convert_at_run_time(sites, gaps)
    for found in apart:
        yield from found.statements
    kept = [name for found in apart for name in found.ids(tables)]
    kept += _decided_by_children(attributes, tables, sites)
    yield from declare_in_loops(find_parts(attributes, tables, sites), tables, kept, sites, line)


def _all_apart(attributes: Sequence[Attribute], tables: Tables, sites: Sites) -> Iterator[Apart]:
    """Parameters of layers that the loop would treat otherwise; all that are seen are noted."""
    for attribute in attributes:
        where = Where(attribute.target, attribute.name, attribute.line)
        for found in place(attribute.node, where):
            if isinstance(found, Spot):
                yield from _apart_in(found, tables, sites)
            else:
                note_looped(found, sites)
        for path in parameters_named(attribute, sites):
            yield _named_apart(path, attribute.line, sites)


def _apart_in(spot: Spot, tables: Tables, sites: Sites) -> Iterator[Apart]:
    where = spot.where
    for parameter in spot.leaf.layer.parameters:
        path = join(where.path, parameter.name)
        decision = sites.consult(path, parameter.layer)
        action = decision.action
        looped = tables.chain(parameter.layer).of(parameter.name.rpartition(".")[2])
        present = presence(parameter, spot.leaf.call)
        if present is False:
            continue
        if path not in sites.within and (action == looped or where.loops or "*" in path):
            sites.record_looped(path, parameter.layer, where.line)
            if action != looped and decision.rule is not None:
                sites.report_place(decision.rule, path, where.line)
            continue
        statements = declare_parameter(spot, parameter, sites)
        if statements and where.guards:
            statements = [where.wrap(statements)]
        source = f"{where.target}.{parameter.name}"
        yield Apart(source, action, tuple(statements), where.guards, not present)


def _named_apart(path: str, line: int, sites: Sites) -> Apart:
    """A parameter below something that is not visible, as a rule names it in full."""
    action = sites.record_looped(path, "", line).action
    source = source_of(path)
    pairs = sites.pairs(action, measured(source, source.rpartition(".")[0]), line)
    return Apart(source, action, tuple(f"{target} = {prior}" for target, prior in pairs))


def _own_apart(tables: Tables, sites: Sites) -> Iterator[Apart]:
    """Parameters of the class itself that stay, or are constrained, in view of the loop."""
    for own in sites.study.all_parameters:
        action = sites.consult(own.name, frozen=own.frozen is True).action
        source = f"self.{own.name}"
        if own.declared is not None and isinstance(action, Keep):
            if own.declared.action == "param":
                yield Apart(source, Param(Call("real")), optional=own.optional or own.may_be_other)
        elif isinstance(action, Param):
            yield Apart(source, action, optional=own.optional or own.may_be_other)
        elif isinstance(action, Keep) and own.frozen is not True:
            if action != tables.default.of(own.name):
                yield Apart(source, action)


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
