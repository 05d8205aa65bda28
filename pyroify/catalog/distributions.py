"""The distributions of ``pyro.distributions`` that can be a prior.

Plain data; torch is not imported. ``tests/test_catalog_distributions.py`` holds every row
against the installed Pyro: arguments, defaults, support, event dimensions, and whether an
AutoNormal guide takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

REQUIRED: Final = None
"""The default of a parameter that has none."""

Kind = Literal["number", "tensor", "size", "distribution"]
"""``number``: a float or a tensor of them. ``tensor``: Pyro accepts tensors alone. ``size``: a
whole number that fixes a shape. ``distribution``: a distribution."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a distribution.

    ``constraint`` and ``bounds`` say which values belong (``interval`` with (0, 2)). ``default``
    is source text or REQUIRED. ``event_dim`` is how many rightmost dimensions make one value.
    """

    name: str
    constraint: str = "real"
    bounds: tuple[float, ...] = ()
    default: str | None = REQUIRED
    event_dim: int = 0
    kind: Kind = "number"


@dataclass(frozen=True, slots=True)
class Distribution:
    """One distribution.

    ``parameters`` are in the constructor's order. Of each group in ``choices`` exactly one must
    be given. ``support`` names the constraint its values satisfy, or is empty where it depends
    on the arguments. ``event_dim`` is the number of dimensions of one draw. ``guide_problem`` is
    why no autoguide can take it, or empty.
    """

    name: str
    parameters: tuple[Parameter, ...]
    support: str = ""
    event_dim: int = 0
    choices: tuple[tuple[str, ...], ...] = ()
    guide_problem: str = ""

    def parameter(self, name: str) -> Parameter | None:
        """The parameter called ``name``, if there is one."""
        return next((known for known in self.parameters if known.name == name), None)


_DISCRETE = "its values are discrete, and autoguides are continuous"

_LOC = Parameter("loc")
_SCALE = Parameter("scale", "positive")
_CONCENTRATION = Parameter("concentration", "positive")
_RATE = Parameter("rate", "positive")
_BETA = (Parameter("concentration1", "positive"), Parameter("concentration0", "positive"))
_SKEWED = Parameter("asymmetry", "positive", default="1.0")
_BINARY = (
    Parameter("probs", "unit_interval", default="None"),
    Parameter("logits", default="None"),
)
_SIMPLEX = (
    Parameter("probs", "simplex", default="None", event_dim=1, kind="tensor"),
    Parameter("logits", "real_vector", default="None", event_dim=1, kind="tensor"),
)
_STABLE = (
    Parameter("stability", "interval", (0.0, 2.0)),
    Parameter("skew", "interval", (-1.0, 1.0)),
    Parameter("scale", "positive", default="1.0"),
    Parameter("loc", default="0.0"),
)
_TEMPERATURE = Parameter("temperature", "positive", kind="tensor")
_MEAN = Parameter("loc", "real_vector", event_dim=1, kind="tensor")
_COVARIANCE = (
    Parameter("covariance_matrix", "positive_definite", default="None", event_dim=2, kind="tensor"),
    Parameter("precision_matrix", "positive_definite", default="None", event_dim=2, kind="tensor"),
    Parameter("scale_tril", "lower_cholesky", default="None", event_dim=2, kind="tensor"),
)
_SCALE_TRIL = Parameter("scale_tril", "lower_cholesky", event_dim=2, kind="tensor")
_PROBS_OR_LOGITS = (("probs", "logits"),)
_ONE_COVARIANCE = (("covariance_matrix", "precision_matrix", "scale_tril"),)


def _total_count(constraint: str, default: str | None = "1") -> Parameter:
    return Parameter("total_count", constraint, default=default)


def _rows() -> tuple[Distribution, ...]:
    return (*_continuous(), *_multivariate(), *_discrete())


def _continuous() -> tuple[Distribution, ...]:
    location_scale = (_LOC, _SCALE)
    return (
        Distribution("Normal", location_scale, "real"),
        Distribution("Laplace", location_scale, "real"),
        Distribution("Cauchy", location_scale, "real"),
        Distribution("Gumbel", location_scale, "real"),
        Distribution("Logistic", location_scale, "real"),
        Distribution("SoftLaplace", location_scale, "real"),
        Distribution("NanMaskedNormal", location_scale, "real"),
        Distribution(
            "AsymmetricLaplace",
            (_LOC, _SCALE, Parameter("asymmetry", "positive")),
            "real",
        ),
        Distribution("SkewLogistic", (_LOC, _SCALE, _SKEWED), "real"),
        Distribution(
            "StudentT",
            (
                Parameter("df", "positive"),
                Parameter("loc", default="0.0"),
                Parameter("scale", "positive", default="1.0"),
            ),
            "real",
        ),
        *(Distribution(name, _STABLE, "real") for name in ("Stable", "StableWithLogProb")),
        Distribution("VonMises", (_LOC, _CONCENTRATION), "real"),
        Distribution("LogNormal", location_scale, "positive"),
        Distribution("HalfNormal", (_SCALE,), "nonnegative"),
        Distribution("HalfCauchy", (_SCALE,), "nonnegative"),
        Distribution("Exponential", (_RATE,), "nonnegative"),
        Distribution("Gamma", (_CONCENTRATION, _RATE), "nonnegative"),
        Distribution("Chi2", (Parameter("df", "positive"),), "nonnegative"),
        Distribution("InverseGamma", (_CONCENTRATION, _RATE), "positive"),
        Distribution("Weibull", (_SCALE, _CONCENTRATION), "positive"),
        Distribution(
            "FisherSnedecor",
            (Parameter("df1", "positive"), Parameter("df2", "positive")),
            "positive",
        ),
        Distribution("Pareto", (_SCALE, Parameter("alpha", "positive"))),
        Distribution(
            "GeneralizedPareto",
            (_LOC, _SCALE, Parameter("concentration")),
            guide_problem="its support depends on its parameters, and guides start outside it",
        ),
        Distribution("Uniform", (Parameter("low"), Parameter("high"))),
        Distribution("Beta", _BETA, "unit_interval"),
        Distribution("Kumaraswamy", _BETA, "unit_interval"),
        Distribution("AffineBeta", (*_BETA, _LOC, _SCALE)),
        Distribution(
            "ContinuousBernoulli",
            _BINARY,
            "unit_interval",
            choices=_PROBS_OR_LOGITS,
        ),
        *(
            Distribution(name, (_TEMPERATURE, *_BINARY), "unit_interval", choices=_PROBS_OR_LOGITS)
            for name in ("RelaxedBernoulli", "RelaxedBernoulliStraightThrough")
        ),
        Distribution(
            "FoldedDistribution", (Parameter("base_dist", "", kind="distribution"),), "positive"
        ),
        Distribution(
            "MixtureSameFamily",
            (
                Parameter("mixture_distribution", "", kind="distribution"),
                Parameter("component_distribution", "", kind="distribution"),
            ),
            guide_problem="Pyro has no transform for the support of a mixture",
        ),
        Distribution(
            "Delta",
            (Parameter("v", ""), Parameter("log_density", default="0.0")),
            guide_problem="it has no spread, so the loss is not finite",
        ),
    )


def _multivariate() -> tuple[Distribution, ...]:
    concentration = Parameter("concentration", "positive", event_dim=1, kind="tensor")
    return (
        Distribution("Dirichlet", (concentration,), "simplex", 1),
        *(
            Distribution(name, (_MEAN, *_COVARIANCE), "real_vector", 1, _ONE_COVARIANCE)
            for name in ("MultivariateNormal", "NanMaskedMultivariateNormal")
        ),
        Distribution(
            "LowRankMultivariateNormal",
            (
                _MEAN,
                Parameter("cov_factor", event_dim=2, kind="tensor"),
                Parameter("cov_diag", "positive", event_dim=1, kind="tensor"),
            ),
            "real_vector",
            1,
        ),
        Distribution(
            "MultivariateStudentT",
            (Parameter("df", "positive"), _MEAN, _SCALE_TRIL),
            "real_vector",
            1,
        ),
        *(
            Distribution(name, (_TEMPERATURE, *_SIMPLEX), "simplex", 1, _PROBS_OR_LOGITS)
            for name in ("RelaxedOneHotCategorical", "RelaxedOneHotCategoricalStraightThrough")
        ),
        Distribution(
            "ProjectedNormal",
            (Parameter("concentration", event_dim=1, kind="tensor"),),
            "sphere",
            1,
            guide_problem="autoguides cannot handle directions on a sphere",
        ),
        Distribution(
            "LKJCholesky",
            (
                Parameter("dim", "positive_integer", kind="size"),
                Parameter("concentration", "positive", default="1.0"),
            ),
            "corr_cholesky",
            2,
        ),
        Distribution(
            "Wishart",
            (Parameter("df", "positive"), *_COVARIANCE),
            "positive_definite",
            2,
            _ONE_COVARIANCE,
            "Pyro has no bijection onto positive definite matrices",
        ),
    )


def _discrete() -> tuple[Distribution, ...]:
    def row(
        name: str, parameters: tuple[Parameter, ...], support: str = "", event_dim: int = 0
    ) -> Distribution:
        has_choice = any(parameter.name == "logits" for parameter in parameters)
        choices = _PROBS_OR_LOGITS if has_choice else ()
        return Distribution(name, parameters, support, event_dim, choices, _DISCRETE)

    counts = "nonnegative_integer"
    below_one = Parameter("probs", "half_open_interval", (0.0, 1.0), default="None")
    return (
        row("Bernoulli", _BINARY, "boolean"),
        row("Geometric", _BINARY, counts),
        row("Binomial", (_total_count(counts), *_BINARY)),
        row("BetaBinomial", (*_BETA, _total_count(counts))),
        row(
            "NegativeBinomial",
            (_total_count("nonnegative", REQUIRED), below_one, _BINARY[1]),
            counts,
        ),
        row("GammaPoisson", (_CONCENTRATION, _RATE), counts),
        row("Poisson", (Parameter("rate", "nonnegative"),), counts),
        row("Categorical", _SIMPLEX),
        row("OneHotCategorical", _SIMPLEX, "one_hot", 1),
        row("OneHotCategoricalStraightThrough", _SIMPLEX, "one_hot", 1),
    )


DISTRIBUTIONS: Final[Mapping[str, Distribution]] = {row.name: row for row in _rows()}
"""Every distribution a spec can name, by name."""

_ABSTRACT = "it is a base class"
_STRUCTURED = "it describes whole data sets, not a parameter"
_BY_HAND = "its shapes cannot be read off the parameter; declare it by hand"


def _no_expand(instead: str) -> str:
    return f"it cannot be expanded to the shape of a parameter; use {instead}"


UNSUITABLE: Final[Mapping[str, str]] = {
    "AVFMultivariateNormal": _no_expand("MultivariateNormal"),
    "CoalescentTimes": _STRUCTURED,
    "CoalescentTimesWithRate": _STRUCTURED,
    "DirichletMultinomial": _STRUCTURED,
    "DiscreteHMM": _STRUCTURED,
    "Empirical": "it only knows the probability of the values it holds",
    "ExpandedDistribution": "pyroify expands to the shape of the parameter by itself",
    "ExponentialFamily": _ABSTRACT,
    "ExtendedBetaBinomial": "its probabilities are not normalised",
    "ExtendedBinomial": "its probabilities are not normalised",
    "GammaGaussianHMM": _STRUCTURED,
    "GaussianHMM": _STRUCTURED,
    "GaussianMRF": _STRUCTURED,
    "GaussianScaleMixture": _BY_HAND,
    "GroupedNormalNormal": _STRUCTURED,
    "ImproperUniform": "it cannot be sampled",
    "Independent": "pyroify declares the event dimensions by itself",
    "IndependentHMM": _STRUCTURED,
    "LKJ": _no_expand("LKJCholesky"),
    "LKJCorrCholesky": _no_expand("LKJCholesky"),
    "LinearHMM": _STRUCTURED,
    "LogNormalNegativeBinomial": _STRUCTURED,
    "LogisticNormal": "its parameters have one element less than a draw; use Dirichlet",
    "MaskedDistribution": _BY_HAND,
    "MaskedMixture": _BY_HAND,
    "MixtureOfDiagNormals": _BY_HAND,
    "MixtureOfDiagNormalsSharedCovariance": _BY_HAND,
    "Multinomial": _STRUCTURED,
    "OMTMultivariateNormal": _no_expand("MultivariateNormal"),
    "OneOneMatching": _STRUCTURED,
    "OneTwoMatching": _STRUCTURED,
    "OrderedLogistic": _STRUCTURED,
    "Rejector": _ABSTRACT,
    "SineBivariateVonMises": "a draw is a pair of angles",
    "SineSkewed": _BY_HAND,
    "SoftAsymmetricLaplace": _no_expand("AsymmetricLaplace"),
    "SpanningTree": _STRUCTURED,
    "TorchDistribution": _ABSTRACT,
    "TransformedDistribution": "a spec cannot write transforms; use LogNormal or the like",
    "TruncatedPolyaGamma": _no_expand("Gamma"),
    "Unit": "it has no value",
    "VonMises3D": "it cannot be sampled",
    "ZeroInflatedDistribution": _STRUCTURED,
    "ZeroInflatedNegativeBinomial": _STRUCTURED,
    "ZeroInflatedPoisson": _STRUCTURED,
}
"""The other distributions of Pyro, each with the reason why it is no prior."""
