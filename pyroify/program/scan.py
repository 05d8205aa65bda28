"""Which files can hold an ``nn.Module`` class, told from the bytes of their class headers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyroify.catalog.layers import LAYERS

HEADER = re.compile(
    rb"^[ \t]*class[ \t]+(\w+)[ \t]*(?:\[[^(\n]*\])?[ \t]*\(([^)]*)\)", re.MULTILINE
)
LAST_NAME = re.compile(rb"(\w+)\s*(?:\[[^]]*\])?\s*(?:,|$)")
SEEDS = {b"Module", b"PyroModule", b"LightningModule", *(name.encode() for name in LAYERS)}
USES_MODULES = re.compile(rb"\bnn\b|\btorch\b|\bpyro\b|parameters\(\)")


def candidates(files: Sequence[str], contents: Mapping[str, bytes | None]) -> tuple[str, ...]:
    """Files with a class that may descend from ``nn.Module``, and those that use either at all.

    Base names are followed across files to a fixpoint, by their last component: too many files
    are harmless, one too few is not.
    """
    headers: dict[str, list[tuple[bytes, frozenset[bytes]]]] = {}
    using: set[str] = set()
    for path in files:
        data = contents[path]
        if data is None:
            using.add(path)  # the reader says what is wrong with it
            continue
        data = data.replace(b"\0", b"")  # UTF-16 is none, but looked at
        headers[path] = [(name, _last_names(bases)) for name, bases in HEADER.findall(data)]
        if USES_MODULES.search(data):
            using.add(path)
    known, grown = set(SEEDS), True
    while grown:
        size = len(known)
        for found in headers.values():
            known.update(name for name, bases in found if bases & known)
        grown = len(known) > size
    holding = {path for path, found in headers.items() if any(name in known for name, _ in found)}
    return tuple(path for path in files if path in holding or path in using)


def _last_names(bases: bytes) -> frozenset[bytes]:
    return frozenset(LAST_NAME.findall(bases.replace(b"\n", b" ")))
