"""Which classes of the project come to be below which others, out of sight of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pyroify.decide.candidate import Candidate, Key
from pyroify.dispatch import needs
from pyroify.program.index import Index, ModuleClass
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Call, Name, calls_in


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
    """Classes that are called with instances of others, each with the class of such an instance."""
    for file in index.files:
        methods = (method for cls in file.classes for method in cls.methods)
        functions = (*file.functions, *methods)
        calls: Iterable[Call] = (call for item in functions for call in item.layer_calls)
        for call in (*file.module_calls, *calls):
            receiver = _class_called(call, index, file.path)
            for passed in call.args if receiver else ():
                for inner in calls_in(passed.value):
                    if receiver and (given := _class_called(inner, index, file.path)):
                        yield receiver, given


def _class_called(call: Call, index: Index, path: str) -> ModuleClass | None:
    if not isinstance(call.callee, Name):
        return None
    return index.resolve(call.callee.dotted, path).module_class
