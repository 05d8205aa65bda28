"""Where a function sets ``requires_grad`` of what hangs below ``self``, or of what it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pyroify.dispatch import needs
from pyroify.syntax.facts import Freeze
from pyroify.syntax.nodes import children, walk
from pyroify.syntax.source import Body, Source, chain
from pyroify.syntax.values import Path

PARAMETERS = {"parameters", "named_parameters"}
MODULES = {"modules", "named_modules", "children", "named_children"}
"""Methods that give the modules below one."""
ITEMS = {"values", "items"}
"""Methods that give all that is in a container."""
WHOLE = {"list", "tuple", "iter", "reversed", "enumerate", "set"}
"""Functions that leave nothing out of what they are given."""


@needs("requires_grad", "requires_grad_", nothing=())
def find_freezes(body: Body, this: str | None) -> tuple[Freeze, ...]:
    """What a function freezes, or may freeze, in the order of the source.

    Of a function that has no ``self`` only whether it freezes anything at all is of use.
    """
    names: dict[str, _Places] = {this: (_Held(()),)} if this else {}
    walker = _Walk(body.source, names, _attached(body, this), _last_reads(body))
    for name in {name for name, _ in walker.attached} - {this}:
        names[name] = walker.attached_from(name, 0)
    return tuple(walker.run(body.statements))


@dataclass(frozen=True, slots=True)
class _Held:
    """What an expression stands for: something below ``self``. ``whole``: all there is there.

    ``line``: where it is attached, if that is later. ``each``: each module there in turn, and with
    ``name`` what each calls so. ``kinds``: only instances of these classes.
    """

    path: Path
    whole: bool = True
    line: int = 0
    each: bool = False
    name: str = ""
    kinds: tuple[str, ...] = ()


_Places = tuple[_Held, ...]
"""What an expression stands for, or has for elements; none for what is not seen below ``self``."""


def _attached(body: Body, this: str | None) -> dict[tuple[str, int], Path | None]:
    """What becomes of local names by line: ``self.w = w``, or None where it is bound anew."""
    found: dict[tuple[str, int], Path | None] = {}
    for node in body.nodes.of(ast.Name, ast.Assign):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id, node.lineno] = None
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            parts = chain(node.targets[0])
            if len(parts) > 1 and parts[0] == this:
                found[node.value.id, node.lineno] = parts[1:]
    return dict(sorted(found.items(), key=lambda item: item[0][1]))


def _last_reads(body: Body) -> dict[str, int]:
    read = (node for node in body.nodes.of(ast.Name) if isinstance(node.ctx, ast.Load))
    return {node.id: node.lineno for node in sorted(read, key=lambda node: node.lineno)}


@dataclass
class _Walk:
    """``names``: what local names stand for. ``attached``, ``last_reads``: what becomes of them."""

    file: Source
    names: dict[str, _Places]
    attached: dict[tuple[str, int], Path | None]
    last_reads: dict[str, int]

    def attached_from(self, name: str, line: int) -> _Places:
        """Where that is attached later which a local name is bound to on a line."""
        found = []
        for (other, at), path in self.attached.items():
            if other == name and at > line:
                if path is None:
                    break
                found.append(_Held(path, line=at))
        return tuple(found)

    def nowhere(self, node: ast.expr) -> _Places:
        """Something that may be anything below ``self`` once its name is not read any more."""
        read = (item.id for item in walk(node) if isinstance(item, ast.Name))
        return (_Held((), False, max((self.last_reads.get(name, 0) for name in read), default=0)),)

    def run(self, body: Iterable[ast.AST], sure: bool = True) -> Iterator[Freeze]:
        for node in body:
            yield from self._statement(node, sure)

    def _statement(self, node: ast.AST, sure: bool) -> Iterator[Freeze]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return
            case ast.For(target=target, iter=over, body=body):
                self._bind(target, self._held(over) or self.nowhere(over))
                leaves = any(isinstance(item, ast.Break | ast.Continue) for item in walk(node))
                yield from self.run([*body, *node.orelse], sure and not leaves)
            case ast.With(body=body):
                yield from self.run(body, sure)
            case ast.If(
                test=ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=name), of])
            ):
                held = self.names.get(name, ())
                kinds = tuple(self._classes(of))
                self.names[name] = tuple(replace(item, kinds=kinds, whole=False) for item in held)
                yield from self.run(node.body, False)
                self.names[name] = held
                yield from self.run(node.orelse, False)
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
            held = self._held(value) or self.attached_from(target.id, line)
            self.names[target.id] = held
        elif isinstance(target, ast.Attribute) and target.attr == "requires_grad":
            yield from self._freeze(target.value, value, line, sure)
        elif isinstance(value, ast.Call) and self._is_of_what_it_makes(value):
            if self._held(target) and not _is_true(_flag(value)):
                yield from self._freeze(target, _flag(value), line, sure)
        else:
            made = [item for item in walk(value) if isinstance(item, ast.Call)]
            if any(self._is_of_what_it_makes(m) and not _is_true(_flag(m)) for m in made):
                yield from (Freeze(part.path, line, sure=False) for part in self._held(target))

    def _expressions(self, node: ast.AST, sure: bool) -> Iterator[Freeze]:
        """Calls that freeze, in the expressions of a statement itself."""
        own = [child for child in children(node) if isinstance(child, ast.expr)]
        inner = [item for child in own for item in walk(child)]
        for item in inner:
            if isinstance(item, ast.comprehension):
                self._bind(item.target, self._held(item.iter) or self.nowhere(item.iter))
        for item in inner:
            if isinstance(item, ast.Call):
                alone = isinstance(node, ast.Expr) and node.value is item
                yield from self._call(item, sure and alone)

    def _call(self, node: ast.Call, sure: bool) -> Iterator[Freeze]:
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="requires_grad_")):
                if not self._is_of_what_it_makes(node):
                    yield from self._freeze(owner, _flag(node), node.lineno, sure)
            case ast.Call(
                func=ast.Name(id="setattr"),
                args=[owner, ast.Constant(value="requires_grad"), value],
            ):
                yield from self._freeze(owner, value, node.lineno, sure)

    def _classes(self, of: ast.expr) -> Iterator[str]:
        """The classes that ``isinstance`` is asked about; none where one of them is not named."""
        items = of.elts if isinstance(of, ast.Tuple) else [of]
        names = [chain(item) for item in items]
        for first, *rest in names if all(names) else ():
            yield ".".join([self.file.imports.get(first, first), *rest])

    def _is_of_what_it_makes(self, node: ast.Call) -> bool:
        """``nn.Linear(d, d).requires_grad_(False)``: it is about nothing that was there before."""
        match node.func:
            case ast.Attribute(value=ast.Call() as made, attr="requires_grad_"):
                return not self._held(made)
        return False

    def _freeze(self, owner: ast.expr, value: ast.expr, line: int, sure: bool) -> Iterator[Freeze]:
        is_false = isinstance(value, ast.Constant) and value.value is False
        for held in self._held(owner) or self.nowhere(owner):
            is_sure = sure and held.whole and is_false
            yield Freeze(held.path, max(line, held.line), is_sure, held.name, held.kinds)

    def _bind(self, target: ast.expr, held: _Places) -> None:
        for item in walk(target):
            if isinstance(item, ast.Name):
                self.names[item.id] = held

    def _held(self, node: ast.expr) -> _Places:
        match node:
            case ast.Name(id=name):
                return self.names.get(name, ())
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                each = [self._held(item) for item in items]
                unseen = self.nowhere(node) if any(each) and not all(each) else ()
                return tuple(dict.fromkeys(held for found in (*each, unseen) for held in found))
            case ast.Attribute(value=owner, attr=name):
                return tuple(_named(held, name) for held in self._held(owner))
            case ast.Subscript(value=owner):
                return _parts(self._held(owner))
            case ast.Call(func=ast.Attribute(value=owner, attr=name)):
                held = self._held(owner)
                if name in MODULES:
                    return tuple(replace(item, each=True) for item in held)
                return held if name in PARAMETERS | ITEMS else _parts(held)
            case ast.Call(func=ast.Name(id=name), args=[first, *_]):
                held = self._held(first)
                return held if name in WHOLE else _parts(held)
        return ()


def _named(held: _Held, name: str) -> _Held:
    """An attribute of what an expression stands for."""
    if held.each:
        return replace(held, name=name, whole=False)
    return replace(held, path=(*held.path, name)) if held.whole else held


def _parts(held: _Places) -> _Places:
    """Something in what an expression stands for."""
    return tuple(replace(item, whole=False) for item in held)


def _flag(node: ast.Call) -> ast.expr:
    """What a call of ``requires_grad_`` sets."""
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return given[0] if given else ast.Constant(True)


def _is_true(flag: ast.expr) -> bool:
    return isinstance(flag, ast.Constant) and flag.value is True
