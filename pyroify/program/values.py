"""The elements of the lattice that the whole program tells: layers, containers, instances."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pyroify.catalog.layers import OF_PARAMETERS, Layer
from pyroify.program.index import ModuleClass
from pyroify.syntax.values import (
    Call,
    Items,
    Location,
    Many,
    Nothing,
    OneOf,
    Parameter,
    Passed,
    Path,
    Plain,
    Unknown,
    Value,
    join,
    walk,
)


@dataclass(frozen=True, slots=True)
class LayerInstance(Value):
    """A layer of torch.nn that owns its parameters; ``call`` is None where it is not seen.

    ``partial`` is the ``functools.partial`` that makes it, with the path of its file. ``plain``: it
    is made where it cannot be wrapped, so that it still has to become a Pyro module.
    """

    layer: Layer
    call: Call | None = None
    partial: tuple[str, Call] | None = None
    plain: bool = False


@dataclass(frozen=True, slots=True)
class ClassInstance(Value):
    """An instance of a class of the project, which declares its own parameters."""

    cls: ModuleClass


@dataclass(frozen=True, slots=True)
class ContainerInstance(Value):
    """A container of torch.nn with what it holds; ``keys`` as far as they are written."""

    layer: Layer
    call: Call | None
    items: tuple[Value, ...]
    keys: tuple[str, ...] = ()
    cls: ModuleClass | None = None
    """The class of the project it is an instance of, where that adds no children itself."""
    plain: bool = False
    """It is made where it cannot be wrapped, so that it still has to become a Pyro module."""

    @property
    def components(self) -> tuple[Value, ...]:
        """The values that it is made of."""
        return self.items if self.cls is None else (ClassInstance(self.cls), *self.items)


def down(node: Value, path: Path) -> tuple[Value, Path]:
    """What is at a path below a value, as far as containers say what they hold by name.

    With the rest of the path below that.
    """
    while (
        isinstance(node, ContainerInstance)
        and node.cls is None
        and len(node.keys) == len(node.items)
        and path
        and repr(path[0]) in node.keys
    ):
        node, path = node.items[node.keys.index(repr(path[0]))], path[1:]
    return node, path


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a value stands: its file, the class whose method it is in, and the arguments known."""

    path: str
    cls: ModuleClass | None = None
    arguments: Mapping[str, tuple[Passed, Scope]] = field(default_factory=dict)
    depth: int = 0
    inside: bool = True
    """Whether names of the value are those of the declaring function itself."""
    callers: frozenset[tuple[str, int]] = frozenset()
    """The functions that were followed to get here: path and line of each."""
    user: tuple[str, str] | None = None
    """The class that the value is made for, whatever functions lead to it."""
    of_file: bool = False
    """Whether the value is what a file or class body assigns, outside of functions."""


def is_certain(node: Value) -> bool:
    """Whether part of a structure surely has parameters, or surely is a module."""
    return isinstance(node, LayerInstance | ClassInstance | Parameter | ContainerInstance) or (
        isinstance(node, Unknown) and node.sure
    )


def hidden(text: str, *nodes: Value) -> Unknown:
    """What may be one of several structures, or made of them, and is not visible."""
    inside = [item for node in nodes for item in walk(node)]
    any_class = any(map(may_be_any_class, inside))
    return Unknown(text, sure=any(map(is_certain, inside)), any_class=any_class)


def may_be_any_class(node: Value) -> bool:
    """Whether something may be an instance of any class of the project."""
    return isinstance(node, Unknown) and node.any_class


def is_data(node: Value) -> bool:
    """Whether a member of a list is a number, a size or the like and no module."""
    if isinstance(node, Unknown):
        return not node.sure
    if isinstance(node, Many):
        return is_data(node.item)
    if isinstance(node, Items):
        return all(is_data(child) for child in node.items)
    return isinstance(node, Plain | Nothing)


def without_call(node: Value) -> Value:
    """The structure without the calls that made it: their names mean nothing elsewhere."""
    match node:
        case LayerInstance():
            return replace(node, call=None)
        case ContainerInstance():
            return replace(node, call=None, items=tuple(map(without_call, node.items)))
        case Many():
            return Many(without_call(node.item))
        case OneOf():
            return join(*map(without_call, node.options))
        case Items():
            return replace(node, items=tuple(map(without_call, node.items)))
    return node


def classes_in(node: Value) -> Iterator[ModuleClass]:
    """The classes of the project of which there are instances in a structure."""
    yield from (item.cls for item in walk(node) if isinstance(item, ClassInstance))


def places(node: Value) -> Iterator[Location]:
    """Where the layers and containers of a structure are made, which can be wrapped there."""
    for item in walk(node):
        if isinstance(item, LayerInstance | ContainerInstance) and item.call and not item.plain:
            yield item.call.place


def is_plain_throughout(node: Value, plain: Container[tuple[str, str]] = ()) -> bool:
    """Whether a structure is all seen, and has no instances of classes but those that stay plain.

    Else Pyro has to see what is in its containers, which become PyroModules with their layers.
    """
    return not any(
        isinstance(item, Unknown) or (isinstance(item, ClassInstance) and item.cls.key not in plain)
        for item in walk(node)
    )


def holds_parameters(node: Value) -> bool:
    """Whether a structure has, or may have, parameters."""
    return any(
        isinstance(i, LayerInstance | ClassInstance | Unknown | Parameter) or is_filled(i)
        for i in walk(node)
    )


def is_filled(node: Value) -> bool:
    """Whether a node is a ParameterList or ParameterDict of something: tensors will do."""
    return (
        isinstance(node, ContainerInstance)
        and holds_only_parameters(node.layer)
        and bool(node.items)
    )


def holds_only_parameters(layer: Layer) -> bool:
    """Whether a container is one of parameters."""
    return layer.name in OF_PARAMETERS


def holds_only_instances(node: Value) -> bool:
    """Whether a structure is made of instances of the project, and of what has no parameters."""
    made = (ClassInstance, ContainerInstance, Plain, Nothing, Many, OneOf)
    return all(
        isinstance(item, made) and not (isinstance(item, ContainerInstance) and item.cls)
        for item in walk(node)
    )


def is_opaque(node: Value) -> bool:
    """Whether part of a structure is not visible."""
    return any(isinstance(item, Unknown) for item in walk(node))
