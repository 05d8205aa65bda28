"""Structure out of sight: layers are converted and declared at run time, in one loop.

The loop knows layers and what rules say of them. Parameters that a rule tells apart otherwise are
kept out of it, and declared after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pyroify.catalog.layers import LayerParameter
from pyroify.code.statements import Block, For, NameChildren, Root, Statement, Undeclared
from pyroify.decide.loops import (
    BELOW,
    LoopActions,
    LoopedPart,
    declare_in_loop,
    declare_own,
    find_hidden_parts,
    find_own,
    find_parts,
    note_own,
    note_unseen,
    report_hidden_places,
    report_moved,
    report_places,
    spelled_names,
    tables_below,
)
from pyroify.decide.replaceable import becomes_buffer
from pyroify.decide.sites import OTHER, Sites
from pyroify.decide.visibility import Unseen, unseen_of
from pyroify.decide.visible import (
    declare_parameter,
    declare_visible,
    named_in,
    note_looped,
    placements_of,
    report_partial_rules,
)
from pyroify.program.attributes.cleared import is_present
from pyroify.program.index import ModuleClass
from pyroify.program.placements import (
    AccessPath,
    Placement,
    Single,
    misses_parameters,
    place,
    subpath,
)
from pyroify.program.summary import Attribute, ClassSummary, summary_of
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    LayerInstance,
    is_certain,
    is_opaque,
)
from pyroify.spec.match import has_wildcard, spells_out
from pyroify.spec.model import Keep, Param
from pyroify.syntax.facts import Assignment, Function
from pyroify.syntax.values import Parameter, Unknown, Value, options_of, walk


@dataclass(frozen=True, slots=True)
class ExcludedParameter:
    """A parameter that the loop leaves to the ``statements``, or as it is.

    ``source`` reads it where ``guards`` hold.
    """

    source: str
    statements: Block = ()
    guards: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Source of what is added to the ids that the loop passes by."""
        found = f"id({self.source})"
        return f"*([{found}] if {' and '.join(self.guards)} else [])" if self.guards else found


CONVERTED = For("_", Undeclared((Root("self"),)), (), "# Members are exchanged before.")
"""The statement that converts what is below ``self``, once it has its final structure."""
HANDED_IN = replace(CONVERTED, comment="# Containers that are handed in may be plain ones.")
"""The same, where all that is not converted yet is what callers have made."""


def convert_plain(attributes: Sequence[Attribute]) -> Iterator[Statement]:
    """The statement that converts what is made where it cannot be wrapped, if anything is."""
    made = [item for item in attributes if any(map(_is_plain, walk(item.node)))]
    names = tuple(dict.fromkeys(item.name.partition(".")[0] for item in made))
    if names:
        root = Root("self", () if "" in names else names)
        yield For("_", Undeclared((root,)), (), "# These layers are made as plain ones.")


def _is_plain(node: Value) -> bool:
    return isinstance(node, LayerInstance | ContainerInstance) and node.plain


def name_children(covered: Sequence[Function], summary: ClassSummary) -> Iterator[Statement]:
    """The statement by which Pyro learns the names of what is put where torch keeps children."""
    put = (item for method in covered for item in method.assignments if _is_past_pyro(item))
    nodes = (inner for item in put for inner in walk(summary.node(item)))
    if any(isinstance(node, ClassInstance | Unknown) for node in nodes):
        yield NameChildren()


def _is_past_pyro(item: Assignment) -> bool:
    return (
        item.how == "registry"
        or item.path == ("_modules",)
        or (item.how == "insert" and not item.path)
    )


def declare_at_run_time(
    attributes: Sequence[Attribute], sites: Sites, unseen: Unseen
) -> Iterator[Statement]:
    """Statements that convert what is attached to ``self``, and declare what rules say of it."""
    line = attributes[0].line if attributes else sites.summary.cls.cls.line
    names = list(dict.fromkeys(item.name.partition(".")[0] for item in attributes))
    if not names and not unseen.layers and not unseen.own:
        yield CONVERTED
        return
    for attribute in attributes:
        report_places(attribute, sites)
        if unseen.moved:
            report_moved(attribute, sites)
    tables = tables_below(OTHER, sites)
    is_filled = any(item.name == "" and is_opaque(item.node) for item in attributes)
    if unseen.layers or unseen.computed or is_filled:
        note_unseen(tables, sites)
    for attribute in attributes:
        if attribute.name and misses_parameters(attribute.node):
            note_unseen(tables, sites, attribute.name, attribute.line)
    if unseen.layers:
        report_hidden_places(attributes, sites)
    parts = find_parts(attributes, tables, sites, sites.summary.taken_from)
    if unseen.layers:
        parts = (*find_hidden_parts(tables, sites), *parts)
    apart = list(_all_apart(attributes, tables, parts, sites))
    kept = [found.id for found in apart]
    kept += _of_bases(attributes, sites)
    root = Root("self", _only(attributes, sites, unseen))
    if unseen.own:
        kept += _own_declared(sites)
        own = find_own(tables, sites)
        if not unseen.layers and not [name for name in names if name != "*"]:
            yield from declare_own(own, kept, sites, line)
            return
        if not unseen.layers or own.default.other != tables.default.other:
            note_own(own, sites, line)
        if not own.default.keeps_all:
            root = Root("self", itself=True)
            parts = (LoopedPart("", own), *parts) if own != tables else parts
    elif not unseen.layers and [part.path for part in parts[-1:] if not part.alone] == names:
        parts, tables = parts[:-1], parts[-1].tables  # there is nothing else
    # What takes the place of what another class declares is out of reach of the loop.
    inner = (AccessPath.of(item.name).root for item in attributes if "." in item.name)
    yield from declare_in_loop(Undeclared((root, *inner)), parts, tables, kept, sites, line)
    for found in apart:
        yield from found.statements


def note_past_returns(attributes: Sequence[Attribute], sites: Sites) -> list[Attribute]:
    """Note what stays as it is, and is made where the constructor may have ended.

    The loop stands before that, and cannot name it. Of what is not visible it knows the names.
    """
    summary = sites.summary
    past = summary.made_past_returns(item.name.partition(".")[0] for item in attributes)
    late = [item for item in attributes if item.name.partition(".")[0] in past]
    seen = [item for item in late if not is_opaque(item.node)]
    if sites.method is not summary.constructor or not all(_stays(item, sites) for item in late):
        return []
    return [item for item in seen if not any(declare_visible([item], sites))]


def _stays(attribute: Attribute, sites: Sites) -> bool:
    """Whether all parameters below an attribute are kept, as far as the source shows them."""
    if is_opaque(attribute.node):
        return tables_below(subpath(attribute.name, BELOW), sites).default.keeps_all
    return all(
        isinstance(sites.consult(path, parameter.layer if parameter else "").action, Keep)
        for found in placements_of(attribute, sites)
        for path, parameter in named_in(found, sites)
    )


def _only(attributes: Sequence[Attribute], sites: Sites, unseen: Unseen) -> tuple[str, ...]:
    """The children that the loop goes through, where it must not go through all of them."""
    names = list(dict.fromkeys(item.name.partition(".")[0] for item in attributes))
    is_alone = sites.method is sites.summary.constructor and not sites.summary.cls.lineage[1:]
    return () if is_alone or unseen.layers or unseen.own or "" in names else tuple(names)


def _of_bases(attributes: Sequence[Attribute], sites: Sites) -> Iterator[str]:
    """The ids of parameters below children that a base attaches, which it declares by itself."""
    own = {attribute.name for attribute in attributes}
    own |= {use.path[0] for _, use in sites.summary.uses if use.how == "delete"}
    grown = _grown(sites.summary)
    for cls in sites.summary.cls.lineage[1:]:
        summary = summary_of(cls, sites.summary.resolver)
        if _is_hidden_apart(summary, sites):
            yield _in_pyro_modules(sites)
        for attribute in summary.everything:
            if attribute.name in grown:
                grown.discard(attribute.name)
                yield from _apart_in_grown(attribute, summary, sites)
            if attribute.name in own or attribute.name in ("", "*"):
                continue
            if attribute.present and all(map(_is_module, options_of(attribute.node))):
                own.add(attribute.name)
                yield f"*map(id, {attribute.target}.parameters())"
            elif "." not in attribute.name and _is_apart(attribute, summary, sites):
                own.add(attribute.name)
                found = f'getattr(self, "{attribute.name}", None)'
                yield f'*map(id, getattr({found}, "parameters", list)())'


def _grown(summary: ClassSummary) -> set[str]:
    """Attributes to which a class adds members, and does nothing else that shows."""
    made = [item for method in summary.cls.cls.methods for item in method.assignments if item.path]
    added = {item for item in made if item.how in ("append", "extend", "register")}
    added -= {item for item in added if item.how == "register" and len(item.path) != 2}
    return {item.path[0] for item in added} - {i.path[0] for i in made if i not in added}


def _apart_in_grown(attribute: Attribute, summary: ClassSummary, sites: Sites) -> Iterator[str]:
    """The ids of what a base has in a container, and makes something else of than the loop."""
    tables = tables_below(subpath(attribute.name, BELOW), sites)
    inner = replace(sites, summary=summary, method=summary.constructor)
    for found in place(attribute.node, AccessPath.of(attribute.name, attribute.line)):
        decisions = {path: (inner.consult(path, i.layer), i) for path, i in _named(found, inner)}
        others = {
            path: decision
            for path, (decision, item) in decisions.items()
            if decision.action != tables.chain(item.layer).of(item.name.rpartition(".")[2])
        }
        if (
            others
            and isinstance(found, Single)
            and not found.where.loops
            and not found.where.guards
        ):
            yield f"*map(id, {found.where.target}.parameters())"
            continue
        for path, decision in others.items():
            if decision.rule is not None:
                sites.report_place(decision.rule, path, sites.summary.cls.cls.line)


def _named(found: Placement, sites: Sites) -> Iterator[tuple[str, LayerParameter]]:
    """Path and parameter of what is in a place, as far as the source shows the layer."""
    for path, parameter in named_in(found, sites):
        if parameter is not None:
            yield path, parameter


def _is_apart(attribute: Attribute, summary: ClassSummary, sites: Sites) -> bool:
    """Whether a base may make something else of parameters below an attribute."""
    common, inner = tables_below(OTHER, sites), replace(sites, summary=summary)
    paths = (attribute.name, subpath(attribute.name, BELOW))
    if any(tables_below(path, inner) != common for path in paths):
        return True
    module, name = summary.cls.file.module, f"{summary.cls.cls.qualname}.{attribute.name}"
    return any(spells_out(rule, module, name) for rule in sites.spec.rules)


def _is_hidden_apart(summary: ClassSummary, sites: Sites) -> bool:
    """Whether a base attaches under names out of sight, and may make something else of that."""
    if not any(attribute.name in ("", "*") for attribute in summary.everything):
        return False
    inner = replace(sites, summary=summary)
    is_same = tables_below(OTHER, inner) == tables_below(OTHER, sites)
    return not is_same or any(True for _ in spelled_names(inner))


def _in_pyro_modules(sites: Sites) -> str:
    """The ids of parameters right in the modules that a loop of a base has been through."""
    pyro = sites.names.say("PyroModule")
    parts = f"for part in self.modules() if part is not self and isinstance(part, {pyro})"
    return f"*(id(value) {parts} for value in part.parameters(recurse=False))"


def _is_module(node: Value) -> bool:
    return is_certain(node) and not isinstance(node, Parameter | Unknown)


def _all_apart(
    attributes: Sequence[Attribute], tables: LoopActions, parts: Sequence[LoopedPart], sites: Sites
) -> Iterator[ExcludedParameter]:
    """Parameters of layers that the loop would treat otherwise; all that are seen are noted."""
    treated = {part.path: part.tables for part in parts}
    for attribute in attributes:
        report_partial_rules(attribute, sites)
        for found in placements_of(attribute, sites):
            if isinstance(found, Single):
                around = treated.get(attribute.name, tables)
                is_here = attribute.name not in sites.summary.taken_from
                looped = around if is_here else treated.get(found.where.path, around)
                yield from _apart_in(found, looped, sites, is_here)
            else:
                note_looped(found, sites)


def _apart_in(
    single: Single, tables: LoopActions, sites: Sites, is_here: bool
) -> Iterator[ExcludedParameter]:
    """``is_here``: it is where the source says, as nothing is taken out of what it is in."""
    where = single.where
    is_one = is_here and not where.loops
    # The loop goes by names, but what is kept stays what it is under each of them.
    named_twice = {tie.right for tie in sites.summary.ties}
    for parameter in single.instance.layer.parameters:
        path = subpath(where.path, parameter.name)
        decision = sites.consult(path, parameter.layer)
        action = decision.action
        looped = tables.chain(parameter.layer).of(parameter.name.rpartition(".")[2])
        if is_present(parameter, single.instance, sites.summary, sites.method, path) is False:
            continue
        is_looped = action == looped and not sites.reaches_frozen(path, decision)
        is_looped &= path not in named_twice or not isinstance(action, Keep)
        if path not in sites.within and (is_looped or not is_one or "*" in path):
            sites.record_looped(path, parameter, where.line)
            rule = decision.rule
            if action != looped and rule:
                sites.report_place(rule, path, where.line)
            continue
        statements = where.wrap(declare_parameter(single, parameter, sites))
        yield ExcludedParameter(f"{where.target}.{parameter.name}", statements, where.guards)


def _own_declared(sites: Sites) -> Iterator[str]:
    """The ids of parameters of the class itself, which are declared one by one or stay.

    A PyroParam is an unconstrained parameter of another name to those who look for parameters.
    """
    for cls in sites.summary.cls.lineage:
        summary = summary_of(cls, sites.summary.resolver)
        inner = replace(sites, summary=summary)
        for own in summary.all_parameters:
            action = inner.consult(own.name, frozen=own.frozen is True).action
            there = own.declared.action if own.declared else ""
            if isinstance(action, Param) or there == "param":
                yield f'id(getattr(self, "{own.name}_unconstrained", None))'
            elif isinstance(action, Keep) and not there and not becomes_buffer(own, summary):
                yield f'id(getattr(self, "{own.name}", None))'
    for base in sites.summary.cls.lineage[1:]:
        yield from _unseen_of_base(base, sites)


def _unseen_of_base(base: ModuleClass, sites: Sites) -> Iterator[str]:
    """The ids of what a base keeps or constrains of itself under names its source does not show."""
    summary = summary_of(base, sites.summary.resolver)
    inner = replace(sites, summary=summary)
    theirs, ours = inner.chain("").named, sites.chain("")
    constrains = any(isinstance(action, Param) for _, action in theirs)
    keeps = [
        name
        for name, action in theirs
        if isinstance(action, Keep) and not isinstance(ours.of(name), Keep)
    ]
    if not (constrains or keeps) or not any(unseen.own for unseen in unseen_of(summary)):
        return
    if constrains:
        yield '*(id(getattr(self, f"{name}_unconstrained")) for name in self._pyro_params)'
    for name in keeps:
        if name != OTHER and not has_wildcard(name):
            yield f'id(getattr(self, "{name}", None))'
        elif rule := inner.consult(name).rule:
            sites.report_place(rule, "self", sites.summary.cls.cls.line)
