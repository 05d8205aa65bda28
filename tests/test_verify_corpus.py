"""The counts and the verdict of ``make corpus``, without its downloads."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pyroify.decide.model import ClassPlan, Plan
from pyroify.diagnostics import Finding
from pyroify.pipeline import Outcome
from pyroify.program.faults import FAULT
from pyroify.verify import VerifyResult

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def corpus() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("corpus_of_benchmarks", BENCHMARKS / "corpus.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARKS))
    del sys.modules[spec.name]


def planned(name: str, status: str, *codes: str) -> ClassPlan:
    findings = tuple(Finding("a.py", 1, 1, code, "message") for code in codes)
    return ClassPlan("a", name, "a.py", 1, 1, status, findings=findings)


OUTCOME = Outcome(
    Plan(
        (
            planned("Equal", "converted"),
            planned("Different", "converted", "PYR022"),
            planned("Failed", "converted"),
            planned("Unimportable", "converted"),
            planned("Unbuildable", "converted"),
            planned("Plain", "unchanged"),
            planned("Lazy", "refused", "PYR038", "PYR302"),
        ),
        findings=(Finding("b.py", 1, 1, FAULT, "could not be rewritten"),),
    ),
    (),
)
RESULTS = (
    VerifyResult("a:Equal", "a.py", "equal"),
    VerifyResult("a:Different", "a.py", "different"),
    VerifyResult("a:Failed", "a.py", "failed"),
    VerifyResult(
        "a:Unimportable",
        "a.py",
        "not_verified",
        "cannot be imported: ModuleNotFoundError: No module named 'timm.layers'",
    ),
    VerifyResult("a:Unbuildable", "a.py", "not_verified", "cannot be built"),
)


def test_counts_of_a_package(corpus):
    row = corpus.make_row("a", "1.0", OUTCOME, RESULTS)
    assert (row.classes, row.converted, row.refused) == (7, 6, 1)
    assert (row.built, row.equal, row.wrong) == (3, 1, 2)
    assert (row.not_built, row.not_importable, row.crashes) == (1, 1, 1)
    assert row.missing_imports == {"timm": 1}
    assert row.refused_by_code == {"PYR038": 1}


def row(corpus, **counts):
    numbers = dict.fromkeys(
        ("classes", "converted", "refused", "built", "equal", "wrong", "not_built"), 0
    ) | {"not_importable": 0, "crashes": 0}
    return corpus.Row("a", "1.0", **(numbers | counts), refused_by_code={}, missing_imports={})


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"classes": 100, "converted": 95, "built": 100, "equal": 97}, 0),
        ({"classes": 100, "converted": 94, "built": 100, "equal": 100}, 1),
        ({"classes": 100, "converted": 100, "built": 100, "equal": 96}, 1),
        ({"classes": 100, "converted": 100, "built": 100, "equal": 99, "wrong": 1}, 1),
        ({"classes": 100, "converted": 100, "built": 100, "equal": 100, "crashes": 1}, 1),
    ],
)
def test_exit_code_says_whether_the_bars_are_held(corpus, counts, code):
    assert corpus.judge([row(corpus, **counts)]) == code


def test_builds_are_python_and_the_first_pattern_decides(corpus):
    import corpus_builds

    for _, code in corpus_builds.CODE:
        compile(code, "build", "exec")
    assert "region_feature" in corpus_builds.build_of("deepctr_torch.models.mlr:MLR").code
    assert corpus_builds.build_of("siren_pytorch.siren_pytorch:Siren").is_guessed


def test_stand_ins_can_be_imported_and_subclassed_but_not_made():
    code = """
import torchvision.models.resnet as resnet
from torchvision import transforms
class Mine(transforms.Compose): pass
Mine()
try:
    resnet.resnet18()
except ModuleNotFoundError as error:
    print(error)
import no_such_package
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(BENCHMARKS / "stand_ins")},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "resnet18 is only stood in for\n"
    assert "No module named 'no_such_package'" in done.stderr
