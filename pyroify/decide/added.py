"""Parameters that a class puts into an instance of another class: ``self.stem.extra = ...``.

The other class does not know them, and has declared its own by then: the holder declares these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyroify.code.statements import guarded
from pyroify.decide.sites import Lent, Sites, measured
from pyroify.program.study import Attribute, Study, always_assigned, parameters_in
from pyroify.program.values import Own
from pyroify.syntax.facts import ATTACHING, Assignment
from pyroify.syntax.values import NOTHING, options_of

Added = tuple[Assignment, tuple[Own, ...]]
"""What is assigned, and what its owner may be."""


def added_to_instances(study: Study, attributes: Sequence[Attribute]) -> Iterator[Added]:
    """Where parameters are put into what is seen to be an instance that declares its own."""
    for attribute in attributes:
        nodes = [node for node in options_of(attribute.node) if node != NOTHING]
        own = tuple(node for node in nodes if isinstance(node, Own))
        if len(own) < len(nodes) or not all(_declares(study, node) for node in own):
            continue
        names = frozenset[str]().union(*(_names_of(study, node) for node in own))
        for item in study.attached_as(attribute.name):
            is_new = len(item.path) == 2 and item.how in ATTACHING and item.path[1] not in names
            if is_new and parameters_in(item.value):
                yield item, own


def _declares(study: Study, node: Own) -> bool:
    """Whether a class has parameters, and so becomes a PyroModule together with its holder."""
    return Study(node.cls, study.resolver, ()).has_parameters


def _names_of(study: Study, node: Own) -> frozenset[str]:
    """What a class attaches itself, or a base of it."""
    lineage = Study(node.cls, study.resolver, ()).lineage
    return frozenset[str]().union(*(inner.names_attached for inner in lineage))


def declare_added(attributes: Sequence[Attribute], sites: Sites) -> Iterator[str]:
    """Declarations of the parameters that are put into instances, by name, the last of each."""
    found = {item.path: (item, own) for item, own in added_to_instances(sites.study, attributes)}
    for item, own in found.values():
        yield from _declare(item, own, sites)


def _declare(item: Assignment, own: Sequence[Own], sites: Sites) -> Iterator[str]:
    path = ".".join(item.path)
    states = {made.frozen for made in parameters_in(item.value)}
    decision = sites.decide(path, line=item.line, frozen=states == {True})
    owner = f"self.{item.path[0]}"
    place = measured(f"self.{path}", owner, sites.names.local("torch"))
    pairs = sites.pairs(decision.action, place, item.line, item.column)
    sites.record(path, decision, pairs[-1][1] if pairs else "", item.line, item.column)
    if not pairs:
        return
    sites.lent += [Lent(node.cls.key, item.path[1]) for node in own]
    there = f'getattr({owner}, "{item.path[1]}", None)'
    tests = [] if always_assigned([item]) else [sites.is_parameter(there)]
    if sites.asks_for_frozen(path, decision, maybe=states != {False}):
        tests.append(f"self.{path}.requires_grad")
    yield guarded(" and ".join(tests), [f"{name} = {source}" for name, source in pairs])
