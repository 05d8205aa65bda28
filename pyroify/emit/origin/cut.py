"""A backward slice: the statements that expressions depend on, as lines of one function.

It goes through the calls that lead to where the expressions stand.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyroify.emit.origin.code import (
    Code,
    Frame,
    Module,
    Scope,
    bound_by,
    flat,
    reads,
)
from pyroify.emit.origin.importing import Importing
from pyroify.emit.origin.options import is_required, option_of, parses, whole_reads
from pyroify.emit.origin.text import ROOT, Writer
from pyroify.emit.origin.walk import Walk
from pyroify.syntax.source import chain

KNOWN: Final = {
    "Path": "pathlib.Path",
    "Tensor": "torch.Tensor",
    "math": "math",
    "nn": "torch.nn",
    "os": "os",
    "pyro": "pyro",
    "sys": "sys",
    "torch": "torch",
}
"""What every script may call so: it needs no import of its own."""


@dataclass(frozen=True, eq=False)
class Want:
    """Expressions to be computed where the statement ``at`` of a frame stands, by ``names``."""

    frame: Frame
    names: frozenset[str]
    at: ast.stmt | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """Part of a scope, beyond which a slice does not go; ``names`` are given at its start.

    ``at`` is where it stands in the scope.
    """

    scope: Scope
    body: Sequence[ast.stmt]
    names: frozenset[str]
    at: ast.stmt | None = None

    @classmethod
    def of_loop(cls, scope: Scope, loop: ast.For) -> Region:
        """The body of a loop."""
        return cls(scope, loop.body, frozenset(bound_by(loop)), loop)


@dataclass(frozen=True)
class Cut:
    """Lines that bind what is wanted, the ``imports`` before them, and what is ``left`` to bind.

    ``nodes`` are the statements in it; ``folders`` those that the imports need.
    """

    lines: tuple[str, ...]
    imports: Mapping[str, str]
    left: tuple[Want, ...]
    nodes: tuple[ast.AST, ...]
    folders: tuple[str, ...]


@dataclass
class _Need:
    frame: Frame
    names: set[str]
    at: ast.stmt | None


@dataclass
class Cutter:
    """Makes one slice. ``seeds``: what sets random states is in it too."""

    code: Code
    seeds: bool = False
    region: Region | None = None
    given: Sequence[ast.AST] = ()
    """What else reads what is bound."""
    replace: Mapping[ast.AST, str] = field(default_factory=dict)
    free: frozenset[str] = frozenset()
    """Names that are bound by others."""
    from_region: set[str] = field(default_factory=set)
    """What is read of the names that the region gives."""
    kept: set[ast.stmt] = field(default_factory=set)
    _needs: dict[Scope, _Need] = field(default_factory=dict)
    _imports: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, None] = field(default_factory=dict)
    nodes: list[ast.AST] = field(default_factory=list)
    dropped: set[ast.stmt] = field(default_factory=set)
    _rendered: dict[Scope, list[str]] = field(default_factory=dict)
    _after: dict[Scope, dict[Scope, None]] = field(default_factory=dict)
    _left: dict[str, Want] = field(default_factory=dict)
    _instance: ast.ClassDef | None = None
    _is_whole: bool = False
    importing: Importing = field(init=False)

    def __post_init__(self) -> None:
        self.importing = Importing(self.code)

    def cut(self, *wants: Want) -> Cut:
        """The slice. Raises InTheWay."""
        self._settle(wants)
        self.dropped = set(self._unread_options())
        if self.dropped:
            self._settle(wants)
        self._refuse_required()
        lines = tuple(line for scope in self._order(wants) for line in self._lines_of(scope))
        self._refuse_conflicts()
        return Cut(
            lines,
            self._imports,
            tuple(self._left.values()),
            tuple(self.nodes),
            tuple(self._folders),
        )

    def writer(self, module: Module) -> Writer:
        """Writes what a file says."""
        return Writer(self.code, module, self.replace)

    # Needs, until nothing new turns up

    def _settle(self, wants: Sequence[Want]) -> None:
        self._needs.clear()
        for want in wants:
            self._need(want.frame, want.names, want.at)
        size = -1
        while size != (size := self._size()):
            self._forget()
            self._instance, self._is_whole = None, False
            for scope in list(self._needs):
                self._resolve(scope)

    def _forget(self) -> None:
        """Begins anew, but for what is needed."""
        for state in (self._imports, self._folders, self._rendered, self._after, self._left):
            state.clear()
        self.nodes.clear()
        self.kept.clear()
        self.from_region.clear()

    def _size(self) -> int:
        return sum(len(need.names) + 1 for need in self._needs.values())

    def _need(self, frame: Frame, names: Iterable[str], at: ast.stmt | None) -> None:
        need = self._needs.get(frame.scope)
        if need is None:
            self._needs[frame.scope] = _Need(frame, set(names), at)
            return
        need.names |= set(names)
        if need.at is not None and (at is None or at.lineno > need.at.lineno):
            need.at = at

    def _resolve(self, scope: Scope) -> None:
        """Cuts one scope, and asks others for what it does not bind itself."""
        need = self._needs[scope]
        walk = Walk(self, scope)
        body: Sequence[ast.stmt] = scope.node.body
        if self.region is not None and scope is self.region.scope:
            body = self.region.body
        start: set[str] = set(need.names)
        while True:
            walk.defined.clear()
            mark = len(self.nodes)
            names = set(start)
            given = walk.handed_over(set(need.names), names)
            lines = [*walk.block(body, names, need.at), *given]
            if walk.defined <= start:
                break
            del self.nodes[mark:]
            start |= walk.defined
        before: list[str] = []
        for name in sorted(names):
            if name in walk.bound and not self._is_given(name, scope):
                continue  # set in a loop, or in one of the cases
            before += self._from_elsewhere(name, need)
        self._rendered[scope] = before + lines

    def _is_given(self, name: str, scope: Scope) -> bool:
        """Whether a name is bound before the first statement."""
        if self.region is not None and scope is self.region.scope:
            return name in self.region.names
        return name in scope.parameters

    def _from_elsewhere(self, name: str, need: _Need) -> list[str]:
        """Lines that bind a name at the start of a scope, and needs of other scopes."""
        frame, scope = need.frame, need.frame.scope
        module = scope.module
        if name in self.free or (name == ROOT and not self.code.binds(ROOT)):
            return []
        if self.region is not None and scope is self.region.scope:
            if name in self.region.names:
                self.from_region.add(name)
            elif name not in vars(builtins) or name in scope.bound:
                self._left[name] = Want(frame, frozenset((name,)), self.region.at)
            return []
        if name in scope.parameters:
            return self._argument(name, frame, need.at)
        if name == "self" and scope.cls is not None:
            raise module.in_the_way(
                need.at or scope.node,
                f"{scope.title} hands itself on",
                "hand on the attribute that is meant",
            )
        if name.startswith("self.") and scope.cls is not None:
            return self._attribute(name, scope, need.at)
        outer = scope.outer
        while outer is not None:
            if name in outer.bound:
                self._reach(scope, self._frame_around(frame, outer), {name}, frame.at)
                return []
            outer = outer.outer
        if not scope.is_top and name in self.code.top(module).bound:
            self._at_top(scope, frame, name)
        elif name not in vars(builtins) and name not in ("__file__", "__name__"):
            self._from_star(name, scope, need.at)
        return []

    def _frame_around(self, frame: Frame, outer: Scope) -> Frame:
        if frame.caller is not None and frame.caller.scope is outer:
            return frame.caller
        return self.code.frame(outer)

    def _at_top(self, scope: Scope, frame: Frame, name: str) -> None:
        """A name of the file: as it is where the script runs, or when it has been imported."""
        root = frame
        at = frame.at
        while root.caller is not None:
            at, root = root.at, root.caller
        top = self.code.top(scope.module)
        if self.region is not None:
            self._left.setdefault(name, Want(Frame(top), frozenset((name,)), None))
            return
        self._reach(scope, Frame(top), {name}, at if root.scope is top else None)

    def _reach(self, scope: Scope, frame: Frame, names: set[str], at: ast.stmt | None) -> None:
        self._after.setdefault(scope, {})[frame.scope] = None
        self._need(frame, names, at)

    def _argument(self, name: str, frame: Frame, at: ast.stmt | None) -> list[str]:
        scope = frame.scope
        given = frame.argument(name)
        if given is None:
            raise scope.module.in_the_way(
                frame.call or scope.node if frame.call is None else scope.node,
                f"nothing in the source says what {scope.title} is given as {name}",
                f"call it with plain arguments, or give {name} a default",
            )
        value, caller = given
        module = scope.module if caller is None else caller.scope.module
        text = self.writer(module).expression(value)
        tree = ast.parse(text, mode="eval")
        if caller is None:
            names = {n for n in reads(tree) if n not in vars(builtins)}
            for item in names:
                self._at_top(scope, frame, item)
        else:
            self._reach(scope, caller, reads(tree), frame.at)
        if text == name:
            return []
        self.nodes.append(tree)
        return [f"{name} = {text}"]

    def _attribute(self, name: str, scope: Scope, at: ast.stmt | None) -> list[str]:
        """``self.x`` that another method has set."""
        cls = scope.cls
        assert cls is not None
        self._set_instance(cls, scope)
        attribute = name.removeprefix("self.")
        for module, item in self._family(scope.module, cls):
            methods = [s for s in self.code.scopes if s.cls is item and s.module is module]
            setters = [s for s in methods if name in s.bound and s is not scope]
            first = [s for s in setters if getattr(s.node, "name", "") == "__init__"] or setters
            if len(first) == 1:
                self._reach(scope, self.code.frame(first[0]), {name}, None)
                return []
            if len(first) > 1:
                break
            method = next((s for s in methods if getattr(s.node, "name", "") == attribute), None)
            if method is not None:
                return self._whole_method(method, scope)
            for statement in item.body:
                if attribute in bound_by(statement) and getattr(statement, "value", None):
                    text = self.writer(module).expression(statement.value)  # type: ignore
                    for item_name in reads(ast.parse(text)) - vars(builtins).keys():
                        self._at_top(scope, Frame(scope), item_name)
                    return [f"{name} = {text}"]
        raise scope.module.in_the_way(
            at or scope.node,
            f"where {name} comes from is not to be seen",
            f"set it once, in {cls.name}.__init__()",
        )

    def _whole_method(self, method: Scope, scope: Scope) -> list[str]:
        """A method that is called as a whole, on an object that its constructor has not run for."""
        cls = method.cls
        assert cls is not None
        if self.code.class_of(method.module, cls) is not None:
            raise method.module.in_the_way(
                method.node,
                f"{method.title} is a method of a network",
                "make it a function that is given what it needs",
            )
        self._is_whole = True
        self._at_top(scope, Frame(scope), cls.name)
        lines: list[str] = []
        for name in sorted(reads(*method.node.body)):
            if name.startswith("self.") and name not in self._needs[scope].names:
                self._needs[scope].names.add(name)
        return lines

    def _family(self, module: Module, cls: ast.ClassDef) -> Iterator[tuple[Module, ast.ClassDef]]:
        yield module, cls
        for base in cls.bases:
            found = self.code.definition(base, module) if chain(base) else None
            if found is not None and isinstance(found[1], ast.ClassDef):
                yield from self._family(found[0], found[1])

    def _set_instance(self, cls: ast.ClassDef, scope: Scope) -> None:
        if self._instance not in (None, cls):
            raise scope.module.in_the_way(
                scope.node,
                f"both {cls.name} and {self._instance.name if self._instance else ''} keep a part",
                "let one of them keep the network, the data and the loss",
            )
        self._instance = cls

    def _from_star(self, name: str, scope: Scope, at: ast.stmt | None) -> None:
        found = self.code.defined(name, scope.module) if scope.module.source.stars else None
        if found is not None:
            self.add_import(name, f"{found[0].name}.{name}", scope.module)
            return
        if scope.module.source.stars:
            why, help = f"{name} may come from a star import", f"import {name} by its name"
        else:
            why, help = f"{name} is not set before it is used", f"set {name} before"
        raise scope.module.in_the_way(at or scope.node, why, help)

    # Imports and definitions

    def add_import(self, name: str, dotted: str, module: Module) -> None:
        """A name that an import binds; of a function that cannot be imported, its source."""
        if KNOWN.get(name) == dotted:
            return
        found = self.code.defined(dotted, module)
        if found is not None:
            where, node = found
            if node.name == name and not self.importing.works(where, node):
                self._need(Frame(self.code.top(where)), {name}, None)
                for scope in list(self._needs):
                    if scope.module is not where:
                        self._after.setdefault(scope, {})[self.code.top(where)] = None
                return
        if name in self.free:
            return
        source, _, last = dotted.rpartition(".")
        if not source:
            line = f"import {dotted}" + (f" as {name}" if name != dotted else "")
        elif dotted == name:
            line = f"import {dotted}"
        else:
            line = f"from {source} import {last}" + (f" as {name}" if last != name else "")
        if self._imports.setdefault(name, line) != line:
            raise module.in_the_way(
                module.source.tree,
                f"{name} is one thing here (`{line}`), another in a file that is used with this",
                "give one of them another name",
            )
        parts = dotted.split(".")
        for end in range(len(parts), 0, -1):
            path = self.code.index.find_module(".".join(parts[:end]), module.path)
            if path is not None:
                stem = path.removesuffix(".py").removesuffix("/__init__")
                self._folders[stem.removesuffix("/".join(parts[:end])).rstrip("/")] = None
                break

    def import_statement(self, node: ast.Import | ast.ImportFrom, name: str, scope: Scope) -> None:
        """Adds what an import statement binds under a name."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname == name:
                    self.add_import(name, alias.name, scope.module)
                elif alias.name.partition(".")[0] == name:
                    if "." in alias.name:
                        self._imports[alias.name] = f"import {alias.name}"
                    else:
                        self.add_import(name, name, scope.module)
            return
        self.add_import(name, scope.module.source.imports[name], scope.module)

    # Options of the command line

    def _unread_options(self) -> Iterator[ast.stmt]:
        """Statements that add an option which nothing in the slice reads."""
        code = [*self.nodes, *self.given]
        parsed = {
            name
            for node in code
            for inner in ast.walk(node)
            if isinstance(inner, ast.Assign) and parses(inner.value)
            for target in inner.targets
            for name in (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
        }
        if not parsed:
            return
        read: set[str] = set()
        for node in code:
            whole = whole_reads(node, parsed, read)
            if whole:
                return
        for scope in self._needs:
            for statement in flat(scope.node.body):
                option = option_of(statement)
                if option and option not in read:
                    yield statement

    def _refuse_required(self) -> None:
        """Options without which the command line is refused."""
        for module in self.code.modules.values():
            for node in module.source.nodes.of(ast.Expr):
                if node in self.dropped:
                    continue
                if not option_of(node) or not is_required(node.value):  # type: ignore[arg-type]
                    continue
                if self._holds(node):
                    name = option_of(node)
                    raise module.in_the_way(
                        node,
                        f"the option {name} has no value unless the command line gives one",
                        "give it a default, which the new script takes",
                    )

    def _holds(self, node: ast.stmt) -> bool:
        text = ast.unparse(node)
        statements = (n for kept in self.nodes for n in ast.walk(kept) if isinstance(n, ast.stmt))
        return any(text == ast.unparse(n) for n in statements)

    # Lines

    def _order(self, wants: Sequence[Want]) -> list[Scope]:
        """Scopes, what others ask of first."""
        found: dict[Scope, None] = {}
        on_the_way: set[Scope] = set()

        def visit(scope: Scope) -> None:
            if scope in found or scope in on_the_way:
                return
            on_the_way.add(scope)
            for other in self._after.get(scope, ()):
                visit(other)
            found[scope] = None

        for module in self.code.modules.values():
            top = self.code.top(module)
            if top in self._needs:
                visit(top)
        for scope in self._needs:
            visit(scope)
        return list(found)

    def _lines_of(self, scope: Scope) -> list[str]:
        lines = self._rendered.get(scope, [])
        if self._instance is not None and scope.cls is self._instance:
            name = self._instance.name
            made = f"self = {name}.__new__({name})  # what it keeps, set below"
            if not self._is_whole:
                self._imports["SimpleNamespace"] = "from types import SimpleNamespace"
                made = f"self = SimpleNamespace()  # what {name} keeps"
            self._instance = None
            return [made, *lines]
        return lines

    def _refuse_conflicts(self) -> None:
        """Names that mean one thing in one function and another in the next."""
        bound: dict[str, Scope] = {}
        for scope, lines in self._rendered.items():
            tree = ast.parse("\n".join(lines) or "pass")
            for name in {n for s in tree.body for n in bound_by(s) if "." not in n}:
                other = bound.setdefault(name, scope)
                if other is not scope:
                    raise scope.module.in_the_way(
                        scope.node if not scope.is_top else scope.node.body[0],
                        f"{name} is one thing in {scope.title} and another in {other.title}",
                        "give one of them another name",
                    )
