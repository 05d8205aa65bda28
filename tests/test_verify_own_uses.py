"""What lines of the project say of how a class is built and called."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from pyroify.verify.making.own_uses import OwnUse, OwnUses

NET = "class Net: ...\n"


def uses(root: Path, files: dict[str, str], name: str = "Net") -> list[OwnUse]:
    for path, text in {"pkg/__init__.py": "", "pkg/net.py": NET, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(dedent(text))
    return OwnUses(root).of("pkg/net.py", "pkg.net", name)


def arguments(code: str) -> tuple[list[object], dict[str, object]]:
    names: dict[str, object] = {}
    exec(code, names)
    return names["args"], names["kwargs"]  # type: ignore[return-value]


class TestConstructions:
    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("Net(1, b=2)", ([1], {"b": 2})),
            ("width = 3\nNet(width * 2)", ([6], {})),
            ("sizes = [1]\nsizes.append(2)\nNet(sizes)", ([[1, 2]], {})),
            ("import math\nNet(math.floor(2.5))", ([2], {})),
            ("given = dict(a=1)\nNet(**given)", ([], {"a": 1})),
            ("def make(n=4):\n    return Net(n)", ([4], {})),
            ("for n in (5, 6):\n    Net(n)", ([5], {})),
            ("sizes = []\nfor n in (5, 6):\n    sizes += [n]\nNet(sizes)", ([[5, 6]], {})),
            ("sizes = []\nfor n in (5, 6):\n    sizes.append(n)\nNet(sizes)", ([[5, 6]], {})),
            ("for n in (5, 6):\n    size = n\n    train(n)\nNet(size)", ([5], {})),
            (
                "for k in (1, 2):\n    all = []\n    for n in range(2):\n        some = [n]\n"
                "        some += [k]\n        all += [some]\n    Net(all)",
                ([[[0, 1], [1, 1]]], {}),
            ),
            ("if __name__ == '__main__':\n    n = 7\n    model = Net(n).eval()", ([7], {})),
            ("def half(n):\n    return n // 2\nNet(half(8))", ([4], {})),
            (
                "import pytest\n@pytest.mark.parametrize('n, m', [(1, 2), (3, 4)])\n"
                "def test_it(n, m):\n    Net(n, m)",
                ([1, 2], {}),
            ),
            (
                "class TestIt:\n    def setUp(self):\n        self.n = 9\n"
                "    def test_it(self):\n        Net(self.n)",
                ([9], {}),
            ),
            (
                "import argparse\nparser = argparse.ArgumentParser()\n"
                "parser.add_argument('--n', default=10)\nargs = parser.parse_args([])\nNet(args.n)",
                ([10], {}),
            ),
        ],
    )
    def test_with_what_the_arguments_depend_on(self, tmp_path, source, expected):
        (use,) = uses(tmp_path, {"run.py": source})
        assert arguments(use.build) == expected

    @pytest.mark.parametrize(
        "source",
        [
            "def make(n):\n    return Net(n)",
            "n = train()\nNet(n)",
            "Net(download_weights())",
            "Net(open('x', 'w'))",
            "data = Images(train=True)\nNet(data)",
            "import requests\nNet(requests.get('x'))",
            "from torchvision import datasets\nNet(datasets)",
            "import torch\nNet(torch.hub.load('x'))",
            "Net(nowhere)",
            "Net(",
        ],
    )
    def test_what_cannot_be_told_or_is_not_to_be_run_is_left(self, tmp_path, source):
        assert uses(tmp_path, {"run.py": source}) == []

    def test_only_the_imports_that_are_needed_are_made(self, tmp_path):
        source = "import nothing_like_it\nfrom .sizes import WIDTH\nNet(WIDTH)"
        (use,) = uses(tmp_path, {"pkg/run.py": source})
        assert use.build == "from pkg.sizes import WIDTH\nargs = [WIDTH]\nkwargs = {}\n"

    def test_what_the_file_of_the_class_defines_is_imported_from_it(self, tmp_path):
        source = NET + "class Config: ...\nif __name__ == '__main__':\n    Net(Config())\n"
        (use,) = uses(tmp_path, {"pkg/net.py": source})
        assert use.build.startswith("from pkg.net import Config\n")

    def test_files_of_installed_packages_do_not_count(self, tmp_path):
        assert uses(tmp_path, {"venv/lib/site-packages/other/run.py": "Net(1)"}) == []


class TestCalls:
    @pytest.mark.parametrize(
        ("source", "method"),
        [
            ("net = Net(1)\nnet(2, y=3)", "forward"),
            ("net = Net(1)\nnet.encode(2, y=3)", "encode"),
            ("Net(1)(2, y=3)", "forward"),
            ("net = Net(1)\nx = 2\nprint(net(x, y=3).shape)", "forward"),
            (
                "class T:\n    def setUp(self):\n        self.net = Net(1)\n"
                "    def test_it(self):\n        self.net(2, y=3)",
                "forward",
            ),
        ],
    )
    def test_of_what_was_built(self, tmp_path, source, method):
        (use,) = uses(tmp_path, {"run.py": source})
        ((called, code),) = use.calls
        assert (called, arguments(code)) == (method, ([2], {"y": 3}))

    def test_each_goes_with_the_construction_before_it(self, tmp_path):
        source = "net = Net(1)\nnet(1)\nnet = Net(2)\nnet(2)\n"
        first, second = uses(tmp_path, {"run.py": source})
        for use, number in ((first, 1), (second, 2)):
            assert arguments(use.build) == ([number], {})
            assert [arguments(code) for _, code in use.calls] == [([number], {})]

    def test_with_calls_goes_first(self, tmp_path):
        found = uses(tmp_path, {"a.py": "Net(1)\n", "b.py": "net = Net(2)\nnet(3)\n"})
        assert [use.place for use in found] == ["b.py:1", "a.py:1"]
