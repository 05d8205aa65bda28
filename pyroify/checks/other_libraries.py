"""Layers and converters of other Bayesian libraries, which have posteriors of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyroify.catalog.bayesian import Library, converter_of, layer_of
from pyroify.checks.instances import Script, dotted
from pyroify.checks.subject import Subject
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import Index, Target
from pyroify.syntax.facts import Class
from pyroify.syntax.values import Call, Name

SHAPING = re.compile(r"(?!prior_|posterior_|freeze$|moped).*")
"""Keywords that the layer of torch has as well."""


@needs((Call, Name))
def layer_of_another_library(subject: Subject) -> Iterator[Finding]:
    """A layer that has a posterior of its own: its means and scales are no weights."""
    index, path = subject.project.index, subject.cls.file.path
    for method in subject.methods:
        for call in method.layer_calls:
            found = layer_of(_outside_name(index, dotted(call), path))
            if found is not None:
                library, layer = found
                what = f"{call.text} of {library.name} learns a posterior of its own"
                prior = f"`sample: {_prior(library, call)}`"
                help = (
                    f"write nn.{layer}({_arguments(library, layer, call)}), with {prior} in the "
                    f"spec; drop {library.gone}"
                )
                yield subject.finding(call.line, call.column, "PYR094", what, help)


@needs(Class)
def decorated_for_another_library(subject: Subject) -> Iterator[Finding]:
    """A class that another library gives a loss of its own."""
    cls, index, path = subject.cls.cls, subject.project.index, subject.cls.file.path
    for name in cls.registered:
        library = converter_of(_outside_name(index, name, path))
        if library is not None:
            what = (
                f"@{name.rpartition('.')[2]} of {library.name} adds a loss over layers of its own"
            )
            help = f"drop it, for {library.instead}"
            yield subject.finding(cls.line, cls.column, "PYR094", what, help)


@needs((Call, Name))
def converter_of_another_library(script: Script) -> Iterator[Finding]:
    """A converter that goes over parameters or names of layers which are gone."""
    for call, at in script.calls:
        name = _outside_name(script.project.index, dotted(call), script.file.path)
        if (library := converter_of(name)) is None:
            continue
        given = [passed.value for passed in call.args]
        classes = [cls for value in given for cls in script.losing(script.points_to(value, at))]
        if classes:
            yield script.finding(
                call,
                "PYR095",
                f"{call.text} of {library.name} does not see the random parameters of "
                f"{classes[0].cls.name}",
                f"leave it out, for {library.instead}",
            )


def _outside_name(index: Index, name: str, path: str) -> str:
    """What a name is called outside the project; nothing for what the project defines itself."""
    return "" if index.resolve(name, path) != Target() else index.canonical(name, path)


def _given(library: Library, call: Call) -> Iterator[tuple[str, str]]:
    """The arguments by their keywords, as far as they have one; ``""`` for others."""
    names = iter(library.leading)
    for passed in call.args:
        keyword = passed.keyword or passed.star
        yield keyword or next(names, ""), passed.text


def _arguments(library: Library, layer: str, call: Call) -> str:
    """The arguments that are for the layer of torch, too."""
    kept = [(key, text) for key, text in _given(library, call) if SHAPING.fullmatch(key)]
    written = [f"{key}={text}" if key.isidentifier() else f"{key}{text}" for key, text in kept]
    return ", ".join([*written, *(text for name, text in library.adding if name == layer)])


def _prior(library: Library, call: Call) -> str:
    """The prior that the layer has, as far as it is written."""
    given = dict(_given(library, call))
    return f"Normal({given.get(library.loc, 0)}, {given.get(library.scale, library.default)})"
