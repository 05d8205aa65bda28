"""`pyroify verify` and `rewrite --verify`: what is proven, what is said, what is written."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]

SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'
NET = """\
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 1)

    def forward(self, x):
        return self.fc(x)
"""
IMPORT = "from torch import nn\n"
COUNTS = """\
import pyro
import pyro.distributions as dist
from pyro.nn import PyroModule, PyroSample
from torch import nn


class Counts(PyroModule):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 1)
        self.drop = nn.Dropout(0.5)
        self.offset = PyroSample(dist.StudentT(3.0, 0.0, 2.0))

    def forward(self, x):
        rate = (self.drop(self.fc(x)).squeeze(-1) + self.offset).exp()
        with pyro.plate("rows", x.shape[0]):
            return pyro.sample("counts", dist.Poisson(rate))
"""
BASE = """\


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        raise NotImplementedError
"""


@pytest.fixture
def rewritten(run: Run, lay_out: Callable) -> Path:
    """A rewritten project, with the original beside it."""
    root = lay_out({"pyroify.yaml": SPEC, "net.py": NET})
    shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
    assert run("rewrite").code == 0
    return root


def original(root: Path) -> str:
    return str(root.parent / "original")


class TestVerify:
    def test_compares_with_a_folder(self, run: Run, rewritten: Path) -> None:
        ended = run("verify", "--original", original(rewritten))
        assert ended.code == 0
        assert "net:Net  equal: forward of Net(" in ended.out
        assert "1 class: 1 equal, 0 different, 0 failed, 0 not verified" in ended.out

    def test_the_parts_of_a_named_file_may_stand_elsewhere(
        self, run: Run, lay_out: Callable
    ) -> None:
        part = NET.replace("class Net", "class Part")
        whole = NET.replace(IMPORT, IMPORT + "from part import Part\n").replace("nn.Linear", "Part")
        whole = whole.replace("(width, 1)", "(width)")
        root = lay_out({"pyroify.yaml": SPEC, "part.py": part, "net.py": whole})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        assert run("rewrite").code == 0
        ended = run("verify", "--original", original(root), "net.py")
        assert ended.code == 0
        assert "1 class: 1 equal, 0 different, 0 failed, 0 not verified" in ended.out

    def test_compares_with_a_commit(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET})
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        for args in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "plain"]):
            subprocess.run(["git", *args], cwd=root, check=True)
        run("rewrite")
        assert run("verify").code == 0
        subprocess.run(["git", *identity, "commit", "-qam", "bayesian"], cwd=root, check=True)
        assert run("verify", "--revision", "HEAD~1").code == 0
        ended = run("verify")
        assert ended.code == 2
        assert "PYR300 the spec converts nothing in the original" in ended.err

    def test_a_class_that_computes_something_else_fails(self, run: Run, rewritten: Path) -> None:
        text = (rewritten / "net.py").read_text()
        (rewritten / "net.py").write_text(text.replace("self.fc(x)", "2 * self.fc(x)"))
        ended = run("verify", "--original", original(rewritten))
        assert ended.code == 2
        assert "DIFFERENT" in ended.out

    def test_what_goes_on_with_old_parameters_is_left_out(
        self, run: Run, lay_out: Callable
    ) -> None:
        kept = "        self.kept = list(self.fc.parameters())\n"
        penalty = "\n    def penalty(self):\n        return self.kept[0].square().sum()\n"
        net = NET.replace("(width, 1)\n", "(width, 1)\n" + kept) + penalty
        root = lay_out({"pyroify.yaml": SPEC, "net.py": net})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        assert run("rewrite").code == 0
        ended = run("verify", "--original", original(root))
        assert ended.code == 0
        assert "net:Net  equal: forward of Net(" in ended.out
        assert "    not compared: penalty (PYR010)" in ended.out

    def test_what_asks_for_parameters_or_state_is_left_out(
        self, run: Run, lay_out: Callable
    ) -> None:
        asking = "\n    def device(self):\n        return outer(self)\n"
        asking += "\n    def saved(self):\n        return self.state_dict()\n"
        asking += (
            "\n    def size(self):\n        return sum(p.numel() for p in self.parameters())\n"
        )
        asking += "\n    def cost(self, x):\n        return x * self.size()\n"
        asking += "\n\ndef inner(model):\n    return next(model.parameters()).device\n"
        asking += "\n\ndef outer(model):\n    return inner(model)\n"
        net = NET.replace("1)\n", "1)\n        print(self.size())\n", 1)
        root = lay_out({"pyroify.yaml": SPEC, "net.py": net + asking})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        ended = run("rewrite")
        assert "model.parameters() may find none left" in ended.out
        ended = run("verify", "--original", original(root))
        assert ended.code == 0
        for name in ("cost", "device", "saved"):
            assert f"    not compared: {name} (PYR010)" in ended.out

    def test_what_hands_the_module_to_what_goes_over_parameters_is_left_out(
        self, run: Run, lay_out: Callable
    ) -> None:
        penalty = "\n    def penalty(self):\n        return norm(self)\n"
        norm = "\n\ndef norm(model):\n    return sum(p.norm() for p in model.parameters())\n"
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET + penalty + norm})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        assert "PYR010 norm goes over model.parameters()" in run("rewrite").out
        ended = run("verify", "--original", original(root))
        assert ended.code == 0
        assert "    not compared: penalty (PYR010)" in ended.out

    def test_what_a_refused_class_does_takes_no_other_method_of_that_name(
        self, run: Run, lay_out: Callable
    ) -> None:
        refused = NET.replace("class Net", "class Refused") + (
            "\n    def inverse(self, x):\n        return norm(self.fc) * x\n"
            "\n\ndef norm(model):\n    return sum(p.norm() for p in model.parameters())\n"
        )
        refused = refused.replace("return self.fc(x)", "return self.inverse(x)")
        inverse = "\n    def inverse(self, x):\n        return -self.fc(x)\n"
        net = NET.replace("return self.fc(x)", "return self.inverse(x)") + inverse
        root = lay_out({"pyroify.yaml": SPEC, "net.py": net, "refused.py": refused})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        assert "PYR069 norm goes over model.parameters()" in run("rewrite").out
        ended = run("verify", "--original", original(root))
        assert "net:Net  equal: forward, inverse of Net(" in ended.out

    def test_instances_may_share_a_network(self, run: Run, lay_out: Callable) -> None:
        shared = (
            "\n\nclass Shared(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        )
        shared += "        self.features = features\n"
        shared += "\n    def forward(self, x):\n        return self.features(x)\n"
        top = "\n\nfeatures = nn.Sequential(nn.Linear(4, 4), nn.ReLU())\n"
        root = lay_out({"pyroify.yaml": SPEC, "net.py": IMPORT + top + shared})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        assert "PYR046" in run("rewrite").out
        ended = run("verify", "--original", original(root))
        assert "net:Shared  equal: forward of Shared()" in ended.out
        assert ended.code == 0

    def test_a_class_that_is_not_rewritten_yet_is_not_verified(
        self, run: Run, lay_out: Callable
    ) -> None:
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET})
        ended = run("verify", "--original", str(root))
        assert ended.code == 1
        assert "run `pyroify rewrite`" in ended.out

    def test_classes_that_change_with_another_file_are_compared_too(
        self, run: Run, lay_out: Callable
    ) -> None:
        holder = "class Holder(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        holder += (
            "        self.net = Net(2)\n\n    def forward(self, x):\n        return self.net(x)\n"
        )
        sub = "from torch import nn\n\nfrom net import Net\n\n\nclass Sub(Net):\n    pass\n\n\n"
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET, "sub.py": sub + holder})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        waiting = run("verify", "--original", original(root))
        assert waiting.out.count("not rewritten yet") == 3
        run("rewrite")
        names = ["net:Net ", "sub:Holder ", "sub:Sub "]
        ended = run("verify", "--original", original(root))
        assert ended.code == 0
        assert all(name in ended.out for name in names)

    def test_own_sites_are_drawn_alike_on_both_sides(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": SPEC, "net.py": COUNTS})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        run("rewrite")
        ended = run("verify", "--original", original(root))
        assert "net:Counts  equal: forward of Counts(" in ended.out
        assert ended.code == 0

    def test_parts_that_were_converted_before_are_named_alike(
        self, run: Run, lay_out: Callable
    ) -> None:
        child = """\
from torch import nn


class Child(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, d)

    def forward(self, x):
        return self.fc(x)
"""
        holder = """\
from child import Child
from torch import nn


class Holder(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.layers = nn.ModuleList([Child(d), Child(d)])
        self.out = nn.Linear(d, 2)

    def forward(self, x):
        return self.out(self.layers[1](self.layers[0](x)))
"""
        root = lay_out({"child.py": child, "holder.py": holder, "pyroify.yaml": SPEC})
        assert run("rewrite", "child.py").code == 0
        before = shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        assert run("rewrite").code == 0
        result = run("verify", "--original", str(before))
        assert (result.code, "6 sites, bit for bit" in result.out) == (0, True), result.out

    def test_what_is_not_verified_shows_in_the_exit_code(self, run: Run, lay_out: Callable) -> None:
        secret = NET.replace("Net", "Secret").replace("width):", "width):\n        width.secret()")
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET + secret.removeprefix(IMPORT)})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        assert run("rewrite", "--verify").code == 1
        ended = run("verify", "--original", original(root))
        assert ended.code == 1
        assert "1 equal, 0 different, 0 failed, 1 not verified" in ended.out

    def test_what_has_nothing_to_call_is_counted_apart(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET + BASE})
        shutil.copytree(root, root.parent / "original", dirs_exist_ok=True)
        run("rewrite")
        ended = run("verify", "--original", original(root))
        assert ended.code == 0
        assert "1 equal, 0 different, 0 failed, 0 not verified, 1 nothing to call" in ended.out

    def test_json(self, run: Run, rewritten: Path) -> None:
        ended = run("verify", "--original", original(rewritten), "--format", "json")
        document = json.loads(ended.out)
        assert list(document) == [
            *("version", "pyroify", "command", "root", "exit_code", "summary", "results"),
            *("unbuilt", "tests"),
        ]
        assert document["summary"] == {
            **{"equal": 1, "different": 0, "failed": 0},
            **{"not_verified": 0, "abstract": 0, "nothing_to_call": 0},
        }
        [result] = document["results"]
        assert (result["name"], result["status"]) == ("net:Net", "equal")
        assert {site["event_dim"] for site in result["sites"].values()} == {1, 2}

    def test_without_git_the_original_must_be_named(self, run: Run, rewritten: Path) -> None:
        ended = run("verify")
        assert ended.code == 2
        assert "--original" in ended.err


class TestRewriteVerify:
    def test_writes_what_is_proven(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET})
        ended = run("rewrite", "--verify")
        assert ended.code == 0
        assert (root / "net.py").read_text() != NET

    def test_writes_nothing_if_one_class_fails(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pyroify.rewrite

        right = pyroify.rewrite.rewrite_source

        def wrong(text: str, edits: object) -> str:
            return right(text, edits).replace("self.fc(x)", "self.fc(x) + 1")

        monkeypatch.setattr(pyroify.rewrite, "rewrite_source", wrong)
        other = NET.replace("self.fc(x)", "self.fc(2 * x)")
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET, "other.py": other})
        ended = run("rewrite", "--verify")
        assert ended.code == 2
        assert "net.py:4:1 PYR301 Net is different" in ended.out
        assert "would rewrite net.py" in ended.out
        assert (root / "net.py").read_text() == NET
        assert (root / "other.py").read_text() == other

    def test_writes_nothing_if_a_prior_is_not_the_planned_one(
        self, run: Run, lay_out: Callable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pyroify.rewrite

        right = pyroify.rewrite.rewrite_source

        def wrong(text: str, edits: object) -> str:
            return right(text, edits).replace("Normal(0.0, 1.0)", "Normal(0.0, 1.01)", 1)

        monkeypatch.setattr(pyroify.rewrite, "rewrite_source", wrong)
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET})
        ended = run("rewrite", "--verify")
        assert ended.code == 2
        reason = "Net.fc.weight: its prior scale of Normal is 1.01, planned 1"
        assert f"net.py:4:1 PYR301 Net is different: {reason}" in ended.out
        assert (root / "net.py").read_text() == NET

    def test_a_class_that_cannot_be_run_is_said(self, run: Run, lay_out: Callable) -> None:
        root = lay_out({"pyroify.yaml": SPEC, "net.py": NET + BASE})
        ended = run("rewrite", "--verify")
        assert ended.code == 0
        assert "PYR302 Base is not verified" in ended.out
        assert (root / "net.py").read_text() != NET + BASE

    def test_does_not_go_with_stdin(self, run: Run, lay_out: Callable) -> None:
        lay_out({"pyroify.yaml": SPEC, "net.py": NET})
        assert run("rewrite", "-", "--stdin-filename", "net.py", "--verify").code == 2
