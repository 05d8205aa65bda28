"""Layers and converters of other Bayesian libraries, and what stands for them here.

Plain data; names are matched by their dotted form, and packages need not be installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Library:
    """One library. ``layers`` has a group ``layer``: what the layer is called in ``torch.nn``.

    ``loc`` and ``scale`` are the keywords of its normal prior, ``default`` the scale where none is
    given; ``leading`` stand first where they are given by position. ``adding``: what the layer of
    torch has to be given besides. ``gone``: what code around the layers does that has to go.
    ``converters``: what makes a network Bayesian at run time, and what stands here ``instead``.
    """

    name: str
    layers: re.Pattern[str]
    loc: str
    scale: str
    default: str
    gone: str
    converters: re.Pattern[str]
    instead: str
    leading: tuple[str, ...] = ()
    adding: tuple[tuple[str, str], ...] = ()


NO_LAYERS = re.compile(r"(?!)(?P<layer>)")
LIBRARIES = (
    Library(
        "blitz",
        re.compile(
            r"blitz\.modules\.(\w+\.)*Bayesian(?P<layer>Linear|Conv[123]d|LSTM|GRU|Embedding)"
        ),
        "0",
        "prior_sigma_1",
        "0.1",
        "@variational_estimator and sample_elbo(...)",
        re.compile(r"blitz\.utils\.(\w+\.)*variational_estimator"),
        "the loss of a guide: Trace_ELBO()(model, guide)",
        adding=(("LSTM", "batch_first=True"), ("GRU", "batch_first=True")),
    ),
    Library(
        "bayesian-torch",
        re.compile(
            r"bayesian_torch\.layers\.(\w+\.)*"
            r"(?P<layer>Linear|Conv(Transpose)?[123]d|LSTM)(Reparameterization|Flipout)"
        ),
        "prior_mean",
        "prior_variance",
        "1",
        "the KL terms that its layers return",
        re.compile(r"bayesian_torch\.(\w+\.)*(dnn_to_bnn|bnn_to_qbnn)"),
        "the rules of the spec: prior_mu and prior_sigma are `sample: Normal(mu, sigma)`",
    ),
    Library(
        "torchbnn",
        re.compile(r"torchbnn\.(\w+\.)*Bayes(?P<layer>Linear|Conv2d|BatchNorm2d)"),
        "prior_mu",
        "prior_sigma",
        "0.1",
        "BKLLoss and bayesian_kl_loss",
        re.compile(r"torchbnn\.(\w+\.)*(transform_model|transform_layer|BKLLoss)"),
        "the rules of the spec, and the loss of a guide: Trace_ELBO()(model, guide)",
        leading=("prior_mu", "prior_sigma"),
    ),
    Library(
        "TyXe",
        NO_LAYERS,
        "",
        "",
        "1",
        "",
        re.compile(r"tyxe\.(\w+\.)*(\w*BNN|GuidedBNN|PytorchBNN)"),
        "the rules of the spec (IIDPrior(Normal(0, 1)) is `sample: Normal(0, 1)`) and an autoguide",
    ),
    Library(
        "laplace",
        NO_LAYERS,
        "",
        "",
        "1",
        "",
        re.compile(r"laplace\.(\w+\.)*\w*Laplace\w*"),
        "`guide: AutoLaplaceApproximation` in the spec, or call it on the original class",
    ),
)


def layer_of(dotted: str) -> tuple[Library, str] | None:
    """The library that a layer is of, and what the layer is called in ``torch.nn``."""
    for library in LIBRARIES:
        if found := library.layers.fullmatch(dotted):
            return library, found["layer"]
    return None


def converter_of(dotted: str) -> Library | None:
    """The library that a converter is of."""
    return next((library for library in LIBRARIES if library.converters.fullmatch(dotted)), None)
