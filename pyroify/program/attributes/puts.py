"""What a class puts into instances of other classes: ``self.stem.extra = nn.Parameter(...)``.

The other class has declared its own by then, and a loop at run time passes it by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.placements import AccessPath, Instance, place
from pyroify.program.summary import (
    Attribute,
    ClassSummary,
    always_assigned,
    parameters_in,
    summary_of,
)
from pyroify.program.values import ClassInstance, LayerInstance, is_opaque
from pyroify.syntax.facts import ATTACHING, Assignment, AttributeStore, Function
from pyroify.syntax.values import (
    NOTHING,
    Call,
    Element,
    MethodCall,
    Parameter,
    Path,
    SelfRead,
    Unknown,
    Value,
    options_of,
    walk,
)

ADDED = (*ATTACHING, "setattr")
NONE: Mapping[str, ModuleClass] = {}
EACH = frozenset(("values", "children"))
"""Methods that give what a container holds."""


@dataclass(frozen=True, slots=True)
class InstanceStore:
    """Something that is put into instances of ``owners`` as ``name``, ``*`` for a computed one.

    A dotted name is that of a parameter of one of their layers.

    ``places`` are where the method that does it finds them when it ends: none, where no name leads
    there. ``sure``: it is there then in any case. ``maybe``: something else is, or may be, what it
    is put into.
    """

    name: str
    value: Value
    line: int
    column: int
    owners: tuple[ModuleClass, ...]
    places: tuple[AccessPath, ...] = ()
    sure: bool = False
    maybe: bool = False
    instance: LayerInstance | None = None
    """The layer that it is, where the source shows its parameters."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters that it may be."""
        return parameters_in(self.value)

    @property
    def is_named(self) -> bool:
        """Whether source at the end of the method can name it, or its parameters."""
        is_known = self.instance is not None or bool(self.parameters)
        return bool(self.places) and self.name.isidentifier() and is_known

    @property
    def is_certain(self) -> bool:
        """Whether it is there when the method ends, and no other value."""
        return self.sure and (self.instance is not None or isinstance(self.value, Parameter))


@needs((Assignment, "below"), AttributeStore)
def put_into_instances(
    summary: ClassSummary, covered: Sequence[Function], attributes: Sequence[Attribute]
) -> Iterator[InstanceStore]:
    """What the ``covered`` methods put into what is seen to be instances with declarations."""
    for attribute in attributes:
        yield from _put_below_self(summary, attribute)
    for method in covered:
        for put in method.puts:
            if parameters_in(put.value) or _holds_layers(summary, put.value):
                yield from _put_elsewhere(summary, method, put, attributes)


@needs((Assignment, "below"), AttributeStore, nothing=NONE)
def instances_put_into(
    summary: ClassSummary, attributes: Sequence[Attribute], puts: Sequence[InstanceStore]
) -> Mapping[str, ModuleClass]:
    """The instances of other classes into which something is put, by path, with their class."""
    found = {where.path: put.owners[0] for put in puts for where in put.places}
    for attribute in attributes:
        name, dot, _ = attribute.name.rpartition(".")
        if dot and (own := summary.classes_of(name)):
            found[name] = own[0]
    return found


def _put_below_self(summary: ClassSummary, attribute: Attribute) -> Iterator[InstanceStore]:
    """``self.stem.extra = nn.Parameter(...)``, of a name that is new there."""
    owners = _owners(summary, attribute)
    taken = frozenset[str]().union(*(_names_of(summary, cls) for cls in owners))
    items = summary.attached_as(attribute.name) if owners else ()
    new = [item for item in items if len(item.path) == 2 and item.path[1] not in taken]
    where = _where_of(attribute)
    last = {item.path: item for item in new if item.how in ATTACHING and parameters_in(item.value)}
    for item in last.values():
        yield _put_in(item, owners, where)
    for item in new:
        if item.how == "setattr" and parameters_in(item.value):
            yield _put_in(item, owners, where)
    yield from _put_further_down(summary, attribute)


def _put_further_down(summary: ClassSummary, attribute: Attribute) -> Iterator[InstanceStore]:
    """``self.net.stem.extra = nn.Parameter(...)``, where the net has the stem."""
    for item in summary.attached_as(attribute.name):
        *path, name = item.path
        owner = _class_at(summary, path) if len(path) > 1 else None
        if owner is None and item.how in ATTACHING and parameters_in(item.value):
            yield from _put_over_frozen(summary, item, _where_of(attribute))
        if owner is None or name in _names_of(summary, owner) or item.how not in ADDED:
            continue
        around = _where_of(attribute)
        if NOTHING in options_of(attribute.node):
            around = around.under(f"{attribute.target} is not None")
        where = replace(around, target=f"self.{'.'.join(path)}", path=".".join(path))
        if parameters_in(item.value) or _holds_layers(summary, item.value):
            yield _put_in(item, (owner,), where)


def _put_over_frozen(
    summary: ClassSummary, item: Assignment, around: AccessPath
) -> Iterator[InstanceStore]:
    """``self.stem.fc.weight = nn.Parameter(...)``, where the stem declares no weight: it froze it.

    Whether its ``fc`` can hold a declaration at all is for the stem to know.
    """
    for count in range(len(item.path) - 2, 0, -1):
        owner, inner = _class_at(summary, item.path[:count]), ".".join(item.path[count:])
        if owner is not None:
            stem = summary_of(owner, summary.resolver)
            if stem.is_frozen(inner) or stem.may_be_frozen(inner):
                path = ".".join(item.path[:count])
                where = replace(around, target=f"self.{path}", path=path)
                yield InstanceStore(inner, item.value, item.line, item.column, (owner,), (where,))
            return


def _class_at(summary: ClassSummary, path: Sequence[str]) -> ModuleClass | None:
    """The class of which there is an instance at a path, if there is one and it declares."""
    found: ModuleClass | None = summary.cls
    for name in path:
        own = summary_of(found, summary.resolver).classes_of(name) if found else []
        found = own[0] if len(own) == 1 else None
    return found if found is not None and _declares(summary, found) else None


def _put_in(item: Assignment, owners: tuple[ModuleClass, ...], where: AccessPath) -> InstanceStore:
    sure = always_assigned([item])
    return InstanceStore(item.path[-1], item.value, item.line, item.column, owners, (where,), sure)


def _owners(summary: ClassSummary, attribute: Attribute) -> tuple[ModuleClass, ...]:
    """The classes of which an attribute is an instance, if all it may be is one of these."""
    nodes = [node for node in options_of(attribute.node) if node != NOTHING]
    own = tuple(node.cls for node in nodes if isinstance(node, ClassInstance))
    own = own if len(own) == len(nodes) else ()
    return own if all(_declares(summary, cls) for cls in own) else ()


def _put_elsewhere(
    summary: ClassSummary, method: Function, put: AttributeStore, attributes: Sequence[Attribute]
) -> Iterator[InstanceStore]:
    """What is put into an instance that has another name, or is in a container."""
    path = _path_of(put.owner, method)
    there = [
        placement
        for attribute in attributes
        if path[:1] == (attribute.name,)
        for placement in place(attribute.node, _where_of(attribute))
    ]
    instances = [i for i in there if isinstance(i, Instance) and _declares(summary, i.cls)]
    found = {i: where for i in instances if (where := _where(i, path, put.owner)) is not None}
    if found:
        owners = tuple({instance.cls.key: instance.cls for instance in found}.values())
        sure = put.sure and all(map(_is_each_or_one, _elements(put.owner)))
        places = tuple({where.path: where for where in found.values()}.values())
        instance = _leaf(summary, put.value)
        others = "*" in path and len(instances) < len(there)
        yield InstanceStore(
            put.name, put.value, put.line, put.column, owners, places, sure, others, instance
        )
        return
    node = summary.resolver.resolve(put.owner, summary.scope)
    own = tuple(
        n.cls
        for n in options_of(node)
        if isinstance(n, ClassInstance) and _declares(summary, n.cls)
    )
    if not own and parameters_in(put.value) and is_opaque(node):
        held = tuple(cls for cls in summary.held if _declares(summary, cls))
        if held:
            yield InstanceStore(put.name, put.value, put.line, put.column, held, maybe=True)
    elif own:
        yield InstanceStore(put.name, put.value, put.line, put.column, own)


def _where_of(attribute: Attribute) -> AccessPath:
    """Where an attribute is found when the method ends that makes it, if it is there at all."""
    where = AccessPath.of(attribute.name, attribute.line)
    test = f'hasattr(self, "{attribute.name}")'
    return where if attribute.present else where.under(test)


def _where(instance: Instance, path: Path, owner: Value) -> AccessPath | None:
    """How source at the end of a method reads an instance that a path leads to."""
    there = instance.where.path.split(".")
    if len(there) != len(path):
        return None
    pairs = list(zip(path, there, strict=True))
    if all(one in (other, "*") for one, other in pairs):
        return instance.where
    if all(other in (one, "*") for one, other in pairs) and "*" not in path:
        text = owner.text if isinstance(owner, Element) else ""
        where = replace(instance.where, target=text, path=".".join(path), loops=())
        return where if text.startswith("self.") else None
    return None


def _path_of(owner: Value, method: Function) -> Path:
    """The way to a value below ``self``, ``*`` for any element; empty where there is none."""
    match owner:
        case SelfRead(path=path):
            return path
        case Element(of=of, index=index):
            around = _path_of(of, method)
            return (*around, "*" if index is None else str(index)) if around else ()
        case Call(callee=SelfRead(path=(*path, last))) if last in EACH:
            return tuple(path)
        case Call(callee=Unknown(owner=Element() as of, path=(last,))) if last in EACH:
            return _path_of(of, method)
        case Call() | MethodCall():
            same = (i.path for i in method.assignments if i.value is owner and i.how in ATTACHING)
            return next((path for path in same if len(path) == 1), ())
    return ()


def _elements(owner: Value) -> Iterator[Element]:
    while isinstance(owner, Element):
        yield owner
        owner = owner.of


def _is_each_or_one(element: Element) -> bool:
    """Whether an element is one at a known place, or each one in turn: of a loop."""
    return element.index is not None or not element.text


def _leaf(summary: ClassSummary, value: Value) -> LayerInstance | None:
    node = summary.resolver.resolve(value, summary.scope)
    return node if isinstance(node, LayerInstance) and node.layer.kind == "layer" else None


def _holds_layers(summary: ClassSummary, value: Value) -> bool:
    node = summary.resolver.resolve(value, summary.scope)
    return any(isinstance(item, LayerInstance | ClassInstance) for item in walk(node))


def _declares(summary: ClassSummary, cls: ModuleClass) -> bool:
    """Whether a class has parameters, and so becomes a PyroModule together with its holder."""
    return summary_of(cls, summary.resolver).has_parameters


def _names_of(summary: ClassSummary, cls: ModuleClass) -> frozenset[str]:
    """What a class attaches itself, or a base of it."""
    lineage = summary_of(cls, summary.resolver).lineage
    return frozenset[str]().union(*(inner.names_attached for inner in lineage))
