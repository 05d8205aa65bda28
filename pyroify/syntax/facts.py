"""What is known of one source file, as frozen plain data: no syntax nodes, no files."""

from __future__ import annotations

from dataclasses import dataclass

from pyroify.code import statements as code
from pyroify.syntax.values import Call, Declared, Location, Parameter, Path, Value

Branch = tuple[str, int, int]
"""An enclosing compound statement: kind (``if``, ``for``, ``with``, ``try``), line, arm."""


ATTACHING = ("assign", "chain", "tuple", "register")
"""How something becomes an attribute, rather than part of what one holds."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """``self.<path> = value``, or another way to attach something to ``self``.

    ``how``: ``assign``, ``register`` (``register_parameter``, ``add_module``), ``append``,
    ``extend``, ``insert``, ``setitem``, ``setattr`` (a computed name), ``registry``
    (``self._modules[name]``), ``chain`` (``a = b = value``).
    ``line`` and ``column`` are the statement's, ``value_line`` and ``value_column`` the value's,
    which ends on ``end_line``. ``local``: the local variable that the value is, if it is one.
    """

    path: Path
    how: str
    line: int
    column: int
    value: Value
    value_line: int
    value_column: int
    branches: tuple[Branch, ...] = ()
    end_line: int = 0
    local: str = ""


@dataclass(frozen=True, slots=True)
class AttributeStore:
    """``owner.name = value``, or another way to attach something to another object than ``self``.

    ``name`` is ``*`` where it is computed. ``sure``: it is done for each owner, whatever happens.
    """

    owner: Value
    name: str
    value: Value
    line: int
    column: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Use:
    """One chain of attributes below ``self``, longest first: ``("w", "data")`` in ``self.w.data``.

    ``how``: ``read``, ``call`` (the last name is called), ``store``, ``augmented``, ``setitem``,
    ``delete``. ``plate``: inside ``with pyro.plate(...)``. ``within``: dotted name of the innermost
    call it is an argument of. ``item``: an element of it, in brackets. ``later``: in a lambda that
    is kept.
    """

    path: Path
    how: str
    line: int
    column: int
    within: str = ""
    plate: tuple[int, int] | None = None
    item: bool = False
    later: bool = False


@dataclass(frozen=True, slots=True)
class ValueUse:
    """What a function does with an attribute (``self.name``), an argument, or elements of it.

    ``how``: ``called``; ``member``, ``member called`` (``detail`` is its name); ``given`` to a
    call (``detail`` is its dotted name, ``slot`` the position or keyword, ``alone`` whether it is
    given nothing else); ``number`` (arithmetic, order, index); ``returned``.
    """

    name: str
    how: str
    detail: str = ""
    slot: int | str = 0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """Something below ``self`` that is written into in place, also by a local name for it.

    In a function it is an argument, or below one: the path begins with its name.
    ``path`` has ``*`` for an element of a container. ``how``: ``init`` (a function of
    ``torch.nn.init``), ``method`` (``.clamp_()``), ``augmented``, ``item`` or ``data``. ``source``
    is that of a call.
    """

    path: Path
    how: str
    line: int
    column: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Where ``requires_grad`` is set for all parameters below ``self.<path>``; for (), all so far.

    ``sure``: to False, whatever else happens; else it is only known when the constructor has run.
    ``below``: only for those of this name, there and in all modules below. ``kinds``: only for
    those of instances of these classes.
    """

    path: Path
    line: int
    sure: bool
    below: str = ""
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """An expression to be replaced, or to be said something about: ``kind`` and its ``source``."""

    kind: str
    line: int
    column: int
    source: str
    detail: str


@dataclass(frozen=True, slots=True)
class TypeTest:
    """``type(module) is nn.Linear`` and its like; ``layers``: how each is spelled, and its name."""

    line: int
    column: int
    source: str
    module: str
    layers: tuple[tuple[str, str], ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """A call of ``parameters()`` that a loop goes over.

    ``prepares``: the loop freezes, initialises or declares them, as constructors have it done.
    """

    line: int
    column: int
    prepares: bool


@dataclass(frozen=True, slots=True, order=True)
class Repeat:
    """A call that is made again before a loss is done with.

    ``how``: ``again`` (as before, beside it), in a loop with what the turn before gave
    (``carried``), for one loss (``summed``), or with the same arguments (``same``).
    """

    line: int
    column: int
    how: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An expression that depends on the name of a module's class."""

    line: int
    column: int
    source: str


@dataclass(frozen=True, slots=True)
class Plate:
    """``with pyro.plate(...)``; ``movable`` are the lines of its first plain assignments."""

    line: int
    column: int
    movable: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ExistingDeclaration:
    """A statement at the end of a function that declares random attributes already.

    ``text`` is its source, normalised, and ``names`` what it reads. ``reached`` are attributes of
    ``self`` through which it may reach parameters, ``""`` for all.
    """

    statement: code.Statement
    line: int
    text: str
    names: frozenset[str]
    reached: frozenset[str]


@dataclass(frozen=True, slots=True)
class EarlyReturn:
    """The first statement of a body in which the function may return, and the last such return.

    ``before`` is how many statements stand before it.
    """

    line: int
    last_return: int
    before: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method: how it is declared, what it attaches to ``self``, what it returns."""

    name: str
    line: int
    column: int
    arguments: tuple[str, ...]
    rest: tuple[str, ...] = ()
    """What takes all other arguments: ``*args``, ``**kwargs``."""
    rebound: frozenset[str] = frozenset()
    """Arguments that get another value, here or in a function within."""
    defaults: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    decorators: tuple[str, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    uses: tuple[Use, ...] = ()
    self_calls: frozenset[str] = frozenset()
    super_calls: frozenset[str] = frozenset()
    base_calls: tuple[tuple[str, int, int], ...] = ()
    returns: tuple[Value, ...] = ()
    yields: tuple[Value, ...] = ()
    handled: tuple[ValueUse, ...] = ()
    return_lines: tuple[int, ...] = ()
    exit: EarlyReturn | None = None
    """Where it may return before its end."""
    generator: bool = False
    layer_calls: tuple[Call, ...] = ()
    parameter_calls: tuple[Parameter, ...] = ()
    super_init: Call | None = None
    names: frozenset[str] = frozenset()
    declarations: tuple[ExistingDeclaration, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    """What ``requires_grad`` is set for, attribute by attribute or in a loop."""
    conditions: tuple[tuple[int, str], ...] = ()
    """Tests of ``if`` statements by line, as far as they mean the same at the end."""
    observations: tuple[Observation, ...] = ()
    plates: tuple[Plate, ...] = ()
    puts: tuple[AttributeStore, ...] = ()
    """Where parameters, and what calls give, are attached to other objects than ``self``."""
    fills: frozenset[str] = frozenset()
    """Arguments to which it attaches what may be a module or parameter."""
    reshapes: bool = False
    """Whether members of a container under a local name are replaced or taken out."""
    cleared: frozenset[str] = frozenset()
    """Attributes that it sets to None on what it does not reach by name below ``self``."""
    hands_back: bool = False
    """Whether it gives its first argument back, and nothing else can get at that."""
    shared: code.Block = ()
    """What a function of the rewrite holds that declares what it is given."""
    declared: Declared | None = None
    """What a method decorated as a PyroSample or PyroParam declares under its own name."""
    writes: tuple[Write, ...] = ()
    coroutine: bool = False
    declaring: tuple[tuple[int, frozenset[str]], ...] = ()
    """Statements that declare what they do not name below ``self``, those at the end apart: the
    line, and the attributes through which each may reach parameters."""
    guards: tuple[tuple[int, int, str], ...] = ()
    """Arms of ``if`` statements: first and last line, and the test that decides."""
    choices: tuple[tuple[int, int, str], ...] = ()
    """The same of conditional expressions."""


@dataclass(frozen=True, slots=True)
class Class:
    """One class, down to ``end_line``. ``bases`` are (source, dotted name, line, column).

    ``is_generic`` tells type parameters after its name: ``class Net[T](nn.Module)``.
    """

    name: str
    qualname: str
    line: int
    column: int
    bases: tuple[tuple[str, str, int, int], ...]
    metaclass: str = ""
    is_generic: bool = False
    decorators: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    """What decorates it, called before or not."""
    methods: tuple[Function, ...] = ()
    class_attributes: tuple[tuple[str, Value], ...] = ()
    body_column: int = 4
    end_line: int = 0

    def method(self, name: str) -> Function | None:
        """The method defined last under this name."""
        for method in reversed(self.methods):
            if method.name == name:
                return method
        return None


@dataclass(frozen=True, slots=True)
class OldPrior:
    """What lifting gives one parameter (``fc.weight``), or every one (``**``).

    ``distribution`` is a name of ``pyro.distributions``, ``callee`` how the file spells it
    (empty where that means nothing at the top of the file). ``arguments`` are keywords (or ``""``)
    and sources, in which local names are replaced by what they stand for. ``target`` is how
    these sources name the parameter.
    """

    path: str
    distribution: str
    callee: str
    arguments: tuple[tuple[str, str], ...]
    target: str


@dataclass(frozen=True, slots=True)
class OldPriors:
    """The priors of one lifting, or why they cannot be read (``problem``).

    ``statements`` are where the file computes them, as far as nothing else reads the result.
    ``by_name``: they come as a dict by parameter names.
    """

    source: str
    each: tuple[OldPrior, ...] = ()
    by_name: bool = False
    statements: tuple[Location, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LiftedModule:
    """The module that is lifted or registered: ``net`` or ``self.net``.

    ``made`` is the last statement that makes and settles it, None where that is not one place of
    the file; ``maker`` is the dotted name called there, ``inside`` the class it happens in.
    ``scope`` is the line of the scope that binds the name. ``problem``: used for something else.
    """

    source: str
    scope: int = 0
    made: Location | None = None
    maker: str = ""
    inside: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BoundNetwork:
    """A layer or container of torch that a statement outside of classes binds to a name.

    ``call`` is where the value stands, ``made`` the last statement that makes and settles it.
    ``problem``: it is used for more than being called.
    """

    name: str
    call: Location
    made: Location
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one function goes on with what it lifted.

    ``statement`` is the one to replace, up to its value by ``before``; without ``before`` the
    value is not kept. ``expression`` is a call to replace, with its source. ``returned``: the
    function gives the sampled module away, as guides do. ``plate``: place of the plate around the
    call of the module, and how many of its first statements have to stand before it.
    ``function``: line of the function. ``problem``: why none of this is to be had.
    """

    function: int = 0
    statement: Location | None = None
    before: str = ""
    expression: tuple[int, int, str] | None = None
    returned: bool = False
    plate: tuple[int, int, int] | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LiftCall:
    """``pyro.random_module``, ``poutine.lift`` or ``pyro.module``, by ``kind`` its last name."""

    kind: str
    line: int
    column: int
    text: str
    module: LiftedModule
    priors: OldPriors
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Suppression:
    """``# pyroify: ignore[CODE, ...] until=YYYY-MM reason`` at the end of a line.

    ``kind`` is ``ignore``, ``ignore-class`` or ``ignore-file``. Without ``codes`` it takes out all
    findings of the line, and what the line makes. A statement of several lines, from ``first`` on,
    is as one line.
    """

    line: int
    kind: str
    codes: tuple[str, ...] | None = None
    until: str | None = None
    first: int = 0

    def keeps(self, line: int) -> bool:
        """Whether it keeps plain what is made on this line."""
        is_meant = self.kind == "ignore" and self.codes is None
        return is_meant and self.first <= line <= self.line

    def covers(self, line: int, code: str) -> bool:
        """Whether it takes out a finding with this code, on this line of its file."""
        if self.kind == "ignore-file":
            return True
        is_meant = self.codes is None or code in self.codes
        return self.kind == "ignore" and self.first <= line <= self.line and is_meant


@dataclass(frozen=True, slots=True)
class File:
    """All that is known of one file. ``imports`` maps local names to dotted absolute ones."""

    path: str
    module: str
    imports: tuple[tuple[str, str], ...] = ()
    stars: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    """All that is imported: modules, and names in them, which may be modules too."""
    classes: tuple[Class, ...] = ()
    functions: tuple[Function, ...] = ()
    aliases: tuple[tuple[str, Value], ...] = ()
    grown: frozenset[str] = frozenset()
    """Lists and dicts, dotted, that get more members than ``aliases`` tell, in this or any file;
    ``*.name`` is what instances or classes call so."""
    bound: frozenset[str] = frozenset()
    mentions: frozenset[str] = frozenset()
    """Dotted names of what it does more with than to call it or derive from it; ``*`` where it
    looks up names of its own by texts."""
    handed: frozenset[str] = frozenset()
    """Those of what it gives to calls of names."""
    suppressed: tuple[Suppression, ...] = ()
    module_calls: tuple[Call, ...] = ()
    puts: tuple[AttributeStore, ...] = ()
    """What the file itself attaches to objects: ``net.extra = ...``."""
    type_tests: tuple[TypeTest, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    dispatches: tuple[Dispatch, ...] = ()
    definitions: tuple[tuple[str, str], ...] = ()
    """Functions and classes that a rewrite may have written, by name, with normalised source."""
    line_length: int = 88
    """The length that its own lines keep to, as far as they show."""
    liftings: tuple[LiftCall, ...] = ()
    networks: tuple[BoundNetwork, ...] = ()
    imports_by_dots: bool = False
    """Whether it imports from its own package relatively."""
    is_run: bool = False
    """Whether it says what to do when it is run, rather than imported."""
