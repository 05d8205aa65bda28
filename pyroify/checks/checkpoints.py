"""What runs a part of the module again in the backward pass: checkpointing, reversible layers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroify.checks.subject import Subject
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.syntax.facts import Class, Function
from pyroify.syntax.traits import called
from pyroify.syntax.values import Argument, Call, Constant, Name, SelfRead, Unknown, walk

CHECKPOINT = re.compile(r".*checkpoint\w*\.(checkpoint|checkpoint_sequential)")
AUTOGRAD = frozenset(("torch.autograd.Function", "torch.autograd.function.Function"))
SAVED = frozenset(("saved_tensors", "needs_input_grad", "set_materialize_grads"))
"""What an autograd function keeps that is no module."""
OPTION = re.compile(r"\bself\.(?!training\b)\w+")
"""An attribute that a test reads; ``self.training`` is not for the user to leave off."""


@needs((Call, Name))
def checkpointed(subject: Subject) -> Iterator[Finding]:
    """Activation checkpointing of what draws: the backward pass would draw again."""
    for method in subject.methods:
        for call in method.layer_calls:
            if not _checkpoints(subject, call) or not _may_draw(subject, call):
                continue
            optional = _is_optional(subject, method, call.line)
            yield subject.finding(
                call.line,
                call.column,
                "PYR065" if optional else "PYR023",
                f"{call.text} runs {call.args[0].text} again in the backward pass, "
                "with other draws",
                "leave the option off" if optional else "call it directly, or keep its parameters",
                () if optional else _sites(subject, call),
            )


@needs(*called("apply"))
def run_again_by_function(subject: Subject) -> Iterator[Finding]:
    """A part that an autograd function is given, and runs again when it goes backward."""
    own = {parameter.name for parameter in subject.summary.all_parameters}
    for call, function in _applied(subject):
        for value in (passed.value for passed in call.args):
            if not isinstance(value, SelfRead) or value.path[0] in own:
                continue
            if value.path[0] in subject.randomness.names:
                yield subject.finding(
                    call.line,
                    call.column,
                    "PYR023",
                    f"{function.name}.backward runs self.{'.'.join(value.path)} again, "
                    "with other draws",
                    "let autograd go backward, or keep its parameters",
                    subject.sites_at(value.path),
                )


def _applied(subject: Subject) -> Iterator[tuple[Call, Class]]:
    """The calls of autograd functions of the project which call in ``backward`` what they kept."""
    index, path = subject.project.index, subject.cls.file.path
    for method in subject.methods:
        for call in method.layer_calls:
            name = call.callee.dotted if isinstance(call.callee, Name) else ""
            if name.endswith(".apply"):
                function = index.resolve(name.removesuffix(".apply"), path).plain_class
                if function is not None and _calls_what_it_kept(function):
                    yield call, function


def _calls_what_it_kept(function: Class) -> bool:
    """Whether ``backward`` calls something that is no tensor it saved."""
    if not AUTOGRAD.intersection(dotted for _, dotted, _, _ in function.bases):
        return False
    backward = function.method("backward")
    context = Argument(backward.arguments[0]) if backward and backward.arguments else None
    return backward is not None and any(
        isinstance(item, Unknown) and item.owner == context and item.path[0] not in SAVED
        for call in backward.layer_calls
        for item in walk(call.callee)
    )


def _checkpoints(subject: Subject, call: Call) -> bool:
    """Whether a call is of torch's checkpoint, or of a function that hands on to it."""
    if not isinstance(call.callee, Name) or not call.args:
        return False
    if CHECKPOINT.fullmatch(call.callee.dotted):
        return True
    if "checkpoint" not in call.callee.dotted:
        return False
    target = subject.project.index.resolve(call.callee.dotted, subject.cls.file.path)
    return target.function is not None and any(map(_is_handed_on, target.function.layer_calls))


def _is_handed_on(call: Call) -> bool:
    named = isinstance(call.callee, Name) and CHECKPOINT.fullmatch(call.callee.dotted)
    return bool(named) and bool(call.args) and not isinstance(call.args[0].value, Constant)


def _may_draw(subject: Subject, call: Call) -> bool:
    """Whether what is checkpointed reads random parameters, as far as the source shows."""
    value = call.args[0].value
    if isinstance(value, SelfRead):
        method = subject.cls.find_method(value.path[0]) if len(value.path) == 1 else None
        if method is not None:
            return subject.randomness.is_drawing(method[1])
        return value.path[0] in subject.randomness.names
    if isinstance(value, Name):
        # A function of a module gets its weights as arguments; one defined here may read self.
        return "<locals>" in value.dotted and bool(subject.randomness.names)
    return bool(subject.randomness.names) and not isinstance(value, Constant)


def _sites(subject: Subject, call: Call) -> tuple[str, ...]:
    """The parameters of what is checkpointed, where the source shows a part of the module."""
    value = call.args[0].value
    is_part = isinstance(value, SelfRead) and subject.cls.find_method(value.path[0]) is None
    return subject.sites_at(value.path) if is_part and isinstance(value, SelfRead) else ()


def _is_optional(subject: Subject, method: Function, line: int, depth: int = 0) -> bool:
    """Whether a line is only reached where an attribute of the module says so."""
    arms = (*method.guards, *method.choices)
    if any(first <= line <= last and OPTION.search(test) for first, last, test in arms):
        return True
    callers = [
        (other, use.line)
        for other in subject.methods
        for use in other.uses
        if use.how == "call" and use.path == (method.name,) and other is not method
    ]
    return (
        depth < 5
        and bool(callers)
        and all(_is_optional(subject, other, at, depth + 1) for other, at in callers)
    )
