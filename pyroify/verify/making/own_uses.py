"""How the project itself builds and calls a class: in its modules, scripts, examples and tests.

``model = Net(10, width)`` is taken with the statements above that its arguments depend on, and so
is ``model(torch.randn(8, 10))`` further down. Nothing else of the file is run. What depends on more
than that, such as the argument of a function, is left; so is what trains, saves or downloads.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pyroify.verify.making.tree import name_in_package

_LEFT = re.compile(
    "train.*|fit.*|main|run.*|download.*|.*_download|.*from_url|load_dataset|from_pretrained|save.*|dump.*|write.*|remove|unlink"
    "|rmtree|rmdir|mkdir|makedirs|system|popen|exit|sleep|backward|step|input|spawn",
    re.IGNORECASE,
)
"""Names of what is called in statements that are not run."""

_LEFT_IF_SET = frozenset({"download", "train"})
"""Keywords of what is called there."""

_FAR = frozenset(
    {
        "requests",
        "urllib",
        "httpx",
        "aiohttp",
        "socket",
        "subprocess",
        "shutil",
        "datasets",
        "wandb",
    }
)
"""Modules that reach outside of the project: nothing that needs them is run."""

_SKIPPED = frozenset({"site-packages", "node_modules", "build", "dist"})
_LARGE = 1 << 20
_MOST = 6
"""How many ways to build a class are tried, and how many calls of each."""


@dataclass(frozen=True, slots=True)
class OwnUse:
    """A construction as source that sets ``args`` and ``kwargs``, and calls by method, alike."""

    place: str
    build: str
    calls: tuple[tuple[str, str], ...]


class OwnUses:
    """The uses of classes in the files below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, path: str, module: str, qualname: str) -> list[OwnUse]:
        """The ways in which a class of the file ``path`` is used, those with calls first."""
        name = qualname.rpartition(".")[2]
        found: list[OwnUse] = []
        for file in self._files.values():
            if f"{name}(" in file.text:
                found += file.uses(name, module if file.path == path else "")
        distinct = {(use.build, use.calls): use for use in found}.values()
        return sorted(distinct, key=lambda use: not use.calls)[:_MOST]

    @cached_property
    def _files(self) -> Mapping[str, _File]:
        found = {}
        for path in sorted(self._root.rglob("*.py")):
            below = path.relative_to(self._root)
            hidden = any(part in _SKIPPED or part.startswith(".") for part in below.parts)
            if hidden or path.is_symlink() or path.stat().st_size > _LARGE:
                continue
            text = path.read_text(errors="replace")
            found[below.as_posix()] = _File(below.as_posix(), text, name_in_package(path))
        return found


class _Lost(Exception):
    """What a value depends on cannot be told, or is not to be run."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """A function, or a whole file; ``cls`` is the class around a method."""

    node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef
    outer: _Scope | None = None
    cls: ast.ClassDef | None = None

    def bindings(self) -> Iterator[tuple[str, ast.stmt]]:
        """Each name that is set, with the statement that does it."""
        for statement in _flat(self.node.body):
            yield from _bound(statement)


@dataclass(frozen=True)
class _File:
    """A file; ``package`` is its dotted name where it stands in a package."""

    path: str
    text: str
    package: str

    @cached_property
    def _calls(self) -> list[tuple[ast.Call, _Scope, str]]:
        """All calls, each with its scope and the name that it is assigned to."""
        try:
            tree = ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError):
            return []
        return list(_calls_in(tree, _Scope(tree)))

    def uses(self, name: str, module: str) -> Iterator[OwnUse]:
        """How the class ``name`` is built here; ``module`` is this file, if the class is of it."""
        built = [entry for entry in self._calls if _last(entry[0].func) == name]
        for call, scope, target in built:
            try:
                source = self._source(call, scope, module)
            except _Lost:
                continue
            later = [line.lineno for line, where, to in built if to == target and where == scope]
            until = min((line for line in later if line > call.lineno), default=1 << 30)
            calls = dict.fromkeys(self._calls_of(target, scope, (call.lineno, until), module))
            for outer, where, _ in self._calls:
                if outer.func is call:  # Net(10)(x)
                    calls |= dict.fromkeys(self._call("forward", outer, where, module))
            yield OwnUse(f"{self.path}:{call.lineno}", source, tuple(calls)[:_MOST])

    def _calls_of(
        self, target: str, scope: _Scope, lines: tuple[int, int], module: str
    ) -> Iterator[tuple[str, str]]:
        for call, where, _ in self._calls if target else ():
            is_own = where.cls is scope.cls if target.startswith("self.") else where == scope
            if not is_own or (where == scope and not lines[0] < call.lineno <= lines[1]):
                continue
            if _text(call.func) == target:
                yield from self._call("forward", call, where, module)
            elif isinstance(call.func, ast.Attribute) and _text(call.func.value) == target:
                yield from self._call(call.func.attr, call, where, module)

    def _call(
        self, method: str, call: ast.Call, scope: _Scope, module: str
    ) -> Iterator[tuple[str, str]]:
        try:
            yield method, self._source(call, scope, module)
        except _Lost:
            return

    def _source(self, call: ast.Call, scope: _Scope, module: str) -> str:
        """Source that sets ``args`` and ``kwargs`` to the arguments of a call. Raises _Lost."""
        cut = _Cut(self.package, module)
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            cut.need(value, scope, call.lineno)
        keys = [ast.Constant(key) if (key := k.arg) else None for k in call.keywords]
        values = [keyword.value for keyword in call.keywords]
        args, kwargs = ast.List(call.args, ast.Load()), ast.Dict(list(keys), values)
        lines = [f"args = {ast.unparse(args)}", f"kwargs = {ast.unparse(kwargs)}"]
        return "\n".join([*cut.lines(), *lines]) + "\n"


@dataclass
class _Cut:
    """The statements that something depends on."""

    package: str
    module: str
    taken: dict[tuple[bool, int, str], str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The statements in their order: those of the file, then those of functions."""
        own = "import types\nself = types.SimpleNamespace()"
        statements = [text for _, text in sorted(self.taken.items())]
        return [own, *statements] if any("self." in text for text in statements) else statements

    def need(self, node: ast.AST, scope: _Scope, line: int) -> None:
        """Take what ``node`` depends on, where it stands at ``line`` of ``scope``."""
        _check(node)
        for name in sorted(_reads(node)):
            self._name(name, scope, line)

    def _name(self, name: str, scope: _Scope, line: int) -> None:
        is_file = isinstance(scope.node, ast.Module)
        bound = [s for key, s in scope.bindings() if key == name and (is_file or s.lineno < line)]
        if bound:
            before = [statement for statement in bound if statement.lineno < line]
            self._take_whole(name, (before or bound)[-1], scope, line)
            is_imported = isinstance((before or bound)[-1], ast.Import | ast.ImportFrom)
            for statement in () if is_imported else _flat(scope.node.body):
                if bound[-1].lineno < statement.lineno < line and _is_about(statement, name):
                    self._take_whole(name, statement, scope, line)
            return
        if isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
            if given := _given(scope.node, name):
                self._take(name, given, scope.outer or scope)
                return
        if name.startswith("self.") and scope.cls is not None:
            for method in scope.cls.body:
                if isinstance(method, ast.FunctionDef) and method is not scope.node:
                    other = _Scope(method, scope.outer, None)
                    if any(key == name for key, _ in other.bindings()):
                        self._name(name, other, 1 << 30)
                        return
        if scope.outer is not None:  # what a file sets may stand below the function
            self._name(name, scope.outer, line)
        elif not hasattr(builtins, name):
            raise _Lost(name)

    def _take_whole(self, name: str, statement: ast.stmt, scope: _Scope, line: int) -> None:
        """Take a statement with the loop around it, if that ends before ``line`` and may be run."""
        for loop in _flat(scope.node.body):
            ends = getattr(loop, "end_lineno", 0)
            if isinstance(loop, ast.For) and loop.lineno <= statement.lineno <= ends < line:
                with suppress(_Lost):
                    cut = replace(self, taken=dict(self.taken))
                    cut._take(name, loop, scope)
                    self.taken |= cut.taken
                    return
        self._take(name, statement, scope)

    def _take(self, name: str, statement: ast.stmt, scope: _Scope) -> None:
        is_definition = isinstance(statement, ast.FunctionDef | ast.ClassDef)
        text = ast.unparse(statement)
        if isinstance(statement, ast.Import | ast.ImportFrom) and _is_far(statement):
            raise _Lost(text)
        home = self.module or self.package
        if is_definition and home and scope.outer is None:
            text = f"from {home} import {name}"
        elif isinstance(statement, ast.ImportFrom) and statement.level:
            text = self._absolute(statement)
        key = (scope.outer is not None, statement.lineno, text)
        if key in self.taken:
            return
        self.taken[key] = text
        if text.startswith("from ") or isinstance(statement, ast.Import):
            return
        if is_definition:  # what it reads when it runs may be its own
            _check(statement)
            for read in sorted(_reads(statement)):
                try:
                    self._name(read, scope, 1 << 30)
                except _Lost:
                    continue
            return
        self.need(_read_by(statement), scope, statement.lineno)
        inside = _flat(statement.body) if isinstance(statement, ast.For) else ()
        for grown in sorted({key for part in inside for key, _ in _bound(part)}):
            if any(key == grown and s.lineno < statement.lineno for key, s in scope.bindings()):
                self._name(grown, scope, statement.lineno)

    def _absolute(self, statement: ast.ImportFrom) -> str:
        parents = self.package.split(".")[: -statement.level]
        if not parents or not self.package:
            raise _Lost(ast.unparse(statement))
        module = ".".join([*parents, *filter(None, [statement.module])])
        return ast.unparse(ast.ImportFrom(module, statement.names, 0))


# What stands in a file --------------------------------------------------------------------------


def _calls_in(node: ast.AST, scope: _Scope) -> Iterator[tuple[ast.Call, _Scope, str]]:
    """All calls below a node, each with the name that what it returns is assigned to."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                cls = node if isinstance(node, ast.ClassDef) else None
                yield from _calls_in(child, _Scope(child, scope, cls))
                continue
            case ast.Assign(targets=[target], value=value):
                called = _without_methods(value)
                if isinstance(called, ast.Call):
                    yield called, scope, _text(target)
                    yield from _calls_in(called, scope)
                    continue
            case ast.Call():
                yield child, scope, ""
        yield from _calls_in(child, scope)


def _without_methods(value: ast.expr) -> ast.expr:
    """``Net(10)`` of ``Net(10).to(device).eval()``."""
    while (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in ("to", "eval", "train", "cuda", "cpu", "double", "float", "half")
    ):
        value = value.func.value
    return value


def _flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements with those within, but not those of functions and classes."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for part in ("body", "orelse", "handlers", "finalbody"):
            for inner in getattr(statement, part, ()):
                yield from _flat(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def _bound(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    match statement:
        case ast.Import() | ast.ImportFrom():
            for alias in statement.names:
                name = alias.asname or alias.name.partition(".")[0]
                one = (
                    ast.Import([alias])
                    if isinstance(statement, ast.Import)
                    else ast.ImportFrom(statement.module, [alias], statement.level)
                )
                yield name, ast.copy_location(one, statement)
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, statement
        case ast.Assign(targets=targets):
            yield from ((name, statement) for target in targets for name in _set(target))
        case ast.AnnAssign(target=target, value=ast.expr()) | ast.AugAssign(target=target):
            yield from ((name, statement) for name in _set(target))
        case ast.For(target=target, iter=values):
            yield from ((name, _first(target, values)) for name in _set(target))


def _set(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Attribute(value=ast.Name(id="self")):
            yield _text(target)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _set(part)


def _first(target: ast.expr, values: ast.expr) -> ast.stmt:
    """Set what a loop sets at first."""
    made = ast.parse(f"{_text(target)} = next(iter({_text(values)}))").body[0]
    return ast.copy_location(made, target)


def _given(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.stmt | None:
    """Set an argument to its default, or to the first value that a test is given."""
    for mark in function.decorator_list:
        match mark:
            case ast.Call(
                func=ast.Attribute(attr="parametrize"),
                args=[ast.Constant(value=str(names)), values],
            ) if name in re.split(r"\W+", names):
                made = ast.parse(f"{names} = next(iter({_text(values)}))").body[0]
                return ast.copy_location(made, mark)
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args]
    defaults = dict(zip(reversed(listed), reversed(arguments.defaults), strict=False))
    named = dict(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    for argument, default in {**defaults, **named}.items():
        if argument.arg == name and default is not None:
            made = ast.parse(f"{name} = {_text(default)}").body[0]
            return ast.copy_location(made, function)
    return None


def _is_about(statement: ast.stmt, name: str) -> bool:
    """Whether it only calls a method of ``name``, such as ``parser.add_argument(...)``."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner))):
            try:
                _check(statement)
            except _Lost:
                return False
            return _text(owner) == name
    return False


def _read_by(statement: ast.stmt) -> ast.AST:
    match statement:
        case ast.AugAssign(target=target, value=value):
            return ast.Tuple([ast.Name(_text(target), ast.Load()), value], ast.Load())
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return value
    return statement


def _reads(node: ast.AST) -> set[str]:
    """The names that are read; an attribute of ``self`` is one."""
    read, own = set[str](), set[str]()
    for part in ast.walk(node):
        match part:
            case ast.Attribute(value=ast.Name(id="self")):
                read.add(f"self.{part.attr}")
            case ast.Name(id=name, ctx=ast.Load()):
                read.add(name)
            case ast.Name(id=name) | ast.arg(arg=name):
                own.add(name)
    return read - own - {"self"}


def _check(node: ast.AST) -> None:
    """Raise _Lost where something is called that is not to be run."""
    for part in ast.walk(node):
        match part:
            case ast.Call(func=function):
                name, named = _last(function), {keyword.arg for keyword in part.keywords}
                opens = name == "open" and (len(part.args) > 1 or part.keywords)
                if (
                    opens
                    or ".hub." in ast.unparse(function)
                    or _LEFT.fullmatch(name)
                    or named & _LEFT_IF_SET
                ):
                    raise _Lost(ast.unparse(part))
            case ast.Await() | ast.Yield() | ast.YieldFrom():
                raise _Lost(ast.unparse(part))


def _is_far(statement: ast.Import | ast.ImportFrom) -> bool:
    names = [getattr(statement, "module", None) or "", *(alias.name for alias in statement.names)]
    return not _FAR.isdisjoint(part for name in names for part in name.split("."))


def _last(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _text(node: ast.AST) -> str:
    return ast.unparse(node)
