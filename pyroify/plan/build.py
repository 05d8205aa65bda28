"""Facts and spec to a plan: which classes are converted, by which edits, and what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pyroify.checks import check_class, check_files
from pyroify.checks.gone_over import methods_gone_over
from pyroify.checks.handed_over import stale_methods
from pyroify.checks.networks import networks_outside
from pyroify.checks.suppressions import Suppressions
from pyroify.code.names import FileNames
from pyroify.decide.case import Case, Key
from pyroify.decide.declare import Declarer
from pyroify.decide.model import ClassPlan, Edit, FilePlan, Plan
from pyroify.decide.project import Project
from pyroify.decide.project import declared as of_declared
from pyroify.decide.reaching import receivers
from pyroify.decide.rules import latent_findings, rule_findings
from pyroify.decide.selection import Container, Graph, Vertex, company, needed, spread
from pyroify.decide.sites import Lent
from pyroify.decide.unregistered import hides_random_layers
from pyroify.diagnostics import Finding, lookup
from pyroify.edits.bases import needs_metaclass
from pyroify.migration.migrate import Migration, migrate
from pyroify.plan.files import EditPlanner
from pyroify.plan.notebooks import notebook_findings
from pyroify.program.faults import FileFault, looking_at
from pyroify.program.frozen import frozen_from_outside
from pyroify.program.ownership import foreign_definitions
from pyroify.program.resolve import Index, ModuleClass
from pyroify.program.structure import Resolver
from pyroify.program.study import Study
from pyroify.program.ties import find_ties
from pyroify.program.values import Box, Leaf, Own, may_be_any_class
from pyroify.program.wrapped import made_by_bases, wrapped_of_bases
from pyroify.spec.model import Spec
from pyroify.syntax.values import Unknown, Value, options_of, walk

LEFT = ("PYR060", "PYR067", "PYR072", "PYR079")
"""What stays as it is, while the rest of its class follows the spec."""


def build_plan(index: Index, spec: Spec, selected: frozenset[str]) -> Plan:
    """Plan the conversion of the ``selected`` files; the whole index is looked at.

    A file on which pyroify itself fails is left alone, with all that needs it, and said to be.
    """
    while True:
        try:
            return _Planner(index, spec, selected).plan()
        except FileFault as fault:
            if fault.path in index.left:  # nothing of it is looked at any more
                raise
            index.leave_alone(fault)


@dataclass
class _Planner:
    index: Index
    spec: Spec
    selected: frozenset[str]

    def plan(self) -> Plan:
        self._choose()
        self._find_late_ties()
        self._check()
        self._spread_refusals()
        self._drop_needless()
        files = self._edits()
        if self._refuse_half_runs(files):
            self._drop_needless()
            files = self._edits()
        return Plan(
            classes=tuple(self._class_plans(files)),
            files=tuple(
                FilePlan(path, edits) for path, edits in files.items() if path in self.writable
            ),
            findings=(*self.suppressions.filter(self._loose()), *self._unused_comments()),
        )

    @cached_property
    def writable(self) -> frozenset[str]:
        """The files that may change."""
        return self.selected - self.index.left.keys()

    def _is_left(self, case: Case) -> bool:
        """Whether pyroify failed on the file of a class."""
        return case.cls.file.path in self.index.left

    def _class_plans(self, files: Mapping[str, tuple[Edit, ...]]) -> Iterator[ClassPlan]:
        for case in self.cases.values():
            path, cls = case.cls.file.path, case.cls.cls
            if path in self.selected:
                edits = files.get(path, ()) if case.converts else ()
                pending = any(cls.line <= edit.line <= cls.end_line for edit in edits)
                with looking_at(path):
                    made = replace(case.plan, pending=pending)
                yield made

    def _edits(self) -> dict[str, tuple[Edit, ...]]:
        limit = self.index.loaded.line_limit
        converting = frozenset(key for key, case in self.cases.items() if case.converts)
        project = self._project_of(self.cases).with_random_in(converting).anew
        editor = EditPlanner(self.cases, self.resolver, limit, self.spec, project)
        return editor.files(self._migrations())

    def _migrations(self) -> tuple[Migration, ...]:
        limit = self.index.loaded.line_limit
        return tuple(migrate(self.project, self.cases, self.writable, limit))

    def _loose(self) -> Iterator[Finding]:
        """Findings that belong to no class."""
        converted = frozenset(key for key, case in self.cases.items() if case.converts)
        yield from self.index.findings
        yield from check_files(self.project, converted, self.writable)
        yield from networks_outside(self.index, self.spec, self.writable)
        yield from notebook_findings(self.index, self.spec)
        yield from (finding for moved in self._migrations() for finding in moved.findings)
        if self.index.loaded.is_whole:  # else what a rule is about may be in another file
            yield from self._about_spec()

    def _about_spec(self) -> Iterator[Finding]:
        """Findings about rules and latents, by the sites and classes that there are."""
        cases = self.cases.values()
        keys = [key for case in cases for _, made in case.stages for key in made.keys]
        parts = [(case.cls.cls.qualname, part) for case in cases for part in case.parts]
        at_run_time = any(case.at_run_time for case in cases)
        yield from rule_findings(self.spec, keys, parts, at_run_time)
        classes = [(cls.file.module, cls.cls.qualname) for cls in self.classes]
        yield from latent_findings(self.spec, classes)

    # Studies

    @cached_property
    def classes(self) -> tuple[ModuleClass, ...]:
        return self.index.module_classes

    @cached_property
    def subclasses(self) -> Mapping[Key, tuple[ModuleClass, ...]]:
        found: dict[Key, list[ModuleClass]] = {}
        for cls in self.classes:
            for base in cls.lineage[1:]:
                found.setdefault(base.key, []).append(cls)
        return {key: tuple(items) for key, items in found.items()}

    @cached_property
    def resolver(self) -> Resolver:
        return Resolver(self.index, self.subclasses)

    @cached_property
    def cases(self) -> dict[Key, Case]:
        cases: dict[Key, Case] = {}
        touched = self._touched()
        for cls in self.classes:
            relatives = (*cls.lineage[1:], *self.subclasses.get(cls.key, ()))
            with looking_at(cls.file.path):
                foreign = foreign_definitions(self.index, cls.file)
                names = FileNames(cls.file, touched, foreign=foreign)
                case = cases[cls.key] = Case(Study(cls, self.resolver, relatives), names)
                if not self._is_left(case):
                    case.ties = find_ties(case.study)
                    # What others ask of it is found out here, where a fault is known to be its own.
                    study = case.study
                    _ = (study.held, study.handed_on, study.has_parameters, case.parts)
        self.resolver.handed_over = receivers(self.index)
        seen = {key: case.study for key, case in cases.items() if not self._is_left(case)}
        self.resolver.frozen = frozen_from_outside(seen)
        for case in cases.values():
            with looking_at(case.cls.file.path):
                if not self._is_left(case):
                    self._declare(case)
        for case in cases.values():
            for lent in case.borrowed:
                cases[lent.key].lent.add(lent.path)
        _lend_wrapped(cases)
        self._lend_tied(cases)
        return cases

    def _lend_tied(self, cases: Mapping[Key, Case]) -> None:
        """Find out what of other classes comes to read what is random, and is declared by that."""
        into = [
            (case, tie, tuple(case.study.owners_of(tuple(tie.left.split(".")))))
            for case in cases.values()
            for tie in case.ties
            if "." in tie.left
        ]
        if not any(owners for _, _, owners in into):
            return
        project = self._project_of(cases)
        for case, tie, owners in into:
            if not project.leads_to(case.cls, tuple(tie.right.split(".")), of_declared):
                continue
            for cls, inner in owners:
                lent = Lent(cls.key, ".".join(inner))
                case.tied_parts += (lent,)
                owner = cases[cls.key]
                owner.tied_outside.add(lent.path)
                sites = (site for site in owner.all_sites if site.path == lent.path)
                if lent.path not in owner.lent and all(site.action == "keep" for site in sites):
                    owner.lent.add(lent.path)
                    owner.replaced.add(lent.path)

    def _declare(self, case: Case) -> None:
        tied = frozenset(tie.left for tie in case.ties if tie.condition == "")
        declarer = Declarer(case.study, self.spec, case.names, tied=tied)
        stages = case.study.stages
        if case.study.constructor is None:
            case.stages.append((None, declarer.declare(None, ())))
        for method, covered in stages:
            case.stages.append((method, declarer.declare(method, covered)))

    def _touched(self) -> frozenset[str]:
        """Names of parameters that code initialises or sets through an instance."""
        found: set[str] = set()
        for cls in self.classes:
            for method in cls.cls.methods:
                for use in method.uses:
                    changes = use.how in ("store", "augmented", "setitem", "delete")
                    initial = "init" in use.within or use.path[-1] == "data"
                    if changes or initial or use.path[-1].endswith("_"):
                        found.update(use.path[1:])
        return frozenset(found)

    # Which classes

    def _choose(self) -> None:
        """Random classes, and all that has to change with them."""
        seeds = set()
        for key, case in self.cases.items():
            with looking_at(case.cls.file.path):
                if self._is_seed(case):
                    seeds.add(key)
        for key in company(self._graph(), seeds):
            self.cases[key].wanted = True

    def _is_seed(self, case: Case) -> bool:
        return (
            self._is_left(case)
            or case.is_random
            or case.is_declared
            or any(declared.findings for _, declared in case.stages)
            or hides_random_layers(case.study, self.spec)
        )

    def _find_late_ties(self) -> None:
        """Ties to parameters that a part or a base has declared when they are made."""
        for case in self.cases.values():
            case.late_ties = tuple(
                tie
                for tie in case.ties
                if (tie.late or tie.written)
                and case.wanted
                and self.project.leads_to(case.cls, tuple(tie.right.split(".")), of_declared)
            )

    def _drop_needless(self) -> None:
        """Classes that would only change for the sake of refused ones stay as they are."""
        left = needed(self.graph, self._refused)
        for key, case in self.cases.items():
            if not case.refused and key not in left:
                case.wanted = False

    @property
    def _refused(self) -> frozenset[Key]:
        return frozenset(key for key, case in self.cases.items() if case.refused)

    @cached_property
    def graph(self) -> Graph:
        """What decides about others once all classes are checked: no refusal adds to it."""
        return self._graph()

    def _graph(self) -> Graph:
        """What is known by now of each class, as far as it decides about others."""
        return Graph({key: self._vertex(case) for key, case in self.cases.items()})

    def _vertex(self, case: Case) -> Vertex:
        reached = self.resolver.handed_over.get(case.key, ()) if case.at_run_time else ()
        handed = [cls.key for cls in self.handed_on.get(case.key, ())]
        if self._is_left(case):  # all that it may hold
            handed += [cls.key for cls in self.index.used_by_left(case.cls.file.path)]
        changed = case.changed_names
        return Vertex(
            is_random=case.is_random,
            draws_own=bool(case.own_random),
            is_declared=case.is_declared,
            is_pyro=case.cls.is_pyro,
            is_pyro_by_itself=case.is_pyro_by_itself,
            is_interface=case.is_interface,
            is_suppressed=case.ignored,
            has_parameters=case.study.has_parameters,
            needs_metaclass=needs_metaclass(case.cls, self.index),
            adds_to_inherited=case.study.adds_to_inherited,
            bases=tuple(base.key for base in case.cls.lineage[1:] if base.key in self.cases),
            holds=tuple(cls.key for cls in case.study.held),
            handed=tuple(handed),
            holds_unknown=any(map(may_be_any_class, _all_nodes(case.study))),
            reached=tuple(cls.key for cls in reached),
            declares=tuple(lent.key for lent in case.borrowed),
            puts_into=_members(_parts_added_to(case.study)),
            takes_over=frozenset(
                base.key
                for base in case.cls.lineage[1:]
                if base.key in self.cases and _reads_draws_of(case, self.cases[base.key])
            ),
            containers=tuple(
                Container(_members(nodes), _has_layers(nodes) and bool({name, "**"} & changed))
                for name, nodes in _containers(case.study)
            ),
            own_members=_members(_all_nodes(case.study)) if case.study.is_container else (),
        )

    @cached_property
    def handed_on(self) -> Mapping[Key, tuple[ModuleClass, ...]]:
        """The classes of which others make instances for a class."""
        found: dict[Key, dict[Key, ModuleClass]] = {}
        for case in self.cases.values():
            for receiver, given in case.study.handed_on:
                if given in self.cases:
                    found.setdefault(receiver, {})[given] = self.cases[given].cls
        return {key: tuple(classes.values()) for key, classes in found.items()}

    @cached_property
    def suppressions(self) -> Suppressions:
        return Suppressions(self.index)

    @cached_property
    def project(self) -> Project:
        """What the checks know, once it is clear which classes are wanted."""
        return self._project_of({key: case for key, case in self.cases.items() if case.wanted})

    def _project_of(self, cases: Mapping[Key, Case]) -> Project:
        return Project(
            self.index,
            self.spec,
            {key: case.study for key, case in cases.items()},
            {key: case.sites for key, case in cases.items()},
            frozenset(key for key, case in cases.items() if case.at_run_time),
        )

    def _unused_comments(self) -> Iterator[Finding]:
        """Comments that take nothing out, in the selected files."""
        for case in self.cases.values():
            path = case.cls.file.path
            if case.ignored and case.wanted:
                self.suppressions.use(path, case.cls.cls.line)
            for _, declared in case.stages:
                for site in declared.sites:
                    if site.line in case.study.ignored_lines:
                        self.suppressions.use(path, site.line)
        yield from self.suppressions.unused(f for f in self.index.files if f.path in self.selected)

    def _check(self) -> None:
        gone_over = methods_gone_over(self.project)
        for case in self.cases.values():
            if not case.wanted:
                continue
            if fault := self.index.left.get(case.cls.file.path):
                case.refused, case.findings = True, [fault.finding]
                continue
            with looking_at(case.cls.file.path):
                found = [
                    *(f for _, declared in case.stages for f in declared.findings),
                    *check_class(self.project, case.study, case.at_run_time),
                ]
                stale = stale_methods(self.project, case.study)
            case.findings = list(self.suppressions.filter(found))
            case.refused = any(_refuses(finding) for finding in case.findings)
            case.stale_methods = (*stale, *sorted(gone_over[case.key] - {*stale}))
            if case.ignored:
                case.refused, case.findings = True, []

    def _spread_refusals(self) -> None:
        """What is wrong without a refused class is refused with it."""
        wanted = frozenset(key for key, case in self.cases.items() if case.wanted)
        for refusal in spread(self.graph, wanted, self._refused):
            case, other = self.cases[refusal.key], self.cases[refusal.other]
            message = refusal.reason.value.format(other=other.cls.cls.qualname)
            cls = case.cls.cls
            case.findings.append(case.finding(cls.line, cls.column, "PYR062", message))
            case.refused = True

    def _refuse_half_runs(self, files: Mapping[str, tuple[Edit, ...]]) -> bool:
        """Refuse selected classes that need a change in a file that was not given; say if any."""
        pending = {path for path, edits in files.items() if edits and path not in self.writable}
        if not pending:
            return False
        for case in self.cases.values():
            if not case.converts or case.cls.file.path not in self.writable:
                continue
            needed = {base.file.path for base in case.cls.lineage[1:]}
            needed |= {cls.file.path for cls in case.study.held}
            needed |= {
                sub.file.path
                for sub in self.subclasses.get(case.key, ())
                if needs_metaclass(sub, self.index)
            }
            for path in sorted(needed & pending):
                case.findings.append(
                    case.finding(
                        case.cls.cls.line,
                        case.cls.cls.column,
                        "PYR221",
                        f"needs a change in {path}, which was not given",
                        f"give {path} too, or the folder that holds both",
                    )
                )
                case.refused = True
        self._spread_refusals()
        return True


def _lend_wrapped(cases: Mapping[Key, Case]) -> None:
    """Find out what stays in a class, but is declared where a subclass puts it elsewhere."""
    for case in cases.values():
        declared = [site.path for site in case.all_sites if site.action != "keep"]
        for path in declared if wrapped_of_bases(case.study) else ():
            for cls, inner in made_by_bases(case.study, path):
                owner = cases[cls.key]
                sites = [site for site in owner.all_sites if site.path == inner]
                if sites and all(site.action == "keep" for site in sites):
                    owner.lent.add(inner)


def _reads_draws_of(sub: Case, base: Case) -> bool:
    """Whether a subclass is refused for what it does with what a base makes random."""
    lines = {finding.line for finding in sub.findings if _refuses(finding)}
    return any(
        use.line in lines and use.path[0] in base.random_names
        for method in sub.cls.cls.methods
        for use in method.uses
    )


def _is_hidden(node: Value) -> bool:
    """Whether a node stands for layers that only run time shows."""
    return isinstance(node, Unknown) and node.sure


def _containers(study: Study) -> Iterator[tuple[str, list[Value]]]:
    """The containers of a class, itself perhaps: the attribute they are in, and all they hold.

    What is put into an attribute out of sight may be in each of its containers.
    """
    for attribute in study.everything:
        hidden: list[Value] = [item for item in options_of(attribute.node) if _is_hidden(item)]
        made = list(study.made_out_of_sight(attribute))
        hidden += [item for item in made if isinstance(item, Own)]
        for item in walk(attribute.node) if attribute.name else ():
            if isinstance(item, Box) or _may_be_inside(item):
                yield attribute.name, [*walk(item), *hidden]
        if any(isinstance(item, Unknown) for item in options_of(attribute.node)):
            yield attribute.name, [*made]
    if study.is_container:
        yield "", _all_nodes(study)


def _all_nodes(study: Study) -> list[Value]:
    return [item for attribute in study.everything for item in walk(attribute.node)]


def _parts_added_to(study: Study) -> list[Value]:
    """What is in attributes of which others get layers: ``self.net.head = nn.Linear(...)``."""
    names = {item.name.partition(".")[0] for item in study.everything if "." in item.name}
    added_to = (item.node for item in study.everything if item.name in names)
    return [inner for node in added_to for inner in walk(node)]


def _members(nodes: Sequence[Value]) -> tuple[Key, ...]:
    """The classes of the project among some members."""
    return tuple(node.cls.key for node in nodes if isinstance(node, Own))


def _has_layers(nodes: Sequence[Value]) -> bool:
    return any(isinstance(node, Leaf) or _is_hidden(node) for node in nodes)


def _may_be_inside(node: Value) -> bool:
    """Whether one part may have been put into another, where only run time knows the place."""
    parts = options_of(node)
    return all(any(isinstance(item, kind) for item in parts) for kind in (Box, Own, Unknown))


def _refuses(finding: Finding) -> bool:
    """Whether the class of a finding is left as it is."""
    return lookup(finding.code).severity != "warning" and finding.code not in LEFT
