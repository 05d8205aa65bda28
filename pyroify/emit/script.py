"""Fills the templates: the script and the tests beside it, as ``ruff format`` leaves them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroify import __version__
from pyroify.emit.family import GUIDES, environment, facts
from pyroify.emit.imports import find_uses, import_block, import_from
from pyroify.emit.keys import LOGGERS, PARTS
from pyroify.emit.layout import mapping_statement, tuple_statement, wrap_call
from pyroify.emit.origin.origin import Origin
from pyroify.emit.output import shadow_problem
from pyroify.emit.runtime import runtime_files, runtime_modules
from pyroify.emit.settings import EmitError, Settings, read_settings
from pyroify.emit.values import docstring_text, write_argument, write_value
from pyroify.project import RUNTIME


@dataclass(frozen=True, slots=True)
class Emitted:
    """Text of the script and of the tests beside it; ``path`` of the script, below the root.

    ``runtime`` are the files that it shares with other scripts, by their path below the root.
    """

    script: str
    test: str
    path: str
    runtime: Mapping[str, str]


def emit_script(
    svi: Mapping[str, Any],
    *,
    spec_name: str,
    spec_text: str,
    files: Collection[str] = (),
    origin: Origin | None = None,
) -> Emitted:
    """The training script for an ``svi:`` section of the project with these Python ``files``.

    What ``origin`` has of the project's own script takes the place of what settings say. The same
    arguments give the same script, byte for byte. Raises EmitError.
    """
    settings = read_settings(svi, origin)
    digest = hashlib.sha256(spec_text.encode()).hexdigest()
    context = _context(settings, spec_name, digest[:12])
    # A stand-in for what is the project's own shows which names the script needs itself.
    bare = _fill("train.py.j2", {**context, **_imported(settings, "_", "_", "_"), "imports": ""})
    for taken in _taken(origin):
        bare = bare.replace(taken, "")
    uses = find_uses(bare)
    theirs = (find_uses(taken).free for taken in _taken(origin))
    imports = import_block(uses.free.union(*theirs))
    modules = uses.modules | find_uses(imports).modules | runtime_modules()
    modules |= {RUNTIME, _top(settings.model.module)}
    modules |= {_top(settings.likelihood.options.get("module", RUNTIME))}
    if problem := shadow_problem(settings.output, settings.model.path, modules, files):
        raise EmitError([problem])
    network = _alias(settings.model.name, uses.taken)
    data = _alias(settings.data.name, find_uses(bare, "load_data").taken)
    factor = settings.likelihood.options.get("function", "")
    factor = _alias(factor, uses.taken | {network})
    imported = _imported(settings, network, data, factor)
    script = _fill("train.py.j2", {**context, **imported, "imports": imports})
    imports = import_block(find_uses(_fill("test.py.j2", {**context, "imports": ""})).free)
    test = _fill("test.py.j2", {**context, "imports": imports})
    return Emitted(_tidy(script), _tidy(test), settings.output, runtime_files())


def _taken(origin: Origin | None) -> tuple[str, ...]:
    """Functions of the project's own statements, whose names are theirs alone."""
    found = (origin.net, origin.data, origin.output) if origin else ()
    return tuple(filter(None, found))


def _fill(template: str, context: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(**context)


def _context(settings: Settings, spec_name: str, spec_hash: str) -> dict[str, Any]:
    """What the templates read, but for the project's own names and the imports."""
    likelihood = settings.likelihood.facts
    guide = facts(GUIDES, settings.guide.family)
    parts = [part for part in PARTS if part not in settings.leave_out]
    folders = settings.model.path
    return {
        "s": settings,
        "version": __version__,
        "runtime": RUNTIME,
        "spec_name": spec_name,
        "spec_hash": spec_hash,
        "likelihood": likelihood,
        "guide": guide,
        "task": _task(settings),
        "kind": _kind(likelihood),
        "kwargs": dict(settings.model.kwargs),
        "exact": settings.is_exact,
        "local": settings.elbo.local_reparametrization if settings.is_local else False,
        "whole": settings.is_whole,
        "made_up": settings.has_made_up_rows,
        "source_call": _source_call(settings),
        "output": _output(settings),
        "left_out": (*settings.leave_out, *(["predict"] if settings.is_whole else [])),
        "several": settings.devices == "several" and settings.engine == "torch",
        "validates": not settings.ends_after_training,
        "noise": _begins_noise(settings),
        "holds_noise": _holds_noise(settings),
        "until_flat": _ends_when_flat(settings),
        "logger": LOGGERS.get(settings.logger, "False"),
        "by_column": settings.data.kind in ("csv", "parquet"),
        "parts": parts,
        "folders": folders if "." in folders else (".", *folders),
        "source": write_value,
        "docstring": docstring_text,
        "tuple_statement": tuple_statement,
        "mapping_statement": mapping_statement,
        "wrap": wrap_call,
    }


def _task(settings: Settings) -> str:
    """How the targets are scored, as source."""
    likelihood = settings.likelihood.facts
    if likelihood.task != "classification":
        return f"rt.{likelihood.task.capitalize()}()"
    padding = settings.likelihood.options.get("padding")
    return f"rt.Classification({likelihood.probabilities}{_option('padding', padding)})"


def _source_call(settings: Settings) -> str:
    """How what a function gives is read, as source."""
    data = settings.data
    arguments = [write_value(f"{data.module}:{data.name}")]
    if settings.is_whole:
        arguments.append("whole=True")
    else:
        arguments.append(f"targets={write_value(data.targets[0])}")
        arguments += [f"inputs={write_value(data.inputs)}"] * bool(data.inputs)
        arguments += ['form="kept"'] * (data.form == "kept")
    arguments += ["stream=False"] * (not settings.is_stream)
    arguments += [f"size={data.size}"] * bool(data.size)
    arguments += [f"count={write_value(data.count)}"] * bool(data.count)
    kind = _kind(settings.likelihood.facts)
    arguments += [f"{kind}=True"] * bool(kind)
    return f"SOURCE = rt.Source({', '.join(arguments)})"


def _output(settings: Settings) -> str:
    """What the output of the network is taken for, as source; empty where nothing tells."""
    options, facts = settings.likelihood.options, settings.likelihood.facts
    if not (options.get("gives") or options.get("at")):
        return ""
    gives = getattr(facts, "checks", {}).get(options["gives"], options["gives"])
    has_noise = hasattr(facts, "noise")
    arguments = [write_value(gives)]
    arguments += [f"at={write_value(options['at'])}"] * bool(options["at"])
    arguments += ["half=True"] * (has_noise and not options["parts"])
    arguments += ["told=True"] * options["is_told"]
    return f"rt.Output({', '.join(arguments)})"


def _begins_noise(settings: Settings) -> bool:
    """Whether the noise scale begins at the error of a short fit.

    That of likelihoods of numbers that are brought to sd 1, where it is learned, or random and the
    guide begins at values.
    """
    scale = settings.likelihood.attributes.get("scale", "")
    is_scaled = hasattr(settings.likelihood.facts, "standardize")
    if not is_scaled or settings.data.standardize == "none":
        return False
    is_begun = settings.guide.init in ("module", "checkpoint")
    starts = settings.engine in ("torch", "lightning", "laplace")
    return starts and ("PyroParam" in scale or ("PyroSample" in scale and is_begun))


def _holds_noise(settings: Settings) -> bool:
    """Whether the noise is that of rows left out, as the guide has one value for most weights."""
    is_point = settings.guide.family in ("last_layer", "AutoDelta")
    return is_point and settings.engine in ("torch", "lightning") and _begins_noise(settings)


def _ends_when_flat(settings: Settings) -> bool:
    """Whether the script itself finds out how long to train; a rate that falls all along cannot."""
    is_told = settings.epochs or settings.steps or settings.engine in ("nuts", "ensemble")
    return not is_told and settings.optimizer.schedule == "cosine"


def _option(name: str, value: Any) -> str:
    return "" if value is None else f", {name}={write_value(value)}"


def _kind(likelihood: Any) -> str:
    """What targets are beside numbers, as an argument of ``as_rows``."""
    if hasattr(likelihood, "whole_numbers"):
        return "labels"
    return "may_be_nan" if hasattr(likelihood, "allows_nan") else ""


def _imported(settings: Settings, network: str, data: str, factor: str) -> dict[str, str]:
    """How the script comes by what the project defines, under these names."""
    model, rows = settings.model, settings.data
    kwargs = ", ".join(write_argument(name, value) for name, value in model.kwargs)
    comment = "  # noqa: E402"
    names: dict[str, list[str]] = {}
    if not (settings.origin and settings.origin.net):
        names[model.module] = [_renamed(model.name, network)]
    if function := settings.likelihood.options.get("function"):
        names.setdefault(settings.likelihood.options["module"], []).append(
            _renamed(function, factor)
        )
    if settings.engine == "lightning":
        used = ["lightning_run", "last_checkpoint", "row_numbers"]
        used += ["all_devices"] if settings.devices == "several" else []
        names[f"{RUNTIME}.inference.lightning"] = used
    wanted = {module: _import_statements(module, used, comment) for module, used in names.items()}
    lines = [f"import {RUNTIME} as rt{comment}", *(wanted[module] for module in sorted(wanted))]
    return {
        "build_net": f"return {network}({kwargs})",
        "project_imports": "\n".join(lines),
        "data_name": data,
        "factor": factor,
        "data_import": f"from {rows.module} import {_renamed(rows.name, data)}",
    }


def _import_statements(module: str, names: Sequence[str], comment: str) -> str:
    """Those under another name have a statement each, as isort wants it."""
    plain = [name for name in names if " as " not in name]
    groups = [plain] * bool(plain) + [[name] for name in sorted(set(names) - set(plain))]
    return "\n".join(import_from(module, group, comment) for group in groups)


def _top(module: str) -> str:
    return module.partition(".")[0]


def _alias(name: str, taken: frozenset[str]) -> str:
    """What the script calls the project's ``name``, which would hide a name of its own."""
    while name in taken:
        name = f"Project{name}" if name[0].isupper() else f"project_{name}"
    return name


def _renamed(name: str, alias: str) -> str:
    return name if name == alias else f"{name} as {alias}"


def _tidy(text: str) -> str:
    """Blank lines as the formatter wants them, however many parts were left out."""
    text = re.sub(r"\n{2,}(?=@|def |class |# ----)", "\n\n\n", text)
    text = re.sub(r"\n{4,}", "\n\n\n", text)
    text = re.sub(r"\n{3,}(?= )", "\n\n", text)
    return text.rstrip("\n") + "\n"
