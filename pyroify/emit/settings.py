"""The ``svi:`` section, checked: plain mappings in, frozen settings out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final

from pyroify.emit.family import GUIDES, INITS, OWN, Family, facts, read_guide, read_likelihood
from pyroify.emit.keys import (
    DATA,
    ELBO,
    ENSEMBLE,
    EVERYWHERE,
    HANDLERS,
    LAPLACE,
    MODEL,
    NUTS,
    OPTIMIZER,
    SVI,
)
from pyroify.emit.origin.origin import Origin
from pyroify.emit.output import output_problem
from pyroify.emit.section import Problem, Section
from pyroify.emit.sources import Data, read_data
from pyroify.emit.values import Unwritable, is_name, is_reference, write_value


class EmitError(Exception):
    """An ``svi:`` section that cannot be emitted; ``problems`` holds every fault found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Model:
    """The class to train; ``kwargs`` as source text, ``path`` folders to import from."""

    module: str
    name: str
    kwargs: tuple[tuple[str, str], ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guide:
    """``init`` is one of INITS or ``checkpoint``, which lies at ``checkpoint``."""

    family: str
    options: Mapping[str, Any]
    init: str
    checkpoint: str = ""


@dataclass(frozen=True, slots=True)
class Optimizer:
    """``clip_norm`` 0: gradients are not clipped."""

    name: str
    lr: float
    schedule: str
    clip_norm: float


@dataclass(frozen=True, slots=True)
class Elbo:
    """What is optimised.

    ``name`` ``auto`` takes the KL in closed form where the guide allows it. ``kl_warmup`` counts
    epochs; None: half of those that a training has at least. ``local_reparametrization`` is also
    EVERYWHERE: not only in layers that are used once for each row.
    """

    name: str
    particles: int
    local_reparametrization: bool | str
    kl_weight: float
    kl_warmup: int | None


@dataclass(frozen=True, slots=True)
class Nuts:
    """How many draws are kept, and how many come before them."""

    samples: int
    warmup: int


@dataclass(frozen=True, slots=True)
class Ensemble:
    """How many networks are fitted."""

    members: int


@dataclass(frozen=True, slots=True)
class Laplace:
    """``structure`` is one of STRUCTURES, ``prior`` of PRIORS; ``sites`` are patterns."""

    structure: str
    sites: tuple[str, ...]
    prior: str
    draws: int


@dataclass(frozen=True, slots=True)
class Handlers:
    """Effect handlers on latent sites, each a pattern of their names.

    ``condition`` pins a site at a number, or at the value that the guide would begin with (None).
    ``reparam`` takes location and scale out of a site. ``do`` sets a site to zero in one more
    column of the evaluation.
    """

    condition: tuple[tuple[str, float | None], ...]
    reparam: tuple[str, ...]
    do: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the templates are filled with.

    ``epochs`` 0: so many as the ``steps`` take, and those 0: as many as scales need to move.
    ``choose`` is one of CHOICES: the epoch that is evaluated. ``patience`` counts epochs; 0 never
    stops early. ``logger`` is one of LOGGERS or "none". With
    ``arviz`` the draws are also written for
    ArviZ to read. ``leave_out`` names the PARTS that the script does without.
    """

    output: str
    model: Model
    data: Data
    likelihood: Family
    guide: Guide
    optimizer: Optimizer
    elbo: Elbo
    nuts: Nuts
    ensemble: Ensemble
    laplace: Laplace
    handlers: Handlers
    engine: str
    devices: str
    epochs: int
    steps: int
    choose: str
    patience: int
    arviz: bool
    logger: str
    leave_out: tuple[str, ...]
    seed: int
    origin: Origin | None = None
    """What is taken from the project's own script."""

    @property
    def is_exact(self) -> bool:
        """Whether the KL divergence is taken in closed form."""
        asked = self.elbo.name == "auto" and self.engine not in ("svi", "laplace")
        return asked and self.guide.family == "AutoNormal"

    @property
    def ends_after_training(self) -> bool:
        """Whether the posterior is found at the end of the training, not in its steps."""
        return self.engine == "laplace" or hasattr(facts(GUIDES, self.guide.family), "finish")

    @property
    def is_whole(self) -> bool:
        """Whether the likelihood is the project's own, and sees a batch as the project has it."""
        return self.likelihood.kind == OWN

    @property
    def has_made_up_rows(self) -> bool:
        """Whether rows can be made up for a short run."""
        return not self.is_whole and self.data.form == "flat"

    @property
    def can_stream(self) -> bool:
        """Whether training and evaluation need no more than one batch at a time."""
        goes_by_batches = self.engine in ("torch", "svi") and self.devices == "one"
        return goes_by_batches and not self.ends_after_training and not self.arviz

    @property
    def is_stream(self) -> bool:
        """Whether the data are read batch by batch."""
        by_default = self.can_stream and self.data.kind in ("function", "script")
        return by_default if self.data.stream is None else self.data.stream

    @property
    def is_local(self) -> bool:
        """Whether the noise of weights may be drawn in the outputs."""
        asked = bool(self.elbo.local_reparametrization)
        return self.is_exact and not self.is_whole and asked

    @property
    def digest(self) -> str:
        """Names what a checkpoint belongs to, beside what flags and data say."""
        optimizer = replace(self.optimizer, lr=0.0)
        elbo = replace(self.elbo, kl_weight=0.0)
        fixed = (self.engine, self.model, self.likelihood, self.guide, optimizer, elbo)
        taken = (self.origin.digest,) if self.origin else ()
        text = repr((*fixed, self.handlers, self.data.standardize, *taken))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def file(self) -> str:
        """The script's own name."""
        return PurePosixPath(self.output).name

    @property
    def module(self) -> str:
        """The name that the tests import the script by."""
        return PurePosixPath(self.output).stem

    @property
    def depth(self) -> int:
        """How many folders the script lies below the root of the project."""
        return len(PurePosixPath(self.output).parts) - 1

    @property
    def out(self) -> str:
        """Where the script writes, relative to the root of the project."""
        return f"runs/{PurePosixPath(self.output).stem}"


def read_settings(svi: Mapping[str, Any], origin: Origin | None = None) -> Settings:
    """The settings, with what is taken from a script; raises EmitError with every fault."""
    problems: list[Problem] = []
    section = Section("svi", svi, SVI.keys, problems)
    settings = Settings(
        output=_output(section),
        model=_model(section.section(MODEL), is_copied=bool(origin and origin.net)),
        data=_data(section.section(DATA), origin),
        likelihood=read_likelihood(section),
        guide=_guide(section),
        optimizer=_optimizer(section.section(OPTIMIZER)),
        elbo=_elbo(section.section(ELBO)),
        nuts=Nuts(**_plain(section.section(NUTS))),
        ensemble=Ensemble(**_plain(section.section(ENSEMBLE))),
        laplace=Laplace(**_plain(section.section(LAPLACE))),
        handlers=Handlers(**_plain(section.section(HANDLERS))),
        engine=section.read("engine"),
        devices=section.read("devices"),
        epochs=section.read("epochs") or 0,
        steps=_steps(section),
        choose=section.read("choose") or ("best" if svi.get("patience") else "last"),
        patience=section.read("patience"),
        arviz=section.read("arviz"),
        logger=section.read("logger"),
        leave_out=section.read("leave_out"),
        seed=section.read("seed"),
        origin=origin,
    )
    section.finish()
    problems += refusals(settings, svi)
    if problems:
        raise EmitError(problems)
    return settings


def _plain(section: Section, *said: str) -> dict[str, Any]:
    """All keys of a section, by name; something is ``said`` of others that it may have."""
    values = {key.name: section.read(key.name) for key in section.keys}
    section.finish(*said)
    return values


def _data(section: Section, origin: Origin | None) -> Data:
    data = read_data(section)
    if origin is None or not origin.data:
        return data
    return replace(data, kind="script", inputs=origin.keywords, keywords=origin.keywords)


def _steps(section: Section) -> int:
    """How many steps to train; 0: as many as are needed, or as the epochs have."""
    steps: int = section.read("steps")
    if steps and section.values.get("epochs"):
        section.problem("steps", "the epochs say how long to train", "leave out one of them")
    return steps


def _output(section: Section) -> str:
    output = section.read("output")
    path = str(PurePosixPath(output))
    if problem := output_problem(output, path):
        section.problems.append(problem)
    return path


def _model(section: Section, is_copied: bool) -> Model:
    """The class; it need not be importable where the script has what builds it."""
    name = section.read("class")
    is_named = is_name(name.rpartition(":")[2]) if is_copied else is_reference(name)
    if not is_named:
        section.problem(
            "class",
            f"{name!r} does not name a class" if name else "the class to train is missing",
            'write "package.module:Class"',
        )
        name = "module:Class"
    module, _, qualname = name.partition(":")
    kwargs = section.read("kwargs")
    for key in kwargs:
        if not str(key).isidentifier():
            section.problem(f"kwargs.{key}", f"{key!r} is not the name of an argument")
    source = tuple((key, _literal(section, key, value)) for key, value in kwargs.items())
    path = section.read("path")
    section.finish()
    return Model(module, qualname, source, path)


def _literal(section: Section, key: str, value: Any) -> str:
    """``value`` as Python source; "None" where it has none, which is a fault."""
    try:
        return write_value(value)
    except Unwritable as error:
        section.problem(f"kwargs.{key}", str(error), "write a number, text, list or mapping")
        return "None"


def _guide(section: Section) -> Guide:
    family, init = read_guide(section)
    if init in INITS:
        return Guide(family.name, family.options, init)
    return Guide(family.name, family.options, "checkpoint", init)


def _optimizer(section: Section) -> Optimizer:
    if "weight_decay" in section.values:
        message = "a weight decay on top of a prior counts the prior twice"
        hint = "leave it out; change the prior's scale instead"
        section.problem("weight_decay", message, hint, "PYR404")
    name = section.values.get("name")
    if name == "AdamW":
        message = (
            "AdamW is Adam with a weight decay, which on top of a prior counts the prior twice"
        )
        section.problem("name", message, "use Adam", "PYR404")
        section = section.without("name")
    return Optimizer(**_plain(section, "weight_decay"))


def _elbo(section: Section) -> Elbo:
    name = section.values.get("name")
    if isinstance(name, str) and name in _REFUSED_ELBOS:
        section.problem("name", f"{name} {_REFUSED_ELBOS[name]}", "use auto", "PYR401")
        section = section.without("name")
    return Elbo(**_plain(section))


_REFUSED_ELBOS: Final = {
    "TraceMeanField_ELBO": "leaves out the Jacobian of constrained latents under AutoNormal",
    "JitTrace_ELBO": "cannot trace a module that holds its own parameters",
    "JitTraceMeanField_ELBO": "cannot trace a module that holds its own parameters",
    "TraceEnum_ELBO": "is for discrete latents, and weights are continuous",
    "TraceGraph_ELBO": "is for draws without a gradient, and these guides' draws have one",
    "RenyiELBO": "averages over particles at once, which network layers cannot take",
}


def refusals(settings: Settings, svi: Mapping[str, Any]) -> list[Problem]:
    """What each setting allows by itself but not together with another."""
    found: list[Problem] = []
    if settings.engine == "ensemble":
        found += _refused_keys(svi, "an ensemble has no {}")
    if settings.engine == "nuts":
        found += _refused_by_nuts(settings, svi)
    if settings.engine == "laplace":
        found += _refused_by_laplace(settings, svi)
    if settings.devices == "several" and settings.engine not in ("torch", "lightning"):
        message = f"engine {settings.engine} trains in one process"
        hint = "use engine torch or lightning, or leave devices out"
        found.append(Problem("svi.devices", message, hint, "PYR405"))
    if settings.logger != "none" and settings.engine != "lightning":
        message = f"engine {settings.engine} writes metrics.jsonl and knows no {settings.logger}"
        hint = "use engine lightning, or leave the logger out"
        found.append(Problem("svi.logger", message, hint))
    if settings.choose == "best" and not settings.data.validation and not settings.patience:
        message = "without validation rows no epoch is better than another"
        found.append(Problem("svi.choose", message, "set svi.data.validation", "PYR406"))
    if settings.patience:
        found += _refused_with_patience(settings)
    if settings.data.stream and not settings.can_stream:
        message = "an engine but torch and svi, several devices, a Laplace guide and ArviZ's file "
        message += "need all rows in memory"
        found.append(Problem("svi.data.stream", message, "leave it out", "PYR405"))
    if settings.is_whole:
        found += _refused_with_own_likelihood(settings, svi)
    elbo = svi.get("elbo")
    asked = isinstance(elbo, Mapping) and elbo.get("local_reparametrization") in (True, EVERYWHERE)
    if asked and settings.is_whole:
        message = "local reparametrisation draws noise for each row, which a likelihood may mix"
        found.append(Problem("svi.elbo.local_reparametrization", message, "leave it out", "PYR403"))
    elif asked and not settings.is_exact:
        message = "local reparametrisation needs independent normals that the script itself draws"
        hint = "use guide AutoNormal, engine torch or lightning, and elbo name auto"
        found.append(Problem("svi.elbo.local_reparametrization", message, hint, "PYR403"))
    return found


def _refused_with_own_likelihood(settings: Settings, svi: Mapping[str, Any]) -> list[Problem]:
    data = svi.get("data")
    given = data if isinstance(data, Mapping) else {}
    found: list[Problem] = []
    if settings.data.kind == "synthetic":
        message = "no rows can be made up for a likelihood of your own"
        found.append(Problem("svi.data.source", message, 'write "package.module:function"'))
    if given.get("standardize", "none") != "none":
        message = "a likelihood of your own sees the data as they are"
        found.append(Problem("svi.data.standardize", message, "leave it out"))
    if settings.data.weights:
        message = "a likelihood of your own weighs its rows itself"
        found.append(Problem("svi.data.weights", message, "leave it out"))
    if settings.data.kind == "function":
        found += [
            Problem(
                f"svi.data.{key}", "a likelihood of your own is given whole batches", "leave it out"
            )
            for key in ("inputs", "targets", "shape", "form")
            if key in given
        ]
    if settings.arviz:
        message = "a likelihood of your own tells no predictions for ArviZ"
        found.append(Problem("svi.arviz", message, "leave it out"))
    return found


def _refused_with_patience(settings: Settings) -> list[Problem]:
    if not settings.data.validation:
        message = "without validation rows nothing says when to stop"
        return [Problem("svi.patience", message, "set svi.data.validation", "PYR406")]
    has_guide = settings.engine not in ("nuts", "ensemble", "laplace")
    if has_guide and not settings.ends_after_training:
        return []
    what = f"guide {settings.guide.family}" if has_guide else f"engine {settings.engine}"
    message = f"{what} does not validate while it trains"
    return [Problem("svi.patience", message, "leave it out", "PYR406")]


def _refused_keys(svi: Mapping[str, Any], message: str) -> list[Problem]:
    return [
        Problem(f"svi.{key}", message.format(key), "leave it out", "PYR402")
        for key in ("guide", "elbo")
        if svi.get(key)
    ]


def _refused_by_nuts(settings: Settings, svi: Mapping[str, Any]) -> list[Problem]:
    found = _refused_keys(svi, "NUTS has no {}")
    likelihood = settings.likelihood
    learned = [name for name, text in likelihood.attributes.items() if "PyroParam" in text]
    if learned or hasattr(likelihood.facts, "declare"):
        what = ", ".join(learned) or f"what {likelihood.name} has beside the network"
        message = f"NUTS draws latents and learns nothing, but {what} is learned"
        found.append(Problem("svi.likelihood", message, "give it a prior", "PYR402"))
    return found


def _refused_by_laplace(settings: Settings, svi: Mapping[str, Any]) -> Iterator[Problem]:
    kept = {"guide": ("init",), "elbo": ("kl_weight", "kl_warmup")}
    for section, keys in kept.items():
        given = svi.get(section)
        for key in sorted({*given} - {*keys}) if isinstance(given, Mapping) else ():
            message = f"a Laplace approximation around one network has no {key}"
            yield Problem(f"svi.{section}.{key}", message, "leave it out", "PYR402")
    likelihood = settings.likelihood
    gives = getattr(likelihood.facts, "laplace", ())
    if likelihood.options.get("gives") not in gives:
        message = f"laplace-torch knows no likelihood {likelihood.name}"
        hint = "write normal, categorical or bernoulli, or take another engine"
        if gives:
            message = f"laplace-torch takes {likelihood.name} by {' or '.join(gives)} alone"
            hint = "have the network give these, or take another engine"
        yield Problem("svi.likelihood", message, hint, "PYR407")
    if settings.data.weights:
        message = "laplace-torch does not weigh rows"
        yield Problem("svi.data.weights", message, "take another engine", "PYR407")
    for handler in ("reparam", "do"):
        if getattr(settings.handlers, handler):
            message = f"a Laplace approximation around one network has no {handler}"
            yield Problem(f"svi.handlers.{handler}", message, "leave it out", "PYR402")
