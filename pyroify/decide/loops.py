"""The loop over what only run time shows, with an arm for each part that rules treat apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from keyword import iskeyword

from pyroify.catalog.layers import LAYERS, Layer, names_parameter
from pyroify.code import statements as code
from pyroify.code.computed import weight_function
from pyroify.decide.replaceable import becomes_buffer
from pyroify.decide.sites import OTHER, ActionsByName, Sites
from pyroify.program.placements import (
    AccessPath,
    Parameters,
    Placement,
    Search,
    Single,
    place,
    subpath,
)
from pyroify.program.summary import Attribute, ClassSummary
from pyroify.program.values import ClassInstance, is_opaque
from pyroify.spec.match import fits_right_below, has_wildcard, path_below, tells_by_place
from pyroify.spec.model import Keep, Rule
from pyroify.syntax.values import Parameter

REASON = "# Which layers these are, only run time shows."
REASON_OF_NAMES = "# Which parameters these are, only run time shows."

BELOW = subpath(OTHER, OTHER)
"""Stands for whatever is between a part and a parameter."""


@dataclass(frozen=True, slots=True)
class LoopActions:
    """What becomes of parameters by name: in any layer, and in those that rules treat apart."""

    default: ActionsByName
    apart: Mapping[ActionsByName, list[Layer]]

    def chain(self, layer: str) -> ActionsByName:
        """What becomes of the parameters of a layer."""
        names = {item.name: chain for chain, items in self.apart.items() for item in items}
        return names.get(layer, self.default)

    @property
    def chains(self) -> tuple[ActionsByName, ...]:
        """What becomes of parameters, layer by layer."""
        return (self.default, *self.apart)


@dataclass(frozen=True, slots=True)
class LoopedPart:
    """Something below ``self`` that rules treat apart; ``alone``: and nothing below that."""

    path: str
    tables: LoopActions
    alone: bool = False

    @property
    def test(self) -> code.PathIs:
        """The test of a path in the loop."""
        return code.PathIs(self.path, below=bool(self.path) and not self.alone)


def tables_below(path: str, sites: Sites) -> LoopActions:
    """What the spec says of parameters somewhere below a path, by layer and name."""
    default = sites.chain(path)
    apart: dict[ActionsByName, list[Layer]] = {}
    for layer in _mentioned_layers(sites):
        chain = sites.chain(path, layer.name)
        if chain != default:
            apart.setdefault(chain, []).append(layer)
    return LoopActions(default, apart)


def _mentioned_layers(sites: Sites) -> Iterator[Layer]:
    globs = [glob for rule in sites.spec.rules for glob in rule.layers]
    for name, layer in LAYERS.items():
        named = any(fnmatchcase(name, glob) for glob in globs)
        if named and layer.parameters and layer.kind != "lazy":
            yield layer


def find_parts(
    attributes: Sequence[Attribute], tables: LoopActions, sites: Sites, moved: Collection[str] = ()
) -> tuple[LoopedPart, ...]:
    """The parts that rules treat apart, each before what holds it; all that is unseen is noted.

    Of what has ``moved``, only what has a name of its own is known by that.
    """
    parts: list[LoopedPart] = []
    for attribute in attributes:
        if attribute.name in moved and not is_opaque(attribute.node):
            parts.extend(_named_parts(attribute, tables, sites))
        if not is_opaque(attribute.node):
            parts.extend(_searched_parts(attribute, tables, sites))
        if is_opaque(attribute.node) and attribute.name not in ("", "*"):
            where = AccessPath.of(attribute.name, attribute.line)
            seen = [item for item in place(attribute.node, where) if isinstance(item, Single)]
            paths = [single.where.path for single in seen]
            parts.extend(_parts_below(attribute.name, tables, sites, attribute.line, paths))
    return _innermost_first(parts)


def find_hidden_parts(tables: LoopActions, sites: Sites) -> tuple[LoopedPart, ...]:
    """The parts that rules spell out, under names that the source does not show."""
    line, shown = sites.summary.cls.cls.line, _names_shown(sites.summary)
    frozen = [path.split(".") for path in sites.summary.frozen_outside]
    hidden = (first for first, *rest in frozen if rest and first not in shown)
    return _innermost_first(
        part
        for name in dict.fromkeys((*spelled_names(sites), *hidden))
        for part in _parts_below(name, tables, sites, line)
    )


def spelled_names(sites: Sites) -> Iterator[str]:
    """What rules name right below the class where its source shows no parameters of that name."""
    cls = sites.summary.cls
    found: dict[str, None] = {}
    for rule in sites.spec.rules:
        path = path_below(rule, cls.file.module, cls.cls.qualname)
        if path and not _is_shown(path, sites.summary):
            found[path[0]] = None
    yield from found


def _is_shown(path: Sequence[str], summary: ClassSummary) -> bool:
    """Whether the source shows parameters at or below a path, of which rules name the start."""
    name, *rest = path
    if any(name == own.name for one in summary.lineage for own in one.all_parameters):
        return True
    everything = [attribute for one in summary.lineage for attribute in one.everything]
    held = [item.node for item in everything if item.name.partition(".")[0] == name]
    if any(map(has_wildcard, rest)) or not all(isinstance(node, ClassInstance) for node in held):
        return bool(held)
    return any(summary.owners_of(tuple(path)))


def _names_shown(summary: ClassSummary) -> set[str]:
    """Names under which a class, or a base, is seen to hold something with parameters."""
    return {name.partition(".")[0] for one in summary.lineage for name in one.names_attached}


def _innermost_first(parts: Iterable[LoopedPart]) -> tuple[LoopedPart, ...]:
    return tuple(sorted(parts, key=lambda part: (not part.alone, -part.path.count("."))))


def _parts_below(
    name: str, tables: LoopActions, sites: Sites, line: int, seen: Sequence[str] = ()
) -> Iterator[LoopedPart]:
    """The parts of something that is not visible; the layers at the paths ``seen`` are."""
    known = {"": tables}
    cls = sites.summary.cls
    below_class = cls.file.module, f"{cls.cls.qualname}.{name}"
    for path in (name, *_paths_below(name, sites)):
        around = known[max((above for above in known if path.startswith(above)), key=len)]
        known[f"{path}."] = below = tables_below(subpath(path, BELOW), sites)
        if path == name or below != around:
            _record(path, below, line, sites)
        if below != around:
            yield LoopedPart(path, below)
    named = [path for path in _rules_below(name, sites) if not has_wildcard(path)]
    for frozen in _frozen_below(name, sites):
        named.append(frozen)
        for layer in _mentioned_layers(sites):
            sites.report_if_spared(frozen, sites.consult(frozen, layer.name), line)
    named = [path for path in named if path.rpartition(".")[0] not in seen]
    for path in dict.fromkeys(named):
        sites.record_looped(path, None, line)
    owners = dict.fromkeys(path.rpartition(".")[0] for path in named)
    if name not in seen and any(fits_right_below(rule, *below_class) for rule in sites.spec.rules):
        owners[name] = None
        _record_names(name, tables_below(name, sites).default, line, sites)
    for owner in owners:
        yield LoopedPart(owner, tables_below(owner, sites), alone=True)


def _record_names(path: str, chain: ActionsByName, line: int, sites: Sites) -> None:
    """Note the parameters right at a path that rules mention."""
    for name, action in chain.mentioned:
        site = subpath(path, name)
        sites.record(site, sites.decide(site), sites.render_looped(action, line), line)


def _named_parts(attribute: Attribute, tables: LoopActions, sites: Sites) -> Iterator[LoopedPart]:
    """Layers in a container, by names that do not change where others are taken out."""
    where = AccessPath.of(attribute.name, attribute.line)
    for found in place(attribute.node, where):
        path = found.where.path
        numbered = any(name == "*" or name.isdecimal() for name in path.split("."))
        if isinstance(found, Single) and not numbered:
            layer = found.instance.layer.name
            if sites.chain(path, layer) != tables.chain(layer):
                yield LoopedPart(path, tables_below(path, sites), alone=True)


def _searched_parts(
    attribute: Attribute, tables: LoopActions, sites: Sites
) -> Iterator[LoopedPart]:
    """Parts whose layers the source shows, but not which or how many there are."""
    for placement in place(attribute.node, AccessPath.of(attribute.name, attribute.line)):
        found = _searched(placement)
        chains = [(path, layer, sites.chain(path, layer.name)) for path, layer in found]
        if all(chain == tables.chain(layer.name) for _, layer, chain in chains):
            continue
        treated: dict[Layer, ActionsByName] = {}
        part = min((path for path, _, _ in chains), key=len).removesuffix(".*")
        for path, layer, chain in chains:
            if "*" not in part:
                treated.setdefault(layer, chain)
            looped = treated.get(layer, tables.chain(layer.name))
            sites.report_nested(path, looped, layer, attribute.line)
        if treated:
            yield LoopedPart(part, _grouped(treated))


def _grouped(chains: Mapping[Layer, ActionsByName]) -> LoopActions:
    """What becomes of parameters in any of some layers, and in the others."""
    default, *_ = chains.values()
    apart: dict[ActionsByName, list[Layer]] = {}
    for layer, chain in chains.items():
        if chain != default:
            apart.setdefault(chain, []).append(layer)
    return LoopActions(default, apart)


def _searched(placement: Placement) -> tuple[tuple[str, Layer], ...]:
    """Layers of which there may be any number or any kind, by path."""
    match placement:
        case Search(found=found):
            return found
        case Parameters(where=where, layer=layer):
            return ((where.path, layer),)
        case Single(where=where, instance=instance) if where.path.endswith(".*"):
            return ((where.path, instance.layer),)
    return ()


def note_unseen(tables: LoopActions, sites: Sites, path: str = "", line: int = 0) -> None:
    """Note what the class makes and attaches out of sight, below ``self`` or an attribute."""
    _record(path, tables, line or sites.summary.cls.cls.line, sites)


def find_own(tables: LoopActions, sites: Sites) -> LoopActions:
    """What becomes of parameters of the class itself under names the source does not show."""
    named = (own for own in sites.summary.all_parameters if not becomes_buffer(own, sites.summary))
    names = {own.name for own in named}
    names.update(attribute.name for attribute in sites.summary.everything)  # modules
    chain, line = sites.chain(""), sites.summary.cls.cls.line
    mentioned = tuple(item for item in chain.mentioned if item[0] not in names)
    for name, action in mentioned:
        sites.record(name, sites.decide(name), sites.render_looped(action, line), line)
    return replace(tables, default=replace(chain, mentioned=mentioned))


def report_places(attribute: Attribute, sites: Sites) -> None:
    """Rules that tell parameters apart by where they are, which the loops do not know."""
    is_parameter = all(isinstance(item.value, Parameter) for item in attribute.assignments)
    if is_opaque(attribute.node) and attribute.name and not is_parameter:
        for rule in sites.spec.rules:
            _report_place(rule, (attribute.name,), attribute.line, sites)


def report_hidden_places(attributes: Sequence[Attribute], sites: Sites) -> None:
    """The same, in what is attached under names that the source does not show."""
    lines = (attribute.line for attribute in attributes if attribute.name == "*")
    line = next(lines, sites.summary.cls.cls.line)
    shown = _names_shown(sites.summary)
    for rule in sites.spec.rules:
        names = [name for name in rule.match.split(".") if name.isidentifier()]
        hidden = (name for name in names if name not in shown)
        _report_place(rule, ("*", *hidden), line, sites)


def _report_place(rule: Rule, names: Sequence[str], line: int, sites: Sites) -> None:
    """Report a rule about a place in the first of these attributes that it may be about."""
    cls = sites.summary.cls
    last = rule.match.rpartition(".")[2]
    ending = OTHER if last == "**" else last
    for name in names:
        if not tells_by_place(rule, cls.file.module, f"{cls.cls.qualname}.{name}"):
            continue
        general = sites.consult(subpath(name, subpath(BELOW, ending)))
        is_beaten = general.rule is not None and general.rule.index > rule.index
        if not is_beaten and general.action != rule.action:
            sites.decide(subpath(name, subpath(BELOW, ending)))
            sites.decide(subpath(name, ending))
            sites.report_place(rule, name.replace("*", "self"), line)
            return


def report_moved(attribute: Attribute, sites: Sites) -> None:
    """Rules for single elements of something of which only run time knows what is left."""
    for path in _rules_below(attribute.name, sites):
        position = path.removeprefix(f"{attribute.name}.").partition(".")[0]
        if position.isdecimal():
            sites.report_element(path, attribute.name, attribute.line)


def _paths_below(name: str, sites: Sites) -> list[str]:
    """Paths below an attribute that rules name in front of a wildcard, or that others freeze.

    The shortest come first.
    """
    found: dict[str, None] = {}
    for path in _rules_below(name, sites):
        start, wildcard, _ = path.partition(".**")
        if wildcard and start != name and not has_wildcard(start):
            found[start] = None
    below = _frozen_below(name, sites)
    frozen = (path for path in below if not names_parameter(path.rpartition(".")[2]))
    found.update(dict.fromkeys(frozen))
    return sorted(found, key=lambda path: path.count("."))


def _rules_below(name: str, sites: Sites) -> Iterator[str]:
    """What rules say behind the name of the class, where that is something below an attribute."""
    start = f"{sites.summary.cls.cls.qualname}."
    for rule in sites.spec.rules:
        match = rule.match.rpartition(":")[2]
        if match.startswith(f"{start}{name}.") and all(map(_can_be_read, match.split("."))):
            yield match.removeprefix(start)


def _frozen_below(name: str, sites: Sites) -> list[str]:
    """What other classes freeze below an attribute."""
    return [path for path in sites.summary.frozen_outside if path.startswith(f"{name}.")]


def _can_be_read(segment: str) -> bool:
    """Whether source can say it: anything else of a rule would become an expression of its own."""
    is_name = segment.isidentifier() and not iskeyword(segment)
    return is_name or segment.isdecimal() or has_wildcard(segment)


def _record(path: str, tables: LoopActions, line: int, sites: Sites) -> None:
    """Note what is below a path: each name that a rule mentions, and any other.

    Of layers that rules treat apart, which may be none of what is there, only what they declare is.
    """
    for name, action in tables.default.named:
        decision = sites.decide(subpath(path, subpath(BELOW, name)))
        unseen = _unseen(path, name)
        sites.record(unseen, decision, sites.render_looped(action, line), line)
        if name == OTHER and not decision.spared and sites.summary.frozen_by(unseen):
            # Rules may be about some names alone.
            below = (sites.consult(subpath(path, subpath(BELOW, n))) for n in sites.names_mentioned)
            spared = next((found for found in below if found.spared), decision)
            sites.report_if_spared(unseen, spared, line)
    for chain, layers in tables.apart.items():
        for name, action in chain.named:
            decisions = [
                sites.decide(subpath(path, subpath(BELOW, name)), one.name) for one in layers
            ]
            rule = decisions[0].rule
            if rule is not None and not isinstance(action, Keep):
                source, kinds = sites.render_looped(action, line), ", ".join(rule.layers)
                sites.record(_unseen(path, name), decisions[0], source, line, layer=kinds)


def _unseen(path: str, name: str) -> str:
    """What stands for all parameters of a name below a path."""
    return subpath(path, "**" if name == OTHER else f"**.{name}")


def declare_in_loop(
    over: code.Undeclared,
    parts: Sequence[LoopedPart],
    tables: LoopActions,
    kept: Sequence[str],
    sites: Sites,
    line: int,
) -> Iterator[code.Statement]:
    """The loop over paths and modules, which leaves alone parameters whose ids are ``kept``."""
    arms: list[code.Statement] = []
    for part in parts:
        body = _statements(part.tables, bool(kept), sites, line)
        arms += code.guarded(part.test, [*body, code.Continue()])
    rest = _statements(tables, bool(kept), sites, line)
    if not rest:
        arms = _without_idle(arms)
    body = (*arms, *rest)
    if kept and code.leaves_kept(body):
        yield _keeping(kept)
    yield code.For("path, module" if arms else "_, module", over, body, REASON)


def _keeping(kept: Sequence[str]) -> code.Assign:
    return code.Assign("kept", f"{{{', '.join(kept)}}}")


def note_own(tables: LoopActions, sites: Sites, line: int) -> None:
    """Note parameters of the class itself that no rule mentions, whatever their names."""
    action = tables.default.other
    sites.record("**", sites.decide(OTHER), sites.render_looped(action, line), line)


def declare_own(
    tables: LoopActions, kept: Sequence[str], sites: Sites, line: int
) -> Iterator[code.Statement]:
    """The loop over parameters of the class itself whose names the source does not show."""
    note_own(tables, sites, line)
    for loop in _declare_each(tables.default, "self", bool(kept), sites, line):
        if kept:
            yield _keeping(kept)
        yield replace(loop, comment=REASON_OF_NAMES)


def _without_idle(arms: Sequence[code.Statement]) -> list[code.Statement]:
    """The arms without those at the end that pass by what nothing comes after."""
    found = list(arms)
    while found and isinstance(found[-1], code.If) and found[-1].arms[0][1] == (code.Continue(),):
        found.pop()
    return found


def _statements(tables: LoopActions, skipping: bool, sites: Sites, line: int) -> code.Block:
    """What is done with ``module``, by its layer; ``skipping`` parameters that are kept."""

    def declare(chain: ActionsByName) -> code.Block:
        return _declare_each(chain, "module", skipping, sites, line)

    kept = [item for chain, items in tables.apart.items() if chain.keeps_all for item in items]
    declared = {chain: items for chain, items in tables.apart.items() if not chain.keeps_all}
    otherwise = declare(tables.default)
    if not otherwise and not declared:
        return ()
    arms = [*_arm(kept, ())] if kept else []
    for chain, layers in declared.items():
        arms += _arm(layers, declare(chain))
    return (*arms, *otherwise)


def _declare_each(
    chain: ActionsByName, owner: str, skipping: bool, sites: Sites, line: int
) -> tuple[code.EachParameter, ...]:
    body = sites.assign_by_name(chain, owner, line)
    if not body:
        return ()
    is_computed = sites.summary.resolver.computes_weights and code.reads_weight(body)
    weight = weight_function(sites.names) if is_computed else ""
    return (
        code.each_parameter(owner, code.guarded(code.IsTrained(skipping), body), weight=weight),
    )


def _arm(layers: Sequence[Layer], statements: code.Block) -> code.Block:
    """What is done with modules of some layers, and with those alone."""
    names = tuple(layer.name for layer in layers)
    return code.guarded(code.IsLayer("module", names), [*statements, code.Continue()])
