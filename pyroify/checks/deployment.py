"""Scripts that store, load, export or replicate converted modules."""

from __future__ import annotations

from collections.abc import Container, Iterator

from pyroify.checks.instances import Script, dotted
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite, called_on
from pyroify.syntax.traits import called
from pyroify.syntax.values import Call, Passed, SelfRead

SCRIPTING = {
    *("torch.jit.script", "torch.jit.trace", "torch.jit.trace_module"),
    *("torch.fx.symbolic_trace", "torch.onnx.export"),
}
PARALLEL = {
    *("torch.nn.DataParallel", "torch.nn.parallel.DataParallel"),
    *("torch.nn.parallel.data_parallel", "torch.nn.parallel.data_parallel.data_parallel"),
}
DISTRIBUTED = {
    "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.parallel.distributed.DistributedDataParallel",
}
PICKLING = {"torch.save", "pickle.dump", "pickle.dumps", "joblib.dump"}


@needs(*called("load_state_dict"))
def loaded_state(script: Script) -> Iterator[Finding]:
    """A checkpoint of the original class, loaded into the converted one."""
    if script.project.spec.options.load_original_state_dict:
        return
    for call, at in script.calls:
        if called_on(call)[1] != "load_state_dict" or _is_before_declaring(script, call, at):
            continue
        if (cls := script.owner(call, at)) is None:
            continue
        yield script.finding(
            call,
            "PYR014",
            f"a checkpoint of the original {cls.cls.name} has keys that are gone now",
            "set options: {load_original_state_dict: true} in the spec",
        )


def _is_before_declaring(script: Script, call: Call, at: CallSite) -> bool:
    """Whether a constructor loads its own state, which it declares afterwards."""
    if at.cls is None or at.function is None or call.callee != SelfRead(("load_state_dict",)):
        return False
    summary = script.project.summaries.get((script.file.path, at.cls.qualname))
    return summary is not None and at.function.name in summary.building


@needs(*called(*PICKLING))
def pickled_lambda(script: Script) -> Iterator[Finding]:
    """A module pickled whole although one of its priors is a lambda."""
    for call, cls in _given_instances(script, PICKLING):
        if any(script.project.of(item).by_lambda for item in cls.lineage):
            yield script.finding(
                call,
                "PYR015",
                f"{cls.cls.name} has a prior that cannot be pickled",
                "save its state_dict, or set options: {follow_module: true} in the spec",
            )


@needs(*called(*SCRIPTING))
def scripted_instance(script: Script) -> Iterator[Finding]:
    """TorchScript, fx or ONNX of a module that draws."""
    for call, cls in _given_instances(script, SCRIPTING):
        yield script.finding(
            call,
            "PYR039",
            f"{call.text} of {cls.cls.name}: its draws are lost, or become constants",
            "script the original class with drawn weights, or use torch.compile",
        )


@needs(*called(*PARALLEL))
def replicated_instance(script: Script) -> Iterator[Finding]:
    """Replicas in threads, which share one cache of draws."""
    for call, at in script.calls:
        module = call.argument("module", 0) if dotted(call) in PARALLEL else None
        if module is not None and (name := _name_drawing(script, module, at)):
            yield script.finding(
                call,
                "PYR040",
                f"the replicas of {name} would share one cache of draws",
                "use one process per device, around the loss of model and guide",
            )


def _name_drawing(script: Script, module: Passed, at: CallSite) -> str:
    """What to call a module that draws; nothing for any other."""
    if (cls := script.instance(module.value, at)) is not None:
        return cls.cls.name
    is_part = isinstance(module.value, SelfRead) and script.is_within_call(at)
    return module.text if is_part and script.is_random_part(module.value, at) else ""


@needs(*called(*DISTRIBUTED))
def distributed_instance(script: Script) -> Iterator[Finding]:
    """One replica a process, around a module whose guide stays outside."""
    for call, cls in _given_instances(script, DISTRIBUTED):
        yield script.finding(
            call,
            "PYR070",
            f"only {cls.cls.name} is kept alike in all processes, not its guide",
            "wrap the loss: DistributedDataParallel(Trace_ELBO()(model, guide))",
        )


def _given_instances(script: Script, names: Container[str]) -> Iterator[tuple[Call, ModuleClass]]:
    """Calls of these functions on an instance of a converted class, with that class."""
    for call, at in script.calls:
        if dotted(call) in names and call.args:
            cls = script.instance(call.args[0].value, at)
            if cls is not None:
                yield call, cls
