"""The parameters one method declares: what the spec decides of each, and how that is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from pyroify.catalog.layers import Layer, LayerParameter
from pyroify.code.names import FileNames
from pyroify.code.statements import (
    Block,
    Continue,
    Declare,
    Declared,
    DeclareNamed,
    If,
    Lambda,
    NameFits,
    NameIs,
    PyroSample,
    Test,
    guarded,
)
from pyroify.code.write import write_value
from pyroify.decide.model import Action as ActionName
from pyroify.decide.model import RuleRef, SitePlan
from pyroify.decide.starts import Start, starts_of
from pyroify.diagnostics import Finding
from pyroify.dispatch import Trait
from pyroify.program.index import ModuleClass
from pyroify.program.placements import subpath
from pyroify.program.present import Present, present_at_end
from pyroify.program.summary import ClassSummary
from pyroify.spec.literals import Range
from pyroify.spec.match import (
    Decision,
    SiteKey,
    decide,
    has_wildcard,
    matches_class,
    matches_name,
)
from pyroify.spec.model import Action, Deterministic, Keep, Latent, Param, Rule, Sample, Spec
from pyroify.spec.render import (
    NOT_AT_THIS_SITE,
    NOT_SHOWN,
    Place,
    RenderError,
    attributes_read,
    check_start,
    reads_fans,
    render_declarations,
    render_functions,
)
from pyroify.syntax.facts import Assignment, Function
from pyroify.syntax.values import Declared as There

OTHER = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for any name or layer that no rule mentions."""


@dataclass(frozen=True, slots=True)
class ActionsByName:
    """What becomes of parameters by their names: those that rules mention, and all others.

    ``mentioned`` has names, then globs; the first that fits decides.
    """

    mentioned: tuple[tuple[str, Action], ...]
    other: Action

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is declared."""
        return not self.mentioned and isinstance(self.other, Keep)

    @property
    def names(self) -> Mapping[Action, list[str]]:
        """The names, no globs, that share an action."""
        found: dict[Action, list[str]] = {}
        for name, action in self.mentioned:
            if not has_wildcard(name):
                found.setdefault(action, []).append(name)
        return found

    @property
    def globs(self) -> tuple[tuple[str, Action], ...]:
        """The globs, in the order in which they decide."""
        return tuple(item for item in self.mentioned if has_wildcard(item[0]))

    @property
    def named(self) -> tuple[tuple[str, Action], ...]:
        """The names and globs that rules mention, and one that stands for any other."""
        return (*self.mentioned, (OTHER, self.other))

    def of(self, name: str) -> Action:
        """What becomes of the parameter ``name``."""
        fitting = (action for glob, action in self.mentioned if matches_name(glob, name))
        return next(fitting, self.other)


@dataclass(frozen=True, slots=True)
class Redeclaration:
    """What comes to stand in place of a declaration at a line and column.

    ``indent`` is where its statement begins.
    """

    line: int
    column: int
    indent: int
    value: Declared


@dataclass(frozen=True, slots=True)
class InstanceSite:
    """A parameter of the class ``key`` that another class declares, in one instance of it."""

    key: tuple[str, str]
    path: str


@dataclass
class Sites:
    """The parameters that one method declares, collected as they are decided and written."""

    summary: ClassSummary
    spec: Spec
    names: FileNames
    method: Function | None
    tied: frozenset[str] = frozenset()
    """Paths that read another parameter: they are declared with the tie."""
    within: Mapping[str, Assignment] = field(default_factory=dict)
    """Parameters of children that are declared where the child is made, by path."""
    put_into: Mapping[str, ModuleClass] = field(default_factory=dict)
    """The instances of other classes into which something is put, by path, with their class."""
    at_run_time: bool = False
    """Loops find the layers, and leave alone what is frozen."""
    foreign: frozenset[str] = frozenset()
    """Attributes in which only what code outside of the project hands in or makes is hidden."""
    plans: list[SitePlan] = field(default_factory=list)
    anew: list[Redeclaration] = field(default_factory=list)
    keys: list[SiteKey] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    lent: list[InstanceSite] = field(default_factory=list)
    by_lambda: bool = False
    """Whether the prior of a site is a lambda."""
    reads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The attributes that the prior of each site reads, by path."""

    @property
    def traits(self) -> frozenset[Trait]:
        """What there is in the source of the class, and in the project."""
        return self.summary.traits

    @cached_property
    def present(self) -> Mapping[str, Present]:
        """Parameters that statements at the end of the method declare already, by path."""
        return present_at_end(self.method)

    @cached_property
    def latents(self) -> tuple[Latent, ...]:
        """The new random attributes that the spec gives the class; the last of a name holds."""
        module, name = self.summary.cls.file.module, self.summary.cls.cls.qualname
        found = {
            latent.name: latent
            for latent in self.spec.latents
            if matches_class(latent.class_pattern, module, name)
        }
        return tuple(found.values())

    # Decisions

    def consult(self, path: str, layer: str = "", frozen: bool = False) -> Decision:
        """What the spec says of a site, which is not noted as one."""
        return self._first(self._keys(path, layer, frozen))

    def consult_in(self, cls: ModuleClass, name: str) -> Decision:
        """What the spec says of a parameter that others put into an instance of a class."""
        return decide(self.spec, SiteKey(cls.file.module, cls.cls.qualname, name, ""))

    @property
    def names_mentioned(self) -> Iterator[str]:
        """The names that rules end in, and one that stands for any other."""
        yield from (name for rule in self.spec.rules if (name := _ending(rule)).strip("*"))
        yield OTHER

    def decide(self, path: str, layer: str = "", line: int = 0, frozen: bool = False) -> Decision:
        """What becomes of a site; a comment on its line takes it out."""
        keys = self._keys(path, layer, frozen)
        self.keys += keys
        if line in self.summary.ignored_lines:
            return Decision(Keep(), None, spared="ignored")
        return self._first(keys)

    def decide_own(self, name: str, line: int, frozen: bool = False) -> Decision:
        """What becomes of an attribute of the class; a latent that was written decides itself."""
        decision = self.decide(name, line=line, frozen=frozen)
        for latent in self.latents:
            is_spared = decision.spared == "own" and has_wildcard(latent.class_pattern)
            if latent.name == name and not is_spared:
                decision = Decision(latent.action, None, latent=latent)
        return decision

    def decide_instance(
        self, path: str, layer: str, instance: str, frozen: bool, own: bool
    ) -> Decision:
        """What becomes of a site of an ``instance``; rules have to spell out the way to that.

        ``own``: its class declares it, in words of the user.
        """
        key = replace(self._key(path, layer, frozen), instance=instance)
        key = replace(key, own=key.own or own)
        self.keys.append(key)
        return decide(self.spec, key)

    def asks_for_frozen(self, path: str, decision: Decision, maybe: bool = False) -> bool:
        """Whether a site is declared only if run time shows that it is not frozen.

        ``maybe``: what makes it leaves that open. A rule without wildcards reaches it anyway.
        """
        if decision.rule is not None and not has_wildcard(decision.rule.match):
            return False
        return maybe or self.summary.may_be_frozen(path)

    def reaches_frozen(self, path: str, decision: Decision) -> bool:
        """Whether a rule without wildcards declares what is frozen, or may be."""
        if decision.rule is None or has_wildcard(decision.rule.match):
            return False
        frozen = self.summary.is_frozen(path) or self.summary.may_be_frozen(path)
        return frozen and not isinstance(decision.action, Keep)

    def chain(self, path: str, layer: str = "") -> ActionsByName:
        """What becomes of all parameters of a layer, whatever their names."""
        other = self.consult(subpath(path, OTHER), layer).action
        rest = ActionsByName(tuple(self._globs(path, layer, other)), other)
        names = {*map(_ending, self.spec.rules), *self._frozen_at(path)}
        found = {
            name: self.consult(subpath(path, name), layer).action
            for name in sorted(names)
            if name and ":" not in name and not has_wildcard(name)
        }
        named = (item for item in found.items() if item[1] != rest.of(item[0]))
        return ActionsByName((*named, *rest.mentioned), other)

    def _frozen_at(self, path: str) -> Iterator[str]:
        """Names that other classes freeze right below a path."""
        for frozen in self.summary.frozen_outside:
            around, _, name = frozen.rpartition(".")
            if around == path and all(item.name != frozen for item in self.summary.everything):
                yield name

    def _globs(self, path: str, layer: str, other: Action) -> list[tuple[str, Action]]:
        """Globs for names of parameters below a path that rules end in, the last rule first."""
        found: list[tuple[str, Action]] = []
        for rule in reversed(self.spec.rules):
            glob = _ending(rule)
            if has_wildcard(glob) and glob.strip("*"):
                decision = self.consult(subpath(path, glob), layer)
                if decision.rule is rule:
                    found.append((glob, decision.action))
        while found and found[-1][1] == other:
            found.pop()
        return found

    def _first(self, keys: Sequence[SiteKey]) -> Decision:
        """What the first key says that a rule decides, or the last of all."""
        decisions = [decide(self.spec, key) for key in keys]
        return next((found for found in decisions if found.rule is not None), decisions[-1])

    def _keys(self, path: str, layer: str, frozen: bool) -> list[SiteKey]:
        """The names of a site; of one in an instance its own name, then that which its class gives.

        What the class puts into an instance of another one is named as if that declared it.
        """
        key = self._key(path, layer, frozen)
        for instance, cls in self.put_into.items():
            if path.startswith(f"{instance}."):
                inner = path.removeprefix(f"{instance}.")
                there = replace(key, module=cls.file.module, qualname=cls.cls.qualname, path=inner)
                return [replace(key, instance=instance), there]
        return [key]

    def _key(self, path: str, layer: str, frozen: bool) -> SiteKey:
        cls = self.summary.cls
        frozen = frozen or self.summary.is_frozen(path)
        own = self.summary.by_hand.has(path)
        return SiteKey(cls.file.module, cls.cls.qualname, path, layer, frozen, own=own)

    # Records

    def record(
        self,
        path: str,
        decision: Decision,
        value: Declared | None,
        line: int,
        column: int = 0,
        *,
        layer: str = "",
        shape: tuple[str, ...] | None = None,
        there: str = "",
        hidden: bool = False,
    ) -> None:
        """Note a site with the declaration made for it, or that which stays, in words of the file.

        ``hidden``: it belongs to a layer that only run time shows.
        """
        self.report_if_spared(path, decision, line, column, layer)
        self._report_if_frozen(path, layer, decision, line)
        starts = starts_of(self.summary, path, layer, hidden)
        if value and path not in self.present and path not in self.within:
            self._check_starts(path, starts, decision, line, column)
        self._note_lambda(value)
        self.plans.append(
            SitePlan(
                path=path,
                line=line,
                column=(column or self.summary.columns.get(line, 0)) + 1,
                action=value.action if value and there else _action_name(decision),
                shape=_shape_of(value) if shape is None else f"[{', '.join(shape)}]",
                layer=layer,
                source=there or self._written(value),
                rule=_deciding(decision),
                beaten=tuple(map(_reference, decision.beaten)),
                spared=decision.spared,
                start=None if layer or hidden else _same_range(starts),
                foreign="**" in path and path.partition(".")[0] in self.foreign,
            )
        )

    def _note_lambda(self, value: Declared | None) -> None:
        if isinstance(value, PyroSample) and isinstance(value.prior, Lambda):
            self.by_lambda = True

    def _written(self, value: Declared | None) -> str:
        return write_value(value, self.names) if value else ""

    def is_parameter(self, source: str) -> str:
        """The test whether what an expression gives is a parameter."""
        return f"isinstance({source}, {self.names.say('nn')}.Parameter)"

    def report_if_spared(
        self, path: str, decision: Decision, line: int, column: int = 0, layer: str = ""
    ) -> None:
        """Report what stays plain, or obeys another rule, because another class freezes it."""
        by = self.summary.frozen_by(path)
        if by is None:
            return
        if decision.spared == "frozen":
            what = "stays plain"
        elif self._is_left_to(decision, path, layer):
            what = f"{self.rule_name(decision)} decides, as no wildcard reaches it"
        else:
            return
        message = f"self.{path} is frozen by {by.name} ({by.file}:{by.line}), and {what}"
        help = "keep it by a rule of its own, or do not freeze what is random"
        self.report(line, column, "PYR072", message, help)

    def _is_left_to(self, decision: Decision, path: str, layer: str) -> bool:
        """Whether another rule would decide, were a site not frozen by other classes."""
        own = [item for item in self.summary.all_parameters if item.name == path]
        is_frozen = self.summary.freezes_itself(path) or any(item.frozen for item in own)
        if decision.rule is None or is_frozen:
            return False
        key = replace(self._key(path, layer, frozen=False), frozen=False)
        return decide(self.spec, key).rule != decision.rule

    def _check_starts(
        self, path: str, starts: Iterable[Start], decision: Decision, line: int, column: int
    ) -> None:
        """Report a PyroParam that would, or might, start outside its constraint."""
        action = decision.action
        if not isinstance(action, Param) or action.init != "keep" or decision.rule is None:
            return
        try:
            for start in starts:
                check_start(action.constraint, *start)
        except RenderError as error:
            message = f"{self.rule_name(decision)} for self.{path}: {error.message}"
            self.report(line, column, error.code, message, error.help, path)

    def record_looped(self, path: str, parameter: LayerParameter | None, line: int) -> Decision:
        """Decide and note a site that a loop over several parameters declares."""
        layer = parameter.layer if parameter else ""
        decision = self.decide(path, layer)
        if self.reaches_frozen(path, decision):
            self._report_frozen(path, decision, line)
        value = self.render_looped(decision.action, line)
        if value and _reads_fans(decision.action) and parameter and not has_fans(parameter):
            self.render(decision.action, Place(f"self.{path}", "layer", ndim=1), line)  # says so
        self.record(path, decision, value, line, layer=layer, hidden=parameter is None)
        return decision

    def record_latent(self, latent: Latent, value: Declared) -> None:
        """Note a random attribute that the spec adds to the class."""
        cls = self.summary.cls.cls
        self._note_lambda(value)
        self.plans.append(
            SitePlan(
                path=latent.name,
                line=cls.line,
                column=cls.column + 1,
                action="sample",
                shape=_shape_of(value),
                source=self._written(value),
                rule=_latent_reference(latent),
            )
        )

    def put(self, there: There, indent: int, value: Declared) -> None:
        """Note what stands in place of a declaration, whose statement begins at ``indent``."""
        self.anew.append(Redeclaration(there.line, there.column, indent, value))

    def report_left(self, path: str, decision: Decision, line: int, column: int) -> None:
        """Note a declaration that stays although no rule, or one that keeps, speaks of it."""
        if decision.rule is None:
            message = f"self.{path} is declared already, but no rule of the spec is about it"
            self.report(line, column, "PYR067", message, self.unmentioned)
        else:
            message = f"self.{path} is declared already, but {self.rule_name(decision)} keeps it"
            help = f"restore the original: {self.restoring}"
            self.report(line, column, "PYR060", message, help)

    def report_single(self, decision: Decision, name: str, line: int) -> None:
        """Note the rules for single elements of a container whose length is not known."""
        for rule in decision.partial:
            self._report_element(rule, name, line)

    def report_element(self, path: str, name: str, line: int) -> None:
        """Note the rules for what is at a path, which is in a container that loses elements."""
        for rule in self.spec.rules:
            if rule.match.rpartition(":")[2] == f"{self.summary.cls.cls.qualname}.{path}":
                self._report_element(rule, name, line)

    def _report_element(self, rule: Rule, name: str, line: int) -> None:
        message = (
            f"{_name(rule)} addresses single elements of {name}, "
            "whose number is only known at run time"
        )
        help = "match all elements with *, or name them in the source"
        self.report(line, 0, "PYR061", message, help)

    def _report_frozen(self, path: str, decision: Decision, line: int) -> None:
        """Note a rule that names what may be frozen, which a loop asks for."""
        if self.at_run_time or self.summary.may_be_frozen(path):
            name = self.rule_name(decision)
            message = f"{name} names self.{path}, which may be frozen; a loop leaves that alone"
            self.report(line, 0, "PYR061", message, "do not freeze it, or keep it by a rule")

    def _report_if_frozen(self, path: str, layer: str, decision: Decision, line: int) -> None:
        """Note rules that would decide only where run time shows a parameter to be frozen."""
        if not self.summary.may_be_frozen(path):
            return
        key = replace(self._key(path, layer, frozen=True), frozen=True)
        frozen = decide(self.spec, key)
        deciding = (*decision.partial, decision.rule)
        for rule in (*frozen.partial, *([frozen.rule] if frozen.rule else [])):
            if rule not in deciding and not isinstance(rule.action, Keep):
                message = f"{_name(rule)} decides self.{path} only where that is frozen"
                help = "move it below the rules that beat it, or do not freeze the parameter"
                self.report(line, 0, "PYR061", message, help)

    def report_place(self, rule: Rule, path: str, line: int) -> None:
        """Note a rule that tells parameters apart by where they are, which a loop does not know."""
        message = f"{_name(rule)} is about a place in {path}, where a loop knows names and layers"
        help = "match by layer, by the name of the parameter, or spell out the whole way"
        self.report(line, 0, "PYR061", message, help)

    def report_instance(self, rule: Rule, path: str, cls: str, inner: str, line: int) -> None:
        """Note a rule for one instance, about what the class ``cls`` declares in all of them."""
        message = (
            f"{_name(rule)} is about one {cls}, in {path}, but {inner} is declared in all of them"
        )
        help = f"match {cls}.{inner}, for all of them"
        self.report(line, 0, "PYR061", message, help)

    def report_nested(self, path: str, looped: ActionsByName, layer: Layer, line: int) -> None:
        """Note rules about a layer at a path, where a loop treats the layer in another way."""
        for parameter in layer.parameters:
            decision = self.consult(subpath(path, parameter.name), layer.name)
            if decision.action != looped.of(parameter.name) and decision.rule is not None:
                self.report_place(decision.rule, path, line)

    @property
    def unmentioned(self) -> str:
        """What to do about a declaration that no rule is about."""
        return f"add a rule for it, or restore the original: {self.restoring}"

    @property
    def restoring(self) -> str:
        """The command that brings back the file as it was committed."""
        return f"git checkout -- {self.summary.cls.file.path}"

    def rule_name(self, decision: Decision) -> str:
        """How messages call the rule that decided."""
        assert decision.rule is not None
        return _name(decision.rule)

    def report(
        self, line: int, column: int, code: str, message: str, help: str = "", path: str = ""
    ) -> None:
        """Note a finding, once; without a column, where the statement of the line begins.

        ``path``: that of the one parameter which cannot be what it was to be.
        """
        cls = self.summary.cls
        column = column or self.summary.columns.get(line, 0)
        sites = (f"{cls.name}.{path}",) if path and "**" not in path else ()
        finding = Finding(cls.file.path, line, column + 1, code, message, help, cls.name, sites)
        if finding not in self.findings:
            self.findings.append(finding)

    # Source

    def render(self, action: Action, place: Place, line: int, column: int = 0) -> Declared | None:
        """A declaration by itself; None, with a finding, where the site cannot bear it."""
        made = self.declarations(action, place, line, column)
        return made[-1].value if len(made) == 1 else None

    def declarations(
        self, action: Action, place: Place, line: int, column: int = 0
    ) -> tuple[Declare, ...]:
        """What is declared; nothing, with a finding, where the site cannot bear it."""
        if isinstance(action, Keep):
            return ()
        place = replace(place, added=frozenset(self._added_to(place.owner)))
        if self.spec.options.follow_module:
            place = replace(place, function=self._function_of(place.target))
        names = self.names.spelling()
        try:
            made = render_declarations(action, place, names)
            functions = render_functions(action, place, names)
        except RenderError as error:
            message = f"{self._wish(action, place)}: {error.message}"
            path = place.target.removeprefix("self.") if place.target.startswith("self.") else ""
            help = error.help
            if error.code == NOT_SHOWN:  # what is declared there stays
                path, help = "", f"{help}, or restore the original: {self.restoring}"
            self.report(line, column, error.code, message, help, path)
            return ()
        self.names.use(*names.used)
        for source in functions:
            self.names.define(place.function, source)
        if isinstance(action, Sample | Deterministic) and place.owner.startswith("self"):
            self._note_reads(action, place, line, column)
        return made

    def _note_reads(
        self, action: Sample | Deterministic, place: Place, line: int, column: int
    ) -> None:
        """Note what a prior reads; report it where that leads back to its own site."""
        around = place.owner.removeprefix("self").removeprefix(".")
        path = place.target.removeprefix("self.")
        self.reads[path] = tuple(
            subpath(around, name) for name in attributes_read(action.expression)
        )
        reached = list(self.reads[path])
        for name in reached:
            reached += [read for read in self.reads.get(name, ()) if read not in reached]
        if path in reached:
            message = (
                f"the prior of {place.target} depends on itself: it reads {', '.join(reached)}"
            )
            help = "let one of these read none of the others"
            self.report(line, column, NOT_AT_THIS_SITE, message, help)

    def _added_to(self, owner: str) -> Iterator[str]:
        """The attributes that latents of the spec put on a module below ``self``."""
        for latent in self.latents:
            path, _, name = latent.name.rpartition(".")
            if path and owner == f"self.{path}":
                yield name

    def _wish(self, action: Action, place: Place) -> str:
        """What of the spec cannot be had, and where: ``rule 2 (**.bias) for self.fc1.bias``."""
        site = f" for {place.target}" if place.target.startswith("self.") else ""
        for rule in self.spec.rules:
            if rule.action is action:
                return f"{_name(rule)}{site}"
        return f"the prior{site}"

    def _function_of(self, target: str) -> str:
        """What to call the function that the prior of ``target`` becomes: ``net_scale_prior``."""
        cls = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.summary.cls.cls.name).lower()
        site = re.sub(r"\W+", "_", target.removeprefix("self.")).strip("_")
        return self.names.own(f"{cls.lstrip('_')}_{site}_prior")

    def render_looped(
        self, action: Action, line: int, layers: Sequence[Layer] = ()
    ) -> Declared | None:
        """The declaration of ``value``, whatever parameter of these layers that is."""
        return self.render(action, looped(layers), line)

    def assign(self, action: Action, owner: str, line: int, layers: Sequence[Layer] = ()) -> Block:
        """The statement that declares ``value``, which ``owner`` knows as ``name``, if any does."""
        value = self.render_looped(action, line, layers)
        if value is None:
            return ()
        return (DeclareNamed(owner, value, reads_weight=_reads_fans(action)),)

    def assign_by_name(
        self, chain: ActionsByName, owner: str, line: int, layers: Sequence[Layer] = ()
    ) -> Block:
        """Statements that declare ``value``, by what its ``name`` is; ``owner`` is such a layer."""
        otherwise = self.assign(chain.other, owner, line, layers)
        arms: list[tuple[Test, Block]] = []
        passed_by: list[str] = []
        for action, names in chain.names.items():
            if body := self.assign(action, owner, line, layers):
                arms.append((NameIs(tuple(names)), body))
            else:
                passed_by += names
        globs = [(glob, self.assign(action, owner, line, layers)) for glob, action in chain.globs]
        if not arms and not otherwise and not any(body for _, body in globs):
            return ()
        arms += [(NameFits(glob), body or (Continue(),)) for glob, body in globs]
        is_needed = passed_by and (otherwise or globs)
        skip = guarded(NameIs(tuple(passed_by)), [Continue()]) if is_needed else ()
        return (*skip, If(tuple(arms), otherwise)) if arms else (*skip, *otherwise)


def is_noncentered(action: Action) -> bool:
    """Whether an action declares noise beside the parameter."""
    return isinstance(action, Sample) and not action.centered


def _same_range(starts: Iterable[Start]) -> Range | None:
    """Between what a parameter begins, however it is made."""
    ranges = {values for _, values in starts}
    return ranges.pop() if len(ranges) == 1 else None


def _reads_fans(action: Action) -> bool:
    """Whether a prior depends on the inputs or outputs of its layer."""
    return isinstance(action, Sample | Deterministic) and reads_fans(action)


def needs_first_value(action: Action) -> bool:
    """Whether a PyroParam starts at what only the original parameter can tell."""
    return isinstance(action, Param) and not isinstance(action.init, float)


def measured(target: str, owner: str) -> Place:
    """A parameter of which only run time knows the shape."""
    return Place(target, owner, measured=target, initial=f"{target}.detach()")


def looped(layers: Sequence[Layer] = ()) -> Place:
    """The parameter ``value`` in a loop over those of a module, one of ``layers`` if there are any.

    A bias has the fans of its ``weight``, which for known layers has two dimensions or more.
    """
    known = [item for layer in layers for item in layer.parameters]
    value = replace(measured("value", "layer"), measured="weight")
    if known and all(map(has_fans, known)):
        return replace(value, fan_in="weight[0].numel()", fan_out="weight[:, 0].numel()")
    return value


def has_fans(parameter: LayerParameter) -> bool:
    """Whether a parameter of a layer has inputs and outputs, by itself or as its weight has."""
    return parameter.fan_in is not None or (parameter.ndim or 0) > 1


def _ending(rule: Rule) -> str:
    """The last name or glob of a rule, which ``**`` behind it takes in as well."""
    return rule.match.rpartition(":")[2].removesuffix(".**").rpartition(".")[2]


def _shape_of(value: Declared | None) -> str:
    """The shape a declaration expands its prior to; nothing where an argument brings it along."""
    batch = value.draw.batch if value and value.draw else None
    if isinstance(batch, tuple):
        return f"[{', '.join(batch)}]"
    return "" if batch is None or batch == "shape" else batch


def _action_name(decision: Decision) -> ActionName:
    """What becomes of a site; a loop that the user wrote may well draw what it reaches."""
    if isinstance(decision.action, Keep):
        return "sample" if decision.spared == "own" else "keep"
    return "param" if isinstance(decision.action, Param) else "sample"


def _name(rule: Rule) -> str:
    if rule.barred:
        return f"what cannot be random ({rule.match})"
    return f"rule {rule.index + 1} ({rule.match})"


def _deciding(decision: Decision) -> RuleRef | None:
    """What decides: a rule, or the latent that a site is."""
    if decision.latent is not None:
        return _latent_reference(decision.latent)
    barred = decision.rule is None or decision.rule.barred
    return None if barred or decision.rule is None else _reference(decision.rule)


def _latent_reference(latent: Latent) -> RuleRef:
    name = f"{latent.class_pattern}.{latent.name}"
    return RuleRef(latent.index, name, latent.line, "latents")


def _reference(rule: Rule) -> RuleRef:
    return RuleRef(rule.index, rule.match, rule.line)
