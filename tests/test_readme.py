"""The documentation shows what the tool really does."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
NET = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return x + torch.relu(self.fc(self.norm(x)))


class Net(nn.Module):
    def __init__(self, features=3, width=8):
        super().__init__()
        self.first = nn.Linear(features, width)
        self.block = Block(width)
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        return self.last(self.block(self.first(x)))
"""
TRAINING = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from src.model import Net

rows = TensorDataset(torch.randn(40, 3), torch.randn(40, 1))
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(3):
    for x, y in DataLoader(rows, batch_size=8, shuffle=True):
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
SESSIONS = [
    page.relative_to(ROOT).as_posix()
    for page in PAGES
    if re.search("^<!-- run", page.read_text(), re.MULTILINE)
]
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
@pytest.mark.parametrize("name", SESSIONS)
def test_commands_shown_give_the_output_shown(generate, name):
    pytest.importorskip("pyro")
    text = (ROOT / name).read_text()
    assert generate.refresh_session(text) == text


@pytest.mark.slow
def test_the_commands_of_the_readme_work_in_any_small_repository(readme, tmp_path):
    """Word for word, one after the other, as someone does who tries the tool on code of theirs."""
    pytest.importorskip("pyro")
    block = readme.partition("## Use it")[2].partition("```sh\n")[2].partition("```")[0]
    commands = [line.partition("#")[0].strip() for line in block.splitlines()]
    installing = [command for command in commands if command.startswith("pip install ")]
    assert len(installing) == 2
    (tmp_path / "src").mkdir()
    (tmp_path / "src/model.py").write_text(NET)
    (tmp_path / "train.py").write_text(TRAINING)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }

    def execute(command: str) -> subprocess.CompletedProcess[str]:
        options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
        return subprocess.run(command, shell=True, **options)

    identity = "-c user.name=test -c user.email=test@localhost"
    execute(f"git init -q && git add . && git {identity} commit -qm 'Plain PyTorch'")
    for command in commands:
        if command and command not in installing:
            ended = execute(command)
            expected = 1 if command.endswith("--diff") else 0
            assert ended.returncode == expected, (command, ended.stdout, ended.stderr)
        if command == "pyroify rewrite":
            assert "class Net(PyroModule):" in (tmp_path / "src/model.py").read_text()
    assert (tmp_path / "src/model.py").read_text() == NET
    assert (tmp_path / "train_svi.py").exists()


def test_every_shown_command_is_covered(generate):
    """A comment that is no step would leave the block below it unrun."""
    assert {"README.md", "docs/tutorial.md"} <= set(SESSIONS)
    assert set(generate.sessions()) == set(SESSIONS)
    for name in SESSIONS:
        text = (ROOT / name).read_text()
        steps = [block["head"] for block in generate.BLOCK.finditer(text)]
        assert len(steps) == len(re.findall(r"^<!-- (?:run|file)\b", text, re.MULTILINE)), name


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
