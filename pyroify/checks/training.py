"""Scripts that train converted modules: instances, optimisers, dtypes, particles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroify.checks.instances import Script, called_on, dotted
from pyroify.decide.project import Key, kept
from pyroify.diagnostics import Finding
from pyroify.syntax.observe.observations import PARAMETERS
from pyroify.syntax.values import Call, Constant, Name, Passed, calls_in

CONSUMERS = re.compile(
    r"torch\.optim\.(?!lr_scheduler)\w+|torch\.nn\.utils\.(clip_grad\w*|parameters_to_vector"
    r"|vector_to_parameters|clip_grad\.\w+|convert_parameters\.\w+)|torch\.optim\.swa_utils\.\w+"
)
OPTIMISERS = re.compile(r"(torch|pyro)\.optim\..*")
LOCAL_PARAMETERS = "module_local_params"


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


def consumed_parameters(script: Script) -> Iterator[Finding]:
    """Optimisers, clipping and averages over the parameters that are left."""
    for call, place in script.calls:
        if not CONSUMERS.fullmatch(called_name(call)):
            continue
        for item in _calls_inside(script, call):
            cls, method = script.owner(item, place)
            if cls is not None and method in PARAMETERS:
                yield script.finding(
                    call,
                    "PYR010",
                    f"the random parameters of {cls.cls.name} are not among its parameters()",
                    "optimise elbo.parameters() after a first call of the loss",
                )
                break


def called_name(call: Call) -> str:
    """The dotted name of what is called, also of ``getattr(torch.optim, name)(...)``."""
    match call.callee:
        case Call(callee=Name(dotted="getattr"), args=(Passed(value=Name(dotted=of)), *_)):
            return f"{of}.getattr"
    return dotted(call)


def first_parameter(script: Script) -> Iterator[Finding]:
    """``next(module.parameters())`` of whatever module a function is given, for its device say."""
    for call, place in script.calls:
        if asks_first_parameter(call) and place.cls is None:
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


def _calls_inside(script: Script, call: Call) -> Iterator[Call]:
    """Calls among the arguments of another, also those a comprehension goes over."""
    for passed in call.args:
        yield from calls_in(passed.value)
    for other, _ in script.calls:
        if other.line == call.line and other.column > call.column:
            yield other


def moved_instance(script: Script) -> Iterator[Finding]:
    """A module that goes to a dtype or device where constant priors do not follow."""
    if script.project.spec.options.follow_module:
        return
    for call, place in script.calls:
        if not _moves(call):
            continue
        cls, _ = script.owner(call, place)
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
    return method in ("double", "half", "bfloat16", "cuda")


def memory_format(script: Script) -> Iterator[Finding]:
    """Parameters laid out in another way than the global store keeps them."""
    if _has_call(script, "pyro.settings.set", LOCAL_PARAMETERS):
        return
    for call, place in script.calls:
        if not any(passed.keyword == "memory_format" for passed in call.args):
            continue
        cls, method = script.owner(call, place)
        if cls is not None and method == "to" and script.project.has(cls, kept):
            yield script.finding(
                call,
                "PYR042",
                f"the global store trains a contiguous copy of {cls.cls.name}'s parameters",
                f"pyro.settings.set({LOCAL_PARAMETERS}=True) before anything is built",
            )


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


def weight_decay(script: Script) -> Iterator[Finding]:
    """Weight decay beside priors."""
    if not script.concerned:
        return
    for call, _ in script.calls:
        if OPTIMISERS.fullmatch(dotted(call)) and _decays(call):
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
