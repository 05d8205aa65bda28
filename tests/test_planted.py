"""`verify` finds the faults of tests/planted.yaml, each in a rewritten file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pyroify.pipeline import rewrite_project
from pyroify.spec.load import load_spec
from pyroify.verify import PlannedClasses, Target, VerifyResult, render_results, verify

pytestmark = pytest.mark.slow

PLANTED: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("planted.yaml").read_text())
ORIGINALS: dict[str, str] = PLANTED["originals"]
FAULTS: list[dict[str, str]] = PLANTED["faults"]


def stem(number: int) -> str:
    return f"fault_{number}"


def name(number: int) -> str:
    return FAULTS[number]["fault"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, VerifyResult]:
    """Each class as it is rewritten, and with each of its faults, all in one child process."""
    folder = tmp_path_factory.mktemp("planted")
    before, after = folder / "before", folder / "after"
    sources = {name: ORIGINALS[name] for name in ORIGINALS}
    sources |= {stem(number): ORIGINALS[fault["of"]] for number, fault in enumerate(FAULTS)}
    for root in (before, after):
        root.mkdir()
        for name, text in sources.items():
            (root / f"{name}.py").write_text(text)
    (folder / "pyroify.yaml").write_text(PLANTED["spec"])
    spec = load_spec(folder / "pyroify.yaml")
    files = tuple(f"{name}.py" for name in sources)
    outcome = rewrite_project(after, files, spec)
    for change in outcome.changes:
        (after / change.path).write_bytes(change.after or b"")
    for number, fault in enumerate(FAULTS):
        file = after / f"{stem(number)}.py"
        text = file.read_text()
        assert fault["was"] in text, f"{fault['fault']} cannot be planted in\n{text}"
        file.write_text(text.replace(fault["was"], fault["becomes"], 1))
    targets = [Target(name, name, f"{name}.py") for name in ORIGINALS]
    targets += [
        Target(stem(number), fault["of"], f"{stem(number)}.py")
        for number, fault in enumerate(FAULTS)
    ]
    planned = PlannedClasses(spec, outcome.plan.classes, frozenset(files))
    made = verify(before, after, targets, timeout=600, planned=planned)
    return {result.path.removesuffix(".py"): result for result in made}


@pytest.mark.parametrize("name", ORIGINALS)
def test_what_is_right_is_equal(results: dict[str, VerifyResult], name: str) -> None:
    assert (results[name].status, results[name].reason) == ("equal", "")


@pytest.mark.parametrize(
    "number", [n for n, fault in enumerate(FAULTS) if "said" in fault], ids=name
)
def test_a_fault_is_found(results: dict[str, VerifyResult], number: int) -> None:
    result = results[stem(number)]
    assert result.status in ("different", "failed"), result
    lines = render_results([result]).split("\n")
    assert any(FAULTS[number]["said"] in line for line in lines), lines


@pytest.mark.parametrize(
    "number", [n for n, fault in enumerate(FAULTS) if "missed" in fault], ids=name
)
def test_what_is_missed_is_written_down(results: dict[str, VerifyResult], number: int) -> None:
    assert results[stem(number)].status == "equal"


def test_there_are_enough_of_them_and_each_is_another() -> None:
    assert len({fault["fault"] for fault in FAULTS}) == len(FAULTS) >= 60
    assert sum("missed" in fault for fault in FAULTS) <= 2
