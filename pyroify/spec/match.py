"""Which rule decides a site: globs per segment, and the last rule that matches wins.

A pattern is ``[module:]Class.path``. ``*``, ``?`` and ``[...]`` match within one segment, ``**``
any number of segments. A site's path may hold ``*`` itself, for an index that only exists at run
time; a pattern may then match all of those sites, or only some.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from typing import Final, Literal

from pyroify.spec.model import Action, Keep, Latent, Rule, Spec

Spared = Literal["", "frozen", "ignored", "own", "barred"]


@dataclass(frozen=True, slots=True)
class SiteKey:
    """One parameter as rules see it.

    ``path`` is relative to the class (``fc1.weight``, ``layers.*.weight``). ``layer`` is the
    torch.nn class that owns the parameter, empty for the class's own. ``frozen`` says that the
    source sets ``requires_grad`` to False. ``instance`` is the way to an instance of another class
    that owns it, which a rule has to spell out; empty for a site of the class. ``own`` says that
    the user has declared it, as a PyroSample or PyroParam.
    """

    module: str
    qualname: str
    path: str
    layer: str
    frozen: bool = False
    instance: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a site, and why.

    ``rule`` decided, or is None where no rule matched and the parameter is kept. ``beaten`` are
    the earlier rules it overrides, in the order of the file. ``partial`` are later rules that
    match only some of the sites a run-time index stands for; they decide those. ``latent`` is what
    decided in place of a rule, where the site is an attribute that the spec adds. ``spared`` says
    why rules that match passed the parameter by: it is frozen, or a comment takes it out; or that
    the user has declared it himself (``own``), or that it cannot be random (``barred``).
    """

    action: Action
    rule: Rule | None
    beaten: tuple[Rule, ...] = ()
    partial: tuple[Rule, ...] = ()
    latent: Latent | None = None
    spared: Spared = ""


class PatternError(ValueError):
    """A pattern that cannot match anything; ``offset`` is where, counting from 0."""

    def __init__(self, message: str, offset: int, help: str = "") -> None:
        self.message = message
        self.offset = offset
        self.help = help or 'a pattern is [module:]Class.path: "Net.fc1.weight", "**.bias"'
        super().__init__(message)


class _Extent(IntEnum):
    """How much of what a site's path stands for a pattern matches."""

    NONE = 0
    SOME = 1
    ALL = 2


def decide(spec: Spec, key: SiteKey) -> Decision:
    """What ``spec`` says about the site ``key``."""
    partial: list[Rule] = []
    complete: list[Rule] = []
    for rule in reversed(rules_about(spec, key)):
        extent = _extent(rule, key)
        if extent is _Extent.ALL:
            complete.append(rule)
        elif extent is _Extent.SOME and not complete:
            partial.append(rule)
    partial.reverse()
    if not complete:
        return Decision(Keep(), None, partial=tuple(partial), spared=_spared(spec, key))
    winner, *beaten = complete
    spared: Spared = "barred" if winner.barred else ""
    return Decision(winner.action, winner, tuple(reversed(beaten)), tuple(partial), spared=spared)


def rules_about(spec: Spec, key: SiteKey) -> Sequence[Rule]:
    """The rules that may match a site, by what they say of its class; in order."""
    return spec.rules_about(key.qualname.partition(".")[0])


def _spared(spec: Spec, key: SiteKey) -> Spared:
    """Why no rule decides a site although some may match it."""
    if key.own:
        return "own"
    is_spared = key.frozen and decide(spec, replace(key, frozen=False)).rule is not None
    return "frozen" if is_spared else ""


def unmatched_rules(spec: Spec, keys: Iterable[SiteKey]) -> tuple[Rule, ...]:
    """The rules that match none of the sites ``keys``, declared by the user or not."""
    matching: set[int] = set()
    for key in (replace(key, own=False) for key in keys):
        about = (rule for rule in rules_about(spec, key) if rule.index not in matching)
        matching.update(rule.index for rule in about if _extent(rule, key))
    return tuple(rule for rule in spec.written if rule.index not in matching)


def powerless_rules(spec: Spec, keys: Sequence[SiteKey]) -> tuple[Rule, ...]:
    """The rules that would match sites among ``keys``, all of which the user has declared.

    ``**`` speaks of what may come, and is none of them.
    """
    meeting = [rule for rule in spec.written if has_wildcard(rule.match) and rule.match != "**"]
    own = [replace(key, own=False) for key in keys if key.own]
    meeting = [rule for rule in meeting if any(_extent(rule, key) for key in own)]
    others = [key for key in keys if not key.own] if meeting else []
    return tuple(rule for rule in meeting if not any(_extent(rule, key) for key in others))


def shadowed_rules(spec: Spec, keys: Iterable[SiteKey]) -> tuple[Rule, ...]:
    """The rules that match sites among ``keys`` but decide none: later rules take them all."""
    beaten: set[int] = set()
    deciding: set[int] = set()
    for key in keys:
        decision = decide(spec, key)
        followed = [*decision.beaten, *([decision.rule] if decision.rule else [])]
        written = [rule.index for rule in followed if not rule.barred]
        beaten.update(written[:-1])
        deciding.update(written[-1:], (rule.index for rule in decision.partial))
    return tuple(rule for rule in spec.written if rule.index in beaten - deciding)


def spells_out(rule: Rule, module: str, name: str) -> bool:
    """Whether a rule begins with ``name``, a class and what it holds, without wildcards.

    An index that only exists at run time may be a number in the rule.
    """
    compiled, names = _compile(rule.match), name.split(".")
    if not _module_matches(compiled, module) or len(compiled.path) <= len(names):
        return False
    return all(
        glob == name or (name == "*" and glob.isdecimal())
        for glob, name in zip(compiled.path, names, strict=False)
    )


def path_below(rule: Rule, module: str, qualname: str) -> tuple[str, ...]:
    """What a rule has below a class, a plain name and more; empty where it is not so."""
    compiled, length = _compile(rule.match), qualname.count(".") + 1
    start, rest = compiled.path[:length], compiled.path[length:]
    if len(rest) < 2 or has_wildcard(rest[0]) or not _module_matches(compiled, module):
        return ()
    is_class = "**" not in start and _match_segments(start, qualname.split(".")) is _Extent.ALL
    return rest if is_class else ()


def fits_right_below(rule: Rule, module: str, name: str) -> bool:
    """Whether a rule with wildcards fits what is right below a name, and nothing further down."""
    compiled, names = _compile(rule.match), name.split(".")
    return (
        _module_matches(compiled, module)
        and "**" not in compiled.path
        and has_wildcard(rule.match)
        and _match_segments(compiled.path[:-1], names) is _Extent.ALL
    )


def goes_through(rule: Rule, name: str) -> bool:
    """Whether the beginning of a rule's pattern matches ``name``, a class and an attribute."""
    path, names = _compile(rule.match).path, name.split(".")
    starts = (path[:length] for length in range(1, len(path)) if path[length - 1] != "**")
    return any(_match_segments(start, names) is _Extent.ALL for start in starts)


def tells_by_place(rule: Rule, module: str, name: str) -> bool:
    """Whether a rule picks parameters below ``name`` by where they are, not by their names alone.

    What it spells out, up to a final ``**`` and a name, is no such thing.
    """
    if not _module_matches(_compile(rule.match), module):
        return False
    rests = tuple(_rests(_compile(rule.match).path, tuple(name.split("."))))
    if any(rest[:1] == ("**",) and len(rest) <= 2 for rest in rests):
        return False
    start, _, end = rule.match.rpartition(":")[2].partition(".**")
    is_spelled = start.startswith(f"{name}.") and not has_wildcard(start) and end.count(".") <= 1
    return any(rests) and not is_spelled


def _rests(pattern: tuple[str, ...], names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """What is left of a pattern after its beginning has matched ``names``."""
    if not names:
        yield pattern
    elif pattern and pattern[0] == "**":
        yield from _rests(pattern[1:], names)
        yield from _rests(pattern, names[1:])
    elif pattern and _may_be(pattern[0], names[0]):
        yield from _rests(pattern[1:], names[1:])


def _may_be(glob: str, name: str) -> bool:
    """Whether a glob takes in a name, or may where only run time knows that."""
    extent = _match_name(glob, name)
    return extent is _Extent.ALL or (extent is _Extent.SOME and has_wildcard(glob))


def matches_class(pattern: str, module: str, qualname: str) -> bool:
    """Whether ``[module:]Class``, the ``class`` of a latent, names this class."""
    compiled = _compile(pattern)
    if not _module_matches(compiled, module):
        return False
    return _match_segments(compiled.path, qualname.split(".")) is _Extent.ALL


def covers(asked: str, module: str, name: str) -> bool:
    """Whether ``[module:]Class.path`` is the site ``name``, or meets it where either has globs."""
    compiled, names = _compile(asked), tuple(name.split("."))
    if not _module_matches(compiled, module):
        return False
    return bool(_match_segments(compiled.path, names) or _match_segments(names, compiled.path))


def matches_name(glob: str, name: str) -> bool:
    """Whether ``glob`` matches the whole of the single ``name``."""
    return _match_name(glob, name) is _Extent.ALL


def nearest_site(rule: Rule, keys: Iterable[SiteKey]) -> str:
    """The site whose name is closest to the pattern of a rule that matches none, or nothing."""
    names = {f"{key.qualname}.{key.path}": None for key in keys}
    names |= {f"**.{name.rpartition('.')[2]}": None for name in names}
    pattern = rule.match.rpartition(":")[2]
    return next(iter(difflib.get_close_matches(pattern, names, n=1, cutoff=0.6)), "")


def check_pattern(pattern: str) -> None:
    """Raise PatternError unless ``pattern`` is well formed."""
    module, colon, path = pattern.rpartition(":")
    if ":" in module:
        raise PatternError("more than one ':'", pattern.index(":"))
    if colon and not module:
        raise PatternError("nothing before ':'", 0, "write the module, or leave ':' out")
    if colon:
        _check_segments(module, 0)
    _check_segments(path, len(module) + len(colon))


def has_wildcard(pattern: str) -> bool:
    """Whether ``pattern`` can match more than one name."""
    return any(character in pattern for character in "*?[")


def _check_segments(part: str, start: int) -> None:
    if not part:
        raise PatternError("the pattern is empty", start, 'write "**" for every parameter')
    for segment in part.split("."):
        if not segment:
            raise PatternError("two dots with nothing between, or a dot at an end", start)
        if bad := _NOT_IN_SEGMENT.search(segment):
            raise PatternError(f"unexpected {bad[0]!r} in a pattern", start + bad.start())
        _check_sets(segment, start)
        if "**" in segment and segment != "**":
            raise PatternError(
                "'**' stands for whole segments",
                start + segment.index("**"),
                "put dots around '**', or use a single '*'",
            )
        start += len(segment) + 1


def _check_sets(segment: str, start: int) -> None:
    for token in _TOKEN.finditer(segment):
        if token[0][0] in "[]" and not _is_set(token[0]):
            raise PatternError(
                f"{token[0]!r} is no set of characters",
                start + token.start(),
                "write [abc], [0-9] or [!0-9]",
            )


def _is_set(token: str) -> bool:
    is_formed = re.fullmatch(r"\[!?(\w(-\w)?)+\]", token) is not None
    return is_formed and all(low <= high for low, high in re.findall(r"(\w)-(\w)", token))


_NOT_IN_SEGMENT: Final = re.compile(r"[^\w*?\[\]!<>-]")


def _extent(rule: Rule, key: SiteKey) -> _Extent:
    if (key.frozen or key.own) and has_wildcard(rule.match):
        return _Extent.NONE
    if rule.layers and not any(matches_name(layer, key.layer) for layer in rule.layers):
        return _Extent.NONE
    compiled = _compile(rule.match)
    if not _module_matches(compiled, key.module):
        return _Extent.NONE
    if key.instance and not spells_out(rule, key.module, f"{key.qualname}.{key.instance}"):
        return _Extent.NONE
    return _match_segments(compiled.path, f"{key.qualname}.{key.path}".split("."))


@dataclass(frozen=True, slots=True)
class _Pattern:
    module: tuple[str, ...]
    path: tuple[str, ...]


@cache
def _compile(pattern: str) -> _Pattern:
    module, _, path = pattern.rpartition(":")
    return _Pattern(tuple(module.split(".")) if module else (), tuple(path.split(".")))


def _module_matches(pattern: _Pattern, module: str) -> bool:
    if not pattern.module:
        return True
    return _match_segments(pattern.module, module.split(".")) is _Extent.ALL


def _match_segments(pattern: Sequence[str], segments: Sequence[str]) -> _Extent:
    """The best alignment of ``pattern`` with ``segments``; as good as its worst segment.

    ``best[j]`` is the extent to which the rest of the pattern matches ``segments[j:]``.
    """
    count = len(segments)
    best = [_Extent.NONE] * count + [_Extent.ALL]
    for glob in reversed(pattern):
        if glob == "**":
            for j in range(count - 1, -1, -1):
                best[j] = max(best[j], best[j + 1])
            continue
        best = [
            min(_match_name(glob, segments[j]), best[j + 1]) if best[j + 1] else _Extent.NONE
            for j in range(count)
        ] + [_Extent.NONE]
    return best[0]


_TOKEN: Final = re.compile(r"\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_RUN_TIME: Final = "\0"
"""Stands for the text of a run-time index when a glob is matched against a site's segment."""


@cache
def _match_name(glob: str, name: str) -> _Extent:
    tokens = _TOKEN.findall(glob)
    if re.fullmatch("".join(map(_to_regex, tokens)), name.replace("*", _RUN_TIME), re.DOTALL):
        return _Extent.ALL
    if "*" in name and _can_match(tokens, name):
        return _Extent.SOME
    return _Extent.NONE


def _to_regex(token: str) -> str:
    """The expression for one step of a glob; only ``*`` takes in a run-time index."""
    if token == "*":
        return ".*"
    if token == "?":
        return f"[^{_RUN_TIME}]"
    if len(token) > 1:
        inside = token[1:-1].replace("!", "^", 1) if token[1] == "!" else token[1:-1]
        return f"(?!{_RUN_TIME})[{inside}]"
    return re.escape(token)


def _can_match(tokens: Sequence[str], name: str) -> bool:
    """Whether some text in place of each ``*`` of ``name`` makes the glob ``tokens`` match it.

    Walks the pairs (step of the glob, character of the name) that can be reached together.
    """
    end = (len(tokens), len(name))
    reached = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        for pair in _next_pairs(tokens, name, *pending.pop()):
            if pair not in reached:
                reached.add(pair)
                pending.append(pair)
    return end in reached


def _next_pairs(tokens: Sequence[str], name: str, i: int, j: int) -> Iterator[tuple[int, int]]:
    token = tokens[i] if i < len(tokens) else ""
    character = name[j] if j < len(name) else ""
    if token == "*":
        yield i + 1, j
    if character == "*":
        yield i, j + 1
    if token and character:
        if token == "*":
            yield i, j + 1
        elif character == "*":
            yield i + 1, j
        elif re.fullmatch(_to_regex(token), character, re.DOTALL):
            yield i + 1, j + 1
