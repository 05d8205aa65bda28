"""Declarations as data: what the rewrite writes at the end of a method, or in place of a parameter.

Statements are equal where they say the same. What is source text in them is an expression as the
file spells it: a size, an owner, a start, a test that the code itself makes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

KEYS = str.maketrans({"[": ".", "]": None, "'": None, '"': None})
"""``self.blocks[0].scale`` to ``self.blocks.0.scale``."""

OPPOSITES: Mapping[type[ast.cmpop], str] = {
    ast.Is: " is not ",
    ast.IsNot: " is ",
    ast.In: " not in ",
    ast.NotIn: " in ",
}

# Values of declarations


@dataclass(frozen=True, slots=True)
class Draw:
    """``dist.Normal(0.0, 1.0).expand([n]).to_event(1)``.

    ``arguments`` have their names, and are source or draws. ``batch`` are the sizes it is expanded
    to, or source of them all, ``events`` is the source of their number, ``""`` for all; None where
    there is no such call.
    """

    family: str
    arguments: tuple[tuple[str, str | Draw], ...]
    batch: tuple[str, ...] | str | None = None
    events: str | None = None


@dataclass(frozen=True, slots=True)
class Lambda:
    """``lambda self, shape=self.w.shape: ...``, which is called for every draw."""

    captured: tuple[tuple[str, str], ...]
    body: Draw | str


@dataclass(frozen=True, slots=True)
class Partial:
    """``partial(net_w_prior, shape=self.w.shape)``: a function of the file, called likewise."""

    function: str
    captured: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tied:
    """``TiedTo(self.embed, "weight")``: the parameter of another module."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        """The parameter by its name below ``self``; empty where it is not told by names."""
        this, *names = self.owner.split(".")
        plain = this == "self" and all(name.isidentifier() for name in names)
        return ".".join((*names, self.name)) if plain else ""


Prior = Draw | Lambda | Partial | Tied | str


@dataclass(frozen=True, slots=True)
class PyroSample:
    """``PyroSample(prior)``; a prior that is source is one in the user's words."""

    prior: Prior

    @property
    def action(self) -> Literal["sample"]:
        """What becomes of the parameter."""
        return "sample"

    @property
    def draw(self) -> Draw | None:
        """What it draws from, where that shows."""
        prior = self.prior.body if isinstance(self.prior, Lambda) else self.prior
        return prior if isinstance(prior, Draw) else None


@dataclass(frozen=True, slots=True)
class Constraint:
    """``constraints.interval(0.0, 1.0)``."""

    name: str = "real"
    bounds: tuple[str, ...] = ()


Applied = Literal["", "exp", "softplus", "unconstrained"]


@dataclass(frozen=True, slots=True)
class PyroParam:
    """``PyroParam(init_value, constraint=constraints.positive, event_dim=1)``.

    ``applied`` is what the initial value goes through; ``copied``: a copy of it, which is no other.
    """

    initial: str
    constraint: Constraint | str = Constraint()
    event_dim: str = ""
    applied: Applied = ""
    copied: bool = field(default=False, compare=False)

    @property
    def action(self) -> Literal["param"]:
        """What becomes of the parameter."""
        return "param"

    @property
    def draw(self) -> None:
        """What it draws from: nothing."""
        return None


Declared = PyroSample | PyroParam


def tie_of(value: Declared) -> Tied | None:
    """The parameter that a declaration reads, if it makes one the same as another."""
    match value:
        case PyroSample(Tied() as tie):
            return tie
    return None


# Tests


@dataclass(frozen=True, slots=True)
class NameIs:
    """``name == "weight"``, or ``name in ("weight", "bias")``."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameFits:
    """``name.startswith("weight")`` for ``weight*``, and the like for other globs."""

    glob: str


@dataclass(frozen=True, slots=True)
class IsLayer:
    """``isinstance(module, (nn.Linear, nn.Conv2d))``."""

    variable: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PathIs:
    """``path == "encoder.fc"``; ``not path`` for the module itself.

    ``below``: that, or anything below it.
    """

    path: str
    below: bool = False


@dataclass(frozen=True, slots=True)
class IsTrained:
    """``value.requires_grad``; ``but_kept``: and it is not among those kept."""

    but_kept: bool = False


Test = NameIs | NameFits | IsLayer | PathIs | IsTrained | str

# Statements


@dataclass(frozen=True, slots=True)
class Declare:
    """``self.fc.weight = PyroSample(...)``."""

    target: str
    value: Declared

    @property
    def path(self) -> str:
        """What is declared by its name below ``self``; empty for what has another."""
        this, _, path = self.target.translate(KEYS).partition(".")
        return path if this == "self" else ""


@dataclass(frozen=True, slots=True)
class DeclareNamed:
    """``setattr(module, name, PyroSample(...))``, in a loop over parameters.

    ``reads_weight``: its fans are those of the ``weight`` beside it.
    """

    owner: str
    value: Declared
    name: str = "name"
    reads_weight: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """``if``, ``elif`` and ``else``: each test with its statements."""

    arms: tuple[tuple[Test, Block], ...]
    otherwise: Block = ()


@dataclass(frozen=True, slots=True)
class For:
    """A loop; ``over`` is source, or what is undeclared. ``comment`` stands above it."""

    variables: str
    over: str | Undeclared
    body: Block
    comment: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Root:
    """Where the search for what is undeclared begins.

    ``only`` are the children it goes through, all if there are none; ``itself``: the root is found,
    too.
    """

    module: str
    only: tuple[str, ...] = ()
    itself: bool = False


@dataclass(frozen=True, slots=True)
class Undeclared:
    """``undeclared(self)``: paths and modules below some roots that nothing declares yet."""

    roots: tuple[Root, ...]


@dataclass(frozen=True, slots=True)
class EachParameter:
    """A loop over the parameters of one module, as ``name`` and ``value``.

    ``weight`` is how the body finds the one beside a bias: None where it reads none, ``""`` among
    the parameters, else the function that gives it.
    """

    owner: str
    body: Block
    weight: str | None = None
    comment: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Continue:
    """``continue``."""


@dataclass(frozen=True, slots=True)
class Assign:
    """An assignment that declarations need, such as ``tied = self.a is self.b``."""

    target: str
    source: str


@dataclass(frozen=True, slots=True)
class CallStatement:
    """A call that declarations need: ``follow_module(self)``, or of a method of ``self``."""

    function: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AnchorBuffer:
    """``self.register_buffer("_anchor", ...)``: it tells where the module is."""


@dataclass(frozen=True, slots=True)
class NameChildren:
    """``for name, module in self.named_children(): ...``: Pyro learns the names of children."""


@dataclass(frozen=True, slots=True)
class OriginalInit:
    """``self.original_init = {"w": torch.exp}``: how values of the original class are read."""

    readers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Other:
    """Any other statement, in the user's words."""

    text: str


Statement = (
    Declare
    | DeclareNamed
    | If
    | For
    | EachParameter
    | Continue
    | Assign
    | CallStatement
    | AnchorBuffer
    | NameChildren
    | OriginalInit
    | Other
)
Block = tuple[Statement, ...]

Loop = tuple[str, str]
"""A loop variable, and what it runs over."""


def guarded(test: Test, statements: Iterable[Statement]) -> Block:
    """Statements under a test, if there is one and there are any, unless they are already."""
    block = tuple(statements)
    match block:
        case (If(arms=((same, _),), otherwise=()),) if same == test:
            return block
    return (If(((test, block),)),) if test and block else block


def joined(statements: Iterable[Statement]) -> Block:
    """The statements, neighbours under the same test, or under it and its opposite, as one."""
    found: list[Statement] = []
    for statement in statements:
        if found and (both := _both(found[-1], statement)):
            found[-1] = both
        else:
            found.append(statement)
    return tuple(found)


def _both(first: Statement, second: Statement) -> If | None:
    """Two statements as one, if their tests are the same or opposite."""
    match first, second:
        case If(arms=((test, block),), otherwise=rest), If(arms=((other, more),), otherwise=()):
            if test == other:
                return If(((test, (*block, *more)),), rest)
            if isinstance(test, str) and isinstance(other, str) and _are_opposite(test, other):
                return If(((test, block),), (*rest, *more))
    return None


def _are_opposite(test: str, other: str) -> bool:
    return opposite(test) == other or test == opposite(other)


def opposite(test: str) -> str:
    """The test that holds where this one does not, as people write it."""
    within = f"({test})"
    node = ast.parse(within, mode="eval").body
    match node:
        case ast.UnaryOp(ast.Not(), operand):
            return ast.get_source_segment(within, operand) or ""
        case ast.Compare(
            left, [ast.Is() | ast.IsNot() | ast.In() | ast.NotIn() as operator], [right]
        ):
            sides = (ast.get_source_segment(within, side) for side in (left, right))
            return OPPOSITES[type(operator)].join(map(str, sides))
        case ast.BoolOp() | ast.IfExp() | ast.Lambda() | ast.NamedExpr():
            return f"not {within}"
    return f"not {test}"


def nested(loops: Sequence[Loop], guards: Sequence[str], statements: Iterable[Statement]) -> Block:
    """Statements inside loops, inside tests."""
    block = tuple(statements)
    if not block:
        return ()
    for variable, over in reversed(loops):
        block = (For(variable, over, block),)
    for guard in reversed(guards):
        block = guarded(guard, block)
    return block


def each_parameter(
    owner: str, body: Iterable[Statement], trained: bool = False, weight: str = ""
) -> EachParameter:
    """A loop over the parameters of one module, or those to train.

    ``weight`` is the function that gives the one beside a bias, where the body reads that; without
    one it is among the parameters, or the parameter itself.
    """
    block = tuple(body)
    found = weight if reads_weight(block) else None
    return EachParameter(owner, guarded(IsTrained(), block) if trained else block, found)


def walk(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Statements, and those inside them."""
    for statement in statements:
        yield statement
        match statement:
            case If(arms=arms, otherwise=otherwise):
                for _, block in arms:
                    yield from walk(block)
                yield from walk(otherwise)
            case For(body=body) | EachParameter(body=body):
                yield from walk(body)


def reads_weight(block: Block) -> bool:
    """Whether statements read the ``weight`` beside a bias."""
    return any(isinstance(item, DeclareNamed) and item.reads_weight for item in walk(block))


def leaves_kept(block: Block) -> bool:
    """Whether statements leave alone what is kept."""
    return IsTrained(but_kept=True) in [
        test for item in walk(block) if isinstance(item, If) for test, _ in item.arms
    ]


def searches(block: Block) -> bool:
    """Whether statements look for what is undeclared."""
    return any(isinstance(item, For) and isinstance(item.over, Undeclared) for item in walk(block))
