"""What the checks know of the whole project: its classes and what becomes of their parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from pyroify.decide.wrappings import Wrapping, find_wrappings
from pyroify.dispatch import Trait
from pyroify.program.index import Index, ModuleClass
from pyroify.program.points_to import Pointers
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.program.values import classes_in, down
from pyroify.spec.model import Spec
from pyroify.syntax.values import Path

Key = tuple[str, str]
"""A class: the path of its file and its qualified name."""
DeclaredSite = tuple[ModuleClass, str]
"""A parameter, with the class that declares it."""


@dataclass(frozen=True, slots=True)
class ClassSites:
    """Parameters of one class by what becomes of them, as dotted paths (``layers.*.weight``).

    ``own`` are random ones that the user has declared, ``tied`` other names of random ones, and
    ``same`` those of what stays a parameter.
    ``by_lambda``: a prior is a lambda, which cannot be pickled.
    """

    random: frozenset[str] = frozenset()
    constrained: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    by_lambda: bool = False
    own: frozenset[str] = frozenset()
    tied: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()

    @property
    def declared(self) -> frozenset[str]:
        """Those that are no plain parameters any more."""
        return self.random | self.constrained | self.tied


NO_SITES = ClassSites()
Chosen = Callable[[ClassSites], frozenset[str]]


def random(sites: ClassSites) -> frozenset[str]:
    """The random ones."""
    return sites.random


def own(sites: ClassSites) -> frozenset[str]:
    """The random ones that the user has declared."""
    return sites.own


def kept(sites: ClassSites) -> frozenset[str]:
    """Those that stay parameters."""
    return sites.kept


def declared(sites: ClassSites) -> frozenset[str]:
    """The random and the constrained ones."""
    return sites.declared


@dataclass(frozen=True)
class Candidates:
    """The summaries and sites of all classes that are to be converted."""

    index: Index
    spec: Spec
    summaries: Mapping[Key, ClassSummary]
    sites: Mapping[Key, ClassSites]
    at_run_time: frozenset[Key] = frozenset()
    """Classes of which a loop over what is there converts the layers."""
    _reached: dict[Key, tuple[ModuleClass, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _below: dict[Key, tuple[DeclaredSite, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def traits(self) -> frozenset[Trait]:
        """What there is in the project."""
        return self.index.traits

    @cached_property
    def pointers(self) -> Pointers:
        """What the values of all code may be instances of."""
        return Pointers(self.index)

    @cached_property
    def wrapped(self) -> Mapping[Key, tuple[Wrapping, ...]]:
        """Where other code has parameters of instances of a class computed."""
        return find_wrappings(self.index, self.pointers, self._reached_from)

    @property
    def outside(self) -> Resolver:
        """What follows the values of scripts: what they build is not what the plan wraps."""
        return self.pointers.resolver

    @cached_property
    def anew(self) -> Candidates:
        """The project as if nothing had been random before."""
        made = {key: replace(s, random=s.random - s.own) for key, s in self.sites.items()}
        return replace(self, sites=made)

    def with_random_in(self, classes: Collection[Key]) -> Candidates:
        """The project as if parameters of these classes alone were random."""
        made = {
            key: sites if key in classes else replace(sites, random=frozenset())
            for key, sites in self.sites.items()
        }
        return replace(self, sites=made)

    def of(self, cls: ModuleClass) -> ClassSites:
        """The sites a class declares itself."""
        return self.sites.get(cls.key, NO_SITES)

    def draws(self, cls: ModuleClass) -> bool:
        """Whether a call of a class reads random parameters."""
        return self.has(cls, random)

    def has(self, cls: ModuleClass, chosen: Chosen) -> bool:
        """Whether a class has such sites, its own or those of what it holds, directly or not."""
        return any(chosen(self.of(item)) for item in self._reached_from(cls))

    def _reached_from(self, cls: ModuleClass) -> tuple[ModuleClass, ...]:
        """A class and its bases, with all that they hold, directly or not."""
        if cls.key not in self._reached:
            found: dict[Key, ModuleClass] = {}
            pending = [cls]
            while pending:
                for item in pending.pop().lineage:
                    if item.key not in found:
                        found[item.key] = item
                        summary = self.summaries.get(item.key)
                        pending += summary.held if summary else ()
            self._reached[cls.key] = tuple(found.values())
        return self._reached[cls.key]

    def leads_to(self, cls: ModuleClass, path: Path, chosen: Chosen, depth: int = 0) -> bool:
        """Whether a path below an instance of a class is, or leads to, one of these sites."""
        if not path or depth > 10:
            return False
        if any(matches(site, path) for item in cls.lineage for site in chosen(self.of(item))):
            return True
        return self.leads_below(cls, path, chosen, depth)

    def leads_below(self, cls: ModuleClass, path: Path, chosen: Chosen, depth: int = 0) -> bool:
        """The same, for sites that a class of the project below it declares."""
        return any(
            self.leads_to(held, rest[start:], chosen, depth + 1)
            for held, rest in self._parts_at(cls, path)
            for start in range(len(rest))
        )

    def sites_at(self, cls: ModuleClass, path: Path) -> Iterator[DeclaredSite]:
        """The declared parameters that a path below an instance of a class is, or holds.

        Where only run time shows them they end in ``**``.
        """
        yield from self._sites_at(cls, path, 0)

    def _sites_at(self, cls: ModuleClass, path: Path, depth: int) -> Iterator[DeclaredSite]:
        if not path:
            yield from self._sites_below(cls)
            return
        is_seen = False
        for item in cls.lineage:
            found = [site for site in sorted(self.of(item).declared) if _leads_to(path, site)]
            seen = [site for site in found if "**" not in site]
            is_seen = is_seen or bool(seen)
            yield from ((item, site) for site in seen)
            if found and not seen:
                yield item, ".".join((*path, "**"))
        if depth > 10:
            return
        for inner, rest in self._parts_at(cls, path):
            for start in range(len(rest) + (not is_seen)):
                further = list(self._sites_at(inner, rest[start:], depth + 1))
                yield from further
                if further:
                    break  # a shorter rest of the path would be that of anything in it

    def _sites_below(self, cls: ModuleClass) -> tuple[DeclaredSite, ...]:
        """All declared parameters of a class and of what it holds, each once."""
        if cls.key not in self._below:
            found: dict[DeclaredSite, None] = {}
            seen: set[Key] = set()
            pending = [cls]
            while pending:
                inner = pending.pop()
                if inner.key not in seen:
                    seen.add(inner.key)
                    found.update(dict.fromkeys(self._sites_of(inner)))
                    pending += reversed([*self._held(inner)])
            self._below[cls.key] = tuple(found)
        return self._below[cls.key]

    def _sites_of(self, cls: ModuleClass) -> Iterator[DeclaredSite]:
        for item in cls.lineage:
            found = sorted(self.of(item).declared)
            seen = [site for site in found if "**" not in site]
            yield from ((item, site) for site in seen or ["**"] * bool(found))

    def classes_at(self, cls: ModuleClass, name: str) -> Iterator[ModuleClass]:
        """Classes of the project that an attribute holds."""
        yield from (part for part, _ in self._parts_at(cls, (name,)))

    def _parts_at(self, cls: ModuleClass, path: Path) -> Iterator[tuple[ModuleClass, Path]]:
        """Classes of the project that hold, or are, what is at a path, with the rest of it."""
        for item in cls.lineage:
            summary = self.summaries.get(item.key)
            for attribute in summary.everything if summary else ():
                if attribute.name == path[0]:
                    node, rest = down(attribute.node, path[1:])
                    yield from ((part, rest) for part in classes_in(node))

    @cached_property
    def handed_about(self) -> frozenset[Key]:
        """Classes with random parameters that no other class is seen to hold."""
        held = {cls.key for summary in self.summaries.values() for cls in summary.held}
        return frozenset(
            key for key, sites in self.sites.items() if sites.random and key not in held
        )

    def _held(self, cls: ModuleClass) -> Iterator[ModuleClass]:
        for item in cls.lineage:
            summary = self.summaries.get(item.key)
            yield from summary.held if summary else ()


def _leads_to(path: Path, site: str) -> bool:
    """Whether a path is a site, or that of something above it."""
    above = ".".join(site.split(".")[: len(path)])
    return matches(site, path) or matches(above, path)


def matches(site: str, path: Path) -> bool:
    """Whether a path names a site. ``*`` stands for any one name, on either side.

    Below a site that ends in ``**`` nothing is known but that weights and biases are called so.
    """
    names = tuple(site.split("."))
    if "**" in names:
        cut = names.index("**")
        last = names[cut + 1 :] or ("weight", "bias")
        return path[:cut] == names[:cut] and len(path) > cut and path[-1] in ("*", *last)
    return len(names) == len(path) and all(
        "*" in (wanted, given) or wanted == given for wanted, given in zip(names, path, strict=True)
    )
