"""What a verification is asked and what it answers, as frozen plain data. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pyroify.decide.model import ClassPlan
from pyroify.spec.model import Spec

Status = Literal["equal", "different", "failed", "not_verified", "abstract", "nothing_to_call"]
Way = Literal["spec", "run", "within", "code", "part", "guess"]
"""How it is known what to build and call: from the spec; from a run of the project's own; from
what such a run did with the object around it; from a line of the project's; from what was done
with the object around it; or guessed."""

IMPORTING = "import"
"""The stage of a child process in which it imports the file of a class."""


@dataclass(frozen=True, slots=True)
class Build:
    """How to build a class and call its forward. What is None is guessed.

    ``inputs`` are the arguments of forward, in order or by name; a text such as ``float[2, 8]``,
    ``int[2, 5]`` or ``bool[2]`` stands for a tensor of that shape. Or they are ``module:function``
    of the project, which returns them. ``function`` is such a function that returns an instance.
    ``code`` is Python source that sets ``args``, ``kwargs`` and ``inputs`` instead, for values that
    are no plain data; it is run for each version, and may import from the project. ``data`` is the
    section ``svi.data`` of a spec: rows of that go before what is guessed. ``recorded`` are files
    that a run of the project's own left: each of how it was built, with those of its calls.
    ``unrecorded`` says why there are none, where there was such a run; ``enclosing`` are those of
    objects in whose calls it was called then. ``is_part``: it was no run, but what holds the class
    was built and called.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    inputs: Sequence[Any] | Mapping[str, Any] | str | None = None
    function: str = ""
    code: str = ""
    data: Mapping[str, Any] | None = None
    recorded: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unrecorded: str = ""
    enclosing: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_part: bool = False

    @property
    def is_guessed(self) -> bool:
        """Whether nothing is said about the constructor's arguments."""
        return not (self.args or self.code or self.function) and self.kwargs is None


@dataclass(frozen=True, slots=True)
class Target:
    """One class to verify. ``path`` is its file, relative to the root of both versions.

    Methods ``left_out`` are not compared: they are known to compute something else.
    """

    module: str
    qualname: str
    path: str
    build: Build = Build()
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``module:Class``, as the spec names it."""
        return f"{self.module}:{self.qualname}"


@dataclass(frozen=True, slots=True)
class PlannedClasses:
    """What the spec says and what was planned from it for the classes in ``files``."""

    spec: Spec
    classes: tuple[ClassPlan, ...]
    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What became of one target.

    ``equal``: with the old weights every call computes what it computed. ``different``: it does
    not, or what was built is not what was planned; ``failed``: it does, or would, but something
    else is wrong. ``reason`` says what. ``not_verified``: ``reason`` says why the original could
    not be run. ``abstract`` and ``nothing_to_call``: there is nothing to run. ``calls`` are those
    that were compared, ``sites`` the latents drawn, each with its shape and number of event dims.
    ``left_out`` are methods that were not compared on purpose, and ``pickle`` where a prior is a
    lambda. ``way`` is how it was known what to build and call, ``place`` the line of the project
    that says it, or what it is within.
    ``is_unbuilt``: there was such a run, and it did not build one.
    ``is_test``: it is no class, but a test of the project's own that passes no more.
    """

    name: str
    path: str
    status: Status
    reason: str = ""
    built: str = ""
    calls: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    max_difference: float | None = None
    sites: Mapping[str, tuple[tuple[int, ...], int]] = field(default_factory=dict)
    way: Way | None = None
    place: str = ""
    is_unbuilt: bool = False
    is_test: bool = False

    @property
    def recorded(self) -> bool:
        """Whether it was built and called as a run of the project's own did it."""
        return self.way in ("run", "within")
