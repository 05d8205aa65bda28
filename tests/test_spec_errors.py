"""Every error about a spec: its exact text and place, in `spec_errors.txt`, a case below a case.

A case is a spec and all that is said of it, with a file `model.py` between the two where the
message is about the sites there. `PYROIFY_UPDATE_FIXTURES=1` writes what the tool says now.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pyroify.pipeline import rewrite_project
from pyroify.report.text import render_findings
from pyroify.spec import check, expressions, load, match, reader, render
from pyroify.spec.load import load_spec, parse_spec
from pyroify.spec.model import SpecError

TABLE = Path(__file__).parent / "spec_errors.txt"
CASE_END, PART_END = "=" * 60 + "\n", "-" * 60 + "\n"
CASES = [case.split(PART_END) for case in TABLE.read_text().split(CASE_END)]
UNREADABLE = Path(__file__).with_name("test_spec_load.py")
"""Shows what is said of files that cannot be read, or hold what a table of text cannot."""

UPDATE = os.environ.get("PYROIFY_UPDATE_FIXTURES") == "1"

IMPORTS = "import torch\nfrom torch import nn\n\n\n"


def what_is_said(root: Path, spec: str, *source: str) -> str:
    """The message about a spec, alone or for the source of one file."""
    return about_sites(root, spec, source[0]) if source else about_spec(spec)


def about_spec(text: str) -> str:
    try:
        problems = parse_spec(text, "pyroify.yaml").warnings
    except SpecError as error:
        problems = error.problems
    return "".join(f"{problem}\n" for problem in problems)


def about_sites(root: Path, spec: str, source: str) -> str:
    (root / "model.py").write_text(IMPORTS + source)
    (root / "pyroify.yaml").write_text(spec)
    loaded = load_spec(Path("pyroify.yaml"))
    outcome = rewrite_project(root, ["model.py"], loaded)
    return render_findings(outcome.findings, root, loaded)


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda number: f"{number + 1}")
def test_what_is_said(case: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    *given, expected = CASES[case]
    said = what_is_said(tmp_path, *given)
    if UPDATE:
        CASES[case][-1] = said
        TABLE.write_text(CASE_END.join(PART_END.join(parts) for parts in CASES))
        return
    assert said == expected


MODULES = (check, expressions, load, match, reader, render)


def messages(module: ModuleType) -> Iterator[tuple[int, str]]:
    """The prose in a module's strings, but for docstrings, as expressions that find it."""
    tree = ast.parse(inspect.getsource(module))
    inside = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    inside |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if node in inside:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else None for v in node.values]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            parts = [node.value]
        else:
            continue
        words = "".join(str(part) for part in parts if part)
        is_prose = re.search(r"[a-z] [a-z]", words) and "\n" not in words
        if is_prose and "lambda self" not in words:
            yield node.lineno, "".join(".*" if p is None else re.escape(p) for p in parts)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_message_has_a_case(module: ModuleType) -> None:
    shown = "".join(case[-1] for case in CASES) + UNREADABLE.read_text()
    missing = [found for found in messages(module) if not re.search(found[1], shown)]
    assert not missing
