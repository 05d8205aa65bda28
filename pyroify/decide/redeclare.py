"""Declarations that are there already: they come to say what the spec says now, or are reported.

What stands in place of an ``nn.Parameter`` is all that is left of it. The spec cannot have it back
by its own means, nor the value it started at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pyroify.code import statements as code
from pyroify.code.read import normal
from pyroify.decide.sites import Sites
from pyroify.dispatch import needs
from pyroify.program.summary import Attribute
from pyroify.program.values import is_opaque
from pyroify.spec.match import Decision
from pyroify.spec.model import Action, Deterministic, Keep, Param, Sample
from pyroify.spec.render import NOISE, Place, RenderError, render_sample
from pyroify.syntax.facts import Assignment, ExistingDeclaration, Function
from pyroify.syntax.traits import anywhere
from pyroify.syntax.values import Declared

IN_A_LOOP = (
    "a rule without wildcards reaches a parameter; if pyroify wrote this, restore pyroify.lock"
)
UNRULED = Decision(Keep(), None)
UNSEEN = "it stays as it is; to have the spec decide, declare it in the class that makes it"


def redeclare(
    sites: Sites, there: Assignment, declared: Declared, decision: Decision, place: Place
) -> tuple[code.Declare, ...]:
    """Put another declaration in place of one, if the spec says otherwise now.

    Returns what has to be declared beside it: the noise of a prior that is not centred.
    """
    path = ".".join(there.path)
    made = _as_decided(sites, there, declared, decision, place)
    if not made:
        sites.record(path, decision, declared.value, there.line, there.column, there=declared.text)
        return ()
    *beside, wanted = made
    sites.record(path, decision, wanted.value, there.line, there.column)
    if normal(wanted, sites.names) != replace(wanted, value=declared.value):
        sites.put(declared, there.column, wanted.value)
    return tuple(beside)


def leave(sites: Sites, path: str, decision: Decision, layer: str) -> code.Block:
    """The declaration at the end of the method of a site that no rule is about any more.

    The noise of a prior that is not centred comes before it. What the user wrote is no fault.
    """
    present = sites.present[path]
    there = present.there
    if decision.spared != "own" or path in sites.summary.by_hand.named:
        sites.report_left(path, decision, there.line, _indent(sites))
    sites.record(path, decision, present.value, there.line, layer=layer, there=there.text)
    noise = sites.present.get(f"{path}{NOISE}")
    return (noise.there.statement, there.statement) if noise else (there.statement,)


def leave_decorated(sites: Sites, method: Function, declared: Declared) -> None:
    """A method decorated as a declaration: it stays, and is reported where a rule differs."""
    decision, name = sites.decide_own(method.name, method.line), f"self.{method.name}"
    sites.record(
        method.name,
        decision,
        declared.value,
        method.line,
        method.column,
        shape=declared.shape,
        there=f"{'PyroParam' if declared.action == 'param' else 'PyroSample'}({method.name})",
    )
    if method.line in sites.summary.ignored_lines or decision.spared == "own":
        return
    if decision.rule is None and isinstance(decision.action, Keep):
        message = f"a method declares {name}, but no rule of the spec is about it"
        sites.report(method.line, method.column, "PYR067", message, "add a rule for it")
    elif not _returns_the_prior(
        sites, declared, decision.action, Place(name, "self", declared.shape)
    ):
        said = sites.rule_name(decision) if decision.rule else "the latent of the spec"
        message = f"a method declares {name} otherwise than {said}"
        help = "let the method return that, or put a rule for the parameter below"
        sites.report(method.line, method.column, "PYR060", message, help)


def _returns_the_prior(sites: Sites, declared: Declared, action: Action, place: Place) -> bool:
    """Whether what a method returns is the prior that a rule asks for."""
    if not isinstance(declared.value, code.PyroSample) or not isinstance(
        action, Sample | Deterministic
    ):
        return False
    try:
        wanted = code.Declare(place.target, render_sample(action, place, sites.names.spelling()))
    except RenderError:
        return False
    prior = declared.value.prior
    forms = (
        [prior]
        if isinstance(prior, code.Lambda | code.Partial | code.Tied)
        else [prior, code.Lambda((), prior)]
    )
    found = normal(wanted, sites.names)
    return found in [code.Declare(place.target, code.PyroSample(form)) for form in forms]


@needs(ExistingDeclaration)
def leave_unseen(sites: Sites) -> Iterator[code.Statement]:
    """Declarations at the end of the method of what the source does not show to be a parameter."""
    seen = {site.path for site in sites.plans} | sites.tied
    for path, present in sites.present.items():
        there = present.there
        if path not in seen and path.removesuffix(NOISE) not in seen:
            is_own = path in sites.summary.by_hand.sites
            if not is_own:
                message = (
                    f"self.{path} is declared already, but the source does not show it otherwise"
                )
                sites.report(there.line, _indent(sites), "PYR067", message, UNSEEN)
            decision = replace(UNRULED, spared="own") if is_own else UNRULED
            sites.record(path, decision, present.value, there.line, there=there.text)
            yield there.statement


def leave_unnamed(attributes: Iterable[Attribute], sites: Sites) -> None:
    """Note what the user's own code declares, by which names only run time shows."""
    for attribute in attributes:
        if is_opaque(attribute.node) and attribute.name:
            decision = replace(UNRULED, spared="own")
            sites.record(f"{attribute.name}.**", decision, None, attribute.line)


@needs(*anywhere(ExistingDeclaration, (Function, "declaring")), nothing=None)
def report_by_hand(sites: Sites) -> None:
    """Say that the user's own loops decide what of a class is random, where rules would."""
    by_hand = sites.summary.by_hand
    if not by_hand.loops or all(site.path in by_hand.sites for site in sites.plans if site.spared):
        return
    name = sites.summary.cls.cls.name
    message = f"{name} declares parameters here in code that is not pyroify's; it stays as it is"
    sites.report(*by_hand.loops[0], "PYR078", message, IN_A_LOOP)


@needs(ExistingDeclaration, nothing=False)
def leaves_all(sites: Sites) -> bool:
    """Whether no rule is about any site of a method that declares some in a loop; it is said."""
    loops = [
        (block, line)
        for block, line in _loops(sites)
        if any(isinstance(item, code.Declare | code.DeclareNamed) for item in code.walk(block))
    ]
    if not loops or not sites.plans or any(site.rule is not None for site in sites.plans):
        return False
    name, line = sites.summary.cls.cls.name, loops[0][1]
    message = f"{name} is declared already, but no rule of the spec is about a parameter of it"
    sites.report(line, _indent(sites), "PYR067", message, sites.unmentioned)
    return True


@needs(ExistingDeclaration, nothing=None)
def report_dropped(sites: Sites, statements: Iterable[code.Statement]) -> None:
    """Say which sites a loop declared so far, and does no longer as no rule is about them."""
    loops = list(_loops(sites))
    wanted = [normal(statement, sites.names) for statement in statements] if loops else []
    for block, line in loops:
        still = {target for new in wanted if _is_same_loop(new, block) for target in _targets(new)}
        for target in (name for loop in block for name in _targets(loop)):
            if target not in still and not _is_ruled(sites, target.partition(".")[2]):
                _report_dropped(sites, target, line)
    old = [(block, line) for block, line in loops if not set(block) <= set(wanted)]
    for site in sites.plans:
        if site.rule is not None or site.action != "keep":
            continue
        for block, line in old:
            if _declares(block, site.path.rpartition(".")[2]):
                _report_dropped(sites, site.path, line)


def _targets(loop: code.Statement) -> list[str]:
    """What a loop declares one by one."""
    return [
        item.target
        for item in code.walk((loop,))
        if item != loop and isinstance(item, code.Declare)
    ]


def _is_same_loop(new: code.Statement, block: code.Block) -> bool:
    """Whether a loop goes over what the one that is there goes over."""
    match new, block:
        case code.For(), (code.For() as there,):
            return (new.variables, new.over) == (there.variables, there.over)
    return False


def _is_ruled(sites: Sites, name: str) -> bool:
    """Whether a rule is about a parameter in a list, or it is the noise of one."""
    paths = [site.path for site in sites.plans if site.rule is not None and "*" in site.path]
    return any(path.endswith(f".{name.removesuffix(NOISE)}") for path in paths)


def _report_dropped(sites: Sites, name: str, line: int) -> None:
    message = f"the loop no longer declares {name}: no rule of the spec is about it"
    sites.report(line, _indent(sites), "PYR067", message, sites.unmentioned)


def _loops(sites: Sites) -> Iterator[tuple[code.Block, int]]:
    """Statements of pyroify's at the end that declare in a loop, or in a function they call."""
    for there in sites.method.declarations if sites.method else ():
        if there.statement in sites.summary.by_hand.statements:
            continue
        match there.statement:
            case code.CallStatement(function=called):
                for function in sites.summary.cls.file.functions:
                    if function.name == called and function.shared:
                        yield function.shared, there.line
            case code.For() | code.EachParameter():
                yield (there.statement,), there.line


def _declares(loop: code.Block, name: str) -> bool:
    """Whether a loop over parameters declares those of a name."""
    found = list(code.walk(loop))
    if not any(isinstance(item, code.DeclareNamed) for item in found):
        return False
    branches = [item for item in found if isinstance(item, code.If)]
    arms = [arm for item in branches for arm in item.arms]
    tested = [(test.names, body) for test, body in arms if isinstance(test, code.NameIs)]
    passed = [names for names, body in tested if body == (code.Continue(),)]
    if any(name in names for names, _ in tested):
        return not any(name in names for names in passed)
    return not tested or bool(passed) or any(item.otherwise for item in branches)


def _as_decided(
    sites: Sites, there: Assignment, declared: Declared, decision: Decision, place: Place
) -> tuple[code.Declare, ...]:
    """What the spec wants declared; nothing, with a finding, where what is there has to stay."""
    if there.line in sites.summary.ignored_lines:
        return ()
    action = decision.action
    is_named = ".".join(there.path) in sites.summary.by_hand.named
    if decision.spared == "own" and not is_named:
        return ()
    if isinstance(action, Keep):
        sites.report_left(".".join(there.path), decision, there.line, there.column)
        return ()
    shape = declared.shape if place.shape is None else place.shape
    place = replace(place, shape=shape)
    if isinstance(action, Param) and isinstance(declared.value, code.PyroParam):
        how = declared.value.applied
        if action.init == "keep" and how in ("exp", "softplus"):
            _report_changed_start(sites, there, decision, how)
            return ()
        place = replace(place, initial=declared.initial)
    place = replace(place, is_gone=place.owner == "self")
    return sites.declarations(action, place, there.line, there.column)


def _report_changed_start(sites: Sites, there: Assignment, decision: Decision, how: str) -> None:
    """Say that a parameter starts at the ``exp`` of something; who wrote it, nobody can tell."""
    name = ".".join(there.path)
    message = (
        f"{sites.rule_name(decision)} starts self.{name} at the value the code gave, "
        f"but it starts at the {how} of one by now"
    )
    help = f"give `init: {how}` if that is meant, or restore the original: {sites.restoring}"
    sites.report(there.line, there.column, "PYR060", message, help)


def _indent(sites: Sites) -> int:
    return 0 if sites.method is None else sites.method.column + 4
