"""What code does with classes and modules beside calling them: whoever gets them may call them.

A name may be called, also by ``map``, derived from, compared and annotated with;
``functools.partial`` may be made of it. A local variable that it is given to may be what it may be
itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyroify.syntax.nodes import children, walk
from pyroify.syntax.source import Source, chain

TESTS = {"isinstance": 1, "issubclass": 1, "super": 0}
"""Functions that only look at a class, and which of their arguments that is."""
ASSERTIONS = frozenset(("assertIsInstance", "assertNotIsInstance"))
"""Methods of test cases that do so with the second of theirs."""
PARTIAL = "functools.partial"
MAP = "map"
FOLLOWED = frozenset((*TESTS, PARTIAL, MAP))
"""Functions that may be given a class by its name without handing it on."""
BY_TEXT = frozenset(("globals", "locals", "eval", "exec"))
"""Functions that find what a file has by its name."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Around = tuple[Definition, ...]
"""The functions, one within the other, in which code stands."""


@dataclass(frozen=True, slots=True)
class _Alias:
    """A local variable that is given a name on a line."""

    around: Around
    name: str
    line: int
    dotted: str
    given: str


@dataclass(frozen=True, slots=True)
class _Read:
    """A name by itself that is read; ``handed``: for more than a call of it."""

    around: Around
    name: str
    line: int
    handed: bool

    def tells_more_of(self, alias: _Alias) -> bool:
        """Whether a variable is read where its value is not followed to."""
        if self.name != alias.name or alias.around != self.around[: len(alias.around)]:
            return False
        return self.handed or self.around != alias.around or self.line < alias.line


def mentions(source: Source) -> tuple[frozenset[str], frozenset[str]]:
    """Dotted names of what a file hands on; ``*`` where it looks up names of its own by texts.

    Apart from them those that it gives to calls of names, which can be followed.
    """
    found = _Mentions(source)
    found.look_at_all(source.tree.body)
    return frozenset(found.names()), frozenset(found.handed)


class _Mentions:
    """A walk over a file, function by function."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._tests = frozenset(map(source.resolve, _tests_for_none(source.tree)))
        self.handed: set[str] = set()
        self._is_followed = True
        self._names: set[str] = set()
        self._aliases: list[_Alias] = []
        self._reads: list[_Read] = []
        self._around: Around = ()

    def names(self) -> Iterator[str]:
        """What is mentioned, by itself or by a variable that holds it."""
        yield from self._names
        waiting = [
            alias for alias in self._aliases if any(r.tells_more_of(alias) for r in self._reads)
        ]
        seen: set[_Alias] = set()
        while waiting:
            alias = waiting.pop()
            if alias not in seen:
                seen.add(alias)
                yield alias.dotted
                waiting += (a for a in self._aliases if a.name == alias.given)

    def look_at_all(self, nodes: Sequence[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self._look_at(node)

    def _look_at(self, node: ast.AST) -> None:
        match node:
            case ast.Name() | ast.Attribute() if chain(node):
                if isinstance(node.ctx, ast.Load):
                    self._read(node, handed=True)
                    self._names.add(self.source.dotted(node))
            case ast.Call():
                self._call(node)
            case ast.Compare():
                self.look_at_all([item for item in _compared(node) if not chain(item)])
            case ast.Lambda():
                self._lambda(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._look_at_unread([*node.decorator_list, *node.args.defaults])
                self._look_at_unread([item for item in node.args.kw_defaults if item])
                self._around = (*self._around, node)
                calls = (item for item in walk(node) if isinstance(item, ast.Call))
                if sum(map(_builds_base, calls)) > 1:
                    self._names.add("*")
                self.look_at_all(node.body)
                self._around = self._around[:-1]
            case ast.ClassDef():
                methods = [item for item in node.body if isinstance(item, Definition)]
                bases = [base for base in node.bases if not chain(base)]
                rest = [item for item in node.body if item not in methods]
                self._look_at_unread([*node.decorator_list, *bases, *node.keywords, *rest])
                self.look_at_all(methods)
            case ast.AnnAssign():
                self.look_at_all([node.target, node.value])
            case ast.Global() | ast.Nonlocal():
                self._reads += (_Read(self._around, name, 0, True) for name in node.names)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if self._around:
                self._choose(name, value, node.lineno)
            case _:
                self.look_at_all([*children(node)])

    def _look_at_unread(self, nodes: Sequence[ast.AST]) -> None:
        """What is no code of a function or file, the calls in which are followed."""
        for item in (inner for node in nodes for inner in walk(node)):
            if isinstance(item, ast.Call):
                self._names.add(self.source.dotted(item.func))
        self._look_at_unfollowed(nodes)

    def _look_at_unfollowed(self, nodes: Sequence[ast.AST | None]) -> None:
        """What has calls that are not among those of a function or file."""
        before, self._is_followed = self._is_followed, False
        self.look_at_all(nodes)
        self._is_followed = before

    def _read(self, node: ast.expr, handed: bool = False) -> None:
        """Note that a name is read, also where that is called."""
        if isinstance(node, ast.Name):
            self._reads.append(_Read(self._around, node.id, node.lineno, handed))

    def _call(self, node: ast.Call) -> None:
        called, given = self.source.dotted(node.func), list(node.args)
        if not chain(node.func):
            self._look_at(node.func)
        self._read(node.func)
        if called in BY_TEXT:
            self._names.add("*")
        if called.endswith(".__init__"):
            self._names.add(called.removesuffix(".__init__"))
        if called in TESTS and len(given) == 2:
            given.pop(TESTS[called])
        if called.rpartition(".")[2] in ASSERTIONS and len(given) > 1:
            given.pop(1)
        if called in (PARTIAL, MAP) and given and chain(given[0]):
            self._read(given.pop(0))
        if called == MAP and given and isinstance(first := given[0], ast.Lambda):
            self._look_at(first.body)  # what it is called with is seen
            given.remove(first)
        if called in self._tests and given and chain(given[0]):
            given.pop(0)  # which is not called there
        handed = []
        if self._is_followed and chain(node.func) and called not in FOLLOWED:
            values = (*given, *(keyword.value for keyword in node.keywords if keyword.arg))
            handed = [value for value in values if chain(value)]
        for value in handed:
            self._read(value, handed=True)
            self.handed.add(self.source.dotted(value))
        self.look_at_all([item for item in given if item not in handed])
        self.look_at_all([item for item in node.keywords if item.value not in handed])

    def _lambda(self, node: ast.Lambda) -> None:
        """What it calls may be called with arguments that nobody knows."""
        self._look_at_unfollowed([*node.args.defaults, *node.args.kw_defaults, node.body])
        calls = (item for item in walk(node.body) if isinstance(item, ast.Call))
        if any(isinstance(item, ast.arg) for item in walk(node.args)):
            self._names.update(self.source.dotted(call.func) for call in calls)

    def _choose(self, name: str, value: ast.expr, line: int) -> None:
        """A local variable is given one of several values."""
        match value:
            case ast.IfExp():
                self._look_at(value.test)
                self._choose(name, value.body, line)
                self._choose(name, value.orelse, line)
                return
            case ast.Call(args=[first, *_]) if self.source.dotted(value.func) == PARTIAL:
                self._call(value)
            case _ if chain(value):
                first = value
                self._read(first)
            case _:
                self._look_at(value)
                return
        given = first.id if isinstance(first, ast.Name) else ""
        self._aliases.append(_Alias(self._around, name, line, self.source.dotted(first), given))


def _tests_for_none(tree: ast.Module) -> Iterator[tuple[str]]:
    """Functions of a file that do no more than to compare what they are given with None."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(
                name=name,
                args=ast.arguments(posonlyargs=[], args=[ast.arg(arg=given)], kwonlyargs=[]),
                body=[
                    ast.Return(
                        value=ast.Compare(
                            left=ast.Name(id=compared), comparators=[ast.Constant(value=None)]
                        )
                    )
                ],
                decorator_list=[],
            ) if compared == given:
                yield (name,)


def _builds_base(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name("super")), attr="__init__")):
            return True
    return False


def _compared(node: ast.Compare) -> Iterator[ast.expr]:
    for item in (node.left, *node.comparators):
        yield from item.elts if isinstance(item, ast.Tuple | ast.List | ast.Set) else (item,)
