"""The parameters that an original module really has, and which class declares each.

While a module is built, every attachment of a parameter or module is recorded with the methods of
the project that were at work: the class whose source has the statement is the one a rule names.
Where that is not clear, all classes that could be meant are kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from torch import Tensor, nn

CONSTRUCTORS = ("__init__", "__post_init__", "__new__")


@dataclass(frozen=True, slots=True)
class Key:
    """How a rule can name a parameter: the class, and the path below it.

    ``instance`` is the way to an instance of another class that owns it.
    """

    module: str
    qualname: str
    path: str
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """One name of one parameter.

    ``keys`` are the ways the owning class can name it, normally one; ``instance_keys`` those of
    its holders, the outermost first. ``layers`` are the names its owner can have in ``layer:``.
    ``classes`` (``module:Class``) are all that have to do with it, for findings.
    """

    name: str
    keys: tuple[Key, ...]
    instance_keys: tuple[Key, ...]
    layers: tuple[str, ...]
    shape: tuple[int, ...]
    frozen: bool
    is_positive: bool
    tie: int
    classes: frozenset[str]
    is_own: bool = False


@dataclass(slots=True)
class Attachments:
    """Who attached what: classes by module and name, in order of the frames, innermost first."""

    is_project: Callable[[type], bool]
    made: dict[tuple[int, str], list[tuple[int, type]]] = field(default_factory=dict)
    kept: list[nn.Module] = field(default_factory=list)

    def note(self, module: nn.Module, name: str) -> None:
        """Record the methods that are running."""
        self.kept.append(module)
        self.made[id(module), name] = list(self._makers(sys._getframe(2)))

    def _makers(self, frame: FrameType | None) -> Iterator[tuple[int, type]]:
        ended: set[int] = set()
        while frame is not None:
            code = frame.f_code
            first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
            if isinstance(first, nn.Module) and id(first) not in ended:
                cls = _class_of(code, type(first), self.is_project)
                if cls is not None:
                    yield id(first), cls
                    if code.co_name in CONSTRUCTORS:
                        ended.add(id(first))
            frame = frame.f_back


def _class_of(code: CodeType, cls: type, is_project: Callable[[type], bool]) -> type | None:
    """The class in the ancestry whose method has this code."""
    for base in cls.__mro__:
        if not is_project(base):
            continue
        for value in vars(base).values():
            plain = getattr(value, "__func__", getattr(value, "fget", value))
            if getattr(plain, "__code__", None) is code:
                return base
    return None


@contextmanager
def recorded(is_project: Callable[[type], bool]) -> Iterator[Attachments]:
    """Record all attachments for a while."""
    attachments = Attachments(is_project)
    names = ("__setattr__", "register_parameter", "add_module")
    originals = {name: getattr(nn.Module, name) for name in names}

    def wrap(original: Any) -> Any:
        def attach(self: nn.Module, name: str, *args: Any, **kwargs: Any) -> Any:
            result = original(self, name, *args, **kwargs)
            attachments.note(self, name)
            return result

        return attach

    def wrap_named(original: Any) -> Any:
        def attach(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            result = original(self, *args, **kwargs)
            attachments.note(self, kwargs.get("name") or args[0])
            return result

        return attach

    for name, original in originals.items():
        make = wrap if name == "__setattr__" else wrap_named
        setattr(nn.Module, name, make(original))
    try:
        yield attachments
    finally:
        for name, original in originals.items():
            setattr(nn.Module, name, original)


def list_sites(root: nn.Module, attachments: Attachments) -> list[Site]:
    """All parameters of a module built while ``attachments`` were recorded, by every name."""
    parameters = dict(root.named_parameters(remove_duplicate=False))
    return [_site(root, name, parameter, attachments) for name, parameter in parameters.items()]


def _site(root: nn.Module, name: str, parameter: Tensor, attachments: Attachments) -> Site:
    is_project = attachments.is_project
    segments = name.split(".")
    chain = [root]
    for segment in segments[:-1]:
        chain.append(chain[-1]._modules[segment])  # type: ignore[arg-type]
    holders = [i for i, module in enumerate(chain) if is_project(type(module))]
    owner = chain[-1]
    inner = holders[-1] if holders else -1
    keys: list[Key] = []
    if inner >= 0:
        path = ".".join(segments[inner:])
        for cls in _candidates(chain, segments, inner, attachments):
            keys.append(Key(cls.__module__, cls.__qualname__, path))
    instance_keys = [
        Key(
            cls.__module__,
            cls.__qualname__,
            ".".join(segments[outer:]),
            ".".join(segments[outer:inner]),
        )
        for outer in holders[:-1]
        for cls in _candidates(chain[: outer + 1], segments, outer, attachments)
    ]
    names = {
        f"{cls.__module__}:{cls.__qualname__}"
        for i in holders
        for cls in _project_classes(chain[i], is_project)
    }
    value = parameter.detach()
    return Site(
        name,
        tuple(keys),
        tuple(instance_keys),
        _layers(owner, segments[-1], is_project),
        tuple(parameter.shape),
        not parameter.requires_grad,
        bool(value.numel()) and value.is_floating_point() and bool((value > 1e-3).all()),
        id(parameter),
        frozenset(names),
        owner is chain[inner],
    )


def _project_classes(module: nn.Module, is_project: Callable[[type], bool]) -> list[type]:
    return [cls for cls in type(module).__mro__ if is_project(cls)]


def _candidates(
    chain: list[nn.Module], segments: list[str], inner: int, attachments: Attachments
) -> list[type]:
    """The classes that may be said to declare what is at the end of a chain."""
    instance = chain[inner]
    found: dict[type, None] = {}
    is_foreign = False
    for i in range(inner, len(chain)):
        makers = attachments.made.get((id(chain[i]), segments[i]), [])
        own = [cls for owner, cls in makers if owner == id(instance)]
        found.update(dict.fromkeys(own))
        if i == inner and (not own or makers[0][0] != id(instance)):
            is_foreign = True
    if is_foreign or not found:
        found.update(dict.fromkeys(_project_classes(instance, attachments.is_project)))
    return list(found)


def _layers(owner: nn.Module, name: str, is_project: Callable[[type], bool]) -> tuple[str, ...]:
    own = type(owner)
    if own.__name__ == "NonDynamicallyQuantizableLinear":
        return ("Linear", own.__name__)
    if own.__name__ in ("ParameterList", "ParameterDict", "Module"):
        return ("", own.__name__)
    if not is_project(own):
        return (
            next(c.__name__ for c in own.__mro__ if c.__module__.startswith("torch.nn.modules")),
        )
    library = [cls.__name__ for cls in own.__mro__ if cls.__module__.startswith("torch.nn.modules")]
    return ("", *(n for n in library if n not in ("Module", "Sequential", "ModuleList")))
