"""pyroify makes existing PyTorch source Bayesian, as source.

What is offered here is imported when it is first asked for: ``import pyroify`` alone is cheap. The
types of it are in ``__init__.pyi``.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "ClassPlan": "decide.model",
    "Finding": "diagnostics",
    "ProjectError": "project",
    "PublishError": "publish",
    "Report": "report.run",
    "Result": "api",
    "SitePlan": "decide.model",
    "Spec": "spec.model",
    "SpecError": "spec.model",
    "load_spec": "spec.load",
    "plan": "api",
    "rewrite_source": "api",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
