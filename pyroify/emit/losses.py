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
    """A loss in line ``line`` of the file ``path``, and the likelihood it stands for."""

    name: str
    family: str
    path: str
    line: int


def find_losses(root: Path, files: Sequence[str], model: Any) -> tuple[Loss, ...]:
    """The first use of each likelihood's loss, in the files that name the class to train.

    ``model`` is the section of that name, good or bad. Where no such file uses a loss, all files
    count.
    """
    families = {loss: name for name in names(LIKELIHOODS) for loss in _losses(name)}
    uses = re.compile(rf"\b({'|'.join(families)})\b")
    path_of_class = str(model.get("class")) if isinstance(model, Mapping) else ""
    names_class = re.compile(rf"\b{re.escape(path_of_class.rpartition(':')[2])}\b")
    near: dict[str, Loss] = {}
    anywhere: dict[str, Loss] = {}
    for path in files:
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        found = tuple(_uses(uses, path, text, families))
        names_it = found and names_class.search(text)
        for loss in found:
            anywhere.setdefault(loss.family, loss)
            if names_it:
                near.setdefault(loss.family, loss)
    return tuple((near or anywhere).values())


def _losses(family: str) -> Sequence[str]:
    losses: Sequence[str] = getattr(facts(LIKELIHOODS, family), "losses", ())
    return losses


def _uses(
    uses: re.Pattern[str], path: str, text: str, families: Mapping[str, str]
) -> Iterator[Loss]:
    for found in uses.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Loss(found[1], families[found[1]], path, line)
