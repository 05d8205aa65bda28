"""The frame of a training: checkpoints, what a stop leaves, what is skipped, when it ends."""

import argparse
import json
import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.nn import PyroModule, PyroSample
from torch import Tensor, nn

from pyroify.training.checkpoints import (
    load,
    own_folder,
    random_state,
    resumed,
    save,
    set_random_state,
    trained,
)
from pyroify.training.data.rows import Rows
from pyroify.training.errors import Abort
from pyroify.training.inference.guides import MeanField
from pyroify.training.inference.loop import Loop
from pyroify.training.inference.objectives import MeanFieldElbo
from pyroify.training.inference.plateau import MOST
from pyroify.training.model.audit import audit, check_fit
from pyroify.training.model.initial import built_with_values, first_call, init_to_known
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
    states: list[dict[str, Any]] = [{"about": {}, "parameters": {}, "n": n} for n in (1, 2)]
    for state in states:
        save(path, state)
    assert load(path) == states[1]
    path.write_bytes(path.read_bytes()[:50])
    assert load(path) == states[0]
    (tmp_path / "last.before.pt").write_bytes(b"")
    with pytest.raises(Abort, match="no whole checkpoint is left"):
        load(path)


def test_old_files_are_cleared_away_only_to_begin_anew(tmp_path: Path) -> None:
    about = {"settings": {}, "data": "d", "sites": {}}
    state = {"about": about, "parameters": {}}
    save(tmp_path / "last.pt", state)
    assert resumed(tmp_path, "auto", about) == state
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


@pytest.mark.parametrize(("asked", "sizes"), [(4, [4, 4]), (5, [4, 4]), (7, [4, 4]), (9, [8])])
def test_all_batches_of_an_epoch_are_alike(asked: int, sizes: list[int], tmp_path: Path) -> None:
    run, objective = start(tmp_path, batch_size=asked)
    with Loop(run, objective, torch.optim.SGD(objective.parameters(), lr=0.1)) as loop:
        assert [len(rows) for rows in loop.batches()] == sizes


class StepsFirst(Net):
    """Takes the first axis of a batch for time."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).cumsum(0)


class Unlearned(Net):
    """Holds a template with priors that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.template = PyroModule[nn.Sequential](Net())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Noisy(Net):
    """Draws for each row anew, so that two calls differ anyway."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn(len(x), 1)


class Huge(Net):
    """Predicts billions, rounded one way in the first place and another in the second."""

    def forward(self, x: Tensor) -> Tensor:
        place = torch.arange(len(x)).unsqueeze(-1)
        return 1e9 * (2 + super().forward(x).tanh()) * (1 + 4e-7 * place)


def test_an_audit_refuses_a_network_whose_first_axis_is_not_the_rows() -> None:
    rows = Rows((torch.tensor([[1.0, 2.0], [3.0, -1.0]]),), torch.zeros(2))
    [fault] = audit(Model(StepsFirst(), 2), rows)
    assert fault.startswith("what is predicted of a row depends on its place in the batch")
    assert audit(Model(StepsFirst(), 1), rows[:1]) == []  # one row shows nothing
    for net in (Net(), Noisy(), Huge()):
        assert audit(Model(net, 2), rows) == []


class Twice(Net):
    """Returns a tuple, of which a model takes a part that does not fit the rows."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x).expand(-1, 3), x


class FirstOf(Model):
    def forward(self, *inputs: Tensor, targets: Tensor | None = None) -> Tensor:
        mean = self.net(*inputs)[0]
        with pyro.plate("data", len(mean)):
            return pyro.sample("obs", dist.Normal(mean, 1.0), obs=targets)


def test_the_part_of_an_output_that_does_not_fit_says_why() -> None:
    rows = Rows((torch.ones(2, 2),), torch.zeros(2))
    with pytest.raises(Abort, match=r"Twice gives a tuple of 2; say which .*Shape mismatch"):
        check_fit(FirstOf(Twice(), 2), rows)


def test_what_is_never_called_is_said_and_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(Model(Unlearned(), 2), Rows((torch.ones(2, 2),), torch.zeros(2))) == []
    said = capsys.readouterr().err
    assert said == "not called, so nothing is learned of it: net.template\n"


def test_a_checkpoint_knows_two_rows(tmp_path: Path) -> None:
    run, _ = start(tmp_path)
    rows = example_rows(run.about)
    assert torch.equal(rows.inputs[0], run.rows.inputs[0][:2])
    assert rows.weights is None


def test_flags_are_those_that_a_script_names(tmp_path: Path) -> None:
    given = flags(tmp_path, "--epochs=7", "--draws=5", draws=3)
    assert (given.epochs, given.draws, given.script) == (7, 5, "script.py")
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
    assert run.flags.least == epochs
    assert run.flags.epochs == (epochs if given["steps"] else MOST * epochs)
    assert run.flags.is_open == (given["steps"] is None)


def test_an_exit_code_says_how_a_run_ended(tmp_path: Path, capsys: Any) -> None:
    def fail(_: argparse.Namespace) -> None:
        raise Abort(4, "a fault")

    def interrupt(_: argparse.Namespace) -> None:
        raise KeyboardInterrupt

    assert exit_code(fail, flags(tmp_path)) == 4
    assert capsys.readouterr().err == "script.py: a fault\n"
    assert exit_code(interrupt, flags(tmp_path)) == 130
    assert exit_code(lambda _: None, flags(tmp_path)) == 0


# ---- refusals, each in one line ------------------------------------------------------


def test_the_epochs_may_grow_and_the_rate_is_then_that_of_more(tmp_path: Path) -> None:
    def train_for(epochs: int, out: Path) -> tuple[Loop, list[float]]:
        run, objective = start(out, epochs=epochs)
        optimizer = torch.optim.SGD(objective.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        with Loop(run, objective, optimizer, schedule) as loop:
            for _ in loop.epochs():
                for rows in loop.batches():
                    loss, nll = objective(rows, 1.0)
                    optimizer.zero_grad()
                    loop.per_row(loss).backward()
                    if loop.accepts(loop.per_row(loss), nll):
                        optimizer.step()
                schedule.step()
        lines = (out / "metrics.jsonl").read_text().splitlines()
        return loop, [json.loads(line)["lr"] for line in lines]

    train_for(3, tmp_path / "grown")
    loop, rates = train_for(6, tmp_path / "grown")
    _, whole = train_for(6, tmp_path / "whole")
    assert loop.epoch == 6
    assert rates[3:] == pytest.approx(whole[3:])
    with pytest.raises(Abort, match="was made with other --epochs"):
        train_for(4, tmp_path / "grown")


def test_a_training_that_found_its_end_goes_on_for_the_epochs_it_is_given(tmp_path: Path) -> None:
    def start_open(**given: Any) -> tuple[Run, MeanFieldElbo]:
        run, objective = start(tmp_path, **given)
        if given["epochs"] is None:
            run.flags.is_open, run.flags.least = True, 8
            run.flags.epochs = run.flags.flat = 40
            run.describe(objective.model, spec="abc")
        return run, objective

    loop = train(*start_open(epochs=None, steps=None))
    ended = loop.flags.epochs
    assert ended == loop.epoch < 40
    assert trained(tmp_path)["flat"] == loop.flags.flat > 0
    again = train(*start_open(epochs=None, steps=None))  # has nothing left to do
    assert (again.epoch, again.flags.epochs) == (ended, ended)
    with pytest.raises(Abort, match=f"has seen {ended} epochs, more than --epochs 3"):
        train(*start_open(epochs=3))
    assert train(*start_open(epochs=ended + 2)).epoch == ended + 2


def test_a_folder_that_another_run_writes_to_is_refused(tmp_path: Path) -> None:
    with own_folder(tmp_path), pytest.raises(Abort, match="another run writes to") as refused:
        train(*start(tmp_path))
    assert refused.value.code == 2
    assert not (tmp_path / "last.pt").exists()
    train(*start(tmp_path))  # it is free again


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Abort, match=r"cannot write to .*; choose --out"):
        train(*start(tmp_path / "file" / "out"))


@pytest.mark.parametrize("state", [{"weight": torch.zeros(2)}, torch.zeros(2), [1, 2]])
def test_a_foreign_checkpoint_is_refused(state: Any, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "last.pt")
    for go_on in (lambda: train(*start(tmp_path)), lambda: trained(tmp_path)):
        with pytest.raises(Abort, match="is no checkpoint of a training script") as refused:
            go_on()
        assert refused.value.code == 2
    assert (tmp_path / "last.pt").exists()
    other = {"about": {"anything": 1}, "parameters": {}}
    torch.save(other, tmp_path / "last.pt")
    with pytest.raises(Abort, match="was made with other data, sites, --epochs"):
        train(*start(tmp_path))


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may have more than 20,000 bytes, which stands for a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_said_and_leaves_the_checkpoint_before(
    tmp_path: Path, little_room: None
) -> None:
    small = {"about": {}, "parameters": {}}
    save(tmp_path / "last.pt", small)
    with pytest.raises(Abort, match=r"cannot write .*the checkpoint before is kept") as full:
        save(tmp_path / "last.pt", {"parameters": torch.zeros(100_000)})
    assert full.value.code == 2
    assert load(tmp_path / "last.pt") == small
    assert not list(tmp_path.glob("*.new"))


def test_other_files_that_do_not_fit_end_with_2_too(
    tmp_path: Path, little_room: None, capsys: Any
) -> None:
    def write(_: argparse.Namespace) -> None:
        (tmp_path / "results.json").write_text("x" * 100_000)

    assert exit_code(write, flags(tmp_path)) == 2
    assert "make room there, or choose --out" in capsys.readouterr().err

    def fail(_: argparse.Namespace) -> None:
        (tmp_path / "nowhere" / "results.json").read_text()

    with pytest.raises(FileNotFoundError):  # a fault, which is not a full disk
        exit_code(fail, flags(tmp_path))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (Rows((torch.zeros(1, 2),), torch.ones(1)), "1 training rows tell next to nothing"),
        (Rows((torch.zeros(2, 2),), torch.arange(2.0)), "2 training rows tell next to nothing"),
        (Rows((torch.randn(9, 2),), torch.ones(9)), "all 9 training targets are the same"),
        (Rows((torch.randn(9, 2),), torch.arange(9.0)), ""),
    ],
)
def test_rows_that_tell_nothing_are_warned_of(
    rows: Rows, words: str, tmp_path: Path, capsys: Any
) -> None:
    prepare(rows, flags(tmp_path), test=0, validation=0, scale_targets=True)
    said = capsys.readouterr().err
    assert said.startswith(f"warning: {words}") if words else not said


def test_a_run_changes_nothing_of_the_arrays_that_it_is_given(tmp_path: Path) -> None:
    x, y = torch.randn(9, 2), torch.arange(9.0)
    before = x.clone(), y.clone()
    parts = {"train": Rows((x,), y), "test": Rows((x,), y)}
    for rows in (Rows((x,), y), parts):
        run = prepare(rows, flags(tmp_path), test=0.2, validation=0, scale_targets=True)
        assert run.rows.targets.mean().abs() < 1e-6
        assert torch.equal(x, before[0]) and torch.equal(y, before[1])


def test_a_checkpoint_holds_two_rows_and_not_those_behind_them(tmp_path: Path) -> None:
    run, objective = start(tmp_path)
    train(run, objective)
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    for part in state["about"]["example"]:
        assert len(part) == 2
        assert part.untyped_storage().nbytes() == part.numel() * part.element_size()
