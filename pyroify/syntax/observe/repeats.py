"""Calls of one thing that are made more than once: side by side, or turn after turn of a loop."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pyroify.catalog.members import DATA_MEMBERS
from pyroify.syntax.facts import Repeat
from pyroify.syntax.nodes import children, walk
from pyroify.syntax.scopes import FUNCTIONS
from pyroify.syntax.source import Source, chain

LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
PLACES = (*FUNCTIONS, *LOOPS, *COMPREHENSIONS, ast.If, ast.IfExp, ast.Try)
"""What of such a node a call stands in tells something of when it is made."""
LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
STEPS = {"backward", "step"}
"""Methods with which one loss ends, and the next begins."""


def repeats(file: Source) -> tuple[Repeat, ...]:
    """The calls in a file that are made again, each once."""
    found = _Calls(file)
    if file.traits.isdisjoint((*LOOPS, *COMPREHENSIONS)) and not found.has_equal_callees():
        return ()
    found.collect(file.tree, _Here(file.tree, file.tree))
    made = (Repeat(c.lineno, file.column(c), how) for c, how in found.repeated())
    return tuple(sorted(set(made)))


@dataclass(frozen=True)
class _Here:
    """Where a node stands: what runs it (a loop, function or file), its function, its statement.

    ``arms`` are those of the branches around it within ``turn``: the branch, which arm, and whether
    the arm leaves the turn.
    """

    turn: ast.AST
    function: ast.AST
    statement: ast.AST | None = None
    arms: tuple[tuple[ast.AST, str, bool], ...] = ()


@dataclass
class _Calls:
    """The calls of a file that may be of networks, and where a loss ends."""

    file: Source
    calls: dict[tuple[ast.AST, str], list[tuple[ast.Call, _Here]]] = field(default_factory=dict)
    ends: list[tuple[ast.Call, _Here]] = field(default_factory=list)
    _stored: dict[ast.AST, frozenset[str]] = field(default_factory=dict)

    def has_equal_callees(self) -> bool:
        """Whether the file calls one thing in two places."""
        calls = (node.func for node in self.file.nodes.of(ast.Call))
        callees = [chain(callee) for callee in calls if self._may_be_network(callee)]
        return len(set(callees)) < len(callees)

    def collect(self, node: ast.AST, here: _Here) -> None:
        """Find the calls below a node."""
        if not isinstance(node, PLACES):
            for child in children(node):
                self._visit(child, here)
            return
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, ast.AST):
                    self._visit(child, _inside(node, name, value, here))

    def _visit(self, node: ast.AST, here: _Here) -> None:
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in STEPS:
                self.ends.append((node, here))
            elif self._may_be_network(node.func):
                self.calls.setdefault((here.turn, ast.unparse(node.func)), []).append((node, here))
        elif isinstance(node, ast.stmt):
            here = _Here(here.turn, here.function, node, here.arms)
        self.collect(node, here)

    def _may_be_network(self, callee: ast.expr) -> bool:
        """Whether a callee is a name for a value, or below one, and no function that is known."""
        head, *rest = chain(callee) or ("",)
        if not head or head in self.file.imports or (rest and rest[-1] in DATA_MEMBERS):
            return False
        return bool(rest) or not hasattr(builtins, head)

    def repeated(self) -> Iterator[tuple[ast.Call, str]]:
        """Calls that are made again, and how."""
        for same in self.calls.values():
            for at, (later, here) in enumerate(same):
                if how := self._in_loop(later, here):
                    yield later, how
                if any(self._both_run(one, (later, here)) for one in same[:at]):
                    yield later, "again"

    def _in_loop(self, call: ast.Call, here: _Here) -> str:
        """How a call in a loop is made turn after turn; nothing for any other."""
        if not isinstance(here.turn, (*LOOPS, *COMPREHENSIONS)):
            return ""
        read = {item.id for item in walk(call) if isinstance(item, ast.Name)}
        if not read & self._names_stored(here.turn):
            return "same"
        if isinstance(here.turn, COMPREHENSIONS) or here.statement is None:
            return ""
        if self._ends_within(here):
            return ""
        is_carried = read & self._names_stored(here.statement) and here.statement is not here.turn
        return "carried" if is_carried else self._summed(here)

    def _names_stored(self, node: ast.AST) -> frozenset[str]:
        if node not in self._stored:
            names = (item for item in walk(node) if isinstance(item, ast.Name))
            self._stored[node] = frozenset(n.id for n in names if isinstance(n.ctx, ast.Store))
        return self._stored[node]

    def _ends_within(self, here: _Here) -> bool:
        """Whether each turn of a loop is done with a loss of its own."""
        first, last = _lines(here.turn)
        return any(
            first <= end.lineno <= last for end, at in self.ends if at.function is here.function
        )

    def _summed(self, here: _Here) -> str:
        """Whether the turns of a loop are for one loss, which comes after it in its function."""
        _, last = _lines(here.turn)
        after = (end for end, at in self.ends if at.function is here.function and end.lineno > last)
        return "summed" if any(after) else ""

    def _both_run(self, one: tuple[ast.Call, _Here], other: tuple[ast.Call, _Here]) -> bool:
        """Whether two calls are made for one loss, as far as branches and steps show."""
        (call, here), (later, there) = one, other
        arms = {branch: arm for branch, arm, _ in there.arms}
        for branch, arm, leaves in here.arms:
            if branch in arms and arms[branch] != arm:
                return False
            if branch not in arms and leaves:
                return False
        ends = [end.lineno for end, at in self.ends if at.function is here.function]
        if any(call.lineno <= line <= later.lineno for line in ends):
            return False
        is_script = isinstance(here.function, ast.Module)
        is_one = here.statement is there.statement or any(line > later.lineno for line in ends)
        return is_one or not is_script


def _inside(node: ast.AST, name: str, value: object, here: _Here) -> _Here:
    """Where what stands in a field of a node does."""
    if isinstance(node, FUNCTIONS):
        return _Here(node, node) if name == "body" else here
    if isinstance(node, LOOPS) and name == "body":
        return replace(here, turn=node, arms=())
    if isinstance(node, COMPREHENSIONS) and name != "generators":
        return replace(here, turn=node, arms=())
    is_arm = isinstance(node, ast.If | ast.IfExp) and name != "test"
    if is_arm or (isinstance(node, ast.Try) and name in ("handlers", "orelse")):
        leaves = isinstance(value, list) and isinstance(value[-1] if value else None, LEAVING)
        return replace(here, arms=(*here.arms, (node, name, leaves)))
    return here


def _lines(node: ast.AST) -> tuple[int, int]:
    line = getattr(node, "lineno", 0)
    return line, getattr(node, "end_lineno", line)
