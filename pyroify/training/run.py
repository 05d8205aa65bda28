"""A run as a whole: its flags, what it belongs to, how it ends."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyro
import torch
from torch import Tensor, nn

from .checkpoints import UNWRITABLE, State, set_seeds, trained, unwritable
from .data.rows import (
    Parts,
    Rows,
    Scalings,
    as_one_batch,
    beside,
    fit_scalings,
    is_plain,
    scale_parts,
    split,
)
from .data.streams import Stream
from .data.trees import Form, part_names
from .errors import Abort, first_line
from .inference.objectives import Objective
from .inference.plateau import MOST, begin_cooling
from .model.sites import Draw, latent_sites
from .ranks import ranks, refuse_several
from .results.pictures.picture import load_pyplot

POSITIVE = ("epochs", "steps", "batch_size", "lr", "kl_weight", "samples", "draws", "warmup")


Flags = argparse.Namespace

MODES = {
    "check": "audit only, train nothing",
    "smoke": "two epochs, made-up data",
    "eval": "evaluate what was trained",
    "export": "draws without Pyro",
}

EXIT_CODES = (
    "Exit codes: 0 done, 2 bad input, 3 non-finite loss, 4 the audit failed, 130 interrupted."
)

HELP = {
    "data": "the file to train on",
    "out": "the folder to write to",
    "epochs": "how often to see all rows; without it, until the loss is flat",
    "steps": "how many batches to see, instead of epochs",
    "patience": "end after so many epochs without a better validation, 0: never",
    "batch_size": "rows of a step",
    "lr": "learning rate at the start",
    "kl_weight": "weight of the prior; below 1 the posterior is narrower than it should be",
    "seed": "of all that is random",
    "draws": "draws of the chain that are kept",
    "warmup": "draws of the chain before those",
}
"""What the settings are that a script may also be given on the command line."""

NO_PREDICTIONS = (
    "a likelihood of your own tells how likely rows are, not what to predict of them; --export "
    "writes draws of the weights, with each of which your network predicts"
)


class Refuse(argparse.Action):
    """A flag that this script cannot have, with the reason."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Says it."""
        parser.error(f"{self.option_strings[0]}: {self.const}")


def parse_flags(
    argv: Sequence[str] | None,
    script: str,
    *,
    leave_out: Sequence[str] = (),
    choose: str = "last",
    device: str = "cpu",
    dtype: str = "float32",
    **defaults: Any,
) -> Flags:
    """The flags of the ``script`` at that path, and one more for each of the ``defaults``.

    ``choose`` says which epoch is evaluated. ``leave_out`` names those of "baseline", "export",
    "plots" and "predict" that the script does without.
    """
    name = Path(script).name
    what = "Trains, or goes on training, and evaluates."
    parser = argparse.ArgumentParser(name, description=what, epilog=EXIT_CODES)
    parser.set_defaults(script=name, plots=False, predict=None)
    modes = parser.add_mutually_exclusive_group()
    for mode, what in MODES.items():
        if mode not in leave_out:
            modes.add_argument(f"--{mode}", action="store_true", help=what)
    if "predict" not in leave_out:
        modes.add_argument("--predict", type=Path, metavar="FILE", help="predict its rows")
    else:
        refused = "not with a likelihood of your own; says why"
        parser.add_argument(
            "--predict", nargs="?", action=Refuse, const=NO_PREDICTIONS, help=refused
        )
    if "baseline" not in leave_out:
        what = "do not train the original network to compare with"
        parser.add_argument("--no-baseline", dest="baseline", action="store_false", help=what)
    if "plots" not in leave_out:
        parser.add_argument("--plots", action="store_true", help="draw pictures")
    parser.set_defaults(is_open=False, flat=0)  # see plateau.py
    settings = {"epochs": None, "steps": None, **defaults}
    if defaults.get("epochs"):
        del settings["steps"]
    for key, value in settings.items():
        kind = Path if isinstance(value, Path) else int if value is None else type(value)
        flag = f"--{key.replace('_', '-')}"
        what = HELP[key] if value is None else f"{HELP[key]} (%(default)s)"
        parser.add_argument(flag, type=kind, default=value, help=what)
    parser.add_argument("--device", default=device, help="where to compute, such as cuda")
    dtypes = ("float32", "float64")
    parser.add_argument("--dtype", default=dtype, choices=dtypes, help="of all numbers")
    parser.add_argument("--samples", type=int, default=200, help="posterior draws")
    parser.add_argument("--resume", default="auto", help="auto, never or a checkpoint")
    which = "the epoch that is evaluated, the last or the best by validation"
    parser.add_argument("--choose", default=choose, choices=("last", "best"), help=which)
    seconds = "between two checkpoints, at most"
    parser.add_argument("--save-seconds", type=float, default=30.0, help=seconds)
    return parser.parse_args(argv)


def exit_code(start: Callable[[Flags], None], flags: Flags) -> int:
    """How a run ends; what is wrong is said in one line."""
    try:
        start(flags)
    except Abort as stop:
        if os.environ.get("LOCAL_RANK", "0") == "0":  # once on each machine
            print(f"{flags.script}: {stop}", file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        print(f"{flags.script}: {unwritable(flags.out, error)}", file=sys.stderr)
        return 2
    return 0


def set_up(flags: Flags, several: bool = False) -> None:
    """Device and dtype before anything is built: priors of plain numbers never move.

    Refuses to be one of ``several`` processes unless the script can.
    """
    if not several:
        refuse_several()
    for name in POSITIVE:
        value = getattr(flags, name, None)
        if value is not None and not value > 0:
            raise Abort(2, f"--{name.replace('_', '-')} must be positive")
    if not 0 <= flags.seed < 2**32:
        raise Abort(2, "--seed must be a number from 0 to 2**32 - 1")
    torch.set_default_dtype(getattr(torch, flags.dtype))
    if flags.device != "cpu":
        try:
            torch.zeros(1, device=flags.device)
        except (RuntimeError, AssertionError) as error:
            why = f"--device {flags.device} cannot be used: {first_line(error)}"
            raise Abort(2, why) from error
        torch.set_default_device(flags.device)
    set_seeds(flags.seed)
    if flags.plots:
        load_pyplot()  # refuses now rather than after the training
    if flags.smoke:
        shorten(flags)


def shorten(flags: Flags) -> None:
    """Two epochs in a folder of their own."""
    flags.epochs, flags.samples, flags.resume = 2, 10, "never"
    flags.out = flags.out / "smoke"
    if "draws" in flags:
        flags.draws, flags.warmup = 5, 5


OF_CHAIN = ("draws", "warmup", "seed", "dtype")
OF_TRAINING = ("epochs", "batch_size", "lr", "kl_weight", "seed", "dtype")
"""The flags that change what a checkpoint holds."""


@dataclass
class Run:
    """One training: its flags, the rows of each part as the network sees them, their scaling.

    ``about`` is what a checkpoint belongs to, and all that predicting needs of the data.
    ``chosen`` is the epoch that is evaluated, 0 where there are none.
    """

    flags: Flags
    parts: Parts
    scalings: Scalings
    about: State = field(default_factory=dict)
    chosen: int = 0

    @property
    def rows(self) -> Rows:
        """Those of the training."""
        return self.parts["train"]

    @property
    def batch_size(self) -> int:
        """As asked, or as much less as makes all batches of an epoch alike.

        A last batch of a few rows would stand for all rows like any other, with much more noise.
        """
        count, most = len(self.rows), int(self.flags.batch_size)
        return math.ceil(count / math.ceil(count / most))

    def describe(self, model: nn.Module, spec: str) -> None:
        """Fills ``about``; ``spec`` names what no flag says."""
        names = OF_CHAIN if "draws" in self.flags else OF_TRAINING
        settings = {f"--{name}".replace("_", "-"): getattr(self.flags, name) for name in names}
        if self.flags.is_open:
            settings["--epochs"] = 0  # as many as it takes
        settings |= {"svi section": spec, "number of processes": ranks()}
        digest = digest_of(self.rows)
        sites = latent_sites(model, self.rows[:2])
        self.about = {
            "settings": settings,
            "data": digest,
            "sites": {name: list(site["value"].shape) for name, site in sites.items()},
            "size": len(self.rows),
            "scalings": self.scalings,
            "example": example_of(self.rows),
            "weighted": self.rows.weights is not None,
            "columns": self.rows[:2].columns,
            "form": self.rows[:2].form,
            "names": input_names(self.rows[:2].form),
        }

    def load_best(self, objective: Objective) -> None:
        """The trained parameters, which must be of the same rows."""
        state = trained(self.flags.out, self.flags.choose)
        if state["about"]["data"] != self.about["data"]:
            why = "was trained on other rows; give the data and --seed of that run"
            raise Abort(2, f"{self.flags.out} {why}")
        objective.load_state_dict(state["parameters"])
        objective.eval()
        self.chosen = state.get("done", 0)
        if self.flags.is_open and state.get("flat"):
            begin_cooling(self.flags, state["flat"])  # so long is another network trained too

    def write_facts(self) -> None:
        """``run.json``: settings, versions, hash of the data, sites."""
        modules: dict[str, Any] = {"torch": torch, "pyro": pyro, "numpy": np}
        versions = {name: module.__version__ for name, module in modules.items()}
        facts = {
            "flags": {name: str(value) for name, value in vars(self.flags).items()},
            "versions": {"python": sys.version.split()[0], **versions},
            "data_sha256": self.about["data"],
            "training_rows": self.about["size"],
            "sites": self.about["sites"],
        }
        write_json(self.flags.out / "run.json", facts)


def prepare(
    rows: Rows | Parts,
    flags: Flags,
    *,
    test: float,
    validation: float,
    scale_inputs: str = "columns",
    scale_targets: bool = False,
    whole: bool = False,
    until_flat: bool = True,
) -> Run:
    """A run with its rows split and scaled; what is known of the data comes from the training.

    Rows of a table are changed where they lie, others are copied. ``whole``: inputs and targets are
    one batch, as the project has it. A training that was given neither epochs nor steps ends when
    its loss is flat; not so where ``until_flat`` is False, as its rate falls all along.
    """
    if whole:
        if isinstance(rows, dict):
            rows = {name: part.changed(as_one_batch) for name, part in rows.items()}
        else:
            rows = rows.changed(as_one_batch)
    if flags.smoke:
        rows = (rows["train"] if isinstance(rows, dict) else rows)[:SMOKE_ROWS]
    is_own = not isinstance(rows, dict | Stream) and not rows.uncut
    parts = split(rows, flags.seed, test, validation)
    del rows  # or there would be two of each number
    for words in doubts(parts["train"]):
        print(f"warning: {words}", file=sys.stderr)
    steps = getattr(flags, "steps", None)
    flags.least = epochs_of(flags, parts["train"], steps)
    if flags.epochs is None:
        flags.is_open = until_flat and not steps
        flags.epochs = MOST * flags.least if flags.is_open else flags.least
        flags.flat = flags.epochs if flags.is_open else 0
    scalings = fit_scalings(parts["train"], scale_inputs, scale_targets)
    return Run(flags, scale_parts(parts, scalings, in_place=is_own), scalings)


def doubts(rows: Rows) -> Iterator[str]:
    """What these rows cannot tell, whatever is trained on them."""
    if len(rows) < FEW:
        yield f"{len(rows)} training rows tell next to nothing; what follows is the prior"
    elif isinstance(rows, Stream) or not is_plain(rows.targets):
        return  # not known before they are read
    elif rows.targets.numel() and (rows.targets == rows.targets[0]).all():
        yield f"all {len(rows)} training targets are the same, so there is nothing to learn"


FEW = 3
"""Rows from which on something is left to learn after mean and noise."""

LEAST_STEPS, LEAST_EPOCHS = 3000, 20

SMOKE_ROWS = 256
"""So many rows a short run has where none can be made up."""


def epochs_of(flags: Flags, rows: Rows, steps: int | None) -> int:
    """So many epochs as these steps take, without them as many as scales need to move.

    A scale begins at a hundredth of its prior's; in a step its logarithm moves by ``lr`` at most,
    and by half of that where the rate falls to zero. The way is there six times.
    """
    batches = rows.steps(int(flags.batch_size))
    if steps:
        return math.ceil(steps / batches)
    least = max(LEAST_STEPS, 6 * math.log(100) / float(flags.lr))
    return max(LEAST_EPOCHS, math.ceil(least / batches))


def input_names(form: Form) -> list[str]:
    """What the parts of the inputs are called in a file of rows to predict."""
    return part_names(form[0] if isinstance(form, tuple) and len(form) == 1 else form)


def digest_of(rows: Rows) -> str:
    """Of all rows that are in memory; of a stream, of its size and of what its rows are like."""
    digest = hashlib.sha256(str(len(rows)).encode())
    known = rows.known
    for part in (*known.inputs, *known.given.values()):
        if isinstance(rows, Stream) or not is_plain(part):
            shape = list(part.shape[1:]) if is_plain(part) else ""
            digest.update(f"{type(part).__name__} {shape}".encode())
        else:
            digest.update(np.ascontiguousarray(part.cpu().numpy()).data)  # where they lie
    return digest.hexdigest()


def example_of(rows: Rows) -> list[Tensor]:
    """Inputs and targets of two rows; nothing of objects, which no checkpoint can hold."""
    two = rows[:2]
    parts = [*two.inputs, two.targets]
    if not all(map(is_plain, parts)):
        return []
    return [part.clone() for part in parts]  # or a checkpoint would hold all that lies behind


def example_rows(about: State) -> Rows:
    """The two rows that a checkpoint keeps."""
    if not about["example"]:
        raise Abort(2, "the rows are objects, of which a checkpoint keeps none; use --eval")
    *inputs, targets = about["example"]
    weights = torch.ones(len(targets)) if about["weighted"] else None
    return beside(tuple(inputs), targets, weights, form=about["form"])


def restore(
    flags: Flags,
    build_model: Callable[[int], tuple[Any, Draw]],
    build_objective: Callable[..., Any],
) -> tuple[Any, State]:
    """The trained objective, built anew, and what its checkpoint knows of the data."""
    state = trained(flags.out, flags.choose)
    about: State = state["about"]
    model, values = build_model(about["size"])
    objective = build_objective(model, values, example_rows(about))
    objective.load_state_dict(state["parameters"])
    return objective.eval(), about


def write_json(path: Path, value: Any) -> None:
    """For people and programs."""
    path.write_text(json.dumps(value, indent=2) + "\n")
