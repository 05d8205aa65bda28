"""What a rewritten file calls things, what it imports and defines, and how long its lines are."""

from __future__ import annotations

import ast

import pytest
from conftest import LayOut
from test_interpret import table

from pyroify.code.computed import FUNCTION as WEIGHT_OF
from pyroify.code.following import FOLLOW_MODULE, FOLLOWING
from pyroify.code.names import SOURCES, Definition, FileNames
from pyroify.code.undeclared import define_undeclared
from pyroify.program.layout import line_limit
from pyroify.syntax.extract import extract


def names_of(source: str) -> FileNames:
    return FileNames(extract(source, "net.py", "net"))


CALLED = {
    "a name that is free": ("", "dist", "dist"),
    "what the file calls it": ("import pyro.distributions as D", "dist", "D"),
    "from its package": ("from pyro import distributions", "dist", "distributions"),
    "the first of two names": (
        "from pyro.nn import PyroSample as A\nfrom pyro.nn import PyroSample as B",
        "PyroSample",
        "A",
    ),
    "by the place where pyro has it": (
        "from pyro.nn.module import PyroSample as Prior",
        "PyroSample",
        "Prior",
    ),
    "a name that is another import": ("from scipy import stats as dist", "dist", "pyro_dist"),
    "a name that is an argument somewhere": ("def f(dist): pass", "dist", "pyro_dist"),
    "a name that is a local somewhere": ("def f():\n    dist = 1", "dist", "pyro_dist"),
    "a name that is a function": ("def dist(): pass", "dist", "pyro_dist"),
    "a name that is a class": ("class PyroSample: pass", "PyroSample", "_PyroSample"),
    "a name that is only read is free": ("print(dist)", "dist", "dist"),
    "constraints of another library": (
        "from other import constraints",
        "constraints",
        "pyro_constraints",
    ),
    "constraints of torch will do": (
        "from torch.distributions import constraints as C",
        "constraints",
        "C",
    ),
    "nn by way of torch": ("import torch", "nn", "torch.nn"),
    "nn under its own name": ("import torch\nfrom torch import nn", "nn", "nn"),
    "nn where that is something else": ("from flax import linen as nn", "nn", "torch_nn"),
    "torch under another name says nothing of nn": ("import torch as t", "nn", "nn"),
    "torch under another name": ("import torch as t", "torch", "t"),
    "the metaclass by way of abc": ("import abc", "ABCMeta", "abc.ABCMeta"),
    "the metaclass by itself": ("from abc import ABCMeta", "ABCMeta", "ABCMeta"),
}


@table(CALLED)
def test_what_a_name_is_called(row: tuple[str, str, str]) -> None:
    source, name, expected = row
    assert names_of(source).local(name) == expected


IMPORTS = {
    "nothing that is not used": ("", "", []),
    "distributions under a short name": (
        "",
        "dist",
        [("pyro.distributions", "", "dist")],
    ),
    "under another one": (
        "dist = 3",
        "dist",
        [("pyro.distributions", "", "pyro_dist")],
    ),
    "a class of a module": ("", "PyroSample", [("pyro.nn", "PyroSample", "")]),
    "under another name": (
        "class PyroSample: pass",
        "PyroSample",
        [("pyro.nn", "PyroSample", "_PyroSample")],
    ),
    "a module": ("", "math", [("math", "", "")]),
    "a module under another name": ("math = 3", "math", [("math", "", "_math")]),
    "nothing that is there": ("import math", "math", []),
    "nothing that is there under another name": ("import math as m", "math", []),
    "nothing that is there from another place": (
        "from pyro.nn.module import PyroSample",
        "PyroSample",
        [],
    ),
    "nothing that is had by its module": ("import torch", "nn", []),
    "a module of a package": ("", "nn", [("torch", "nn", "")]),
    "all of them by name": (
        "",
        "torch PyroParam copy",
        [("pyro.nn", "PyroParam", ""), ("copy", "", ""), ("torch", "", "")],
    ),
}


@table(IMPORTS)
def test_what_is_imported(row: tuple[str, str, list[tuple[str, str, str]]]) -> None:
    source, used, expected = row
    names = names_of(source)
    names.use(*used.split())
    assert list(names.imports()) == expected


def test_what_an_import_gives_is_what_the_name_is_called() -> None:
    for source in ("", "".join(f"{name} = 1\n" for name in SOURCES)):
        names = names_of(source)
        names.use(*SOURCES)
        for module, name, alias in names.imports():
            local = alias or name or module
            assert any(names.local(item) == local for item in SOURCES), local


FUNCTION = "def tied():\n    return 1\n"
DEFINED = {
    "where it is not there": ("", "tied", ["tied"]),
    "where something else has the name": ("def tied(): pass", "_tied", ["_tied"]),
    "where the name is imported": ("from a import tied", "_tied", ["_tied"]),
    "where the name is a local somewhere": ("def f():\n    tied = 1", "_tied", ["_tied"]),
}


@table(DEFINED)
def test_what_a_definition_is_called(row: tuple[str, str, list[str]]) -> None:
    source, name, defined = row
    names = names_of(source)
    assert names.own("tied") == name
    names.define(name, FUNCTION.replace("tied", name))
    assert list(names.definitions) == defined


def undeclared(source: str, left: str = "", bare: str = "") -> FileNames:
    names = names_of(source)
    define_undeclared(names, left.split(), bare.split())
    return names


def test_a_definition_that_is_there_is_not_written_again() -> None:
    written = undeclared("").definitions
    assert list(written) == ["can_be_random", "undeclared"]
    reformatted = ast.unparse(ast.parse("".join(made.source for made in written.values())))
    assert undeclared(reformatted).own("undeclared") == "undeclared"
    assert undeclared(reformatted).definitions == {}
    assert undeclared(reformatted, left="Block").definitions.keys() == {"undeclared"}


def test_a_definition_that_the_user_has_edited_is_his() -> None:
    names = FileNames(names_of("").file, foreign=frozenset({"undeclared"}))
    define_undeclared(names, (), ())
    assert names.definitions == {}


def test_names_are_needed_by_what_takes_them_over() -> None:
    one, other = names_of(""), names_of("")
    other.use("dist")
    other.define("tied", FUNCTION)
    one.take_over(other)
    assert (one.used, one.definitions) == ({"dist"}, {"tied": Definition(FUNCTION)})


LEFT = {
    "no class is left": ("", "", (), ("names", "is_own &=")),
    "one class is left": ("Block", "", ('names = ("Block",)', "in names or"), ("is_own &=",)),
    "two classes are left": ("B A", "", ('names = ("A", "B")',), ()),
    "a container declares nothing": (
        "",
        "Stack",
        ('is_own &= type(module).__name__ not in ("Stack",)',),
        ("names",),
    ),
}


@table(LEFT)
def test_which_classes_a_loop_leaves_out(
    row: tuple[str, str, tuple[str, ...], tuple[str, ...]],
) -> None:
    left, bare, there, missing = row
    source = undeclared("", left, bare).definitions["undeclared"].source
    ast.parse(source)
    assert all(text in source for text in there)
    assert not any(text in source for text in missing)


SPELLED = {
    "undeclared": "loop",
    "pyro": "P",
    "weight_of": "w",
    "following": "F",
    "follow_module": "follow",
    "copy": "c",
    "torch": "t",
    "sample": "S",
}


@pytest.mark.parametrize("source", [WEIGHT_OF, FOLLOWING, FOLLOW_MODULE], ids=["w", "F", "follow"])
def test_definitions_use_the_names_of_the_file(source: str) -> None:
    tree = ast.parse(source.format(**SPELLED))
    (defined,) = tree.body
    assert isinstance(defined, ast.FunctionDef | ast.ClassDef)
    assert defined.name in SPELLED.values()
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not read & {"torch", "copy", "PyroSample", "PyroModule"}


LIMITS = {
    "ruff": ("[tool.ruff]\nline-length = 79", 79),
    "black": ("[tool.black]\nline-length = 120", 120),
    "ruff before black": ("[tool.black]\nline-length = 1\n[tool.ruff]\nline-length = 2", 2),
    "black where ruff has none": ("[tool.ruff]\n[tool.black]\nline-length = 90", 90),
    "neither": ("[project]\nname = 'x'", None),
    "no number": ("[tool.ruff]\nline-length = 'long'", None),
    "no TOML": ("[[[", None),
}


@table(LIMITS)
def test_the_length_of_a_line(row: tuple[str, int | None], lay_out: LayOut) -> None:
    text, expected = row
    assert line_limit(lay_out({"pyproject.toml": text})) == expected


def test_no_length_of_a_line_without_a_file(lay_out: LayOut) -> None:
    assert line_limit(lay_out({})) is None
