"""A program: its files, how to build its classes, and the spec it is rewritten with."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

TARGETS = "program.json"
SPEC = "pyroify.yaml"


@dataclass(frozen=True, slots=True)
class Target:
    """One class to build: ``code`` is evaluated in its module, and ``inputs`` are what it takes.

    ``method`` is the entry point to call.
    """

    path: str
    name: str
    code: str
    method: str = "forward"

    @property
    def module(self) -> str:
        """The dotted name of the file."""
        return self.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Files by path, as bytes; ``spec`` is empty until one is made for the sites that are there."""

    files: Mapping[str, bytes]
    targets: tuple[Target, ...]
    spec: str = ""
    seed: str = ""
    forms: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """How many classes it has."""
        return sum(data.count(b"class ") for data in self.files.values())

    def __hash__(self) -> int:
        """Of what is in it."""
        return hash((tuple(sorted(self.files.items())), self.targets, self.spec))

    def random(self, purpose: str) -> random.Random:
        """Random numbers of this program's own, the same in every process."""
        return random.Random(f"{self.seed} {purpose}")


def lay_out(program: Program, root: Path) -> None:
    """Write the files and the spec below ``root``."""
    for path, data in program.files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (root / SPEC).write_text(program.spec)


def save(program: Program, folder: Path) -> None:
    """Write a program so that :func:`load` reads it again."""
    lay_out(program, folder)
    targets = [
        {"path": t.path, "name": t.name, "code": t.code, "method": t.method}
        for t in program.targets
    ]
    document = {"seed": program.seed, "forms": program.forms, "targets": targets}
    (folder / TARGETS).write_text(json.dumps(document, indent=1) + "\n")


def load(folder: Path) -> Program:
    """Read a saved program."""
    document = json.loads((folder / TARGETS).read_text())
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.py"))
    }
    return Program(
        files,
        tuple(Target(**target) for target in document["targets"]),
        (folder / SPEC).read_text(),
        document["seed"],
        tuple(document["forms"]),
    )


def with_files(program: Program, files: Mapping[str, bytes]) -> Program:
    """The program with other files, and without the targets whose file is gone."""
    targets = tuple(target for target in program.targets if target.path in files)
    return replace(program, files=files, targets=targets)
