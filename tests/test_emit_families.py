"""Every likelihood, guide and engine: emitted, laid out as the formatter would, run two steps."""

import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from emit_cases import case_names, emit, lay_out_project, load_module, read_case, run_main

from pyroify.emit import EmitError
from pyroify.emit.family import GUIDES, LIKELIHOODS, facts, names

ENGINES = ("torch", "svi", "lightning")
PARALLEL_PARTS = 9  # not a divisor of the number of guides: each part gets some of all


def combinations() -> Iterator[tuple[str, str, str]]:
    """Engine, likelihood and guide; ``nuts`` and ``ensemble`` have no guide.

    Each likelihood meets each guide, under one of the engines, and each engine meets all of both.
    """
    likelihoods, guides = case_names(LIKELIHOODS), case_names(GUIDES)
    for (i, likelihood), (j, guide) in itertools.product(enumerate(likelihoods), enumerate(guides)):
        yield ENGINES[(i + j) % len(ENGINES)], likelihood, guide
    yield from (("nuts", name, "") for name in case_names(LIKELIHOODS) if not learns(name))
    yield from (("ensemble", name, "") for name in case_names(LIKELIHOODS))


@cache
def learns(likelihood: str) -> bool:
    """Whether the case has a quantity of one learned value, which NUTS refuses."""
    return "PyroParam(" in emit(**read_case(LIKELIHOODS, likelihood)).script


def emit_combination(engine: str, likelihood: str, guide: str) -> str:
    keys = {**read_case(LIKELIHOODS, likelihood), "engine": engine}
    if guide:
        keys["guide"] = read_case(GUIDES, guide)["guide"]
        keys["guide"]["head"] = keys["guide"].get("head") and ["net.*.weight"]
        keys["guide"] = {key: value for key, value in keys["guide"].items() if value}
    if likelihood == "tokens" and guide == "last_layer":
        keys["guide"]["head"] = ["net.head.*"]
    return emit(**keys).script


@pytest.mark.parametrize("kind", [LIKELIHOODS, GUIDES])
def test_every_family_has_a_case(kind: str) -> None:
    assert case_names(kind) == sorted(names(kind))


def refusals(**changes: Any) -> list[str]:
    """The codes of what is refused, each with what to do instead."""
    with pytest.raises(EmitError) as caught:
        emit(**changes)
    assert all(problem.suggestion for problem in caught.value.problems)
    return [problem.code for problem in caught.value.problems]


def test_the_forbidden_combinations_are_refused() -> None:
    guides = {name: read_case(GUIDES, name)["guide"] for name in case_names(GUIDES)}
    for guide in guides.values():
        assert refusals(engine="nuts", guide=guide) == ["PYR402"]
        assert refusals(engine="ensemble", guide=guide) == ["PYR402"]
    for name, guide in guides.items():
        for engine in ENGINES:
            if name == "AutoNormal" and engine != "svi":
                continue
            elbo = {"local_reparametrization": True}
            assert refusals(engine=engine, guide=guide, elbo=elbo) == ["PYR403"]
    learning = [name for name in case_names(LIKELIHOODS) if learns(name)]
    assert learning
    for name in learning:
        assert refusals(engine="nuts", **read_case(LIKELIHOODS, name)) == ["PYR402"]


OWN_DATA = {"source": "models.data:load"}

VARIANTS: dict[str, dict[str, Any]] = {
    "npz": {"data": {"source": "rows.npz", "inputs": ["a", "b"]}},
    "npz_by_name": {"data": {"source": "rows.npz", "inputs": {"first": "a", "second": "b"}}},
    "csv": {"data": {"source": "rows.csv"}},
    "csv_by_name": {"data": {"source": "rows.csv", "inputs": {"x": "a"}}},
    "sklearn_by_name": {"data": {"source": "sklearn:iris", "inputs": {"x": "a"}}},
    "csv_columns": {"data": {"source": "rows.csv", "inputs": ["a", "b"], "targets": ["c"]}},
    "parquet": {"data": {"source": "rows.parquet", "inputs": ["a", "b"]}},
    "sklearn": {"data": {"source": "sklearn:diabetes", "standardize": "none"}},
    "pixels": {"data": {"source": "sklearn:digits", "standardize": "together"}},
    "function": {"data": {"source": "models.data:load", "shape": [3]}},
    "function_by_name": {"data": {"source": "models.data:load", "inputs": ["a"]}},
    "shapes": {"data": {"source": "synthetic", "shape": [[3], [2, 4]]}},
    "from_checkpoint": {"guide": {"init": "weights/trained.pt"}},
    "from_prior": {"guide": {"init": "prior"}},
    "from_zero": {"guide": {"init": "zero"}, "engine": "svi"},
    "constant": {"optimizer": {"schedule": "constant", "clip_norm": 0}},
    "linear": {"optimizer": {"schedule": "linear", "name": "SGD"}},
    "exponential": {"optimizer": {"schedule": "exponential"}},
    "svi_constant": {"optimizer": {"schedule": "constant", "clip_norm": 0}, "engine": "svi"},
    "svi_linear": {"optimizer": {"schedule": "linear"}, "engine": "svi"},
    "svi_exponential": {"optimizer": {"schedule": "exponential"}, "engine": "svi"},
    "warmup": {"elbo": {"kl_warmup": 10, "particles": 3, "kl_weight": 0.1}},
    "warmup_lightning": {"elbo": {"kl_warmup": 10}, "engine": "lightning"},
    "everywhere": {"elbo": {"local_reparametrization": "everywhere"}},
    "plain_kl": {"elbo": {"local_reparametrization": False, "particles": 2}},
    "src_layout": {"model": {"class": "a.b:C", "path": ["src", "."]}, "output": "tools/fit.py"},
    "long_names": {
        "model": {
            "class": "some_long_package.another_long_module:ANetworkWithAVeryLongName",
            "kwargs": {f"a_long_keyword_argument_{i}": [1, 2, "three, four"] for i in range(5)},
        },
        "output": "a_script_with_a_long_name_of_its_own.py",
    },
    "nuts": {"engine": "nuts", "nuts": {"samples": 10, "warmup": 5}},
    "arviz": {"arviz": True},
    "arviz_nuts": {"arviz": True, "engine": "nuts"},
    "lightning_constant": {
        "engine": "lightning",
        "optimizer": {"schedule": "constant", "clip_norm": 0},
        "data": {"source": "synthetic", "validation": 0},
    },
    "lightning_logger": {"engine": "lightning", "logger": "csv", "choose": "last"},
    "lightning_several": {"engine": "lightning", "devices": "several"},
    **{
        f"lean_{engine}": {"engine": engine, "leave_out": ["baseline", "export", "plots"]}
        for engine in ("torch", "svi", "lightning", "nuts", "ensemble", "laplace")
    },
    "laplace": {
        "engine": "laplace",
        "laplace": {"structure": "full", "sites": "net.*", "prior": "evidence", "draws": 50},
    },
    "laplace_constant": {"engine": "laplace", "optimizer": {"schedule": "constant"}},
    "ensemble_unclipped": {"engine": "ensemble", "optimizer": {"clip_norm": 0}},
    "at_once": {"elbo": {"kl_warmup": 0}},
    "at_once_lightning": {"elbo": {"kl_warmup": 0}, "engine": "lightning"},
    "lean_several": {"devices": "several", "leave_out": ["export"]},
    "lean_classes": {"likelihood": {"family": "categorical"}, "leave_out": ["plots"]},
    "lean_density": {
        "likelihood": {"family": "mixture_density"},
        "leave_out": ["plots", "baseline"],
    },
    "steps_auto": {"epochs": None, "data": {"source": "rows.csv"}},
    "steps": {
        "epochs": None,
        "steps": 5000,
        "patience": 3,
        "data": {"source": "rows.npz", "validation": 0.1},
    },
    **{
        f"own_{engine}": {"engine": engine, "likelihood": "own", "data": OWN_DATA}
        for engine in ("torch", "svi", "lightning", "nuts")
    },
    "factor": {"likelihood": {"factor": "models.mlp:evidence"}, "data": OWN_DATA},
    "factor_several": {
        "likelihood": {"factor": "models.networks:Model"},  # a name that the script has too
        "data": OWN_DATA,
        "devices": "several",
    },
    **{
        f"factor_{kind}": {
            "likelihood": {"factor": "models.mlp:evidence"},
            "data": {"source": source},
            "leave_out": ["export"],
        }
        for kind, source in {
            "npz": "rows.npz",
            "csv": "rows.csv",
            "parquet": "rows.parquet",
            "sklearn": "sklearn:iris",
        }.items()
    },
    **{
        f"{family}_{gives}": {"likelihood": {"family": family, "gives": gives}}
        for family in names(LIKELIHOODS)
        for gives in getattr(facts(LIKELIHOODS, family), "gives", ())
    },
    "parts": {
        "likelihood": {"family": "heteroskedastic", "output": {"mean": "m", "sd": [1, "sd"]}}
    },
    "kept": {"data": {"source": "models.data:load", "form": "kept"}},
    "stream": {"data": {"source": "models.data:load", "stream": True, "rows": 5000}},
    "csv_stream": {"data": {"source": "rows.csv", "stream": True, "inputs": ["a", "b"]}},
    "parquet_stream": {
        "data": {"source": "rows.parquet", "stream": True, "rows": 10_000_000},
        "likelihood": {"family": "categorical"},
    },
    "counted": {
        "likelihood": {"factor": "models.mlp:evidence"},
        "data": {"source": "models.data:load", "count": "a_rather_long_name_of_a_mask", "rows": 9},
    },
    "one_output": {"likelihood": {"family": "beta", "output": [0]}},
    "one_column": {"data": {"source": "rows.csv", "inputs": ["a"]}},
}


def test_variants_are_as_ruff_leaves_them(tmp_path: Path) -> None:
    for name, changes in VARIANTS.items():
        emitted = emit(**changes)
        path = tmp_path / name / Path(emitted.path).name
        path.parent.mkdir()
        path.write_text(emitted.script)
        path.with_name(f"test_{path.name}").write_text(emitted.test)
    assert_tidy(list(tmp_path.rglob("*.py")))


def test_scripts_are_short() -> None:
    lengths = {
        **{
            combination: len(emit_combination(*combination).splitlines())
            for combination in combinations()
        },
        **{name: len(emit(**changes).script.splitlines()) for name, changes in VARIANTS.items()},
    }
    assert max(lengths.values()) <= 300, max(lengths, key=lambda name: lengths[name])
    assert lengths["steps_auto"] <= 200  # a regression on a table, with the defaults


def write_combinations(folder: Path, part: slice) -> dict[tuple[str, str, str], Path]:
    """The scripts of some combinations, in a copy of the project that they train."""
    lay_out_project(folder)
    written = {}
    for combination in list(combinations())[part]:
        path = folder / f"{'_'.join(filter(None, combination))}.py"
        path.write_text(emit_combination(*combination))
        written[combination] = path
    return written


def test_the_text_is_as_ruff_leaves_it(tmp_path: Path) -> None:
    assert_tidy(list(write_combinations(tmp_path, slice(None)).values()))


OWN = [
    "a",
    "a_script_with_a_long_name_of_its_own",
    "fit",
    "models",
    "some_long_package",
    "svi_runtime",
    "train_svi",
]
CHECKS = [
    "--isolated",
    "--select=E,F,I,UP,B,SIM,RUF",
    f"--config=lint.isort.known-first-party={OWN}",  # as it is in the project's own folder
]


def assert_tidy(paths: list[Path]) -> None:
    files = list(map(str, paths))
    ruff = [sys.executable, "-m", "ruff"]
    formatted = subprocess.run(
        [*ruff, "format", "--isolated", "--diff", *files], capture_output=True, text=True
    )
    assert formatted.returncode == 0, formatted.stdout[:3000]
    checked = subprocess.run(
        [*ruff, "check", *CHECKS, *files],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout[:3000]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARALLEL_PARTS))
def test_combinations_train(part: int, tmp_path: Path) -> None:
    failures = []
    scripts = write_combinations(tmp_path, slice(part, None, PARALLEL_PARTS))
    for combination, path in scripts.items():
        out = path.with_suffix("")
        flags = ["--smoke", "--batch-size=256"]  # one step in each of two epochs
        if combination[0] != "torch":
            flags.append("--no-baseline")
        try:
            ran = run_main(load_module(path), *flags, f"--out={out}")
        except Exception as error:
            failures.append((combination, repr(error)))
            continue
        if ran.code:
            failures.append((combination, ran.err))
            continue
        results = json.loads((out / "smoke" / "results.json").read_text())
        if not math.isfinite(results["posterior"]["nll"]):
            failures.append((combination, str(results)))
    assert not failures


def test_a_bernoulli_may_have_several_columns(tmp_path: Path) -> None:
    lay_out_project(tmp_path)
    model = {"class": "models.networks:MLP", "kwargs": {"in_size": 3, "hidden": 4, "out_size": 2}}
    (tmp_path / "train_svi.py").write_text(
        emit(model=model, likelihood={"family": "bernoulli"}).script
    )
    ran = run_main(load_module(tmp_path / "train_svi.py"), "--samples=5", "--no-baseline")
    assert ran.code == 0, ran.err
    scores = json.loads((tmp_path / "runs/train_svi/results.json").read_text())["posterior"]
    assert 0 < scores["nll"] < 5
    assert 0 <= scores["accuracy"] <= 1
