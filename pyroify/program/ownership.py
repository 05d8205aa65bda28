"""Whose a declaration is: pyroify's, as the lock says, or the user's, which no wildcard touches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256

from pyroify.code.names import DECLARING_FUNCTION, Names
from pyroify.code.statements import (
    CallStatement,
    Declare,
    Declared,
    DeclareNamed,
    PyroParam,
    PyroSample,
    Statement,
    walk,
)
from pyroify.code.write import write, write_value
from pyroify.dispatch import Trait, needs
from pyroify.lock import Entry
from pyroify.program.index import Index
from pyroify.program.present import present_at_end
from pyroify.syntax.declarations import reached_by
from pyroify.syntax.facts import Assignment, Class, ExistingDeclaration, File, Function
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Declared as There
from pyroify.syntax.values import Location, Name, Value, options_of

SEVERAL = "*"
"""The site of a statement about several, and the class of a helper function."""
MAX_DEPTH = 3
"""How far calls are followed from a constructor to what declares."""


@dataclass(frozen=True, slots=True)
class Written:
    """A declaration as it stands in a file: its class, its site, and its source."""

    cls: str
    site: str
    said: Statement | Declared | str
    names: frozenset[str] = frozenset()
    """What it reads, where it is no definition."""

    @property
    def digest(self) -> str:
        """Equal for what declares the same in other words."""
        return sha256(text_of(self.said).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@cache
def text_of(said: Statement | Declared | str) -> str:
    """What a declaration says in the words of the rewrite."""
    if isinstance(said, str):
        return said
    if isinstance(said, PyroSample | PyroParam):
        return write_value(said, Names())
    return write(said, Names())


def written_in(file: File) -> Iterator[Written]:
    """All declarations of a file, and the functions and classes that declarations call."""
    for name, source in file.definitions:
        yield Written(SEVERAL, name, source)
    for cls in file.classes:
        yield from written_by(cls)


def written_by(cls: Class) -> Iterator[Written]:
    """The declarations of a class: within its methods, at their ends, and by decoration."""
    for method in cls.methods:
        if method.declared is not None:
            yield Written(cls.qualname, method.name, method.declared.value, method.declared.names)
        for item in method.assignments:
            for value in options_of(item.value):
                if isinstance(value, There):
                    site = ".".join(item.path) or SEVERAL
                    yield Written(cls.qualname, site, value.value, value.names)
        yield from (written for _, written in _at_end(cls, method))


def _at_end(cls: Class, method: Function) -> Iterator[tuple[ExistingDeclaration, Written]]:
    """The statements at the end of a method, each as it is known to the lock."""
    sites = {present.there: path for path, present in present_at_end(method).items()}
    for there in method.declarations:
        said: Statement | Declared = there.statement
        if isinstance(said, Declare) and there in sites:  # it may stand in place as well
            said = said.value
        yield there, Written(cls.qualname, sites.get(there, SEVERAL), said, there.names)


def is_ours(index: Index, file: File, written: Written) -> bool:
    """Whether pyroify wrote a declaration and the functions of the file that it calls.

    One that stands in place of the user's is none.
    """
    entry = _entry_of(index, file, written)
    if entry is None or entry.named:
        return False
    return written.names.isdisjoint(foreign_definitions(index, file) - {written.site})


def foreign_definitions(index: Index, file: File) -> frozenset[str]:
    """Helper functions and classes of a file that pyroify did not write, or not so."""
    return frozenset(
        name
        for name, source in file.definitions
        if _entry_of(index, file, Written(SEVERAL, name, source)) is None
    )


def _entry_of(index: Index, file: File, written: Written) -> Entry | None:
    """What the lock says of a declaration, if it knows it."""
    if not index.lock.entries:
        return None
    said = (written.cls, written.site, written.digest)
    return index.lock.find(file.path, *said, index.existing)


def next_entries(index: Index, path: str, rewritten: bytes | None = None) -> Iterator[Entry]:
    """The entries of a file: what was pyroify's in it, and what is new once it is ``rewritten``."""
    before = index.file(path)
    if before is None and rewritten is not None and path not in index.existing:
        before = File(path, index.loaded.names.module_name(path))  # it is new
    if before is None:
        return
    now = before if rewritten is None else index.classes_as_rewritten(path, rewritten)
    was = {(item.cls, item.site, item.digest): item for item in written_in(before)}
    by_hand = {
        (item.cls, item.site)
        for item in was.values()
        if (entry := _entry_of(index, before, item)) is None or entry.named
    }
    for item in written_in(now):
        key = (item.cls, item.site, item.digest)
        entry = _entry_of(index, before, item)
        if key not in was:
            yield Entry(path, *key, item.site != SEVERAL and key[:2] in by_hand)
        elif entry is not None:
            yield replace(entry, path=path)


@dataclass(frozen=True, slots=True)
class UserDeclarations:
    """The declarations of one class that its user wrote.

    ``sites`` are their paths, and those that a rule without wildcards has declared anew in their
    place, which are ``named``; ``statements`` those at the ends of methods. ``loops`` are the
    places of code that declares what it does not name; ``below`` are the attributes whose
    parameters these may be, ``""`` for all.
    """

    sites: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    statements: frozenset[Statement] = frozenset()
    loops: tuple[Location, ...] = ()
    below: frozenset[str] = frozenset()

    @property
    def is_throughout(self) -> bool:
        """Whether any parameter of the class may be declared by hand."""
        return "" in self.below

    def has(self, path: str) -> bool:
        """Whether a site is, or may be, declared by hand."""
        return path in self.sites or not self.below.isdisjoint(("", path.partition(".")[0]))


NONE = UserDeclarations()
BY_HAND: tuple[Trait, ...] = (
    ExistingDeclaration,
    (Assignment, There),
    (Function, "declared"),
    (Function, "declaring"),
)
"""What declares something."""


@needs(*anywhere(*BY_HAND), nothing=NONE)
def by_hand(index: Index, file: File, cls: Class) -> UserDeclarations:
    """What of a class is declared by hand."""
    written = list(written_by(cls))
    sites = {item.site for item in written if not is_ours(index, file, item)}
    named = {
        item.site
        for item in written
        if (entry := _entry_of(index, file, item)) is not None and entry.named
    }
    statements: set[Statement] = set()
    loops: list[Location] = []
    below: set[str] = set()
    for method in cls.methods:
        column = method.column + 4
        for there, item in _at_end(cls, method):
            if is_ours(index, file, item):
                continue
            statements.add(there.statement)
            if item.site == SEVERAL and _declares_several(there.statement):
                loops.append((there.line, column))
                below |= there.reached
        for line, reached in (*method.declaring, *_calls_that_declare(index, file, method)):
            loops.append((line, column))
            below |= reached
    return UserDeclarations(
        frozenset(sites - {SEVERAL}),
        frozenset(named),
        frozenset(statements),
        tuple(loops),
        frozenset(below),
    )


def _calls_that_declare(
    index: Index, file: File, method: Function
) -> Iterator[tuple[int, frozenset[str]]]:
    """Calls of functions of the project that declare what they are given, or what they find."""
    for call in method.layer_calls:
        functions = [call.callee, *(passed.value for passed in call.args)]
        if any(_declares(index, file.path, value) for value in functions):
            given = ", ".join(passed.text for passed in call.args)
            yield call.line, reached_by(ast.parse(f"{call.text}({given})"))


def _declares(index: Index, path: str, value: Value, depth: int = 0) -> bool:
    """Whether a value is a function that declares parameters of what it is given."""
    if not isinstance(value, Name) or depth > MAX_DEPTH:
        return False
    target = index.resolve(value.dotted, path)
    if target.function is None or target.file is None:
        return False
    inner = (call.callee for call in target.function.layer_calls)
    return bool(target.function.declaring) or any(
        _declares(index, target.file.path, callee, depth + 1) for callee in inner
    )


def _declares_several(statement: Statement) -> bool:
    """Whether a statement declares sites that it does not name one by one."""
    if isinstance(statement, CallStatement):
        return statement.function == DECLARING_FUNCTION
    if isinstance(statement, Declare):
        return False
    return any(isinstance(item, Declare | DeclareNamed) for item in walk((statement,)))
