"""Whether the source shows all that a class attaches, or only run time does."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from pyroify.catalog.calls import computes_weight
from pyroify.catalog.layers import Layer
from pyroify.program.attributes.lists import is_registered, module_lists
from pyroify.program.attributes.puts import InstanceStore, put_into_instances
from pyroify.program.callers import known_arguments, with_arguments
from pyroify.program.index import Index
from pyroify.program.placements import AccessPath, Single, misses_parameters, place
from pyroify.program.roles import is_filled_by_functions
from pyroify.program.summary import REMOVING, Attribute, ClassSummary, parameters_in
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    LayerInstance,
    Scope,
    holds_only_parameters,
    is_certain,
    is_opaque,
)
from pyroify.syntax.facts import ATTACHING, Assignment, Function
from pyroify.syntax.values import (
    Argument,
    Call,
    Element,
    Many,
    MethodCall,
    Name,
    Parameter,
    Path,
    SelfRead,
    Unknown,
    Value,
    calls_in,
    options_of,
    walk,
)

Covered = tuple[Function, ...]


@dataclass(frozen=True, slots=True)
class Unseen:
    """What is attached under names the source does not show.

    ``layers``: children of ``self``. ``own``: parameters of ``self`` itself. ``moved``: something
    is taken out of a container again, so that others move up. ``computed``: a function gives a
    layer parameters of other names, which its weight is computed of.
    """

    layers: bool
    own: bool
    moved: bool
    computed: bool


def is_out_of_sight(
    summary: ClassSummary, covered: Covered, attributes: Sequence[Attribute], unseen: Unseen
) -> bool:
    """Whether part of what the ``covered`` methods attach, as ``attributes``, is not visible."""
    nodes = tuple(_nodes(attributes))
    return (
        unseen.layers
        or unseen.own
        or unseen.moved
        or unseen.computed
        or _probes(summary, covered, {attribute.name for attribute in attributes})
        or any(map(_is_hidden, nodes))
        or any(misses_parameters(attribute.node) for attribute in attributes)
    )


def find_unseen(summary: ClassSummary, covered: Covered, attributes: Sequence[Attribute]) -> Unseen:
    """What the ``covered`` methods attach that none of the ``attributes`` accounts for."""
    index = summary.resolver.index
    named = [
        item for method in covered for item in method.assignments if _is_attached(summary, item)
    ]
    inherited = _inherited_unseen(summary, covered)
    puts = tuple(put_into_instances(summary, covered, attributes))
    seen = {(put.line, put.column) for put in puts if not put.maybe}
    indirect = (put for m in covered for put in m.puts if (put.line, put.column) not in seen)
    anywhere = (
        any(parameters_in(put.value) for put in indirect)
        or any(is_filled_by_functions(summary.cls, method, index) for method in covered)
        or (_is_constructing(summary, covered) and _mixes_in(summary))
        or _misses_parameter(summary, covered, attributes, puts)
        or any(_is_partly_parameter(attribute.node) for attribute in attributes)
    )
    given = (item for method in covered for item in method.assignments)
    return Unseen(
        layers=anywhere
        or inherited is not None
        or not all(map(_is_parameter, named))
        or _misses_layer(summary, covered, attributes, puts)
        or any(is_registered(summary, item) for item in module_lists(summary)),
        own=anywhere
        or any(
            "." not in parameter.name for parameter in (inherited.parameters if inherited else ())
        )
        or not all(_is_module(summary, item) for item in named)
        or any(_may_be_given_parameter(summary, item) for item in given),
        moved=_takes_out(summary, covered),
        computed=_computes_weights(summary, covered),
    )


def hides_parts(summary: ClassSummary) -> bool:
    """Whether part of what any of the methods of a class attaches is not visible."""
    return any(
        is_out_of_sight(summary, covered, summary.attributes(covered), unseen)
        for (_, covered), unseen in zip(summary.stages, unseen_of(summary), strict=True)
    )


def unseen_of(summary: ClassSummary) -> Iterator[Unseen]:
    """What each method that ends in declarations attaches out of sight."""
    for _, covered in summary.stages:
        yield find_unseen(summary, covered, summary.attributes(covered))


def moves_members(summary: ClassSummary, covered: Covered) -> bool:
    """Whether members of a container change places while it is built: it stays plain until then."""
    return any(
        method.reshapes or any(summary.members_replaced(method)) or _puts_in_front(summary, method)
        for method in covered
        if method.name in summary.building
    )


def takes_containers(summary: ClassSummary, covered: Covered) -> bool:
    """Whether containers are attached that callers have made, who may have left them plain."""
    callers = summary.resolver.callers
    given = callers.given(summary.cls) if callers is not None else {}
    handed = (item for value in given.values() for item in walk(value))
    made = {item for item in handed if isinstance(item, ContainerInstance) and not item.plain}
    return any(
        part in made
        for method in covered
        for item in (method.assignments if made else ())
        for part in walk(summary.node(item))
    )


def _puts_in_front(summary: ClassSummary, method: Function) -> bool:
    """Whether something is inserted into a container, of which Pyro is not told."""
    return any(
        item.how == "insert" and summary.container("".join(item.path)) is not None
        for item in method.assignments
        if len(item.path) <= 1
    )


def _takes_out(summary: ClassSummary, covered: Covered) -> bool:
    """Whether something with parameters is taken out again: only run time shows what is left."""
    held = {name for cls in summary.cls.lineage for name in summary.names_held_by(cls)}
    for method in covered:
        for use in method.uses:
            *path, name = use.path
            if use.how == "delete" and use.path[0] in held:
                return True
            if use.how == "call" and name in REMOVING and len(path) <= 1:
                if summary.container("".join(path)) is not None:
                    return True
        for call in method.layer_calls:
            if call.callee == Name("delattr") and call.args and call.args[0].text == "self":
                return True
    return False


def _nodes(attributes: Sequence[Attribute]) -> Iterator[Value]:
    for attribute in attributes:
        yield from walk(attribute.node)


def _is_hidden(node: Value) -> bool:
    """Whether a part of a structure has parameters whose names are not known."""
    if isinstance(node, LayerInstance):
        return node.layer.kind in ("compound", "lazy")
    if isinstance(node, ContainerInstance) and holds_only_parameters(node.layer):
        return any(
            isinstance(inner, ContainerInstance) for child in node.items for inner in walk(child)
        )
    return isinstance(node, Unknown)


def _may_be_given_parameter(summary: ClassSummary, item: Assignment) -> bool:
    """Whether an attribute is what a method gives that may be one which makes a parameter.

    What it is called on is not known, so that its name is all there is to go by.
    """
    value = item.value.of if isinstance(item.value, Element) else item.value
    call = value.call if isinstance(value, MethodCall) else value
    if len(item.path) != 1 or item.how not in ATTACHING or not isinstance(call, Call):
        return False
    match call.callee:
        case Unknown(path=(*_, name)) | SelfRead(path=(_, *_, name)):
            makers = summary.resolver.parameter_makers
            return name in makers and is_opaque(summary.resolver.resolve(value, summary.scope))
    return False


def _is_partly_parameter(node: Value) -> bool:
    """Whether an attribute is a parameter in one case, and something else that has some in one."""
    return any(isinstance(item, Parameter) for item in options_of(node))


def _inherited_unseen(summary: ClassSummary, covered: Covered) -> Layer | None:
    """The base of torch that attaches layers there, not all of which have names that are known."""
    base = summary.cls.library_base
    is_inherited = base is not None and base.kind == "compound" and not base.makes_all_parts
    return base if is_inherited and _is_constructing(summary, covered) else None


def _is_constructing(summary: ClassSummary, covered: Covered) -> bool:
    return not covered or summary.constructor in covered


def _mixes_in(summary: ClassSummary) -> bool:
    """Whether a base that is no module has methods that attach layers or parameters."""
    index, resolver = summary.resolver.index, summary.resolver
    waiting = [
        (summary.cls.file, base.dotted) for base in summary.cls.bases if base.kind == "plain"
    ]
    seen: set[str] = set()
    while waiting:
        file, dotted = waiting.pop()
        target = index.resolve(dotted, file.path)
        if target.plain_class is None or target.file is None or dotted in seen:
            continue
        seen.add(dotted)
        scope = Scope(target.file.path, inside=False)
        for method in target.plain_class.methods:
            nodes = (resolver.resolve(item.value, scope) for item in method.assignments)
            if any(is_certain(inner) for node in nodes for inner in walk(node)):
                return True
        waiting += [(target.file, name) for _, name, _, _ in target.plain_class.bases]
    return False


def _is_attached(summary: ClassSummary, item: Assignment) -> bool:
    """Whether something is attached under a computed name.

    What a method keeps so when it runs is a state, unless it surely is a module.
    """
    if item.path != ("*",):
        return False
    made = options_of(summary.node(item))
    if item.how == "setattr" and all(isinstance(node, ClassInstance) for node in made):
        return False  # these declare their parameters themselves
    return item not in summary.late or any(map(is_certain, walk(summary.node(item))))


def _is_parameter(item: Assignment) -> bool:
    return isinstance(item.value, Parameter)


def _is_module(summary: ClassSummary, item: Assignment) -> bool:
    return all(
        isinstance(node, LayerInstance | ClassInstance | ContainerInstance | Many)
        for node in walk(summary.node(item))
    )


def _computes_weights(summary: ClassSummary, covered: Covered) -> bool:
    """Whether parameters get other names after their layer is made, but one of the project.

    Functions and methods that are called, or handed to ``apply``, may do it.
    """
    index = summary.resolver.index
    waiting = [(method, summary.cls.file.path) for method in covered]
    seen = {(function.line, path) for function, path in waiting}
    while waiting and summary.resolver.computes_weights:
        function, path = waiting.pop()
        for call in function.layer_calls:
            if isinstance(call.callee, Name) and computes_weight(call.callee.dotted):
                is_seen = function in covered
                made = summary.resolver.resolve(call, summary.scope) if is_seen else None
                if not isinstance(made, ClassInstance):
                    return True
            for value in (call.callee, *(passed.value for passed in call.args)):
                found = _function(value, summary, path, index)
                if found is not None and (found[0].line, found[1]) not in seen:
                    seen.add((found[0].line, found[1]))
                    waiting.append(found)
    return False


def _function(
    value: Value, summary: ClassSummary, path: str, index: Index
) -> tuple[Function, str] | None:
    """The function or the method of the class that a value stands for, and its file."""
    match value:
        case Name(dotted=dotted):
            target = index.resolve(dotted, path)
            return (target.function, target.file.path) if target.function and target.file else None
        case SelfRead(path=(name,)):
            method = summary.cls.find_method(name)
            return (method[1], method[0].file.path) if method else None
    return None


def _probes(summary: ClassSummary, covered: Covered, names: Container[str]) -> bool:
    """Whether layers are called while they are built, to see the size of what they give."""
    return any(
        use.how == "call" and use.path[0] in names and use.path[1:] in ((), ("forward",))
        for method in covered
        if method.name in summary.building
        for use in method.uses
    )


def _misses_parameter(
    summary: ClassSummary,
    covered: Covered,
    attributes: Sequence[Attribute],
    puts: Sequence[InstanceStore],
) -> bool:
    """Whether a parameter is made there that none of the attributes accounts for."""
    made = {(made.line, made.column) for method in covered for made in method.parameter_calls}
    own = {(made.line, made.column) for p in summary.parameters(covered) for made in p.made}
    hidden = {attribute.name for attribute in attributes if is_opaque(attribute.node)}
    for item in (item for method in covered for item in method.assignments):
        is_seen = item.path == ("*",) or (len(item.path) > 1 and item.path[0] in hidden)
        is_seen = is_seen or (item in summary.late and _has_one_at(summary, item.path))
        if isinstance(item.value, Parameter) and is_seen:
            own.add((item.value.line, item.value.column))
    for put in puts:
        own.update((made.line, made.column) for made in put.parameters)
    own.update((made.line, made.column) for made in _set_anew(summary, attributes))
    nodes = [node for node in _nodes(attributes) if isinstance(node, Parameter)]
    return not made <= own | {(n.line, n.column) for n in nodes}


def _has_one_at(summary: ClassSummary, path: Path) -> bool:
    """Whether a path leads to a parameter that is seen: of a layer, or of a part."""
    return any(
        isinstance(found, Single)
        and found.where.path == ".".join(path[:-1])
        and any(parameter.name == path[-1] for parameter in found.instance.layer.parameters)
        for attribute in summary.everything
        if len(path) > 1 and attribute.name == path[0]
        for found in place(attribute.node, AccessPath.of(attribute.name))
    )


def _set_anew(summary: ClassSummary, attributes: Sequence[Attribute]) -> Iterator[Parameter]:
    """Parameters that take the place of those that a layer has made itself."""
    for attribute in attributes:
        if isinstance(attribute.node, LayerInstance):
            for parameter in attribute.node.layer.parameters:
                if made := summary.set_anew(f"{attribute.name}.{parameter.name}"):
                    yield made


def _misses_layer(
    summary: ClassSummary,
    covered: Covered,
    attributes: Sequence[Attribute],
    puts: Sequence[InstanceStore],
) -> bool:
    """Whether a layer is made there that none of the attributes accounts for."""
    layers = {
        call.place
        for method in covered
        for call in method.layer_calls
        if (layer := _layer(summary, call)) and layer.kind not in ("stateless", "container")
    }
    seen = {n.call.place for n in _nodes(attributes) if isinstance(n, LayerInstance) and n.call}
    seen.update(*(_handed_over(summary, covered, method) for method in covered))
    seen |= summary.taken_apart
    seen.update(call.place for put in puts for call in calls_in(put.value))
    seen.update(call.place for item in attributes for call in _made_within(item, summary))
    return not layers <= seen


def _made_within(attribute: Attribute, summary: ClassSummary) -> Iterator[Call]:
    """What is made for an attribute of which not all is visible, or put into it."""
    if is_opaque(attribute.node) and attribute.name:
        for item in (*attribute.assignments, *summary.attached_as(attribute.name)):
            yield from calls_in(item.value)


def _layer(summary: ClassSummary, call: Call) -> Layer | None:
    if not isinstance(call.callee, Name):
        return None
    return summary.resolver.index.layer(call.callee.dotted, summary.cls.file.path)


def _handed_over(
    summary: ClassSummary, covered: Covered, method: Function
) -> Iterator[tuple[int, int]]:
    """Where layers are made as arguments of a class of the project, which takes care of them."""
    for call in method.layer_calls:
        if call.args and _makes_instances(summary, covered, method, call.callee):
            for passed in call.args:
                yield from (inner.place for inner in calls_in(passed.value))


def _makes_instances(
    summary: ClassSummary, covered: Covered, method: Function, callee: Value
) -> bool:
    """Whether what is called is a class of the project, or an argument that is one each time."""
    index, path = summary.resolver.index, summary.cls.file.path
    match callee:
        case Name(dotted=dotted):
            return index.resolve(dotted, path).module_class is not None
        case Argument(name=name) if name in method.arguments and name not in method.rebound:
            if method is summary.constructor:
                known = known_arguments(summary.cls, method, summary.resolver)
                scope = with_arguments(summary.scope, known)
                makers = summary.resolver.makers(callee, scope) or ()
                names = [maker for maker, _ in makers if isinstance(maker, Name)]
                made = (_makes_instances(summary, covered, method, maker) for maker in names)
                return bool(makers) and len(names) == len(makers) and all(made)
            place = method.arguments.index(name)
            given = [
                _makes_instances(summary, covered, other, passed.value)
                for other in covered
                if other is not method
                for call in other.layer_calls
                if call.callee == SelfRead((method.name,))
                if (passed := call.argument(name, place)) is not None
            ]
            return bool(given) and all(given)
    return False
