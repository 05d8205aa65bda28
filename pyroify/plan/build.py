"""Facts and spec to a plan: which classes are converted, by which edits, and what is left."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pyroify.diagnostics import Finding, lookup
from pyroify.index.facts import Call, Choice, Function, Name, Parameter, Value
from pyroify.index.resolve import Index, ModuleClass
from pyroify.plan.checks import check_class, check_files
from pyroify.plan.checks.project import Project, Sites
from pyroify.plan.checks.suppressions import Suppressions
from pyroify.plan.declare import Declarations, Declarer
from pyroify.plan.lists import hides_random_layers
from pyroify.plan.methods import methods_to_decorate
from pyroify.plan.model import ClassPlan, Edit, FilePlan, Plan, Status
from pyroify.plan.names import FileNames
from pyroify.plan.reads import ANCHOR_STATEMENT, needs_anchor, read_edits, type_test_edits
from pyroify.plan.structure import (
    Box,
    Leaf,
    Opaque,
    Own,
    Resolver,
    Scope,
    has_gap,
    holds_parameters,
    walk,
)
from pyroify.plan.study import Study
from pyroify.plan.ties import Tie, find_ties, tie_statements
from pyroify.spec.match import SiteKey, nearest_site, shadowed_rules, unmatched_rules
from pyroify.spec.model import Rule, Spec

Key = tuple[str, str]

PYRO_ABC_META = '''\
class PyroABCMeta(type({pyro_module}), {abc_meta}):
    """Lets a PyroModule have abstract methods."""
'''


@dataclass
class Case:
    """One class on its way to a plan."""

    study: Study
    names: FileNames
    stages: list[tuple[Function | None, Declarations]] = field(default_factory=list)
    ties: tuple[Tie, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    refused: bool = False
    wanted: bool = False

    @property
    def cls(self) -> ModuleClass:
        """The class itself."""
        return self.study.cls

    @property
    def key(self) -> Key:
        """Path and qualified name."""
        return self.cls.key

    @property
    def is_random(self) -> bool:
        """Whether it has sites that are no plain parameters any more."""
        return any(
            site.action != "keep" for _, declared in self.stages for site in declared.sites
        )

    @property
    def ignored(self) -> bool:
        """Whether a comment on its header takes it out."""
        return (self.cls.cls.line, "ignore-class") in self.cls.file.suppressed

    @property
    def at_run_time(self) -> bool:
        """Whether its layers are converted at run time."""
        return any(declared.at_run_time for _, declared in self.stages)

    @cached_property
    def random_names(self) -> frozenset[str]:
        """Names of own attributes that are, or hold, random ones."""
        return frozenset(
            site.path.partition(".")[0]
            for _, declared in self.stages
            for site in declared.sites
            if site.action == "sample"
        )

    @cached_property
    def own_random(self) -> frozenset[str]:
        """Names of own parameters that are drawn."""
        return frozenset(
            site.path
            for _, declared in self.stages
            for site in declared.sites
            if site.action == "sample" and "." not in site.path
        )

    @property
    def sites(self) -> Sites:
        """Its parameters by what becomes of them."""
        sites = [site for _, declared in self.stages for site in declared.sites]
        paths = {
            action: frozenset(site.path for site in sites if site.action == action)
            for action in ("sample", "param", "keep")
        }
        by_lambda = any("(lambda self" in site.source for site in sites)
        return Sites(paths["sample"], paths["param"], paths["keep"], by_lambda)

    def finding(self, line: int, column: int, code: str, message: str, help: str = "") -> Finding:
        """A finding about this class."""
        subject = f"{self.cls.file.module}:{self.cls.cls.qualname}"
        return Finding(self.cls.file.path, line, column + 1, code, message, help, subject)


def build_plan(index: Index, spec: Spec, selected: frozenset[str]) -> Plan:
    """Plan the conversion of the ``selected`` files; the whole index is looked at."""
    return _Planner(index, spec, selected).plan()


@dataclass
class _Planner:
    index: Index
    spec: Spec
    selected: frozenset[str]

    def plan(self) -> Plan:
        cases = self.cases
        self._choose()
        self._check()
        self._spread_refusals()
        self._drop_needless()
        files = self._files()
        if self._refuse_half_runs(files):
            self._drop_needless()
            files = self._files()
        classes = tuple(
            self._class_plan(case) for case in cases.values() if case.cls.file.path in self.selected
        )
        converted = frozenset(key for key, case in cases.items() if self._converts(case))
        loose = [
            *self.index.findings,
            *check_files(self.project, converted, self.selected),
            *self._unmatched(),
            *self._shadowed(),
        ]
        return Plan(
            classes=classes,
            files=tuple(
                FilePlan(path, edits) for path, edits in files.items() if edits and path in self.selected
            ),
            findings=(*self.suppressions.filter(loose), *self._unused_comments()),
        )

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
            names = FileNames(cls.file, touched)
            case = Case(Study(cls, self.resolver, relatives), names)
            case.ties = find_ties(case.study)
            cases[cls.key] = case
        gaps = any(
            has_gap(attribute.node)
            for case in cases.values()
            for attribute in case.study.everything
        )
        for case in cases.values():
            self._declare(case, gaps)
        return cases

    def _declare(self, case: Case, gaps: bool) -> None:
        declarer = Declarer(case.study, self.spec, case.names, gaps=gaps, tied=frozenset(t.left for t in case.ties if t.condition == ""))
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

    def _converts(self, case: Case) -> bool:
        return case.wanted and not case.refused

    def _choose(self) -> None:
        """Random classes, and all that has to change with them."""
        seeds = {
            key
            for key, case in self.cases.items()
            if case.is_random
            or any(declared.findings for _, declared in case.stages)
            or hides_random_layers(case.study, self.spec)
        }
        for key in self._with_company(seeds):
            self.cases[key].wanted = True

    def _drop_needless(self) -> None:
        """Classes that would only change for the sake of refused ones stay as they are."""
        random = {key for key, case in self.cases.items() if case.is_random and not case.refused}
        needed = self._with_company(random)
        for key, case in self.cases.items():
            if not case.refused and key not in needed:
                case.wanted = False

    def _with_company(self, seeds: set[Key]) -> frozenset[Key]:
        """Classes, all that hold them, derive from them, or stand beside them in what holds them."""
        cases, wanted = self.cases, {key for key in seeds if key in self.cases}
        while True:
            before = len(wanted)
            for key, case in cases.items():
                held = [cls.key for cls in case.study.held if cls.key in cases]
                bases = [base.key for base in case.cls.lineage[1:] if base.key in cases]
                if key in wanted:
                    wanted.update(bases)
                    wanted.update(k for k in held if cases[k].study.has_parameters)
                elif wanted.intersection(held) or wanted.intersection(bases):
                    wanted.add(key)
            if len(wanted) == before:
                return frozenset(wanted)

    @cached_property
    def suppressions(self) -> Suppressions:
        return Suppressions(self.index)

    @cached_property
    def project(self) -> Project:
        """What the checks know, once it is clear which classes are wanted."""
        wanted = {key: case for key, case in self.cases.items() if case.wanted}
        return Project(
            self.index,
            self.spec,
            {key: case.study for key, case in wanted.items()},
            {key: case.sites for key, case in wanted.items()},
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
        for case in self.cases.values():
            if not case.wanted:
                continue
            found = [
                *(f for _, declared in case.stages for f in declared.findings),
                *check_class(self.project, case.study, case.at_run_time),
            ]
            case.findings = list(self.suppressions.filter(found))
            case.refused = any(_refuses(finding) for finding in case.findings)
            if case.ignored:
                case.refused, case.findings = True, []

    def _spread_refusals(self) -> None:
        """What a refused class holds keeps its old form too, and so does what derives from it.

        A plain module between the root and a PyroModule would drop the prefix of its sites.
        """
        cases = self.cases
        changed = True
        while changed:
            changed = False
            for case in cases.values():
                if self._converts(case) and (reason := self._dragged(case)):
                    case.findings.append(reason)
                    case.refused = changed = True

    def _dragged(self, case: Case) -> Finding | None:
        line, column = case.cls.cls.line, case.cls.cls.column
        for base in case.cls.lineage[1:]:
            other = self.cases.get(base.key)
            if other is not None and other.wanted and other.refused:
                return case.finding(
                    line, column, "PYR062", f"its base {base.cls.qualname} is not converted"
                )
        for other in self.cases.values():
            if other.wanted and other.refused and other is not case:
                if any(cls.key == case.key for cls in other.study.held) and not case.cls.is_pyro:
                    return case.finding(
                        line,
                        column,
                        "PYR062",
                        f"{other.cls.cls.qualname}, which holds it, is not converted: its sites "
                        "would lose their prefix",
                    )
        return None

    def _refuse_half_runs(self, files: Mapping[str, tuple[Edit, ...]]) -> bool:
        """Refuse selected classes that need a change in a file that was not given; say if any."""
        pending = {path for path, edits in files.items() if edits and path not in self.selected}
        if not pending:
            return False
        for case in self.cases.values():
            if not self._converts(case) or case.cls.file.path not in self.selected:
                continue
            needed = {base.file.path for base in case.cls.lineage[1:]}
            needed |= {cls.file.path for cls in case.study.held}
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

    # Edits

    def _files(self) -> dict[str, tuple[Edit, ...]]:
        edits: dict[str, list[Edit]] = {}
        names: dict[str, FileNames] = {}
        wrapped: set[tuple[str, int, int]] = set()
        for case in self.cases.values():
            path = case.cls.file.path
            if not self._converts(case):
                continue
            shared = names.setdefault(path, FileNames(case.cls.file))
            made = list(self._class_edits(case, wrapped))
            if made:
                edits.setdefault(path, []).extend(made)
                shared.used |= case.names.used
                shared.definitions |= case.names.definitions
        for path, made in self._function_edits(wrapped):
            file = self.index.file(path)
            if file is not None:
                shared = names.setdefault(path, FileNames(file))
                shared.use("PyroModule")
                edits.setdefault(path, []).append(made)
        if edits:
            for file in self.index.files:
                if tests := list(type_test_edits(file)):
                    edits.setdefault(file.path, []).extend(tests)
        for path, shared in names.items():
            if edits.get(path):
                edits[path].extend(_whole_file_edits(shared))
        return {path: tuple(found) for path, found in edits.items()}

    def _class_edits(self, case: Case, wrapped: set[tuple[str, int, int]]) -> Iterator[Edit]:
        limit = self.limit
        yield from self._base_edits(case)
        yield from self._initialiser_edits(case)
        for method, declared in case.stages:
            yield from self._in_place_edits(case, declared)
            statements = [*declared.statements]
            if method is None or method is case.study.constructor:
                before, after = tie_statements(case.ties, case.names, case.random_names)
                statements = [*before, *statements, *after]
                if needs_anchor(case.study):
                    case.names.use("torch")
                    statements.insert(0, ANCHOR_STATEMENT)
            yield from self._tail_edits(case, method, statements, limit)
        yield from self._wrap_edits(case, wrapped)
        yield from read_edits(case.study, self._random_of(case), case.own_random)
        for function, position in methods_to_decorate(case.study, self._random_of(case)):
            case.names.use("pyro_method")
            yield Edit(
                "methods", function.line, function.column, (case.names.local("pyro_method"), position)
            )

    def _random_of(self, case: Case) -> frozenset[str]:
        """Names that give random values when read or called, those of its bases included."""
        found: set[str] = set()
        for cls in case.cls.lineage:
            other = self.cases.get(cls.key)
            if other is None:
                continue
            found |= other.random_names
            for attribute in other.study.everything:
                if any(
                    isinstance(item, Own) and (c := self.cases.get(item.cls.key)) and self._converts(c)
                    for item in walk(attribute.node)
                ):
                    found.add(attribute.name)
        return frozenset(found)

    def _base_edits(self, case: Case) -> Iterator[Edit]:
        cls, names = case.cls, case.names
        if cls.is_pyro:
            return
        replaced: list[tuple[int, str]] = []
        inherited = False
        for position, base in enumerate(cls.bases):
            if base.kind == "module":
                names.use("PyroModule")
                replaced.append((position, names.local("PyroModule")))
            elif base.local is not None:
                other = self.cases.get(base.local.key)
                inherited = inherited or bool(other and (self._converts(other) or base.local.is_pyro))
        added: tuple[str, ...] = ()
        if not replaced and not inherited:
            names.use("PyroModule")
            added = (names.local("PyroModule"),)
        metaclass = self._metaclass(case, inherited)
        if replaced or added or metaclass:
            yield Edit("bases", cls.cls.line, cls.cls.column, (tuple(replaced), added, metaclass))

    def _metaclass(self, case: Case, inherited: bool) -> str:
        """The metaclass that joins PyroModule's with ABCMeta, where a class needs it."""
        cls = case.cls
        direct = cls.cls.metaclass.endswith("ABCMeta") or any(
            self._is_abstract(base.dotted, cls.file.path) for base in cls.bases if base.kind == "plain"
        )
        if not direct:
            return ""
        if any(
            other.cls.metaclass.endswith("PyroABCMeta")
            or any(self._is_abstract(b.dotted, other.file.path) for b in other.bases if b.kind == "plain")
            for other in cls.lineage[1:]
        ):
            return ""
        names = case.names
        names.use("PyroModule", "ABCMeta")
        names.define(
            "PyroABCMeta",
            PYRO_ABC_META.format(pyro_module=names.local("PyroModule"), abc_meta=names.local("ABCMeta")),
        )
        return "PyroABCMeta"

    def _is_abstract(self, dotted: str, path: str, depth: int = 0) -> bool:
        if dotted == "abc.ABC" or dotted.startswith("collections.abc."):
            return True
        target = self.index.resolve(dotted, path)
        if target.plain_class is None or target.file is None or depth > 10:
            return False
        if target.plain_class.metaclass.endswith("ABCMeta"):
            return True
        return any(
            self._is_abstract(base, target.file.path, depth + 1)
            for _, base, _, _ in target.plain_class.bases
        )

    def _initialiser_edits(self, case: Case) -> Iterator[Edit]:
        """``nn.Module.__init__(self)`` would pass PyroModule by."""
        module = {"torch.nn.Module", "torch.nn.modules.module.Module"}
        for method in case.cls.cls.methods:
            for target, line, column in method.base_calls:
                if target in module:
                    yield Edit("initialisers", line, column)
        # nn.Module takes no arguments; PyroModule would take the first for a prefix of all sites.
        constructor = case.cls.cls.method("__init__")
        called = constructor.super_init if constructor else None
        if called is not None and called.args and len(case.cls.bases) == 1:
            if case.cls.bases[0].kind == "module" and not self.subclasses.get(case.key):
                old = _call_source(called)
                yield Edit("expressions", called.line, called.column, (old, f"{called.text}()"))

    def _in_place_edits(self, case: Case, declared: Declarations) -> Iterator[Edit]:
        limit = self.limit
        for frozen in declared.buffers:
            first = frozen.assignments[0]
            data = (frozen.name, frozen.made[0].initial)
            yield Edit("buffers", first.line, first.column, data)
        for parameter in case.study.all_parameters:
            sources = declared.in_place.get(parameter.name)
            if not sources:
                continue
            if parameter.declared is not None:
                old = parameter.declared
                indent = parameter.assignments[0].column
                data = (sources[0], old.column, indent, limit, 0)
                yield Edit("parameters", old.line, old.column, data)
                continue
            remaining = list(sources)
            for assignment in parameter.assignments:
                for made in _parameters(assignment.value):
                    source = remaining.pop(0)
                    if assignment.how == "register":
                        text = f"self.{parameter.name} = {source}"
                        data = (text, assignment.column, limit)
                        yield Edit("registrations", assignment.line, assignment.column, data)
                    else:
                        data = (source, made.column, assignment.column, limit, made.trailing)
                        yield Edit("parameters", made.line, made.column, data)

    def _tail_edits(
        self, case: Case, method: Function | None, statements: Sequence[str], limit: int
    ) -> Iterator[Edit]:
        if method is None:
            if statements:
                column = case.cls.cls.body_column
                yield Edit(
                    "constructors",
                    case.cls.cls.line,
                    case.cls.cls.column,
                    (tuple(statements), column + 4, limit),
                )
            return
        existing = method.declarations
        if existing is None and not statements:
            return
        if existing is not None and existing.texts == tuple(map(_normal, statements)):
            return
        count = existing.count if existing else 0
        yield Edit(
            "declarations",
            method.line,
            method.column,
            (tuple(statements), count, method.column + 4, limit),
        )

    def _wrap_edits(self, case: Case, wrapped: set[tuple[str, int, int]]) -> Iterator[Edit]:
        kept = self._kept_lines(case)
        found = []
        for method in case.cls.cls.methods:
            if case.at_run_time and method.name in case.study.building:
                continue
            for call in method.layer_calls:
                spot = (case.cls.file.path, call.line, call.column)
                if spot in wrapped or (call.line, call.column) in kept:
                    continue
                if self._is_wrappable(call, case.study.scope):
                    wrapped.add(spot)
                    found.append(call)
        if found:
            case.names.use("PyroModule")
        yield from _wraps(found, case.names, self.limit)

    def _kept_lines(self, case: Case) -> set[tuple[int, int]]:
        """Layers attached to ``self`` directly whose parameters all stay: they need no change."""
        random = {
            site.path.partition(".")[0]
            for _, declared in case.stages
            for site in declared.sites
            if site.action != "keep"
        }
        for tie in case.ties:
            if tie.right.partition(".")[0] in random:
                random.add(tie.left.partition(".")[0])
        kept = set()
        for attribute in case.study.everything:
            if attribute.name in random or (not attribute.name and random):
                continue
            for item in walk(attribute.node):
                if isinstance(item, Own | Opaque):
                    break
                if isinstance(item, Leaf) and item.call is not None:
                    kept.add((item.call.line, item.call.column))
            else:
                kept |= {
                    (item.call.line, item.call.column)
                    for item in walk(attribute.node)
                    if isinstance(item, Box) and item.call is not None
                }
        return kept

    def _is_wrappable(self, call: Call, scope: Scope) -> bool:
        """Whether a call surely makes a layer or container that may have parameters."""
        if call.wrapped or not isinstance(call.callee, Name | Choice):
            return False
        options = call.callee.options if isinstance(call.callee, Choice) else (call.callee,)
        layers = [
            self.index.layer(option.dotted, scope.path) if isinstance(option, Name) else None
            for option in options
        ]
        if None in layers or all(layer is not None and layer.kind == "stateless" for layer in layers):
            return False
        if all(layer is not None and layer.kind == "container" for layer in layers):
            node = self.resolver.resolve(call, replace(scope, inside=True))
            empty = isinstance(node, Box) and not node.children
            return empty or holds_parameters(node)
        return True

    def _function_edits(self, wrapped: set[tuple[str, int, int]]) -> Iterator[tuple[str, Edit]]:
        """Layers built by functions that converted classes call."""
        if not any(self._converts(case) for case in self.cases.values()):
            return
        for (path, name), _ in list(self.resolver.functions.items()):
            file = self.index.file(path)
            if file is None:
                continue
            scope = Scope(path)
            for function in file.functions:
                if function.name != name and not function.name.startswith(f"{name}.<locals>."):
                    continue
                found = []
                for call in function.layer_calls:
                    spot = (path, call.line, call.column)
                    if spot not in wrapped and self._is_wrappable(call, scope):
                        wrapped.add(spot)
                        found.append(call)
                for edit in _wraps(found, FileNames(file), self.limit):
                    yield path, edit

    @cached_property
    def limit(self) -> int:
        """Longest line the project's formatter allows."""
        return line_limit(self.index.root)

    # Results

    def _class_plan(self, case: Case) -> ClassPlan:
        cls = case.cls
        status: Status = "unchanged"
        if case.ignored:
            status = "unchanged"
        elif case.refused:
            status = "refused"
        elif case.wanted:
            status = "converted"
        sites = tuple(site for _, declared in case.stages for site in declared.sites)
        return ClassPlan(
            module=cls.file.module,
            qualname=cls.cls.qualname,
            path=cls.file.path,
            line=cls.cls.line,
            column=cls.cls.column + 1,
            status=status,
            sites=sites,
            findings=tuple(case.findings),
        )

    def _unmatched(self) -> Iterator[Finding]:
        """Rules that match no site of the whole project."""
        keys: list[SiteKey] = [
            key for case in self.cases.values() for _, made in case.stages for key in made.keys
        ]
        opaque = any(case.at_run_time for case in self.cases.values())
        for rule in unmatched_rules(self.spec, keys):
            if opaque and rule.match.startswith("**."):
                continue  # it may match what only run time shows
            if rule.match == "**":
                continue  # it says something of any project, also of one without parameters
            yield Finding(
                self.spec.path,
                rule.line,
                rule.column,
                "PYR150",
                f"rule {rule.index + 1} ({rule.match}) matches no parameter",
                self._nearest(rule, keys),
            )

    def _nearest(self, rule: Rule, keys: Sequence[SiteKey]) -> str:
        near = nearest_site(rule, keys)
        meant = f"did you mean {near}? " if near else ""
        return f"{meant}see pyroify plan for the sites there are, or pass --allow-unmatched"

    def _shadowed(self) -> Iterator[Finding]:
        """Rules that later rules beat everywhere."""
        keys = [key for case in self.cases.values() for _, made in case.stages for key in made.keys]
        for rule in shadowed_rules(self.spec, keys):
            yield Finding(
                self.spec.path,
                rule.line,
                rule.column,
                "PYR112",
                f"rule {rule.index + 1} ({rule.match}) decides nothing: later rules take all its sites",
                "remove it, or move it below the rules that beat it",
            )


def line_limit(root: Path) -> int:
    """Line length of ruff or black as the project's pyproject.toml sets it; 88 without one."""
    try:
        tools = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("tool", {})
    except (OSError, ValueError):
        return 88
    for tool in ("ruff", "black"):
        value = tools.get(tool, {}).get("line-length")
        if isinstance(value, int):
            return value
    return 88


def _refuses(finding: Finding) -> bool:
    return lookup(finding.code).severity != "warning"


def _wraps(calls: Sequence[Call], names: FileNames, limit: int) -> Iterator[Edit]:
    """Edits that make calls PyroModules; the first on a line lays the line out anew."""
    wrapper = names.local("PyroModule")
    first: dict[int, Call] = {}
    for call in sorted(calls, key=lambda call: call.column):
        first.setdefault(call.line, call)
    for call in calls:
        bare = not call.args and call.text.rpartition(".")[2] == "ModuleList"
        room = -1
        if call is first[call.line] and call.extent is not None and call.extent[2] <= limit:
            room = limit - call.extent[1]
        indent, statement = (call.extent[0], call.extent[3]) if call.extent else (0, 0)
        trailing = call.extent[1] if call.extent else 0
        data = (wrapper, "[]" if bare else "", indent, statement, room, call.column, trailing)
        yield Edit("submodules", call.line, call.column, data)


def _call_source(call: Call) -> str:
    arguments = [f"{p.keyword}={p.text}" if p.keyword else f"{p.star}{p.text}" for p in call.args]
    return f"{call.text}({', '.join(arguments)})"


def _whole_file_edits(names: FileNames) -> Iterable[Edit]:
    if names.definitions:
        yield Edit("definitions", 1, 0, (tuple(names.definitions.values()),))
    if imports := names.imports():
        yield Edit("imports", 1, 0, (imports,))


def _parameters(value: Value) -> tuple[Parameter, ...]:
    options = value.options if isinstance(value, Choice) else (value,)
    return tuple(option for option in options if isinstance(option, Parameter))


def _normal(source: str) -> str:
    import ast

    return ast.unparse(ast.parse(source))


