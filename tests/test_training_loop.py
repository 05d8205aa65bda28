"""The frame of a training: checkpoints, what a stop leaves, what is skipped, when it ends."""

import argparse
import json
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn

from pyroify.training.audit import audit, check_fit
from pyroify.training.checkpoints import (
    load,
    random_state,
    resumed,
    save,
    set_random_state,
    trained,
)
from pyroify.training.data import Rows
from pyroify.training.errors import Abort
from pyroify.training.guides import MeanField
from pyroify.training.initial import built_with_values, first_call, init_to_known
from pyroify.training.loop import Loop
from pyroify.training.objectives import MeanFieldElbo
from pyroify.training.progress import stop_signals
from pyroify.training.run import Run, example_rows, exit_code, parse_flags, prepare, set_up


class Net(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.fc = PyroModule[nn.Linear](2, 1)
        for name, value in list(self.fc.named_parameters()):
            setattr(self.fc, name, PyroSample(dist.Normal(0.0, 1.0).expand(value.shape).to_event()))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


class Model(PyroModule):
    def __init__(self, net: nn.Module, size: int):
        super().__init__()
        self.net = net
        self.size = size

    def forward(self, *inputs: Tensor, targets: Tensor | None = None) -> Tensor:
        mean = self.net(*inputs).squeeze(1)
        size = len(mean) if targets is None else self.size
        with pyro.plate("data", size, subsample=torch.arange(len(mean))):
            return pyro.sample("obs", dist.Normal(mean, 1.0), obs=targets)


@pytest.fixture(autouse=True)
def local_params() -> Any:
    pyro.settings.set(module_local_params=True)
    yield
    pyro.settings.set(module_local_params=False)


def flags(out: Path, *given: str, **defaults: Any) -> argparse.Namespace:
    settings = {"epochs": 3, "batch_size": 4, "lr": 0.01, "kl_weight": 1.0, "seed": 0, **defaults}
    return parse_flags(["--save-seconds=0", *given], "script.py", out=out, **settings)


def start(out: Path, *given: str, **defaults: Any) -> tuple[Run, MeanFieldElbo]:
    torch.manual_seed(0)
    x = torch.randn(10, 2)
    run = prepare(Rows((x,), x[:, 0]), flags(out, *given, **defaults), test=0, validation=0.2)
    net, values = built_with_values(Net)
    model = Model(net, len(run.rows))
    with first_call(model):
        init = init_to_known(values, model, run.rows)
        objective = MeanFieldElbo(model, MeanField(model, run.rows, init), run.rows[:2])
    run.describe(model, spec="abc")
    return run, objective


def train(run: Run, objective: MeanFieldElbo, *, stop_at: int = -1, **options: Any) -> Loop:
    optimizer = torch.optim.SGD(objective.parameters(), lr=run.flags.lr)
    validate = options.pop("validate", None)
    steps = 0
    with Loop(run, objective, optimizer, **options) as loop:
        for _ in loop.epochs(validate):
            for rows in loop.batches():
                loss, nll = objective(rows, loop.kl_weight)
                loss, nll = loop.per_row(loss), loop.per_row(nll)
                optimizer.zero_grad()
                loss.backward()
                if steps == stop_at:
                    signal.raise_signal(signal.SIGINT)
                if loop.accepts(loss, nll):
                    optimizer.step()
                steps += 1
    return loop


@pytest.mark.parametrize("stop_at", [0, 3])
def test_a_training_that_was_stopped_ends_where_another_does(stop_at: int, tmp_path: Path) -> None:
    whole = train(*start(tmp_path / "whole"))
    with pytest.raises(Abort, match="the same command goes on") as stopped:
        train(*start(tmp_path / "cut"), stop_at=stop_at)
    assert stopped.value.code == 130
    cut = train(*start(tmp_path / "cut"))
    for name, value in whole.objective.state_dict().items():
        assert torch.equal(cut.objective.state_dict()[name], value), name
    texts = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert texts[0] == texts[1]
    facts = json.loads((tmp_path / "cut/run.json").read_text())
    assert facts["training_rows"] == 8


def test_other_settings_are_refused_and_never_begins_anew(tmp_path: Path) -> None:
    train(*start(tmp_path))
    with pytest.raises(Abort, match="was made with other --lr"):
        train(*start(tmp_path, lr=0.5))
    train(*start(tmp_path, "--resume=never", lr=0.5))


def test_steps_that_are_not_finite_are_left_out_then_end_it(tmp_path: Path) -> None:
    run, objective = start(tmp_path, kl_weight=1e300)
    with pytest.raises(
        Abort, match="not finite in 5 steps in a row; look at the gradients"
    ) as ended:
        train(run, objective)
    assert ended.value.code == 3
    assert all(parameter.isfinite().all() for parameter in objective.parameters())


def test_what_breaks_down_in_a_distribution_ends_with_3(tmp_path: Path) -> None:
    run, objective = start(tmp_path)
    loop = Loop(run, objective, torch.optim.SGD(objective.parameters(), lr=0.1))
    message = "the training broke down: bad scale; try a smaller --lr"
    with pytest.raises(Abort, match=message), loop:
        raise ValueError("bad scale:")


def test_patience_waits_for_the_warmup_and_keeps_the_best(tmp_path: Path) -> None:
    values = iter([5.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    run, objective = start(tmp_path, epochs=9, patience=2)
    loop = train(run, objective, validate=lambda: next(values), kl_warmup=2)
    assert (loop.epoch, loop.counters["best_epoch"], loop.counters["best"]) == (5, 3, 1.0)
    assert trained(tmp_path)["parameters"].keys() == objective.state_dict().keys()
    with pytest.raises(Abort, match="--patience has nothing to see"):
        train(*start(tmp_path / "other", patience=2))


def test_the_weight_of_the_kl_rises(tmp_path: Path) -> None:
    run, objective = start(tmp_path, kl_weight=0.5)
    loop = Loop(run, objective, None, kl_warmup=5)
    assert loop.kl_weight == pytest.approx(0.1)
    loop.counters["epoch"] = 7
    assert loop.kl_weight == 0.5


def test_a_checkpoint_is_whole_or_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    assert load(path) is None
    for number in (1, 2):
        save(path, {"number": number})
    assert load(path) == {"number": 2}
    path.write_bytes(path.read_bytes()[:50])
    assert load(path) == {"number": 1}
    (tmp_path / "last.before.pt").write_bytes(b"")
    with pytest.raises(Abort, match="no whole checkpoint is left"):
        load(path)


def test_old_files_are_cleared_away_only_to_begin_anew(tmp_path: Path) -> None:
    about = {"settings": {}, "data": "d", "sites": {}}
    save(tmp_path / "last.pt", {"about": about})
    assert resumed(tmp_path, "auto", about) == {"about": about}
    with pytest.raises(Abort, match="there is no checkpoint"):
        resumed(tmp_path, str(tmp_path / "none.pt"), about)
    assert resumed(tmp_path, "never", about) is None
    assert not list(tmp_path.glob("*.pt"))


def test_the_random_state_is_that_of_all_generators() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    state = random_state()
    first = draw()
    set_random_state(state)
    assert draw() == first


def test_stop_signals_are_taken_only_within() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as received:
        signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_audit_of_a_sound_model_finds_nothing(tmp_path: Path) -> None:
    run, objective = start(tmp_path)
    assert audit(objective.model, run.rows) == []
    check_fit(objective.model, run.rows)
    wide = Rows((torch.zeros(3, 5),), torch.zeros(3))
    with pytest.raises(Abort, match=r"does not take rows of shape \[5\]"):
        check_fit(objective.model, wide)
    with pytest.raises(Abort, match=r"a target has shape \[2\], but the model predicts"):
        check_fit(objective.model, Rows(run.rows.inputs, torch.zeros(len(run.rows), 2)))


def test_a_checkpoint_knows_two_rows(tmp_path: Path) -> None:
    run, _ = start(tmp_path)
    rows = example_rows(run.about)
    assert torch.equal(rows.inputs[0], run.rows.inputs[0][:2])
    assert rows.weights is None


def test_flags_are_those_that_a_script_names(tmp_path: Path) -> None:
    given = flags(tmp_path, "--epochs=7", "--hidden=5", hidden=3)
    assert (given.epochs, given.hidden, given.script) == (7, 5, "script.py")
    lean = parse_flags([], "script.py", leave_out=("baseline", "plots"), out=tmp_path, seed=0)
    assert "baseline" not in lean
    assert not lean.plots
    for bad in ("--seed=-1", "--epochs=0", "--device=nowhere"):
        assert exit_code(set_up, flags(tmp_path, bad)) == 2


@pytest.mark.parametrize(
    ("given", "epochs"),
    [
        ({"steps": 10}, 5),
        ({"steps": None}, 1500),  # 3000 steps of two batches
        ({"steps": None, "lr": 0.001}, 13816),  # 6 ln(100) / lr steps
        ({"steps": None, "batch_size": 1, "lr": 10.0}, 375),
    ],
)
def test_epochs_are_those_that_the_steps_take(
    given: dict[str, Any], epochs: int, tmp_path: Path
) -> None:
    run, _ = start(tmp_path, epochs=None, **given)
    assert run.flags.epochs == epochs


def test_an_exit_code_says_how_a_run_ended(tmp_path: Path, capsys: Any) -> None:
    def fail(_: argparse.Namespace) -> None:
        raise Abort(4, "a fault")

    def interrupt(_: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    assert exit_code(fail, flags(tmp_path)) == 4
    assert capsys.readouterr().err == "script.py: a fault\n"
    assert exit_code(interrupt, flags(tmp_path)) == 130
    assert exit_code(lambda _: None, flags(tmp_path)) == 0
