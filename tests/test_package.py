"""What a user who installs the wheel gets, and what they do not have to install."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

import pyroify

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PLAIN = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""
BAYESIAN = """\
import pyro.distributions as dist
from pyro.nn import PyroModule, PyroSample
from torch import nn


class Net(PyroModule):
    def __init__(self):
        super().__init__()
        self.fc = PyroModule[nn.Linear](3, 1)

        self.fc.weight = PyroSample(dist.Normal(0.0, 1.0).expand([1, 3]).to_event(2))
        self.fc.bias = PyroSample(dist.Normal(0.0, 1.0).expand([1]).to_event(1))

    def forward(self, x):
        return self.fc(x)
"""
SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    subprocess.run([sys.executable, "-m", *build, ROOT], check=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of programs of a fresh environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet")
    constraints = ("--constraint", ROOT / "constraints.txt")
    subprocess.run([*pip, *constraints, wheel], check=True)
    return programs


@pytest.mark.slow
def test_wheel_carries_every_file_of_the_package(wheel):
    files = (path for path in (ROOT / "pyroify").rglob("*") if path.is_file())
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    carried = zipfile.ZipFile(wheel).namelist()
    assert {name for name in carried if ".dist-info/" not in name} == wanted
    kinds = {name.rpartition(".")[2] for name in wanted}
    assert {"py", "j2", "md", "typed"} <= kinds


@pytest.mark.slow
def test_wheel_is_small(wheel):
    assert wheel.stat().st_size < 1_060_000  # the aim is 1 MB: each of its files costs 200 bytes


@pytest.mark.slow
def test_environment_is_small_without_torch(installed):
    files = (path for path in installed.parent.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files if not path.is_symlink()) < 60_000_000


@pytest.mark.slow
def test_wheel_tells_where_the_project_lives(wheel):
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = archive.read(name).decode()
    assert re.findall(r"^Project-URL: (\w+)", metadata, re.MULTILINE) == list(PROJECT["urls"])


def test_classifiers_are_known():
    known = pytest.importorskip("trove_classifiers").classifiers
    assert set(PROJECT["classifiers"]) <= known


def test_citation_has_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == pyroify.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]


def test_security_names_tests_that_are_there():
    named = re.findall(r"`(tests/\w+\.py)`", (ROOT / "SECURITY.md").read_text())
    assert named
    assert all((ROOT / path).is_file() for path in named)


@pytest.mark.slow
def test_wheel_rewrites_where_there_is_no_torch(installed, tmp_path):
    (tmp_path / "net.py").write_text(PLAIN)
    (tmp_path / "pyroify.yaml").write_text(SPEC)
    missing = subprocess.run([installed / "python", "-c", "import torch"], capture_output=True)
    assert b"No module named 'torch'" in missing.stderr

    done = subprocess.run([installed / "pyroify", "rewrite"], cwd=tmp_path, capture_output=True)

    assert (done.returncode, done.stderr.decode()) == (0, done.stderr.decode())
    assert (tmp_path / "net.py").read_text() == BAYESIAN


@pytest.mark.slow
def test_verify_without_torch_says_what_to_install(installed, tmp_path):
    original, project = tmp_path / "original", tmp_path / "project"
    for folder, text in ((original, PLAIN), (project, BAYESIAN)):
        folder.mkdir()
        (folder / "net.py").write_text(text)
    (project / "pyroify.yaml").write_text(SPEC)
    done = subprocess.run(
        [installed / "pyroify", "verify", "--original", original],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "pyroify[run]" in done.stderr
    assert "Traceback" not in done.stderr


def test_required_packages_are_light():
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in PROJECT["dependencies"]}
    assert names == {"click", "jinja2", "libcst", "pathspec", "PyYAML"}


def test_changelog_has_the_version():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert pyroify.__version__ in headings
