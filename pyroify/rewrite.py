"""Source and edits to source: one parse, one pass, and the guards that make it trustworthy.

What no edit concerns is not parsed at all, and comes back as it was (``splice.py``).
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyroify.decide.model import Edit
from pyroify.edits import kinds
from pyroify.syntax.declarations import definitions

if TYPE_CHECKING:
    import libcst as cst

    from pyroify.splice import Skeleton
    from pyroify.transforms._positions import Ranges


class RewriteError(Exception):
    """A file that cannot be rewritten: ``code``, one line of what is wrong, and what to do."""

    def __init__(self, code: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


def rewrite_source(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits to a file's text.

    Raises RewriteError where LibCST cannot reproduce what is edited exactly, where an edit finds no
    node at its place, or where the result would not compile.
    """
    import libcst as cst

    from pyroify.splice import LostError, skeleton_of
    from pyroify.transforms._positions import locate

    edits = tuple(edits)
    if not edits:
        return text
    skeleton = skeleton_of(text, edits)
    try:
        module = cst.parse_module(skeleton.text)
    except cst.ParserSyntaxError as error:
        raise RewriteError("PYR208", f"LibCST cannot parse the file: {error.message}") from error
    source, ranges = locate(module)
    if source != skeleton.text:
        raise RewriteError(
            "PYR208",
            "LibCST cannot reproduce the file exactly",
            "remove form feeds at line starts and lone carriage returns, or exclude the file",
        )
    code = _drop_unused(skeleton, _apply(module, edits, skeleton, ranges))
    try:
        result = skeleton.filled(code)
    except LostError as error:
        message = "what stays as it is cannot be told from what is rewritten"
        raise RewriteError("PYR209", message) from error
    _check_compiles(result)
    return result


def _apply(
    module: cst.Module, edits: tuple[Edit, ...], skeleton: Skeleton, ranges: Ranges
) -> cst.Module:
    """Apply edits of nodes in one pass, then those of the module as a whole."""
    import libcst as cst

    from pyroify.transforms import transforms
    from pyroify.transforms._editor import edited

    known = transforms()
    whole = [edit for edit in edits if known[edit.kind].NODE is cst.Module]
    inner = {skeleton.placed(edit): edit for edit in edits if edit not in whole}
    if inner:
        module, lost = edited(module, tuple(inner), known, ranges)
        for placed in lost:
            edit = inner[placed]
            place = f"{edit.line}:{edit.column + 1}"
            raise RewriteError("PYR209", f"no place for the edit {edit.kind} at {place}")
    for edit in whole:
        module = known[edit.kind].apply(module, edit)
    return module


def _drop_unused(skeleton: Skeleton, module: cst.Module) -> str:
    """Remove imports and definitions of ours that were read before the rewrite, not after it."""
    from pyroify.transforms import transforms

    known, was = transforms(), _Names(ast.parse(skeleton.text).body)
    code = module.code
    while True:
        now = _Names(ast.parse(code).body)
        written = now.written & was.written
        unread = (was.read - now.read) & (written | (now.imported & was.imported))
        if not unread:
            break
        hidden = _Names(skeleton.naming({*unread, "__all__"}))
        unread -= hidden.read
        if was.exports or hidden.exports:
            break
        if needless := written & unread:
            dropped = kinds.Definitions(1, 0, (), 0, frozenset(needless))
            module = known["definitions"].apply(module, dropped)
        elif unread:
            module = known["imports"].apply(module, kinds.Imports(1, 0, (), frozenset(unread)))
        else:
            break
        code, before_that = module.code, code
        if code == before_that:
            break
    return code


class _Names:
    """Names that statements import, that a rewrite has defined, and that they read anywhere."""

    def __init__(self, body: Iterable[ast.stmt]) -> None:
        body = list(body)
        self.written = {name for name, _ in definitions(body)}
        self.imported: set[str] = set()
        for node in body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    self.imported.add(alias.asname or alias.name.partition(".")[0])
        self.read: set[str] = set()
        self.exports = False
        for item in ast.walk(ast.Module(body, [])):
            if isinstance(item, ast.Name):
                if isinstance(item.ctx, ast.Load):
                    self.read.add(item.id)
                elif item.id == "__all__":
                    self.exports = True
            elif isinstance(item, ast.Constant) and isinstance(item.value, str):
                # An annotation in quotes may read a name.
                if not set(item.value) & set(" \n"):
                    self.read.add(item.value.partition(".")[0])


def _check_compiles(text: str) -> None:
    try:
        with warnings.catch_warnings():  # the source may well earn some of its own
            warnings.simplefilter("ignore")
            # The cells of a notebook may await something.
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            compile(text, "<rewritten>", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise RewriteError("PYR209", f"the rewritten file would not compile: {error}") from error
