"""Which facts there are in code, as traits that work is dispatched by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyroify.catalog.layers import Layer, lookup
from pyroify.catalog.module import MODULE
from pyroify.code.names import ANCHOR
from pyroify.dispatch import Trait
from pyroify.syntax.facts import (
    ATTACHING,
    Assignment,
    AttributeStore,
    Dispatch,
    EarlyReturn,
    ExistingDeclaration,
    File,
    Freeze,
    Function,
    LiftCall,
    Observation,
    Plate,
    Repeat,
    Suppression,
    Sweep,
    TypeTest,
    Use,
    Write,
)
from pyroify.syntax.values import (
    Call,
    Constant,
    Name,
    Passed,
    SelfRead,
    Unknown,
    Value,
    calls_in,
    options_of,
)

CONSTRUCTORS = ("__init__", "__post_init__", "__attrs_post_init__")
BEYOND_LAYERS: Trait = "beyond layers"
"""That something else may be attached than constants and layers of torch, each under its name."""
DEPTH = 3
"""Containers within containers that are looked into, at most."""


def called(*names: str) -> tuple[Trait, ...]:
    """That something is called whose name, dotted or not, ends in one of these."""
    return tuple((Call, name.rpartition(".")[2]) for name in names)


def early(*traits: Trait) -> tuple[Trait, ...]:
    """That something is in a method which runs while an instance is built."""
    return tuple(("early", trait) for trait in traits)


def later(*traits: Trait) -> tuple[Trait, ...]:
    """That something is in a method which does not."""
    return tuple(("later", trait) for trait in traits)


def outside(*traits: Trait) -> tuple[Trait, ...]:
    """That something is in a file outside of the classes that are converted."""
    return tuple(("outside", trait) for trait in traits)


def anywhere(*traits: Trait) -> tuple[Trait, ...]:
    """That something is anywhere in the project."""
    return tuple(("anywhere", trait) for trait in traits)


def traits_of(function: Function) -> Iterator[Trait]:
    """The traits of a function or method."""
    yield from ((Function, name) for name in (function.name, *function.decorators))
    for item in function.assignments:
        yield Assignment
        yield Assignment, item.how
        yield from ((str, word) for name in item.path[-1:] for word in name.split("_"))
        if len(item.path) > 1:
            yield Assignment, "below"
        if item.how not in ATTACHING or len(item.path) != 1:
            yield BEYOND_LAYERS
        yield from _traits_of_values(item.value)
    for use in function.uses:
        yield Use, use.how
        if use.how not in ("store", "delete"):
            yield Use
        if use.how == "call":
            yield Call, use.path[-1]
            if len(use.path) > 1:
                yield Use, "call below"
        yield from ((Use, name) for name in {ANCHOR, "data"}.intersection(use.path))
        if use.within.startswith("self."):
            yield Use, "given to a method"
    yield from traits_of_calls(function.layer_calls)
    for passed in function.super_init.args if function.super_init else ():
        yield from _traits_of_values(passed.value)
    yield from ((Observation, seen.kind) for seen in function.observations)
    yield from ((Function, type(value)) for value in function.returns)
    for there, trait in (
        (function.plates, Plate),
        (function.puts, AttributeStore),
        (function.writes, Write),
        (function.freezes, Freeze),
        (function.declarations, ExistingDeclaration),
        (function.generator, (Function, "generator")),
        (function.declared, (Function, "declared")),
        (function.declaring, (Function, "declaring")),
        (function.coroutine, (Function, "coroutine")),
        (_may_end_early(function), EarlyReturn),
        (_may_miss_its_base(function), (Function, "no super().__init__()")),
    ):
        if there:
            yield trait


def _may_end_early(function: Function) -> bool:
    """Whether a function that may attach something returns before its last statement, perhaps."""
    attaches = bool(function.assignments) or function.name in CONSTRUCTORS
    return attaches and (function.exit is not None or bool(function.return_lines))


def _may_miss_its_base(function: Function) -> bool:
    """Whether a constructor does anything but call that of its base in the usual way."""
    start = function.super_init
    usual = start is not None and start.text == "super().__init__"
    is_sure = usual and "__init__" in function.super_calls
    return function.name in CONSTRUCTORS and not is_sure


def _traits_of_values(value: Value) -> Iterator[Trait]:
    """What an attribute may be set to."""
    for option in options_of(value):
        yield Assignment, type(option)
        if not _is_in_sight(option):
            yield BEYOND_LAYERS


def _is_in_sight(value: Value, depth: int = 0) -> bool:
    """Whether a value is a constant, or layers of torch with nothing in them that is none."""
    match value:
        case Constant():
            return True
        case Call(callee=Name(dotted=dotted), wrapped=False):
            layer = lookup(dotted)
            if layer is None or layer.kind == "lazy":
                return False
            is_leaf = layer.kind in ("layer", "recurrent", "stateless")
            inner = (passed.value for passed in value.args)
            return is_leaf or (depth < DEPTH and all(_is_in_sight(one, depth + 1) for one in inner))
    return False


def traits_of_calls(calls: Iterable[Call]) -> Iterator[Trait]:
    """The traits of some calls: what is called, and by which keywords it is given something."""
    for call in calls:
        yield Call
        yield from ((Passed, passed.keyword) for passed in call.args)
        for callee in options_of(call.callee):
            match callee:
                case Name(dotted="super"):
                    pass
                case Name(dotted=dotted):
                    package, _, name = dotted.partition(".")
                    layer = lookup(dotted)
                    yield Call, name.rpartition(".")[2] or package
                    yield from ((Layer, layer.kind),) if layer else ((Call, Name), (Name, package))
                case SelfRead(path=(*_, name)) | Unknown(path=(*_, name)):
                    yield Call, name


def _calls_outside(file: File) -> Iterator[bool]:
    """For each place but the methods of what surely are modules: whether something is called."""
    yield bool(file.module_calls)
    yield from (bool(function.layer_calls) for function in file.functions)
    for cls in file.classes:
        yield any(True for _, value in cls.class_attributes for _ in calls_in(value))
        if not any(dotted in MODULE for _, dotted, _, _ in cls.bases):
            yield from (bool(method.layer_calls) for method in cls.methods)


def traits_of_file(file: File) -> Iterator[Trait]:
    """The traits of a file itself, without its functions and classes."""
    yield from traits_of_calls(file.module_calls)
    if any(_calls_outside(file)):
        yield File, Call
    names = [cls.qualname for cls in file.classes]
    for there, trait in (
        (file.puts, AttributeStore),
        (file.dispatches, Dispatch),
        (file.sweeps, Sweep),
        (file.repeats, Repeat),
        (file.type_tests, TypeTest),
        (file.liftings, LiftCall),
        (file.suppressed, Suppression),
        (len(set(names)) < len(names), (File, "a class defined again")),
    ):
        if there:
            yield trait
