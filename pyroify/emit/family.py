"""Likelihoods and guides: one template each, which also states its facts.

A template sets ``title`` and ``options``; the options a spec may give are read from there, so
that a new family is one new file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from pyroify.emit.meaning import output_keys, read_output
from pyroify.emit.quantity import SUPPORTS, Quantity
from pyroify.emit.section import Section
from pyroify.emit.values import is_reference, write_value
from pyroify.spec.kinds import (
    Choice,
    Count,
    Key,
    Kind,
    Named,
    Number,
    Schema,
    Table,
    Text,
    Texts,
    Wrong,
)

LIKELIHOODS: Final = "likelihoods"
GUIDES: Final = "guides"
OWN: Final = "own_likelihoods"
"""What is no family: ``own``, and ``factor``."""

DEFAULTS: Final = {LIKELIHOODS: "normal", GUIDES: "AutoNormal"}
"""What is taken where the spec names none."""

SUFFIX: Final = ".py.j2"


@dataclass(frozen=True, slots=True)
class Family:
    """A likelihood or guide with its options; ``kind`` is the folder of its template.

    ``attributes`` of the model, by name, are what the likelihood has beside the network: a
    number, a PyroParam or a PyroSample, as source text.
    """

    name: str
    options: Mapping[str, Any]
    attributes: Mapping[str, str]
    kind: str

    @property
    def facts(self) -> Any:
        """What its template sets."""
        return facts(self.kind, self.name)


@cache
def environment() -> Environment:
    """The templates; a name that is not defined is an error, never empty text."""
    return Environment(
        loader=PackageLoader("pyroify", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def names(kind: str) -> tuple[str, ...]:
    """The families of a kind: the templates in its folder."""
    folder = files("pyroify") / "templates" / kind
    return tuple(
        sorted(
            entry.name.removesuffix(SUFFIX)
            for entry in folder.iterdir()
            if entry.name.endswith(SUFFIX)
        )
    )


def facts(kind: str, name: str) -> Any:
    """What the template of a family sets."""
    return environment().get_template(f"{kind}/{name}{SUFFIX}").module


@dataclass(frozen=True, slots=True)
class Index:
    """The number of a class, or of what stands for none of them; ``none``: there is no such."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"anyOf": [{"const": "none"}, {"type": "integer"}]}

    def read(self, value: Any) -> int | None:
        """The number."""
        if value == "none":
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise Wrong(f"{value!r} is neither a whole number nor `none`")


INITS: Final = ("module", "prior", "zero")

KINDS: Final[Mapping[str, Kind]] = {
    "count": Count(),
    "index": Index(),
    "number": Number(),
    "texts": Texts(),
    **{kind: Quantity(kind) for kind in SUPPORTS},
}
"""What the options of a template may be."""

FACTOR: Final = Table(
    "likelihood",
    "A function of yours that gives the log-likelihood of each row.",
    (
        Key(
            "factor",
            "`package.module:function`.",
            Text({"pattern": r"^[^\W\d][\w.]*:[^\W\d]\w*$"}),
            default="",
            missing="factor: package.module:function",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a guide starts: a word, or the file of a checkpoint."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"anyOf": [{"enum": list(INITS)}, {"type": "string", "pattern": r"\.(pt|pth)$"}]}

    def read(self, value: Any) -> str:
        """The word, or the file."""
        start = Text().read(value)
        if start in INITS or start.endswith((".pt", ".pth")):
            return start
        raise Wrong(f"{start!r} is not known", f"choose {', '.join(INITS)} or name a .pt file")


START: Final = Key(
    "init",
    "Where the guide starts: at the values of the `module` as built, at those of a checkpoint "
    "(`model.pt`), at the `prior`'s, or at `zero`.",
    Start(),
    default="module",
)


@dataclass(frozen=True, slots=True)
class Guides:
    """A family of guides with its options."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return _families(GUIDES)

    def read(self, value: Any) -> Mapping[str, Any]:
        """The mapping, whose keys are read one by one."""
        return Named().read(value)


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """A family of likelihoods with its options, ``own``, or a function."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"anyOf": [{"const": "own"}, FACTOR.schema(), _families(LIKELIHOODS)]}

    def read(self, value: Any) -> str | Mapping[str, Any]:
        """``own``, or the mapping, whose keys are read one by one."""
        if not isinstance(value, str):
            return Named().read(value)
        if value == "own":
            return value
        hint = f"write {{family: {value}}}, or own" if value in names(LIKELIHOODS) else "own"
        raise Wrong(f"{value!r} is not known", hint)


def _family(kind: str) -> Key:
    return Key("family", f"One of the {kind}.", Choice(names(kind)), default=DEFAULTS[kind])


def family_keys(kind: str, name: str) -> tuple[Key, ...]:
    """What a spec may say of the family ``name``."""
    said = facts(kind, name)
    options = (
        Key(
            option,
            f"Of `{name}`: {says}.",
            KINDS[type_],
            default=fallback,
            missing=f"{option}:" if fallback is None else "",
        )
        for option, (type_, fallback, says) in said.options.items()
    )
    if kind == GUIDES:
        return (START, _family(kind), *options)
    return (_family(kind), *options, *output_keys(getattr(said, "gives", ())))


def _families(kind: str) -> Schema:
    """A mapping whose keys depend on the family that it names."""
    return {
        "type": ["object", "null"],
        "properties": {"family": _family(kind).schema()},
        "allOf": [_if_family(kind, name) for name in names(kind)],
    }


def _if_family(kind: str, name: str) -> Schema:
    is_named: Schema = {"properties": {"family": {"const": name}}}
    if name != DEFAULTS[kind]:
        is_named["required"] = ["family"]
    title = facts(kind, name).title
    return {
        "if": is_named,
        "then": Table(name, title, family_keys(kind, name), is_optional=True).schema(),
    }


def read_likelihood(parent: Section) -> Family:
    """A family, ``own``, or ``{factor: "package.module:function"}``."""
    value = parent.read("likelihood")
    if isinstance(value, str):
        return Family("own", {}, {}, OWN)
    if not value or "factor" not in value:
        name, section = _open(parent, "likelihood", LIKELIHOODS)
        options, attributes = _read_options(section, LIKELIHOODS, name)
        options |= read_output(section, getattr(facts(LIKELIHOODS, name), "gives", ()))
        section.finish()
        return Family(name, options, attributes, LIKELIHOODS)
    section = parent.below("likelihood", FACTOR.keys)
    name = section.read("factor")
    if not is_reference(name):
        message = f"{name!r} does not name a function"
        section.problem("factor", message, 'write "package.module:function"')
        name = "module:function"
    section.finish()
    module, _, function = name.partition(":")
    return Family("factor", {"module": module, "function": function}, {}, OWN)


def read_guide(parent: Section) -> tuple[Family, str]:
    """The family, and where it starts."""
    parent.read("guide")
    name, section = _open(parent, "guide", GUIDES)
    init = section.read("init")
    options, _ = _read_options(section, GUIDES, name)
    section.finish()
    return Family(name, options, {}, GUIDES), init


def _open(parent: Section, key: str, kind: str) -> tuple[str, Section]:
    """The name of the family under ``key``, and the mapping with what may be said of it."""
    name = parent.below(key, (_family(kind),)).read("family")
    return name, parent.below(key, family_keys(kind, name))


def _read_options(section: Section, kind: str, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The options that the template states; apart, the attributes that the model gets."""
    options: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    for option, (type_, fallback, _) in facts(kind, name).options.items():
        if fallback is None and section.values.get(option) is None:
            section.problem(option, f"{name} needs this")
        value = section.read(option)
        if type_ in SUPPORTS:
            attributes[option] = value
        else:
            options[option] = write_value(value) if type_ == "texts" else value
    return options, attributes
