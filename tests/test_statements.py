"""Declarations as data: what is written is read as the same."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroify.catalog.constraints import CONSTRAINTS
from pyroify.catalog.distributions import DISTRIBUTIONS, Parameter
from pyroify.code.names import FileNames
from pyroify.code.read import declares, normal, read, read_block
from pyroify.code.statements import (
    AnchorBuffer,
    Applied,
    Assign,
    CallStatement,
    Constraint,
    Continue,
    Declare,
    DeclareNamed,
    Draw,
    EachParameter,
    For,
    If,
    IsLayer,
    IsTrained,
    Lambda,
    NameChildren,
    NameFits,
    NameIs,
    OriginalInit,
    Other,
    Partial,
    PathIs,
    PyroParam,
    PyroSample,
    Root,
    Statement,
    Tied,
    Undeclared,
    each_parameter,
    guarded,
    joined,
    leaves_kept,
    nested,
    opposite,
    searches,
    tie_of,
)
from pyroify.code.write import write
from pyroify.syntax.facts import File

FIXTURES = sorted((Path(__file__).parent / "fixtures").rglob("*.out.py"))
NAMES = FileNames(File("net.py", "net"))
OTHERWISE_CALLED = FileNames(
    File(
        "net.py",
        "net",
        imports=(
            ("D", "pyro.distributions"),
            ("PyroParam", "torch.nn.Linear"),
            ("t", "torch"),
            ("torch", "numpy"),
        ),
    )
)

# Data in the form in which it is read

module = st.sampled_from(["self", "self.fc", "self.layers[0]", "module"])
target = st.sampled_from(["self.w", "self.fc.weight", "self.layers[0].bias", "layer.weight"])
source = st.sampled_from(["n", "2 * self.k", "self.w.shape[0]", "shape[-1]"])
name = st.sampled_from(["weight", "bias", "w_0"])


def several(strategy, least=1):
    return st.lists(strategy, min_size=least, max_size=3).map(tuple)


@st.composite
def argument(draw, parameter: Parameter, depth: int):
    if parameter.kind == "size":
        return draw(st.sampled_from(["3", "n"]))
    if parameter.kind == "distribution" and depth:
        return draw(draws(depth - 1))
    return draw(st.sampled_from(["0.0", "-1.5", "self.tau", "torch.ones(3)", "fan_in ** (-0.5)"]))


@st.composite
def draws(draw, depth: int = 1):
    row = draw(st.sampled_from(list(DISTRIBUTIONS.values())))
    given = [item for item in row.parameters if draw(st.booleans())]
    arguments = tuple((item.name, draw(argument(item, depth))) for item in given)
    batch = draw(st.none() | several(source, 0) | st.sampled_from(["shape", "self.w.shape[:-1]"]))
    events = st.sampled_from(["1", "self.w.dim() - 1"])
    if not isinstance(batch, tuple):
        events |= st.just("")
    return Draw(row.name, arguments, batch, draw(st.none() | events))


captured = st.dictionaries(st.sampled_from(["shape", "fan_in"]), source).map(
    lambda given: tuple(given.items())
)
samples = st.builds(
    PyroSample,
    draws()
    | st.builds(Lambda, captured, draws() | st.just("self.loc + self.noise"))
    | st.builds(Partial, st.just("net_w_prior"), captured)
    | st.builds(Tied, module, name)
    | st.just("make_prior(3)"),
)
constraints = st.builds(
    Constraint,
    st.sampled_from(list(CONSTRAINTS)),
    several(st.sampled_from(["0.0", "-1.0", "n"]), 0),
) | st.just("self.support")
params = st.builds(
    PyroParam,
    st.sampled_from(["torch.ones(3)", "self.w.detach()", "start"]),
    constraints,
    st.sampled_from(["", "1"]),
    st.sampled_from(Applied.__args__),
)
values = samples | params
tests = (
    st.builds(NameIs, several(name))
    | st.builds(NameFits, st.sampled_from(["w*", "*_hh", "*ih*", "w?_l0", "a*b", "**w"]))
    | st.builds(IsLayer, st.just("module"), several(st.sampled_from(["Linear", "Conv2d"])))
    | st.builds(PathIs, st.sampled_from(["net", "net.0.fc"]), st.booleans())
    | st.just(PathIs(""))
    | st.builds(IsTrained, st.booleans())
    | st.sampled_from(["self.bias is not None", "tied and flag", "hasattr(self, 'head')"])
)
roots = st.builds(Root, module, several(name, 0)) | st.builds(Root, module, itself=st.just(True))
simple = (
    st.builds(Declare, target, values)
    | st.builds(DeclareNamed, module, values, st.sampled_from(["name", "'w'"]))
    | st.just(Continue())
    | st.builds(Assign, st.sampled_from(["tied", "tied_1"]), st.just("self.a is self.b"))
    | st.builds(CallStatement, st.sampled_from(["follow_module", "declare_priors"]), module)
    | st.sampled_from(
        [
            Assign("kept", "{id(self.w), *map(id, self.a.parameters())}"),
            NameChildren(),
            OriginalInit((("w", "torch.exp"),)),
            AnchorBuffer(),
            CallStatement("self.register_load_state_dict_pre_hook", "load_original"),
            Other("n = 3"),
        ]
    )
)


def compound(inner):
    block = several(inner)
    otherwise = several(inner, 0).filter(lambda b: len(b) != 1 or not isinstance(b[0], If))
    return (
        st.builds(If, several(st.tuples(tests, block)), otherwise)
        | st.builds(
            For, st.sampled_from(["layer", "path, module"]), st.sampled_from(["self.layers"]), block
        )
        | st.builds(
            For,
            st.sampled_from(["_", "path, module"]),
            st.builds(Undeclared, several(roots)),
            several(inner, 0),
        )
        | st.builds(EachParameter, module, block, st.sampled_from([None, "", "weight_of"]))
    )


statements = st.recursive(simple, compound, max_leaves=6)


@given(statements, st.sampled_from([NAMES, OTHERWISE_CALLED]))
def test_what_is_written_is_read_as_the_same(statement: Statement, names: FileNames) -> None:
    assert read(write(statement, names), names.dotted) == statement


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_read_is_written_as_the_same(path: Path) -> None:
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for statement in read_block([node for f in functions for node in f.body], NAMES.dotted):
        if declares(statement):
            assert normal(statement, NAMES) == statement


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("prior = dist.Normal(0, 1)\nsetattr(m, name, PyroSample(prior))",
         "setattr(m, name, PyroSample(dist.Normal(0.0, 1.0)))"),
        ("self.w = PyroParam(self.w.detach().clone())", "self.w = PyroParam(self.w.detach())"),
        ("self.w = PyroParam(x, constraints.interval(0, 1))",
         "self.w = PyroParam(x, constraint=constraints.interval(0.0, 1.0))"),
        ("if a:\n    pass\nelse:\n    if b:\n        pass", "if a:\n    pass\nelif b:\n    pass"),
        ("for _ in undeclared(self):\n    pass", "for _ in (undeclared(self)):\n    pass"),
    ],
)  # fmt: skip
def test_what_says_the_same(one: str, other: str) -> None:
    assert read(one, NAMES.dotted) == read(other, NAMES.dotted)


@pytest.mark.parametrize(
    "other",
    [
        "if name == 'bias':\n    continue\nfor x in self.y:\n    print(x)",
        "for _ in found(self):\n    pass",
        "for layer in self.layers:\n    self.n = 3",
        "while True:\n    pass",
        "weight = self.other",
        "self.register_buffer('mask', x)",
        "self.register_load_state_dict_pre_hook(mine)",
        "self.table._modules[key] = make()",
        "setattr(module, name, value)",
        "self.original_init = make()",
        "if a:\n    continue\nelse:\n    n = 3",
    ],
)
def test_what_declares_nothing(other: str) -> None:
    assert not all(map(declares, read_block(ast.parse(other).body, NAMES.dotted)))


@pytest.mark.parametrize(
    "source",
    [
        "module._modules[key] = module._modules.pop(key)",
        "setattr(parent, name, module)",
        "kept.update(found)",
        "to_pyro_module_(self)",
        "_follow_module(self)",
        "for name, value in (values := dict(m.named_parameters(recurse=False))).items():\n"
        "    weight = _weight_of(m, values, name)\n    continue",
        "for layer in self.layers:\n    layer.weight = PyroSample(dist.Normal(0, 1))",
        "if a:\n    continue\nelif b:\n    self.w = PyroParam(x)\nelse:\n    continue",
    ],
)
def test_what_belongs_to_declarations(source: str) -> None:
    names = FileNames(File("net.py", "net", (("to_pyro_module_", "pyro.nn.to_pyro_module_"),)))
    assert declares(read(source, names.dotted))


def test_questions_about_statements() -> None:
    asked = guarded(IsTrained(but_kept=True), [Continue()])
    loop = For("_, module", Undeclared((Root("self"),)), asked)
    assert leaves_kept((loop,)) and searches((If((("on", (loop,)),)),))
    assert not leaves_kept(guarded(IsTrained(), [Continue()])) and not searches(asked)
    bias = DeclareNamed("module", PyroSample("x"), reads_weight=True)
    assert each_parameter("module", [bias]).weight == ""
    assert each_parameter("module", [bias], weight="weight_of").weight == "weight_of"
    assert each_parameter("module", [Continue()], weight="weight_of").weight is None
    assert each_parameter("m", [bias], trained=True).body == guarded(IsTrained(), [bias])
    assert guarded("", [bias]) == (bias,) and guarded("on", []) == ()
    assert nested([("a", "b")], ["on"], []) == ()
    assert nested([("a", "b")], ["on"], [bias]) == guarded("on", [For("a", "b", (bias,))])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("for name, value in list(m.named_parameters(recurse=False)):\n    continue",
         "for n, v in list(m.named_parameters(recurse=False)):\n    continue"),
        ("for _ in undeclared(self):\n    pass", "for _ in undeclared(self):\n    pass\n    n = 3"),
        ("for _ in undeclared(self):\n    pass", "for _ in undeclared(self, 'a'):\n    pass"),
        ("setattr(m, name, PyroSample(x))", "setattr(m, n, PyroSample(x))"),
        ("self.w = PyroParam(x.detach())", "self.w = PyroParam(x.clone())"),
        ("self.w = PyroParam(transform_to(constraints.positive)(x), constraints.positive)",
         "self.w = PyroParam(transform_to(constraints.simplex)(x), constraints.positive)"),
        ("self.w = PyroSample(lambda self: x)", "self.w = PyroSample(lambda self, *a: x)"),
        ("self.w = PyroSample(lambda self, a=b: x)", "self.w = PyroSample(lambda self, a: x)"),
        ("self.w = PyroSample(dist.Normal(0, 1))", "self.w = PyroSample(dist.Normal(0, 1, v=1))"),
        ("self.w = PyroSample(dist.Binomial(3, 0.5))", "self.w = PyroSample(D.Binomial(3, 0.5))"),
        ("setattr(*both)", "setattr()"),
    ],
)  # fmt: skip
def test_what_says_something_else(one: str, other: str) -> None:
    assert read(one, NAMES.dotted) != read(other, NAMES.dotted)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("self.w", "w"),
        ("self[0].weight", "0.weight"),
        ("self.net['a'].weight", "net.a.weight"),
        ("layer.weight", ""),
    ],
)
def test_paths_of_what_is_declared(target: str, path: str) -> None:
    assert Declare(target, PyroSample("x")).path == path


@pytest.mark.parametrize(
    ("owner", "path"),
    [("self", "w"), ("self.a.b", "a.b.w"), ("self.a[0]", ""), ("other.a", "")],
)
def test_paths_of_what_is_tied(owner: str, path: str) -> None:
    tie = Tied(owner, "w")
    assert tie.path == path
    assert tie_of(PyroSample(tie)) == tie
    assert tie_of(PyroSample("x")) is None and tie_of(PyroParam("x")) is None


def test_neighbours_under_one_test_are_one() -> None:
    a, b = (Declare(target, PyroSample("x")) for target in ("self.a", "self.b"))
    one, other = If((("on", (a,)),)), If((("on", (b,)),))
    assert joined([one, other, a]) == (If((("on", (a, b)),)), a)
    assert joined([one, If((("on", (b,)),), (a,))]) == (one, If((("on", (b,)),), (a,)))
    assert joined([a, one]) == (a, one)


def test_neighbours_under_a_test_and_its_opposite_are_one() -> None:
    a, b, c = (Declare(target, PyroSample("x")) for target in ("self.a", "self.b", "self.c"))
    positive, negative = If((("on", (a,)),)), If((("not on", (b,)),))
    assert joined([positive, negative, c]) == (If((("on", (a,)),), (b,)), c)
    assert joined([negative, positive]) == (If((("not on", (b,)),), (a,)),)
    assert joined([positive, negative, If((("not on", (c,)),))]) == (If((("on", (a,)),), (b, c)),)
    assert joined([positive, negative, If((("on", (c,)),))]) == (If((("on", (a, c)),), (b,)),)
    assert joined([positive, If((("off", (b,)),))]) == (positive, If((("off", (b,)),)))


@pytest.mark.parametrize(
    ("test", "other"),
    [
        ("on", "not on"),
        ("not on", "on"),
        ("not (a and b)", "a and b"),
        ("a or b", "not (a or b)"),
        ("a > 3", "not a > 3"),
        ("x is None", "x is not None"),
        ("x is not None", "x is None"),
        ('kind in ("a", "b")', 'kind not in ("a", "b")'),
        ("a is b is c", "not a is b is c"),
        ("a if b else c", "not (a if b else c)"),
    ],
)
def test_opposites(test: str, other: str) -> None:
    assert opposite(test) == other
