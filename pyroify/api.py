"""pyroify from Python. The command line is made of the same functions."""

from __future__ import annotations

import io
import os
import tokenize
from collections.abc import Iterable, Set
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from pyroify.decide.model import ClassPlan
from pyroify.diagnostics import Finding
from pyroify.pipeline import Outcome, Watched, make_plan, rewrite_project, unwatched
from pyroify.project import Project, open_project, stand_in
from pyroify.report.run import UNMATCHED_RULE, Report, make_report
from pyroify.report.status import Progress, progress
from pyroify.shard import Shard
from pyroify.spec.model import Spec
from pyroify.workspace import open_settled, with_spec


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file.

    ``text`` is its new text, the old one where nothing changes. ``findings`` are sorted by place;
    what is not converted is among them. ``classes`` tell what becomes of each class, and of each
    of its parameters.
    """

    text: str
    findings: tuple[Finding, ...]
    classes: tuple[ClassPlan, ...]


def rewrite_source(text: str, spec: Spec, *, filename: str | os.PathLike[str]) -> Result:
    """Rewrites the text of one file, as ``pyroify rewrite - --stdin-filename FILE`` does.

    ``filename`` is the file that the text stands for. It need not exist; the project around it is
    looked at, as base classes may be there. Nothing is written.

    Raises ProjectError where there is no such project. What is wrong with the text is a finding.
    """
    project, spec = with_spec(open_project((), _path_of(spec), Path(filename)), spec)
    project = project.narrowed(spec.include, spec.exclude)
    encoding = _encoding(text)
    data = text.encode(encoding)
    report = make_report(project, spec, carry_out(project, spec, data))
    after = next((result.after for result in report.results if result.changed), None) or data
    return Result(after.decode(encoding), report.findings, report.classes)


def plan(
    paths: Iterable[str | os.PathLike[str]] = (),
    *,
    spec: Spec | str | os.PathLike[str] | None = None,
) -> Report:
    """What would become of every parameter in files and folders, as ``pyroify plan`` shows it.

    Without ``paths`` it is the current folder. ``spec`` is one that is loaded, a file, or None for
    the nearest ``pyroify.yaml``. Nothing is written.

    Raises ProjectError for paths that make no project, SpecError for a spec that is wrong, and
    PublishError where an earlier run was killed while it wrote.
    """
    loaded = spec if isinstance(spec, Spec) else None
    path = Path(spec) if spec is not None and not isinstance(spec, Spec) else _path_of(loaded)
    project, _ = open_settled([Path(path) for path in paths], path)
    project, loaded = with_spec(project, loaded)
    return report_plan(project.narrowed(loaded.include, loaded.exclude), loaded)


def report_plan(project: Project, spec: Spec, accepted: Set[str] = frozenset()) -> Report:
    """The plan of the selected files of a project, but for findings with codes ``accepted``."""
    made = make_plan(project.root, project.files, spec, project.selected)
    return make_report(project, spec, Outcome(made, ()), accepted)


def report_progress(project: Project, spec: Spec, narrowed: Report | None = None) -> Progress:
    """How far each folder of a project is; ``project`` is not narrowed to what the spec has.

    The report on the ``narrowed`` one, if there is one, does where that is the whole.
    """
    selected = frozenset(project.narrowed(spec.include, spec.exclude).selected)
    if narrowed is None or not selected.issuperset(project.selected):
        return progress(report_plan(project, spec, accepted_codes(True)), selected)
    return progress(narrowed, selected)


def carry_out(
    project: Project,
    spec: Spec,
    data: bytes | None = None,
    jobs: int = 1,
    watched: Watched = unwatched,
    shard: Shard | None = None,
) -> Outcome:
    """What becomes of the selected files; or of ``data``, if that stands for the one selected.

    With a ``shard``, only its files have results.
    """
    with nullcontext(project.root) if data is None else stand_in(project, data) as root:
        return rewrite_project(root, project.files, spec, project.selected, jobs, watched, shard)


def accepted_codes(allow_unmatched: bool) -> frozenset[str]:
    """The codes of findings that are none where rules may match nothing."""
    return frozenset({UNMATCHED_RULE} if allow_unmatched else ())


def _path_of(spec: Spec | None) -> Path | None:
    """The file of a spec, by which the root of a project is found; None for a spec of none."""
    path = None if spec is None else Path(spec.path)
    return path if path is not None and path.is_file() else None


def _encoding(text: str) -> str:
    """The encoding that a file with this text has: what it says of itself, or UTF-8."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(text.encode()).readline)
        text.encode(encoding)
    except (SyntaxError, UnicodeEncodeError):
        return "utf-8"
    return encoding.removesuffix("-sig")
