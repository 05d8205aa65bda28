"""What a recorder has noted, by class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyroify.verify.model import Build, Target
from pyroify.verify.own_runs import recorder

Key = tuple[str, str]
"""The path of a class, and its qualified name."""

Made = tuple[tuple[str, tuple[str, ...]], ...]
"""Files that say how something was built, each with those of its calls."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run of the project's own noted. ``ended`` says how the run itself came out.

    ``builds`` are the files of each class. ``lost`` says of classes why something could not be
    noted; ``within`` are those of the objects in whose calls they were called then.
    """

    ended: str
    builds: Mapping[Key, Made]
    lost: Mapping[Key, str]
    within: Mapping[Key, Made] = field(default_factory=dict)

    def build_of(self, target: Target) -> Build:
        """How to build a class: as the run did it, if it did."""
        key = (target.path, target.qualname)
        made = self.builds.get(key, ())
        is_whole = any(calls for _, calls in made)
        return replace(
            target.build,
            recorded=made,
            enclosing=() if is_whole else self.within.get(key, ()),
            unrecorded="" if made else self.lost.get(key, NOT_BUILT),
        )


NOT_BUILT = "the run did not build it"


def read_notes(folder: Path, ended: str = "") -> Recording:
    """Read the index of what was noted in ``folder``."""
    builds: dict[Key, dict[str, dict[str, None]]] = {}
    within: dict[Key, dict[str, dict[str, None]]] = {}
    lost: dict[Key, str] = {}
    index = folder / recorder.INDEX
    lines = index.read_text().split("\n") if index.exists() else []
    for line in filter(None, lines):
        entry = json.loads(line)
        key = (entry["path"], entry["qualname"])
        if not entry["note"]:
            why = f"the {entry['kind']} in the run cannot be noted: {entry['reason']}"
            lost.setdefault(key, why)
        elif entry["kind"] == "build":
            builds.setdefault(key, {}).setdefault(entry["note"], {})
        else:
            of = within if entry["kind"] == "within" else builds
            of.setdefault(key, {}).setdefault(entry["built"], {})[entry["note"]] = None
    return Recording(ended, _files(folder, builds), lost, _files(folder, within))


def _files(folder: Path, noted: Mapping[Key, Mapping[str, Mapping[str, None]]]) -> dict[Key, Made]:
    return {
        key: tuple(
            (str(folder / build), tuple(str(folder / call) for call in calls))
            # Those with most calls first: they show most.
            for build, calls in sorted(made.items(), key=lambda item: -len(item[1]))
        )
        for key, made in noted.items()
    }
