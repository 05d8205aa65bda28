"""What an expression makes, and what an attribute is used as: a table of source and sites.

Each row is a constructor's body (``d`` is a size, ``given`` and ``more`` are arguments of which
nothing is known) and the sites that the class comes to have. ``**`` is left to run time.
"""

from pathlib import Path
from textwrap import dedent, indent

import pytest

from pyroify.pipeline import rewrite_project
from pyroify.spec.load import parse_spec

HEAD = """
import collections, contextlib, copy, dataclasses, functools, importlib, itertools, operator, typing
import einops, math, numpy as np, outside
import torch
from torch import nn

LAYERS = {"a": nn.Linear, "b": nn.Bilinear}
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
MADE = [nn.Linear(2, 2)]

def parameter(d):
    return nn.Parameter(torch.zeros(d))

def pair(d):
    return nn.Parameter(torch.zeros(d)), nn.Parameter(torch.ones(d))

def parameters(d):
    yield nn.Parameter(torch.zeros(d))
    yield nn.Parameter(torch.zeros(d))

def layers(d):
    for _ in range(2):
        yield nn.Linear(d, d)

def same(x):
    return x

def choose(wide):
    if wide:
        return nn.Linear
    return Block

@functools.lru_cache
def cached(d):
    return nn.Linear(d, d)

def run(f, x):
    return f(x)

def scaled(x, n):
    return x * n

make = lambda d: nn.Parameter(torch.zeros(d))

class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, d)

class Filled(nn.Sequential):
    pass

class Maker:
    @staticmethod
    def make(d):
        return nn.Linear(d, d)
"""
METHODS = """
MAKER = nn.Linear
MAKERS = {"a": nn.Linear}

def method(self, d):
    return nn.Parameter(torch.zeros(d))

@staticmethod
def static(d):
    return nn.Parameter(torch.zeros(d))

@classmethod
def by_class(cls, d):
    return nn.Parameter(torch.zeros(d))

@property
def parameter(self):
    return nn.Parameter(torch.zeros(3))

@functools.cached_property
def layer(self):
    return nn.Linear(3, 3)

def kept(self):
    return self.m

@property
def held(self):
    return self.m

def call(self, f, x):
    return f(x)

def scale(self, x, n):
    return x * n
"""
SPEC = """\
version: 1
priors:
  - match: "**"
    sample: Normal(0, 1)
"""


def sites(root: Path, body: str, forward: str, arguments: str = "d, given, *more, **named") -> str:
    """The sites of a class, or why it is refused."""
    text = f"{HEAD}\nclass Net(nn.Module):\n"
    text += f"    def __init__(self, {arguments}):\n        super().__init__()\n"
    text += indent(dedent(body), " " * 8) + "\n"
    text += "    def forward(self, x):\n" + indent(dedent(forward), " " * 8) + "\n"
    text += indent(METHODS, "    ")
    (root / "net.py").write_text(text)
    outcome = rewrite_project(root, ["net.py"], parse_spec(SPEC, "spec"))
    (net,) = (cls for cls in outcome.plan.classes if cls.qualname == "Net")
    codes = [finding.code for finding in net.findings] if net.status == "refused" else []
    return " ".join([*(site.path for site in net.sites), *codes])


EXPRESSIONS = (
    ("self.x = parameter(d)", "x"),
    ("self.x = self.method(d)", "x"),
    ("self.x = self.static(d)", "x"),
    ("self.x = Net.static(d)", "x"),
    ("self.x = self.by_class(d)", "x"),
    ("self.x = type(self).by_class(d)", "x"),
    ("self.x = self.__class__.static(d)", "x"),
    ("self.x = self.parameter", "x"),
    ("self.x = make(d)", "x"),
    ("self.x = (lambda: nn.Parameter(torch.zeros(d)))()", "x"),
    ("self.x = same(nn.Parameter(torch.zeros(d)))", "x"),
    ("self.x, self.y = pair(d)", "x y"),
    ("self.x, self.y = parameters(d)", "x y"),
    ("self.x = next(parameters(d))", "x"),
    ("self.x = functools.partial(nn.Parameter, requires_grad=True)(torch.zeros(d))", "x"),
    ('self.x = {"a": parameter(d)}.get("a")', "x"),
    ('self.register_parameter("x", parameter(d))', "x"),
    ("self.x = parameter(d) if d else None", "x"),
    ("self.x = nn.ParameterList(parameters(d))", "x.*"),
    ('self.x = nn.ParameterDict(zip("a", [parameter(d)]))', "x.*"),
    ("self.x = nn.ModuleList([nn.ParameterList([parameter(d)]) for _ in range(2)])", "x.*.*"),
    (
        "self.x = nn.ModuleList([nn.ParameterList([parameter(d)]), nn.Linear(d, d)])",
        "x.0.* x.1.weight x.1.bias",
    ),
    ('self.x = nn.ModuleDict({"a": nn.ParameterDict({"b": parameter(d)})})', "x.a.*"),
    ("self.x = nn.Linear(d, d).weight", "x"),
    ("self.x = parameter(d) if d else nn.Linear(d, d)", "** x.weight x.bias"),
    ("self.x = self.layer", "x.weight x.bias"),
    ("self.x = layers(d)", "PYR002"),
    ("self.x = nn.ModuleList(layers(d))", "x.*.weight x.*.bias"),
    ("self.x = nn.Sequential(*layers(d))", "x.*.weight x.*.bias"),
    ("self.x = next(layers(d))", "x.weight x.bias"),
    ("self.x = cached(d)", "x.weight x.bias"),
    ("self.x = Maker.make(d)", "x.**"),
    ("self.x = Block(d)", ""),
    ("self.x = choose(d)(d)", "x.**"),
    ("kind = choose(d)\nself.x = kind(d)", "x.**"),
    ("self.x = nn.Sequential(*itertools.starmap(nn.Linear, [(d, d)]))", "x.**"),
    (
        "self.x = nn.Sequential(*itertools.chain([nn.Linear(d, d)], [nn.ReLU()]))",
        "x.0.weight x.0.bias",
    ),
    (
        "self.x = nn.Sequential(*itertools.chain.from_iterable([[nn.Linear(d, d)]]))",
        "x.0.weight x.0.bias",
    ),
    ("self.x = nn.Sequential(*itertools.repeat(nn.Linear(d, d), 3))", "x.**"),
    ("self.x = operator.call(nn.Linear, d, 2)", "x.**"),
    ("self.x = operator.itemgetter(0)([nn.Linear(d, d)])", "x.**"),
    ('self.x = operator.methodcaller("Linear", d, d)(nn)', "x.**"),
    ("self.x = functools.reduce(nn.Sequential, more)", "x.**"),
    ("self.x = functools.partial(nn.Linear, d)(d)", "x.**"),
    ("self.x = functools.lru_cache(lambda: nn.Linear(d, d))()", "x.**"),
    ("self.x = typing.cast(nn.Module, nn.Linear(d, d))", "x.weight x.bias"),
    ("self.x = typing.cast(nn.Module, given)", "x.**"),
    ("self.y = nn.Linear(d, d)\nself.x = copy.deepcopy(self.y)", "y.weight y.bias x.weight x.bias"),
    (
        "self.y = nn.Linear(d, d)\nself.x = nn.ModuleList([copy.deepcopy(self.y) for _ in 'ab'])",
        "y.weight y.bias x.*.weight x.*.bias",
    ),
    ("self.y = nn.Linear(d, d)\nself.x = type(self.y)(d, d)", "y.weight y.bias x.**"),
    ("self.y = nn.Linear(d, d)\nself.x = self.y.__class__(d, d)", "y.weight y.bias x.**"),
    ("self.x = nn.ModuleList([a for a, _ in zip([nn.Linear(d, d)], more)])", "x.*.weight x.*.bias"),
    ("self.x = nn.ModuleList([a for _, a in enumerate([nn.Linear(d, d)])])", "x.*.weight x.*.bias"),
    ("self.x = nn.ModuleList(sorted([nn.Linear(d, d)], key=id))", "x.*.weight x.*.bias"),
    ("self.x = nn.ModuleList(map(nn.Linear, [d], [d]))", "x.**"),
    ("self.x = nn.ModuleList(map(lambda i: nn.Linear(i, i), [d]))", "x.*.weight x.*.bias"),
    ("self.x = nn.ModuleList(filter(None, [nn.Linear(d, d)]))", "x.*.weight x.*.bias"),
    ("self.x = max([nn.Linear(d, d)], key=id)", "x.**"),
    ('self.x = LAYERS["a"](d, d)', "x.weight x.bias"),
    ('self.x = LAYERS.get("a", nn.Linear)(d, d)', "x.weight x.bias"),
    ('self.x = ACTIVATIONS["relu"]()', ""),
    ("self.x = self.MAKER(d, d)", "x.weight x.bias"),
    ('self.x = self.MAKERS["a"](d, d)', "x.weight x.bias"),
    ("self.x = nn.ModuleDict({key: kind(d, d) for key, kind in LAYERS.items()})", "x.**"),
    ("self.x = MADE[0]", "x.**"),
    ("parts = [nn.Linear(d, d)]\nself.x = parts.pop()", "x.weight x.bias"),
    ('parts = {"a": nn.Linear(d, d), "b": nn.ReLU()}\nself.x = parts["a"]', "x.weight x.bias"),
    ("with contextlib.nullcontext(nn.Linear(d, d)) as made:\n    self.x = made", "x.**"),
    ('self.x = getattr(nn, "Linear")(d, d)', "x.weight x.bias"),
    ('self.x = nn.__dict__["Linear"](d, d)', "x.weight x.bias"),
    ('self.x = vars(nn)["Linear"](d, d)', "x.weight x.bias"),
    ('self.x = globals()["Block"](d)', "x.**"),
    ('self.x = eval("nn.Linear(d, d)")', "x.**"),
    ('self.x = importlib.import_module("torch.nn").Linear(d, d)', "x.**"),
    ('self.x = __import__("torch").nn.Linear(d, d)', "x.**"),
    ("self.x = torch.load(d)", "x.**"),
    ("self.x = torch.nn.utils.skip_init(nn.Linear, d, d)", "x.**"),
    ("self.x = dataclasses.replace(d, layer=nn.Linear(d, d)).layer", "x.**"),
    ("self.x = outside.build(nn.Linear)", "x.**"),
    ("self.x = outside.build(d)", "x.**"),
    ("self.x = outside.Layer(d)", "x.**"),
    ("self.x = (layer := nn.Linear(d, d))", "x.weight x.bias"),
    ("self.x = nn.Linear(d, d) if d else nn.Identity()", "x.weight x.bias"),
    ("self.x = d and nn.Linear(d, d)", "x.weight x.bias x.**"),
    ("self.x = nn.Linear(d, d) if d else len", "x.weight x.bias"),
    ('self.x = nn.ModuleDict([("a", nn.Linear(d, d)), ["b", nn.ReLU()]])', "x.a.weight x.a.bias"),
    (
        'self.x = nn.ModuleDict(zip("ab", [nn.Linear(d, d), nn.Linear(d, d)]))',
        "x.*.weight x.*.bias",
    ),
    ('self.x = nn.ModuleDict((key, nn.Linear(d, d)) for key in "ab")', "x.*.weight x.*.bias"),
    ('self.x = nn.ModuleDict({"a": nn.Linear(d, d)}.items())', "x.a.weight x.a.bias"),
    ("self.x, self.y = [nn.Linear(d, d) for _ in range(2)]", "x.weight x.bias y.weight y.bias"),
    ("self.x, *self.y = [nn.Linear(d, d), nn.ReLU()]", "x.weight x.bias"),
    ("self.x = len([given])", ""),
    ("self.x = str(given)", ""),
    ("self.x = torch.zeros(d)", ""),
    ("self.x = nn.functional.relu", ""),
    ("self.x = nn.ReLU()", ""),
)

AS_MODULE = (
    "return self.m(x)",
    "f = self.m\nreturn f(x)",
    "return [l(x) for l in self.m]",
    "for l in self.m:\n    x = l(x)\nreturn x",
    "for i, l in enumerate(self.m):\n    x = l(x)\nreturn x",
    "for l, y in zip(self.m, x):\n    x = l(x)\nreturn x",
    "return self.m[0](x)",
    'return self.m["a"](x)',
    "return self.m.forward(x)",
    "return run(self.m, x)",
    "return run(x=x, f=self.m)",
    "return outside.odeint(self.m, x)",
    "return self.call(self.m, x)",
    "return self.m.conv1(x)",
    'return getattr(self, "m")(x)',
    "return (self.m if x else self.fc)(x)",
    'return self._modules["m"](x)',
    "return x @ self.m.weight",
    "return list(map(self.m, x))",
    "return torch.vmap(self.m)(x)",
    "return functools.reduce(lambda a, l: l(a), self.m, x)",
    "return torch.utils.checkpoint.checkpoint(self.m, x)",
    "return torch.func.functional_call(self.m, {}, x)",
    "return (lambda y: self.m(y))(x)",
    "def inner(y):\n    return self.m(y)\nreturn inner(x)",
    "return self.held(x)",
    "return self.kept()(x)",
    "return sum(p.sum() for p in self.m.parameters())",
    "for k, l in self.m.items():\n    x = l(x)\nreturn x",
    "while x:\n    a = b = self.m\n    x = b(x)\nreturn x",
    "match x:\n    case 1:\n        return self.m(x)",
    "return functools.partial(self.m, x)()",
    "return self.m.__call__(x)",
    "return nn.Sequential(self.m, nn.ReLU())(x)",
    "with torch.no_grad():\n    return self.m(x)",
    "return outside.Solver(self.m).run(x)",
    "return nn.Module.__call__(self.m, x)",
    "return operator.call(self.m, x)",
    "return self.m.net(x)",
    "return self.m.layers[0](x)",
    "return (f := self.m)(x)",
)
"""Uses of ``self.m``, an argument or an entry of one, which only a module is there for."""

AS_NUMBER = (
    "return x * self.m",
    "return [x for _ in range(self.m)]",
    "return x.view(-1, self.m)",
    "return x[: self.m]",
    "return x + self.m // 2",
    "return x if self.m > 1 else -x",
    "return x if self.m else -x",
    "return torch.nn.functional.dropout(x, self.m)",
    "return x + torch.zeros(self.m)",
    "print(self.m)\nreturn x",
    'print(f"{self.m}")\nreturn x',
    "return x * self.m.a",
    "for i in self.m:\n    x = x * i\nreturn x",
    "return x.to(self.m)",
    'return x * self.m["a"]',
    'return x * self.m.get("a")',
    'return einops.rearrange(x, "a b", h=self.m)',
    "return x.reshape(len(x), self.m, -1)",
    'return einops.rearrange(x, "a", h=self.m)',
    "return x * int(self.m)",
    "return np.zeros(self.m)",
    "return math.sqrt(self.m)",
    "return self.scale(x, self.m)",
    "return outside.relu(x) * self.m",
    "return outside.pool(x, self.m) * self.m",
    "return x",
    "return x.split(self.m, 1)",
    "return scaled(x, self.m)",
    "assert self.m == 3\nreturn x",
    'return x if "a" in self.m else x',
    "return x if self.m is None else x",
    "return self.fc(x)[self.m]",
    "return nn.functional.interpolate(x, size=self.m)",
    "return Block(self.m)(x)",
    "return x.new_zeros(self.m, 3)",
    "return torch.cat([x] * self.m)",
    "return x.argmax() == self.m",
    "self.m += 1\nreturn x",
    'return logging.info("%s", self.m)',
    "return x.m(self.m)",
    "return nn.Linear(self.m, 3)(x) * self.m.run()",
    "return nn.LSTM(self.m, 3)(x) * self.m.run()",
)
"""Uses of ``self.m`` that do not make a module of it: the layers beside it stay in sight."""


@pytest.mark.parametrize(("body", "expected"), EXPRESSIONS)
def test_what_an_expression_makes(body: str, expected: str, tmp_path: Path) -> None:
    assert sorted(sites(tmp_path, body, "return self.x(x)").split()) == sorted(expected.split())


@pytest.mark.parametrize("forward", AS_MODULE)
def test_what_is_used_as_a_module_may_be_one(forward: str, tmp_path: Path) -> None:
    assert "m.**" in sites(tmp_path, "self.fc = nn.Linear(3, 3)\nself.m = given", forward)


@pytest.mark.parametrize("forward", AS_NUMBER)
def test_what_is_used_as_a_number_is_none(forward: str, tmp_path: Path) -> None:
    body = "self.fc = nn.Linear(3, 3)\nself.m = given"
    assert sites(tmp_path, body, forward) == "fc.weight fc.bias"


@pytest.mark.parametrize("value", ["given.x", "given['x']", "given.get('x')", "more[0]"])
def test_what_is_taken_from_an_argument_is_told_by_its_use(value: str, tmp_path: Path) -> None:
    body = f"self.fc = nn.Linear(3, 3)\nself.m = {value}"
    assert "m.**" in sites(tmp_path, body, "return self.m(x)")
    assert sites(tmp_path, body, "return x // self.m") == "fc.weight fc.bias"


@pytest.mark.parametrize("name", ["layers", "num_layers", "model", "net", "x", "m", "block"])
def test_what_it_is_called_says_nothing(name: str, tmp_path: Path) -> None:
    body = f"self.fc = nn.Linear(3, 3)\nself.{name} = given"
    assert sites(tmp_path, body, f"return self.fc(x) * self.{name}") == "fc.weight fc.bias"
    assert f"{name}.**" in sites(tmp_path, body, f"return self.{name}(x)")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("nn.Module", True),
        ("nn.Module | None", True),
        ("typing.Optional[nn.Linear]", True),
        ("type[nn.Module]", False),
        ("int", False),
        ("outside.Thing", False),
    ],
)
def test_an_annotation_tells_a_module(annotation: str, expected: bool, tmp_path: Path) -> None:
    body = "self.fc = nn.Linear(3, 3)\nself.m = m"
    found = sites(tmp_path, body, "return self.fc(x)", f"m: {annotation} = None")
    assert ("m.**" in found) is expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("Block", False),
        ('"Block"', False),
        ("Block | None", False),
        ("typing.Optional[Block]", False),
        ("typing.Union[Block, torch.Tensor]", False),
        ("Block | nn.Linear", True),
        ("Filled", True),
    ],
)
def test_an_instance_of_the_project_declares_itself(
    annotation: str, expected: bool, tmp_path: Path
) -> None:
    """A container without a constructor does not: whoever fills it declares what it holds."""
    body = "self.fc = nn.Linear(3, 3)\nself.m = m"
    found = sites(tmp_path, body, "return self.m(x)", f"m: {annotation}")
    assert ("m.**" in found) is expected


@pytest.mark.parametrize(
    ("annotation", "made", "expected"),
    [
        ("type[Block]", "m(3)", False),
        ("typing.Optional[typing.Type[Block]]", "m(3)", False),
        ("collections.abc.Callable[..., Block]", "m(3)", False),
        ("collections.abc.Callable[..., nn.Module]", "m(3)", True),
        ("type[nn.LayerNorm]", "m(3)", True),
        ("list[Block]", "nn.ModuleList(m)", False),
        ("typing.Sequence[Block] | None", "nn.Sequential(*m)", False),
        ("list[nn.Module]", "nn.ModuleList(m)", True),
    ],
)
def test_what_makes_or_holds_instances_of_the_project(
    annotation: str, made: str, expected: bool, tmp_path: Path
) -> None:
    body = f"self.fc = nn.Linear(3, 3)\nself.m = {made}"
    found = sites(tmp_path, body, "return self.m(x)", f"m: {annotation}")
    assert ("m.**" in found) is expected
