"""Scripts that train converted modules: instances, optimisers, dtypes, particles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from pyroify.catalog.training import CONSUMERS, GIVING_ALL, OPTIMISERS, PASSING_ON, TRAINING
from pyroify.checks.instances import Script, dotted
from pyroify.decide.model import Training
from pyroify.decide.project import Key, kept
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite, called_on, calls_of, code_of
from pyroify.syntax.facts import Function, Sweep
from pyroify.syntax.observe.observations import PARAMETERS
from pyroify.syntax.traits import anywhere, called, outside
from pyroify.syntax.values import (
    Argument,
    Call,
    Constant,
    Element,
    Items,
    Many,
    Name,
    OneOf,
    Passed,
    SelfRead,
    Unknown,
    Value,
    calls_in,
)

LOCAL_PARAMETERS = "module_local_params"
SHOWN = 3
MOVING = ("double", "half", "bfloat16", "cuda")
"""Methods that change the dtype or device of a module, besides ``to``."""


@needs(*outside(Call))
def second_instance(script: Script) -> Iterator[Finding]:
    """Two instances at the top of a script, which share what the global store keeps."""
    if _has_call(script, "pyro.settings.set", LOCAL_PARAMETERS):
        return
    calls = script.file.module_calls
    nested = {c.place for call in calls for p in call.args for c in calls_in(p.value)}
    cleared = [c.line for c in calls if dotted(c) == "pyro.clear_param_store"]
    built: dict[Key, int] = {}
    for call in calls:
        cls = script.made(call)
        if cls is None or call.place in nested or not script.project.has(cls, kept):
            continue
        before = built.get(cls.key)
        built[cls.key] = call.line
        if before is not None and not any(before < line < call.line for line in cleared):
            yield script.finding(
                call,
                "PYR009",
                f"a second {cls.cls.name} shares its learned parameters with the first",
                f"pyro.settings.set({LOCAL_PARAMETERS}=True) before anything is built",
            )


@needs((Call, Name), *called(*TRAINING), *anywhere(*called(*PARAMETERS)))
def consumed_parameters(script: Script) -> Iterator[Finding]:
    """Optimisers, clipping and averages over the parameters that are left, or may be."""
    for call, at in script.calls:
        given = (_lacking(script, call, *item, at) for item in _consumed(script, call))
        if message := next(filter(None, given), ""):
            help = "optimise elbo.parameters() after a first call of the loss"
            yield script.finding(call, "PYR010", message, help)


@needs(Sweep)
def swept_parameters(script: Script) -> Iterator[Finding]:
    """Loops over the parameters that are left: averages, penalties, target networks."""
    sweeps = {(sweep.line, sweep.column): sweep for sweep in script.file.sweeps}
    lifting = {lifted.sampling.function for lifted in script.file.liftings}
    for call, at in script.calls:
        sweep = sweeps.get(call.place)
        if sweep is None or _is_of_class(script, call, sweep, at):
            continue
        if (at.function.line if at.function else 0) in lifting:
            continue  # priors for all of them, which the migration looks at
        if message := _lacking(script, call, f"{call.text}()", call, at):
            help = "go over the parameters of the guide: guide.parameters()"
            yield script.finding(call, "PYR010", message, help)


@needs((Call, Name), *called(*TRAINING), nothing=None)
def first_training(code: Script) -> Training | None:
    """Where code first makes an optimiser, or calls a trainer, that misses random parameters.

    With the classes that all of its optimisers and trainers miss some of.
    """
    found = [
        (call.line, classes, at)
        for call, at in code.calls
        if OPTIMISERS.fullmatch(called_name(call)) or called_on(call)[1] in TRAINING
        for _, value in _consumed(code, call)
        if (classes := _losing(code, call, value, at)) is not None
    ]
    if not found:
        return None
    names = dict.fromkeys(cls.cls.name for _, classes, _ in found for cls in classes)
    first, _, at = min(found, key=itemgetter(0))
    return Training(code.file.path, first, tuple(names), _run_by(code, at))


def _run_by(code: Script, at: CallSite) -> str:
    """The file whose top, or whose function that nobody calls, gets to some code."""
    seen: set[tuple[str, int]] = set()
    path = code.file.path
    while at.function is not None and at.cls is None and (path, at.function.line) not in seen:
        seen.add((path, at.function.line))
        callers = list(_callers(code, at.function))
        if not callers or any(other == path for other, _ in callers):
            break
        path, at = callers[0]
    return path


def _callers(code: Script, function: Function) -> Iterator[tuple[str, CallSite]]:
    """Where a function of a file is called by its name."""
    index = code.project.index
    for file in index.files:
        for at in code_of(file):
            for call in calls_of(at):
                if isinstance(call.callee, Name):
                    target = index.resolve(call.callee.dotted, file.path)
                    if target.function is function:
                        yield file.path, at


def _is_of_class(script: Script, call: Call, sweep: Sweep, at: CallSite) -> bool:
    """Whether a loop is for the checks of a class: its own, or one that prepares what it is given.

    A constructor may have that done before it declares anything.
    """
    owner, _ = called_on(call)
    is_own = isinstance(owner, SelfRead) or owner == Argument("self")
    return script.is_building(at) or (
        script.is_within_call(at) if is_own else sweep.prepares and isinstance(owner, Argument)
    )


def _lacking(script: Script, call: Call, text: str, value: Value, at: CallSite) -> str:
    """What to say of parameters that lack the random ones, or may."""
    classes = _losing(script, call, value, at)
    if classes:
        return f"the random parameters of {_named(classes)} are not among its parameters()"
    return "" if classes is None else f"{text} may lack the random parameters of a converted class"


def _losing(
    script: Script, call: Call, value: Value, at: CallSite
) -> tuple[ModuleClass, ...] | None:
    """The converted classes that a call is given the parameters of.

    Empty where it may be given those of any, None where it is not. What ``fit`` is given may be
    data, as far as nothing shows that it is a module.
    """
    found = script.points_to(value, at)
    classes = script.losing(found)
    may_be_any = found.anything and called_on(call)[1] not in TRAINING
    return classes if not found.guide and (classes or may_be_any) else None


def _named(classes: Sequence[ModuleClass]) -> str:
    """``Net, Deep and others``."""
    names = list(dict.fromkeys(cls.cls.name for cls in classes))
    more = " and others" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _consumed(script: Script, call: Call) -> Iterator[tuple[str, Value]]:
    """What a call trains, clips or averages of what it is given, with its source."""
    if CONSUMERS.fullmatch(called_name(call)) or called_on(call)[1] in TRAINING:
        if call.args:
            passed = _parameters_given(call)
            yield passed.text, passed.value
    elif dotted(call) not in PASSING_ON and called_on(call)[1] not in PARAMETERS:
        for passed in call.args:
            yield from ((f"{inner.text}()", inner) for inner in _all_of(script, passed.value))


def _all_of(script: Script, value: Value, seen: frozenset[str] = frozenset()) -> Iterator[Call]:
    """The calls of ``parameters()`` in a value that gives all of them, in a list or by itself.

    Or one of them by its name, of a dict of all.
    """
    inner: Iterable[Value] = ()
    match value:
        case Call() if called_on(value)[1] in PARAMETERS:
            yield value
        case Call() if dotted(value) in GIVING_ALL:
            inner = [passed.value for passed in value.args]
        case Call(callee=Unknown(owner=Call() as held, path=("values" | "items",))):
            inner = [held]
        case Element(of=held, index=str()):
            inner = [held]
        case Name(dotted=name) if name not in seen:
            alias = script.project.index.resolve(name, script.file.path).alias
            inner, seen = [alias] if alias is not None else [], seen | {name}
        case Items() | OneOf():
            inner = value.components
        case Many(item=item):
            while isinstance(item, Element):
                item = item.of
            inner = [item]
    for held in inner:
        yield from _all_of(script, held, seen)


def _parameters_given(call: Call) -> Passed:
    """What an optimiser is given as the parameters to train."""
    second = int(called_name(call).endswith(".vector_to_parameters"))
    named = (call.argument(keyword, second) for keyword in ("params", "parameters", "model"))
    return next(filter(None, named), call.args[0])


def called_name(call: Call) -> str:
    """The dotted name of what is called, also of ``getattr(torch.optim, name)(...)``."""
    match call.callee:
        case Call(callee=Name(dotted="getattr"), args=(Passed(value=Name(dotted=of)), *_)):
            return f"{of}.getattr"
    return dotted(call)


@needs(*called("next"))
def first_parameter(script: Script) -> Iterator[Finding]:
    """``next(module.parameters())`` of whatever module a function is given, for its device say."""
    for call, at in script.calls:
        if asks_first_parameter(call) and at.cls is None:
            yield script.finding(
                call,
                "PYR010",
                f"{call.args[0].text} may find none left in a converted module",
                "give next() a default, or take the device of what the module is called with",
            )


def asks_first_parameter(call: Call) -> bool:
    """Whether a call is ``next(module.parameters())``, without a default."""
    asked = call.args[0].value if dotted(call) == "next" and len(call.args) == 1 else None
    return isinstance(asked, Call) and called_on(asked)[1] == "parameters"


@needs(*called("to", *MOVING))
def moved_instance(script: Script) -> Iterator[Finding]:
    """A module that goes to a dtype or device where constant priors do not follow."""
    if script.project.spec.options.follow_module:
        return
    for call, at in script.calls:
        if not _moves(call):
            continue
        cls = script.owner(call, at)
        if cls is not None and script.project.draws(cls):
            yield script.finding(
                call,
                "PYR011",
                f"the priors of {cls.cls.name} stay where they were made",
                "set options: {follow_module: true} in the spec",
            )


def _moves(call: Call) -> bool:
    """Whether a call is of a method that changes the dtype or device of a module."""
    _, method = called_on(call)
    if method == "to":
        given = [
            passed
            for passed in call.args
            if passed.keyword not in ("memory_format", "non_blocking")
        ]
        return any(passed.text not in ("'cpu'", '"cpu"', "torch.float32") for passed in given)
    return method in MOVING


@needs(*called("to"))
def memory_format(script: Script) -> Iterator[Finding]:
    """Parameters laid out in another way than the global store keeps them."""
    if _has_call(script, "pyro.settings.set", LOCAL_PARAMETERS):
        return
    for call, at in script.calls:
        if not any(passed.keyword == "memory_format" for passed in call.args):
            continue
        cls = script.owner(call, at) if called_on(call)[1] == "to" else None
        if cls is not None and script.project.has(cls, kept):
            yield script.finding(
                call,
                "PYR042",
                f"the global store trains a contiguous copy of {cls.cls.name}'s parameters",
                f"pyro.settings.set({LOCAL_PARAMETERS}=True) before anything is built",
            )


@needs((Passed, "vectorize_particles"), (Passed, "parallel"))
def vectorised_particles(script: Script) -> Iterator[Finding]:
    """Draws with one more dimension than layers of torch take."""
    if not script.concerned:
        return
    for call, _ in script.calls:
        for passed in call.args:
            vectorised = passed.keyword == "vectorize_particles"
            parallel = passed.keyword == "parallel" and dotted(call).endswith(".Predictive")
            if (vectorised or parallel) and passed.value == Constant("True"):
                yield script.finding(
                    call,
                    "PYR024",
                    f"{passed.keyword}=True gives draws a dimension that linear layers do not take",
                    "leave it out",
                )


@needs((Call, Name))
def weight_decay(script: Script) -> Iterator[Finding]:
    """Weight decay beside priors."""
    for call, at in script.calls:
        if not OPTIMISERS.fullmatch(dotted(call)) or not _decays(call):
            continue
        given = (_lacking(script, call, *item, at) for item in _consumed(script, call))
        if script.concerned or any(given):
            yield script.finding(
                call,
                "PYR044",
                "weight decay shrinks the guide, whose prior is in the loss already",
                "use Adam without it: AdamW decays by itself"
                if dotted(call).endswith("AdamW")
                else "leave it out",
            )


def _decays(call: Call) -> bool:
    """Whether an optimiser has a weight decay, as AdamW has unless told otherwise."""
    for passed in call.args:
        if passed.keyword == "weight_decay":
            return passed.text not in ("0", "0.0", "None")
    is_told = len(call.args) > 4 or any(passed.star for passed in call.args)
    return dotted(call) == "torch.optim.AdamW" and not is_told


def _has_call(script: Script, function: str, keyword: str) -> bool:
    """Whether the file calls a function with a keyword."""
    return any(
        dotted(call) == function and any(passed.keyword == keyword for passed in call.args)
        for call, _ in script.calls
    )
