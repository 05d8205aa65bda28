"""The frame of a training loop: what it counts, saves, logs, skips, and when it stops."""

from __future__ import annotations

import copy
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import pyro
import torch
from torch import Tensor
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from ..checkpoints import State, own_folder, random_state, resumed, save, set_random_state
from ..data.rows import Rows
from ..data.streams import Stream
from ..errors import Abort, first_line
from ..model.audit import bad_sites
from ..progress import Progress, open_log, stop_signals
from ..ranks import gather, mean_over_ranks, rank, ranks
from ..run import Run
from .objectives import Objective
from .plateau import begin_cooling, is_done
from .plateau import kl_warmup as warmup_of


def has_grown(before: State, now: State) -> bool:
    """Whether a run goes on for another number of epochs than its checkpoint was to have."""
    return bool(before["settings"]["--epochs"] != now["settings"]["--epochs"])


def rates_after(schedule: Any, optimizer: Any, epochs: int) -> list[float]:
    """The rates that a new schedule, of another length, comes to after so many epochs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no step of the optimizer in between
        for _ in range(epochs):
            schedule.step()
    return [group["lr"] for group in optimizer.param_groups]


class Stateful(Protocol):
    """An optimizer or schedule."""

    def state_dict(self) -> State:
        """All that moves."""

    def load_state_dict(self, state: State, /) -> None:
        """Goes on from there."""


class Loop:
    """Epochs and batches of a training that may be killed at any moment.

    As a context it goes on from the last checkpoint, if there is one. It always has in ``last.pt``
    what is needed to go on, and puts the parameters with the best validation into ``best.pt``::

        with Loop(run, objective, optimizer) as loop:
            for epoch in loop.epochs(validate):
                for batch in loop.batches():
                    ...  # the gradients
                    if loop.accepts(loss, nll):
                        optimizer.step()

    ``patience`` epochs without a better validation end it, 0: never. The weight of the KL rises
    over the first ``kl_warmup`` epochs, None: half of the least that there are.
    ``bad_steps`` in a row that are not finite end it too.
    """

    def __init__(
        self,
        run: Run,
        objective: Objective,
        optimizer: Any,
        schedule: Stateful | None = None,
        *,
        kl_warmup: int | None = None,
        bad_steps: int = 5,
    ):
        self.objective = objective
        self.optimizer = optimizer
        self.schedule = schedule
        self.run = run
        self.flags = run.flags
        self.kl_warmup = warmup_of(run.flags) if kl_warmup is None else kl_warmup
        self.bad_steps = bad_steps
        self.patience: int = getattr(run.flags, "patience", 0)
        self.generator = torch.Generator("cpu").manual_seed(run.flags.seed)
        self.counters: dict[str, Any] = {
            "epoch": 0,
            "batch": 0,  # of this epoch
            "steps": 0,  # of this epoch, with a finite loss
            "loss": 0.0,  # sum over these steps
            "nll": 0.0,
            "bad_steps": 0,  # in a row
            "best": math.inf,  # validation NLL
            "best_epoch": self.kl_warmup,
            "losses": [],  # of each epoch
            "order": self.generator.get_state(),  # draws the order of this epoch's rows
        }
        self.batch: Rows | None = None
        self.share = 1.0  # of a batch's likelihood that this process has
        self.best: State = {}  # parameters not written yet
        self.saved = time.monotonic()
        self.stop: list[int] = []
        self.open = ExitStack()

    @property
    def epoch(self) -> int:
        """So many are done."""
        epoch: int = self.counters["epoch"]
        return epoch

    @property
    def kl_weight(self) -> float:
        """Of this epoch."""
        weight: float = self.flags.kl_weight
        return weight * min(1.0, (self.epoch + 1) / self.kl_warmup) if self.kl_warmup else weight

    def __enter__(self) -> Loop:
        self.open.enter_context(own_folder(self.flags.out))
        try:
            self.enter()
        except BaseException:
            self.open.close()
            raise
        return self

    def enter(self) -> None:
        """Goes on from the last checkpoint, and opens what is open while training."""
        state = resumed(self.flags.out, self.flags.resume, self.run.about)
        if state:
            self.restore(state)
            if rank() == 0:
                print(f"going on after epoch {self.epoch}", file=sys.stderr)
        elif rank() > 0:
            torch.manual_seed(self.flags.seed + rank())  # each rank draws noise of its own
        metrics = Path(os.devnull)
        if rank() == 0:
            self.run.write_facts()
            metrics = self.flags.out / "metrics.jsonl"
        self.log = self.open.enter_context(open_log(metrics, self.epoch))
        self.stop = self.open.enter_context(stop_signals())
        self.open.enter_context(pyro.validation_enabled(False))  # the audit did; it is slow
        self.progress = Progress(self.flags, self.epoch)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.open.close()
        if isinstance(error, ValueError | LinAlgError):
            why = f"the training broke down: {first_line(error).rstrip(':')}"
            raise Abort(3, f"{why}; try a smaller --lr") from error

    def epochs(self, validate: Callable[[], float] | None = None) -> Iterator[int]:
        """The epochs that are left, each validated and logged when it is done."""
        every = math.ceil(self.flags.epochs / 50)
        if self.patience and not validate:
            raise Abort(2, "too few rows to validate, so --patience has nothing to see")
        while self.epoch < self.flags.epochs and not self.is_stalled:
            groups = getattr(self.optimizer, "param_groups", None)
            rate = groups[0]["lr"] if groups else self.flags.lr
            yield self.epoch
            row = self.end_epoch(rate)
            if self.flags.is_open:
                self.end_when_flat(row["loss"])
            if validate and self.epoch >= self.kl_warmup and self.epoch % every == 0:
                (row["validation_nll"],) = mean_over_ranks(validate())
                if row["validation_nll"] < self.counters["best"]:
                    self.counters["best"] = row["validation_nll"]
                    self.counters["best_epoch"] = self.epoch
                    self.best = copy.deepcopy(self.objective.state_dict())
            print(json.dumps(row), file=self.log, flush=True)
            self.progress.show(row)
        self.save()
        if any(mean_over_ranks(bool(self.stop))):
            raise Abort(130, "stopped; the same command evaluates")
        if self.is_stalled and rank() == 0:
            why = f"the validation NLL was best after epoch {self.counters['best_epoch']}"
            print(f"stopped after epoch {self.epoch}: {why}", file=sys.stderr)

    def end_when_flat(self, loss: float) -> None:
        """Lets the rate fall, and the training end, where the loss no longer falls."""
        self.counters["losses"].append(loss)
        if is_done(self.flags, self.counters["losses"], self.kl_warmup):
            begin_cooling(self.flags, self.epoch)

    @property
    def is_stalled(self) -> bool:
        """Whether the validation NLL has not fallen for so many epochs as patience allows."""
        since: int = self.epoch - self.counters["best_epoch"]
        return self.patience > 0 and since >= self.patience

    def batches(self) -> Iterator[Rows]:
        """The batches that this epoch still has to see; of several processes, its part of each.

        After each, saves if the last time is long ago, and stops if asked to.
        """
        rows = self.run.rows
        for batch in self.streamed(rows) if isinstance(rows, Stream) else self.ordered(rows):
            self.batch = batch
            yield batch
            self.counters["batch"] += 1
            is_late = time.monotonic() - self.saved > self.flags.save_seconds
            stops, saves = mean_over_ranks(bool(self.stop), bool(self.stop) or is_late)
            if saves:
                self.save()
            if stops:
                raise Abort(130, "stopped; the same command goes on from here")

    def ordered(self, rows: Rows) -> Iterator[Rows]:
        """The batches of rows that are in memory."""
        self.generator.set_state(self.counters["order"])
        order = torch.randperm(len(rows), generator=self.generator, device="cpu")
        size = rows.batch_of(self.run.batch_size)
        parts = [part for part in order.split(size) if len(part) >= ranks()]
        if not parts:
            why = f"leaves no row for some of {ranks()} processes"
            raise Abort(2, f"--batch-size {self.flags.batch_size} {why}")
        for index in parts[self.counters["batch"] :]:
            own = index[rank() :: ranks()]
            self.share = ranks() * len(own) / len(index)
            yield rows[own]

    def streamed(self, rows: Stream) -> Iterator[Rows]:
        """The batches of a loader.

        Of an epoch that was begun before, one that knows where it is goes on there. Any other
        gives what it gave in the same random state, of which the first batches are left out.
        """
        if ranks() > 1:
            rows.refuse("trains in several processes")
        done = self.counters["batch"]
        if not done:
            self.counters["began"] = {"random": random_state(), **rows.own_state()}
            yield from rows.read_batches()
            return
        now, began = random_state(), self.counters["began"]
        if began["loader"] is None:
            set_random_state(began["random"])
            rows.set_own_state(began)
            print(f"reading {done} batches again, to go on where it stopped", file=sys.stderr)
        yield from rows.read_batches(done if began["loader"] is None else 0, now)

    def per_row(self, total: Any) -> Any:
        """A loss of the last batch per row, whatever the size of the data; of this process."""
        return total * self.share / len(self.run.rows)

    def accepts(self, loss: Tensor | float, nll: float, *gradients: Tensor) -> bool:
        """Counts a step with its loss and likelihood part, in nats per row.

        False where the loss, or the norm of its gradients, is not finite: it must be left out.
        """
        mean_loss, mean_nll = mean_over_ranks(float(torch.as_tensor(loss).detach()), nll)
        if not (math.isfinite(mean_loss) and all(norm.isfinite() for norm in gradients)):
            self.counters["bad_steps"] += 1
            if self.counters["bad_steps"] == self.bad_steps:
                self.break_down()
            return False
        self.counters["bad_steps"] = 0
        self.counters["steps"] += 1
        self.counters["loss"] += mean_loss
        self.counters["nll"] += mean_nll
        return True

    def break_down(self) -> None:
        """Ends a training that is no longer finite."""
        assert self.batch is not None
        names = ", ".join(bad_sites(self.objective, self.batch)) or "the gradients"
        when = f"was not finite in {self.bad_steps} steps in a row"
        why = f"the loss {when if self.bad_steps > 1 else 'is not finite'}; look at {names}"
        raise Abort(3, f"{why}, or try a smaller --lr")

    def end_epoch(self, rate: float) -> dict[str, float]:
        """Averages of the epoch, in nats per row."""
        steps = self.counters["steps"] or math.nan  # where all were skipped
        loss, nll = self.counters["loss"] / steps, self.counters["nll"] / steps
        kl = (loss - nll) / self.kl_weight
        self.counters.update(epoch=self.epoch + 1, batch=0, steps=0, loss=0.0, nll=0.0)
        self.counters["order"] = self.generator.get_state()
        return {"epoch": self.epoch, "loss": loss, "nll": nll, "kl": kl, "lr": rate}

    def save(self) -> None:
        """Writes what is needed to go on."""
        out = self.flags.out
        if self.best:
            done = self.counters["best_epoch"]
            best = {"about": self.run.about, "done": done, "parameters": self.best}
            save(out / "best.pt", best)
        flat = 0 if self.flags.is_open else self.flags.flat
        last = {"about": self.run.about, "done": self.epoch, "flat": flat, **self.state()}
        save(out / "last.pt", last)
        self.best, self.saved = {}, time.monotonic()

    def state(self) -> State:
        """All that moves."""
        return {
            "parameters": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else {},
            "counters": self.counters,
            "random": gather(random_state()),
            "loader": self.run.rows.own_state() if isinstance(self.run.rows, Stream) else {},
        }

    def restore(self, state: State) -> None:
        """Goes on from there."""
        self.objective.load_state_dict(state["parameters"])
        self.counters = state["counters"]
        if isinstance(self.run.rows, Stream):
            self.run.rows.set_own_state(state["loader"])
        if self.flags.is_open and state["flat"]:
            begin_cooling(self.flags, state["flat"])
        if self.schedule and has_grown(state["about"], self.run.about):
            rates = rates_after(self.schedule, self.optimizer, self.epoch)
            self.optimizer.load_state_dict(state["optimizer"])
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
        else:
            self.optimizer.load_state_dict(state["optimizer"])
            if self.schedule:
                self.schedule.load_state_dict(state["schedule"])
        set_random_state(state["random"][rank()])


class StoredOptimizer:
    """An optimizer of Pyro, whose parameters are in Pyro's store, with the state of torch's."""

    def __init__(self, optimizer: Any):
        self.optimizer = optimizer

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Of every parameter that has been trained."""
        optimizers = self.optimizer.optim_objs.values()
        return [group for each in optimizers for group in each.param_groups]

    def set_rate(self, rate: float) -> None:
        """The learning rate from now on."""
        for group in self.param_groups:
            group["lr"] = rate

    def state_dict(self) -> State:
        """Of every parameter."""
        state: State = self.optimizer.get_state()
        return state

    def load_state_dict(self, state: State) -> None:
        """Goes on from there."""
        self.optimizer.set_state(state)
        stored = [parameter for _, parameter in pyro.get_param_store().named_parameters()]
        self.optimizer(stored)  # takes the state in; there are no gradients yet
