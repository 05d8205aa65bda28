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

from pyroify.emit.meaning import read_output
from pyroify.emit.quantity import SUPPORTS, read_quantity
from pyroify.emit.section import Section
from pyroify.emit.values import is_reference, write_value

LIKELIHOODS: Final = "likelihoods"
GUIDES: Final = "guides"
OWN: Final = "own_likelihoods"
"""What is no family: ``own``, and ``factor``."""

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


def read_likelihood(parent: Section) -> Family:
    """A family, ``own``, or ``{factor: "package.module:function"}``."""
    value = parent.values.get("likelihood")
    if isinstance(value, str):
        parent.take("likelihood")
        if value != "own":
            hint = f"write {{family: {value}}}, or own" if value in names(LIKELIHOODS) else "own"
            parent.problem("likelihood", f"{value!r} is not known", hint)
        return Family("own", {}, {}, OWN)
    section = parent.section("likelihood")
    if "factor" not in section.values:
        return read_family(section, LIKELIHOODS, "normal")
    name = section.text("factor", "")
    if not is_reference(name):
        message = f"{name!r} does not name a function"
        section.problem("factor", message, 'write "package.module:function"')
        name = "module:function"
    section.finish()
    module, _, function = name.partition(":")
    return Family("factor", {"module": module, "function": function}, {}, OWN)


def read_family(section: Section, kind: str, default: str) -> Family:
    """The family that the section names, with every option that its template states."""
    name = section.choice("family", names(kind), default)
    options: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    for option, (type_, fallback) in facts(kind, name).options.items():
        if fallback is None and section.values.get(option) is None:
            section.problem(option, f"{name} needs this")
        if type_ in SUPPORTS:
            attributes[option] = read_quantity(section, option, type_, fallback)
        elif type_ == "count":
            options[option] = section.count(option, fallback or 2)
        elif type_ == "index":
            options[option] = section.count(option, fallback, least=0)
        elif type_ == "texts":
            options[option] = write_value(section.texts(option, ("*",)))
        else:
            options[option] = section.number(option, fallback)
    if kind == LIKELIHOODS:
        options |= read_output(section, getattr(facts(kind, name), "gives", ()))
    section.finish()
    return Family(name, options, attributes, kind)
