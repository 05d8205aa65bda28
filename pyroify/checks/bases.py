"""Bases and class bodies that do not go together with PyroModule."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.metaclasses import ABSTRACT, FOREIGN, INTERFACES, REMAKING, SCRIPTING
from pyroify.catalog.module import PROTOCOL
from pyroify.catalog.thirdparty import OWN_PROTOCOL
from pyroify.checks.subject import AT_RUN_TIME, Subject
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.edits.bases import (
    bases_beside,
    is_abstract_here,
    is_generic,
    is_generic_and_abstract,
    own_metaclass,
)
from pyroify.program.index import Base
from pyroify.syntax.facts import Class, Function
from pyroify.syntax.values import Name

BESIDE = ((Base, "plain"), (Base, "external"))
"""Bases that are neither modules of the project nor layers."""
OTHERS = (*BESIDE, (Base, "unresolved"), (Base, "local"), (Base, "layer"))
"""All but nn.Module and PyroModule."""
SCRIPTED = {"torch.jit.ScriptModule", "torch.jit._script.ScriptModule"}


@needs((Base, "unresolved"))
def unresolved_base(subject: Subject) -> Iterator[Finding]:
    """A base class that cannot be found may define anything."""
    for base in subject.cls.bases:
        if base.kind == "unresolved":
            yield _at_class(
                subject,
                "PYR220",
                f"base {base.text} is not found in the project, and not known",
                "run over the folder that defines it, or derive from nn.Module directly",
            )


@needs(Class, *BESIDE)
def foreign_metaclass(subject: Subject) -> Iterator[Finding]:
    """A metaclass that would have to be joined with PyroModule's by somebody who knows it."""
    if reason := _foreign(subject):
        yield _at_class(
            subject,
            "PYR031",
            reason,
            "derive a metaclass from both: class Joint(type(PyroModule), ...), or drop the base",
        )


def _foreign(subject: Subject) -> str:
    """Why the metaclass of a class, or of one of its bases that is no module, is not to be had."""
    cls = subject.cls.cls
    if any(name in REMAKING for name in cls.decorators):
        return "a decorator makes it once more, with a metaclass of its own"
    if cls.metaclass:
        return _joining(subject, cls.metaclass, "its")
    inherited = next(filter(None, (base.cls.metaclass for base in subject.cls.lineage[1:])), "")
    if is_generic(subject.cls) and inherited and not inherited.endswith("ABCMeta"):
        return f"it is generic, and the metaclass {inherited} of a base is not"
    for found in bases_beside(subject.cls, subject.project.index):
        last = found.name.rpartition(".")[2]
        through = found.via if last == found.via.rpartition(".")[2] else f"{found.via}, a {last},"
        if FOREIGN.fullmatch(found.name):
            return f"base {through} has a metaclass that cannot be joined with PyroModule's"
        if found.metaclass and (reason := _joining(subject, found.metaclass, f"{found.via}'s")):
            return reason
    return ""


def _joining(subject: Subject, metaclass: str, whose: str) -> str:
    known = _is_known(subject, metaclass)
    return "" if known else f"{whose} metaclass {metaclass} cannot be joined with PyroModule's"


@needs(*BESIDE)
def unknown_mixin(subject: Subject) -> Iterator[Finding]:
    """A mixin of the project that derives from what is not known, and may have any metaclass."""
    for found in bases_beside(subject.cls, subject.project.index):
        is_foreign = ABSTRACT.fullmatch(found.name) or FOREIGN.fullmatch(found.name)
        direct = any(base.dotted == found.name for base in subject.cls.bases)
        if not found.known and not direct and not is_foreign:
            yield _at_class(
                subject,
                "PYR220",
                f"base {found.via} derives from {found.name}, which is not found in the project",
                "run over the folder that defines it, or do without the base",
            )
            return


def _is_known(subject: Subject, metaclass: str) -> bool:
    """What the rewrite joins, or one that is derived from PyroModule's already."""
    if metaclass == "type" or metaclass.endswith("ABCMeta"):
        return True
    if metaclass == subject.cls.cls.metaclass and own_metaclass(subject.cls, subject.project.index):
        return True
    target = subject.project.index.resolve(metaclass, subject.cls.file.path)
    bases = target.plain_class.bases if target.plain_class else ()
    return any("PyroModule" in text for text, _, _, _ in bases)


@needs(Class, *OTHERS)
def generic_base(subject: Subject) -> Iterator[Finding]:
    """A generic class with abstract relatives: their metaclasses would have to be one."""
    relatives = (subject.cls, *subject.summary.relatives)
    index = subject.project.index
    if is_generic_and_abstract(subject.cls, index):
        return
    if is_generic(subject.cls) and any(is_abstract_here(cls, index) for cls in relatives):
        yield _at_class(
            subject,
            "PYR032",
            "it is generic and a relative is abstract, which needs a metaclass joined of three",
            "make the first class of them both generic and abstract, or drop one of the two",
        )


@needs((Base, "external"))
def pretrained_model(subject: Subject) -> Iterator[Finding]:
    """A class of transformers, which sets itself up after its constructor."""
    for base in subject.cls.bases:
        if base.kind == "external" and base.dotted.startswith("transformers."):
            yield _at_class(
                subject,
                "PYR051",
                f"{base.text} initialises, loads and ties weights after the constructor",
                "convert the loaded instance, in a module that holds it",
            )


@needs(Class, *OTHERS)
def scripted_base(subject: Subject) -> Iterator[Finding]:
    """A ScriptModule is compiled, and draws nothing."""
    for base in subject.cls.bases:
        if base.dotted in SCRIPTED:
            yield _at_class(
                subject, "PYR039", "a ScriptModule cannot draw", "derive from nn.Module instead"
            )
    for name in subject.cls.cls.decorators:
        if name in SCRIPTING | INTERFACES:
            yield _at_class(
                subject, "PYR039", f"what {name} makes of it cannot draw", "remove the decorator"
            )


@needs((Function, "__setattr__"))
def own_setattr(subject: Subject) -> Iterator[Finding]:
    """A ``__setattr__`` that never reaches PyroModule's."""
    method = subject.cls.cls.method("__setattr__")
    if method is None or "__setattr__" in method.super_calls:
        return
    bases = {dotted for _, dotted, _, _ in subject.cls.cls.bases} - {"torch.nn.Module"}
    for call in method.layer_calls:
        if isinstance(call.callee, Name):
            owner, _, name = call.callee.dotted.rpartition(".")
            if name == "__setattr__" and owner in bases:
                return
    yield subject.finding(
        method.line,
        method.column,
        "PYR049",
        "__setattr__ goes past PyroModule's, which declarations need",
        "end it with super().__setattr__(name, value)",
    )


@needs(AT_RUN_TIME)
def own_protocol(subject: Subject) -> Iterator[Finding]:
    """What a loop over modules and parameters goes by, done in another way by the class itself."""
    for cls in subject.cls.lineage if subject.at_run_time else ():
        for method in cls.cls.methods:
            if method.name in PROTOCOL - method.super_calls:
                yield _at_class(
                    subject,
                    "PYR047",
                    f"{cls.cls.name}.{method.name} takes the place of nn.Module's, which the loop "
                    "over what only run time shows goes by",
                    f"let it call super().{method.name}, or make the layers in sight",
                )


@needs((Base, "external"))
def base_with_own_protocol(subject: Subject) -> Iterator[Finding]:
    """A base outside the project that does so, such as a metric."""
    for base in subject.cls.bases:
        if base.kind == "external" and OWN_PROTOCOL.fullmatch(base.dotted):
            yield _at_class(
                subject,
                "PYR047",
                f"{base.text} sets and moves what it holds in its own way",
                "keep the network in a module beside it",
            )


@needs((Base, "plain"))
def mixin_in_between(subject: Subject) -> Iterator[Finding]:
    """A constructor of a mixin that would stand between a layer's and PyroModule's."""
    library = False
    for base in subject.cls.bases:
        library = library or base.kind in ("layer", "external")
        if base.kind != "plain" or not library:
            continue
        target = subject.project.index.resolve(base.dotted, subject.cls.file.path)
        mixin = target.plain_class.method("__init__") if target.plain_class else None
        if mixin is not None and "__init__" not in mixin.super_calls:
            yield _at_class(
                subject,
                "PYR030",
                f"{base.text}.__init__ would keep {subject.cls.bases[0].text} from reaching "
                "PyroModule's constructor",
                f"let {base.text}.__init__ call super().__init__(), or name it first",
            )


def _at_class(subject: Subject, code: str, message: str, help: str) -> Finding:
    return subject.finding(subject.cls.cls.line, subject.cls.cls.column, code, message, help)
