"""Ties that the rewrite cannot carry out."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.checks.subject import Subject
from pyroify.decide.project import declared
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.attributes.ties import TYING, Tie, paths_of_layer
from pyroify.program.index import Base, ModuleClass
from pyroify.program.placements import AccessPath, Single, place
from pyroify.program.summary import ClassSummary, always_assigned, exclusive, summary_of
from pyroify.spec.match import Decision, SiteKey, decide, has_wildcard
from pyroify.spec.model import Keep, Spec
from pyroify.syntax.access_paths import paths_of
from pyroify.syntax.facts import ATTACHING, Assignment, AttributeStore, ExistingDeclaration
from pyroify.syntax.traits import BEYOND_LAYERS
from pyroify.syntax.values import Call, Declared, Element, Path, SelfRead, Unknown, Value


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


@needs((Assignment, Unknown), AttributeStore)
def tied_by_place(subject: Subject) -> Iterator[Finding]:
    """A second name of a parameter that has its first one by a place, not by names alone."""
    known = {tie.left for tie in subject.summary.ties}
    for method in subject.methods:
        if method.name not in subject.building:
            continue
        for item in method.assignments:
            if item.how in TYING and item.path and ".".join(item.path) not in known:
                if not isinstance(item.value, SelfRead):
                    yield from _tied_by_place(subject, item, (item.path,), item.value)
        for put, owners in subject.puts(method):
            exact = [*_places_of(put.owner)] or owners
            places = tuple((*owner, put.name) for owner in exact)
            yield from _tied_by_place(subject, put, places, put.value)


def _tied_by_place(
    subject: Subject, made: Assignment | AttributeStore, left: tuple[Path, ...], value: Value
) -> Iterator[Finding]:
    read = subject.summary.read_of_layer(value)
    right = [*_places_of(value)]
    if read is not None:
        layers = paths_of_layer(subject.summary, read[0].place)
        right += [(*path, read[1].name) for path, _ in layers]
    sites = {site: None for path in right for site in subject.sites_at(path)}
    if sites and left:
        sites |= {site: None for path in left for site in subject.sites_at(path)}
        name = ".".join(left[0])
        yield subject.finding(
            made.line,
            made.column,
            "PYR019",
            f"self.{name} is another name of what may be random, which its place alone tells",
            "give the module that has it a name of its own below self, before it gets a place",
            tuple(sites),
        )


def _places_of(value: Value) -> Iterator[Path]:
    """Where a value is below the class, with the numbers of members that are known."""
    match value:
        case Element(of=of, index=int(index)):
            yield from ((*path, str(index)) for path in _places_of(of))
        case Unknown(owner=Value() as owner, path=names):
            yield from ((*path, *names) for path in _places_of(owner))
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
        (single.instance.layer.name for single in _spots(summary) if single.where.path == owner), ""
    )
    cls, frozen = summary.cls, summary.is_frozen(path)
    return decide(spec, SiteKey(cls.file.module, cls.cls.qualname, path, layer, frozen))


def _spots(summary: ClassSummary) -> Iterator[Single]:
    """The layers that a class makes, each with the way to it."""
    for attribute in summary.everything:
        for found in place(attribute.node, AccessPath.of(attribute.name)):
            if isinstance(found, Single):
                yield found
