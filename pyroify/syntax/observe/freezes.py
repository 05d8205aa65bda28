"""Where a function sets ``requires_grad`` of what hangs below ``self``, or of what it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from pyroify.dispatch import needs
from pyroify.syntax.facts import Freeze
from pyroify.syntax.nodes import children, walk
from pyroify.syntax.source import Body, Source, chain
from pyroify.syntax.values import Path

PARAMETERS = {"parameters", "named_parameters"}
MODULES = {"modules", "named_modules", "children", "named_children", "values", "items"}
"""Methods that give all that is below a module or in a container."""
WHOLE = {"list", "tuple", "iter", "reversed", "enumerate", "set"}
"""Functions that leave nothing out of what they are given."""


@needs("requires_grad", "requires_grad_", nothing=())
def find_freezes(body: Body, this: str | None) -> tuple[Freeze, ...]:
    """What a function freezes, or may freeze, in the order of the source.

    Of a function that has no ``self`` only whether it freezes anything at all is of use.
    """
    names = {this: _Held(())} if this else {}
    return tuple(_Walk(body.source, {**_attached(body, this), **names}).run(body.statements))


@dataclass(frozen=True, slots=True)
class _Held:
    """What an expression stands for: something below ``self``. ``whole``: all there is there."""

    path: Path
    whole: bool = True


NOWHERE = _Held((), False)
"""Something that may be anything below ``self``, or nothing of it."""


def _attached(body: Body, this: str | None) -> dict[str, _Held]:
    """Local names of what becomes an attribute: ``self.w = w``."""
    found = {}
    for node in body.nodes_of(ast.Assign):
        if isinstance(node.value, ast.Name):
            parts = chain(node.targets[0])
            if len(parts) > 1 and parts[0] == this:
                found[node.value.id] = _Held(parts[1:])
    return found


@dataclass
class _Walk:
    file: Source
    names: dict[str, _Held] = field(default_factory=dict)

    def run(self, body: Iterable[ast.AST], sure: bool = True) -> Iterator[Freeze]:
        for node in body:
            yield from self._statement(node, sure)

    def _statement(self, node: ast.AST, sure: bool) -> Iterator[Freeze]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return
            case ast.For(target=target, iter=over, body=body):
                self._bind(target, self._held(over))
                leaves = any(isinstance(item, ast.Break | ast.Continue) for item in walk(node))
                yield from self.run([*body, *node.orelse], sure and not leaves)
            case ast.With(body=body):
                yield from self.run(body, sure)
            case ast.If() | ast.While() | ast.Try() | ast.Match():
                yield from self._expressions(node, False)
                for child in children(node):
                    inner = child if isinstance(child, ast.stmt) else None
                    parts = [inner] if inner else getattr(child, "body", [])
                    if isinstance(parts, list):
                        yield from self.run(parts, False)
            case ast.AnnAssign(target=target, value=ast.Call() as value):
                yield from self._expressions(node, sure)
                yield from self._assigned(target, value, node.lineno, sure)
            case ast.Assign(targets=targets, value=value):
                yield from self._expressions(node, sure)
                for target in targets:
                    yield from self._assigned(target, value, node.lineno, sure)
            case _:
                yield from self._expressions(node, sure)

    def _assigned(
        self, target: ast.expr, value: ast.expr, line: int, sure: bool
    ) -> Iterator[Freeze]:
        if isinstance(target, ast.Name):
            if held := self._held(value):
                self.names[target.id] = held
        elif isinstance(target, ast.Attribute) and target.attr == "requires_grad":
            yield self._freeze(target.value, value, line, sure)
        elif isinstance(value, ast.Call) and self._is_of_what_it_makes(value):
            if self._held(target) is not None and not _is_true(_flag(value)):
                yield self._freeze(target, _flag(value), line, sure)
        elif held := self._held(target):
            made = (item for item in walk(value) if isinstance(item, ast.Call))
            if any(self._is_of_what_it_makes(m) and not _is_true(_flag(m)) for m in made):
                yield Freeze(held.path, line, sure=False)  # a part of it

    def _expressions(self, node: ast.AST, sure: bool) -> Iterator[Freeze]:
        """Calls that freeze, in the expressions of a statement itself."""
        own = [child for child in children(node) if isinstance(child, ast.expr)]
        inner = [item for child in own for item in walk(child)]
        for item in inner:
            if isinstance(item, ast.comprehension):
                self._bind(item.target, self._held(item.iter))
        for item in inner:
            if isinstance(item, ast.Call):
                alone = isinstance(node, ast.Expr) and node.value is item
                yield from self._call(item, sure and alone)

    def _call(self, node: ast.Call, sure: bool) -> Iterator[Freeze]:
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="requires_grad_")):
                if not self._is_of_what_it_makes(node):
                    yield self._freeze(owner, _flag(node), node.lineno, sure)
            case ast.Call(
                func=ast.Name(id="setattr"),
                args=[owner, ast.Constant(value="requires_grad"), value],
            ):
                yield self._freeze(owner, value, node.lineno, sure)

    def _is_of_what_it_makes(self, node: ast.Call) -> bool:
        """``nn.Linear(d, d).requires_grad_(False)``: it is about nothing that was there before."""
        match node.func:
            case ast.Attribute(value=ast.Call() as made, attr="requires_grad_"):
                return self._held(made) is None
        return False

    def _freeze(self, owner: ast.expr, value: ast.expr, line: int, sure: bool) -> Freeze:
        held = self._held(owner) or NOWHERE
        is_false = isinstance(value, ast.Constant) and value.value is False
        return Freeze(held.path, line, sure and held.whole and is_false)

    def _bind(self, target: ast.expr, held: _Held | None) -> None:
        for item in walk(target):
            if isinstance(item, ast.Name):
                self.names[item.id] = held or NOWHERE

    def _held(self, node: ast.expr) -> _Held | None:
        """What an expression stands for; None for what is not below ``self``, as far as seen."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name)
            case ast.Attribute(value=owner, attr=name):
                held = self._held(owner)
                if held is None or not held.whole:
                    return held
                return _Held((*held.path, name))
            case ast.Subscript(value=owner):
                held = self._held(owner)
                return held and replace(held, whole=False)
            case ast.Call(func=ast.Attribute(value=owner, attr=name)):
                held = self._held(owner)
                is_whole = name in PARAMETERS | MODULES
                return held if held is None or is_whole else replace(held, whole=False)
            case ast.Call(func=ast.Name(id=name), args=[first, *_]):
                held = self._held(first)
                return held if held is None or name in WHOLE else replace(held, whole=False)
        return None


def _flag(node: ast.Call) -> ast.expr:
    """What a call of ``requires_grad_`` sets."""
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return given[0] if given else ast.Constant(True)


def _is_true(flag: ast.expr) -> bool:
    return isinstance(flag, ast.Constant) and flag.value is True
