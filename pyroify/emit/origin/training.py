"""The step that a script takes: which network is given what, and what it is compared with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pyroify.catalog.layers import lookup
from pyroify.catalog.training import OPTIMISERS
from pyroify.emit.origin.code import (
    Code,
    Frame,
    InTheWay,
    Module,
    Scope,
    blocks,
    bound_by,
    flat,
    headers,
)
from pyroify.emit.origin.constants import Constants, Located
from pyroify.emit.origin.losses import meaning_of
from pyroify.emit.origin.text import WRAPPERS
from pyroify.program.index import ModuleClass
from pyroify.syntax.source import chain

NO_TRAINING: Final = "PYR420"
NO_LIKELIHOOD: Final = "PYR422"
COUNTING: Final = frozenset(("range", "trange", "tqdm.trange", "tqdm.auto.trange"))
AROUND: Final = frozenset(("enumerate", "iter", "list"))
_LOSS: Final = re.compile(r"torch\.nn\.(functional\.|modules\.(\w+\.)?)?(?P<name>\w+)")
_SAME: Final = frozenset("mean sum item float".split())


@dataclass(frozen=True, eq=False)
class Place:
    """A statement of a scope, as one call of it gets there."""

    frame: Frame
    at: ast.stmt

    @property
    def module(self) -> Module:
        """The file it stands in."""
        return self.frame.scope.module


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss by its name in torch: of ``output`` and ``target``, and a third for some.

    ``settings`` are its other arguments, wherever they are given. ``part``: where the network
    computes it itself, the number of the output among what the network returns. ``flattened``:
    calls, in front of output and target, that make one axis of rows and positions.
    """

    name: str
    node: ast.expr
    place: Place
    output: ast.expr
    target: ast.expr
    third: ast.expr | None = None
    settings: Mapping[str, Located] = field(default_factory=dict)
    part: int | None = None
    flattened: tuple[ast.Call, ...] = ()

    def swapped(self) -> Loss:
        """The same, of target and output."""
        return replace(self, output=self.target, target=self.output)


@dataclass(frozen=True, eq=False)
class NetworkCall:
    """The call of the network whose output goes into the loss."""

    call: ast.Call
    place: Place
    cls: ModuleClass
    network: Located


@dataclass(frozen=True, eq=False)
class Step:
    """One training step of a script."""

    loss: Loss
    called: NetworkCall


@dataclass
class Finder:
    """Finds the training step of a script."""

    code: Code
    any_loss: bool = False
    """Whether a loss need not be known: the spec says what it stands for."""
    bare: list[Located] = field(default_factory=list)
    """Layers and containers of torch that are called, outside of any class."""
    unknown: list[Located] = field(default_factory=list)
    """What makes an object that is called, of which no class is seen."""
    constants: Constants = field(init=False)

    def __post_init__(self) -> None:
        self.constants = Constants(self.code)

    def step(self) -> Step:
        """The one step; raises InTheWay where there is none, or several."""
        found: dict[Scope, Step] = {}
        failures: list[InTheWay] = []
        seen: dict[Scope, str] = {}
        for place, loss in self._losses():
            text = ast.unparse(_bare(loss))
            if seen.setdefault(place.frame.scope, text) != text:
                raise place.module.in_the_way(
                    loss,
                    f"a second loss, {text}, beside {seen[place.frame.scope]}",
                    "name a script that trains one network by one loss",
                    NO_TRAINING,
                )
            if place.frame.scope in found:
                continue  # the same loss, scaled or not
            try:
                step = self._step(loss, place)
            except InTheWay as error:
                failures.append(error)
                continue
            self.code.frame(place.frame.scope)  # refuses several calls
            found[place.frame.scope] = step
        if failures and not found:
            raise failures[0]
        if not found:
            raise self.code.script.in_the_way(
                self.code.script.source.tree,
                "trains nothing, as far as the source shows",
                "name the script with loss.backward(), or with the training_step, of the network",
                NO_TRAINING,
            )
        if failures or len(found) > 1:
            first = next(iter(found.values()))
            if failures:
                raise failures[0]
            second = list(found)[1]
            raise second.module.in_the_way(
                list(found.values())[1].loss.node,
                f"a second loss, beside that of line {first.loss.node.lineno}",
                "name a script that trains one network by one loss",
                NO_TRAINING,
            )
        return next(iter(found.values()))

    def _losses(self) -> Iterator[tuple[Place, ast.expr]]:
        """What ``backward`` is called on, or a Lightning step returns."""
        for scope in self.code.scopes:
            name = getattr(scope.node, "name", "")
            if scope.cls is not None and name == "training_step":
                returned = [s for s in flat(scope.node.body) if isinstance(s, ast.Return)]
                for last in returned[-1:]:
                    if last.value is not None:
                        yield Place(Frame(scope), last), _in_dict(last.value)
                continue
            for call, statement in scope.calls:
                if isinstance(call.func, ast.Attribute) and call.func.attr == "backward":
                    loss = call.args[0] if call.args else call.func.value
                    yield Place(self._frame(scope), statement), loss

    def _frame(self, scope: Scope) -> Frame:
        found = self.code.frames(scope)[0]
        if found.call is not None or not isinstance(scope.node, ast.FunctionDef) or scope.cls:
            return found
        outer = scope.outer or self.code.top(scope.module)
        if scope.outer is None and not _loops_around(outer.node.body, scope.node):
            return found
        return Frame(scope, None, self.code.frames(outer)[0], scope.node)  # as a closure

    def _step(self, node: ast.expr, place: Place) -> Step:
        loss = self._loss(node, place)
        self.unknown.clear()  # what was called on the way to the loss is no network
        called = self._network_call(loss.output, loss.place)
        if called is None:
            other = self._network_call(loss.target, loss.place)
            if other is not None:
                return Step(loss.swapped(), other)
            if self.bare:
                made, layer = self.bare[0].frame.scope.module, self.bare[0].node
                raise made.in_the_way(
                    layer,
                    f"the network is no class: {ast.unparse(layer)}",
                    "make it a class that derives from nn.Module, which `pyroify rewrite` converts",
                    NO_TRAINING,
                )
            if self.unknown:
                made, node = self.unknown[0].frame.scope.module, self.unknown[0].node
                raise made.in_the_way(
                    node,
                    f"the source does not show which class of network this makes: "
                    f"{ast.unparse(node)}",
                    "build the network by the name of its class here, or name a script that does",
                    NO_TRAINING,
                )
            raise loss.place.module.in_the_way(
                loss.node,
                "no network of the project is seen to give what this loss is given",
                "call the network by a name that is set to it once",
                NO_TRAINING,
            )
        if loss.part is not None:
            called = replace(called, call=_without(called.call, loss.target))
        return Step(loss, called)

    # The loss

    def _loss(self, node: ast.expr, place: Place, depth: int = 0) -> Loss:
        module = place.module
        if depth > 10:
            raise self._no_loss(node, place)
        match node:
            case ast.Name() | ast.Attribute(value=ast.Name(id="self")):
                value, at = self._set_before(node, place)
                if value is None:
                    raise self._no_loss(node, place)
                return self._loss(value, Place(place.frame, at), depth + 1)
            case ast.Tuple(elts=[first, *_]):
                return self._loss(first, place, depth + 1)
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if (
                name in _SAME and not node.args and self._formula(node, place) is None
            ):
                return self._loss(owner, place, depth + 1)
            case ast.Call(func=ast.Attribute(attr="scale"), args=[inner]):
                return self._loss(inner, place, depth + 1)
            case ast.BinOp(left=left, op=ast.Div()) if self._formula(node, place) is None:
                return self._loss(left, place, depth + 1)
            case ast.BinOp(left=ast.Constant(), op=ast.Mult(), right=right):
                return self._loss(right, place, depth + 1)
            case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant()):
                return self._loss(left, place, depth + 1)
            case ast.BinOp(left=left, op=ast.Add(), right=right) if self.any_loss:
                try:
                    return self._loss(left, place, depth + 1)
                except InTheWay:
                    return self._loss(right, place, depth + 1)
            case ast.BinOp(op=ast.Add() | ast.Sub()) if self._formula(node, place) is None:
                raise module.in_the_way(
                    node,
                    f"the loss is a sum of terms: {ast.unparse(node)}",
                    "no likelihood is known that it stands for; set svi.likelihood in the spec "
                    "for the term that is one, a prior for what is a penalty",
                    NO_LIKELIHOOD,
                )
        if (formula := self._formula(node, place)) is not None:
            return formula
        if isinstance(node, ast.Call):
            inner_place = self._callee(node, place)
            if inner_place is not None and not self._is_of_two(node):
                statement = inner_place.at
                assert isinstance(statement, ast.Return) and statement.value is not None
                value = statement.value
                return self._loss(_in_dict(value), inner_place, depth + 1)
            return self._loss_call(node, place)
        raise self._no_loss(node, place)

    def _is_of_two(self, call: ast.Call) -> bool:
        """Whether a function of the project is taken for a loss of output and target itself."""
        return self.any_loss and len(call.args) == 2

    def _no_loss(self, node: ast.AST, place: Place) -> InTheWay:
        text = ast.unparse(node)
        return place.module.in_the_way(
            node,
            f"no likelihood is known for the loss {text}",
            "set svi.likelihood in the spec, and say there what the output of the network is",
            NO_LIKELIHOOD,
        )

    def _callee(self, call: ast.Call, place: Place) -> Place | None:
        """The end of a function or method of the project that is called."""
        scope = self._function(call, place)
        if scope is None:
            return None
        returned = [s for s in flat(scope.node.body) if isinstance(s, ast.Return) and s.value]
        if not returned:
            return None
        return Place(Frame(scope, call, place.frame, place.at), returned[-1])

    def _function(self, call: ast.Call, place: Place) -> Scope | None:
        func = call.func
        if isinstance(func, ast.Attribute) and ast.unparse(func.value) == "self":
            cls = place.frame.scope.cls
            if cls is not None:
                for _, item in self.constants.family(place.module, cls):
                    for scope in self.code.scopes:
                        if scope.cls is item and getattr(scope.node, "name", "") == func.attr:
                            return scope
            return None
        definition = self.code.definition(func, place.module) if chain(func) else None
        if definition is None or not isinstance(definition[1], ast.FunctionDef):
            found = self.constants.locate(func, place.frame) if chain(func) else None
            if found is None or not isinstance(found.node, ast.Name):
                return None
            definition = self.code.definition(found.node, found.frame.scope.module)
        if definition is None or not isinstance(definition[1], ast.FunctionDef):
            return None
        return self.code.scope_of(definition[1])

    def _loss_call(self, call: ast.Call, place: Place) -> Loss:
        """``criterion(output, target)``, or a function of ``torch.nn.functional``."""
        network = self.network(call.func, place.frame)
        if network is not None:
            own = self._own_loss(call, place, network[0])
            if own is not None:
                return own
            raise place.module.in_the_way(
                call,
                f"the network computes its loss itself: {ast.unparse(call)}",
                "let forward give the output alone; or set svi in the spec, with a factor that "
                "returns minus the loss of each row",
                NO_LIKELIHOOD,
            )
        made = self.constants.locate(call.func, place.frame) if chain(call.func) else None
        if isinstance(call.func, ast.Call):
            made = Located(call.func, place.frame)
        settings: dict[str, Located] = {}
        name = self._loss_name(call.func, place.module)
        if not name and made is not None:
            func = made.node.func if isinstance(made.node, ast.Call) else made.node
            name = self._loss_name(func, made.frame.scope.module)
            if isinstance(made.node, ast.Call):
                settings = {
                    k.arg: Located(k.value, made.frame) for k in made.node.keywords if k.arg
                }
                if made.node.args:
                    settings["weight"] = Located(made.node.args[0], made.frame)
        if not name and not self.any_loss:
            raise self._no_loss(call, place)
        given = {k.arg: k.value for k in call.keywords if k.arg}
        values = list(call.args)
        output = given.pop("input", None) or (values.pop(0) if values else None)
        target = given.pop("target", None) or (values.pop(0) if values else None)
        third = given.pop("var", None) or (values.pop(0) if values else None)
        if output is None or target is None:
            raise self._no_loss(call, place)
        settings |= {key: Located(value, place.frame) for key, value in given.items()}
        flattened = self._flattened(output, target, place)
        return Loss(name, call, place, output, target, third, settings, flattened=flattened)

    def _flattened(self, output: ast.expr, target: ast.expr, place: Place) -> tuple[ast.Call, ...]:
        """The calls by which output and target have one axis for rows and their positions."""
        calls = [self._value(node, place) for node in (output, target)]
        is_flat = [_joins(call, len(calls) - number) for number, call in enumerate(calls)]
        return tuple(c for c in calls if isinstance(c, ast.Call)) if all(is_flat) else ()

    def _own_loss(self, call: ast.Call, place: Place, cls: ModuleClass) -> Loss | None:
        """``output, loss = net(x, target)``, where ``net(x)`` returns the same output."""
        scope = self.code.method_of(cls, "forward")
        if scope is None:
            return None
        return self._of_forward(call, place, Frame(scope, call, place.frame, place.at))

    def _of_forward(self, call: ast.Call, place: Place, frame: Frame) -> Loss | None:
        scope = frame.scope
        returned = [s for s in flat(scope.node.body) if isinstance(s, ast.Return)]
        if len(returned) != 1 or not isinstance(returned[0].value, ast.Tuple):
            return None
        parts = returned[0].value.elts
        for loss in parts:
            try:
                inner = self._loss(loss, Place(frame, returned[0]))
            except InTheWay:
                continue
            texts = [ast.unparse(each) for each in parts]
            output = inner.flattened[0] if inner.flattened else inner.output
            name = ast.unparse(within(output) if inner.flattened else output)
            target = inner.flattened[1] if inner.flattened else inner.target
            given = within(target) if inner.flattened else target
            if name not in texts or not isinstance(given, ast.Name):
                continue
            if scope.parameters.get(given.id) is None or _depends(scope, name, given.id):
                continue  # no forward without the target, or another one
            argument = frame.argument(given.id)
            if argument is None or argument[1] is None:
                continue
            return replace(
                inner,
                node=call,
                place=place,
                output=call,
                target=argument[0],
                part=texts.index(name),
            )
        return None

    def _loss_name(self, func: ast.AST, module: Module) -> str:
        dotted = self.code.dotted(func, module) if chain(func) else ""
        found = _LOSS.fullmatch(dotted)
        return found["name"] if found and meaning_of(found["name"], {}) else ""

    def _formula(self, node: ast.expr, place: Place) -> Loss | None:
        """A mean of squares or absolute values of a difference."""
        inner = self._averaged(node, place)
        if inner is None:
            return None
        inner = self._value(inner, place)
        match inner:
            case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=2)):
                name = "MSELoss"
            case ast.Call(func=ast.Attribute(value=base, attr="pow" | "square" | "abs" as method)):
                if chain(base)[:1] in (("torch",), ("np",)) and inner.args:
                    base = inner.args[0]
                name = "L1Loss" if method == "abs" else "MSELoss"
            case _:
                return None
        base = self._value(base, place)
        match base:
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return Loss(name, node, place, left, right)
        return None

    def _value(self, node: ast.expr, place: Place) -> ast.expr:
        if isinstance(node, ast.Name):
            value, _ = self._set_before(node, place)
            return value or node
        return node

    def _averaged(self, node: ast.expr, place: Place) -> ast.expr | None:
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="mean" | "sum"), args=args):
                if self.code.dotted(owner, place.module) == "torch" and args:
                    return args[0]
                return owner
            case ast.BinOp(left=left, op=ast.Div()):
                return self._averaged(left, place)
        return None

    def _set_before(self, node: ast.expr, place: Place) -> tuple[ast.expr | None, ast.stmt]:
        """What a name was last set to before a statement, and where."""
        text = ast.unparse(node)
        last: tuple[ast.expr | None, ast.stmt] = None, place.at
        for statement in flat(place.frame.scope.node.body):
            if statement is place.at or statement.lineno > place.at.lineno:
                break
            match statement:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        if ast.unparse(target) == text:
                            last = value, statement
                        elif isinstance(target, ast.Tuple):
                            names = [ast.unparse(item) for item in target.elts]
                            if text in names:
                                last = _item(value, names.index(text)), statement
                case ast.AnnAssign(target=target, value=value) if value is not None:
                    if ast.unparse(target) == text:
                        last = value, statement
                case ast.AugAssign(target=target) if ast.unparse(target) == text:
                    raise place.module.in_the_way(
                        statement,
                        f"this adds to the loss: {ast.unparse(statement)}",
                        "no likelihood is known that the sum stands for; a penalty of the weights "
                        "is a prior, in the spec",
                        NO_LIKELIHOOD,
                    )
        return last

    # The network

    def _network_call(self, node: ast.expr, place: Place, depth: int = 0) -> NetworkCall | None:
        """The call of a network that an expression is made from."""
        if depth > 10:
            return None
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                network = self.network(inner.func, place.frame)
                if network is not None:
                    cls, made = network
                    return NetworkCall(inner, place, cls, made)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and (end := self._callee(inner, place)) is not None:
                assert isinstance(end.at, ast.Return) and end.at.value is not None
                found = self._network_call(end.at.value, end, depth + 1)
                if found is not None:
                    return found
        for name in _names(node):
            value, at = self._set_before(name, place)
            if value is not None:
                found = self._network_call(value, Place(place.frame, at), depth + 1)
                if found is not None:
                    return found
            elif (up := self._above(name, place)) is not None:
                found = self._network_call(*up, depth + 1)
                if found is not None:
                    return found
        return None

    def _above(self, name: ast.expr, place: Place) -> tuple[ast.expr, Place] | None:
        frame = place.frame
        if not isinstance(name, ast.Name) or name.id not in frame.scope.parameters:
            return None
        given = frame.argument(name.id)
        if given is None or given[1] is None or frame.at is None:
            return None
        return given[0], Place(given[1], frame.at)

    def network(self, func: ast.expr, frame: Frame) -> tuple[ModuleClass, Located] | None:
        """The class of the network that is called, and the expression that makes it."""
        match func:
            case ast.Attribute(value=owner, attr="forward" | "module"):
                return self.network(owner, frame)
            case ast.Name(id="self"):
                cls = frame.scope.cls
                made = self.code.class_of(frame.scope.module, cls) if cls else None
                return (made, Located(func, frame)) if made else None
        if isinstance(func, ast.Call):
            return self._built_by(func, frame)
        if not chain(func):
            return None
        scopes = [frame.scope]
        if isinstance(func, ast.Attribute) and frame.scope.cls is not None:
            scopes = [s for s in self.code.scopes if s.cls is frame.scope.cls]
        for scope in scopes:
            for value in self.constants.assigned(ast.unparse(func), scope):
                found = self._built_by(value, frame if scope is frame.scope else self._frame(scope))
                if found is not None:
                    return found
        return self._built_by(func, frame)

    def _built_by(self, node: ast.expr, frame: Frame) -> tuple[ModuleClass, Located] | None:
        found = self.constants.locate(node, frame)
        if found is None or not isinstance(found.node, ast.Call):
            return None
        module = found.frame.scope.module
        cls = self.code.network_class(found.node.func, module) if chain(found.node.func) else None
        cls = cls or self._pointed_to(found)
        dotted = self.code.dotted(found.node.func, module) if chain(found.node.func) else ""
        is_layer = dotted.startswith("torch.nn.") and lookup(dotted) is not None
        if cls is None and is_layer and meaning_of(dotted.rpartition(".")[2], {}) is None:
            self.bare.append(found)
        elif cls is None and not dotted.startswith("torch."):
            self.unknown.append(found)
        return (cls, found) if cls else None

    def _pointed_to(self, found: Located) -> ModuleClass | None:
        """The class that a call makes an instance of, as the whole program shows."""
        from pyroify.program.points_to import Pointers, calls_of, code_of

        module = found.frame.scope.module
        file = self.code.index.file(module.path)
        pointers = Pointers(self.code.index)
        for at in code_of(file) if file else ():
            for call in calls_of(at):
                if call.place == (found.node.lineno, found.node.col_offset):
                    for key in pointers.of(call, at).classes:
                        cls = self.code.index.class_at(key)
                        if cls is not None:
                            return cls
        return None

    def is_given(self, called: NetworkCall, kwargs: Mapping[str, Any]) -> bool:
        """Whether the script gives the constructor these arguments."""
        made, scope = called.network, self.code.method_of(called.cls, "__init__")
        if scope is None or not isinstance(made.node, ast.Call):
            return not kwargs
        frame, top = Frame(scope, made.node, made.frame), Frame(self.code.top(scope.module))
        for name, value in kwargs.items():
            given = frame.argument(name)
            if given is None or self.constants.value(given[0], given[1] or top) != value:
                return False
        return True

    # Loops

    def loops(self, place: Place) -> list[tuple[Frame, ast.For | ast.While]]:
        """The loops around a statement, innermost first, through the calls that lead there."""
        found: list[tuple[Frame, ast.For | ast.While]] = []
        frame: Frame | None = place.frame
        at: ast.stmt | None = place.at
        while frame is not None and at is not None:
            found += [(frame, loop) for loop in _loops_around(frame.scope.node.body, at)]
            at, frame = frame.at, frame.caller
        return found

    def iterated(self, loop: ast.For, frame: Frame) -> tuple[ast.expr, ast.expr]:
        """What a loop gives turn by turn, and what it goes over, counters and bars left out."""
        target, node = loop.target, loop.iter
        while isinstance(node, ast.Call) and node.args:
            dotted = self.code.dotted(node.func, frame.scope.module) if chain(node.func) else ""
            if dotted == "enumerate" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
                target = target.elts[1]
            elif dotted not in AROUND and not WRAPPERS.fullmatch(dotted):
                break
            node = node.args[0]
        return target, node

    def counts(self, node: ast.expr, module: Module) -> bool:
        """Whether a loop over it counts."""
        return (
            isinstance(node, ast.Call)
            and bool(chain(node.func))
            and self.code.dotted(node.func, module) in COUNTING
        )

    def lifted(self, node: ast.expr, place: Place) -> tuple[ast.expr, Place]:
        """An argument as the caller gives it, an attribute as the constructor was given it."""
        for _ in range(10):
            frame = place.frame
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
                moved = self._given_to_constructor(node.attr, frame)
                if moved is None:
                    break
                node, place = moved
                continue
            if not isinstance(node, ast.Name):
                break
            opened = self._opened(node.id, frame)
            if opened is not None:
                node = opened
                continue
            if any(True for _ in self.constants.assigned(node.id, frame.scope)):
                break
            up = self._above(node, place)
            if up is None:
                break
            node, place = up
        return node, place

    def _opened(self, name: str, frame: Frame) -> ast.expr | None:
        """What ``with tqdm(loader) as name`` goes over."""
        for statement in flat(frame.scope.node.body):
            for item in statement.items if isinstance(statement, ast.With) else ():
                call = item.context_expr
                if not isinstance(call, ast.Call) or not call.args or not chain(call.func):
                    continue
                is_bar = WRAPPERS.fullmatch(self.code.dotted(call.func, frame.scope.module))
                if is_bar and item.optional_vars and ast.unparse(item.optional_vars) == name:
                    return call.args[0]
        return None

    def _given_to_constructor(self, name: str, frame: Frame) -> tuple[ast.expr, Place] | None:
        cls = frame.scope.cls
        for scope in self.code.scopes:
            if scope.cls is not cls or getattr(scope.node, "name", "") != "__init__":
                continue
            values = list(self.constants.assigned(f"self.{name}", scope))
            if len(values) == 1 and isinstance(values[0], ast.Name):
                made = self.code.frame(scope)
                if made.at is None or values[0].id not in scope.parameters:
                    return None
                if any(True for _ in self.constants.assigned(values[0].id, scope)):
                    return None
                given = made.argument(values[0].id)
                if given is not None and given[1] is not None:
                    return given[0], Place(given[1], made.at)
        return None

    # The optimiser

    def optimiser(self, step: Step) -> tuple[str, ast.Call, Frame] | None:
        """The optimiser of the network: its name, and where it is made."""
        found: list[tuple[str, ast.Call, Frame]] = []
        for scope in self.code.scopes:
            for call, _ in scope.calls:
                dotted = self.named(call.func, scope)
                if OPTIMISERS.fullmatch(dotted):
                    found.append((dotted, call, self._frame(scope)))
        used = [item for item in found if self._is_of(item, step)]
        return next(iter(used or found), None)

    def named(self, func: ast.expr, scope: Scope) -> str:
        """What is called; ``getattr(torch.optim, args.optimizer)`` too, where that is known."""
        match func:
            case ast.Call(func=ast.Name(id="getattr"), args=[owner, name, *_]) if chain(owner):
                said = self.constants.value(name, self.code.frames(scope)[0])
                return f"{self.code.dotted(owner, scope.module)}.{said}"
        return self.code.dotted(func, scope.module) if chain(func) else ""

    def _is_of(self, item: tuple[str, ast.Call, Frame], step: Step) -> bool:
        _, call, frame = item
        for node in ast.walk(call.args[0]) if call.args else ():
            if isinstance(node, ast.Attribute) and node.attr.endswith("parameters"):
                network = self.network(node.value, frame)
                if network is not None and network[0] is step.called.cls:
                    return True
        return False


def root_of(frame: Frame) -> Frame:
    """The frame that no other is seen to call."""
    while frame.caller is not None:
        frame = frame.caller
    return frame


def _bare(loss: ast.expr) -> ast.expr:
    """A loss without what scales it."""
    match loss:
        case ast.Call(func=ast.Attribute(attr="scale"), args=[inner]):
            return _bare(inner)
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=[]) if name in _SAME:
            return _bare(owner)
        case ast.BinOp(left=left, op=ast.Div()):
            return _bare(left)
    return loss


def _joins(node: ast.expr, axes: int) -> bool:
    """Whether a call leaves only ``axes`` axes, the first one of all rows and positions."""
    match node:
        case ast.Call(func=ast.Attribute(attr="view" | "reshape"), args=args, keywords=[]):
            if len(args) == 1 and isinstance(args[0], ast.Tuple):
                args = args[0].elts
            return len(args) == axes and ast.unparse(args[0]) == "-1"
        case ast.Call(func=ast.Attribute(attr="flatten"), args=args, keywords=keywords):
            given = [ast.unparse(arg) for arg in (*args, *(k.value for k in keywords))]
            return given == ["0", "1"] or (axes == 1 and given in ([], ["0"]))
    return False


def within(call: ast.expr) -> ast.expr:
    """What a method is called on."""
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    inner = call.func.value
    match inner:
        case ast.Call(func=ast.Attribute(attr="contiguous"), args=[]):
            return within(inner)
    return inner


def _without(call: ast.Call, argument: ast.expr) -> ast.Call:
    """The call but for one of its arguments."""
    args = [a for a in call.args if a is not argument]
    keywords = [k for k in call.keywords if k.value is not argument]
    return ast.copy_location(ast.Call(call.func, args, keywords), call)


def _depends(scope: Scope, name: str, target: str) -> bool:
    """Whether a function sets a name to something else where it is given no target."""
    for statement in flat(scope.node.body):
        if isinstance(statement, ast.If) and target in ast.unparse(statement.test):
            inner = (s for block in blocks(statement) for s in flat(block))
            if any(name in bound_by(s) or isinstance(s, ast.Return) for s in inner):
                return True
    return False


def _in_dict(node: ast.expr) -> ast.expr:
    """The loss of ``{"loss": loss}``, and the first of several values."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "loss":
                    return value
    return node


def _item(value: ast.expr, number: int) -> ast.expr:
    """One of the values of a tuple; of anything else, all of it."""
    if isinstance(value, ast.Tuple) and number < len(value.elts):
        return value.elts[number]
    return value


def _names(node: ast.expr) -> Iterator[ast.expr]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            yield inner


def _loops_around(
    body: list[ast.stmt], at: ast.stmt, outer: tuple[ast.For | ast.While, ...] = ()
) -> list[ast.For | ast.While]:
    """The loops of a block around a statement, innermost first."""
    for statement in body:
        if statement is at:
            return list(reversed(outer))
        inside = (*outer, statement) if isinstance(statement, ast.For | ast.While) else outer
        for block in blocks(statement):
            if any(item is at for item in flat(block)):
                return _loops_around(block, at, inside)
    return []


__all__ = ["Finder", "Loss", "NetworkCall", "Place", "Step", "headers", "within"]
