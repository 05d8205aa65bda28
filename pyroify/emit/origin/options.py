"""Options of the command line, as ``argparse`` has them."""

from __future__ import annotations

import ast
from typing import Final

PARSERS: Final = frozenset(("parse_args", "parse_known_args"))


def parses(value: ast.expr) -> bool:
    """Whether an expression reads the command line."""
    return any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in PARSERS
        for n in ast.walk(value)
    )


def whole_reads(node: ast.AST, names: set[str], read: set[str]) -> bool:
    """Whether code reads one of the names as a whole; attributes it reads go to ``read``."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in names:
            read.add(attribute)
            return False
        case ast.Name(id=name, ctx=ast.Load()) if name in names:
            return True
    return any([whole_reads(child, names, read) for child in ast.iter_child_nodes(node)])


def option_of(node: ast.stmt) -> str:
    """The attribute that ``parser.add_argument(...)`` gives; empty for anything else."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="add_argument"), args=args) as call):
            for keyword in call.keywords:
                if keyword.arg == "dest" and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value)
            texts = [str(a.value) for a in args if isinstance(a, ast.Constant)]
            long = [text for text in texts if text.startswith("--")] or texts
            return long[0].lstrip("-").replace("-", "_") if long else ""
    return ""


def is_required(call: ast.Call) -> bool:
    """Whether the command line has to give an option."""
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    texts = [str(a.value) for a in call.args if isinstance(a, ast.Constant)]
    if texts and not texts[0].startswith("-"):
        return given.get("nargs", "").strip("'\"") not in ("?", "*")
    return given.get("required") == "True"
