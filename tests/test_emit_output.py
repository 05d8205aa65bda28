"""The script and its tests stand where they hide no module and nothing loads them unasked."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Run
from emit_cases import svi
from test_cli import NET, SPEC, SVI, TRAINING

from pyroify.emit import EmitError, emit_script
from pyroify.emit.output import shadow_problem


def said(output: Any, files: tuple[str, ...] = (), **changes: Any) -> str:
    """What is wrong with ``output``; "" where a script is emitted."""
    section = svi(output=output, **changes)
    try:
        emit_script(section, spec_name="pyroify.yaml", spec_text="", files=files)
    except EmitError as error:
        (problem,) = error.problems
        assert problem.path == "svi.output"
        assert problem.suggestion.endswith("like train_svi.py")
        return problem.message
    return ""


@pytest.mark.parametrize(
    "output", ["train.py", "scripts/train.py", "./train.py", "my scripts-2/v1.0/train_2.py"]
)
def test_usual_names(output: str) -> None:
    assert not said(output)


@pytest.mark.parametrize(
    "output",
    [
        "../train.py",
        "a/../../train.py",
        "/tmp/train.py",
        "train",
        "train.pth",
        "train.txt",
        "train.PY",
        ".py",
        "a-b.py",
        "a b.py",
        "class.py",
        "1.py",
        "train.py\n",
        "a\0/train.py",
        "a\ud800/train.py",
        "a" * 5000 + "/train.py",
        "a/.git/train.py".replace(".git", "GIT~1"),
    ],
)
def test_no_file_of_python_inside_the_project(output: str) -> None:
    assert said(output) == f"{output!r} is not the name of a Python file inside the project"


@pytest.mark.parametrize(
    "folder", [".git", ".github/workflows", ".pyroify", "a/.venv", "node_modules", "__pycache__"]
)
def test_folders_of_tools(folder: str) -> None:
    message = said(f"{folder}/train.py")
    assert "where tools keep their own files" in message or "not the name of a Python" in message


@pytest.mark.parametrize("folder", ["a\\..\\..\\b", "C:", "-x", "a;b", "~", "a\tb", "a*"])
def test_folders_with_odd_names(folder: str) -> None:
    assert "odd name" in said(f"{folder}/train.py")


@pytest.mark.parametrize(
    "name",
    [
        "conftest",
        "Conftest",
        "setup",
        "sitecustomize",
        "usercustomize",
        "__init__",
        "__main__",
        "noxfile",
        "hubconf",
        "test_train",
        "train_test",
    ],
)
@pytest.mark.parametrize("folder", ["", "pkg/"])
def test_what_is_loaded_because_of_its_name(name: str, folder: str) -> None:
    assert "loaded unasked" in said(f"{folder}{name}.py")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("json", "the script imports"),
        ("torch", "the script imports"),
        ("pyro", "the script imports"),
        ("numpy", "the script imports"),
        ("matplotlib", "the script imports"),
        ("models", "the script imports"),
        ("queue", "is in Python's standard library"),
        ("sympy", "libraries of the script import"),
        ("pytest", "libraries of the script import"),
    ],
)
@pytest.mark.parametrize("folder", ["", "scripts/"])
def test_modules_that_are_needed(name: str, what: str, folder: str) -> None:
    path = f"{folder}{name}.py"
    assert said(path) == f"{path!r} would hide the module {name!r}, which {what}"


def test_a_module_of_data_that_is_needed() -> None:
    assert "the script imports" in said("rows.py", data={"source": "rows:load"})
    assert "the script imports" in said("sklearn.py", data={"source": "sklearn:iris"})


@pytest.mark.parametrize(
    ("output", "file"),
    [
        ("train.py", "train/__init__.py"),
        ("train.py", "train/deep/a.py"),
        ("scripts/train.py", "train.py"),
        ("scripts/train.py", "train/a.py"),
        ("scripts/train.py", "scripts/train/a.py"),
        ("train.py", "src/train.py"),
        ("train.py", "src/train/a.py"),
    ],
)
def test_modules_of_the_project(output: str, file: str) -> None:
    model = {**svi()["model"], "path": [".", "src"]}
    assert "is in the project" in said(output, (file,), model=model)


def test_files_that_are_in_nobodys_way() -> None:
    files = ("train.py", "examples/train.py", "examples/train/a.py", "trainer.py", "test_train.py")
    assert not said("train.py", files)


def test_every_library_of_torch_and_pyro_is_known() -> None:
    """What importing them loads here; a new one of theirs is to be added."""
    program = "import sys, pyro; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "torch" in loaded
    for name in sorted(loaded - sys.stdlib_module_names):
        is_public = name.isidentifier() and not name.startswith(("_", "cython_"))
        assert not is_public or shadow_problem(f"{name}.py", (), (), ()), name


class TestCommand:
    def test_a_module_of_the_project_is_refused_with_its_place(
        self, run: Run, lay_out: Callable
    ) -> None:
        root = lay_out({"pyroify.yaml": SPEC + SVI + "  output: net.py\n", "net.py": NET})
        for flags in ([], ["--force"]):
            ended = run("emit", *flags)
            assert ended.code == 2
            assert "pyroify.yaml:8:11 PYR400 'net.py' would hide the module 'net'" in ended.err
        assert (root / "net.py").read_text() == NET

    def test_the_file_named_as_output_counts_unless_emit_wrote_it(
        self, run: Run, lay_out: Callable
    ) -> None:
        lay_out({"pyroify.yaml": SPEC + SVI + "  output: net.py\n", "net.py": NET})
        assert "Net" in run("plan").out

    def test_an_emitted_script_does_not_count(self, run: Run, lay_out: Callable) -> None:
        lay_out(TRAINING)
        run("emit")
        assert "train_svi" not in run("plan").out
        assert run("emit").code == 0

    @pytest.mark.parametrize("name", ["train_svi.py", "test_train_svi.py"])
    @pytest.mark.parametrize("target", ["conftest.py", ".git/hooks/pre-commit", "../outside.py"])
    def test_a_link_is_not_written_through(
        self, run: Run, lay_out: Callable, name: str, target: str
    ) -> None:
        root = lay_out({**{f"project/{k}": v for k, v in TRAINING.items()}, "outside.py": "x"})
        project = root / "project"
        (project / ".git/hooks").mkdir(parents=True)
        (project / name).symlink_to(target)
        os.chdir(project)
        for flags in ([], ["--force"]):
            ended = run("emit", *flags)
            assert ended.code == 2
            assert f"{name}:1:1 PYR237 is a link" in ended.err
        assert (root / "outside.py").read_text() == "x"
        assert not (project / "conftest.py").exists()
        assert not (project / ".git/hooks/pre-commit").exists()

    def test_nor_a_folder_that_is_one(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": SPEC + SVI + "  output: out/train.py\n", "net.py": NET})
        (root / "sub").mkdir()
        (root / "out").symlink_to("sub")
        assert "PYR237 is reached by a link" in run("emit").err
        assert not list((root / "sub").iterdir())

    def test_init_writes_through_no_link(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"net.py": NET})
        (root / "pyroify.yaml").symlink_to("conftest.py")
        ended = run("init")
        assert ended.code == 2
        assert "PYR237" in ended.err
        assert not (root / "conftest.py").exists()
