"""Which classes of the project come to be below which others, out of sight of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyroify.decide.candidate import Candidate, Key
from pyroify.dispatch import needs
from pyroify.program.index import Index, ModuleClass
from pyroify.program.points_to import CallSite, calls_of, code_of
from pyroify.syntax.facts import File, Function
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Argument, Call, Name, walk

Place = tuple[str, int, int]
"""Where a function stands: its file, line and column."""


def left_alone(index: Index, candidates: Mapping[Key, Candidate]) -> Mapping[str, frozenset[str]]:
    """Names of classes that are not converted, by the file of a class that may come to hold some.

    A class that is handed something hands it on to its bases.
    """
    found: dict[str, set[str]] = {}
    reached = (*_handed_over(index), *_held(candidates), *_made_by_methods(index, candidates))
    for receiver, given in reached:
        candidate = candidates.get(given.key)
        if (
            candidate is None
            or candidate.converts
            or candidate.cls.is_pyro
            or not candidate.summary.has_parameters
        ):
            continue
        if any(
            base.key in candidates and candidates[base.key].converts
            for base in candidate.cls.lineage
        ):
            continue  # it derives from a PyroModule then, which the function tells itself
        if _is_bare(candidate) and not candidate.wanted:
            continue
        for cls in receiver.lineage:
            found.setdefault(cls.file.path, set()).add(given.cls.name)
    return {path: frozenset(names) for path, names in found.items()}


def bare_containers(candidates: Mapping[Key, Candidate]) -> frozenset[str]:
    """Names of classes that are containers and declare nothing of what they are given."""
    return frozenset(
        candidate.cls.cls.name for candidate in candidates.values() if _is_bare(candidate)
    )


def _is_bare(candidate: Candidate) -> bool:
    base = candidate.cls.library_base
    is_container = base is not None and base.kind == "container"
    return is_container and candidate.cls.find_method("__init__") is None


def _held(candidates: Mapping[Key, Candidate]) -> Iterator[tuple[ModuleClass, ModuleClass]]:
    return (
        (candidate.cls, held)
        for candidate in candidates.values()
        for held in candidate.summary.held
    )


def _made_by_methods(
    index: Index, candidates: Mapping[Key, Candidate]
) -> Iterator[tuple[ModuleClass, ModuleClass]]:
    """Classes that call ``Base.new(...)``, which may give an instance of any subclass."""
    family: dict[Key, list[ModuleClass]] = {}
    for candidate in candidates.values():
        for base in candidate.cls.lineage:
            family.setdefault(base.key, []).append(candidate.cls)
    for candidate in candidates.values():
        for method in candidate.cls.cls.methods:
            for call in method.layer_calls:
                owner = (
                    call.callee.dotted.rpartition(".")[0] if isinstance(call.callee, Name) else ""
                )
                found = index.resolve(owner, candidate.cls.file.path).module_class
                for made in family.get(found.key, ()) if found else ():
                    yield candidate.cls, made


NONE: Mapping[Key, tuple[ModuleClass, ...]] = {}


@needs(*anywhere((Call, Name)), nothing=NONE)
def receivers(index: Index) -> Mapping[Key, tuple[ModuleClass, ...]]:
    """The classes whose instances each class is seen to be given; it hands them on to its bases."""
    found: dict[Key, dict[Key, ModuleClass]] = {}
    for receiver, given in _handed_over(index):
        for cls in receiver.lineage:
            found.setdefault(cls.key, {})[given.key] = given
    return {key: tuple(given.values()) for key, given in found.items()}


def _handed_over(index: Index) -> Iterator[tuple[ModuleClass, ModuleClass]]:
    """Classes that are called with others, or instances of others, each with one of these.

    What a function or constructor is called with it may hand on.
    """
    calls = [(at, call) for file in index.files for at in code_of(file) for call in calls_of(at)]
    inside: dict[Place, list[tuple[CallSite, Call]]] = {}
    for at, call in calls:
        if at.function is not None:
            inside.setdefault(_place(at.file, at.function), []).append((at, call))
    given: dict[Place, dict[str, dict[Key, ModuleClass]]] = {}
    while calls:
        grown: dict[Place, None] = {}
        for at, call in calls:
            known = given.get(_place(at.file, at.function), {}) if at.function else {}
            for receiver, callee, name, cls in _passed(call, at, known, index):
                if receiver is not None:
                    yield receiver, cls
                classes = given.setdefault(callee, {}).setdefault(name, {}) if callee else {}
                if callee and cls.key not in classes:
                    classes[cls.key] = cls
                    grown[callee] = None
        calls = [found for callee in grown for found in inside.get(callee, ())]


def _place(file: File, function: Function) -> Place:
    return file.path, function.line, function.column


def _passed(
    call: Call, at: CallSite, known: Mapping[str, Mapping[Key, ModuleClass]], index: Index
) -> Iterator[tuple[ModuleClass | None, Place | None, str, ModuleClass]]:
    """Classes that a call passes: the class it is of, the function that runs, and its argument.

    ``known`` are those that the arguments of the function around may be, or be instances of.
    """
    if not isinstance(call.callee, Name):
        return
    target = index.resolve(call.callee.dotted, at.file.path)
    receiver, function, file = target.module_class, target.function, target.file
    if receiver is not None and (found := receiver.find_method("__init__")) is not None:
        file, function = found[0].file, found[1]
    if receiver is None and function is None:
        return
    callee = _place(file, function) if file is not None and function is not None else None
    for number, passed in enumerate(call.args):
        arguments = function.arguments[number : number + 1] if function is not None else ()
        name = passed.keyword or "".join(arguments)
        for inner in walk(passed.value):
            match inner:
                case Name(dotted=dotted):
                    cls = index.resolve(dotted, at.file.path).module_class
                    classes = [cls] if cls is not None else []
                case Argument(name=own):
                    classes = list(known.get(own, {}).values())
                case _:
                    continue
            yield from ((receiver, callee, name, cls) for cls in classes)
