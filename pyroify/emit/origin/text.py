"""The source text of statements, with the few changes that another script needs.

The command line is the other script's, and so is the device; progress bars and wrappers around a
network or loader are left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pyroify.emit.origin.code import Code, Module
from pyroify.emit.origin.options import PARSERS
from pyroify.syntax.source import chain

DEVICES: Final = ("torch.device", "torch.accelerator.current_accelerator")
NAMED: Final = re.compile(r"\w*(device|gpu|rank)\w*", re.IGNORECASE)
DEVICE: Final = "torch.get_default_device()"
ROOT: Final = "ROOT"
"""The folder of the project, as the new script calls it."""
WRAPPERS: Final = re.compile(
    r"tqdm\.(\w+\.)*(tqdm|trange)|rich\.progress\.track|alive_progress\.alive_it"
    r"|torch\.(compile|jit\.script)|torch\.nn\.(parallel\.)*(\w+\.)?(DataParallel"
    r"|DistributedDataParallel)"
)
"""What gives back the first thing it is given, as far as training goes."""
PREPARING: Final = frozenset(("prepare", "setup", "setup_dataloaders"))
"""Methods of accelerators that give back all they are given."""
ACCELERATORS: Final = re.compile(r"(accelerate\.(\w+\.)*Accelerator|lightning\.(\w+\.)*Fabric)")


@dataclass(frozen=True, eq=False)
class Writer:
    """Writes statements of one file."""

    code: Code
    module: Module
    replace: Mapping[ast.AST, str] = field(default_factory=dict)
    """What is written in place of some expressions."""

    @cached_property
    def _text(self) -> str:
        return "\n".join(self.module.source.lines)

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.module.source.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def statement(self, node: ast.stmt) -> str:
        """A statement from the left margin on, with the comment behind it."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        start = self._offset(first, 0) if first != node.lineno else self._at(node)
        end = self._end(node)
        comment = re.match(r"[ \t]*#[^\n]*", self._text[end:])
        text = self._edited(node, start, end + (comment.end() if comment else 0))
        return self._dedented(node, text)

    def expression(self, node: ast.expr) -> str:
        """An expression; in brackets where it takes several lines."""
        text = self._edited(node, self._at(node), self._end(node))
        if "\n" not in text:
            return text
        return ast.unparse(ast.parse(f"({text})", mode="eval"))

    # Places

    def _offset(self, line: int, column: int) -> int:
        text = self.module.source.lines[line - 1]
        return self._starts[line - 1] + len(text.encode()[:column].decode())

    def _at(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def _dedented(self, node: ast.stmt, text: str) -> str:
        indent = node.col_offset
        kept = {
            line
            for inner in ast.walk(node)
            if isinstance(inner, ast.Constant | ast.JoinedStr)
            and isinstance(getattr(inner, "value", ""), str | list)
            for line in range(inner.lineno + 1, (inner.end_lineno or inner.lineno) + 1)
        }
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        pad = " " * indent
        lines = text.split("\n")
        moved = "\n".join(
            line.removeprefix(pad) if first + number not in kept else line
            for number, line in enumerate(lines)
        )
        # A text of several lines would be another one further in.
        return ast.unparse(ast.parse(moved)) if kept else moved

    # Changes

    def _edited(self, node: ast.AST, start: int, end: int) -> str:
        pieces: list[str] = []
        for first, last, new in sorted(self._edits(node)):
            if first >= start:
                pieces += [self._text[start:first], new]
                start = last
        return "".join((*pieces, self._text[start:end]))

    def _edits(self, node: ast.AST) -> Iterator[tuple[int, int, str]]:
        if node in self.replace:
            assert isinstance(node, ast.expr)
            yield self._at(node), self._end(node), self.replace[node]
            return
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute()], value=value) if self.is_device(
                value
            ):
                yield self._at(value), self._end(value), DEVICE
                return
            case ast.Name(id="__file__"):
                root = f'globals()["{ROOT}"]' if self.code.binds(ROOT) else ROOT
                yield self._at(node), self._end(node), f'str({root} / "{self.module.path}")'
            case ast.Call(func=ast.Attribute(value=owner, attr=name) as func):
                if name in PARSERS:
                    yield self._end(func), self._end(node), "([])"
                    return
                if name == "cuda" and chain(func)[:1] != ("torch",):
                    yield self._end(owner), self._end(node), f".to({DEVICE})"
                elif name == "to" and node.args and self._is_named_device(node.args[0]):
                    yield self._at(node.args[0]), self._end(node.args[0]), DEVICE
                    yield from self._edits(owner)
                    return
        if isinstance(node, ast.Call) and node.args and self._is_wrapper(node):
            last = node.args[-1] if self._is_preparing(node) else node.args[0]
            yield self._at(node), self._at(node.args[0]), ""
            yield self._end(last), self._end(node), ""
            for item in node.args:
                if item is node.args[0] or self._is_preparing(node):
                    yield from self._edits(item)
            return
        for child in ast.iter_child_nodes(node):
            yield from self._edits(child)

    def is_device(self, value: ast.expr) -> bool:
        """Whether an expression chooses a device."""
        if isinstance(value, ast.Call) and self._dotted(value.func) in DEVICES:
            return True
        texts = [n.value for n in ast.walk(value) if isinstance(n, ast.Constant)]
        calls = [self._dotted(n.func) for n in ast.walk(value) if isinstance(n, ast.Call)]
        return any(".is_available" in name for name in calls) and "cuda" in map(str, texts)

    def _is_named_device(self, node: ast.expr) -> bool:
        """``device``, ``args.device``, or a device spelled out."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str | int)
        parts = chain(node)
        return bool(parts and NAMED.fullmatch(parts[-1])) or self.is_device(node)

    def _is_wrapper(self, call: ast.Call) -> bool:
        return bool(WRAPPERS.fullmatch(self._dotted(call.func))) or self._is_preparing(call)

    def _is_preparing(self, call: ast.Call) -> bool:
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in PREPARING:
            return False
        return any(
            ast.unparse(node.targets[0]) == ast.unparse(func.value)
            and isinstance(node.value, ast.Call)
            and ACCELERATORS.fullmatch(self._dotted(node.value.func)) is not None
            for node in self.module.source.nodes.of(ast.Assign)
        )

    def _dotted(self, node: ast.AST) -> str:
        return self.code.dotted(node, self.module) if chain(node) else ""
