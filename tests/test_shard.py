"""Shares of a project: together they say what a single run says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pyroify.api import accepted_codes, carry_out
from pyroify.cli import main
from pyroify.lock import parse_lock
from pyroify.pipeline import Outcome
from pyroify.report.run import Report, exit_code, in_shard, make_report
from pyroify.shard import Shard, parse_shard
from pyroify.workspace import open_settled, with_spec

SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
  - match: "Gone.weight"
    sample: Normal(0, 2)
"""
NET = """\
from torch import nn
{imports}

class {name}({base}):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.inner = {inner}

    def forward(self, x):
        return self.layer(x)
"""


def project(count: int = 12) -> dict[str, str]:
    """Classes that hold and derive from those of other files, a script, a file with a fault."""
    files = {"pyroify.yaml": SPEC}
    for n in range(count):
        above = f"from net{n - 1} import Net{n - 1}\n" if n else ""
        base, inner = ("nn.Module", f"Net{n - 1}()") if n % 2 else (f"Net{n - 1}", "None")
        files[f"net{n}.py"] = NET.format(
            name=f"Net{n}",
            imports=above,
            base=base if n else "nn.Module",
            inner=inner if n else "None",
        )
    files["broken.py"] = "import torch\nx = (\n"
    files["train.py"] = (
        "import torch\nfrom net3 import Net3\n\nnet = Net3()\n"
        "torch.optim.Adam(net.parameters()).step()\n"
    )
    return files


def reports(root: Path, count: int) -> tuple[tuple[Report, Outcome], list[tuple[Report, Outcome]]]:
    """The report of a single run, and those of all shares."""
    opened, _ = open_settled([root], None)
    narrowed, spec = with_spec(opened)

    def report(shard: Shard | None) -> tuple[Report, Outcome]:
        outcome = carry_out(narrowed, spec, shard=shard)
        made = make_report(narrowed, spec, outcome, accepted_codes(False))
        return (in_shard(made, shard) if shard else made), outcome

    return report(None), [report(Shard(n, count)) for n in range(1, count + 1)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_union_of_the_shares_is_the_single_run(lay_out: Callable, count: int) -> None:
    (whole, outcome), shares = reports(lay_out(project()), count)
    assert len(whole.changed) > 8
    assert {finding.code for finding in whole.findings} >= {"PYR010", "PYR150", "PYR203"}
    for what in ("classes", "results", "findings", "pending", "trainings"):
        parts = [getattr(report, what) for report, _ in shares]
        together = [item for part in parts for item in part]
        # Each in one share alone.
        assert sorted(map(repr, together)) == sorted(map(repr, getattr(whole, what))), what
    assert exit_code(whole, would_change=True) == max(
        exit_code(report, would_change=True) for report, _ in shares
    )
    assert outcome.lock is not None
    entries = [parse_lock(made.lock.after).entries for _, made in shares if made.lock]
    assert frozenset().union(*entries) == parse_lock(outcome.lock.after).entries


def test_lines_of_the_lock_go_where_their_files_are(lay_out: Callable) -> None:
    files = {name: text for name, text in project(6).items() if name.startswith(("net", "pyro"))}
    root = lay_out({**files, "pyroify.yaml": SPEC.partition('  - match: "Gone')[0]})
    (_, outcome), _ = reports(root, 1)
    assert outcome.lock is not None
    lay_out({result.path: result.after for result in outcome.changes})
    (root / "pyroify.lock").write_bytes(outcome.lock.after)
    (whole, _), shares = reports(root, 4)
    assert whole.lock is None
    assert all(report.lock is None for report, _ in shares)
    (root / "net5.py").unlink()  # its lines go
    (whole, _), shares = reports(root, 4)
    assert whole.lock is not None
    assert [report.lock is not None for report, _ in shares] == [
        "net5.py" in Shard(n, 4) for n in range(1, 5)
    ]


def test_a_share_is_told_by_the_path_alone() -> None:
    paths = [f"models/net{n}.py" for n in range(1000)]
    shares = [[path for path in paths if path in Shard(n, 4)] for n in range(1, 5)]
    assert sorted(path for share in shares for path in share) == sorted(paths)
    assert all(200 < len(share) < 300 for share in shares)
    # Another hash would have machines with different versions leave files out.
    assert [path for path in paths[:8] if path in Shard(1, 4)] == ["models/net0.py"]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="is no share"):
        parse_shard(text)


@pytest.mark.parametrize(
    "options",
    [
        ["--shard", "1/2"],
        ["--shard", "3/2", "--check"],
        ["--shard", "1/2", "--check", "--verify"],
        ["--shard", "1/2", "--check", "--baseline", "known"],
        ["--shard", "1/2", "--check", "--min-coverage", "80"],
    ],
)
def test_what_a_share_cannot_do(
    lay_out: Callable, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    root = lay_out(project(2))
    monkeypatch.chdir(root)
    with pytest.raises(SystemExit) as ended:
        main(["rewrite", *options])
    assert ended.value.code == 2
    assert "PyroModule" not in (root / "net0.py").read_text()


def test_the_command(
    lay_out: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = lay_out({**project(6), "broken.py": "x = 1\n"})
    monkeypatch.chdir(root)
    seen: list[str] = []
    for share in ("1/2", "2/2"):
        with pytest.raises(SystemExit):
            main(["rewrite", "--check", "--shard", share, "--format", "json", "-q"])
        document = json.loads(capsys.readouterr().out)
        seen += [entry["path"] for entry in document["files"]]
    assert sorted(seen) == [f"net{n}.py" for n in range(6)]
    assert "PyroModule" not in (root / "net0.py").read_text()
