"""The JSON Schema of the whole spec, ``svi:`` included."""

from __future__ import annotations

from pyroify.emit.keys import SVI
from pyroify.spec.kinds import Schema
from pyroify.spec.schema import spec_schema


def whole_schema() -> Schema:
    """What `pyroify schema` prints, as plain JSON data."""
    return spec_schema(SVI.schema())
