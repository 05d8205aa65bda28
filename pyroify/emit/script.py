"""Fills the templates: the script and the tests beside it, as ``ruff format`` leaves them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pyroify import __version__
from pyroify.emit.family import GUIDES, LIKELIHOODS, environment, facts
from pyroify.emit.imports import find_uses, import_block, import_from
from pyroify.emit.layout import mapping_statement, tuple_statement, wrap_call
from pyroify.emit.output import shadow_problem
from pyroify.emit.settings import PARTS, EmitError, Settings, read_settings
from pyroify.emit.values import docstring_text, write_argument, write_value


@dataclass(frozen=True, slots=True)
class Emitted:
    """Text of the script and of the tests beside it; ``path`` of the script, below the root."""

    script: str
    test: str
    path: str


def emit_script(
    svi: Mapping[str, Any], *, spec_name: str, spec_text: str, files: Collection[str] = ()
) -> Emitted:
    """The training script for an ``svi:`` section of the project with these Python ``files``.

    The same section and spec text give the same script, byte for byte. Raises EmitError.
    """
    settings = read_settings(svi)
    digest = hashlib.sha256(spec_text.encode()).hexdigest()
    context = _context(settings, spec_name, digest[:12])
    # A stand-in for what is the project's own shows which names the script needs itself.
    bare = _fill("train.py.j2", {**context, **_imported(settings, "_", "_"), "imports": ""})
    uses = find_uses(bare)
    imports = import_block(uses.read)
    modules = uses.modules | find_uses(imports).modules | {settings.model.module.split(".")[0]}
    if problem := shadow_problem(settings.output, settings.model.path, modules, files):
        raise EmitError([problem])
    network = _alias(settings.model.name, uses.taken)
    data = _alias(settings.data.name, find_uses(bare, "load_data").taken)
    script = _fill(
        "train.py.j2", {**context, **_imported(settings, network, data), "imports": imports}
    )
    imports = import_block(find_uses(_fill("test.py.j2", {**context, "imports": ""})).read)
    test = _fill("test.py.j2", {**context, "imports": imports})
    return Emitted(_tidy(script), _tidy(test), settings.output)


def _fill(template: str, context: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(**context)


def _context(settings: Settings, spec_name: str, spec_hash: str) -> dict[str, Any]:
    """What the templates read, but for the project's own names and the imports."""
    return {
        "s": settings,
        "version": __version__,
        "spec_name": spec_name,
        "spec_hash": spec_hash,
        "likelihood": facts(LIKELIHOODS, settings.likelihood.name),
        "guide": facts(GUIDES, settings.guide.family),
        "kwargs": dict(settings.model.kwargs),
        "exact": settings.is_exact,
        "several": settings.devices == "several" and settings.engine == "torch",
        "parts": set(PARTS) - set(settings.leave_out),
        "curve": _draws_curve(settings),
        "given": "**rows.given" if settings.data.weights else "targets=rows.targets",
        "source": write_value,
        "docstring": docstring_text,
        "tuple_statement": tuple_statement,
        "mapping_statement": mapping_statement,
        "wrap": wrap_call,
    }


def _imported(settings: Settings, network: str, data: str) -> dict[str, str]:
    """How the script comes by what the project defines, under these names."""
    model, rows = settings.model, settings.data
    kwargs = ", ".join(write_argument(name, value) for name, value in model.kwargs)
    network_import = import_from(model.module, [_renamed(model.name, network)], "  # noqa: E402")
    return {
        "build_net": f"net = {network}({kwargs})",
        "user_import": network_import,
        "data_name": data,
        "data_import": f"from {rows.module} import {_renamed(rows.name, data)}",
    }


def _alias(name: str, taken: frozenset[str]) -> str:
    """What the script calls the project's ``name``, which would hide a name of its own."""
    while name in taken:
        name = f"Project{name}" if name[0].isupper() else f"project_{name}"
    return name


def _renamed(name: str, alias: str) -> str:
    return name if name == alias else f"{name} as {alias}"


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
