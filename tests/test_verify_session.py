"""Verification of whole projects: child processes, imports, guesses, hostile code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest

from pyroify.verify import (
    Build,
    Target,
    VerifyError,
    VerifyResult,
    changed_tree,
    original_tree,
    render_results,
    session,
    verify,
)

# What comes of ``results``, which is made before that, has children as any verification has.
pytestmark = pytest.mark.usefixtures("warm")

ORIGINAL = {
    "shop/__init__.py": "from shop.nets import Net\n",
    "shop/layers.py": """
        import torch
        from torch import nn

        class Scale(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.scale = nn.Parameter(torch.zeros(dim))
            def forward(self, x):
                return x * (1 + self.scale)
        """,
    "shop/nets.py": """
        import os, sys, time
        import torch
        from torch import nn
        from .layers import Scale
        import shop.layers

        class Net(nn.Module):
            def __init__(self, in_features, hidden):
                super().__init__()
                self.fc = nn.Linear(in_features, hidden)
                self.scale = Scale(hidden)
            def forward(self, x):
                print("a line on stdout")
                print("a line on stderr", file=sys.stderr)
                return self.scale(self.fc(x))
            def encode(self, x):
                return self.fc(x)

        class Wrong(Net): pass
        class Raises(Net): pass
        class Untraced(Net):
            def encode(self, x):
                return x @ self.fc.weight.t()
        class Exits(Net): pass
        class Hangs(Net): pass
        class Renamed(Net): pass
        class FrozenDraw(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)
                self.start = self.fc.weight.detach().exp()
            def forward(self, x):
                return self.fc(x) + self.start.sum()
        class HarmlessDraw(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)
                nn.init.zeros_(self.fc.bias)
                self.register_buffer("order", torch.randperm(3))
            def forward(self, x):
                return self.fc(x)[..., self.order]

        class ExitsBefore(nn.Module):
            def __init__(self):
                os._exit(3)
        class HangsBefore(nn.Module):
            def __init__(self):
                super().__init__()
                while True:
                    time.sleep(0.01)
        class NeedsSecret(nn.Module):
            def __init__(self, secret):
                super().__init__()
                assert secret == "open sesame"
            def forward(self, x):
                return x
        class NothingToCall(nn.Module):
            pass
        class NoForward(nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(3))
            def log_prob(self, x):
                return -(x - self.weight).square().sum(-1)
        class Tokens(nn.Module):
            def __init__(self, vocab_size, d_model):
                super().__init__()
                self.embedding = nn.Embedding(vocab_size, d_model)
                self.out = nn.Linear(d_model, vocab_size)
            def forward(self, tokens):
                return self.out(self.embedding(tokens).mean(1))
        """,
    "shop/missing.py": """
        import a_package_that_is_not_there
        from torch import nn
        class Net(nn.Linear, a_package_that_is_not_there.some.Mixin): pass
        class Uses(nn.Linear):
            def __init__(self, in_features, out_features):
                super().__init__(in_features, out_features)
                self.other = a_package_that_is_not_there.Thing(3)
        """,
    "shop/large.py": """
        from torch import nn
        class Large(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList(nn.Linear(200_000, 200_000) for _ in range(2))
            def forward(self, x):
                return self.layers[1](self.layers[0](x))
        class Wide(nn.Module):
            def __init__(self, width=200_000):
                super().__init__()
                self.layer = nn.Linear(width, width)
            def forward(self, x):
                return self.layer(x)
        class Heavy(nn.Module):
            def __init__(self, width=3_000):
                super().__init__()
                self.layer = nn.Linear(width, width)
            def forward(self, x):
                return self.layer(x)
        """,
    "plain/parts.py": """
        from torch import nn
        class Part(nn.Linear): pass
        """,
    "plain/net.py": """
        from .parts import Part
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.part = Part(3, 3)
            def forward(self, x):
                from plain.parts import Part
                assert type(self.part) is Part
                return self.part(x)
        """,
    "src/logging.py": """
        from torch import nn
        class Shadow(nn.Linear): pass
        """,
    "broken/__init__.py": "import a_package_that_is_not_there\n",
    "broken/whole.py": """
        from torch import nn
        class Whole(nn.Module):
            def __init__(self, **options):
                super().__init__()
                self.fc = self.make(**options)
            def make(self, *, width):
                return nn.Linear(width, width)
            def forward(self, x):
                return self.fc(x)
        """,
    "scripts/my-script.py": """
        import torch
        from torch import nn
        from shop.layers import Scale
        class Script(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = Scale(4)
            def forward(self, x):
                return self.scale(x)
        """,
}
REWRITTEN = {
    **ORIGINAL,
    "shop/layers.py": """
        import torch
        import pyro.distributions as dist
        from pyro.nn import PyroModule, PyroSample

        class Scale(PyroModule):
            def __init__(self, dim):
                super().__init__()
                self.scale = PyroSample(dist.Normal(0.0, 1.0).expand([dim]).to_event(1))
            def forward(self, x):
                return x * (1 + self.scale)
        """,
    "shop/nets.py": """
        import os, sys, time
        import torch
        import pyro.distributions as dist
        from pyro.nn import PyroModule, PyroSample, pyro_method
        from torch import nn
        from .layers import Scale
        import shop.layers

        class Net(PyroModule):
            def __init__(self, in_features, hidden):
                super().__init__()
                self.fc = PyroModule[nn.Linear](in_features, hidden)
                self.fc.weight = PyroSample(
                    dist.Normal(0.0, 1.0).expand([hidden, in_features]).to_event(2))
                self.scale = Scale(hidden)
            def forward(self, x):
                return self.scale(self.fc(x))
            @pyro_method
            def encode(self, x):
                return self.fc(x)

        class Wrong(Net):
            def forward(self, x):
                return super().forward(x) + 0.25
        class Raises(Net):
            def forward(self, x):
                raise KeyError("fc")
        class Untraced(Net):
            def encode(self, x):
                return x @ self.fc.weight.t()
        class Exits(Net):
            def forward(self, x):
                print("last words", file=sys.stderr)
                os._exit(5)
        class Hangs(Net):
            def forward(self, x):
                while True:
                    time.sleep(0.01)
        class FrozenDraw(PyroModule):
            def __init__(self):
                super().__init__()
                self.fc = PyroModule[nn.Linear](3, 3)
                self.fc.weight = PyroSample(dist.Normal(0.0, 1.0).expand([3, 3]).to_event(2))
                self.start = self.fc.weight.exp()
            def forward(self, x):
                return self.fc(x) + self.start.sum()
        class HarmlessDraw(PyroModule):
            def __init__(self):
                super().__init__()
                self.fc = PyroModule[nn.Linear](3, 3)
                nn.init.zeros_(self.fc.bias)
                self.fc.bias = PyroSample(dist.Normal(0.0, 1.0).expand([3]).to_event(1))
                nn.init.zeros_(self.fc.bias)
                self.register_buffer("order", torch.randperm(3))
            def forward(self, x):
                return self.fc(x)[..., self.order]
        class NoForward(PyroModule):
            def __init__(self):
                super().__init__()
                self.weight = PyroSample(dist.Normal(0.0, 1.0).expand([3]).to_event(1))
            @pyro_method
            def log_prob(self, x):
                return -(x - self.weight).square().sum(-1)
        class Tokens(PyroModule):
            def __init__(self, vocab_size, d_model):
                super().__init__()
                self.embedding = PyroModule[nn.Embedding](vocab_size, d_model)
                self.embedding.weight = PyroSample(
                    dist.Normal(0.0, 1.0).expand([vocab_size, d_model]).to_event(2))
                self.out = PyroModule[nn.Linear](d_model, vocab_size)
            def forward(self, tokens):
                return self.out(self.embedding(tokens).mean(1))
        """,
    "scripts/my-script.py": """
        from pyro.nn import PyroModule
        from shop.layers import Scale
        class Script(PyroModule):
            def __init__(self):
                super().__init__()
                self.scale = Scale(4)
            def forward(self, x):
                return self.scale(x)
        """,
}


def lay_out(root: Path, sources: dict[str, str]) -> Path:
    for path, text in sources.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text))
    return root


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("versions")
    return lay_out(folder / "before", ORIGINAL), lay_out(folder / "after", REWRITTEN)


def net(name: str, build: Build = Build()) -> Target:  # noqa: B008
    return Target("shop.nets", name, "shop/nets.py", build)


TARGETS = [
    net("Net"),
    net("Wrong"),
    net("Raises"),
    net("Untraced"),
    net("ExitsBefore"),
    net("Exits"),
    net("Renamed"),
    net("FrozenDraw"),
    net("HarmlessDraw"),
    net("NeedsSecret"),
    net("NothingToCall"),
    net("NoForward"),
    net("Tokens"),
    net("Absent"),
    Target("shop.missing", "Net", "shop/missing.py"),
    Target("shop.missing", "Uses", "shop/missing.py"),
    Target("shop.large", "Large", "shop/large.py"),
    Target("shop.large", "Wide", "shop/large.py"),
    Target("shop.large", "Heavy", "shop/large.py"),
    Target("shop.layers", "Scale", "shop/layers.py"),
    Target("broken.whole", "Whole", "broken/whole.py"),
    Target("plain.net", "Net", "plain/net.py"),
    Target("logging", "Shadow", "src/logging.py"),
    Target("scripts.my-script", "Script", "scripts/my-script.py"),
]


@pytest.fixture(scope="module")
def results(trees) -> dict[str, VerifyResult]:
    return {result.name: result for result in verify(*trees, TARGETS, timeout=600)}


def test_results_come_in_the_order_of_the_targets(results):
    assert list(results) == [target.name for target in TARGETS]


def test_equal_class_names_what_was_compared(results):
    result = results["shop.nets:Net"]
    assert (result.status, result.reason) == ("equal", "")
    assert result.built == "Net(in_features=8, hidden=8) and Net(in_features=8, hidden=16)"
    variants = ("", ", again", ", of both signs", ", 1 row", ", 5 rows")
    methods = ("forward(x=float[2, 8])", "encode(x=float[2, 8])")
    assert result.calls == tuple(f"{call}{variant}" for call in methods for variant in variants)
    assert result.max_difference == 0.0
    assert result.sites == {"fc.weight": ((8, 8), 2), "scale.scale": ((8,), 1)}


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("shop.nets:Wrong", "different", "output differs by 0.25"),
        ("shop.nets:Raises", "failed", "raises KeyError: 'fc'"),
        ("shop.nets:Untraced", "different", "fc.weight is used, but not drawn"),
        ("shop.nets:Exits", "failed", "ends the process (exit code 5: last words)"),
        ("shop.nets:Renamed", "failed", "cannot be imported any more: AttributeError"),
        ("shop.nets:FrozenDraw", "failed", "start is computed from a draw of weight"),
        ("shop.nets:HarmlessDraw", "equal", ""),
        ("shop.nets:ExitsBefore", "not_verified", "the original ends the process (exit code 3"),
        ("shop.nets:NeedsSecret", "not_verified", "cannot be built with guessed arguments"),
        ("shop.nets:NothingToCall", "nothing_to_call", "there is nothing to call"),
        ("shop.nets:NoForward", "equal", ""),
        ("shop.nets:Tokens", "equal", ""),
        ("shop.nets:Absent", "not_verified", "cannot be imported: AttributeError"),
        ("shop.missing:Net", "equal", ""),
        ("shop.missing:Uses", "not_verified", "a_package_that_is_not_there is not installed"),
        ("shop.large:Large", "not_verified", "build a smaller one"),
        ("shop.large:Wide", "equal", ""),
        ("shop.large:Heavy", "equal", ""),
        ("shop.layers:Scale", "equal", ""),
        ("broken.whole:Whole", "equal", ""),
        ("plain.net:Net", "equal", ""),
        ("logging:Shadow", "equal", ""),
        ("scripts.my-script:Script", "equal", ""),
    ],
)
def test_status_and_reason(results, name, status, reason):
    result = results[name]
    assert (result.status, reason in result.reason) == (status, True), result


def test_class_without_forward_is_called_by_its_methods(results):
    assert results["shop.nets:NoForward"].calls[0] == "log_prob(x=float[2, 3])"


def test_what_is_stood_in_for_is_said(results):
    built = "Net(in_features=8, out_features=8) without a_package_that_is_not_there"
    assert results["shop.missing:Net"].built.startswith(built)


@pytest.mark.parametrize("name", ["Wide", "Heavy"])
def test_a_large_default_is_built_smaller(results, name):
    assert results[f"shop.large:{name}"].built == f"{name}(width=8)"


def test_token_input_is_found(results):
    assert results["shop.nets:Tokens"].calls[0] == "forward(tokens=int[2, 5])"


def test_results_are_plain_data(results):
    for result in results.values():
        assert json.loads(json.dumps(asdict(result)))["name"] == result.name


def test_table_shows_every_class_and_the_counts(results):
    table = render_results(list(results.values()))
    for name in results:
        assert name in table
    assert "shop.nets:Wrong           DIFFERENT" in table
    total = "24 classes: 12 equal, 2 different, 4 failed, 5 not verified, 1 nothing to call\n"
    assert table.endswith(total)


def test_given_arguments_and_inputs_are_used(trees):
    build = Build(kwargs={"in_features": 3, "hidden": 4}, inputs=("float[7, 3]",))
    (result,) = verify(*trees, [net("Net", build)], timeout=600)
    assert result.status == "equal"
    assert result.built == "Net(in_features=3, hidden=4)"
    assert result.calls[0] == "forward(float[7, 3])"


def test_given_code_makes_arguments_and_inputs(trees):
    code = """
import torch
from shop.layers import Scale
assert Scale.__module__ == "shop.layers"
kwargs = {"in_features": 3, "hidden": 4}
inputs = [torch.ones(7, 3)]
"""
    (result,) = verify(*trees, [net("Net", Build(code=code))])
    assert (result.status, result.built) == ("equal", "Net(...)")
    assert result.sites["fc.weight"] == ((4, 3), 2)


def test_given_arguments_that_do_not_fit_are_said(trees):
    (result,) = verify(*trees, [net("Net", Build(kwargs={"width": 3}))])
    assert result.status == "not_verified"
    assert "cannot be built with these arguments: TypeError" in result.reason


def test_given_inputs_that_do_not_fit_are_said(trees):
    build = Build(kwargs={"width": 3}, inputs=("float[2, 4]",))
    (result,) = verify(*trees, [Target("broken.whole", "Whole", "broken/whole.py", build)])
    assert (result.status, result.calls) == ("not_verified", ())
    assert result.reason.startswith("the original raises RuntimeError: mat1 and mat2 shapes")


def test_what_hangs_is_ended(trees):
    hangs, before, after = verify(*trees, [net("Hangs"), net("HangsBefore"), net("Net")], 8)
    assert (hangs.status, hangs.reason) == ("failed", "the rewritten code takes longer than 8 s")
    assert before.status == "not_verified"
    assert before.reason == "the original takes longer than 8 s"
    assert after.status == "equal"


@pytest.mark.parametrize(
    ("computed", "is_over"),
    [(None, True), (0.01, True), (0.5, False), (1.5, True)],
    ids=["unknown", "stands still", "busy machine", "slow"],
)
def test_a_busy_machine_is_no_fault_of_a_class(monkeypatch, tmp_path, computed, is_over):
    watch = session._Watch(SimpleNamespace(pid=0), tmp_path, {}, timeout=1.0)
    watch._target, watch._since = 0, watch._since - 5.0
    monkeypatch.setattr(session, "_seconds_computed", lambda process: computed)
    assert watch._is_over() == is_over


def test_the_time_that_a_process_computes_is_told():
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell it")
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    assert session._seconds_computed(os.getpid()) >= 0.2


PARTS = {
    "nets.py": """
        import torch
        from torch import nn

        class Options:
            def __init__(self, width):
                self.width = width

        class Inner(nn.Module):
            def __init__(self, options):
                super().__init__()
                assert set(options) == {"size"}
                self.fc = nn.Linear(options["size"], 2)
            def forward(self, rows):
                return self.fc(torch.stack(rows["all"]))

        class Outer(nn.Module):
            def __init__(self, options):
                super().__init__()
                self.inner = Inner({"size": options.width})
            def forward(self, x):
                return self.inner({"all": list(x)})

        class Lone(nn.Module):
            def __init__(self, options):
                super().__init__()
                assert options == "open sesame"
                self.fc = nn.Linear(2, 2)
            def forward(self, x):
                return self.fc(x)

        class Mean(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.fc = nn.Linear(width, width)
            def forward(self, x):
                return self.fc(x).mean(0, keepdim=True)

        if __name__ == "__main__":
            outer = Outer(Options(6))
            print(outer(torch.randn(3, 6)))
            mean = Mean(5)
            first = mean(torch.randn(3, 5))
            print(mean(first))
        """,
}


def test_lines_of_the_project_and_what_holds_a_class_say_how_it_is_built(tmp_path):
    trees = [lay_out(tmp_path / side, PARTS) for side in ("before", "after")]
    targets = [Target("nets", name, "nets.py") for name in ("Inner", "Outer", "Lone", "Mean")]
    inner, outer, lone, mean = verify(trees[0], trees[1], targets)
    assert (outer.status, outer.way, outer.place) == ("equal", "code", "nets.py:40")
    assert (inner.status, inner.way, inner.place) == ("equal", "part", "what holds it")
    assert "Inner({'size': 6})" in inner.built
    assert (lone.status, lone.way) == ("not_verified", None)
    called = set(mean.calls)
    assert "forward(float32[3, 5])" in called
    assert "forward(float32[1, 5])" not in called  # which a network computes: it may be random


def test_a_file_that_trains_when_it_is_imported_is_given_up_once(tmp_path):
    source = """
        import time
        from torch import nn
        class Net(nn.Linear): pass
        class Other(nn.Linear): pass
        class Third(nn.Linear): pass
        with open(__file__ + ".log", "a") as log:
            log.write("begun ")
        while True:
            time.sleep(0.01)
        """
    trees = [lay_out(tmp_path / side, {"train.py": source}) for side in ("before", "after")]
    targets = [Target("train", name, "train.py") for name in ("Net", "Other", "Third")]
    first, *others = verify(trees[0], trees[1], targets, 6)
    assert (trees[0] / "train.py.log").read_text() == "begun "
    assert first.reason == "its file cannot be imported: that takes longer than 6 s"
    assert [other.reason for other in others] == ["its file cannot be imported, see Net"] * 2
    assert {result.status for result in (first, *others)} == {"not_verified"}


def test_a_file_that_raises_when_it_is_imported_is_imported_once(tmp_path):
    source = """
        from torch import nn
        class Net(nn.Linear): pass
        class Other(nn.Linear): pass
        with open(__file__ + ".log", "a") as log:
            log.write("begun ")
        raise RuntimeError("no data")
        """
    trees = [lay_out(tmp_path / side, {"script.py": source}) for side in ("before", "after")]
    targets = [Target("script", name, "script.py") for name in ("Net", "Other")]
    results = verify(trees[0], trees[1], targets)
    assert (trees[0] / "script.py.log").read_text() == "begun "
    assert {(result.status, result.reason) for result in results} == {
        ("not_verified", "cannot be imported: RuntimeError: no data")
    }


def test_what_shows_how_a_class_is_built_is_imported_for_one_version_alone(tmp_path):
    files = {
        "shop/__init__.py": "",
        "shop/parts.py": "from torch import nn\nclass Part(nn.Linear): pass\n",
        "shop/nets.py": """
            from torch import nn
            from .parts import Part
            class Net(nn.Module):
                def __init__(self, part):
                    super().__init__()
                    self.part = part
                def forward(self, x):
                    return self.part(x)
            """,
        "use.py": """
            import torch
            from shop.nets import Net
            from shop.parts import Part
            net = Net(Part(3, 2))
            net(torch.rand(4, 3))
            """,
    }
    trees = [lay_out(tmp_path / side, files) for side in ("before", "after")]
    (result,) = verify(trees[0], trees[1], [Target("shop.nets", "Net", "shop/nets.py")])
    assert (result.status, result.reason, result.way) == ("equal", "", "code")


def test_progress_is_told_as_it_comes(trees):
    told: list[VerifyResult] = []
    results = verify(*trees, [net("Net"), net("Wrong")], progress=told.append)
    assert tuple(told) == results


def test_interpreter_without_torch_is_an_error_that_says_what_to_install(trees, tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(VerifyError, match=r"pip install 'pyroify\[run\]'"):
        verify(*trees, [net("Net")], python=str(python))


def test_importing_the_package_loads_no_torch():
    code = "import pyroify.verify, sys; sys.exit(bool({'torch', 'pyro', 'numpy'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Versions


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def test_original_tree_is_what_was_committed(tmp_path):
    root = lay_out(tmp_path / "project", {"app/net.py": "old = 1\n", "other.py": "\n"})
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    (root / "app/net.py").write_text("new = 1\n")
    with original_tree(root) as tree:
        assert (tree / "app/net.py").read_text() == "old = 1\n"
    assert not tree.exists()
    with original_tree(root / "app") as tree:
        assert [path.name for path in tree.iterdir()] == ["net.py"]
    with pytest.raises(VerifyError, match="git does not know gone"), original_tree(root, "gone"):
        pass


def test_the_original_is_that_of_the_project_where_a_hook_asks(tmp_path, monkeypatch):
    root = lay_out(tmp_path / "project", {"net.py": "old = 1\n"})
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another.git"))
    with original_tree(root) as tree:
        assert (tree / "net.py").read_text() == "old = 1\n"


def test_folder_without_git_is_an_error_that_names_the_option(tmp_path):
    with pytest.raises(VerifyError, match="--original"), original_tree(tmp_path):
        pass


def test_changed_tree_has_the_changes_and_leaves_the_project_alone(tmp_path):
    root = lay_out(tmp_path / "project", {"net.py": "old = 1\n", "other.py": "x = 1\n"})
    (root / "weights.bin").write_bytes(bytes(2 << 20))
    with changed_tree(root, {"net.py": b"new = 1\n"}) as tree:
        assert (tree / "net.py").read_text() == "new = 1\n"
        assert (tree / "other.py").read_text() == "x = 1\n"
        assert (tree / "weights.bin").stat().st_size == 2 << 20
    assert (root / "net.py").read_text() == "old = 1\n"
