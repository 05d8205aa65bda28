"""The summary of one class: what it attaches to itself, when, and what of it is visible."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from pyroify.catalog.calls import computes_weight
from pyroify.catalog.layers import NUMBERED, Layer, LayerParameter, lookup, names_parameter
from pyroify.catalog.module import MODULE, MODULE_NAMES, RETURNING_IT_UNCHANGED
from pyroify.dispatch import Trait, needs
from pyroify.program.callers import known_arguments, with_arguments
from pyroify.program.calls import CallGraph
from pyroify.program.index import Base, ModuleClass
from pyroify.program.ownership import UserDeclarations, by_hand
from pyroify.program.placements import AccessPath, Single, place, presence
from pyroify.program.resolve import Resolver
from pyroify.program.roles import module_uses, number_uses
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    LayerInstance,
    Scope,
    down,
    holds_parameters,
    is_certain,
    is_data,
    is_opaque,
    without_call,
)
from pyroify.syntax.facts import ATTACHING, Assignment, Class, Freeze, Function, Use
from pyroify.syntax.traits import BEYOND_LAYERS, CONSTRUCTORS, anywhere, early, later
from pyroify.syntax.values import (
    NOTHING,
    Argument,
    Call,
    Constant,
    Declared,
    Items,
    Location,
    Many,
    MethodCall,
    Name,
    Nothing,
    OneOf,
    Parameter,
    Path,
    Plain,
    SelfRead,
    Unknown,
    Value,
    calls_in,
    join,
    member_of,
    options_of,
    walk,
)

if TYPE_CHECKING:
    from pyroify.program.attributes.frozen import FrozenBy
    from pyroify.program.attributes.ties import Tie

T = TypeVar("T")
READ_OF_SELF = re.compile(r"\bself\.(\w+)")
DATA_ANNOTATIONS = (
    *("int", "float", "str", "bool", "Tuple", "tuple", "List[int]", "list[int]"),
    *("type[", "Type[", "typing.Type["),
)
ANNOTATED = re.compile(r"([\w.]+)|(?:typing\.)?Optional\[([\w.'\"]+)\]|([\w.]+) *\| *None")
"""A class, or one of which there may be none."""
PARAMETERS = frozenset(("parameters", "named_parameters"))
"""Methods of a module that give its parameters."""
PAST_PYRO_MODULE = re.compile(r"super\((torch\.)?(nn\.)?Module,")
BEFORE = {"__new__", "__attrs_pre_init__"}
"""Where else a base's constructor may be called."""
STORAGE = {("_parameters",), ("_modules",)}
REMOVING = frozenset(("pop", "popitem", "clear", "__delitem__"))
"""Methods of containers after which a member is missing."""
ADDING = ("append", "extend", "insert", "setitem")
UNNAMED = ("setattr", "registry")


@dataclass(frozen=True, slots=True)
class OwnParameter:
    """A parameter the class itself registers, with the assignments that make it."""

    name: str
    assignments: tuple[Assignment, ...]
    method: Function
    found: tuple[Parameter, ...] = ()
    """Those that functions make for it; empty where all are made where they are assigned."""
    others: bool = False
    """Whether such a function may as well give something else."""
    may_be_handed_in: bool = False
    """Whether it may as well be something unknown, another parameter perhaps."""
    may_be_none: bool = False
    """Whether such a function may as well give None."""

    @property
    def made(self) -> tuple[Parameter, ...]:
        """The ``nn.Parameter(...)`` calls behind it."""
        written = tuple(
            item for assignment in self.assignments for item in parameters_in(assignment.value)
        )
        return tuple(dict.fromkeys((*written, *self.found)))

    @property
    def declared(self) -> Declared | None:
        """The declaration that stands in its place already, if any."""
        for assignment in self.assignments:
            for item in options_of(assignment.value):
                if isinstance(item, Declared):
                    return item
        return None

    @property
    def optional(self) -> bool:
        """Whether it may be None, or not be there at all."""
        return NOTHING in self.possible or self.may_be_none or not always_assigned(self.assignments)

    @property
    def may_be_other(self) -> bool:
        """Whether it may as well be a plain tensor, a number, or anything else."""
        known = (Parameter, Declared)
        if self.found:
            return self.others
        return any(not isinstance(item, known) and item != NOTHING for item in self.possible)

    @property
    def possible(self) -> tuple[Value, ...]:
        """What it may be in the end: what is overwritten in any case does not count."""
        items = self.assignments
        if set(items) <= set(self.method.assignments):
            sure = [index for index, item in enumerate(items) if always_assigned([item])]
            items = items[sure[-1] :] if sure else items
        return tuple(option for item in items for option in options_of(item.value))

    @property
    def taken_back(self) -> bool:
        """Whether it is set to None after it was made, not in another arm of the same ``if``."""
        made = [item for item in self.assignments if self.found or parameters_in(item.value)]
        for item in self.assignments:
            if not isinstance(item.value, Constant) or item.value.text != "None":
                continue
            if any(other.line < item.line and not exclusive(other, item) for other in made):
                return True
        return False

    @property
    def frozen(self) -> bool | None:
        """Whether ``requires_grad`` is False; None where an expression decides."""
        states = {made.frozen for made in self.made}
        return states.pop() if len(states) == 1 else None if states else False


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something with parameters that hangs below ``self``: a layer, a container, a class."""

    name: str
    node: Value
    assignments: tuple[Assignment, ...]
    line: int

    @property
    def present(self) -> bool:
        """Whether it is there however the constructor runs."""
        return not self.name or always_assigned(self.assignments)

    @property
    def target(self) -> str:
        """Source that reads it."""
        return f"self.{self.name}" if self.name else "self"


def _as_made(item: Assignment) -> Value:
    """What is assigned, without the call that freezes it there: that is seen by itself."""
    match item:
        case Assignment(
            how="assign",
            local="",
            value=Call(callee=Unknown(owner=Call() as made, path=("requires_grad_",))),
        ) if "*" not in item.path:
            return made
    return item.value


def exclusive(first: Assignment, second: Assignment) -> bool:
    """Whether two assignments stand in different arms of one ``if``."""
    arms = {branch[1]: branch[2] for branch in first.branches if branch[0] == "if"}
    return any(arms.get(line, arm) != arm for kind, line, arm in second.branches if kind == "if")


def parameters_in(value: Value) -> tuple[Parameter, ...]:
    """The parameters a value may be."""
    return tuple(item for item in options_of(value) if isinstance(item, Parameter))


def declared_in(value: Value) -> tuple[Declared, ...]:
    """The declarations that a value may be."""
    return tuple(item for item in options_of(value) if isinstance(item, Declared))


def lines_making(names: Container[str], method: Function) -> list[int]:
    """Where a method makes something that is attached under one of these names."""
    return [
        item.line
        for item in method.assignments
        if item.path and item.path[0] in names and item.value != NOTHING
    ]


def always_assigned(assignments: Iterable[Assignment]) -> bool:
    """Whether one of several assignments is surely made: unconditionally, or in both arms."""
    arms: dict[tuple[int, ...], set[int]] = {}
    for item in assignments:
        deciding = [branch for branch in item.branches if branch[0] != "with"]
        if not deciding:
            return True
        if len(deciding) == 1 and deciding[0][0] == "if":
            arms.setdefault((deciding[0][1],), set()).add(deciding[0][2])
    return any(found >= {0, 1} for found in arms.values())


def summary_of(cls: ModuleClass, resolver: Resolver) -> ClassSummary:
    """The summary of a class by itself, without its relatives; it is made once."""
    if cls.key not in resolver.summaries:
        resolver.summaries[cls.key] = ClassSummary(cls, resolver, ())
    return resolver.summaries[cls.key]


def _once(
    method: Callable[[ClassSummary, tuple[Function, ...]], tuple[T, ...]],
) -> Callable[[ClassSummary, tuple[Function, ...]], tuple[T, ...]]:
    """A method that is told which methods it is about, and finds out once for the same ones.

    They are told apart as objects: to compare all that is in them would take longer.
    """

    @wraps(method)
    def found(self: ClassSummary, covered: tuple[Function, ...]) -> tuple[T, ...]:
        key = (method.__name__, *map(id, covered))
        if key not in self.found_of:
            self.found_of[key] = covered, method(self, covered)
        made: tuple[T, ...] = self.found_of[key][1]
        return made

    return found


@dataclass(frozen=True)
class ClassSummary:
    """A module class with the structures of its attributes, ready to be decided upon."""

    cls: ModuleClass
    resolver: Resolver
    relatives: tuple[ModuleClass, ...]
    """Bases and subclasses in the project: their methods see the same attributes."""
    found_of: dict[tuple[object, ...], tuple[tuple[Function, ...], Any]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """What was found of some methods, beside these."""

    @cached_property
    def traits(self) -> frozenset[Trait]:
        """What there is in its own source, and when that runs; and in the project."""
        return self.resolver.index.traits.union(self._traits())

    def _traits(self) -> Iterator[Trait]:
        cls = self.cls.cls
        yield from ((Base, base.kind) for base in self.cls.bases)
        if cls.is_generic or cls.metaclass or cls.decorators or cls.registered:
            yield Class
        for method in cls.methods:
            found = self.resolver.index.traits_of(method)
            yield from found
            yield from early(*found) if method.name in self.calls.building else later(*found)

    @cached_property
    def calls(self) -> CallGraph:
        """Which of its methods run when."""
        return CallGraph(self.cls, self.relatives)

    @property
    def constructor(self) -> Function | None:
        """The method that runs at construction, if the class defines one."""
        return self.calls.constructor

    @property
    def building(self) -> frozenset[str]:
        """Own methods that run during construction: the constructor and what it calls."""
        return self.calls.constructing

    @cached_property
    def stages(self) -> tuple[tuple[Function, tuple[Function, ...]], ...]:
        """Methods that end in declarations, each with the methods whose assignments they cover.

        The constructor covers all that run during construction; any other method that attaches
        something covers itself.
        """
        found: list[tuple[Function, tuple[Function, ...]]] = []
        if self.constructor is not None:
            covered = tuple(m for m in self.cls.cls.methods if m.name in self.building)
            found.append((self.constructor, covered))
        for method in self.cls.cls.methods:
            if method.name not in self.building and method.assignments:
                found.append((method, (method,)))
        return tuple(found)

    @property
    def is_container(self) -> bool:
        """Whether it derives from a container of torch: its attributes are members of it."""
        return _as_container(self.cls) is not None

    @cached_property
    def lineage(self) -> tuple[ClassSummary, ...]:
        """Itself, and its bases, each by itself."""
        return (self, *(summary_of(cls, self.resolver) for cls in self.cls.lineage[1:]))

    @cached_property
    def names_attached(self) -> frozenset[str]:
        """Names of what the class is seen to attach: what it holds, and its own parameters."""
        names = frozenset(attribute.name for attribute in self.everything)
        return names.union(parameter.name for parameter in self.all_parameters)

    @cached_property
    def scope(self) -> Scope:
        """Where the values of the class stand."""
        return Scope(self.cls.file.path, self.cls, user=self.cls.key)

    @cached_property
    def _scopes(self) -> Mapping[Assignment, Scope]:
        """Where assignments stand of which annotations of arguments, or callers, tell more."""
        found: dict[Assignment, Scope] = {}
        for method in self.cls.cls.methods:
            if known := known_arguments(self.cls, method, self.resolver):
                scope = with_arguments(self.scope, known)
                found.update((item, scope) for item in method.assignments)
        return found

    @cached_property
    def unsteady(self) -> frozenset[str]:
        """Attributes that are set more than once, or changed in place."""
        counts: dict[str, int] = {}
        for item in (self.cls, *self.relatives):
            for method in item.cls.methods:
                for assignment in method.assignments:
                    if len(assignment.path) == 1:
                        name = assignment.path[0]
                        counts[name] = counts.get(name, 0) + 1
                for use in method.uses:
                    if use.how in ("augmented", "setitem", "delete"):
                        counts[use.path[0]] = 2
        return frozenset(name for name, count in counts.items() if count > 1)

    def is_steady(self, source: str) -> bool:
        """Whether the attributes that an expression reads are set only once."""
        return not set(READ_OF_SELF.findall(source)) & self.unsteady

    @cached_property
    def elsewhere(self) -> frozenset[Assignment]:
        """Assignments in methods that another one declares for; local names are void there."""
        return frozenset(
            item
            for stage, covered in self.stages
            for method in covered
            if method is not stage
            for item in method.assignments
        )

    @needs(BEYOND_LAYERS, *anywhere(Freeze), nothing=False)
    def is_frozen(self, path: str) -> bool:
        """Whether a site is frozen in any case while the class, or what holds it, is built."""
        return self.frozen_by(path) is not None or self.freezes_itself(path)

    @needs((Assignment, "below"), nothing=None)
    def set_anew(self, path: str) -> Parameter | None:
        """The parameter that the constructor puts in place of a layer's own, whatever happens."""
        found: Parameter | None = None
        names = tuple(path.split("."))
        for item in self.attached_as(names[0]) if "." in path else ():
            if item.path == names and item.how in ATTACHING:
                is_sure = isinstance(item.value, Parameter) and always_assigned([item])
                found = item.value if isinstance(item.value, Parameter) and is_sure else None
        return found

    def lines_making(self, names: Container[str]) -> list[int]:
        """Where the constructor, or a method that it calls, makes attributes of these names."""
        assert self.constructor is not None
        base, layer = self.constructor.super_init, self.cls.library_base
        inherited = layer is not None and any(item.name in names for item in layer.parameters)
        lines = [base.line if base else 0] if inherited else []
        for method in self.cls.cls.methods:
            if method.name not in self.building:
                continue
            calls = [use.line for use in self.constructor.uses if use.path == (method.name,)]
            made = lines_making(names, method)
            lines += made if method is self.constructor else (calls or [0]) * bool(made)
        return lines

    def made_past_returns(self, names: Iterable[str]) -> frozenset[str]:
        """Those of some attributes that are made where the constructor may have ended."""
        exit = self.constructor.exit if self.constructor else None
        return frozenset(
            name
            for name in names
            if exit and max(self.lines_making({name}), default=0) > exit.last_return
        )

    def freezes_itself(self, path: str) -> bool:
        """Whether the class freezes a site after it is made, in all its instances."""
        if (made := self.set_anew(path)) is not None and made.frozen:
            return True
        states = [state for freeze in self.freezes if (state := self._frozen_at(freeze, path))]
        return "sure" in states and states[-1] == "sure"

    @needs(BEYOND_LAYERS, *anywhere(Freeze), nothing=False)
    def may_be_frozen(self, path: str) -> bool:
        """Whether only run time knows if a site is frozen when the constructor has run."""
        if self.is_frozen(path):
            return False
        made = any(own.frozen is None for own in self.all_parameters if own.name == path)
        anew = self.set_anew(path)
        if made or (anew is not None and anew.frozen is None):
            return True
        return any(self._frozen_at(freeze, path) for freeze in self.freezes)

    def frozen_by(self, path: str) -> FrozenBy | None:
        """What freezes a site in an instance, or in those of a subclass."""
        return next(self.all_frozen_by(path), None)

    def all_frozen_by(self, path: str) -> Iterator[FrozenBy]:
        """All that freezes a site so."""
        found = self.frozen_by_others
        names = (path, *(name for name, _ in self._further_names(path))) if found else ()
        yield from (by for by in found if any(self._covered(by, name) for name in names))

    @property
    def frozen_by_others(self) -> tuple[FrozenBy, ...]:
        """What holders and subclasses freeze of what it attaches."""
        return self.resolver.frozen.get(self.cls.key, ())

    @property
    def frozen_outside(self) -> tuple[str, ...]:
        """Paths that other classes freeze: of parameters, or of all there is below."""
        found = self.frozen_by_others
        return tuple(dict.fromkeys(".".join(by.path) for by in found if by.path))

    @cached_property
    def ties(self) -> tuple[Tie, ...]:
        """Second names that its parameters get while it is built."""
        from pyroify.program.attributes.ties import find_ties

        return find_ties(self)

    def _further_names(self, path: str) -> Iterator[tuple[str, tuple[Tie, ...]]]:
        """Other names of the parameter at a path, each with the ties that make it one."""
        own = [tie for tie in self.ties if tie.left == path]
        yield from ((tie.right, (tie,)) for tie in own)
        for tie in self.ties:
            if tie.right == path:
                yield tie.left, (tie,)
            elif tie.left != path:
                yield from ((tie.left, (to, tie)) for to in own if to.right == tie.right)

    @cached_property
    def freezes(self) -> tuple[Freeze, ...]:
        """What is frozen of its own while the class is built, by where it is in the end."""
        from pyroify.program.attributes.frozen import freezes_in_the_end

        return tuple(freezes_in_the_end(self))

    def _frozen_at(self, freeze: Freeze, path: str) -> str:
        """``sure``, ``maybe``, or empty where a freeze is not about a site, whatever its name."""
        states = [self._frozen_as(freeze, path)]
        for name, ties in self._further_names(path):
            if state := self._frozen_as(freeze, name):
                sure = all(tie.condition == "" for tie in ties)
                last = ties[-1] if name == ties[-1].left else None
                order = last and self.calls.runs_after(freeze.line, last.line)
                if order is not False:  # what was frozen under the name before is another one
                    states.append(state if sure and (last is None or order) else "maybe")
        return "sure" if "sure" in states else "maybe" if "maybe" in states else ""

    def _frozen_as(self, freeze: Freeze, path: str) -> str:
        """What a freeze says of a site under one of its names, if that is there by then."""
        covers = self._covered(freeze, path)
        if not covers:
            return ""
        attached = list(self._attached_below(freeze.path, path))
        made_later = {self.calls.runs_after(item.line, freeze.line) for item in attached}
        if not freeze.path and made_later == {True}:
            return ""
        is_seen = bool(freeze.path or attached) or self._is_inherited(path.partition(".")[0])
        return covers if freeze.sure and is_seen and made_later <= {False} else "maybe"

    def _covered(self, freeze: Freeze | FrozenBy, path: str) -> str:
        """Whether a freeze takes in a site, whenever: ``sure``, ``maybe`` or empty."""
        name = path.rpartition(".")[2]
        if freeze.below not in ("", name) and "*" not in name:
            return ""
        if freeze.kinds and not self._may_be_of(freeze.kinds, path):
            return ""
        return _covers(freeze.path, path)

    def _may_be_of(self, kinds: Sequence[str], path: str) -> bool:
        """Whether a site may be of an instance of one of some classes, by name."""
        layers = [lookup(kind) for kind in kinds]
        name, _, below = path.partition(".")
        if not all(layers):
            return True  # what derives from a class that is not in the catalogue is not known
        if not below:
            return self.cls.library_base in layers
        nodes = [node for item in self.attached_as(name) for node in walk(self.node(item))]
        made = [node.layer for node in nodes if isinstance(node, LayerInstance)]
        are_seen = bool(made) and all(
            isinstance(node, LayerInstance | ContainerInstance) for node in nodes
        )
        return not are_seen or any(layer in layers for layer in made)

    def _attached_below(self, around: Path, path: str) -> Iterator[Assignment]:
        """What is assigned below ``around``, or put into it, that a site is or is a part of."""
        names = path.split(".")
        for item in self.attached_as(names[0]):
            length = len(item.path) + (item.how in ADDING)
            is_below = len(around) < length <= len(names)
            pairs = zip(item.path[1:], names[1:], strict=False)
            if is_below and all(one == other or "*" in one + other for one, other in pairs):
                yield item

    def _is_inherited(self, name: str) -> bool:
        """Whether a base makes an attribute, before the class itself does anything."""
        base = self.cls.library_base
        own = base is not None and any(name == item.name for item in base.parameters)
        return own or any(
            name in self.names_held_by(cls)
            or any(name == item.name for item in summary_of(cls, self.resolver).all_parameters)
            for cls in self.cls.lineage[1:]
        )

    def attached_as(self, name: str) -> Sequence[Assignment]:
        """What is assigned to an attribute, or to parts of it, while the class is built."""
        return self._attached.get((name,), ())

    @cached_property
    def _attached(self) -> Mapping[Path, Sequence[Assignment]]:
        """What is assigned while the class is built, by the attribute."""
        found: dict[Path, list[Assignment]] = {}
        for method in self.cls.cls.methods:
            for item in method.assignments if method.name in self.building else ():
                found.setdefault(item.path[:1], []).append(item)
        return found

    @cached_property
    def cleared(self) -> Mapping[Path, Sequence[Assignment]]:
        """What is set to None in methods of the class and its bases, by where it is."""
        found: dict[Path, list[Assignment]] = {}
        for cls in self.cls.lineage:
            for method in cls.cls.methods:
                for item in method.assignments:
                    if item.value == NOTHING:
                        found.setdefault(item.path, []).append(item)
        return found

    @cached_property
    def cleared_elsewhere(self) -> frozenset[str]:
        """Names that methods, and functions they call, set to None on what has no name here."""
        methods = [method for cls in self.cls.lineage for method in cls.cls.methods]
        called = {
            value.dotted
            for method in methods
            for call in method.layer_calls
            for value in (call.callee, *(passed.value for passed in call.args))
            if isinstance(value, Name)
        }
        index, path = self.resolver.index, self.cls.file.path
        functions = [index.resolve(dotted, path).function for dotted in sorted(called)]
        return frozenset().union(
            *(method.cleared for method in methods),
            *(function.cleared for function in functions if function is not None),
        )

    @cached_property
    def by_hand(self) -> UserDeclarations:
        """What the user has declared himself."""
        return by_hand(self.resolver.index, self.cls.file, self.cls.cls)

    @cached_property
    def columns(self) -> Mapping[int, int]:
        """Where the assignments begin, by line."""
        return {
            item.line: item.column for method in self.cls.cls.methods for item in method.assignments
        }

    @cached_property
    def buffers(self) -> frozenset[str]:
        """Names that the class registers as buffers."""
        return frozenset(
            name.unquoted
            for method in self.cls.cls.methods
            for call in method.layer_calls
            if call.callee == SelfRead(("register_buffer",))
            and call.args
            and isinstance(name := call.args[0].value, Constant)
        )

    @cached_property
    def ignored_lines(self) -> frozenset[int]:
        """Lines with a comment that takes their parameters out of the conversion."""
        return frozenset(
            line
            for comment in self.cls.file.suppressed
            for line in range(comment.first, comment.line + 1)
            if comment.kind == "ignore" and comment.codes is None
        )

    @_once
    def parameters(self, covered: tuple[Function, ...]) -> tuple[OwnParameter, ...]:
        """Parameters the class itself registers in these methods, in order."""
        found: dict[str, list[Assignment]] = {}
        where: dict[str, Function] = {}
        for method in covered:
            for item in method.assignments:
                if len(item.path) == 1 and item.how in ATTACHING and item.path[0] != "*":
                    found.setdefault(item.path[0], []).append(item)
                    where.setdefault(item.path[0], method)
        own = (self._own_parameter(name, found[name], where[name]) for name in found)
        return tuple(parameter for parameter in own if parameter is not None)

    def _own_parameter(
        self, name: str, items: list[Assignment], method: Function
    ) -> OwnParameter | None:
        """The parameter that is assigned under a name, here or by functions that are called."""
        values = [option for item in items for option in options_of(item.value)]
        if any(isinstance(value, Declared) for value in values):
            return OwnParameter(name, tuple(items), method)
        nodes = [node for item in items for node in options_of(self.node(item))]
        owned = tuple(node for node in nodes if isinstance(node, Parameter))
        if not owned or any(is_certain(node) for node in nodes if not isinstance(node, Parameter)):
            return None  # where it may be a layer as well, only run time knows
        if set(owned) <= set(values):
            unknown = any(isinstance(node, Unknown) for node in nodes)
            return OwnParameter(name, tuple(items), method, may_be_handed_in=unknown)
        others = any(not isinstance(node, Parameter | Nothing) for node in nodes)
        return OwnParameter(name, tuple(items), method, owned, others, may_be_none=NOTHING in nodes)

    @_once
    def attributes(self, covered: tuple[Function, ...]) -> tuple[Attribute, ...]:
        """Attributes that hold, or may hold, modules with parameters, in order."""
        own = {parameter.name for parameter in self.parameters(covered)}
        entries: dict[str, list[Assignment]] = {}
        for method in covered:
            for item in method.assignments:
                if item.path and item.path[0] not in own:
                    entries.setdefault(item.path[0], []).append(item)
        found = []
        inherited = self._as_container(covered, entries) or self._as_compound(covered, entries)
        if inherited is not None:
            found.append(inherited)
        seen: set[Call] = set()
        for name, items in list(entries.items()):
            if inner := self._inner_parts(name, items):
                entries[name] = items = [item for item in items if item not in inner]
                found += self._of_parts(inner)
        for name, items in entries.items():
            attribute = self._attribute(name, items)
            if attribute is None or (self.is_no_module and is_opaque(attribute.node)):
                continue
            made = {item.value for item in attribute.assignments if isinstance(item.value, Call)}
            if made and made <= seen:
                continue  # another name for the same layer
            seen |= made
            found.append(attribute)
        return tuple(found)

    @cached_property
    def calls_base_constructor(self) -> bool:
        """Whether the constructor of PyroModule would be reached from that of the class."""
        bases = MODULE | {dotted for _, dotted, _, _ in self.cls.cls.bases}
        for method in self.cls.cls.methods if self.constructor else ():
            if method.name in self.building | BEFORE:
                passed_by = method.super_init and PAST_PYRO_MODULE.match(method.super_init.text)
                if "__init__" in method.super_calls and not passed_by:
                    return True
                if any(target in bases for target, _, _ in method.base_calls):
                    return True
        return self.constructor is None

    @cached_property
    def is_no_module(self) -> bool:
        """Whether torch attaches nothing to it: the constructor of nn.Module is never called."""
        methods = [method for method in self.cls.cls.methods if method.name in self.building]
        return (
            not self.calls_base_constructor
            and not any(method.super_init for method in methods)
            and not any(item.path[:1] in STORAGE for m in methods for item in m.assignments)
            and not any(
                passed.value == Argument("self")
                for method in methods
                for call in method.layer_calls
                for passed in call.args
            )
        )

    def attached(self, covered: tuple[Function, ...]) -> frozenset[str]:
        """Names of what these methods attach, modules and parameters; no values they keep."""
        attributes = [attribute.name for attribute in self.attributes(covered)]
        return frozenset(attributes).union(item.name for item in self.parameters(covered))

    def _inner_parts(self, name: str, items: list[Assignment]) -> list[Assignment]:
        """``self.block.fc = nn.Linear(...)``, where the block is one of the project's classes.

        That class declares what it makes itself; what takes its place is the holder's to declare.
        """
        inner = [item for item in items if len(item.path) == 2 and item.how in ("assign", "chain")]
        if not inner:
            return []
        own = self.classes_of(name)
        if not own:
            return []
        parts = {part for cls in own for base in cls.lineage for part in self.names_held_by(base)}
        return [item for item in inner if item.path[1] in parts or isinstance(item.value, Call)]

    def classes_of(self, name: str) -> list[ModuleClass]:
        """The classes of which an attribute is an instance, if all it may be is one of these."""
        direct = [item for item in self.attached_as(name) if item.path == (name,)]
        nodes = [self.node(item) for item in direct if item.how in ATTACHING]
        nodes = nodes or [*self._made_elsewhere(name)]
        own = [node.cls for node in nodes if isinstance(node, ClassInstance)]
        return own if len(own) == len(nodes) else []

    def _of_parts(self, inner: list[Assignment]) -> Iterator[Attribute]:
        paths = dict.fromkeys(item.path for item in inner)
        for path in paths:
            items = [item for item in inner if item.path == path]
            node = join(*map(self.node, items))
            if holds_parameters(node):
                yield Attribute(".".join(path), node, tuple(items), items[0].line)

    def _made_elsewhere(self, name: str) -> Iterator[Value]:
        """What an attribute is by the constructor or by a base."""
        for cls in self.cls.lineage:
            summary = self if cls is self.cls else summary_of(cls, self.resolver)
            method = summary.constructor
            for item in method.assignments if method else ():
                if item.path == (name,) and item.how in ATTACHING:
                    yield summary.node(item)

    def _as_container(
        self, covered: tuple[Function, ...], entries: dict[str, list[Assignment]]
    ) -> Attribute | None:
        """What a class derived from Sequential or the like hands to its base or adds to itself."""
        base = self.cls.library_base
        if base is None or base.kind != "container":
            return None
        container = ContainerInstance(base, None, ())
        places: list[Assignment] = []
        for method in covered:
            if method.super_init is not None and method.name in CONSTRUCTORS:
                made = self.resolver.container(method.super_init, base, self.scope)
                container = ContainerInstance(base, None, made.items, made.keys)
            for item in method.assignments:
                if item.how in ADDING and len(item.path) <= 1 and item.path != ("*",):
                    if item.path and item.how != "setitem":
                        continue
                    container = self._with_child(container, item)
                    places.append(item)
                    entries.pop(item.path[0] if item.path else "", None)
        if "" in self.taken_from:
            container = _any_left(container)
        if not holds_parameters(container):
            return None
        return Attribute("", container, tuple(places), self.cls.cls.line)

    def _as_compound(
        self, covered: tuple[Function, ...], entries: Mapping[str, list[Assignment]]
    ) -> Attribute | None:
        """The parts that a base of torch makes, but for those that the class replaces."""
        base = self.cls.library_base
        is_built = not covered or self.constructor in covered
        if base is None or not base.makes_all_parts or not is_built:
            return None
        replaced = {
            name
            for name, items in entries.items()
            if always_assigned(i for i in items if len(i.path) == 1 and i.how in ATTACHING)
        }
        left = tuple(p for p in base.parameters if p.name.partition(".")[0] not in replaced)
        layer = replace(base, parameters=left)
        return Attribute("", LayerInstance(layer), (), self.cls.cls.line) if left else None

    def _with_child(self, container: ContainerInstance, item: Assignment) -> ContainerInstance:
        made = self.node(item)
        deciding = [branch for branch in item.branches if branch[0] != "with"]
        plain = item.how in ("append", "setitem", "register") and not deciding
        children = made.items if isinstance(made, Items) else (made,)
        added = tuple(
            child if plain or isinstance(child, Plain | Many) else Many(child) for child in children
        )
        keys = (*container.keys, repr(item.path[-1])) if item.path and plain else container.keys
        return ContainerInstance(container.layer, container.call, (*container.items, *added), keys)

    def _attribute(self, name: str, items: list[Assignment]) -> Attribute | None:
        direct = [item for item in items if len(item.path) == 1 and item.how in ATTACHING]
        added = [item for item in items if item not in direct and self._adds(item)]
        direct = [item for item in direct if not self.gives_itself(item)]
        if not direct and not added:
            return None
        direct, added = self._from_last(direct, added)
        own = [] if direct else self._instances_set(added) if name == "*" else self.classes_of(name)
        node = join(*map(ClassInstance, own)) if own else Unknown(name)
        node = self._one_of(direct) if direct else node
        for item in added if name != "*" or not own else ():
            node = self._grown(node, item)
        if name in self.taken_from and isinstance(node, ContainerInstance):
            node = _any_left(node)
        if not holds_parameters(node):
            return None
        late = all(item in self.late for item in items)
        if late and isinstance(node, Unknown) and not self.is_used_as_module(name):
            return None
        if not any(is_certain(inner) for inner in walk(node)):
            is_open = self.is_used_as_module(name) or self._may_be_module(name, node)
            if late or not is_open or self.is_handled_by_pyro(name):
                return None
        return Attribute(name, node, tuple(direct or items), items[0].line)

    def _instances_set(self, added: Sequence[Assignment]) -> list[ModuleClass]:
        """The classes of what gets computed names, if all of that are instances of some."""
        nodes = [option for item in added for option in options_of(self.node(item))]
        own = [node.cls for node in nodes if isinstance(node, ClassInstance)]
        is_set = all(item.how == "setattr" for item in added)
        return own if is_set and len(own) == len(nodes) else []

    def gives_itself(self, item: Assignment) -> bool:
        """``self.fc = frozen(self.fc)``, where the function gives back what it is given.

        Or ``self.fc = self.fc.to(device)``.
        """
        match item.value:
            case Call(callee=SelfRead(path=(*path, name))) if tuple(path) == item.path:
                return name in RETURNING_IT_UNCHANGED
        function = self._function_called(item.value)
        if function is None or self.node(item) != Unknown(f"self.{item.path[0]}"):
            return False
        callees = [call.callee for call in function.layer_calls]
        return not any(isinstance(c, Name) and computes_weight(c.dotted) for c in callees)

    def _function_called(self, value: Value) -> Function | None:
        """The function of the project, or the method, that a value is a call of."""
        if isinstance(value, MethodCall):
            found = self.cls.find_method(value.name)
            return found[1] if found else None
        if not isinstance(value, Call) or not isinstance(value.callee, Name):
            return None
        return self.resolver.index.resolve(value.callee.dotted, self.cls.file.path).function

    @cached_property
    def taken_from(self) -> frozenset[str]:
        """Attributes that lose members while the class is built; empty for the module itself."""
        names = set()
        for method in self.cls.cls.methods:
            for use in method.uses if method.name in self.building else ():
                *path, last = use.path
                if use.how == "delete" and use.item and not path:
                    names.add(last)
                elif use.how == "call" and last in REMOVING and len(path) <= 1:
                    names.add("".join(path))
        return frozenset(names)

    def _one_of(self, direct: list[Assignment]) -> Value:
        """What an attribute may be that is set in several places, one of which may wrap it."""
        *before, last = direct
        node = self.node(last)
        if isinstance(node, ContainerInstance):
            inner = self._one_of(before) if before else self._made_before(last)
            if inner is not None and (wrapped := self._wrapped_again(node, inner, last)):
                return wrapped if always_assigned([last]) else join(inner, wrapped)
        return join(*[self.node(item) for item in direct])

    def _made_before(self, item: Assignment) -> Value | None:
        """What an attribute is by a base, or by the constructor, where another method sets it."""
        if not isinstance(item.value, Call) or item.how not in ATTACHING:
            return None
        if all(passed.value != SelfRead(item.path) for passed in item.value.args):
            return None
        summaries = [summary_of(cls, self.resolver) for cls in self.cls.lineage[1:]]
        found = [attribute for summary in summaries for attribute in summary.everything]
        if item in self.late and self.constructor is not None:
            found = [*self.attributes(self.stages[0][1]), *found]
        nodes = (attribute.node for attribute in found if attribute.name == item.path[0])
        return next(map(without_call, nodes), None)

    def _wrapped_again(
        self, container: ContainerInstance, inner: Value, item: Assignment
    ) -> Value | None:
        """``self.fc = nn.Sequential(self.fc, nn.Tanh())``, with what was there in its place."""
        args = item.value.args if isinstance(item.value, Call) else ()
        if len(args) != len(container.items) or isinstance(inner, Many | Items):
            return None
        children: list[Value] = []
        for passed, child in zip(args, container.items, strict=True):
            if passed.value != SelfRead(item.path):
                children.append(child)
            elif not passed.star:
                children.append(inner)
            elif isinstance(inner, ContainerInstance):
                children += inner.items
        if all(passed.value != SelfRead(item.path) for passed in args):
            return None
        return replace(container, items=tuple(children))

    def _from_last(
        self, direct: list[Assignment], added: list[Assignment]
    ) -> tuple[list[Assignment], list[Assignment]]:
        """Without the list, and what is put into it, that a container made of it replaces."""
        if len(direct) < 2:
            return direct, added
        *before, last = direct
        if not always_assigned([last]) or last in self.late:
            return direct, added
        lists = all(isinstance(self.node(item), Items | Plain) for item in before)
        if not lists or not isinstance(self.node(last), ContainerInstance):
            return direct, added
        return [last], [item for item in added if item.line > last.line]

    def _adds(self, item: Assignment) -> bool:
        if item.how in (*ADDING, *UNNAMED):
            return True
        if item.how == "register" and len(item.path) == 2:
            return True
        # self.block.conv = nn.Conv2d(...): something is put into a child.
        is_made = isinstance(item.value, Call | Parameter)
        return len(item.path) > 1 and is_made and item.how in ATTACHING

    def _grown(self, node: Value, item: Assignment) -> Value:
        """A structure with something added to it."""
        if isinstance(node, LayerInstance) and item.value == NOTHING and item.how == "register":
            return node  # that takes a parameter away
        if isinstance(node, LayerInstance) and _is_tie(node, item):
            return node
        setting = (
            (*ATTACHING, "setattr")
            if isinstance(node, ClassInstance)
            else ("assign", "chain", "tuple")
        )
        is_set = item.how in setting and isinstance(item.value, Parameter)
        if is_set and not isinstance(node, Plain) and not _is_new(node, item):
            return node  # a layer's own parameter, perhaps
        given = made = self.node(item)
        if isinstance(given, Items):
            made = join(*given.items) if given.items else Plain()
        if isinstance(node, ContainerInstance) and len(item.path) == 2:
            is_module = (
                isinstance(made, LayerInstance | ContainerInstance | ClassInstance)
                and item not in self.late
            )
            if item.how in ("register", "setattr") or is_module:
                return self._added_by_name(node, made, item)
        if item.how == "setitem" and len(item.path) > 1:
            if _names_values(item.path) or not holds_parameters(made):
                return node
        if item.how == "insert" and _is_numbered(node) and len(item.path) == 1:
            return replace(node, items=(Many(join(made, *map(member_of, node.items))),))
        if item.how in (*UNNAMED, "insert") or len(item.path) > 1:
            sure = holds_parameters(made)
            if item in self.late:  # what a method keeps when it runs is a state, unless it shows
                sure = any(map(is_certain, walk(made)))
            own = [inner for inner in walk(made) if isinstance(inner, ClassInstance)]
            return join(node, *own, Unknown(f"self.{'.'.join(item.path)}", sure=sure))
        deciding = [branch for branch in item.branches if branch[0] != "with"]
        if isinstance(node, Plain) and item.how in ADDING:
            node = Items(())  # so far it was empty
        if isinstance(node, OneOf) and any(
            isinstance(one, ContainerInstance | Items) for one in node.options
        ):
            return join(
                *(
                    self._grown(one, item) if isinstance(one, ContainerInstance | Items) else one
                    for one in node.options
                )
            )
        if not isinstance(node, ContainerInstance | Items):
            return join(node, made)
        plain = item.how == "append" and not deciding
        child = made if plain or isinstance(made, Plain) else Many(made)
        keys = node.keys
        if item.how == "setitem":
            child = Many(made)
        if isinstance(node, Items):
            return Items((*node.items, child), keys)
        added = _members(given, item)
        if added and deciding:
            added = (Many(join(*added)),)
        return ContainerInstance(node.layer, node.call, (*node.items, *(added or (child,))), keys)

    def _added_by_name(self, container: ContainerInstance, made: Value, item: Assignment) -> Value:
        """``self.net.add_module("fc", layer)``; which members are left may not be known."""
        is_filled = container.call is not None and bool(container.call.args)
        if _replaces(container, item) or (item.how == "setattr" and is_filled):
            return join(
                container, Unknown(f"self.{'.'.join(item.path)}", sure=holds_parameters(made))
            )
        if item.how == "setattr" or item.branches or len(container.keys) < len(container.items):
            child = made if isinstance(made, Plain) else Many(made)
            return ContainerInstance(
                container.layer, container.call, (*container.items, child), container.keys
            )
        return ContainerInstance(
            container.layer,
            container.call,
            (*container.items, made),
            (*container.keys, repr(item.path[1])),
        )

    def node(self, item: Assignment) -> Value:
        """The structure of one assigned value, with what the annotations of arguments tell."""
        scope = self._scopes.get(item, self.scope)
        if item in self.elsewhere:
            scope = replace(scope, inside=False)
        value = item.value if item in self.late else _as_made(item)
        if (taken := self._taken_from_layer(value)) is not None:
            return taken
        node = self.resolver.resolve(value, scope)
        if isinstance(value, Argument) and any(isinstance(i, Items) for i in options_of(node)):
            node = Unknown(value.name)  # torch does not look into a list
        if isinstance(node, Unknown) and isinstance(item.value, Argument):
            return self._as_annotated(item.value.name, node)
        return Plain() if isinstance(node, Items) and is_data(node) else node

    def _taken_from_layer(self, value: Value) -> Value | None:
        """``nn.Linear(3, 1).weight``: the parameter of a layer that is made for nothing else.

        Of a layer that the class has, it is a second name.
        """
        if (read := self.read_of_layer(value)) is None:
            return None
        made, parameter = read
        if made.place in self.kept_whole:
            return Plain()
        if made.place not in self.taken_apart:
            return None
        there = presence(parameter, made)
        text = value.text if isinstance(value, Unknown) else ""
        own = Parameter(made.line, made.column, text, None, False)
        return NOTHING if there is False else own if there else join(own, NOTHING)

    def read_of_layer(self, value: Value) -> tuple[Call, LayerParameter] | None:
        """The call that makes a layer, and the parameter that is read of it where it is made."""
        match value:
            case Unknown(owner=Call() as made, path=(name,)) if layer := self._layer_called(made):
                named = (item for item in layer.parameters if item.name == name)
                return next(((made, item) for item in named), None)
        return None

    @property
    def single_layers(self) -> Iterator[Single]:
        """The layers of torch that it makes and the source can name, each with the way to it."""
        for attribute in self.everything:
            for found in place(attribute.node, AccessPath.of(attribute.name)):
                if isinstance(found, Single):
                    yield found

    @cached_property
    def kept_whole(self) -> frozenset[Location]:
        """Where layers are made that the class has, in whatever it attaches."""
        attached = [
            item.value
            for method in self.cls.cls.methods
            for item in method.assignments
            if item.path and item.how in ATTACHING and self._layer_read(item.value) is None
        ]
        return _places_made(attached)

    @cached_property
    def taken_apart(self) -> frozenset[Location]:
        """Where layers are made of which nothing but attributes is kept."""
        methods = self.cls.cls.methods
        values = [item.value for method in methods for item in method.assignments]
        taken = {id(value): made for value in values if (made := self._layer_read(value))}
        if not taken:
            return frozenset()
        values += [value for method in methods for value in (*method.returns, *method.yields)]
        values += [p.value for m in methods for call in m.layer_calls for p in call.args]
        held = _places_made([value for value in values if id(value) not in taken])
        return frozenset({made.place for made in taken.values()} - held)

    def _layer_read(self, value: Value) -> Call | None:
        """The layer that is made where an attribute of it is read: ``nn.Linear(3, 1).weight``."""
        match value:
            case Unknown(owner=Call() as made, path=(_,)) if self._layer_called(made):
                return made
        return None

    def _layer_called(self, call: Call) -> Layer | None:
        """The layer of torch that is called by its name."""
        if not isinstance(call.callee, Name):
            return None
        return self.resolver.index.layer(call.callee.dotted, self.cls.file.path)

    def _as_annotated(self, name: str, node: Unknown) -> Unknown | Plain:
        """What an argument is, as far as its annotation and its default tell."""
        if self._is_data(name):
            return Plain()
        annotations = (dict(method.annotations).get(name, "") for method in self.cls.cls.methods)
        if any(map(self._names_module, annotations)):
            return replace(node, sure=True)
        return node

    def _names_module(self, annotation: str) -> bool:
        """Whether an annotation names a class of modules, or one that may be None."""
        names = ANNOTATED.fullmatch(annotation.strip("'\""))
        if names is None:
            return False
        dotted = self.dotted((names[1] or names[2] or names[3]).strip("'\""))
        index, path = self.resolver.index, self.cls.file.path
        return (
            index.canonical(dotted, path) in MODULE
            or index.layer(dotted, path) is not None
            or index.resolve(dotted, path).module_class is not None
        )

    def _is_data(self, name: str) -> bool:
        for method in self.cls.cls.methods:
            annotation = dict(method.annotations).get(name, "")
            if annotation.startswith(DATA_ANNOTATIONS) or annotation in ("Tensor", "torch.Tensor"):
                return True
            default = dict(method.defaults).get(name, "")
            if default and (
                default[0].isdigit() or default in ("True", "False") or default[0] in "'\"("
            ):
                return True
        return False

    @cached_property
    def uses(self) -> tuple[tuple[Function, Use], ...]:
        """Uses of attributes in the class and its relatives, with the method each stands in."""
        return tuple(
            (method, use)
            for item in (self.cls, *self.relatives)
            for method in item.cls.methods
            for use in method.uses
        )

    @cached_property
    def used_names(self) -> frozenset[str]:
        """All names on the paths of its uses."""
        return frozenset(name for _, use in self.uses for name in use.path)

    @cached_property
    def handed_to_calls(self) -> frozenset[Path]:
        """What calls are given."""
        return frozenset(use.path for _, use in self.uses if use.how == "read" and use.within != "")

    @cached_property
    def late(self) -> frozenset[Assignment]:
        """Assignments in methods that do not run during construction."""
        return frozenset(
            item
            for method in self.cls.cls.methods
            if method.name not in self.building
            for item in method.assignments
        )

    @cached_property
    def _module_uses(self) -> frozenset[str]:
        return module_uses((self.cls, *self.relatives), self.resolver.index)

    def is_used_as_module(self, name: str) -> bool:
        """Whether an attribute is called, or handled otherwise as only modules are."""
        return name in self._module_uses

    def _may_be_module(self, name: str, node: Value) -> bool:
        """Whether code outside the project gives an attribute, and nothing shows it is a number."""
        is_foreign = any(isinstance(item, Unknown) and item.foreign for item in walk(node))
        return is_foreign and name not in self._number_uses

    @cached_property
    def _number_uses(self) -> frozenset[str]:
        return number_uses((self.cls, *self.relatives), self.resolver.index)

    def names_held_by(self, cls: ModuleClass) -> frozenset[str]:
        """Attributes of the class, or of a base, that hold modules with parameters."""
        summary = self if cls is self.cls else summary_of(cls, self.resolver)
        return frozenset(attribute.name for attribute in summary.everything)

    def owners_of(self, path: Path) -> Iterator[tuple[ModuleClass, Path]]:
        """Classes of the project that make what is at a path below a part, with the path there."""
        for cls in self.cls.lineage:
            summary = self if cls is self.cls else summary_of(cls, self.resolver)
            for item in (item for item in summary.everything if item.name == path[0]):
                node, rest = down(item.node, path[1:])
                for part in (part for part in walk(node) if isinstance(part, ClassInstance)):
                    for start in range(len(rest)):
                        yield from summary_of(part.cls, self.resolver).makers_of(rest[start:])

    def makers_of(self, path: Path) -> Iterator[tuple[ModuleClass, Path]]:
        """The class, a base or the classes of parts that make what is at a path below it."""
        for cls in self.cls.lineage:
            summary = self if cls is self.cls else summary_of(cls, self.resolver)
            own = {parameter.name for parameter in summary.all_parameters} | summary.buffers
            if path[0] in own or path[0] in self.names_held_by(cls):
                yield cls, path
        yield from self.owners_of(path)

    def is_container_made_here(self, name: str) -> bool:
        """Whether the class itself makes the container that an attribute is."""
        return bool(name) and any(
            attribute.name == name and _first_container(attribute.node)
            for attribute in self.everything
        )

    @property
    def adds_to_inherited(self) -> bool:
        """Whether it puts something into a container that a base makes."""
        return any(
            (item.how in ADDING or len(item.path) == 2)
            and self.container(item.path[0]) is not None
            and not self.is_container_made_here(item.path[0])
            for method in self.cls.cls.methods
            for item in method.assignments
            if item.path
        )

    def members_replaced(self, method: Function) -> Iterator[tuple[str, Assignment]]:
        """Where a member of a numbered container gives way to another, with the container's name.

        In a PyroModule that one comes last: only the names, not the places, stay what they were.
        """
        for item in method.assignments:
            name = item.path[0] if item.path else ""
            if item.how == "setitem" and name == "*" and self.container(""):
                name = ""
            container = self.container(name) if len(item.path) in (1, 2) else None
            if container is None or container.layer.name not in NUMBERED:
                continue
            is_there = method.name not in self.building or not self.is_container_made_here(name)
            is_item = item.how == "setitem" and len(item.path) == 1
            if is_item or (is_there and _replaces(container, item)):
                yield name, item

    def container(self, name: str) -> ContainerInstance | None:
        """The container an attribute is, here or in a base; for ``""`` the module itself."""
        if not name:
            return _as_container(self.cls)
        for item in self.cls.lineage:
            summary = self if item is self.cls else summary_of(item, self.resolver)
            for attribute in summary.everything:
                if attribute.name == name and (found := _first_container(attribute.node)):
                    return found
        return None

    def loses_names_in_slices(self, name: str) -> bool:
        """Whether a slice of an attribute is a new root for Pyro, which renames its members.

        A slice of torch's own ModuleList is a plain one, and leaves their names.
        """
        container = self.container(name)
        if container is None or container.layer.name not in NUMBERED:
            return False
        return container.layer.name == "Sequential" or container.cls is not None

    @cached_property
    def everything(self) -> tuple[Attribute, ...]:
        """All attributes of all stages."""
        return tuple(
            attribute for _, covered in self.stages for attribute in self.attributes(covered)
        )

    @cached_property
    def all_parameters(self) -> tuple[OwnParameter, ...]:
        """All own parameters of all stages."""
        return tuple(
            parameter for _, covered in self.stages for parameter in self.parameters(covered)
        )

    def declared(self, name: str) -> Declared | None:
        """The declaration that stands in place of an own parameter already, if any."""
        own = (item for item in self.all_parameters if item.name == name)
        return next((item.declared for item in own if item.declared is not None), None)

    def is_handled_by_pyro(self, name: str) -> bool:
        """Whether an attribute is handed to Pyro's handlers: a model or a guide, as it is."""
        return any(
            use.path == (name,) and use.within.startswith(("pyro.poutine", "pyro.infer"))
            for _, use in self.uses
        )

    @cached_property
    def held(self) -> tuple[ModuleClass, ...]:
        """Classes of the project that it holds, as far as the source shows."""
        found: dict[tuple[str, str], ModuleClass] = {}
        for attribute in self.everything:
            for item in walk(attribute.node):
                if isinstance(item, ClassInstance):
                    found[item.cls.key] = item.cls
        for cls in self._classes_hidden:
            found.setdefault(cls.key, cls)
        return tuple(found.values())

    @property
    def _classes_hidden(self) -> Iterator[ModuleClass]:
        """Classes of which instances are somewhere in what it attaches, or by default."""
        index, path = self.resolver.index, self.cls.file.path
        for attribute in self.everything:
            yield from self.classes_hidden_in(attribute)
        for _, text in self.constructor.defaults if self.constructor else ():
            if all(map(str.isidentifier, text.split("."))):
                if (default := index.resolve(self.dotted(text), path).module_class) is not None:
                    yield default

    def classes_hidden_in(self, attribute: Attribute) -> Iterator[ModuleClass]:
        """Classes of which instances are in an attribute where no source names them."""
        if not any(isinstance(item, Unknown) for item in walk(attribute.node)):
            return
        for item in attribute.assignments:
            for call in calls_in(item.value):
                if (made := self._class_called(call)) is not None:
                    yield made
            for value in walk(item.value):
                if isinstance(value, Name):
                    yield from self.resolver.registered_in(value.dotted, self.cls.file.path)

    def made_out_of_sight(
        self, attribute: Attribute
    ) -> Iterator[LayerInstance | ClassInstance | Unknown]:
        """Layers and instances that are made for an attribute where no source shows their place.

        A function from outside may put layers of its own beside what it is given.
        """
        if not any(isinstance(item, Unknown) for item in walk(attribute.node)):
            return
        yield from map(ClassInstance, self.classes_hidden_in(attribute))
        for item in attribute.assignments:
            for value in walk(item.value):
                if isinstance(value, Call | MethodCall):
                    made = self.resolver.resolve(value, self.scope)
                    yield from (
                        inner
                        for inner in walk(made)
                        if isinstance(inner, LayerInstance | ClassInstance)
                    )
                if isinstance(value, Call) and self._is_from_outside(value.callee):
                    if any(call for passed in value.args for call in calls_in(passed.value)):
                        yield Unknown(value.text, sure=True)

    def is_foreign(self, name: str) -> bool:
        """Whether what is hidden in an attribute is all handed in, or made, by code outside."""
        every = [i for m in self.cls.cls.methods for i in m.assignments if i.path[:1] == (name,)]
        # What a method sets of it when it runs is no part of what was handed in.
        made = [item for item in every if len(item.path) == 1 or item not in self.late]
        scopes = [self._scopes.get(item, self.scope) for item in made]
        hidden = [
            (item.value, scope)
            for item, scope in zip(made, scopes, strict=True)
            if is_opaque(self.resolver.resolve(item.value, scope))
        ]
        if not name and self.constructor is not None and self.constructor.super_init is not None:
            given = (passed.value for passed in self.constructor.super_init.args)
            scope = self.scope
            hidden += [(v, scope) for v in given if is_opaque(self.resolver.resolve(v, scope))]
        callers = self.resolver.callers
        return callers is not None and bool(hidden) and all(callers.is_foreign(*h) for h in hidden)

    def _is_from_outside(self, callee: Value) -> bool:
        """Whether nothing is known of what is called: it is neither the project's nor torch's."""
        callers = self.resolver.callers
        return callers is not None and callers.is_outside(callee, self.scope)

    def dotted(self, name: str) -> str:
        """A name, as the file of the class has it, with the module that it is from."""
        head, _, rest = name.partition(".")
        dotted = dict(self.cls.file.imports).get(head, head) + (f".{rest}" if rest else "")
        return dotted if "." in dotted else f"{self.cls.file.module}.{dotted}"

    @cached_property
    def handed_on(self) -> frozenset[tuple[tuple[str, str], tuple[str, str]]]:
        """Classes of the project that it makes for others: keys of receiver and of what is given.

        The receiver holds them, though its own source does not show it.
        """
        return frozenset(
            (receiver.key, given.key)
            for method in self.cls.cls.methods
            for call in method.layer_calls
            if (receiver := self._class_called(call))
            for passed in call.args
            for inner in calls_in(passed.value)
            if (given := self._class_called(inner))
        )

    def _class_called(self, call: Call) -> ModuleClass | None:
        """The class of the project that is called by its name."""
        if not isinstance(call.callee, Name):
            return None
        return self.resolver.index.resolve(call.callee.dotted, self.cls.file.path).module_class

    def surely_misses(self, name: str) -> bool:
        """Whether no instance has an attribute: all bases are known, and no code here sets it."""
        family = (*self.cls.lineage, *self.relatives)
        bases = [base for cls in family for base in cls.bases if base.local is None]
        methods = [method for cls in family for method in cls.cls.methods]
        handled = [use for method in methods for use in method.handled]
        known = {method.name for method in methods} | MODULE_NAMES
        known |= {item.path[0] for method in methods for item in method.assignments if item.path}
        known |= {use.path[0] for method in methods for use in method.uses if use.how != "read"}
        known |= {key for cls in family for key, _ in cls.cls.class_attributes}
        known |= {key for cls in family for key in summary_of(cls, self.resolver).buffers}
        known |= {key for base in bases if base.layer for key in base.layer.names}
        return (
            name not in known
            and known.isdisjoint(("*", "__dict__", "__getattr__", "__getattribute__"))
            and all(base.kind in ("module", "layer", "pyro") for base in bases)
            and not any(use.name == "self" and use.how == "given" for use in handled)
        )

    @cached_property
    def has_parameters(self) -> bool:
        """Whether it has parameters of its own, of a base or in what it holds, or may have."""
        bases = (summary_of(cls, self.resolver) for cls in self.cls.lineage[1:])
        return self.adds_parameters or any(summary.adds_parameters for summary in bases)

    @property
    def adds_parameters(self) -> bool:
        """The same, without those of bases in the project."""
        base = self.cls.library_base
        return bool(self.all_parameters or self.everything or (base and base.kind != "stateless"))


def _any_left(node: ContainerInstance) -> ContainerInstance:
    """A container of which some members are gone again: no place in it is what it was."""
    if node.keys:  # those that are there have kept their names
        return node
    anywhere = (item if isinstance(item, Plain | Many) else Many(item) for item in node.items)
    return replace(node, items=tuple(anywhere), keys=())


def _places_made(values: Sequence[Value]) -> frozenset[Location]:
    """Where the calls stand that values are made by."""
    waiting, seen, found = [*values], set[int](), set[Location]()
    while waiting:  # values may hold each other many times over
        value = waiting.pop()
        if id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.components)
            if isinstance(value, Call):
                found.add(value.place)
    return frozenset(found)


def _names_values(path: Path) -> bool:
    """Whether a path leads to numbers of a parameter: ``self.fc.weight.data``."""
    return path[-1] == "data" or names_parameter(path[-1])


def _is_tie(instance: LayerInstance, item: Assignment) -> bool:
    """Whether an assignment puts what is there already in place of a layer's own parameter."""
    names = [parameter.name for parameter in instance.layer.parameters]
    return isinstance(item.value, SelfRead) and item.how == "register" and item.path[-1] in names


def _is_new(node: Value, item: Assignment) -> bool:
    """Whether what is set on a layer or container surely is none of its own parameters."""
    if len(item.path) != 2 or not isinstance(node, LayerInstance | ContainerInstance):
        return False
    return item.path[1] not in {parameter.name for parameter in node.layer.parameters}


def _is_numbered(node: Value) -> TypeGuard[ContainerInstance]:
    """Whether it is a container whose members have no names but their places."""
    return isinstance(node, ContainerInstance) and node.layer.name in NUMBERED and not node.keys


def _replaces(container: ContainerInstance, item: Assignment) -> bool:
    """Whether an assignment to an attribute of a container is one to a member it has by then."""
    if len(item.path) != 2 or item.how not in ("assign", "register", "chain", "tuple"):
        return False
    name = item.path[1]
    return repr(name) in container.keys or (name.isdigit() and int(name) < len(container.items))


def _covers(frozen: Path, path: str) -> str:
    """Whether what is frozen takes in a site: ``sure``, ``maybe`` or empty."""
    names = path.split(".")
    if "**" in names:
        names = [*names[: names.index("**")], *["*"] * len(frozen)]
    pairs = list(zip(frozen, names, strict=False))
    if len(frozen) > len(names) or any(one != other and other != "*" for one, other in pairs):
        return ""
    return "sure" if all(one == other for one, other in pairs) else "maybe"


def _first_container(node: Value) -> ContainerInstance | None:
    """The outermost container in a structure, or the class of the project that is one."""
    for item in walk(node):
        found = _as_container(item.cls) if isinstance(item, ClassInstance) else item
        if isinstance(found, ContainerInstance):
            return found
    return None


def _members(made: Value, item: Assignment) -> tuple[Value, ...]:
    """The members of a container which ``extend`` adds one by one, and not the container."""
    if item.how == "extend" and isinstance(made, ContainerInstance) and made.layer.name in NUMBERED:
        return made.items
    return ()


def _as_container(cls: ModuleClass) -> ContainerInstance | None:
    """An instance of a class that derives from a container of torch."""
    for item in cls.lineage:
        base = item.library_base
        if base is not None and base.kind == "container":
            return ContainerInstance(base, None, (), cls=cls)
    return None
