"""Makes a failing program small, while the same fault stays."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.fuzz.oracle import Fault, Verdict
from benchmarks.fuzz.program import Program, with_files

SECONDS = 240.0


def shrink(
    program: Program,
    fault: Fault,
    judge: Callable[[Program, frozenset[str]], Verdict],
    seconds: float = SECONDS,
) -> Program:
    """The smallest program found that still has a fault of the same signature."""
    deadline = time.monotonic() + seconds
    steps = frozenset(
        step
        for step, needed in (
            ("second run", fault.kind == "not_idempotent"),
            ("compare", fault.message.startswith("compare:")),
        )
        if needed
    )

    def still_fails(candidate: Program) -> bool:
        if time.monotonic() > deadline or not candidate.targets or not _compiles(candidate):
            return False
        verdict = judge(candidate, steps)
        return not verdict.not_built and fault.signature in {f.signature for f in verdict.faults}

    changed = True
    while changed and time.monotonic() < deadline:
        changed = False
        for step in (_fewer_targets, _plain_text, _fewer_files, _fewer_rules, _fewer_statements):
            program, progress = _greedy(program, step, still_fails)
            changed |= progress
    return program


def _greedy(
    program: Program,
    step: Callable[[Program], Iterator[Program]],
    still_fails: Callable[[Program], bool],
) -> tuple[Program, bool]:
    """Take the first smaller program that fails, again and again."""
    progress = False
    skipped: set[int] = set()
    while True:
        for candidate in step(program):
            key = hash(candidate)
            if key in skipped:
                continue
            skipped.add(key)
            if still_fails(candidate):
                program, progress = candidate, True
                break
        else:
            return program, progress


def _compiles(program: Program) -> bool:
    try:
        for path, data in program.files.items():
            compile(data, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _fewer_targets(program: Program) -> Iterator[Program]:
    if len(program.targets) > 1:
        for target in program.targets:
            yield replace(program, targets=(target,))


def _plain_text(program: Program) -> Iterator[Program]:
    """Each file as ``ast.unparse`` spells it."""
    for path, data in program.files.items():
        plain = (ast.unparse(ast.parse(data)) + "\n").encode()
        plain = re.sub(rb"\n\n+", b"\n", plain)
        if plain != data and len(data) > 1:
            yield with_files(program, {**program.files, path: plain})


def _fewer_files(program: Program) -> Iterator[Program]:
    for path in program.files:
        if path not in {target.path for target in program.targets}:
            yield with_files(program, {p: d for p, d in program.files.items() if p != path})


def _fewer_rules(program: Program) -> Iterator[Program]:
    """The spec without one of its entries or lines."""
    lines = program.spec.splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if line.startswith("  - ")]
    for start in starts:
        end = next(
            (i for i in range(start + 1, len(lines)) if not lines[i].startswith("    ")), len(lines)
        )
        yield replace(program, spec=_spec([*lines[:start], *lines[end:]]))
    for i, line in enumerate(lines):
        if re.match(r"    |  \w", line) and not re.match(r"\s+(sample|param|keep|name)\b", line):
            yield replace(program, spec=_spec([*lines[:i], *lines[i + 1 :]]))
    for prior in re.findall(r'sample: "(.*)"', program.spec):
        if prior != "Normal(0, 1)":
            yield replace(program, spec=program.spec.replace(f'"{prior}"', '"Normal(0, 1)"'))


def _spec(lines: list[str]) -> str:
    """Without sections that have nothing left."""
    text = "".join(lines)
    return re.sub(r"^\w+:\n(?! )", "", text, flags=re.MULTILINE)


def _fewer_statements(program: Program) -> Iterator[Program]:
    """One file without one statement, the largest first."""
    for path, data in program.files.items():
        lines = data.splitlines(keepends=True)
        for start, end, is_only in _statements(data):
            kept = [*lines[: start - 1]]
            if is_only:
                indent = re.match(rb"[ \t]*", lines[start - 1])
                body = [lines[start - 1][: indent.end() if indent else 0] + b"pass\n"]
                if lines[start - 1].strip() == b"pass":
                    continue
                kept += body
            kept += lines[end:]
            yield with_files(program, {**program.files, path: b"".join(kept)})


def _statements(data: bytes) -> list[tuple[int, int, bool]]:
    """First and last line of every statement, and whether it is alone in its block."""
    found = []
    for node in ast.walk(ast.parse(data)):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if not isinstance(body, list):
                continue
            for statement in body:
                first = statement.lineno
                decorators = getattr(statement, "decorator_list", [])
                first = min([first, *(d.lineno for d in decorators)])
                is_only = len(body) == 1 and not isinstance(node, ast.Module)
                found.append((first, statement.end_lineno or first, is_only))
    return sorted(set(found), key=lambda item: item[0] - item[1])
