"""One function for a file whose classes would all end in the same run-time conversion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from pyroify.code.names import DECLARING_FUNCTION, FOLLOW, HOOK, FileNames
from pyroify.code.read import normal, read
from pyroify.code.statements import (
    Assign,
    Block,
    CallStatement,
    For,
    OriginalInit,
    Root,
    Statement,
    Undeclared,
)
from pyroify.code.write import write_body
from pyroify.decide.loops import REASON
from pyroify.syntax.facts import File

NAME = DECLARING_FUNCTION
DOCSTRING = '"""Make the parameters of a module, and of all it holds, random."""'


def shared_conversion(file: File, tails: Iterable[Block]) -> Block:
    """The conversion that most classes of a file end in.

    Nothing where only one class needs it, where each needs another, or where the name is taken.
    """
    counts = Counter(block for tail in tails if (block := _conversion(tail)))
    if not counts or (NAME in file.bound and not _existing(file)):
        return ()
    block, count = counts.most_common(1)[0]
    return block if count > 1 else ()


def shared_function(conversion: Block, names: FileNames) -> str:
    """The function that stands for a conversion."""
    body = write_body(map(_of_root, conversion), names)
    return f"def {NAME}(root):\n    {DOCSTRING}\n{body}\n"


def with_call(tail: Block, conversion: Block) -> Block:
    """A tail that calls the function in place of the conversion that it holds."""
    if not conversion or _conversion(tail) != conversion:
        return tail
    start = tail.index(conversion[0])
    return (*tail[:start], CallStatement(NAME, "self"), *tail[start + len(conversion) :])


def is_up_to_date(file: File, conversion: Block) -> bool:
    """Whether the file holds the function that stands for a conversion."""
    names = FileNames(file)
    wanted = (normal(_of_root(statement), names) for statement in conversion)
    return _existing(file) == (read(DOCSTRING, names.dotted), *wanted)


def _existing(file: File) -> Block:
    return next((function.shared for function in file.functions if function.name == NAME), ())


def _conversion(tail: Block) -> Block:
    """The statements that end a tail and convert whatever is there, whoever ``self`` is."""
    for position, statement in enumerate(tail):
        if isinstance(statement, Assign) and statement.target == "kept":
            return ()
        if isinstance(statement, For) and statement.comment == REASON:
            block = tuple(item for item in tail[position:] if not _is_option(item))
            return block if all(map(_is_general, block)) else ()
    return ()


def _is_option(statement: Statement) -> bool:
    """Whether an option of the spec adds it to the end of each constructor."""
    if isinstance(statement, CallStatement):
        return statement.function.lstrip("_") == FOLLOW or statement.function == f"self.{HOOK}"
    return isinstance(statement, OriginalInit)


def _is_general(statement: Statement) -> bool:
    """Whether it is a loop over all there is below ``self``."""
    match statement:
        case For(over=Undeclared(roots=(Root(module="self", only=()),))):
            return True
    return False


def _of_root(loop: Statement) -> Statement:
    """The same loop over what is below ``root``."""
    match loop:
        case For(over=Undeclared(roots=(root,))):
            return replace(loop, over=Undeclared((replace(root, module="root"),)))
    return loop
