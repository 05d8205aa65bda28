"""Several processes train what one would: two on the CPU, connected by gloo."""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from emit_cases import emit, fork, lay_out_project, load_module, run_main
from test_emit_training import last_parameters, write_script

pytestmark = pytest.mark.slow

Patch = Callable[[ModuleType, int], None]
FLAGS = ("--no-baseline", "--samples=2")
ROWS = {"source": "synthetic", "rows": 100, "batch_size": 32, "test": 0.1, "validation": 0.1}


def write_several(folder: Path, **changes: Any) -> Path:
    return write_script(folder, devices="several", **{"data": ROWS, "epochs": 3, **changes})


def run_ranks(path: Path, *flags: str, patch: Patch | None = None) -> list[int]:
    """The exit codes of two processes of the script; their texts go to ``rank0`` and ``rank1``."""
    meeting = Path(tempfile.mkdtemp(dir=path.parent)) / "meeting"
    processes = [start_rank(path, rank, meeting, flags, patch) for rank in (0, 1)]
    return [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]


def start_rank(
    path: Path, rank: int, meeting: Path, flags: tuple[str, ...], patch: Patch | None
) -> int:
    """The id of a process like those of torchrun, which meet by a file rather than a port."""

    def run() -> int:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        torch.distributed.init_process_group = partial(
            torch.distributed.init_process_group,
            init_method=f"file://{meeting}",
            rank=rank,
            world_size=2,
        )
        module = load_module(path)
        if patch:
            patch(module, rank)
        return module.main([*FLAGS, *flags])

    return fork(run, path.parent / f"rank{rank}")


def keep_state(module: ModuleType, rank: int) -> None:
    """Writes what each process has at the end of its training."""
    leave = module.rt.leave_ranks
    init = module.rt.Loop.__init__
    kept = []

    def init_and_keep(loop: Any, *args: Any, **options: Any) -> None:
        init(loop, *args, **options)
        kept.append(loop)

    def save_and_leave() -> bool:
        parameters = kept[0].objective.state_dict()
        noise = torch.get_rng_state()
        torch.save(
            {"parameters": parameters, "noise": noise}, Path(module.__file__).parent / f"{rank}.pt"
        )
        return leave()

    module.rt.Loop.__init__ = init_and_keep
    module.rt.leave_ranks = save_and_leave


def states(folder: Path) -> list[dict[str, Any]]:
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def test_the_result_is_that_of_one_process(tmp_path: Path) -> None:
    """Without noise the two agree: rows are weighed right and the prior counts once.

    80 training rows in batches of 32 leave one of 16, cut in halves like the others; with
    batches of 31 the halves differ by a row.
    """
    for batch in (32, 31):
        path = write_several(tmp_path, guide={"family": "AutoDelta"}, optimizer={"name": "SGD"})
        one, two = tmp_path / f"one{batch}", tmp_path / f"two{batch}"
        size = f"--batch-size={batch}"
        assert run_main(load_module(path), *FLAGS, size, f"--out={one}").code == 0
        assert run_ranks(path, size, f"--out={two}") == [0, 0]
        expected = last_parameters(one)
        for name, value in last_parameters(two).items():
            assert torch.allclose(value, expected[name], rtol=1e-4, atol=1e-6), (batch, name)
        for before, after in zip(metrics(one), metrics(two), strict=True):
            assert after["loss"] == pytest.approx(before["loss"], rel=1e-4)
            assert after["nll"] == pytest.approx(before["nll"], rel=1e-4)


def metrics(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("elbo", ["auto", "Trace_ELBO"])
def test_ranks_have_the_same_parameters_and_noise_of_their_own(elbo: str, tmp_path: Path) -> None:
    path = write_several(tmp_path, elbo={"name": elbo})
    assert run_ranks(path, patch=keep_state) == [0, 0]
    first, second = states(tmp_path)
    assert first["parameters"].keys() == second["parameters"].keys()
    for name, value in first["parameters"].items():
        assert torch.equal(value, second["parameters"][name]), name
    assert not torch.equal(first["noise"], second["noise"])


def test_only_the_first_process_writes_and_speaks(tmp_path: Path) -> None:
    path = write_several(tmp_path)
    assert run_ranks(path, "--plots") == [0, 0]
    assert (tmp_path / "rank1").read_text() == ""
    assert "report:" in (tmp_path / "rank0").read_text()
    out = tmp_path / "runs" / "train_svi"
    assert [row["epoch"] for row in metrics(out)] == [1, 2, 3]
    for flags in (["--eval"], ["--check"], ["--export"]):
        assert run_ranks(path, *flags) == [0, 0]
        assert (tmp_path / "rank1").read_text() == ""


def stop_second(module: ModuleType, rank: int) -> None:
    """The second process alone is asked to stop, in the middle of the second epoch."""
    accepts = module.rt.Loop.accepts

    def stop_after(loop: Any, *step: Any) -> bool:
        is_accepted = accepts(loop, *step)
        if rank == 1 and loop.epoch == 1 and loop.counters["batch"] == 1:  # the second
            os.kill(os.getpid(), signal.SIGTERM)
        return is_accepted

    module.rt.Loop.accepts = stop_after


def test_a_stop_of_one_stops_all_and_going_on_changes_nothing(tmp_path: Path) -> None:
    path = write_several(tmp_path, epochs=4)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_ranks(path, f"--out={whole}") == [0, 0]
    assert run_ranks(path, f"--out={cut}", patch=stop_second) == [130, 130]
    assert "the same command goes on from here" in (tmp_path / "rank0").read_text()
    assert run_ranks(path, f"--out={cut}") == [0, 0]
    assert "going on after epoch 1" in (tmp_path / "rank0").read_text()
    expected = last_parameters(whole)
    for name, value in last_parameters(cut).items():
        assert torch.equal(value, expected[name]), name
    alone = run_main(load_module(path), *FLAGS, f"--out={cut}")
    assert alone.code == 2
    assert "was made with other number of processes" in alone.err


def list_threads(module: ModuleType, rank: int) -> None:
    """Writes the names of the process's threads at its end."""
    main = module.main

    def main_and_list(arguments: list[str]) -> int:
        code = main(arguments)
        tasks = Path("/proc/self/task").iterdir()
        names = [(task / "comm").read_text() for task in tasks]
        (Path(module.__file__).parent / f"threads{rank}").write_text("".join(names))
        return code

    module.main = main_and_list


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system lists no threads")
def test_the_group_leaves_no_thread_that_could_abort_the_exit(tmp_path: Path) -> None:
    path = write_several(tmp_path)
    assert run_ranks(path, patch=list_threads) == [0, 0]
    for rank in (0, 1):
        names = (tmp_path / f"threads{rank}").read_text()
        assert names
        assert "gloo" not in names


def spoil_a_loss(module: ModuleType, rank: int) -> None:
    """The second process alone meets one loss that is not finite."""
    forward = module.rt.MeanFieldElbo.forward
    calls = []

    def spoiled(objective: Any, rows: Any, kl_weight: float) -> tuple[torch.Tensor, float]:
        loss, nll = forward(objective, rows, kl_weight)
        calls.append(len(rows))
        return (loss * math.nan if rank == 1 and len(calls) == 3 else loss), nll

    module.rt.MeanFieldElbo.forward = spoiled
    keep_state(module, rank)


def test_a_step_that_fails_for_one_is_skipped_by_all(tmp_path: Path) -> None:
    path = write_several(tmp_path)
    assert run_ranks(path, patch=spoil_a_loss) == [0, 0]
    first, second = states(tmp_path)
    for name, value in first["parameters"].items():
        assert value.isfinite().all(), name
        assert torch.equal(value, second["parameters"][name]), name


def test_too_few_rows_for_all_are_refused(tmp_path: Path) -> None:
    path = write_several(tmp_path)
    assert run_ranks(path, "--batch-size=1") == [2, 2]
    assert (
        "--batch-size 1 leaves no row for some of 2 processes" in (tmp_path / "rank0").read_text()
    )
    assert (tmp_path / "rank1").read_text() == ""


def test_torchrun_runs_the_script(tmp_path: Path) -> None:
    write_several(tmp_path)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    ran = subprocess.run(
        [*command, "train_svi.py", *FLAGS], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("report:") == 1


def test_a_script_for_one_process_refuses_to_be_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out_project(tmp_path)
    (tmp_path / "train_svi.py").write_text(emit().script)
    monkeypatch.setenv("WORLD_SIZE", "2")
    ran = run_main(load_module(tmp_path / "train_svi.py"))
    assert ran.code == 2
    assert "this script trains in one process; see svi.devices in the spec" in ran.err
