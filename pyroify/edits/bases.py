"""What a class derives from once it is a PyroModule."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyroify.catalog.metaclasses import ABSTRACT, FOREIGN, PYRO_MODULE_META, REMAKING
from pyroify.catalog.module import MODULE
from pyroify.catalog.thirdparty import is_module, is_no_module
from pyroify.code.names import FileNames
from pyroify.decide.candidate import Candidate, Key
from pyroify.decide.model import Edit
from pyroify.edits import kinds
from pyroify.program.index import Index, ModuleClass, Target
from pyroify.syntax.facts import Class, File
from pyroify.syntax.values import Call, Name

PYRO_ABC_META = '''\
class PyroABCMeta(type({pyro_module}), {abc_meta}):
    """Lets a PyroModule have abstract methods."""
'''

PYRO_GENERIC_ABC_META = '''\
class PyroGenericABCMeta(type({pyro_module}), {abc_meta}):
    """Lets a PyroModule have abstract methods, and type arguments in brackets."""

    def __getitem__(cls, arguments):
        return cls.__class_getitem__(arguments)
'''

PYRO_GENERIC_META = '''\
class PyroGenericMeta(type({pyro_module})):
    """Takes the brackets after a generic PyroModule for type arguments."""

    def __getitem__(cls, arguments):
        return cls.__class_getitem__(arguments)
'''
MISSING_BASE = '''\
class MissingBase:
    """Stands in for a base that is object here: that could not come before PyroModule."""
'''
MAX_DEPTH = 10
"""Classes that derive from each other, at most."""
GENERIC = ("typing.Generic", "typing_extensions.Generic")


def base_edits(
    candidate: Candidate, candidates: Mapping[Key, Candidate], index: Index
) -> Iterator[Edit]:
    """``nn.Module`` becomes ``PyroModule``; any other base that is none gets it beside it.

    A base that is ``object`` where its import fails is none in front of another.
    """
    cls, names = candidate.cls, candidate.names
    if cls.is_pyro:
        return
    aliases = dict(cls.file.aliases)
    replaced = []
    inherited = missing = False
    for position, base in enumerate(cls.bases):
        if base.kind == "module":
            names.use("PyroModule")
            replaced.append((position, names.local("PyroModule")))
        elif base.local is not None:
            other = candidates.get(base.local.key)
            inherited = inherited or bool(other and (other.converts or base.local.is_pyro))
        elif base.kind == "external" and aliases.get(base.text) == Name("object"):
            names.define("MissingBase", MISSING_BASE)
            stands_in = f"MissingBase if {base.text} is object else {base.text}"
            replaced.append((position, stands_in))
            missing = True
    added: tuple[str, ...] = ()
    if (not replaced or missing) and not inherited:
        names.use("PyroModule")
        added = (names.local("PyroModule"),)
    metaclass = _metaclass(cls, names, index)
    if replaced or added or metaclass:
        yield kinds.Bases(cls.cls.line, cls.cls.column, tuple(replaced), added, metaclass)


def initialiser_edits(candidate: Candidate, has_subclasses: bool) -> Iterator[Edit]:
    """Calls of ``nn.Module.__init__`` that PyroModule's own would not survive."""
    for method in candidate.cls.cls.methods:
        for target, line, column in method.base_calls:
            if target in MODULE:  # it would pass PyroModule by
                yield kinds.Initialisers(line, column)
    constructor = candidate.cls.cls.method("__init__")
    called = constructor.super_init if constructor else None
    alone = [base.kind for base in candidate.cls.bases] == ["module"] and not has_subclasses
    if called is not None and alone and any(passed.star != "**" for passed in called.args):
        # nn.Module takes no arguments; PyroModule would take the first for a prefix of all sites.
        old, new = _call_source(called), f"{called.text}()"
        yield kinds.Expressions(called.line, called.column, old, new)


def _call_source(call: Call) -> str:
    arguments = [f"{p.keyword}={p.text}" if p.keyword else f"{p.star}{p.text}" for p in call.args]
    return f"{call.text}({', '.join(arguments)})"


def _metaclass(cls: ModuleClass, names: FileNames, index: Index) -> str:
    """A metaclass for what PyroModule's does not allow, where a class is the first to need it."""
    needs = ("PyroModule", "ABCMeta")
    both = {"pyro_module": names.local("PyroModule"), "abc_meta": names.local("ABCMeta")}
    if is_generic_and_abstract(cls, index):
        names.define("PyroGenericABCMeta", PYRO_GENERIC_ABC_META.format(**both), needs)
        return "PyroGenericABCMeta"
    if is_generic(cls) and not any(is_generic(other) for other in cls.lineage[1:]):
        source = PYRO_GENERIC_META.format(pyro_module=names.local("PyroModule"))
        names.define("PyroGenericMeta", source, needs[:1])
        return "PyroGenericMeta"
    if not is_abstract_here(cls, index):
        return ""
    for other in cls.lineage[1:]:
        if other.cls.metaclass.endswith("PyroABCMeta") or is_abstract_here(other, index):
            return ""
    names.define("PyroABCMeta", PYRO_ABC_META.format(**both), needs)
    return "PyroABCMeta"


def metaclass_edits(metaclass: Class, names: FileNames) -> Iterator[Edit]:
    """A metaclass of the project derives from PyroModule's instead of ``type``."""
    names.use("PyroModule")
    base = f"type({names.local('PyroModule')})"
    yield kinds.Bases(metaclass.line, metaclass.column, ((0, base),), (), "")


def own_metaclass(cls: ModuleClass, index: Index) -> tuple[File, Class] | None:
    """The metaclass of the project by which a class gets its own, and that derives from ``type``.

    It can derive from PyroModule's instead if that has nothing it defines itself, and if no other
    classes than modules are made by it.
    """
    lineage = list(_metaclasses(cls.cls.metaclass, cls.file.path, index))
    if not lineage or [text for text, *_ in lineage[-1][1].bases] != ["type"]:
        return None
    if any(is_generic(item) or is_abstract_here(item, index) for item in cls.lineage):
        return None
    is_apart = all(_is_beside_pyro(metaclass) for _, metaclass in lineage)
    return lineage[-1] if is_apart and not _makes_others(lineage[-1], index) else None


def _metaclasses(dotted: str, path: str, index: Index) -> Iterator[tuple[File, Class]]:
    """A metaclass of the project, and what it derives from, as long as that is one class."""
    for _ in range(MAX_DEPTH):
        target = index.resolve(dotted, path) if dotted else Target()
        if target.plain_class is None or target.file is None:
            return
        yield target.file, target.plain_class
        bases = target.plain_class.bases
        dotted, path = bases[0][1] if len(bases) == 1 else "", target.file.path


def _is_beside_pyro(metaclass: Class) -> bool:
    """Whether a metaclass defines nothing that PyroModule's has."""
    names = {method.name for method in metaclass.methods}
    names.update(name for name, _ in metaclass.class_attributes)
    return names.isdisjoint(PYRO_MODULE_META) and not metaclass.metaclass


def _makes_others(metaclass: tuple[File, Class], index: Index) -> bool:
    """Whether a class that is no module has a metaclass, or one that derives from it."""
    return any(
        index.module_class(file, cls) is None
        and metaclass in _metaclasses(cls.metaclass, file.path, index)
        for file in index.files
        for cls in file.classes
        if cls.metaclass
    )


def is_generic(cls: ModuleClass) -> bool:
    """Whether a class has type parameters, or names ``Generic`` among its bases."""
    return cls.cls.is_generic or any(base.dotted in GENERIC for base in cls.bases)


def is_generic_and_abstract(cls: ModuleClass, index: Index) -> bool:
    """Whether a class is the first of its lineage to need a metaclass, and needs one for both."""
    return (
        is_generic(cls)
        and is_abstract_here(cls, index)
        and not any(
            is_generic(other) or is_abstract_here(other, index) for other in cls.lineage[1:]
        )
    )


def is_abstract_here(cls: ModuleClass, index: Index) -> bool:
    """Whether a class brings in ABCMeta itself, or by a base beside the project's modules."""
    return cls.cls.metaclass.endswith("ABCMeta") or any(
        ABSTRACT.fullmatch(found.name) or found.metaclass.endswith("ABCMeta")
        for found in bases_beside(cls, index)
    )


def needs_metaclass(cls: ModuleClass, index: Index) -> bool:
    """Whether a class, left as it is, cannot be defined below a PyroModule."""
    if cls.cls.metaclass not in ("", "type") or REMAKING.intersection(cls.cls.decorators):
        return True
    if any(base.kind == "unresolved" for base in cls.bases):
        return True
    return is_generic(cls) or any(
        found.metaclass not in ("", "type")
        or not found.known
        or ABSTRACT.fullmatch(found.name)
        or FOREIGN.fullmatch(found.name)
        for found in bases_beside(cls, index)
    )


@dataclass(frozen=True, slots=True)
class OtherBase:
    """A class that a module derives from beside its modules, directly or not.

    ``name`` is its dotted name, ``via`` the base of the module that leads to it, as written, and
    ``metaclass`` what its own source says. ``known``: it is of the project, of Python or of torch.
    """

    name: str
    via: str
    metaclass: str = ""
    known: bool = True


def bases_beside(cls: ModuleClass, index: Index) -> Iterator[OtherBase]:
    """All that a class derives from, directly or not, and that is no module of the project."""
    for base in cls.bases:
        if base.kind in ("plain", "external"):
            yield from _beside(base.dotted, cls.file.path, base.text, index, 0)


def _beside(dotted: str, path: str, via: str, index: Index, depth: int) -> Iterator[OtherBase]:
    target = index.resolve(dotted, path)
    if target.plain_class is None or target.file is None:
        name = index.canonical(dotted, path)
        top = name.partition(".")[0]
        known = top in sys.stdlib_module_names or top == "torch" or hasattr(builtins, name)
        known = known or is_module(name) or is_no_module(name)
        yield OtherBase(name, via, known=known)
        return
    yield OtherBase(dotted, via, target.plain_class.metaclass)
    for _, base, _, _ in target.plain_class.bases if depth < MAX_DEPTH else ():
        yield from _beside(base, target.file.path, via, index, depth + 1)
