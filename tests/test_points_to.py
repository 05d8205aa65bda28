"""Which classes a value may be an instance of: arguments, attributes, factories, and circles."""

from pathlib import Path

import pytest

from pyroify.program import build_index
from pyroify.program.points_to import Pointers, PointsTo, calls_of, code_of

NETS = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, inner=None):
        super().__init__()
        self.fc = nn.Linear(3, 1)
        self.inner = inner

class Deep(Net):
    pass
"""
ANY = "anything"


def asked(tmp_path: Path, code: str) -> PointsTo:
    """What the argument of ``ask(...)`` in some code may be."""
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "code.py").write_text(f"import torch\nfrom nets import *\n{code}")
    index = build_index(tmp_path, ["code.py", "nets.py"])
    file = index.file("code.py")
    assert file is not None
    [(call, at)] = [
        (call, at) for at in code_of(file) for call in calls_of(at) if call.text == "ask"
    ]
    return Pointers(index).of(call.args[0].value, at)


def names(found: PointsTo) -> set[str]:
    return {name for _, name in found.classes} | ({ANY} if found.anything else set())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ask(Net())", {"Net"}),
        ("ask(Net().cuda().parameters())", {"Net"}),
        ("ask(Net() if x else Deep())", {"Net", "Deep"}),
        ("net = torch.compile(Net())\nask(net)", {"Net"}),
        ("net, other = Net(), 3\nask(net)", {"Net"}),
        ("ask(torch.nn.Linear(3, 1))", set()),
        ("ask([torch.zeros(3, requires_grad=True)])", set()),
        ("def f(m):\n    ask(m)\nf(Net())\nf(m=Deep())", {"Net", "Deep"}),
        ("def f(m):\n    ask(m)\n", {ANY}),
        ("def f(m):\n    ask(m)\nf(torch.nn.Linear(3, 1))", set()),
        ("def f(m: Net):\n    ask(m)\n", {"Net", "Deep"}),
        ("def f(n, m=None):\n    ask(m)\nf(3)", set()),
        ("def f(m):\n    ask(m)\nf(Net())\nmap(f, list_of_nets)", {"Net", ANY}),
        ("def make():\n    return Net()\nask(make())", {"Net"}),
        ("KINDS = {'a': Net}\nask(KINDS[name]())", {"Net"}),
        ("ask(getattr(nets, name)())", {ANY}),
        ("ask(torch.load('net.pt'))", {ANY}),
        ("ask(build_from_somewhere(config))", {ANY}),
        (
            "class Trainer:\n    def __init__(self, net):\n        self.net = net\n"
            "    def go(self):\n        ask(self.net)\nTrainer(Net())",
            {"Net"},
        ),
        (
            "class Trainer:\n    def __init__(self, net):\n        self.net = net\n"
            "trainer = Trainer(Net())\nask(trainer.net.parameters())",
            {"Net"},
        ),
        (
            "def f(m):\n    return f(g(m))\ndef g(m):\n    ask(m)\n    return f(m)\ng(Net())",
            {"Net"},
        ),
    ],
)
def test_what_a_value_may_be(tmp_path: Path, code: str, expected: set[str]) -> None:
    assert names(asked(tmp_path, code)) == expected


def test_parts_are_told_from_what_holds_them(tmp_path: Path) -> None:
    found = asked(tmp_path, "ask(Net(Deep()))")
    assert names(found) == {"Net"}
    assert found.parts == (("nets.py", "Deep"),)


def test_guides_have_parameters_of_their_own(tmp_path: Path) -> None:
    code = "from pyro.infer import Trace_ELBO\nask(Trace_ELBO()(Net(), guide).parameters())"
    assert asked(tmp_path, code).guide


def test_circles_of_many_attributes_take_no_time(tmp_path: Path) -> None:
    many = range(30)
    lines = [f"        self.a{i} = f({', '.join(f'self.a{j}' for j in many)})" for i in many]
    code = "class A:\n    def __init__(self):\n" + "\n".join(lines)
    found = asked(tmp_path, f"{code}\n        self.a3 = Net()\nask(A().a1)")
    assert names(found) == {"Net", ANY}
