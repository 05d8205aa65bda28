"""What names stand for across files, and what values hold as modules.

Each row is a small project. Names are looked up as ``net.py`` has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent, indent

from conftest import LayOut
from test_interpret import shown, table

from pyroify.edits.bases import needs_metaclass
from pyroify.program import Index, build_index
from pyroify.program.annotations import Annotations
from pyroify.program.index import Base, Target
from pyroify.program.names import ModuleNames
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.program.values import ClassInstance, ContainerInstance, LayerInstance, Scope
from pyroify.syntax.values import Items, Many, Nothing, OneOf, Parameter, Plain, Unknown, Value

TORCH = "import torch\nfrom torch import nn\n"
BLOCK = f"{TORCH}class Block(nn.Module):\n    pass\n"
Files = Mapping[str, str]


def index_of(lay_out: LayOut, files: Files) -> Index:
    root = lay_out({name: dedent(text) for name, text in files.items()})
    for path in files:  # what has no torch in it is not read
        with (root / path).open("a") as file:
            file.write("\n# torch\n")
    return build_index(root, list(files))


def described(target: Target) -> str:
    """What a name stands for, in a word and where that is."""
    where = f"{target.file.module}:" if target.file else ""
    if target.module_class is not None:
        return f"module class {target.module_class.name}"
    if target.plain_class is not None:
        return f"plain class {where}{target.plain_class.qualname}"
    if target.function is not None:
        return f"function {where}{target.function.name}"
    if target.alias is not None:
        return f"value {where}{shown(target.alias)}"
    return "outside"


NAMES: dict[str, tuple[Files, str, str]] = {
    "a class of the file": ({"net.py": BLOCK}, "net.Block", "module class net:Block"),
    "a class that is no module": ({"net.py": "class A: pass"}, "net.A", "plain class net:A"),
    "a function": ({"net.py": "def f(): pass"}, "net.f", "function net:f"),
    "a value": ({"net.py": "A = 3"}, "net.A", "value net:3"),
    "another name of a class": ({"net.py": f"{BLOCK}A = Block"}, "net.A", "module class net:Block"),
    "another name of something outside": (
        {"net.py": f"{TORCH}A = nn.Linear"},
        "net.A",
        "value net:torch.nn.Linear",
    ),
    "a class within a class": (
        {"net.py": f"{TORCH}class A:\n    class B(nn.Module): pass"},
        "net.A.B",
        "module class net:A.B",
    ),
    "the last class of a name is as good as the first": (
        {"net.py": f"class A: pass\n{TORCH}class A(nn.Module): pass"},
        "net.A",
        "plain class net:A",
    ),
    "something of torch": ({"net.py": TORCH}, "torch.nn.Linear", "outside"),
    "nothing of that name": ({"net.py": BLOCK}, "net.Gone", "outside"),
    "an empty name": ({"net.py": BLOCK}, "", "outside"),
    "a class of another file": (
        {"net.py": "import blocks", "blocks.py": BLOCK},
        "blocks.Block",
        "module class blocks:Block",
    ),
    "a class within a class of another file": (
        {"net.py": "import blocks", "blocks.py": f"{TORCH}class A:\n    class B(nn.Module): pass"},
        "blocks.A.B",
        "module class blocks:A.B",
    ),
    "one that was imported by name": (
        {"net.py": "from blocks import Block", "blocks.py": BLOCK},
        "net.Block",
        "module class blocks:Block",
    ),
    "one that was imported under another name": (
        {"net.py": "from blocks import Block as B", "blocks.py": BLOCK},
        "net.B",
        "module class blocks:Block",
    ),
    "a file of a package": (
        {"net.py": "import models.blocks", "models/__init__.py": "", "models/blocks.py": BLOCK},
        "models.blocks.Block",
        "module class models.blocks:Block",
    ),
    "what a package hands on": (
        {
            "net.py": "import models",
            "models/__init__.py": "from models.blocks import Block",
            "models/blocks.py": BLOCK,
        },
        "models.Block",
        "module class models.blocks:Block",
    ),
    "what it hands on by a relative import": (
        {
            "net.py": "import models",
            "models/__init__.py": "from .blocks import Block",
            "models/blocks.py": BLOCK,
        },
        "models.Block",
        "module class models.blocks:Block",
    ),
    "under another name": (
        {
            "net.py": "import models",
            "models/__init__.py": "from .blocks import Block as B",
            "models/blocks.py": BLOCK,
        },
        "models.B",
        "module class models.blocks:Block",
    ),
    "from a package above": (
        {
            "net.py": "import models.big.net",
            "models/__init__.py": "",
            "models/big/__init__.py": "",
            "models/big/net.py": "from ..blocks import Block",
            "models/blocks.py": BLOCK,
        },
        "models.big.net.Block",
        "module class models.blocks:Block",
    ),
    "by way of a star": (
        {"net.py": "from blocks import *", "blocks.py": BLOCK},
        "Block",
        "module class blocks:Block",
    ),
    "by way of two stars": (
        {"net.py": "from a import *", "a.py": "from blocks import *", "blocks.py": BLOCK},
        "Block",
        "module class blocks:Block",
    ),
    "by way of a star, and a name there": (
        {"net.py": "from a import *", "a.py": "from blocks import Block", "blocks.py": BLOCK},
        "Block",
        "module class blocks:Block",
    ),
    "stars in a circle end": (
        {"net.py": "from a import *", "a.py": "from net import *"},
        "Block",
        "outside",
    ),
    "the own name comes before a star": (
        {"net.py": "from blocks import *\ndef Block(): pass", "blocks.py": BLOCK},
        "net.Block",
        "function net:Block",
    ),
    "imports in a circle end": (
        {"net.py": "from a import B", "a.py": "from net import B"},
        "net.B",
        "outside",
    ),
    "in a package, a file at the top comes before one beside": (
        {
            "models/net.py": f"import blocks\n{TORCH}",
            "models/__init__.py": "",
            "models/blocks.py": f"{TORCH}class Near(nn.Module): pass",
            "blocks.py": f"{TORCH}class Far(nn.Module): pass",
        },
        "blocks.Far",
        "module class blocks:Far",
    ),
    "a script finds a file beside it": (
        {"scripts/net.py": f"import blocks\n{TORCH}", "scripts/blocks.py": BLOCK},
        "blocks.Block",
        "module class scripts.blocks:Block",
    ),
    "a file below src": (
        {"net.py": "import blocks", "src/blocks.py": BLOCK},
        "blocks.Block",
        "module class blocks:Block",
    ),
    "a package in some folder": (
        {
            "net.py": "import models.blocks",
            "code/models/__init__.py": "",
            "code/models/blocks.py": BLOCK,
        },
        "models.blocks.Block",
        "module class models.blocks:Block",
    ),
    "a file that cannot be read": (
        {"net.py": "import blocks", "blocks.py": "class ("},
        "blocks.Block",
        "outside",
    ),
    "a value of another file": (
        {"net.py": "from a import SIZES", "a.py": "SIZES = [1, 2]"},
        "net.SIZES",
        "value a:[1, 2]",
    ),
    "a value that is made of what it was": (
        {"net.py": "A = [1]\nA = [A, 2]"},
        "net.A",
        "value net:[[1], 2]",
    ),
    "a value that may be changed": (
        {"net.py": "A = 1\nif B:\n    A = 2"},
        "net.A",
        "value net:<1 | 2>",
    ),
    "a value under a try": (
        {"net.py": "try:\n    A = 1\nexcept ImportError:\n    A = 2"},
        "net.A",
        "value net:<1 | 2>",
    ),
    "a function in a function": (
        {"net.py": "def f():\n    def g(): pass"},
        "net.f.<locals>.g",
        "function net:f.<locals>.g",
    ),
}


@table(NAMES)
def test_what_a_name_stands_for(row: tuple[Files, str, str], lay_out: LayOut) -> None:
    files, name, expected = row
    index = index_of(lay_out, files)
    importer = next(iter(files))
    assert described(index.resolve(name, importer)) == expected


AMBIGUOUS = {"net.py": "import blocks", "a/blocks.py": BLOCK, "b/blocks.py": BLOCK}


def test_a_module_that_two_files_may_be_is_said(lay_out: LayOut) -> None:
    packages = {"a/__init__.py": "", "b/__init__.py": ""}
    inner = {"a/m/__init__.py": "", "b/m/__init__.py": ""}
    index = index_of(lay_out, {"net.py": "import m", **inner})
    assert index.find_module("m", "net.py") is None
    assert index.find_module("m", "net.py") is None
    (finding,) = index.findings
    assert (finding.path, finding.code) == ("net.py", "PYR206")
    assert finding.message == "import of m may mean a/m/__init__.py or b/m/__init__.py"
    assert finding.help.startswith("rewrite from the folder that is on the import path")
    assert index_of(lay_out, {**AMBIGUOUS, **packages}).find_module("blocks", "net.py") is None


MODULE_NAMES: dict[str, tuple[list[str], str, str]] = {
    "a file at the top": (["net.py"], "net.py", "net"),
    "a file in a folder": (["models/net.py"], "models/net.py", "models.net"),
    "a package": (["models/__init__.py"], "models/__init__.py", "models"),
    "a file of a package": (["models/__init__.py", "models/net.py"], "models/net.py", "models.net"),
    "a file below src": (["src/net.py"], "src/net.py", "net"),
    "a package below src": (
        ["src/models/__init__.py", "src/models/net.py"],
        "src/models/net.py",
        "models.net",
    ),
    "a package in a folder": (
        ["code/models/__init__.py", "code/models/net.py"],
        "code/models/net.py",
        "models.net",
    ),
    "a package in a package": (
        ["a/__init__.py", "a/b/__init__.py", "a/b/net.py"],
        "a/b/net.py",
        "a.b.net",
    ),
    "a package that is called src is only a folder": (
        ["src/__init__.py", "src/net.py"],
        "src/net.py",
        "net",
    ),
    "a project that is a package": (["__init__.py", "net.py"], "net.py", "net"),
}


@table(MODULE_NAMES)
def test_the_module_of_a_file(row: tuple[list[str], str, str]) -> None:
    paths, path, expected = row
    assert ModuleNames(paths).module_name(path) == expected


CANONICAL: dict[str, tuple[Files, str, str]] = {
    "what torch calls so": ({"net.py": TORCH}, "torch.nn.Linear", "torch.nn.Linear"),
    "what another file imports": (
        {"net.py": "from a import nn", "a.py": "from torch import nn"},
        "a.nn",
        "torch.nn",
    ),
    "what another file names so": (
        {"net.py": "from a import Layer", "a.py": f"{TORCH}Layer = nn.Linear"},
        "a.Layer",
        "torch.nn.Linear",
    ),
    "over two files": (
        {
            "net.py": "",
            "a.py": "from b import Layer",
            "b.py": "from torch.nn import Linear as Layer",
        },
        "a.Layer",
        "torch.nn.Linear",
    ),
    "under a star of torch": ({"net.py": "from torch.nn import *"}, "Linear", "torch.nn.Linear"),
    "under a star of the project": (
        {"net.py": "from a import *", "a.py": "from torch.nn import Linear"},
        "Linear",
        "torch.nn.Linear",
    ),
    "a class of the project": ({"net.py": "import a", "a.py": BLOCK}, "a.Block", "a.Block"),
    "in a circle it ends": (
        {"net.py": "", "a.py": "from b import X", "b.py": "from a import X"},
        "a.X",
        "a.X",
    ),
}


@table(CANONICAL)
def test_the_name_outside_of_the_project(row: tuple[Files, str, str], lay_out: LayOut) -> None:
    files, name, expected = row
    assert index_of(lay_out, files).canonical(name, "net.py") == expected


def spoken(base: Base) -> str:
    layer = f" {base.layer.name}" if base.layer else ""
    local = f" {base.local.name}" if base.local else ""
    return f"{base.kind}{layer}{local}"


BASES = {
    "a module": ("nn.Module", "module"),
    "by the place where torch has it": ("torch.nn.modules.module.Module", "module"),
    "a PyroModule": ("PyroModule", "pyro"),
    "a layer as a PyroModule": ("PyroModule[nn.Linear]", "pyro Linear"),
    "a layer": ("nn.Linear", "layer Linear"),
    "a container": ("nn.Sequential", "layer Sequential"),
    "a class of the project": ("Block", "local net:Block"),
    "a class of the project that is no module": ("Maker, nn.Module", "plain, module"),
    "an interface of typing": ("typing.Generic, nn.Module", "plain, module"),
    "one of the standard library": ("collections.abc.Sized, nn.Module", "plain, module"),
    "a module of lightning": ("lightning.LightningModule", "external"),
    "a module of torch's own": ("torch.jit.ScriptModule", "external"),
    "something of torch that is none": ("torch.Tensor, nn.Module", "plain, module"),
    "an unknown one beside it": ("outside.Mixin, nn.Module", "unresolved, module"),
}


@table(BASES)
def test_what_a_base_is(row: tuple[str, str], lay_out: LayOut) -> None:
    bases, expected = row
    text = (
        f"{BLOCK}import collections.abc, lightning, outside, typing\n"
        f"from pyro.nn import PyroModule\nclass Maker: pass\nclass Net({bases}): pass\n"
    )
    net = index_of(lay_out, {"net.py": text}).resolve("net.Net", "net.py").module_class
    assert net is not None
    assert ", ".join(map(spoken, net.bases)) == expected


UNKNOWN_BASES = {
    "a class that has forward": ("def forward(self, x): pass", True),
    "one that has another method": ("def run(self, x): pass", False),
    "one that makes a layer": ("def __init__(self):\n        self.fc = nn.Linear(3, 3)", True),
    "one that makes a parameter": (
        "def __init__(self):\n        self.p = nn.Parameter(torch.zeros(3))",
        True,
    ),
    "one that keeps a number": ("def __init__(self):\n        self.n = 3", False),
    "one with forward that calls its base": (
        "def __init__(self):\n        super().__init__()\n    def forward(self, x): pass",
        True,
    ),
    "one with forward that does not": (
        "def __init__(self):\n        self.n = 3\n    def forward(self, x): pass",
        False,
    ),
}


@table(UNKNOWN_BASES)
def test_what_looks_like_a_module(row: tuple[str, bool], lay_out: LayOut) -> None:
    body, expected = row
    text = f"{TORCH}import outside\nclass Net(outside.Base):\n    {body}\n"
    found = index_of(lay_out, {"net.py": text}).resolve("net.Net", "net.py")
    assert (found.module_class is not None) is expected


def test_a_lineage_has_each_class_once_the_nearest_first(lay_out: LayOut) -> None:
    text = f"{BLOCK}class A(Block): pass\nclass B(Block): pass\nclass Net(A, B):\n    pass\n"
    net = index_of(lay_out, {"net.py": text}).resolve("net.Net", "net.py").module_class
    assert net is not None
    assert [cls.cls.name for cls in net.lineage] == ["Net", "A", "Block", "B"]


def held(node: Value) -> str:
    """A structure in a line: ``-`` has no parameters, ``?`` is not known, ``?!`` has some."""
    match node:
        case LayerInstance(layer=layer, call=call):
            return layer.name if call else f"{layer.name} out of reach"
        case ClassInstance(cls=cls):
            return cls.cls.name
        case ContainerInstance(layer=layer, items=children, keys=keys):
            return f"{layer.name}{members(children, keys)}"
        case Items(items=children, keys=keys):
            return members(children, keys)
        case Many(item=inner):
            return f"*{held(inner)}"
        case OneOf(options=nodes):
            return f"<{' | '.join(map(held, nodes))}>"
        case Unknown(sure=sure):
            return "?!" if sure else "?"
        case Parameter():
            return "parameter"
        case Plain(is_module=is_module):
            return "stateless" if is_module else "-"
        case Nothing():
            return "None"


def members(children: tuple[Value, ...], keys: tuple[str, ...]) -> str:
    names = [f"{key}: " for key in keys] or [""] * len(children)
    return f"({', '.join(a + held(b) for a, b in zip(names, children, strict=True))})"


PROJECT = {
    "blocks.py": f"""\
import functools, outside
{TORCH}
class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc = nn.Linear(d, d)

class Stack(nn.Sequential):
    pass

class Plain:
    SIZE = 3
    LAYER = nn.Linear
    GROWN = {{"a": nn.Linear}}

    @classmethod
    def add(cls, name, made):
        cls.GROWN[name] = made

    @staticmethod
    def make(d):
        return nn.Linear(d, d)

class Pair(tuple):
    def __new__(cls, a, b=None):
        if b is None:
            return tuple.__new__(cls, (a, a))
        return super().__new__(cls, (a, b))

    def turned(self):
        return Pair(self[1], self[0])

class Made:
    def __new__(cls, d):
        return nn.Linear(d, d)

KINDS = {{"a": nn.Linear, "b": Block}}
LAYERS = {{"a": nn.Linear, "b": nn.Conv1d}}
ENTERED = {{"a": nn.Linear}}
ENTERED["b"] = nn.Conv1d
MERGED = {{}}
MERGED.update(ENTERED)
NESTED = {{"x": {{"kind": Block, "size": 3}}, "y": {{"kind": nn.Linear}}}}
REGISTERED = {{"a": nn.Linear}}
EXTENDED = {{"a": nn.Linear}}
if outside.here:
    EXTENDED["b"] = outside.Layer
KINDS2 = {{"a": nn.Linear}}
SHARED = nn.Linear(3, 3)
square = lambda d: nn.Linear(d, d)
NoBias = functools.partial(nn.Linear, bias=False)
Wide = functools.partial(Block, wide=True)
Stacked = functools.partial(nn.Sequential, nn.Linear(3, 3))
NUMBERS = [1, 2]
Either = nn.Linear if NUMBERS else nn.Conv1d
Wrap = outside.Wrap
Layer = nn.Linear

def layer(d, wide=False):
    if wide:
        return nn.Linear(d, d)
    return None

def pick(wide):
    return nn.Linear if wide else nn.Conv1d

Maybe = functools.partial(layer, wide=True)

def register(name, cls):
    REGISTERED[name] = cls

def called(make):
    return make()

def maker():
    return lambda d: nn.Linear(d, d)

def layers(d):
    yield nn.Linear(d, d)
    yield nn.ReLU()

def forever(d):
    return forever(d)

def given_back(x):
    return x

def optional(made=None):
    return made

def number(d):
    return d + 1

def nothing(d):
    print(d)
""",
}
STRUCTURES = {
    "a layer": ("nn.Linear(d, d)", "Linear"),
    "a layer without parameters": ("nn.ReLU()", "stateless"),
    "a layer of another file's name": ("blocks.Layer(d, d)", "Linear"),
    "one of two layers under one name": ("blocks.Either(d, d)", "<Linear | Conv1d>"),
    "a class outside by another file's name": ("blocks.Wrap(3)", "?!"),
    "a class of the project": ("blocks.Block(d)", "Block"),
    "its name alone is no module": ("blocks.Block", "-"),
    "a class that is no module": ("blocks.Plain()", "-"),
    "a class that makes something else": ("blocks.Made(d)", "?!"),
    "a class of tuples": ("blocks.Pair(d)", "-"),
    "what a method gives of it": ("blocks.Pair(d).turned()", "-"),
    "a function of the project, compiled": ("torch.compile(blocks.number, dynamic=True)", "-"),
    "a module, compiled": ("torch.compile(blocks.Block(d))", "?!"),
    "a parameter": ("nn.Parameter(torch.zeros(d))", "parameter"),
    "a tensor": ("torch.zeros(d)", "-"),
    "None": ("None", "None"),
    "a container": ("nn.Sequential(nn.Linear(d, d), nn.ReLU())", "Sequential(Linear, stateless)"),
    "a list for a container": ("nn.ModuleList([nn.Linear(d, d)])", "ModuleList(Linear)"),
    "any number for a container": (
        "nn.ModuleList([nn.Linear(d, d) for _ in given])",
        "ModuleList(*Linear)",
    ),
    "a dict for a container": (
        "nn.ModuleDict({'a': nn.Linear(d, d)})",
        "ModuleDict('a': Linear)",
    ),
    "pairs for a container": (
        "nn.ModuleDict([('a', nn.Linear(d, d))])",
        "ModuleDict('a': Linear)",
    ),
    "an ordered dict for a container": (
        "nn.Sequential(collections.OrderedDict([('a', nn.Linear(d, d))]))",
        "Sequential('a': Linear)",
    ),
    "a class that is a bare container": ("blocks.Stack(nn.Linear(d, d))", "Sequential(Linear)"),
    "an empty one": ("blocks.Stack()", "Stack"),
    "something unknown in a container": ("nn.Sequential(*given)", "Sequential(*?)"),
    "a list": ("[nn.Linear(d, d), 3]", "(Linear, -)"),
    "an argument": ("given", "?"),
    "either of two": ("nn.Linear(d, d) if d else nn.ReLU()", "<Linear | stateless>"),
    "either of two that are alike": ("nn.Linear(d, d) if d else None", "<Linear | None>"),
    "either of two classes": ("(nn.Linear if d else nn.Conv1d)(d, d)", "<Linear | Conv1d>"),
    "a layer or a class of the project": ("(nn.Linear if d else blocks.Block)(d)", "<?! | Block>"),
    "what a function gives": ("blocks.layer(d)", "<Linear | None>"),
    "a function that gives nothing": ("blocks.nothing(d)", "-"),
    "a function that gives a number": ("blocks.number(d)", "-"),
    "a function that gives what it is given": ("blocks.given_back(nn.Linear(d, d))", "Linear"),
    "that is given by its name": ("blocks.given_back(x=nn.Linear(d, d))", "Linear"),
    "a function that gives its default": ("blocks.optional()", "None"),
    "a function that calls itself": ("blocks.forever(d)", "?"),
    "a generator": ("nn.Sequential(*blocks.layers(d))", "Sequential(*Linear, stateless)"),
    "a class that a function gives": ("blocks.pick(d)(d, d)", "<Linear | Conv1d>"),
    "one that is looked up": ("blocks.KINDS['a'](d, d)", "Linear"),
    "any that is looked up": ("blocks.KINDS[given](d, d)", "<?! | Block>"),
    "one that a method looks up": ("blocks.KINDS.get('b')(d)", "Block"),
    "a layer of several that is looked up": ("blocks.LAYERS[given](d, d)", "<Linear | Conv1d>"),
    "one of those that a dict got": ("blocks.ENTERED[given](d, d)", "<Linear | Conv1d>"),
    "one of those that it got all at once": ("blocks.MERGED[given](d)", "<Linear | Conv1d>"),
    "one of a dict of dicts": ("blocks.NESTED[given]['kind'](d)", "<Block | ?!>"),
    "one that a function may have put there": ("blocks.REGISTERED[given](d, d)", "?!"),
    "one that is put there sometimes": ("blocks.EXTENDED[given](d, d)", "?!"),
    "one that another file puts there": ("blocks.KINDS2[given](d, d)", "?!"),
    "one of a dict of a class that grows": ("blocks.Plain.GROWN[given](d, d)", "?!"),
    "one that a class has": ("blocks.Plain.LAYER(d, d)", "Linear"),
    "a static method": ("blocks.Plain.make(d)", "?!"),
    "a module of a file": ("blocks.SHARED", "?!"),
    "a number of a class": ("blocks.Plain.SIZE", "?"),
    "numbers of a file": ("blocks.NUMBERS", "(-, -)"),
    "a lambda that is called": ("(lambda k: nn.Linear(k, k))(d)", "Linear"),
    "a lambda that a function calls": ("blocks.called(lambda: nn.Linear(d, d))", "Linear"),
    "a lambda of a file": ("blocks.square(d)", "?!"),
    "a lambda that a function gives": ("blocks.maker()(d)", "?!"),
    "a lambda that is not": ("lambda k: nn.Linear(k, k)", "-"),
    "a partial that is called": ("functools.partial(nn.Linear, d)(d)", "?!"),
    "a partial of a file": ("blocks.NoBias(d, d)", "Linear"),
    "one of a class of the project": ("blocks.Wide(d)", "Block"),
    "one of a function": ("blocks.Maybe(d)", "<Linear | None>"),
    "one of a container": ("blocks.Stacked(nn.Linear(d, d))", "?!"),
    "what map makes": ("list(map(nn.Linear, [d], [d]))", "(*?!)"),
    "a layer moved": ("nn.Linear(d, d).to(given)", "Linear"),
    "a class of the project turned to half": ("blocks.Block(d).half()", "Block"),
    "a layer turned to half is out of sight": ("nn.Linear(d, d).half()", "?!"),
    "a weight of a layer": ("nn.Linear(d, d).weight", "?!"),
    "a size of a layer": ("nn.Linear(d, d).in_features", "?"),
    "a normed layer": ("nn.utils.weight_norm(nn.Linear(d, d))", "?!"),
    "a copy of a layer": ("copy.deepcopy(nn.Linear(d, d))", "Linear out of reach"),
    "a copy of what the class has": ("copy.deepcopy(self.fc)", "Linear out of reach"),
    "what the class has": ("self.fc", "-"),
    "what nobody gave it": ("self.other", "?"),
    "what a method of it gives": ("self.build(d)", "Linear"),
    "what a property of it gives": ("self.made", "Conv1d"),
    "what its module computes": ("self.fc(d)", "-"),
    "a class that it has": ("self.KIND(d, d)", "Linear"),
    "the name of a class that it has": ("self.KIND", "-"),
    "a layer that all of the class share": ("self.SHARED", "?!"),
    "something outside that is handed a layer": ("outside.wrap(nn.Linear(d, d))", "?!"),
    "handed a number": ("outside.wrap(3)", "?"),
    "that is called like a class": ("outside.Wrap(3)", "?!"),
    "of the standard library": ("os.path.join('a', 'b')", "-"),
    "of the standard library, handed a number of it": ("os.path.join('a', os.sep)", "-"),
    "of the standard library, handed something outside": ("os.path.join('a', outside.b)", "?"),
    "of the standard library, handed a layer": ("dict(a=nn.Linear(d, d))", "('a': Linear)"),
    "loaded": ("torch.load(given)", "?"),
    "an item of a list": ("[nn.Linear(d, d), nn.ReLU()][0]", "Linear"),
    "some item": ("[nn.Linear(d, d), nn.ReLU()][given]", "<Linear | stateless>"),
    "an item of an argument": ("given[0]", "?"),
    "an item of what the class has": ("self.parts[0]", "?"),
}


@table(STRUCTURES)
def test_what_a_value_holds(row: tuple[str, str], lay_out: LayOut) -> None:
    source, expected = row
    text = f"""\
import blocks, collections, copy, functools, os, outside
{TORCH}
blocks.KINDS2["b"] = outside.Layer
class Net(nn.Module):
    KIND = nn.Linear
    SHARED = nn.Linear(3, 3)

    def __init__(self, d, given):
        super().__init__()
        self.fc = nn.Linear(d, d)
        self.parts = nn.ModuleList([nn.Linear(d, d)])
        self.x = {source}

    def build(self, d):
        return nn.Linear(d, d)

    @property
    def made(self):
        return nn.Conv1d(3, 3, 3)
"""
    index = index_of(lay_out, {**PROJECT, "net.py": text})
    net = index.resolve("net.Net", "net.py").module_class
    assert net is not None
    value = net.cls.methods[0].assignments[-1].value
    assert held(Resolver(index, {}).resolve(value, Scope("net.py", net))) == expected


OVERRIDDEN = {
    "by nobody": ("pass", "Linear"),
    "by a layer of another kind": ("def build(self, d): return nn.Conv1d(d, d, d)", "?!"),
    "by what it is given": ("def build(self, given): return given", "?!"),
    "by an attribute of the class": ("build = outside.build", "?!"),
}


@table(OVERRIDDEN)
def test_what_a_method_gives_that_a_subclass_overrides(
    row: tuple[str, str], lay_out: LayOut
) -> None:
    body, expected = row
    text = f"""\
import outside
{TORCH}
class Net(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.x = self.build(d)

    def build(self, d):
        return nn.Linear(d, d)

class Sub(Net):
    {body}
"""
    index = index_of(lay_out, {"net.py": text})
    net, sub = index.module_classes
    value = net.cls.methods[0].assignments[-1].value
    resolver = Resolver(index, {net.key: (sub,)})
    assert held(resolver.resolve(value, Scope("net.py", net))) == expected


ANNOTATED = {
    "a class": ("Block", "Block"),
    "with what derives from it": ("Base", "<Base | Derived>"),
    "a class or none": ("Block | None", "<Block | None>"),
    "none by default": ("Block = None", "<Block | None>"),
    "any number": ("list[Base]", "(*<Base | Derived>)"),
    "a number": ("int", ""),
    "a class of torch": ("nn.Linear", ""),
    "a container that its maker fills": ("Stack", ""),
    "one that may be such a container": ("Module", ""),
}


@table(ANNOTATED)
def test_what_an_annotation_says(row: tuple[str, str], lay_out: LayOut) -> None:
    annotation, expected = row
    text = f"""\
{BLOCK}
class Base(nn.Module): pass
class Derived(Base): pass
class Stack(nn.Sequential): pass
class Module(nn.Module): pass
class Filled(Module, nn.Sequential): pass

class Net(nn.Module):
    def __init__(self, given: {annotation}):
        super().__init__()
"""
    index = index_of(lay_out, {"net.py": text})
    classes = {cls.cls.name: cls for cls in index.module_classes}
    subclasses = {
        cls.key: [sub for sub in classes.values() if cls in sub.lineage[1:]]
        for cls in classes.values()
    }
    net = classes["Net"]
    found = Annotations(net.file, index, subclasses).instances(net.cls.methods[0])
    assert "".join(map(held, found.values())) == expected


SIZES = {
    "as they are given": ("self.x = nn.Linear(d, given)", "d given"),
    "of a partial beside it": (
        "make = functools.partial(nn.Linear, d)\nself.x = make(given)",
        "d given",
    ),
    "of a partial of another file": ("self.x = blocks.Sized(d)", "? d"),
    "a number of it": ("self.x = blocks.Three(d)", "3 d"),
    "the default of a function of it": ("self.x = blocks.layer(d)", "d 3"),
}


@table(SIZES)
def test_which_sizes_of_a_layer_mean_the_same_here(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    blocks = f"""\
import functools
{TORCH}
SIZE = 3
Sized = functools.partial(nn.Linear, SIZE)
Three = functools.partial(nn.Linear, 3)

def layer(d, size=3):
    return nn.Linear(d, size)
"""
    text = f"""\
import blocks, functools
{TORCH}
class Net(nn.Module):
    def __init__(self, d, given):
        super().__init__()
{indent(body, " " * 8)}
"""
    index = index_of(lay_out, {"net.py": text, "blocks.py": blocks})
    (net,) = index.module_classes
    value = net.cls.methods[0].assignments[-1].value
    layer = Resolver(index, {}).resolve(value, Scope("net.py", net))
    assert isinstance(layer, LayerInstance)
    assert layer.call is not None
    assert " ".join(arg.text if arg.stable else "?" for arg in layer.call.args) == expected


REPLACED = {
    "a member by its number": ("self.net[0] = nn.Linear(3, 3)", "net"),
    "a member by its name": ("self.net.add_module('1', nn.Linear(3, 3))", "net"),
    "a new member by its name": ("self.net.add_module('2', nn.Linear(3, 3))", ""),
    "an attribute that is a member": ("setattr(self.net, '0', nn.Linear(3, 3))", "net"),
    "one that is not": ("self.net.extra = nn.Linear(3, 3)", ""),
    "a member that has a name": ("self.named.fc = nn.Linear(3, 3)", "named"),
    "under two names at once": ("self.named.fc = self.other = nn.Linear(3, 3)", "named"),
    "of a tuple": ("self.named.fc, self.other = nn.Linear(3, 3), 3", "named"),
    "one by its key": ("self.keyed['fc'] = nn.Linear(3, 3)", ""),
    "what is appended": ("self.net.append(nn.Linear(3, 3))", ""),
    "in no container": ("self.fc.weight = nn.Parameter(torch.zeros(3, 3))", ""),
}


@table(REPLACED)
def test_which_members_are_replaced(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    text = f"""\
from collections import OrderedDict
{TORCH}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        self.named = nn.Sequential(OrderedDict([("fc", nn.Linear(3, 3))]))
        self.keyed = nn.ModuleDict({{"fc": nn.Linear(3, 3)}})

    def change(self):
        {body}
"""
    index = index_of(lay_out, {"net.py": text})
    (net,) = index.module_classes
    found = ClassSummary(net, Resolver(index, {}), ()).members_replaced(net.cls.methods[-1])
    assert " ".join(name for name, _ in found) == expected


ATTRIBUTES = {
    "a layer": ("self.a = nn.Linear(3, 3)", "a: Linear"),
    "nothing without parameters": ("self.a = nn.ReLU()", ""),
    "no number": ("self.a = 3", ""),
    "one of two layers": (
        "if given:\n    self.a = nn.Linear(3, 3)\nelse:\n    self.a = nn.Conv1d(3, 3, 3)",
        "a: <Linear | Conv1d>",
    ),
    "a layer, or none": (
        "self.a = None\nif given:\n    self.a = nn.Linear(3, 3)",
        "a: <None | Linear>",
    ),
    "a second name is none of its own": ("self.a = nn.Linear(3, 3)\nself.b = self.a", "a: Linear"),
    "a layer under two names": ("self.a = self.b = nn.Linear(3, 3)", "a: Linear"),
    "a list": ("self.a = [nn.Linear(3, 3)]", "a: (Linear)"),
    "a list that grows": (
        "self.a = [nn.Linear(3, 3)]\nself.a.append(nn.Conv1d(3, 3, 3))",
        "a: (Linear, Conv1d)",
    ),
    "a list that may grow": (
        "self.a = [nn.Linear(3, 3)]\nif given:\n    self.a.append(nn.Conv1d(3, 3, 3))",
        "a: (Linear, *Conv1d)",
    ),
    "an empty list that grows": ("self.a = []\nself.a.append(nn.Linear(3, 3))", "a: (Linear)"),
    "a container that grows": (
        "self.a = nn.ModuleList()\nself.a.append(nn.Linear(3, 3))",
        "a: ModuleList(Linear)",
    ),
    "in a loop": (
        "self.a = nn.ModuleList()\nfor _ in given:\n    self.a.append(nn.Linear(3, 3))",
        "a: ModuleList(*Linear)",
    ),
    "by its members": (
        "self.a = nn.ModuleList()\nself.a.extend([nn.Linear(3, 3), nn.ReLU()])",
        "a: ModuleList(*<Linear | stateless>)",
    ),
    "by a key": (
        "self.a = nn.ModuleDict()\nself.a['k'] = nn.Linear(3, 3)",
        "a: ModuleDict(*Linear)",
    ),
    "by a name": (
        "self.a = nn.Sequential()\nself.a.add_module('k', nn.Linear(3, 3))",
        "a: Sequential('k': Linear)",
    ),
    "a container of a list that it replaces": (
        "self.a = [nn.Linear(3, 3)]\nself.a = nn.ModuleList(self.a)",
        "a: ModuleList(Linear)",
    ),
    "a layer that is wrapped": (
        "self.a = nn.Linear(3, 3)\nself.a = nn.Sequential(self.a, nn.ReLU())",
        "a: Sequential(Linear, stateless)",
    ),
    "a container that loses a member": (
        "self.a = nn.ModuleList([nn.Linear(3, 3)])\ndel self.a[0]",
        "a: ModuleList(*Linear)",
    ),
    "a member that is replaced": (
        "self.a = nn.Sequential(nn.Linear(3, 3))\nself.a.add_module('0', nn.Linear(3, 3))",
        "a: <Sequential(Linear) | ?!>",
    ),
    "a member that is replaced twice": (
        "self.a = nn.Sequential(nn.Linear(3, 3))\n"
        "self.a.add_module('0', nn.Linear(3, 3))\nself.a.add_module('0', nn.Linear(3, 3))",
        "a: <Sequential(Linear) | ?!>",
    ),
    "something put into a layer": (
        "self.a = nn.Linear(3, 3)\nself.a.extra = nn.Linear(3, 3)",
        "a: <Linear | ?!>",
    ),
}


@table(ATTRIBUTES)
def test_what_an_attribute_holds_in_the_end(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    body = indent(f"super().__init__()\n{body}", " " * 8)
    text = f"{TORCH}class Net(nn.Module):\n    def __init__(self, given):\n{body}\n"
    index = index_of(lay_out, {"net.py": text})
    (net,) = index.module_classes
    found = ClassSummary(net, Resolver(index, {}), ()).everything
    assert "; ".join(f"{item.name}: {held(item.node)}" for item in found) == expected


MEMBERS = {
    "what it appends": ("self.append(nn.Linear(3, 3))", "Sequential(Linear)"),
    "where something is open": (
        "with torch.no_grad():\n    self.append(nn.Linear(3, 3))",
        "Sequential(Linear)",
    ),
    "what it may append": ("if given:\n    self.append(nn.Linear(3, 3))", "Sequential(*Linear)"),
    "all that it is extended by": (
        "self.extend([nn.Linear(3, 3), nn.ReLU()])",
        "Sequential(*Linear, stateless)",
    ),
    "what is inserted, wherever that is": (
        "self.insert(0, nn.Linear(3, 3))",
        "Sequential(*Linear)",
    ),
}


@table(MEMBERS)
def test_what_a_class_adds_to_itself(row: tuple[str, str], lay_out: LayOut) -> None:
    body, expected = row
    text = (
        f"{TORCH}class Net(nn.Sequential):\n    def __init__(self, given):\n"
        f"        super().__init__()\n{indent(body, ' ' * 8)}\n"
    )
    index = index_of(lay_out, {"net.py": text})
    (net,) = index.module_classes
    (own,) = ClassSummary(net, Resolver(index, {}), ()).everything
    assert (own.name, held(own.node)) == ("", expected)


METACLASSES = {
    "none": ("class Net(nn.Module)", False),
    "its own": ("class Net(nn.Module, metaclass=Meta)", True),
    "the plain one": ("class Net(nn.Module, metaclass=type)", False),
    "one of a class beside": ("class Net(WithMeta, nn.Module)", True),
    "the plain one of a class beside": ("class Net(WithType, nn.Module)", False),
    "one of a class above that": ("class Net(Below, nn.Module)", True),
    "an abstract class beside": ("class Net(nn.Module, abc.ABC)", True),
    "a protocol beside": ("class Net(nn.Module, typing.Protocol)", True),
    "a generic class": ("class Net(nn.Module, typing.Generic[T])", True),
    "a class that is not known above one beside": ("class Net(Odd, nn.Module)", True),
    "a plain class beside": ("class Net(Mixin, nn.Module)", False),
    "object": ("class Net(nn.Module, object)", False),
}


@table(METACLASSES)
def test_whether_a_class_needs_a_metaclass(row: tuple[str, bool], lay_out: LayOut) -> None:
    head, expected = row
    text = f"""\
import abc, outside, typing
{TORCH}
T = typing.TypeVar("T")
class Meta(type): pass
class Mixin: pass
class WithMeta(metaclass=Meta): pass
class WithType(metaclass=type): pass
class Below(WithMeta): pass
class Odd(outside.Mixin): pass
{head}: pass
"""
    index = index_of(lay_out, {"net.py": text})
    net = index.resolve("net.Net", "net.py").module_class
    assert net is not None
    assert needs_metaclass(net, index) is expected
