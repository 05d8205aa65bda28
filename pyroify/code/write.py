"""Declarations as data to text; the names they need are asked for, and so imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.code import statements as code
from pyroify.code.names import ANCHOR, ORIGINAL_INIT, UNDECLARED, Spelling

# What reads these patterns again is in read.py.

TIED = "TiedTo({owner}, {name})"
APPLIED: Final[Mapping[code.Applied, str]] = {
    "exp": "{value}.exp()",
    "softplus": "{functional}.softplus({value})",
    "unconstrained": "{transform_to}({constraint})({value})",
}
COPY = "{value}.clone()"

REGISTERED = "self.register_buffer({name}, {empty}, persistent=False)"
SETATTR = "setattr({owner}, {name}, {value})"
PARAMETERS = "list({owner}.named_parameters(recurse=False))"
PARAMETERS_AND_ALL = "(values := dict({owner}.named_parameters(recurse=False))).items()"
BESIDE = 'values.get(name.replace("bias", "weight"), value)'
COMPUTED = "{function}({owner}, values, name)"
CHILDREN = "self.named_children()"
NAMED = "self.add_module(name, module)"
ITSELF = '(("", {module}), *{below})'

ONE_NAME = "name == {name}"
NAMES = "name in {names}"
FITS: Final = {
    "{}*": "name.startswith({part})",
    "*{}": "name.endswith({part})",
    "*{}*": "{part} in name",
}
GLOB = "{fnmatch}(name, {glob})"
LAYER = "isinstance({variable}, {layers})"
PATH = "path == {path}"
BELOW = 'f"{{path}}.".startswith({path})'
NO_PATH = "not path"
TRAINED: Final = {
    False: "value.requires_grad",
    True: "value.requires_grad and id(value) not in kept",
}


def write(statement: code.Statement, names: Spelling) -> str:
    """The source of a statement."""
    return "\n".join(_lines(statement, names))


def write_body(statements: Iterable[code.Statement], names: Spelling) -> str:
    """The source of statements inside another."""
    return "\n".join(_indented(statements, names))


def write_value(value: code.Declared, names: Spelling) -> str:
    """``PyroSample(...)`` or ``PyroParam(...)``."""
    if isinstance(value, code.PyroSample):
        return f"{names.say('PyroSample')}({write_prior(value.prior, names)})"
    constraint = write_constraint(value.constraint, names)
    event_dim = f", event_dim={value.event_dim}" if value.event_dim else ""
    return f"{names.say('PyroParam')}({_initial(value, names)}, constraint={constraint}{event_dim})"


def _initial(value: code.PyroParam, names: Spelling) -> str:
    pattern = COPY if value.copied else APPLIED.get(value.applied, "{value}")
    is_called = value.copied or value.applied == "exp"
    fillings = {"value": parenthesized(value.initial) if is_called else value.initial}
    if value.applied == "softplus":
        fillings["functional"] = f"{names.say('torch')}.nn.functional"
    if value.applied == "unconstrained":
        fillings["transform_to"] = names.say("transform_to")
        fillings["constraint"] = write_constraint(value.constraint, names)
    return pattern.format(**fillings)


def write_prior(prior: code.Prior, names: Spelling) -> str:
    """What a ``PyroSample`` is given."""
    match prior:
        case code.Draw():
            return write_draw(prior, names)
        case code.Lambda(captured, body):
            return f"lambda self{_captured(captured)}: {write_prior(body, names)}"
        case code.Partial(function, captured):
            return f"{names.say('partial')}({function}{_captured(captured)})"
        case code.Tied(owner, name):
            return TIED.format(owner=owner, name=_quoted(name))
    return prior


def write_function(prior: code.Partial, body: code.Draw | str, names: Spelling) -> str:
    """The function of module level that a prior calls."""
    given = ", ".join(("module", *(name for name, _ in prior.captured)))
    return f"def {prior.function}({given}):\n    return {write_prior(body, names)}\n"


def write_draw(draw: code.Draw, names: Spelling, constructor: str = "") -> str:
    """``dist.Normal(0.0, 1.0).expand([n]).to_event(1)``, or made by another name of the family."""
    row = DISTRIBUTIONS[draw.family]
    choices = {name for choice in row.choices for name in choice}
    arguments: list[str] = []
    is_named = False
    for parameter, (name, value) in zip(row.parameters, draw.arguments, strict=False):
        # By position, as people write it, until one is left out or is one of several forms.
        is_named = is_named or parameter.name != name or name in choices
        source = write_prior(value, names)
        arguments.append(f"{name}={source}" if is_named else source)
    constructor = constructor or f"{names.say('dist')}.{draw.family}"
    made = f"{constructor}({', '.join(arguments)})"
    if draw.batch is not None:
        sizes = draw.batch if isinstance(draw.batch, str) else f"[{', '.join(draw.batch)}]"
        made += f".expand({sizes})"
    return made if draw.events is None else f"{made}.to_event({draw.events})"


def write_constraint(constraint: code.Constraint | str, names: Spelling) -> str:
    """``constraints.interval(0.0, 1.0)``."""
    if isinstance(constraint, str):
        return constraint
    bounds = f"({', '.join(constraint.bounds)})" if constraint.bounds else ""
    return f"{names.say('constraints')}.{constraint.name}{bounds}"


def _captured(captured: Iterable[tuple[str, str]]) -> str:
    return "".join(f", {name}={source}" for name, source in captured)


_ATOM: Final = re.compile(
    r"[A-Za-z_][\w.]*(\[[\w:, -]*\]|\([^()]*\)|\.\w+)*|\d+(\.\d+)?|\([^()]*\)"
)


def parenthesized(source: str) -> str:
    """An expression that a method can be called on."""
    if _ATOM.fullmatch(source):
        return source
    is_call = isinstance(ast.parse(source, mode="eval").body, ast.Call | ast.Subscript)
    return source if is_call else f"({source})"


def _lines(statement: code.Statement, names: Spelling) -> Iterator[str]:
    match statement:
        case code.Declare(target, value):
            yield f"{target} = {write_value(value, names)}"
        case code.DeclareNamed(owner, value, name):
            if isinstance(value, code.PyroSample):
                yield f"prior = {write_prior(value.prior, names)}"
                value = code.PyroSample("prior")
            yield SETATTR.format(owner=owner, name=name, value=write_value(value, names))
        case code.If(arms, otherwise):
            for position, (test, body) in enumerate(arms):
                yield from _block(
                    f"{'elif' if position else 'if'} {_test(test, names)}", body, names
                )
            if otherwise:
                yield from _block("else", otherwise, names)
        case code.For(variables, over, body, comment):
            yield from [comment] if comment else []
            found = over if isinstance(over, str) else _search(over, names)
            yield from _block(f"for {variables} in {found}", body, names)
        case code.EachParameter(owner, body, weight, comment):
            yield from [comment] if comment else []
            over = PARAMETERS.format(owner=owner)
            if weight is not None:
                over = PARAMETERS_AND_ALL.format(owner=owner)
                beside = COMPUTED.format(function=weight, owner=owner) if weight else BESIDE
                body = (code.Assign("weight", beside), *body)
            yield from _block(f"for name, value in {over}", body, names)
        case code.Continue():
            yield "continue"
        case code.Assign(target, source):
            yield f"{target} = {source}"
        case code.CallStatement(function, arguments):
            yield f"{function}({arguments})"
        case code.AnchorBuffer():
            yield REGISTERED.format(name=_quoted(ANCHOR), empty=f"{names.say('torch')}.empty(0)")
        case code.NameChildren():
            yield "# Pyro does not see what is put into _modules."
            yield f"for name, module in {CHILDREN}:"
            yield f"    {NAMED}"
        case code.OriginalInit(readers):
            read = ", ".join(f"{_quoted(path)}: {source}" for path, source in readers)
            yield f"self.{ORIGINAL_INIT} = {{{read}}}"
        case code.Other(text):
            yield from text.split("\n")


def _block(head: str, body: Iterable[code.Statement], names: Spelling) -> Iterator[str]:
    """``head`` with statements below it."""
    yield f"{head}:"
    yield from list(_indented(body, names)) or ["    pass"]


def _indented(body: Iterable[code.Statement], names: Spelling) -> Iterator[str]:
    for statement in body:
        yield from (f"    {line}" for line in _lines(statement, names))


def _test(test: code.Test, names: Spelling) -> str:
    match test:
        case code.NameIs((name,)):
            return ONE_NAME.format(name=_quoted(name))
        case code.NameIs(wanted):
            return NAMES.format(names=_tuple(map(_quoted, wanted)))
        case code.NameFits(glob):
            return _fits(glob, names)
        case code.IsLayer(variable, layers):
            found = [f"{names.say('nn')}.{layer}" for layer in layers]
            return LAYER.format(variable=variable, layers=_tuple(found) if found[1:] else found[0])
        case code.PathIs(path, below):
            pattern = BELOW if below else PATH if path else NO_PATH
            return pattern.format(path=_quoted(f"{path}." if below else path))
        case code.IsTrained(but_kept):
            return TRAINED[but_kept]
    return test


def _fits(glob: str, names: Spelling) -> str:
    """A test whether a glob fits a parameter's name."""
    text = glob.strip("*")
    is_plain = not any(character in text for character in "*?[")
    for form, pattern in FITS.items():
        if is_plain and form.format(text) == glob:
            return pattern.format(part=_quoted(text))
    return GLOB.format(fnmatch=names.say("fnmatch"), glob=_quoted(glob))


def _search(found: code.Undeclared, names: Spelling) -> str:
    """``undeclared(self)``."""
    parts = [_below(root, names) for root in found.roots]
    return parts[0] if len(parts) == 1 else _tuple(f"*{part}" for part in parts)


def _below(root: code.Root, names: Spelling) -> str:
    call = f"{names.own(UNDECLARED)}({', '.join((root.module, *map(_quoted, root.only)))})"
    return ITSELF.format(module=root.module, below=call) if root.itself else call


def _tuple(items: Iterable[str]) -> str:
    return f"({', '.join(items)})"


def _quoted(name: str) -> str:
    return f'"{name}"'
