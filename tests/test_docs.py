"""What the documentation tells to type: each block of YAML and of Python, and each command, is one.

Pages that show output are run by `test_readme.py`; here every other block is held to what it says.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import click
import pytest
import yaml
from jsonschema import Draft202012Validator

from pyroify.cli import cli
from pyroify.diagnostics import all_codes
from pyroify.emit import EmitError
from pyroify.emit.schema import whole_schema
from pyroify.emit.settings import read_settings
from pyroify.spec.keys import SPEC
from pyroify.spec.load import parse_spec

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(pyroify [a-z][^`]*)`")
SCHEMA = Draft202012Validator(whole_schema())
FLAGS = "".join(
    path.read_text()
    for folder in ("pyroify/training", "pyroify/templates")
    for path in (ROOT / folder).rglob("*.*")
    if path.suffix in (".py", ".j2")
)


def blocks(page: Path, *languages: str) -> list[str]:
    """The blocks of a page; of one about a rule, not those of what is wrong."""
    text = page.read_text()
    if page.parent.name == "rules":
        text = text.partition("## What to do")[2]
    return [dedent(body) for _, language, body in FENCE.findall(text) if language in languages]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_yaml_is_what_is_read(page: Path) -> None:
    for text in blocks(page, "yaml"):
        for value in yaml.safe_load_all(text):
            if isinstance(value, dict) and value.keys() <= set(SPEC.names):
                is_a_spec(page, text, {"version": 1, **value})


def is_a_spec(page: Path, text: str, spec: dict[str, Any]) -> None:
    faults = [f"{error.json_path}: {error.message}" for error in SCHEMA.iter_errors(spec)]
    assert not faults, (name(page), text)
    parse_spec(text if "version" in text else f"version: 1\n{text}", name(page))
    if svi := spec.get("svi"):
        whole = {"model": {"class": "net:Net"}, "data": {"source": "rows:rows"}, **svi}
        try:
            read_settings(whole)
        except EmitError as error:
            pytest.fail(f"{name(page)}: {error}\n{text}")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_is_python(page: Path) -> None:
    for text in blocks(page, "python"):
        ast.parse(text)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_commands(page: Path) -> None:
    for command in commands(page):
        words = shlex.split(command, comments=True)
        if words[0] == "pyroify":
            parse(words[1:])
        else:
            flags = [word.partition("=")[0] for word in words if word.startswith("--")]
            assert not [flag for flag in flags if f'"{flag[2:]}"' not in FLAGS.replace("--", "")], (
                command
            )


def commands(page: Path) -> Iterator[str]:
    """Those of pyroify, also within text, and those of a script that it has written."""
    for text in blocks(page, "sh", "console", "text", "yaml"):
        for line in text.splitlines():
            found = re.search(r"(?:^\$ |^|run: )((?:pyroify|python train_svi.py) .*)", line)
            if found and not found[1].startswith("pyroify.") and "Options:" not in text:
                yield re.split(r"\s[|>]+\s|\s&&\s", found[1])[0]
    prose = FENCE.sub("", page.read_text())
    yield from (found.replace("\n", " ") for found in INLINE.findall(prose))


def parse(words: list[str]) -> None:
    """Raises where there is no such command, option or value of an option."""
    command = cli.commands[words[0]]
    whole = click.Context(cli, info_name="pyroify", **cli.context_settings)
    context = click.Context(command, parent=whole, info_name=words[0])
    try:
        command.make_parser(context).parse_args([word for word in words[1:] if word != "..."])
    except click.BadOptionUsage:  # prose names an option without the argument that it takes
        assert words[-1].startswith("--")


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert {page.stem for page in (ROOT / "docs/reference/rules").glob("*.md")} == set(all_codes())
