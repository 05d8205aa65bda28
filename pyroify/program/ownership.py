"""Whose a declaration is: pyroify's, as the lock says, or the user's, which no wildcard touches."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256

from pyroify.code.meaning import meaning
from pyroify.lock import Entry
from pyroify.program.index import Index
from pyroify.program.present import present_at_end
from pyroify.syntax.declarations import DECLARING_FUNCTION
from pyroify.syntax.facts import Class, File, Function
from pyroify.syntax.values import Declared, Location, Name, Value, options_of

SEVERAL = "*"
"""The site of a statement about several, and the class of a helper function."""
GOES_OVER = {
    *("modules", "named_modules", "children", "named_children", "apply"),
    *("parameters", "named_parameters", "_parameters", "_modules", "__dict__"),
}
"""Members of a module that lead to all it holds."""
MAX_DEPTH = 3
"""How far calls are followed from a constructor to what declares."""
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Written:
    """A declaration as it stands in a file: its class, its site, and its source."""

    cls: str
    site: str
    text: str

    @property
    def digest(self) -> str:
        """Equal for what declares the same in other words."""
        return digest(self.text)


@cache
def digest(text: str) -> str:
    """The digest of what a declaration says, however it is formatted."""
    with suppress(SyntaxError):  # of a piece of a statement the letters will do
        text = meaning(text)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


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
            yield Written(cls.qualname, method.name, method.declared.text)
        for item in method.assignments:
            for value in options_of(item.value):
                if isinstance(value, Declared):
                    yield Written(cls.qualname, ".".join(item.path) or SEVERAL, value.text)
        yield from (Written(cls.qualname, site, text) for site, text in _at_end(method))


def _at_end(method: Function) -> Iterator[tuple[str, str]]:
    """The statements at the end of a method, each with its site."""
    if method.declarations is None:
        return
    sites = {there.text: path for path, there in present_at_end(method).items()}
    for text in method.declarations.texts:
        site = sites.get(text, SEVERAL)
        yield site, _assigned(text) if site != SEVERAL else text


def _assigned(statement: str) -> str:
    """The value of an assignment, which is what stands in place, too; another one as it is."""
    match ast.parse(statement).body:
        case [ast.Assign(value=value)]:
            return ast.unparse(value)
    return statement


def is_ours(index: Index, file: File, written: Written) -> bool:
    """Whether pyroify wrote a declaration and the functions of the file that it calls.

    One that stands in place of the user's is none.
    """
    entry = _entry_of(index, file, written)
    if entry is None or entry.named:
        return False
    words = set(WORD.findall(written.text))
    return not words & foreign_definitions(index, file) - {written.site}


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
    if before is None:
        return
    now = before if rewritten is None else index.file_as_rewritten(path, rewritten)
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
class ByHand:
    """The declarations of one class that its user wrote.

    ``sites`` are their paths, and those that a rule without wildcards has declared anew in their
    place, which are ``named``; ``statements`` those at the ends of methods, normalised. ``loops``
    are the places of code that declares what it does not name; ``below`` are the attributes whose
    parameters these may be, ``""`` for all.
    """

    sites: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    statements: frozenset[str] = frozenset()
    loops: tuple[Location, ...] = ()
    below: frozenset[str] = frozenset()

    @property
    def is_throughout(self) -> bool:
        """Whether any parameter of the class may be declared by hand."""
        return "" in self.below

    def has(self, path: str) -> bool:
        """Whether a site is, or may be, declared by hand."""
        return path in self.sites or not self.below.isdisjoint(("", path.partition(".")[0]))


def by_hand(index: Index, file: File, cls: Class) -> ByHand:
    """What of a class is declared by hand."""
    written = list(written_by(cls))
    sites = {item.site for item in written if not is_ours(index, file, item)}
    named = {
        item.site
        for item in written
        if (entry := _entry_of(index, file, item)) is not None and entry.named
    }
    statements: set[str] = set()
    loops: list[Location] = []
    below: set[str] = set()
    for method in cls.methods:
        column = method.column + 4
        for line, text, site in _statements_by_hand(index, file, cls, method):
            statements.add(text)
            if site == SEVERAL and _declares_several(text):
                loops.append((line, column))
                below |= reached_by(text)
        for line, text in (*method.declaring, *_calls_that_declare(index, file, method)):
            loops.append((line, column))
            below |= reached_by(text)
    return ByHand(
        frozenset(sites - {SEVERAL}),
        frozenset(named),
        frozenset(statements),
        tuple(loops),
        frozenset(below),
    )


def _calls_that_declare(index: Index, file: File, method: Function) -> Iterator[tuple[int, str]]:
    """Calls of functions of the project that declare what they are given, or what they find."""
    for call in method.layer_calls:
        functions = [call.callee, *(passed.value for passed in call.args)]
        if any(_declares(index, file.path, value) for value in functions):
            yield call.line, f"{call.text}({', '.join(passed.text for passed in call.args)})"


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


def _statements_by_hand(
    index: Index, file: File, cls: Class, method: Function
) -> Iterator[tuple[int, str, str]]:
    """Line, source and site of the statements at the end of a method that are not pyroify's."""
    if method.declarations is None:
        return
    there = method.declarations
    for line, text, (site, said) in zip(there.lines, there.texts, _at_end(method), strict=True):
        if not is_ours(index, file, Written(cls.qualname, site, said)):
            yield line, text, site


def _declares_several(text: str) -> bool:
    """Whether a statement declares sites that it does not name one by one."""
    if text.startswith(f"{DECLARING_FUNCTION}("):
        return True
    is_loop = text.startswith(("for ", "if ", "setattr("))
    return is_loop and ("PyroSample(" in text or "PyroParam(" in text)


def reached_by(text: str) -> frozenset[str]:
    """The attributes of ``self`` that a statement may reach parameters through; ``""``: all."""
    found: set[str] = set()
    tree = ast.parse(text)
    members = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    owners = {id(node.value) for node in members if not node.attr.startswith("__")}
    for member in members:
        if isinstance(member.value, ast.Name) and member.value.id == "self":
            found.add("" if member.attr in GOES_OVER else member.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "self" and id(node) not in owners:
            found.add("")
    return frozenset(found or {""})
