"""Which likelihood a loss is the negative logarithm of, and what it takes the output to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Meaning:
    """A likelihood; ``convert`` makes what its template takes of what the loss is given.

    ``note`` says in what it differs from the loss.
    """

    family: str
    convert: str = ""
    note: str = ""


PROBABILITIES: Final = "{0}.clamp(1e-6, 1 - 1e-6).logit()  # the loss takes probabilities"
RATES: Final = "{0}.clamp_min(1e-8).log()  # the loss takes rates"
VARIANCES: Final = "torch.cat([{0}, rt.raw_noise({1})], -1)  # the loss takes variances"

MEANINGS: Final[Mapping[str, Meaning]] = {
    "CrossEntropyLoss": Meaning("categorical"),
    "cross_entropy": Meaning("categorical"),
    "NLLLoss": Meaning("categorical"),
    "nll_loss": Meaning("categorical"),
    "BCEWithLogitsLoss": Meaning("bernoulli"),
    "binary_cross_entropy_with_logits": Meaning("bernoulli"),
    "BCELoss": Meaning("bernoulli", PROBABILITIES),
    "binary_cross_entropy": Meaning("bernoulli", PROBABILITIES),
    "MultiLabelSoftMarginLoss": Meaning("multilabel"),
    "multilabel_soft_margin_loss": Meaning("multilabel"),
    "MSELoss": Meaning("normal"),
    "mse_loss": Meaning("normal"),
    "L1Loss": Meaning("laplace"),
    "l1_loss": Meaning("laplace"),
    "SmoothL1Loss": Meaning("student_t", note="it has heavy tails as the loss, another shape"),
    "smooth_l1_loss": Meaning("student_t", note="it has heavy tails as the loss, another shape"),
    "HuberLoss": Meaning("student_t", note="it has heavy tails as the loss, another shape"),
    "huber_loss": Meaning("student_t", note="it has heavy tails as the loss, another shape"),
    "PoissonNLLLoss": Meaning("poisson"),
    "poisson_nll_loss": Meaning("poisson"),
    "GaussianNLLLoss": Meaning("heteroskedastic"),
    "gaussian_nll_loss": Meaning("heteroskedastic"),
}
"""By the name in ``torch.nn`` and ``torch.nn.functional``."""

HARMLESS: Final = frozenset(("reduction", "eps", "full", "log_input", "ignore_index", "inplace"))
"""Arguments of losses that change nothing, or are taken over."""
