"""Fills the templates: the script and the tests beside it, as ``ruff format`` leaves them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyroify import __version__
from pyroify.emit.family import GUIDES, LIKELIHOODS, environment, facts
from pyroify.emit.imports import import_block, import_from
from pyroify.emit.layout import quote, tuple_source, tuple_statement, wrap_call
from pyroify.emit.settings import PARTS, Settings, read_settings


@dataclass(frozen=True, slots=True)
class Emitted:
    """Text of the script and of the tests beside it; ``path`` of the script, below the root."""

    script: str
    test: str
    path: str


def emit_script(svi: Mapping[str, Any], *, spec_name: str, spec_text: str) -> Emitted:
    """The training script for an ``svi:`` section.

    The same section and spec text give the same script, byte for byte. Raises EmitError.
    """
    settings = read_settings(svi)
    digest = hashlib.sha256(spec_text.encode()).hexdigest()
    script, test = (
        _render(template, settings, spec_name, digest[:12])
        for template in ("train.py.j2", "test.py.j2")
    )
    return Emitted(script, test, settings.output)


def _render(template: str, settings: Settings, spec_name: str, spec_hash: str) -> str:
    model = settings.model
    kwargs = ", ".join(f"{name}={value}" for name, value in model.kwargs)
    context = {
        "s": settings,
        "version": __version__,
        "spec_name": spec_name,
        "spec_hash": spec_hash,
        "likelihood": facts(LIKELIHOODS, settings.likelihood.name),
        "guide": facts(GUIDES, settings.guide.family),
        "build_net": f"net = {model.name}({kwargs})",
        "user_import": import_from(model.module, [model.name], "  # noqa: E402"),
        "exact": settings.is_exact,
        "several": settings.devices == "several" and settings.engine == "torch",
        "parts": set(PARTS) - set(settings.leave_out),
        "curve": _draws_curve(settings),
        "given": "**rows.given" if settings.data.weights else "targets=rows.targets",
        "quote": quote,
        "names": tuple_source,
        "tuple_statement": tuple_statement,
        "wrap": wrap_call,
    }
    body = environment().get_template(template).render(**context, imports="")
    text = environment().get_template(template).render(**context, imports=import_block(body))
    return _tidy(text)


def _draws_curve(settings: Settings) -> bool:
    """Whether predictions may be drawn over the range of the input."""
    is_regression = facts(LIKELIHOODS, settings.likelihood.name).task == "regression"
    is_drawn = "plots" not in settings.leave_out
    return is_drawn and is_regression and settings.data.may_be_one_number


def _tidy(text: str) -> str:
    """Blank lines as the formatter wants them, however many parts were left out."""
    text = re.sub(r"\n{2,}(?=@|def |class |# ----)", "\n\n\n", text)
    text = re.sub(r"\n{4,}", "\n\n\n", text)
    text = re.sub(r"\n{3,}(?= )", "\n\n", text)
    return text.rstrip("\n") + "\n"
