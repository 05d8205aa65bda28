"""Data as projects have them: loaders, read again in each epoch, and batches of any structure."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from emit_cases import Ran, emit, load_module, run_main
from test_emit_settings import problems
from test_emit_training import last_parameters, write_script

MLP = {"class": "models.networks:MLP", "kwargs": {"in_size": 3, "hidden": 4, "out_size": 1}}


def section(name: str, data: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    source = {"source": f"models.streams:{name}", "batch_size": 20, **(data or {})}
    return {"model": MLP, "data": source, "epochs": 20, "optimizer": {"lr": 0.05}, **changes}


def script_of(folder: Path, name: str, *args: Any, **changes: Any) -> ModuleType:
    return load_module(write_script(folder, **section(name, *args, **changes)))


def scores(folder: Path) -> dict[str, float]:
    results = json.loads((folder / "runs/train_svi/results.json").read_text())
    posterior: dict[str, float] = results["posterior"]
    return posterior


def trained(folder: Path, name: str, *args: Any, **changes: Any) -> Ran:
    ran = run_main(script_of(folder, name, *args, **changes), "--no-baseline", "--samples=20")
    assert ran.code == 0, ran.err
    return ran


# ---- streams ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "held_out"),
    [
        ("Augmented", {}, "test, 18 rows"),
        ("loader", {}, "train, 90 rows"),
        ("drawing_by_itself", {}, "train, 90 rows"),
        ("with_workers", {}, "train, 90 rows"),
        ("some_rows", {}, "train, 60 rows"),
        ("Endless", {"rows": 80}, "train, 80 rows"),
        ("batches_of_arrays", {"rows": 90}, "train, 90 rows"),
        ("parts", {}, "test, 30 rows"),
    ],
)
def test_loaders_and_data_sets_are_read_in_each_epoch(
    name: str, data: dict[str, Any], held_out: str, tmp_path: Path
) -> None:
    ran = trained(tmp_path, name, data)
    assert ran.out.startswith(held_out)
    assert ("is one loader, all of which is trained on" in ran.err) == (held_out[:5] == "train")
    assert scores(tmp_path)["rmse"] < 1


@pytest.mark.parametrize("engine", ["torch", "svi"])
def test_each_row_is_read_once_in_an_epoch_and_anew(engine: str, tmp_path: Path) -> None:
    data = {"test": 0.2, "validation": 0.1, "batch_size": 20}
    script = script_of(tmp_path, "Augmented", data, engine=engine, epochs=7)
    rows = script.load_data(script.parse_flags([]))
    reads = rows.dataset.reads
    reads.zero_()
    assert run_main(script, "--no-baseline", "--samples=2").code == 0
    counts = {int(count): int((reads == count).sum()) for count in reads.unique()}
    # Those of the training once more, for what rows are like; those of the validation when the KL
    # has its full weight; those of the test in the end, and for what one guess for all would score.
    assert counts == {8: 63, 5: 9, 2: 18}
    rt = script.rt
    part = rows.part(torch.tensor([3]), shuffle=False)
    first, again = (next(part.shuffled(20)).inputs[0] for _ in range(2))
    assert not torch.equal(first, again)
    assert isinstance(rows, rt.Rows)


def test_rows_of_a_stream_stand_for_all(tmp_path: Path) -> None:
    """The plate has the rows of the data set, or those that the spec says there are."""
    for data, size in (({"test": 0}, 90), ({"test": 0, "rows": 900}, 900)):
        script = script_of(tmp_path, "loader", data)
        run = script.rt.prepare(
            script.load_data(script.parse_flags([])),
            script.parse_flags([]),
            test=0,
            validation=0,
        )
        model, _ = script.build_model(len(run.rows))
        batch = next(run.rows.batches(1))
        trace = script.trace_model(model, batch)
        assert len(batch) == 20
        assert float(trace.nodes["obs"]["scale"]) == size / 20


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("Augmented", "torch"),
        ("loader", "torch"),
        ("drawing_by_itself", "torch"),
        ("with_workers", "torch"),
        ("drawing_by_itself", "svi"),  # what is read again is the same for both
    ],
)
def test_going_on_within_an_epoch_ends_at_the_same_parameters(
    name: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = script_of(tmp_path, name, {"validation": 0.1}, engine=engine, epochs=4)
    err = stop_and_go_on(script, tmp_path, monkeypatch)
    assert "reading " in err
    assert " batches again, to go on where it stopped" in err


def test_a_stateful_loader_goes_on_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchdata.stateful_dataloader")
    script = script_of(tmp_path, "stateful", epochs=4)
    assert "reading" not in stop_and_go_on(script, tmp_path, monkeypatch)


def stop_and_go_on(
    script: ModuleType,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    stops: Sequence[int] = (2, 4, 7),
) -> str:
    """What the runs say that were stopped after some steps, and ended as one that was not."""
    flags = ["--no-baseline", "--samples=2"]
    assert run_main(script, *flags, f"--out={folder / 'whole'}").code == 0
    expected = last_parameters(folder / "whole")
    accepts = script.rt.Loop.accepts
    said = ""
    for steps in stops:
        cut = [*flags, f"--out={folder / f'cut{steps}'}", "--save-seconds=0"]
        left = iter(range(steps))

        def stop_after_some(*step: Any, left: Any = left) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return accepts(*step)

        monkeypatch.setattr(script.rt.Loop, "accepts", stop_after_some)
        assert run_main(script, *cut).code == 130
        monkeypatch.setattr(script.rt.Loop, "accepts", accepts)
        ran = run_main(script, *cut)
        assert ran.code == 0, ran.err
        said += ran.err
        for name, value in last_parameters(folder / f"cut{steps}").items():
            assert torch.equal(value, expected[name]), (steps, name)
    return said


def test_the_rows_of_a_data_set_may_be_read_once(tmp_path: Path) -> None:
    script = script_of(tmp_path, "Augmented", {"stream": False}, epochs=5)
    rows = script.load_data(script.parse_flags([]))
    assert (type(rows).__name__, len(rows.inputs[0])) == ("Rows", 90)
    assert run_main(script, "--no-baseline", "--samples=2").code == 0


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A thousand rows with a column of text, in chunks of 128 lines."""
    dice = np.random.default_rng(0)
    x = dice.normal(size=(1000, 3))
    y = 2 * x[:, 0] + 0.1 * dice.normal(size=1000)
    lines = [f'{a},{b},{c},"no, text",{d}' for (a, b, c), d in zip(x, y, strict=True)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["a,b,c,note,y", *lines, ""]))
    return path


def table_script(folder: Path, monkeypatch: pytest.MonkeyPatch, **data: Any) -> ModuleType:
    source = {"source": "rows.csv", "inputs": ["a", "b", "c"], "stream": True, "batch_size": 50}
    script = load_module(write_script(folder, model=MLP, data={**source, **data}, epochs=4))
    monkeypatch.setattr("svi_runtime.data.chunks.CHUNK", 128)
    return script


def test_a_table_is_read_chunk_by_chunk(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows are kept for the test as where all are in memory."""
    script = table_script(tmp_path, monkeypatch)
    ran = run_main(script, "--no-baseline", "--lr=0.05", "--samples=10")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("test, 200 rows")
    assert scores(tmp_path)["rmse"] < 1
    flags = script.parse_flags([])
    streamed = script.split(script.load_data(flags), 0, test=0.2)
    kept = table_script(tmp_path, monkeypatch, stream=False)
    whole = script.split(kept.load_data(flags), 0, test=0.2)
    for name in ("train", "test"):
        batches = list(streamed[name].batches(50))
        assert max(map(len, batches)) <= 50
        rows = torch.cat([batch.targets for batch in batches])
        assert torch.equal(rows.sort().values, whole[name].targets.sort().values)
    first, again = (next(streamed["train"].batches(50)).targets for _ in range(2))
    assert not torch.equal(first, again)
    again = run_main(script, f"--predict={table}", "--samples=3")
    assert again.code == 0, again.err


def test_a_table_goes_on_where_it_was(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = table_script(tmp_path, monkeypatch)
    said = stop_and_go_on(script, tmp_path, monkeypatch, stops=(7, 18))  # an epoch has 16 steps
    assert said.count("batches again") == 2


def test_a_table_is_not_read_to_its_end_where_its_rows_are_told(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with table.open("a") as file:
        file.write("no,number,at,all,here\n")
    script = table_script(tmp_path, monkeypatch, rows=5000, test=0)
    rows = script.load_data(script.parse_flags([]))
    assert len(rows) == 5000
    assert len(next(rows.batches(50))) == 50
    ran = run_main(script, "--no-baseline", "--epochs=1")
    assert ran.code == 2
    assert "rows.csv, lines 898 to 1002: could not convert string 'no' to float64" in ran.err


def test_bad_tables_are_refused_before_they_are_read(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = table_script(tmp_path, monkeypatch, inputs=["d"])
    ran = run_main(script, "--check")
    assert ran.code == 2
    assert "has no column 'd'; it has ['a', 'b', 'c', 'note', 'y']" in ran.err
    table.write_text("")
    assert "rows.csv is empty" in run_main(script, "--check").err
    table.write_text("d,y\n")
    assert "rows.csv has no rows" in run_main(script, "--check").err


def test_a_parquet_table_is_read_chunk_by_chunk(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    import pandas

    pandas.read_csv(table).to_parquet(tmp_path / "rows.parquet")
    script = table_script(tmp_path, monkeypatch, source="rows.parquet", inputs=["c", "a", "b"])
    rows = script.load_data(script.parse_flags([]))
    batches = list(rows.batches(50))
    assert (len(rows), sum(map(len, batches))) == (1000, 1000)
    values = torch.cat([torch.cat([b.inputs[0], b.targets[:, None]], 1) for b in batches])
    kept = pandas.read_csv(table)[["c", "a", "b", "y"]].to_numpy(np.float32)
    order = values[:, 3].argsort()
    assert np.allclose(values[order], kept[kept[:, 3].argsort()], atol=1e-6)


def test_the_baseline_of_a_stream(tmp_path: Path) -> None:
    script = script_of(tmp_path, "parts", epochs=3)
    assert "original network" in run_main(script, "--plots", "--samples=5").out


# ---- structured batches --------------------------------------------------------------------


VARIANCE = {"family": "heteroskedastic", "output": {"mean": "mean", "variance": "var"}}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("Columns", {}),
        ("Columns", {"stream": False}),
        ("InOneMapping", {"targets": "price"}),
        ("InOneMapping", {"targets": "price", "inputs": ["num", "city", "seen"]}),
    ],
)
def test_mappings_go_in_and_out_as_they_are(
    name: str, data: dict[str, Any], tmp_path: Path
) -> None:
    model = {"class": "models.streams:ByName"}
    changes = {"model": model, "likelihood": VARIANCE}
    script = script_of(tmp_path, name, {"form": "kept", **data}, **changes)
    assert run_main(script, "--samples=20").code == 0
    assert scores(tmp_path)["rmse"] < 1.5
    rows = {"city": np.zeros(4, int), "num": np.ones((4, 3)), "seen": np.ones((4, 3), bool)}
    np.savez(tmp_path / "new.npz", **rows)
    ran = run_main(script, f"--predict={tmp_path / 'new.npz'}", "--samples=5")
    assert ran.code == 0, ran.err
    with np.load(tmp_path / "runs/train_svi/predictions.npz") as predicted:
        assert predicted["mean"].shape == (4,)


def test_mappings_may_go_to_arguments_by_name(tmp_path: Path) -> None:
    trained(tmp_path, "InOneMapping", {"inputs": {"x": "num"}, "targets": "price"})
    assert scores(tmp_path)["rmse"] < 2


def test_lengths_go_along_with_tokens(tmp_path: Path) -> None:
    model = {"class": "models.streams:Packed"}
    trained(tmp_path, "sentences", model=model, likelihood={"family": "categorical"})
    assert scores(tmp_path)["accuracy"] > 0.5


def test_objects_that_tell_their_rows_are_batches(tmp_path: Path) -> None:
    model = {"class": "models.streams:OfGraphs"}
    ran = trained(tmp_path, "graphs", {"rows": 90}, model=model)
    assert scores(tmp_path)["rmse"] < 1
    assert ran.out.startswith("train, 90 rows")
    script = load_module(tmp_path / "train_svi.py")
    assert run_main(script, "--eval", "--no-baseline", "--samples=3").code == 0
    ran = run_main(script, "--export")
    assert ran.code == 2
    assert "the rows are objects, of which a checkpoint keeps none" in ran.err


@pytest.mark.parametrize(("name", "count"), [("graphs", ""), ("untold_graphs", "count")])
def test_objects_go_to_a_function_too(name: str, count: str, tmp_path: Path) -> None:
    model = {"class": "models.streams:OfGraphs"}
    data = {"rows": 90, **({"count": count} if count else {})}
    likelihood = {"factor": "models.streams:graph_evidence"}
    trained(tmp_path, name, data, model=model, likelihood=likelihood)
    assert scores(tmp_path)["nll"] < 1


def test_nested_tensors_are_batches(tmp_path: Path) -> None:
    likelihood = {"factor": "models.streams:ragged_evidence"}
    ran = trained(tmp_path, "nested", likelihood=likelihood)
    assert ran.out.startswith("train, 90 rows")
    assert scores(tmp_path)["nll"] < 3


def test_one_graph_is_one_batch_of_the_nodes_in_its_mask(tmp_path: Path) -> None:
    model = {"class": "models.streams:OfNodes"}
    likelihood = {"factor": "models.streams:node_classes"}
    changes = {"model": model, "likelihood": likelihood, "epochs": 150}
    ran = trained(tmp_path, "one_graph", {"count": "mask"}, **changes)
    assert ran.out.startswith("test, 30 rows")
    assert scores(tmp_path)["nll"] < 0.65
    state = torch.load(tmp_path / "runs/train_svi/last.pt", weights_only=True)
    assert state["about"]["size"] == 60


# ---- wrong uses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "changes", "message"),
    [
        ("Endless", {}, {}, "Endless does not tell how many rows it has; set svi.data.rows"),
        ("items", {}, {}, "items does not tell how many rows it has; set svi.data.rows"),
        ("Broken", {}, {}, "Broken() failed with OSError: no row 7 (streams.py, line "),
        ("OneTensor", {}, {}, "a batch is one tensor; give (inputs, targets)"),
        ("graphs", {"rows": 9, "targets": "z"}, {}, "no 'z' in a row; it has a Graphs"),
        (
            "untold_graphs",
            {"rows": 90},
            {"likelihood": {"factor": "models.streams:graph_evidence"}},
            "a Graphs has no batch_size; svi.data.count names what counts rows",
        ),
        (
            "one_graph",
            {"count": "masks"},
            {"likelihood": {"factor": "models.streams:node_classes"}},
            "no 'masks' in a dict; it has ['x', 'edges', 'label', 'mask']",
        ),
        (
            "one_graph",
            {"count": "label"},
            {
                "likelihood": {"factor": "models.streams:node_classes"},
                "model": {"class": "models.streams:OfNodes"},
            },
            "there are 60 log-likelihoods for ",
        ),
        (
            "Columns",
            {},
            {"model": {"class": "models.streams:ByName"}, "likelihood": VARIANCE},
            "svi.data.form: kept hands a mapping on as it is",
        ),
    ],
)
def test_data_that_cannot_be_used_are_refused(
    name: str, data: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    ran = run_main(script_of(tmp_path, name, data, **changes), "--check")
    assert ran.code == 2, (ran.code, ran.err)
    assert message in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    "changes",
    [
        section("Columns", {"form": "kept"}, likelihood=VARIANCE),
        section("graphs", {"rows": 90}, likelihood={"factor": "models.streams:graph_evidence"}),
    ],
)
def test_tests_beside_scripts_read_the_data(changes: dict[str, Any]) -> None:
    text = emit(**changes).test
    assert "made_up_rows" not in text
    assert "script.load_data" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "lightning"},
        {"engine": "nuts"},
        {"devices": "several"},
        {"guide": {"family": "AutoLaplaceApproximation"}},
        {"arviz": True},
    ],
)
def test_what_needs_all_rows_reads_them_once(changes: dict[str, Any]) -> None:
    assert "stream=False" in emit(data={"source": "m:rows"}, **changes).script
    (problem,) = problems(data={"source": "m:rows", "stream": True}, **changes)
    assert problem.startswith("svi.data.stream: an engine but torch and svi, several devices,")


def test_what_is_about_functions_is_refused_elsewhere() -> None:
    for key, value in (("stream", True), ("form", "kept"), ("count", "mask")):
        message = "this is for data that package.module:function gives; leave it out"
        assert f"svi.data.{key}: {message}" in problems(data={"source": "x.npz", key: value})


def test_a_stream_that_is_asked_for_all_rows_says_so(tmp_path: Path) -> None:
    script = script_of(tmp_path, "loader")
    rows = script.load_data(script.parse_flags([]))
    for ask in (lambda: rows.args, lambda: rows[torch.tensor([1])]):
        with pytest.raises(script.rt.Abort, match=r"set svi\.data\.stream: false"):
            ask()
