"""Facts and decisions to declarations: what is written at the end of a method, or in place.

Where the structure of a class is visible, each layer is named and declared (*visible*). Where it
is not, the whole class is converted at run time, by a loop over what is there (*run time*).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyroify.code.names import FileNames
from pyroify.code.statements import Block, Declared, Statement, joined
from pyroify.decide.added import declare_added
from pyroify.decide.instances import declare_instances
from pyroify.decide.model import SitePlan
from pyroify.decide.own_parameters import OwnParameters
from pyroify.decide.redeclare import (
    leave_decorated,
    leave_unnamed,
    leave_unseen,
    leaves_all,
    report_by_hand,
    report_dropped,
)
from pyroify.decide.run_time import (
    CONVERTED,
    HANDED_IN,
    convert_plain,
    declare_at_run_time,
    name_children,
    note_past_returns,
)
from pyroify.decide.sites import InstanceSite, Redeclaration, Sites
from pyroify.decide.unreached import report_unreached
from pyroify.decide.visibility import (
    find_unseen,
    is_out_of_sight,
    moves_members,
    takes_containers,
)
from pyroify.decide.visible import declare_each, declare_layer, declare_visible
from pyroify.diagnostics import Finding
from pyroify.program.attributes.puts import instances_put_into, put_into_instances
from pyroify.program.placements import AccessPath, Parameters, Single
from pyroify.program.present import present_within
from pyroify.program.summary import ClassSummary, OwnParameter, summary_of
from pyroify.program.values import LayerInstance, is_opaque
from pyroify.spec.expressions import to_text
from pyroify.spec.match import SiteKey
from pyroify.spec.model import Latent, Spec
from pyroify.spec.render import Place, attributes_read
from pyroify.syntax.facts import Function


@dataclass(frozen=True, slots=True)
class MethodDeclarations:
    """What one method comes to declare.

    ``latents`` come before all else: a second run takes them for part of the class as it was.
    ``in_place`` has, by parameter, the declaration for each call that makes it, ``anew`` those for
    declarations that are there; ``buffers`` are frozen parameters that stay what they are.
    """

    latents: Block
    statements: Block
    in_place: Mapping[str, tuple[Declared, ...]]
    anew: tuple[Redeclaration, ...]
    buffers: tuple[OwnParameter, ...]
    sites: tuple[SitePlan, ...]
    keys: tuple[SiteKey, ...]
    findings: tuple[Finding, ...]
    lent: tuple[InstanceSite, ...]
    """Parameters of other classes that it declares, in single instances."""
    at_run_time: bool
    by_lambda: bool
    """Whether some prior is a lambda."""
    left: bool
    """No rule is about any of its sites: the declarations that are there stay."""


@dataclass(frozen=True, slots=True)
class Declarer:
    """Decides the sites of one class and writes their declarations."""

    summary: ClassSummary
    spec: Spec
    names: FileNames
    tied: frozenset[str] = frozenset()
    """Paths that read another parameter: they are declared with the tie."""

    def declare(self, method: Function | None, covered: tuple[Function, ...]) -> MethodDeclarations:
        """Declarations of everything the ``covered`` methods attach.

        ``method``, which ends in them, is None where the constructor is still to be written.
        """
        within = present_within(covered)
        sites = Sites(self.summary, self.spec, self.names, method, self.tied, within)
        own = OwnParameters(sites)
        attributes = self.summary.attributes(covered)
        is_late = False
        is_by_hand = self.summary.by_hand.is_throughout
        puts = tuple(put_into_instances(self.summary, covered, attributes))
        sites.put_into = instances_put_into(self.summary, attributes, puts)
        unseen = find_unseen(self.summary, covered, attributes)
        at_run_time = not is_by_hand and is_out_of_sight(self.summary, covered, attributes, unseen)
        sites.at_run_time = at_run_time
        if at_run_time:
            opaque = (item.name for item in attributes if is_opaque(item.node))
            foreign = set(filter(self.summary.is_foreign, opaque))
            if "" in foreign and not (unseen.layers or unseen.own or unseen.computed):
                foreign.add("**")  # nothing but what the container itself is given
            sites.foreign = frozenset(foreign)
        statements: list[Statement] = []
        latents: list[Statement] = []
        if method is self.summary.constructor:
            latents.extend(self._latents(sites))
            self._decorated(sites)
        for parameter in self.summary.parameters(covered):
            own.declare(parameter)
        statements.extend(own.statements)
        if method is self.summary.constructor and not at_run_time:
            statements.extend(self._inherited(sites))
        if at_run_time:
            past = note_past_returns(attributes, sites)
            there = [item for item in attributes if item not in past]
            statements.extend(declare_at_run_time(there, sites, unseen))
            statements.extend(name_children(covered, self.summary))
        else:
            takes = takes_containers(self.summary, covered)
            moves = moves_members(self.summary, covered)
            if is_late := not is_by_hand and (moves or takes):
                statements.append(CONVERTED if moves else HANDED_IN)
            seen = [item for item in attributes if not is_opaque(item.node)]  # others are by hand
            declared = tuple(declare_visible(seen, sites))
            if declared and not is_late:
                statements.extend(convert_plain(seen))
            statements.extend(declared)
            if is_late:
                statements.extend(name_children(covered, self.summary))
        if is_by_hand:
            leave_unnamed(attributes, sites)
        statements.extend(declare_instances(sites, attributes))
        if puts:
            statements.extend(declare_added(puts, sites))
        report_unreached(sites, attributes)
        statements.extend(leave_unseen(sites))
        report_by_hand(sites)
        left = leaves_all(sites)
        if not left:
            report_dropped(sites, [*latents, *statements])
        return MethodDeclarations(
            latents=tuple(latents),
            statements=joined(statements),
            in_place=own.in_place,
            anew=tuple(sites.anew),
            buffers=tuple(own.buffers),
            sites=tuple(sites.plans),
            keys=tuple(sites.keys),
            findings=tuple(sites.findings),
            lent=tuple(sites.lent),
            at_run_time=at_run_time or is_late,
            by_lambda=sites.by_lambda,
            left=left,
        )

    def _latents(self, sites: Sites) -> Iterator[Statement]:
        """New random attributes that the spec gives the class."""
        cls = self.summary.cls
        own = {parameter.name for parameter in self.summary.all_parameters}
        own |= {method.name for method in cls.cls.methods if method.declared}
        for latent in sorted(sites.latents, key=lambda latent: "." in latent.name):
            if latent.name in own:
                continue
            obstacle, help = self._obstacle(latent.name), "choose another name"
            if not obstacle and (missing := self._missing(latent, sites)):
                obstacle = f"has a size self.{missing}, which the class does not assign"
                help = "assign it in the class, or give a number"
            if obstacle:
                message = f"latent {latent.index + 1} ({cls.cls.name}.{latent.name}) {obstacle}"
                sites.report(cls.cls.line, cls.cls.column, "PYR151", message, help)
                continue
            target = f"self.{latent.name}"
            shape = tuple(to_text(size) for size in latent.shape)
            place = Place(target, target.rpartition(".")[0], shape)
            made = sites.declarations(latent.action, place, cls.cls.line, cls.cls.column)
            if made:
                sites.record_latent(latent, made[-1].value)
            yield from made

    def _missing(self, latent: Latent, sites: Sites) -> str:
        """An attribute that a size reads, and the class surely has not; empty if there is none."""
        others = {other.name for other in sites.latents}
        read = (path.partition(".")[0] for size in latent.shape for path in attributes_read(size))
        return next((n for n in read if n not in others and self.summary.surely_misses(n)), "")

    def _obstacle(self, name: str) -> str:
        """Why there cannot be a new attribute of this name, if it cannot."""
        first, dot, rest = name.partition(".")
        lineage = self.summary.cls.lineage
        summaries = [summary_of(item, self.summary.resolver) for item in lineage]
        held = {attribute.name for summary in summaries for attribute in summary.everything}
        if dot:
            return self._obstacle_below(first, rest, summaries)
        methods = [method for item in lineage for method in item.cls.methods]
        taken = held.union(item.path[0] for m in methods for item in m.assignments if item.path)
        if name in taken:
            return f"would replace the attribute {name}"
        return f"would replace the method {name}" if self.summary.cls.find_method(name) else ""

    @staticmethod
    def _obstacle_below(first: str, rest: str, summaries: Sequence[ClassSummary]) -> str:
        """Why what an attribute holds cannot have a new attribute, if it cannot."""
        nodes = [
            item.node for summary in summaries for item in summary.everything if item.name == first
        ]
        if not nodes:
            return f"goes through {first}, which holds no module"
        layers = [node.layer for node in nodes if isinstance(node, LayerInstance)]
        if any(rest in layer.names for layer in layers):
            return f"would replace {rest} of the layer"
        return ""

    def _decorated(self, sites: Sites) -> None:
        """Methods that are declarations themselves, which stay."""
        for method in self.summary.cls.cls.methods:
            if method.declared is not None:
                leave_decorated(sites, method, method.declared)

    def _inherited(self, sites: Sites) -> Iterator[Statement]:
        """Parameters of the layer of torch.nn that the class derives from."""
        base = self.summary.cls.library_base
        where = AccessPath("self", "", self.summary.cls.cls.line)
        if base is not None and base.kind == "recurrent":
            yield from declare_each(Parameters(where, base), sites)
        elif base is not None and base.kind == "layer":
            own = {parameter.name for parameter in self.summary.all_parameters}
            yield from declare_layer(Single(where, LayerInstance(base)), sites, skip=own)
