"""The first spec: what `init` writes loads, and no line that it writes or offers is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import LayOut, Run
from test_fixtures import FIXTURES, Case

from pyroify import planning
from pyroify.decide.model import Plan
from pyroify.diagnostics import lookup
from pyroify.pipeline import survey
from pyroify.report.offers import OF_RULES
from pyroify.report.starter import default_spec, render_starter
from pyroify.spec.load import parse_spec

OFFERED = re.compile(r"^  #   (- match: .*)\n((?:  #     \w.*\n)*)", re.MULTILINE)
AREAS = sorted(path.name for path in FIXTURES.iterdir())


def cases(area: str) -> Iterator[Case]:
    for path in sorted((FIXTURES / area).glob("*.in*")):
        yield Case(path.parent, path.name.removesuffix(".py").removesuffix(".in"), path.is_dir())


def offers(text: str) -> Iterator[str]:
    """The offered rules, each as it is once it is copied and, where need be, given a prior."""
    found = text.partition("What was found.")[2]
    for match, action in OFFERED.findall(found.partition("  #\n")[2]):
        said = "".join(f"    {line.strip('# ')}\n" for line in action.splitlines())
        yield f"  {match}\n{said or '    sample: Normal(0, 0.5)' + chr(10)}"


def refusals(plan: Plan) -> set[str]:
    found = (*plan.findings, *(f for entry in plan.classes for f in entry.findings))
    return {
        f"{finding.path}:{finding.line} {finding.code} {finding.message}"
        for finding in found
        if finding.code in OF_RULES or lookup(finding.code).severity != "warning"
    }


@pytest.mark.parametrize("area", AREAS)
def test_nothing_it_writes_or_offers_is_refused(area: str, lay_out: LayOut, tmp_path: Path) -> None:
    """Of each sixth case, as each offer is planned for by itself."""
    for case in list(cases(area))[::6]:
        root = tmp_path / case.stem
        lay_out({f"{case.stem}/{path}": source for path, source in case.sources.items()})
        _, plan_with = survey(root, sorted(case.sources), sorted(case.sources))
        text = render_starter(plan_with(default_spec()), plan_with)
        before = refusals(plan_with(parse_spec(text, "pyroify.yaml")))
        # What is refused of the code is refused whatever the spec says; a rule of it never is.
        assert not [line for line in before if re.search(r"pyroify\.yaml|rule [^12]\b", line)], text
        rules = text.partition("\n# The code moves")[0]
        for offer in offers(text):
            new = refusals(plan_with(parse_spec(rules + offer, "pyroify.yaml"))) - before
            assert not new, f"{case.name}: {offer}"


NORM = """\
import torch
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return self.weight * x


class PreNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = RMSNorm(dim)
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return self.fc(self.norm(x))
"""


def written(run: Run, root: Path) -> str:
    assert run("init").code == 0
    return (root / "pyroify.yaml").read_text()


def test_norm_layers_of_the_project_stay(run: Run, lay_out: LayOut) -> None:
    root = lay_out({"net.py": NORM})
    text = written(run, root)
    assert '  - match: "net:RMSNorm.*"\n    keep: true\n' in text
    assert "PreNorm.*" not in text
    assert run("rewrite").code == 0
    assert "nn.Parameter(torch.ones(dim))" in (root / "net.py").read_text()


def test_tests_are_left_out(run: Run, lay_out: LayOut) -> None:
    """Wherever they stand: many packages have them beside the code."""
    tests = ("tests/stubs.py", "package/tests/stubs.py", "package/inner/test/stubs.py")
    root = lay_out({"net.py": NORM, **dict.fromkeys(tests, NORM)})
    assert yaml.safe_load(written(run, root))["exclude"] == ["**/tests/**", "**/test/**"]
    assert "stubs" not in (root / "pyroify.yaml").read_text().partition("priors:")[2]
    assert run("rewrite").code == 0
    assert all((root / name).read_text() == NORM for name in tests)


LIFTED = (FIXTURES / "migration/instance_named.in.py").read_text()


def test_priors_of_old_pyro_code_become_rules(run: Run, lay_out: LayOut) -> None:
    root = lay_out({"old.py": LIFTED})
    rules = yaml.safe_load(written(run, root))["priors"]
    assert {"match": "old:Net.hidden.weight", "sample": "Normal(loc=0, scale=3)"} in rules
    assert "PYR066" not in run("rewrite").out


def test_priors_of_the_code_are_written_down(run: Run, lay_out: LayOut) -> None:
    root = lay_out({"count.py": OWN})
    text = written(run, root)
    assert "  #   count:Count.offset: PyroSample(dist.StudentT(3.0, 0.0, 2.0))\n" in text
    assert run("rewrite").code == 0
    assert (
        "self.offset = PyroSample(dist.StudentT(3.0, 0.0, 2.0))" in (root / "count.py").read_text()
    )


OWN = """\
import pyro.distributions as dist
from pyro.nn import PyroModule, PyroSample
from torch import nn


class Count(PyroModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 1)
        self.offset = PyroSample(dist.StudentT(3.0, 0.0, 2.0))

    def forward(self, x):
        return self.net(x) + self.offset
"""
MLP = """\
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return self.fc(x)


class Net(nn.Module):
    def __init__(self, width, hidden=8):
        super().__init__()
        self.first = nn.Linear(width, hidden)
        self.block = Block(hidden)

    def forward(self, x):
        return self.block(self.first(x))
"""
TRAIN = """\
from torch import nn
from net import Net

net = Net(5, hidden=6)
loss = nn.CrossEntropyLoss()
"""
TWO_NETS = """\
        super().__init__()
        self.one, self.other = Net(2), Net(2)

    def forward(self, x):
        return self.one(x) + self.other(x)
"""


class TestTraining:
    def test_the_outermost_network_is_built_as_the_project_builds_it(
        self, run: Run, lay_out: LayOut
    ) -> None:
        root = lay_out({"net.py": MLP, "train.py": TRAIN})
        svi = yaml.safe_load(written(run, root))["svi"]
        assert svi["model"] == {"class": "net:Net", "kwargs": {"width": 5, "hidden": 6}}
        assert svi["data"] == {"source": "synthetic", "shape": [5]}
        assert svi["likelihood"] == {"family": "categorical"}
        assert run("emit").code == 0

    def test_the_script_to_take_from_is_the_one_that_runs_the_training(
        self, run: Run, lay_out: LayOut
    ) -> None:
        fit = "import torch\n\ndef fit(net):\n    torch.optim.Adam(net.parameters())\n"
        main = "import torch\nimport fit\nfrom net import Net\n\nfit.fit(Net(5))\n"
        lay_out({"net.py": MLP, "fit.py": fit, "main.py": main})
        said = run("init").err
        assert "fit.py:4 trains Net; `pyroify emit --from main.py` takes" in said
        lay_out({"fit.py": fit + "\nif __name__ == '__main__':\n    fit(None)\n"})
        assert "emit --from fit.py" in run("rewrite").out

    def test_the_last_of_a_networks_layers_says_no_shape(self, run: Run, lay_out: LayOut) -> None:
        first, block = (
            "        self.first = nn.Linear(width, hidden)\n",
            "        self.block = Block(hidden)\n",
        )
        root = lay_out({"net.py": MLP.replace(first + block, block + first), "train.py": TRAIN})
        assert yaml.safe_load(written(run, root))["svi"]["data"] == {"source": "synthetic"}

    def test_what_nobody_knows_is_to_be_filled_in(self, run: Run, lay_out: LayOut) -> None:
        root = lay_out({"net.py": MLP})
        text = written(run, root)
        assert "svi" not in yaml.safe_load(text)
        assert "# svi:\n" in text
        assert "#     kwargs: {width: '...'}\n" in text

    def test_of_a_file_that_no_import_can_name_nothing_is_trained(
        self, run: Run, lay_out: LayOut
    ) -> None:
        larger = f"{MLP}\n\nclass Twice(nn.Module):\n    def __init__(self):\n{TWO_NETS}"
        root = lay_out({"net.py": MLP, "train.py": TRAIN, "net-lstm.py": larger})
        svi = yaml.safe_load(written(run, root))["svi"]
        assert svi["model"]["class"] == "net:Net"

    def test_below_src_the_folder_is_named(self, run: Run, lay_out: LayOut) -> None:
        root = lay_out(
            {
                "src/pkg/__init__.py": "",
                "src/pkg/net.py": NORM.replace("(self, dim)", "(self, dim=2)"),
            }
        )
        model = yaml.safe_load(written(run, root))["svi"]["model"]
        assert model == {"class": "pkg.net:PreNorm", "path": "src"}

    @pytest.mark.parametrize("how", ['to("cuda")', "double()", "to(device)"])
    def test_priors_follow_a_network_that_is_moved(
        self, run: Run, lay_out: LayOut, how: str
    ) -> None:
        root = lay_out({"net.py": MLP, "train.py": f"{TRAIN}device = pick()\nnet.{how}\n"})
        assert yaml.safe_load(written(run, root))["options"] == {"follow_module": True}

    def test_one_that_stays_needs_no_option(self, run: Run, lay_out: LayOut) -> None:
        root = lay_out({"net.py": MLP, "train.py": TRAIN})
        assert "options" not in yaml.safe_load(written(run, root))


def test_editors_find_the_schema(run: Run, lay_out: LayOut) -> None:
    root = lay_out({"net.py": MLP})
    first = written(run, root).splitlines()[0]
    assert first == "# yaml-language-server: $schema=pyroify.schema.json"
    assert (root / "pyroify.schema.json").read_text() == run("schema").out


def test_a_schema_that_is_there_stays(run: Run, lay_out: LayOut) -> None:
    root = lay_out({"net.py": MLP, "pyroify.schema.json": "{}"})
    written(run, root)
    assert (root / "pyroify.schema.json").read_text() == "{}"


def test_two_plans_are_enough_where_no_offer_meets_another(
    run: Run, lay_out: LayOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out({"net.py": NORM.replace("RMSNorm", "Scaled")})
    plans, made = [], planning.build_plan
    monkeypatch.setattr(planning, "build_plan", lambda *given: plans.append(0) or made(*given))
    assert run("init").code == 0
    assert len(plans) == 2
