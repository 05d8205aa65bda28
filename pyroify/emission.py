"""What `pyroify emit` does: makes a training script of spec and project, and puts it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pyroify.emit import EmitError, Emitted, emit_script
from pyroify.emit.example import find_example
from pyroify.emit.losses import find_losses
from pyroify.emit.origin.code import InTheWay
from pyroify.emit.origin.origin import Origin
from pyroify.emit.origin.take import take_from
from pyroify.emit.runtime import standing
from pyroify.paths import link_fault
from pyroify.pipeline import survey
from pyroify.project import RUNTIME, Project, from_here
from pyroify.publish import IN_THE_WAY, Change, PublishError, refuse_existing
from pyroify.report.diff import colour_diff, render_diff
from pyroify.report.starter import render_svi
from pyroify.report.text import render_findings, render_scripts
from pyroify.spec.model import Spec, SpecError
from pyroify.terminal import is_colourful, note, put, warn


def emit(project: Project, spec: Spec, origin: Origin | None) -> tuple[Emitted, str]:
    """The script of a spec's ``svi:`` and of a script of the project's own; and whence it is."""
    if origin is not None:
        svi, reason = origin.section, "".join(f"{said}\n" for said in origin.notes)
    else:
        svi, reason = with_likelihood(project, spec.svi)
    name = Path(spec.path).name
    try:
        emitted = emit_script(
            svi, spec_name=name, spec_text=spec.text, files=project.files, origin=origin
        )
    except EmitError as error:
        faults = [(at.path, at.code, at.message, at.suggestion) for at in error.problems]
        raise SpecError(spec.problem(*fault) for fault in faults) from error
    return emitted, reason


def take_over(project: Project, spec: Spec, script: str) -> Origin | None:
    """What is taken from a script; None where a line of it is in the way, which is said."""
    index, plan_with = survey(project.root, project.files, project.files)
    try:
        origin = take_from(project.root, index, plan_with(spec), script, spec.svi)
    except InTheWay as error:
        warn(render_findings([error.finding], project.root))
        note("nothing is written; `pyroify rule CODE` explains\n")
        return None
    warn(render_findings(origin.findings, project.root))
    return origin


def with_likelihood(project: Project, svi: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The section with the likelihood of the project's own loss, where it names none; and why."""
    if svi.get("likelihood"):
        return svi, ""
    losses = find_losses(project.root, project.files, svi.get("model"))
    seen = ", ".join(f"{loss.name} in {loss.path}:{loss.line}" for loss in losses)
    if len(losses) == 1:
        told = ", gives: ".join(losses[0].section.values())
        return {**svi, "likelihood": losses[0].section}, f"likelihood: {told}, by {seen}\n"
    why = f"several losses: {seen}" if losses else "no loss that tells another"
    return svi, f"likelihood: normal ({why}); svi.likelihood in the spec sets it\n"


def texts_of(emitted: Emitted) -> dict[str, str]:
    """The script and the test beside it, by path."""
    path = PurePosixPath(emitted.path)
    test = path.with_name(f"test_{path.name}")
    return {str(path): emitted.script, str(test): emitted.test}


# What is offered


def offer(project: Project, spec: Spec) -> None:
    """Prints a section on training that may be pasted into a spec without one.

    Names the scripts that train a converted class, where the spec leaves open on what.
    """
    data = spec.svi.get("data")
    source = data.get("source", "synthetic") if isinstance(data, Mapping) else "synthetic"
    if spec.svi.get("model") and source != "synthetic":
        return
    index, plan_with = survey(project.root, project.files, project.selected)
    plan = plan_with(spec)
    example = None if spec.svi else find_example(project.root, project.files, index, plan)
    if example is not None:
        put(render_svi(example))
    note(render_scripts(plan.trainings, project.root))


# What is written


def changes_of(
    root: Path, emitted: Emitted, force: bool
) -> tuple[list[Change], list[Change], list[str]]:
    """The changes to what scripts share, those to the scripts, and files whose edits stay."""
    shared, kept = _shared(root, emitted.runtime, force)
    texts = texts_of(emitted).items()
    return shared, [_replacement(root, path, text, force) for path, text in texts if text], kept


def note_changes(
    root: Path, shared: Sequence[Change], kept: Sequence[str], own: Sequence[Change]
) -> None:
    """Says what has been written, and what has not."""
    _note_written(from_here(root / RUNTIME), shared)
    for name in kept:
        note(f"{from_here(root / name)} has edits of yours, and stays as it is\n")
    for change in own:
        _note_written(from_here(root / change.path), [change])


def show(root: Path, emitted: Emitted) -> int:
    """Prints the diff of an emission, edits of the user's gone; 1 if it would change anything."""
    help = "remove the link, or name another svi.output in the spec"
    texts = {**texts_of(emitted), **emitted.runtime}
    changes = [Change(path, _before(root, path, help), t.encode()) for path, t in texts.items()]
    changes = [change for change in changes if change.before != change.after]
    new = [change for change in changes if change.before is None]
    shown = render_diff(change for change in changes if change not in new)
    put(colour_diff(shown) if is_colourful() else shown)
    shared = f"{RUNTIME}/"
    for name in dict.fromkeys(shared if c.path.startswith(shared) else c.path for c in new):
        note(f"{name} is not there yet\n")
    return 1 if changes else 0


def _note_written(path: Path, changes: Sequence[Change]) -> None:
    is_same = all(change.before == change.after for change in changes)
    note(f"{path} is up to date\n" if is_same else f"wrote {path}\n")


def _shared(root: Path, files: Mapping[str, str], force: bool) -> tuple[list[Change], list[str]]:
    """What makes the package of the scripts up to date, and the files with edits that stay.

    Edits of another version's files do not stay with this one's script: they are refused.
    """
    changes: list[Change] = []
    kept: list[str] = []
    for path, text in files.items():
        before = _before(root, path, "remove the link")
        is_kept = False
        if before is not None and not force:
            match standing(before.decode(errors="replace"), path):
                case "edited":
                    is_kept = True
                case "edited before":
                    why = "has edits of yours, and was written by another version"
                    help = "move your edits into the script, or replace the file with --force"
                    raise PublishError(IN_THE_WAY, path, why, help)
                case "foreign":
                    help = "rename it: scripts find what they share by that name"
                    raise PublishError(IN_THE_WAY, path, "is there already", help)
        if is_kept:
            kept.append(path)
        else:
            changes.append(Change(path, before, text.encode()))
    return changes, kept


def _before(root: Path, path: str, help: str) -> bytes | None:
    """What ``path`` holds, None where it is not there; a link is refused."""
    if fault := link_fault(root, path):
        raise PublishError(IN_THE_WAY, path, fault, help)
    return (root / path).read_bytes() if (root / path).exists() else None


def _replacement(root: Path, path: str, text: str, force: bool) -> Change:
    """The change that makes ``path`` hold ``text``; edits of the user's go only by ``force``."""
    before = _before(root, path, "remove the link, or name another svi.output in the spec")
    if before != text.encode() and not force:
        refuse_existing(root, path, "keep your edits, or replace it with --force")
    return Change(path, before, text.encode())
