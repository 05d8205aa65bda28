"""Runs a function body abstractly, once: what its statements attach to ``self`` and return.

Local variables hold what they may be, lists remember what is appended to them, and everything
attached to ``self`` is written down in order.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pyroify.catalog.layers import NUMBERED, lookup
from pyroify.syntax.facts import Assignment, AttributeStore, Branch
from pyroify.syntax.interpret.collections import Building, element_of, is_number, spread, taken_from
from pyroify.syntax.interpret.expressions import Expressions
from pyroify.syntax.nodes import walk
from pyroify.syntax.observe.steady import is_steady_test
from pyroify.syntax.source import Source, chain
from pyroify.syntax.values import (
    NOTHING,
    Argument,
    Call,
    Constant,
    Items,
    Many,
    MethodCall,
    Name,
    OneOf,
    Parameter,
    Passed,
    Path,
    SelfRead,
    Unknown,
    Value,
    join,
    options_of,
)

ADDING = {"append", "extend", "insert"}
REMOVING = {"pop", "popitem", "remove", "clear", "reverse", "sort"}
"""Methods after which the members of a list or container are fewer, or in another order."""
REGISTRIES = {"_parameters", "_modules"}
_MODULES = (Name("torch.nn.Module"), Name("torch.nn.modules.module.Module"))
"""What makes a module with nothing in it."""
REGISTERING = {"register_parameter", "register_module", "add_module"}


@dataclass(frozen=True, slots=True)
class _Given:
    """What a statement attaches: an expression, and what it makes."""

    statement: ast.stmt
    node: ast.expr
    value: Value


@dataclass(frozen=True, slots=True)
class Store:
    """Where a statement writes in place into a value; ``how`` as in ``Write``."""

    into: Value
    how: str
    line: int
    column: int


@dataclass
class Statements:
    """The statements of one function so far. ``name`` is the function's."""

    source: Source
    name: str
    expressions: Expressions
    assignments: list[Assignment] = field(default_factory=list)
    returns: list[Value] = field(default_factory=list)
    return_lines: list[int] = field(default_factory=list)
    conditions: list[tuple[int, str]] = field(default_factory=list)
    guards: list[tuple[int, int, str]] = field(default_factory=list)
    puts: list[AttributeStore] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    fills: set[str] = field(default_factory=set)
    reshapes: bool = False
    """Whether members of a local container are replaced or taken out."""
    cleared: set[str] = field(default_factory=set)
    _branches: tuple[Branch, ...] = ()
    _skipping: int = 0
    """How many of the loops around the statement at hand may be left, or go on, before it."""

    def run(self, body: Sequence[ast.stmt]) -> None:
        """Run statements in order."""
        for node in body:
            self.expressions.statement_column = self.source.column(node)
            self._statement(node)
            if not hasattr(node, "body"):
                self._note_removals(node)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign():
                given = self._given(node, node.value)
                how = "chain" if len(node.targets) > 1 else "assign"
                for target in node.targets:
                    self._assign(target, how, given)
            case ast.AnnAssign():
                if node.value is not None:
                    self._assign(node.target, "assign", self._given(node, node.value))
            case ast.AugAssign():
                self._augment(node)
            case ast.Expr(value=ast.Call() as call):
                self._call(node, call)
            case ast.Delete():
                self._delete(node)
            case ast.Return(value=value):
                self.return_lines.append(node.lineno)
                self.returns.append(self.expressions.evaluate(value) if value else NOTHING)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                dotted = f"{self.source.module}.{self.name}.<locals>.{node.name}"
                self.expressions.scope[node.name] = Name(dotted)
            case _:
                self._compound(node)

    # Blocks

    def _compound(self, node: ast.stmt) -> None:
        match node:
            case ast.If():
                self._if(node)
            case ast.For() | ast.AsyncFor():
                over = self.expressions.evaluate(node.iter)
                self.expressions.bind(node.target, element_of(over))
                self._loop(node)
            case ast.While():
                self.expressions.evaluate(node.test)
                self._loop(node)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.Try():
                self._try(node)
            case ast.Match():
                self._match(node)
            case _:
                self.expressions.evaluate_within(node)

    @property
    def _depth(self) -> int:
        """How many branches and loops the statement at hand stands in."""
        return sum(kind in ("if", "for") for kind, _, _ in self._branches)

    def _arm(self, body: Sequence[ast.stmt], branch: Branch) -> None:
        outer = self._branches
        self._branches = (*outer, branch)
        self.run(body)
        self._branches = outer

    def _if(self, node: ast.If) -> None:
        values = self.expressions
        values.evaluate(node.test)
        test = self.source.source(node.test)
        if is_steady_test(node.test, test, values.moving):
            self.conditions.append((node.lineno, test))
        for arm in filter(None, (node.body, node.orelse)):
            self.guards.append((arm[0].lineno, arm[-1].end_lineno or arm[-1].lineno, test))
        before = dict(values.scope)
        tested, is_none = _none_test(node.test)
        in_body = self._narrow(tested, is_none=is_none)
        self._arm(node.body, ("if", node.lineno, 0))
        after_body, values.scope = values.scope, dict(before)
        in_else = self._narrow(tested, is_none=not is_none)
        self._arm(node.orelse, ("if", node.lineno, 1))
        for name, value in after_body.items():
            other = values.scope.get(name)
            is_untouched = name == tested and value is in_body and other is in_else
            values.scope[name] = before[name] if is_untouched else _joined(value, other)

    def _narrow(self, name: str, *, is_none: bool) -> Value | Building | None:
        """Let a local name hold what it can be where it is None, or where it is not."""
        held = self.expressions.scope.get(name)
        if held is None or isinstance(held, Building):
            return held
        if is_none:
            self.expressions.scope[name] = NOTHING
        elif there := [option for option in options_of(held) if option != NOTHING]:
            self.expressions.scope[name] = join(*there)
        return self.expressions.scope[name]

    def _match(self, node: ast.Match) -> None:
        values = self.expressions
        values.evaluate(node.subject)
        before = values.scope
        after = {} if any(map(_is_always_met, node.cases)) else dict(before)
        for arm, case in enumerate(node.cases):
            values.scope = dict(before)
            self._arm(case.body, ("if", node.lineno, arm))
            for name, value in values.scope.items():
                after[name] = _joined(after[name], value) if name in after else value
        values.scope = after

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        skips = any(isinstance(inner, ast.Break | ast.Continue) for inner in walk(node))
        self._skipping += skips
        self._arm(node.body, ("for", node.lineno, 0))
        self._skipping -= skips
        self.run(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            given = Unknown(parts=(self.expressions.evaluate(item.context_expr),))
            if item.optional_vars is not None:
                self.expressions.bind(item.optional_vars, given)
        self._arm(node.body, ("with", node.lineno, 0))

    def _try(self, node: ast.Try) -> None:
        self._arm(node.body, ("try", node.lineno, 0))
        for arm, handler in enumerate(node.handlers, 1):
            self._arm(handler.body, ("try", node.lineno, arm))
        self._arm(node.orelse, ("try", node.lineno, 0))
        self.run(node.finalbody)

    # Assignments

    def _given(self, statement: ast.stmt, node: ast.expr) -> _Given:
        return _Given(statement, node, self.expressions.evaluate(node))

    def _building(self, node: ast.expr) -> Building | None:
        """The list or dict that an expression names: a local one, or one below ``self``."""
        held = self.expressions.held(node)
        return held if isinstance(held, Building) else None

    def _attach(self, path: Path, how: str, given: _Given) -> None:
        self.assignments.append(
            Assignment(
                path=path,
                how=how,
                line=given.statement.lineno,
                column=self.source.column(given.statement),
                value=given.value,
                value_line=given.node.lineno,
                value_column=self.source.column(given.node),
                branches=self._branches,
                end_line=given.node.end_lineno or given.node.lineno,
                local=given.node.id if isinstance(given.node, ast.Name) else "",
            )
        )

    def _assign(self, target: ast.expr, how: str, given: _Given) -> None:
        match target:
            case ast.Tuple() | ast.List():
                self._assign_each(target, given)
            case ast.Name():
                self.expressions.scope[target.id] = self._held(given)
            case ast.Subscript():
                self._assign_item(target, given)
            case _ if path := self.expressions.path(target):
                self._attach(path, how, given)
                self.expressions.hold(target, self._held(given))
                if path[-1] == "data":
                    self._store(SelfRead(path[:-1]), "data", given.statement)
            case ast.Attribute():
                owner = self.expressions.evaluate(target.value)
                if target.attr == "data":
                    self._store(owner, "data", given.statement)
                self._note_put(owner, target.attr, given)
                self._attach_elsewhere(target, given)
                if given.value == NOTHING:
                    self.cleared.add(target.attr)
            case _:
                self.expressions.evaluate(target)

    def _held(self, given: _Given) -> Value | Building:
        """What a name holds: a list or dict may yet be filled, under any name it is given."""
        if building := self._building(given.node):
            return building
        if not isinstance(given.value, Items):
            return given.value
        return Building(self._depth, list(given.value.items), list(given.value.keys))

    def _store(self, into: Value, how: str, statement: ast.stmt) -> None:
        self.stores.append(Store(into, how, statement.lineno, self.source.column(statement)))

    def _note_put(self, owner: Value, name: str, given: _Given) -> None:
        if isinstance(
            given.value, Parameter | Call | MethodCall | OneOf | Argument | SelfRead | Unknown
        ):
            sure = not self._skipping and all(
                kind in ("for", "with") for kind, *_ in self._branches
            )
            column = self.source.column(given.statement)
            self.puts.append(
                AttributeStore(owner, name, given.value, given.statement.lineno, column, sure)
            )

    def _attach_elsewhere(self, target: ast.expr, given: _Given) -> None:
        owner = chain(target)[:1] if len(chain(target)) <= 2 else ()  # no module.weight.data
        local = "".join(owner)
        held = self.expressions.scope.get(local)
        if isinstance(held, Call) and held.callee in _MODULES:
            # What it holds is named below whatever it comes to be itself.
            self.expressions.scope[local] = Unknown(local, parts=(held, given.value))
        if (
            isinstance(held, Argument)
            and not is_number(given.value)
            and not _is_tensor(given.value)
        ):
            self.fills.add(held.name)

    def _assign_each(self, target: ast.Tuple | ast.List, given: _Given) -> None:
        sources = given.node.elts if isinstance(given.node, ast.Tuple | ast.List) else []
        paired = len(sources) == len(target.elts)
        for index, (item, value) in enumerate(
            zip(target.elts, taken_from(given.value, target), strict=True)
        ):
            part = replace(given, value=value)
            name = item
            if isinstance(item, ast.Starred):
                name = item.value
            elif paired:
                part = replace(part, node=sources[index])
            self._assign(name, "tuple", part)

    def _assign_item(self, target: ast.Subscript, given: _Given) -> None:
        key = self.source.source(target.slice)
        self.expressions.evaluate(target.slice)
        self._store(self.expressions.evaluate(target.value), "item", given.statement)
        building = self._building(target.value)
        if building is not None and not building.is_mapping:
            building.mix(given.value)
        elif building is None and self._is_numbered(target.value):
            self._replace_member(target.value, given.value)
        else:
            self._put(target.value, given.value, key)
        if self._is_registry(target.value):
            self._attach(("*",), "registry", given)
        elif self.expressions.is_this(target.value):
            path: Path = (ast.literal_eval(key),) if key[:1] in "'\"" else ("*",)
            self._attach(path, "setitem", given)
        elif path := self.expressions.path(target.value):
            self._attach(path, "setitem", given)
        elif isinstance(inner := target.value, ast.Subscript):
            if path := self.expressions.path(inner.value):
                self._attach((*path, "*"), "setitem", given)

    def _is_registry(self, node: ast.expr) -> bool:
        """Whether an expression is where torch keeps the parameters or the children of ``self``.

        What is put there comes to have a name, but Pyro never learns it.
        """
        match node:
            case ast.Attribute(value=owner, attr=name):
                return name in REGISTRIES and self.expressions.is_this(owner)
            case ast.Subscript(
                value=ast.Attribute(value=owner, attr="__dict__")
                | ast.Call(func=ast.Name(id="vars"), args=[owner]),
                slice=ast.Constant(value=name),
            ):
                return name in REGISTRIES and self.expressions.is_this(owner)
        return False

    def _is_numbered(self, node: ast.expr) -> bool:
        """Whether an expression is a local name for a container whose members have places."""
        container = self._container(node.id) if isinstance(node, ast.Name) else None
        callee = container.callee if container else None
        layer = lookup(callee.dotted) if isinstance(callee, Name) else None
        return layer is not None and layer.name in NUMBERED

    def _replace_member(self, owner: ast.expr, value: Value) -> None:
        """``net[0] = value``: which of the members it takes the place of is not known."""
        self.reshapes = True
        assert isinstance(owner, ast.Name)
        if container := self._container(owner.id):
            grown = Passed(Items((Many(value),)))
            self.expressions.scope[owner.id] = replace(container, args=(*container.args, grown))

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.expressions.evaluate_within(target)
            if isinstance(target, ast.Subscript):
                self._take_out(target.value)

    def _note_removals(self, statement: ast.stmt) -> None:
        for node in walk(statement):
            match node:
                case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in REMOVING:
                    self._take_out(owner)

    def _take_out(self, owner: ast.expr) -> None:
        """``del layers[0]``, ``layers.pop()``: any of the members may be left."""
        if building := self._building(owner):
            building.mix()
        elif isinstance(owner, ast.Name) and self._container(owner.id):
            self.reshapes = True
            self.expressions.scope[owner.id] = Unknown(owner.id)

    def _augment(self, node: ast.AugAssign) -> None:
        given = self._given(node, node.value)
        written = node.target.value if isinstance(node.target, ast.Subscript) else node.target
        self._store(self.expressions.evaluate(written), "augmented", node)
        local = node.target.id if isinstance(node.target, ast.Name) else ""
        is_known = self._building(node.target) or self._container(local)
        if is_known and isinstance(given.value, Items):
            self._fill(node.target, "extend", given.value)
        elif local in self.expressions.scope:
            held = self.expressions.evaluate(ast.Name(local, ast.Load()))
            self.expressions.scope[local] = Unknown(parts=(held, given.value))
        if (path := self.expressions.path(node.target)) and isinstance(node.op, ast.Add):
            self._attach(path, "extend", given)

    # Calls that attach something

    def _call(self, statement: ast.stmt, node: ast.Call) -> None:
        made = self.expressions.evaluate(node)
        call = made.call if isinstance(made, MethodCall) else made
        if not isinstance(call, Call) or not call.args:
            return
        match node.func:
            case ast.Name(id="setattr") if len(node.args) == 3:
                given = _argument(statement, node, call, call.args[2])
                self._attach_named(node.args[0], call.args[0].value, call.args[1], given)
            case ast.Attribute(value=owner, attr=how) if how in ADDING:
                self._add(owner, how, _argument(statement, node, call, call.args[-1]))
            case ast.Attribute(value=owner, attr=how) if how in REGISTERING:
                name = call.argument("name", 0)
                value = call.argument("param", 1) or call.argument("module", 1)
                if name is not None and value is not None:
                    given = _argument(statement, node, call, value)
                    if how == "register_parameter" and not isinstance(name.value, Constant):
                        given = _parameter_in(given)
                    self._register(owner, _owner(call.callee), name, value, given)
            case ast.Attribute(value=owner, attr="update"):
                if building := self._building(owner):
                    building.update(call.args, self._depth)
                if node.args and (path := self.expressions.path(owner)):
                    self._attach(path, "extend", _argument(statement, node, call, call.args[0]))

    def _add(self, owner: ast.expr, how: str, given: _Given) -> None:
        """``append``, ``extend`` and ``insert``."""
        self._fill(owner, how, given.value)
        if self.expressions.is_this(owner):
            self._attach((), how, given)
        elif path := self.expressions.path(owner):
            self._attach(path, how, given)
        elif isinstance(owner, ast.Subscript) and (path := self.expressions.path(owner.value)):
            self._attach((*path, "*"), how, given)

    def _fill(self, owner: ast.expr, how: str, value: Value) -> None:
        """Append, extend or insert, where an expression names a list or a local container."""
        building = self._building(owner)
        if building is not None and how == "insert":
            building.mix(value)
        elif how != "insert":
            for item in spread(value) if how == "extend" else (value,):
                self._put(owner, item)

    def _put(self, owner: ast.expr, value: Value, key: str = "") -> None:
        """Put a value into the list, dict or local container that an expression names."""
        if building := self._building(owner):
            building.add(value, self._depth, key)
        elif isinstance(owner, ast.Name) and (container := self._container(owner.id)):
            item = Many(value) if self._depth else value
            grown = Passed(Items((item,), (key,) if key else ()))
            self.expressions.scope[owner.id] = replace(container, args=(*container.args, grown))

    def _container(self, name: str) -> Call | None:
        """The call behind a local name for a container of torch."""
        held = self.expressions.scope.get(name)
        if not isinstance(held, Call) or not isinstance(held.callee, Name):
            return None
        layer = lookup(held.callee.dotted)
        return held if layer is not None and layer.kind == "container" else None

    def _register(
        self, owner: ast.expr, held: Value, name: Passed, value: Passed, given: _Given
    ) -> None:
        """``register_parameter(name, value)``, ``add_module`` and their like."""
        if isinstance(owner, ast.Name) and not isinstance(value.value, Parameter):
            container = self.expressions.scope.get(owner.id)
            if isinstance(container, Call):
                grown = Passed(Many(value.value), value.text)
                self.expressions.scope[owner.id] = replace(container, args=(*container.args, grown))
        self._attach_named(owner, held, name, given)

    def _attach_named(self, owner: ast.expr, held: Value, name: Passed, given: _Given) -> None:
        """Attach to what ``owner`` reads, ``held``, under a name that is a value itself."""
        path = self.expressions.path(owner)
        if not path and not self.expressions.is_this(owner):
            for key in _keys(name.value):
                self._note_put(held, key, given)
            self._attach_elsewhere(owner, given)
            if given.value == NOTHING and isinstance(name.value, Constant):
                self.cleared.add(name.text.strip("'\""))
        elif isinstance(name.value, Constant) and name.text[:1] in "'\"":
            self._attach((*path, ast.literal_eval(name.value.text)), "register", given)
        elif members := _members_read(name, given.value):
            for key, value in members:
                self._attach((*path, key), "register", replace(given, value=value))
        else:
            self._attach((*path, "*"), "setattr", given)


def _none_test(test: ast.expr) -> tuple[str, bool]:
    """The local name that a condition compares with None, and whether it holds for None."""
    match test:
        case ast.Compare(
            left=ast.Name(id=name),
            ops=[ast.Is() | ast.IsNot() as operator],
            comparators=[ast.Constant(value=None)],
        ):
            return name, isinstance(operator, ast.Is)
    return "", False


def _is_always_met(case: ast.match_case) -> bool:
    """``case _:`` and ``case name:``."""
    return isinstance(case.pattern, ast.MatchAs) and not case.pattern.pattern and not case.guard


def _argument(statement: ast.stmt, node: ast.Call, call: Call, passed: Passed) -> _Given:
    """What a call of ``node`` is given as ``passed``, one of the arguments of ``call``."""
    nodes = [*node.args, *(keyword.value for keyword in node.keywords)]
    position = next(index for index, item in enumerate(call.args) if item is passed)
    return _Given(statement, nodes[position], passed.value)


def _parameter_in(given: _Given) -> _Given:
    """What ``register_parameter`` is given: a parameter, wherever it is from, or None."""
    if not isinstance(given.value, Argument | Unknown | SelfRead):
        return given
    place = given.node.lineno, given.node.col_offset
    made = Parameter(*place, initial="", shape=None, stable=False, frozen=None)
    return replace(given, value=made)


def _owner(callee: Value) -> Value:
    """What a method is called on."""
    match callee:
        case Unknown(owner=owner, path=(_,)) if owner is not None:
            return owner
        case Unknown(owner=owner, path=(*path, _)) if owner is not None:
            return Unknown("", owner, tuple(path))
    return Unknown()


def _keys(name: Value) -> list[str]:
    """The texts that a name is one after the other; ``*`` where that is not seen."""
    options = options_of(name)
    keys = [ast.literal_eval(item.text) for item in options if isinstance(item, Constant)]
    is_seen = len(keys) == len(options) and all(isinstance(key, str) for key in keys)
    return keys if is_seen else ["*"]


def _members_read(name: Passed, value: Value) -> list[tuple[str, SelfRead]]:
    """``getattr(self.layer, name)`` for each text that the name is; nothing for other values."""
    if not isinstance(value, Call) or value.callee != Name("getattr") or len(value.args) != 2:
        return []
    owner, key = value.args
    if not isinstance(name.value, OneOf) or not isinstance(owner.value, SelfRead):
        return []
    keys = [ast.literal_eval(i.text) for i in name.value.options if isinstance(i, Constant)]
    if key.text != name.text or not keys or len(keys) < len(name.value.options):
        return []
    path = owner.value.path
    return [(key, SelfRead((*path, key))) for key in keys if isinstance(key, str)]


def _is_tensor(value: Value) -> bool:
    """Whether a value is what a function of torch computes."""
    match value:
        case Call(callee=Name(dotted=dotted)):
            return dotted.startswith("torch.") and lookup(dotted) is None
    return False


def _joined(one: Value | Building, other: Value | Building | None) -> Value | Building:
    """What a name holds after the two branches of an ``if``."""
    if isinstance(one, Building) or other is None:
        return one
    if isinstance(other, Building) or other == one:
        return other
    if isinstance(one, Call) and isinstance(other, Call) and one.place == other.place:
        # One container, to which either branch may have added.
        added = [passed for passed in other.args if passed not in one.args]
        return replace(one, args=(*one.args, *added))
    return join(one, other)
