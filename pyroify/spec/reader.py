"""YAML nodes to plain values and expressions, with the place of every fault."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import inf, nan
from typing import Final, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pyroify.spec.check import Fault, suggest
from pyroify.spec.expressions import Call, Expression, ExpressionError, Items, parse_expression
from pyroify.spec.model import LINE_END, Position, Problem, SpecError, excerpt

NOT_YAML = "PYR100"
UNKNOWN_KEY = "PYR101"
WRONG_VALUE = "PYR103"
BAD_EXPRESSION = "PYR105"
DUPLICATE_KEY = "PYR117"

_BOOLEANS: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "false": False,
    "no": False,
    "off": False,
}
_STANDARD_TAG: Final = "tag:yaml.org,2002:"
_MAX_DEPTH: Final = 50
_MAX_REPEATED: Final = 50_000

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = {".inf": inf, "+.inf": inf, "-.inf": -inf, ".nan": nan}


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a YAML mapping and its value."""

    name: str
    key: Node
    value: Node


class _Loader(yaml.SafeLoader):
    """Keeps the tags that are written out; the nodes do not tell them from those that YAML adds."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.tagged: list[tuple[Node, str]] = []

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        tag = getattr(event, "tag", None)
        if tag is not None and node is not None:
            self.tagged.append((node, tag))
        return node


class Reader:
    """The text, and the problems found in it so far."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.line_starts = [0, *(match.end() for match in LINE_END.finditer(text))]

    def compose(self) -> MappingNode:
        """The root of the document; raises SpecError where it is no YAML mapping."""
        try:
            loader = _Loader(self.text)
            root = loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = f"{error.context} {error.problem}"
            said = what if f"{error.problem}".startswith("but ") else error.problem
            self.fail(f"not valid YAML: {said}", mark.index if mark else 0, _yaml_help(what))
        except yaml.reader.ReaderError as error:
            character = error.character
            code = character if isinstance(character, int) else ord(character)
            self.fail(f"not valid YAML: character U+{code:04X} is not allowed", error.position)
        except RecursionError:
            self.fail("not valid YAML: nested too deep", 0)
        if root is None:
            self.fail("the spec is empty", 0, "start it with `version: 1`")
        if not isinstance(root, MappingNode):
            start = root.start_mark.index
            self.fail("the spec must be a mapping", start, "start it with `version: 1`")
        self.check_size(root)
        for node, tag in loader.tagged:
            self.read_tag(node, tag)
        return root

    def read_tag(self, node: Node, tag: str) -> None:
        """Make text of what is tagged as text; refuse a tag that would ask for anything else."""
        kind = tag.removeprefix(_STANDARD_TAG)
        if kind in ("!", "str") and isinstance(node, ScalarNode):
            node.style = node.style or '"'
        elif not _is_tag_for(kind, node):
            shown = f"!!{kind}" if tag.startswith(_STANDARD_TAG) else tag
            message = f"the tag {shown} cannot stand here: a spec holds plain values"
            self.report(node, WRONG_VALUE, message, "write the value without it")

    def check_size(self, root: Node) -> None:
        """Refuse what aliases blow up: nodes that contain themselves, lists of lists of lists."""
        pending = [(root, 1)]
        seen: set[int] = set()
        repeated = 0
        while pending:
            node, depth = pending.pop()
            repeated += id(node) in seen
            seen.add(id(node))
            if depth > _MAX_DEPTH or repeated > _MAX_REPEATED:
                message = "nested too deep, or aliases repeat too much"
                self.fail(message, node.start_mark.index, "write it out without aliases")
            pending += [(child, depth + 1) for child in _children(node)]

    def fail(self, message: str, offset: int, help: str = "") -> NoReturn:
        """Raise SpecError at once: nothing after this could be read."""
        raise SpecError([self.problem(NOT_YAML, offset, message, help)])

    def problem(self, code: str, offset: int, message: str, help: str = "") -> Problem:
        position = self.position(offset)
        return Problem(code, self.name, position, message, help, excerpt(self.text, position))

    def position(self, offset: int) -> Position:
        line = bisect_right(self.line_starts, offset)
        return Position(line, offset - self.line_starts[line - 1] + 1)

    def report(self, node: Node, code: str, message: str, help: str = "") -> None:
        self.problems.append(self.problem(code, node.start_mark.index, message, help))

    def report_fault(self, fault: Fault) -> None:
        problem = self.problem(fault.code, fault.offset, fault.message, fault.help)
        (self.warnings if fault.is_warning else self.problems).append(problem)

    # Plain values: what each key of the spec may hold

    def entries(self, node: Node, what: str, known: Collection[str] = ()) -> dict[str, Entry]:
        """The keys of a mapping; unknown ones (where ``known`` is given) are reported."""
        if not isinstance(node, MappingNode):
            self.report(node, WRONG_VALUE, f"{what} must be a mapping", _keys_help(known))
            return {}
        entries: dict[str, Entry] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                help = "quote it if it is text"
                self.report(key, WRONG_VALUE, f"a key of {what} must be a plain word", help)
            elif key.value in entries:
                first = self.position(entries[key.value].key.start_mark.index).line
                message = f"{key.value!r} is given twice; first in line {first}"
                self.report(key, DUPLICATE_KEY, message, "remove one of the two")
            elif known and key.value not in known:
                merges = "merge keys are not read: write the keys out" if key.value == "<<" else ""
                help = merges or suggest(key.value, known) or _keys_help(known)
                self.report(key, UNKNOWN_KEY, f"{what} has no key {key.value!r}", help)
            else:
                entries[key.value] = Entry(key.value, key, value)
        return entries

    def sequence(self, node: Node, what: str) -> list[Node]:
        if isinstance(node, SequenceNode):
            return list(node.value)
        if not is_null(node):
            self.report(node, WRONG_VALUE, f"{what} must be a list", "start each entry with '- '")
        return []

    def one_or_more(self, node: Node, what: str) -> list[Node]:
        """The entries of a list, or the one thing in place of a list."""
        return [node] if isinstance(node, ScalarNode) else self.sequence(node, what)

    def string(self, node: Node, what: str) -> str | None:
        """The text of a scalar, whatever YAML would make of it: ``on`` is the word "on"."""
        if not isinstance(node, ScalarNode):
            help = "write one entry for each" if isinstance(node, SequenceNode) else ""
            self.report(node, WRONG_VALUE, f"{what} must be a string", help)
        elif is_null(node):
            self.report(node, WRONG_VALUE, f"{what} has no value", "give one, or remove the key")
        else:
            return str(node.value)
        return None

    def boolean(self, node: Node, what: str) -> bool | None:
        if isinstance(node, ScalarNode) and node.value.lower() in _BOOLEANS:
            return _BOOLEANS[node.value.lower()]
        self.report(node, WRONG_VALUE, f"{what} must be true or false")
        return None

    def integer(self, node: Node, what: str) -> int | None:
        value = plain_scalar(node) if isinstance(node, ScalarNode) else None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self.report(node, WRONG_VALUE, f"{what} must be a whole number")
        return None

    # Expressions

    def expression(self, node: Node, what: str) -> Expression | None:
        """A number, a string in the grammar of expressions, a list, or ``{Normal: ...}``."""
        if isinstance(node, SequenceNode):
            return self.items(node, what)
        if isinstance(node, MappingNode):
            return self.call(node, what)
        text = self.string(node, what)
        if text is None:
            return None
        try:
            return parse_expression(text, self.locator(node, text))
        except ExpressionError as error:
            help = error.help or self.unclosed_help(node, text)
            self.problems.append(self.problem(BAD_EXPRESSION, error.offset, error.message, help))
            return None

    def unclosed_help(self, node: Node, text: str) -> str:
        """What to do about a parenthesis that is never closed, as far as YAML shows it."""
        if text.count("(") <= text.count(")"):
            return ""
        if not is_quoted(node) and self.text.startswith(",", node.end_mark.index):
            return "inside { } a comma ends the value; quote it"
        return "close the parenthesis"

    def items(self, node: SequenceNode, what: str) -> Items | None:
        if not node.value:
            help = "give at least one number"
            self.report(node, BAD_EXPRESSION, "an empty list is no tensor", help)
            return None
        items = [self.expression(item, what) for item in node.value]
        complete = tuple(item for item in items if item is not None)
        return Items(complete, node.start_mark.index) if len(complete) == len(items) else None

    def call(self, node: MappingNode, what: str) -> Call | None:
        """``{Normal: {loc: 0, scale: 1}}``; the arguments may also be a list."""
        if len(node.value) != 1:
            help = "for example: {Normal: {loc: 0, scale: 1}}"
            self.report(node, WRONG_VALUE, f"{what} must have exactly one key, the name", help)
            return None
        (key, value), *_ = node.value
        name = self.string(key, "the name")
        if name is None or not name.isidentifier():
            if name is not None:
                help = "for example: {Normal: {loc: 0, scale: 1}}"
                self.report(key, BAD_EXPRESSION, f"{name!r} is not a name", help)
            return None
        if isinstance(value, MappingNode):
            entries = self.entries(value, name).values()
            named = [(entry.name, self.expression(entry.value, entry.name)) for entry in entries]
            keywords = tuple((key, value) for key, value in named if value is not None)
            complete = len(keywords) == len(value.value)
            return Call(name, (), keywords, key.start_mark.index) if complete else None
        nodes = value.value if isinstance(value, SequenceNode) else [value]
        arguments = [self.expression(node, name) for node in nodes]
        known = tuple(argument for argument in arguments if argument is not None)
        return Call(name, known, (), key.start_mark.index) if len(known) == len(nodes) else None

    def locator(self, node: Node, text: str) -> Callable[[int], int]:
        """Where an offset into a scalar is in the file; its start where it is not written as is."""
        start = node.start_mark.index
        for begin in (start, start + 1):
            if self.text.startswith(text, begin):
                return lambda offset: begin + offset
        return lambda offset: start


def _is_tag_for(kind: str, node: Node) -> bool:
    """Whether the standard tag ``kind`` says of ``node`` what it is anyway."""
    if isinstance(node, ScalarNode):
        types = {"int": int, "float": float, "bool": bool, "null": type(None)}
        return kind in types and type(plain_scalar(node)) is types[kind]
    return kind in ("!", "map" if isinstance(node, MappingNode) else "seq")


def is_null(node: Node) -> bool:
    """Whether there is no value after the key."""
    return not is_quoted(node) and node.value in ("", "~", "null")


def is_quoted(node: Node) -> bool:
    """Whether the value is text beyond doubt; lists and mappings are not in doubt either."""
    return not isinstance(node, ScalarNode) or node.style is not None


def plain_scalar(node: ScalarNode) -> object:
    """The value as YAML 1.2 reads it: ``1e-3`` is a number, ``on`` a word, ``010`` is ten."""
    text = node.value
    if node.style is not None:
        return text
    if is_null(node):
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _INFINITE.get(text.lower(), text)


def plain_value(reader: Reader, node: Node, what: str) -> object:
    """A section as dicts with string keys, lists and scalars."""
    if isinstance(node, MappingNode):
        entries = reader.entries(node, what)
        return {key: plain_value(reader, entry.value, key) for key, entry in entries.items()}
    if isinstance(node, SequenceNode):
        return [plain_value(reader, item, what) for item in node.value]
    return plain_scalar(node) if isinstance(node, ScalarNode) else None


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value


def positions(reader: Reader, node: Node, path: str = "") -> Iterator[tuple[str, Position]]:
    """Where each value is, by dotted path; list entries by number."""
    if isinstance(node, MappingNode):
        children = [(key.value, value) for key, value in node.value if isinstance(key, ScalarNode)]
    elif isinstance(node, SequenceNode):
        children = [(str(index), item) for index, item in enumerate(node.value)]
    else:
        return
    for name, child in children:
        below = f"{path}.{name}" if path else name
        yield below, reader.position(child.start_mark.index)
        yield from positions(reader, child, below)


def _yaml_help(error: str) -> str:
    """What to do about the usual accidents; PyYAML only says what it expected."""
    if "alias" in error:
        return 'quote what begins with an asterisk: match: "**"'
    if "'\\t'" in error:
        return "indent with spaces"
    if "mapping values" in error:
        return "quote text that holds a colon"
    if "another document" in error:
        return "remove the line that begins with ---"
    if "<stream end>" in error or "end of stream" in error:
        return "close what is open: a bracket, a brace or a quote"
    return ""


def _keys_help(known: Collection[str]) -> str:
    return f"known keys: {', '.join(known)}" if known else ""
