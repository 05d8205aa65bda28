"""Old Pyro code about modules: priors given by lifting, and modules registered by hand."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyroify.dispatch import needs
from pyroify.syntax.facts import BoundNetwork, LiftCall, LiftedModule, OldPriors, Sampling
from pyroify.syntax.observe.observations import plates
from pyroify.syntax.old_priors import read_priors
from pyroify.syntax.scopes import FUNCTIONS, Scopes
from pyroify.syntax.source import Body, Source
from pyroify.syntax.values import Location

KINDS = {
    "pyro.random_module": "random_module",
    "pyro.primitives.random_module": "random_module",
    "pyro.poutine.lift": "lift",
    "pyro.poutine.handlers.lift": "lift",
    "pyro.module": "module",
    "pyro.primitives.module": "module",
}
"""Dotted functions by their last name."""

MODULE_ARGUMENT = {"random_module": ("nn_module", 1), "lift": ("fn", 0), "module": ("nn_module", 1)}
PRIOR_ARGUMENT = {"random_module": ("prior", 2), "lift": ("prior", 1)}
SETTLING = {"to", "cuda", "cpu", "float", "double", "half", "load_state_dict", "train", "eval"}
"""Methods that make a module what it is to be, right after it was built."""
HARMLESS = {"shape", "size", "dim", "ndim", "numel", "device", "dtype", "train", "eval"}
"""What may be asked of a module or parameter whether or not it is random."""
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp)
BLOCKS = (*LOOPS, ast.GeneratorExp, ast.With, ast.AsyncWith, ast.ClassDef, *FUNCTIONS)
"""What may run its inside often, late, or in another context than that of the function."""
DIVIDER = "$$$"
"""Stands between module and parameter in the names of old sites."""


class _Tangled(Exception):
    """Why code cannot be rewritten."""


@needs(*KINDS.values(), nothing=())
def liftings(file: Source) -> tuple[LiftCall, ...]:
    """Every call in a file that lifts or registers a module, in the order of the source."""
    if not any(dotted.partition(".")[0] == "pyro" for dotted in file.imports.values()):
        return ()
    calls = {
        node: KINDS[dotted]
        for node in file.nodes.of(ast.Call)
        if (dotted := file.dotted(node.func)) in KINDS
    }
    if not calls:
        return ()
    reader = _Reader(file, Scopes(file.tree), calls)
    return tuple(sorted(reader.read(), key=lambda found: (found.line, found.column)))


def bound_networks(file: Source) -> tuple[BoundNetwork, ...]:
    """What a file makes of torch's layers outside of classes, each under a name of its own."""
    made = [
        node
        for node in file.nodes.of(ast.Assign)
        if isinstance(node.value, ast.Call)
        and isinstance(node.targets[0], ast.Name)
        and len(node.targets) == 1
        and file.dotted(node.value.func).startswith("torch.nn.")
    ]
    if not made:
        return ()
    reader = _Reader(file, Scopes(file.tree), {})
    return tuple(found for node in made if (found := reader.bound_network(node)) is not None)


@dataclass(frozen=True)
class _Reader:
    file: Source
    scopes: Scopes
    calls: Mapping[ast.Call, str]

    def read(self) -> Iterator[LiftCall]:
        priors = {call: self._priors(call, kind) for call, kind in self.calls.items()}
        samplings = {call: self._sampling(call, kind) for call, kind in self.calls.items()}
        dropped = [
            spot
            for call, found in priors.items()
            if not samplings[call].returned  # what a guide draws from stays
            for spot in found.statements
        ]
        for call, kind in self.calls.items():
            module = _argument(call, *MODULE_ARGUMENT[kind])
            if module is not None:
                yield LiftCall(
                    kind=kind,
                    line=call.lineno,
                    column=self.file.column(call),
                    text=self.file.source(call.func),
                    module=self._module(module, dropped),
                    priors=priors[call],
                    sampling=samplings[call],
                )

    def _spot(self, node: ast.expr | ast.stmt) -> Location:
        return node.lineno, self.file.column(node)

    def _priors(self, call: ast.Call, kind: str) -> OldPriors:
        module = _argument(call, *MODULE_ARGUMENT[kind])
        if kind == "module" or module is None:
            return OldPriors("")
        given = _argument(call, *PRIOR_ARGUMENT[kind])
        return read_priors(self.file, self.scopes, given, self.file.source(module))

    # The module

    def _module(self, node: ast.expr, dropped: Sequence[Location]) -> LiftedModule:
        source = self.file.source(node)
        match node:
            case ast.Name():
                scope = self.scopes.holder(node) or self.file.tree
                uses: list[ast.expr] = [*self.scopes.reads(scope, node.id)]
                statement = self.scopes.definition(node)
            case ast.Attribute(value=ast.Name(), attr=name):
                scope = next(
                    (n for n in self.scopes.around(node) if isinstance(n, ast.ClassDef)),
                    self.file.tree,
                )
                uses = [n for n in self.file.nodes.of(ast.Attribute) if n.attr == name]
                statement = self._attribute_statement(source, scope, uses)
            case _:
                return LiftedModule(source)
        line = getattr(scope, "lineno", 0)
        problem = self._other_use(source, uses, statement, dropped)
        if statement is None or not isinstance(statement.value, ast.Call):
            return LiftedModule(source, line, problem=problem)
        return LiftedModule(
            source,
            line,
            made=self._spot(self._settled(statement)[-1]),
            maker=self.file.dotted(statement.value.func),
            inside=_class_around(self.scopes, statement),
            problem=problem,
        )

    def _attribute_statement(
        self, source: str, scope: ast.AST, uses: Sequence[ast.expr]
    ) -> ast.Assign | None:
        """The one statement ``self.net = value`` of a class."""
        stores = [node for node in uses if not isinstance(node.ctx, ast.Load)]  # type: ignore[attr-defined]
        if len(stores) != 1 or self.file.source(stores[0]) != source:
            return None
        statement = self.scopes.parents[stores[0]]
        is_plain = isinstance(statement, ast.Assign) and statement.targets == stores
        inside = self.scopes.contains(scope, statement) and isinstance(scope, ast.ClassDef)
        return statement if isinstance(statement, ast.Assign) and is_plain and inside else None

    def _settled(self, statement: ast.Assign) -> list[ast.stmt]:
        """The statement that makes a module, and those right after it that make it ready."""
        block = next(
            value
            for _, value in ast.iter_fields(self.scopes.parents[statement])
            if isinstance(value, list) and statement in value
        )
        found: list[ast.stmt] = [statement]
        source = self.file.source(statement.targets[0])
        for node in block[block.index(statement) + 1 :]:
            called = node.value.func if _is_call(node) else None
            if not isinstance(called, ast.Attribute) or called.attr not in SETTLING:
                break
            if self.file.source(called.value) != source:
                break
            found.append(node)
        return found

    def _other_use(
        self,
        source: str,
        uses: Sequence[ast.expr],
        statement: ast.Assign | None,
        dropped: Sequence[Location],
    ) -> str:
        """What else is done with a module, as long as it would mean something else afterwards."""
        settled = self._settled(statement) if statement is not None else []
        for use in uses:
            around = [use, *self.scopes.around(use)]
            if any(node is item for item in settled for node in around):
                continue
            if any(isinstance(n, ast.stmt) and self._spot(n) in dropped for n in around):
                continue
            if not self._is_harmless(use):
                return f"{source} is used in another way in line {use.lineno}"
        return ""

    def _is_harmless(self, use: ast.expr) -> bool:
        parents = self.scopes.parents
        if any(_argument(call, *MODULE_ARGUMENT[kind]) is use for call, kind in self.calls.items()):
            return True
        node: ast.AST = use
        while isinstance(parents[node], ast.Attribute | ast.Subscript):
            node = parents[node]
            if isinstance(node, ast.Attribute) and node.attr in HARMLESS:
                return True
        outer = parents[node]
        if not isinstance(outer, ast.Call) or node not in outer.args:
            return False
        dotted = self.file.dotted(outer.func)
        return dotted.startswith("torch.") and dotted.endswith("_like")

    def bound_network(self, statement: ast.Assign) -> BoundNetwork | None:
        """The network of a statement; None where it is that of a class, or one of many."""
        target = statement.targets[0]
        assert isinstance(target, ast.Name)
        scope = self.scopes.scope(statement)
        around = [node for node in self.scopes.around(statement) if isinstance(node, BLOCKS)]
        if [node for node in around if node is not scope] or isinstance(scope, ast.ClassDef):
            return None
        if not self.scopes.stands_alone(statement):
            return None
        settled = self._settled(statement)
        problem = ""
        if len(self.scopes.bindings(scope, target.id)) > 1:
            problem = f"{target.id} is bound more than once"
        for use in self.scopes.reads(scope, target.id):
            within = any(node is item for item in settled for node in self.scopes.around(use))
            if within and self._is_loaded(use):
                problem = f"{target.id} is given the weights of a trained one in line {use.lineno}"
                break
            if not within and not self._is_called(use):
                problem = f"{target.id} is used for more than being called, in line {use.lineno}"
                break
        return BoundNetwork(
            target.id, self._spot(statement.value), self._spot(settled[-1]), problem
        )

    def _is_loaded(self, use: ast.expr) -> bool:
        parent = self.scopes.parents[use]
        return isinstance(parent, ast.Attribute) and parent.attr == "load_state_dict"

    def _is_called(self, use: ast.expr) -> bool:
        """Whether a network, or a part of it, is called or asked for its mode or place."""
        node: ast.AST = use
        while isinstance(self.scopes.parents[node], ast.Attribute | ast.Subscript):
            node = self.scopes.parents[node]
            if isinstance(node, ast.Attribute) and node.attr in HARMLESS:
                return True
        outer = self.scopes.parents[node]
        return node is use and isinstance(outer, ast.Call) and outer.func is node

    # What becomes of it

    def _sampling(self, call: ast.Call, kind: str) -> Sampling:
        try:
            if line := self._old_name():
                raise _Tangled(f"line {line} names a site in the old way, with {DIVIDER}")
            return self._registered(call) if kind == "module" else self._sampled(call, kind)
        except _Tangled as reason:
            return Sampling(problem=str(reason))

    def _old_name(self) -> int:
        for node in self.file.nodes.of(ast.Constant):
            if isinstance(node.value, str) and DIVIDER in node.value:
                return node.lineno
        return 0

    def _registered(self, call: ast.Call) -> Sampling:
        """``pyro.module(...)``: dropped, or its module in its place."""
        if len(call.args) + len(call.keywords) != 2:
            raise _Tangled("it takes values over from the parameter store")
        statement = self.scopes.parents[call]
        if isinstance(statement, ast.Expr) and self.scopes.stands_alone(statement):
            return Sampling(statement=self._spot(statement))
        return Sampling(expression=self._expression(call))

    def _sampled(self, call: ast.Call, kind: str) -> Sampling:
        function = self.scopes.function(call)
        if isinstance(function, ast.Lambda):
            raise _Tangled("it stands in a lambda")
        self._check_runs_once(call, function)
        line = getattr(function, "lineno", 0)
        sampled, sampler = self._instance(call, kind, function)
        if sampler is None:
            statement, before, expression = self._in_statement(sampled)
        else:
            self._check_runs_once(sampled, function)
            statement, before = self._spot(self.scopes.statement(call)), f"{sampler} = "
            expression = self._expression(sampled)
        returned, plate = self._fate(sampled, function)
        return Sampling(line, statement, before, expression, returned, plate)

    def _instance(
        self, call: ast.Call, kind: str, function: ast.AST
    ) -> tuple[ast.Call, str | None]:
        """The call that gives the module, and the name of what is called if it has one."""
        parent = self.scopes.parents[call]
        if kind == "lift":
            return call, None
        if isinstance(parent, ast.Call) and parent.func is call and _is_bare(parent):
            return parent, None
        names = self._names_of(call, function)
        if len(names) != 1 or not names[0]:
            raise _Tangled("it is handed on, and not called once in the same function")
        sampled = self.scopes.parents[names[0]]
        if (
            not isinstance(sampled, ast.Call)
            or sampled.func is not names[0]
            or not _is_bare(sampled)
        ):
            raise _Tangled("what it gives is handed on instead of called")
        return sampled, names[0].id

    def _names_of(self, value: ast.expr, function: ast.AST) -> tuple[ast.Name, ...]:
        """Where the value of ``name = value`` is read; raises where it is not just that."""
        statement = self.scopes.parents[value]
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if self.scopes.stands_alone(statement):
                scope = self.scopes.scope(statement)
                if len(self.scopes.bindings(scope, name)) == 1:
                    return self.scopes.reads(scope, name)
        raise _Tangled("its value gets no name of its own")

    def _in_statement(
        self, value: ast.Call
    ) -> tuple[Location | None, str, tuple[int, int, str] | None]:
        """The statement to replace where a value is all of it, else the expression."""
        statement = self.scopes.parents[value]
        if isinstance(statement, ast.Assign | ast.Return) and self.scopes.stands_alone(statement):
            if isinstance(statement, ast.Return):
                return self._spot(statement), "return ", None
            if len(statement.targets) == 1:
                return self._spot(statement), f"{self.file.source(statement.targets[0])} = ", None
        return None, "", self._expression(value)

    def _expression(self, node: ast.Call) -> tuple[int, int, str]:
        if node.lineno != node.end_lineno:
            raise _Tangled("it goes over several lines within an expression")
        return node.lineno, self.file.column(node), self.file.source(node)

    def _fate(
        self, sampled: ast.Call, function: ast.AST
    ) -> tuple[bool, tuple[int, int, int] | None]:
        """Whether the sampled module is returned, and the plate around its one call."""
        parent = self.scopes.parents[sampled]
        uses: tuple[ast.expr, ...] = (sampled,)
        if isinstance(parent, ast.Assign):
            uses = self._names_of(sampled, function)
        calls: list[ast.Call] = []
        returned = False
        for use in uses:
            outer = self.scopes.parents[use]
            if isinstance(outer, ast.Call) and outer.func is use:
                calls.append(outer)
            elif isinstance(outer, ast.Return):
                returned = True
            elif not (isinstance(outer, ast.Attribute) and outer.attr in ("train", "eval")):
                raise _Tangled("the sampled module is used otherwise than by calling it")
        if len(calls) + returned > 1:
            raise _Tangled("the sampled module is called more than once")
        return returned, self._plate_around(calls[0], function) if calls else None

    def _plate_around(self, call: ast.Call, function: ast.AST) -> tuple[int, int, int] | None:
        """The plate a call stands in, and how many statements of it must move above it."""
        blocks = list(self._blocks_around(call, function))
        if not blocks:
            return None
        place = self._spot(blocks[0]) if isinstance(blocks[0], ast.stmt) else None
        body: list[ast.stmt] = function.body  # type: ignore[attr-defined]
        outer = [self._spot(statement) for statement in body]
        known = plates(Body(self.file, body)) if place in outer else ()
        for plate in known if len(blocks) == 1 else ():
            if (plate.line, plate.column) == place:
                for count, (first, last) in enumerate(plate.movable, 1):
                    if first <= call.lineno <= last:
                        return *place, count
        raise _Tangled(
            "the sampled module is called in a loop or plate, where it would be drawn again"
        )

    def _check_runs_once(self, node: ast.AST, function: ast.AST) -> None:
        if next(self._blocks_around(node, function), None) is not None:
            raise _Tangled("it is sampled in a loop, a with block or another function")

    def _blocks_around(self, node: ast.AST, function: ast.AST) -> Iterator[ast.AST]:
        """Loops, with blocks, comprehensions and functions between a node and its function."""
        for outer in self.scopes.around(node):
            if outer is function:
                return
            if isinstance(outer, BLOCKS):
                yield outer


def _argument(call: ast.Call, keyword: str, position: int) -> ast.expr | None:
    for given in call.keywords:
        if given.arg == keyword:
            return given.value
    plain = call.args[: position + 1]
    if len(plain) <= position or any(isinstance(item, ast.Starred) for item in plain):
        return None
    return plain[position]


def _is_bare(call: ast.Call) -> bool:
    return not call.args and not call.keywords


def _is_call(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def _class_around(scopes: Scopes, node: ast.AST) -> str:
    return next((n.name for n in scopes.around(node) if isinstance(n, ast.ClassDef)), "")
