"""Code outside the classes: how converted modules are trained, stored and wrapped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroify.diagnostics import Finding
from pyroify.index.facts import Call, Constant, Name, SelfRead
from pyroify.plan.checks.instances import Place, Script, called_on
from pyroify.plan.checks.project import Key
from pyroify.plan.structure import calls_in

CONSUMERS = re.compile(
    r"torch\.optim\.(?!lr_scheduler)\w+|torch\.nn\.utils\.(clip_grad\w*|parameters_to_vector"
    r"|vector_to_parameters|clip_grad\.\w+|convert_parameters\.\w+)|torch\.optim\.swa_utils\.\w+"
)
OPTIMISERS = re.compile(r"(torch|pyro)\.optim\..*")
SCRIPTING = re.compile(r"torch\.(jit\.(script|trace|trace_module)|fx\.symbolic_trace|onnx\.export)")
PARALLEL = {"torch.nn.DataParallel", "torch.nn.parallel.DataParallel"}
PICKLING = {"torch.save", "pickle.dump", "pickle.dumps", "joblib.dump"}
LOCAL_PARAMETERS = "module_local_params"


def second_instance(script: Script) -> Iterator[Finding]:
    """Two instances at the top of a script, which share what the global store keeps."""
    if _has_call(script, "pyro.settings.set", LOCAL_PARAMETERS):
        return
    calls = script.file.module_calls
    nested = {(c.line, c.column) for call in calls for p in call.args for c in calls_in(p.value)}
    cleared = [c.line for c in calls if _dotted(c) == "pyro.clear_param_store"]
    built: dict[Key, int] = {}
    for call in calls:
        cls = script.made(call)
        if cls is None or (call.line, call.column) in nested or not script.project.of(cls).kept:
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
        if not CONSUMERS.fullmatch(_dotted(call)):
            continue
        for item in _calls_inside(script, call):
            cls, method = script.owner(item, place)
            if cls is not None and method in ("parameters", "named_parameters"):
                yield script.finding(
                    call,
                    "PYR010",
                    f"the random parameters of {cls.cls.name} are not among its parameters()",
                    "optimise elbo.parameters() after a first call of the loss",
                )
                break


def _calls_inside(script: Script, call: Call) -> Iterator[Call]:
    """Calls among the arguments of another, also those a comprehension goes over."""
    for passed in call.args:
        yield from calls_in(passed.value)
    for other, _ in script.calls:
        if other.line == call.line and other.column > call.column:
            yield other


def loaded_state(script: Script) -> Iterator[Finding]:
    """A checkpoint of the original class, loaded into the converted one."""
    if script.project.spec.options.load_original_state_dict:
        return
    for call, place in script.calls:
        cls, method = script.owner(call, place)
        if cls is None or method != "load_state_dict" or _is_before_declaring(script, call, place):
            continue
        yield script.finding(
            call,
            "PYR014",
            f"a checkpoint of the original {cls.cls.name} has keys that are gone now",
            "set options: {load_original_state_dict: true} in the spec",
        )


def pickled_lambda(script: Script) -> Iterator[Finding]:
    """A module pickled whole although one of its priors is a lambda."""
    for call, place in script.calls:
        if _dotted(call) not in PICKLING or not call.args:
            continue
        cls = script.instance(call.args[0].value, place)
        if cls is not None and any(script.project.of(item).by_lambda for item in cls.lineage):
            yield script.finding(
                call,
                "PYR015",
                f"{cls.cls.name} has a prior that cannot be pickled",
                "save its state_dict, or set options: {follow_module: true} in the spec",
            )


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


def vectorised_particles(script: Script) -> Iterator[Finding]:
    """Draws with one more dimension than layers of torch take."""
    if not script.concerned:
        return
    for call, _ in script.calls:
        for passed in call.args:
            vectorised = passed.keyword == "vectorize_particles"
            parallel = passed.keyword == "parallel" and _dotted(call).endswith(".Predictive")
            if (vectorised or parallel) and passed.value == Constant("True"):
                yield script.finding(
                    call,
                    "PYR024",
                    f"{passed.keyword}=True gives draws a dimension that linear layers do not take",
                    "leave it out",
                )


def scripted_instance(script: Script) -> Iterator[Finding]:
    """TorchScript, fx or ONNX of a module that draws."""
    for call, place in script.calls:
        if SCRIPTING.fullmatch(_dotted(call)) and call.args:
            cls = script.instance(call.args[0].value, place)
            if cls is not None:
                yield script.finding(
                    call,
                    "PYR039",
                    f"{call.text} of {cls.cls.name}: its draws are lost, or become constants",
                    "script the original class with drawn weights, or use torch.compile",
                )


def replicated_instance(script: Script) -> Iterator[Finding]:
    """Replicas in threads, which share one cache of draws."""
    for call, place in script.calls:
        if _dotted(call) in PARALLEL and call.args:
            cls = script.instance(call.args[0].value, place)
            if cls is not None:
                yield script.finding(
                    call,
                    "PYR040",
                    f"the replicas of {cls.cls.name} would share one cache of draws",
                    "use one process per device, around the loss of model and guide",
                )


def memory_format(script: Script) -> Iterator[Finding]:
    """Parameters laid out in another way than the global store keeps them."""
    if _has_call(script, "pyro.settings.set", LOCAL_PARAMETERS):
        return
    for call, place in script.calls:
        if not any(passed.keyword == "memory_format" for passed in call.args):
            continue
        cls, method = script.owner(call, place)
        if cls is not None and method == "to" and script.project.of(cls).kept:
            yield script.finding(
                call,
                "PYR042",
                f"the global store trains a contiguous copy of {cls.cls.name}'s parameters",
                f"pyro.settings.set({LOCAL_PARAMETERS}=True) before anything is built",
            )


def weight_decay(script: Script) -> Iterator[Finding]:
    """Weight decay beside priors."""
    if not script.concerned:
        return
    for call, _ in script.calls:
        if not OPTIMISERS.fullmatch(_dotted(call)):
            continue
        for passed in call.args:
            if passed.keyword == "weight_decay" and passed.text not in ("0", "0.0", "None"):
                yield script.finding(
                    call,
                    "PYR044",
                    "weight decay shrinks the guide, whose prior is in the loss already",
                    "leave it out",
                )


def _dotted(call: Call) -> str:
    return call.callee.dotted if isinstance(call.callee, Name) else ""


def _has_call(script: Script, dotted: str, keyword: str) -> bool:
    """Whether the file calls a function with a keyword."""
    return any(
        _dotted(call) == dotted and any(passed.keyword == keyword for passed in call.args)
        for call, _ in script.calls
    )


def _is_before_declaring(script: Script, call: Call, place: Place) -> bool:
    """Whether a constructor loads its own state, which it declares afterwards."""
    if place.cls is None or place.function is None or call.callee != SelfRead(("load_state_dict",)):
        return False
    study = script.project.studies.get((script.file.path, place.cls.qualname))
    return study is not None and place.function.name in study.building
