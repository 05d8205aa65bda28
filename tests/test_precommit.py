"""The hooks under the real pre-commit program, in a git repository of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("pre_commit")
ROOT = Path(__file__).parents[1]
HOOKS = Path(__file__).parents[1] / ".pre-commit-hooks.yaml"
PROGRAMS = Path(sys.executable).parent
NET = """\
from torch import nn


class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
"""
SPEC = 'version: 1\nexclude: [legacy/]\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'


def execute(repository: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(repository.parent / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@localhost",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@localhost",
    }
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)


def hook(name: str) -> dict[str, object]:
    [found] = [hook for hook in yaml.safe_load(HOOKS.read_text()) if hook["id"] == name]
    return found


def make_repository(folder: Path, hook_id: str, *args: str) -> Path:
    """A repository whose hook is ours, run from this environment instead of one of its own."""
    repository = folder / "repository"
    (repository / "legacy").mkdir(parents=True)
    local = {**hook(hook_id), "language": "system", "args": list(args)}
    config = {"repos": [{"repo": "local", "hooks": [local]}]}
    (repository / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    (repository / "pyroify.yaml").write_text(SPEC)
    (repository / "net.py").write_text(NET.format(name="Net"))
    (repository / "stub.pyi").write_text("x: int\n")
    (repository / "legacy/old.py").write_text(NET.format(name="Old"))
    execute(repository, "git", "init", "-q")
    execute(repository, "git", "add", ".")
    installed = execute(repository, "pre-commit", "install")
    assert installed.returncode == 0, installed.stderr
    return repository


def commit(repository: Path) -> subprocess.CompletedProcess[str]:
    return execute(repository, "git", "commit", "-qm", "change")


def test_the_manifest_is_valid() -> None:
    ended = subprocess.run(
        [PROGRAMS / "pre-commit", "validate-manifest", HOOKS], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout


@pytest.mark.slow
def test_the_whole_project_is_rewritten_where_the_spec_changes(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "pyroify-spec", "--quiet")
    assert commit(repository).returncode == 1  # it is in the first commit
    execute(repository, "git", "add", ".")
    assert commit(repository).returncode == 0
    converted = (repository / "net.py").read_text()
    assert "dist.Normal(0.0, 1.0)" in converted
    (repository / "later.py").write_text(NET.format(name="Later"))
    execute(repository, "git", "add", ".")
    assert commit(repository).returncode == 0, "other files are not its business"
    (repository / "pyroify.yaml").write_text(SPEC.replace("(0, 1)", "(0, 2)"))
    execute(repository, "git", "add", ".")
    assert commit(repository).returncode == 1
    assert (repository / "net.py").read_text() == converted.replace("(0.0, 1.0)", "(0.0, 2.0)")
    assert "PyroModule" in (repository / "later.py").read_text()
    assert (repository / "legacy/old.py").read_text() == NET.format(name="Old")


@pytest.mark.slow
def test_the_hooks_work_in_an_environment_of_their_own(tmp_path: Path) -> None:
    """As pre-commit installs them; skipped where it can install nothing."""
    repository = make_repository(tmp_path, "pyroify")
    try_out = ("pre-commit", "try-repo", str(ROOT), "pyroify-check", "--all-files")
    ended = execute(repository, *try_out)
    if "An unexpected error has occurred" in ended.stdout:
        pytest.skip("nothing can be installed here")
    assert ended.returncode == 1
    assert "would rewrite net.py" in ended.stdout


def test_both_hooks_take_the_same_files() -> None:
    differing = {"id", "name", "description", "entry"}
    kept = [
        {key: value for key, value in hook(name).items() if key not in differing}
        for name in ("pyroify", "pyroify-check")
    ]
    assert kept[0] == kept[1]


@pytest.mark.slow
def test_pyroify_rewrites_what_is_committed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "pyroify")
    first = commit(repository)
    assert first.returncode == 1
    assert "files were modified by this hook" in first.stderr
    assert "class Net(PyroModule):" in (repository / "net.py").read_text()
    assert (repository / "legacy/old.py").read_text() == NET.format(name="Old")
    execute(repository, "git", "add", ".")
    assert commit(repository).returncode == 0
    assert execute(repository, "git", "status", "--porcelain").stdout == ""


@pytest.mark.slow
def test_pyroify_leaves_files_alone_that_are_not_committed(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "pyroify")
    (repository / "later.py").write_text(NET.format(name="Later"))
    commit(repository)
    assert (repository / "later.py").read_text() == NET.format(name="Later")


@pytest.mark.slow
def test_pyroify_check_writes_nothing_and_fails(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "pyroify-check")
    ended = commit(repository)
    assert ended.returncode == 1
    assert "would rewrite net.py" in ended.stderr
    assert "old.py" not in ended.stderr
    assert (repository / "net.py").read_text() == NET.format(name="Net")


@pytest.mark.slow
def test_pyroify_check_passes_where_there_is_nothing_to_do(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "pyroify-check")
    execute(repository, "pyroify", "rewrite")
    execute(repository, "git", "add", ".")
    ended = commit(repository)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_notebooks_are_seen_and_other_pages_do_no_harm(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "pyroify-check")
    execute(repository, "git", "rm", "-qf", "net.py", "stub.pyi", "legacy/old.py")
    (repository / "README.md").write_text("# Title\n")
    execute(repository, "git", "add", ".")
    assert commit(repository).returncode == 0
    cell = {"cell_type": "code", "source": NET.format(name="Net")}
    (repository / "try.ipynb").write_text(json.dumps({"cells": [cell]}))
    execute(repository, "git", "add", ".")
    assert "would rewrite try.ipynb" in commit(repository).stderr


@pytest.mark.slow
def test_arguments_reach_the_command(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "pyroify-check", "--spec", "gone.yaml")
    ended = commit(repository)
    assert ended.returncode == 1
    assert "PYR201" in ended.stderr


def test_pre_commit_gets_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyroify.cli import _default_jobs

    monkeypatch.setenv("PRE_COMMIT", "1")
    assert _default_jobs() == 1
