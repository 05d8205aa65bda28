"""How the source reaches the layers of a structure: by name, in a loop, or by looking for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pyroify.catalog.layers import KEYED, LAYERS, NUMBERED, Layer, LayerParameter
from pyroify.code.statements import Block, Loop, Root, Statement, nested
from pyroify.program.index import ModuleClass
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    LayerInstance,
    holds_only_parameters,
    is_filled,
)
from pyroify.syntax.interpret.collections import is_text
from pyroify.syntax.values import (
    Call,
    Items,
    Many,
    Nothing,
    OneOf,
    Parameter,
    Plain,
    Value,
    options_of,
    walk,
)

FLAGS = {"True": True, "False": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class AccessPath:
    """Where the source finds something: an expression, inside loops and under tests.

    ``path`` is its name below the class, with ``*`` for an index that only run time knows.
    ``parent`` reads the module that it is a child of, where that can be read.
    """

    target: str
    path: str
    line: int
    guards: tuple[str, ...] = ()
    loops: tuple[Loop, ...] = ()
    parent: str = ""

    @classmethod
    def of(cls, name: str, line: int = 0) -> AccessPath:
        """Where an attribute is found, by its name below ``self``; no name is ``self`` itself."""
        return cls("self", "", line).attribute(name)

    def attribute(self, name: str) -> AccessPath:
        """Where an attribute of it is found, by its name below it."""
        found = self
        for part in name.split(".") if name else ():
            found = found.child(f"{found.target}.{part}", part)
        return found

    def child(self, target: str, name: str) -> AccessPath:
        """Where a child of it is found."""
        path = subpath(self.path, name)
        return replace(self, target=target, path=path, parent=self.target)

    def element(self, variable: str, over: str) -> AccessPath:
        """Where any of its children is found: in a loop over all of them."""
        child = self.child(variable, "*")
        return replace(child, loops=(*self.loops, (variable, over)), parent="")

    @property
    def root(self) -> Root:
        """Where a search begins for it and all below it; it may be a class of its own."""
        if not self.parent:
            return Root(self.target, itself=True)
        return Root(self.parent, (self.path.rpartition(".")[2],))

    def under(self, guard: str) -> AccessPath:
        """The same place, visited only if a test holds."""
        return replace(self, guards=(*self.guards, guard))

    def wrap(self, statements: Iterable[Statement]) -> Block:
        """Statements about it inside the loops and tests they need."""
        return nested(self.loops, self.guards, statements)


@dataclass(frozen=True, slots=True)
class Single:
    """A layer of torch.nn that the source can name: ``self.net[0]``, or a loop variable."""

    where: AccessPath
    instance: LayerInstance


Extent = Literal["itself", "each", "below"]
"""Where the layers of a search are: the thing itself, elements of a container, or further down."""


@dataclass(frozen=True, slots=True)
class Search:
    """Layers found at run time at ``where``: those the source shows, by path as rules name it."""

    where: AccessPath
    found: tuple[tuple[str, Layer], ...]
    extent: Extent
    sure: bool = True
    """Whether all there is are modules: these layers, or some without parameters."""
    over: str = ""
    """Source of the elements of the container, if it is one."""

    @property
    def flat(self) -> bool:
        """Whether it is about one thing, which is one of these layers or has no parameters."""
        return self.extent == "itself"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, each once."""
        return tuple({layer.name: layer for _, layer in self.found}.values())


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a ParameterList, ParameterDict or recurrent layer, whatever their names."""

    where: AccessPath
    layer: Layer
    call: Call | None = None
    """What makes it, where that is seen."""
    may_be_frozen: bool = False
    """Some of its parameters are made frozen, or may be."""
    depths: tuple[int, ...] = (1,)
    """How many names lead to its parameters: two, where it is a list of lists."""

    @property
    def is_recurrent(self) -> bool:
        """Whether the names are known for one layer, and repeat for each further one."""
        return self.layer.kind == "recurrent"


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a class of the project, which declares its parameters itself."""

    where: AccessPath
    cls: ModuleClass


Layers = Single | Search | Parameters
Placement = Layers | Instance


def place(node: Value, where: AccessPath) -> Iterator[Placement]:
    """How the layers of a structure are reached from the source."""
    match node:
        case LayerInstance(layer=layer) if layer.kind == "recurrent":
            yield Parameters(where, layer, node.call)
        case LayerInstance(layer=layer):
            if any(presence(item, node.call) is not False for item in layer.parameters):
                yield Single(where, node)
        case ContainerInstance(layer=layer) if holds_only_parameters(layer):
            owned = [item for item in walk(node) if isinstance(item, Parameter)]
            maybe = any(parameter.frozen is not False for parameter in owned)
            depths = tuple(sorted(set(_depths(node)))) or (1,)
            yield Parameters(where, layer, may_be_frozen=maybe, depths=depths)
        case ClassInstance(cls=cls):
            yield Instance(where, cls)
        case ContainerInstance():
            yield from _place_container(node, where)
        case OneOf(options=nodes):
            yield from _place_choice(nodes, where)


def _depths(node: Value, depth: int = 0) -> Iterator[int]:
    """How many names lead to the parameters in a structure of lists, with what lists hold."""
    match node:
        case ContainerInstance(items=children) if children:
            for child in children:
                yield from _depths(child, depth + 1)
        case Many(item=inner):
            yield from _depths(inner, depth)
        case OneOf(options=nodes):
            for inner in nodes:
                yield from _depths(inner, depth)
        case ContainerInstance():
            yield depth + 1
        case _:
            yield depth


def misses_parameters(node: Value) -> bool:
    """Whether a list of parameters is in a structure where no loop reaches it."""
    lists = [item for item in walk(node) if isinstance(item, ContainerInstance) and is_filled(item)]
    reached = place(node, AccessPath("self", "", 0))
    return len(lists) > sum(
        isinstance(item, Parameters) and not item.is_recurrent for item in reached
    )


def presence(parameter: LayerParameter, call: Call | None) -> bool | None:
    """Whether a parameter is there; None where an expression of the source decides."""
    if parameter.present_if is None:
        return True
    if parameter.present_if.startswith("not ") or " or " in parameter.present_if:
        return None
    layer = LAYERS[parameter.layer]
    states = [_flag(layer, call, flag) for flag in parameter.present_if.split(" and ")]
    if False in states:
        return False
    return None if None in states else True


def subpath(path: str, name: str) -> str:
    """A path one name longer."""
    return f"{path}.{name}" if path else name


def _flag(layer: Layer, call: Call | None, flag: str) -> bool | None:
    """What a call gives for a yes-or-no argument, as far as the source shows it."""
    for position, (name, default) in enumerate(layer.signature):
        if name != flag:
            continue
        if call is None:
            return None
        passed = call.argument(name, position)
        text = passed.text if passed else default if not call.starred else None
        return FLAGS.get(text or "")
    return None


def _place_container(container: ContainerInstance, where: AccessPath) -> Iterator[Placement]:
    if not any(map(_is_placed, walk(container))):
        return
    over = f"{where.target}.values()" if container.layer.name in KEYED else where.target
    match container.items:
        case (Many(item=element),) if _is_plain_loop(element):
            yield from place(element, where.element(_loop_variable(element, where), over))
        case children if all(map(_is_one, children)) and _has_all_keys(container):
            for index, child in enumerate(children):
                yield from place(child, _child(container, index, where))
        case children:
            found = tuple(dict.fromkeys(_layers(container, where.path)))
            options = [option for child in children for option in _options(child)]
            if found:
                yield Search(where, found, *_extent(options, "each"), over=over)


def _place_choice(nodes: tuple[Value, ...], where: AccessPath) -> Iterator[Placement]:
    real = [node for node in nodes if not isinstance(node, Nothing)]
    if len(real) < len(nodes):
        where = where.under(f"{where.target} is not None")
    if len(real) == 1 and not isinstance(real[0], Plain):
        yield from place(real[0], where)
        return
    if found := tuple(dict.fromkeys(_layers(OneOf(tuple(real)), where.path))):
        yield Search(where, found, *_extent(real, "itself"))


def _extent(options: Sequence[Value], simple: Extent) -> tuple[Extent, bool]:
    """Where layers are among what a container or attribute may hold, and whether all are some.

    Classes of the project are told from them unless they derive from one of these layers.
    """
    parts = [inner for option in options for inner in walk(option)]
    layers = [part.layer for part in parts if isinstance(part, LayerInstance)]
    own = [part.cls for part in parts if isinstance(part, ClassInstance)]
    bases = [base.library_base for cls in own for base in cls.lineage]
    plain = [option for option in options if isinstance(option, Plain)]
    is_sure = not own and (simple == "each" or all(option.is_module for option in plain))
    is_simple = all(isinstance(option, LayerInstance | Plain | ClassInstance) for option in options)
    return simple if is_simple and not any(base in layers for base in bases) else "below", is_sure


def _has_all_keys(container: ContainerInstance) -> bool:
    """Whether the source shows the name of each child; by default that is its place."""
    is_told = len(container.keys) == len(container.items) or container.layer.name not in KEYED
    return is_told and all(map(is_text, container.keys))


def _child(container: ContainerInstance, index: int, where: AccessPath) -> AccessPath:
    """Where a child of a container is found: by key, attribute or position."""
    position = f"{where.target}[{index}]"
    if index >= len(container.keys):
        return where.child(position, str(index))
    key = container.keys[index].strip("'\"")
    if container.layer.name in KEYED:
        return where.child(f'{where.target}["{key}"]', key)
    return where.child(f"{where.target}.{key}" if key.isidentifier() else position, key)


def _is_placed(node: Value) -> bool:
    """Whether a part of a structure has parameters."""
    if isinstance(node, ContainerInstance):
        return holds_only_parameters(node.layer)
    return isinstance(node, LayerInstance | ClassInstance | Parameter)


def _is_one(node: Value) -> bool:
    """Whether a child of a container is exactly one module."""
    if isinstance(node, OneOf):
        return not any(isinstance(item, Nothing) for item in node.options)
    return not isinstance(node, Many)


def _options(node: Value) -> tuple[Value, ...]:
    """What a child of a container may be."""
    if isinstance(node, Many):
        return _options(node.item)
    return options_of(node)


def _is_plain_loop(node: Value) -> bool:
    """Whether a loop over a container can name every layer of its elements."""
    if isinstance(node, ContainerInstance) and node.layer.name in NUMBERED:
        return not any(isinstance(child, Many | OneOf) for child in node.items)
    if isinstance(node, ContainerInstance) and holds_only_parameters(node.layer):
        return True
    return isinstance(node, LayerInstance | ClassInstance)


def _layers(node: Value, path: str) -> Iterator[tuple[str, Layer]]:
    """The layers of torch.nn in a structure, with ``*`` for each position in a container."""
    match node:
        case LayerInstance(layer=layer):
            yield path, layer
        case ContainerInstance(items=children):
            for child in children:
                yield from _layers(child, subpath(path, "*"))
        case Items(items=children) | OneOf(options=children):
            for child in children:
                yield from _layers(child, path)
        case Many(item=inner):
            yield from _layers(inner, path)


def _loop_variable(node: Value, where: AccessPath) -> str:
    names = ("layer",) if isinstance(node, LayerInstance) else ("block", "part", "piece")
    if isinstance(node, ContainerInstance) and holds_only_parameters(node.layer):
        names = ("group", *names)
    used = {variable for variable, _ in where.loops}
    return next((name for name in names if name not in used), f"layer_{len(where.loops)}")
