"""The generator of programs and its oracle; a few programs, and faults that are planted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("pyro")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.fuzz.forms import all_forms  # noqa: E402
from benchmarks.fuzz.make import PLAINEST, SHAPES, make_program, make_simple  # noqa: E402
from benchmarks.fuzz.oracle import Verdict, judge  # noqa: E402
from benchmarks.fuzz.pool import judge_in_child, warm_up  # noqa: E402
from benchmarks.fuzz.program import Program, Target, load, save  # noqa: E402
from benchmarks.fuzz.shrink import shrink  # noqa: E402

NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, d=4):
        super().__init__()
        self.fc = nn.Linear(d, d)
        self.scale = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return torch.tanh(self.fc(x)) * self.scale
"""
KEEP_SCALE = PLAINEST + '  - match: "Net.scale"\n    keep: true\n'
POSITIVE = PLAINEST + '  - match: "Net.scale"\n    param: positive\n'


def program_of(text: str, spec: str = PLAINEST) -> Program:
    return Program({"net.py": text.encode()}, (Target("net.py", "Net", "Net()"),), spec, "test")


def replace(old: str, new: str) -> Callable[[Path], None]:
    """What plants a fault in the rewritten file, in the last place that has ``old``."""

    def tamper(root: Path) -> None:
        file = root / "net.py"
        text = file.read_text()
        assert old in text, text
        before, _, after = text.rpartition(old)
        file.write_text(f"{before}{new}{after}")

    return tamper


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """So that every child starts with all modules loaded."""
    warm_up()


def test_a_right_rewrite_has_no_fault() -> None:
    verdict = judge_in_child(program_of(NET))
    assert not verdict.faults
    assert (verdict.targets, verdict.sites, verdict.exit_code) == (1, 3, 0)


PRIOR = "PyroSample(dist.Normal(0.0, 1.0).expand([d]).to_event(1))"


@pytest.mark.parametrize(
    ("spec", "old", "new", "kind", "message"),
    [
        (PLAINEST, PRIOR, "nn.Parameter(torch.ones(d))", "silent", "stays a parameter"),
        (PLAINEST, f"self.scale = {PRIOR}", "self.scale = torch.ones(d)", "silent", "is gone"),
        (PLAINEST, PRIOR, PRIOR.replace("1.0", "2.0"), "silent", "is drawn from"),
        (PLAINEST, PRIOR, PRIOR.replace("Normal", "Laplace"), "silent", "is drawn from"),
        (PLAINEST, PRIOR, PRIOR.replace("[d]", "[1]"), "silent", "event shape"),
        (PLAINEST, PRIOR, PRIOR.replace("1))", "0))"), "silent", "batch shape"),
        (PLAINEST, "(self.fc(x)) *", "(self.fc(x)) +", "silent", "output differs"),
        (PLAINEST, PRIOR, "PyroSample(dist.Nor(0))", "crash_rewritten", "construct"),
        (PLAINEST, "import torch\n", "import torchh\n", "crash_rewritten", "import"),
        (PLAINEST, "self.fc(x)", "self.fd(x)", "crash_rewritten", "forward"),
        (PLAINEST, "return torch", "return return torch", "crash_rewritten", "does not compile"),
        (PLAINEST, "\n\n\n", "\r\n\r\n\r\n", "line_ends", "became"),
        (KEEP_SCALE, "nn.Parameter(torch.ones(d))", PRIOR, "silent", "though the spec keeps it"),
        (
            KEEP_SCALE,
            "nn.Parameter(torch.ones(d))",
            "nn.Parameter(torch.zeros(d))",
            "silent",
            "starts at another value",
        ),
        (
            KEEP_SCALE,
            "nn.Parameter(torch.ones(d))",
            "nn.Parameter(torch.ones(d), requires_grad=False)",
            "silent",
            "requires_grad changed",
        ),
        (POSITIVE, "constraints.positive", "constraints.real", "silent", "has the constraint"),
        (POSITIVE, "torch.ones(d),", "2 * torch.ones(d),", "silent", "starts at another value"),
    ],
)
def test_planted_faults_are_found(spec: str, old: str, new: str, kind: str, message: str) -> None:
    steps = frozenset({"compare"} if "output" in message else ())
    verdict = judge_in_child(program_of(NET, spec), steps, tamper=replace(old, new))
    assert any(f.kind == kind and message in f.message for f in verdict.faults), verdict.faults


def test_a_program_is_the_same_whatever_the_hashes() -> None:
    code = (
        "from benchmarks.fuzz.make import make_program\n"
        "from hashlib import sha256\n"
        "files = [make_program(f'x/{n}').files for n in range(12)]\n"
        "print(sha256(repr([sorted(f.items()) for f in files]).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_every_form_makes_programs_that_compile() -> None:
    for name in (*all_forms(), *(f"shape.{shape}" for shape in SHAPES)):
        for number in range(3):
            for path, data in make_simple(name, f"compile/{number}").files.items():
                compile(data, path, "exec", dont_inherit=True)


def test_a_saved_program_is_read_back(tmp_path: Path) -> None:
    program = make_program("save/1")
    save(program, tmp_path)
    again = load(tmp_path)
    assert dict(again.files) == dict(program.files)
    assert (again.targets, again.seed, again.forms) == (
        program.targets,
        program.seed,
        program.forms,
    )


def test_a_failing_program_is_made_small() -> None:
    head, _, tail = NET.rpartition("        self.scale")
    other = "        self.other = nn.Linear(d, d)\n"
    tamper = replace(PRIOR, "torch.ones(d)")

    def judge_tampered(program: Program, steps: frozenset[str]) -> Verdict:
        try:
            return judge(program, steps, tamper)
        except AssertionError:
            return Verdict()

    program = program_of(f"{head}{other}        self.scale{tail}")
    fault = judge(program, tamper=tamper).faults[0]
    text = shrink(program, fault, judge_tampered).files["net.py"]
    assert b"scale" in text
    assert b"other" not in text


@pytest.mark.slow
@pytest.mark.parametrize("number", range(17))
def test_programs_are_rewritten_rightly(number: int) -> None:
    program = make_program(f"0/{number}")
    verdict = judge_in_child(program)
    assert not verdict.not_built
    assert not verdict.faults, (verdict.faults, verdict.spec)
