"""Parameters that code puts into instances of converted classes, where no declaration follows."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.checks.instances import Script
from pyroify.checks.subject import Subject
from pyroify.decide.added import put_message
from pyroify.decide.sites import OTHER
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.attributes.puts import put_into_instances
from pyroify.program.index import ModuleClass
from pyroify.program.placements import subpath
from pyroify.program.points_to import CallSite
from pyroify.program.summary import parameters_in
from pyroify.program.values import LayerInstance
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Keep, Spec
from pyroify.syntax.facts import AttributeStore
from pyroify.syntax.values import Argument, Value


@needs(AttributeStore)
def put_when_called(subject: Subject) -> Iterator[Finding]:
    """What a method puts into an instance, whose end has no declarations."""
    summary, spec = subject.summary, subject.project.spec
    declared = [method for _, covered in summary.stages for method in covered]
    for method in subject.methods:
        lines = {put.line for put in method.puts} if method not in declared else ()
        for put in put_into_instances(summary, (method,), summary.everything) if lines else ():
            node = summary.resolver.resolve(put.value, summary.scope)
            for cls in put.owners if put.line in lines else ():
                if _is_wished(spec, cls, put.name, put.value, node):
                    what = put_message(put.name, cls.cls.name)
                    yield subject.finding(put.line, put.column, "PYR079", what, _help(cls))
                    break


@needs(AttributeStore)
def put_into_instance(script: Script) -> Iterator[Finding]:
    """What a script or a function puts into an instance."""
    for put, at in script.puts:
        cls = script.instance(put.owner, at)
        if cls is None or _is_for_the_caller(put, at):
            continue
        if _is_wished(script.project.spec, cls, put.name, put.value, script.structure(put.value)):
            where = (script.file.path, put.line, put.column + 1)
            yield Finding(
                *where, "PYR079", put_message(put.name, cls.cls.name), _help(cls), cls.name
            )


def _is_for_the_caller(put: AttributeStore, at: CallSite) -> bool:
    """Whether a function puts something into what it is given: its callers declare that."""
    told = dict(at.function.annotations) if at.function else {}
    return isinstance(put.owner, Argument) and put.owner.name not in told and at.cls is None


def _help(cls: ModuleClass) -> str:
    return f"declare it in {cls.cls.name}, or in the constructor of the class that holds it"


def _is_wished(spec: Spec, cls: ModuleClass, name: str, value: Value, node: Value) -> bool:
    """Whether what is put somewhere is, or has, a parameter that a rule makes something else."""
    name = OTHER if name == "*" else name
    keys = [
        SiteKey(cls.file.module, cls.cls.qualname, name, "", made.frozen is True)
        for made in parameters_in(value)
    ]
    for parameter in node.layer.parameters if isinstance(node, LayerInstance) else ():
        path = subpath(name, parameter.name)
        keys.append(SiteKey(cls.file.module, cls.cls.qualname, path, parameter.layer))
    return any(not isinstance(decide(spec, key).action, Keep) for key in keys)
