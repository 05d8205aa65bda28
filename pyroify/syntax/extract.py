"""Source text to facts: one parse, one walk over each function, nothing of another file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyroify.catalog.module import MODULE, PYRO_MODULE
from pyroify.code.read import DECLARING
from pyroify.syntax.declarations import definitions
from pyroify.syntax.facts import AttributeStore, Class, File, Function, Suppression
from pyroify.syntax.functions import Definition, read_function, read_method
from pyroify.syntax.interpret.collections import element_of, merged, substitute, taken_from
from pyroify.syntax.interpret.expressions import Expressions
from pyroify.syntax.liftings import bound_networks, liftings
from pyroify.syntax.nodes import children, is_main_guard, walk
from pyroify.syntax.observe.class_names import dispatches
from pyroify.syntax.observe.growth import grown
from pyroify.syntax.observe.mentions import mentions
from pyroify.syntax.observe.observations import parameter_sweeps, type_tests
from pyroify.syntax.observe.repeats import repeats
from pyroify.syntax.source import Source, chain, own_statements
from pyroify.syntax.values import Call, Items, Name, Unknown, Value, join

SUPPRESSION = re.compile(
    r"#\s*pyroify:\s*(?P<kind>ignore(?:-class|-file)?)\b(?:\[(?P<codes>[^\]]*)\])?"
    r"(?:[^#]*?\buntil=(?P<until>\S*))?"
)
LINE_LENGTHS = (88, 100, 120)


def extract(text: str, path: str, module: str, is_package: bool = False) -> File:
    """Read the facts of one file.

    ``module`` is its dotted name, from which relative imports are resolved. Raises SyntaxError.
    """
    source = _source(text, path, module, is_package)
    tree = source.tree
    found = _Found(source)
    found.read_module(tree.body)
    mentioned, handed = mentions(source)
    return File(
        path=path,
        module=module,
        imports=tuple(source.imports.items()),
        stars=tuple(source.stars),
        modules=tuple(source.modules),
        imports_by_dots=source.imports_by_dots,
        is_run=any(isinstance(node, ast.If) and is_main_guard(node.test) for node in tree.body),
        classes=tuple(found.classes),
        functions=tuple(found.functions),
        aliases=tuple(found.aliases.items()),
        grown=frozenset(grown(source, found.followed)),
        bound=frozenset(_bound(source)) | source.names,
        mentions=mentioned,
        handed=handed,
        suppressed=tuple(_suppressions(source)) if "pyroify:" in text else (),
        module_calls=tuple(found.module_calls),
        puts=tuple(found.puts),
        type_tests=type_tests(source),
        sweeps=parameter_sweeps(source),
        repeats=repeats(source),
        dispatches=dispatches(source),
        definitions=tuple(definitions(tree.body)),
        line_length=_usual_length(source.lines),
        liftings=liftings(source),
        networks=bound_networks(source),
    )


def extract_classes(text: str, path: str, module: str, is_package: bool = False) -> File:
    """Of the facts of a file only those of its classes, and what a rewrite has defined in it.

    Raises SyntaxError.
    """
    source = _source(text, path, module, is_package)
    found = _Classes(source)
    found.read_module(source.tree.body)
    written = tuple(definitions(source.tree.body))
    return File(path, module, classes=tuple(found.classes), definitions=written)


def _source(text: str, path: str, module: str, is_package: bool) -> Source:
    return Source(text, ast.parse(text, filename=path), module, is_package)


@dataclass
class _Found:
    """Classes and functions wherever they stand, and what a file assigns and calls by itself."""

    source: Source
    classes: list[Class] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    aliases: dict[str, Value] = field(default_factory=dict)
    module_calls: list[Call] = field(default_factory=list)
    puts: list[AttributeStore] = field(default_factory=list)
    followed: set[ast.AST] = field(default_factory=set)
    """What puts entries into a dict of the file, as ``aliases`` tell."""

    def read_module(self, body: Sequence[ast.stmt]) -> None:
        """Read the statements of a file."""
        expressions = Expressions(self.source)
        self._read_statements(body, expressions, frozenset(body))
        self.module_calls = expressions.calls

    def _read_statements(
        self, body: Sequence[ast.stmt], expressions: Expressions, top: frozenset[ast.stmt]
    ) -> None:
        """Read statements that a file runs by itself; those of ``top`` it runs for sure."""
        for node in own_statements(body):
            match node:
                case ast.ClassDef():
                    self._read_class(node, node.name)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._read_function(node, node.name)
                case ast.Assign(targets=[ast.Name(), *_], value=value):
                    names = [target.id for target in node.targets if isinstance(target, ast.Name)]
                    self._assign(names, expressions.evaluate(value), node in top)
                case ast.Assign(targets=[ast.Tuple() | ast.List() as target], value=value):
                    self._assign_parts(target, expressions.evaluate(value), node in top)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._assign([name], expressions.evaluate(value), node in top)
                case ast.Assign(targets=[ast.Attribute(value=owner, attr=name)], value=value):
                    made = expressions.evaluate(owner), name, expressions.evaluate(value)
                    place = node.lineno, self.source.column(node)
                    self.puts.append(AttributeStore(*made, *place, sure=False))
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id=name), slice=key) as put], value=value
                ) if node in top and self._is_dict(name):
                    expressions.evaluate(key)
                    entry = Items((expressions.evaluate(value),), (expressions.key(key),))
                    self._enter(name, entry, put)
                case ast.Expr(
                    value=ast.Call(
                        func=ast.Attribute(value=ast.Name(id=name), attr="update"),
                        args=[more],
                        keywords=[],
                    ) as put
                ) if node in top and self._is_dict(name):
                    expressions.evaluate_within(put)
                    self._enter(name, expressions.evaluate(more), put)
                case ast.For(target=target) | ast.AsyncFor(target=target):
                    over = element_of(expressions.evaluate(node.iter))
                    self._assign_parts(target, over, surely=False)
                    self._read_statements([*node.body, *node.orelse], expressions, frozenset())
                case ast.While():
                    expressions.evaluate(node.test)
                    self._read_statements([*node.body, *node.orelse], expressions, frozenset())
                case _:
                    expressions.evaluate_within(node)

    def _assign_parts(self, target: ast.expr, value: Value, surely: bool) -> None:
        """Give one name a value, or several names a part of it each."""
        if isinstance(target, ast.Name):
            self._assign([target.id], value, surely)
        elif isinstance(target, ast.Tuple | ast.List):
            for item, part in zip(target.elts, taken_from(value, target), strict=True):
                self._assign_parts(item, part, surely)

    def _is_dict(self, name: str) -> bool:
        """Whether a name of the file stands for a dict by now, or for an empty list."""
        held = self.aliases.get(name)
        return isinstance(held, Items) and (bool(held.keys) or not held.items)

    def _enter(self, name: str, entries: Value, put: ast.AST) -> None:
        """Note entries that a dict of the file gets."""
        self.aliases[name] = merged((self.aliases[name], entries))
        self.followed.add(put)

    def _assign(self, names: Sequence[str], value: Value, surely: bool) -> None:
        """Give names of the file a value, which may be made of what they stood for."""
        for name in names:
            old = self.aliases.get(name)
            new = value if old is None else substitute(value, f"{self.source.module}.{name}", old)
            keeps = not surely and old is not None and not isinstance(new, Name)
            self.aliases[name] = join(old, new) if old is not None and keeps else new
        self.source.names.update(names)

    def _read_function(self, node: Definition, name: str) -> None:
        function = read_function(self.source, node, name)
        self._read_within(node, name)
        self.functions.append(function)

    def _read_within(self, function: Definition, name: str) -> None:
        """Read the classes and functions that are defined in a function."""
        for node in _definitions(function):
            inner = f"{name}.<locals>.{node.name}"
            if isinstance(node, ast.ClassDef):
                self._read_class(node, inner)
            else:
                self._read_function(node, inner)

    def _read_class(self, node: ast.ClassDef, qualname: str) -> None:
        source, expressions = self.source, Expressions(self.source)
        methods: list[Function] = []
        attributes: list[tuple[str, Value]] = []
        names = {item: _assigned_names(source, item) for item in own_statements(node.body)}
        later = _run_later(source, node)
        known = frozenset().union(*(found for item, found in names.items() if item not in later))
        for item in own_statements(node.body):
            match item:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    methods.append(read_method(source, item, known | names[item]))
                    self._read_within(item, item.name)
                case ast.ClassDef():
                    self._read_class(item, f"{qualname}.{item.name}")
                case ast.Assign(targets=[ast.Name(id=name), *_], value=value):
                    attributes.append((name, expressions.evaluate(value)))
                case ast.AnnAssign(target=ast.Name(id=name), value=default):
                    made = expressions.evaluate(default) if default else Unknown()
                    attributes.append((name, made))
        metaclasses = [source.dotted(k.value) for k in node.keywords if k.arg == "metaclass"]
        self.classes.append(
            Class(
                name=node.name,
                qualname=qualname,
                line=node.lineno,
                column=source.column(node),
                bases=tuple(
                    (
                        source.source(base),
                        source.dotted_base(base),
                        base.lineno,
                        source.column(base),
                    )
                    for base in node.bases
                ),
                metaclass=metaclasses[0] if metaclasses else "",
                is_generic=bool(getattr(node, "type_params", ())),  # from Python 3.12 on
                decorators=tuple(map(source.dotted, node.decorator_list)),
                registered=tuple(
                    source.dotted(item.func if isinstance(item, ast.Call) else item)
                    for item in node.decorator_list
                ),
                methods=tuple(methods),
                class_attributes=tuple(attributes),
                body_column=source.column(node.body[0]),
                end_line=node.end_lineno or node.lineno,
            )
        )


class _Classes(_Found):
    """Classes alone, those within functions included."""

    def _read_function(self, node: Definition, name: str) -> None:
        self._read_within(node, name)


def _definitions(node: ast.AST) -> Iterator[ast.ClassDef | Definition]:
    """Classes and functions among the statements of a function, however deep in its blocks."""
    for child in children(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _definitions(child)


def _run_later(source: Source, node: ast.ClassDef) -> frozenset[ast.stmt]:
    """Methods that surely do not run while an instance is built: nothing calls them by then."""
    if any(source.dotted(base) not in MODULE | PYRO_MODULE for base in node.bases):
        return frozenset()  # others may call them
    mentioned = {item.attr for item in walk(node) if isinstance(item, ast.Attribute)}
    return frozenset(
        item
        for item in own_statements(node.body)
        if isinstance(item, ast.FunctionDef)
        and item.name not in mentioned
        and not item.name.startswith("__")
    )


def _assigned_names(source: Source, node: ast.stmt) -> frozenset[str]:
    """Names given to ``self`` in a statement of a class, other than by a declaration."""
    names: set[str] = set()
    for item in walk(node):
        if isinstance(item, ast.Assign | ast.AnnAssign):
            if not _declares_later(source, item.value):
                targets = item.targets if isinstance(item, ast.Assign) else [item.target]
                found = [inner for target in targets for inner in walk(target)]
                stored = [n for n in found if isinstance(getattr(n, "ctx", None), ast.Store)]
                names.update(parts[1] for parts in map(chain, stored) if len(parts) == 2)
        elif isinstance(item, ast.Call):
            name, *values = _name_given(item) or (item,)
            if isinstance(name, ast.Constant) and not any(
                _declares_later(source, value) for value in values
            ):
                names.add(str(name.value))
    return frozenset(names)


def _name_given(call: ast.Call) -> Sequence[ast.expr]:
    """The name that ``register_parameter`` or ``setattr`` gives, and the value, if it is one.

    What is put into a part of ``self`` is none of its own names.
    """
    by_keyword = {item.arg: item.value for item in call.keywords}
    match chain(call.func):
        case (_, "register_parameter"):
            name = by_keyword.pop("name", None)
            return [*([name] if name else []), *call.args, *by_keyword.values()]
        case ("setattr",) if len(chain(call.args[0] if call.args else None)) == 1:
            return call.args[1:]
    return ()


def _declares_later(source: Source, value: ast.expr | None) -> bool:
    """Whether a value is a declaration, or a constant such as None until it is declared."""
    if isinstance(value, ast.Call):
        return source.dotted(value.func) in DECLARING
    return isinstance(value, ast.Constant)


def _bound(source: Source) -> Iterator[str]:
    """Names that are assigned, or are arguments, anywhere in a file."""
    names = source.nodes.of(ast.Name)
    yield from (node.id for node in names if not isinstance(node.ctx, ast.Load))
    yield from (node.arg for node in source.nodes.of(ast.arg))


def _suppressions(source: Source) -> Iterator[Suppression]:
    first = {
        node.end_lineno: node.lineno
        for node in source.nodes.all
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
        if not isinstance(node, ast.Match)
    }
    for number, line in enumerate(source.lines, 1):
        if match := SUPPRESSION.search(line):
            codes = None if match["codes"] is None else match["codes"].split(",")
            stripped = None if codes is None else tuple(code.strip() for code in codes)
            start = first.get(number, number)
            yield Suppression(number, match["kind"], stripped, match["until"], start)


def _usual_length(lines: Sequence[str]) -> int:
    """The usual limit that nearly all lines keep to."""
    for limit in LINE_LENGTHS[:-1]:
        if sum(len(line) > limit for line in lines) <= len(lines) // 100:
            return limit
    return LINE_LENGTHS[-1]
