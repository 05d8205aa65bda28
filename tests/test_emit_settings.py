"""The svi section: what is accepted, what is refused and in which words."""

import argparse
import ast
import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from emit_cases import emit, lay_out_project, load_module, run_main, svi

from pyroify.emit import EmitError, emit_script


def problems(**changes: Any) -> list[str]:
    with pytest.raises(EmitError) as caught:
        emit(**changes)
    return [str(problem) for problem in caught.value.problems]


def test_the_same_section_gives_the_same_text() -> None:
    assert emit() == emit()


def test_the_text_names_its_origin_and_no_time() -> None:
    script = emit().script
    assert "Written by pyroify" in script
    assert "from pyroify.yaml (sha256 " in script
    other = emit_script(svi(), spec_name="pyroify.yaml", spec_text="version: 1  \n").script
    assert [a == b for a, b in zip(script.splitlines(), other.splitlines(), strict=True)].count(
        False
    ) == 1


def test_nothing_of_pyroify_is_imported() -> None:
    for text in (emit().script, emit().test, *emit().runtime.values()):
        imported = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
        }
        assert "pyroify" not in imported


def test_emitting_loads_no_torch() -> None:
    code = "import sys, pyroify.emit; sys.exit('torch' in sys.modules or 'pyro' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_all_faults_are_found_at_once() -> None:
    found = problems(
        guide={"family": "AutoNormall", "rnk": 3},
        optimizer={"name": "Adm", "lr": -1},
        epochs="many",
    )
    assert found == [
        "svi.guide.family: 'AutoNormall' is not known; did you mean AutoNormal?",
        "svi.guide.rnk: no such key; choose from init, family, init_scale",
        "svi.optimizer.name: 'Adm' is not known; did you mean Adam?",
        "svi.optimizer.lr: -1 is not a positive number",
        "svi.epochs: 'many' is not a whole number of at least 1",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": {}},
            'svi.model.class: the class to train is missing; write "package.module:Class"',
        ),
        (
            {"model": {"class": "MLP"}},
            "svi.model.class: 'MLP' does not name a class; write \"package.module:Class\"",
        ),
        (
            {"data": {"source": "sklearn:diabetis"}},
            "svi.data.source: scikit-learn brings no 'diabetis'; choose from breast_cancer, "
            "diabetes, digits, iris, linnerud, wine",
        ),
        (
            {"data": {"source": "data.txt"}},
            "svi.data.source: 'data.txt' is not a source of data; name a .npz, .csv or .parquet "
            "file, package.module:function, sklearn:NAME or synthetic",
        ),
        (
            {"data": {"source": "synthetic", "test": 0.6, "validation": 0.4}},
            "svi.data.test: test and validation together leave no row to train on",
        ),
        (
            {"likelihood": {"family": "normal", "scale": "LogNorml(0, 1)"}},
            "svi.likelihood.scale: 'LogNorml' is no distribution of positive numbers; "
            "did you mean LogNormal?",
        ),
        (
            {"likelihood": {"family": "normal", "scale": "LogNormal(0)"}},
            "svi.likelihood.scale: LogNormal needs a number for scale",
        ),
        (
            {"likelihood": {"family": "normal", "scale": -2}},
            "svi.likelihood.scale: -2 is not a positive number; write a number, `learned` or a "
            "distribution",
        ),
        ({"likelihood": {"family": "ordinal"}}, "svi.likelihood.classes: ordinal needs this"),
        (
            {"output": "../train.py"},
            "svi.output: '../train.py' is not the name of a Python file inside the project; "
            "give a path relative to the project's root, like train_svi.py",
        ),
        (
            {"trainer": 1},
            "svi.trainer: no such key; choose from output, model, data, likelihood, guide, "
            "optimizer, elbo, nuts, ensemble, laplace, handlers, engine, devices, epochs, steps, "
            "choose, patience, arviz, logger, leave_out, seed",
        ),
        (
            {"data": {"source": "synthetic", "weights": "w"}},
            "svi.data.weights: the weights of rows are an array or column of a file",
        ),
        (
            {"handlers": {"condition": {"net.*": "zero"}}},
            "svi.handlers.condition: 'zero' is no value for net.*; write a number or `init`",
        ),
        (
            {"handlers": {"lift": ["net.*"]}},
            "svi.handlers.lift: no such key; choose from condition, reparam, do",
        ),
        (
            {"choose": "best"},
            "svi.choose: without validation rows no epoch is better than another; "
            "set svi.data.validation",
        ),
        (
            {"steps": 5000, "epochs": 3},
            "svi.steps: the epochs say how long to train; leave out one of them",
        ),
        (
            {"logger": "wandb"},
            "svi.logger: engine torch writes metrics.jsonl and knows no wandb; "
            "use engine lightning, or leave the logger out",
        ),
        (
            {"elbo": {"local_reparametrization": "everywere"}},
            "svi.elbo.local_reparametrization: 'everywere' is not known; did you mean everywhere?",
        ),
        (
            {"leave_out": ["plot"]},
            "svi.leave_out: 'plot' is not known; did you mean plots?",
        ),
        (
            {"patience": 5, "data": {"source": "synthetic", "validation": 0}},
            "svi.patience: without validation rows nothing says when to stop; "
            "set svi.data.validation",
        ),
    ],
)
def test_messages(changes: dict[str, Any], message: str) -> None:
    assert message in problems(**changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"elbo": {"name": "TraceMeanField_ELBO"}}, "PYR401"),
        ({"elbo": {"name": "JitTrace_ELBO"}}, "PYR401"),
        ({"engine": "nuts", "guide": {"family": "AutoNormal"}}, "PYR402"),
        (
            {"engine": "nuts", "likelihood": {"family": "normal", "scale": "learned"}},
            "PYR402",
        ),
        ({"engine": "nuts", "likelihood": {"family": "ordinal", "classes": 3}}, "PYR402"),
        (
            {"guide": {"family": "AutoDelta"}, "elbo": {"local_reparametrization": True}},
            "PYR403",
        ),
        ({"engine": "svi", "elbo": {"local_reparametrization": True}}, "PYR403"),
        ({"optimizer": {"weight_decay": 0.1}}, "PYR404"),
        ({"optimizer": {"name": "AdamW"}}, "PYR404"),
        ({"devices": "several", "engine": "svi"}, "PYR405"),
        ({"devices": "several", "engine": "nuts"}, "PYR405"),
        ({"patience": 5, "engine": "nuts"}, "PYR406"),
        ({"patience": 5, "guide": {"family": "AutoLaplaceApproximation"}}, "PYR406"),
    ],
)
def test_forbidden_combinations_are_refused_with_their_code(
    changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(EmitError) as caught:
        emit(**changes)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_code_in_a_value_stays_a_value() -> None:
    script = emit(model={"class": "m:C", "kwargs": {"name": 'a"); import os; os.remove("x'}}).script
    calls = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)]
    built = next(call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "C")
    assert ast.literal_eval(built.keywords[0].value) == 'a"); import os; os.remove("x'


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"source": "rows.csv", "targets": ["y"], "validation": 0.1}, "patience": 5},
        {"engine": "nuts", "leave_out": ["baseline", "export", "plots"]},
        {"data": {"source": "models.own:series"}, "likelihood": {"factor": "models.own:forecast"}},
    ],
)
def test_help_says_something_about_every_flag(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out_project(tmp_path)
    (tmp_path / "train_svi.py").write_text(emit(**changes).script)
    parsers: list[argparse.ArgumentParser] = []
    parse = argparse.ArgumentParser.parse_args

    def keep(parser: argparse.ArgumentParser, *args: Any) -> Any:
        parsers.append(parser)
        return parse(parser, *args)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", keep)
    load_module(tmp_path / "train_svi.py").parse_flags([])
    (parser,) = parsers
    unsaid = [a.option_strings for a in parser._actions if len((a.help or "").split()) < 2]
    assert not unsaid
    assert len(parser._actions) > 10
    parser.format_help()


def test_the_page_on_training_names_all_flags_and_exit_codes(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "training.md").read_text()
    lay_out_project(tmp_path)
    (tmp_path / "train_svi.py").write_text(emit().script)
    shown = re.findall(r"`(--[a-z-]+)`", page.split("## Exit codes")[0])
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit):
        load_module(tmp_path / "train_svi.py").main(["--help"])
    flags = set(re.findall(r"(?m)^  (?:-h, )?(--[a-z-]+)", out.getvalue()))
    assert sorted(shown) == sorted(flags - {"--help"})
    codes = page.split("## Exit codes")[1].split("## What it writes")[0]
    assert set(re.findall(r"^\| (\d+) \|", codes, re.MULTILINE)) == {"0", "2", "3", "4", "130"}
    said = " ".join(out.getvalue().split())
    assert "Exit codes: 0 done, 2 bad input, 3 non-finite loss, 4 the audit failed, 130" in said


def test_the_page_on_training_names_the_files_there_are(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "training.md").read_text()
    shown = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", page, re.MULTILINE)
    lay_out_project(tmp_path)
    data = {"source": "synthetic", "validation": 0.2}
    (tmp_path / "train_svi.py").write_text(emit(data=data).script)
    assert run_main(load_module(tmp_path / "train_svi.py"), "--no-baseline").code == 0
    written = [path.name for path in (tmp_path / "runs/train_svi").iterdir()]
    assert sorted(shown) == sorted(
        name for name in written if "before" not in name and name != ".lock"
    )


TYPED: list[dict[str, Any]] = [
    {},
    {
        "devices": "several",
        "patience": 5,
        "data": {"source": "models.data:Pairs", "validation": 0.1},
    },
    {"engine": "svi", "data": {"source": "rows.csv", "weights": "w"}},
    {
        "elbo": {"name": "Trace_ELBO", "kl_warmup": 3},
        "handlers": {"condition": {"net.fc1.*": 0.5}, "reparam": "net.fc2.*", "do": "net.*"},
        "data": {"source": "rows.npz"},
    },
    {"likelihood": {"family": "categorical"}, "guide": {"init": "weights.pt"}},
    {"leave_out": ["baseline", "export", "plots"]},
]


LENIENT = """
[[tool.mypy.overrides]]
module = "models.*"
ignore_errors = true

[[tool.mypy.overrides]]
module = {names}
warn_return_any = false
"""


@pytest.mark.slow
def test_scripts_can_be_type_checked(tmp_path: Path) -> None:
    """Under the settings of this repository: what `make lint` has found out of torch holds then."""
    lay_out_project(tmp_path)
    names = [f"typed{number}" for number in range(len(TYPED))]
    for name, changes in zip(names, TYPED, strict=True):
        (tmp_path / f"{name}.py").write_text(emit(**changes).script)
    root = Path(__file__).parents[1]
    settings = (root / "pyproject.toml").read_text() + LENIENT.format(names=names)
    (tmp_path / "pyproject.toml").write_text(settings)
    command = [sys.executable, "-m", "mypy", f"--cache-dir={root / '.mypy_cache'}"]
    files = [f"{name}.py" for name in names]
    checked = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
