"""A share of a project's files, for one of several machines that do a run together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Shard:
    """Share ``number``, from 1, of ``count``. Each path is in one of them, wherever it is asked."""

    number: int
    count: int

    def __contains__(self, path: str) -> bool:
        """Whether a path relative to the root, with forward slashes, is in this share."""
        digest = sha256(path.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """``2/8`` as the second of eight. Raises ValueError."""
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"{text} is no share: write 1/4 for the first of four, up to 4/4")
    return Shard(int(found[1]), int(found[2]))
