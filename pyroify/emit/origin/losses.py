"""Which likelihood a loss is the negative logarithm of, and what it takes the output to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from pyroify.emit.family import LIKELIHOODS, facts, names

_HEAVY: Final = "it has heavy tails as the loss, another shape"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A likelihood, and what the loss takes the output for.

    ``note`` says in what it differs from the loss.
    """

    family: str
    gives: str = ""
    note: str = ""


NEAR: Final[Mapping[str, Meaning]] = {
    "MultiLabelSoftMarginLoss": Meaning("multilabel"),
    "multilabel_soft_margin_loss": Meaning("multilabel"),
    "SmoothL1Loss": Meaning("student_t", note=_HEAVY),
    "smooth_l1_loss": Meaning("student_t", note=_HEAVY),
    "HuberLoss": Meaning("student_t", note=_HEAVY),
    "huber_loss": Meaning("student_t", note=_HEAVY),
}
"""Losses that no template names as its own; by the name in ``torch.nn`` and its functions."""

HARMLESS: Final = frozenset(("reduction", "eps", "full", "log_input", "ignore_index", "inplace"))
"""Arguments of losses that change nothing, or are taken over."""


def meaning_of(loss: str, settings: Mapping[str, str]) -> Meaning | None:
    """What a loss stands for, given its arguments as source; None for one that is not known."""
    for variant, meaning in _known().items():
        name, _, argument = variant.removesuffix(")").partition("(")
        key, _, value = argument.partition("=")
        if name == loss and argument and settings.get(key) == value:
            return meaning
    return _known().get(loss)


@cache
def _known() -> Mapping[str, Meaning]:
    own = {
        loss: Meaning(family, "" if gives == facts(LIKELIHOODS, family).gives[0] else gives)
        for family in names(LIKELIHOODS)
        for loss, gives in getattr(facts(LIKELIHOODS, family), "losses", {}).items()
    }
    return {**NEAR, **own}
