"""What the plan says, as frozen plain data: the input of the rewrite and of every report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pyroify.diagnostics import Finding
from pyroify.spec.match import Spared
from pyroify.spec.model import Action as Decided
from pyroify.spec.model import Spec

Action = Literal["sample", "param", "keep"]
Status = Literal["converted", "unchanged", "refused", "suppressed"]
"""``suppressed``: the spec asks for it, and a comment in the source takes it out."""


@dataclass(frozen=True, slots=True)
class RuleRef:
    """A rule or latent of the spec as reports name it: its number (from 0), pattern and line."""

    index: int
    match: str
    line: int
    section: Literal["priors", "latents"] = "priors"

    def action(self, spec: Spec) -> Decided:
        """What it says of the sites it decides."""
        entries = spec.latents if self.section == "latents" else spec.rules
        return entries[self.index].action


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One parameter and what becomes of it.

    ``path`` is relative to the class (``fc1.weight``; ``layers.*.weight`` where the index is only
    known at run time). ``shape`` is source text (``[out_features, in_features]`` or
    ``self.fc1.weight.shape``), ``layer`` the library class that owns the parameter (``Linear``) or
    empty for the class's own parameters. ``source`` is the declaration that will be written.
    """

    path: str
    line: int
    column: int
    action: Action
    shape: str
    layer: str = ""
    source: str = ""
    rule: RuleRef | None = None
    beaten: tuple[RuleRef, ...] = ()
    spared: Spared = ""
    """Why no rule decides although some match: it is frozen, or a comment takes it out, say."""
    start: tuple[float, float] | None = None
    """The lowest and highest value that one of the class itself begins with, where it shows."""
    foreign: bool = False
    """It stands for what code outside of the project hands in or makes."""


@dataclass(frozen=True, slots=True)
class HeldClass:
    """An instance of the class ``cls`` (``module:Class``) that another holds under ``path``.

    ``line`` is where it is set.
    """

    path: str
    cls: str
    line: int


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """One ``nn.Module`` class of the project and what becomes of it.

    ``stale_methods`` go on with parameters that the constructor put aside (PYR010). ``parts`` are
    the instances of classes of the project that it holds, ``bases`` (``module:Class``) those it
    derives from.
    """

    module: str
    qualname: str
    path: str
    line: int
    column: int
    status: Status
    sites: tuple[SitePlan, ...] = ()
    findings: tuple[Finding, ...] = ()
    stale_methods: tuple[str, ...] = ()
    parts: tuple[HeldClass, ...] = ()
    bases: tuple[str, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    """Arguments that all who build it give instances of classes, each with one of these."""
    pending: bool = False
    """Whether its source, or that of a base, is still to be changed."""

    @property
    def name(self) -> str:
        """``module:Class``, as the spec names it."""
        return f"{self.module}:{self.qualname}"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one syntax node; what it is, its kind says (``pyroify/edits/kinds.py``).

    ``line`` (from 1) and ``column`` (from 0, in characters) are where the node starts.
    """

    line: int
    column: int

    @property
    def kind(self) -> str:
        """The name of the transform that makes it."""
        return type(self).__name__.lower()


@dataclass(frozen=True, slots=True)
class FilePlan:
    """All edits of one file. ``path`` is relative to the project root, with forward slashes.

    ``start`` is what a file that is not there yet holds before them.
    """

    path: str
    edits: tuple[Edit, ...]
    start: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """Where a script starts to train converted classes without their random parameters.

    ``classes`` are their names; none where it is not seen which they are. ``script`` is the file
    that runs it: another one, where only that calls the function.
    """

    path: str
    line: int
    classes: tuple[str, ...]
    script: str


@dataclass(frozen=True, slots=True)
class LiftedPrior:
    """A prior that ``pyro.random_module`` gives a class: what a rule would match and sample."""

    match: str
    sample: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``pyroify plan`` shows and ``pyroify rewrite`` does."""

    classes: tuple[ClassPlan, ...] = ()
    files: tuple[FilePlan, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    """Findings that belong to no class, such as spec rules that match nothing."""
    uses: tuple[Finding, ...] = ()
    """Findings about code that uses the converted classes, in files that were not given too."""
    trainings: tuple[Training, ...] = ()
    """The first such place of each file."""
    lifted: tuple[LiftedPrior, ...] = ()
    """The priors that old Pyro code gives classes of the project."""
