"""Old Pyro code to declarations: ``pyro.random_module``, ``poutine.lift`` and ``pyro.module``.

A lifted module whose class the spec converts has the priors of the spec; the script calls the
module itself. Any other becomes a PyroModule where it is made, with the script's own priors. A
guide that lifts draws the same sites by name. All code that lifts one module changes, or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from pyroify.checks.instances import Script
from pyroify.code.names import FileNames
from pyroify.decide.candidate import Candidate, Key
from pyroify.decide.model import Edit, LiftedPrior, SitePlan
from pyroify.decide.project import Candidates, matches
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.edits import kinds
from pyroify.migration.old_priors import as_spec, is_same, spec_rule, write_distribution
from pyroify.program.faults import looking_at
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite
from pyroify.spec.expressions import Call, to_text
from pyroify.spec.model import Sample
from pyroify.spec.render import RenderError
from pyroify.syntax import values
from pyroify.syntax.facts import File, LiftCall, LiftedModule, OldPrior
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Location

LEFT = "PYR043"
OVERRULED = "PYR066"
NOT_GIVEN = "PYR221"

Priors = dict[str, tuple[OldPrior, Call]]
"""Priors by the paths of parameters: as the script has them, and as the spec would."""

GUIDE = (
    "{pyro}.poutine.condition({module}, "
    "data={{name: {pyro}.sample(name, value) for name, value in {draws}.items()}})"
)
LOOP = """\
for {layer} in {module}.modules():
    for {name}, {value} in list({layer}.named_parameters(recurse=False)):
        if {value}.requires_grad:
            {prior} = {distribution}
            setattr({layer}, {name}, {sample}({prior}))"""


@dataclass(frozen=True, slots=True)
class Migration:
    """What becomes of the old code of one file; ``names`` are what the edits read."""

    file: File
    edits: tuple[Edit, ...] = ()
    names: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    lifted: tuple[LiftedPrior, ...] = ()
    """The priors that the file gives classes of the project."""


class _Left(Exception):
    """Why code that lifts a module stays as it is; ``help`` if there is more than usual to say."""

    def __init__(self, reason: str, help: str = "", code: str = LEFT) -> None:
        super().__init__(reason)
        self.help, self.code = help, code


@needs(*anywhere(LiftCall))
def migrate(
    project: Candidates,
    candidates: Mapping[Key, Candidate],
    selected: frozenset[str],
    limit: int | None,
) -> Iterator[Migration]:
    """Migrate the ``selected`` files; ``limit`` is the longest line to make, if it is set."""
    for file in project.index.files:
        if file.liftings and file.path in selected:
            with looking_at(file.path):
                migrator = _Migrator(project, candidates, selected, limit or file.line_length, file)
                migration = migrator.migration()
            yield migration


@dataclass
class _Migrator:
    project: Candidates
    candidates: Mapping[Key, Candidate]
    selected: frozenset[str]
    limit: int
    file: File
    names: FileNames = field(init=False)
    findings: list[Finding] = field(default_factory=list)
    lifted: list[LiftedPrior] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = FileNames(self.file)

    def migration(self) -> Migration:
        edits: list[Edit] = []
        for group in self._groups():
            lifts = [lifting for lifting in group if lifting.kind != "module"]
            try:
                edits += tuple(self._lifted(group, lifts) if lifts else self._registered(group))
            except _Left as reason:
                self._report(lifts or group, reason)
        return Migration(
            self.file,
            tuple(edits),
            frozenset(self.names.used),
            tuple(self.findings),
            tuple(self.lifted),
        )

    def _groups(self) -> Iterator[list[LiftCall]]:
        """The code about each module, less what is not about modules or left on request."""

        def module(lifting: LiftCall) -> tuple[int, str]:
            return lifting.module.scope, lifting.module.source

        about = [lifting for lifting in self.file.liftings if self._is_about_module(lifting)]
        for _, group in groupby(sorted(about, key=module), key=module):
            yield list(group)

    def _is_about_module(self, lifting: LiftCall) -> bool:
        """``poutine.lift`` and ``pyro.module`` have uses that need no migration."""
        if lifting.kind == "random_module" or self._class(lifting) is not None:
            return True
        maker = lifting.module.maker
        return bool(maker) and self.project.index.layer(maker, self.file.path) is not None

    # Classes

    @cached_property
    def script(self) -> Script:
        return Script(self.project, self.file, frozenset(self.candidates))

    @cached_property
    def modules(self) -> dict[Location, ModuleClass]:
        """Classes of the project that are lifted or registered, by the place of the call."""
        about = {(lifting.line, lifting.column): lifting for lifting in self.file.liftings}
        found = {}
        for call, at in self.script.calls:
            if lifting := about.get((call.line, call.column)):
                if cls := self._class_of_argument(lifting, call, at):
                    found[call.line, call.column] = cls
        return found

    def _class_of_argument(
        self, lifting: LiftCall, call: values.Call, at: CallSite
    ) -> ModuleClass | None:
        source = lifting.module.source
        for passed in call.args:
            if passed.text == source and (cls := self.script.sole_instance(passed.value, at)):
                return cls
        if lifting.kind == "module" and source.startswith("self."):
            # A PyroModule registers what it holds, layers of torch included.
            return self.script.instance(values.Argument("self"), at)
        return None

    def _class(self, lifting: LiftCall) -> ModuleClass | None:
        return self.modules.get((lifting.line, lifting.column))

    # Registering

    def _registered(self, group: Sequence[LiftCall]) -> Iterator[Edit]:
        """``pyro.module`` of a class that registers itself once it is converted."""
        for lifting in group:
            cls = self._class(lifting)
            if cls is None or not self.candidates[cls.key].converts:
                continue
            self._check_given(cls)
            if lifting.sampling.problem:
                raise _Left(
                    lifting.sampling.problem, "drop the call: a PyroModule registers its parameters"
                )
            yield from self._replaced(lifting, "", lifting.module.source)

    # Lifting

    def _lifted(self, group: Sequence[LiftCall], lifts: Sequence[LiftCall]) -> Iterator[Edit]:
        self._check(group, lifts)
        priors = self._priors([lifting for lifting in lifts if not lifting.sampling.returned])
        cls = next((found for lifting in group if (found := self._class(lifting))), None)
        if cls is not None and self.candidates[cls.key].wanted:
            self._check_spec(cls, lifts, priors)
        else:
            self._check_free(lifts[0], cls)
            yield self._declarations(lifts[0], priors)
        for lifting in group:
            module, sampling = lifting.module.source, lifting.sampling
            if sampling.returned:
                yield from self._replaced(lifting, sampling.before, self._guide(lifting))
                continue
            yield from self._replaced(lifting, sampling.before, module)
            for line, column in lifting.priors.statements:
                yield kinds.Statements(line, column, (), False, 0, self.limit)

    def _check(self, group: Sequence[LiftCall], lifts: Sequence[LiftCall]) -> None:
        """Raise where the form of the code allows no rewriting."""
        for lifting in group:
            if any(comment.covers(lifting.line, LEFT) for comment in self.file.suppressed):
                raise _Left("a comment says so")
            if problem := lifting.sampling.problem or lifting.module.problem:
                raise _Left(problem)
        others = [
            other.sampling.function
            for other in self.file.liftings
            if other.kind != "module" and other not in lifts
        ]
        here = [lifting.sampling.function for lifting in lifts]
        if len(set(here)) < len(here) or set(here) & set(others):
            raise _Left("one function lifts twice: sites of the same name would meet")

    def _priors(self, models: Sequence[LiftCall]) -> Priors:
        """The priors of the models, which have to agree, as the spec would have them."""
        found = [self._priors_of(lifting) for lifting in models]
        for other in found[1:]:
            differ = found[0].keys() != other.keys() or any(
                not is_same(call, other[path][1]) for path, (_, call) in found[0].items()
            )
            if differ:
                raise _Left("it has other priors elsewhere in the file")
        return found[0] if found else {}

    def _priors_of(self, lifting: LiftCall) -> Priors:
        if lifting.priors.problem:
            raise _Left(lifting.priors.problem)
        found: Priors = {}
        for prior in lifting.priors.each:
            if (call := as_spec(prior)) is None:
                raise _Left(f"the prior of {_name(prior)} is nothing a spec can say")
            _, other = found.setdefault(prior.path, (prior, call))
            if not is_same(other, call):
                raise _Left(f"{_name(prior)} has more than one prior")
        return found

    # Classes of the spec

    def _check_spec(
        self,
        cls: ModuleClass,
        lifts: Sequence[LiftCall],
        priors: Priors,
    ) -> None:
        """Raise unless the spec decides all that is lifted; report where it decides otherwise."""
        name = cls.cls.name
        if not self.candidates[cls.key].converts:
            raise _Left(f"{name} is not converted")
        self._check_given(cls)
        named = (
            (f"{cls.file.module}:{cls.cls.qualname}.{path}", c) for path, (_, c) in priors.items()
        )
        self.lifted += (LiftedPrior(match, to_text(call)) for match, call in named)
        for path, (prior, call) in priors.items():
            sites = list(self._sites(cls, path))
            without = [site for site in sites if site.rule is None and site.spared != "own"]
            if without or not sites:
                raise _Left(f"no rule of the spec is about {_name(prior)} of {name}")
            self._compare(cls, lifts[0], path, call, sites)
        if priors and any(lifting.sampling.returned for lifting in lifts):
            self._check_guide(cls, priors)

    def _check_guide(self, cls: ModuleClass, priors: Priors) -> None:
        """Raise where the spec makes more random than the script did: its guide knows no more."""
        drawn = [tuple(path.split(".")) for path in priors]
        for site in self._sites(cls, "**") if "**" not in priors else ():
            if site.action == "sample" and not any(matches(site.path, path) for path in drawn):
                raise _Left(f"the spec makes {site.path} random too, which the guide leaves out")

    def _check_given(self, cls: ModuleClass) -> None:
        path = cls.file.path
        if path not in self.selected and not cls.is_pyro:
            raise _Left(
                f"needs a change in {path}, which was not given",
                f"give {path} too, or the folder that holds both",
                NOT_GIVEN,
            )

    def _compare(
        self,
        cls: ModuleClass,
        lifting: LiftCall,
        path: str,
        call: Call,
        sites: Sequence[SitePlan],
    ) -> None:
        for site in sites:
            action = site.rule.action(self.project.spec) if site.rule else None
            if isinstance(action, Sample) and is_same(action.distribution, call):
                continue
            decided = to_text(action.distribution) if isinstance(action, Sample) else "no prior"
            gives = f"the spec gives it {decided}" if action else "the class has one of its own"
            name = cls.cls.name
            message = f"{site.path} of {name} had {to_text(call)} here; {gives}"
            help = f"to have it back, add the rule {spec_rule(name, path, call)}"
            self._find(lifting, OVERRULED, message, help)
            return

    def _sites(self, cls: ModuleClass, path: str, depth: int = 0) -> Iterator[SitePlan]:
        """The sites of a class, and of those it holds, that a path names; ``**`` names all."""
        if depth > 10:
            return
        parts = tuple(path.split("."))
        for item in cls.lineage:
            candidate = self.candidates.get(item.key)
            for site in candidate.all_sites if candidate else ():
                if path == "**" or matches(site.path, parts):
                    yield site
            if path == "**":
                for held in candidate.summary.held if candidate else ():
                    yield from self._sites(held, path, depth + 1)
        for held in self.project.classes_at(cls, parts[0]) if len(parts) > 1 else ():
            for start in range(1, len(parts)):
                yield from self._sites(held, ".".join(parts[start:]), depth + 1)

    # Modules of the script

    def _check_free(self, lifting: LiftCall, cls: ModuleClass | None) -> None:
        """Raise where the module belongs to others too, which would see it change."""
        module = lifting.module
        for key, candidate in self.candidates.items():
            if key[0] == self.file.path and module.inside == candidate.cls.cls.name:
                raise _Left(f"it belongs to the module class {module.inside}")
        for other in self.project.index.files:
            if f"{self.file.module}.{module.source}" in dict(other.imports).values():
                raise _Left(f"{other.path} imports it")
        held = [cls, *self.candidates[cls.key].summary.held] if cls is not None else []
        if any(self.candidates[item.key].ties for item in held if item.key in self.candidates):
            raise _Left("two of its parameters are one")

    def _declarations(self, lifting: LiftCall, priors: Priors) -> Edit:
        """The module as a PyroModule with its priors, right after it is made."""
        module = lifting.module
        if not priors:
            raise _Left("no prior of it is written out in this file")
        if module.made is None:
            raise _Left(f"{module.source} is not made by one statement of this file")
        line, column = module.made
        self.names.use("to_pyro_module_", "PyroSample")
        statements = [f"{self.names.local('to_pyro_module_')}({module.source})"]
        statements += [self._declaration(module, *given) for given in priors.values()]
        return kinds.Statements(line, column, tuple(statements), True, column, self.limit)

    def _declaration(self, module: LiftedModule, prior: OldPrior, call: Call) -> str:
        sample = self.names.local("PyroSample")
        if prior.path != "**":
            return f"{prior.target} = {sample}({self._distribution(prior, call, prior.target)})"
        free = {name: self._free(name, module) for name in ("layer", "name", "value", "prior")}
        distribution = self._distribution(prior, call, free["value"])
        return LOOP.format(module=module.source, sample=sample, distribution=distribution, **free)

    def _free(self, name: str, module: LiftedModule) -> str:
        """The name, if nothing else is called so where the module is made."""
        taken = {local for local, _ in (*self.file.imports, *self.file.aliases)}
        taken |= {item.name for item in self.file.functions}
        taken |= {item.name for item in self.file.classes}
        at_top = module.made is not None and module.made[1] == 0
        return f"{name}_" if name in (taken if at_top else taken | self.file.bound) else name

    def _distribution(self, prior: OldPrior, call: Call, target: str) -> str:
        try:
            return write_distribution(prior, call, target, self.names)
        except RenderError as error:
            raise _Left(error.message, error.help) from error

    # Guides

    def _guide(self, lifting: LiftCall) -> str:
        """The module with what the guide draws."""
        prefix, dot, _ = lifting.text.rpartition(".")
        is_known = lifting.kind == "random_module" and lifting.priors.by_name
        if not is_known or not dot or not prefix.isidentifier():
            raise _Left("the guide does not draw from a dict by parameter names")
        return GUIDE.format(pyro=prefix, module=lifting.module.source, draws=lifting.priors.source)

    # Edits

    def _replaced(self, lifting: LiftCall, before: str, value: str) -> Iterator[Edit]:
        """The edits that put ``value`` where the sampled or registered module was."""
        sampling = lifting.sampling
        if sampling.statement is not None:
            line, column = sampling.statement
            is_kept = before and (sampling.expression is None or sampling.returned)
            sources = (f"{before}{value}",) if is_kept else ()
            yield kinds.Statements(line, column, sources, False, column, self.limit)
        if sampling.expression is not None:
            line, column, old = sampling.expression
            is_named = sampling.returned and sampling.statement is not None
            new = before.removesuffix(" = ") if is_named else value
            yield kinds.Expressions(line, column, old, new)
        if sampling.plate is not None:
            line, column, leading = sampling.plate
            yield kinds.Plates(line, column, leading, ())

    # Findings

    def _report(self, group: Sequence[LiftCall], reason: _Left) -> None:
        for lifting in group:
            message = f"{lifting.text} of {lifting.module.source} stays: {reason}"
            help = reason.help or self._help(lifting)
            self._find(lifting, reason.code, message, help)

    def _find(self, lifting: LiftCall, code: str, message: str, help: str) -> None:
        place = (self.file.path, lifting.line, lifting.column + 1)
        self.findings.append(Finding(*place, code, message, help))

    def _help(self, lifting: LiftCall) -> str:
        """The rules to write, with the priors as far as they can be read."""
        cls = self._class(lifting)
        name = cls.cls.name if cls is not None else "Class"
        calls = [(prior.path, as_spec(prior)) for prior in lifting.priors.each]
        rules = dict.fromkeys(
            spec_rule(name, path, call) for path, call in calls if call is not None
        )
        given = ", ".join(rules) or f'{{match: "{name}.**", sample: "Normal(0, 1)"}}, say'
        return f"write its priors into the spec, {given}; call {lifting.module.source} itself"


def _name(prior: OldPrior) -> str:
    return "every parameter" if prior.path == "**" else prior.path
