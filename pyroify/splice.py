"""What of a file its edits need to see; a stand-in has the place of all else, which stays as it is.

A skeleton is the text of a file in which each run of statements that no edit concerns is one short
statement of the same form, and a long comment a short one. Only that is parsed and printed, and
what the stand-ins stand for comes back as it was.
"""

from __future__ import annotations

import ast
import io
import re
from bisect import bisect_left
from collections.abc import Collection, Container, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import groupby

from pyroify.decide.model import Edit
from pyroify.edits import kinds
from pyroify.syntax.declarations import definitions
from pyroify.transforms._layout import BOUNDARY

OF_FILES = (kinds.Definitions, kinds.Imports)
"""Edits of a file: they look at its imports, its docstring, the first definition and their own."""
OF_WHOLE = (kinds.Statements,)
"""Edits that may take a whole definition out; others of one look at its head, and at what
``_Cutter._declared`` says of its body."""
LONG = 12
"""Lines of comment that are worth a stand-in."""
SHORT = 24
"""Characters that are not worth one."""

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef


class LostError(Exception):
    """What was hidden cannot be put back: its stand-in is gone, or not what it was."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A statement or comment in place of ``hidden``, which is these statements."""

    text: str
    hidden: str
    statements: tuple[ast.stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What is left of a file. ``lines`` tells where the lines with edits are now."""

    text: str
    mark: str = ""
    stand_ins: Sequence[StandIn] = ()
    lines: dict[int, int] = field(default_factory=dict)

    def placed(self, edit: Edit) -> Edit:
        """An edit, at its place in the skeleton."""
        return replace(edit, line=self.lines.get(edit.line, edit.line))

    def filled(self, text: str) -> str:
        """The text of the edited skeleton with all that is hidden. Raises LostError."""
        waiting = dict(enumerate(self.stand_ins))

        def fill(found: re.Match[str]) -> str:
            stand_in = waiting.pop(int(found["number"]), None)
            if stand_in is None or stand_in.text != found[0]:
                raise LostError
            return stand_in.hidden

        if not self.stand_ins:
            return text
        form = rf"(?:#|class |def |if )?{self.mark}(?P<number>\d+)_(?:(?:\(\))?:\s+pass)?"
        whole = re.sub(form, fill, text)
        if waiting:
            raise LostError
        return whole

    def naming(self, names: Collection[str]) -> Iterator[ast.stmt]:
        """The hidden statements among which one of the names may stand."""
        for stand_in in self.stand_ins:
            text = stand_in.hidden
            # Python takes some letters for others: a name need not stand there as it is.
            if not text.isascii() or any(name in text for name in names):
                yield from stand_in.statements


def skeleton_of(text: str, edits: Collection[Edit]) -> Skeleton:
    """What the edits of a file need to see of it. Raises SyntaxError."""
    tree = ast.parse(text)
    named = {name for name, _ in definitions(tree.body)}
    inner: list[Edit] = []
    for edit in edits:
        if isinstance(edit, kinds.Definitions):
            named |= {name for source in edit.sources for name in _defined(source)}
        elif not isinstance(edit, OF_FILES):
            inner.append(edit)
    cutter = _Cutter(text, inner, named)
    made = cutter.cut(tree)
    # LibCST takes the first indent and the first line end for those of the whole file.
    if _first_indent(tree, cutter.lines) == _first_indent(ast.parse(made.text), _lines(made.text)):
        if _first_line_end(text) == _first_line_end(made.text):
            return made
    return Skeleton(text)


def _defined(source: str) -> Iterator[str]:
    return (node.name for node in ast.parse(source).body if isinstance(node, Definition))


def _lines(text: str) -> list[str]:
    """The lines as ast counts them, with their ends."""
    return list(io.StringIO(text, newline=""))


def _first_line_end(text: str) -> str:
    found = re.search(r"\r\n?|\n", text)
    return found[0] if found else ""


def _first_indent(tree: ast.Module, lines: Sequence[str]) -> str:
    indents = (_indent(first, lines) for node in tree.body for first in _suites(node))
    return next((indent for indent in indents if indent), "")


def _indent(node: ast.stmt, lines: Sequence[str]) -> str:
    """What stands before a statement, if that is nothing but its indent."""
    before = lines[node.lineno - 1][: node.col_offset]
    return before if before.isspace() else ""


def _suites(node: ast.stmt) -> Iterator[ast.stmt]:
    """The first statement of each suite of a compound statement, in turn."""
    while True:
        handlers: Sequence[ast.ExceptHandler] = getattr(node, "handlers", ())
        *suites, orelse, last = (
            getattr(node, "body", ()),
            *(handler.body for handler in handlers),
            getattr(node, "orelse", ()),
            getattr(node, "finalbody", ()),
        )
        yield from (suite[0] for suite in suites if suite)
        if not (orelse and orelse[0].col_offset == node.col_offset):
            yield from (suite[0] for suite in (orelse, last) if suite)
            return
        node = orelse[0]  # of `elif`


@dataclass(frozen=True, slots=True)
class _Part:
    """The statements on the lines from ``first`` to ``last``: one, or several on one line."""

    statements: tuple[ast.stmt, ...]
    first: int
    last: int

    @property
    def is_definition(self) -> bool:
        return isinstance(self.statements[0], Definition)


def _parts(body: Sequence[ast.stmt]) -> Iterator[_Part]:
    waiting: list[ast.stmt] = []
    for node in body:
        if waiting and node.lineno > (waiting[-1].end_lineno or 0):
            yield _part(waiting)
            waiting = []
        waiting.append(node)
    yield from [_part(waiting)] if waiting else ()


def _part(statements: Sequence[ast.stmt]) -> _Part:
    return _Part(tuple(statements), _first_line(statements[0]), statements[-1].end_lineno or 0)


def _first_line(node: ast.stmt) -> int:
    """Where a statement begins, its decorators included."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    return decorators[0].lineno if decorators else node.lineno


class _Cutter:
    """Goes through the lines of a file once, and makes its skeleton."""

    def __init__(self, text: str, edits: Sequence[Edit], named: Set[str]) -> None:
        self.lines = _lines(text)
        self.mark = "_hidden_"
        while self.mark in text:
            self.mark += "_"
        self.named = named
        self.edits: dict[int, list[Edit]] = {}
        for edit in edits:
            self.edits.setdefault(edit.line, []).append(edit)
        self.edited = sorted(self.edits)
        self.made: list[str] = []
        self.count = 0
        self.stand_ins: list[StandIn] = []
        self.places: dict[int, int] = {}

    def cut(self, tree: ast.Module) -> Skeleton:
        """The skeleton of the file, whose syntax tree this is."""
        parts = list(_parts(tree.body))
        stay = {n for n, part in enumerate(parts) if self._is_of_file(part)}
        self._suite(parts, 1, len(self.lines) + 1, stay)
        return Skeleton("".join(self.made), self.mark, self.stand_ins, self.places)

    def _is_of_file(self, part: _Part) -> bool:
        """Whether edits of the file may be about a statement, or tell it from others."""
        return any(
            isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or (isinstance(node, Definition) and node.name in self.named)
            for node in part.statements
        )

    def _suite(
        self,
        parts: Sequence[_Part],
        start: int,
        end: int,
        stay: Container[int],
        apart: bool = False,
    ) -> None:
        """What is kept of the lines up to ``end``, which hold some statements.

        Those that ``stay`` are kept as they are; with ``apart`` each has a stand-in of its own.
        """
        run: list[_Part] = []
        for number, part in enumerate(parts):
            is_hidden = number not in stay and self._may_hide(part)
            if run and not (is_hidden and not apart and _joins(run[0], part)):
                start = self._hide(run, start)
                run = []
            if is_hidden:
                run.append(part)
                continue
            self._between(start, part.first)
            start = part.last + 1
            if number in stay:
                self._write(part.first, start)
            else:
                self._keep(part)
        if run:
            start = self._hide(run, start)
        self._between(start, end)

    def _may_hide(self, part: _Part) -> bool:
        if self._edits_in(part.first, part.last + 1):
            return False
        goes_on = self.lines[part.last - 1].rstrip().endswith("\\")
        return not goes_on and not isinstance(part.statements[0], ast.Match | ast.Pass)

    def _edits_in(self, start: int, end: int) -> list[Edit]:
        lines = self.edited[bisect_left(self.edited, start) : bisect_left(self.edited, end)]
        return [edit for line in lines for edit in self.edits[line]]

    def _keep(self, part: _Part) -> None:
        """A statement with edits; what they do not concern of a definition's body is hidden."""
        node = part.statements[0]
        end = part.last + 1
        if isinstance(node, Definition) and _indent(node.body[0], self.lines):
            body = _first_line(node.body[0])
            edits = self._edits_in(part.first, body)
            if not any(isinstance(edit, OF_WHOLE) for edit in edits):
                self._write(part.first, body)
                inner = list(_parts(node.body))
                declared = next((e for e in edits if isinstance(e, kinds.Declarations)), None)
                stay = _declared(declared, len(inner)) if declared else range(0)
                counted = declared is not None and declared.before is not None
                self._suite(inner, body, end, stay, counted)
                return
        self._write(part.first, end)

    def _write(self, start: int, end: int) -> None:
        """Lines as they are."""
        for line in self.edited[bisect_left(self.edited, start) : bisect_left(self.edited, end)]:
            self.places[line] = self.count + line - start + 1
        self._add("".join(self.lines[start - 1 : end - 1]), end - start)

    def _add(self, text: str, count: int) -> None:
        self.made.append(text)
        self.count += count

    def _between(self, start: int, end: int) -> None:
        """Lines between statements: long comments, and what LibCST cannot print, are hidden."""
        for kind, group in groupby(range(start, end), lambda line: _comment(self.lines[line - 1])):
            first, *rest = group
            last = rest[-1] if rest else first
            if kind is None or (kind != "\f" and last - first < LONG):
                self._write(first, last + 1)
            else:
                self._stand_in("#{}", first, last, ())

    def _hide(self, run: Sequence[_Part], start: int) -> int:
        """Write what stands for a run of statements, and what is above it; return what follows."""
        first, last = run[0].first, run[-1].last
        self._between(start, first)
        statements = tuple(node for part in run for node in part.statements)
        outer = self.lines[first - 1][: statements[0].col_offset]
        *_, suite = (None, *_suites(statements[-1]))
        inner = _indent(suite, self.lines) if suite else ""
        is_block = len(inner) > len(outer)
        if is_block:
            tail = f":{_line_end(self.lines[first - 1])}{inner}pass"
        else:
            tail = ": pass" if run[0].is_definition else ""
        match statements[0]:
            case ast.ClassDef():
                form = "class {}" + tail
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                form = "def {}()" + tail
            case _:
                form = ("if {}" if is_block else "{}") + tail
        self._stand_in(form, first, last, statements)
        return last + 1

    def _stand_in(self, form: str, first: int, last: int, statements: tuple[ast.stmt, ...]) -> None:
        """Write a stand-in for lines, unless it saves too little or would end them otherwise."""
        lines = self.lines[first - 1 : last]
        end = _line_end(lines[-1])
        whole = "".join(lines)
        indent = whole[: len(whole) - len(whole.lstrip(" \t"))]
        hidden = whole[len(indent) : len(whole) - len(end)]
        text = form.format(f"{self.mark}{len(self.stand_ins)}_")
        is_long = len(hidden) > len(text) + SHORT or "\f" in hidden
        if not is_long or (end and _line_end(lines[0]) != end):
            self._write(first, last + 1)
            return
        self.stand_ins.append(StandIn(text, hidden, statements))
        self._add(f"{indent}{text}{end}", len(_lines(text)))


def _joins(first: _Part, part: _Part) -> bool:
    """Whether a statement may be hidden with those before it, as no edit looks for it.

    Edits look for the first class or function, those of a class for the first function.
    """
    match first.statements[0]:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return True
        case ast.ClassDef():
            return not isinstance(part.statements[0], FunctionDef)
    return not part.is_definition


def _declared(edit: kinds.Declarations, count: int) -> range:
    """Which statements of a function its declarations are, by number."""
    start = count - len(edit.existing) if edit.before is None else edit.before
    return range(start, start + len(edit.existing))


def _comment(line: str) -> str | None:
    """The indent of a line that is nothing but a comment; a form feed for one that has some."""
    text = line.lstrip()
    if "\f" in line:
        return "\f"
    if text.startswith("#") and not BOUNDARY.match(text):
        return line[: len(line) - len(text)]
    return None


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
