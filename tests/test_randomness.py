"""Which reads and calls draw, where it is known which parameters are random.

``Net`` below has a random weight of a layer (``fc``), a random parameter (``p``), a part that is
random (``block``), layers in a container (``layers``), and what is not: ``plain``, ``q``, ``n``.
Each row is the body of its ``forward``, which may call the methods of ``HELPERS``.
"""

from __future__ import annotations

from textwrap import dedent, indent

import pytest
from conftest import LayOut
from test_interpret import table

from pyroify.decide.methods import methods_to_decorate
from pyroify.decide.project import Candidates, ClassSites, declared, kept, matches, random
from pyroify.decide.randomness import Randomness
from pyroify.program import build_index
from pyroify.program.index import Function
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.spec.load import parse_spec

SPEC = parse_spec("version: 1\npriors: []\n", "spec")
BLOCK = """\
import abc, functools
import pyro
import torch
from pyro.nn import PyroModule, PyroSample
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(3))
        self.plain = nn.Linear(3, 3)


class Quiet(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)


"""
NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = 3
        self.p = nn.Parameter(torch.zeros(3))
        self.q = nn.Parameter(torch.zeros(3))
        self.fc = nn.Linear(3, 3)
        self.plain = nn.Linear(3, 3)
        self.block = Block()
        self.quiet = Quiet()
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
        self.also = self.fc

"""
HELPERS = """
def helper(self, x):
    return self.fc(x)

def further(self, x):
    return self.helper(x)

def harmless(self, x):
    return self.plain(x)

def loop(self, x):
    return self.loop(x)

"""
SITES = {
    "Net": ClassSites(
        random=frozenset({"p", "fc.weight", "layers.*.weight"}),
        constrained=frozenset({"quiet.lin.bias"}),
        kept=frozenset({"q", "fc.bias", "plain.weight", "plain.bias"}),
    ),
    "Block": ClassSites(random=frozenset({"w"}), kept=frozenset({"plain.weight"})),
}


def randomness_of(lay_out: LayOut, net: str, name: str = "Net") -> Randomness:
    """A class of a file as the checks see it, where the sites of ``SITES`` are known."""
    index = build_index(lay_out({"net.py": BLOCK + net}), ["net.py"])
    resolver = Resolver(index, {})
    classes = index.module_classes
    summaries = {
        cls.key: ClassSummary(
            cls,
            resolver,
            (*cls.lineage[1:], *(sub for sub in classes if cls in sub.lineage[1:])),
        )
        for cls in classes
    }
    sites = {key: SITES[key[1]] for key in summaries if key[1] in SITES}
    return Randomness(Candidates(index, SPEC, summaries, sites), summaries["net.py", name])


def randomness_with(lay_out: LayOut, methods: str) -> Randomness:
    return randomness_of(lay_out, NET + indent(dedent(methods) + HELPERS, "    "))


def method(randomness: Randomness, name: str) -> Function:
    found = randomness.summary.cls.cls.method(name)
    assert found is not None
    return found


def forward(body: str) -> str:
    return f"def forward(self, x):\n{indent(dedent(body), '    ')}\n"


DRAWS = {
    "a call of a random layer": ("self.fc(x)", "fc"),
    "its weight": ("self.fc.weight", "fc.weight"),
    "its forward": ("self.fc.forward(x)", "fc.forward"),
    "not its bias, which is kept": ("self.fc.bias", ""),
    "not the layer itself, which is handed on": ("print(self.fc)", ""),
    "a random parameter": ("x * self.p", "p"),
    "computed with in place": ("x += self.p", "p"),
    "a method of it": ("self.p.sum()", "p.sum"),
    "its data": ("self.p.data", "p.data"),
    "an element of it": ("self.p[0]", "p"),
    "not its shape": ("self.p.shape", ""),
    "not its size, which is asked for": ("self.p.size(0)", ""),
    "not its device": ("x.to(self.p.device)", ""),
    "not the size of a weight": ("self.fc.weight.shape", ""),
    "not a size of the layer": ("self.fc.in_features", ""),
    "not a parameter that is kept": ("self.q", ""),
    "not a layer that is kept": ("self.plain(x)", ""),
    "not a number": ("self.n", ""),
    "not what nobody gave it": ("self.other(x)", ""),
    "a part of the project": ("self.block(x)", "block"),
    "a random parameter of the part": ("self.block.w", "block.w"),
    "not what is kept of the part": ("self.block.plain.weight", ""),
    "not a part that is only constrained": ("self.quiet(x)", ""),
    "layers in a container": ("self.layers[0](x)", ""),
    "a weight of them by number": ("self.layers.0.weight".replace(".0", "[0]"), ""),
    "its own method that draws": ("self.helper(x)", "helper"),
    "one that calls that": ("self.further(x)", "further"),
    "not one that does not": ("self.harmless(x)", ""),
    "not one that calls itself": ("self.loop(x)", ""),
    "another name of a random layer": ("self.also(x)", "also"),
    "not what is set": ("self.p = x", ""),
    "not what is deleted": ("del self.p", ""),
    "in a condition": ("if self.p > 0: pass", "p"),
    "in a lambda": ("f = lambda y: self.p * y", "p"),
    "as an argument of a call": ("torch.relu(self.p)", "p"),
    "a keyword argument": ("torch.relu(input=self.p)", "p"),
    "twice is drawn once, and read twice": ("self.p + self.p", "p p"),
}


@table(DRAWS)
def test_what_draws(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    randomness = randomness_with(lay_out, forward(body))
    uses = method(randomness, "forward").uses
    found = [".".join(use.path) for use in uses if randomness.draws(use)]
    assert " ".join(found) == expected


TOUCHES = {
    "a random layer is called": ("return self.fc(x)", True),
    "a random layer is handed on": ("return torch.vmap(self.fc)(x)", True),
    "a random parameter is read": ("return self.p", True),
    "only its shape": ("return self.p.shape", False),
    "a layer that is kept": ("return self.plain(x)", False),
    "it is called again": ("return self(x)", True),
    "its forward is called": ("return self.forward(x)", True),
    "the base is called": ("return super().forward(x)", True),
    "another method of the base is called": ("return super().extra(x)", False),
    "a method that draws": ("return self.further(x)", True),
    "a method that does not": ("return self.harmless(x)", False),
    "its parameters are counted": ("return len(list(self.fc.parameters()))", False),
    "its state is read": ("return self.fc.state_dict()", False),
    "it is moved": ("self.fc.to(x)", False),
    "a weight is set": ("self.p = x", False),
    "a weight is deleted": ("del self.p", False),
    "something else of a random part is called": ("return self.block.extra(x)", True),
    "the weights of all layers are gone over": (
        "total = 0\nfor m in self.modules():\n    total += m.weight.sum()\nreturn total",
        True,
    ),
    "and nothing comes out of it": (
        "for m in self.modules():\n    print(m.weight)",
        False,
    ),
}


@table(TOUCHES)
def test_whether_a_method_draws(row: tuple[str, bool], lay_out: LayOut) -> None:
    body, expected = row
    randomness = randomness_with(lay_out, f"def other(self, x):\n{indent(body, '    ')}\n")
    assert randomness.is_drawing(method(randomness, "other")) is expected


ENTRIES = {
    "a method that draws": ("def other(self, x):\n    return self.fc(x)", "other 0"),
    "not one that does not": ("def other(self, x):\n    return self.plain(x)", ""),
    "not forward, which is one": ("def forward(self, x):\n    return self.fc(x)", ""),
    "but __call__": ("def __call__(self, x):\n    return self.fc(x)", "__call__ 0"),
    "__call__ is one however often it is called": (
        "def __call__(self, x):\n    return self.fc(x)\n"
        "def twice(self, x):\n    return self.__call__(self.__call__(x))",
        "__call__ 0 twice 0",
    ),
    "no other method of Python": ("def __len__(self):\n    return len(self.p)", ""),
    "a private one that nobody calls": ("def _other(self, x):\n    return self.fc(x)", "_other 0"),
    "not a private one that is called": (
        "def _other(self, x):\n    return self.fc(x)\ndef forward(self, x):\n    "
        "return self._other(x)",
        "",
    ),
    "a private one that only itself calls": (
        "def _other(self, x):\n    return self._other(self.fc(x))",
        "_other 0",
    ),
    "a property, below its decorator": (
        "@property\ndef other(self):\n    return self.p",
        "other 1",
    ),
    "not a setter": (
        "@other.setter\ndef other(self, x):\n    self.p.data = self.p + x",
        "",
    ),
    "not a static method": ("@staticmethod\ndef other(self):\n    return self.p", ""),
    "not an abstract one": ("@abc.abstractmethod\ndef other(self):\n    return self.p", ""),
    "not one that is an entry point": (
        "@pyro.nn.pyro_method\ndef other(self):\n    return self.p",
        "",
    ),
    "not a prior by a decorator": ("@PyroSample\ndef other(self):\n    return self.p", ""),
    "not a generator": ("def other(self):\n    yield self.p", ""),
    "not one that only initialises": (
        "def other(self):\n    nn.init.zeros_(self.p)",
        "",
    ),
    "one that initialises and gives a value": (
        "def other(self):\n    nn.init.zeros_(self.q)\n    return self.p",
        "other 0",
    ),
    "not one that builds": (
        "def other(self):\n    self.new = nn.Linear(self.p.sum(), 3)",
        "",
    ),
    "not a whole training": (
        "def other(self, data, optimizer):\n    for x in data:\n        loss = self.fc(x).sum()\n"
        "        loss.backward()\n        optimizer.step()\n    return loss",
        "",
    ),
}


@table(ENTRIES)
def test_which_methods_become_entry_points(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    randomness = randomness_of(lay_out, NET + indent(body, "    ") + "\n")
    found = methods_to_decorate(randomness.summary, randomness)
    assert " ".join(f"{item.name} {position}" for item, position in found) == expected


SUBCLASS = """\

class Sub(Net):
    def {name}(self, x):
        return {body}
"""


@pytest.mark.parametrize(("body", "expected"), [("self.fc(x)", True), ("x", False)])
def test_an_override_may_draw(body: str, expected: bool, lay_out: LayOut) -> None:
    net = NET + indent(f"def other(self, x):\n    return self.harmless(x)\n{HELPERS}", "    ")
    randomness = randomness_of(lay_out, net + SUBCLASS.format(name="harmless", body=body))
    assert randomness.is_drawing(method(randomness, "other")) is expected


DRAWING = {
    "a class itself, and what it holds": ("Net", "also block fc layers p"),
    "a part of it": ("Block", "w"),
    "one that is only constrained": ("Quiet", ""),
    "a class that derives from it": ("Sub", "also block fc layers p"),
}


@table(DRAWING)
def test_which_attributes_draw(row: tuple[str, str], lay_out: LayOut) -> None:
    name, expected = row
    text = NET + SUBCLASS.format(name="forward", body="x")
    assert randomness_of(lay_out, text, name).names == frozenset(expected.split())


LEADS = {
    "a random parameter": ("p", random, True),
    "one of a layer": ("fc.weight", random, True),
    "not the layer above it": ("fc", random, False),
    "not what is below it": ("p.data", random, False),
    "one of a container, by any number": ("layers.1.weight", random, True),
    "one of a part": ("block.w", random, True),
    "not one of no part": ("quiet.w", random, False),
    "one that is kept": ("q", kept, True),
    "one that is kept in a part": ("block.plain.weight", kept, True),
    "one that is constrained is declared": ("quiet.lin.bias", declared, True),
    "but not random": ("quiet.lin.bias", random, False),
    "nothing": ("", random, False),
}


@table(LEADS)
def test_what_a_path_leads_to(row: tuple[str, object, bool], lay_out: LayOut) -> None:
    path, chosen, expected = row
    randomness = randomness_of(lay_out, NET)
    names = tuple(path.split(".")) if path else ()
    assert randomness.project.leads_to(randomness.summary.cls, names, chosen) is expected  # type: ignore[arg-type]


MATCHES = {
    "the same": ("fc.weight", "fc.weight", True),
    "another name": ("fc.weight", "fc.bias", False),
    "a shorter one": ("fc.weight", "fc", False),
    "a longer one": ("fc.weight", "fc.weight.data", False),
    "any one name": ("fc.*.weight", "fc.3.weight", True),
    "any one on the other side": ("fc.3.weight", "fc.*.weight", True),
    "not two names": ("fc.*.weight", "fc.3.0.weight", False),
    "a weight somewhere below": ("fc.**", "fc.3.0.weight", True),
    "a bias right below": ("fc.**", "fc.bias", True),
    "not anything below": ("fc.**", "fc.3.0.shape", False),
    "not the top itself": ("weight.**", "weight", False),
    "not below another": ("fc.**", "gc.weight", False),
    "what ends in a name, somewhere below": ("fc.**.scale", "fc.3.scale", True),
    "not what ends in another": ("fc.**.scale", "fc.3.weight", False),
    "everything": ("**", "fc.weight", True),
}


@table(MATCHES)
def test_whether_a_path_names_a_site(row: tuple[str, str, bool]) -> None:
    site, path, expected = row
    assert matches(site, tuple(path.split("."))) is expected
