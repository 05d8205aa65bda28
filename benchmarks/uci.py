"""The published UCI protocol: the emitted script beside its peers, set by set and split by split.

One hidden layer of 50 ReLU units; RMSE, NLL and CRPS in original units, and CPU seconds. Every
cell, one method on one split of one set, is kept in uci.json as soon as it is done, so that a
measurement can be stopped and goes on with the cells that are left.

    python benchmarks/uci.py --data ../shared/uci --splits 1 --only yacht "default"

``--only`` names sets and methods, ``--again`` measures cells anew, ``--hmc`` compares the sd of
predictions with that of a long Markov chain. docs/reference/uci.md is made of the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from uci_peers import DRAWS, HIDDEN, PEERS, Task

from pyroify.emit import emit_script
from pyroify.training.data.rows import fit_scaling, scale
from pyroify.training.results.scores import Regression

PROJECT = Path(__file__).resolve().parents[1] / "tests" / "emit" / "project"
FIGURES = Path(__file__).with_name("uci.json")
SETS = (
    "yacht",
    "bostonHousing",
    "energy",
    "concrete",
    "wine-quality-red",
    "kin8nm",
    "power-plant",
)
SCORES = ("rmse", "nll", "crps", "coverage_90")
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

TWICE = {"likelihood": {"family": "heteroskedastic"}}
ENGINES: dict[str, dict[str, Any]] = {
    "default": {},
    "engine: ensemble": {"engine": "ensemble"},
    "engine: ensemble, variance head": {"engine": "ensemble", **TWICE},
    "engine: svi": {"engine": "svi"},
    "engine: lightning": {"engine": "lightning"},
    "engine: nuts": {"engine": "nuts"},
    "engine: laplace": {"engine": "laplace"},
    "engine: laplace, prior: evidence": {"engine": "laplace", "laplace": {"prior": "evidence"}},
    "guide: last_layer": {"guide": {"family": "last_layer", "head": "net.fc2*"}},
    "guide: AutoDelta": {"guide": {"family": "AutoDelta"}},
    "guide: AutoLowRankMultivariateNormal": {"guide": {"family": "AutoLowRankMultivariateNormal"}},
}
BASELINE = "original network"
METHODS = ("default", BASELINE, *(name for name in ENGINES if name != "default"), *PEERS)
SLOW = {"engine: nuts": 1100}
"""So many training rows at most."""


def read_split(folder: Path, number: int) -> Arrays:
    """Inputs and targets of the training, then of the test."""
    data = np.loadtxt(folder / "data.txt", dtype=np.float32)
    x = data[:, np.loadtxt(folder / "index_features.txt").astype(int)]
    y = data[:, int(np.loadtxt(folder / "index_target.txt"))]
    parts = [
        np.loadtxt(folder / f"index_{part}_{number}.txt").astype(int) for part in ("train", "test")
    ]
    return tuple(values[part] for part in parts for values in (x, y))  # type: ignore[return-value]


# ---- the emitted script --------------------------------------------------------------


def emitted(folder: Path, name: str, columns: int, svi: dict[str, Any]) -> ModuleType:
    """The script of these settings, for the network of the protocol; nothing else is set."""
    outputs = 2 if "heteroskedastic" in str(svi) else 1
    kwargs = {"in_size": columns, "hidden": HIDDEN, "out_size": outputs}
    path = folder / f"{name}.py"
    section = {
        "output": path.name,
        "model": {"class": "models.networks:MLP", "kwargs": kwargs},
        "data": {"source": "models.data:load"},
        **svi,
    }
    written = emit_script(section, spec_name="-", spec_text="")
    path.write_text(written.script)
    for file, text in written.runtime.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_script(module: ModuleType, split: Arrays, out: Path, *flags: str) -> dict[str, Any]:
    """The scores of the script on the rows of a split, by predictor."""
    rows = [module.rt.as_rows([x], y) for x, y in (split[:2], split[2:])]
    parts = {"train": rows[0], "validation": rows[0][:0], "test": rows[1]}
    module.load_data = lambda _: parts
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        code = module.main([f"--out={out}", f"--samples={DRAWS}", *flags])
    if code == 130:  # the script takes what was meant for all
        raise KeyboardInterrupt
    if code:
        raise RuntimeError(f"it ended with {code}: {said.getvalue().splitlines()[-1]}")
    return json.loads((out / "results.json").read_text())


def measure_script(folder: Path, method: str, split: Arrays, seed: int) -> dict[str, float]:
    """The scores of one method of the script; the original network is the default's baseline."""
    svi = ENGINES["default" if method == BASELINE else method]
    module = emitted(folder, "measured", split[0].shape[1], svi)
    flags = ["--resume=never", f"--seed={seed}"]
    if method != BASELINE:
        return run_script(module, split, folder / "run", *flags, "--no-baseline")["posterior"]
    run_script(module, split, folder / "run", *flags, "--no-baseline")
    began = time.process_time()
    scores = run_script(module, split, folder / "run", f"--seed={seed}", "--eval")[BASELINE]
    return {**scores, "seconds": time.process_time() - began}


# ---- peers ---------------------------------------------------------------------------


def measure_peer(method: str, split: Arrays, seed: int) -> dict[str, float]:
    """The scores of a peer, by the script's own measure."""
    torch.manual_seed(seed)
    x, y, test_x, test_y = map(torch.as_tensor, split)
    inputs, targets = fit_scaling(x), fit_scaling(y)
    likelihoods = PEERS[method](Task(scale(x, inputs), scale(y, targets), scale(test_x, inputs)))
    regression = Regression()
    return regression.summarise(regression.score_rows(likelihoods, scale(test_y, targets), targets))


# ---- all cells -----------------------------------------------------------------------


def measure(folder: Path, method: str, split: Arrays, seed: int) -> dict[str, float]:
    began = time.process_time()
    if method in PEERS:
        scores = measure_peer(method, split, seed)
    else:
        scores = measure_script(folder, method, split, seed)
    seconds = scores.get("seconds", time.process_time() - began)
    return {**{name: scores[name] for name in SCORES}, "seconds": seconds}


def cells(splits: int, only: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What is to be measured: one split of all sets before the next."""
    chosen = list(only)
    if unknown := set(chosen) - {*SETS, *METHODS}:
        sys.exit(f"{sorted(unknown)} are no sets or methods; there are {[*SETS, *METHODS]}")
    sets = [name for name in SETS if name in chosen] or SETS
    methods = [name for name in METHODS if name in chosen] or METHODS
    for split in range(splits):
        for name in sets:
            for method in methods:
                yield {"set": name, "split": split, "method": method}


def read_figures() -> dict[str, Any]:
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {"cells": [], "hmc": []}


def keep(kind: str, row: dict[str, Any], *names: str) -> None:
    """Puts a row in the place of the one with these ``names`` alike; a line for each row."""
    figures = read_figures()
    rest = [old for old in figures[kind] if any(old[name] != row[name] for name in names)]
    figures[kind] = [*rest, row]
    tables = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n ]"
        for kind, rows in figures.items()
    )
    FIGURES.write_text("{\n" + ",\n".join(tables) + "\n}\n")


def measure_cells(folder: Path, flags: argparse.Namespace) -> None:
    names = ("set", "split", "method")
    for cell in cells(flags.splits, flags.only):
        done = {tuple(row[name] for name in names) for row in read_figures()["cells"]}
        if tuple(cell.values()) in done and not flags.again:
            continue
        split = read_split(flags.data / cell["set"], cell["split"])
        if len(split[0]) > SLOW.get(cell["method"], len(split[0])):
            continue
        try:
            scores = measure(folder, cell["method"], split, seed=cell["split"])
        except Exception as error:  # the other cells are worth having
            print(*cell.values(), repr(error), sep="  ", file=sys.stderr, flush=True)
            continue
        row = {**cell, **{name: round(float(value), 4) for name, value in scores.items()}}
        keep("cells", row, *names)
        print(*row.values(), sep="  ", flush=True)


# ---- beside a long Markov chain ------------------------------------------------------

SMALL = {"class": "models.networks:MLP", "kwargs": {"in_size": 2, "hidden": 10, "out_size": 1}}
GUIDES: dict[str, dict[str, Any]] = {
    "default": {},
    "guide: last_layer": {"guide": {"family": "last_layer", "head": "net.fc2*"}},
    "guide: AutoLowRankMultivariateNormal": {"guide": {"family": "AutoLowRankMultivariateNormal"}},
    "guide: AutoMultivariateNormal": {"guide": {"family": "AutoMultivariateNormal"}},
    "guide: AutoLaplaceApproximation": {"guide": {"family": "AutoLaplaceApproximation"}},
    "engine: laplace": {"engine": "laplace"},
    "engine: laplace, structure: kron": {"engine": "laplace", "laplace": {"structure": "kron"}},
    "engine: laplace, last layer": {"engine": "laplace", "laplace": {"sites": "net.fc2*"}},
    "engine: ensemble": {"engine": "ensemble"},
}


def compare_with_chain(folder: Path, draws: int) -> None:
    """The sd of what is predicted at the training rows, over that of a long chain: the median."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(100, 2, generator=generator)
    y = torch.sin(2 * x[:, 0]) + x[:, 1] + 0.3 * torch.randn(100, generator=generator)
    split = (x.numpy(), y.numpy(), x.numpy(), y.numpy())
    chain = {"engine": "nuts", "nuts": {"samples": draws, "warmup": draws}}
    expected = None
    for name, svi in {"engine: nuts": chain, **GUIDES}.items():
        svi = {**svi, "likelihood": {"family": "normal", "scale": 0.3}, "model": SMALL}
        began = time.process_time()
        module = emitted(folder, "small", 2, svi)
        out = folder / "small"
        scores = run_script(module, split, out, "--resume=never", "--no-baseline")["posterior"]
        objective, about = module.load_trained(module.parse_flags([f"--out={out}"]))
        inputs = (scale(x, about["scalings"]["inputs"][0]),)
        with torch.no_grad():
            sd = torch.stack([p.mean for p in module.rt.posterior(objective, 1000)(inputs)]).std(0)
        expected = sd if expected is None else expected
        row = {
            "method": name,
            "sd_ratio": round(float((sd / expected).median()), 3),
            "nll": round(scores["nll"], 3),
            "seconds": round(time.process_time() - began, 1),
        }
        keep("hmc", row, "method")
        print(*row.values(), sep="  ", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="The UCI protocol.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], help="sets and methods")
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    parser.add_argument("--hmc", type=int, default=0, metavar="DRAWS")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
        if flags.hmc:
            compare_with_chain(Path(folder), flags.hmc)
        else:
            measure_cells(Path(folder), flags)


if __name__ == "__main__":
    main()
