"""What a module of Lightning needs to train an objective: the rows, seeds and checkpoints."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

import lightning
import numpy as np
import pyro
import torch
from torch import Tensor
from torch.linalg import LinAlgError  # type: ignore[attr-defined]
from torch.utils.data import DataLoader

from .audit import bad_sites
from .checkpoints import State, resumed, save, set_seeds
from .data import Rows
from .errors import Abort, first_line
from .objectives import Objective
from .progress import Progress, open_log, stop_signals
from .ranks import is_helper
from .run import Run


class LightningLoop(lightning.LightningModule):
    """An objective with its rows, on one device or many.

    Order and noise of an epoch come from a seed of its own, so that a run that goes on after a
    whole epoch ends where an uninterrupted one does.
    """

    def __init__(
        self,
        run: Run,
        objective: Objective,
        optimizer: Any,
        schedule: Any = None,
        kl_warmup: int = 0,
    ):
        super().__init__()
        self.objective = objective
        self.run = run
        self.rows = run.rows
        self.flags = run.flags
        self.kl_warmup = kl_warmup
        self.optimizer = optimizer
        self.schedule = schedule
        self.epoch = 0  # so many are done
        self.best = math.inf  # validation NLL

    def configure_optimizers(self) -> Any:
        """The optimizer, which outlives the fit."""
        return self.optimizer

    @property
    def kl_weight(self) -> float:
        """Of this epoch."""
        weight: float = self.flags.kl_weight
        return weight * min(1.0, (self.epoch + 1) / self.kl_warmup) if self.kl_warmup else weight

    def train_dataloader(self) -> DataLoader[Any]:
        """Row numbers of each batch of this epoch, for this process."""
        rank, ranks = self.trainer.global_rank, self.trainer.world_size
        generator = torch.Generator("cpu").manual_seed(self.seed(0))
        order = torch.randperm(len(self.rows), generator=generator, device="cpu")
        batches = order.split(self.flags.batch_size)
        own: Any = [batch[rank::ranks] for batch in batches if len(batch) >= ranks]
        return DataLoader(own, batch_size=None)

    def on_train_epoch_start(self) -> None:
        """Noise of its own for each process and epoch."""
        set_seeds(self.seed(1 + self.trainer.global_rank))

    def seed(self, stream: int) -> int:
        """Of this epoch."""
        sequence = np.random.SeedSequence([self.flags.seed, self.epoch, stream])
        return int(sequence.generate_state(1)[0])

    def note(self, loss: Tensor, nll: float, rows: Rows) -> None:
        """Logs a step, in nats per row; ends a training that is no longer finite."""
        if not loss.isfinite():
            names = ", ".join(bad_sites(self.objective, rows)) or "the gradients"
            why = f"the loss is not finite; look at {names}"
            raise Abort(3, f"{why}, or try a smaller --lr")
        terms: dict[str, Any] = {"loss": loss, "nll": nll}
        several = self.trainer.world_size > 1
        self.log_dict(terms, on_step=False, on_epoch=True, batch_size=1, sync_dist=several)

    def end_epoch(self) -> dict[str, float]:
        """Averages of the epoch, in nats per row."""
        terms = self.trainer.callback_metrics
        loss, nll = terms["loss"].item(), terms["nll"].item()
        row = {"loss": loss, "nll": nll, "kl": (loss - nll) / self.kl_weight}
        if self.schedule:
            self.schedule.step()
        self.epoch += 1
        return {"epoch": self.epoch, **row}

    def state(self) -> State:
        """All that moves."""
        return {
            "parameters": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else {},
            "epoch": self.epoch,
            "best": self.best,
        }

    def restore(self, state: State) -> None:
        """Goes on from there."""
        self.objective.load_state_dict(state["parameters"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        self.epoch = state["epoch"]
        self.best = state["best"]

    def save(self) -> None:
        """Writes what is needed to go on."""
        save(self.flags.out / "last.pt", {"about": self.run.about, **self.state()})

    def fit(self, validate: Callable[[], float] | None, **options: Any) -> None:
        """Trains to the last epoch, or goes on; ``options`` are those of Lightning's Trainer."""
        state = resumed(self.flags.out, self.flags.resume, self.run.about)
        if state:
            self.restore(state)
            if not is_helper():
                print(f"going on after epoch {self.epoch}", file=sys.stderr)
        if not is_helper():
            self.run.write_facts()
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        warnings.filterwarnings("ignore", module="lightning")  # about its own use of torch
        epochs, out = self.flags.epochs, self.flags.out
        with (
            pyro.validation_enabled(False),  # the audit did; it is slow
            open_log(out / "metrics.jsonl", self.epoch) as log,
            stop_signals() as stop,
        ):
            ended = EndOfEpoch(self.run.about, validate, log, Progress(epochs, self.epoch))
            trainer = lightning.Trainer(
                max_epochs=epochs,
                accelerator="cpu" if self.flags.device == "cpu" else "auto",
                reload_dataloaders_every_n_epochs=1,
                use_distributed_sampler=False,
                callbacks=[ended, StopBetweenSteps(stop)],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                **options,
            )
            done: Any = trainer.fit_loop.epoch_progress.current
            done.processed = self.epoch
            try:
                trainer.fit(self)
            except (ValueError, LinAlgError) as error:
                why = f"the training broke down: {first_line(error).rstrip(':')}"
                raise Abort(3, f"{why}; try a smaller --lr") from error
            if stop:
                raise Abort(130, "stopped; the same command evaluates")
        if trainer.global_rank > 0:
            sys.exit()  # the first process alone evaluates


def all_devices() -> dict[str, Any]:
    """The options for every device there is, or for the processes that torchrun started."""
    # Without torchrun Lightning starts a process for each GPU.
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 0))
    machines = int(os.environ["WORLD_SIZE"]) // processes if processes else 1
    strategy = "ddp_find_unused_parameters_true"
    return {"devices": processes or "auto", "num_nodes": machines, "strategy": strategy}


@dataclass
class EndOfEpoch(lightning.Callback):
    """Validates, logs, and writes ``last.pt``, from which a run goes on."""

    about: State
    validate: Callable[[], float] | None
    metrics: TextIO
    progress: Progress

    def on_train_epoch_end(self, trainer: Any, training: Any) -> None:
        """Of the first process alone."""
        out, epochs = training.flags.out, training.flags.epochs
        row = training.end_epoch()
        if trainer.global_rank > 0:
            return
        is_warm = training.epoch >= training.kl_warmup
        if self.validate and is_warm and training.epoch % math.ceil(epochs / 50) == 0:
            row["validation_nll"] = self.validate()
            if row["validation_nll"] < training.best:
                training.best = row["validation_nll"]
                parameters = training.objective.state_dict()
                save(out / "best.pt", {"about": self.about, "parameters": parameters})
        print(json.dumps(row), file=self.metrics, flush=True)
        training.save()
        self.progress.show(row)


@dataclass
class StopBetweenSteps(lightning.Callback):
    """Ends the run when it is asked to stop, on all devices at once."""

    stop: list[int]

    def on_train_start(self, trainer: Any, training: Any) -> None:
        """In the place of Lightning's handler, which ends the process wherever it is."""
        signal.signal(signal.SIGTERM, lambda number, _: self.stop.append(number))

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """After a whole step."""
        if trainer.strategy.reduce_boolean_decision(bool(self.stop), all=False):
            raise Abort(130, "stopped; the same command goes on from here")
