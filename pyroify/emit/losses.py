"""Which likelihood the project has trained with so far: the one its loss is minus the log of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyroify.emit.family import LIKELIHOODS, facts, names


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss in line ``line`` of the file ``path``, and the likelihood it stands for.

    ``gives`` is what it takes the network's output for, empty where that is the family's default.
    """

    name: str
    family: str
    gives: str
    path: str
    line: int

    @property
    def section(self) -> dict[str, str]:
        """What a spec says of this likelihood."""
        return {"family": self.family, **({"gives": self.gives} if self.gives else {})}


def find_losses(root: Path, files: Sequence[str], model: Any) -> tuple[Loss, ...]:
    """The first use of each likelihood's loss, in the files that name the class to train.

    ``model`` is the section of that name, good or bad. Where no such file uses a loss, all files
    count.
    """
    known = {
        loss: (name, gives) for name in names(LIKELIHOODS) for loss, gives in _losses(name).items()
    }
    uses = re.compile(rf"\b({'|'.join(loss for loss in known if '(' not in loss)})\b")
    path_of_class = str(model.get("class")) if isinstance(model, Mapping) else ""
    names_class = re.compile(rf"\b{re.escape(path_of_class.rpartition(':')[2])}\b")
    near: dict[tuple[str, str], Loss] = {}
    anywhere: dict[tuple[str, str], Loss] = {}
    for path in files:
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        found = tuple(_uses(uses, path, text, known))
        names_it = found and names_class.search(text)
        for loss in found:
            anywhere.setdefault((loss.family, loss.gives), loss)
            if names_it:
                near.setdefault((loss.family, loss.gives), loss)
    return tuple((near or anywhere).values())


def _losses(family: str) -> Mapping[str, str]:
    """Its losses, ``Loss`` or ``Loss(argument=value)``, and what each takes an output for."""
    known = facts(LIKELIHOODS, family)
    losses: Mapping[str, str] = getattr(known, "losses", {})
    return {loss: "" if gives == known.gives[0] else gives for loss, gives in losses.items()}


def _uses(
    uses: re.Pattern[str], path: str, text: str, known: Mapping[str, tuple[str, str]]
) -> Iterator[Loss]:
    for found in uses.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        rest = text[found.end() :].split("\n", 1)[0].replace(" ", "")
        variants = (loss for loss in known if loss.startswith(f"{found[1]}("))
        loss = next((v for v in variants if v.partition("(")[2].rstrip(")") in rest), found[1])
        yield Loss(found[1], *known[loss], path, line)
