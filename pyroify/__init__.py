"""pyroify makes existing PyTorch source Bayesian, as source."""

__version__ = "0.1.0"
