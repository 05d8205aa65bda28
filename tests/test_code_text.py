"""Declarations to data and back: what people write, and what pyroify writes of it.

Each row is read and written again. What comes out is itself read as the same.
"""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from pyroify.code.names import FileNames
from pyroify.code.read import declares, read, read_block
from pyroify.code.statements import Declare, PyroParam, PyroSample, Statement
from pyroify.code.write import parenthesized, write
from pyroify.syntax.facts import File

NAMES = FileNames(
    File(
        "net.py",
        "net",
        imports=(
            ("dist", "pyro.distributions"),
            ("constraints", "torch.distributions.constraints"),
            ("torch", "torch"),
            ("nn", "torch.nn"),
            ("partial", "functools.partial"),
            *((name, f"pyro.nn.{name}") for name in ("PyroSample", "PyroParam")),
            ("to_pyro_module_", "pyro.nn.module.to_pyro_module_"),
        ),
    )
)
SAME = ""
"""In place of an expected text: it is written as it stands."""


def table(rows: dict[str, object]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows.values(), ids=rows.keys())


def read_again(text: str) -> Statement:
    return read(dedent(text).strip(), NAMES.dotted)


PRIORS = {
    "a distribution": ("dist.Normal(0.0, 1.0)", SAME),
    "whole numbers are floats": ("dist.Normal(0, 1)", "dist.Normal(0.0, 1.0)"),
    "signs are kept": ("dist.Normal(-1, 1)", "dist.Normal(-1.0, 1.0)"),
    "arguments by name stand in order": (
        "dist.Normal(scale=1.0, loc=0.0)",
        "dist.Normal(0.0, 1.0)",
    ),
    "one that is left out makes the next a name": ("dist.Normal(scale=2.0)", SAME),
    "a size is no float": ("dist.LKJCholesky(3, 1)", "dist.LKJCholesky(3, 1.0)"),
    "a flag is no number": ("dist.Normal(True, 1.0)", SAME),
    "an expression stays": ("dist.Normal(self.loc, 2 * self.tau)", SAME),
    "one of several forms has its name": (
        "dist.Bernoulli(probs=0.5)",
        SAME,
    ),
    "sizes in a list": ("dist.Normal(0.0, 1.0).expand([n, 3])", SAME),
    "sizes in a tuple": (
        "dist.Normal(0.0, 1.0).expand((n, 3))",
        "dist.Normal(0.0, 1.0).expand([n, 3])",
    ),
    "sizes in a torch.Size": (
        "dist.Normal(0.0, 1.0).expand(torch.Size([n]))",
        "dist.Normal(0.0, 1.0).expand([n])",
    ),
    "sizes one by one": (
        "dist.Normal(0.0, 1.0).expand(n, 3)",
        "dist.Normal(0.0, 1.0).expand([n, 3])",
    ),
    "sizes of something": ("dist.Normal(0.0, 1.0).expand(self.w.shape)", SAME),
    "no sizes": ("dist.Normal(0.0, 1.0).expand([])", SAME),
    "one event of them": ("dist.Normal(0.0, 1.0).expand([n]).to_event(1)", SAME),
    "all of them, counted": (
        "dist.Normal(0.0, 1.0).expand([n, 3]).to_event()",
        "dist.Normal(0.0, 1.0).expand([n, 3]).to_event(2)",
    ),
    "all of them, which cannot be counted": (
        "dist.Normal(0.0, 1.0).expand(self.w.shape).to_event()",
        SAME,
    ),
    "fewer than all": ("dist.Normal(0.0, 1.0).expand([n, 3]).to_event(1)", SAME),
    "a distribution of a distribution": (
        "dist.FoldedDistribution(dist.Normal(0, 1))",
        "dist.FoldedDistribution(dist.Normal(0.0, 1.0))",
    ),
    "a lambda": (
        "lambda self: dist.Normal(0, self.tau)",
        "lambda self: dist.Normal(0.0, self.tau)",
    ),
    "a lambda with what it keeps": (
        "lambda self, shape=self.w.shape: dist.Normal(0.0, 1.0).expand(shape)",
        SAME,
    ),
    "a lambda that computes": ("lambda self: self.loc + self.noise", SAME),
    "a lambda over something else": ("lambda x: dist.Normal(0, 1)", SAME),
    "a function of the file": ("partial(net_w_prior, shape=self.w.shape)", SAME),
    "a tie": ('TiedTo(self.embed, "weight")', SAME),
    "a tie in single quotes": ("TiedTo(self.embed, 'weight')", 'TiedTo(self.embed, "weight")'),
    "anything else of the user": ("make_prior(3)", SAME),
    "a star hides what is given": ("dist.Normal(*given)", SAME),
    "an argument that it has not": ("dist.Normal(0, 1, validate_args=False)", SAME),
    "a method that is not known": ("dist.Normal(0, 1).mask(False)", SAME),
    "another distribution": ("other.Normal(0, 1)", SAME),
}


@table(PRIORS)
def test_a_prior_as_it_is_written(row: tuple[str, str]) -> None:
    given, expected = row
    found = read_again(f"self.w = PyroSample({given})")
    assert isinstance(found, Declare)
    assert isinstance(found.value, PyroSample)
    text = write(found, NAMES)
    assert text == f"self.w = PyroSample({expected or given})"
    assert read_again(text) == found


PARAMS = {
    "a value": ("torch.ones(3)", "torch.ones(3), constraint=constraints.real"),
    "a constraint by position": (
        "torch.ones(3), constraints.positive",
        "torch.ones(3), constraint=constraints.positive",
    ),
    "by name": (
        "init_value=x, constraint=constraints.positive",
        "x, constraint=constraints.positive",
    ),
    "with bounds": (
        "x, constraint=constraints.interval(0, 1)",
        "x, constraint=constraints.interval(0.0, 1.0)",
    ),
    "dimensions of an event": ("x, constraint=constraints.simplex, event_dim=1", SAME),
    "a constraint of the user": ("x, constraint=self.support", SAME),
    "a copy is what is copied": (
        "self.w.detach().clone()",
        "self.w.detach(), constraint=constraints.real",
    ),
    "any other copy is a copy": ("x.clone()", "x.clone(), constraint=constraints.real"),
    "the exponential": ("x.exp(), constraint=constraints.positive", SAME),
    "of a sum": ("(x + 1).exp(), constraint=constraints.positive", SAME),
    "through softplus": (
        "nn.functional.softplus(x), constraint=constraints.positive",
        "torch.nn.functional.softplus(x), constraint=constraints.positive",
    ),
    "through its own transform": (
        "transform_to(constraints.positive)(x), constraint=constraints.positive",
        SAME,
    ),
    "through that of another constraint": (
        "transform_to(constraints.simplex)(x), constraint=constraints.positive",
        SAME,
    ),
}


@table(PARAMS)
def test_a_constrained_parameter_as_it_is_written(row: tuple[str, str]) -> None:
    given, expected = row
    found = read_again(f"self.w = PyroParam({given})")
    assert isinstance(found, Declare)
    assert isinstance(found.value, PyroParam)
    text = write(found, NAMES)
    assert text == f"self.w = PyroParam({expected or given})"
    assert read_again(text) == found


STATEMENTS = {
    "a part of a part": ("self.a.b[0].w = PyroSample(x)", SAME),
    "under a test": ("if flag:\n    self.a = PyroSample(x)", SAME),
    "a chain of tests": (
        "if a:\n    self.a = PyroSample(x)\nelse:\n    if b:\n        self.b = PyroSample(x)",
        "if a:\n    self.a = PyroSample(x)\nelif b:\n    self.b = PyroSample(x)",
    ),
    "a test and otherwise": (
        "if a:\n    self.a = PyroSample(x)\nelse:\n    self.b = PyroSample(x)",
        SAME,
    ),
    "one name": ('if name == "weight":\n    continue', SAME),
    "one of several": ('if name in ("weight", "bias"):\n    continue', SAME),
    "names that begin so": ('if name.startswith("weight"):\n    continue', SAME),
    "names that end so": ('if name.endswith("hh"):\n    continue', SAME),
    "names that hold it": ('if "ih" in name:\n    continue', SAME),
    "names of a glob": ('if fnmatch(name, "w?_l0"):\n    continue', SAME),
    "a layer": ("if isinstance(module, nn.Linear):\n    continue", SAME),
    "one of several layers": ("if isinstance(module, (nn.Linear, nn.Conv2d)):\n    continue", SAME),
    "a class of the user": ("if isinstance(module, Block):\n    continue", SAME),
    "a path": ('if path == "a.b":\n    continue', SAME),
    "the module itself": ("if not path:\n    continue", SAME),
    "a path and what is below": ('if f"{path}.".startswith("a."):\n    continue', SAME),
    "what is trained": ("if value.requires_grad:\n    continue", SAME),
    "but for what is kept": (
        "if value.requires_grad and id(value) not in kept:\n    continue",
        SAME,
    ),
    "a loop over layers": ("for layer in self.layers:\n    layer.w = PyroSample(x)", SAME),
    "a loop over what is undeclared": (
        "for path, module in undeclared(self):\n    continue",
        SAME,
    ),
    "below some children": ('for _, module in undeclared(self, "a", "b"):\n    continue', SAME),
    "below several": (
        'for _, module in (*undeclared(self, "a"), *undeclared(self.b)):\n    continue',
        SAME,
    ),
    "and the root itself": (
        'for _, module in (("", self.a), *undeclared(self.a)):\n    continue',
        SAME,
    ),
    "only to convert it": ("for _ in undeclared(self):\n    pass", SAME),
    "a loop over parameters": (
        "for name, value in list(module.named_parameters(recurse=False)):\n    continue",
        SAME,
    ),
    "with the weight beside a bias": (
        "for name, value in (values := dict(self.a.named_parameters(recurse=False))).items():\n"
        '    weight = values.get(name.replace("bias", "weight"), value)\n    continue',
        SAME,
    ),
    "with a weight that is computed": (
        "for name, value in (values := dict(self.a.named_parameters(recurse=False))).items():\n"
        "    weight = weight_of(self.a, values, name)\n    continue",
        SAME,
    ),
    "by its name": (
        "setattr(module, name, PyroParam(value, constraint=constraints.positive))",
        SAME,
    ),
    "what is kept": ("kept = {id(self.w), *map(id, self.a.parameters())}", SAME),
    "a tie that is told before": ("tied = self.a.w is self.b.w", SAME),
    "an anchor": ('self.register_buffer("_anchor", torch.empty(0), persistent=False)', SAME),
    "a function that declares": ("declare_priors(self)", SAME),
    "under its other name": ("_declare_priors(self)", SAME),
    "a conversion": ("to_pyro_module_(self)", SAME),
    "how original values are read": ('self.original_init = {"w": torch.exp}', SAME),
    "the hook for them": ("self.register_load_state_dict_pre_hook(load_original)", SAME),
    "anything else": ("self.n = 3", SAME),
}


@table(STATEMENTS)
def test_a_statement_as_it_is_written(row: tuple[str, str]) -> None:
    given, expected = row
    found = read_again(given)
    text = write(found, NAMES)
    assert text == (expected or given)
    assert read_again(text) == found


BELONGS = {
    "a declaration": ("self.a = PyroSample(x)", True),
    "a declaration with another name": ("a = PyroSample(x)", False),
    "another statement": ("self.n = 3", False),
    "another buffer": ('self.register_buffer("mask", x)', False),
    "another hook": ("self.register_load_state_dict_pre_hook(mine)", False),
    "another call": ("self.reset()", False),
    "a test with another statement in it": (
        "if a:\n    self.a = PyroSample(x)\n    self.n = 3",
        False,
    ),
    "in its other arm": ("if a:\n    self.a = PyroSample(x)\nelse:\n    self.n = 3", False),
    "a loop with another statement in it": ("for x in y:\n    self.n = 3", False),
    "a loop that does nothing": ("for x in y:\n    pass", False),
    "a loop with an else": (
        "for x in y:\n    x.w = PyroSample(x)\nelse:\n    continue_()",
        False,
    ),
    "a prior that is given a name": ("prior = dist.Normal(0, 1)", True),
    "an order of modules": ("order = list(module._modules)", True),
    "the weight beside": ('weight = values.get("weight")', True),
    "another weight": ("weight = self.fc.weight", False),
    "a member that is moved": ("self._modules[key] = self._modules.pop(key)", True),
    "one that is replaced": ("self._modules[key] = other", False),
    "a module by its name": ("setattr(self, key, module)", True),
    "a number by its name": ("setattr(self, key, 3)", False),
    "kept ones that are more": ("kept.update(map(id, x))", True),
}


@table(BELONGS)
def test_what_belongs_to_declarations(row: tuple[str, bool]) -> None:
    text, expected = row
    (found,) = read_block(ast.parse(text).body, NAMES.dotted)
    assert declares(found) is expected


PATHS = {
    "a parameter": ("self.w", "w"),
    "one of a part": ("self.fc.weight", "fc.weight"),
    "one by a number": ("self.blocks[0].scale", "blocks.0.scale"),
    "one by a key": ("self.blocks['a'].scale", "blocks.a.scale"),
    "not of something else": ("layer.weight", ""),
}


@table(PATHS)
def test_the_path_of_what_is_declared(row: tuple[str, str]) -> None:
    target, path = row
    found = read_again(f"{target} = PyroSample(x)")
    assert isinstance(found, Declare)
    assert found.path == path


CALLED_ON = {
    "a name": ("x", "x"),
    "an attribute": ("self.w", "self.w"),
    "a call": ("torch.ones(3)", "torch.ones(3)"),
    "a call of calls": ("torch.ones(len(x))", "torch.ones(len(x))"),
    "an element": ("self.w[0]", "self.w[0]"),
    "an element of an expression": ("self.w[i + f(x)]", "self.w[i + f(x)]"),
    "a sum": ("x + 1", "(x + 1)"),
    "a negative number": ("-1", "(-1)"),
    "a sum in parentheses": ("(x + 1)", "(x + 1)"),
    "a product of two of them": ("(x + 1) * (y + 1)", "((x + 1) * (y + 1))"),
}


@table(CALLED_ON)
def test_what_a_method_can_be_called_on(row: tuple[str, str]) -> None:
    source, expected = row
    assert parenthesized(source) == expected
