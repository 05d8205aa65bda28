"""The documentation shows what the tool really does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text()


def test_generated_pages_are_up_to_date(generate):
    assert [path.name for path, _ in generate.stale_pages()] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_commands_shown_give_the_output_shown(generate, name):
    text = (ROOT / name).read_text()
    assert generate.refresh_session(text) == text


def test_every_shown_command_is_covered(generate):
    assert set(generate.SESSIONS) == {"README.md", "docs/tutorial.md"}
    for name in generate.SESSIONS:
        assert generate.BLOCK.search((ROOT / name).read_text()), name


def test_readme_names_the_commands_of_the_makefile(readme):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", readme))
    assert {"demo", "test"} <= named <= targets


def test_readme_shows_the_hooks_there_are(readme):
    import yaml

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {hook["id"] for hook in hooks} == set(re.findall(r"- id: ([\w-]+)", readme))


def test_readme_spec_is_a_spec(readme, tmp_path):
    from pyroify.spec.load import load_spec

    [text] = re.findall(r"```yaml\n(version: 1\n.*?)```", readme, re.DOTALL)
    path = tmp_path / "pyroify.yaml"
    path.write_text(text)
    assert len(load_spec(path).rules) == 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    prose = CODE.sub("", page.read_text())
    missing = [link for link in LINK.findall(prose) if not (page.parent / link).exists()]
    assert missing == []
