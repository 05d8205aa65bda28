"""Code that runs when a module is called, and what it does with draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pyroify.catalog.calls import computes_weight, uncomputes_weight
from pyroify.checks.subject import Subject, uses_in
from pyroify.decide.project import declared
from pyroify.decide.replaceable import becomes_buffer
from pyroify.decide.visibility import find_unseen, unseen_of
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.edits.reads import movable
from pyroify.program.attributes.copies import with_copied
from pyroify.program.attributes.frozen import FrozenBy
from pyroify.program.attributes.puts import put_into_instances
from pyroify.program.attributes.ties import Tie, find_ties
from pyroify.program.index import Base, ModuleClass
from pyroify.program.summary import ClassSummary, declared_in
from pyroify.program.values import (
    ClassInstance,
    ContainerInstance,
    is_opaque,
    is_plain_throughout,
)
from pyroify.syntax.access_paths import paths_of
from pyroify.syntax.facts import (
    Assignment,
    AttributeStore,
    ExistingDeclaration,
    Freeze,
    Function,
    Plate,
    Use,
    Write,
)
from pyroify.syntax.liftings import KINDS
from pyroify.syntax.traits import BEYOND_LAYERS, anywhere, called, later
from pyroify.syntax.values import (
    Call,
    Constant,
    Name,
    OneOf,
    Parameter,
    Path,
    SelfRead,
    Unknown,
    Value,
    calls_in,
    options_of,
    walk,
)

CACHES = {"functools.lru_cache", "functools.cache"}
STATEMENTS = {"pyro.sample", "pyro.primitives.sample", "pyro.param", "pyro.primitives.param"}


@needs(Plate)
def late_child(subject: Subject) -> Iterator[Finding]:
    """A layer that becomes random, called first inside a plate, on what is made inside."""
    # What was random before is drawn there on purpose.
    by_hand = subject.randomness.by_hand
    subject = replace(subject, project=subject.project.anew)
    own = {parameter.name for parameter in subject.summary.all_parameters}
    for method in subject.methods:
        for plate in method.plates:
            free = movable(method, plate, by_hand)
            moved = {line for first, last in free for line in range(first, last + 1)}
            before = {
                use.path[0]
                for use in method.uses
                if use.line < plate.line and use.within not in KINDS  # registering draws nothing
            }
            for use in method.uses:
                if use.plate != (plate.line, plate.column) or use.line in moved:
                    continue
                if use.path[0] not in own | before and subject.randomness.draws(use):
                    yield subject.finding(
                        use.line,
                        use.column,
                        "PYR004",
                        f"self.{use.path[0]} is random, and first read inside the plate",
                        "read its parameters before the plate",
                    )


@needs(*called(*STATEMENTS))
def same_site(subject: Subject) -> Iterator[Finding]:
    """A statement of Pyro with the name of a random parameter."""
    calls = [call for method in subject.methods for call in method.layer_calls]
    names = {name: None for call in calls if (name := _statement_name(call))}
    for name in names:
        path = tuple(name.split("."))
        if not subject.is_declared(path):
            continue
        for method in subject.methods:
            for item in method.assignments:
                if item.path == path[:1]:
                    yield subject.finding(
                        item.line,
                        item.column,
                        "PYR006",
                        f"self.{name} becomes a site called {name}, as a statement of Pyro is",
                        "give one of the two another name",
                    )


def _statement_name(call: Call) -> str:
    """The name in ``pyro.sample("name", ...)``."""
    if not isinstance(call.callee, Name) or call.callee.dotted not in STATEMENTS or not call.args:
        return ""
    name = call.args[0].value
    return name.unquoted if isinstance(name, Constant) else ""


@needs((Function, "generator"), (Function, "coroutine"))
def late_body(subject: Subject) -> Iterator[Finding]:
    """A generator or coroutine that draws: its body runs after the call that Pyro sees."""
    called = {name for method in subject.methods for name in method.self_calls}
    for method in subject.methods:
        if not method.generator and not method.coroutine:
            continue
        if method.name.startswith("_") and method.name in called:
            continue
        if subject.randomness.is_drawing(method):
            kind = "generator" if method.generator else "coroutine"
            yield subject.finding(
                method.line,
                method.column,
                "PYR013",
                f"{method.name} is a {kind} that reads random parameters",
                "call it from forward only, or return a list",
            )


@needs((Assignment, "below"), (Base, "local"), *later(Assignment), *anywhere(AttributeStore))
def hidden_by_value(subject: Subject) -> Iterator[Finding]:
    """A plain value set over a parameter that has been declared."""
    ties = {tie.left for tie in find_ties(subject.summary)}
    puts = put_into_instances(subject.summary, subject.methods, subject.summary.everything)
    added = {(put.line, put.column) for put in puts}
    for method in subject.methods:
        building = method.name in subject.building
        for item in method.assignments:
            if item.path[1:] and item.path[-1] == "_parameters":
                item = replace(item, path=(*item.path[:-1], "*"))
            elif item.how not in ("assign", "chain", "tuple", "register") or not item.path:
                continue
            if declared_in(item.value) or (building and ".".join(item.path) in ties):
                continue
            if isinstance(item.value, Parameter) and (
                len(item.path) == 1 or (item.line, item.column) in added
            ):
                continue
            yield from _hiding(subject, item.path, item, building)
        for put, owners in subject.puts(method):
            if declared_in(put.value) or (put.line, put.column) in added:
                continue
            for owner in owners:
                yield from _hiding(subject, (*owner, put.name), put, building)


@needs((Use, "delete"))
def deleted_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter that a method deletes, and its prior with it."""
    for method in subject.methods:
        building = method.name in subject.building
        late = subject.is_declared_before if building else subject.is_declared
        for use in method.uses:
            if use.how == "delete" and late(use.path):
                yield subject.finding(
                    use.line,
                    use.column,
                    "PYR020",
                    f"self.{'.'.join(use.path)} is deleted, and its prior with it",
                    "keep the parameter",
                    subject.sites_at(use.path),
                )


@needs(*later(*called("register_parameter")))
def registered_again(subject: Subject) -> Iterator[Finding]:
    """A name that only run time shows, registered where the parameters of a class have priors."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for call in method.layer_calls:
            match call:
                case Call(callee=SelfRead(path=(*owner, "register_parameter")), args=(name, *_)):
                    looped = ".".join((*owner, "**"))
                case _:
                    continue
            holders = [c for c in subject.cls.lineage if looped in subject.project.of(c).declared]
            if holders and not isinstance(name.value, Constant):
                yield subject.finding(
                    call.line,
                    call.column,
                    "PYR020",
                    f"{call.text} fails for a name that has a prior by then, as {name.text} may be",
                    "keep the parameters, or write setattr(self, name, nn.Parameter(value))",
                    [f"{holder.name}.{looped.removesuffix('*')}" for holder in holders],
                )


@needs(*later((Call, Name)))
def weight_computed_later(subject: Subject) -> Iterator[Finding]:
    """``remove_weight_norm(self.conv)``, or ``prune``, in a method that runs after construction."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for call in method.layer_calls:
            name = call.callee.dotted if isinstance(call.callee, Name) else ""
            if not call.args or not (computes_weight(name) or uncomputes_weight(name)):
                continue
            for path in paths_of(call.args[0].value):
                if sites := subject.sites_at(path):
                    yield subject.finding(
                        call.line,
                        call.column,
                        "PYR020",
                        f"{call.text} replaces parameters of self.{'.'.join(path)}, which are "
                        "drawn by then",
                        "keep them, or do it in the constructor",
                        sites,
                    )


def _hiding(
    subject: Subject, path: Path, at: Assignment | AttributeStore, building: bool
) -> Iterator[Finding]:
    """That ``self.<path>`` is set to a plain value where it has been declared."""
    late = subject.is_declared_before if building else subject.is_declared
    if late(path):
        yield subject.finding(
            at.line,
            at.column,
            "PYR020",
            f"self.{'.'.join(path)} is set after its prior, which the value hides",
            "keep the parameter, or store the value under another name",
            sorted(subject.sites_at(path)),
        )


@needs((Assignment, SelfRead))
def tied_too_late(subject: Subject) -> Iterator[Finding]:
    """A tie to what another class has declared, made where no declaration can stand yet."""
    for tie in find_ties(subject.summary):
        if tie.late is None or not subject.is_declared(tuple(tie.right.split("."))):
            continue
        is_plain = subject.at_run_time and "." in tie.left
        if is_plain or tie.condition != "":
            yield subject.finding(
                tie.line,
                tie.column,
                "PYR020",
                f"self.{tie.left} is set to self.{tie.right}, which is drawn by then",
                "keep the parameter, or tie the two in the class that makes it",
                _sides(subject, tie),
            )


def _sides(subject: Subject, tie: Tie) -> tuple[str, ...]:
    """The parameters on both sides of a tie."""
    left, right = (subject.sites_at(tuple(side.split("."))) for side in (tie.left, tie.right))
    return (*left, *right) if right else ()


@needs(*later(Assignment))
def cached_draw(subject: Subject) -> Iterator[Finding]:
    """A value of random parameters that the first call stores for the others."""
    for method in subject.methods:
        if method.name in subject.building:
            continue
        for item in method.assignments:
            if not item.path or isinstance(item.value, Parameter):
                continue
            if not _is_asked_for_before(method, item) or _is_state(method, item):
                continue
            use = next((u for u in uses_in(method, item) if subject.randomness.draws(u)), None)
            if use is not None:
                yield subject.finding(
                    item.line,
                    item.column,
                    "PYR021",
                    f"self.{'.'.join(item.path)} keeps the first draw of self.{use.path[0]}",
                    "compute it where it is read",
                    subject.sites_drawn(use.path),
                )


@needs((Assignment, Unknown))
def draw_of_another(subject: Subject) -> Iterator[Finding]:
    """``self.scale = other.scale``, where the other instance draws it: one draw, kept for good."""
    summary = subject.summary
    for method in subject.methods:
        for item in method.assignments if method.name in subject.building else ():
            for value in options_of(item.value):
                if not isinstance(value, Unknown) or value.owner is None or not value.path:
                    continue
                for node in options_of(summary.resolver.resolve(value.owner, summary.scope)):
                    if isinstance(node, ClassInstance):
                        yield from _kept_draw(subject, item, node.cls, value.path)


def _kept_draw(
    subject: Subject, item: Assignment, cls: ModuleClass, path: Path
) -> Iterator[Finding]:
    if subject.project.leads_to(cls, path, declared):
        sites = dict.fromkeys(subject.project.sites_at(cls, path))
        yield subject.finding(
            item.line,
            item.column,
            "PYR021",
            f"self.{'.'.join(item.path)} keeps the first draw of {cls.cls.name}.{'.'.join(path)}",
            "read it where it is used, of the instance that has it",
            (
                f"{subject.cls.name}.{'.'.join(item.path)}",
                *(f"{owner.name}.{site}" for owner, site in sites),
            ),
        )


def _is_asked_for_before(method: Function, item: Assignment) -> bool:
    """Whether a method looks at an attribute before it sets it, as a cache does."""
    if any(
        use.path == item.path and use.how == "read" and use.line <= item.line for use in method.uses
    ):
        return True
    return any(
        isinstance(call.callee, Name)
        and call.callee.dotted == "hasattr"
        and call.line < item.line
        and any(passed.value == Constant(repr(item.path[-1])) for passed in call.args)
        for call in method.layer_calls
    )


def _is_state(method: Function, item: Assignment) -> bool:
    """Whether each call computes an attribute anew, from its own value or whatever that was."""
    chosen = isinstance(item.value, OneOf) and SelfRead(item.path) in item.value.options
    reads_itself = any(use.path == item.path for use in uses_in(method, item))
    return not chosen and (reads_itself or _always_runs(method, item))


def _always_runs(method: Function, item: Assignment) -> bool:
    """Whether a method that is called gets to an assignment, which a cache makes but once."""
    is_unconditional = all(branch[0] in ("with", "for") for branch in item.branches)
    return is_unconditional and not any(line < item.line for line in method.return_lines)


@needs(*((Function, decorator) for decorator in CACHES))
def cached_method(subject: Subject) -> Iterator[Finding]:
    """A method whose result is cached, with the draws in it."""
    for method in subject.methods:
        if CACHES & set(method.decorators) and subject.randomness.is_drawing(method):
            yield subject.finding(
                method.line,
                method.column,
                "PYR021",
                f"{method.name} keeps its first result, and with it the first draw",
                "remove the cache",
                subject.sites_drawn((method.name,)),
            )


@needs(*anywhere(Write))
def written_draw(subject: Subject) -> Iterator[Finding]:
    """A write in place into a parameter while the module is called."""
    for method in subject.methods:
        if method.name not in subject.calling:
            continue
        for write in subject.writes(method):
            if subject.is_declared(write.path):
                yield subject.finding(
                    write.line,
                    write.column,
                    "PYR022",
                    f"{method.name} writes into self.{'.'.join(write.path)}, which is a draw",
                    "compute a new tensor, or keep the parameter",
                    subject.sites_at(write.path),
                )


@needs(BEYOND_LAYERS, AttributeStore, ExistingDeclaration, *anywhere(Freeze))
def thawed_parameter(subject: Subject) -> Iterator[Finding]:
    """A frozen parameter that stays one, and that Pyro's global store makes trainable."""
    for name, line, column in _frozen_there(subject):
        yield subject.finding(
            line,
            column,
            "PYR008",
            f"{name} is frozen, or may be, and Pyro's global store trains it all the same",
            "train with pyro.settings.set(module_local_params=True), or make it a buffer",
        )


def _frozen_there(subject: Subject) -> Iterator[tuple[str, int, int]]:
    """Frozen parameters that PyroModules read, and where they are made, or frozen if unseen."""
    seen = tuple(_frozen_in_sight(subject))
    for name, item in seen:
        yield name, item.line, item.column
    for _, covered in subject.summary.stages:
        for put in put_into_instances(
            subject.summary, covered, subject.summary.attributes(covered)
        ):
            if any(made.frozen is not False for made in put.parameters):
                yield (
                    f"what is put into {put.owners[0].cls.name} as {put.name}",
                    put.line,
                    put.column,
                )
    if subject.at_run_time:
        for _, covered in subject.summary.stages[:1]:
            unseen = find_unseen(subject.summary, covered, subject.summary.attributes(covered))
            whole = [freeze for freeze in subject.summary.freezes if not freeze.path]
            if unseen.own and whole:
                yield "a parameter of self", whole[-1].line, 0
        said = {item.path[0] for _, item in seen if item.path}
        yield from (found for name, found in _frozen_out_of_sight(subject) if name not in said)


def _frozen_out_of_sight(subject: Subject) -> Iterator[tuple[str, tuple[str, int, int]]]:
    """What other classes freeze after the loop has come upon it, by name, where no source shows."""
    summary, cls = subject.summary, subject.cls.cls
    opaque = [item for item in summary.everything if is_opaque(item.node) and item.assignments]
    places = {i.name: (i.assignments[0].line, i.assignments[0].column) for i in opaque}
    if _goes_over_all(summary):
        attached = (inner.names_attached for inner in summary.lineage)
        frozen = {"".join(by.path[:1]) for by in summary.frozen_by_others}
        hidden = frozen.difference(*attached)
        places |= dict.fromkeys(hidden, (cls.line, cls.column))
    for by in summary.frozen_by_others:
        if (name := "".join(by.path[:1])) in places:
            yield name, (".".join(("self", *by.path)), *places[name])


def _frozen_in_sight(subject: Subject) -> Iterator[tuple[str, Assignment]]:
    summary, sites = subject.summary, subject.project.of(subject.cls)
    for own in summary.all_parameters:
        frozen = own.frozen is not False or summary.is_frozen(own.name)
        maybe = summary.may_be_frozen(own.name)
        if own.declared is None and (frozen or maybe) and not becomes_buffer(own, summary):
            yield f"self.{own.name}", own.assignments[0]
    for tie in summary.ties:
        frozen = summary.is_frozen(tie.left) or summary.may_be_frozen(tie.left)
        names = tuple(tie.left.split("."))
        there = [item for item in summary.attached_as(names[0]) if item.path == names]
        if frozen and there and tie.left not in sites.declared:
            if len(names) == 1 or _is_converted(subject, tie.left):
                yield f"self.{tie.left}", there[-1]
    seen = {""}
    for held in summary.everything:
        made = [item for item in walk(held.node) if isinstance(item, Parameter)]
        frozen = any(parameter.frozen is not False for parameter in made)
        if held.name and frozen and _is_converted(subject, f"{held.name}.*"):
            seen.add(held.name)
            yield f"a parameter of self.{held.name}", held.assignments[0]
    for path in sorted(sites.kept | sites.random):
        owner = path.rpartition(".")[0]
        if owner in seen:
            continue
        frozen = summary.may_be_frozen(path) or (path in sites.kept and summary.is_frozen(path))
        where = next((a for a in summary.everything if frozen and _holds(a.name, path)), None)
        if where and _is_converted(subject, path):
            seen.add(owner)
            yield f"a parameter of self.{owner}", where.assignments[0]


def _is_converted(subject: Subject, path: str) -> bool:
    """Whether what owns a parameter becomes a PyroModule, as far as the source shows it."""
    summary, sites = subject.summary, subject.project.of(subject.cls)
    declared = {site.partition(".")[0] for site in sites.declared}
    name, _, _ = path.partition(".")
    if name in with_copied(summary, declared) or _is_made_by_function(summary, name):
        return True
    if any(held.name == name and _is_mixed(held.node) for held in summary.everything):
        return True
    owner = path.rpartition(".")[0]
    beside = [site for site in sites.kept if site.rpartition(".")[0] == owner]
    whole = all(map(summary.is_frozen, beside))
    if subject.at_run_time and (not whole or summary.frozen_by(path)):
        return True
    return any(_is_converted_before(subject, by, whole) for by in summary.all_frozen_by(path))


def _is_mixed(node: Value) -> bool:
    """Whether a structure has containers that are converted for what else is in them."""
    is_container = any(isinstance(item, ContainerInstance) for item in walk(node))
    return is_container and not is_plain_throughout(node)


def _is_made_by_function(summary: ClassSummary, name: str) -> bool:
    """Whether a function makes layers of an attribute: it makes PyroModules for all who call it."""
    held = (held for held in summary.everything if held.name == name)
    calls = (call for one in held for item in one.assignments for call in calls_in(item.value))
    callees = (call.callee for call in calls if isinstance(call.callee, Name))
    index, path = summary.resolver.index, summary.cls.file.path
    return any(
        target.function is not None
        and target.file is not None
        and (target.file.path, target.function.name) in summary.resolver.functions
        for target in (index.resolve(callee.dotted, path) for callee in callees)
    )


def _is_converted_before(subject: Subject, by: FrozenBy, whole: bool) -> bool:
    """Whether a loop of a subclass makes a PyroModule of what another class freezes.

    ``whole``: nothing beside it is trained. A class that freezes it so keeps it from its own loop.
    """
    project, subclasses = subject.project, subject.summary.relatives
    freezing = [
        cls for cls in subclasses if (cls.file.path, cls.cls.qualname) == (by.file, by.name)
    ]
    return any(
        cls.key in project.at_run_time
        and subject.cls in cls.lineage[1:]
        and not (whole and cls in freezing)
        and _goes_over_all(project.summaries[cls.key])
        for cls in (freezing[0].lineage if freezing else subclasses)
    )


def _goes_over_all(summary: ClassSummary) -> bool:
    """Whether the loop of a class comes upon what its bases attach."""
    return any(unseen.layers or unseen.own for unseen in unseen_of(summary))


def _holds(name: str, path: str) -> bool:
    return path.startswith(f"{name}.")
