"""What is read of a project: all that matters, at once, and for some files what concerns them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import LayOut

from pyroify.planning import build_plan
from pyroify.program import build_index
from pyroify.program.load import Loaded, load_project
from pyroify.report.starter import default_spec

NETWORK = "from torch import nn\n\n\nclass Net(nn.Module):\n    pass\n"


def loaded(root: Path, files: Mapping[str, str], *selected: str) -> Loaded:
    return load_project(root, sorted(files), selected or None)


IMPORTS = {
    "import other": "import other\n",
    "import as": "import other as o\n",
    "several at once": "import os, other\n",
    "from": "from other import Net\n",
    "from, as": "from other import Net as N\n",
    "a star": "from other import *\n",
    "within brackets": "from other import (\n    Net,\n)\n",
    "within a function": "def make():\n    from other import Net\n",
    "under a condition": "if True:\n    import other\n",
}


@pytest.mark.parametrize("line", IMPORTS.values(), ids=IMPORTS)
def test_what_a_file_imports_is_read_with_it(line: str, lay_out: LayOut) -> None:
    files = {"a.py": f"{line}\n{NETWORK}", "other.py": NETWORK, "alone.py": NETWORK}
    assert [*loaded(lay_out(files), files, "a.py").files] == ["a.py", "other.py"]


@pytest.mark.parametrize("line", IMPORTS.values(), ids=IMPORTS)
def test_what_imports_a_file_is_read_with_it(line: str, lay_out: LayOut) -> None:
    files = {"a.py": f"{line}\n{NETWORK}", "other.py": NETWORK, "alone.py": NETWORK}
    assert [*loaded(lay_out(files), files, "other.py").files] == ["a.py", "other.py"]


IN_PACKAGES = {
    "a module of a package": ("from pkg.inner import Net", {"pkg/__init__.py", "pkg/inner.py"}),
    "a module by its name": ("from pkg import inner", {"pkg/__init__.py", "pkg/inner.py"}),
    "a dotted module": ("import pkg.inner", {"pkg/__init__.py", "pkg/inner.py"}),
    "what a package names": ("from pkg import Net", {"pkg/__init__.py", "pkg/inner.py"}),
    "a package alone": ("import pkg", {"pkg/__init__.py", "pkg/inner.py"}),
}


@pytest.mark.parametrize(("line", "read"), IN_PACKAGES.values(), ids=IN_PACKAGES)
def test_packages_are_followed(line: str, read: set[str], lay_out: LayOut) -> None:
    files = {
        "a.py": f"{line}\n{NETWORK}",
        "pkg/__init__.py": "from .inner import Net\n",
        "pkg/inner.py": NETWORK,
        "pkg/beside.py": NETWORK,
    }
    assert {*loaded(lay_out(files), files, "a.py").files} == {"a.py"} | read


def test_what_a_package_hands_on_is_read_where_it_is_asked_for(lay_out: LayOut) -> None:
    files = {
        "a.py": f"from pkg import Net\n{NETWORK}",
        "pkg/__init__.py": "from .inner import Net\nfrom .beside import Other\n",
        "pkg/inner.py": NETWORK,
        "pkg/beside.py": NETWORK.replace("Net", "Other"),
    }
    root = lay_out(files)
    assert {*loaded(root, files, "a.py").files} == {"a.py", "pkg/__init__.py", "pkg/inner.py"}
    assert {*loaded(root, files, "pkg/inner.py").files} == {
        "a.py",
        "pkg/__init__.py",
        "pkg/inner.py",
    }


REEXPORTED = {
    "pkg/__init__.py": "from .layers import *\nfrom .nets import Net, Wide as Widest\n",
    "pkg/layers.py": """\
from torch import nn


class Head(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 1)


class Frozen(Head):
    pass
""",
    "pkg/nets.py": """\
from torch import nn
from pkg import Head


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head(3)


class Wide(Net):
    def __init__(self):
        super().__init__()
        self.more = nn.ModuleList([Head(2) for _ in range(2)])
""",
    "model.py": """\
from pkg import Frozen, Widest


class Model(Widest):
    def __init__(self):
        super().__init__()
        self.frozen = Frozen(4)
        for parameter in self.frozen.parameters():
            parameter.requires_grad = False
""",
    "other.py": NETWORK,
    "train.py": "import torch\nfrom pkg import Widest\ntorch.optim.Adam(Widest().parameters())\n",
}


@pytest.mark.parametrize("path", [path for path in REEXPORTED if path != "pkg/__init__.py"])
def test_the_plan_of_one_file_is_that_which_all_files_give(path: str, lay_out: LayOut) -> None:
    root, paths, spec = lay_out(REEXPORTED), sorted(REEXPORTED), default_spec()
    one = build_plan(build_index(root, paths, [path]), spec, frozenset([path]))
    all_read = build_plan(build_index(root, paths), spec, frozenset([path]))
    assert (one.classes, one.files) == (all_read.classes, all_read.files)


def test_relative_imports_are_followed(lay_out: LayOut) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/top.py": NETWORK,
        "pkg/sub/__init__.py": "",
        "pkg/sub/leaf.py": f"from ..top import Net\nfrom . import near\n{NETWORK}",
        "pkg/sub/near.py": NETWORK,
        "pkg/far.py": NETWORK,
    }
    found = {*loaded(lay_out(files), files, "pkg/sub/leaf.py").files}
    assert {"pkg/top.py", "pkg/sub/near.py"} <= found
    assert "pkg/far.py" not in found


def test_users_are_followed_to_theirs_and_to_what_they_import(lay_out: LayOut) -> None:
    files = {
        "model.py": NETWORK,
        "trainer.py": f"import model\nimport losses\n{NETWORK}",
        "main.py": f"import trainer\n{NETWORK}",
        "losses.py": NETWORK,
        "other.py": NETWORK,
    }
    found = {*loaded(lay_out(files), files, "model.py").files}
    assert found == {"model.py", "trainer.py", "main.py", "losses.py"}


def test_a_file_without_modules_is_read_if_another_needs_it(lay_out: LayOut) -> None:
    files = {"a.py": f"from sizes import WIDTH\n{NETWORK}", "sizes.py": "WIDTH = 3\n"}
    assert [*loaded(lay_out(files), files).files] == ["a.py", "sizes.py"]


def test_a_file_without_modules_is_left_out(lay_out: LayOut) -> None:
    files = {"a.py": NETWORK, "sizes.py": "WIDTH = 3\n"}
    assert [*loaded(lay_out(files), files).files] == ["a.py"]


def test_it_says_whether_it_is_all(lay_out: LayOut) -> None:
    files = {"a.py": NETWORK, "b.py": NETWORK, "setup.py": "x = 1\n"}
    root = lay_out(files)
    assert loaded(root, files).is_whole
    assert loaded(root, files, "a.py", "b.py").is_whole
    assert not loaded(root, files, "a.py").is_whole


def test_what_cannot_be_read_is_said(lay_out: LayOut) -> None:
    files = {"a.py": f"import broken\n{NETWORK}", "broken.py": "import torch\nclass (\n"}
    found = loaded(lay_out(files), files)
    assert found.files["broken.py"] is None
    assert [finding.code for finding in found.findings] == ["PYR203"]


def test_a_broken_file_that_has_nothing_to_do_with_it_is_not_read(lay_out: LayOut) -> None:
    files = {"a.py": NETWORK, "broken.py": "import torch\nclass (\n"}
    assert not loaded(lay_out(files), files, "a.py").findings


def test_nothing_is_read_after_it(lay_out: LayOut) -> None:
    files = {
        "pyproject.toml": "[tool.ruff]\nline-length = 79\n",
        "net.py": f"from parts import Head\n{NETWORK.replace('pass', 'head = Head')}",
        "parts.py": f"from sizes import WIDTH\n{NETWORK.replace('Net', 'Head')}",
        "sizes.py": "WIDTH = 3\n",
        "look.ipynb": '{"cells": [{"cell_type": "code", "source": "import torch"}]}',
    }
    root = lay_out(files)
    paths = ["look.ipynb", "net.py", "parts.py", "sizes.py"]
    spec = default_spec()
    there = build_plan(build_index(root, paths), spec, frozenset(paths))
    index = build_index(root, paths)
    shutil.rmtree(root)
    assert build_plan(index, spec, frozenset(paths)) == there


def test_several_processes_read_the_same(lay_out: LayOut, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        **{f"net{i}.py": f"from more{i} import Other\n{NETWORK}" for i in range(6)},
        **{f"more{i}.py": NETWORK.replace("Net", "Other") for i in range(6)},
        "broken.py": "import torch\nclass (",
    }
    root = lay_out(files)
    alone = loaded(root, files)
    monkeypatch.setattr("pyroify.program.load.SIZE_PER_PROCESS", 1)
    assert load_project(root, sorted(files), jobs=2) == alone
    assert [finding.code for finding in alone.findings] == ["PYR203"]
    assert len(alone.files) == len(files)
