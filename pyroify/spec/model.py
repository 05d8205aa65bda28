"""The prior spec as frozen plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Literal

from pyroify.spec.expressions import Call, Expression

LINE_END: Final = re.compile(r"\r\n|\n|\r")
"""What ends a line; other characters that YAML or Python take for line ends do not count."""

Init = Literal["keep", "exp", "softplus", "unconstrained"] | float
"""What a PyroParam starts from: the value the original code gives (``keep``), its ``exp`` or
``softplus``, the value read as the unconstrained one (``unconstrained``), or a number."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the spec file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the spec: where, what, and what to do about it."""

    code: str
    path: str
    position: Position
    message: str
    help: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        """``file:line:column CODE message``, the line with a caret below, and the help."""
        place = f"{self.path}:{self.position.line}:{self.position.column}"
        lines = [f"{place} {self.code} {self.message}"]
        if self.excerpt:
            lines += [f"    {self.excerpt}", f"    {' ' * (self.position.column - 1)}^"]
        if self.help:
            lines.append(f"    help: {self.help}")
        return "\n".join(lines)


class SpecError(Exception):
    """A spec that cannot be used; ``problems`` holds every fault found, in order of position."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Sample:
    """Make the parameter a PyroSample of ``distribution``.

    With ``centered`` false the parameter becomes ``loc + scale * noise`` with standard noise as
    the latent, which samples better under hierarchical priors.
    """

    distribution: Call
    centered: bool = True

    @property
    def expression(self) -> Expression:
        """What the value depends on."""
        return self.distribution


@dataclass(frozen=True, slots=True)
class Deterministic:
    """Make the attribute a PyroSample that returns the tensor ``value`` and draws nothing."""

    value: Expression

    @property
    def expression(self) -> Expression:
        """What the value depends on."""
        return self.value


@dataclass(frozen=True, slots=True)
class Param:
    """Make the parameter a PyroParam under ``constraint``."""

    constraint: Call
    init: Init = "keep"
    event_dim: int | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the parameter as it is."""


Action = Sample | Deterministic | Param | Keep


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of ``priors:``: which sites, and what becomes of them.

    ``layers`` are globs over names of torch.nn classes; empty means every owner. ``barred``: it is
    none of the user's, but keeps what cannot be random.
    """

    index: int
    match: str
    layers: tuple[str, ...]
    action: Action
    line: int
    column: int
    barred: bool = False


@dataclass(frozen=True, slots=True)
class Latent:
    """One entry of ``latents:``: a new random attribute.

    ``class_pattern`` is ``[module:]Class`` with globs. ``name`` is the attribute, dotted to put
    it on a submodule (``fc1.tau``). ``shape`` lists sizes; empty is a scalar.
    """

    index: int
    class_pattern: str
    name: str
    action: Sample | Deterministic
    shape: tuple[Expression, ...]
    line: int
    column: int


Helpers = Literal["auto", "inline", "module"]
"""Where functions that declarations call stand: in the file that needs them, once in a module of
the package, or there if several files of the package need them."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the declarations are written."""

    follow_module: bool = False
    load_original_state_dict: bool = False
    helpers: Helpers = "auto"


@dataclass(frozen=True, slots=True)
class Example:
    """How a class is built and called, for a verification.

    ``build`` are the constructor's arguments by name, or ``module:function`` that returns an
    instance; ``inputs`` those of forward, in order or by name, or ``module:function`` that returns
    them. What is None is guessed.
    """

    cls: str
    build: Mapping[str, object] | str | None
    inputs: tuple[object, ...] | Mapping[str, object] | str | None
    line: int
    column: int


@dataclass(frozen=True)
class Spec:
    """A whole spec file. ``path`` is how messages name it.

    ``svi`` is the section as plain values; whoever emits the training script checks it.
    """

    version: int
    path: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    latents: tuple[Latent, ...] = ()
    options: Options = Options()
    svi: Mapping[str, object] = field(default_factory=dict)
    verify: tuple[Example, ...] = ()
    warnings: tuple[Problem, ...] = ()
    text: str = field(default="", repr=False)
    positions: Mapping[str, Position] = field(default_factory=dict, repr=False, compare=False)

    def position(self, key: str) -> Position:
        """Where ``key`` (``svi.guide.family``, ``priors.0.sample``) is, or its closest parent."""
        while key and key not in self.positions:
            key = key.rpartition(".")[0]
        return self.positions.get(key, Position(1, 1))

    @property
    def written(self) -> tuple[Rule, ...]:
        """The rules of the user."""
        return tuple(rule for rule in self.rules if not rule.barred)

    def rules_about(self, cls: str) -> Sequence[Rule]:
        """The rules that may be about a class, by the first name of its dotted one; in order.

        Most rules of a long spec name their class, and so most need not be looked at.
        """
        if cls not in self._about:
            fitting = (n for n, head in enumerate(self._heads) if head in (cls, ""))
            self._about[cls] = tuple(self.rules[n] for n in fitting)
        return self._about[cls]

    @cached_property
    def _heads(self) -> Sequence[str]:
        """The class that each rule names; empty where it may be any."""
        firsts = (rule.match.rpartition(":")[2].partition(".")[0] for rule in self.rules)
        return ["" if re.search(r"[*?\[]", first) else first for first in firsts]

    @cached_property
    def _about(self) -> dict[str, Sequence[Rule]]:
        return {}

    def barring(self, sites: Iterable[str]) -> Spec:
        """The spec, but that the ``sites`` (``module:Class.path``) are kept whatever it says."""
        start = len(self.rules)
        barred = (
            Rule(index, site, (), Keep(), line=0, column=0, barred=True)
            for index, site in enumerate(sites, start)
        )
        return replace(self, rules=(*self.rules, *barred))

    def problem(self, key: str, code: str, message: str, help: str = "") -> Problem:
        """A problem at ``key``, for those who check a section further."""
        return self.problem_at(self.position(key), code, message, help)

    def problem_at(self, position: Position, code: str, message: str, help: str = "") -> Problem:
        """A problem at ``position``, with the line it points at."""
        return Problem(code, self.path, position, message, help, excerpt(self.text, position))


def excerpt(text: str, position: Position) -> str:
    """The line of ``text`` at ``position``, with tabs as single spaces so that a caret fits."""
    lines = LINE_END.split(text)
    if position.line > len(lines):
        return ""
    return lines[position.line - 1].replace("\t", " ").rstrip()
