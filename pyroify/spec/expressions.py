"""The expressions of a prior: numbers, facts about the site, attributes, distributions.

Text is parsed into a small tree of frozen nodes and printed back as Python source. Nothing is
ever evaluated as Python, so a spec cannot carry code::

    expression  = term (("+" | "-") term)*
    term        = factor (("*" | "/") factor)*
    factor      = ("-" | "+") factor | power
    power       = atom ["**" factor]
    atom        = NUMBER | "fan_in" | "fan_out" | "numel" | "ndim" | "shape" "[" INTEGER "]"
                | "self" ("." NAME)+ | NAME "(" [arguments] ")" | preset
                | "(" expression ")" | "[" [expression ("," expression)*] "]"
    arguments   = argument ("," argument)*
    argument    = [NAME "="] expression
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Final, Literal, NoReturn, cast

SITE_NAMES: Final = ("fan_in", "fan_out", "numel", "ndim")
FUNCTIONS: Final = ("sqrt", "exp", "log")
PRESETS: Final = ("radford", "xavier", "kaiming")
"""Scales by name: ``radford`` is fan_in ** -0.5, ``xavier`` (2 / (fan_in + fan_out)) ** 0.5,
``kaiming(gain)`` gain * fan_in ** -0.5 where the gain is sqrt(2) unless given."""

_MAX_NESTING: Final = 20
_MAX_OPERATORS: Final = 100

Operator = Literal["+", "-", "*", "/", "**"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number; ``value`` is an int where the text has neither point nor exponent."""

    value: int | float
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SiteName:
    """A fact about the site: one of SITE_NAMES."""

    name: str
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Size:
    """``shape[index]`` of the site."""

    index: int
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """``self.tau``: an attribute of the module that owns the site; ``path`` excludes ``self``."""

    path: tuple[str, ...]
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """``-operand``."""

    operand: Expression
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``."""

    operator: Operator
    left: Expression
    right: Expression
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function, preset, distribution or constraint with its arguments, as written."""

    name: str
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression], ...] = ()
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Items:
    """``[1, 2]``: a tensor written out."""

    items: tuple[Expression, ...]
    offset: int = field(default=0, compare=False)


Expression = Number | SiteName | Size | Attribute | Negative | Binary | Call | Items


class ExpressionError(Exception):
    """Text that is no expression; ``offset`` counts characters from 0."""

    def __init__(self, message: str, offset: int, help: str = "") -> None:
        self.message = message
        self.offset = offset
        self.help = help
        super().__init__(message)


def parse_expression(text: str, locate: Callable[[int], int] = int) -> Expression:
    """The tree of ``text``; raises ExpressionError.

    ``locate`` turns an offset into ``text`` into the one that nodes and errors carry.
    """
    parser = _Parser(text, locate)
    tree = parser.expression()
    if parser.kind != "end":
        parser.fail_unexpected()
    return tree


def walk(expression: Expression) -> Iterator[Expression]:
    """``expression`` and every node below it."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The nodes directly below ``expression``."""
    match expression:
        case Negative(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments, keywords):
            return arguments + tuple(value for _, value in keywords)
        case Items(items):
            return items
    return ()


def expand_presets(expression: Expression) -> Expression:
    """``expression`` with the named scales written out."""
    match expression:
        case Negative(operand, offset):
            return Negative(expand_presets(operand), offset)
        case Binary(operator, left, right, offset):
            return Binary(operator, expand_presets(left), expand_presets(right), offset)
        case Items(items, offset):
            return Items(tuple(map(expand_presets, items)), offset)
        case Call(name, arguments, keywords, offset):
            arguments = tuple(map(expand_presets, arguments))
            keywords = tuple((key, expand_presets(value)) for key, value in keywords)
            if name in PRESETS:
                return _preset(name, arguments, offset)
            return Call(name, arguments, keywords, offset)
    return expression


def static_value(expression: Expression) -> float | None:
    """The value of an expression of numbers alone, else None.

    Raises ExpressionError where there is no finite real value (``1 / 0``, ``(-1) ** 0.5``).
    """
    try:
        value = _static_value(expand_presets(expression))
    except (ArithmeticError, ValueError):
        value = math.nan
    if value is not None and not math.isfinite(value):
        raise ExpressionError(f"{to_text(expression)} has no finite value", expression.offset)
    return value


def to_text(expression: Expression) -> str:
    """``expression`` as the spec would write it; parses back to an equal tree."""
    match expression:
        case Number(value):
            return repr(value)
        case SiteName(name):
            return name
        case Size(index):
            return f"shape[{index}]"
        case Attribute(path):
            return ".".join(("self", *path))
        case Items(items):
            return f"[{', '.join(map(to_text, items))}]"
        case Call(name, (), ()):
            return name
        case Call(name, arguments, keywords):
            written = [to_text(argument) for argument in arguments]
            written += [f"{key}={to_text(value)}" for key, value in keywords]
            return f"{name}({', '.join(written)})"
    return join_operators(expression, to_text)


def join_operators(
    expression: Negative | Binary, write: Callable[[Expression], str], is_python: bool = False
) -> str:
    """``-x`` or ``x * y`` with just the parentheses that keep the tree; ``write`` does operands.

    What ``write`` gives for a node that is no operator must bind tighter than any operator.
    Python is spaced as formatters leave it: ``n**-0.5``, ``-(n**2)``.
    """
    strength = _strength(expression)

    def operand(node: Expression, least: int) -> str:
        text = write(node)
        return text if _strength(node) >= least else f"({text})"

    match expression:
        case Negative(inner):
            return f"-{operand(inner, _TIGHTEST if is_python else strength)}"
        case Binary("**", left, right):
            base, power = operand(left, _TIGHTEST), operand(right, _NEGATIVE)
            is_close = is_python and _PLAIN.fullmatch(base) and _PLAIN.fullmatch(power)
            return f"{base}**{power}" if is_close else f"{base} ** {power}"
        case Binary(operator, left, right):
            return f"{operand(left, strength)} {operator} {operand(right, strength + 1)}"


def contains(expression: Expression, kind: type[Expression]) -> bool:
    """Whether a node of ``kind`` is anywhere in ``expression``."""
    return any(isinstance(node, kind) for node in walk(expression))


_PLAIN: Final = re.compile(r"-?(\d[\d.]*(e[+-]?\d+)?|[A-Za-z_][\w.]*)")
_SUM, _PRODUCT, _NEGATIVE, _POWER, _TIGHTEST = range(1, 6)


def _strength(expression: Expression) -> int:
    match expression:
        case Binary("+" | "-"):
            return _SUM
        case Binary("*" | "/"):
            return _PRODUCT
        case Negative():
            return _NEGATIVE
        case Binary("**"):
            return _POWER
    return _TIGHTEST


def _preset(name: str, arguments: tuple[Expression, ...], offset: int) -> Expression:
    fan_in = SiteName("fan_in", offset)
    inverse_root = Negative(Number(0.5, offset), offset)
    two, half = Number(2, offset), Number(0.5, offset)
    if name == "radford":
        return Binary("**", fan_in, inverse_root, offset)
    if name == "kaiming" and arguments:
        return Binary("*", arguments[0], Binary("**", fan_in, inverse_root, offset), offset)
    if name == "kaiming":
        return Binary("**", Binary("/", two, fan_in, offset), half, offset)
    fans = Binary("+", fan_in, SiteName("fan_out", offset), offset)
    return Binary("**", Binary("/", two, fans, offset), half, offset)


def _static_value(expression: Expression) -> float | None:
    match expression:
        case Number(value):
            return float(value)
        case Negative(operand):
            inner = _static_value(operand)
            return None if inner is None else -inner
        case Binary(operator, left, right):
            a, b = _static_value(left), _static_value(right)
            return None if a is None or b is None else _OPERATIONS[operator](a, b)
        case Call(name, (argument,), ()) if name in FUNCTIONS:
            inner = _static_value(argument)
            return None if inner is None else _FUNCTIONS[name](inner)
    return None


_FUNCTIONS: Final[dict[str, Callable[[float], float]]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
}

_OPERATIONS: Final[dict[Operator, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": math.pow,
}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<name>[A-Za-z_]\w*)
      | (?P<symbol>\*\*|[-+*/()\[\],.=])
      | (?P<end>$)
      | (?P<other>.)
    )""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)


class _Parser:
    """Recursive descent over ``text``; ``kind``, ``token`` and ``offset`` are the next token."""

    def __init__(self, text: str, locate: Callable[[int], int]) -> None:
        self.text = text
        self.locate = locate
        self.end = 0
        self.nesting = 0
        self.operators = 0
        self.advance()

    def advance(self) -> str:
        """Step over the current token and return it."""
        taken = getattr(self, "token", "")
        match = _TOKEN.match(self.text, self.end)
        assert match is not None and match.lastgroup is not None
        self.kind = match.lastgroup
        self.token = match[self.kind]
        self.offset = self.locate(match.start(self.kind))
        self.end = match.end()
        if self.kind == "other":
            self.fail_unexpected()
        return taken

    def fail_unexpected(self) -> NoReturn:
        self.fail(
            f"unexpected {self.token!r}", help=_what_to_write(self.text[: self.end], self.token)
        )

    def fail(self, message: str, offset: int | None = None, help: str = "") -> NoReturn:
        if self.kind == "end" and offset is None:
            message = "the expression ends too early"
        raise ExpressionError(message, self.offset if offset is None else offset, help)

    def expect(self, symbol: str) -> None:
        if self.token != symbol:
            self.fail(f"expected {symbol!r} but found {self.token!r}")
        self.advance()

    def take_operator(self) -> tuple[Operator, int]:
        self.operators += 1
        if self.operators > _MAX_OPERATORS:
            self.fail(f"the expression has more than {_MAX_OPERATORS} operators")
        offset = self.offset
        return cast(Operator, self.advance()), offset

    def expression(self) -> Expression:
        self.nesting += 1
        if self.nesting > _MAX_NESTING:
            self.fail(f"the expression is nested more than {_MAX_NESTING} deep")
        tree = self.term()
        while self.token in ("+", "-"):
            operator, offset = self.take_operator()
            tree = Binary(operator, tree, self.term(), offset)
        self.nesting -= 1
        return tree

    def term(self) -> Expression:
        tree = self.factor()
        while self.token in ("*", "/"):
            operator, offset = self.take_operator()
            tree = Binary(operator, tree, self.factor(), offset)
        return tree

    def factor(self) -> Expression:
        if self.token == "-":
            _, offset = self.take_operator()
            return Negative(self.factor(), offset)
        if self.token == "+":
            self.take_operator()
            return self.factor()
        return self.power()

    def power(self) -> Expression:
        base = self.atom()
        if self.token != "**":
            return base
        operator, offset = self.take_operator()
        return Binary(operator, base, self.factor(), offset)

    def atom(self) -> Expression:
        if self.kind == "number":
            return self.number()
        if self.kind == "name":
            return self.name()
        if self.token == "(":
            self.advance()
            tree = self.expression()
            self.expect(")")
            return tree
        if self.token == "[":
            return self.items()
        self.fail(f"expected a number, a name or a list but found {self.token!r}")

    def number(self) -> Number:
        offset, text = self.offset, self.advance()
        value = float(text)
        if value == float("inf"):
            self.fail("the number is too large", offset)
        is_integer = text.isdecimal() and value < 2**53
        return Number(int(text) if is_integer else value, offset)

    def name(self) -> Expression:
        offset, name = self.offset, self.advance()
        if name == "self":
            return self.attribute(offset)
        if name == "shape":
            return self.size(offset)
        if self.token == "(":
            return self.call(name, offset)
        if name in SITE_NAMES:
            return SiteName(name, offset)
        return Call(name, offset=offset)

    def attribute(self, offset: int) -> Attribute:
        path = []
        while self.token == ".":
            self.advance()
            path.append(self.identifier("an attribute name"))
        if not path:
            self.fail("'self' alone is no value", offset, "name an attribute: self.tau")
        return Attribute(tuple(path), offset)

    def size(self, offset: int) -> Size:
        if self.token != "[":
            self.fail("'shape' alone is no value", offset, "name a dimension: shape[0]")
        self.advance()
        sign = -1 if self.token == "-" else 1
        if sign < 0:
            self.advance()
        if self.kind != "number" or not self.token.isdecimal() or len(self.token) > 2:
            self.fail(f"expected the number of a dimension but found {self.token!r}")
        index = sign * int(self.advance())
        self.expect("]")
        return Size(index, offset)

    def items(self) -> Items:
        offset = self.offset
        self.advance()
        items = []
        while self.token != "]":
            items.append(self.expression())
            if self.token != ",":
                break
            self.advance()
        self.expect("]")
        if not items:
            self.fail("an empty list is no tensor", offset, "give at least one number")
        return Items(tuple(items), offset)

    def call(self, name: str, offset: int) -> Call:
        self.advance()
        arguments: list[Expression] = []
        keywords: dict[str, Expression] = {}
        while self.token != ")":
            self.argument(arguments, keywords)
            if self.token != ",":
                break
            self.advance()
        self.expect(")")
        return Call(name, tuple(arguments), tuple(keywords.items()), offset)

    def argument(self, arguments: list[Expression], keywords: dict[str, Expression]) -> None:
        offset = self.offset
        value = self.expression()
        if self.token != "=":
            if keywords:
                self.fail("a positional argument follows a named one", offset)
            arguments.append(value)
            return
        if not isinstance(value, Call) or value.arguments or value.keywords:
            self.fail("only a name can stand before '='", offset)
        self.advance()
        if value.name in keywords:
            self.fail(f"{value.name!r} is given twice", offset)
        keywords[value.name] = self.expression()

    def identifier(self, what: str) -> str:
        if self.kind != "name" or iskeyword(self.token):
            self.fail(f"expected {what} but found {self.token!r}")
        return self.advance()


def _what_to_write(before: str, token: str) -> str:
    """What to do about a character that has no place; ``before`` is the text up to it."""
    if token == ".":
        is_prefix = re.search(r"\b(dist|distributions|pyro|torch|math)\s*\.$", before)
        return (
            "leave out what stands before the dot"
            if is_prefix
            else ("leave out what follows the dot: the shape is that of the parameter")
        )
    if token.isdigit():
        return "write numbers plainly: 1000, 0.5 or 1e-3"
    if token in "'\"":
        return "leave out the quotes"
    return "known: + - * / **, sqrt, exp, log" if token in "%@^&|<>!~" else ""
