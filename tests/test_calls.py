"""What a method reaches: what runs at construction, when the module is called, and in what order.

``methods(name="body")`` is a class body with these methods, each with any arguments.
"""

from __future__ import annotations

from textwrap import indent

from conftest import LayOut
from test_interpret import table

from pyroify.program import build_index
from pyroify.program.index import Function
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.spec.load import parse_spec

SPEC = parse_spec("version: 1\npriors: []\n", "spec")
HEAD = "import torch\nfrom torch import nn\n"
LAYER = "self.fc = nn.Linear(3, 3)"


def methods(**bodies: str) -> str:
    return "".join(
        f"def {name}(self, *args, **named):\n{indent(body, '    ')}\n"
        for name, body in bodies.items()
    )


def of_class(name: str, base: str, body: str) -> str:
    return f"class {name}({base}):\n{indent(body or 'pass', '    ')}\n"


def summary_in(lay_out: LayOut, text: str, name: str = "Net") -> ClassSummary:
    """A class of a file, with its bases and what derives from it."""
    root = lay_out({"net.py": HEAD + text})
    index = build_index(root, ["net.py"])
    (cls,) = (item for item in index.module_classes if item.cls.name == name)
    subclasses = [item for item in index.module_classes if cls in item.lineage[1:]]
    return ClassSummary(cls, Resolver(index, {}), (*cls.lineage[1:], *subclasses))


def summary(lay_out: LayOut, body: str, derived: str = "", base: str = "") -> ClassSummary:
    """A class ``Net`` with this body, and one that derives from it, or that it derives from."""
    text = of_class("Base", "nn.Module", base) if base else ""
    text += of_class("Net", "Base" if base else "nn.Module", body)
    text += of_class("Sub", "Net", derived) if derived else ""
    return summary_in(lay_out, text)


BUILDING = {
    "the constructor": (methods(__init__="pass"), "__init__"),
    "nothing without one": (methods(forward="pass"), ""),
    "what it calls": (methods(__init__="self.a()", a="pass"), "__init__ a"),
    "what that calls": (methods(__init__="self.a()", a="self.b()", b="pass"), "__init__ a b"),
    "nothing else": (methods(__init__="self.a()", a="pass", b="self.a()"), "__init__ a"),
    "in a branch as well": (methods(__init__="if args:\n    self.a()", a="pass"), "__init__ a"),
    "in a loop as well": (methods(__init__="for _ in args: self.a()", a="pass"), "__init__ a"),
    "within an expression": (methods(__init__="x = [self.a(1)]", a="pass"), "__init__ a"),
    "methods that call each other": (
        methods(__init__="self.a()", a="self.b()", b="self.a()"),
        "__init__ a b",
    ),
    "a method is no attribute": (methods(__init__="x = self.a", a="pass"), "__init__"),
    "a method of a part is another one": (methods(__init__="self.fc.a()", a="pass"), "__init__"),
    "the last of two definitions": (
        methods(__init__="self.a()", a="self.b()", b="pass") + methods(a="pass"),
        "__init__ a",
    ),
    "a dataclass begins after its fields": (
        methods(__post_init__="self.a()", a="pass"),
        "__post_init__ a",
    ),
    "one of attrs does as well": (
        methods(__attrs_post_init__="self.a()", a="pass"),
        "__attrs_post_init__ a",
    ),
    "which comes after the constructor itself": (
        methods(__init__="pass", __post_init__="self.a()", a="pass"),
        "__post_init__ a",
    ),
}


@table(BUILDING)
def test_what_runs_at_construction(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    assert summary(lay_out, body).building == frozenset(expected.split())


RELATIVES = {
    "what a subclass calls": (
        methods(__init__="pass", a="pass"),
        {"derived": methods(__init__="super().__init__()\nself.a()")},
        "__init__ a",
    ),
    "what its own methods call": (
        methods(a="pass"),
        {"derived": methods(__init__="self.b()", b="self.a()")},
        "__init__ a b",
    ),
    "what a base calls": (
        methods(a="pass"),
        {"base": methods(__init__="self.a()")},
        "__init__ a",
    ),
    "not what a subclass calls later": (
        methods(__init__="pass", a="pass"),
        {"derived": methods(forward="self.a()")},
        "__init__",
    ),
}


@table(RELATIVES)
def test_what_runs_at_construction_of_a_relative(
    row: tuple[str, dict[str, str], str], lay_out: LayOut
) -> None:
    body, relatives, expected = row
    found = summary(lay_out, body, **relatives).calls.building
    assert found == frozenset(expected.split())


CALLING = {
    "forward": (methods(forward="pass"), "", "forward"),
    "__call__": (methods(__call__="self.a()", a="pass"), "", "__call__ a"),
    "what forward calls": (
        methods(forward="self.a()", a="self.b()", b="pass", c="self.a()"),
        "",
        "forward a b",
    ),
    "methods that call each other": (
        methods(forward="self.a()", a="self.forward()"),
        "",
        "forward a",
    ),
    "a forward that a base has": (
        methods(a="pass"),
        methods(forward="self.a()"),
        "forward a",
    ),
    "a method that a base has": (
        methods(forward="self.a()"),
        methods(a="self.b()", b="pass"),
        "forward a b",
    ),
    "not the one that is overridden": (
        methods(forward="self.a()", a="pass"),
        methods(a="self.b()", b="pass"),
        "forward a",
    ),
    "nothing that is not defined": (methods(forward="self.fc(1)"), "", "forward"),
    "not the constructor": (methods(__init__="self.a()", a="pass"), "", ""),
}


@table(CALLING)
def test_what_runs_when_the_module_is_called(row: tuple[str, str, str], lay_out: LayOut) -> None:
    body, base, expected = row
    assert summary(lay_out, body, base=base).calls.calling == frozenset(expected.split())


OVERRIDES = {
    "the method of the class": (methods(a="return 1"), "", "", "1"),
    "one of a base": ("", "", methods(a="return 1"), "1"),
    "its own before that of a base": (methods(a="return 1"), "", methods(a="return 2"), "1"),
    "or an override": (methods(a="return 1"), methods(a="return 2"), "", "1 2"),
    "only an override": ("", methods(a="return 2"), "", "2"),
    "nothing": (methods(b="return 1"), "", "", ""),
}


@table(OVERRIDES)
def test_which_methods_a_call_may_be_of(row: tuple[str, str, str, str], lay_out: LayOut) -> None:
    body, derived, base, expected = row
    found = summary(lay_out, body, derived=derived, base=base).calls.methods("a")
    assert [returned(method) for _, method in found] == expected.split()


def returned(method: Function) -> str:
    (value,) = method.returns
    return getattr(value, "text", "")


STAGES = {
    "the constructor covers what it calls": (
        methods(__init__="self.a()", a=LAYER),
        "__init__: __init__ a",
    ),
    "in the order of the source": (
        methods(a=LAYER, __init__="self.a()"),
        "__init__: a __init__",
    ),
    "another method that attaches something covers itself": (
        methods(__init__="pass", a=LAYER, b="pass"),
        "__init__: __init__, a: a",
    ),
    "also what that calls covers itself": (
        methods(a=f"{LAYER}\nself.b()", b=LAYER),
        "a: a, b: b",
    ),
    "a class without anything has none": (methods(forward="pass"), ""),
}


@table(STAGES)
def test_which_methods_end_in_declarations(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    found = [
        f"{stage.name}: {' '.join(method.name for method in covered)}"
        for stage, covered in summary(lay_out, body).stages
    ]
    assert ", ".join(found) == expected


SURELY = {
    "the constructor": (methods(__init__="pass", a="pass"), "__init__"),
    "what it calls": (methods(__init__="self.a()", a="pass"), "__init__ a"),
    "what that calls": (methods(__init__="self.a()", a="self.b()", b="pass"), "__init__ a b"),
    "not what it may call": (methods(__init__="if args:\n    self.a()", a="pass"), "__init__"),
    "not what the other arm calls": (
        methods(__init__="if args:\n    pass\nelse:\n    self.a()", a="pass"),
        "__init__",
    ),
    "not what is called by that": (
        methods(__init__="if args:\n    self.a()", a="self.b()", b="pass"),
        "__init__",
    ),
    "what it calls here and may call there": (
        methods(__init__="if args:\n    self.a()\nself.a()", a="pass"),
        "__init__ a",
    ),
    "what is called behind a branch": (
        methods(__init__="if args:\n    pass\nself.a()", a="pass"),
        "__init__ a",
    ),
    "not methods that only call each other": (
        methods(__init__="pass", a="self.b()", b="self.a()"),
        "__init__",
    ),
    "not what is called when the module is": (
        methods(__init__="pass", forward="self.a()", a="pass"),
        "__init__",
    ),
}


@table(SURELY)
def test_what_surely_runs_at_construction(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    found = summary(lay_out, body)
    names = [method.name for method in found.cls.cls.methods if found.calls.surely_runs(method)]
    assert names == expected.split()


ORDER = {
    "further down": (methods(__init__="self.one = 1\nself.two = 2"), False),
    "further up": (methods(__init__="self.two = 1\nself.one = 2"), True),
    "in a method that is called before": (
        methods(__init__="self.a()\nself.two = 2", a="self.one = 1"),
        False,
    ),
    "in a method that is called after": (
        methods(a="self.one = 1", __init__="self.two = 2\nself.a()"),
        True,
    ),
    "in methods that are called in turn": (
        methods(__init__="self.b()\nself.a()", a="self.one = 1", b="self.two = 2"),
        True,
    ),
    "in one method, one after the other": (
        methods(__init__="self.a()", a="self.one = 1\nself.two = 2"),
        False,
    ),
    "in a method that is called by another": (
        methods(__init__="self.a()\nself.two = 2", a="self.b()", b="self.one = 1"),
        False,
    ),
    "not seen, where it is called twice": (
        methods(__init__="self.a()\nself.two = 2\nself.a()", a="self.one = 1"),
        None,
    ),
    "not seen, where it is not called": (
        methods(__init__="self.two = 2", a="self.one = 1"),
        None,
    ),
    "not seen, where methods call each other": (
        methods(__init__="self.two = 2", a="self.one = 1\nself.b()", b="self.a()"),
        None,
    ),
}


@table(ORDER)
def test_whether_one_runs_after_two(row: tuple[str, bool | None], lay_out: LayOut) -> None:
    body, expected = row
    found = summary(lay_out, body)
    lines = {
        item.path[0]: item.line for method in found.cls.cls.methods for item in method.assignments
    }
    assert found.calls.runs_after(lines["one"], lines["two"]) is expected


def test_what_stands_in_no_method_is_not_seen_to_run(lay_out: LayOut) -> None:
    found = summary(lay_out, methods(__init__="self.two = 2"))
    ((item,),) = (method.assignments for method in found.cls.cls.methods)
    assert found.calls.runs_after(found.cls.cls.line, item.line) is None


ATTACHED_LATE = {
    "by the constructor": (methods(__init__="self.one = 1"), False, False),
    "by what it calls": (methods(__init__="self.a()", a="self.one = 1"), False, True),
    "by what is called later": (methods(__init__="pass", a="self.one = 1"), True, False),
    "without a constructor": (methods(a="self.one = 1"), True, False),
}


@table(ATTACHED_LATE)
def test_when_and_where_something_is_attached(row: tuple[str, bool, bool], lay_out: LayOut) -> None:
    body, late, elsewhere = row
    found = summary(lay_out, body)
    (item,) = (item for method in found.cls.cls.methods for item in method.assignments)
    assert (item in found.late, item in found.elsewhere) == (late, elsewhere)


STEADY = {
    "what is set once": (methods(__init__="self.n = 1"), {}, True),
    "what is set twice": (methods(__init__="self.n = 1\nself.n = 2"), {}, False),
    "in two methods": (methods(__init__="self.n = 1", a="self.n = 2"), {}, False),
    "by a subclass again": (
        methods(__init__="self.n = 1"),
        {"derived": methods(a="self.n = 2")},
        False,
    ),
    "by a base again": (methods(__init__="self.n = 1"), {"base": methods(a="self.n = 2")}, False),
    "what is counted up": (methods(__init__="self.n = 1", a="self.n += 1"), {}, False),
    "what is changed in place": (methods(__init__="self.n = 1", a="self.n[0] = 1"), {}, False),
    "what is deleted": (methods(__init__="self.n = 1", a="del self.n"), {}, False),
    "what is only read": (methods(__init__="self.n = 1", a="print(self.n)"), {}, True),
    "what another part has": (methods(__init__="self.n = 1", a="self.m.n = 2"), {}, True),
}


@table(STEADY)
def test_whether_a_size_keeps_its_value(
    row: tuple[str, dict[str, str], bool], lay_out: LayOut
) -> None:
    body, relatives, expected = row
    assert summary(lay_out, body, **relatives).is_steady("self.n + 1") is expected
