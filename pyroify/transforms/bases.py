"""Change what a class derives from: ``class Net(nn.Module)`` becomes ``class Net(PyroModule)``."""

from __future__ import annotations

import libcst as cst

from pyroify.edits.kinds import Bases

NODE = cst.ClassDef


def apply(node: cst.ClassDef, edit: Bases) -> cst.ClassDef:
    """Replace bases by position, append others, and set a metaclass."""
    bases = list(node.bases)
    for position, source in edit.replaced:
        bases[position] = bases[position].with_changes(value=cst.parse_expression(source))
    for source in edit.added:
        bases.append(cst.Arg(cst.parse_expression(source)))
    keywords = list(node.keywords)
    if edit.metaclass:
        keywords = [item for item in keywords if not _is_keyword(item, "metaclass")]
        keywords.append(
            cst.Arg(
                cst.parse_expression(edit.metaclass),
                keyword=cst.Name("metaclass"),
                equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
            )
        )
    return node.with_changes(
        bases=_separated(bases, bool(keywords)), keywords=_separated(keywords, False)
    )


def _is_keyword(argument: cst.Arg, name: str) -> bool:
    return argument.keyword is not None and argument.keyword.value == name


def _separated(arguments: list[cst.Arg], more: bool) -> list[cst.Arg]:
    """A comma after each argument that another follows; those written already stay."""
    separated = []
    for index, argument in enumerate(arguments):
        follows = more or index < len(arguments) - 1
        if follows and not isinstance(argument.comma, cst.Comma):
            argument = argument.with_changes(
                comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
            )
        separated.append(argument)
    return separated
