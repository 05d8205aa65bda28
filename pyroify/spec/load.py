"""YAML text to a checked Spec; every fault is reported with its place and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from keyword import iskeyword
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from yaml.nodes import MappingNode, Node, ScalarNode

from pyroify.catalog.layers import LAYERS
from pyroify.catalog.module import MODULE_NAMES
from pyroify.globs import is_glob
from pyroify.spec.check import (
    UNKNOWN_DISTRIBUTION,
    Fault,
    check_constraint,
    check_deterministic,
    check_distribution,
    check_event_dim,
    check_init,
    check_noncentered,
    suggest,
)
from pyroify.spec.expressions import Attribute, Call, Expression, Number
from pyroify.spec.keys import EXAMPLE, INITS, LATENT, OPTIONS, OWNERS, REFERENCE, RULE, SPEC
from pyroify.spec.kinds import Choice, Flag, Key, Table
from pyroify.spec.match import PatternError, check_pattern, has_wildcard, matches_name
from pyroify.spec.model import (
    Action,
    Deterministic,
    Example,
    Init,
    Keep,
    Latent,
    Options,
    Param,
    Position,
    Problem,
    Rule,
    Sample,
    Spec,
    SpecError,
)
from pyroify.spec.reader import (
    NOT_YAML,
    UNKNOWN_KEY,
    WRONG_VALUE,
    Entry,
    Reader,
    is_null,
    plain_scalar,
    plain_value,
    positions,
)

MISSING_KEY = "PYR102"
BAD_PATTERN = "PYR104"
UNKNOWN_LAYER = "PYR116"

_KNOWN: Final = {name for table in (SPEC, RULE, LATENT, EXAMPLE) for name in table.names}
_A = TypeVar("_A", bound=Action)


def load_spec(path: str | os.PathLike[str]) -> Spec:
    """The spec in the file ``path``; raises SpecError, also where the file cannot be read."""
    path = Path(path)
    name = path.as_posix()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = f"cannot read the spec: {error.strerror}"
        raise SpecError([Problem(NOT_YAML, name, Position(1, 1), message)]) from None
    except UnicodeDecodeError as error:
        message = f"the spec is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}"
        help = "save the file as UTF-8"
        raise SpecError([Problem(NOT_YAML, name, Position(1, 1), message, help)]) from None
    return parse_spec(text, name)


def parse_spec(text: str, name: str) -> Spec:
    """The spec in ``text``; ``name`` is how messages call it. Raises SpecError."""
    reader = Reader(text, name)
    root = reader.compose()
    spec = _read_spec(reader, root)
    if reader.problems:
        raise SpecError(sorted(reader.problems, key=lambda problem: _order(problem.position)))
    warnings = sorted(reader.warnings, key=lambda problem: _order(problem.position))
    return replace(spec, warnings=tuple(warnings))


def _order(position: Position) -> tuple[int, int]:
    return position.line, position.column


def _read_spec(reader: Reader, root: MappingNode) -> Spec:
    entries = reader.entries(root, SPEC.what, SPEC.names)
    _check_version(reader, root, entries.get("version"))
    include, exclude = (
        _read_globs(reader, entries[key].value, key) if key in entries else ()
        for key in ("include", "exclude")
    )
    rules = [
        rule
        for index, node in enumerate(_section(reader, entries, "priors"))
        if (rule := _read_rule(reader, node, index)) is not None
    ]
    latents = [
        latent
        for index, node in enumerate(_section(reader, entries, "latents"))
        if (latent := _read_latent(reader, node, index)) is not None
    ]
    options = _read_options(reader, entries.get("options"))
    svi = _read_svi(reader, entries.get("svi"))
    examples = [
        example
        for node in _section(reader, entries, "verify")
        if (example := _read_example(reader, node)) is not None
    ]
    return Spec(
        version=1,
        path=reader.name,
        include=include,
        exclude=exclude,
        rules=tuple(rules),
        latents=tuple(latents),
        options=options,
        svi=svi,
        verify=tuple(examples),
        text=reader.text,
        positions=dict(positions(reader, root)),
    )


def _read_globs(reader: Reader, node: Node, key: str) -> tuple[str, ...]:
    """The globs of a list; one that means nothing would silently match no file."""
    nodes = reader.one_or_more(node, key)
    globs = [(item, glob) for item in nodes if (glob := reader.string(item, key)) is not None]
    for item, glob in globs:
        if not is_glob(glob):
            message = f"{key}: {glob!r} is no glob as .gitignore has them"
            help = "close its brackets; a backslash stands before a character that it quotes"
            reader.report(item, BAD_PATTERN, message, help)
    return tuple(glob for _, glob in globs)


def _section(reader: Reader, entries: Mapping[str, Entry], key: str) -> list[Node]:
    return reader.sequence(entries[key].value, key) if key in entries else []


def _check_version(reader: Reader, root: Node, entry: Entry | None) -> None:
    if entry is None:
        _report_missing(reader, root, SPEC, "version")
        return
    version = reader.integer(entry.value, "version")
    if version not in (None, 1):
        message = f"version {version} of the spec is not known"
        reader.report(entry.value, WRONG_VALUE, message, "this pyroify reads `version: 1`")


def _read_rule(reader: Reader, node: Node, index: int) -> Rule | None:
    entries = reader.entries(node, RULE.what, RULE.names)
    match = _read_pattern(reader, node, entries, RULE, "match")
    layers = _read_layers(reader, entries.get("layer"))
    action = _read_action(reader, node, entries)
    if match is None or action is None:
        return None
    place = reader.position(node.start_mark.index)
    return Rule(index, match, layers, action, place.line, place.column)


def _read_latent(reader: Reader, node: Node, index: int) -> Latent | None:
    entries = reader.entries(node, LATENT.what, LATENT.names)
    pattern = _read_pattern(reader, node, entries, LATENT, "class")
    name = _read_attribute_name(reader, node, entries.get("name"))
    action = _read_latent_action(reader, node, entries)
    shape = _read_shape(reader, entries.get("shape"))
    if pattern is None or name is None or action is None:
        return None
    place = reader.position(node.start_mark.index)
    return Latent(index, pattern, name, action, shape, place.line, place.column)


def _read_pattern(
    reader: Reader, owner: Node, entries: Mapping[str, Entry], table: Table, key: str
) -> str | None:
    if key not in entries:
        _report_missing(reader, owner, table, key)
        return None
    entry = entries[key]
    pattern = reader.string(entry.value, key)
    if pattern is None:
        return None
    try:
        check_pattern(pattern)
    except PatternError as error:
        offset = reader.locator(entry.value, pattern)(error.offset)
        reader.problems.append(reader.problem(BAD_PATTERN, offset, error.message, error.help))
        return None
    return pattern


def _read_layers(reader: Reader, entry: Entry | None) -> tuple[str, ...]:
    """Names of torch.nn layers, as globs; ``nn.`` and ``torch.nn.`` before them are dropped."""
    if entry is None:
        return ()
    layers = []
    for node in reader.one_or_more(entry.value, "layer"):
        name = reader.string(node, "layer")
        if name is None:
            continue
        name = re.sub(r"^(torch\.)?nn\.", "", name)
        if not any(matches_name(name, layer) for layer in OWNERS):
            _report_layer(reader, node, name)
        layers.append(name)
    return tuple(layers)


def _report_layer(reader: Reader, node: Node, name: str) -> None:
    if name in LAYERS:
        help = "name the layers that have some, such as Linear"
        reader.report(node, UNKNOWN_LAYER, f"{name} has no parameters of its own", help)
        return
    what = "no layer that matches" if has_wildcard(name) else "no layer"
    guess = suggest(name.strip("*?"), OWNERS)
    help = f"{guess} a class of your own goes by `match: MyLayer.**`".strip()
    reader.report(node, UNKNOWN_LAYER, f"torch.nn has {what} {name!r}", help)


def _read_action(reader: Reader, node: Node, entries: Mapping[str, Entry]) -> Action | None:
    chosen = _one_of(reader, node, entries, RULE)
    if chosen is None:
        return None
    for key in RULE.keys:
        if key.name in entries and key.only_with not in ("", chosen.name):
            help = f"remove it, or use {key.only_with} in place of {chosen.name}"
            message = f"{key.name} only goes with {key.only_with}"
            reader.report(entries[key.name].key, UNKNOWN_KEY, message, help)
    if chosen.name == "sample":
        return _read_sample(reader, chosen.value, entries.get("centered"))
    if chosen.name == "param":
        return _read_param(reader, chosen.value, entries)
    if chosen.name == "value":
        return _read_deterministic(reader, chosen.value)
    if reader.boolean(chosen.value, "keep") is False:
        reader.report(chosen.value, WRONG_VALUE, "keep: false says nothing", "delete the rule")
        return None
    return Keep()


def _read_latent_action(
    reader: Reader, node: Node, entries: Mapping[str, Entry]
) -> Sample | Deterministic | None:
    chosen = _one_of(reader, node, entries, LATENT)
    if chosen is None:
        return None
    if chosen.name == "value":
        return _read_deterministic(reader, chosen.value)
    return _read_sample(reader, chosen.value, None)


def _one_of(reader: Reader, node: Node, entries: Mapping[str, Entry], table: Table) -> Entry | None:
    """The one of the table's ``one_of`` that is there."""
    given = [entry for key, entry in entries.items() if key in table.one_of]
    choices = f"{', '.join(table.one_of[:-1])} or {table.one_of[-1]}"
    if not given:
        _report_absent(reader, node, f"{table.what} says nothing to do", f"add {choices}")
    elif len(given) > 1:
        names = " and ".join(entry.name for entry in given)
        message = f"{table.what} has both {names}"
        reader.report(given[1].key, WRONG_VALUE, message, f"keep one of {choices}")
    else:
        return given[0]
    return None


def _read_sample(reader: Reader, node: Node, centered: Entry | None) -> Sample | None:
    is_centered = reader.boolean(centered.value, "centered") if centered else True
    expression = reader.expression(node, "sample")
    if expression is None:
        return None
    if not isinstance(expression, Call):
        help = "for example: sample: Normal(0, 1)"
        reader.report(node, WRONG_VALUE, "sample must be a distribution", help)
        return None
    faults = list(check_distribution(expression))
    if (
        centered
        and is_centered is False
        and not any(f.code == UNKNOWN_DISTRIBUTION for f in faults)
    ):
        faults += check_noncentered(expression)
    return _without_faults(reader, faults, Sample(expression, is_centered is not False))


def _read_deterministic(reader: Reader, node: Node) -> Deterministic | None:
    expression = reader.expression(node, "value")
    if expression is None:
        return None
    faults = check_deterministic(expression)
    return _without_faults(reader, faults, Deterministic(expression))


def _read_param(reader: Reader, node: Node, entries: Mapping[str, Entry]) -> Param | None:
    expression = reader.expression(node, "param")
    init = _read_init(reader, entries.get("init"))
    event_dim = None
    if "event_dim" in entries:
        event_dim = reader.integer(entries["event_dim"].value, "event_dim")
    if expression is None or init is None:
        return None
    if not isinstance(expression, Call):
        help = "for example: param: positive"
        reader.report(node, WRONG_VALUE, "param must be a constraint", help)
        return None
    faults = list(check_constraint(expression))
    if not faults:
        faults += check_init(expression, init, _offset(entries, "init", node))
        faults += check_event_dim(expression, event_dim, _offset(entries, "event_dim", node))
    return _without_faults(reader, faults, Param(expression, init, event_dim))


def _offset(entries: Mapping[str, Entry], key: str, otherwise: Node) -> int:
    node = entries[key].value if key in entries else otherwise
    return int(node.start_mark.index)


def _read_init(reader: Reader, entry: Entry | None) -> Init | None:
    if entry is None:
        return "keep"
    value = plain_scalar(entry.value) if isinstance(entry.value, ScalarNode) else None
    if value in INITS:
        return cast(Init, value)
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    help = suggest(value, INITS) if isinstance(value, str) else ""
    reader.report(
        entry.value,
        WRONG_VALUE,
        "init must be a number, keep, exp, softplus or unconstrained",
        help,
    )
    return None


def _report_missing(reader: Reader, owner: Node, table: Table, key: str) -> None:
    """Report that ``key``, which has to be there, is not."""
    help = f"add `{table[key].missing}`"
    _report_absent(reader, owner, f"{table.what} has no {key}", help)


def _report_absent(reader: Reader, owner: Node, message: str, help: str) -> None:
    """Report what is absent, unless a key that was not understood may have been it."""
    keys = owner.value if isinstance(owner, MappingNode) else [(owner, owner)]
    if all(isinstance(key, ScalarNode) and key.value in _KNOWN for key, _ in keys):
        reader.report(owner, MISSING_KEY, message, help)


def _read_attribute_name(reader: Reader, owner: Node, entry: Entry | None) -> str | None:
    if entry is None:
        _report_missing(reader, owner, LATENT, "name")
        return None
    name = reader.string(entry.value, "name")
    if name is None:
        return None
    if not all(part.isidentifier() and not iskeyword(part) for part in name.split(".")):
        message = f"{name!r} is not the name of an attribute"
        reader.report(entry.value, WRONG_VALUE, message, "give a Python name, such as tau")
        return None
    last = name.rpartition(".")[2]
    is_taken = last in MODULE_NAMES or last.startswith(("_pyro", "__"))
    if is_taken or last.endswith("_unconstrained"):
        message = f"Pyro and torch use the name {last!r} themselves"
        reader.report(entry.value, WRONG_VALUE, message, "choose another name")
        return None
    return name


def _read_shape(reader: Reader, entry: Entry | None) -> tuple[Expression, ...]:
    if entry is None:
        return ()
    sizes: list[Expression] = []
    for node in reader.sequence(entry.value, "shape"):
        size = reader.expression(node, "shape")
        is_count = isinstance(size, Number) and isinstance(size.value, int) and size.value > 0
        if size is not None and (is_count or isinstance(size, Attribute)):
            sizes.append(size)
        elif size is not None:
            message = "a size must be a whole number above 0, or an attribute: self.hidden"
            reader.report(node, WRONG_VALUE, message)
    return tuple(sizes)


def _read_options(reader: Reader, entry: Entry | None) -> Options:
    if entry is None or is_null(entry.value):
        return Options()
    entries = reader.entries(entry.value, OPTIONS.what, OPTIONS.names)
    values = {name: _read_plain(reader, OPTIONS[name], one.value) for name, one in entries.items()}
    return Options(**{name: value for name, value in values.items() if value is not None})


def _read_plain(reader: Reader, key: Key, node: Node) -> Any:
    """A value that is a word or a truth value; None where it is not, which is reported."""
    match key.kind:
        case Flag():
            return reader.boolean(node, key.name)
        case Choice(choices):
            return _read_choice(reader, key.name, node, choices)
    raise AssertionError(key)


def _read_choice(reader: Reader, name: str, node: Node, choices: tuple[str, ...]) -> str | None:
    given = reader.string(node, name)
    if given is None or given in choices:
        return given
    message = f"{name} must be {' or '.join(choices)}"
    reader.report(node, WRONG_VALUE, message, suggest(given, choices))
    return None


def _read_svi(reader: Reader, entry: Entry | None) -> Mapping[str, object]:
    if entry is None or is_null(entry.value):
        return {}
    entries = reader.entries(entry.value, "svi")
    return {key: plain_value(reader, item.value, key) for key, item in entries.items()}


def _read_example(reader: Reader, node: Node) -> Example | None:
    entries = reader.entries(node, EXAMPLE.what, EXAMPLE.names)
    if "class" not in entries:
        _report_missing(reader, node, EXAMPLE, "class")
        return None
    cls = reader.string(entries["class"].value, "class")
    if cls is None:
        return None
    if not re.fullmatch(REFERENCE, cls):
        help = "name it with its module: package.models:Net"
        reader.report(entries["class"].value, WRONG_VALUE, f"{cls!r} is not a class", help)
        return None
    build, inputs = (
        _read_way(reader, entries[key].value, key) if key in entries else None
        for key in ("build", "inputs")
    )
    if isinstance(build, tuple):
        help = "give the arguments by name, or package.module:function"
        reader.report(entries["build"].value, WRONG_VALUE, "build must not be a list", help)
        return None
    position = reader.position(node.start_mark.index)
    return Example(cls, build, inputs, position.line, position.column)


def _read_way(
    reader: Reader, node: Node, key: str
) -> Mapping[str, object] | tuple[object, ...] | str | None:
    """Arguments by name, or in order, or a function that gives them."""
    match value := plain_value(reader, node, key):
        case dict():
            return value
        case list():
            return tuple(value)
        case str() if re.fullmatch(REFERENCE, value):
            return value
    help = "give arguments, or package.module:function"
    reader.report(node, WRONG_VALUE, f"{key} must be arguments, or a function", help)
    return None


def _without_faults(reader: Reader, faults: Iterable[Fault], value: _A) -> _A | None:
    errors = 0
    for fault in faults:
        reader.report_fault(fault)
        errors += not fault.is_warning
    return None if errors else value
