"""What an attribute of a module holds: layers, containers of layers, classes of the project.

The values of the facts are followed through helper functions and methods, local variables and
aliases, over the whole project. Where the source does not show what is made, the answer is Opaque.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyroify.catalog.layers import Layer
from pyroify.catalog.thirdparty import MODULE_FREE, NO_MODULES
from pyroify.index.facts import (
    Argument,
    Call,
    Choice,
    Constant,
    Declared,
    Function,
    Items,
    MethodCall,
    Name,
    Parameter,
    Passed,
    Repeat,
    SelfRead,
    Spot,
    Unknown,
    Value,
)
from pyroify.index.resolve import Index, ModuleClass


@dataclass(frozen=True, slots=True)
class Leaf:
    """A layer of torch.nn that owns its parameters; ``call`` is None where it is not seen."""

    layer: Layer
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """An instance of a class of the project, which declares its own parameters."""

    cls: ModuleClass


@dataclass(frozen=True, slots=True)
class Box:
    """A container of torch.nn with its children; ``keys`` as far as they are written."""

    layer: Layer
    call: Call | None
    children: tuple[Node, ...]
    keys: tuple[str, ...] = ()
    cls: ModuleClass | None = None
    """The class of the project it is an instance of, where that adds no children itself."""


@dataclass(frozen=True, slots=True)
class Many:
    """Any number of modules of one structure."""

    node: Node


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of several structures; which one is known at run time."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """Modules in a Python list, tuple or dict."""

    children: tuple[Node, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that may be a module and whose structure is not visible; ``text`` is its source.

    ``sure``: it is a module with parameters, as far as the name tells. ``maybe_none``: it is what
    some unknown function gives.
    """

    text: str
    sure: bool = False
    maybe_none: bool = False


@dataclass(frozen=True, slots=True)
class Owned:
    """A parameter."""

    parameter: Parameter


@dataclass(frozen=True, slots=True)
class Plain:
    """Nothing that holds parameters."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """None."""


PLAIN, NOTHING = Plain(), Nothing()
Node = Leaf | Own | Box | Many | OneOf | Listed | Opaque | Owned | Plain | Nothing


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


MAX_DEPTH = 12
CLONES = {"copy.deepcopy", "copy.copy"}
NORMED = {
    "torch.nn.utils.weight_norm",
    "torch.nn.utils.spectral_norm",
    "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.parametrizations.spectral_norm",
    "torch.nn.utils.parametrizations.orthogonal",
}


def computes_weight(dotted: str) -> bool:
    """Whether a function of torch replaces a weight by one computed from other parameters."""
    if dotted in NORMED or dotted == "torch.nn.utils.parametrize.register_parametrization":
        return True
    return dotted.startswith("torch.nn.utils.prune.")


@dataclass
class Resolver:
    """Follows values to structures over an index."""

    index: Index
    subclasses: Mapping[tuple[str, str], tuple[ModuleClass, ...]]
    functions: dict[tuple[str, str], Function] = field(default_factory=dict)
    """Functions of the project that make layers for classes, by path and name, as met."""

    def resolve(self, value: Value, scope: Scope) -> Node:
        """The structure of a value."""
        match value:
            case Constant(text="None"):
                return NOTHING
            case Name(dotted=dotted):
                return self._named(dotted, scope)
            case Constant() | Declared():
                return PLAIN
            case Parameter():
                return Owned(value)
            case Argument(name=name):
                if name in scope.arguments:
                    passed, outer = scope.arguments[name]
                    return self.resolve(passed.value, outer)
                return Opaque(name)
            case SelfRead():
                # Another name for what some attribute holds already, and declares.
                return PLAIN
            case Choice(options=options):
                return one_of(*[self.resolve(option, scope) for option in options])
            case Repeat(item=item):
                node = self.resolve(item, scope)
                return node if isinstance(node, Plain | Nothing) else Many(node)
            case Items():
                return self._items(value, scope)
            case MethodCall():
                return self._method_call(value, scope)
            case Call():
                return self._call(value, scope)
            case Unknown(text=text):
                return Opaque(text)
        return PLAIN

    def _named(self, dotted: str, scope: Scope) -> Node:
        """A name that is not called: a module built at file level, a class, a number."""
        target = self.index.resolve(dotted, scope.path)
        if isinstance(target.alias, Call) and target.file is not None and scope.depth <= MAX_DEPTH:
            inner = Scope(target.file.path, depth=scope.depth + 1, inside=False)
            if any(isinstance(n, Leaf | Own) for n in walk(self.resolve(target.alias, inner))):
                return Opaque(dotted, sure=True)
        return PLAIN

    def _items(self, value: Items, scope: Scope) -> Node:
        children = tuple(self.resolve(item, scope) for item in value.items)
        if all(isinstance(child, Plain | Nothing) for child in children):
            return PLAIN
        if all(is_data(child) for child in children):
            return PLAIN
        return Listed(children, value.keys)

    def _method_call(self, value: MethodCall, scope: Scope) -> Node:
        if scope.cls is None or scope.depth > MAX_DEPTH:
            return Opaque(value.call.text)
        found = scope.cls.find_method(value.name)
        if found is None:
            for owner in scope.cls.lineage:
                inner = f"{owner.file.module}.{owner.cls.qualname}.{value.name}"
                nested = self.index.resolve(inner, owner.file.path).module_class
                if nested is not None:
                    return Own(nested)
            attribute = dict(scope.cls.cls.class_attributes).get(value.name)
            if isinstance(attribute, Name) and not self._overridden(value.name, scope.cls):
                return self._call(replace(value.call, callee=attribute), scope)
            return Opaque(value.call.text)
        if self._overridden(value.name, scope.cls):
            return Opaque(value.call.text)
        owner, method = found
        return self._returned(method, value.call, replace(scope, cls=owner), owner.file.path)

    def _overridden(self, name: str, cls: ModuleClass) -> bool:
        return any(
            sub.cls.method(name) is not None or name in dict(sub.cls.class_attributes)
            for sub in self.subclasses.get(cls.key, ())
        )

    def _returned(self, function: Function, call: Call, scope: Scope, path: str) -> Node:
        """What a function gives for a call: the union of what it returns."""
        place = (path, function.line)
        if function.generator or place in scope.callers:
            return Opaque(call.text)
        if not function.returns:
            return PLAIN
        arguments: dict[str, tuple[Passed, Scope]] = {}
        for position, name in enumerate(function.arguments):
            if passed := call.argument(name, position):
                arguments[name] = (passed, scope)
            elif default := dict(function.defaults).get(name):
                if is_literal(default) and not call.starred:
                    arguments[name] = (Passed("", "", default, True, Constant(default)), scope)
        callers = scope.callers | {place}
        inner = Scope(path, scope.cls, arguments, scope.depth + 1, False, callers)
        return one_of(*[self.resolve(value, inner) for value in function.returns])

    def _call(self, call: Call, scope: Scope) -> Node:
        if scope.depth > MAX_DEPTH:
            return Opaque(call.text)
        match call.callee:
            case Name(dotted=dotted):
                return self._named_call(call, dotted, scope)
            case Choice(options=options):
                nodes = [self._call(replace(call, callee=option), scope) for option in options]
                return one_of(*_unwrapped(nodes, call))
            case Argument(name=name) if name in scope.arguments:
                passed, outer = scope.arguments[name]
                if isinstance(passed.value, Name):
                    # The class handed in cannot be wrapped where it is called.
                    node = self._named_call(
                        call, passed.value.dotted, replace(scope, path=outer.path)
                    )
                    if any(isinstance(item, Leaf | Box) for item in walk(node)):
                        return Opaque(call.text, sure=True)
                    return node
                return Opaque(call.text)
            case Call() as made:
                return self._partial(call, made, scope)
            case Constant():
                return PLAIN
        return Opaque(call.text, maybe_none=isinstance(call.callee, Unknown))

    def _partial(self, call: Call, made: Call, scope: Scope) -> Node:
        """``partial(nn.Conv2d, bias=False)(...)``: the layer, its arguments not seen."""
        if (
            isinstance(made.callee, Name)
            and made.callee.dotted in ("functools.partial",)
            and made.args
        ):
            # The layer is made where nobody can wrap it, in functools.
            node = self._call(replace(call, callee=made.args[0].value), scope)
            return Opaque(call.text, sure=True) if holds_parameters(node) else node
        return Opaque(call.text)

    def _named_call(self, call: Call, dotted: str, scope: Scope) -> Node:
        index = self.index
        layer = index.layer(dotted, scope.path)
        if layer is not None:
            return self._layer_call(call, layer, scope)
        name = index.canonical(dotted, scope.path)
        if name in CLONES and call.args:
            return without_call(self.resolve(call.args[0].value, scope))
        if name in NORMED:
            return Opaque(call.text, sure=True)
        target = index.resolve(dotted, scope.path)
        if target.module_class is not None:
            return self._instance(call, target.module_class, scope)
        if target.plain_class is not None:
            return PLAIN
        if target.function is not None and target.file is not None:
            node = self._returned(target.function, call, replace(scope, cls=None), target.file.path)
            if holds_parameters(node):
                self.functions[target.file.path, target.function.name] = target.function
            return node
        if target.alias is not None and target.file is not None:
            return self._alias_call(
                call, target.alias, replace(scope, path=target.file.path, cls=None)
            )
        return self._outside_call(call, name)

    def _instance(self, call: Call, cls: ModuleClass, scope: Scope) -> Node:
        """An instance of a class; what a bare container is given belongs to whoever gives it."""
        base = cls.library_base
        if base is None or base.kind != "container" or cls.find_method("__init__") is not None:
            return Own(cls)
        box = self.box(call, base, scope)
        return replace(box, cls=cls) if box.children else Own(cls)

    def _alias_call(self, call: Call, alias: Value, scope: Scope) -> Node:
        if isinstance(alias, Call):
            return self._partial(call, alias, scope)
        if isinstance(alias, Name | Choice):
            return self._call(replace(call, callee=alias), replace(scope, depth=scope.depth + 1))
        return Opaque(call.text)

    def _outside_call(self, call: Call, name: str) -> Node:
        head = name.partition(".")[0]
        if "." not in name and (name in dir(__builtins__) or name in BUILTINS):
            return PLAIN
        if head in sys.stdlib_module_names or head in NO_MODULES or MODULE_FREE.fullmatch(name):
            return PLAIN
        return Opaque(call.text, sure=name.rpartition(".")[2][:1].isupper())

    def _layer_call(self, call: Call, layer: Layer, scope: Scope) -> Node:
        if layer.kind == "stateless":
            return PLAIN
        if layer.kind == "container":
            return self.box(call, layer, scope)
        return Leaf(layer, call if scope.inside else self._seen_from_outside(call, scope))

    def _seen_from_outside(self, call: Call, scope: Scope) -> Call:
        """A call in a helper as its caller sees it: literals, and arguments the caller passed."""
        arguments = []
        for passed in call.args:
            if isinstance(passed.value, Argument) and passed.value.name in scope.arguments:
                given, outer = scope.arguments[passed.value.name]
                seen = replace(given, keyword=passed.keyword, star=passed.star)
                arguments.append(
                    seen if outer.inside or is_literal(given.text) else replace(seen, stable=False)
                )
            else:
                anywhere = is_literal(passed.text) or (scope.cls is not None and reads_self(passed))
                arguments.append(replace(passed, stable=anywhere))
        return replace(call, args=tuple(arguments))

    def box(self, call: Call, layer: Layer, scope: Scope) -> Box:
        """A container with what a call gives it."""
        children: list[Node] = []
        keys: list[str] = []
        for passed in call.args:
            value = passed.value
            if isinstance(value, Items):
                children.extend(self.resolve(item, scope) for item in value.items)
                keys.extend(value.keys)
                continue
            if isinstance(value, SelfRead) and (passed.star or layer.name != "Sequential"):
                node = self._members_of(value, scope)
            else:
                node = self.resolve(value, scope)
            if isinstance(node, Listed):
                children.extend(node.children)
                keys.extend(node.keys)
            elif passed.star or layer.name != "Sequential":
                children.append(node if isinstance(node, Plain | Nothing) else Many(node))
            else:
                children.append(node)
        return Box(layer, call if scope.inside else None, tuple(children), tuple(keys))

    def _members_of(self, read: SelfRead, scope: Scope) -> Node:
        """What a container is given by ``*self.parts``: hidden if that is filled elsewhere."""
        methods = scope.cls.cls.methods if scope.cls else ()
        assigned = [
            item.value
            for method in methods
            for item in method.assignments
            if item.path == read.path and item.how == "assign"
        ]
        hidden = assigned and all(isinstance(value, Items | Argument) for value in assigned)
        return Opaque(f"self.{'.'.join(read.path)}", sure=True) if hidden else PLAIN


BUILTINS = {
    *("int", "float", "str", "bool", "len", "range", "min", "max", "sum", "abs", "round", "set"),
    *("isinstance", "hasattr", "getattr", "print", "sorted", "zip", "enumerate", "type", "pow"),
    *("list", "tuple", "dict", "frozenset", "any", "all", "callable", "id", "slice", "open"),
}
BUILTINS.discard("getattr")  # getattr(nn, name) may well give a layer


def one_of(*nodes: Node) -> Node:
    """One of several structures, flattened; a single one as it is."""
    flat: dict[Node, None] = {}
    for node in nodes:
        for inner in node.nodes if isinstance(node, OneOf) else (node,):
            flat[inner] = None
    if len(flat) == 1:
        return next(iter(flat))
    return OneOf(tuple(flat)) if flat else PLAIN


def _unwrapped(nodes: Sequence[Node], call: Call) -> Iterator[Node]:
    """What one call may make; its layers are hidden where it may as well make something else.

    A class of the project cannot be wrapped there, and so the layers are not either.
    """
    mixed = any(isinstance(node, Own | Opaque) for node in nodes)
    for node in nodes:
        is_layer = isinstance(node, Leaf | Box)
        yield Opaque(call.text, sure=True) if mixed and is_layer else node


def is_data(node: Node) -> bool:
    """Whether a member of a list is a number, a size or the like and no module."""
    if isinstance(node, Opaque):
        return not node.sure
    if isinstance(node, Many):
        return is_data(node.node)
    if isinstance(node, Listed):
        return all(is_data(child) for child in node.children)
    return isinstance(node, Plain | Nothing)


def is_literal(text: str) -> bool:
    """Whether source is a plain number, flag or None, which means the same everywhere."""
    return text in ("None", "True", "False") or text.isdigit()


def reads_self(passed: Passed) -> bool:
    """Whether a size reads attributes of ``self`` and nothing else, so that any method may."""
    names = re.findall(r"(?<![\w.])[A-Za-z_]\w*", passed.text)
    return passed.stable and bool(names) and set(names) == {"self"}


def without_call(node: Node) -> Node:
    """The structure without the calls that made it: their names mean nothing elsewhere."""
    match node:
        case Leaf():
            return replace(node, call=None)
        case Box():
            return replace(node, call=None, children=tuple(map(without_call, node.children)))
        case Many():
            return Many(without_call(node.node))
        case OneOf():
            return one_of(*map(without_call, node.nodes))
        case Listed():
            return replace(node, children=tuple(map(without_call, node.children)))
    return node


def walk(node: Node) -> Iterator[Node]:
    """A structure and everything inside it; classes of the project are not entered."""
    yield node
    if isinstance(node, Box) and node.cls is not None:
        yield Own(node.cls)
    match node:
        case Box(children=children) | Listed(children=children):
            for child in children:
                yield from walk(child)
        case Many(node=inner):
            yield from walk(inner)
        case OneOf(nodes=nodes):
            for inner in nodes:
                yield from walk(inner)


def places(node: Node) -> Iterator[Spot]:
    """Where the layers and containers of a structure are made."""
    for item in walk(node):
        if isinstance(item, Leaf | Box) and item.call:
            yield item.call.place


def calls_in(value: Value) -> Iterator[Call]:
    """A value's calls, those in its arguments included."""
    match value:
        case Call(args=args):
            yield value
            for passed in args:
                yield from calls_in(passed.value)
        case MethodCall(call=call):
            yield from calls_in(call)
        case Items(items=items) | Choice(options=items):
            for item in items:
                yield from calls_in(item)
        case Repeat(item=item):
            yield from calls_in(item)


def holds_parameters(node: Node) -> bool:
    """Whether a structure has, or may have, parameters."""
    return any(isinstance(i, Leaf | Own | Opaque | Owned) or is_filled(i) for i in walk(node))


def is_filled(node: Node) -> bool:
    """Whether a node is a ParameterList or ParameterDict of something: tensors will do."""
    return isinstance(node, Box) and holds_only_parameters(node.layer) and bool(node.children)


def holds_only_parameters(layer: Layer) -> bool:
    """Whether a container is one of parameters."""
    return layer.name in ("ParameterList", "ParameterDict")


def has_gap(node: Node) -> bool:
    """Whether a container may hold None in place of a module, which Pyro cannot convert."""
    return any(
        _may_be_none(child)
        for item in walk(node)
        if isinstance(item, Box | Listed | Many)
        for child in (item.children if isinstance(item, Box | Listed) else (item.node,))
    )


def _may_be_none(node: Node) -> bool:
    if isinstance(node, OneOf):
        return any(map(_may_be_none, node.nodes))
    return isinstance(node, Nothing) or (isinstance(node, Opaque) and node.maybe_none)


def is_opaque(node: Node) -> bool:
    """Whether part of a structure is not visible."""
    return any(isinstance(item, Opaque) for item in walk(node))
