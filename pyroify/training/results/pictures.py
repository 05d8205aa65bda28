"""The library that pictures are drawn with, where it is installed."""

from __future__ import annotations

from typing import Any

from ..errors import Abort


def load_pyplot() -> Any:
    """The library, or a refusal."""
    try:
        import matplotlib
    except ImportError as error:
        raise Abort(2, "--plots needs matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
