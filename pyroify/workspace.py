"""A project with its spec, as every command opens it: settled, and without what pyroify emitted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pyroify.project import NO_SPEC, SPEC_NAME, Project, ProjectError, from_here, open_project
from pyroify.publish import Recovery, pending, recover, refuse_half_published
from pyroify.spec.load import load_spec
from pyroify.spec.model import Spec


def open_settled(
    paths: Sequence[Path],
    spec_path: Path | None,
    stdin_filename: Path | None = None,
    *,
    writes: bool = False,
) -> tuple[Project, Recovery]:
    """The project of ``paths``, no file of which waits for what a killed run began.

    A command that ``writes`` finishes that run first; to any other one it is an error.
    """
    project = open_project(paths, spec_path, stdin_filename)
    recovery = (recover if writes else pending)(project.root)
    if not writes:
        refuse_half_published(recovery)
    elif recovery.finished:
        project = open_project(paths, spec_path, stdin_filename)
    return project, recovery


def with_spec(project: Project, spec: Spec | None = None) -> tuple[Project, Spec]:
    """The project, but for the script that pyroify emits, and its spec: its own, or this one.

    Which files the spec selects is not looked at. Raises ProjectError and SpecError.
    """
    if spec is None:
        if project.spec_path is None:
            help = "write a first one with `pyroify init`, or name one with --spec"
            message = f"no {SPEC_NAME} here or in the folders above"
            raise ProjectError(NO_SPEC, project.root, message, help)
        spec = load_spec(from_here(project.spec_path))
    path = Path(spec.path).resolve()
    if path.is_relative_to(project.root):
        spec = replace(spec, path=path.relative_to(project.root).as_posix())
    output = PurePosixPath(str(spec.svi.get("output", "train_svi.py"))).as_posix()
    if output in project.files and _is_emitted(project.root / output):
        project = project.without(output)
    return project, spec


def _is_emitted(path: Path) -> bool:
    """Whether `emit` wrote the file; any other one counts, whatever the spec names as output."""
    try:
        return (
            re.search(rb"^Written by pyroify ", path.read_bytes()[:4096], re.MULTILINE) is not None
        )
    except OSError:
        return False
