"""Going on after a stop, for the engines whose loop is not the script's own."""

import io
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from emit_cases import fork, is_running, load_module, run_main
from test_emit_training import (
    kill_at_random_steps,
    last_parameters,
    start,
    wait_for_step,
    write_script,
)
from tqdm import tqdm

DATA = {"source": "synthetic", "batch_size": 32, "rows": 500}
NUTS = {"engine": "nuts", "nuts": {"samples": 6, "warmup": 6}}
FLAGS = ("--no-baseline", "--samples=2")


@pytest.fixture
def lightning_script(tmp_path: Path) -> ModuleType:
    return load_module(write_script(tmp_path, engine="lightning", epochs=24, data=DATA))


@pytest.mark.slow
def test_lightning_goes_on_as_if_never_killed(lightning_script: ModuleType, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_main(lightning_script, *FLAGS, f"--out={whole}").code == 0
    kill_at_random_steps(
        lightning_script, lightning_script.Training, "training_step", *FLAGS, f"--out={cut}"
    )
    finished = run_main(lightning_script, *FLAGS, f"--out={cut}")
    assert finished.code == 0, finished.err
    assert "going on after epoch" in finished.err
    expected = last_parameters(whole)
    for name, value in last_parameters(cut).items():
        assert torch.equal(value, expected[name]), name
    assert (cut / "metrics.jsonl").read_text() == (whole / "metrics.jsonl").read_text()
    assert (cut / "results.json").read_text() == (whole / "results.json").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lightning_stops_when_asked_to(
    number: int, lightning_script: ModuleType, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    began = time.time()
    process = start(lightning_script, *FLAGS, f"--out={out}", "--epochs=100000")
    wait_for_step(process, out, began)
    os.kill(process, number)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    epochs = torch.load(out / "last.pt", weights_only=True)["epoch"] + 1
    rows = (out / "metrics.jsonl").read_text().splitlines()
    assert 0 < epochs <= len(rows) <= epochs + 1


@pytest.mark.parametrize("engine", ["torch", "svi", "lightning"])
def test_a_stop_after_the_last_step_leaves_only_the_evaluation(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_module(write_script(tmp_path, engine=engine))
    show = module.Progress.show

    def show_and_stop(progress: Any, row: dict[str, float]) -> None:
        show(progress, row)
        if row["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(module.Progress, "show", show_and_stop)
    _, status = os.waitpid(start(module, *FLAGS), 0)
    assert os.waitstatus_to_exitcode(status) == 130
    out = tmp_path / "runs/train_svi"
    assert not (out / "results.json").exists()
    trained = (out / "last.pt").read_bytes()
    monkeypatch.undo()
    assert run_main(module, *FLAGS).code == 0
    assert (out / "results.json").exists()
    kept = torch.load(io.BytesIO(trained), weights_only=True)["parameters"]
    for name, value in last_parameters(out).items():
        assert torch.equal(value, kept[name]), name


@pytest.mark.parametrize("engine", ["torch", "svi", "lightning", "nuts"])
def test_a_stop_before_the_training_says_nothing_of_it(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_module(write_script(tmp_path, engine=engine))

    def interrupt(flags: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "load_data", interrupt)
    ran = run_main(module, *FLAGS)
    assert (ran.code, ran.err) == (130, "")
    assert not (tmp_path / "runs").exists()


def test_lightning_refuses_other_settings_and_uses_the_checkpoint_before(
    tmp_path: Path,
) -> None:
    module = load_module(write_script(tmp_path, engine="lightning"))
    out = tmp_path / "runs/train_svi"
    assert run_main(module, *FLAGS).code == 0
    ran = run_main(module, *FLAGS, "--lr=0.5")
    assert ran.code == 2
    assert "was made with other --lr" in ran.err
    whole = last_parameters(out)
    cut = (out / "last.pt").read_bytes()
    (out / "last.pt").write_bytes(cut[: len(cut) // 2])
    ran = run_main(module, *FLAGS)
    assert ran.code == 0, ran.err
    assert "last.pt is damaged" in ran.err
    assert "going on after epoch 1" in ran.err
    for name, value in last_parameters(out).items():
        assert torch.equal(value, whole[name]), name


def test_lightning_says_only_what_concerns_the_run(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path, engine="lightning"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ran = run_main(module, *FLAGS)
        again = run_main(module, *FLAGS)
    assert [line.split()[0] for line in ran.err.splitlines()] == ["epoch", "epoch"]
    assert again.err == "going on after epoch 2\n"
    assert not [str(w.message) for w in caught if "lightning" in w.filename]


def test_lightning_keeps_the_best_epoch(tmp_path: Path) -> None:
    data = {**DATA, "validation": 0.1}
    module = load_module(write_script(tmp_path, engine="lightning", epochs=4, data=data))
    assert run_main(module, *FLAGS).code == 0
    out = tmp_path / "runs/train_svi"
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    state = torch.load(out / "last.pt", weights_only=True)
    (best,) = (s for name, s in state["callbacks"].items() if name.startswith("Best"))
    assert float(best["best_model_score"]) == min(row["validation_nll"] for row in rows)
    assert (out / "best.pt").exists()


def test_lightning_stops_early_by_itself_and_logs_as_told(tmp_path: Path) -> None:
    data = {"source": "models.data:Pairs", "validation": 0.3}
    changes = {"engine": "lightning", "epochs": 100, "patience": 6, "logger": "csv"}
    module = load_module(write_script(tmp_path, data=data, **changes))
    ran = run_main(module, *FLAGS, "--lr=0.3")
    assert ran.code == 0, ran.err
    out = tmp_path / "runs/train_svi"
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) < 100
    assert f"stopped after epoch {len(rows)}: the validation NLL was" in ran.err
    assert list(out.glob("lightning_logs/*/metrics.csv"))


def wait_for_chain(process: int, out: Path) -> None:
    """Until a chain begins."""
    while not (out / "run.json").exists():
        assert is_running(process)
        time.sleep(0.01)


def test_a_killed_process_takes_no_lock_along() -> None:
    def die_with_the_lock() -> int:
        tqdm.get_lock().acquire()
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    os.waitpid(fork(die_with_the_lock), 0)
    assert tqdm.get_lock().acquire(False)
    tqdm.get_lock().release()


@pytest.fixture
def killed_nuts(tmp_path: Path) -> Iterator[ModuleType]:
    """A script whose chain was stopped before its end."""
    module = load_module(write_script(tmp_path, **NUTS))
    process = start(module, *FLAGS, "--draws=100000")
    wait_for_chain(process, tmp_path / "runs/train_svi")
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    yield module


def test_a_stopped_chain_begins_again_and_says_so(killed_nuts: ModuleType, tmp_path: Path) -> None:
    ran = run_main(killed_nuts, *FLAGS)
    assert ran.code == 0, ran.err
    assert "a chain keeps nothing before its end; it begins again" in ran.err
    whole = run_main(killed_nuts, *FLAGS, f"--out={tmp_path / 'whole'}")
    assert "begins again" not in whole.err
    expected = torch.load(tmp_path / "whole/last.pt", weights_only=True)["parameters"]
    given = torch.load(tmp_path / "runs/train_svi/last.pt", weights_only=True)["parameters"]
    for name, draws in given["guide._extra_state"].items():
        assert torch.equal(draws, expected["guide._extra_state"][name])


def test_a_finished_chain_is_evaluated_again(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path, **NUTS))
    assert run_main(module, *FLAGS).code == 0
    before = (tmp_path / "runs/train_svi/last.pt").read_bytes()
    ran = run_main(module, *FLAGS)
    assert (ran.code, ran.err) == (0, "the chain is complete\n")
    assert (tmp_path / "runs/train_svi/last.pt").read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_chain_says_so(number: int, tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path, **NUTS))
    build_chain, said = module.MCMC, tmp_path / "said"

    def build_and_interrupt(*args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), number)
        return build_chain(*args, **options)

    module.MCMC = build_and_interrupt
    process = fork(lambda: module.main([*FLAGS, "--draws=100000"]), said)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert said.read_text() == "train_svi.py: stopped; nothing of the chain is kept\n"


def test_a_chain_cannot_go_on_from_a_file(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path, **NUTS))
    ran = run_main(module, *FLAGS, f"--resume={tmp_path / 'elsewhere.pt'}")
    assert ran.code == 2
    assert "a chain cannot go on from a file; use --resume auto or never" in ran.err


ENGINES = ["torch", "svi", "lightning"]


def epochs_logged(out: Path) -> int:
    return len((out / "metrics.jsonl").read_text().splitlines())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_goes_on_for_more_epochs(engine: str, tmp_path: Path) -> None:
    script = load_module(write_script(tmp_path, engine=engine))
    out = tmp_path / "runs/train_svi"
    assert run_main(script, "--epochs=2", *FLAGS).code == 0
    grown = run_main(script, "--epochs=4", *FLAGS)
    assert grown.code == 0, grown.err
    assert epochs_logged(out) == 4
    assert torch.load(out / "last.pt", weights_only=True)["done"] == 4
    refused = run_main(script, "--epochs=3", *FLAGS)
    assert (refused.code, "was made with other --epochs" in refused.err) == (2, True)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_training_finds_its_end_and_keeps_to_it(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_module(write_script(tmp_path, engine=engine, epochs=None))
    monkeypatch.setattr(sys.modules["svi_runtime.run"], "LEAST_STEPS", 12)
    monkeypatch.setattr(sys.modules["svi_runtime.run"], "LEAST_EPOCHS", 12)
    monkeypatch.setattr(
        sys.modules["svi_runtime.inference.plateau"], "FALL", 1e6
    )  # flat as soon as may be
    out, flags = tmp_path / "runs/train_svi", (*FLAGS, "--batch-size=1000", "--lr=1")
    ran = run_main(script, *flags)
    assert ran.code == 0, ran.err
    assert epochs_logged(out) == 33  # at least 28, of which 14 are the warm-up; 8 tell, 11 cool
    assert "ended by itself: the loss was flat after epoch 22" in ran.out
    again = run_main(script, *flags)
    assert again.code == 0, again.err
    assert epochs_logged(out) == 33
    assert "evaluated: epoch 33, the last" in again.out
