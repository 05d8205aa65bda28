"""Which layers become PyroModules where they are built."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import replace

from pyroify.catalog.calls import computes_weight
from pyroify.code.names import FileNames
from pyroify.decide.candidate import Candidate, Key
from pyroify.decide.model import Edit
from pyroify.edits import kinds
from pyroify.program.attributes.copies import made_to_copy, with_copied
from pyroify.program.attributes.lists import is_registered, module_lists
from pyroify.program.resolve import Resolver
from pyroify.program.values import (
    ContainerInstance,
    LayerInstance,
    Scope,
    holds_parameters,
    is_plain_throughout,
    places,
)
from pyroify.spec.match import has_wildcard
from pyroify.syntax.facts import File
from pyroify.syntax.values import (
    Call,
    Items,
    Location,
    Name,
    SelfRead,
    Value,
    calls_in,
    options_of,
    walk,
)


def class_wraps(
    candidate: Candidate, resolver: Resolver, limit: int, refused: Container[Key]
) -> Iterator[Edit]:
    """Layers that the methods of a class build; at run time those of the constructor wait.

    Those of which a rule names what may be frozen do not: a loop might pass them by.
    Code of the user's that declares whatever is there sees to those itself.

    Containers of nothing but ``refused`` classes stay, so that Pyro sees the parameters in them.
    """
    kept = _kept_calls(candidate, resolver, refused)
    waits = candidate.is_built_at_run_time or candidate.summary.by_hand.is_throughout
    building = candidate.summary.building if waits else frozenset()
    named = _of_named_frozen(candidate) if building else ()
    calls = [
        call
        for method in candidate.cls.cls.methods
        for call in method.layer_calls
        if call.place not in kept and (method.name not in building or call.place in named)
    ]
    filled = _filled(item.node for item in candidate.summary.everything)
    yield from wraps(calls, candidate.summary.scope, resolver, candidate.names, limit, filled)


def function_wraps(
    file: File, name: str, resolver: Resolver, limit: int, refused: Container[Key]
) -> Iterator[Edit]:
    """Layers that a function, or one defined in it, builds for classes that call it.

    Where it replaces members of a container, that stays plain until it is complete.
    """
    for function in file.functions:
        if function.reshapes:
            continue
        if function.name == name or function.name.startswith(f"{name}.<locals>."):
            scope = Scope(file.path)
            filled = _filled(resolver.resolve(value, scope) for value in function.returns)
            kept = set(_handed_to(function.layer_calls, file.path, resolver, refused))
            calls = [call for call in function.layer_calls if call.place not in kept]
            yield from wraps(calls, scope, resolver, FileNames(file), limit, filled)


def partials(candidate: Candidate, resolver: Resolver) -> Iterator[tuple[str, Call]]:
    """The partials that make layers for a class, with their files, unless their layers stay."""
    changed = candidate.changed_names.union(_put_into_containers(candidate, resolver))
    for attribute in candidate.summary.everything:
        is_layer = isinstance(attribute.node, LayerInstance)
        if not is_layer or attribute.name.partition(".")[0] in changed:
            for item in walk(attribute.node):
                if isinstance(item, LayerInstance) and item.partial is not None:
                    yield item.partial


def partial_wrap(partial: Call, names: FileNames, limit: int) -> Edit:
    """The edit that makes what a partial is of a PyroModule."""
    indent, trailing, length, statement = partial.extent or (0, 0, limit + 1, 0)
    room = limit - trailing if length <= limit else -1
    layout = (indent, statement, room, trailing)
    return kinds.Partials(partial.line, partial.column, names.say("PyroModule"), *layout)


def wraps(
    calls: Iterable[Call],
    scope: Scope,
    resolver: Resolver,
    names: FileNames,
    limit: int,
    filled: Container[Location] = (),
) -> Iterator[Edit]:
    """Edits that make calls PyroModules; the first on a line lays the line out anew.

    ``filled`` are containers that come to hold parameters, whatever they are made of.
    """
    made = dict.fromkeys(calls)
    computed = set(_computed(made))
    chosen = [
        call
        for call in made
        if call.place not in computed and _is_wrappable(call, scope, resolver, call.place in filled)
    ]
    if chosen:
        names.use("PyroModule")
    first: dict[int, Call] = {}
    for call in sorted(chosen, key=lambda call: call.column):
        first.setdefault(call.line, call)
    for call in chosen:
        yield _wrap(call, names.local("PyroModule"), limit, call is first[call.line])


def _wrap(call: Call, wrapper: str, limit: int, is_first: bool) -> Edit:
    bare = not call.args and call.text.rpartition(".")[2] == "ModuleList"
    indent, trailing, length, statement = call.extent or (0, 0, limit + 1, 0)
    room = limit - trailing if is_first and length <= limit else -1
    argument = "[]" if bare else ""
    layout = (indent, statement, room, trailing)
    callee = call.text if "(" in call.text else ""
    return kinds.Submodules(call.line, call.column, wrapper, callee, argument, *layout)


def _computed(calls: Iterable[Call]) -> Iterator[Location]:
    """Where layers are made whose weights come to be computed, by a class made for each.

    Loops find them as they are, and would take that class for one that declares for itself.
    """
    for call in calls:
        if isinstance(call.callee, Name) and computes_weight(call.callee.dotted):
            given = (inner for passed in call.args for inner in calls_in(passed.value))
            yield from (inner.place for inner in given)


def _filled(nodes: Iterable[Value]) -> set[Location]:
    """Where containers are made that hold parameters in the end: some are given them later."""
    return {
        item.call.place
        for node in nodes
        for item in walk(node)
        if isinstance(item, ContainerInstance) and item.call and holds_parameters(item)
    }


def _is_wrappable(call: Call, scope: Scope, resolver: Resolver, filled: bool = False) -> bool:
    """Whether a call surely makes a layer or container that may have parameters."""
    if call.wrapped or resolver.is_wrapped(call.callee, scope):
        return False
    kinds = {layer.kind for layer in resolver.layers_called(call.callee, scope)}
    if kinds <= {"stateless"}:
        return False
    if kinds == {"container"}:
        node = resolver.resolve(call, replace(scope, inside=True))
        empty = isinstance(node, ContainerInstance) and not node.items
        return filled or empty or holds_parameters(node)
    return True


def _of_named_frozen(candidate: Candidate) -> set[Location]:
    """Where layers are made of which what may be frozen is declared all the same.

    A rule without wildcards does that, or a tie to what is random, also by another class. What is
    copied counts as its copies do.
    """
    declared = [
        site.path
        for site in candidate.all_sites
        if site.action != "keep" and site.rule and not has_wildcard(site.rule.match)
    ]
    declared += (*candidate.lent, *candidate.tied_outside)
    declared += [tie.left for tie in candidate.ties if tie.right in declared]
    owners = {
        path.rpartition(".")[0]
        for path in declared
        if candidate.summary.is_frozen(path) or candidate.summary.may_be_frozen(path)
    }
    spots = {
        found.instance.call.place
        for found in candidate.summary.single_layers
        if found.where.path in owners and found.instance.call
    }
    names = {path.partition(".")[0] for path in owners}
    copied = with_copied(candidate.summary, names)
    spots |= made_to_copy(candidate.summary, copied)
    for attribute in candidate.summary.everything:
        if attribute.name.partition(".")[0] in copied - names:
            spots.update(places(attribute.node))
    return spots


def _kept_calls(candidate: Candidate, resolver: Resolver, refused: Container[Key]) -> set[Location]:
    """Layers whose parameters all stay: they need no change.

    They are attached to ``self`` directly, or handed to a class that is not converted.
    """
    random = {site.path.partition(".")[0] for site in candidate.all_sites if site.action != "keep"}
    random.update(path.partition(".")[0] for path in candidate.lent)
    random.update(_put_into_containers(candidate, resolver))
    random.update(tie.left.partition(".")[0] for tie in candidate.late_ties)
    for tie in candidate.ties:
        if tie.right.partition(".")[0] in random and not candidate.keeps(tie):
            random.add(tie.left.partition(".")[0])
    random = with_copied(candidate.summary, random)
    calls = [call for method in candidate.cls.cls.methods for call in method.layer_calls]
    kept = set(_handed_to(calls, candidate.cls.file.path, resolver, refused))
    kept |= candidate.summary.taken_apart
    made = made_to_copy(candidate.summary, random)
    frozen = _frozen(candidate)
    listed = _listed(candidate) - frozen
    for attribute in candidate.summary.everything:
        spots = {spot for item in walk(attribute.node) for spot in places(item)}
        if listed & spots:
            made |= spots - frozen
            continue
        if attribute.name.partition(".")[0] in random or candidate.summary.is_container:
            made.update(places(attribute.node))
            continue
        if not is_plain_throughout(attribute.node, refused):
            # Pyro does not see plain layers in a container, which becomes a PyroModule here.
            nodes = tuple(walk(attribute.node))
            given = () if attribute.name else nodes
            containers = (item for item in nodes if isinstance(item, ContainerInstance))
            made.update(spot for item in (*given, *containers) for spot in places(item))
        kept |= spots
    return kept - made


def _put_into_containers(candidate: Candidate, resolver: Resolver) -> Iterator[str]:
    """Attributes that the class or a relative puts into a container that may be a PyroModule.

    Those that are frozen stay plain: there is nothing in them that Pyro has to see.
    """
    trained = _trained(candidate)
    for cls in (candidate.cls, *candidate.summary.relatives):
        for call in (call for method in cls.cls.methods for call in method.layer_calls):
            if not isinstance(call.callee, Name):
                continue
            layer = resolver.index.layer(call.callee.dotted, cls.file.path)
            if layer is not None and layer.kind == "container":
                given = (inner for passed in call.args for inner in walk(passed.value))
                names = (value.path[0] for value in given if isinstance(value, SelfRead))
                yield from (name for name in names if name in trained)


def _trained(candidate: Candidate) -> set[str]:
    """Attributes in which not everything is frozen."""
    sites = candidate.all_sites
    return {site.path.partition(".")[0] for site in sites if site.spared != "frozen"}


def _frozen(candidate: Candidate) -> set[Location]:
    """Layers in attributes of which everything is frozen: nobody has to see their parameters."""
    names = {site.path.partition(".")[0] for site in candidate.all_sites} - _trained(candidate)
    held = (a.node for a in candidate.summary.everything if a.name.partition(".")[0] in names)
    return {spot for node in held for item in walk(node) for spot in places(item)}


def _listed(candidate: Candidate) -> set[Location]:
    """Layers that the class keeps in a Python list as well: Pyro does not see who reads that.

    Those in nothing but a list have no name, under which Pyro could tell their parameters apart.
    """
    summary = candidate.summary
    nameless = {item.name for item in module_lists(summary) if not is_registered(summary, item)}
    nameless.update(item.name for item in summary.everything if _is_container(item.node))
    return {
        call.place
        for method in candidate.cls.cls.methods
        for item in method.assignments
        if isinstance(item.value, Items) and len(item.path) == 1 and item.path[0] not in nameless
        for call in calls_in(item.value)
    }


def _is_container(node: Value) -> bool:
    """Whether a value is surely a container of torch, which is no list, whatever extends it."""
    return all(isinstance(option, ContainerInstance) for option in options_of(node))


def _handed_to(
    calls: Iterable[Call], path: str, resolver: Resolver, refused: Container[Key]
) -> Iterator[Location]:
    """Where layers are made for ``refused`` classes: their sites would lose their prefix there."""
    for call in calls:
        if not isinstance(call.callee, Name):
            continue
        made = resolver.index.resolve(call.callee.dotted, path).module_class
        if made is not None and made.key in refused:
            given = (inner for passed in call.args for inner in calls_in(passed.value))
            yield from (inner.place for inner in given)
