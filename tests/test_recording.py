"""`verify --run`: classes are built and called as a run of the project's own does it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import LayOut, Run

pytest.importorskip("pyro")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]

SPEC = """\
version: 1
priors:
  - {match: "**", sample: "Normal(0, 1)"}
"""
NET = """\
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Config:
    width: int
    depth: int


@dataclass
class Batch:
    x: torch.Tensor


class Block(nn.Module):
    def __init__(self, config, act):
        super().__init__()
        self.fc = nn.Linear(config.width, config.width)
        self.act = act

    def forward(self, batch):
        assert isinstance(batch, Batch)
        return Batch(self.act(self.fc(batch.x)))


class Net(nn.Module):
    def __init__(self, config, block, *, registry):
        super().__init__()
        more = [Block(config, registry["act"]) for _ in range(config.depth)]
        self.blocks = nn.ModuleList([block, *more])
        self.head = nn.Linear(config.width, 1)

    def forward(self, batch):
        for block in self.blocks:
            batch = block(batch)
        return self.head(batch.x)
"""
USE = """\
from net import Batch, Block, Config, Net
import torch
from torch import nn

config = Config(5, 2)
net = Net(config, Block(config, nn.Tanh()), registry={"act": nn.ReLU()})
net(Batch(torch.randn(3, 5)))
"""
ODD = """\


class Odd(nn.Module):
    def __init__(self, numbers):
        super().__init__()
        self.fc = nn.Linear(next(numbers), 1)

    def forward(self, x):
        return self.fc(x)


class Around(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.odd = Odd(iter(n for n in [width]))

    def forward(self, x):
        return self.odd(x) + 1
"""
AROUND = "\nfrom net import Around\nAround(4)(torch.randn(2, 4))\n"
OTHER = """\


class Other(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.fc = nn.Linear(settings.sizes[0], 1)

    def forward(self, x):
        return self.fc(x)
"""


def python(file: str) -> str:
    return f"{sys.executable} {file}"


def only_run(use: str) -> str:
    """The same for a script whose first argument is 5: no line of it says how things are built."""
    return "import sys\n" + use.replace("Config(5, 2)", "Config(int(sys.argv[1]), 2)")


def keep() -> str:
    """A copy of the project as it is, beside it."""
    return str(shutil.copytree(Path.cwd(), f"{Path.cwd()}-before"))


def proven(run: Run, command: str, *more: str) -> dict[str, dict[str, object]]:
    """What a verification says of each class, by name."""
    before = keep()
    assert run("rewrite").code == 0
    ended = run("verify", "--original", before, "--format", "json", "--run", command, *more)
    return {entry["name"]: entry for entry in json.loads(ended.out)["results"]}


class TestWhatARunShows:
    def test_is_built_and_called_again(self, lay_out: LayOut, run: Run) -> None:
        lay_out({"net.py": NET, "use.py": USE, "pyroify.yaml": SPEC})
        found = proven(run, python("use.py"))
        assert [entry["status"] for entry in found.values()] == ["equal", "equal"]
        assert all(entry["recorded"] for entry in found.values())
        built = found["net:Net"]["built"]
        assert built == "Net(Config(width=5, depth=2), Block(...), registry={'act': ReLU()})"

    def test_what_has_no_text_is_told_by_its_type(self, lay_out: LayOut, run: Run) -> None:
        plain = NET.replace("@dataclass\nclass Config", "class Config").replace(
            "    width: int\n    depth: int\n",
            "    def __init__(self, width, depth):\n"
            "        self.width, self.depth = width, depth\n",
        )
        lay_out({"net.py": plain, "use.py": USE, "pyroify.yaml": SPEC})
        found = proven(run, python("use.py"))
        built = found["net:Block"]["built"].split(" and ")
        assert set(built) == {"Block(Config(...), Tanh(...))", "Block(Config(...), ReLU(...))"}

    def test_a_fault_that_only_these_arguments_show(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out({"net.py": NET, "use.py": USE, "pyroify.yaml": SPEC})
        before = keep()
        run("rewrite")
        source = (root / "net.py").read_text()
        (root / "net.py").write_text(source.replace("self.head(batch.x)", "self.head(batch.x) + 1"))
        ended = run("verify", "--original", before, "--run", python("use.py"))
        assert ended.code == 2
        assert "net:Net    DIFFERENT" in ended.out

    def test_before_anything_is_written(self, lay_out: LayOut, run: Run) -> None:
        root = lay_out({"net.py": NET, "use.py": USE, "pyroify.yaml": SPEC})
        ended = run("rewrite", "--verify", "--run", python("use.py"))
        assert ended.code == 0, ended.out
        assert f"running `{python('use.py')}` on a copy of the original" in ended.err
        assert "noted 3 calls of 2 classes" in ended.err
        assert "PyroModule" in (root / "net.py").read_text()

    def test_classes_of_the_script_itself(self, lay_out: LayOut, run: Run) -> None:
        script = NET + OTHER + USE.replace("from net import Batch, Block, Config, Net\n", "")
        lay_out({"train.py": script, "pyroify.yaml": SPEC})
        found = proven(run, python("train.py"))
        assert found["train:Net"]["status"] == "equal"
        assert found["train:Net"]["recorded"]

    def test_the_state_that_it_was_called_in(self, lay_out: LayOut, run: Run) -> None:
        net = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 1)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        if self.seen > 3 and self.training and not self.drop.training:
            return self.fc(x) + 1
        return self.fc(x)
"""
        use = """\
import torch
from net import Net

net = Net()
net.seen.fill_(5)
net.drop.eval()
net(torch.randn(3, 2))
"""
        root = lay_out({"net.py": net, "use.py": use, "pyroify.yaml": SPEC})
        before = keep()
        run("rewrite")
        source = (root / "net.py").read_text()
        (root / "net.py").write_text(source.replace("self.fc(x) + 1", "self.fc(x) + 2"))
        assert run("verify", "--original", before).code == 0
        ended = run("verify", "--original", before, "--run", python("use.py"))
        assert (ended.code, "net:Net  DIFFERENT" in ended.out) == (2, True)

    def test_the_precision_that_it_was_built_in(self, lay_out: LayOut, run: Run) -> None:
        use = "import torch\ntorch.set_default_dtype(torch.float64)\n" + USE
        lay_out({"net.py": NET, "use.py": use, "pyroify.yaml": SPEC})
        found = proven(run, python("use.py"))
        assert [entry["status"] for entry in found.values()] == ["equal", "equal"]
        assert found["net:Net"]["recorded"]

    def test_what_the_run_starts_in_turn(self, lay_out: LayOut, run: Run) -> None:
        start = "import subprocess, sys\nsubprocess.run([sys.executable, 'use.py'], check=True)\n"
        lay_out({"net.py": NET, "use.py": USE, "start.py": start, "pyroify.yaml": SPEC})
        found = proven(run, python("start.py"))
        assert found["net:Net"]["recorded"]

    def test_a_class_outside_of_the_plan_that_is_handed_in(self, lay_out: LayOut, run: Run) -> None:
        layer = """\
from torch import nn


class Part(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return self.fc(x)
"""
        holder = """\
from torch import nn


class Holder(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.out = nn.Linear(4, 1)

    def forward(self, x):
        return self.out(self.inner(x))
"""
        use = """\
import sys

import holder
import parts
import torch

model = getattr(holder, sys.argv[1])(getattr(parts, sys.argv[2])(4))
model(torch.randn(2, 4))
"""
        files = {"parts.py": layer, "holder.py": holder, "use.py": use}
        lay_out({**files, "pyroify.yaml": SPEC + 'exclude: ["parts.py", "use.py"]\n'})
        found = proven(run, python("use.py Holder Part"))
        assert (found["holder:Holder"]["status"], found["holder:Holder"]["way"]) == ("equal", "run")


class TestWhatItDoesNotShow:
    def test_a_class_that_it_never_builds(self, lay_out: LayOut, run: Run) -> None:
        lay_out({"net.py": NET + OTHER, "use.py": USE, "pyroify.yaml": SPEC})
        found = proven(run, python("use.py"))
        assert found["net:Other"]["status"] == "not_verified"
        assert str(found["net:Other"]["reason"]).endswith("the run did not build it")

    def test_those_that_it_never_builds_are_listed(self, lay_out: LayOut, run: Run) -> None:
        lay_out({"net.py": NET + ODD + OTHER, "use.py": USE, "pyroify.yaml": SPEC})
        before = keep()
        run("rewrite")
        told = ("verify", "--original", before, "--run", python("use.py"))
        ended = run(*told, "--format", "json", "--output-file", "found.json")
        assert "3 of them the run did not build: net:Odd, net:Around, net:Other" in ended.out
        document = json.loads(Path("found.json").read_text())
        assert document["unbuilt"] == ["net:Odd", "net:Around", "net:Other"]

    def test_what_cannot_be_noted_is_called_within_what_holds_it(
        self, lay_out: LayOut, run: Run
    ) -> None:
        root = lay_out({"net.py": NET + ODD, "use.py": USE + AROUND, "pyroify.yaml": SPEC})
        before = keep()
        run("rewrite")
        told = ("verify", "--original", before, "--run", python("use.py"))
        ended = run(*told)
        assert "net:Odd     equal: forward of Around(4) (as in the run, within Around)" in ended.out
        source = (root / "net.py").read_text()
        (root / "net.py").write_text(source.replace("return self.odd(x) + 1", "return self.odd(x)"))
        ended = run(*told)
        assert "net:Odd     not verified\n    Around, within which it is called, is" in ended.out

    def test_what_cannot_be_noted(self, lay_out: LayOut, run: Run) -> None:
        use = only_run(USE.replace("nn.Tanh()", "lambda x: x").replace("nn.ReLU()", "lambda x: x"))
        lay_out({"net.py": NET, "use.py": use, "pyroify.yaml": SPEC})
        found = proven(run, python("use.py 5"))
        assert found["net:Net"]["status"] == "not_verified"
        assert "the build in the run cannot be noted" in str(found["net:Net"]["reason"])

    def test_more_than_it_may_note(self, lay_out: LayOut, run: Run) -> None:
        use = only_run(USE.replace("torch.randn(3, 5)", "torch.randn(600_000, 5)"))
        lay_out({"net.py": NET, "use.py": use, "pyroify.yaml": SPEC})
        found = proven(run, python("use.py 5"), "--run-limit", "1")
        assert not any(call for entry in found.values() for call in entry["calls"])


class TestTheRunItself:
    def test_writes_nothing_into_the_project(self, lay_out: LayOut, run: Run) -> None:
        write = "open('data.bin', 'wb').write(b'x')\nopen('new.txt', 'w').write('x')\n"
        data = b"0" * (1 << 21)
        root = lay_out(
            {"net.py": NET, "use.py": write + USE, "data.bin": data, "pyroify.yaml": SPEC}
        )
        assert run("rewrite", "--verify", "--run", python("use.py")).code == 0
        assert (root / "data.bin").read_bytes() == data
        assert not (root / "new.txt").exists()

    def test_fails_but_has_shown_something(self, lay_out: LayOut, run: Run) -> None:
        lay_out({"net.py": NET, "use.py": USE + "raise SystemExit(3)\n", "pyroify.yaml": SPEC})
        ended = run("rewrite", "--verify", "--run", python("use.py"))
        assert "the run ended with exit code 3" in ended.err
        assert ended.code == 0

    def test_is_ended_in_time(self, lay_out: LayOut, run: Run) -> None:
        use = USE + "import time\ntime.sleep(600)\n"
        lay_out({"net.py": NET, "use.py": use, "pyroify.yaml": SPEC})
        ended = run("rewrite", "--verify", "--run", python("use.py"), "--run-timeout", "25")
        assert "the run was ended after 25 s" in ended.err
        assert ended.code == 0

    def test_its_own_customization_is_loaded(self, lay_out: LayOut, run: Run) -> None:
        use = USE.replace("config = ", "import os\nassert os.environ['CUSTOMIZED']\nconfig = ")
        custom = "import os\nos.environ['CUSTOMIZED'] = 'yes'\n"
        files = {"net.py": NET, "use.py": use, "sitecustomize.py": custom, "pyroify.yaml": SPEC}
        lay_out(files)
        ended = run("rewrite", "--verify", "--run", python("use.py"))
        assert "the run ended" not in ended.err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--verify", "--run", "no-such-program"], "no-such-program cannot be started"),
            (["--verify", "--run", "'"], "--run: No closing quotation"),
            (["--verify", "--run", " "], "--run names no command"),
            (["--run", "python use.py"], "give both"),
        ],
    )
    def test_that_cannot_be(
        self, lay_out: LayOut, run: Run, arguments: list[str], said: str
    ) -> None:
        root = lay_out({"net.py": NET, "pyroify.yaml": SPEC})
        ended = run("rewrite", *arguments)
        assert ended.code == 2
        assert said in ended.out + ended.err
        assert (root / "net.py").read_text() == NET
