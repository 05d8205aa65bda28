"""Every likelihood, guide and engine: emitted, laid out as the formatter would, run two steps."""

import itertools
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from emit_cases import PROJECT, case_names, emit, load_module, read_case, run_main

from pyroify.emit.family import GUIDES, LIKELIHOODS, names

ENGINES = ("torch", "svi", "lightning")
LEARNED = ("censored_weibull", "multivariate_normal", "ordinal", "student_t")
"""Cases with a learned quantity, which NUTS refuses."""
PARALLEL_PARTS = 8


def combinations() -> Iterator[tuple[str, str, str]]:
    """Engine, likelihood and guide; ``nuts`` has no guide."""
    yield from itertools.product(ENGINES, case_names(LIKELIHOODS), case_names(GUIDES))
    yield from (("nuts", name, "") for name in case_names(LIKELIHOODS) if name not in LEARNED)


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


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Path]:
    """All combinations, in a copy of the project that they train."""
    folder = tmp_path_factory.mktemp("combinations")
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    written = {}
    for combination in combinations():
        path = folder / f"{'_'.join(filter(None, combination))}.py"
        path.write_text(emit_combination(*combination))
        written[combination] = path
    return written


def test_the_text_is_as_ruff_leaves_it(scripts: dict[tuple[str, str, str], Path]) -> None:
    files = [str(path) for path in scripts.values()]
    ruff = [sys.executable, "-m", "ruff"]
    formatted = subprocess.run(
        [*ruff, "format", "--isolated", "--diff", *files], capture_output=True, text=True
    )
    assert formatted.returncode == 0, formatted.stdout[:3000]
    checked = subprocess.run(
        [*ruff, "check", "--isolated", "--select", "E,F,I,UP,B,SIM,RUF", *files],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout[:3000]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARALLEL_PARTS))
def test_combinations_train(part: int, scripts: dict[tuple[str, str, str], Path]) -> None:
    failures = []
    for combination, path in itertools.islice(scripts.items(), part, None, PARALLEL_PARTS):
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
