"""What a class freezes while it is built: its own parameters, and those that others declare.

What is frozen in any case stays a parameter. What only run time knows to be frozen is declared if
its ``requires_grad`` says so. What is frozen by another class than the one that declares it (a
holder, a subclass) cannot be taken back in one instance, so it stays a parameter in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pyroify.dispatch import needs
from pyroify.program.attributes.aliases import names_of_members
from pyroify.program.attributes.wrapped import places_inside, wrapped_of_bases
from pyroify.program.index import Index
from pyroify.program.summary import PARAMETERS, ClassSummary, always_assigned, summary_of
from pyroify.program.values import ClassInstance, is_opaque
from pyroify.syntax.facts import ATTACHING, Assignment, Freeze, Function, Use
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Name, Path, SelfRead, walk

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FrozenBy:
    """A freeze of what the class itself declares, at ``line`` of ``file``, by the class ``name``.

    ``path`` is below the class that declares; empty for all of it. ``below`` and ``kinds`` are
    those of the freeze.
    """

    path: Path
    name: str
    file: str
    line: int
    below: str = ""
    kinds: tuple[str, ...] = ()


NONE: Mapping[Key, tuple[FrozenBy, ...]] = {}


@needs(*anywhere(Freeze))
def freezes_of(summary: ClassSummary) -> Iterator[tuple[Function, Freeze]]:
    """What a class freezes while it is built, itself or by functions that it calls."""
    for method in summary.cls.cls.methods:
        if method.name not in summary.building:
            continue
        for freeze in method.freezes:
            yield method, freeze
        for use in method.uses:
            if use.how in ("read", "call") and is_freezing(summary, use.within):
                yield method, Freeze(_given(use), use.line, False)
        for call in method.layer_calls:
            wholly = any(passed.text == "self" for passed in call.args)
            named = call.callee.dotted if isinstance(call.callee, Name) else ""
            applied = call.callee == SelfRead(("apply",)) and any(
                isinstance(passed.value, Name) and is_freezing(summary, passed.value.dotted)
                for passed in call.args
            )
            if applied or (wholly and is_freezing(summary, named)):
                yield method, Freeze((), call.line, False)


@needs(*anywhere(Freeze))
def freezes_in_the_end(summary: ClassSummary) -> Iterator[Freeze]:
    """What a class freezes while it is built, by where that is when the class is complete.

    What a base froze is among it where the class puts it elsewhere.
    """
    if wrapped := wrapped_of_bases(summary):
        for base in summary.cls.lineage[1:]:
            for freeze in _of_base(summary_of(base, summary.resolver), wrapped):
                yield from _in_the_end(summary, replace(freeze, line=0))
    for method, freeze in freezes_of(summary):
        is_sure = freeze.sure and summary.calls.surely_runs(method)
        yield from _in_the_end(summary, replace(freeze, sure=is_sure))
        yield from _of_members(summary, freeze)


def _of_members(summary: ClassSummary, freeze: Freeze) -> Iterator[Freeze]:
    """What a freeze of the modules in a list may be about under names of their own."""
    for name in sorted(names_of_members(summary, freeze.path[0]) if freeze.path else ()):
        yield replace(freeze, path=(name, *freeze.path[1:]), sure=False)


def _of_base(base: ClassSummary, wrapped: frozenset[Path]) -> Iterator[Freeze]:
    """What a base freezes of attributes that a subclass puts elsewhere."""
    for method, freeze in freezes_of(base):
        freeze = replace(freeze, sure=freeze.sure and base.calls.surely_runs(method))
        if freeze.path[:1] in wrapped:
            yield freeze
        for path in wrapped if not freeze.path else ():
            orders = {
                base.calls.runs_after(freeze.line, item.line) for item in base.attached_as(path[0])
            }
            if orders - {False}:
                yield replace(freeze, path=path, sure=freeze.sure and orders == {True})


def _in_the_end(summary: ClassSummary, freeze: Freeze) -> list[Freeze]:
    """A freeze by where it is about what is wrapped after it; nothing where that is gone.

    What a base freezes, on line 0, comes before all.
    """
    found = [freeze]
    for item in summary.attached_as(freeze.path[0]) if freeze.path else ():
        places = places_inside(summary, item)
        is_later = True if freeze.line == 0 else summary.calls.runs_after(item.line, freeze.line)
        if is_later is False:
            continue
        if places:
            moved = [
                replace(one, path=(*item.path, place, *one.path[1:]))
                for one in found
                for place in places
            ]
            is_sure = is_later and always_assigned([item])
            found = moved if is_sure else [replace(one, sure=False) for one in (*found, *moved)]
        elif is_later:
            found = [left for one in found if (left := _left(summary, one, item)) is not None]
    return found


def _left(summary: ClassSummary, freeze: Freeze, item: Assignment) -> Freeze | None:
    """What is left of a freeze where something is assigned after it; None for nothing."""
    is_other = item.path == freeze.path[: len(item.path)] and item.how in ATTACHING
    if not is_other or summary.gives_itself(item):
        return freeze
    is_sure = always_assigned([item]) and not is_opaque(summary.node(item))
    return None if is_sure else replace(freeze, sure=False)


def _given(use: Use) -> Path:
    return use.path[:-1] if use.how == "call" and use.path[-1] in PARAMETERS else use.path


def is_freezing(summary: ClassSummary, dotted: str) -> bool:
    """Whether a function of the project sets ``requires_grad`` of what it is given."""
    owner, _, name = dotted.partition(".")
    if owner == "self":
        found = summary.cls.find_method(name)
        return found is not None and bool(found[1].freezes)
    target = summary.resolver.index.resolve(dotted, summary.cls.file.path)
    return target.function is not None and bool(target.function.freezes)


@needs(*anywhere(Freeze), nothing=NONE)
def frozen_from_outside(
    index: Index, summaries: Mapping[Key, ClassSummary]
) -> Mapping[Key, tuple[FrozenBy, ...]]:
    """By class, what other classes freeze of the parameters that it declares."""
    found: dict[Key, dict[FrozenBy, None]] = {}
    waiting: list[tuple[Key, FrozenBy]] = []
    for summary in summaries.values():
        for method, freeze in freezes_of(summary):
            by = FrozenBy(
                freeze.path,
                summary.cls.cls.qualname,
                summary.cls.file.path,
                freeze.line,
                freeze.below,
                freeze.kinds,
            )
            waiting += _reached(summary, by, method)
    while waiting:
        key, by = waiting.pop()
        if by in found.setdefault(key, {}) or key not in summaries:
            continue
        found[key][by] = None
        waiting += _reached(summaries[key], by)
    return {key: tuple(items) for key, items in found.items()}


def _reached(
    summary: ClassSummary, by: FrozenBy, method: Function | None = None
) -> Iterator[tuple[Key, FrozenBy]]:
    """Bases and parts of a class that a freeze is about, which one of its methods may make."""
    yield from _below(summary, by, method)
    shown = {base.cls.key: base.names_attached for base in summary.lineage}
    is_hidden = bool(by.path) and all(by.path[0] not in names for names in shown.values())
    for base in summary.cls.lineage[1:]:
        if not by.path or is_hidden or by.path[0] in shown[base.key]:
            yield base.key, by


def _below(
    summary: ClassSummary, by: FrozenBy, method: Function | None = None
) -> Iterator[tuple[Key, FrozenBy]]:
    """The parts of a class that are frozen with it; ``method`` freezes what is there by then."""
    for attribute in summary.everything:
        if by.path and attribute.name != by.path[0]:
            continue
        if not by.path and method is not None and summary.calls.runs_after(attribute.line, by.line):
            continue
        for node in walk(attribute.node):
            if isinstance(node, ClassInstance):
                path = by.path[1:] if node is attribute.node else ()
                yield node.cls.key, replace(by, path=path)
        for cls in summary.classes_hidden_in(attribute):
            yield cls.key, replace(by, path=())
