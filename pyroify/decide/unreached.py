"""Rules for one instance of a class of the project that no declaration carries out: it is said.

What is declared where an instance is built has to name it. Where only run time shows the instance,
or what it is made of, all that its class has decided stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pyroify.decide.loops import spelled_names
from pyroify.decide.sites import OTHER, Sites
from pyroify.decide.visibility import hides_parts
from pyroify.decide.visible import named_in
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.placements import AccessPath, Instance, Single, place, subpath
from pyroify.program.summary import Attribute, ClassSummary, summary_of
from pyroify.program.values import classes_in, is_opaque
from pyroify.spec.match import SiteKey, decide, has_wildcard, spells_out
from pyroify.spec.model import Rule
from pyroify.syntax.traits import BEYOND_LAYERS
from pyroify.syntax.values import Argument, Name, walk

WILDCARD = re.compile(r"\*+|\?|\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class _Part:
    """An instance of a class below another one, as far as rules spell out the way to it.

    ``placed``: the source can name it. ``whole`` is the way to the instance that it is a part of.
    """

    path: str
    cls: ModuleClass
    placed: bool
    whole: str
    around: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Site:
    """A parameter that only its class declares; ``path`` is its name below that."""

    summary: ClassSummary
    path: str
    layer: str = ""


@needs(BEYOND_LAYERS, nothing=None)
def report_unreached(sites: Sites, attributes: Sequence[Attribute]) -> None:
    """Report the rules for instances in these attributes that are not carried out."""
    for attribute in attributes:
        told: set[Rule] = set()
        for part in _parts_in(attribute, sites.summary, None, sites):
            for site in _left_to_class(part, sites):
                for rule in _not_followed(part, site, sites):
                    if rule not in told:
                        told.add(rule)
                        name = site.summary.cls.cls.qualname
                        sites.report_instance(rule, part.path, name, site.path, attribute.line)


def _parts_in(
    attribute: Attribute, summary: ClassSummary, holder: _Part | None, sites: Sites
) -> Iterator[_Part]:
    """The instances in an attribute of a class, and what they are made of in turn."""
    name = subpath(holder.path, attribute.name) if holder else attribute.name
    around = holder.around | {holder.cls.key} if holder else frozenset()
    where = AccessPath("", name, attribute.line)
    placed = [item for item in place(attribute.node, where) if isinstance(item, Instance)]
    found = {(item.where.path, item.cls.key): (item.cls, True) for item in placed}
    shown = {item.cls.key for item in placed}
    keyless = {item.cls.key for item in placed if has_wildcard(item.where.path)}
    for cls in _hidden(attribute, summary):
        below = _below(name, sites) if cls.key not in shown - keyless else ()
        if cls.key in shown:  # a number is said of the container
            below = (path for path in below if not path.rpartition(".")[2].isdecimal())
        found = {(path, cls.key): (cls, False) for path in below} | found
    for (path, key), (cls, is_placed) in found.items():
        is_itself = holder is not None and path == holder.path and key in around
        if is_itself or not _is_spelled(path, sites):
            continue
        is_reached = is_placed and (holder is None or holder.placed)
        part = _Part(path, cls, is_reached, holder.whole if holder else path, around)
        yield part
        for base in cls.lineage:
            inner = summary_of(base, sites.summary.resolver)
            for found_in in inner.everything:
                yield from _parts_in(found_in, inner, part, sites)


def _hidden(attribute: Attribute, summary: ClassSummary) -> Iterator[ModuleClass]:
    """The classes that may be in an attribute where no source names the instance."""
    index, path = summary.resolver.index, summary.cls.file.path
    yield from classes_in(attribute.node)
    if not is_opaque(attribute.node):
        return
    defaults = {n: text for m in summary.cls.cls.methods for n, text in m.defaults}
    for item in (found for made in attribute.assignments for found in walk(made.value)):
        if isinstance(item, Argument):
            yield from summary.resolver.handed_over.get(summary.cls.key, ())
        elif isinstance(item, Name):
            yield from summary.resolver.registered_in(item.dotted, summary.cls.file.path)
        default = defaults.get(item.name, "") if isinstance(item, Argument) else ""
        dotted = summary.dotted(default) if default else ""
        dotted = item.dotted if isinstance(item, Name) else dotted
        if dotted and (cls := index.resolve(dotted, path).module_class):
            yield cls


def _is_spelled(path: str, sites: Sites) -> bool:
    """Whether a rule spells out the way to something and says more."""
    cls = sites.summary.cls
    name = f"{cls.cls.qualname}.{path}"
    return any(spells_out(rule, cls.file.module, name) for rule in sites.spec.rules)


def _below(name: str, sites: Sites) -> Iterator[str]:
    """All that rules spell out at or below an attribute, where that is out of sight."""
    cls = sites.summary.cls
    names = tuple(spelled_names(sites)) if name in ("", "*") else (name,)
    paths: dict[str, None] = {}
    for start in names:
        for rule in sites.spec.rules:
            if spells_out(rule, cls.file.module, f"{cls.cls.qualname}.{start}"):
                segments = _segments(rule.match, sites)
                lengths = range(start.count(".") + 1, len(segments))
                paths.update(dict.fromkeys(".".join(segments[:length]) for length in lengths))
    return (path for path in paths if not has_wildcard(path))


def _segments(match: str, sites: Sites) -> list[str]:
    """What a pattern says behind the name of the class."""
    pattern = match.rpartition(":")[2]
    return pattern.removeprefix(f"{sites.summary.cls.cls.qualname}.").split(".")


def _left_to_class(part: _Part, sites: Sites) -> Iterator[_Site]:
    """The parameters of an instance that are declared in all instances of its class alike."""
    named: set[str] = set()
    for cls in part.cls.lineage:
        summary = summary_of(cls, sites.summary.resolver)
        inside = replace(sites, summary=summary, method=summary.constructor)
        found = [(own.name, "", True) for own in summary.all_parameters]
        if base := cls.library_base:
            found += [(p.name, p.layer, False) for p in base.parameters if p.name not in named]
        for attribute in summary.everything:
            for item in place(attribute.node, AccessPath("", attribute.name, attribute.line)):
                if not isinstance(item, Instance):
                    is_one = isinstance(item, Single)
                    names = named_in(item, inside)
                    found += [(path, p.layer if p else "", is_one) for path, p in names]
        named.update(path for path, _, _ in found)
        for path, layer, is_one in found:
            if not (part.placed and is_one):
                yield _Site(summary, path, layer)
        if hides_parts(summary):
            unseen = (path for path in _inner(part.path, sites) if path not in named)
            yield from (_Site(summary, path) for path in unseen)


def _inner(path: str, sites: Sites) -> Iterator[str]:
    """What rules say of something below a path, with a name that stands for any in wildcards."""
    cls = sites.summary.cls
    for rule in sites.spec.rules:
        if spells_out(rule, cls.file.module, f"{cls.cls.qualname}.{path}"):
            *around, name = _segments(rule.match, sites)[path.count(".") + 1 :]
            endings = _endings(sites) if name == "**" else ()
            for ending in (name, *endings):
                yield WILDCARD.sub(OTHER, ".".join([*around, ending]))


def _endings(sites: Sites) -> Iterator[str]:
    """The names of parameters that rules may tell from others."""
    names = (rule.match.rpartition(":")[2].rpartition(".")[2] for rule in sites.spec.rules)
    return (name for name in names if name.strip("*"))


def _not_followed(part: _Part, site: _Site, sites: Sites) -> Iterator[Rule]:
    """The rules for a parameter of one instance of which its class says otherwise.

    What cannot be random is about the declarations of a class, and of none that it holds.
    """
    cls, owner, summary = sites.summary.cls, site.summary.cls, site.summary
    frozen, own = summary.is_frozen(site.path), summary.by_hand.has(site.path)
    path, layer = subpath(part.path, site.path), site.layer
    key = SiteKey(cls.file.module, cls.cls.qualname, path, layer, frozen, part.whole, own)
    decision = decide(sites.spec, key)
    rules = (*decision.partial, *([decision.rule] if decision.rule else []))
    if rules:
        sites.keys.append(key)
    key = SiteKey(owner.file.module, owner.cls.qualname, site.path, layer, frozen, own=own)
    common = decide(sites.spec, key).action
    return (rule for rule in rules if rule.action != common and not rule.barred)
