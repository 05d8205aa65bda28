"""Facts and spec to a plan: which classes are converted, by which edits, and what is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from pyroify.checks import check_class, check_files, find_trainings
from pyroify.checks.gone_over import methods_gone_over
from pyroify.checks.handed_over import stale_methods
from pyroify.checks.subject import Subject
from pyroify.checks.suppressions import Suppressions
from pyroify.decide.candidate import Candidate, Key
from pyroify.decide.declare import Declarer
from pyroify.decide.model import ClassPlan, Edit, FilePlan, Plan
from pyroify.decide.project import Candidates
from pyroify.decide.project import declared as of_declared
from pyroify.decide.rules import latent_findings, rule_findings
from pyroify.decide.selection import ClassNode, Container, Graph, company, needed, spread
from pyroify.decide.sites import InstanceSite
from pyroify.decide.unregistered import hides_random_layers
from pyroify.diagnostics import Finding, lookup, once_per_file
from pyroify.edits.bases import needs_metaclass, own_metaclass
from pyroify.edits.wraps import partials
from pyroify.migration.migrate import Migration, migrate
from pyroify.migration.networks import convert_networks
from pyroify.planning.files import EditPlanner
from pyroify.planning.helpers import START, writable_modules
from pyroify.planning.known import Known, know
from pyroify.planning.notebooks import by_cell
from pyroify.program.attributes.wrapped import made_by_bases, wrapped_of_bases
from pyroify.program.faults import FileFault, looking_at
from pyroify.program.index import Index, ModuleClass
from pyroify.program.summary import ClassSummary
from pyroify.program.values import ClassInstance, ContainerInstance, LayerInstance, may_be_any_class
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
            return _plan(index, spec, selected)
        except FileFault as fault:
            if fault.path in index.left:  # nothing of it is looked at any more
                raise
            index.leave_alone(fault)


def _plan(index: Index, spec: Spec, selected: frozenset[str]) -> Plan:
    """Plan anew, with what cannot be random kept plain, until nothing more shows to be so."""
    barring: tuple[Finding, ...] = ()
    known = know(index)
    while True:
        sites = dict.fromkeys(site for finding in barring for site in finding.sites)
        planner = _Planner(known, spec.barring(sites), selected, barring)
        planner.check()
        found = [item for item in planner.barring_more() if not sites.keys() >= {*item.sites}]
        if not found:
            return planner.plan()
        barring = _merged((*barring, *found))


def _merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, with all the parameters that it keeps plain."""
    found: dict[Finding, list[str]] = {}
    for finding in findings:
        found.setdefault(replace(finding, sites=()), []).extend(finding.sites)
    return tuple(replace(one, sites=tuple(dict.fromkeys(of))) for one, of in found.items())


@dataclass
class _Planner:
    """``barring`` are findings of earlier plans, for which the spec keeps parameters plain."""

    known: Known
    spec: Spec
    selected: frozenset[str]
    barring: tuple[Finding, ...] = ()
    seeds: set[Key] = field(default_factory=set)
    """Classes with something random, or with something to say of it."""

    def check(self) -> None:
        """Choose the classes that change, and find what is in the way."""
        self._choose()
        self._find_late_ties()
        self._check()

    def barring_more(self) -> Iterator[Finding]:
        """Findings in classes that convert but for parameters that can stay plain."""
        for candidate in self.candidates.values():
            refusing = [finding for finding in candidate.findings if _refuses(finding)]
            if candidate.refused and all(map(_is_narrow, refusing)):
                yield from refusing

    def plan(self) -> Plan:
        """The plan, of classes that are checked."""
        # What was to change for the sake of refused classes alone stays as it is.
        self._drop_needless(self.seeds | self._below_refused)
        self._spread_refusals()
        self._drop_needless()
        files = self._edits()
        if self._refuse_half_runs(files):
            self._drop_needless()
            files = self._edits()
        uses = tuple(self._uses())
        migrations = self._migrations()
        loose = (*self.suppressions.filter(self._loose(migrations)), *self._idle_comments())
        return Plan(
            classes=tuple(self._class_plans(files)),
            files=tuple(
                FilePlan(path, edits, "" if path in self.index.existing else START)
                for path, edits in files.items()
                if path in self.writable
            ),
            uses=tuple(by_cell(self.index, finding) for finding in uses),
            trainings=tuple(find_trainings(self.project, self._converting())),
            findings=tuple(by_cell(self.index, finding) for finding in loose),
            lifted=tuple(prior for moved in migrations for prior in moved.lifted),
        )

    @property
    def index(self) -> Index:
        """The project's files."""
        return self.known.index

    @cached_property
    def writable(self) -> frozenset[str]:
        """The files that may change."""
        return (self.selected | self.helper_modules) - self.index.left.keys()

    @cached_property
    def helper_modules(self) -> frozenset[str]:
        """The modules for helper functions that may change, or be made."""
        return writable_modules(self.index, self.spec, self.selected)

    def _is_left(self, candidate: Candidate) -> bool:
        """Whether pyroify failed on the file of a class."""
        return candidate.cls.file.path in self.index.left

    def _class_plans(self, files: Mapping[str, tuple[Edit, ...]]) -> Iterator[ClassPlan]:
        for candidate in self.candidates.values():
            path = candidate.cls.file.path
            if path in self.selected:
                pending = candidate.converts and any(
                    item.cls.line <= edit.line <= item.cls.end_line
                    for item in candidate.cls.lineage
                    for edit in files.get(item.file.path, ())
                )
                with looking_at(path):
                    made = replace(candidate.plan, pending=pending)
                if candidate.refused:  # as a whole
                    whole = tuple(replace(finding, sites=()) for finding in made.findings)
                    made = replace(made, findings=whole)
                cells = tuple(by_cell(self.index, finding) for finding in made.findings)
                yield replace(made, findings=cells)

    def _converting(self) -> frozenset[Key]:
        """The classes that convert, as far as it is decided by now."""
        return frozenset(key for key, candidate in self.candidates.items() if candidate.converts)

    def _edits(self) -> dict[str, tuple[Edit, ...]]:
        """The edits of the files that may change, and of those that these need changed.

        Where helpers may move, no file is left out: how many need one decides.
        """
        everything = self.writable.union(file.path for file in self.index.files)
        reached = everything if self.helper_modules else self._reached()
        edits = self._edits_of(reached)
        # What makes layers for a class may show only when its edits are made.
        return edits if self._reached() <= reached else self._edits_of(everything)

    def _edits_of(self, paths: frozenset[str]) -> dict[str, tuple[Edit, ...]]:
        limit = self.index.loaded.line_limit
        project = self._project_of(self.candidates).with_random_in(self._converting()).anew
        resolver = self.known.resolver
        editor = EditPlanner(self.candidates, resolver, limit, self.spec, project, paths)
        return editor.files(self._migrations(), self.helper_modules)

    def _reached(self) -> frozenset[str]:
        """The files that may change, and those in which these need a change."""
        mine = (c for c in self.candidates.values() if c.cls.file.path in self.writable)
        return self.writable.union(*map(self._needed_files, mine))

    def _needed_files(self, candidate: Candidate) -> set[str]:
        """The files in which a class needs a change, if it converts."""
        found = {base.file.path for base in candidate.cls.lineage[1:]}
        if not candidate.converts:
            return found
        found |= {cls.file.path for cls in candidate.summary.held}
        found |= {path for path, _ in partials(candidate, self.known.resolver)}
        if (metaclass := own_metaclass(candidate.cls, self.index)) is not None:
            found.add(metaclass[0].path)
        functions = self.known.resolver.users.items()
        found |= {path for (path, _), users in functions if candidate.key in users}
        return found | {
            sub.file.path
            for sub in self.known.subclasses.get(candidate.key, ())
            if needs_metaclass(sub, self.index)
        }

    def _migrations(self) -> tuple[Migration, ...]:
        limit = self.index.loaded.line_limit
        return (
            *migrate(self.project, self.candidates, self.writable, limit),
            *self._networks,
        )

    @cached_property
    def _networks(self) -> tuple[Migration, ...]:
        """Networks outside of classes, on which nothing of these has a bearing."""
        limit = self.index.loaded.line_limit
        return tuple(convert_networks(self.index, self.spec, self.writable, limit))

    def _uses(self) -> Iterator[Finding]:
        """What is to be said of code that uses the classes that convert, wherever it stands."""
        found = check_files(self.project, self._converting())
        return once_per_file(self.suppressions.filter(found))

    def _loose(self, migrations: Sequence[Migration]) -> Iterator[Finding]:
        """Findings that belong to no class."""
        yield from self.index.findings
        yield from (finding for moved in migrations for finding in moved.findings)
        if self.index.loaded.is_whole:  # else what a rule is about may be in another file
            yield from self._about_spec()

    def _about_spec(self) -> Iterator[Finding]:
        """Findings about rules and latents, by the sites and classes that there are."""
        candidates = self.candidates.values()
        keys = [
            key for candidate in candidates for _, made in candidate.stages for key in made.keys
        ]
        parts = [
            (candidate.cls.cls.qualname, part)
            for candidate in candidates
            for part in candidate.parts
        ]
        at_run_time = any(candidate.at_run_time for candidate in candidates)
        yield from rule_findings(self.spec, keys, parts, at_run_time)
        classes = [(cls.file.module, cls.cls.qualname) for cls in self.index.module_classes]
        yield from latent_findings(self.spec, classes)

    # Classes

    @cached_property
    def candidates(self) -> dict[Key, Candidate]:
        candidates = self.known.candidates()
        for candidate in candidates.values():
            with looking_at(candidate.cls.file.path):
                if not self._is_left(candidate):
                    self._declare(candidate)
        for candidate in candidates.values():
            for lent in candidate.borrowed:
                candidates[lent.key].lent.add(lent.path)
        _lend_wrapped(candidates)
        self._lend_tied(candidates)
        return candidates

    def _lend_tied(self, candidates: Mapping[Key, Candidate]) -> None:
        """Find out what of other classes comes to read what is random, and is declared by that."""
        into = [
            (candidate, tie, tuple(candidate.summary.owners_of(tuple(tie.left.split(".")))))
            for candidate in candidates.values()
            for tie in candidate.ties
            if "." in tie.left
        ]
        if not any(owners for _, _, owners in into):
            return
        project = self._project_of(candidates)
        for candidate, tie, owners in into:
            if not project.leads_to(candidate.cls, tuple(tie.right.split(".")), of_declared):
                continue
            for cls, inner in owners:
                lent = InstanceSite(cls.key, ".".join(inner))
                candidate.tied_parts += (lent,)
                owner = candidates[cls.key]
                owner.tied_outside.add(lent.path)
                sites = (site for site in owner.all_sites if site.path == lent.path)
                if lent.path not in owner.lent and all(site.action == "keep" for site in sites):
                    owner.lent.add(lent.path)
                    owner.replaced.add(lent.path)

    def _declare(self, candidate: Candidate) -> None:
        tied = frozenset(tie.left for tie in candidate.ties if tie.condition == "")
        declarer = Declarer(candidate.summary, self.spec, candidate.names, tied=tied)
        stages = candidate.summary.stages
        if candidate.summary.constructor is None:
            candidate.stages.append((None, declarer.declare(None, ())))
        for method, covered in stages:
            candidate.stages.append((method, declarer.declare(method, covered)))

    # Which classes

    def _choose(self) -> None:
        """Random classes, and all that has to change with them."""
        for key, candidate in self.candidates.items():
            with looking_at(candidate.cls.file.path):
                if self._is_seed(candidate):
                    self.seeds.add(key)
        for key in company(self._graph(), self.seeds):
            self.candidates[key].wanted = True

    def _is_seed(self, candidate: Candidate) -> bool:
        return (
            self._is_left(candidate)
            or candidate.is_random
            or candidate.is_declared
            or any(declared.findings for _, declared in candidate.stages)
            or hides_random_layers(candidate.summary, self.spec)
        )

    def _find_late_ties(self) -> None:
        """Ties to parameters that a part or a base has declared when they are made."""
        for candidate in self.candidates.values():
            candidate.late_ties = tuple(
                tie
                for tie in candidate.ties
                if (tie.late or tie.written)
                and candidate.wanted
                and self.project.leads_to(candidate.cls, tuple(tie.right.split(".")), of_declared)
            )

    def _drop_needless(self, others: Set[Key] = frozenset()) -> None:
        """Classes that would only change for the sake of refused ones stay, but for ``others``."""
        left = needed(self.graph, self._refused) | others
        for key, candidate in self.candidates.items():
            if not candidate.refused and key not in left:
                candidate.wanted = False

    @property
    def _below_refused(self) -> frozenset[Key]:
        """Classes that inherit what is, or may be, random and stays plain with a refused base."""
        return frozenset(
            sub.key
            for key in self._refused
            if self.candidates[key].is_random or self._is_left(self.candidates[key])
            for sub in self.known.subclasses.get(key, ())
        )

    @property
    def _refused(self) -> frozenset[Key]:
        return frozenset(key for key, candidate in self.candidates.items() if candidate.refused)

    @cached_property
    def graph(self) -> Graph:
        """What decides about others once all classes are checked: no refusal adds to it."""
        return self._graph()

    def _graph(self) -> Graph:
        """What is known by now of each class, as far as it decides about others."""
        return Graph({key: self._vertex(candidate) for key, candidate in self.candidates.items()})

    def _vertex(self, candidate: Candidate) -> ClassNode:
        over = self.known.resolver.handed_over.get(candidate.key, ())
        reached = over if candidate.at_run_time else ()
        handed = [cls.key for cls in (*self.handed_on.get(candidate.key, ()), *over)]
        if self._is_left(candidate):  # all that it may hold
            handed += [cls.key for cls in self.index.used_by_left(candidate.cls.file.path)]
        changed = candidate.changed_names
        is_no_module = candidate.summary.is_no_module
        return ClassNode(
            is_random=candidate.is_random,
            draws_own=bool(candidate.own_random),
            is_declared=candidate.is_declared,
            is_pyro=candidate.cls.is_pyro,
            is_pyro_by_itself=candidate.is_pyro_by_itself,
            is_interface=candidate.is_interface,
            is_unknown=self._is_left(candidate),
            is_suppressed=candidate.ignored,
            has_parameters=candidate.summary.has_parameters,
            needs_metaclass=needs_metaclass(candidate.cls, self.index),
            is_unconstructed=not candidate.summary.calls_base_constructor,
            adds_to_inherited=candidate.summary.adds_to_inherited,
            bases=tuple(
                base.key for base in candidate.cls.lineage[1:] if base.key in self.candidates
            ),
            holds=() if is_no_module else tuple(cls.key for cls in candidate.summary.held),
            handed=() if is_no_module else tuple(handed),
            holds_unknown=any(map(may_be_any_class, _all_nodes(candidate.summary))),
            reached=tuple(cls.key for cls in reached),
            declares=tuple(lent.key for lent in candidate.borrowed),
            puts_into=_members(_parts_added_to(candidate.summary)),
            takes_over=frozenset(
                base.key
                for base in candidate.cls.lineage[1:]
                if base.key in self.candidates
                and _reads_draws_of(candidate, self.candidates[base.key])
            ),
            containers=tuple(
                Container(_members(nodes), _has_layers(nodes) and bool({name, "**"} & changed))
                for name, nodes in _containers(candidate.summary)
            ),
            own_members=_members(_all_nodes(candidate.summary))
            if candidate.summary.is_container
            else (),
        )

    @cached_property
    def handed_on(self) -> Mapping[Key, tuple[ModuleClass, ...]]:
        """The classes of which others make instances for a class."""
        found: dict[Key, dict[Key, ModuleClass]] = {}
        for candidate in self.candidates.values():
            for receiver, given in candidate.summary.handed_on:
                if given in self.candidates:
                    found.setdefault(receiver, {})[given] = self.candidates[given].cls
        return {key: tuple(classes.values()) for key, classes in found.items()}

    @cached_property
    def suppressions(self) -> Suppressions:
        return Suppressions(self.index)

    @cached_property
    def project(self) -> Candidates:
        """What the checks know, once it is clear which classes are wanted."""
        return self._project_of(
            {key: candidate for key, candidate in self.candidates.items() if candidate.wanted}
        )

    def _project_of(self, candidates: Mapping[Key, Candidate]) -> Candidates:
        return Candidates(
            self.index,
            self.spec,
            {key: candidate.summary for key, candidate in candidates.items()},
            {key: candidate.sites for key, candidate in candidates.items()},
            frozenset(key for key, candidate in candidates.items() if candidate.at_run_time),
        )

    def _idle_comments(self) -> Iterator[Finding]:
        """Comments that take nothing out, or should no longer, in the selected files."""
        for candidate in self.candidates.values():
            path = candidate.cls.file.path
            if (comment := candidate.ignored_by) and candidate.wanted:
                self.suppressions.use(path, comment.line)
            for _, declared in candidate.stages:
                for site in declared.sites:
                    for comment in candidate.cls.file.suppressed:
                        if comment.keeps(site.line):
                            self.suppressions.use(path, comment.line)
        yield from self.suppressions.idle(f for f in self.index.files if f.path in self.selected)

    @cached_property
    def _barring_of(self) -> Mapping[str, list[Finding]]:
        """What keeps parameters plain, by the class whose code does."""
        found: dict[str, list[Finding]] = {}
        for finding in self.barring:
            found.setdefault(finding.subject, []).append(finding)
        return found

    def _check(self) -> None:
        gone_over = methods_gone_over(self.project)
        for candidate in self.candidates.values():
            barring = self._barring_of.get(candidate.cls.name, [])
            if not candidate.wanted:
                candidate.findings = barring
                continue
            if fault := self.index.left.get(candidate.cls.file.path):
                candidate.refused, candidate.findings = True, [fault.finding]
                continue
            with looking_at(candidate.cls.file.path):
                found = [
                    *(f for _, declared in candidate.stages for f in declared.findings),
                    *check_class(self.project, candidate.summary, candidate.at_run_time),
                ]
                stale = stale_methods(Subject(self.project, candidate.summary))
            candidate.findings = list(self.suppressions.filter(found))
            candidate.refused = any(_refuses(finding) for finding in candidate.findings)
            candidate.stale_methods = (
                *stale,
                *sorted(gone_over.get(candidate.key, frozenset()) - {*stale}),
            )
            candidate.findings += [item for item in barring if item not in candidate.findings]
            if candidate.ignored:
                candidate.refused, candidate.findings = True, []

    def _spread_refusals(self) -> None:
        """What is wrong without a refused class is refused with it."""
        wanted = frozenset(key for key, candidate in self.candidates.items() if candidate.wanted)
        for refusal in spread(self.graph, wanted, self._refused):
            candidate, other = self.candidates[refusal.key], self.candidates[refusal.other]
            message = refusal.reason.value.format(other=other.cls.cls.qualname)
            cls = candidate.cls.cls
            candidate.findings.append(candidate.finding(cls.line, cls.column, "PYR062", message))
            candidate.refused = True

    def _refuse_half_runs(self, files: Mapping[str, tuple[Edit, ...]]) -> bool:
        """Refuse selected classes that need a change in a file that was not given; say if any."""
        pending = {path for path, edits in files.items() if edits and path not in self.writable}
        if not pending:
            return False
        for candidate in self.candidates.values():
            if not candidate.converts or candidate.cls.file.path not in self.writable:
                continue
            for path in sorted(self._needed_files(candidate) & pending):
                candidate.findings.append(
                    candidate.finding(
                        candidate.cls.cls.line,
                        candidate.cls.cls.column,
                        "PYR221",
                        f"needs a change in {path}, which was not given",
                        f"give {path} too, or the folder that holds both",
                    )
                )
                candidate.refused = True
        self._spread_refusals()
        return True


def _lend_wrapped(candidates: Mapping[Key, Candidate]) -> None:
    """Find out what stays in a class, but is declared where a subclass puts it elsewhere."""
    for candidate in candidates.values():
        declared = [site.path for site in candidate.all_sites if site.action != "keep"]
        for path in declared if wrapped_of_bases(candidate.summary) else ():
            for cls, inner in made_by_bases(candidate.summary, path):
                owner = candidates[cls.key]
                sites = [site for site in owner.all_sites if site.path == inner]
                if sites and all(site.action == "keep" for site in sites):
                    owner.lent.add(inner)


def _reads_draws_of(sub: Candidate, base: Candidate) -> bool:
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


def _containers(summary: ClassSummary) -> Iterator[tuple[str, list[Value]]]:
    """The containers of a class, itself perhaps: the attribute they are in, and all they hold.

    What is put into an attribute out of sight may be in each of its containers.
    """
    for attribute in summary.everything:
        hidden: list[Value] = [item for item in options_of(attribute.node) if _is_hidden(item)]
        made = list(summary.made_out_of_sight(attribute))
        hidden += [item for item in made if isinstance(item, ClassInstance)]
        for item in walk(attribute.node) if attribute.name else ():
            if isinstance(item, ContainerInstance) or _may_be_inside(item):
                yield attribute.name, [*walk(item), *hidden]
        if any(isinstance(item, Unknown) for item in options_of(attribute.node)):
            yield attribute.name, [*made]
    if summary.is_container:
        yield "", _all_nodes(summary)


def _all_nodes(summary: ClassSummary) -> list[Value]:
    return [item for attribute in summary.everything for item in walk(attribute.node)]


def _parts_added_to(summary: ClassSummary) -> list[Value]:
    """What is in attributes of which others get layers: ``self.net.head = nn.Linear(...)``."""
    names = {item.name.partition(".")[0] for item in summary.everything if "." in item.name}
    added_to = (item.node for item in summary.everything if item.name in names)
    return [inner for node in added_to for inner in walk(node)]


def _members(nodes: Sequence[Value]) -> tuple[Key, ...]:
    """The classes of the project among some members."""
    return tuple(node.cls.key for node in nodes if isinstance(node, ClassInstance))


def _has_layers(nodes: Sequence[Value]) -> bool:
    return any(isinstance(node, LayerInstance) or _is_hidden(node) for node in nodes)


def _may_be_inside(node: Value) -> bool:
    """Whether one part may have been put into another, where only run time knows the place."""
    parts = options_of(node)
    return all(
        any(isinstance(item, kind) for item in parts)
        for kind in (ContainerInstance, ClassInstance, Unknown)
    )


def _is_narrow(finding: Finding) -> bool:
    """Whether parameters that stay plain are all that a finding takes."""
    return bool(finding.sites) and lookup(finding.code).severity == "refused"


def _refuses(finding: Finding) -> bool:
    """Whether the class of a finding is left as it is."""
    return lookup(finding.code).severity != "warning" and finding.code not in LEFT
