"""Constructor arguments guessed from names, annotations and defaults.

A guess holds recipes where a value alone would not do: the original and the rewritten class each
make their own modules, of their own version of a class, and the rewritten one gets modules that
are converted, as the rest of a rewritten project would hand them to it.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import sys
import time
import traceback
import types
import typing
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial, reduce
from itertools import islice
from typing import Any, Literal, Union, cast, get_args, get_origin

import torch
import torch.nn.functional as F
from pyro.nn.module import PyroModule, to_pyro_module_
from torch import nn

from pyroify.decide.model import ClassPlan
from pyroify.verify.compare.run import set_seed
from pyroify.verify.making.size import SizeLimit

SIZE = 8
"""The width of everything: divisible by the usual numbers of heads and groups."""

_NESTED = 2
_INSTANCES = 3
"""How many instances of a class are tried for one argument."""
_NESTED_TRIED, _NESTED_SECONDS = 40, 2.0
"""How many arguments are tried for each class of these, and how long."""
_PART = 20_000_000
"""Numbers that one of them may hold."""
_COMBINATIONS = 80
_SIBLINGS = 12
_FAVOURED = 4
_COMPLETIONS = 6
_MODULE_NAME = "fn$|func|net|model|module|layer$|block|cell|coder|body|head|base|transform|^[fg]$"
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_UNSAID = (inspect.Parameter.empty, Any, object)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A value that each side makes for itself; ``label`` is its source text."""

    label: str
    make: Callable[[], Any]

    def __repr__(self) -> str:
        """As in source."""
        return self.label


@dataclass(frozen=True, slots=True)
class Arguments:
    """Positional and keyword arguments; some may be recipes."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """As between the parentheses of a call."""
        named = (f"{name}={value!r}" for name, value in self.kwargs.items())
        return ", ".join([*map(repr, self.args), *named])

    def construct(self, cls: Callable[..., Any], *, converted: bool = False, seed: int = 0) -> Any:
        """Call ``cls`` with ``seed``; the arguments are always those of seed 0.

        With ``converted`` the modules it is given are PyroModules.
        """
        set_seed(0)
        args = [_follow(value, converted) for value in self.args]
        kwargs = {name: _follow(value, converted) for name, value in self.kwargs.items()}
        set_seed(seed)
        return cls(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Maker:
    """A function of the project that returns an instance, as ``module:function``."""

    function: str

    def __str__(self) -> str:
        """As between the parentheses of a call."""
        return f"by {self.function}"

    def construct(self, cls: Callable[..., Any], *, converted: bool = False, seed: int = 0) -> Any:
        """Call the function of the current version with ``seed``."""
        function = imported(self.function)
        set_seed(seed)
        made = function()
        if not isinstance(made, cls):  # type: ignore[arg-type]
            raise TypeError(f"{self.function} returns {type(made).__name__}, not {cls.__name__}")
        return made


def imported(reference: str) -> Any:
    """What ``module:name`` stands for in the current version of the project."""
    module, _, name = reference.partition(":")
    return reduce(getattr, name.split("."), importlib.import_module(module))


def _follow(value: Any, converted: bool) -> Any:
    if type(value) in (list, tuple):  # and no named tuple
        return type(value)(_follow(item, converted) for item in value)
    if type(value) is dict:
        return dict(value)
    made = value.make() if isinstance(value, Recipe) else value
    if converted and isinstance(made, nn.Module) and all(map(_can_be_random, made.modules())):
        to_pyro_module_(made)
    return made


def _can_be_random(module: nn.Module) -> bool:
    """Whether a class can derive from PyroModule too; one with another metaclass stays as it is."""
    meta = type(type(module))
    return issubclass(meta, type(PyroModule)) or issubclass(type(PyroModule), meta)


def guess_arguments(cls: Callable[..., Any], nested: int = 0) -> Iterator[Arguments]:
    """Yield constructor arguments, the likeliest first, each once."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return
    hints = _hints(cls)
    named = [p for p in parameters if p.kind not in _VARIADIC]
    required = [p for p in named if p.default is p.empty]
    undecided = [p for p in named if p.default is None]
    rest = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    seen = set()
    for wanted in (required, required + undecided):
        choices = {p.name: _choices(cls, p.name, hints, nested) for p in wanted}
        for kwargs in islice(_combinations(choices), _COMBINATIONS):
            for arguments in _with_rest(kwargs, rest):
                if str(arguments) not in seen:
                    seen.add(str(arguments))
                    yield arguments


def _choices(
    cls: Callable[..., Any], name: str, hints: Mapping[str, Any], nested: int
) -> list[Any]:
    if any(name == said for said, _ in _said_to_be_given(cls)):
        # Where none of these classes can be had, another is nothing that the plan speaks of.
        return _of_type(hints.get(name), nested)
    first, *others = guess_values(name, hints.get(name), nested)
    siblings = _siblings(cls, name, hints, nested)
    return [first, *siblings[:_FAVOURED], *others, *siblings[_FAVOURED:]]


def complete_arguments(
    cls: Callable[..., Any], arguments: object, error: BaseException
) -> list[Arguments]:
    """Add what ``error`` says is missing, or give what it asks for in place of what there is.

    A constructor may hand its keywords on to another.

    The likeliest come last.
    """
    if not isinstance(arguments, Arguments):
        return []
    found = re.search(r"missing \d+ required .*?arguments?: (.+)", str(error))
    missing = re.findall(r"'(\w+)'", found[1]) if found else []
    names = [name for name in missing if name not in arguments.kwargs]
    choices = islice(_combinations({name: guess_values(name) for name in names}), _COMPLETIONS)
    longer = [Arguments(arguments.args, {**arguments.kwargs, **more}) for more in choices if more]
    others = (*_made_equal(cls, arguments, error), *_of_other_kinds(cls, arguments, error))
    return [*longer, *others][::-1]


def _made_equal(
    cls: Callable[..., Any], arguments: Arguments, error: BaseException
) -> Iterator[Arguments]:
    """Give one of two arguments the value of the other: ``assert in_channels == width`` fails."""
    frames = traceback.extract_tb(error.__traceback__)
    line = (frames[-1].line or "") if frames else ""
    found = re.match(r"assert (\w+) == (\w+)\s*(?:,|$)", line)
    if not isinstance(error, AssertionError) or not found:
        return
    given = inspect.signature(cls).parameters.values()
    defaults = {p.name: p.default for p in given if p.default is not p.empty}
    values = {**defaults, **arguments.kwargs}
    for name, other in (found.groups(), found.groups()[::-1]):
        if name in values and other in values:
            yield Arguments(arguments.args, {**arguments.kwargs, name: values[other]})


def arguments_for_call(
    cls: Callable[..., Any], arguments: object, error: BaseException | None
) -> list[Arguments]:
    """Give what a call asks for in place of an argument that it names: ``self.conv(x)``.

    The likeliest come last.
    """
    if not isinstance(arguments, Arguments) or error is None:
        return []
    others = _of_other_kinds(cls, arguments, error, only_named=True)
    return list(islice(others, _COMPLETIONS))[::-1]


def _of_other_kinds(
    cls: Callable[..., Any],
    arguments: Arguments,
    error: BaseException,
    *,
    only_named: bool = False,
) -> Iterator[Arguments]:
    """Give one argument the kind that is asked for: ``'int' object is not iterable``.

    One that the line names which raises, if there is any.
    """
    message = str(error)
    found = re.search(_COMPLAINED_OF, message)
    kind = next(filter(None, found.groups()), "") if found else ""
    values = next((given for asked, given in _COMPLAINTS if re.search(asked, message)), ())
    lines = [frame.line or "" for frame in traceback.extract_tb(error.__traceback__)]
    words = set(re.findall(r"\w+", " ".join(lines)))
    able = [n for n, v in arguments.kwargs.items() if kind in ("", _kind(v))]
    if listed := re.search(
        r"\b(?:one of|choose|expected|among|supported|valid)\b(.*)", message, re.S
    ):
        options = re.findall(r"'([\w.-]+)'", listed[1])
        values = (*values, *options)
        able = [n for n, v in arguments.kwargs.items() if isinstance(v, str) and v not in options]
    if only_named and re.search(_MODULE_ASKED, message):
        values = (*_instances(_others_of_file(cls)[:_INSTANCES], 0), *_MODULES)
    named = [name for name in able if name in words]
    for name in named if named or only_named else able:
        for other in (*_regrouped(arguments.kwargs[name], message), *values):
            yield Arguments(arguments.args, {**arguments.kwargs, name: other})


def _kind(value: Any) -> str:
    """The class of a value, or of what a recipe makes."""
    if not isinstance(value, Recipe):
        return type(value).__name__
    return value.label.partition("(")[0].rpartition(".")[2]


def _regrouped(value: Any, message: str) -> Iterator[Any]:
    """A value twice where several are asked for, and one of several where that is."""
    if type(value) in (int, float, Recipe) and re.search(_SEVERAL_ASKED, message):
        yield from ((value, value), [value, value])
    if type(value) in (tuple, list) and value and re.search(_ONE_ASKED, message):
        yield value[0]
    if type(value) in (tuple, list) and value and len(value) < _LONGEST:
        if re.search(_MORE_ASKED, message):
            yield type(value)([*value, value[-1]])


def uneven_arguments(arguments: Arguments) -> Iterator[Arguments]:
    """The same arguments, but that sizes that were alike are not: growing, then shrinking."""
    alike = [
        name for name, value in arguments.kwargs.items() if type(value) is int and value == SIZE
    ]
    if len(alike) < 2:
        return
    sizes = [SIZE * (position + 1) for position in range(len(alike))]
    for order in (sizes, sizes[::-1]):
        kwargs = {**arguments.kwargs, **dict(zip(alike, order, strict=True))}
        yield Arguments(arguments.args, kwargs)


def smaller_arguments(cls: Callable[..., Any], arguments: object) -> list[Arguments]:
    """The same arguments, with guesses in place of defaults that are larger.

    Widths alone, and numbers of layers, too: the likeliest come last.
    """
    if not isinstance(arguments, Arguments):
        return []
    smaller = {
        p.name: size
        for p in inspect.signature(cls).parameters.values()
        if type(p.default) is int and p.name not in arguments.kwargs
        if p.default > (size := guess_values(p.name, int)[0])
    }
    widths = {name: size for name, size in smaller.items() if size == SIZE}
    kinds = [changed for changed in (widths, smaller) if changed]
    return [Arguments(arguments.args, {**arguments.kwargs, **changed}) for changed in kinds]


def _siblings(
    cls: Callable[..., Any], name: str, hints: Mapping[str, Any], nested: int
) -> list[Recipe]:
    """The module classes of the same file, and an instance of each, for a parameter of that kind.

    Only where there is no annotation to go by.
    """
    if name in hints or nested >= _NESTED or not re.search(_MODULE_NAME, name):
        return []
    others = _others_of_file(cls)
    classes = [Recipe(other.__name__, partial(_of_this_side, other)) for other in others]
    return [*classes, *_instances(others, nested)][:_SIBLINGS]


def _instances(classes: Sequence[type], nested: int) -> list[Recipe]:
    """An instance of each; none is built before it is tried, for any of them may do harm."""
    if nested + 1 >= _NESTED:
        return []
    guesses = ((cls, next(guess_arguments(cls, nested + 2), None)) for cls in classes)
    return [_recipe(cls, guess) for cls, guess in guesses if guess is not None]


def _others_of_file(cls: Callable[..., Any]) -> list[type]:
    """The other module classes of the file of a class."""
    return [
        value
        for value in vars(sys.modules[cls.__module__]).values()
        if isinstance(value, type) and issubclass(value, nn.Module) and value is not cls
        if value.__module__ == cls.__module__
    ]


def _with_rest(kwargs: dict[str, Any], rest: Sequence[str]) -> Iterator[Arguments]:
    yield Arguments((), kwargs)
    for name in rest:
        for value in guess_values(name.removesuffix("s"))[:3]:
            yield Arguments((*kwargs.values(), value, value))


def _combinations(choices: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield all combinations, those that depart least from the first choices first."""
    lengths = [len(values) for values in choices.values()]
    for departure in range(sum(lengths) - len(lengths) + 1):
        for ranks in _ranks(lengths, departure):
            values = zip(choices.items(), ranks, strict=True)
            yield {name: options[rank] for (name, options), rank in values}


def _ranks(lengths: Sequence[int], total: int) -> Iterator[tuple[int, ...]]:
    """Yield the tuples of indices below ``lengths`` that add up to ``total``."""
    if not lengths:
        yield from [()] if total == 0 else []
        return
    for first in range(min(lengths[0] - 1, total), -1, -1):
        for rest in _ranks(lengths[1:], total - first):
            yield (first, *rest)


_GIVEN: dict[str, tuple[tuple[str, str], ...]] = {}
"""By class: the arguments that the project gives instances of classes, and these."""


def take_given(classes: Iterable[ClassPlan]) -> None:
    """Guess from now on that these classes are given what the project gives them."""
    _GIVEN.update({entry.name: entry.given for entry in classes})


def _hints(cls: Callable[..., Any]) -> dict[str, Any]:
    try:
        found = typing.get_type_hints(getattr(cls, "__init__", cls))
    except Exception:  # a name that only a type checker sees
        found = {}
    return found | {name: Union[tuple(kinds)] for name, kinds in _given(cls).items()}  # noqa: UP007


def _given(cls: Callable[..., Any]) -> dict[str, list[Any]]:
    """The arguments that the project gives instances of classes, with these."""
    found: dict[str, list[Any]] = {}
    for name, other in _said_to_be_given(cls):
        module, _, qualname = other.partition(":")
        with suppress(KeyError, AttributeError):
            made = reduce(getattr, qualname.split("."), sys.modules[module])
            found.setdefault(name, []).append(made)
    return found


def _said_to_be_given(cls: Callable[..., Any]) -> tuple[tuple[str, str], ...]:
    return _GIVEN.get(f"{cls.__module__}:{getattr(cls, '__qualname__', '')}", ())


def guess_values(name: str, annotation: Any = None, nested: int = 0) -> list[Any]:
    """Guess values for a parameter, the likeliest first; there is always one."""
    by_name = next((values for pattern, values in _BY_NAME if re.search(pattern, name)), ())
    by_type = _of_type(annotation, nested)
    if by_type:
        kinds = tuple(type(value) for value in by_type)
        return _distinct([*(v for v in by_name if isinstance(v, kinds)), *by_type])
    return _distinct([*by_name, *_OF_NO_TYPE])


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list({repr(value): value for value in values}.values())


def _of_type(annotation: Any, nested: int) -> list[Any]:
    """Values of an annotated type; none where the annotation does not help."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _UNSAID or annotation is None:
        return []
    if origin is Literal:
        return list(inner)
    if origin in (Union, types.UnionType):
        return [value for option in inner for value in _of_type(option, nested)]
    if origin is type:
        return [nn.Identity]
    if tuple in (origin, annotation):
        count = len(inner) if inner and ... not in inner else 2
        return [(value,) * count for value in _of_item(inner, nested)]
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return [{}]
    if {origin, annotation} & {list, Sequence, Iterable}:
        return [[value, value] for value in _of_item(inner, nested)]
    if annotation is Callable or origin is Callable:
        return [F.relu]
    return _of_class(annotation, nested) if isinstance(annotation, type) else []


def _of_item(inner: tuple[Any, ...], nested: int) -> list[Any]:
    return (_of_type(inner[0], nested) if inner else []) or [SIZE]


def _of_class(cls: type, nested: int) -> list[Any]:
    if cls in _BY_CLASS:
        return list(_BY_CLASS[cls])
    if issubclass(cls, enum.Enum):
        return [Recipe(str(m), partial(_member, cls, m.name)) for m in islice(cls, 2)]
    if nested >= _NESTED or cls.__module__.split(".")[0] in ("builtins", "torch"):
        return []
    guesses = _arguments_that_do(cast("Hashable", cls), nested + 1)
    return [_recipe(cls, guess) for guess in guesses]


def _recipe(cls: type, arguments: Arguments) -> Recipe:
    return Recipe(f"{cls.__name__}({arguments})", partial(_instance, cls, arguments))


@cache
def _arguments_that_do(cls: Any, nested: int) -> tuple[Arguments, ...]:
    """A few guesses with which a class can be built; the likeliest, where none is found."""
    guesses, waiting = guess_arguments(cls, nested), list[Arguments]()
    tried: dict[str, Arguments] = {}
    found: list[Arguments] = []
    until = time.process_time() + _NESTED_SECONDS
    while len(found) < _INSTANCES and len(tried) < _NESTED_TRIED and time.process_time() < until:
        arguments = waiting.pop() if waiting else next(guesses, None)
        if arguments is None:
            break
        if str(arguments) in tried:
            continue
        tried[str(arguments)] = arguments
        try:
            with SizeLimit(_PART):
                arguments.construct(cls)
        except (Exception, SystemExit) as error:
            waiting += complete_arguments(cls, arguments, error)
        else:
            found.append(arguments)
    return tuple(found or islice(tried.values(), _INSTANCES))


def _member(cls: type, name: str) -> Any:
    return getattr(_of_this_side(cls), name)


def _instance(cls: type, arguments: Arguments) -> Any:
    return arguments.construct(_of_this_side(cls))


def _of_this_side(cls: type) -> Any:
    """The class of that name in the project version that is being imported from now."""
    return reduce(getattr, cls.__qualname__.split("."), importlib.import_module(cls.__module__))


class Settings:
    """A configuration that has whatever it is asked for: a guess from the name."""

    def __getattr__(self, name: str) -> Any:
        """Guess the value, once."""
        if name.startswith("__"):
            raise AttributeError(name)
        value = guess_values(name)[0]
        made = value.make() if isinstance(value, Recipe) else value
        setattr(self, name, made)
        return made

    def __getitem__(self, name: str) -> Any:
        """The same, as of a mapping."""
        if not isinstance(name, str):
            raise TypeError("settings have names")
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        """Whether something was asked for before."""
        return name in vars(self)

    def get(self, name: str, default: Any = None) -> Any:
        """What is to be taken in its place, or else a guess."""
        return getattr(self, name) if default is None else default


_SETTINGS = Recipe("Settings()", Settings)


def _layer(label: str, make: Callable[[], nn.Module]) -> Recipe:
    return Recipe(f"nn.{label}", make)


_LINEAR = _layer("Linear(8, 8)", partial(nn.Linear, SIZE, SIZE))
_CONV = _layer("Conv2d(8, 8, 1)", partial(nn.Conv2d, SIZE, SIZE, 1))
_ORDER = Recipe("torch.arange(8)", partial(torch.arange, SIZE))
_MODULES = (
    _LINEAR,
    _layer("Identity()", nn.Identity),
    _CONV,
    _layer("Conv1d(8, 8, 1)", partial(nn.Conv1d, SIZE, SIZE, 1)),
)

_BY_CLASS: Mapping[type, tuple[Any, ...]] = {
    int: (SIZE, 2, 1, 16),
    float: (0.5, 1.0),
    bool: (False, True),
    str: ("relu",),
    dict: ({},),
    type(None): (None,),
    nn.Module: _MODULES,
    nn.ModuleList: (
        _layer("ModuleList([nn.Linear(8, 8)])", lambda: nn.ModuleList([_LINEAR.make()])),
    ),
    nn.Sequential: (_layer("Sequential(nn.Linear(8, 8))", lambda: nn.Sequential(_LINEAR.make())),),
    torch.Tensor: (Recipe("torch.rand(8, 8)", partial(torch.rand, SIZE, SIZE)),),
    torch.device: (torch.device("cpu"),),
    torch.dtype: (torch.float32,),
}

_BY_NAME: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (
        r"^(use|is|has|with|return|add|do|pre|no)_|^(bias|causal|affine|residual|bidirectional)$",
        (False, True),
    ),
    (r"^pretrained|verbose|debug|inplace", (False,)),
    (r"heads?$|groups?$", (2, 1)),
    (r"kernel|ksize|filter_size|^k$", (3, 1)),
    (r"strides?$|dilation", (1,)),
    (r"padding|^pad$", (1, 0, (1, 1))),
    (r"eps(ilon)?$|^lr$", (1e-5,)),
    (r"drop|prob$|rate$|^p$|momentum|alpha|beta|gamma|decay|temperature|sigma|slope", (0.1,)),
    (r"ratio|expan|reduction|mult|factor|scale", (2, 0.5)),
    (r"depth|layers?$|blocks?$|repeats?$|stages?$", (2, [2, 2, 2, 2], _LINEAR)),
    (r"^categories$", ([SIZE, SIZE],)),
    (r"permut|^perm$|^(index|indices|idx)$", (_ORDER, 0)),
    (r"^conv(_?transposed?|_?layer|_?op|\dd)?$", (_CONV, nn.Conv2d)),
    (r"vocab|num_(tokens|embeddings|words)|n_tokens|codebook|categories|cardinality", (16,)),
    (r"(seq|context|max).*(len|length)$|^length|window|num_(frames|patches|latents)|steps$", (16,)),
    (r"(image|img|input)_?(size|res)|resolution|height|^h$|^w$", (16, (16, 16), (3, 16, 16))),
    (r"patch", (4,)),
    (
        r"(^|_)(config|conf|cfg|hparams|opts?|options|settings|hp)s?$|^(args|params|hyperparams)$",
        (_SETTINGS, {}),
    ),
    (r"kwargs$", ({},)),
    (r"_args$", ([], {})),
    (r"(^|_)act|nonlinear", (F.relu, nn.ReLU, _layer("ReLU()", nn.ReLU), "relu")),
    (r"norm", (nn.LayerNorm, nn.BatchNorm2d, None, "layer")),
    (r"(dims|sizes|widths|units|features|channels|planes|filters)(_list)?$", (SIZE, [SIZE, SIZE])),
    (
        r"classes|labels|dim|size|features|channels|width|hidden|embed|^n_|^num_|^in|^out|^d_",
        (SIZE, 3),
    ),
    (_MODULE_NAME, _MODULES),
)
"""Guesses by the name of a parameter; the first pattern that is found decides."""

_OF_NO_TYPE = (SIZE, 2, 0.5, True, None, "relu", [SIZE, SIZE], nn.Identity, _LINEAR)

_COMPLAINED_OF = (
    r"'(\w+)' object|of type '(\w+)'|(\w+) is not a Module|with an iterable, but got (\w+)"
    r"|(?:operand|instances) .*'(tuple|list)'"
)
_SEVERAL_ASKED = (
    r"not subscriptable|not iterable|has no len\(\)|non-iterable|called with an iterable"
    r"|must be (?:an? |of type )?(?:tuple|list|sequence|pair)"
)
_ONE_ASKED = (
    r"'(?:tuple|list)' object cannot be interpreted"
    r"|(?:operand|instances) .*'(?:tuple|list)'"
    r"|must be (?:an? |of type )?(?:int|float|number|real|single)"
)

_MORE_ASKED = r"(?:list|tuple) index out of range|not enough values to unpack"
_LONGEST = 6
_MODULE_ASKED = r"not callable|is not a Module|has no attribute '(?:forward|parameters|modules)'"

_COMPLAINTS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (r"not subscriptable|not iterable|has no len\(\)|non-iterable", ([SIZE, SIZE], _ORDER)),
    (r"'Tensor' and '(?:list|tuple|int)'|first argument must be .*Tensor", (_ORDER,)),
    (r"not callable", (nn.Identity, F.relu)),
    (
        r"has no attribute '(shape|size|n?dim|ndimension|device|dtype|float|long|sum|view|clone)'|"
        r"must be a .*[tT]ensor",
        (
            Recipe("torch.rand(8)", partial(torch.rand, SIZE)),
            Recipe("torch.rand(8, 8)", partial(torch.rand, SIZE, SIZE)),
        ),
    ),
    (r"is not a Module|has no attribute '(parameters|modules|children|eval|weight)'", _MODULES),
    (r"has no attribute '(items|keys|values)'", ({},)),
    (r"has no attribute", (_SETTINGS,)),
)
"""What to give in place of an argument that a constructor cannot do with."""
