"""What Lightning's Trainer lacks for a run that may be killed: an order of its own, whole files."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pyro
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch.linalg import LinAlgError  # type: ignore[attr-defined]
from torch.utils.data import DataLoader, Sampler

from ..checkpoints import State, load, own_folder, resumed, save, set_seeds
from ..data.rows import Rows
from ..errors import Abort, first_line
from ..progress import Progress, open_log, stop_signals
from ..ranks import is_helper
from ..run import Run
from .loop import has_grown, rates_after
from .plateau import begin_cooling, is_done
from .plateau import kl_warmup as warmup_of

VALIDATION = "validation_nll"
"""What a module logs of the validation rows."""


def row_numbers(rows: Rows, run: Run, trainer: Any) -> DataLoader[Any]:
    """Numbers of rows batch by batch, in an order that comes from seed and epoch alone.

    Each of several processes gets its part of every batch.
    """
    rank, ranks = trainer.global_rank, trainer.world_size
    order = EpochOrder(len(rows), run.flags.seed, rank, ranks)
    size = max(1, run.batch_size // ranks)
    return DataLoader(range(len(rows)), size, sampler=order)  # type: ignore[arg-type]


class EpochOrder(Sampler[int]):
    """The order of an epoch, which a run that goes on after a whole epoch draws again."""

    def __init__(self, count: int, seed: int, rank: int = 0, ranks: int = 1):
        self.count = count
        self.seed = seed
        self.rank = rank
        self.ranks = ranks
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning tells it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator("cpu").manual_seed(seed_of(self.seed, self.epoch, 0))
        order = torch.randperm(self.count, generator=generator, device="cpu")
        whole = self.count - self.count % self.ranks  # as many rows for each process
        return iter(order[:whole][self.rank :: self.ranks].tolist())

    def __len__(self) -> int:
        return self.count // self.ranks


def seed_of(seed: int, epoch: int, stream: int) -> int:
    """A seed of its own for each epoch and stream of numbers."""
    return int(np.random.SeedSequence([seed, epoch, stream]).generate_state(1)[0])


def losses_of(log: Path) -> list[float]:
    """Of each epoch that is done."""
    lines = log.read_text().splitlines() if log.is_file() else []
    return [json.loads(line)["loss"] for line in lines]


class WholeFiles(TorchCheckpointIO):
    """Puts checkpoints in place as a whole, and falls back on the one before."""

    def save_checkpoint(
        self, checkpoint: State, path: Any, storage_options: Any | None = None
    ) -> None:
        """As all checkpoints here."""
        save(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> State:
        """As all checkpoints here."""
        return load(Path(path)) or {}


class Checkpoint(ModelCheckpoint):
    """Lightning's own, under the names that the other engines use."""

    FILE_EXTENSION = ".pt"


class Best(Checkpoint):
    """The parameters with the best validation, looked for when the KL has its full weight."""

    def __init__(self, kl_warmup: int, out: Path):
        options: dict[str, Any] = {"enable_version_counter": False}
        options["save_on_train_epoch_end"] = False  # but after validation, before ``last.pt``
        super().__init__(out, "best", monitor=VALIDATION, **options)
        self.kl_warmup = kl_warmup

    def on_validation_end(self, trainer: Any, training: Any) -> None:
        """Keeps them if they are the best so far."""
        if trainer.current_epoch + 1 >= self.kl_warmup:
            super().on_validation_end(trainer, training)


class Patience(EarlyStopping):
    """Lightning's own, which looks when the KL has its full weight, and says that it stopped."""

    def __init__(self, kl_warmup: int, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.kl_warmup = kl_warmup

    def on_validation_end(self, trainer: Any, training: Any) -> None:
        """Stops if it has not become better for too long."""
        if trainer.current_epoch + 1 < self.kl_warmup:
            return
        super().on_validation_end(trainer, training)
        if trainer.should_stop and trainer.is_global_zero:
            why = f"the validation NLL was {self.best_score.item():.4f} at best"
            print(f"stopped after epoch {trainer.current_epoch + 1}: {why}", file=sys.stderr)


class Bookkeeping(lightning.Callback):
    """Seeds and logs each epoch, tells checkpoints what they belong to, stops when asked to."""

    def __init__(
        self, run: Run, stop: list[int], done: int, every: int, kl_warmup: int, grown: bool
    ):
        self.run = run
        self.kl_warmup = kl_warmup
        self.grown = grown
        self.stop = stop
        self.every = every
        out = Path(os.devnull) if is_helper() else run.flags.out / "metrics.jsonl"
        self.metrics = open_log(out, done)
        self.losses = losses_of(out) if run.flags.is_open else []
        self.progress = Progress(run.flags, done)

    def on_train_start(self, trainer: Any, training: Any) -> None:
        """In the place of Lightning's handler, which ends the process wherever it is."""
        signal.signal(signal.SIGTERM, lambda number, _: self.stop.append(number))
        for config in trainer.lr_scheduler_configs if self.grown else ():
            (optimizer,), (schedule,) = training.configure_optimizers()
            rates = rates_after(schedule, optimizer, trainer.current_epoch)
            config.scheduler.load_state_dict(schedule.state_dict())
            for group, rate in zip(trainer.optimizers[0].param_groups, rates, strict=True):
                group["lr"] = rate

    def on_train_batch_start(self, trainer: Any, _: Any, __: Any, number: int) -> None:
        """Noise of its own for each process and epoch; a run that goes on begins no epoch."""
        if number == 0:
            seed = self.run.flags.seed
            set_seeds(seed_of(seed, trainer.current_epoch, 1 + trainer.global_rank))

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Stops after a whole step, on all devices at once."""
        if trainer.strategy.reduce_boolean_decision(bool(self.stop), all=False):
            raise Abort(130, "stopped; the same command goes on from here")

    def on_train_epoch_end(self, trainer: Any, training: Any) -> None:
        """Averages of the epoch, in nats per row."""
        epoch = trainer.current_epoch + 1
        names = ["loss", "nll", "kl", *([VALIDATION] if epoch % self.every == 0 else [])]
        terms = trainer.callback_metrics
        row = {name: terms[name].item() for name in names if name in terms}
        print(json.dumps({"epoch": epoch, **row}), file=self.metrics, flush=True)
        self.progress.show({"epoch": epoch, **row})
        flags = self.run.flags
        if flags.is_open:
            self.losses.append(row["loss"])
            done = is_done(flags, self.losses, self.kl_warmup)
            if trainer.strategy.reduce_boolean_decision(done, all=False):
                begin_cooling(flags, epoch)
                trainer.fit_loop.max_epochs = flags.epochs

    def on_save_checkpoint(self, trainer: Any, training: Any, checkpoint: State) -> None:
        """Beside what Lightning keeps: what it is of, and the parameters by their own names."""
        state = checkpoint["state_dict"].items()
        checkpoint["parameters"] = {name.removeprefix("objective."): v for name, v in state}
        checkpoint["about"] = self.run.about
        checkpoint["done"] = checkpoint["epoch"] + 1
        checkpoint["flat"] = 0 if self.run.flags.is_open else self.run.flags.flat


@contextmanager
def lightning_run(run: Run, patience: int = 0, kl_warmup: int | None = None) -> Iterator[State]:
    """The options of a Trainer for this run, among them checkpoints, and early stopping.

    Validates fifty times, after the ``kl_warmup``; ``patience`` counts epochs, 0: never stops.
    """
    rises = warmup_of(run.flags) if kl_warmup is None else kl_warmup
    state = resumed(run.flags.out, run.flags.resume, run.about)
    done = state["epoch"] + 1 if state else 0
    grown = bool(state and has_grown(state["about"], run.about))
    if state and state["flat"] and run.flags.is_open:
        begin_cooling(run.flags, state["flat"])
    if not is_helper():
        if state:
            print(f"going on after epoch {done}", file=sys.stderr)
        run.write_facts()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")  # about its own use of torch
    out, every = run.flags.out, math.ceil(run.flags.epochs / 50)
    owned = own_folder(run.flags.out)
    with owned, pyro.validation_enabled(False), stop_signals() as stop:
        callbacks: list[Any] = [
            Bookkeeping(run, stop, done, every, rises, grown),
            Checkpoint(out, "last", enable_version_counter=False, save_on_train_epoch_end=True),
        ]
        if len(run.parts["validation"]):
            callbacks.append(Best(rises, out))
        if patience:
            if not len(run.parts["validation"]):
                raise Abort(2, "too few rows to validate, so --patience has nothing to see")
            callbacks.append(Patience(rises, VALIDATION, patience=math.ceil(patience / every)))
        try:
            yield {
                "max_epochs": run.flags.epochs,
                "accelerator": "cpu" if run.flags.device == "cpu" else "auto",
                "check_val_every_n_epoch": every,
                "num_sanity_val_steps": 0,
                "use_distributed_sampler": False,
                "callbacks": callbacks,
                "plugins": [WholeFiles()],
                "enable_progress_bar": False,
                "enable_model_summary": False,
            }
        except (ValueError, LinAlgError) as error:
            why = f"the training broke down: {first_line(error).rstrip(':')}"
            raise Abort(3, f"{why}; try a smaller --lr") from error
        if stop:
            raise Abort(130, "stopped; the same command evaluates")


def last_checkpoint(run: Run) -> Path | None:
    """Where Lightning goes on from."""
    is_path = run.flags.resume not in ("auto", "never")
    path = Path(run.flags.resume) if is_path else run.flags.out / "last.pt"
    return path if path.exists() or path.with_suffix(".before.pt").exists() else None


def all_devices() -> dict[str, Any]:
    """The options for every device there is, or for the processes that torchrun started."""
    # Without torchrun Lightning starts a process for each GPU.
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 0))
    machines = int(os.environ["WORLD_SIZE"]) // processes if processes else 1
    strategy = "ddp_find_unused_parameters_true"
    return {"devices": processes or "auto", "num_nodes": machines, "strategy": strategy}
