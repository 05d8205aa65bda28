"""What an emitted script promises when it runs: right posteriors, no lost work, clear refusals."""

import argparse
import contextlib
import csv
import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from emit_cases import emit, fork, is_running, lay_out_project, load_module, run_main

from pyroify.emit.keys import OPTIMIZERS

LINE = {"class": "models.networks:Line", "kwargs": {"in_features": 16}}
TEN = {"class": "models.networks:MLP", "kwargs": {"in_size": 10, "hidden": 4, "out_size": 1}}
PLAIN_DATA = {"source": "line.npz", "test": 0, "validation": 0, "standardize": "none"}


def write_script(folder: Path, name: str = "train_svi.py", **changes: Any) -> Path:
    lay_out_project(folder)
    path = folder / name
    path.write_text(emit(**changes).script)
    return path


def run_script(path: Path, *flags: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(path), *flags]
    return subprocess.run(command, capture_output=True, text=True, **options)


def last_parameters(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path / "last.pt", weights_only=True)["parameters"]


# ---- the posterior -------------------------------------------------------------------


@pytest.fixture
def line(tmp_path: Path) -> torch.Tensor:
    """Linear regression on disk, 400 x 16 with noise precision 25; its exact posterior sd."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 16, generator=generator)
    y = x @ torch.randn(16, generator=generator) + 0.2 * torch.randn(400, generator=generator)
    np.savez(tmp_path / "line.npz", x=x.numpy(), y=y.numpy())
    return (25 * x.square().sum(0) + 1).rsqrt()  # mean field: the diagonal of the precision


@pytest.mark.slow
@pytest.mark.parametrize(
    ("elbo", "low", "high"),
    [
        ({"local_reparametrization": True}, 0.95, 1.05),
        ({"local_reparametrization": False}, 0.9, 1.1),
        ({"name": "Trace_ELBO"}, 0.9, 1.1),
    ],
)
def test_posterior_sd_is_the_exact_one(
    elbo: dict[str, Any], low: float, high: float, line: torch.Tensor, tmp_path: Path
) -> None:
    script = write_script(
        tmp_path,
        model=LINE,
        data={**PLAIN_DATA, "batch_size": 100},
        likelihood={"family": "normal", "scale": 0.2},
        optimizer={"lr": 0.02},
        elbo=elbo,
        epochs=500,
    )
    module = load_module(script)
    assert run_main(module, "--no-baseline", "--samples=2").code == 0
    parameters = last_parameters(tmp_path / "runs/train_svi")
    if "guide.log_scales.net/layer/weight" in parameters:
        sd = parameters["guide.log_scales.net/layer/weight"].exp()
    else:
        raw = parameters["elbo.guide.scales.net.layer.weight_unconstrained"]
        sd = torch.nn.functional.softplus(raw)
    ratio = sd.flatten() / line
    assert low < ratio.min() < ratio.max() < high


def test_the_guide_begins_where_the_class_begins(tmp_path: Path) -> None:
    """Values that a PyroSample replaced are recovered; naive guides start at the prior."""
    module = load_module(write_script(tmp_path))
    torch.manual_seed(3)
    model, values = module.build_model(4)
    expected = {"net.fc1.weight", "net.fc1.bias", "net.fc2.weight", "net.fc2.bias"}
    assert values.keys() == expected
    torch.manual_seed(3)
    layer = torch.nn.Linear(3, 4)
    assert torch.equal(values["net.fc1.weight"], layer.weight)
    objective = module.build_objective(model, values, module.made_up_rows(4))
    assert torch.equal(objective.guide.locs["net/fc1/weight"], layer.weight)


def test_the_divergence_of_normals_is_that_of_torch(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path))
    q, p = (dist.Normal(torch.randn(3, 4), torch.rand(3, 4) + 0.1).to_event(2) for _ in range(2))
    exact = torch.distributions.kl_divergence(q, p)
    assert torch.isclose(module.divergence(q, p, None), exact)


@pytest.mark.parametrize("engine", ["torch", "svi"])
def test_a_step_takes_no_longer_with_more_rows(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left to itself, Pyro's plate shuffles the numbers of all rows for each batch."""
    module = load_module(write_script(tmp_path, engine=engine))
    rows = module.made_up_rows(8)
    objective = module.build_objective(*module.build_model(1000), rows[:2])
    monkeypatch.delattr(torch, "randperm")
    loss, _ = objective(rows, 1.0)
    assert loss.isfinite()


# ---- interruptions -------------------------------------------------------------------


def start(module: ModuleType, *flags: str) -> int:
    """The process id of a run of its own."""
    return fork(lambda: module.main(list(flags)))


def kill_at_random_steps(module: ModuleType, owner: type, method: str, *flags: str) -> None:
    """Runs the script 5 times; each run dies somewhere in the milliseconds after some step.

    A step calls the ``method`` of ``owner`` once.

    As by ``kill -9``, the process just ends: SIGALRM has no handler. Counting steps rather
    than waiting keeps a run from being over before its kill, however slow the machine is.
    """
    dice = random.Random(0)
    step = getattr(owner, method)
    left = 0

    def count(*args: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            signal.setitimer(signal.ITIMER_REAL, dice.uniform(1e-6, 0.005))
        return step(*args)

    setattr(owner, method, count)
    for _ in range(5):
        left = dice.randrange(1, 90)
        _, status = os.waitpid(start(module, *flags), 0)
        assert os.WIFSIGNALED(status), "the run was over before the kill"
        assert os.WTERMSIG(status) == signal.SIGALRM
    setattr(owner, method, step)


def wait_for_step(process: int, out: Path, since: float) -> None:
    """Until the run that began at ``since`` has written a checkpoint."""
    while written_at(out / "last.pt") <= since:
        assert is_running(process)
        time.sleep(0.002)


def written_at(path: Path) -> float:
    """When a file was written; 0 while there is none, as between the two renames of a save."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "svi"])
def test_kill_at_random_times_changes_nothing(engine: str, tmp_path: Path) -> None:
    data = {"source": "synthetic", "batch_size": 32, "rows": 500}
    module = load_module(write_script(tmp_path, engine=engine, epochs=24, data=data))
    flags = ("--no-baseline", "--samples=2")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_main(module, *flags, f"--out={whole}").code == 0
    saving = (*flags, "--save-seconds=0", f"--out={cut}")
    kill_at_random_steps(module, module.rt.Loop, "accepts", *saving)
    finished = run_main(module, *flags, f"--out={cut}")
    assert finished.code == 0, finished.err
    assert "going on after epoch" in finished.err
    expected = last_parameters(whole)
    for name, value in last_parameters(cut).items():
        assert torch.equal(value, expected[name]), name
    rows = (cut / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["epoch"] for row in rows] == list(range(1, 25))


@pytest.mark.parametrize("engine", ["torch", "svi"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_goes_on_where_it_stopped(
    optimizer: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"source": "synthetic", "rows": 100, "batch_size": 32, "validation": 0}
    settings = {"engine": engine, "optimizer": {"name": optimizer}, "data": rows}
    module = load_module(write_script(tmp_path, **settings))
    flags = ["--save-seconds=0", "--samples=2", "--no-baseline"]
    assert run_main(module, *flags, f"--out={tmp_path / 'whole'}").code == 0
    accepts = module.rt.Loop.accepts
    steps = iter(range(6))  # 3 in each epoch

    def stop_in_the_second_epoch(*step: Any) -> bool:
        if next(steps) == 4:
            raise KeyboardInterrupt
        return accepts(*step)

    monkeypatch.setattr(module.rt.Loop, "accepts", stop_in_the_second_epoch)
    assert run_main(module, *flags, f"--out={tmp_path / 'cut'}").code == 130
    monkeypatch.setattr(module.rt.Loop, "accepts", accepts)
    assert run_main(module, *flags, f"--out={tmp_path / 'cut'}").code == 0
    whole, cut = (last_parameters(tmp_path / name) for name in ("whole", "cut"))
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


def test_interrupt_saves_and_says_so(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path, epochs=100000))
    out = tmp_path / "out"
    began = time.time()
    process = start(module, "--save-seconds=0", f"--out={out}")
    wait_for_step(process, out, began)
    os.kill(process, signal.SIGINT)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    state = torch.load(out / "last.pt", weights_only=True)
    assert state["counters"]["epoch"] > 0 or state["counters"]["batch"] > 0


@pytest.mark.parametrize("engine", ["torch", "svi"])
def test_a_cut_checkpoint_is_refused_and_the_one_before_is_used(
    engine: str, tmp_path: Path
) -> None:
    data = {"source": "synthetic", "validation": 0}
    module = load_module(write_script(tmp_path, data=data, engine=engine))
    out = tmp_path / "runs/train_svi"
    assert run_main(module, "--no-baseline", "--save-seconds=0").code == 0
    whole = (out / "last.pt").read_bytes()
    (out / "last.pt").write_bytes(whole[: len(whole) // 2])
    ran = run_main(module, "--eval", "--no-baseline")
    assert ran.code == 0
    assert "last.pt is damaged" in ran.err
    whole_parameters = torch.load(io.BytesIO(whole), weights_only=True)["parameters"]
    again = run_main(module, "--no-baseline")
    assert "last.pt is damaged" in again.err
    for name, value in last_parameters(out).items():
        assert torch.equal(value, whole_parameters[name]), name
    (out / "last.pt").write_bytes(whole[: len(whole) // 2])
    (out / "last.before.pt").write_bytes(b"")
    ran = run_main(module, "--eval", "--no-baseline")
    assert ran.code == 2
    assert "no whole checkpoint is left; start again with --resume never" in ran.err


@pytest.mark.parametrize(
    ("flags", "reason"),
    [(["--lr=0.5"], "--lr"), (["--seed=7"], "--seed, data"), (["--batch-size=9"], "--batch-size")],
)
def test_going_on_with_other_settings_is_refused(
    flags: list[str], reason: str, tmp_path: Path
) -> None:
    module = load_module(write_script(tmp_path))
    assert run_main(module, "--no-baseline").code == 0
    before = (tmp_path / "runs/train_svi/last.pt").read_bytes()
    ran = run_main(module, "--no-baseline", *flags)
    assert ran.code == 2
    assert all(word in ran.err for word in ("was made with other", *reason.split(", ")))
    assert (tmp_path / "runs/train_svi/last.pt").read_bytes() == before


# ---- bad input -----------------------------------------------------------------------

ROWS = {"x": np.ones((6, 3), np.float32), "y": np.arange(6.0)}
BAD_ARRAYS = {
    "nan": ({**ROWS, "x": np.where(np.eye(6, 3) > 0, np.nan, 1.0)}, "NaN or infinite values: 3"),
    "keys": ({"inputs": ROWS["x"], "y": ROWS["y"]}, "has no array 'x'; it has ['inputs', 'y']"),
    "rows": ({**ROWS, "y": np.arange(5.0)}, "differ in their number of rows: [6, 5]"),
    "empty": ({"x": np.ones((0, 3)), "y": np.ones(0)}, "the data has no rows"),
    "columns": ({**ROWS, "x": np.ones((6, 4))}, "the network does not take rows of shape [4]"),
    "targets": (
        {**ROWS, "y": np.arange(12.0).reshape(6, 2)},
        "a target has shape [2], but the model predicts",
    ),
    "text": ({**ROWS, "y": np.array(["a"] * 6)}, "targets: <U1 are not numbers"),
    "complex": ({**ROWS, "y": ROWS["y"] + 1j}, "targets: complex numbers cannot be used"),
    "one number": ({**ROWS, "y": np.array(1.0)}, "targets: one number cannot be used"),
    "objects": ({**ROWS, "y": np.array([None] * 6)}, "rows.npz is not an .npz file of numbers"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    arrays, message = BAD_ARRAYS[name]
    script = write_script(tmp_path, data={"source": "rows.npz", "test": 0, "validation": 0})
    np.savez(tmp_path / "rows.npz", **arrays)
    ran = run_main(load_module(script))
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 1)), "rows of shape [3] are needed, not [1]"),
        (np.ones((2, 5)), "rows of shape [3] are needed, not [5]"),
        (np.ones(2), "rows of shape [3] are needed, not []"),
        (np.ones((0, 3)), "the data has no rows"),
        (np.full((2, 3), np.nan), "x: NaN or infinite values: 6"),
        (np.full((2, 3), "a"), "x: <U1 are not numbers"),
    ],
)
def test_bad_rows_are_not_predicted(x: np.ndarray, message: str, tmp_path: Path) -> None:
    script = load_module(write_script(tmp_path, data={"source": "rows.npz"}))
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(50, 3)), y=np.ones(50))
    assert run_main(script, "--no-baseline", "--samples=2").code == 0
    np.savez(tmp_path / "new.npz", x=x)
    ran = run_main(script, f"--predict={tmp_path / 'new.npz'}")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert message in ran.err
    assert not (tmp_path / "runs/train_svi/predictions.npz").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--epochs=0", "--epochs must be positive"),
        ("--batch-size=-1", "--batch-size must be positive"),
        ("--lr=nan", "--lr must be positive"),
        ("--seed=-1", "--seed must be a number from 0"),
        ("--device=nowhere", "--device nowhere cannot be used"),
        ("--out=train_svi.py", "cannot write to train_svi.py: File exists; choose --out"),
        ("--resume=missing.pt", "there is no checkpoint missing.pt"),
        ("--eval", "nothing is trained in"),
    ],
)
def test_bad_flags_are_refused_in_one_line(
    flag: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = write_script(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = script.read_text()
    ran = run_main(load_module(script), flag)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert message in ran.err
    assert script.read_text() == before
    assert not list(tmp_path.rglob("*.pt"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    script = write_script(tmp_path, data={"source": "rows.npz"})
    ran = run_main(load_module(script))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "cannot read" in ran.err
    assert "rows.npz" in ran.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c,y\n1,2,3,4\n1,x,3,4\n", "line 3, column 'b': 'x' is not a number"),
        ("a,b,c,y\n1,2,3\n", "line 2: 3 cells, the header has 4"),
        ("a,b,c,z\n1,2,3,4\n", "has no column 'y'; it has ['a', 'b', 'c', 'z']"),
        ("", "is empty"),
        ("a,b,c,y\n1,,3,4\n", "NaN or infinite values: 1, the first at index (0, 1)"),
    ],
)
def test_bad_tables_are_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    script = write_script(tmp_path, data={"source": "rows.csv", "test": 0, "validation": 0})
    (tmp_path / "rows.csv").write_text(text)
    ran = run_main(load_module(script))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert message in ran.err


@pytest.fixture
def table(tmp_path: Path) -> ModuleType:
    """A script trained on a table whose columns differ in what they are about."""
    script = write_script(tmp_path, data={"source": "rows.csv", "test": 0, "validation": 0})
    rows = ["a,b,c,y", *(f"{i},{10 * i},{-i},{i}" for i in range(40))]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n\n")
    module = load_module(script)
    assert run_main(module, "--no-baseline", "--samples=4").code == 0
    return module


def test_columns_to_predict_are_found_by_name(table: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "runs/train_svi/predictions.npz"
    means = []
    for name, text in {
        "same.csv": "a,b,c\n1,10,-1\n2,20,-2\n",
        "other.csv": "note,c,b,a\nfirst,-1,10,1\nsecond,-2,20,2\n",
    }.items():
        (tmp_path / name).write_text(text)
        ran = run_main(table, f"--predict={tmp_path / name}", "--samples=4")
        assert ran.code == 0, ran.err
        means.append(np.load(out)["mean"])
    np.testing.assert_array_equal(*means)


def test_predictions_keep_the_columns_that_came_in(table: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text('id,c,b,a,note\n007,-1,10,1,"a, b"\n008,-2,20,2,\n')
    ran = run_main(table, f"--predict={tmp_path / 'new.csv'}", "--samples=4")
    assert ran.code == 0, ran.err
    out = tmp_path / "runs/train_svi"
    with (out / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    came = [{name: row[name] for name in ("id", "c", "b", "a", "note")} for row in rows]
    assert came == [
        {"id": "007", "c": "-1", "b": "10", "a": "1", "note": "a, b"},
        {"id": "008", "c": "-2", "b": "20", "a": "2", "note": ""},
    ]
    with np.load(out / "predictions.npz") as predicted:
        for name in predicted.files:
            told = [float(row[f"predicted_{name}"]) for row in rows]
            np.testing.assert_allclose(told, predicted[name], rtol=1e-6)


def test_columns_to_predict_that_are_missing_are_named(table: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("a,b,d\n1,2,3\n")
    ran = run_main(table, f"--predict={tmp_path / 'new.csv'}")
    assert ran.code == 2
    assert "new.csv has no column 'c'; it has ['a', 'b', 'd']" in ran.err


def test_columns_that_are_not_used_may_hold_text(tmp_path: Path) -> None:
    data = {"source": "rows.csv", "inputs": ["a", "b", "c"]}
    module = load_module(write_script(tmp_path, data=data))
    (tmp_path / "rows.csv").write_text("name,a,b,c,y\nfirst,1,2,3,4\nsecond,5,6,7,8\n")
    rows = module.load_data(module.parse_flags([]))
    assert rows.inputs[0].tolist() == [[1, 2, 3], [5, 6, 7]]
    assert rows.targets.tolist() == [4, 8]


def read_parquet(folder: Path, read: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the script makes of a table that pandas reads by ``read``."""
    module = load_module(write_script(folder, data={"source": "rows.parquet"}))
    monkeypatch.setattr("pandas.read_parquet", read)
    return module.load_data(module.parse_flags([]))


def test_a_parquet_file_is_read_as_a_table_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "y": [5, 6], "b": [3, 4]})
    rows = read_parquet(tmp_path, lambda path: frame, monkeypatch)
    assert rows.inputs[0].tolist() == [[1, 3], [2, 4]]
    assert rows.targets.tolist() == [5, 6]
    with pytest.raises(Exception, match="could not convert string to float"):
        read_parquet(tmp_path, lambda path: frame.assign(a="x"), monkeypatch)


def test_what_reads_parquet_files_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")

    def read(path: Path) -> None:
        raise ImportError("Unable to find a usable engine")

    with pytest.raises(Exception, match="needs pandas and pyarrow: pip install pandas pyarrow"):
        read_parquet(tmp_path, read, monkeypatch)


def test_labels_out_of_range_are_named(tmp_path: Path) -> None:
    model = {"class": "models.networks:MLP", "kwargs": {"in_size": 3, "hidden": 4, "out_size": 3}}
    script = write_script(
        tmp_path,
        model=model,
        data={"source": "rows.npz", "test": 0, "validation": 0},
        likelihood={"family": "categorical"},
    )
    np.savez(tmp_path / "rows.npz", x=ROWS["x"], y=np.array([0, 1, 2, 3, 1, -1]))
    ran = run_main(load_module(script))
    assert ran.code == 2
    assert "2 targets are not in IntegerInterval(lower_bound=0, upper_bound=2)" in ran.err


def test_a_loss_that_is_not_finite_ends_with_3(tmp_path: Path) -> None:
    model = {
        "class": "models.networks:Exploding",
        "kwargs": {"in_size": 3, "hidden": 4, "out_size": 1},
    }
    script = write_script(tmp_path, model=model, data={"source": "rows.npz", "test": 0})
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).normal(size=(64, 3)), y=np.ones(64))
    module = load_module(script)
    ran = run_main(module, "--batch-size=4")
    assert ran.code == 3
    assert "not finite in 5 steps in a row; look at obs" in ran.err


DIVERGING: dict[str, dict[str, Any]] = {
    "torch": {},
    "torch_trace": {"elbo": {"name": "Trace_ELBO"}},
    "svi": {"engine": "svi"},
    "svi_full": {"engine": "svi", "guide": {"family": "AutoMultivariateNormal"}},
    "low_rank": {"guide": {"family": "AutoLowRankMultivariateNormal"}},
    "flow": {"guide": {"family": "AutoIAFNormal"}},
    "lightning": {"engine": "lightning"},
}


@pytest.mark.parametrize("name", DIVERGING)
def test_a_training_that_diverges_ends_with_3(name: str, tmp_path: Path) -> None:
    script = write_script(tmp_path, optimizer={"name": "SGD"}, epochs=5, **DIVERGING[name])
    module = load_module(script)
    for rate in ("1e3", "1e20", "1e30"):
        ran = run_main(module, f"--lr={rate}", f"--out={tmp_path / rate}", "--no-baseline")
        assert ran.code == 3, (rate, ran.err)
        assert ran.err.splitlines()[-1].endswith("try a smaller --lr")


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        (
            "Flawed",
            [
                "a plain value hides the prior of net.fc.bias",
                "nothing is learned of it: net.unused",
            ],
        ),
        (
            "Plain",
            ["no parameter of Plain has a prior", "run pyroify rewrite"],
        ),
    ],
)
def test_the_audit_ends_with_4(name: str, faults: list[str], tmp_path: Path) -> None:
    script = write_script(
        tmp_path,
        model={"class": f"models.networks:{name}"},
        guide={"init": "prior"},
        data={"source": "rows.npz", "test": 0, "validation": 0},
        likelihood={"family": "normal", "scale": 1.0},
    )
    np.savez(tmp_path / "rows.npz", x=ROWS["x"], y=ROWS["y"])
    ran = run_main(load_module(script), "--check")
    assert ran.code == 4
    assert all(fault in ran.err for fault in faults)


# ---- data sets of the project --------------------------------------------------------


def load_source(folder: Path, name: str, **data: Any) -> Any:
    """What the script reads from models/data.py."""
    source = {"source": f"models.data:{name}", **data}
    script = load_module(write_script(folder, data=source))
    return script.load_data(script.parse_flags([]))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("arrays", {}),
        ("Pairs", {}),
        ("loader", {}),
        ("Named", {"targets": "price"}),
        ("Named", {"inputs": "size", "targets": "price"}),
        ("Nested", {"inputs": ["size"]}),
    ],
)
def test_rows_of_every_form_are_the_same(name: str, data: dict[str, Any], tmp_path: Path) -> None:
    rows = load_source(tmp_path, name, **data, stream=False)
    expected = load_source(tmp_path, "Pairs", stream=False)
    assert len(rows.inputs) == 1
    assert torch.equal(rows.inputs[0], expected.inputs[0])
    assert torch.equal(rows.targets, expected.targets)


def test_a_data_module_keeps_its_parts(tmp_path: Path) -> None:
    """All rows of each part, also those that a loader drops, collated as its loader does."""
    parts = load_source(tmp_path, "Parts", stream=False)
    whole = load_source(tmp_path, "Pairs", stream=False)
    assert torch.equal(parts["train"].inputs[0], whole.inputs[0][:40])
    assert torch.equal(parts["validation"].targets, whole.targets[40:])
    assert torch.equal(parts["test"].targets, whole.targets[40:].flip(0))
    script = load_module(write_script(tmp_path, data={"source": "models.data:Parts"}))
    ran = run_main(script, "--no-baseline", "--samples=2")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("test, 20 rows")


@pytest.mark.slow
def test_a_data_module_of_lightning_may_leave_out_parts(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    module = load_module(write_script(tmp_path, data={"source": "models.modules:Module"}))
    parts = module.load_data(module.parse_flags([]))
    assert {name: len(rows) for name, rows in parts.items()} == {
        "train": 60,
        "validation": 0,
        "test": 0,
    }
    ran = run_main(module, "--no-baseline", "--samples=2")
    assert ran.out.startswith("train, 60 rows")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "failed with ImportError: cannot import name 'missing'"),
        ("needs_a_path", "failed with TypeError: needs_a_path() missing 1 required"),
        (
            "three",
            "gave a tuple; return (inputs, targets), a Dataset, a DataLoader or a data module",
        ),
        ("Empty", "the data has no rows"),
        ("Stream", "does not tell how many rows it has; set svi.data.rows"),
        ("Ragged", "rows do not stack, make them of one shape: stack expects each tensor"),
        ("Failing", "failed with OSError: no image "),
        ("Named", "no 'y' in a row; it has ['price', 'size']"),
        ("ManyLoaders", "a loader is a list; give one torch DataLoader"),
    ],
)
def test_bad_sources_are_refused_in_one_line(name: str, message: str, tmp_path: Path) -> None:
    script = write_script(tmp_path, data={"source": f"models.data:{name}"})
    ran = run_main(load_module(script))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert f"models.data:{name}" in ran.err
    assert message in ran.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("standardize", "sds"),
    [("columns", [1.0, 1.0]), ("together", [0.01414, 1.414]), ("none", [0.01, 1.0])],
)
def test_inputs_are_standardised_as_asked(
    standardize: str, sds: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"class": "models.networks:MLP", "kwargs": {"in_size": 2, "hidden": 4, "out_size": 1}}
    data = {"source": "rows.npz", "standardize": standardize, "test": 0, "validation": 0}
    script = load_module(write_script(tmp_path, data=data, model=model))
    signs = torch.tensor([1.0, -1.0]).repeat(50)
    np.savez(tmp_path / "rows.npz", x=torch.stack([0.01 * signs, signs], 1), y=5 + 3 * signs)
    prepare, runs = script.rt.prepare, []

    def prepare_and_keep(*args: Any, **options: Any) -> Any:
        runs.append(prepare(*args, **options))
        return runs[-1]

    monkeypatch.setattr(script.rt, "prepare", prepare_and_keep)
    assert run_main(script, "--check").code == 0
    scaled = runs[0].rows
    assert torch.allclose(scaled.inputs[0].std(0, correction=0), torch.tensor(sds), rtol=1e-3)
    assert scaled.targets.mean() == (5 if standardize == "none" else 0)


# ---- stopping early ------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["torch", "svi"])
def test_patience_ends_a_training_that_no_longer_gets_better(engine: str, tmp_path: Path) -> None:
    data = {"source": "models.data:Pairs", "validation": 0.3}
    module = load_module(write_script(tmp_path, data=data, engine=engine, epochs=100, patience=6))
    ran = run_main(module, "--no-baseline", "--lr=0.3")
    assert ran.code == 0, ran.err
    state = torch.load(tmp_path / "runs/train_svi/last.pt", weights_only=True)
    best, last = state["counters"]["best_epoch"], state["counters"]["epoch"]
    assert best < last < 100
    assert 6 <= last - best < 8  # every second epoch is validated
    assert f"stopped after epoch {last}: the validation NLL was best after epoch {best}" in ran.err
    again = run_main(module, "--no-baseline", "--lr=0.3")
    assert again.code == 0, again.err
    state = torch.load(tmp_path / "runs/train_svi/last.pt", weights_only=True)
    assert state["counters"]["epoch"] == last
    more = run_main(module, "--no-baseline", "--lr=0.3", "--patience=50")
    assert more.code == 0, more.err
    state = torch.load(tmp_path / "runs/train_svi/last.pt", weights_only=True)
    assert state["counters"]["epoch"] > last


def test_the_best_epoch_is_looked_for_after_the_warmup(tmp_path: Path) -> None:
    data = {"source": "models.data:Pairs", "validation": 0.3}
    script = write_script(tmp_path, data=data, epochs=20, elbo={"kl_warmup": 15}, patience=2)
    assert run_main(load_module(script), "--no-baseline").code == 0
    rows = (tmp_path / "runs/train_svi/metrics.jsonl").read_text().splitlines()
    seen = [json.loads(row)["epoch"] for row in rows if "validation_nll" in row]
    assert seen[0] == 15


# ---- use -----------------------------------------------------------------------------


def test_it_runs_from_any_folder_and_depth(tmp_path: Path) -> None:
    lay_out_project(tmp_path / "project")
    path = tmp_path / "project" / "scripts" / "fit.py"
    path.parent.mkdir()
    path.write_text(emit(output="scripts/fit.py").script)
    ran = run_script(path, "--check", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    latents = "net.fc1.weight, net.fc1.bias, net.fc2.weight, net.fc2.bias"
    assert ran.stdout.endswith(f"no faults; latent: {latents}, scale\n")


def test_two_inputs_and_prediction(tmp_path: Path) -> None:
    script = write_script(
        tmp_path,
        model={"class": "models.networks:TwoInputs"},
        data={"source": "rows.npz", "inputs": {"second": "b", "first": "a"}},
    )
    dice = np.random.default_rng(0)
    a, b = dice.normal(size=(50, 3)), dice.normal(size=(50, 2))
    np.savez(tmp_path / "rows.npz", a=a, b=b, y=100 + 10 * a[:, 0])
    module = load_module(script)
    assert run_main(module, "--no-baseline").code == 0
    ran = run_main(module, "--predict", str(tmp_path / "rows.npz"))
    assert ran.code == 0
    with np.load(tmp_path / "runs/train_svi/predictions.npz") as predicted:
        assert set(predicted.files) == {"mean", "sd", "q05", "q95"}
        assert predicted["mean"].shape == (50,)
        assert 50 < predicted["mean"].mean() < 150  # in the units of the targets


def test_many_rows_are_predicted_part_by_part(tmp_path: Path) -> None:
    script = load_module(write_script(tmp_path))
    assert run_main(script, "--no-baseline").code == 0
    x = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    means = []
    for rows in (x, x[4090:4100]):
        np.save(tmp_path / "x.npy", rows)
        assert run_main(script, f"--predict={tmp_path / 'x.npy'}", "--samples=5").code == 0
        with np.load(tmp_path / "runs/train_svi/predictions.npz") as predicted:
            means.append(predicted["mean"])
    assert means[0].shape == (5000,)
    assert means[0][4090:4100] == pytest.approx(means[1], rel=1e-4, abs=1e-5)


def test_other_rows_than_those_of_the_training_are_not_evaluated(tmp_path: Path) -> None:
    """Another seed would put rows of the training into the test."""
    script = load_module(write_script(tmp_path, data={"source": "sklearn:diabetes"}, model=TEN))
    assert run_main(script, "--no-baseline", "--epochs=1").code == 0
    ran = run_main(script, "--eval", "--seed=1")
    assert ran.code == 2
    assert "was trained on other rows; give the data and --seed of that run" in ran.err
    assert run_main(script, "--eval", "--no-baseline").code == 0


def test_exported_draws_give_the_outputs_of_the_posterior(tmp_path: Path) -> None:
    """A plain nn.Module and the exported state_dicts give what Pyro's predictive gives."""
    module = load_module(write_script(tmp_path))
    assert run_main(module, "--no-baseline").code == 0
    assert run_main(module, "--export", "--samples=7").code == 0
    out = tmp_path / "runs/train_svi"
    serve = load_module(out / "serve.py")
    assert "pyro" not in (out / "serve.py").read_text().replace("Pyro", "").split()

    class Original(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = torch.nn.Linear(3, 4)
            self.fc2 = torch.nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc2(torch.relu(self.fc1(x)))

    x = torch.randn(5, 3)
    served = serve.predict(Original(), serve.load(out / "draws.pt"), x)
    objective, about = module.load_trained(module.parse_flags(["--export"]))
    inputs = module.scale_inputs((x,), about["scalings"])
    with torch.no_grad():
        draws = list(module.posterior_draws(objective.guide, 7))
        means = [module.observed(objective.model, draw, inputs).mean for draw in draws]
    assert torch.equal(served.squeeze(-1), torch.stack(means))


@pytest.mark.parametrize("engine", ["torch", "svi", "nuts", "lightning"])
def test_parts_may_be_left_out(engine: str, tmp_path: Path) -> None:
    parts = ["baseline", "export", "plots"]
    script = write_script(tmp_path, engine=engine, leave_out=parts)
    assert len(script.read_text()) < len(emit(engine=engine).script)
    module = load_module(script)
    assert run_main(module, "--smoke").code == 0
    assert (tmp_path / "runs/train_svi/smoke/report.html").exists()
    for flag in ("--no-baseline", "--export", "--plots"):
        with pytest.raises(SystemExit):
            run_main(module, flag)


def test_settings_and_versions_are_kept(tmp_path: Path) -> None:
    assert run_main(load_module(write_script(tmp_path))).code == 0
    out = tmp_path / "runs/train_svi"
    results = json.loads((out / "results.json").read_text())
    assert results.keys() == {"posterior", "original network"}
    facts = json.loads((out / "run.json").read_text())
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["flags"]["epochs"] == "2"


def test_a_bar_on_a_terminal_and_lines_elsewhere(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path))
    row = {"epoch": 2.0, "loss": 3.0, "nll": 1.0, "kl": 2.0}
    shown = {}
    for is_terminal in (True, False):
        stream = io.StringIO()
        stream.isatty = lambda is_terminal=is_terminal: is_terminal  # type: ignore[method-assign]
        with contextlib.redirect_stderr(stream):
            module.Progress(argparse.Namespace(epochs=4, is_open=False), 0).show(row)
        shown[is_terminal] = stream.getvalue()
    terms = "epoch 2/4  loss 3.0000  nll 1.0000  kl 2.0000  0 s left"
    assert shown[True] == f"\r[##########          ] {terms}\x1b[K"
    assert shown[False] == f"{terms}\n"


def test_metrics_split_the_loss(tmp_path: Path) -> None:
    script = write_script(tmp_path, elbo={"kl_weight": 0.5})
    assert run_main(load_module(script), "--no-baseline").code == 0
    rows = [
        json.loads(line)
        for line in (tmp_path / "runs/train_svi/metrics.jsonl").read_text().splitlines()
    ]
    for row in rows:
        assert math.isclose(row["loss"], row["nll"] + 0.5 * row["kl"], rel_tol=1e-5)


@pytest.mark.slow
def test_the_tests_beside_the_script_pass(tmp_path: Path) -> None:
    lay_out_project(tmp_path)
    for engine in ("torch", "svi", "nuts"):
        emitted = emit(engine=engine, output=f"train_{engine}.py")
        (tmp_path / f"train_{engine}.py").write_text(emitted.script)
        (tmp_path / f"test_train_{engine}.py").write_text(emitted.test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
