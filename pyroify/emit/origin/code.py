"""The code of a training script and of what it imports of the project: scopes, calls, frames."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from pathlib import Path

from pyroify.diagnostics import Finding
from pyroify.emit.values import is_name
from pyroify.program import Index
from pyroify.program.index import ModuleClass
from pyroify.source import SourceError, read_source
from pyroify.syntax.source import Source, chain

Definition = ast.FunctionDef | ast.ClassDef


class InTheWay(Exception):
    """What keeps a script from being taken over; ``finding`` names the line."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True, eq=False)
class Module:
    """One file of the project, parsed."""

    path: str
    source: Source

    @property
    def name(self) -> str:
        """As an import names it, from the folder below which every name is one of Python's."""
        stem = self.path.removesuffix(".py").removesuffix("/__init__")
        tail = [*takewhile(is_name, reversed(stem.split("/")))]
        whole = self.source.module
        return whole if all(map(is_name, whole.split("."))) else ".".join(reversed(tail))

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        """Functions and classes at the top of the file, by name."""
        return {n.name: n for n in flat(self.source.tree.body) if isinstance(n, Definition)}

    def in_the_way(self, node: ast.AST, message: str, help: str, code: str = "PYR421") -> InTheWay:
        """The error that names a line of this file."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        return InTheWay(Finding(self.path, line, column + 1, code, message, help))


@dataclass(frozen=True, eq=False)
class Scope:
    """The top of a file, or a function: ``cls`` is the class of a method, ``outer`` around it."""

    module: Module
    node: ast.Module | ast.FunctionDef
    cls: ast.ClassDef | None = None
    outer: Scope | None = None

    @property
    def is_top(self) -> bool:
        """Whether it is the top of a file."""
        return isinstance(self.node, ast.Module)

    @property
    def title(self) -> str:
        """What messages call it."""
        if isinstance(self.node, ast.Module):
            return self.module.path
        return f"{self.cls.name}.{self.node.name}()" if self.cls else f"{self.node.name}()"

    @cached_property
    def parameters(self) -> Mapping[str, ast.expr | None]:
        """Arguments with their defaults, ``self`` left out."""
        if isinstance(self.node, ast.Module):
            return {}
        given = self.node.args
        named = [arg.arg for arg in (*given.posonlyargs, *given.args)]
        defaults = [None] * (len(named) - len(given.defaults)) + list(given.defaults)
        found = dict(zip(named, defaults, strict=True))
        found |= {a.arg: d for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True)}
        if self.cls is not None:
            found.pop("self", None)
        return found

    @cached_property
    def bound(self) -> frozenset[str]:
        """Names that its statements bind, and its parameters."""
        found = set(self.parameters)
        for statement in flat(self.node.body):
            found |= bound_by(statement)
        return frozenset(found)

    @cached_property
    def calls(self) -> tuple[tuple[ast.Call, ast.stmt], ...]:
        """Calls in it, each with the simple statement, or the header, it stands in."""
        return tuple(
            (node, statement)
            for statement in flat(self.node.body)
            if not isinstance(statement, Definition)
            for part in headers(statement)
            for node in ast.walk(part)
            if isinstance(node, ast.Call)
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """A scope as one call, in the scope of ``caller``, runs it; without a call nobody is seen to.

    ``at`` is the statement of that call.
    """

    scope: Scope
    call: ast.Call | None = None
    caller: Frame | None = None
    at: ast.stmt | None = None

    def argument(self, name: str) -> tuple[ast.expr, Frame | None] | None:
        """What a parameter is given, and where that is read; no frame for a default."""
        scope = self.scope
        if self.call is not None and self.caller is not None:
            if any(isinstance(a, ast.Starred) for a in self.call.args):
                return None
            for keyword in self.call.keywords:
                if keyword.arg == name:
                    return keyword.value, self.caller
            names = list(scope.parameters)
            if name in names and names.index(name) < len(self.call.args):
                return self.call.args[names.index(name)], self.caller
            if any(keyword.arg is None for keyword in self.call.keywords):
                return None
        default = scope.parameters.get(name)
        return None if default is None else (default, None)


@dataclass
class Code:
    """All that the script at ``path`` may run of the project."""

    root: Path
    index: Index
    path: str
    modules: dict[str, Module] = field(default_factory=dict)

    def __post_init__(self) -> None:
        waiting = [self.path]
        while waiting:
            path = waiting.pop()
            if path in self.modules or not path.endswith(".py"):
                continue
            found = self._parse(path)
            if found is not None:
                self.modules[path] = found
                for dotted in found.source.modules:
                    waiting += self.index.loaded.names.modules_on_the_way(dotted, path)

    def _parse(self, path: str) -> Module | None:
        names = self.index.loaded.names
        try:
            text = read_source(self.root / path, path).text
            tree = ast.parse(text)
        except (SourceError, SyntaxError):
            return None  # the plan says so
        is_package = path.endswith("__init__.py")
        return Module(path, Source(text, tree, names.module_name(path), is_package))

    @property
    def script(self) -> Module:
        """The script itself."""
        return self.modules[self.path]

    @cached_property
    def scopes(self) -> tuple[Scope, ...]:
        """Those of the script first."""
        return tuple(scope for module in self.modules.values() for scope in scopes_of(module))

    def binds(self, name: str) -> bool:
        """Whether a name is set anywhere."""
        return any(name in scope.bound for scope in self.scopes)

    def dotted(self, node: ast.AST, module: Module) -> str:
        """What a name stands for, re-exports of the project followed."""
        return self.index.canonical(module.source.dotted(node), module.path)

    def definition(self, node: ast.AST, module: Module) -> tuple[Module, Definition] | None:
        """The function or class of the project that an expression names."""
        parts = chain(node)
        if len(parts) == 1 and parts[0] in module.definitions:
            return module, module.definitions[parts[0]]
        return self.defined(module.source.dotted(node) if parts else "", module)

    def defined(self, dotted: str, module: Module) -> tuple[Module, Definition] | None:
        """The same, by a dotted name as ``module`` has it."""
        target = self.index.resolve(dotted, module.path)
        file = target.file
        name = dotted.rpartition(".")[2]
        if target.function is not None:
            name = target.function.name
        elif target.module_class is not None:
            file, name = target.module_class.file, target.module_class.cls.qualname
        elif target.plain_class is not None:
            name = target.plain_class.qualname
        else:
            file = None
        found = self.modules.get(file.path) if file is not None else None
        definition = found.definitions.get(name) if found else None
        return (found, definition) if found and definition else None

    def network_class(self, node: ast.AST, module: Module) -> ModuleClass | None:
        """The class of networks that an expression names."""
        found = self.definition(node, module)
        return None if found is None else self.class_of(*found)

    def class_of(self, module: Module, node: ast.AST) -> ModuleClass | None:
        """The class of networks that a definition is, if it is one."""
        name = node.name if isinstance(node, ast.ClassDef) else ""
        return next(
            (
                c
                for c in self.index.module_classes
                if c.file.path == module.path and c.cls.qualname == name
            ),
            None,
        )

    def method(self, definition: ast.AST, name: str) -> Scope | None:
        """A method of a class, by the definition of that."""
        return next(
            (s for s in self.scopes if s.cls is definition and getattr(s.node, "name", "") == name),
            None,
        )

    def method_of(self, cls: ModuleClass, name: str) -> Scope | None:
        """A method that a class of networks itself defines."""
        module = self.modules.get(cls.file.path)
        node = module.definitions.get(cls.cls.qualname) if module else None
        return self.method(node, name) if node else None

    def scope_of(self, node: ast.AST) -> Scope:
        """The scope of a function."""
        return next(scope for scope in self.scopes if scope.node is node)

    def top(self, module: Module) -> Scope:
        """The scope at the top of a file."""
        return self.scope_of(module.source.tree)

    # Who calls whom

    @cached_property
    def _sites(self) -> Mapping[object, list[tuple[Scope, ast.Call, ast.stmt]]]:
        """Calls of functions and classes by their definition, of methods by their name."""
        found: dict[object, list[tuple[Scope, ast.Call, ast.stmt]]] = {}
        for scope in self.scopes:
            for call, statement in scope.calls:
                target = self._called(call, scope)
                if target is None and isinstance(call.func, ast.Attribute):
                    found.setdefault(call.func.attr, []).append((scope, call, statement))
                elif target is not None:
                    found.setdefault(target, []).append((scope, call, statement))
        return found

    def _called(self, call: ast.Call, scope: Scope) -> ast.AST | None:
        if isinstance(call.func, ast.Name):
            around: Scope | None = scope
            while around is not None:
                for node in flat(around.node.body):
                    if isinstance(node, Definition) and node.name == call.func.id:
                        return node
                around = around.outer
        found = self.definition(call.func, scope.module)
        return found[1] if found else None

    def frames(self, scope: Scope, depth: int = 0) -> tuple[Frame, ...]:
        """The calls by which a scope runs; one frame without a call where none is seen."""
        if scope.is_top or depth > 8:
            return (Frame(scope),)
        assert isinstance(scope.node, ast.FunctionDef)
        sites = list(self._sites.get(scope.node, ()))
        if scope.cls is not None:
            name = scope.node.name
            if name == "__init__":
                sites += self._sites.get(scope.cls, ())
                sites += [s for s in self._sites.get(name, ()) if self._is_super(s, scope.cls)]
            else:
                named = [(s, self._is_of(s, scope)) for s in self._sites.get(name, ())]
                sure = [s for s, is_of in named if is_of]
                sites += sure or [s for s, is_of in named if is_of is None]
        found = [
            Frame(scope, call, caller, statement)
            for where, call, statement in sites
            if where is not scope
            for caller in self.frames(where, depth + 1)
        ]
        return tuple(found) or (Frame(scope),)

    def _is_super(self, site: tuple[Scope, ast.Call, ast.stmt], cls: ast.ClassDef) -> bool:
        """Whether ``super().__init__(...)`` in a class right below this one calls its."""
        where, call, _ = site
        match call.func:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))) if where.cls is not None:
                bases = (self.definition(b, where.module) for b in where.cls.bases if chain(b))
                return any(found is not None and found[1] is cls for found in bases)
        return False

    def _is_of(self, site: tuple[Scope, ast.Call, ast.stmt], method: Scope) -> bool | None:
        """Whether a call of a method by name is of the one of this class; None: not seen."""
        where, call, _ = site
        assert isinstance(call.func, ast.Attribute) and method.cls is not None
        owner = call.func.value
        if isinstance(owner, ast.Name) and owner.id == "self":
            return where.cls is method.cls
        if isinstance(owner, ast.Call):
            found = self.definition(owner.func, where.module)
            return found is not None and found[1] is method.cls
        made = list(self._made_by_name(owner, where))
        return method.cls in made if made else None

    def _made_by_name(self, owner: ast.expr, where: Scope) -> Iterator[ast.AST | None]:
        """The classes that a name, or an attribute of self, is assigned instances of."""
        is_own = isinstance(owner, ast.Attribute) and ast.unparse(owner.value) == "self"
        scopes = [s for s in self.scopes if s.cls is where.cls] if is_own else [where]
        for statement in (s for scope in scopes for s in flat(scope.node.body)):
            match statement:
                case ast.Assign(targets=[target], value=ast.Call() as call):
                    if ast.unparse(target) == ast.unparse(owner):
                        while isinstance(call.func, ast.Attribute) and isinstance(
                            call.func.value, ast.Call
                        ):
                            call = call.func.value  # net.to(device)
                        found = self.definition(call.func, where.module)
                        yield found[1] if found else None

    def frame(self, scope: Scope) -> Frame:
        """The one call by which a scope runs; raises InTheWay where there are several."""
        found = self.frames(scope)
        if len(found) > 1:
            lines = ", ".join(str(getattr(f.at, "lineno", "?")) for f in found)
            raise scope.module.in_the_way(
                scope.node if not scope.is_top else found[0].at or scope.node,
                f"{scope.title} is called several times (lines {lines}), "
                "and each may train on other data",
                "write one function that builds the network and its data for one training",
            )
        return found[0]


# Syntax


def scopes_of(module: Module) -> Iterator[Scope]:
    """The top of a file, its functions, methods, and the functions within these."""
    top = Scope(module, module.source.tree)
    yield top
    yield from _inner(module, flat(top.node.body), None, None)


def _inner(
    module: Module, body: Iterator[ast.stmt], cls: ast.ClassDef | None, outer: Scope | None
) -> Iterator[Scope]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            scope = Scope(module, node, cls, outer)
            yield scope
            yield from _inner(module, flat(node.body), None, scope)
        elif isinstance(node, ast.ClassDef):
            yield from _inner(module, flat(node.body), node, outer)


def blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of a compound statement that is no definition."""
    if isinstance(statement, Definition | ast.AsyncFunctionDef):
        return []
    found = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    found += [handler.body for handler in getattr(statement, "handlers", [])]
    found += [case.body for case in getattr(statement, "cases", [])]
    return [block for block in found if block]


def flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a block and of the blocks in it, functions and classes not entered."""
    for statement in body:
        yield statement
        for block in blocks(statement):
            yield from flat(block)


def headers(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement outside its blocks."""
    match statement:
        case ast.For(target=target, iter=iterable):
            return [target, iterable]
        case ast.While(test=test) | ast.If(test=test):
            return [test]
        case ast.With(items=items):
            return list(items)
        case ast.Try(handlers=handlers):
            return [handler.type for handler in handlers if handler.type]
        case ast.Match(subject=subject, cases=cases):
            return [subject, *(case.pattern for case in cases)]
    return [statement]


def bound_by(statement: ast.stmt) -> set[str]:
    """Names that a statement binds, what its blocks bind left out; ``self.x`` is one."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
    found = set()
    for part in headers(statement):
        for node in ast.walk(part):
            match node:
                case ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                    found.add(f"self.{name}")
    return found


def reads(*nodes: ast.AST) -> set[str]:
    """Names that code reads and does not bind in a lambda or comprehension; ``self.x`` is one."""
    found: set[str] = set()
    for node in nodes:
        _read(node, frozenset(), found)
    return found


def _read(node: ast.AST, hidden: frozenset[str], found: set[str]) -> None:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=context):
            if "self" not in hidden and isinstance(context, ast.Load):
                found.add(f"self.{name}")
            return
        case ast.Name(id=name, ctx=ast.Load()):
            if name not in hidden:
                found.add(name)
            return
        case ast.Lambda(args=args):
            hidden |= {arg.arg for arg in ast.walk(args) if isinstance(arg, ast.arg)}
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            targets = (n for c in node.generators for n in ast.walk(c.target))
            hidden |= {n.id for n in targets if isinstance(n, ast.Name)}
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            hidden |= {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
            hidden |= {name for inner in flat(node.body) for name in bound_by(inner)}
        case ast.ClassDef():
            hidden |= {name for inner in flat(node.body) for name in bound_by(inner)}
    for child in ast.iter_child_nodes(node):
        _read(child, hidden, found)
