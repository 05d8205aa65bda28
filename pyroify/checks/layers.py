"""Layers that do more with their parameters than read them."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.calls import computes_weight
from pyroify.catalog.layers import Layer
from pyroify.checks.subject import Subject
from pyroify.decide.wrappings import name_of_computed
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.values import LayerInstance
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Keep
from pyroify.syntax.facts import Function
from pyroify.syntax.traits import BEYOND_LAYERS, anywhere, called, early
from pyroify.syntax.values import Call, Name, SelfRead, Value, walk

EMBEDDINGS = {"Embedding", "EmbeddingBag"}
SCRIPTING = {"torch.jit.script", "torch.jit.trace", "torch.fx.symbolic_trace"}


@needs((Layer, "lazy"), (Call, Name))
def lazy_layer(subject: Subject) -> Iterator[Finding]:
    """A lazy layer has no shape that a prior could have."""
    for call, layer in _layer_calls(subject):
        if layer.kind == "lazy":
            yield subject.finding(
                call.line,
                call.column,
                "PYR038",
                f"nn.{layer.name} has no shape before its first call",
                f"use nn.{layer.name.removeprefix('Lazy')} with its input size",
            )


@needs(BEYOND_LAYERS)
def shapeless_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter that is made without data gets its shape later."""
    for own in subject.summary.all_parameters:
        for made in own.made:
            if not made.initial and subject.is_declared((own.name,)):
                yield subject.finding(
                    made.line,
                    made.column,
                    "PYR038",
                    f"self.{own.name} has no shape when it is made",
                    "make it with its shape, or keep it",
                    subject.sites_at((own.name,)),
                )


@needs(BEYOND_LAYERS, *called(*EMBEDDINGS))
def renormalised_weight(subject: Subject) -> Iterator[Finding]:
    """An embedding with ``max_norm`` writes into its weight."""
    for call in _random_embeddings(subject, "max_norm"):
        yield subject.finding(
            call.line,
            call.column,
            "PYR022",
            "an embedding with max_norm writes into its weight, which is a draw",
            "normalise the result, or keep the weight",
        )


@needs(BEYOND_LAYERS, *called(*EMBEDDINGS))
def padding_row(subject: Subject) -> Iterator[Finding]:
    """The padding row of an embedding is drawn like the others."""
    for call in _random_embeddings(subject, "padding_idx"):
        yield subject.finding(
            call.line,
            call.column,
            "PYR026",
            "the padding row of this embedding is drawn too, and no longer zero",
            "mask the padded positions, or keep the weight",
        )


def _random_embeddings(subject: Subject, argument: str) -> Iterator[Call]:
    """Calls that make a random embedding and give this argument."""
    for attribute in subject.summary.everything:
        if attribute.name not in subject.randomness.names:
            continue
        for item in walk(attribute.node):
            if (
                not isinstance(item, LayerInstance)
                or not item.call
                or item.layer.name not in EMBEDDINGS
            ):
                continue
            position = [name for name, _ in item.layer.signature].index(argument)
            passed = item.call.argument(argument, position)
            kept = item.call.line in subject.summary.ignored_lines
            if passed is not None and passed.text != "None" and not kept:
                yield item.call


@needs((Call, Name))
def computed_weight(subject: Subject) -> Iterator[Finding]:
    """A rule for a weight that a wrapper of torch computes from other parameters."""
    for method in subject.methods:
        for call in method.layer_calls:
            computes = isinstance(call.callee, Name) and computes_weight(call.callee.dotted)
            if computes and (rule := _rule_by_name(subject, method, call)):
                yield subject.finding(
                    call.line,
                    call.column,
                    "PYR037",
                    f"the weight is computed by {call.text}, so that {rule} finds no parameter",
                    "name what it is computed from, or remove the wrapper",
                )


@needs(*anywhere((Call, Name)))
def weight_computed_later(subject: Subject) -> Iterator[Finding]:
    """A weight that other code has computed, when the class has declared it."""
    declared = sorted(subject.project.of(subject.cls).declared)
    for wrapping in subject.project.wrapped.get(subject.cls.key, ()):
        if sites := tuple(wrapping.computed(declared)):
            yield subject.finding(
                subject.cls.cls.line,
                subject.cls.cls.column,
                "PYR037",
                f"{wrapping.call.text} ({wrapping.path}:{wrapping.call.line}) computes "
                f"{', '.join(sites)} of its instances",
                "remove the wrapper: a prior regularises as well",
                tuple(f"{subject.cls.name}.{site}" for site in sites),
            )
            return


def _rule_by_name(subject: Subject, method: Function, call: Call) -> str:
    """The rule that names the computed parameter, if one does and does not keep it."""
    name = name_of_computed(call)
    cls = subject.cls
    path = f"{_attribute(method, call)}.{name}"
    layer = _wrapped_layer(subject, call)
    decision = decide(subject.project.spec, SiteKey(cls.file.module, cls.cls.qualname, path, layer))
    if isinstance(decision.action, Keep) or decision.rule is None:
        return ""
    match = decision.rule.match
    return f"the rule {match}" if match.rpartition(".")[2] == name else ""


def _attribute(method: Function, call: Call) -> str:
    """Name of the attribute that a wrapped layer is, or becomes."""
    first = call.args[0].value if call.args else None
    if isinstance(first, SelfRead):
        return ".".join(first.path)
    for item in method.assignments:
        if item.line <= call.line <= item.end_line and item.path:
            return ".".join(item.path)
    return "*"


def _wrapped_layer(subject: Subject, call: Call) -> str:
    inner = call.args[0].value if call.args else None
    if isinstance(inner, Call) and isinstance(inner.callee, Name):
        layer = subject.project.index.layer(inner.callee.dotted, subject.cls.file.path)
        return layer.name if layer else ""
    return ""


def _layer_calls(subject: Subject) -> Iterator[tuple[Call, Layer]]:
    """Calls that make layers in the methods of the class."""
    for method in subject.methods:
        for call in method.layer_calls:
            if isinstance(call.callee, Name):
                layer = subject.project.index.layer(call.callee.dotted, subject.cls.file.path)
                if layer is not None:
                    yield call, layer


@needs(*early(*called(*SCRIPTING)))
def scripted_child(subject: Subject) -> Iterator[Finding]:
    """A scripted or traced child has no attributes that could draw."""
    for method in subject.methods:
        if method.name not in subject.building:
            continue
        for call in method.layer_calls:
            scripting = isinstance(call.callee, Name) and call.callee.dotted in SCRIPTING
            if scripting and call.args and _is_module(subject, call.args[0].value):
                yield subject.finding(
                    call.line,
                    call.column,
                    "PYR039",
                    f"what {call.text} gives cannot draw",
                    "leave it out, or use torch.compile",
                )


def _is_module(subject: Subject, value: Value) -> bool:
    """Whether a value is a child, or makes a layer or a class of the project."""
    if isinstance(value, SelfRead):
        return any(attribute.name == value.path[0] for attribute in subject.summary.everything)
    if not isinstance(value, Call) or not isinstance(value.callee, Name):
        return False
    index, path = subject.project.index, subject.cls.file.path
    layer = index.layer(value.callee.dotted, path)
    if layer is not None:
        return layer.kind != "stateless"
    return index.resolve(value.callee.dotted, path).module_class is not None
