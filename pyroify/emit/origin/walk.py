"""Goes back over the statements of one scope, and keeps those that some names depend on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pyroify.emit.origin.code import Definition, Scope, blocks, bound_by, flat, headers, reads
from pyroify.emit.origin.text import Writer
from pyroify.syntax.nodes import is_main_guard
from pyroify.syntax.source import chain

if TYPE_CHECKING:
    from pyroify.emit.origin.cut import Cutter

SEEDS: Final = re.compile(
    r"torch\.(cuda\.)?manual_seed(_all)?|(numpy\.)?random\.seed|(\w+\.)*seed_everything"
    r"|(\w+\.)*(set|fix|seed)\w*seeds?|(\w+\.)*seed_all"
)
NO_CHANGE: Final = frozenset(
    """
    train eval parameters state_dict load_state_dict zero_grad cuda share_memory set_epoch
    print_help summary info fit test validate predict train_model step backward
    """.split()
)
"""Methods that make nothing else of what they are called on, or are the training itself."""
FILLING: Final = frozenset("append extend update insert apply add add_module setdefault".split())
INITIALISERS: Final = re.compile(r"torch\.nn\.init\.\w+|(numpy\.)?random\.shuffle")


@dataclass
class Walk:
    """Goes back over the statements of one scope."""

    cutter: Cutter
    scope: Scope
    defined: set[str] = field(default_factory=set)
    """What functions read that are defined here, wherever that is set."""
    depth: int = 0
    bound: set[str] = field(default_factory=set)
    """What kept statements bind in a loop, or in one of the cases."""

    def __post_init__(self) -> None:
        self.writer = self.cutter.writer(self.scope.module)

    def block(self, body: Sequence[ast.stmt], needed: set[str], at: ast.stmt | None) -> list[str]:
        """Lines of a block before ``at``; ``needed`` becomes what must be set before it."""
        stop, lines = len(body), list[str]()
        for number, statement in enumerate(body):
            if statement is at:
                stop = number
                break
            inner = next((b for b in blocks(statement) if at and _contains(b, at)), None)
            if inner is not None:
                stop = number
                lines = self.block(inner, needed, at)
                lines = self._entered(statement, needed) + lines
                break
        for statement in reversed(body[:stop]):
            lines = self._statement(statement, needed) + lines
        return lines

    def handed_over(self, read: set[str], needed: set[str]) -> list[str]:
        """Lines that give the file of each class that is read what the class reads of it."""
        module, lines = self.scope.module, list[str]()
        for name, node in module.definitions.items():
            if name not in read:
                continue
            if unset := sorted(self.cutter.importing.unset(module, node)):
                given = ", ".join(f"{item}={item}" for item in unset)
                lines.append(f"vars(sys.modules[{name}.__module__]).update({given})")
                needed |= {*unset, name}
        return lines

    def _entered(self, statement: ast.stmt, needed: set[str]) -> list[str]:
        """What the header binds of a compound statement that the training is in."""
        names = {n for part in headers(statement) for n in _stored(part)} & needed
        if isinstance(statement, ast.With) and names:
            needed -= names
            lines = []
            for item in statement.items:
                if item.optional_vars is not None and _stored(item.optional_vars) & names:
                    text = self.writer.expression(item.context_expr)
                    lines.append(f"{ast.unparse(item.optional_vars)} = {text}")
                    needed |= reads(ast.parse(text))
                    self.cutter.nodes.append(ast.parse(text))
            return lines
        if names:
            name = min(names)
            raise self.scope.module.in_the_way(
                statement,
                f"what is trained on depends on {name}, which this loop sets",
                f"make it independent of {name}, or set svi.data in the spec",
            )
        return []

    def _statement(self, node: ast.stmt, needed: set[str]) -> list[str]:
        if node in self.cutter.dropped:
            return []
        match node:
            case ast.Import() | ast.ImportFrom():
                for name in bound_by(node) & needed:
                    self.cutter.import_statement(node, name, self.scope)
                    needed.discard(name)
                return []
            case ast.FunctionDef() | ast.ClassDef():
                return self._definition(node, needed) if node.name in needed else []
            case ast.If(test=test, body=body) if is_main_guard(test):
                return self.block(body, needed, None)
            case ast.Match():
                return []
        if blocks(node):
            return self._compound(node, needed)
        return self._simple(node, needed)

    def _definition(self, node: Definition, needed: set[str]) -> list[str]:
        cutter, module = self.cutter, self.scope.module
        needed.discard(node.name)
        if self.scope.is_top and cutter.importing.works(module, node):
            cutter.add_import(node.name, f"{module.name}.{node.name}", module)
            return []
        text = self.writer.statement(node)
        tree = ast.parse(text)
        read = reads(tree) - {node.name}
        self.defined |= read
        needed |= {name for name in read if not self._is_set_later(name, node)}
        return self._keep(tree, text)

    def _is_set_later(self, name: str, node: Definition) -> bool:
        """Whether a name is set in this scope, but only below a definition that reads it."""
        lines = [s.lineno for s in flat(self.scope.node.body) if name in bound_by(s)]
        return bool(lines) and min(lines) > node.lineno

    def _simple(self, node: ast.stmt, needed: set[str]) -> list[str]:
        names = bound_by(node)
        hits = names & needed
        if not hits and not self._changes(node, needed):
            return []
        if isinstance(node, ast.Expr) and self._is_super_init(node):
            return []
        if self.depth:
            self.bound |= names
        text = self.writer.statement(node)
        tree = ast.parse(text)
        if _says_nothing(tree):
            return []
        if isinstance(node, ast.Assign | ast.AnnAssign):
            needed -= hits
        read = reads(tree)
        needed |= read
        if isinstance(node, ast.AugAssign):
            needed |= hits
        self.cutter.kept.add(node)
        return self.handed_over(read, needed) + self._keep(tree, text)

    def _is_super_init(self, node: ast.Expr) -> bool:
        return ast.unparse(node).startswith("super().__init__")

    def _keep(self, tree: ast.AST, text: str) -> list[str]:
        self.cutter.nodes.append(tree)
        return text.split("\n")

    def _changes(self, node: ast.stmt, needed: set[str]) -> bool:
        """Whether a statement changes something that is needed, without binding its name."""
        match node:
            case ast.Assign(targets=targets):
                stores = [t for target in targets for t in _targets(target)]
                return any(_root(t) in needed for t in stores if not isinstance(t, ast.Name))
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                return not isinstance(target, ast.Name) and _root(target) in needed
            case ast.Delete(targets=targets):
                return any(_root(t) in needed for t in targets)
            case ast.Expr(value=ast.Call() as call):
                return self._call_changes(call, needed)
        return False

    def _call_changes(self, call: ast.Call, needed: set[str]) -> bool:
        code, module = self.cutter.code, self.scope.module
        name = code.dotted(call.func, module) if chain(call.func) else ""
        if self.cutter.seeds and name and SEEDS.fullmatch(name):
            return True
        if isinstance(call.func, ast.Attribute):
            owner = _root(call.func.value)
            if owner in module.source.imports:
                owner = ""  # a function of a library, or of another file
            if owner in needed or self._alias(owner) in needed:
                return call.func.attr not in NO_CHANGE and not self._is_training(call)
        given = [
            n for a in call.args if (n := _root(a)) in needed and not isinstance(a, ast.Constant)
        ]
        if not given:
            return False
        if INITIALISERS.fullmatch(name):
            return True
        found = code.definition(call.func, module) if chain(call.func) else None
        if found is None or not isinstance(found[1], ast.FunctionDef):
            return False
        scope = code.scope_of(found[1])
        slots = dict(zip(scope.parameters, call.args, strict=False))
        return any(
            _root(argument) in needed and _fills(scope, parameter)
            for parameter, argument in slots.items()
        )

    def _is_training(self, call: ast.Call) -> bool:
        """Whether a method of the project that is called trains something."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        for scope in self.cutter.code.scopes:
            if scope.cls is not None and getattr(scope.node, "name", "") == name:
                if any(
                    isinstance(c.func, ast.Attribute) and c.func.attr == "backward"
                    for c, _ in scope.calls
                ):
                    return True
        return False

    def _alias(self, name: str) -> str:
        """The parser that a group of options belongs to."""
        for statement in flat(self.scope.node.body):
            match statement:
                case ast.Assign(
                    targets=[ast.Name(id=group)],
                    value=ast.Call(func=ast.Attribute(value=owner, attr=method)),
                ) if group == name and method.startswith("add_"):
                    return _root(owner)
        return ""

    def _compound(self, node: ast.stmt, needed: set[str]) -> list[str]:
        bound = {name for part in headers(node) for name in _stored(part)}
        kept: list[list[str]] = []
        rounds = 2 if isinstance(node, ast.For | ast.While) else 1
        inner = set(needed)
        mark = len(self.cutter.nodes)
        for _ in range(rounds):
            del self.cutter.nodes[mark:]
            kept, arms = [], list[set[str]]()
            for body in _arms(node):
                names = set(inner)
                self.depth += 1
                kept.append(self.block(body, names, None))
                self.depth -= 1
                arms.append(names)
            inner = set().union(*arms) if _is_exhaustive(node) else set(needed).union(*arms)
        self.bound |= bound
        if not any(kept) and not (bound & needed and isinstance(node, ast.For | ast.With)):
            needed -= _imported(node)  # they are imported in any case
            return []
        if _is_exhaustive(node):
            needed &= inner
        inner -= bound
        header = _header(node, self.writer)
        needed |= inner
        needed |= reads(*(ast.parse(line) for line in header.reads))
        self.cutter.nodes += [ast.parse(line) for line in header.reads]
        lines: list[str] = []
        for title, inside in zip(header.titles, kept, strict=True):
            if inside or title == header.titles[0] or title.startswith("except"):
                lines += [title, *(f"    {line}" if line else "" for line in inside or ["pass"])]
        return lines


@dataclass(frozen=True)
class _Header:
    titles: tuple[str, ...]
    reads: tuple[str, ...]


def _arms(node: ast.stmt) -> list[list[ast.stmt]]:
    match node:
        case ast.Try():
            arms = [node.body, *(handler.body for handler in node.handlers)]
            return arms + [block for block in (node.orelse, node.finalbody) if block]
        case ast.For() | ast.While() | ast.If():
            return [node.body, *([node.orelse] if node.orelse else [])]
    return blocks(node)


def _header(node: ast.stmt, writer: Writer) -> _Header:
    """The lines before the blocks of a compound statement, and what they read."""
    match node:
        case ast.For(target=target, iter=iterable):
            text = writer.expression(iterable)
            titles, read = [f"for {writer.expression(target)} in {text}:"], [text]
        case ast.While(test=test):
            read = [writer.expression(test)]
            titles = [f"while {read[0]}:"]
        case ast.If(test=test):
            read = [writer.expression(test)]
            titles = [f"if {read[0]}:"]
        case ast.With(items=items):
            read = [writer.expression(item.context_expr) for item in items]
            names = [
                f" as {ast.unparse(i.optional_vars)}" if i.optional_vars else "" for i in items
            ]
            joined = ", ".join(r + n for r, n in zip(read, names, strict=True))
            return _Header((f"with {joined}:",), tuple(read))
        case ast.Try(handlers=handlers):
            titles, read = ["try:"], []
            for handler in handlers:
                kind = f" {ast.unparse(handler.type)}" if handler.type else ""
                name = f" as {handler.name}" if handler.name else ""
                titles.append(f"except{kind}{name}:")
                read += [kind.strip()] if kind else []
            titles += ["else:"] if node.orelse else []
            titles += ["finally:"] if node.finalbody else []
            return _Header(tuple(titles), tuple(read))
        case _:
            raise TypeError(type(node).__name__)
    if node.orelse:
        titles.append("else:")
    return _Header(tuple(titles), tuple(read))


def _imported(node: ast.stmt) -> set[str]:
    """Names that imports in the blocks of a statement bind."""
    inner = (s for block in blocks(node) for s in flat(block))
    imports = (s for s in inner if isinstance(s, ast.Import | ast.ImportFrom))
    return {name for statement in imports for name in bound_by(statement)}


def _is_exhaustive(node: ast.stmt) -> bool:
    """Whether one of its blocks runs, and each goes to its end, as far as that is a question."""
    return isinstance(node, ast.With | ast.Try) or (isinstance(node, ast.If) and bool(node.orelse))


def _contains(body: Sequence[ast.stmt], at: ast.stmt) -> bool:
    return any(statement is at for statement in flat(body))


def _stored(node: ast.AST) -> set[str]:
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _targets(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Tuple | ast.List):
        for item in node.elts:
            yield from _targets(item)
    else:
        yield node


def _root(node: ast.AST) -> str:
    """The name, or attribute of self, that an expression is something of."""
    while True:
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return f"self.{name}"
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                node = value
            case ast.Call(func=ast.Attribute(value=value)):
                node = value
            case ast.Name(id=name):
                return name
            case _:
                return ""


def _fills(scope: Scope, parameter: str) -> bool:
    """Whether a function writes into what it is given."""
    for statement in flat(scope.node.body):
        match statement:
            case ast.Assign(targets=targets):
                stores = [t for target in targets for t in _targets(target)]
                if any(not isinstance(t, ast.Name) and _root(t) == parameter for t in stores):
                    return True
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=name))):
                if _root(owner) == parameter and (name in FILLING or name.endswith("_")):
                    return True
            case ast.Expr(value=ast.Call(args=[first, *_])):
                if _root(first) == parameter and ".init." in f".{ast.unparse(statement)}":
                    return True
    return False


def _says_nothing(tree: ast.Module) -> bool:
    """``model = model``, of what is left of a wrapper."""
    match tree.body:
        case [ast.Assign(targets=[target], value=value)]:
            return ast.unparse(target) == ast.unparse(value)
    return False
