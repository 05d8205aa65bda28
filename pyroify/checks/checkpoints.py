"""Activation checkpointing, which runs a part of the module again in the backward pass."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroify.checks.subject import Subject
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.syntax.facts import Function
from pyroify.syntax.values import Call, Constant, Name, SelfRead

CHECKPOINT = re.compile(r".*checkpoint\w*\.(checkpoint|checkpoint_sequential)")
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
