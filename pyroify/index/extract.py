"""Source text to facts: one parse, one walk over each function, nothing of another file.

A function body is run abstractly, once: local variables hold what they may be, lists remember
what is appended to them, and everything attached to ``self`` is written down in order.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pyroify.catalog.layers import LAYERS
from pyroify.index.declarations import DECLARING_FUNCTION, declaration_text, definitions
from pyroify.index.declared import read_declared
from pyroify.index.facts import (
    NONE,
    Argument,
    Assignment,
    Branch,
    Call,
    Choice,
    Class,
    Constant,
    Declarations,
    File,
    Function,
    Items,
    MethodCall,
    Name,
    NotedCall,
    Observation,
    Parameter,
    Passed,
    Path,
    Repeat,
    SelfRead,
    Unknown,
    Value,
)
from pyroify.index.liftings import liftings
from pyroify.index.observe import frozen_paths, observe, plates, type_tests
from pyroify.index.shapes import initial_shape
from pyroify.index.slices import observe_slices
from pyroify.index.uses import chain, collect_uses
from pyroify.index.writes import collect_writes

PARAMETER = {
    "torch.nn.Parameter",
    "torch.nn.parameter.Parameter",
    "torch.nn.UninitializedParameter",
    "torch.nn.parameter.UninitializedParameter",
}
SAMPLE = {"pyro.nn.PyroSample", "pyro.nn.module.PyroSample"}
PARAM = {"pyro.nn.PyroParam", "pyro.nn.module.PyroParam"}
PYRO_MODULE = {"pyro.nn.PyroModule", "pyro.nn.module.PyroModule"}
PLATES = {"pyro.plate", "pyro.primitives.plate"}
SEQUENCES = {"list", "tuple", "collections.OrderedDict", "dict", "reversed", "iter"}
NOTED = re.compile(
    r"torch\.(jit|fx|compile|export)\b|torch\.utils\.checkpoint|torch\.nn\.utils\.(weight_norm"
    r"|spectral_norm|parametriz|prune|remove_)|torch\.nn\.utils\.parametriz|copy\.deepcopy"
    r"|pyro\.(module|random_module|poutine\.lift)|torch\.nn\.(parallel\.)?DataParallel"
    r"|torch\.quantization|pyro\.poutine\.|pyro\.infer\."
)
SUPPRESSION = re.compile(r"#\s*pyroify:\s*(ignore(?:-class|-file)?)\b")
CHAINED = {"requires_grad_", "float", "double", "half", "to", "cuda", "cpu", "detach", "clone"}

SIZES = (ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.operator, ast.expr_context)
TESTS = (*SIZES, ast.UnaryOp, ast.Not, ast.BoolOp, ast.boolop, ast.Compare, ast.cmpop)


def extract(text: str, path: str, module: str, is_package: bool = False) -> File:
    """Read the facts of one file.

    ``module`` is its dotted name, from which relative imports are resolved. Raises SyntaxError.
    """
    tree = ast.parse(text, filename=path)
    return _FileReader(text, path, module, is_package).read(tree)


@dataclass
class _FileReader:
    text: str
    path: str
    module: str
    is_package: bool
    lines: list[str] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    defined: set[str] = field(default_factory=set)
    plates: set[str] = field(default_factory=set)
    """Names given to plates anywhere in the file."""
    classes: list[Class] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    aliases: dict[str, Value] = field(default_factory=dict)
    noted: list[NotedCall] = field(default_factory=list)
    module_calls: list[Call] = field(default_factory=list)

    def read(self, tree: ast.Module) -> File:
        # ast splits lines at \n, \r\n and \r only; str.splitlines would split at more.
        self.lines = re.split(r"\r\n|\n|\r", self.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._read_import(node)
            elif isinstance(node, ast.ImportFrom):
                self._read_import_from(node)
        self.defined = {
            node.name
            for node in _module_level(tree.body)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self.plates = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and self.is_plate(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self._read_body(tree.body)
        bound = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        } | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        return File(
            path=self.path,
            module=self.module,
            imports=tuple(self.imports.items()),
            stars=tuple(self.stars),
            classes=tuple(self.classes),
            functions=tuple(self.functions),
            aliases=tuple(self.aliases.items()),
            bound=frozenset(bound | self.defined),
            noted=tuple(self.noted),
            suppressed=tuple(self._suppressions()),
            module_calls=tuple(self.module_calls),
            type_tests=type_tests(self, tree),
            definitions=tuple(definitions(tree.body)),
            line_length=usual_length(self.lines),
            liftings=liftings(self, tree),
        )

    def _suppressions(self) -> Iterator[tuple[int, str]]:
        if "pyroify:" not in self.text:
            return
        for number, line in enumerate(self.lines, 1):
            if match := SUPPRESSION.search(line):
                yield number, match[1]

    def _read_import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self.imports[alias.asname] = alias.name
            else:
                head = alias.name.partition(".")[0]
                self.imports.setdefault(head, head)

    def _read_import_from(self, node: ast.ImportFrom) -> None:
        source = self._absolute(node)
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(source)
            else:
                self.imports[alias.asname or alias.name] = f"{source}.{alias.name}"

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.module.split(".")
        drop = node.level - 1 if self.is_package else node.level
        base = package[: len(package) - drop] if drop else package
        return ".".join([*base, *([node.module] if node.module else [])])

    def _read_body(self, body: Sequence[ast.stmt]) -> None:
        module_reader = _FunctionReader(self, "", None)
        for node in _module_level(body):
            if isinstance(node, ast.ClassDef):
                self.read_class(node, "")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.append(self.read_function(node, node.name))
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.aliases[node.targets[0].id] = module_reader.evaluate(node.value)
            else:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        module_reader.evaluate(child)
        self.module_calls.extend(module_reader.calls)

    def read_class(self, node: ast.ClassDef, outer: str, inside_function: bool = False) -> None:
        qualname = f"{outer}.{node.name}" if outer else node.name
        methods: list[Function] = []
        attributes: list[tuple[str, Value]] = []
        body_reader = _FunctionReader(self, "", None)
        known = _assigned_names(node)
        for item in _module_level(node.body):
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                methods.append(self.read_function(item, item.name, known, method=True))
            elif isinstance(item, ast.ClassDef):
                self.read_class(item, qualname, inside_function)
            elif isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
                attributes.append((item.targets[0].id, body_reader.evaluate(item.value)))
            elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                value = body_reader.evaluate(item.value) if item.value else Unknown()
                attributes.append((item.target.id, value))
        metaclass = next(
            (self.dotted(keyword.value) for keyword in node.keywords if keyword.arg == "metaclass"),
            "",
        )
        self.classes.append(
            Class(
                name=node.name,
                qualname=qualname,
                line=node.lineno,
                column=self.column(node),
                bases=tuple(
                    (self.source(base), self.dotted(base), base.lineno, self.column(base))
                    for base in node.bases
                ),
                metaclass=metaclass,
                decorators=tuple(self.dotted(item) for item in node.decorator_list),
                methods=tuple(methods),
                class_attributes=tuple(attributes),
                inside_function=inside_function,
                body_column=self.column(node.body[0]),
            )
        )

    def read_function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        name: str,
        known: frozenset[str] = frozenset(),
        method: bool = False,
    ) -> Function:
        spec = node.args
        positional = [*spec.posonlyargs, *spec.args]
        arguments = [argument.arg for argument in [*positional, *spec.kwonlyargs]]
        static = any(self.dotted(item) == "staticmethod" for item in node.decorator_list)
        this = arguments[0] if method and not static and positional else None
        reader = _FunctionReader(self, name, this)
        for argument in arguments:
            reader.scope[argument] = Argument(argument)
        reader.rebound = _rebound(node, arguments)
        defaults = [
            *zip(
                [a.arg for a in positional[len(positional) - len(spec.defaults) :]],
                spec.defaults,
                strict=True,
            ),
            *(
                (argument.arg, default)
                for argument, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
                if default is not None
            ),
        ]
        head, declarations = self._split_declarations(node, this, known)
        reader.run(head, ())
        everything = list(ast.walk(node))
        uses = collect_uses(self, head, this) if this else ()
        return Function(
            name=name,
            line=node.lineno,
            column=self.column(node),
            arguments=tuple(arguments[1:] if this else arguments),
            defaults=tuple((key, self.source(value)) for key, value in defaults),
            annotations=tuple(
                (a.arg, self.source(a.annotation))
                for a in [*positional, *spec.kwonlyargs]
                if a.annotation
            ),
            decorators=tuple(self.dotted(item) for item in node.decorator_list),
            assignments=tuple(reader.assignments),
            uses=uses,
            writes=collect_writes(self, head, this) if this else (),
            self_calls=frozenset(
                use.path[0] for use in uses if use.how == "call" and len(use.path) == 1
            ),
            super_calls=frozenset(reader.super_calls),
            base_calls=tuple(reader.base_calls),
            returns=tuple(reader.returns),
            return_lines=tuple(reader.return_lines),
            generator=any(isinstance(item, ast.Yield | ast.YieldFrom) for item in everything),
            coroutine=isinstance(node, ast.AsyncFunctionDef),
            layer_calls=tuple(reader.calls),
            parameter_calls=tuple(reader.parameters),
            super_init=reader.super_init,
            names=frozenset(item.id for item in everything if isinstance(item, ast.Name)),
            declarations=declarations,
            conditions=tuple(reader.conditions),
            guards=tuple(reader.guards),
            frozen=frozen_paths(head, this) if this else (),
            observations=self._observations(head, this),
            plates=plates(self, head) if this else (),
            indirect=tuple(reader.indirect),
            source=ast.unparse(node) if node.name == DECLARING_FUNCTION else "",
        )

    def _observations(self, body: Sequence[ast.stmt], this: str | None) -> tuple[Observation, ...]:
        if this is None:
            return ()
        return (*observe(self, body, this), *observe_slices(self, body, this))

    def _split_declarations(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, this: str | None, known: frozenset[str]
    ) -> tuple[list[ast.stmt], Declarations | None]:
        """Part the body from the declarations at its end, which the plan writes anew."""
        body = list(node.body)
        texts: list[str] = []
        if this is not None:
            while body and (text := declaration_text(self, body[-1], this, known)):
                texts.insert(0, text)
                body.pop()
        if not texts:
            return body, None
        lines = tuple(item.lineno for item in node.body[len(body) :])
        last = node.body[-1].end_lineno or lines[-1]
        return body, Declarations(lines[0], last, len(texts), tuple(texts), lines)

    # Names and text

    def column(self, node: ast.expr | ast.stmt) -> int:
        """Column of a node in characters, from 0."""
        line = self.lines[node.lineno - 1]
        if line.isascii():
            return node.col_offset
        return len(line.encode()[: node.col_offset].decode())

    def trailing(self, node: ast.expr) -> int:
        """Characters after an expression on its last line, comments included."""
        line = self.lines[(node.end_lineno or node.lineno) - 1].encode()
        return len(line[node.end_col_offset :].decode())

    def extent(self, node: ast.expr, statement: int) -> tuple[int, int, int, int] | None:
        """Indent of the line, characters after the expression, length of the line; see ``Call``."""
        if node.lineno != node.end_lineno:
            return None
        line = self.lines[node.lineno - 1]
        return len(line) - len(line.lstrip()), self.trailing(node), len(line), statement

    def source(self, node: ast.AST) -> str:
        """Source of an expression: as written where it stands on one line, else normalised."""
        if not isinstance(node, ast.expr) or node.lineno != node.end_lineno:
            return ast.unparse(node)
        line = self.lines[node.lineno - 1].encode()
        return line[node.col_offset : node.end_col_offset].decode()

    def is_plate(self, node: ast.expr) -> bool:
        """Whether an expression is ``pyro.plate(...)``, or a name that was given to one."""
        if isinstance(node, ast.Name):
            return node.id in self.plates
        return isinstance(node, ast.Call) and self.dotted(node.func) in PLATES

    def dotted(self, node: ast.AST) -> str:
        """Dotted name of an expression through the imports; ``""`` for what is not a name."""
        if isinstance(node, ast.Call):
            return self.dotted(node.func)
        if isinstance(node, ast.Subscript):
            return self.dotted(node.value)
        parts = chain(node)
        return self.resolve(parts) if parts else ""

    def resolve(self, parts: Path) -> str:
        """Dotted name of a chain of names through the imports and definitions of the file."""
        head, *rest = parts
        if head in self.imports:
            head = self.imports[head]
        elif head in self.defined or head in self.aliases:
            head = f"{self.module}.{head}"
        elif "torch.nn" in self.stars and (head in LAYERS or head in ("Module", "Parameter")):
            head = f"torch.nn.{head}"
        elif head == "nn" and self.stars:
            head = "torch.nn"  # by way of a star import: nobody calls anything else nn
        return ".".join([head, *rest])


def usual_length(lines: Sequence[str]) -> int:
    """The usual limit that nearly all lines keep to: 88, 100 or 120."""
    for limit in (88, 100):
        if sum(len(line) > limit for line in lines) <= len(lines) // 100:
            return limit
    return 120


def _module_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module or class body, those under ``if``, ``try`` and ``with`` included."""
    for node in body:
        if isinstance(node, ast.If):
            yield from _module_level(node.body)
            yield from _module_level(node.orelse)
        elif isinstance(node, ast.Try):
            yield from _module_level(node.body)
            for handler in node.handlers:
                yield from _module_level(handler.body)
            yield from _module_level(node.orelse)
            yield from _module_level(node.finalbody)
        elif isinstance(node, ast.With):
            yield from _module_level(node.body)
        else:
            yield node


def _assigned_names(node: ast.ClassDef) -> frozenset[str]:
    """Names given to ``self`` anywhere in a class, other than by a declaration."""
    names: set[str] = set()
    for item in ast.walk(node):
        if isinstance(item, ast.Assign | ast.AnnAssign):
            targets = item.targets if isinstance(item, ast.Assign) else [item.target]
            value = item.value
            if isinstance(value, ast.Constant):
                continue  # None, until it is declared
            called = value.func if isinstance(value, ast.Call) else None
            last = chain(called)[-1:] if called is not None else ()
            if last and last[0] in ("PyroSample", "PyroParam"):
                continue
            for target in targets:
                parts = chain(target)
                if len(parts) == 2:
                    names.add(parts[1])
        elif isinstance(item, ast.Call) and chain(item.func)[-1:] == ("register_parameter",):
            if item.args and isinstance(item.args[0], ast.Constant):
                names.add(str(item.args[0].value))
    return frozenset(names)


def _rebound(node: ast.AST, arguments: Sequence[str]) -> frozenset[str]:
    """Names of a function that do not keep one value from their first use to its end."""
    counts = dict.fromkeys(arguments, 1)
    moving: set[str] = set()
    for item in ast.walk(node):
        if isinstance(item, ast.For | ast.AsyncFor | ast.comprehension):
            moving |= {n.id for n in ast.walk(item.target) if isinstance(n, ast.Name)}
        if isinstance(item, ast.For | ast.AsyncFor | ast.While):
            for inner in ast.walk(item):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    moving.add(inner.id)
        if isinstance(item, ast.Lambda | ast.FunctionDef) and item is not node:
            moving |= {a.arg for a in item.args.args}
        if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load):
            counts[item.id] = counts.get(item.id, 0) + 1
    return frozenset(moving | {name for name, count in counts.items() if count > 1})


@dataclass
class _Building:
    """A local list or dict while it is filled; ``depth`` is where it was made."""

    depth: int
    items: list[Value] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def add(self, value: Value, depth: int, key: str = "") -> None:
        self.items.append(Repeat(value) if depth > self.depth else value)
        if key:
            self.keys.append(key)

    def freeze(self) -> Items:
        return Items(tuple(self.items), tuple(self.keys))


@dataclass
class _FunctionReader:
    """Runs one function body abstractly."""

    file: _FileReader
    name: str
    this: str | None
    scope: dict[str, Value | _Building] = field(default_factory=dict)
    rebound: frozenset[str] = frozenset()
    assignments: list[Assignment] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    returns: list[Value] = field(default_factory=list)
    return_lines: list[int] = field(default_factory=list)
    super_calls: set[str] = field(default_factory=set)
    base_calls: list[tuple[str, int, int]] = field(default_factory=list)
    indirect: list[tuple[str, int, int]] = field(default_factory=list)
    depth: int = 0
    parameters: list[Parameter] = field(default_factory=list)
    super_init: Call | None = None
    conditions: list[tuple[int, str]] = field(default_factory=list)
    guards: list[tuple[int, int, str]] = field(default_factory=list)
    statement_column: int = 0

    # Statements

    def run(self, body: Sequence[ast.stmt], branches: tuple[Branch, ...]) -> None:
        for node in body:
            self._statement(node, branches)

    def _statement(self, node: ast.stmt, branches: tuple[Branch, ...]) -> None:
        self.statement_column = self.file.column(node)
        match node:
            case ast.Assign():
                value = self.evaluate(node.value)
                how = "chain" if len(node.targets) > 1 else "assign"
                for target in node.targets:
                    self._assign(node, target, node.value, value, how, branches)
            case ast.AnnAssign():
                if node.value is not None:
                    value = self.evaluate(node.value)
                    self._assign(node, node.target, node.value, value, "assign", branches)
            case ast.AugAssign():
                self._augment(node, branches)
            case ast.Expr(value=ast.Call() as call):
                self._call_statement(node, call, branches)
            case ast.Return():
                self.return_lines.append(node.lineno)
                self.returns.append(self.evaluate(node.value) if node.value else NONE)
            case ast.If():
                self._if(node, branches)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node, branches)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self.evaluate(item.context_expr)
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, Unknown())
                self.run(node.body, (*branches, ("with", node.lineno, 0)))
            case ast.Try():
                self._try(node, branches)
            case ast.Match():
                self.evaluate(node.subject)
                for arm, case in enumerate(node.cases):
                    self.run(case.body, (*branches, ("if", node.lineno, arm)))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._nested_function(node)
            case ast.ClassDef():
                self.file.read_class(node, f"{self.name}.<locals>", inside_function=True)
                self.scope[node.name] = Name(f"{self.file.module}.{self.name}.<locals>.{node.name}")
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.evaluate(child)

    def _nested_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        name = f"{self.name}.<locals>.{node.name}"
        function = self.file.read_function(node, name)
        self.file.functions.append(function)
        self.scope[node.name] = Name(f"{self.file.module}.{name}")

    def _if(self, node: ast.If, branches: tuple[Branch, ...]) -> None:
        self.evaluate(node.test)
        if self.is_stable(node.test, TESTS):
            self.conditions.append((node.lineno, self.file.source(node.test)))
        for arm in filter(None, (node.body, node.orelse)):
            last = arm[-1].end_lineno or arm[-1].lineno
            self.guards.append((arm[0].lineno, last, self.file.source(node.test)))
        before = dict(self.scope)
        self.depth += 1
        self.run(node.body, (*branches, ("if", node.lineno, 0)))
        after_body, self.scope = self.scope, dict(before)
        self.run(node.orelse, (*branches, ("if", node.lineno, 1)))
        self.depth -= 1
        for name, value in after_body.items():
            other = self.scope.get(name)
            if isinstance(value, _Building) or isinstance(other, _Building):
                self.scope[name] = value if isinstance(value, _Building) else other  # type: ignore[assignment]
            elif other is None:
                self.scope[name] = value
            elif other != value:
                self.scope[name] = choose(value, other)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, branches: tuple[Branch, ...]) -> None:
        if isinstance(node, ast.While):
            self.evaluate(node.test)
        else:
            over = self.evaluate(node.iter)
            self._bind(node.target, _element(over))
        self.depth += 1
        self.run(node.body, (*branches, ("for", node.lineno, 0)))
        self.depth -= 1
        self.run(node.orelse, branches)

    def _try(self, node: ast.Try, branches: tuple[Branch, ...]) -> None:
        self.run(node.body, (*branches, ("try", node.lineno, 0)))
        for arm, handler in enumerate(node.handlers, 1):
            self.run(handler.body, (*branches, ("try", node.lineno, arm)))
        self.run(node.orelse, (*branches, ("try", node.lineno, 0)))
        self.run(node.finalbody, branches)

    def _bind(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.scope[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            for item in target.elts:
                self._bind(item, Unknown())
        elif isinstance(target, ast.Starred):
            self._bind(target.value, Unknown())

    def _assign(
        self,
        node: ast.stmt,
        target: ast.expr,
        source: ast.expr,
        value: Value,
        how: str,
        branches: tuple[Branch, ...],
    ) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            self._assign_each(node, target, source, value, branches)
        elif isinstance(target, ast.Name):
            builds = isinstance(value, Items) and not isinstance(source, ast.Name)
            if builds:
                assert isinstance(value, Items)
                self.scope[target.id] = _Building(self.depth, list(value.items), list(value.keys))
            else:
                self.scope[target.id] = value
        elif isinstance(target, ast.Subscript):
            self._assign_item(node, target, source, value, branches)
        elif path := self.path(target):
            self._attach(path, how, node, source, value, branches)
        else:
            self.evaluate(target)
            if isinstance(value, Parameter):
                self.indirect.append(
                    (self.file.source(target), node.lineno, self.file.column(node))
                )

    def _assign_each(
        self,
        node: ast.stmt,
        target: ast.Tuple | ast.List,
        source: ast.expr,
        value: Value,
        branches: tuple[Branch, ...],
    ) -> None:
        paired = isinstance(source, ast.Tuple | ast.List) and len(source.elts) == len(target.elts)
        for index, item in enumerate(target.elts):
            if paired and isinstance(value, Items) and index < len(value.items):
                inner = source.elts[index]  # type: ignore[attr-defined]
                self._assign(node, item, inner, value.items[index], "tuple", branches)
            else:
                self._assign(node, item, source, Unknown(), "tuple", branches)

    def _assign_item(
        self,
        node: ast.stmt,
        target: ast.Subscript,
        source: ast.expr,
        value: Value,
        branches: tuple[Branch, ...],
    ) -> None:
        key = self.file.source(target.slice)
        self.evaluate(target.slice)
        if isinstance(target.value, ast.Name):
            building = self.scope.get(target.value.id)
            if isinstance(building, _Building):
                building.add(value, self.depth, key)
            elif target.value.id == self.this:
                path: Path = (ast.literal_eval(key),) if key[:1] in "'\"" else ("*",)
                self._attach(path, "setitem", node, source, value, branches)
        elif path := self.path(target.value):
            self._attach(path, "setitem", node, source, value, branches)

    def _attach(
        self,
        path: Path,
        how: str,
        node: ast.stmt,
        source: ast.expr,
        value: Value,
        branches: tuple[Branch, ...],
    ) -> None:
        self.assignments.append(
            Assignment(
                path=path,
                how=how,
                line=node.lineno,
                column=self.file.column(node),
                value=value,
                value_line=source.lineno,
                value_column=self.file.column(source),
                branches=branches,
                end_line=source.end_lineno or source.lineno,
            )
        )

    def _augment(self, node: ast.AugAssign, branches: tuple[Branch, ...]) -> None:
        value = self.evaluate(node.value)
        if isinstance(node.target, ast.Name):
            building = self.scope.get(node.target.id)
            if isinstance(building, _Building) and isinstance(value, Items):
                for item in value.items:
                    building.add(item, self.depth)
            elif building is not None:
                self.scope[node.target.id] = Unknown()
        elif (path := self.path(node.target)) and isinstance(node.op, ast.Add):
            self._attach(path, "extend", node, node.value, value, branches)

    def _call_statement(self, node: ast.Expr, call: ast.Call, branches: tuple[Branch, ...]) -> None:
        value = self.evaluate(call)
        function = call.func
        if isinstance(function, ast.Name) and function.id == "setattr" and len(call.args) == 3:
            self._setattr(node, call, branches)
            return
        if not isinstance(function, ast.Attribute):
            return
        arguments = value.call.args if isinstance(value, MethodCall) else ()
        if isinstance(value, Call):
            arguments = value.args
        if function.attr in ("append", "extend", "insert"):
            self._append(node, call, function, arguments, branches)
        elif function.attr in ("register_parameter", "register_module", "add_module"):
            self._register(node, call, function, arguments, branches)
        elif function.attr == "update" and (path := self.path(function.value)) and call.args:
            self._attach(path, "extend", node, call.args[0], arguments[0].value, branches)

    def _append(
        self,
        node: ast.Expr,
        call: ast.Call,
        function: ast.Attribute,
        arguments: tuple[Passed, ...],
        branches: tuple[Branch, ...],
    ) -> None:
        if not arguments:
            return
        value = arguments[-1].value
        if isinstance(function.value, ast.Name):
            building = self.scope.get(function.value.id)
            if isinstance(building, _Building):
                if function.attr == "insert":
                    building.items = [Repeat(item) for item in building.items]
                    building.items.append(Repeat(value))
                elif function.attr == "extend":
                    for item in value.items if isinstance(value, Items) else [Repeat(value)]:
                        building.add(item, self.depth)
                else:
                    building.add(value, self.depth)
            elif function.value.id == self.this:
                self._attach((), function.attr, node, call.args[-1], value, branches)
        elif path := self.path(function.value):
            self._attach(path, function.attr, node, call.args[-1], value, branches)
        elif isinstance(function.value, ast.Subscript) and (
            path := self.path(function.value.value)
        ):
            self._attach((*path, "*"), function.attr, node, call.args[-1], value, branches)

    def _register(
        self,
        node: ast.Expr,
        call: ast.Call,
        function: ast.Attribute,
        arguments: tuple[Passed, ...],
        branches: tuple[Branch, ...],
    ) -> None:
        by_name = {passed.keyword: passed for passed in arguments if passed.keyword}
        plain = [passed for passed in arguments if not passed.keyword]
        name = by_name.get("name") or (plain[0] if plain else None)
        value = (
            by_name.get("param") or by_name.get("module") or (plain[-1] if len(plain) > 1 else None)
        )
        if name is None or value is None:
            return
        source = next(
            (k.value for k in call.keywords if k.arg in ("param", "module")),
            call.args[-1] if call.args else call,
        )
        owner = self.path(function.value)
        is_this = isinstance(function.value, ast.Name) and function.value.id == self.this
        if not (owner or is_this):
            if isinstance(value.value, Parameter):
                text = f"{self.file.source(function.value)}.{name.text}"
                self.indirect.append((text, node.lineno, self.file.column(node)))
            elif isinstance(function.value, ast.Name):
                building = self.scope.get(function.value.id)
                if isinstance(building, Call):
                    grown = Passed("", "", value.text, False, Repeat(value.value))
                    self.scope[function.value.id] = replace(building, args=(*building.args, grown))
            return
        if isinstance(name.value, Constant) and name.text[:1] in "'\"":
            path = (*owner, ast.literal_eval(name.value.text))
            self._attach(path, "register", node, source, value.value, branches)
        else:
            self._attach((*owner, "*"), "setattr", node, source, value.value, branches)

    def _setattr(self, node: ast.Expr, call: ast.Call, branches: tuple[Branch, ...]) -> None:
        target, name, source = call.args
        value = self.evaluate(source)
        owner = self.path(target)
        if not owner and not (isinstance(target, ast.Name) and target.id == self.this):
            if isinstance(value, Parameter):
                text = self.file.source(call)
                self.indirect.append((text, node.lineno, self.file.column(node)))
            return
        if isinstance(name, ast.Constant):
            self._attach((*owner, str(name.value)), "register", node, source, value, branches)
        else:
            self._attach((*owner, "*"), "setattr", node, source, value, branches)

    # Expressions

    def path(self, node: ast.AST) -> Path:
        """Attribute names below ``self``; empty for anything else."""
        parts = chain(node)
        if self.this is None or len(parts) < 2 or parts[0] != self.this:
            return ()
        return parts[1:]

    def evaluate(self, node: ast.expr) -> Value:
        """What an expression makes. Every call in it is written down once."""
        match node:
            case ast.Constant():
                return Constant(repr(node.value))
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.IfExp():
                self.evaluate(node.test)
                return choose(self.evaluate(node.body), self.evaluate(node.orelse))
            case ast.BoolOp():
                return choose(*[self.evaluate(value) for value in node.values])
            case ast.NamedExpr():
                value = self.evaluate(node.value)
                self._bind(node.target, value)
                return value
            case ast.List() | ast.Tuple() | ast.Set():
                return Items(tuple(self._elements(node.elts)))
            case ast.Dict():
                return self._dict(node)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                self._comprehension(node.generators)
                return Items((Repeat(self.evaluate(node.elt)),))
            case ast.DictComp():
                self._comprehension(node.generators)
                self.evaluate(node.key)
                return Items((Repeat(self.evaluate(node.value)),), ("*",))
            case ast.BinOp():
                return self._binary(node)
            case ast.Subscript():
                value = self.evaluate(node.value)
                self.evaluate(node.slice)
                # An entry of a registry, or what one of several classes is picked from.
                return (
                    _element(value) if isinstance(value, Items) else Unknown(self.file.source(node))
                )
            case ast.Starred():
                return self.evaluate(node.value)
            case ast.Lambda():
                self.evaluate(node.body)
                return Unknown(self.file.source(node))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child)
        return Unknown(self.file.source(node))

    def _name(self, node: ast.Name) -> Value:
        value = self.scope.get(node.id)
        if isinstance(value, _Building):
            return value.freeze()
        if value is not None:
            return value
        return Name(self.file.resolve((node.id,)))

    def _attribute(self, node: ast.Attribute) -> Value:
        if path := self.path(node):
            return SelfRead(path)
        parts = chain(node)
        if not parts:
            return Unknown(self.file.source(node), self.evaluate(node.value), (node.attr,))
        if parts[0] in self.scope:
            held = self.scope[parts[0]]
            if isinstance(held, Name):
                return Name(".".join([held.dotted, *parts[1:]]))
            owner = None if isinstance(held, _Building) else held
            return Unknown(self.file.source(node), owner, parts[1:])
        return Name(self.file.resolve(parts))

    def _elements(self, nodes: Sequence[ast.expr]) -> Iterator[Value]:
        for node in nodes:
            value = self.evaluate(node)
            if not isinstance(node, ast.Starred):
                yield value
            elif isinstance(value, Items):
                yield from value.items
            else:
                yield Repeat(value)

    def _dict(self, node: ast.Dict) -> Items:
        keys: list[str] = []
        items: list[Value] = []
        for key, value in zip(node.keys, node.values, strict=True):
            made = self.evaluate(value)
            if key is None:
                keys.append("*")
                items.extend(made.items if isinstance(made, Items) else [Repeat(made)])
                continue
            self.evaluate(key)
            keys.append(self.file.source(key))
            items.append(made)
        return Items(tuple(items), tuple(keys))

    def _comprehension(self, generators: Sequence[ast.comprehension]) -> None:
        for generator in generators:
            over = self.evaluate(generator.iter)
            self._bind(generator.target, _element(over))
            for test in generator.ifs:
                self.evaluate(test)

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, Items) and isinstance(right, Items):
            return Items((*left.items, *right.items))
        if isinstance(node.op, ast.Mult):
            for side in (left, right):
                if isinstance(side, Items):
                    return Items(tuple(Repeat(item) for item in side.items))
        return Unknown(self.file.source(node))

    def _call(self, node: ast.Call) -> Value:
        function, wrapped = node.func, False
        if isinstance(function, ast.Subscript) and self.file.dotted(function) in PYRO_MODULE:
            function, wrapped = function.slice, True
        parts = chain(function)
        if self.this and len(parts) == 2 and parts[0] == self.this:
            callee: Value = SelfRead(parts[1:])
        else:
            callee = self.evaluate(function)
        arguments = tuple(self._arguments(node))
        text = self.file.source(function)
        extent = self.file.extent(node, self.statement_column)
        call = Call(callee, node.lineno, self.file.column(node), arguments, text, wrapped, extent)
        if isinstance(callee, SelfRead) and len(callee.path) == 1:
            self.calls.append(call)
            return MethodCall(callee.path[0], call)
        if is_super(function):
            assert isinstance(function, ast.Attribute)
            self.super_calls.add(function.attr)
            if function.attr == "__init__":
                self.super_init = call
            return MethodCall(function.attr, call)
        if isinstance(callee, Name):
            special = self._special(node, callee.dotted, call)
            if special is not None:
                return special
        elif isinstance(function, ast.Attribute) and function.attr in CHAINED:
            inner = self.evaluate_quietly(function.value)
            if isinstance(inner, Parameter):
                return _chained(inner, function.attr, node)
        self.calls.append(call)
        return call

    def evaluate_quietly(self, node: ast.expr) -> Value:
        """Evaluate once more without writing the calls down a second time."""
        calls, parameters = len(self.calls), len(self.parameters)
        value = self.evaluate(node)
        del self.calls[calls:], self.parameters[parameters:]
        return value

    def _special(self, node: ast.Call, dotted: str, call: Call) -> Value | None:
        if NOTED.match(dotted):
            arguments = tuple(passed.text for passed in call.args)
            self.file.noted.append(
                NotedCall(dotted, node.lineno, self.file.column(node), arguments, self.name)
            )
        if dotted in PARAMETER:
            self.parameters.append(self._parameter(node, dotted, call))
            return self.parameters[-1]
        if dotted.startswith("torch.nn.init.") and call.args:
            initialised = call.args[0].value
            if isinstance(initialised, Parameter):
                return replace(initialised, chained=True)
        if dotted in SAMPLE or dotted in PARAM:
            return read_declared(self.file, node, "sample" if dotted in SAMPLE else "param")
        if dotted in SEQUENCES and node.args:
            return self._sequence(call)
        if dotted in SEQUENCES and not node.args and not node.keywords:
            return Items(())
        if dotted in ("collections.OrderedDict", "dict") and node.keywords:
            named = [passed for passed in call.args if passed.keyword]
            return Items(tuple(p.value for p in named), tuple(repr(p.keyword) for p in named))
        if dotted == "filter" and len(call.args) == 2:
            items = call.args[1].value
            return (
                Items(tuple(Repeat(item) for item in items.items))
                if isinstance(items, Items)
                else call
            )
        if dotted == "map" and len(call.args) == 2:
            made = Call(call.args[0].value, call.line, call.column, (), call.args[0].text)
            return Items((Repeat(made),))
        head, _, last = dotted.rpartition(".")
        if last == "__init__" and head:
            self.base_calls.append((head, node.lineno, self.file.column(node)))
        return None

    def _sequence(self, call: Call) -> Value:
        """``list(x)``, ``OrderedDict([("key", layer)])``: what they hold."""
        held = call.args[0].value
        if not isinstance(held, Items):
            return call
        pairs = [pair for item in held.items if (pair := _pair(item))]
        if call.text.rpartition(".")[2] in ("OrderedDict", "dict") and len(pairs) == len(
            held.items
        ):
            return Items(tuple(value for _, value in pairs), tuple(key for key, _ in pairs))
        return held

    def _arguments(self, node: ast.Call) -> Iterator[Passed]:
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                value = self.evaluate(argument.value)
                yield Passed("", "*", self.file.source(argument.value), False, value)
            else:
                yield self._passed("", argument)
        for keyword in node.keywords:
            if keyword.arg is None:
                value = self.evaluate(keyword.value)
                yield Passed("", "**", self.file.source(keyword.value), False, value)
            else:
                yield self._passed(keyword.arg, keyword.value)

    def _passed(self, keyword: str, node: ast.expr) -> Passed:
        value = self.evaluate(node)
        return Passed(keyword, "", self.file.source(node), self.is_stable(node), value)

    def is_stable(self, node: ast.expr, allowed: tuple[type[ast.AST], ...] = SIZES) -> bool:
        """Whether a size can be written again at the end of the function: short, and unchanged."""
        for item in ast.walk(node):
            if not isinstance(item, allowed):
                return False
            if isinstance(item, ast.Name) and item.id in self.rebound:
                return False
            if allowed is SIZES and isinstance(item, ast.Constant):
                if not isinstance(item.value, int):
                    return False
        return len(self.file.source(node)) <= 40

    def _parameter(self, node: ast.Call, dotted: str, call: Call) -> Parameter:
        data = call.argument("data", 0)
        grad = call.argument("requires_grad", 1)
        frozen: bool | None = False
        if grad is not None and isinstance(grad.value, Constant):
            frozen = grad.value.text == "False"
        elif grad is not None:
            frozen = None
        source = next((k.value for k in node.keywords if k.arg == "data"), None)
        source = source or (node.args[0] if node.args else None)
        shape: tuple[str, ...] | None = None
        dtype = ""
        if source is not None and "Uninitialized" not in dotted:
            shape, dtype = initial_shape(self.file, source)
        return Parameter(
            line=node.lineno,
            column=self.file.column(node),
            initial=data.text if data else "",
            shape=shape,
            stable=shape is not None
            and all(self.is_stable(ast.parse(size, mode="eval").body) for size in shape),
            frozen=frozen,
            dtype=dtype,
            trailing=self.file.trailing(node),
        )


def is_super(function: ast.expr) -> bool:
    """Whether a callee is ``super().method`` in any of its spellings."""
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Call)
        and isinstance(function.value.func, ast.Name)
        and function.value.func.id == "super"
    )


def choose(*values: Value) -> Value:
    """One of several values, nested choices made flat."""
    options: list[Value] = []
    for value in values:
        options.extend(value.options if isinstance(value, Choice) else [value])
    unique = tuple(dict.fromkeys(options))
    return unique[0] if len(unique) == 1 else Choice(unique)


def _pair(item: Value) -> tuple[str, Value] | None:
    """Key and value of ``("key", layer)``, or of any number of them."""
    if isinstance(item, Repeat):
        inner = _pair(item.item)
        return ("*", Repeat(inner[1])) if inner else None
    if not isinstance(item, Items) or len(item.items) != 2:
        return None
    key, value = item.items
    return (key.text if isinstance(key, Constant) else "*"), value


def _element(value: Value) -> Value:
    """What iterating over a value gives."""
    if not isinstance(value, Items) or not value.items:
        return Unknown()
    inner = [item.item if isinstance(item, Repeat) else item for item in value.items]
    return choose(*inner)


def _chained(parameter: Parameter, method: str, node: ast.Call) -> Parameter:
    frozen = parameter.frozen
    if method == "requires_grad_":
        frozen = False
        if node.args:
            argument = node.args[0]
            frozen = not argument.value if isinstance(argument, ast.Constant) else None
    return replace(parameter, chained=True, frozen=frozen, line=node.lineno)
