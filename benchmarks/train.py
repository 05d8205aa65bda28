"""Quality and speed of the emitted training script, beside what it is measured against.

Four tables: the posterior's sd on a regression whose posterior is known, the scores on diabetes
and digits for three seeds, the time of a training step of three networks next to a minimal Pyro
loop, plain torch and bayesian-torch, and the memory that a million rows take. Everything runs in
one process on one thread, the timed steps in turn.

    python benchmarks/train.py [posterior] [scores] [speed] [memory]

prints the tables that are named, or all, and puts them into train.json, from which
docs/reference/training.md is made.
"""

import contextlib
import importlib.util
import io
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from bayesian_torch.models.dnn_to_bnn import dnn_to_bnn, get_kl_loss
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule
from torch import nn
from torch.nn import functional

import timed
from pyroify.emit import emit_script

PROJECT = Path(__file__).resolve().parents[1] / "tests" / "emit" / "project"
FIGURES = Path(__file__).with_name("train.json")
Row = dict[str, Any]


def write(folder: Path, name: str, **svi: Any) -> Path:
    """The script that the section describes, in ``folder``."""
    path = folder / f"{name}.py"
    emitted = emit_script({"output": path.name, **svi}, spec_name="-", spec_text="")
    path.write_text(emitted.script)
    for file, text in emitted.runtime.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return path


def emitted(folder: Path, name: str, **svi: Any) -> ModuleType:
    """The script that the section describes, loaded from ``folder``."""
    path = write(folder, name, **svi)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(module: ModuleType, *flags: str) -> Path:
    """Runs the script quietly; the folder it wrote."""
    flags = (*flags, "--resume=never")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = module.main(list(flags))
    if code:
        sys.exit(f"{module.__file__} ended with {code}")
    return module.parse_flags(list(flags)).out


def mlp(in_size: int, hidden: int, out_size: int) -> dict[str, Any]:
    kwargs = {"in_size": in_size, "hidden": hidden, "out_size": out_size}
    return {"class": "models.networks:MLP", "kwargs": kwargs}


# ---- the posterior -------------------------------------------------------------------


OBJECTIVES = {
    "closed-form KL, local reparametrisation": ({}, "0.95 to 1.05"),
    "closed-form KL": ({"local_reparametrization": False}, "0.9 to 1.1"),
    "Trace_ELBO": ({"name": "Trace_ELBO"}, "0.9 to 1.1"),
}


def compare_posterior(folder: Path) -> Iterator[Row]:
    """Fitted sd / exact mean-field sd: the extremes of 16 weights on each of three data sets."""
    for title, (elbo, aim) in OBJECTIVES.items():
        ratios = torch.cat([posterior_ratios(folder, elbo, seed) for seed in range(3)])
        least, most = float(ratios.min()), float(ratios.max())
        yield {"objective": title, "least": least, "most": most, "aim": aim}


def posterior_ratios(folder: Path, elbo: dict[str, Any], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(400, 16, generator=generator)
    noise = 0.2 * torch.randn(400, generator=generator)
    np.savez(folder / "line.npz", x=x, y=x @ torch.randn(16, generator=generator) + noise)
    module = emitted(
        folder,
        "line",
        model={"class": "models.networks:Line", "kwargs": {"in_features": 16}},
        data={
            "source": "line.npz",
            "batch_size": 100,
            "test": 0,
            "validation": 0,
            "standardize": "none",
        },
        likelihood={"family": "normal", "scale": 0.2},
        optimizer={"lr": 0.02},
        elbo=elbo,
        epochs=2000,
    )
    out = train(module, "--no-baseline", "--samples=2", f"--seed={seed}")
    state = torch.load(out / "last.pt", weights_only=True)["parameters"]
    if "guide.log_scales.net/layer/weight" in state:
        sd = state["guide.log_scales.net/layer/weight"].exp()
    else:
        sd = functional.softplus(state["elbo.guide.scales.net.layer.weight_unconstrained"])
    return sd.flatten() * (25 * x.square().sum(0) + 1).sqrt()


# ---- scores --------------------------------------------------------------------------

SCORED = {
    "diabetes, 10-50-1": {
        "model": mlp(10, 50, 1),
        "data": {"source": "sklearn:diabetes", "test": 0.25, "validation": 0, "batch_size": 32},
        "likelihood": {"family": "normal", "scale": "learned"},
        "epochs": 300,
    },
    "digits, 64-100-10": {
        "model": mlp(64, 100, 10),
        "data": {
            "source": "sklearn:digits",
            "test": 0.25,
            "validation": 0,
            "batch_size": 64,
            "standardize": "together",  # pixels: some are white in nearly every row
        },
        "likelihood": {"family": "categorical"},
        "epochs": 150,
    },
}
COLUMNS = {
    "diabetes, 10-50-1": ("rmse", "nll", "coverage_90"),
    "digits, 64-100-10": ("accuracy", "nll", "ece"),
}
# What a loop written by hand reached with the same networks, on three other splits.
AIMS = [
    {
        "data": "diabetes, 10-50-1",
        "predictor": "by hand, KL x 1",
        "rmse": [0.72, 0.70, 0.70],
        "nll": [1.11, 1.10, 1.09],
        "coverage_90": [0.92, 0.94, 0.96],
    },
    {
        "data": "digits, 64-100-10",
        "predictor": "by hand, KL x 1",
        "accuracy": [0.984, 0.971, 0.969],
        "nll": [0.111, 0.118, 0.127],
    },
    {
        "data": "digits, 64-100-10",
        "predictor": "by hand, KL x 0.1",
        "accuracy": [0.980, 0.976, 0.976],
        "nll": [0.072, 0.068, 0.083],
    },
]


def compare_scores(folder: Path) -> Iterator[Row]:
    """Scores of each seed; regression in sd of the targets."""
    for title, svi in SCORED.items():
        module = emitted(folder, title.split(",")[0], **svi)
        runs: dict[str, list[dict[str, float]]] = {}
        for weight, seed in itertools.product((1.0, 0.1), range(3)):
            for name, scores in score_run(module, seed, weight).items():
                label = f"{name}, KL x {weight:g}" if name == "posterior" else name
                runs.setdefault(label, []).append(scores)
        for label, scores in runs.items():
            columns = {name: [run[name] for run in scores] for name in COLUMNS[title]}
            yield {"data": title, "predictor": label, **columns}
    yield from AIMS


def score_run(module: ModuleType, seed: int, weight: float) -> dict[str, dict[str, float]]:
    flags = [f"--seed={seed}", f"--kl-weight={weight}"]
    out = train(module, *flags, *(() if weight == 1 else ("--no-baseline",)))
    results: dict[str, dict[str, float]] = json.loads((out / "results.json").read_text())
    scaling = torch.load(out / "last.pt", weights_only=True)["about"]["scalings"]["targets"][0]
    sd = float(scaling["sd"]) if scaling else 1.0
    for scores in results.values():
        scores["nll"] -= float(np.log(sd))
        if "rmse" in scores:
            scores["rmse"] /= sd
    return results


# ---- speed ---------------------------------------------------------------------------

ROWS, BATCH, TIMES = 60000, 128, 40
Step = Callable[[], None]
BAYESIAN_TORCH = {
    "prior_mu": 0.0,
    "prior_sigma": 1.0,
    "posterior_mu_init": 0.0,
    "posterior_rho_init": -4.0,
    "type": "Reparameterization",
    "moped_enable": False,
}


def plain_step(name: str, x: torch.Tensor, y: torch.Tensor) -> Step:
    net = timed.NETWORKS[name]()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


class Minimal(PyroModule):
    """The model that the Pyro tutorials write by hand."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        logits = self.net(x)
        with pyro.plate("data", ROWS, subsample_size=len(x)):
            return pyro.sample("obs", dist.Categorical(logits=logits), obs=y)


def minimal_step(name: str, x: torch.Tensor, y: torch.Tensor) -> Step:
    model = Minimal(timed.random(name))
    elbo = Trace_ELBO()(model, AutoNormal(model, init_scale=0.01))
    elbo(x, y)
    optimizer = torch.optim.Adam(elbo.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        elbo(x, y).backward()
        optimizer.step()

    return step


def emitted_step(module: ModuleType, x: torch.Tensor, y: torch.Tensor) -> Step:
    """A step as the script's own loop has it, on the same rows each time."""
    rows = module.rt.Rows((x,), y)
    model, values = module.build_model(ROWS)
    objective = module.build_objective(model, values, rows[:2])
    flags = module.parse_flags(["--epochs=1"])
    optimizer, _ = module.build_optimizer(objective.parameters(), flags)

    def step() -> None:
        with pyro.validation_enabled(False):  # as the script's own loop does
            loss, _ = objective(rows, 1.0)
            loss = loss / ROWS
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(objective.parameters(), 10.0)
            if loss.isfinite() and norm.isfinite():
                optimizer.step()

    return step


def bayesian_torch_step(name: str, x: torch.Tensor, y: torch.Tensor, kind: str) -> Step:
    net = timed.NETWORKS[name]()
    dnn_to_bnn(net, {**BAYESIAN_TORCH, "type": kind})
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        (functional.cross_entropy(net(x), y) + get_kl_loss(net) / ROWS).backward()
        optimizer.step()

    return step


def compare_speed(folder: Path) -> Iterator[Row]:
    """Median times of the CPU, each kind of step in turn so that all see the same machine."""
    shutil.copy(timed.__file__, folder)
    for name, network in timed.NETWORKS.items():
        x, y = torch.randn(BATCH, *network.shape), torch.randint(timed.CLASSES, (BATCH,))
        shared = {
            "model": {"class": "timed:random", "kwargs": {"name": name}},
            "data": {"source": "synthetic", "batch_size": BATCH, "shape": list(network.shape)},
            "likelihood": {"family": "categorical"},
            "optimizer": {"lr": 0.001},
        }
        scripts = {
            title: emitted(folder, f"speed_{name}_{i}", **shared, elbo=elbo)
            for i, (title, elbo) in enumerate(EMITTED.items())
        }
        steps = {
            "plain torch": plain_step(name, x, y),
            "minimal Pyro loop": minimal_step(name, x, y),
            "bayesian-torch": bayesian_torch_step(name, x, y, "Reparameterization"),
            "bayesian-torch, Flipout": bayesian_torch_step(name, x, y, "Flipout"),
            **{title: emitted_step(script, x, y) for title, script in scripts.items()},
        }
        for title, milliseconds in taking_turns(steps).items():
            yield {"network": name, "step": title, "milliseconds": milliseconds}


EMITTED = {
    "emitted": {},
    "emitted, everywhere": {"local_reparametrization": "everywhere"},
    "emitted, no local repar.": {"local_reparametrization": False},
    "emitted, Trace_ELBO": {"name": "Trace_ELBO"},
}


def taking_turns(steps: dict[str, Step]) -> dict[str, float]:
    """The median time of each on the CPU, in milliseconds: what else runs there does not count."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_, name in itertools.product(range(TIMES + 5), steps):
        began = time.process_time()
        steps[name]()
        if round_ >= 5:
            times[name].append(1000 * (time.process_time() - began))
    return {name: statistics.median(values) for name, values in times.items()}


# ---- memory --------------------------------------------------------------------------

MILLION, FEW = 1_000_000, 25_000
READ = """
import sys, time
from pathlib import Path
from pyroify.training import as_rows, read_csv, stream_table

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000

path, before, began = Path(sys.argv[2]), peak(), time.process_time()
if sys.argv[1] == "stream":
    stream = stream_table(path, (), ("y",), 256, size=1_000_000)
    for number, rows in enumerate(stream.read_batches()):
        first = time.process_time() - began if number == 0 else first
else:
    table = read_csv(path)
    rows = as_rows([table.pick(*table.all_but("y"))], table.pick("y"))
    first = time.process_time() - began
print(before, peak() - before, first)
"""
TRAIN = """
import contextlib, io, sys, time
from pathlib import Path
import torch, train_table

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000

def timed(objective, run):
    def step(self, *args, **kwargs):
        steps.append(time.process_time())
        return plain(self, *args, **kwargs)
    torch.optim.Adam.step = step
    train(objective, run)

steps, plain, train, train_table.train = [], torch.optim.Adam.step, train_table.train, timed
before, began = peak(), time.process_time()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    code = train_table.main(["--data", sys.argv[1], "--epochs=1", "--batch-size=4096"])
print(before, peak() - before, steps[0] - began)
sys.exit(code)
"""


def compare_memory(folder: Path) -> Iterator[Row]:
    """What a million rows of eleven columns take, above torch and Pyro themselves.

    ``fixed`` is what the same takes of a few rows: what torch loads when something is trained, and
    what one batch of the evaluation takes.
    """
    path, few = folder / "million.csv", folder / "few.csv"
    dice = np.random.default_rng(0)
    for file, count in ((path, MILLION), (few, FEW)):
        with file.open("w") as lines:
            print(*(f"x{i}" for i in range(10)), "y", sep=",", file=lines)
            for _ in range(0, count, 1000):
                np.savetxt(lines, dice.normal(size=(1000, 11)), fmt="%.5f", delimiter=",")
    numbers = MILLION * 11 * 4 / 1e6
    for way, title in (("whole", "in memory, the default"), ("stream", "`stream: true`")):
        imports, above, first = measured(READ, folder, way, str(path))
        row = {"read": f"{title}: read", "imports": imports, "above": above, "fixed": 0.0}
        yield {**row, "first": first, "own": numbers}
    for stream, title in ((False, "in memory, the default"), (True, "`stream: true`")):
        data = {"source": path.name, "targets": ["y"], "stream": stream}
        write(folder, "train_table", model=mlp(10, 16, 1), data=data)
        found = []
        for file in (few, path):
            shutil.rmtree(folder / "runs", ignore_errors=True)
            found.append(measured(TRAIN, folder, str(file)))
        (_, fixed, _), (imports, above, first) = found
        row = {"read": f"{title}: the whole script", "imports": imports, "above": above}
        yield {**row, "fixed": fixed, "first": first, "own": numbers}


def measured(program: str, folder: Path, *args: str) -> list[float]:
    """The numbers that a program prints when it runs in a process of its own."""
    command = [sys.executable, "-c", program, *args]
    paths = os.pathsep.join((str(folder), str(Path(__file__).resolve().parents[1])))
    surroundings = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return [float(number) for number in done.stdout.split()]


TABLES = {
    "posterior": compare_posterior,
    "scores": compare_scores,
    "speed": compare_speed,
    "memory": compare_memory,
}


def main() -> None:
    torch.set_num_threads(1)
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
        for name in sys.argv[1:] or TABLES:
            figures[name] = []
            for row in TABLES[name](Path(folder)):
                row = {key: rounded(value) for key, value in row.items()}
                print(*(f"{key}: {value}" for key, value in row.items()), sep="  ", flush=True)
                figures[name].append(row)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


def rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
