"""Expressions that mean something else once layers are PyroModules and parameters are random."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from typing import TypeGuard

from pyroify.catalog.layers import LAYERS, lookup
from pyroify.dispatch import needs
from pyroify.syntax.facts import Observation, Plate, Sweep, TypeTest
from pyroify.syntax.nodes import walk
from pyroify.syntax.observe.slices import ITERATING
from pyroify.syntax.observe.uses import SIZES
from pyroify.syntax.observe.writes import INITIALISERS
from pyroify.syntax.parameters import PARAMETER
from pyroify.syntax.source import Body, Source, chain

PARAMETERS = {"parameters", "named_parameters"}
"""Methods of a module that give its parameters."""
MODULES = {"modules", "named_modules", "children", "named_children"}
TRANSPOSING = ("t", "transpose", "permute", "swapaxes", "movedim")
TRANSPOSED = (*TRANSPOSING, "T", "mT")
"""What gives a view whose numbers stand in another order, called or not."""
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


@needs("next", "fit", "_parameters", ast.For, ast.While, *TRANSPOSED)
def observe(body: Body, this: str) -> Iterator[Observation]:
    """What the nodes of a method do that depends on parameters being parameters.

    ``training``: step after step, or by a trainer.
    """
    for node in body.nodes.of(ast.Call, ast.For, ast.While, ast.Subscript):
        if found := _observation(body.source, node, this):
            yield found


def _observation(file: Source, node: ast.AST, this: str) -> Observation | None:
    match node:
        case ast.Call(func=ast.Name(id="next"), args=[ast.Call(func=asked)]):
            parts = chain(asked)
            if parts[:1] == (this,) and parts[-1] == "parameters":
                return _seen(file, "anchor", node, ".".join(parts[1:-1]))
        case ast.Call(args=[data, *_]) if file.dotted(node.func) in PARAMETER:
            if _is_transposed(data):
                return _seen(file, "transposed", data)
        case ast.For(body=body) | ast.While(body=body):
            inner = (item for statement in body for item in walk(statement))
            if step := next((item for item in inner if _calls(item, "backward")), None):
                return _seen(file, "training", step)
        case ast.Call(func=ast.Attribute(value=owner, attr="fit")) if chain(owner) != (this,):
            return _seen(file, "training", node)
        case ast.Subscript(value=owner, slice=ast.Constant(value=key)):
            if chain(owner) == (this, "_parameters"):
                return _seen(file, "parameters_dict", node, str(key))
    return None


def _calls(node: ast.AST, method: str) -> TypeGuard[ast.Call]:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
    )


@needs(ast.For, *COMPREHENSIONS, ast.Subscript)
def observe_members(body: Body, this: str) -> Iterator[Observation]:
    """What a method does with the parameters and the modules it goes over, or takes by number.

    ``sizes``: only sizes and the like of the parameters. ``layers``: it calls the modules, or reads
    their weights.
    """
    file = body.source
    for node in body.nodes.of(ast.For, *COMPREHENSIONS, ast.Call, ast.Attribute):
        for target, over, seeing in _loops(node):
            inner = [item for statement in seeing for item in walk(statement)]
            names = [item.id for item in walk(target) if isinstance(item, ast.Name)]
            if _asks(over, this, PARAMETERS) and names and not _values_read(inner, names[-1]):
                yield _seen(file, "sizes", over)
            used = any(_is_among(_used_layer(item), names) for item in inner)
            if used and _gives_modules(over, this):
                yield _seen(file, "layers", over)
        if isinstance(node, ast.expr) and _is_member(_used_layer(node), this):
            yield _seen(file, "layers", node)


@needs(*PARAMETERS, nothing=())
def parameter_sweeps(file: Source) -> tuple[Sweep, ...]:
    """Loops over ``parameters()`` of modules that do more than ask for sizes, or list them.

    Those of one module at a time, without its children, are left out.
    """
    return tuple(
        Sweep(call.lineno, file.column(call), any(_prepares(file, item) for item in _all(body)))
        for node in file.nodes.of(ast.For, *COMPREHENSIONS)
        for target, over, body in _loops(node)
        for call in walk(over)
        if isinstance(call, ast.Call) and any(_calls(call, name) for name in PARAMETERS)
        if not any(keyword.arg == "recurse" for keyword in call.keywords)
        if _reads_some(target, over is call, body)
    )


def _all(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    return (item for node in nodes for item in walk(node))


def _prepares(file: Source, node: ast.AST) -> bool:
    """Whether a node freezes, initialises or declares what it has at hand."""
    match node:
        case ast.Attribute(attr="requires_grad", ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Name(id="setattr") | ast.Attribute(attr="requires_grad_")):
            return True
        case ast.Call(func=function):
            return file.dotted(function).startswith(INITIALISERS)
    return False


def _reads_some(target: ast.expr, is_named: bool, body: Sequence[ast.AST]) -> bool:
    """Whether a loop reads values of what it goes over; a name in front of them is none."""
    names = [item.id for item in walk(target) if isinstance(item, ast.Name)]
    match body:
        case [ast.ListComp(elt=ast.Name(id=name)) | ast.GeneratorExp(elt=ast.Name(id=name))]:
            return name not in names
    inner = list(_all(body))
    return any(_values_read(inner, name) for name in (names[-1:] if is_named else names))


def _asks(node: ast.expr, this: str, names: Set[str]) -> bool:
    """Whether an expression calls a method of these names, of ``this`` or of what is below it."""
    parts = chain(node.func) if isinstance(node, ast.Call) else ()
    return parts[:1] == (this,) and parts[-1] in names


def _gives_modules(node: ast.expr, this: str) -> bool:
    """Whether an expression gives the modules below ``this``, or the members of a container."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=args) if name in ITERATING:
            return any(_gives_modules(argument, this) for argument in args)
        case ast.Subscript(value=owner, slice=ast.Slice()):
            return _gives_modules(owner, this)
        case ast.Name(id=name):
            return name == this
    return _asks(node, this, MODULES)


def _used_layer(node: ast.AST) -> ast.expr | None:
    """What a node calls as it calls layers, or reads the weight of."""
    match node:
        case ast.Call(func=ast.Name() | ast.Subscript() as layer):
            return layer
        case ast.Attribute(value=layer, attr="weight" | "bias", ctx=ast.Load()):
            return layer
    return None


def _is_among(node: ast.expr | None, names: Sequence[str]) -> bool:
    """Whether an expression is one of these names, or something below one."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return isinstance(node, ast.Name) and node.id in names


def _is_member(node: ast.expr | None, this: str) -> bool:
    """Whether an expression is a member of the container that ``this`` is."""
    return isinstance(node, ast.Subscript) and chain(node.value) == (this,)


def _loops(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr, Sequence[ast.AST]]]:
    """Target, what is gone over, and the nodes that see the target."""
    match node:
        case ast.For(target=target, iter=over, body=body):
            yield target, over, body
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            for generator in node.generators:
                yield generator.target, generator.iter, [node]


def _values_read(nodes: Sequence[ast.AST], name: str) -> bool:
    """Whether the nodes do more with a tensor than ask for its size and the like."""
    loaded = sum(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        for node in nodes
    )
    asked = sum(
        isinstance(node, ast.Attribute)
        and chain(node)[:-1] == (name,)
        and node.attr in SIZES | {"nelement", "element_size", "is_cuda", "requires_grad"}
        and isinstance(node.ctx, ast.Load)
        for node in nodes
    )
    return loaded > asked


def _is_transposed(node: ast.expr) -> bool:
    """Whether a tensor is a view whose numbers stand in another order."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in TRANSPOSING
    return isinstance(node, ast.Attribute) and node.attr in ("T", "mT")


@needs(ast.Compare, nothing=())
def type_tests(file: Source) -> tuple[TypeTest, ...]:
    """Comparisons of a module's exact class with layers of torch."""
    return tuple(
        TypeTest(node.lineno, file.column(node), file.source(node), module, layers, negated)
        for node in file.nodes.of(ast.Compare)
        if len(node.ops) == 1
        for module, layers in _class_test(file, node.left, node.ops[0], node.comparators[0])
        for negated in [isinstance(node.ops[0], ast.IsNot | ast.NotEq | ast.NotIn)]
    )


def _class_test(
    file: Source, left: ast.expr, operator: ast.cmpop, right: ast.expr
) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """The module whose class is compared, and the layers; nothing where it is another test."""
    if module := _whose_type(file, left):
        if layers := _layers(file, operator, right):
            yield module, layers
        return
    match operator, right:
        case ast.Eq() | ast.NotEq(), ast.Constant(value=str(name)) if name in LAYERS:
            nn, module = _torch_nn(file), _whose_class_name(file, left)
            if nn and module:
                yield module, ((f"{nn}.{name}", name),)


def _layers(file: Source, operator: ast.cmpop, right: ast.expr) -> tuple[tuple[str, str], ...]:
    """The layers of torch that a class is compared with."""
    if isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
        wanted = [right]
    elif isinstance(operator, ast.In | ast.NotIn) and isinstance(
        right, ast.Tuple | ast.List | ast.Set
    ):
        wanted = right.elts
    else:
        return ()
    found = [(file.source(item), lookup(file.dotted(item))) for item in wanted]
    layers = tuple((text, layer.name) for text, layer in found if layer)
    return layers if len(layers) == len(found) else ()


def _whose_type(file: Source, node: ast.expr) -> str:
    """``m`` for ``type(m)`` and ``m.__class__``."""
    if isinstance(node, ast.Call) and chain(node.func) == ("type",) and len(node.args) == 1:
        return file.source(node.args[0])
    if isinstance(node, ast.Attribute) and node.attr == "__class__":
        return file.source(node.value)
    return ""


def _whose_class_name(file: Source, node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and node.attr == "__name__":
        return _whose_type(file, node.value)
    return ""


def _torch_nn(file: Source) -> str:
    for name in ("nn", "torch.nn"):
        if file.resolve(tuple(name.split("."))) == "torch.nn":
            return name
    return ""


@needs(ast.With)
def plates(body: Body) -> Iterator[Plate]:
    """The plates of a method, and which of their first statements could as well stand before."""
    for node in body.nodes.of(ast.With):
        if any(body.source.is_plate(item.context_expr) for item in node.items):
            yield _plate(body.source, node)


def _plate(file: Source, node: ast.With) -> Plate:
    indices = {
        name.id
        for entry in node.items
        if entry.optional_vars is not None
        for name in walk(entry.optional_vars)
        if isinstance(name, ast.Name)
    }
    movable = []
    for statement in node.body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            break
        names = {item.id for item in walk(statement) if isinstance(item, ast.Name)}
        calls = [item for item in walk(statement) if isinstance(item, ast.Call)]
        if names & indices or any(file.dotted(call.func).startswith("pyro.") for call in calls):
            break
        movable.append((statement.lineno, statement.end_lineno or statement.lineno))
    return Plate(node.lineno, file.column(node), tuple(movable))


def _seen(file: Source, kind: str, node: ast.expr, detail: str = "") -> Observation:
    return Observation(kind, node.lineno, file.column(node), file.source(node), detail)
