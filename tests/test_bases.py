"""Whatever a class derives from, its rewritten file can be imported, or the class is refused."""

from __future__ import annotations

import importlib
from abc import ABCMeta
from pathlib import Path
from textwrap import dedent

import pytest
from test_fixtures import DEFAULT_SPEC, imported, rewrite

from pyroify.catalog.metaclasses import ABSTRACT, FOREIGN, PYRO_MODULE_META

HEAD = """\
import abc, collections, contextlib, enum, typing
from abc import ABC, ABCMeta
from typing import Protocol, Sized

import torch
from torch import nn


class Base(nn.Module):
    def __init__(self, dim=3):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return self.fc(x)


"""
CONVERTED = {
    "own_metaclass": """
        class Registry(type):
            pass

        class Net(Base, metaclass=Registry):
            pass
    """,
    "interface": """
        @torch.jit.interface
        class Step(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                pass

        class Net(Step):
            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(3))

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * self.scale
    """,
    "interface_without_module": """
        @torch.jit.interface
        class Step:
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                pass

        class Net(Base):
            def run(self, step: Step):
                return step
    """,
    "abstract_mixin": """
        class Described(ABC):
            def describe(self):
                return ""

        class Named(Described):
            pass

        class Net(Named, Base):
            pass
    """,
    "abstract_by_metaclass": """
        class Described(metaclass=ABCMeta):
            pass

        class Net(Base, Described):
            pass
    """,
    "sized": """
        class Net(Base, Sized):
            def __len__(self):
                return 1
    """,
    "context_manager": """
        class Net(Base, contextlib.AbstractContextManager):
            def __exit__(self, *details):
                return None
    """,
    "plain_decorator_class": """
        class Net(Base, contextlib.ContextDecorator):
            pass
    """,
    "generic_alias": """
        class Net(nn.Module, typing.Iterable[int]):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)

            def __iter__(self):
                return iter(())

            def forward(self, x):
                return self.fc(x)
    """,
}
REFUSED = {
    "protocol_of_the_project": """
        class Callable(Protocol):
            def forward(self, x): ...

        class Other(Callable):
            pass

        class Net(Base, Other):
            def forward(self, x):
                return self.fc(x)
    """,
    "own_metaclass_with_brackets": """
        class Registry(type):
            def __getitem__(cls, key):
                return key

        class Net(Base, metaclass=Registry):
            pass
    """,
    "generic_below_an_own_metaclass": """
        class Registry(type):
            pass

        class Registered(Base, metaclass=Registry):
            pass

        class Net(Registered, typing.Generic[typing.T]):
            pass
    """,
    "metaclass_of_a_mixin_below": """
        class Registry(type):
            pass

        class Registered(metaclass=Registry):
            pass

        class Named(Registered):
            pass

        class Net(Named, Base):
            pass
    """,
    "left_out_by_a_comment": """
        class Net(Base, ABC):  # pyroify: ignore-class
            pass
    """,
}


def rewritten(root: Path, text: str) -> tuple[str, list[str]]:
    """The rewritten file, which lies in ``root`` as ``rewritten.py``, and the findings."""
    source = f"{HEAD}{dedent(text).strip()}\n"
    got, findings = rewrite(root, {"net.py": source}, DEFAULT_SPEC)
    (root / "rewritten.py").write_text(got["net.py"])
    return got["net.py"], findings


@pytest.mark.parametrize("name", CONVERTED)
def test_converted_and_imported(name: str, tmp_path: Path) -> None:
    text, findings = rewritten(tmp_path, CONVERTED[name])
    assert not findings
    assert "PyroModule" in text
    pyro_nn = pytest.importorskip("pyro.nn")
    with imported(tmp_path, "rewritten") as found:
        assert isinstance(found.Net(), pyro_nn.PyroModule)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_imported(name: str, tmp_path: Path) -> None:
    text, findings = rewritten(tmp_path, REFUSED[name])
    assert "PyroModule" not in text
    assert any(" PYR031 " in line or " PYR062 " in line for line in findings)
    pytest.importorskip("torch")
    with imported(tmp_path, "rewritten") as found:
        assert found.Net()


OUT_OF_SIGHT = """
class Registry(type):
    def __new__(mcs, name, bases, namespace, key):
        return super().__new__(mcs, name, bases, namespace)

    def __init__(cls, name, bases, namespace, key):
        super().__init__(name, bases, namespace)


def make(name):
    return Registry(name, (nn.Linear,), {}, key=name)(3, 3)


def seal(name):
    taken = {"__init_subclass__": classmethod(lambda cls, key: None)}
    return type(name, (nn.Linear,), taken)(3, 3)


class Net(nn.Module):
    def __init__(self, make=make, seal=seal, dim=3):
        super().__init__()
        self.first = nn.Linear(dim, dim)
        self.second = make("Second")
        self.several = nn.ModuleList([make("More")])
        self.sealed = seal("Sealed")

    def forward(self, x):
        return self.sealed(self.several[0](self.second(self.first(x))))
"""


def test_parts_of_which_no_pyro_module_can_be_made_stay_plain(tmp_path: Path) -> None:
    """Only run time shows them: they are built, their holders read them, and it is said."""
    rewritten(tmp_path, OUT_OF_SIGHT)
    pyro_nn, torch = pytest.importorskip("pyro.nn"), pytest.importorskip("torch")
    with imported(tmp_path, "rewritten") as found:
        with pytest.warns(UserWarning, match="Second stays as it is: metaclass conflict"):
            net = found.Net()
        assert type(net.first) is pyro_nn.PyroModule[torch.nn.Linear]
        plain = {net.second, net.several, net.several[0], net.sealed}
        assert not any(isinstance(part, pyro_nn.PyroModule) for part in plain)
        trace = importlib.import_module("pyro").poutine.trace(net).get_trace(torch.ones(2, 3))
    assert {"first.weight", "second$$$weight", "several$$$0.weight"} <= set(trace.nodes)


def test_refused_where_the_file_of_the_subclass_is_not_given(tmp_path: Path) -> None:
    from pyroify.pipeline import rewrite_project
    from pyroify.spec.load import load_spec

    (tmp_path / "base.py").write_text(HEAD)
    (tmp_path / "sub.py").write_text(
        "from abc import ABC\n\nfrom base import Base\n\n\nclass Net(Base, ABC):\n    pass\n"
    )
    (tmp_path / "pyroify.yaml").write_text(DEFAULT_SPEC)
    spec = load_spec(tmp_path / "pyroify.yaml")
    outcome = rewrite_project(tmp_path, ["base.py", "sub.py"], spec, {"base.py"})
    assert not outcome.changes
    assert "PYR221" in [finding.code for finding in outcome.findings]


def test_metaclasses_of_the_standard_library_are_known() -> None:
    """A class of Python with a metaclass of its own is listed, one without is not."""
    modules = ["abc", "collections", "collections.abc", "contextlib", "ctypes", "enum", "io"]
    modules += ["numbers", "os", "string", "threading", "typing", "weakref", "types", "selectors"]
    for module in modules:
        for name, value in vars(importlib.import_module(module)).items():
            if not isinstance(value, type) or name.startswith("_") or value.__module__ != module:
                continue
            dotted, kind = f"{module}.{name}", type(value)
            assert bool(ABSTRACT.fullmatch(dotted)) == (kind is ABCMeta), dotted
            if kind not in (type, ABCMeta) and kind.__name__ != "_DeprecatedType":
                assert FOREIGN.fullmatch(dotted), dotted


def test_metaclasses_of_torch_are_known() -> None:
    torch = pytest.importorskip("torch")
    for dotted in ("torch.Tensor", "torch.nn.Parameter", "torch.autograd.Function"):
        value = torch
        for part in dotted.split(".")[1:]:
            value = getattr(value, part)
        assert type(value) is not type
        assert FOREIGN.fullmatch(dotted)


def test_what_the_metaclass_of_pyro_module_defines_is_known() -> None:
    """A metaclass of the project that has nothing of this can derive from it."""
    metaclass = type(pytest.importorskip("pyro.nn").PyroModule)
    assert metaclass.__bases__ == (type,)
    told = {"__annotations__", "__dict__", "__doc__", "__module__", "__weakref__"}
    told |= {"__firstlineno__", "__static_attributes__"}  # from Python 3.13 on
    assert vars(metaclass).keys() - told == PYRO_MODULE_META
