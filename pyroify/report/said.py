"""What a command said, kept for one that is asked the same of a project that is as it was."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

from pyroify import cache
from pyroify.codec import CodecError, read, write
from pyroify.lock import LOCK_NAME
from pyroify.project import Project
from pyroify.report.formats import Output

SETTINGS = (LOCK_NAME, "pyproject.toml")
"""What is read of a project beside its files and its spec."""
TEXT = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f]*")
"""Text that a terminal takes for nothing else."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed to stdout and stderr, and its exit code."""

    result: str
    notes: str
    code: int

    @property
    def output(self) -> Output:
        """What it printed, as a format gives it."""
        return Output(self.result, self.notes)


def place_of(project: Project, *options: object) -> cache.Entry | None:
    """Where to keep what a command says with these options, as long as nothing it reads changes."""
    asked = (options, str(project.root), os.getcwd(), str(date.today()), project.selected)
    if not cache.is_read():
        return None
    paths = (str(project.spec_path), *SETTINGS, *project.files)
    contents = [(path, _digest(project.root / path)) for path in paths]
    return cache.entry("said", repr((asked, project.findings, contents)))


def recall(place: cache.Entry | None) -> Said | None:
    """What was said before."""
    kept = place.get() if place is not None else None
    with suppress(CodecError):
        said = read(kept, Said) if kept is not None else None
        return said if said is not None and _is_kept(said) else None
    return None


def keep(place: cache.Entry | None, output: Output, code: int) -> None:
    """Keep what is said now."""
    if place is not None and isinstance(output.result, str):
        said = Said(output.result, output.notes, code)
        if _is_kept(said):
            place.put(write(said).encode())


def _is_kept(said: Said) -> bool:
    """Whether it may be said again: text, and how a command ends that went through."""
    is_text = TEXT.fullmatch(said.result) and TEXT.fullmatch(said.notes)
    return bool(is_text) and said.code in (0, 1)


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
