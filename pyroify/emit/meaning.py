"""Which output of a network a likelihood takes, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pyroify.emit.section import Section
from pyroify.emit.values import write_value
from pyroify.spec.kinds import Choice, Form, Key, Kind, Schema

Path = tuple[int | str, ...]

_PLACE: Final[Schema] = {"type": ["integer", "string"]}
_WAY: Final[Schema] = {"anyOf": [_PLACE, {"type": "array", "items": _PLACE, "minItems": 1}]}
_WAYS: Final[Schema] = {"type": "object", "additionalProperties": _WAY, "minProperties": 1}


def output_keys(meanings: Sequence[str]) -> tuple[Key, ...]:
    """What a spec may say of the output of a network that may mean these."""
    output = Key(
        "output",
        "Where the output is in what the network returns: `[0]` in a tuple, a key of a mapping, "
        "`[outputs, 0]` in one within the other; or each by what it is.",
        Form({"anyOf": [*_WAY["anyOf"], _WAYS]}),
    )
    gives: Kind = Choice(tuple(meanings)) if meanings else Form({"not": {}})
    return output, Key("gives", "What that output is.", gives)


def read_output(section: Section, meanings: Sequence[str]) -> dict[str, Any]:
    """The keys ``output`` and ``gives``, as options of a family that may mean these.

    ``path`` is source that takes the output out of what the network returns; ``parts`` has that of
    mean and noise where they are apart. ``at`` is the way to what ``gives`` is about, ``is_told``
    whether the spec says what that is.
    """
    gives, at, parts = "", Path(), dict[str, str]()
    path = at
    value = section.read("output")
    if isinstance(value, Mapping):
        ways = {str(meaning): _read_path(section, way) for meaning, way in value.items()}
        gives = next((meaning for meaning in ways if meaning in meanings), "")
        rest = ways.keys() - {gives}
        has_mean = rest == {"mean"} and "mean" not in meanings
        if not gives or not (has_mean or not rest):
            _refuse(section, ways, meanings)
        elif has_mean:
            parts = {"mean": _source(ways["mean"]), "noise": _source(ways[gives])}
            at = ways[gives]
        else:
            path = at = ways[gives]
    elif value is not None:
        path = at = _read_path(section, value)
    if "gives" in section.values:
        if gives or not meanings:
            what = "output says what it is" if gives else "there is but one thing it may be"
            section.problem("gives", what, "leave it out")
        else:
            gives = section.read("gives") or ""
    default = meanings[0] if meanings else ""
    is_told = bool(gives)
    return {
        "gives": gives or default,
        "path": _source(path),
        "parts": parts,
        "at": at,
        "is_told": is_told,
    }


def _read_path(section: Section, value: Any) -> Path:
    """``0``, ``mean`` or ``[0, mean]``."""
    items = tuple(value) if isinstance(value, list) else (value,)
    if items and all(type(item) in (int, str) for item in items):
        return items
    section.problem("output", f"{value!r} is no place in an output", "write 0, a key, or [0, key]")
    return ()


def _source(path: Path) -> str:
    return "".join(f"[{write_value(key)}]" for key in path)


def _refuse(section: Section, ways: Mapping[str, Path], meanings: Sequence[str]) -> None:
    """What a mapping of outputs may name."""
    message = f"the outputs {', '.join(ways)} do not make this likelihood"
    if section.values.get("family", "normal") == "normal" and len(ways) == 2:
        hint = "use family heteroskedastic for a noise of each row"
    elif "raw" in meanings:
        hint = f"name mean and one of {', '.join(meanings)}"
    else:
        hint = f"name one of {', '.join(meanings)}" if meanings else "name the one output alone"
    section.problem("output", message, hint)
