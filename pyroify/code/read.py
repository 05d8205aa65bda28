"""Declarations from syntax trees to data: those of the rewrite, and what people write instead.

What says the same is read as the same: arguments by position or by name, whole numbers for floats,
sizes as a list or as a tuple, a number of events that counts all there are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from itertools import chain

from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.code import statements as code
from pyroify.code import write as words
from pyroify.code.names import (
    ANCHOR,
    DECLARING_FUNCTION,
    FOLLOW,
    HOOK,
    LOAD_ORIGINAL,
    ORIGINAL_INIT,
    UNDECLARED,
    WEIGHT_OF,
    FileNames,
)
from pyroify.code.pattern import holes

Dotted = Callable[[ast.AST], str]
"""What a name of the file stands for, dotted."""

SAMPLE = {"pyro.nn.PyroSample", "pyro.nn.module.PyroSample"}
PARAM = {"pyro.nn.PyroParam", "pyro.nn.module.PyroParam"}
DECLARING = SAMPLE | PARAM
CONVERTING = {"pyro.nn.module.to_pyro_module_", "pyro.nn.to_pyro_module_"}
CALLED = {DECLARING_FUNCTION, FOLLOW}
PRIORS = "pyro.distributions."
CONSTRAINTS = ("pyro.distributions.constraints.", "torch.distributions.constraints.")


def read(source: str, dotted: Dotted) -> code.Statement:
    """The statement that a source holds."""
    first, *others = read_block(ast.parse(source).body, dotted)
    assert not others, source
    return first


def normal(statement: code.Statement, names: FileNames) -> code.Statement:
    """A statement as it is read once it is written."""
    return read(words.write(statement, names.spelling()), names.dotted)


def read_block(body: Sequence[ast.stmt], dotted: Dotted) -> code.Block:
    """The statements of a body; a prior that is given a name first is that of what follows."""
    found: list[code.Statement] = []
    prior: ast.expr | None = None
    for node in body:
        statement = read_statement(node, dotted)
        match statement:
            case code.DeclareNamed(owner, code.PyroSample("prior"), name) if prior is not None:
                found[-1] = code.DeclareNamed(
                    owner, code.PyroSample(read_prior(prior, dotted)), name
                )
            case _:
                found.append(statement)
        is_prior = isinstance(statement, code.Assign) and statement.target == "prior"
        prior = node.value if is_prior and isinstance(node, ast.Assign) else None
    return tuple(found)


def read_statement(node: ast.stmt, dotted: Dotted) -> code.Statement:
    """One statement; any other than those of declarations in the words of the file."""
    found: code.Statement | None = None
    match node:
        case ast.Assign(targets=[target], value=value):
            found = _assignment(target, value, dotted)
        case ast.Expr(value=ast.Call() as call):
            found = _call(call, dotted)
        case ast.If():
            found = _if(node, dotted)
        case ast.For(orelse=[]):
            found = _for(node, dotted)
        case ast.Continue():
            found = code.Continue()
    return found or code.Other(ast.unparse(node))


def declares(statement: code.Statement) -> bool:
    """Whether a statement belongs to declarations, with all that is in it."""
    match statement:
        case code.Other():
            return False
        case code.If(arms, otherwise):
            blocks = [block for _, block in arms]
            return all(blocks) and all(map(declares, chain(*blocks, otherwise)))
        case code.For(_, over, ()):
            return isinstance(over, code.Undeclared)
        case code.For(body=body) | code.EachParameter(body=body):
            return all(map(declares, body))
    return True


# Statements


def _assignment(target: ast.expr, value: ast.expr, dotted: Dotted) -> code.Statement | None:
    is_needed = False
    match target:
        case ast.Name(id="weight"):
            found = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
            is_needed = found == "values.get" or found.lstrip("_") == WEIGHT_OF
        case ast.Name(id=name):
            is_needed = name in ("prior", "kept", "order") or name.startswith("tied")
        case ast.Attribute(attr=name) if name == ORIGINAL_INIT and isinstance(value, ast.Dict):
            pairs = zip(value.keys, value.values, strict=True)
            readers = ((_text(key), ast.unparse(reader)) for key, reader in pairs if key)
            return code.OriginalInit(tuple(readers))
        case ast.Subscript(value=ast.Attribute(attr="_modules")):
            is_needed = holes("{owner}._modules.pop({key})", value) is not None
    if is_needed:
        return code.Assign(ast.unparse(target), ast.unparse(value))
    declared = None if isinstance(target, ast.Name) else read_value(value, dotted)
    return code.Declare(ast.unparse(target), declared) if declared else None


def _weight(node: ast.stmt, owner: str) -> str | None:
    """How a loop over the parameters of ``owner`` finds the weight beside a bias, if it does."""
    if not isinstance(node, ast.Assign):
        return None
    if holes(words.BESIDE, node.value) is not None:
        return ""
    found = holes(words.COMPUTED, node.value)
    name = ast.unparse(found["function"]) if found else ""
    is_ours = found and ast.unparse(found["owner"]) == owner and name.lstrip("_") == WEIGHT_OF
    return name if is_ours else None


def _call(call: ast.Call, dotted: Dotted) -> code.Statement | None:
    function, first = ast.unparse(call.func), _text(call.args[0]) if call.args else ""
    last = function.rpartition(".")[2].lstrip("_")
    if last == "register_buffer" and first == ANCHOR:
        return code.AnchorBuffer()
    is_needed = (
        last in CALLED
        or dotted(call.func) in CONVERTING
        or function == "kept.update"
        or (last == HOOK and first.lstrip("_") == LOAD_ORIGINAL)
    )
    if found := holes(words.SETATTR, call):
        if declared := read_value(found["value"], dotted):
            owner, name = ast.unparse(found["owner"]), ast.unparse(found["name"])
            return code.DeclareNamed(owner, declared, name)
        is_needed = ast.unparse(found["value"]) == "module"
    return code.CallStatement(function, _arguments(call)) if is_needed else None


def _if(node: ast.If, dotted: Dotted) -> code.Statement:
    arms: list[tuple[code.Test, code.Block]] = []
    rest: list[ast.stmt] = [node]
    while len(rest) == 1 and isinstance(rest[0], ast.If):
        arm = rest[0]
        arms.append((_test(arm.test, dotted), read_block(arm.body, dotted)))
        rest = arm.orelse
    return code.If(tuple(arms), read_block(rest, dotted))


def _for(node: ast.For, dotted: Dotted) -> code.Statement:
    variables = ast.unparse(node.target).strip("()")
    body = read_block(node.body, dotted)
    if variables == "name, value":
        if found := holes(words.PARAMETERS, node.iter):
            return code.EachParameter(ast.unparse(found["owner"]), body)
        if found := holes(words.PARAMETERS_AND_ALL, node.iter):
            owner = ast.unparse(found["owner"])
            weight = _weight(node.body[0], owner)
            if weight is not None:
                return code.EachParameter(owner, body[1:], weight)
    if variables == "name, module" and holes(words.CHILDREN, node.iter) is not None:
        match node.body:
            case [ast.Expr(named)] if holes(words.NAMED, named) is not None:
                return code.NameChildren()
    if isinstance(node.body[0], ast.Pass) and len(body) == 1:
        body = ()
    roots = _roots(node.iter)
    return code.For(variables, code.Undeclared(roots) if roots else ast.unparse(node.iter), body)


def _roots(node: ast.expr) -> tuple[code.Root, ...]:
    """Where a search for what is undeclared begins; nothing for any other expression."""
    if found := holes(words.ITSELF, node):
        module = ast.unparse(found["module"])
        is_all = _roots(found["below"]) == (code.Root(module),)
        return (code.Root(module, itself=True),) if is_all else ()
    match node:
        case ast.Call(func=ast.Name(id=name), args=[root, *only]):
            is_search = name.lstrip("_") == UNDECLARED
            return (code.Root(ast.unparse(root), tuple(map(_text, only))),) if is_search else ()
        case ast.Tuple(elts=elements):
            parts = [_roots(item.value) for item in elements if isinstance(item, ast.Starred)]
            is_search = len(parts) == len(elements) and all(parts)
            return tuple(part[0] for part in parts) if is_search else ()
    return ()


def _test(node: ast.expr, dotted: Dotted) -> code.Test:
    if found := holes(words.LAYER, node):
        return _is_layer(found["variable"], found["layers"], dotted) or ast.unparse(node)
    if (found := holes(words.ONE_NAME, node)) and _is_text(found["name"]):
        return code.NameIs((_text(found["name"]),))
    if (found := holes(words.NAMES, node)) and isinstance(found["names"], ast.Tuple):
        return code.NameIs(tuple(map(_text, found["names"].elts)))
    for glob, pattern in words.FITS.items():
        if (found := holes(pattern, node)) and _is_text(found["part"]):
            return code.NameFits(glob.format(_text(found["part"])))
    if (found := holes(words.GLOB, node)) and dotted(found["fnmatch"]) == "fnmatch.fnmatch":
        return code.NameFits(_text(found["glob"]))
    if found := holes(words.PATH, node):
        return code.PathIs(_text(found["path"]))
    if found := holes(words.BELOW, node):
        return code.PathIs(_text(found["path"]).removesuffix("."), below=True)
    if holes(words.NO_PATH, node) is not None:
        return code.PathIs("")
    for but_kept, pattern in words.TRAINED.items():
        if holes(pattern, node) is not None:
            return code.IsTrained(but_kept)
    return ast.unparse(node)


def _is_layer(variable: ast.expr, layers: ast.expr, dotted: Dotted) -> code.IsLayer | None:
    classes = layers.elts if isinstance(layers, ast.Tuple) else [layers]
    found = [dotted(cls).rpartition(".") for cls in classes]
    if any(module != "torch.nn" for module, _, _ in found):
        return None
    return code.IsLayer(ast.unparse(variable), tuple(name for _, _, name in found))


# Values


def read_value(node: ast.expr, dotted: Dotted) -> code.Declared | None:
    """``PyroSample(...)`` or ``PyroParam(...)``; None for anything else."""
    if isinstance(node, ast.Call) and dotted(node.func) in SAMPLE:
        return read_sample(node, dotted)
    if isinstance(node, ast.Call) and dotted(node.func) in PARAM:
        return read_param(node, dotted)
    return None


def read_sample(node: ast.Call, dotted: Dotted) -> code.PyroSample:
    """``PyroSample(...)``, whatever it is called."""
    given = _bound(node, ("prior",))
    return code.PyroSample(read_prior(given["prior"], dotted) if given else _arguments(node))


def read_param(node: ast.Call, dotted: Dotted) -> code.PyroParam:
    """``PyroParam(...)``, whatever it is called."""
    given = _bound(node, ("init_value", "constraint", "event_dim"))
    if "init_value" not in given:
        return code.PyroParam(_arguments(node))
    constraint = (
        _constraint(given["constraint"], dotted) if "constraint" in given else code.Constraint()
    )
    event_dim = ast.unparse(given["event_dim"]) if "event_dim" in given else ""
    applied, initial = applied_to(given["init_value"])
    found = holes(words.APPLIED["unconstrained"], given["init_value"])
    if found and _constraint(found["constraint"], dotted) != constraint:
        applied, initial = "", given["init_value"]
    if copied := holes(words.COPY, initial):  # a parameter is one of its own
        is_detached = holes("{value}.detach()", copied["value"])
        initial = copied["value"] if is_detached else initial
    return code.PyroParam(ast.unparse(initial), constraint, event_dim, applied)


def applied_to(node: ast.expr) -> tuple[code.Applied, ast.expr]:
    """What the initial value of a parameter goes through, and that value."""
    for applied, pattern in words.APPLIED.items():
        if found := holes(pattern, node):
            return applied, found["value"]
    return "", node


def _constraint(node: ast.expr, dotted: Dotted) -> code.Constraint | str:
    made, given, named = node, list[ast.expr](), list[ast.keyword]()
    if isinstance(node, ast.Call):
        made, given, named = node.func, node.args, node.keywords
    if named or not dotted(made).startswith(CONSTRAINTS):
        return ast.unparse(node)
    bounds = tuple(ast.unparse(_as_float(value)) for value in given)
    return code.Constraint(dotted(made).rpartition(".")[2], bounds)


def read_prior(node: ast.expr, dotted: Dotted) -> code.Prior:
    """What a ``PyroSample`` is given."""
    if (found := holes(words.TIED, node)) and _is_text(found["name"]):
        return code.Tied(ast.unparse(found["owner"]), _text(found["name"]))
    match node:
        case ast.Lambda(ast.arguments([], [ast.arg("self"), *names], None, [], [], None, given)):
            if len(given) == len(names):
                sources = map(ast.unparse, given)
                captured = tuple(zip((item.arg for item in names), sources, strict=True))
                return code.Lambda(captured, _draw(node.body, dotted) or ast.unparse(node.body))
        case ast.Call(args=[ast.Name(id=function)]) if dotted(node.func) == "functools.partial":
            return code.Partial(
                function, tuple((i.arg, ast.unparse(i.value)) for i in node.keywords if i.arg)
            )
    return _draw(node, dotted) or ast.unparse(node)


def _draw(node: ast.expr, dotted: Dotted) -> code.Draw | None:
    events: str | None = None
    batch: tuple[str, ...] | str | None = None
    match node:
        case ast.Call(ast.Attribute(inner, "to_event"), count, []):
            node, events = inner, ", ".join(map(ast.unparse, count))
    match node:
        case ast.Call(ast.Attribute(inner, "expand"), sizes, []):
            node, batch = inner, _sizes(sizes)
    if not isinstance(node, ast.Call) or not dotted(node.func).startswith(PRIORS):
        return None
    row = DISTRIBUTIONS.get(dotted(node.func).removeprefix(PRIORS))
    given = _bound(node, [item.name for item in row.parameters]) if row else {}
    if row is None or len(given) < len(node.args) + len(node.keywords):
        return None
    if events == "" and isinstance(batch, tuple):
        events = str(len(batch))
    arguments: list[tuple[str, str | code.Draw]] = []
    for parameter in row.parameters:
        if value := given.get(parameter.name):
            drawn = _draw(value, dotted) if parameter.kind == "distribution" else None
            number = value if parameter.kind == "size" else _as_float(value)
            arguments.append((parameter.name, drawn or ast.unparse(number)))
    return code.Draw(row.name, tuple(arguments), batch, events)


def _sizes(sizes: Sequence[ast.expr]) -> tuple[str, ...] | str:
    """The sizes of ``a, b``, of ``(a, b)`` and of ``torch.Size([a, b])``, or source of them all."""
    match sizes:
        case [ast.Tuple(items) | ast.List(items)]:
            return tuple(map(ast.unparse, items))
        case [ast.Call(ast.Attribute(attr="Size"), [inner])]:
            return _sizes([inner])
        case [single]:
            return ast.unparse(single)
    return tuple(map(ast.unparse, sizes))


def _as_float(value: ast.expr) -> ast.expr:
    """A whole number as a distribution takes it, whose sign is an operator."""
    match value:
        case ast.Constant(int() as number) if not isinstance(number, bool):
            return ast.Constant(float(number))
        case ast.UnaryOp(ast.USub(), operand):
            return ast.UnaryOp(ast.USub(), _as_float(operand))
    return value


def _bound(node: ast.Call, names: Sequence[str]) -> dict[str, ast.expr]:
    """The arguments of a call by name; nothing for others than these."""
    if len(node.args) > len(names) or any(isinstance(item, ast.Starred) for item in node.args):
        return {}
    given = dict(zip(names, node.args, strict=False))
    given |= {item.arg: item.value for item in node.keywords if item.arg}
    is_known = given.keys() <= set(names) and all(item.arg for item in node.keywords)
    return given if is_known else {}


def _arguments(node: ast.Call) -> str:
    """The source of the arguments of a call."""
    return ast.unparse(ast.Call(ast.Name("_"), node.args, node.keywords))[2:-1]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _text(node: ast.expr) -> str:
    """The value of a string; of anything else the source."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ast.unparse(node)
