"""What the annotation of an argument says of the modules that it may be."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pyroify.program.index import Index, ModuleClass, Target
from pyroify.program.values import ClassInstance
from pyroify.syntax.facts import File, Function
from pyroify.syntax.source import chain
from pyroify.syntax.values import (
    NOTHING,
    PLAIN,
    Closure,
    Element,
    Items,
    Many,
    Name,
    Unknown,
    Value,
    join,
    options_of,
    walk,
)

LISTS = frozenset("list List Sequence Iterable Collection".split())
"""Last names of what holds any number of what stands in its brackets."""
MAX_NAMES = 4
"""Names for annotations, one of another, that are followed."""
DATA = frozenset("int float str bool complex bytes Tensor torch.Tensor".split())


@lru_cache(maxsize=1024)
def _tree(text: str) -> ast.expr | None:
    """The tree of an annotation: most of a project are the same few."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


@dataclass(frozen=True, slots=True)
class Annotations:
    """Reads the annotations of one file.

    They are taken at their word: an argument is an instance of the class of the project that its
    annotation names, or of one that derives from it. Such a class declares its parameters itself,
    whoever hands the instance in.
    """

    file: File
    index: Index
    subclasses: Mapping[tuple[str, str], Sequence[ModuleClass]]
    depth: int = 0
    """So many names for annotations were followed to get here."""

    def instances(self, method: Function) -> dict[str, Value]:
        """The arguments of a method that are, hold or make instances of the project, or None."""
        found = {}
        for name, text in method.annotations:
            value = self._parsed(text)
            if value is not None and any(isinstance(i, ClassInstance | Name) for i in walk(value)):
                is_optional = dict(method.defaults).get(name) == "None"
                found[name] = join(value, NOTHING) if is_optional else value
        return found

    def _parsed(self, text: str) -> Value | None:
        tree = _tree(text)
        return None if tree is None else self._value(tree)

    def _value(self, node: ast.expr) -> Value | None:
        """What an annotation allows; None where that may be something else."""
        match node:
            case ast.Constant(value=None):
                return NOTHING
            case ast.Constant(value=str(text)):
                return self._parsed(text)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._either(left, right)
            case ast.Subscript(value=owner, slice=inner) if chain(owner):
                return self._generic(chain(owner)[-1], inner)
            case ast.Name() | ast.Attribute():
                return PLAIN if ast.unparse(node) in DATA else self._instance(chain(node))
        return None

    def _generic(self, name: str, inner: ast.expr) -> Value | None:
        """A class, something that makes instances when called, a union, or a list of them."""
        match name, inner:
            case ("Optional", _):
                return self._either(inner, ast.Constant(None))
            case ("Union", _):
                return self._either(*(inner.elts if isinstance(inner, ast.Tuple) else (inner,)))
            case ("type" | "Type", _):
                made = self._value(inner)
                names = [_name(option) for option in options_of(made)] if made else [None]
                return join(*names) if None not in names else None
            case ("Callable", ast.Tuple(elts=[_, given])):
                made = self._value(given)
                return Closure((), made) if made is not None else None
            case _ if name in LISTS:
                held = self._value(inner)
                return Items((Many(held),)) if held is not None else None
        return None

    def _either(self, *nodes: ast.expr) -> Value | None:
        """One of several; a list and a module are told apart by code that is not followed."""
        values = [value for node in nodes if (value := self._value(node)) is not None]
        made = join(*values)
        return made if len(values) == len(nodes) and not mixes_lists(made) else None

    def _instance(self, names: Sequence[str]) -> Value | None:
        """Instances of a class, or what an annotation allows that has a name of its own."""
        head = dict(self.file.imports).get(names[0], f"{self.file.module}.{names[0]}")
        target = self.index.resolve(".".join((head, *names[1:])), self.file.path)
        cls = target.module_class
        if cls is None:
            return self._named(target)
        family = (cls, *self.subclasses.get(cls.key, ()))
        # What a container without a constructor holds is declared by whoever fills it.
        return None if any(map(_is_filled, family)) else join(*map(ClassInstance, family))

    def _named(self, target: Target) -> Value | None:
        """``Model = Union[Encoder, Decoder]``, as its own file writes it."""
        if not isinstance(target.alias, Element | Unknown) or target.file is None:
            return None
        deeper = replace(self, file=target.file, depth=self.depth + 1)
        return deeper._parsed(target.alias.text) if self.depth < MAX_NAMES else None


def mixes_lists(value: Value) -> bool:
    """Whether it may be a list, of which torch sees nothing, or a module as well."""
    options = options_of(value)
    is_list = [isinstance(option, Items) for option in options]
    return any(is_list) and any(isinstance(option, ClassInstance) for option in options)


def _name(instance: Value) -> Value | None:
    """The class of an instance."""
    if not isinstance(instance, ClassInstance):
        return None
    cls = instance.cls
    return Name(f"{cls.file.module}.{cls.cls.qualname}")


def _is_filled(cls: ModuleClass) -> bool:
    base = cls.library_base
    is_container = base is not None and base.kind == "container"
    return is_container and cls.find_method("__init__") is None
