"""Loops over what only run time shows: one for each part treated apart, one for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from keyword import iskeyword

from pyroify.catalog.layers import LAYERS, Layer
from pyroify.index.facts import Argument
from pyroify.plan.placements import join
from pyroify.plan.sites import OTHER, Chain, Sites
from pyroify.plan.statements import block, each_parameter, guarded
from pyroify.plan.structure import is_opaque
from pyroify.plan.study import Attribute
from pyroify.spec.match import has_wildcard, tells_by_place
from pyroify.spec.model import Keep, Param

BELOW = join(OTHER, OTHER)
"""Stands for whatever is between a part and a parameter."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What becomes of parameters by name: in any layer, and in those that rules treat apart."""

    default: Chain
    apart: Mapping[Chain, list[Layer]]

    def chain(self, layer: str) -> Chain:
        """What becomes of the parameters of a layer."""
        names = {item.name: chain for chain, items in self.apart.items() for item in items}
        return names.get(layer, self.default)

    @property
    def chains(self) -> tuple[Chain, ...]:
        """What becomes of parameters, layer by layer."""
        return (self.default, *self.apart)


@dataclass(frozen=True, slots=True)
class Part:
    """Something below ``self`` whose structure is not visible, and that rules treat apart.

    ``optional``: it may be None.
    """

    path: str
    tables: Tables
    line: int
    optional: bool

    @property
    def source(self) -> str:
        """Source that reads it."""
        return source_of(self.path)

    @property
    def parameters(self) -> str:
        """Source of all its parameters."""
        found = f"{self.source}.parameters()"
        return f"{found} if {self.source} is not None else ()" if self.optional else found


def source_of(path: str) -> str:
    """Source that reads a path below ``self``: ``self.layers[0].weight``."""
    names = path.split(".")
    return "self" + "".join(f"[{name}]" if name.isdigit() else f".{name}" for name in names)


def tables_below(path: str, sites: Sites) -> Tables:
    """What the spec says of parameters somewhere below a path, by layer and name."""
    default = sites.chain(path)
    apart: dict[Chain, list[Layer]] = {}
    for layer in _mentioned_layers(sites):
        chain = sites.chain(path, layer.name)
        if chain != default:
            apart.setdefault(chain, []).append(layer)
    return Tables(default, apart)


def _mentioned_layers(sites: Sites) -> Iterator[Layer]:
    globs = [glob for rule in sites.spec.rules for glob in rule.layers]
    for name, layer in LAYERS.items():
        named = any(fnmatchcase(name, glob) for glob in globs)
        if named and layer.parameters and layer.kind != "lazy":
            yield layer


def find_parts(attributes: Sequence[Attribute], tables: Tables, sites: Sites) -> tuple[Part, ...]:
    """The parts that rules treat apart, each before what holds it; all that is unseen is noted."""
    parts: list[Part] = []
    for attribute in attributes:
        if not is_opaque(attribute.node) or not attribute.name:
            continue
        known = {"": tables}
        for path in (attribute.name, *_paths_below(attribute.name, sites)):
            around = known[max((above for above in known if path.startswith(above)), key=len)]
            known[f"{path}."] = below = tables_below(join(path, BELOW), sites)
            if path == attribute.name or below != around:
                _record(path, below, attribute.line, sites)
            if below != around:
                optional = path == attribute.name and _may_be_none(attribute, sites)
                parts.append(Part(path, below, attribute.line, optional))
    return tuple(sorted(parts, key=lambda part: -part.path.count(".")))


def note_unseen(tables: Tables, sites: Sites) -> None:
    """Note what the class makes and attaches out of sight, wherever that is below ``self``."""
    _record("", tables, sites.study.cls.cls.line, sites)


def report_places(attribute: Attribute, sites: Sites) -> None:
    """Rules that tell parameters apart by where they are, which the loops do not know."""
    if not is_opaque(attribute.node) or not attribute.name:
        return
    cls = sites.study.cls
    for rule in sites.spec.rules:
        if not tells_by_place(rule, cls.file.module, f"{cls.cls.qualname}.{attribute.name}"):
            continue
        last = rule.match.rpartition(".")[2]
        name = OTHER if last == "**" else last
        general = sites.consult(join(attribute.name, join(BELOW, name)))
        is_beaten = general.rule is not None and general.rule.index > rule.index
        if not is_beaten and general.action != rule.action:
            sites.report_place(rule, attribute.name, attribute.line)


def parameters_named(attribute: Attribute, sites: Sites) -> list[str]:
    """Paths of parameters below something that is not visible, as rules name them in full."""
    if not is_opaque(attribute.node) or not attribute.name:
        return []
    paths = _rules_below(attribute.name, sites)
    return list(dict.fromkeys(path for path in paths if not has_wildcard(path)))


def _paths_below(name: str, sites: Sites) -> list[str]:
    """Paths below an attribute that rules name in front of a wildcard, the shortest first."""
    found: dict[str, None] = {}
    for path in _rules_below(name, sites):
        start, wildcard, _ = path.partition(".**")
        if wildcard and start != name and not has_wildcard(start):
            found[start] = None
    return sorted(found, key=lambda path: path.count("."))


def _rules_below(name: str, sites: Sites) -> Iterator[str]:
    """What rules say behind the name of the class, where that is something below an attribute."""
    start = f"{sites.study.cls.cls.qualname}."
    for rule in sites.spec.rules:
        match = rule.match.rpartition(":")[2]
        if match.startswith(f"{start}{name}.") and all(map(_can_be_read, match.split("."))):
            yield match.removeprefix(start)


def _can_be_read(segment: str) -> bool:
    """Whether source can say it: anything else of a rule would become an expression of its own."""
    is_name = segment.isidentifier() and not iskeyword(segment)
    return is_name or segment.isdecimal() or has_wildcard(segment)


def _may_be_none(attribute: Attribute, sites: Sites) -> bool:
    """Whether it is an argument that is None by default."""
    constructor = sites.study.constructor
    defaults = dict(constructor.defaults) if constructor else {}
    return any(
        isinstance(item.value, Argument) and defaults.get(item.value.name) == "None"
        for item in attribute.assignments
    )


def _record(path: str, tables: Tables, line: int, sites: Sites) -> None:
    """Note what is below a path: each name that a rule mentions, and any other."""
    default = tables.default
    for name, action in (*default.mentioned, (OTHER, default.other)):
        decision = sites.decide(join(path, join(BELOW, name)))
        site = join(path, "**" if name == OTHER else f"**.{name}")
        sites.record(site, decision, sites.render_looped(action, line), line)


def declare_in_loops(
    parts: Sequence[Part], tables: Tables, kept: Sequence[str], sites: Sites, line: int
) -> Iterator[str]:
    """One loop for each part, then one over all modules, which leaves alone what is ``kept``."""
    waiting, begun = list(kept), False
    for part in parts:
        loop = _module_loop(part.source, part.tables, sites, part.line, begun or bool(waiting))
        if loop:
            yield from _remember(waiting, begun)
            waiting, begun = [], begun or bool(waiting)
            yield guarded(f"{part.source} is not None" if part.optional else "", [loop])
        if any(_leaves_some(chain) for chain in part.tables.chains):
            waiting.append(f"*map(id, {part.parameters})")
    if loop := _module_loop("self", tables, sites, line, begun or bool(waiting)):
        yield from _remember(waiting, begun)
        yield loop


def _leaves_some(chain: Chain) -> bool:
    """Whether parameters are left that a later loop would find, a PyroParam's own among them."""
    actions = (chain.other, *(action for _, action in chain.mentioned))
    return any(isinstance(action, Keep | Param) for action in actions)


def _remember(ids: Sequence[str], begun: bool) -> Iterator[str]:
    """The statement that adds to ``kept``."""
    if not ids:
        return
    items = f"{{{', '.join(ids)}}}" if len(ids) > 1 or ids[0][0] != "*" else ids[0][1:]
    if begun:
        yield f"kept.update({items})"
    else:
        yield f"kept = set({items})" if items[0] != "{" else f"kept = {items}"


def _module_loop(owner: str, tables: Tables, sites: Sites, line: int, skipping: bool) -> str:
    """The loop over all modules of one; ``skipping`` parameters whose ids are in ``kept``."""
    test = "value.requires_grad and id(value) not in kept" if skipping else "value.requires_grad"

    def declare(chain: Chain) -> list[str]:
        body = sites.assign_by_name(chain, "module", line)
        return [each_parameter("module", [block(f"if {test}:", body)])] if body else []

    kept = [item for chain, items in tables.apart.items() if chain.keeps_all for item in items]
    declared = {chain: items for chain, items in tables.apart.items() if not chain.keeps_all}
    arms: list[str] = []
    if kept:
        arms.append(_arm(kept, [], sites))
    arms.extend(_arm(layers, declare(chain), sites) for chain, layers in declared.items())
    otherwise = declare(tables.default)
    if not otherwise and not declared:
        return ""
    return block(f"for module in {owner}.modules():", [*arms, *otherwise])


def _arm(layers: Sequence[Layer], statements: Sequence[str], sites: Sites) -> str:
    """What is done with modules of some layers, and with those alone."""
    return block(f"if {sites.names.isinstance_test('module', layers)}:", [*statements, "continue"])
