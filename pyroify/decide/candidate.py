"""One class on its way to a plan: what is known, decided and found about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from pyroify.catalog.metaclasses import INTERFACES
from pyroify.code.names import FileNames
from pyroify.decide.declare import MethodDeclarations
from pyroify.decide.model import ClassPlan, HeldClass, SitePlan, Status
from pyroify.decide.project import ClassSites
from pyroify.decide.sites import InstanceSite
from pyroify.diagnostics import Finding
from pyroify.program.attributes.ties import Tie
from pyroify.program.index import ModuleClass
from pyroify.program.placements import AccessPath, Instance, place
from pyroify.program.summary import ClassSummary
from pyroify.program.values import classes_in
from pyroify.spec.match import has_wildcard
from pyroify.syntax.facts import Function, Suppression

Key = tuple[str, str]
"""Path and qualified name of a class."""

Stage = tuple[Function | None, MethodDeclarations]
"""A method that ends in declarations, None for a constructor still to be written."""


@dataclass
class Candidate:
    """One class on its way to a plan."""

    summary: ClassSummary
    names: FileNames
    stages: list[Stage] = field(default_factory=list)
    ties: tuple[Tie, ...] = ()
    late_ties: tuple[Tie, ...] = ()
    """Ties to what another class has declared by then: they are written where they are made."""
    tied_parts: tuple[InstanceSite, ...] = ()
    """Parameters of other classes that read another one, in single instances."""
    findings: list[Finding] = field(default_factory=list)
    refused: bool = False
    stale_methods: tuple[str, ...] = ()
    wanted: bool = False
    lent: set[str] = field(default_factory=set)
    """Its parameters that other classes declare, in single instances; taken for random ones."""
    tied_outside: set[str] = field(default_factory=set)
    """Its parameters that read what is random where other classes have an instance."""
    replaced: set[str] = field(default_factory=set)
    """Those of them in whose place others put a parameter of theirs: no name here is about that."""

    @property
    def cls(self) -> ModuleClass:
        """The class itself."""
        return self.summary.cls

    @property
    def key(self) -> Key:
        """Path and qualified name."""
        return self.cls.key

    @property
    def is_random(self) -> bool:
        """Whether it has sites that are no plain parameters any more."""
        return any(site.action != "keep" for _, declared in self.stages for site in declared.sites)

    @property
    def is_declared(self) -> bool:
        """Whether it ends in declarations already, which the spec may have changed."""
        return any(
            method is not None and method.declarations and not declared.left
            for method, declared in self.stages
        )

    @property
    def is_pyro_by_itself(self) -> bool:
        """Whether it is a PyroModule by its own bases or declarations.

        Where only a base in the project makes it one, that may be so since an earlier run.
        """
        return self.is_declared or any(base.kind == "pyro" for base in self.cls.bases)

    @property
    def borrowed(self) -> tuple[InstanceSite, ...]:
        """Parameters of other classes that it declares, in single instances."""
        lent = (lent for _, declared in self.stages for lent in declared.lent)
        return (*lent, *self.tied_parts)

    @property
    def ignored(self) -> bool:
        """Whether a comment on its header, or one on its file, takes it out."""
        return self.ignored_by is not None

    @property
    def ignored_by(self) -> Suppression | None:
        """The comment that takes it out."""
        return next(
            (
                comment
                for comment in self.cls.file.suppressed
                if comment.kind == "ignore-file"
                or (comment.kind == "ignore-class" and comment.line == self.cls.cls.line)
            ),
            None,
        )

    @property
    def is_interface(self) -> bool:
        """Whether it says to TorchScript what others can do, and has no parameters itself.

        It may derive from nn.Module alone, and is left as it is.
        """
        return bool(INTERFACES.intersection(self.cls.cls.decorators)) and not self.is_random

    @property
    def at_run_time(self) -> bool:
        """Whether its layers are converted at run time."""
        return any(declared.at_run_time for _, declared in self.stages)

    @property
    def is_built_at_run_time(self) -> bool:
        """Whether the layers that its constructor makes are converted when they are all there."""
        return any(
            declared.at_run_time for method, declared in self.stages if self._is_constructor(method)
        )

    def _is_constructor(self, method: Function | None) -> bool:
        return method is None or method is self.summary.constructor

    @cached_property
    def random_names(self) -> frozenset[str]:
        """Names of own attributes that are, or hold, random ones."""
        return frozenset(
            site.path.partition(".")[0]
            for _, declared in self.stages
            for site in declared.sites
            if site.action == "sample"
        ) | {path.partition(".")[0] for path in (*self.lent, *self.tied)}

    @property
    def changed_names(self) -> frozenset[str]:
        """Names of own attributes that become PyroModules, or declarations; "" for itself."""
        changed = {site.path for site in self.all_sites if site.action != "keep"}
        names = {path.partition(".")[0] for path in (*changed, *self.lent, *self.tied)}
        return frozenset({*names, ""} if names else ())

    @cached_property
    def own_random(self) -> frozenset[str]:
        """Names of own parameters that are drawn."""
        return frozenset(
            site.path
            for _, declared in self.stages
            for site in declared.sites
            if site.action == "sample" and "." not in site.path
        ) | {path for path in self.lent if "." not in path}

    @property
    def tied(self) -> frozenset[str]:
        """Parameters that read another one, which is random or constrained."""
        random = {site.path for site in self.all_sites if site.action != "keep"}
        late = {tie.left for tie in self.late_ties}
        return frozenset(late | {tie.left for tie in self.ties if tie.right in random})

    @property
    def read_ties(self) -> tuple[Tie, ...]:
        """Ties of which the left side reads the right; where that stays, so does the tie."""
        constrained = {site.path for site in self.all_sites if site.action == "param"}
        return tuple(
            replace(tie, may_be_frozen=self._may_be_frozen(tie.right))
            for tie in self.ties
            if not self.keeps(tie) and not self._is_tied_by_hand(tie)
            if tie.right.partition(".")[0] in self.random_names
            or tie.right in constrained
            or (tie.unseen and "**" in self.random_names)
        )

    def _is_tied_by_hand(self, tie: Tie) -> bool:
        """Whether the user's own declarations are all there is of the right side, or may be."""
        made = [site for site in self.all_sites if site.path == tie.right and site.spared != "own"]
        return self.summary.by_hand.is_throughout and not made

    def _may_be_frozen(self, path: str) -> bool:
        """Whether a declaration asks at run time if a parameter is frozen."""
        rules = [site.rule for site in self.all_sites if site.path == path]
        if not rules:
            return self.at_run_time and path not in self.lent
        return self.summary.may_be_frozen(path) and all(
            rule is None or has_wildcard(rule.match) for rule in rules
        )

    def keeps(self, tie: Tie) -> bool:
        """Whether both sides of a tie are seen to stay the parameter that they are."""
        if tie.right in self.lent - self.replaced:
            return False
        right = [site for site in self.all_sites if site.path == tie.right]
        left = [site for site in self.all_sites if site.path == tie.left]
        is_kept = bool(right) and all(site.action == "keep" for site in right)
        is_frozen = all(site.spared == "frozen" for site in right)
        return is_kept and (is_frozen or all(site.action == "keep" for site in left))

    @property
    def sites(self) -> ClassSites:
        """Its parameters by what becomes of them."""
        sites = [site for _, declared in self.stages for site in declared.sites]
        paths = {
            action: frozenset(site.path for site in sites if site.action == action)
            for action in ("sample", "param", "keep")
        }
        by_lambda = any(declared.by_lambda for _, declared in self.stages)
        own = {site.path for site in sites if site.action == "sample" and site.spared == "own"}
        return ClassSites(
            paths["sample"] | self.lent,
            paths["param"],
            paths["keep"],
            by_lambda,
            frozenset(own - self.lent),
            self.tied,
            frozenset(tie.left for tie in self.ties if self.keeps(tie)),
        )

    def finding(self, line: int, column: int, code: str, message: str, help: str = "") -> Finding:
        """A finding about this class."""
        return Finding(self.cls.file.path, line, column + 1, code, message, help, self.cls.name)

    @property
    def converts(self) -> bool:
        """Whether it is going to be rewritten."""
        return self.wanted and not self.refused

    @property
    def all_sites(self) -> tuple[SitePlan, ...]:
        """Its parameters, and what becomes of each."""
        return tuple(site for _, declared in self.stages for site in declared.sites)

    @cached_property
    def parts(self) -> tuple[HeldClass, ...]:
        """The instances of classes of the project that it holds."""
        return tuple(
            HeldClass(found.where.path, found.cls.name, attribute.line)
            for attribute in self.summary.everything
            for found in place(attribute.node, AccessPath.of(attribute.name))
            if isinstance(found, Instance)
        )

    @property
    def plan(self) -> ClassPlan:
        """What reports say of it."""
        status: Status = "unchanged"
        if self.wanted and self.ignored:
            status = "suppressed"
        elif self.wanted:
            status = "refused" if self.refused else "converted"
        elif any(site.spared == "barred" for site in self.all_sites):
            status = "refused"
        return ClassPlan(
            module=self.cls.file.module,
            qualname=self.cls.cls.qualname,
            path=self.cls.file.path,
            line=self.cls.cls.line,
            column=self.cls.cls.column + 1,
            status=status,
            sites=self.all_sites,
            findings=tuple(self.findings),
            stale_methods=self.stale_methods,
            parts=self.parts,
            bases=tuple(base.name for base in self.cls.lineage[1:]),
            given=tuple(self._given()),
        )

    def _given(self) -> Iterator[tuple[str, str]]:
        """Arguments that are instances of classes, as all callers show, with these classes."""
        callers = self.summary.resolver.callers
        for name, value in (callers.given(self.cls) if callers else {}).items():
            yield from ((name, cls.name) for cls in classes_in(value))
