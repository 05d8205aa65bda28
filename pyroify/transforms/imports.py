"""Import what the rewrite uses, beside the imports that are there, and drop what it left unused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

import libcst as cst

from pyroify.edits.kinds import Imports
from pyroify.transforms._layout import above_cell

NODE = cst.Module


def apply(node: cst.Module, edit: Imports) -> cst.Module:
    """Add imports in the block of torch's own, and drop local names nothing reads any more.

    Those of the standard library go to its block, or before torch's, and those of another module of
    the project to what the file imports from there.
    """
    body: list[cst.BaseStatement] = list(node.body)
    for module, name, alias in edit.added:
        if name and (position := _import_from(body, module)) is not None:
            body[position] = _extended(body[position], name, alias)
        else:
            _insert(body, module, name, alias)
    return node.with_changes(body=_without(body, edit.dropped) if edit.dropped else body)


def _import_from(body: Sequence[cst.CSTNode], module: str) -> int | None:
    """The plain statement ``from module import ...`` that can be extended."""
    for position, line in enumerate(_before_definitions(body)):
        statement = _small(line)
        if (
            isinstance(statement, cst.ImportFrom)
            and _module_name(statement) == module
            and not isinstance(statement.names, cst.ImportStar)
        ):
            return position
    return None


def _before_definitions(body: Sequence[cst.CSTNode]) -> Sequence[cst.CSTNode]:
    """What stands above all functions and classes; the whole where no import does."""
    kinds = (cst.ClassDef, cst.FunctionDef)
    end = next((n for n, line in enumerate(body) if isinstance(line, kinds)), len(body))
    return body[:end] if any(map(_is_import, body[:end])) else body


def _extended(line: cst.CSTNode, name: str, alias: str) -> cst.SimpleStatementLine:
    assert isinstance(line, cst.SimpleStatementLine)
    statement = line.body[0]
    assert isinstance(statement, cst.ImportFrom) and not isinstance(statement.names, cst.ImportStar)
    made = _alias(name, alias)
    names = list(statement.names)
    keys = [entry.evaluated_name for entry in names]
    position = next((i for i, key in enumerate(keys) if key > name), len(names))
    if position == len(names):
        last = names[-1]
        trailing = last.comma
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        if isinstance(trailing, cst.Comma) and statement.lpar:
            names[-1] = last.with_changes(comma=names[0].comma if len(names) > 1 else comma)
            names.append(made.with_changes(comma=trailing))
        else:
            names[-1] = last.with_changes(comma=comma)
            names.append(made)
    else:
        follows = names[position].comma
        if not isinstance(follows, cst.Comma) or position == len(names) - 1:
            follows = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        names.insert(position, made.with_changes(comma=follows))
    return line.with_changes(body=[statement.with_changes(names=names)])


def _insert(body: list[cst.BaseStatement], module: str, name: str, alias: str) -> None:
    if name:
        source = f"from {module} import {name}" + (f" as {alias}" if alias else "")
    else:
        source = f"import {module}" + (f" as {alias}" if alias else "")
    made = cst.parse_statement(source)
    assert isinstance(made, cst.SimpleStatementLine)
    if _is_standard(module) and _open_block(body, made):
        return
    position, start = _place(body, module, bool(name))
    above = body[position - 1] if position else None
    if start is None and above is not None and (_is_import(above) or _is_docstring(above)):
        made = made.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    elif position == start:
        # It takes over the blank lines above the block it now opens; comments stay where they are.
        following = body[position]
        assert isinstance(following, cst.SimpleStatementLine)
        leading = following.leading_lines
        cut = above_cell(leading)
        if not any(line.comment for line in leading[cut:]):
            cut = len(leading)
        made = made.with_changes(leading_lines=leading[:cut])
        body[position] = following.with_changes(leading_lines=leading[cut:])
    if position == 0 and body:
        body[0] = _set_off(body[0])
    body.insert(position, made)


def _set_off(first: cst.BaseStatement) -> cst.BaseStatement:
    """The first statement of a file, two blank lines below an import if it is a definition."""
    if not isinstance(first, cst.ClassDef | cst.FunctionDef):
        return first
    blank = [cst.EmptyLine(indent=False)] * 2
    return first.with_changes(leading_lines=[*blank, *first.leading_lines])


def _open_block(body: list[cst.BaseStatement], made: cst.SimpleStatementLine) -> bool:
    """Put the first import of the standard library before all others, a blank line between."""
    imports = [i for i, line in enumerate(body) if _is_import(line)]
    if not imports or any(_of_standard_library(line) for line in body):
        return False
    following = body[imports[0]]
    assert isinstance(following, cst.SimpleStatementLine)
    leading = following.leading_lines
    if any(line.comment for line in leading[above_cell(leading) :]):
        return False
    body[imports[0]] = following.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    body.insert(imports[0], made.with_changes(leading_lines=leading))
    return True


def _place(body: Sequence[cst.CSTNode], module: str, from_form: bool) -> tuple[int, int | None]:
    """Where isort would put it within the block of its kind, and where that block starts.

    Without such a block it goes after all imports, in a block of its own.
    """
    body = _before_definitions(body)
    belongs = _block_of(module)
    anchor = next((i for i, line in enumerate(body) if belongs(line)), None)
    if anchor is None:
        imports = [i for i, line in enumerate(body) if _is_import(line)]
        if imports:
            return imports[-1] + 1, None
        return (1 if body and _is_docstring(body[0]) else 0), None
    start = end = anchor
    while start > 0 and _is_import(body[start - 1]) and not _leads(body[start]):
        start -= 1
    while end + 1 < len(body) and _is_import(body[end + 1]) and not _leads(body[end + 1]):
        end += 1
    block = [_small(line) for line in body[start : end + 1]]
    plain_first = _plain_first(block)
    place = start
    for offset, statement in enumerate(block):
        is_from = isinstance(statement, cst.ImportFrom)
        name = _module_name(statement)
        if plain_first:
            before = (is_from, name.lower()) < (from_form, module.lower())
        else:
            before = name.lower() < module.lower()
        if before:
            place = start + offset + 1
    return place, start


def _plain_first(block: Sequence[cst.CSTNode | None]) -> bool:
    """Whether every ``import x`` of a block stands before every ``from x import y``."""
    forms = [isinstance(statement, cst.ImportFrom) for statement in block]
    return forms == sorted(forms)


def _leads(line: cst.CSTNode) -> bool:
    return isinstance(line, cst.SimpleStatementLine) and bool(line.leading_lines)


def _small(line: cst.CSTNode) -> cst.CSTNode | None:
    if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        return line.body[0]
    return None


def _is_import(line: cst.CSTNode) -> bool:
    """Whether a line imports and does nothing else."""
    statements = line.body if isinstance(line, cst.SimpleStatementLine) else ()
    return bool(statements) and all(
        isinstance(statement, cst.Import | cst.ImportFrom)
        and _module_name(statement) != "__future__"
        for statement in statements
    )


def _is_docstring(line: cst.CSTNode) -> bool:
    statement = _small(line)
    return isinstance(statement, cst.Expr) and isinstance(statement.value, cst.SimpleString)


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names - {"__future__"}


def _of_standard_library(line: cst.CSTNode) -> bool:
    return _is_import(line) and _is_standard(_module_name(_small(line)))


def _block_of(module: str) -> Callable[[cst.CSTNode], bool]:
    """Tells the imports that one of ``module`` stands among."""
    if _is_standard(module):
        return _of_standard_library
    top = module.partition(".")[0]  # empty for a relative one
    tops = ("torch", "pyro") if top in ("torch", "pyro") else (top,)
    return lambda line: _is_import(line) and _module_name(_small(line)).partition(".")[0] in tops


def _module_name(statement: cst.CSTNode | None) -> str:
    if isinstance(statement, cst.Import):
        return statement.names[0].evaluated_name
    if isinstance(statement, cst.ImportFrom):
        dots = "." * len(statement.relative)
        return dots + (_dotted(statement.module) if statement.module else "")
    return ""


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


def _alias(name: str, alias: str) -> cst.ImportAlias:
    if not alias:
        return cst.ImportAlias(cst.Name(name))
    return cst.ImportAlias(cst.Name(name), asname=cst.AsName(cst.Name(alias)))


def _without(body: Sequence[cst.BaseStatement], dropped: frozenset[str]) -> list[cst.BaseStatement]:
    kept: list[cst.BaseStatement] = []
    carried: Sequence[cst.EmptyLine] = ()
    opened = False
    for line in body:
        if isinstance(line, cst.SimpleStatementLine):
            staying = tuple(_pruned(line.body, dropped))
            if not staying:
                # Comments and blank lines above it go to the next statement.
                carried = [*carried, *line.leading_lines]
                opened = opened or bool(line.leading_lines) or not any(map(_is_import, kept))
                continue
            if staying != tuple(line.body):
                last = staying[-1].with_changes(semicolon=line.body[-1].semicolon)
                line = line.with_changes(body=[*staying[:-1], last])
        if opened and _is_import(line):
            # It takes the place of the block that is gone, without the blank line between.
            leading = [entry for entry in line.leading_lines if entry.comment is not None]  # type: ignore[attr-defined]
            line = line.with_changes(leading_lines=leading)
        opened = False
        if carried:
            line = line.with_changes(leading_lines=[*carried, *line.leading_lines])  # type: ignore[attr-defined]
            carried = ()
        kept.append(line)
    return kept


def _pruned(
    statements: Sequence[cst.BaseSmallStatement], dropped: frozenset[str]
) -> Iterator[cst.BaseSmallStatement]:
    """The statements of one line without the imports of what is dropped."""
    for statement in statements:
        if not isinstance(statement, cst.Import | cst.ImportFrom) or isinstance(
            statement.names, cst.ImportStar
        ):
            yield statement
            continue
        names = statement.names
        staying = [name for name in names if _local(name) not in dropped]
        if len(staying) == len(names):
            yield statement
        elif staying:
            staying[-1] = staying[-1].with_changes(comma=names[-1].comma)
            yield statement.with_changes(names=staying)


def _local(name: cst.ImportAlias) -> str:
    return name.evaluated_alias or name.evaluated_name.partition(".")[0]
