"""One instance of a class of the project: what rules say of its parameters and of no other's.

A class declares its own parameters, so all its instances share their priors. A rule that spells out
the way to one (``Net.encoder.fc.weight``, where ``self.encoder = Block(...)``) is carried out at
the end of the constructor that builds the instance: what is declared last holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from pyroify.catalog.layers import LayerParameter, qualify
from pyroify.code.statements import Statement, guarded, nested
from pyroify.decide.redeclare import leave, redeclare
from pyroify.decide.sites import InstanceSite, Sites, needs_first_value
from pyroify.decide.visible import placements_of
from pyroify.dispatch import needs
from pyroify.program.attributes.cleared import is_present
from pyroify.program.placements import AccessPath, Instance, Single, place, subpath
from pyroify.program.present import present_at_end
from pyroify.program.summary import Attribute, ClassSummary, OwnParameter, summary_of
from pyroify.spec.match import Decision, SiteKey, decide, spells_out
from pyroify.spec.model import Action, Deterministic, Keep, Sample
from pyroify.spec.render import NOISE, Place
from pyroify.syntax.traits import BEYOND_LAYERS
from pyroify.syntax.values import Declared


@dataclass(frozen=True, slots=True)
class PartSite:
    """A parameter of an instance, which its class declares for all its instances.

    ``place`` is where the class that builds the instance finds it, ``path`` its name below that
    class and ``inner`` the one below its own. ``present``: whether it is there at all, None where
    only run time knows.
    """

    holder: Instance
    summary: ClassSummary
    where: AccessPath
    place: Place
    path: str
    inner: str
    layer: str = ""
    frozen: bool = False
    maybe_frozen: bool = False
    """Only run time knows whether it is, and its class declares nothing of it."""
    present: bool | None = True
    declared: str = ""
    """What the source of the class makes of it already: ``sample`` or ``param``."""

    @property
    def cls(self) -> str:
        """The name of its class."""
        return self.summary.cls.cls.qualname


@needs(BEYOND_LAYERS)
def declare_instances(sites: Sites, attributes: Sequence[Attribute]) -> Iterator[Statement]:
    """Declarations of the parameters of instances that rules name, or that are there already."""
    replaced = [attribute.name for attribute in attributes if "." in attribute.name]
    found = [
        (part.where, statement)
        for attribute in attributes
        for instance in placements_of(attribute, sites)
        if isinstance(instance, Instance) and _is_spoken_of(instance, sites)
        for part in _parts(instance, sites)
        if not any(part.path.startswith(f"{name}.") for name in replaced)
        for statement in _declare(part, sites)
    ]
    for (loops, guards), group in groupby(found, key=lambda item: (item[0].loops, item[0].guards)):
        statements = [statement for _, statement in group]
        yield from nested(loops, guards, statements)


def _is_spoken_of(instance: Instance, sites: Sites) -> bool:
    """Whether a rule, or a declaration that is there, is about this very instance."""
    cls, path = sites.summary.cls, instance.where.path
    name = f"{cls.cls.qualname}.{path}"
    if any(spells_out(rule, cls.file.module, name) for rule in sites.spec.rules):
        return True
    return any(there.startswith(f"{path}.") for there in (*sites.present, *sites.within))


def _parts(holder: Instance, sites: Sites, inner: Instance | None = None) -> Iterator[PartSite]:
    """The parameters of an instance, by one name each; ``inner`` is one that it holds."""
    instance = inner or holder
    for cls in instance.cls.lineage:
        summary = summary_of(cls, sites.summary.resolver)
        tied = {tie.left for tie in summary.ties if tie.condition == ""}
        for own in summary.all_parameters:
            if own.name not in tied:
                yield _own_part(holder, instance, summary, own)
        yield from _buffer_parts(holder, instance, summary, sites)
        for attribute in summary.everything:
            for found in place(attribute.node, _where(instance, attribute)):
                if isinstance(found, Instance) and found.cls.key != instance.cls.key:
                    yield from _parts(holder, sites, found)
                elif isinstance(found, Single):
                    for parameter in found.instance.layer.parameters:
                        part = _layer_part(holder, instance, summary, found, parameter)
                        if part.inner not in tied:
                            yield part


def _where(instance: Instance, attribute: Attribute) -> AccessPath:
    """Where an attribute of an instance is found; the line is that of the instance."""
    around = instance.where
    where = around.attribute(attribute.name)
    if attribute.present:
        return where
    return where.under(f'hasattr({around.target}, "{attribute.name}")')


def _own_part(
    holder: Instance, instance: Instance, summary: ClassSummary, own: OwnParameter
) -> PartSite:
    """A parameter that the class makes itself; sizes in its source mean nothing outside."""
    where = instance.where
    target = f"{where.target}.{own.name}"
    shape = _shape(summary, own)
    is_plain = shape is not None and all(size.isdecimal() for size in shape)
    return PartSite(
        holder,
        summary,
        where,
        Place(
            target=target,
            owner=where.target,
            shape=shape if is_plain else None,
            ndim=None if shape is None else len(shape),
            initial=f"{target}.detach()",
        ),
        path=subpath(where.path, own.name),
        inner=own.name,
        frozen=own.frozen is True or summary.is_frozen(own.name),
        maybe_frozen=summary.may_be_frozen(own.name),
        present=None if own.optional else True,
        declared=own.declared.action if own.declared else "",
    )


def _buffer_parts(
    holder: Instance, instance: Instance, summary: ClassSummary, sites: Sites
) -> Iterator[PartSite]:
    """Frozen parameters that have become buffers, where one instance has a declaration instead."""
    where = instance.where
    for name in sorted(summary.buffers - {own.name for own in summary.all_parameters}):
        path = subpath(where.path, name)
        if there := sites.present.get(path):
            target = f"{where.target}.{name}"
            draw = there.value.draw
            batch, events = (draw.batch, draw.events or "") if draw else (None, "")
            is_plain = isinstance(batch, tuple) and all(map(str.isdecimal, batch))
            place = Place(
                target=target,
                owner=where.target,
                shape=batch if isinstance(batch, tuple) and is_plain else None,
                ndim=int(events) if events.isdecimal() else None,
                initial=f"{target}.detach()",
            )
            yield PartSite(holder, summary, where, place, path, inner=name, frozen=True)


def _shape(summary: ClassSummary, own: OwnParameter) -> tuple[str, ...] | None:
    """The shape of a parameter: where it is made, or as the declaration in its place has it."""
    if own.declared is not None:
        noise = summary.declared(f"{own.name}{NOISE}")
        return (noise or own.declared).shape
    shapes = {made.shape for made in own.made}
    return shapes.pop() if len(shapes) == 1 else None


def _layer_part(
    holder: Instance,
    instance: Instance,
    summary: ClassSummary,
    single: Single,
    parameter: LayerParameter,
) -> PartSite:
    """A parameter of a layer; its shape is read off the layer, which keeps its sizes."""
    where, layer = single.where, single.instance.layer
    target = f"{where.target}.{parameter.name}"

    def read(expression: str) -> str:
        return qualify(expression, where.target, target)

    is_kept = layer.kind == "layer" and parameter.shape is not None
    path = subpath(where.path, parameter.name)
    inner = path.removeprefix(f"{instance.where.path}.")
    there = present_at_end(summary.constructor).get(inner)
    return PartSite(
        holder,
        summary,
        where,
        Place(
            target=target,
            owner=where.target,
            shape=tuple(map(read, parameter.shape or ())) if is_kept else None,
            ndim=parameter.ndim,
            fan_in=parameter.fan_in and read(parameter.fan_in),
            fan_out=parameter.fan_out and read(parameter.fan_out),
            initial=f"{target}.detach()",
        ),
        path=path,
        inner=inner,
        layer=parameter.layer,
        frozen=summary.is_frozen(inner),
        maybe_frozen=summary.may_be_frozen(inner),
        present=is_present(parameter, single.instance, summary, summary.constructor, inner),
        declared=there.value.action if there else "",
    )


def _declare(part: PartSite, sites: Sites) -> Iterator[Statement]:
    """The statements that declare a parameter of an instance, if a rule is about it."""
    if part.present is False:
        return
    line = part.where.line
    own = part.summary.by_hand.has(part.inner)
    instance = part.holder.where.path
    decision = sites.decide_instance(part.path, part.layer, instance, part.frozen, own)
    sites.report_single(decision, part.holder.where.path.partition(".*")[0], line)
    if there := sites.within.get(part.path):
        assert isinstance(there.value, Declared)
        yield from redeclare(sites, there, there.value, decision, part.place)
        return
    if decision.rule is None:
        if part.path in sites.present:
            yield from leave(sites, part.path, decision, part.layer)
        return
    if _is_impossible(part, decision, sites):
        return
    made = sites.declarations(decision.action, part.place, line)
    value, shape = made[-1].value if made else None, part.place.shape
    sites.record(part.path, decision, value, line, layer=part.layer, shape=shape)
    if made:
        sites.lent.append(InstanceSite(part.summary.cls.key, part.inner))
        yield from guarded(" and ".join(_tests(part, decision, sites)), made)


def _tests(part: PartSite, decision: Decision, sites: Sites) -> Iterator[str]:
    """What has to hold for a parameter of an instance to be declared."""
    if not part.present:
        yield _is_there(part, sites)
    if part.maybe_frozen and sites.asks_for_frozen(part.path, decision, maybe=True):
        target = part.place.target
        is_trained = f"{target}.requires_grad"
        if isinstance(_common(part, sites), Keep):
            yield is_trained
        else:  # its class has declared it by then, unless it was frozen
            is_declared = f"not {sites.is_parameter(target)} or {is_trained}"
            yield is_declared if part.present else f"({is_declared})"


def _common(part: PartSite, sites: Sites) -> Action:
    """What becomes of a parameter in all instances, by its class."""
    own = part.summary.by_hand.has(part.inner)
    module, cls = part.summary.cls.file.module, part.cls
    key = SiteKey(module, cls, part.inner, part.layer, part.frozen, own=own)
    return decide(sites.spec, key).action


def _is_there(part: PartSite, sites: Sites) -> str:
    """A test whether an instance has a parameter that its class makes under a condition."""
    if part.inner not in part.summary.buffers:
        return f"{part.place.target} is not None"
    return sites.is_parameter(part.place.target)


def _is_impossible(part: PartSite, decision: Decision, sites: Sites) -> bool:
    """Whether a rule asks for what the class has taken from its instances; it is said."""
    cls, target, action = part.cls, part.place.target, decision.action
    common = _common(part, sites)
    is_drawn = part.declared == "sample" or isinstance(common, Sample | Deterministic)
    if isinstance(action, Keep) and (part.declared or not isinstance(common, Keep)):
        wish, help = f"keeps {target}", f"keep {cls}.{part.inner}, and give the others a rule each"
    elif needs_first_value(action) and is_drawn:
        wish, help = f"starts {target} at its first value", "give `init:` a number"
    else:
        return False
    message = (
        f"{sites.rule_name(decision)} {wish}, but {cls} declares {part.inner} in every instance"
    )
    sites.report(part.where.line, 0, "PYR068", message, help)
    return True
