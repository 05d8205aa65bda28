"""Structure in sight: each layer is named, and its parameters are declared one by one.

Neighbouring layers under one prior share a loop, as do the elements of a container.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from pyroify.catalog.layers import (
    Layer,
    LayerParameter,
    qualify,
    recurrent_parameters,
    substitute,
)
from pyroify.code import statements as code
from pyroify.decide.redeclare import leave, redeclare
from pyroify.decide.replaceable import is_other_dtype
from pyroify.decide.sites import ActionsByName, Sites, is_noncentered
from pyroify.program.attributes.cleared import is_present
from pyroify.program.attributes.ties import condition
from pyroify.program.placements import (
    AccessPath,
    Instance,
    Layers,
    Parameters,
    Placement,
    Search,
    Single,
    place,
    subpath,
)
from pyroify.program.summary import Attribute
from pyroify.program.values import LayerInstance
from pyroify.spec.model import Action, Deterministic, Keep, Sample
from pyroify.spec.render import Place, reads_fans
from pyroify.syntax.values import Declared, Items

LONG_RUN = 3
"""So many layers under one prior are declared in a loop."""

_DEPTH = ("num_layers", "bidirectional")
"""What says how many parameters a recurrent layer has."""

CONVOLVED = re.compile(r"shape\[1\]( \* shape\[\d\])+")
"""The fan of a convolution's weight as the catalogue writes it: all but its first dimension."""


def declare_visible(attributes: Sequence[Attribute], sites: Sites) -> Iterator[code.Statement]:
    """Statements that declare everything below these attributes."""
    for attribute in attributes:
        report_partial_rules(attribute, sites)
    placements = [
        found
        for item in attributes
        for found in placements_of(item, sites)
        if not isinstance(found, Instance)
    ]
    for prior, group in groupby(placements, key=partial(_shared_prior, sites=sites)):
        found = list(group)
        if prior is not None and len(found) >= LONG_RUN:
            yield _declare_run(found, prior, sites)
            continue
        for placement in found:
            yield from _declare(placement, sites)


def declare_layer(
    single: Single, sites: Sites, skip: Container[str] = ()
) -> Iterator[code.Statement]:
    """One statement for each parameter of a layer, but those whose names are in ``skip``."""
    where = single.where
    statements = [
        statement
        for parameter in single.instance.layer.parameters
        if parameter.name not in skip
        for statement in declare_parameter(single, parameter, sites)
    ]
    yield from where.wrap(statements)


def declare_each(each: Parameters, sites: Sites) -> Iterator[code.Statement]:
    """A loop over the parameters of one module, whatever their names."""
    where = each.where
    layer = each.layer.name if each.is_recurrent else ""
    note_looped(each, sites)
    layers = [each.layer] if each.is_recurrent else []
    chain = sites.chain(where.path, layer)
    if body := sites.assign_by_name(chain, where.target, where.line, layers):
        trained = _only_trained(each, sites)
        yield from where.wrap([code.each_parameter(where.target, body, trained)])


def note_looped(placement: Placement, sites: Sites) -> None:
    """Note the parameters that a loop finds, as far as the source shows their names."""
    for path, parameter in (*named_in(placement, sites), *_further_layers(placement)):
        sites.record_looped(path, parameter, placement.where.line)


def placements_of(attribute: Attribute, sites: Sites) -> Iterator[Placement]:
    """How the source reaches what an attribute holds."""
    where = AccessPath.of(attribute.name, attribute.line)
    if not attribute.present:
        where = where.under(_existence(attribute, sites))
    return place(attribute.node, where)


def _existence(attribute: Attribute, sites: Sites) -> str:
    """A test for an attribute that is not always there: the source's own, where it has one."""
    summary, method = sites.summary, sites.method
    tests = {condition(method, item) for item in attribute.assignments} if method else set()
    test = tests.pop() if len(tests) == 1 else None
    elsewhere = any(item in summary.elsewhere for item in attribute.assignments)
    if test and summary.is_steady(test) and not elsewhere:
        return test
    owner, _, name = f"self.{attribute.name}".rpartition(".")
    return f'hasattr({owner}, "{name}")'


def report_partial_rules(attribute: Attribute, sites: Sites) -> None:
    """Rules that address some elements of a container whose length is not known."""
    where = AccessPath.of(attribute.name, attribute.line)
    for found in place(attribute.node, where):
        for path, parameter in named_in(found, sites):
            decision = sites.consult(path, parameter.layer if parameter else "")
            sites.report_single(decision, attribute.name, attribute.line)


def named_in(placement: Placement, sites: Sites) -> Iterator[tuple[str, LayerParameter | None]]:
    """Path and parameter for each of which the source shows the layer; None for those of lists."""
    match placement:
        case Single(where=where, instance=instance):
            for parameter in instance.layer.parameters:
                path = subpath(where.path, parameter.name)
                if is_present(parameter, instance, sites.summary, sites.method, path) is not False:
                    yield path, parameter
        case Search(found=found):
            for path, layer in found:
                for parameter in layer.parameters:
                    yield subpath(path, parameter.name), parameter
        case Parameters(where=where, layer=layer):
            for depth in () if placement.is_recurrent else placement.depths:
                yield subpath(where.path, ".".join("*" * depth)), None
            for parameter in layer.parameters if placement.is_recurrent else ():
                yield subpath(where.path, parameter.name), parameter


def _further_layers(placement: Placement) -> Iterator[tuple[str, LayerParameter]]:
    """The parameters that recurrent layers have beside those of their first one, with their paths.

    Each has a path of its own where the source tells how many there are.
    """
    match placement:
        case Parameters(where=where, layer=layer) if placement.is_recurrent:
            further = _further_parameters(layer, *(_argument(placement, name) for name in _DEPTH))
            yield from ((subpath(where.path, item.name), item) for item in further)
        case Search(found=found):
            for path, layer in found:
                if layer.kind == "recurrent":
                    further = _further_parameters(layer)
                    yield from ((subpath(path, item.name), item) for item in further)


def _further_parameters(layer: Layer, depth: str = "", both: str = "") -> Iterator[LayerParameter]:
    known = [item.name for item in layer.parameters]
    if depth.isdecimal() and both in ("True", "False"):
        found = recurrent_parameters(layer, int(depth), both == "True")
        yield from (item for item in found if item.name not in known)
    else:
        yield from (replace(i, name=f"{i.name.removesuffix('0')}*") for i in layer.parameters)


def _argument(each: Parameters, name: str) -> str:
    """The source of an argument of a layer, or of its default; empty where it is not seen."""
    names = [argument for argument, _ in each.layer.signature]
    if each.call is None or each.call.starred:
        return ""
    passed = each.call.argument(name, names.index(name))
    return passed.text if passed else dict(each.layer.signature)[name] or ""


# Layers by name


def _declare(placement: Layers, sites: Sites) -> Iterator[code.Statement]:
    match placement:
        case Single():
            return declare_layer(placement, sites)
        case Search():
            return _declare_found(placement, sites)
        case Parameters():
            return declare_each(placement, sites)


def _shared_prior(placement: Layers, sites: Sites) -> Action | None:
    """The prior of all parameters of a layer, if one loop can declare them with other layers."""
    if isinstance(placement, Single) and _has_other_dtype(placement.instance):
        return None
    is_layer = isinstance(placement, Single) or (isinstance(placement, Search) and placement.flat)
    if isinstance(placement, Search) and not placement.sure:
        return None
    if not is_layer or placement.where.loops or placement.where.guards:
        return None
    if placement.where.line in sites.summary.ignored_lines:
        return None
    if any(path in sites.present or path in sites.within for path, _ in named_in(placement, sites)):
        return None
    if _only_trained(placement, sites):
        return None
    decisions = [
        sites.consult(path, parameter.layer if parameter else "")
        for path, parameter in named_in(placement, sites)
    ]
    actions = {decision.action for decision in decisions}
    if len(actions) != 1 or any(decision.partial for decision in decisions):
        return None
    action = actions.pop()
    if isinstance(action, Keep | Deterministic) or is_noncentered(action):
        return None
    return None if isinstance(action, Sample) and reads_fans(action) else action


def _only_trained(placement: Layers, sites: Sites) -> bool:
    """Whether some of its parameters are or may be frozen, and what is declared is asked for."""
    if isinstance(placement, Parameters) and placement.may_be_frozen:
        return True
    summary, names = sites.summary, [path for path, _ in named_in(placement, sites)]
    return any(summary.is_frozen(path) or summary.may_be_frozen(path) for path in names)


def _declare_run(run: Sequence[Placement], prior: Action, sites: Sites) -> code.Statement:
    """One loop over several layers that share a prior."""
    for placement in run:
        note_looped(placement, sites)
    targets = ", ".join(placement.where.target for placement in run)
    body = sites.assign(prior, "layer", run[0].where.line)
    return code.For("layer", f"({targets})", (code.each_parameter("layer", body),))


def declare_parameter(single: Single, parameter: LayerParameter, sites: Sites) -> code.Block:
    """The statements that declare one parameter of a layer; none where it is not declared."""
    path = subpath(single.where.path, parameter.name)
    present = is_present(parameter, single.instance, sites.summary, sites.method, path)
    if present is False or path in sites.tied:
        return ()
    line, layer = single.where.line, parameter.layer
    decision = sites.decide(path, parameter.layer, line)
    site = _site(single, parameter, sites)
    if there := sites.within.get(path):
        assert isinstance(there.value, Declared)
        return redeclare(sites, there, there.value, decision, site)
    if decision.rule is None and path in sites.present and line not in sites.summary.ignored_lines:
        return leave(sites, path, decision, layer)
    made = sites.declarations(decision.action, site, line)
    value = made[-1].value if made else None
    sites.record(path, decision, value, line, layer=layer, shape=site.shape)
    tests = [] if present else [f"{site.target} is not None"]
    if sites.asks_for_frozen(path, decision):
        tests.append(f"{site.target}.requires_grad")
    return code.guarded(" and ".join(tests), made)


def _site(single: Single, parameter: LayerParameter, sites: Sites) -> Place:
    """A parameter of a layer, with its shape and fans as the layer's arguments give them."""
    owner, arguments = single.where.target, _arguments(single, sites)
    target = f"{owner}.{parameter.name}"
    anew = sites.summary.set_anew(subpath(single.where.path, parameter.name))
    return Place(
        target=target,
        owner=owner,
        shape=_shape(parameter, arguments) if anew is None else None,
        ndim=parameter.ndim,
        fan_in=_fan(parameter.fan_in, arguments, owner, target),
        fan_out=_fan(parameter.fan_out, arguments, owner, target),
        initial=f"{target}.detach()",
        keeps_dtype=_has_other_dtype(single.instance)
        or (anew is not None and is_other_dtype(anew.dtype)),
    )


def _has_other_dtype(instance: LayerInstance) -> bool:
    """Whether a layer is made, or may be, in a dtype that is not the default."""
    for passed in instance.call.args if instance.call else ():
        if passed.keyword == "dtype":
            return is_other_dtype(passed.text)
        if passed.star == "**" and isinstance(passed.value, Items):
            return "dtype" in [key.strip("'\"") for key in passed.value.keys]
    return False


def _arguments(single: Single, sites: Sites) -> Mapping[str, str]:
    """Source of each constructor argument that can be written again, defaults filled in."""
    instance = single.instance
    if instance.call is None or instance.call.starred:
        return {}
    found: dict[str, str] = {}
    for position, (name, default) in enumerate(instance.layer.signature):
        passed = instance.call.argument(name, position)
        if passed is None and default is not None:
            found[name] = default
        elif passed is not None and passed.stable and sites.summary.is_steady(passed.text):
            found[name] = passed.text
    return found


def _shape(parameter: LayerParameter, arguments: Mapping[str, str]) -> tuple[str, ...] | None:
    sizes = [substitute(size, arguments) for size in parameter.shape or ()]
    known = tuple(size for size in sizes if size is not None)
    return known if parameter.shape is not None and len(known) == len(sizes) else None


def _fan(
    expression: str | None, arguments: Mapping[str, str], owner: str, target: str
) -> str | None:
    """A fan from the arguments if they give it, else read off the layer."""
    if expression is None:
        return None
    if CONVOLVED.fullmatch(expression):
        return f"{target}[0].numel()"
    return substitute(expression, arguments) or qualify(expression, owner, target)


# Layers found at run time


def _declare_found(search: Search, sites: Sites) -> Iterator[code.Statement]:
    """A loop over the layers where the source does not show which or how many there are."""
    where, tables = search.where, _tables(search, sites)
    owner = where.target if search.flat else "layer"
    trained = _only_trained(search, sites)
    if len(tables) == 1 and search.sure and search.extent != "below":
        (chain,) = tables
        found = sites.assign_by_name(chain, owner, where.line, search.layers)
        body: code.Block = (code.each_parameter(owner, found, trained),) if found else ()
    else:
        arms = tuple(
            (
                code.IsLayer(owner, tuple(layer.name for layer in layers)),
                (code.each_parameter(owner, found, trained),),
            )
            for chain, layers in tables.items()
            if (found := sites.assign_by_name(chain, owner, where.line, layers))
        )
        body = (code.If(arms),) if arms else ()
    if body:
        yield from where.wrap(body if search.flat else [_over(search, body)])


def _over(search: Search, body: code.Block) -> code.For:
    """The loop over what a search may find; classes of the project are passed by."""
    if search.extent == "each":
        return code.For("layer", search.over, body)
    if search.sure:
        return code.For("layer", f"{search.where.target}.modules()", body)
    return code.For("_, layer", code.Undeclared((search.where.root,)), body)


def _tables(search: Search, sites: Sites) -> dict[ActionsByName, list[Layer]]:
    """The layers of a search by what becomes of their parameters, which are noted."""
    tables: dict[ActionsByName, list[Layer]] = {}
    seen: dict[Layer, ActionsByName] = {}
    for path, layer in search.found:
        chain = sites.chain(path, layer.name)
        if layer not in seen:
            tables.setdefault(chain, []).append(layer)
        elif chain != seen[layer]:
            sites.report_nested(path, seen[layer], layer, search.where.line)
        seen.setdefault(layer, chain)
    note_looped(search, sites)
    return tables
