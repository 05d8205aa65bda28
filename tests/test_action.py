"""The GitHub action: its script is run as a runner runs it, and its files are what GitHub takes."""

from __future__ import annotations

import os
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
