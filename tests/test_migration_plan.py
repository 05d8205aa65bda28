"""What the plan says of scripts that lift modules, beyond what the fixtures show."""

from __future__ import annotations

from pathlib import Path

from conftest import LayOut
from test_interpret import table

from pyroify.diagnostics import Finding
from pyroify.pipeline import Outcome, rewrite_project
from pyroify.spec.load import parse_spec

NETS = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""
MODEL = """\


def model(x):
    priors = {"fc.weight": dist.Normal(0.0, 0.25).expand([1, 3])}
    lifted = pyro.random_module("module", net, priors)
    return lifted()(x)
"""
IMPORTS = "import pyro\nimport pyro.distributions as dist\nfrom nets import Net\n\n"
SCRIPT = f"{IMPORTS}net = Net()\n{MODEL}"
ALL = "version: 1\npriors:\n  - {match: '**', sample: 'Normal(0, 1)'}\n"
NOTHING = "version: 1\npriors: []\n"


def rewrite(root: Path, spec: str, selected: list[str] | None = None) -> Outcome:
    files = sorted(path.name for path in root.glob("*.py"))
    return rewrite_project(root, files, parse_spec(spec, "pyroify.yaml"), selected)


def only(outcome: Outcome) -> Finding:
    (finding,) = outcome.findings
    return finding


def changed(outcome: Outcome) -> list[str]:
    return [result.path for result in outcome.changes]


def test_class_in_a_file_that_was_not_given(lay_out: LayOut) -> None:
    root = lay_out({"nets.py": NETS, "train.py": SCRIPT})
    outcome = rewrite(root, ALL, ["train.py"])
    assert (only(outcome).code, changed(outcome)) == ("PYR221", [])
    assert "nets.py" in only(outcome).message


def test_class_converted_before(lay_out: LayOut) -> None:
    root = lay_out({"nets.py": NETS})
    (made,) = rewrite(root, ALL).changes
    assert made.after is not None
    lay_out({"nets.py": made.after, "train.py": SCRIPT})
    outcome = rewrite(root, ALL, ["train.py"])
    assert changed(outcome) == ["train.py"]
    assert only(outcome).code == "PYR066"


def test_help_is_the_rule_that_brings_the_prior_back(lay_out: LayOut) -> None:
    root = lay_out({"nets.py": NETS, "train.py": SCRIPT})
    rule = '{match: "Net.fc.weight", sample: "Normal(0, 0.25)"}'
    assert rule in only(rewrite(root, ALL)).help
    assert not rewrite(root, f"{ALL}  - {rule}\n").findings


def test_help_of_what_stays_is_the_rules_to_write(lay_out: LayOut) -> None:
    root = lay_out({"nets.py": NETS, "train.py": SCRIPT + "\n\nprint(net.fc)\n"})
    finding = only(rewrite(root, NOTHING))
    assert finding.code == "PYR043"
    assert '{match: "Net.fc.weight", sample: "Normal(0, 0.25)"}' in finding.help


def test_module_that_another_file_imports(lay_out: LayOut) -> None:
    user = "from train import net\n\nimport torch\n\nprint(net(torch.zeros(3)))\n"
    root = lay_out({"nets.py": NETS, "train.py": SCRIPT, "show.py": user})
    outcome = rewrite(root, NOTHING)
    assert "show.py imports it" in only(outcome).message
    assert changed(outcome) == []


def test_module_that_is_imported(lay_out: LayOut) -> None:
    root = lay_out(
        {
            "nets.py": f"{NETS}\n\nnet = Net()\n",
            "train.py": IMPORTS.replace("Net", "net") + MODEL,
        }
    )
    assert "is not made by one statement" in only(rewrite(root, NOTHING)).message
    assert changed(rewrite(root, ALL)) == ["nets.py", "train.py"]


STAYS = {
    "a prior of something without a name": (
        '{"fc weight": dist.Normal(0.0, 1.0)}',
        "lifted()(x)",
        "'fc weight' is no parameter",
    ),
    "priors in a loop over another network": (
        "{name: dist.Normal(0.0, 1.0) for name, p in other.named_parameters()}",
        "lifted()(x)",
        "its priors are not made in a loop over net.named_parameters()",
    ),
    "a lifted network that is called twice": (
        "lambda name, shape: dist.Normal(0.0, 1.0).expand(shape)",
        "lifted()(x) + lifted()(x)",
        "it is handed on, and not called once in the same function",
    ),
    "one that is returned": (
        "lambda name, shape: dist.Normal(0.0, 1.0).expand(shape)",
        "lifted",
        "what it gives is handed on instead of called",
    ),
}


def lifting(priors: str, use: str = "lifted()(x)") -> str:
    """A script that lifts a network with these priors."""
    return f"""\
{IMPORTS}net = Net()


def model(x):
    lifted = pyro.random_module("module", net, {priors})
    return {use}
"""


@table(STAYS)
def test_what_stays_says_why(row: tuple[str, str, str], lay_out: LayOut) -> None:
    priors, use, why = row
    root = lay_out({"nets.py": NETS, "train.py": lifting(priors, use)})
    finding = only(rewrite(root, ALL))
    assert finding.code == "PYR043"
    assert finding.message == f"pyro.random_module of net stays: {why}"


def test_priors_may_be_draws(lay_out: LayOut) -> None:
    """A tutorial drew in the function, of which only the distribution counts."""
    draw = "lambda name, shape: pyro.sample(name, dist.Normal(0.0, 1.0).expand(shape))"
    root = lay_out({"nets.py": NETS, "train.py": lifting(draw)})
    outcome = rewrite(root, ALL)
    assert (outcome.findings, changed(outcome)) == ((), ["nets.py", "train.py"])


def test_exact_numbers_are_kept(lay_out: LayOut) -> None:
    script = SCRIPT.replace("0.25", "0.12345678901")
    root = lay_out({"nets.py": NETS, "train.py": script})
    (made,) = rewrite(root, NOTHING).changes
    assert b"dist.Normal(0.0, 0.12345678901)" in (made.after or b"")


def test_two_statements_on_a_line(lay_out: LayOut) -> None:
    script = SCRIPT.replace("priors)\n    return", "priors); y = 1\n    return")
    root = lay_out({"nets.py": NETS, "train.py": script})
    outcome = rewrite(root, NOTHING)
    assert (only(outcome).code, changed(outcome)) == ("PYR043", [])
