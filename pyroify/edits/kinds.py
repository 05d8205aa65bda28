"""The kinds of edit: what the plan says of each.

A kind is one class here and one module of ``pyroify/transforms/``, which bears its name in lower
case and is given the edit. Statements and expressions are source text; columns, indents and limits
count characters.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyroify.code.statements import Block
from pyroify.decide.model import Edit

Import = tuple[str, str, str]
"""Module, name imported from it (empty for ``import module``), and local name if another."""


@dataclass(frozen=True, slots=True)
class Bases(Edit):
    """What a class derives from: bases replaced by position, others added, a metaclass."""

    replaced: tuple[tuple[int, str], ...]
    added: tuple[str, ...]
    metaclass: str


@dataclass(frozen=True, slots=True)
class Buffers(Edit):
    """An assignment of a frozen parameter registers a buffer of these values, in turn."""

    name: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constructors(Edit):
    """A class gets a constructor of these statements."""

    sources: tuple[str, ...]
    indent: int
    limit: int


@dataclass(frozen=True, slots=True)
class Declarations(Edit):
    """The declarations of a method are replaced; those of ``existing`` are there.

    ``sources`` are the texts of the ``statements`` that there are to be. ``before`` is the number
    of statements that stand in front of them; None for all.
    """

    sources: tuple[str, ...]
    statements: Block
    existing: Block
    indent: int
    limit: int
    before: int | None


@dataclass(frozen=True, slots=True)
class Decorators(Edit):
    """A decorator is replaced, or goes where ``source`` is empty."""

    position: int
    source: str


@dataclass(frozen=True, slots=True)
class Definitions(Edit):
    """A file gets functions and classes, or better ones of these names; some go."""

    sources: tuple[str, ...]
    limit: int
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Expressions(Edit):
    """An expression becomes another."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Imports(Edit):
    """A file imports more; local names that nothing reads any more go."""

    added: tuple[Import, ...]
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Initialisers(Edit):
    """``nn.Module.__init__(self)`` becomes ``super().__init__()``."""


@dataclass(frozen=True, slots=True)
class Methods(Edit):
    """A method gets a decorator; position 0 is the outermost."""

    decorator: str
    position: int


@dataclass(frozen=True, slots=True)
class Parameters(Edit):
    """``nn.Parameter(...)`` becomes a declaration, or another call.

    ``indent`` is where its statement starts, ``limit`` how far a line may go, ``trailing`` how much
    follows the call on its last line.
    """

    source: str
    indent: int
    limit: int
    trailing: int


@dataclass(frozen=True, slots=True)
class Partials(Edit):
    """What a partial is of is a PyroModule: ``partial(PyroModule[nn.Linear], bias=False)``.

    The layout is that of ``Submodules``.
    """

    wrapper: str
    indent: int
    statement: int
    room: int
    trailing: int


@dataclass(frozen=True, slots=True)
class Plates(Edit):
    """The first statements of a plate move above it, and reads get names there."""

    leading: int
    reads: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Registrations(Edit):
    """``self.register_parameter(...)`` becomes an assignment."""

    source: str
    indent: int
    limit: int


@dataclass(frozen=True, slots=True)
class Statements(Edit):
    """Statements take the place of one, or follow it where it is kept."""

    sources: tuple[str, ...]
    kept: bool
    indent: int
    limit: int


@dataclass(frozen=True, slots=True)
class Submodules(Edit):
    """A layer is made as a PyroModule: ``nn.Linear(...)`` becomes ``PyroModule[nn.Linear](...)``.

    ``argument`` is given where there is none: ``PyroModule[nn.ModuleList]`` needs one. A call that
    stands on one line may reach up to ``room``, or is broken; -1 leaves it. ``indent`` is the
    line's, ``statement`` the column of the statement, ``trailing`` what follows on the line.
    ``callee`` is the source of what is called, where other calls in it start at the same place.
    """

    wrapper: str
    callee: str
    argument: str
    indent: int
    statement: int
    room: int
    trailing: int
