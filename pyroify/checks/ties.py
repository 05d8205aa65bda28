"""Ties that the rewrite cannot carry out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from pyroify.checks.subject import Subject
from pyroify.decide.project import declared
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.attributes.ties import TYING, Tie, paths_of_layer
from pyroify.program.index import Base, ModuleClass
from pyroify.program.summary import ClassSummary, always_assigned, exclusive, summary_of
from pyroify.spec.match import Decision, SiteKey, decide, has_wildcard
from pyroify.spec.model import Keep, Spec
from pyroify.syntax.access_paths import paths_of
from pyroify.syntax.facts import (
    ATTACHING,
    Assignment,
    AttributeStore,
    ExistingDeclaration,
    Function,
)
from pyroify.syntax.traits import BEYOND_LAYERS, anywhere
from pyroify.syntax.values import Argument, Call, Declared, Element, Path, SelfRead, Unknown, Value

Given = Mapping[str, Value]
"""What the arguments of a function are."""
NOTHING_GIVEN: Given = MappingProxyType({})


@needs(BEYOND_LAYERS, (Assignment, "below"), (Base, "local"), ExistingDeclaration)
def replaced_under_one_name(subject: Subject) -> Iterator[Finding]:
    """A parameter with two names gives way to another under the one that the other name reads."""
    for item in _made(subject):
        if item.how not in ATTACHING or "*" in item.path or not item.path or _stays(item):
            continue
        for cls, path in _made_by(subject.summary, item.path):
            summary = _summary(cls, subject)
            for tie in summary.ties:
                if _loses(subject, summary, tie, item, path):
                    name, other = ".".join(item.path), f"{cls.cls.name}.{tie.left}"
                    yield subject.finding(
                        item.line,
                        item.column,
                        "PYR073",
                        f"self.{name} is replaced, but {other} is a second name of what was there",
                        "replace it before it gets the second name, or under both",
                    )


@needs(BEYOND_LAYERS, ExistingDeclaration)
def tied_to_kept(subject: Subject) -> Iterator[Finding]:
    """A prior of what is, perhaps, a second name of a parameter that stays."""
    summary, sites = subject.summary, subject.project.of(subject.cls)
    for tie in summary.ties:
        is_drawn = tie.left in sites.random | sites.constrained
        if tie.condition != "" and is_drawn and tie.right in sites.kept:
            # By a wildcard, nothing that turns out to be frozen is declared.
            if not summary.is_frozen(tie.right) or _is_spelled_out(subject, tie.left):
                yield subject.finding(
                    tie.line,
                    tie.column,
                    "PYR019",
                    f"self.{tie.left} may be self.{tie.right}, which stays a parameter, and has a "
                    "prior of its own",
                    "let one rule decide both",
                )


@needs((Assignment, Unknown), *anywhere(AttributeStore))
def tied_by_place(subject: Subject) -> Iterator[Finding]:
    """A second name of a parameter, where a place or another function tells which it is."""
    known = {tie.left for tie in subject.summary.ties}
    for method in subject.methods:
        if method.name not in subject.building:
            continue
        for item in method.assignments:
            if item.how in TYING and item.path and ".".join(item.path) not in known:
                if isinstance(item.value, Unknown):
                    right = _places_of(item.value, subject)
                    yield from _tied_by_place(subject, item, [item.path], right)
        for put, owners in subject.puts(method):
            left = [*_places_of(put.owner, subject)] or owners
            yield from _tied_by_put(subject, put, put, left)
        for call, put, given in _set_by_others(subject, method):
            left = [*_places_of(put.owner, subject, given)]
            yield from _tied_by_put(subject, call, put, left, given)


def _set_by_others(
    subject: Subject, method: Function
) -> Iterator[tuple[Call, AttributeStore, Given]]:
    """What the functions and methods that a method calls set in what they are given."""
    for call in method.layer_calls:
        if (function := subject.called(call)) is not None:
            passed = {
                name: call.argument(name, number) for number, name in enumerate(function.arguments)
            }
            given = {name: one.value for name, one in passed.items() if one is not None}
            yield from ((call, put, given) for put in function.puts)


def _tied_by_put(
    subject: Subject,
    made: AttributeStore | Call,
    put: AttributeStore,
    left: Iterable[Path],
    given: Given = NOTHING_GIVEN,
) -> Iterator[Finding]:
    right = () if isinstance(put.value, Call) else _places_of(put.value, subject, given)
    return _tied_by_place(subject, made, [(*owner, put.name) for owner in left], right)


def _tied_by_place(
    subject: Subject,
    made: Assignment | AttributeStore | Call,
    left: Sequence[Path],
    right: Iterable[Path],
) -> Iterator[Finding]:
    sites = _parameters_at(subject, right)
    if sites and left:
        sites += _parameters_at(subject, left)
        name = ".".join(left[0])
        yield subject.finding(
            made.line,
            made.column,
            "PYR019",
            f"self.{name} is another name of what may be random: neither is declared",
            "give each module a name of its own below self, and write the tie by these names",
            dict.fromkeys(sites),
        )


def _parameters_at(subject: Subject, paths: Iterable[Path]) -> list[str]:
    """The declared parameters that paths are; what they are below modules is left out."""
    return [
        site
        for path in paths
        for site in subject.sites_at(path)
        if path[-1] in ("*", site.rpartition(".")[2])
    ]


def _places_of(value: Value, subject: Subject, given: Given = NOTHING_GIVEN) -> Iterator[Path]:
    """Where a value is below the class, with the numbers of members that are known."""
    match value:
        case Argument(name=name) if name in given:
            yield from _places_of(given[name], subject)
        case Element(of=of, index=int(index)):
            yield from ((*path, str(index)) for path in _places_of(of, subject, given))
        case Unknown(owner=Value() as owner, path=names):
            yield from ((*path, *names) for path in _places_of(owner, subject, given))
        case Call() if value.place in subject.summary.kept_whole:
            yield from (path for path, _ in paths_of_layer(subject.summary, value.place))
        case _:
            yield from paths_of(value)


def _made(subject: Subject) -> Iterator[Assignment]:
    """What the class assigns while it is built."""
    for method in subject.methods:
        yield from method.assignments if method.name in subject.building else ()


def _made_by(summary: ClassSummary, path: Path) -> Iterator[tuple[ModuleClass, Path]]:
    """The class, a base or the classes of parts that make what is at a path."""
    yield from dict.fromkeys((cls, path) for cls in summary.cls.lineage)
    yield from summary.owners_of(path)


def _summary(cls: ModuleClass, subject: Subject) -> ClassSummary:
    return subject.summary if cls is subject.cls else summary_of(cls, subject.summary.resolver)


def _stays(item: Assignment) -> bool:
    """Whether what was there is part of what takes its place, or has been declared."""
    args = item.value.args if isinstance(item.value, Call) else ()
    reads = [item.value, *(passed.value for passed in args)]
    return isinstance(item.value, Declared) or SelfRead(item.path) in reads


def _loses(subject: Subject, summary: ClassSummary, tie: Tie, item: Assignment, path: Path) -> bool:
    """Whether a tie would come to read what takes the place of its right side."""
    right = tuple(tie.right.split("."))
    if right[: len(path)] != path or tie.left == ".".join(path):
        return False
    left = (*item.path[: len(item.path) - len(path)], *tie.left.split("."))
    if summary is not subject.summary:
        others = (one for one in _made(subject) if one.path == left)
        if always_assigned(others):
            return False  # the second name is given away as well
    else:
        if any(exclusive(one, item) for one in _made(subject) if one.line == tie.line):
            return False
        if summary.calls.runs_after(item.line, tie.line) is not True:
            return False
    if tie.left in subject.project.of(summary.cls).same:
        return _is_ruled_alone(subject.project.spec, summary, tie.left)
    return subject.project.leads_to(summary.cls, right, declared)


def _is_ruled_alone(spec: Spec, summary: ClassSummary, path: str) -> bool:
    """Whether rules declare a second name, should that come to be the only one of a parameter."""
    return not isinstance(_decision(spec, summary, path).action, Keep)


def _is_spelled_out(subject: Subject, path: str) -> bool:
    """Whether a rule without wildcards decides about a parameter."""
    rule = _decision(subject.project.spec, subject.summary, path).rule
    return rule is not None and not has_wildcard(rule.match)


def _decision(spec: Spec, summary: ClassSummary, path: str) -> Decision:
    owner = path.rpartition(".")[0]
    layer = next(
        (one.instance.layer.name for one in summary.single_layers if one.where.path == owner), ""
    )
    cls, frozen = summary.cls, summary.is_frozen(path)
    return decide(spec, SiteKey(cls.file.module, cls.cls.qualname, path, layer, frozen))
