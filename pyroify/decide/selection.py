"""Which classes are converted: those with something random, and all that has to change with them.

Pure functions over a graph of classes; nothing here knows source, spec or findings. A plain module
between the root and a PyroModule would drop the prefix of its sites, so what holds a random class
is converted too; and a class that cannot be converted takes along what would be wrong without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

Key = tuple[str, str]
"""Path and qualified name of a class."""


class Reason(Enum):
    """Why a class is refused for another one's sake; ``{other}`` is the name of that."""

    BASE = "its base {other} is not converted"
    DECLARES = "it declares parameters of {other}, which is not converted"
    AROUND = "it puts layers into {other}, which is not converted"
    BESIDE = "{other}, which is not converted, shares a container with random layers"
    MEMBER = "its member {other} is not converted, and Pyro would not see it there"
    INHERITS = "{other} is not converted, and would inherit its priors"
    ADDS = "{other}, which is not converted, puts plain layers into its containers"
    TAKES_OVER = "{other}, which is not converted, takes over what it makes random"
    UNCONSTRUCTED = "{other} does not call its constructor, which a PyroModule cannot do without"
    METACLASS = "{other} is not converted, and its metaclass is at odds with PyroModule's"
    HOLDER = "{other}, which holds it, is not converted: its sites would lose their prefix"


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a class: the classes of its members, and whether layers in it are random."""

    members: tuple[Key, ...]
    has_random_layers: bool = False


@dataclass(frozen=True, slots=True)
class ClassNode:
    """What decides about one class. Keys are of classes of the project, bases nearest first."""

    is_random: bool = False
    """Something of what it declares is no plain parameter any more."""
    draws_own: bool = False
    """Some of that are parameters of itself."""
    is_declared: bool = False
    """It ends in declarations of an earlier run."""
    is_pyro: bool = False
    """It is a PyroModule already, be it by a base."""
    is_pyro_by_itself: bool = False
    """It is one by its own bases or declarations."""
    is_interface: bool = False
    """It is left as it is in any case: it says to TorchScript what others can do."""
    is_unknown: bool = False
    """Nothing is known of what it declares."""
    is_suppressed: bool = False
    """A comment of the user takes it out."""
    has_parameters: bool = True
    needs_metaclass: bool = False
    """With a base that is a PyroModule it would need a metaclass of both."""
    is_unconstructed: bool = False
    """It does not call the constructor of its base."""
    adds_to_inherited: bool = False
    """It puts layers into containers that its bases make."""
    bases: tuple[Key, ...] = ()
    holds: tuple[Key, ...] = ()
    handed: tuple[Key, ...] = ()
    """Classes of which it may be given instances by code that makes both."""
    holds_unknown: bool = False
    """It holds what something unknown makes: an instance of any class, for all that shows."""
    reached: tuple[Key, ...] = ()
    """Those that a run-time loop of its own comes upon."""
    declares: tuple[Key, ...] = ()
    """Classes of which it declares parameters, in single instances."""
    puts_into: tuple[Key, ...] = ()
    """Classes into instances of which it puts layers."""
    takes_over: frozenset[Key] = frozenset()
    """Bases of which it uses something random in a way that cannot be converted."""
    containers: tuple[Container, ...] = ()
    own_members: tuple[Key, ...] = ()
    """The classes of its members, where it is a container itself."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A class that is refused because of another."""

    key: Key
    reason: Reason
    other: Key


@dataclass(frozen=True)
class Graph:
    """The classes of a project, in the order in which they stand."""

    classes: Mapping[Key, ClassNode]

    @cached_property
    def subclasses(self) -> Mapping[Key, tuple[Key, ...]]:
        """The classes that derive from each, at any remove."""
        found: dict[Key, list[Key]] = {}
        for key, vertex in self.classes.items():
            for base in vertex.bases:
                found.setdefault(base, []).append(key)
        return {key: tuple(keys) for key, keys in found.items()}

    @cached_property
    def holders(self) -> Mapping[Key, tuple[tuple[Key, bool], ...]]:
        """What holds each class, or is handed it; and whether only one that derives from it."""
        found: dict[Key, dict[Key, bool]] = {}
        for key, vertex in self.classes.items():
            for held in (*vertex.holds, *vertex.handed):
                found.setdefault(held, {})[key] = False
                for base in self.classes[held].bases if held in self.classes else ():
                    found.setdefault(base, {}).setdefault(key, True)
        return {key: tuple(holders.items()) for key, holders in found.items()}


def company(graph: Graph, seeds: Set[Key], refused: Set[Key] = frozenset()) -> frozenset[Key]:
    """The ``seeds`` with all that hold them, derive from them, or stand beside them.

    None is there for the sake of one that is refused, unless that draws what a base of it declares.
    """
    classes = {
        key: vertex
        for key, vertex in graph.classes.items()
        if not vertex.is_interface and key not in refused
    }
    wanted = set(seeds) & classes.keys()
    while True:
        before = len(wanted)
        for key, vertex in classes.items():
            around = (*vertex.holds, *vertex.reached)
            held = [other for other in around if other in classes]
            bases = [base for base in vertex.bases if base in classes]
            drawing = (graph.classes[other].bases for other in around if other in refused)
            drawn = any(map(wanted.intersection, drawing))
            unknown = vertex.holds_unknown and bool(wanted)
            if key in wanted:
                wanted.update(bases)
                wanted.update(other for other in held if classes[other].has_parameters)
            elif drawn or unknown or wanted.intersection(held) or wanted.intersection(bases):
                wanted.add(key)
        if len(wanted) == before:
            return frozenset(wanted)


def needed(graph: Graph, refused: Set[Key]) -> frozenset[Key]:
    """The classes that change for the sake of one that is random, and not refused."""
    random = {key for key, v in graph.classes.items() if v.is_random or v.is_declared}
    return company(graph, random - refused, refused)


def spread(graph: Graph, wanted: Set[Key], refused: Set[Key]) -> tuple[Refusal, ...]:
    """The classes that cannot be converted as others are not, with the first reason of each."""
    state = _State(graph, wanted, set(refused))
    found: list[Refusal] = []
    changed = True
    while changed:
        changed = False
        for key in graph.classes:
            refusal = next(state.reasons(key), None) if state.converts(key) else None
            if refusal is not None:
                found.append(refusal)
                state.refused.add(key)
                changed = True
    idle = _idle(graph, state.refused, {refusal.key for refusal in found})
    return tuple(
        replace(refusal, other=_cause(graph, refusal, state.refused - idle))
        for refusal in found
        if refusal.key not in idle
    )


def _cause(graph: Graph, refusal: Refusal, refused: Set[Key]) -> Key:
    """The class that another one is refused for: a base that is refused itself."""
    bases = graph.classes[refusal.key].bases if refusal.reason is Reason.BASE else ()
    return next((base for base in bases if base in refused), refusal.other)


def _idle(graph: Graph, refused: Set[Key], others: Set[Key]) -> frozenset[Key]:
    """Of what is refused for the sake of ``others``, the classes that ask for nothing by now.

    They were to change for one that is refused too: an abstract base, and what derives from it.
    """
    idle = frozenset(others - _asking(graph)) if others else frozenset()
    while idle and (still := idle & needed(graph, refused - idle)):
        idle -= still
    return idle


def _asking(graph: Graph) -> frozenset[Key]:
    """The classes with something that is random, or may be: of their own, inherited or held."""
    asking = {
        key
        for key, vertex in graph.classes.items()
        if vertex.is_random or vertex.is_declared or vertex.is_unknown
    }
    while True:
        before = len(asking)
        for key, vertex in graph.classes.items():
            parts = (*vertex.bases, *vertex.holds, *vertex.handed, *vertex.reached)
            if (vertex.holds_unknown and asking) or asking.intersection(parts):
                asking.add(key)
        if len(asking) == before:
            return frozenset(asking)


@dataclass(frozen=True)
class _State:
    """What is refused so far."""

    graph: Graph
    wanted: Set[Key]
    refused: set[Key]
    _needed: dict[int, frozenset[Key]] = field(default_factory=dict)
    """What is needed, by how many are refused: they only become more."""

    @property
    def needed(self) -> frozenset[Key]:
        """What still changes for the sake of a random class."""
        if len(self.refused) not in self._needed:
            self._needed[len(self.refused)] = needed(self.graph, self.refused)
        return self._needed[len(self.refused)]

    def converts(self, key: Key) -> bool:
        return key in self.wanted and key not in self.refused

    def is_plain(self, key: Key) -> bool:
        """Whether a class is refused, and no base makes a PyroModule of it."""
        if key not in self.refused:
            return False
        bases = [base for base in self.graph.classes[key].bases if self.converts(base)]
        return not bases or self.needed.isdisjoint(bases)

    def reasons(self, key: Key) -> Iterator[Refusal]:
        """Why a class is not to be converted, the nearest reason first."""
        yield from (Refusal(key, reason, other) for reason, other in self._others(key))

    def _others(self, key: Key) -> Iterator[tuple[Reason, Key]]:
        vertex = self.graph.classes[key]
        yield from ((Reason.BASE, base) for base in vertex.bases if base in self.refused)
        yield from ((Reason.DECLARES, part) for part in vertex.declares if part in self.refused)
        if vertex.is_random:
            yield from ((Reason.AROUND, part) for part in vertex.puts_into if part in self.refused)
        yield from self._in_containers(key, vertex)
        for sub in self.graph.subclasses.get(key, ()):
            yield from self._of_subclass(key, vertex, sub)
        if not vertex.is_pyro_by_itself:
            for holder, by_subclass in self.graph.holders.get(key, ()):
                if holder in self.refused and (vertex.is_random or not by_subclass):
                    yield Reason.HOLDER, holder

    def _in_containers(self, key: Key, vertex: ClassNode) -> Iterator[tuple[Reason, Key]]:
        for container in vertex.containers:
            is_random = container.has_random_layers or any(map(self.converts, container.members))
            for member in container.members if is_random else ():
                if self.is_plain(member):
                    yield Reason.BESIDE, member
        members = [member for member in vertex.own_members if self.is_plain(member)]
        if members and key in self.needed:
            yield Reason.MEMBER, members[0]

    def _of_subclass(self, key: Key, vertex: ClassNode, sub: Key) -> Iterator[tuple[Reason, Key]]:
        other = self.graph.classes[sub]
        if vertex.draws_own and sub in self.refused and not other.is_suppressed:
            yield Reason.INHERITS, sub
        if vertex.is_random and not self.converts(sub) and other.adds_to_inherited:
            yield Reason.ADDS, sub
        if vertex.is_random and sub in self.refused and key in other.takes_over:
            yield Reason.TAKES_OVER, sub
        if not self.converts(sub) and not vertex.is_pyro:
            if other.is_unconstructed:
                yield Reason.UNCONSTRUCTED, sub
            if other.needs_metaclass:
                yield Reason.METACLASS, sub
