"""Weights that two modules share: one latent, read under both names."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from pyroify.catalog.layers import names_parameter
from pyroify.code.names import FileNames
from pyroify.code.statements import (
    Assign,
    Declare,
    PyroSample,
    Statement,
    Tied,
    guarded,
    opposite,
    tie_of,
)
from pyroify.code.write import write_value
from pyroify.dispatch import needs
from pyroify.program.placements import presence
from pyroify.program.summary import (
    ClassSummary,
    always_assigned,
    declared_in,
    exclusive,
    parameters_in,
    summary_of,
)
from pyroify.program.values import ClassInstance, LayerInstance
from pyroify.syntax.facts import Assignment, ExistingDeclaration, Function
from pyroify.syntax.values import (
    Declared,
    Location,
    Parameter,
    Path,
    SelfRead,
    Unknown,
    Value,
    walk,
)

TYING = ("assign", "chain", "register")

TIED_TO = '''\
class TiedTo:
    """A prior that reads the parameter of another module, so that both share one latent."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, _):
        return getattr(self.module, self.name)
'''


@dataclass(frozen=True, slots=True)
class Tie:
    """``self.<left> = self.<right>`` between two parameters, as dotted paths."""

    left: str
    right: str
    line: int
    column: int
    condition: str | None = ""
    """Source that says whether it is made; None where only comparing the two tells."""
    late: Assignment | None = None
    """What makes it, where another class has declared the right side by then, if it is random."""
    written: str = ""
    """Where it stands in the source as a declaration already: ``amid`` a method, at its ``end``."""
    unseen: bool = False
    """Whether the name of the right side alone tells that it is a parameter, if it is one."""
    may_be_frozen: bool = False
    """Whether only run time knows if the right side is frozen, and stays what it is."""
    may_be_none: bool = False
    """Whether the right side may be None, so that there is nothing to read."""


@needs(
    (Assignment, SelfRead),
    (Assignment, Parameter),
    (Assignment, Declared),
    (Assignment, Unknown),
    ExistingDeclaration,
    nothing=(),
)
def find_ties(summary: ClassSummary) -> tuple[Tie, ...]:
    """Ties made during construction between parameters the source shows.

    Each reads the parameter that is declared, not another that reads it.
    """
    found: list[Tie] = []
    owners: dict[str, str] = {}
    for method in summary.cls.cls.methods:
        late = list(_of_others(summary, method))
        places = {(tie.line, tie.left) for tie in late}
        found += [*late, *_written(method)]
        reads = (_of_reads(summary, method, owners), _of_layers(summary, method))
        for tie in chain(_of_locals(method), *reads):
            if (tie.line, tie.left) in places:
                continue
            right = owners.get(tie.right, tie.right)
            found.append(replace(tie, right=right))
            if tie.condition == "":
                owners[tie.left] = right
    found = [
        replace(tie, may_be_none=_may_be_none(summary, tuple(tie.right.split("."))))
        for tie in found
    ]
    made = {(tie.left, tie.right) for tie in found}
    written = (tie for method in summary.cls.cls.methods for tie in _written_at_end(method))
    return (*found, *(tie for tie in written if (tie.left, tie.right) not in made))


def _of_others(summary: ClassSummary, method: Function) -> Iterator[Tie]:
    """Ties to what a part of the class, or a base, declares before they are made."""
    for item in method.assignments if method.name in summary.building else ():
        if not isinstance(item.value, SelfRead) or item.how not in TYING or "*" in item.path:
            continue
        right = item.value.path
        if right != item.path and _is_of_other(summary, right):
            yield replace(_tie(item.path, right, item, condition(method, item)), late=item)


def _is_of_other(summary: ClassSummary, path: Path) -> bool:
    """Whether ``self.<path>`` is a parameter that another class declares."""
    if len(path) == 1 and any(own.name == path[0] for own in summary.all_parameters):
        return False
    nodes = [item.node for item in summary.everything if item.name == path[0]]
    inside = [inner for node in nodes for inner in walk(node)]
    if any(
        isinstance(inner, ClassInstance) and _has_parameter(inner, path[1:], summary)
        for inner in inside
    ):
        return True
    return not nodes and any(
        (len(path) == 1 and any(own.name == path[0] for own in base.all_parameters))
        or (len(path) > 1 and _is_parameter(base, path))
        for base in (summary_of(item, summary.resolver) for item in summary.cls.lineage[1:])
    )


def _written(method: Function) -> Iterator[Tie]:
    """``self.head.weight = PyroSample(TiedTo(self.embed, "weight"))``, amid a method."""
    for item in method.assignments:
        for made in declared_in(item.value):
            if (tie := tie_of(made.value)) and tie.path:
                left = ".".join(item.path)
                yield Tie(left, tie.path, item.line, item.column, written="amid")


def _written_at_end(method: Function) -> Iterator[Tie]:
    """Ties among the declarations that a method ends in, where nothing else tells of them."""
    for there in method.declarations:
        match there.statement:
            case Declare(target, PyroSample(Tied() as tie)) if tie.path:
                yield Tie(target.removeprefix("self."), tie.path, there.line, 0, written="end")


def _of_reads(summary: ClassSummary, method: Function, aliases: Container[str]) -> Iterator[Tie]:
    """``self.left = self.right``; ``aliases`` are names that read a parameter by then."""
    own = {parameter.name for parameter in summary.all_parameters}
    for item in method.assignments:
        if not isinstance(item.value, SelfRead) or item.how not in TYING or not item.path:
            continue
        if _is_replaced(method, item):
            continue
        left, right = item.path, item.value.path
        is_own = right[0] in own or (len(left) == 1 and right[0] in aliases)
        if len(right) == 1:
            if is_own and left != right:
                yield _tie(left, right, item, condition(method, item))
        elif len(left) > 1 or method.name in summary.building:
            is_seen = _is_parameter(summary, right)
            if is_seen or _may_be_parameter(summary, right, item):
                tie = _tie(left, right, item, condition(method, item))
                yield replace(tie, unseen=not is_seen)


def _of_layers(summary: ClassSummary, method: Function) -> Iterator[Tie]:
    """``self.left = layer.weight``, of a layer that has a local name as well as its place."""
    for item in method.assignments:
        if item.how not in TYING or not item.path or _is_replaced(method, item):
            continue
        if (read := summary.read_of_layer(item.value)) is None:
            continue
        made, parameter = read
        for path, is_sure in paths_of_layer(summary, made.place):
            there = [one.line for one in method.assignments if one.path == path[:1]]
            if is_sure and there and max(there) < item.line and all(map(str.isidentifier, path)):
                yield _tie(item.path, (*path, parameter.name), item, condition(method, item))
                break


def paths_of_layer(summary: ClassSummary, made: Location) -> Iterator[tuple[Path, bool]]:
    """The names below the class of a layer that is made at a place, and whether it is sure there.

    Members of containers have their number, or ``*`` where only run time knows it.
    """
    for found in summary.single_layers:
        if found.instance.call is not None and found.instance.call.place == made:
            is_sure = not (found.where.loops or found.where.guards)
            yield tuple(found.where.path.split(".")), is_sure


def _may_be_parameter(summary: ClassSummary, path: Path, item: Assignment) -> bool:
    """Whether what ``self.<path>`` gives may be a parameter, though the source does not show it.

    What a class keeps under a name of its own may as well be a number.
    """
    nodes = [attribute.node for attribute in summary.everything if attribute.name == path[0]]
    inside = [inner for node in nodes for inner in walk(node)]
    if any(_has_parameter(inner, path[-1:], summary) for inner in inside):
        return True
    if nodes or len(item.path) > 1 or item.how == "register":
        return (not nodes or any(map(_hides, inside))) and names_parameter(path[-1])
    return False


def _hides(node: Value) -> bool:
    """Whether a module may have parameters that are not known by their names."""
    return isinstance(node, Unknown | ClassInstance) or (
        isinstance(node, LayerInstance) and node.layer.kind != "layer"
    )


def _is_parameter(summary: ClassSummary, path: Path) -> bool:
    """Whether ``self.<path>`` is a parameter of a layer, or of a class of the project."""
    nodes = [item.node for item in summary.everything if item.name == path[0]]
    return any(_has_parameter(inner, path[1:], summary) for node in nodes for inner in walk(node))


def _has_parameter(node: Value, path: Path, summary: ClassSummary) -> bool:
    if not path:
        return False  # it is the module itself
    match node:
        case LayerInstance(layer=layer):
            return path[-1] in [parameter.name for parameter in layer.parameters]
        case ClassInstance(cls=cls) if len(path) == 1:
            held = [summary_of(item, summary.resolver) for item in cls.lineage]
            return any(path[0] == own.name for item in held for own in item.all_parameters)
        case ClassInstance(cls=cls):
            return any(
                _is_parameter(summary_of(item, summary.resolver), path) for item in cls.lineage
            )
    return False


def _may_be_none(summary: ClassSummary, path: Path) -> bool:
    """Whether the source does not show that there is a parameter at ``self.<path>``."""
    lineage = [summary_of(cls, summary.resolver) for cls in summary.cls.lineage]
    if len(path) == 1:
        parameters = (own for one in lineage for own in one.all_parameters)
        return any(own.optional for own in parameters if own.name == path[0])
    made = ([item.node for item in one.everything if item.name == path[0]] for one in lineage)
    nodes = next(filter(None, made), [])
    inside = [inner for node in nodes for inner in walk(node)]
    return any(_may_lack(inner, path[1:], summary) for inner in inside)


def _may_lack(node: Value, path: Path, summary: ClassSummary) -> bool:
    match node:
        case LayerInstance(layer=layer, call=call):
            named = [item for item in layer.parameters if item.name == ".".join(path)]
            return any(presence(item, call) is not True for item in named)
        case ClassInstance(cls=cls):
            held = (summary_of(item, summary.resolver) for item in cls.lineage)
            return any(_may_be_none(item, path) for item in held)
    return isinstance(node, Unknown)


def _of_locals(method: Function) -> Iterator[Tie]:
    """One ``nn.Parameter(...)`` under several names: of a chain, or by a local variable."""
    owners: dict[Value, Assignment] = {}
    for item in method.assignments:
        is_shared = item.local or item.how == "chain"
        if not is_shared or item.how not in TYING or not parameters_in(item.value):
            continue
        if not item.path or "*" in item.path or _is_replaced(method, item):
            continue
        first = owners.setdefault(item.value, item)
        if first.path != item.path and not exclusive(first, item):
            yield _tie(item.path, first.path, item, _when_same(method, first, item))


def _when_same(method: Function, first: Assignment, second: Assignment) -> str | None:
    """The test under which two names are given one parameter; None where it may be another."""
    places = (first.line, first.column), (second.line, second.column)
    if places[0] != places[1]:
        is_sure = first.how == "chain" or first.local == second.local
        if not is_sure or first.branches not in ((), second.branches):
            return None
    return condition(method, second) if isinstance(first.value, Parameter) else None


def _is_replaced(method: Function, item: Assignment) -> bool:
    """Whether something else is assigned to the same name further down."""
    return any(
        other.path == item.path and other.line > item.line and always_assigned([other])
        for other in method.assignments
    )


def _tie(left: Path, right: Path, item: Assignment, test: str | None) -> Tie:
    return Tie(".".join(left), ".".join(right), item.line, item.column, test)


def condition(method: Function, item: Assignment) -> str | None:
    """The test under which an assignment is made: empty for none, None where it is not one test."""
    deciding = [branch for branch in item.branches if branch[0] != "with"]
    if not deciding:
        return ""
    tests = dict(method.conditions)
    kind, line, arm = deciding[0]
    if len(deciding) > 1 or kind != "if" or line not in tests:
        return None
    return opposite(tests[line]) if arm else tests[line]


def _tied(tie: Tie, names: FileNames) -> PyroSample:
    """The declaration that makes the left side read the right."""
    names.define("TiedTo", TIED_TO, needs=())
    owner, _, name = f"self.{tie.right}".rpartition(".")
    return PyroSample(Tied(owner, name))


def late_source(tie: Tie, names: FileNames) -> str:
    """What takes the place of the right side, where it has been declared when the tie is made."""
    source = write_value(_tied(tie, names), names)
    return f"{source} if self.{tie.right} is not None else None" if tie.may_be_none else source


def tie_statements(
    ties: Iterable[Tie], names: FileNames, late: Iterable[Tie]
) -> tuple[list[Statement], list[Statement]]:
    """Statements before the declarations, and after them, that make the left side read the right.

    Where the source does not show whether the tie is made, the two are compared before either is
    declared; so it is seen whether the right side will be. Ties that are ``late`` stand where they
    are made.
    """
    before: list[Statement] = [
        Declare(f"self.{tie.left}", _tied(tie, names)) for tie in late if tie.written == "end"
    ]
    statements: list[Statement] = []
    tests: list[str] = []
    for tie in ties:
        if tie.late is not None or tie.written:
            continue
        test = _test_after(tie)
        if test is None or tie.may_be_frozen:
            test = f"tied_{len(tests)}" if tests else "tied"
            tests.append(test)
            before.append(Assign(test, _test_before(tie)))
        statements += guarded(test, [Declare(f"self.{tie.left}", _tied(tie, names))])
    return before, statements


def _test_after(tie: Tie) -> str | None:
    """A test, after the declarations, whether a tie is made; None where that is too late."""
    if not tie.may_be_none or tie.condition is None:
        return tie.condition
    there = f"self.{tie.left} is not None"
    made = tie.condition if tie.condition.isidentifier() else f"({tie.condition})"
    return f"{made} and {there}" if tie.condition else there


def _test_before(tie: Tie) -> str:
    """A test whether the left side will read the right one."""
    made = _comparison(tie) if tie.condition is None else tie.condition
    trained = f"self.{tie.right}.requires_grad" if tie.may_be_frozen else ""
    if trained and (tie.unseen or tie.may_be_none):
        trained = f'getattr(self.{tie.right}, "requires_grad", False)'
    if made and trained:
        plain = tie.condition is None or made.isidentifier()
        return f"{made} and {trained}" if plain else f"({made}) and {trained}"
    return made or trained


def _comparison(tie: Tie) -> str:
    """A test whether both names are one parameter by now; one's own may be None, or missing."""
    if "." in tie.left:
        same = f"self.{tie.left} is self.{tie.right}"
        return f"{same} is not None" if tie.may_be_none else same
    right = f"self.{tie.right}" if "." in tie.right else f'getattr(self, "{tie.right}", None)'
    return f'getattr(self, "{tie.left}", None) is {right} is not None'
