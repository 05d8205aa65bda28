"""The edits of each file, from what is decided about its classes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pyroify.code.arrange import arranged, kept_within
from pyroify.code.following import following_call
from pyroify.code.names import SOURCES, Definition, FileNames
from pyroify.code.read import normal
from pyroify.code.statements import AnchorBuffer, Block, Statement, searches
from pyroify.code.undeclared import define_undeclared
from pyroify.code.write import write, write_value
from pyroify.decide.candidate import Candidate, Key
from pyroify.decide.declare import MethodDeclarations
from pyroify.decide.methods import methods_to_decorate
from pyroify.decide.model import Edit
from pyroify.decide.project import Candidates
from pyroify.decide.randomness import Randomness
from pyroify.decide.reaching import bare_containers, left_alone
from pyroify.edits import kinds
from pyroify.edits.bases import (
    base_edits,
    initialiser_edits,
    metaclass_edits,
    own_metaclass,
)
from pyroify.edits.originals import loading_statements
from pyroify.edits.reads import needs_anchor, read_edits, type_test_edits
from pyroify.edits.returns import declared_names, statements_before_declarations
from pyroify.edits.shared import (
    NAME,
    is_up_to_date,
    shared_conversion,
    shared_function,
    with_call,
)
from pyroify.edits.wraps import class_wraps, function_wraps, partial_wrap, partials
from pyroify.migration.migrate import Migration
from pyroify.planning.helpers import share_helpers
from pyroify.program.attributes.ties import late_source, tie_statements
from pyroify.program.faults import looking_at
from pyroify.program.ownership import foreign_definitions
from pyroify.program.resolve import Resolver
from pyroify.program.summary import OwnParameter, parameters_in
from pyroify.spec.model import Spec
from pyroify.syntax.facts import File, Function


@dataclass
class EditPlanner:
    """Writes edits for the classes that convert.

    ``limit`` is the longest line to make, or None for what each file keeps to.
    """

    candidates: Mapping[Key, Candidate]
    resolver: Resolver
    limit: int | None
    spec: Spec
    project: Candidates
    """With nothing random but what is made so in the classes that convert."""
    paths: frozenset[str]
    """The files whose edits are asked for."""

    def files(
        self, migrations: Iterable[Migration] = (), helper_modules: Collection[str] = ()
    ) -> dict[str, tuple[Edit, ...]]:
        """The edits of every file that has to change, by path.

        ``helper_modules`` are those of them that may come to hold what others import.
        """
        edits: dict[str, dict[Edit, None]] = {}
        names: dict[str, FileNames] = {}
        for path, conversion in self._shared.items():
            file = self.resolver.index.file(path)
            assert file is not None
            if not is_up_to_date(file, conversion):
                spelling = names[path] = FileNames(file)
                spelling.definitions[NAME] = Definition(shared_function(conversion, spelling))
                edits.setdefault(path, {})
        for candidate in self._converting:
            path = candidate.cls.file.path
            with looking_at(path):
                made = dict.fromkeys(self._of_class(candidate))
            if made or candidate.names.definitions:
                edits.setdefault(path, {}).update(made)
                names.setdefault(path, FileNames(candidate.cls.file)).take_over(candidate.names)
        if any(candidate.converts for candidate in self.candidates.values()):
            self._of_functions(edits, names)
            self._of_partials(edits, names)
            self._of_metaclasses(edits, names)
        if edits:
            for file in self.resolver.index.files:
                if file.path not in self.paths or not file.type_tests:
                    continue
                left = [
                    self.candidates[key].cls.cls for key in self._refused if key[0] == file.path
                ]
                spelling = FileNames(file)
                with looking_at(file.path):
                    tests = dict.fromkeys(type_test_edits(file, left, self._derived_from, spelling))
                if tests:
                    edits.setdefault(file.path, {}).update(tests)
                    names.setdefault(file.path, spelling).take_over(spelling)
        for moved in migrations:
            if moved.edits:
                edits.setdefault(moved.file.path, {}).update(dict.fromkeys(moved.edits))
                names.setdefault(moved.file.path, FileNames(moved.file)).use(*moved.names)
        share_helpers(names, self.resolver.index, self.spec.options.helpers, helper_modules)
        for path, needed in names.items():
            file = self.resolver.index.file(path)
            with looking_at(path):
                limit = self._limit(file or File(path, ""))
                edits.setdefault(path, {}).update(dict.fromkeys(_of_whole_file(needed, limit)))
        return {path: tuple(found) for path, found in edits.items()}

    @cached_property
    def _converting(self) -> list[Candidate]:
        """The classes of these files that convert."""
        own = (item for item in self.candidates.values() if item.cls.file.path in self.paths)
        return [candidate for candidate in own if candidate.converts]

    @cached_property
    def _derived_from(self) -> frozenset[str]:
        """Layers of torch that classes of the project derive from, by name."""
        layers = (candidate.cls.library_base for candidate in self.candidates.values())
        return frozenset(layer.name for layer in layers if layer is not None)

    @cached_property
    def _refused(self) -> frozenset[Key]:
        return frozenset(
            key
            for key, candidate in self.candidates.items()
            if candidate.wanted and candidate.refused
        )

    @cached_property
    def _plain(self) -> frozenset[Key]:
        """The refused classes that stay plain modules: no base makes PyroModules of them."""
        return frozenset(
            key
            for key in self._refused
            if not any(
                base.key in self.candidates and self.candidates[base.key].converts
                for base in self.candidates[key].cls.lineage[1:]
            )
        )

    @cached_property
    def _left_alone(self) -> Mapping[str, frozenset[str]]:
        return left_alone(self.resolver.index, self.candidates)

    def _limit(self, file: File) -> int:
        return self.limit or file.line_length

    @cached_property
    def _tails(self) -> dict[tuple[Key, str], Block]:
        """What each method of a converting class has to end in."""
        tails: dict[tuple[Key, str], Block] = {}
        for candidate in self._converting:
            with looking_at(candidate.cls.file.path):
                for method, declared in candidate.stages:
                    name = method.name if method else ""
                    tails[candidate.key, name] = self._statements(candidate, method, declared)
        return tails

    @cached_property
    def _shared(self) -> dict[str, Block]:
        """What functions hold that several classes of a file call, by path."""
        by_file: dict[str, list[Block]] = {}
        for ((path, _), _), tail in self._tails.items():
            by_file.setdefault(path, []).append(tail)
        found = {}
        for path, tails in by_file.items():
            file = self.resolver.index.file(path)
            conversion = shared_conversion(file, tails) if file and len(tails) > 1 else ()
            if file and conversion and not self._is_edited(file, conversion):
                found[path] = conversion
        return found

    def _is_edited(self, file: File, conversion: Block) -> bool:
        """Whether the user has made the shared function his own."""
        foreign = NAME in foreign_definitions(self.resolver.index, file)
        return foreign and not is_up_to_date(file, conversion)

    def _of_functions(
        self, edits: dict[str, dict[Edit, None]], names: dict[str, FileNames]
    ) -> None:
        """Layers built by functions that classes call, unless all of these stay as they are."""
        staying = {key for key, candidate in self.candidates.items() if not candidate.converts}
        for path, name in list(self.resolver.functions):
            if path not in self.paths or self.resolver.users[path, name] <= staying:
                continue
            file = self.resolver.index.file(path)
            with looking_at(path):
                found = {}
                if file:
                    limit = self._limit(file)
                    made = function_wraps(file, name, self.resolver, limit, self._plain)
                    found = dict.fromkeys(made)
            if file and found:
                edits.setdefault(path, {}).update(found)
                names.setdefault(path, FileNames(file)).use("PyroModule")

    def _of_partials(self, edits: dict[str, dict[Edit, None]], names: dict[str, FileNames]) -> None:
        """Partials of layers by which classes that convert make what changes."""
        converting = (candidate for candidate in self.candidates.values() if candidate.converts)
        made = (found for item in converting for found in partials(item, self.resolver))
        for path, partial in dict.fromkeys(made):
            file = self.resolver.index.file(path) if path in self.paths else None
            if file is not None:
                spelling = names.setdefault(path, FileNames(file))
                edit = partial_wrap(partial, spelling, self._limit(file))
                edits.setdefault(path, {})[edit] = None

    def _of_metaclasses(
        self, edits: dict[str, dict[Edit, None]], names: dict[str, FileNames]
    ) -> None:
        """Metaclasses of the project by which classes that convert are made."""
        index = self.resolver.index
        converting = (candidate for candidate in self.candidates.values() if candidate.converts)
        for file, metaclass in filter(None, (own_metaclass(i.cls, index) for i in converting)):
            if file.path in self.paths:
                spelling = names.setdefault(file.path, FileNames(file))
                made = metaclass_edits(metaclass, spelling)
                edits.setdefault(file.path, {}).update(dict.fromkeys(made))

    def _of_class(self, candidate: Candidate) -> Iterator[Edit]:
        has_subclasses = bool(self.resolver.subclasses.get(candidate.key))
        yield from base_edits(candidate, self.candidates, self.resolver.index)
        yield from initialiser_edits(candidate, has_subclasses)
        for method, declared in candidate.stages:
            yield from self._in_place(candidate, method, declared)
            if declared.left:
                continue
            tail = self._tails[candidate.key, method.name if method else ""]
            shared = self._shared.get(candidate.key[0])
            tail = with_call(tail, shared) if shared else tail
            yield from self._at_end(candidate, method, tail)
        yield from class_wraps(
            candidate, self.resolver, self._limit(candidate.cls.file), self._plain
        )
        randomness = Randomness(self.project, candidate.summary)
        random, by_hand = randomness.names, randomness.by_hand
        yield from read_edits(candidate.summary, random, candidate.own_random & random, by_hand)
        for function, position in methods_to_decorate(candidate.summary, randomness):
            candidate.names.use("pyro_method")
            local = candidate.names.local("pyro_method")
            yield kinds.Methods(function.line, function.column, local, position)

    def _statements(
        self, candidate: Candidate, method: Function | None, declared: MethodDeclarations
    ) -> Block:
        """What a method has to end in."""
        if searches(declared.statements):
            left = self._left_alone.get(candidate.key[0], frozenset())
            define_undeclared(candidate.names, left, bare_containers(self.candidates))
        follows = self.spec.options.follow_module and _has(declared, "sample")
        last: list[Statement] = [following_call(candidate.names)] if follows else []
        if method is not None and method is not candidate.summary.constructor:
            return (*declared.latents, *declared.statements, *last)
        before, after = self._tie_statements(candidate)
        if self.spec.options.load_original_state_dict and _has(declared, "sample", "param"):
            last += loading_statements(candidate.names, declared.sites, self.spec)
        if needs_anchor(candidate.summary):
            before.insert(0, AnchorBuffer())
        return (*declared.latents, *before, *declared.statements, *after, *last)

    @staticmethod
    def _tie_statements(candidate: Candidate) -> tuple[list[Statement], list[Statement]]:
        """What makes second names read what is declared: before the declarations, and after."""
        if not candidate.ties:
            return [], []
        return tie_statements(candidate.read_ties, candidate.names, candidate.late_ties)

    def _in_place(
        self, candidate: Candidate, method: Function | None, declared: MethodDeclarations
    ) -> Iterator[Edit]:
        for frozen in declared.buffers:
            for item in frozen.assignments:
                if made := parameters_in(item.value):
                    starts = tuple(parameter.initial for parameter in made)
                    yield kinds.Buffers(item.line, item.column, frozen.name, starts)
        yield from self._of_ties(candidate)
        limit = self._limit(candidate.cls.file)
        stages = candidate.summary.stages
        covered = next((found for ending, found in stages if ending is method), ())
        for parameter in candidate.summary.parameters(covered):
            if values := declared.in_place.get(parameter.name):
                sources = [write_value(value, candidate.names) for value in values]
                yield from _replaced(parameter, sources, limit)
        for new in declared.anew:
            source = write_value(new.value, candidate.names)
            yield kinds.Parameters(new.line, new.column, source, new.indent, limit, trailing=0)

    def _of_ties(self, candidate: Candidate) -> Iterator[Edit]:
        """Ties to what has been declared by then, where they are made."""
        for tie in candidate.late_ties:
            if (item := tie.late) is None:
                continue
            source = late_source(tie, candidate.names)
            if item.how == "register":
                text = f"self.{tie.left} = {source}"
                limit = self._limit(candidate.cls.file)
                yield kinds.Registrations(item.line, item.column, text, item.column, limit)
            else:
                old = item.local or f"self.{tie.right}"
                yield kinds.Expressions(item.value_line, item.value_column, old, source)

    def _at_end(
        self, candidate: Candidate, method: Function | None, statements: Block
    ) -> Iterator[Edit]:
        texts = [write(statement, candidate.names) for statement in statements]
        if method is None:
            if texts:
                cls = candidate.cls.cls
                indent, limit = cls.body_column + 4, self._limit(candidate.cls.file)
                yield kinds.Constructors(cls.line, cls.column, tuple(texts), indent, limit)
            return
        wanted = [normal(statement, candidate.names) for statement in statements]
        existing = tuple(there.statement for there in method.declarations)
        by_hand = candidate.summary.by_hand
        theirs = frozenset(existing) if by_hand.is_throughout else by_hand.statements
        made = arranged(kept_within(wanted, existing, theirs), existing)
        if made != existing:
            sources = dict(zip(wanted, texts, strict=True))
            for there in method.declarations:
                if there.statement in theirs:
                    sources[there.statement] = there.text
            indent, limit = method.column + 4, self._limit(candidate.cls.file)
            yield kinds.Declarations(
                method.line,
                method.column,
                tuple(sources[statement] for statement in made),
                made,
                existing,
                indent,
                limit,
                _position(candidate, method),
            )


def _position(candidate: Candidate, method: Function) -> int | None:
    """How many statements stand before the declarations; None for all."""
    if method.exit is None:
        return None
    if method.declarations:
        return method.exit.before if method.declarations[0].line < method.exit.line else None
    declared = declared_names(candidate.summary, candidate.sites)
    return statements_before_declarations(candidate.summary, method, declared)


def _replaced(parameter: OwnParameter, sources: Sequence[str], limit: int) -> Iterator[Edit]:
    """Declarations in place of what made the parameter."""
    made = [(item, call) for item in parameter.assignments for call in parameters_in(item.value)]
    for (item, call), source in zip(made, sources, strict=True):
        if item.how == "register":
            text = f"self.{parameter.name} = {source}"
            yield kinds.Registrations(item.line, item.column, text, item.column, limit)
        else:
            layout = (item.column, limit, call.trailing)
            yield kinds.Parameters(call.line, call.column, source, *layout)


def _has(declared: MethodDeclarations, *actions: str) -> bool:
    """Whether a method declares, for pyroify, what one of these actions makes."""
    return any(site.action in actions and site.spared != "own" for site in declared.sites)


def _of_whole_file(names: FileNames, limit: int) -> Iterator[Edit]:
    if names.definitions:
        for made in names.definitions.values():
            names.use(*(need for need in made.needs or () if need in SOURCES))
        sources = tuple(made.source for made in names.definitions.values())
        yield kinds.Definitions(1, 0, sources, limit)
    imports, dropped = names.imports(), names.definitions.keys() & names.helpers.keys()
    if imports or dropped:
        yield kinds.Imports(1, 0, imports, frozenset(dropped))
