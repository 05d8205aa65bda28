"""What a class is given by those who build it: known only if all of them are seen.

Each row is a project of one file in which ``W`` is built; what it takes as ``fn`` is told by name.
"""

from __future__ import annotations

from textwrap import dedent

import pytest
from conftest import LayOut

from pyroify.planning.known import Known, know
from pyroify.program import build_index
from pyroify.program.callers import Callers
from pyroify.program.index import ModuleClass
from pyroify.program.values import ClassInstance, ContainerInstance, LayerInstance
from pyroify.syntax.values import Items, Name, Nothing, Value, options_of

START = """
from functools import partial
import torch
from torch import nn

class A(nn.Module): pass
class B(A): pass

def register(cls): KINDS.append(cls); return cls

def mark(cls): cls.marked = True; return cls

def marked(how):
    def mark(cls):
        if not issubclass(cls, nn.Module): raise TypeError
        setattr(cls, "marked", how)
        return cls
    return mark

class W(nn.Module):
    def __init__(self, fn, more=None, norm=nn.LayerNorm):
        super().__init__()
        self.fn = fn
"""
HOLDER = "class H(nn.Module):\n  def __init__(self, x):\n    self.w = {}\n"
BUILDER = """
class Net(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.dim = block.dim
        self.part = self.make(block, 3)

    def make(self, block, size):
        return nn.Sequential(block(nn.Linear(size, size)), nn.ReLU())

"""
KNOWN = {
    "by name": ("W(A())", "A"),
    "by keyword": ("W(more=B(), fn=A())", "A"),
    "of several": ("W(A()); W(B())", "A, B"),
    "within a function": ("def f(): return W(A())", "A"),
    "within a function of a function": ("def f():\n  def g(): return [W(A())]", "A"),
    "by a lambda without arguments": ("f = lambda: W(A())", "A"),
    "None, among others": ("W(A()); W(None)", "A, None"),
    "what has no parameters": ("W(A()); W(nn.ReLU())", "A, plain"),
    "a function": ("W(torch.relu)", "torch.relu"),
    "a lambda, which is no module itself": ("W(lambda: nn.Linear(3, 3)())", "plain"),
    "a class to be called": ("W(A)", "net.A"),
    "a layer to be called": ("W(nn.Linear)", "torch.nn.Linear"),
    "a partial to be called": ("W(partial(A, 3))", "net.A"),
    "a partial": ("def f(): return partial(W, more=3)(A())", "A"),
    "a partial under a name": ("def f():\n  w = partial(W, more=3)\n  return w(A())", "A"),
    "a variable": ("def f():\n  w = W\n  return w(A())", "A"),
    "one of two": ("def f(x):\n  w = W if x else A\n  return w(B())", "B"),
    "a class that derives from it": ("class S(W): pass\nS(A())", "A"),
    "by way of super": (
        "class S(W):\n  def __init__(self, x):\n    super().__init__(A())\nS(3)",
        "A",
    ),
    "what a caller is given": (
        "class H(nn.Module):\n  def __init__(self, x):\n    self.w = W(x)\nH(A())",
        "A",
    ),
    "what a caller is annotated with": (
        "class H(nn.Module):\n  def __init__(self, x: A):\n    self.w = W(x)",
        "A, B",
    ),
    "what a caller holds": (
        "class H(nn.Module):\n  def __init__(self):\n    self.a = A()\n    self.w = W(self.a)",
        "A",
    ),
    "a container of instances": ("W(nn.ModuleList([A(), nn.ReLU()]))", "ModuleList"),
    "one within another": ("W(nn.ModuleList([nn.Sequential(A())]))", "ModuleList"),
    "a list of instances": ("W([A(), nn.ReLU()])", "list"),
    "a variable that is tested before": (
        "def exists(x): return x is not None\ndef f():\n  w = None\n"
        "  if exists(w): pass\n  w = W\n  return w(A())",
        "A",
    ),
    "by map": ("list(map(W, [A(), B()]))", "A, B"),
    "by map, under a name": (
        "def f(x):\n  w = partial(W, more=3) if x else W\n  return list(map(w, (A(), B())))",
        "A, B",
    ),
    "by a lambda that map calls": ("list(map(lambda x: W(x, more=3), [A(), B()]))", "A, B"),
    "a variable that is compared with None": (
        "def exists(x): return x is not None\ndef f():\n  w = W\n  if exists(w): return w(A())",
        "A",
    ),
    "what a container has that its caller is given": (
        "class H(nn.Module):\n  def __init__(self, xs):\n"
        "    self.ws = nn.ModuleList([W(x) for x in xs])\nH(nn.ModuleList([A(), B()]))",
        "A, B",
    ),
    "what two containers have": (
        "class H(nn.Module):\n  def __init__(self, xs):\n"
        "    self.ws = nn.ModuleList([W(y) for x, y in xs])\n"
        "H(nn.ModuleList([nn.ModuleList([A(), B()]) for _ in range(3)]))",
        "B",
    ),
    "a function within, which sees the arguments around it": (
        "class H(nn.Module):\n  def __init__(self, x):\n    def make(): return W(x)\n"
        "    self.w = make()\nH(A())",
        "A",
    ),
    "assertions": (
        "W(A())\nclass T:\n  def test(self): self.assertIsInstance(3, W)",
        "A",
    ),
    "what two stars bring": (
        "def f():\n  d = dict(more=3)\n  d.update({'fn': A()})\n  return W(**d)",
        "A",
    ),
    "a subclass whose decorator gives it back": ("W(A())\n@mark\nclass S(W): pass", "A"),
    "as what a decorator makes does": ("W(A())\n@marked('a')\nclass S(W): pass", "A"),
    "a subclass that tells its name": (
        "W(A())\nclass S(W):\n  def __repr__(self): return self.__class__.__name__",
        "A",
    ),
    "a layer that a class makes for it": (HOLDER.format("W(nn.Linear(3, 3))"), "Linear"),
    "a container of layers, or None": (
        HOLDER.format("W(nn.Sequential(nn.Linear(3, x)) if x else None)"),
        "Sequential, None",
    ),
    "layers of different sizes": (
        HOLDER.format("W(nn.Linear(3, 3))") + "    self.v = W(nn.Linear(3, x))\n",
        "Linear",
    ),
    "where it is an argument": (BUILDER + "Net(W)", "Linear"),
    "where a function hands it on": (BUILDER + "def f(kind): return Net(kind)\nf(W)", "Linear"),
    "where it is handed to super": (
        BUILDER + "class S(Net):\n  def __init__(self, kind):\n    super().__init__(kind)\nS(W)",
        "Linear",
    ),
    "where isinstance asks for it": (
        BUILDER + "Net(W)\ndef f(x): return isinstance(x, W)",
        "Linear",
    ),
    "what there is where it is not None": (
        "def f(x):\n  if x is not None: x = A()\n  return W(x)",
        "A, None",
    ),
    "tests and annotations": (
        "W(A())\ndef f(x: W) -> W: return isinstance(x, W) or type(x) is W or type(x) in (W, A)",
        "A",
    ),
}
UNKNOWN = {
    "nobody": "A()",
    "a layer": "W(A()); W(nn.Linear(3, 3))",
    "a list with a layer": "W([A(), nn.Linear(3, 3)])",
    "a list, or an instance": "W(A()); W([A()])",
    "a dict of instances": "W({'a': A()})",
    "a container with a layer": "W(nn.ModuleList([A(), nn.Linear(3, 3)]))",
    "a container that a caller holds": (
        "class H(nn.Module):\n  def __init__(self):\n    self.a = nn.ModuleList([A()])\n"
        "    self.w = W(self.a)"
    ),
    "a lambda with arguments that map is not given alone": (
        "def f(xs):\n  g = lambda x: W(x)\n  return map(g, [A()])"
    ),
    "what map is given is not known": "W(A())\ndef f(xs): return map(W, xs)",
    "a variable that a function compares and keeps": (
        "def exists(x): return x is not None and register(x)\n"
        "def f():\n  w = W\n  if exists(w): return w(A())"
    ),
    "an argument of a function": "W(A())\ndef f(x): return W(x)",
    "an argument of a caller that nobody calls": (
        "W(A())\nclass H(nn.Module):\n  def __init__(self, x):\n    self.w = W(x)"
    ),
    "an argument that a function within sees, and that is given another value": (
        "class H(nn.Module):\n  def __init__(self, x):\n    x = x or nn.Linear(3, 3)\n"
        "    def make(): return W(x)\n    self.w = make()\nH(A())"
    ),
    "an argument of a function within of the same name": (
        "class H(nn.Module):\n  def __init__(self, x):\n    def make(x): return W(x)\n"
        "    self.w = make(nn.Linear(3, 3))\nH(A())"
    ),
    "a layer that a caller holds": (
        "class H(nn.Module):\n  def __init__(self):\n    self.a = nn.Linear(3, 3)\n"
        "    self.w = W(self.a)"
    ),
    "None alone": "W(None)",
    "one of the arguments after a star": "W(*[A()])",
    "what two stars bring under a name that is not told": "K = 'fn'\nW(**{K: A()})",
    "what they bring perhaps": "def f(x):\n  d = {}\n  if x: d['fn'] = A()\n  return W(**d)",
    "more than a call: in a list": "W(A()); KINDS = [W]",
    "in a dict": "W(A()); KINDS = {'w': W}",
    "put into a dict": "W(A()); KINDS = {}; KINDS['w'] = W",
    "given to a function": "W(A()); register(W)",
    "a default": "W(A())\ndef f(w=W): return w(nn.Linear(3, 3))",
    "returned": "W(A())\ndef f(): return W",
    "another name of the file": "W(A()); V = W",
    "an attribute": "W(A())\nclass H:\n  w = W",
    "a variable that is handed on": "W(A())\ndef f():\n  w = W\n  return register(w)",
    "a partial that is handed on": "W(A())\ndef f():\n  w = partial(W, more=3)\n  return [w]",
    "a variable of another one": "W(A())\ndef f():\n  v = W\n  w = v\n  return [w]",
    "a variable that a function within calls": (
        "W(A())\ndef f():\n  w = W\n  def g(x): return w(x)\n  return g(nn.Linear(3, 3))"
    ),
    "a variable that is called a turn later": (
        "W(A())\ndef f():\n  w = A\n  for _ in range(2):\n    w(nn.Linear(3, 3))\n    w = W"
    ),
    "a variable of the file": "W(A())\ndef f():\n  global w\n  w = W",
    "a lambda with arguments": "W(A()); f = lambda x: W(x)",
    "by its text": "W(A()); globals()['W'](nn.Linear(3, 3))",
    "a call in a default": "W(A())\ndef f(w=W(nn.Linear(3, 3))): return w",
    "a call in a class": "W(A())\nclass H:\n  w = W(nn.Linear(3, 3))",
    "a call in a decorator": "W(A())\n@W(nn.Linear(3, 3))\ndef f(): pass",
    "past the constructor": "W(A())\nclass S(W):\n  def __init__(self):\n    W.__init__(self, A())",
    "two calls of super": (
        "class S(W):\n  def __init__(self, x):\n    if x: super().__init__(nn.Linear(3, 3))\n"
        "    else: super().__init__(A())"
    ),
    "a second base": (
        "class O(nn.Module):\n  def __init__(self, x): super().__init__(x)\n"
        "class S(O, W): pass\nW(A()); S(nn.Linear(3, 3))"
    ),
    "a subclass that is handed on": "W(A())\nclass S(W): pass\nregister(S)",
    "a subclass that is decorated": "W(A())\n@register\nclass S(W): pass",
    "a subclass whose constructor a decorator wraps": (
        "def wrap(cls): cls.__init__ = lambda self: None; return cls\n"
        "W(A())\n@wrap\nclass S(W): pass"
    ),
    "one that a decorator gives to a method": (
        "def wrap(cls): cls.register(); return cls\nW(A())\n@wrap\nclass S(W): pass"
    ),
    "one that a decorator keeps in a function": (
        "def wrap(cls):\n  def make(): return cls(nn.Linear(3, 3))\n  HOOKS.append(make)\n"
        "  return cls\nW(A())\n@wrap\nclass S(W): pass"
    ),
    "what there is where it is None": "def f(x):\n  if x is None: x = A()\n  return W(x)",
    "a layer that a function makes for it": "W(nn.Linear(3, 3))",
    "a layer that is one of several kinds": (
        HOLDER.format("W(nn.Linear(3, 3))") + "    self.v = W(nn.Conv2d(3, 3, 3))\n"
    ),
    "a layer, or an instance": HOLDER.format("W(nn.Linear(3, 3)); W(A())"),
    "any number of layers": HOLDER.format("W(nn.Sequential(*[nn.Linear(3, 3) for _ in range(x)]))"),
    "a layer that its maker keeps": (
        "class H(nn.Module):\n  def __init__(self):\n    self.x = nn.Linear(3, 3)\n"
        "    self.w = W(self.x)"
    ),
    "a layer that its maker keeps under another name": (
        "class H(nn.Module):\n  def __init__(self):\n    x = nn.Linear(3, 3)\n"
        "    self.x, self.w = x, W(x)"
    ),
    "a layer that two are given": (
        "class H(nn.Module):\n  def __init__(self):\n    x = nn.Linear(3, 3)\n"
        "    self.v, self.w = W(x), W(x)"
    ),
    "an argument that is kept": BUILDER.replace("block.dim", "block") + "Net(W)",
    "an argument that is kept in a list": BUILDER.replace("block.dim", "[block]") + "Net(W)",
    "an argument that is handed out": BUILDER.replace("block.dim", "register(block)") + "Net(W)",
    "an argument that a function gives back": (BUILDER + "def f(kind): return kind\nNet(f(W))"),
    "an argument that is set anew": (
        BUILDER + "def f(kind):\n  kind = kind or A\n  return Net(kind)\nf(W)"
    ),
    "an argument of a function within": (
        BUILDER + "def f(kind):\n  def g(): return kind(nn.ReLU())\n  return g\nf(W)"
    ),
    "an argument among others": BUILDER + "def f(*kinds): return Net(*kinds)\nf(W)",
    "an argument of what is not known": BUILDER + "Net(W); BUILDERS.add(W)",
    "its like, by type": (
        "W(A())\nclass S(W):\n  def again(self): return type(self)(nn.Linear(3, 3))"
    ),
    "its like, by __class__": (
        "W(A())\nclass S(W):\n  def again(self): return self.__class__(nn.Linear(3, 3))"
    ),
    "its like, by a class method": (
        "W(A())\nclass S(W):\n  @classmethod\n  def make(cls): return cls(nn.Linear(3, 3))"
    ),
}


TAKING = """
def take(d): return {k: v for k, v in d.items()}
class B2(nn.Module):
  def __init__(self, dim, **kw):
    super().__init__()
    self.w = W(**take(kw))
"""
FOREIGN = {
    "nobody here builds it": ("", "self.fn = fn"),
    "nobody here gives that": ("W(A())", "self.fn = more"),
    "a caller that nobody here builds": (
        "class H(nn.Module):\n  def __init__(self, x):\n    self.w = W(x)",
        "self.fn = fn",
    ),
    "what is made by what is handed in": ("", "self.fn = fn(3)"),
    "what another package makes": ("W(A())", "self.fn = timm.create_model('a')"),
    "one of two": ("W(A())", "self.fn = more or A()"),
    "what a caller holds that is handed in": (
        "class H(nn.Module):\n  def __init__(self, x):\n    self.x = x\n    self.w = W(self.x)",
        "self.fn = fn",
    ),
    "what is known, or handed in": (
        "class H(nn.Module):\n  def __init__(self, x, y):\n    self.w = W(A() if y else x)",
        "self.fn = fn",
    ),
    "what a function takes out of two stars, beside what is taken by name": (
        TAKING + "class H(B2):\n  def __init__(self, **kw): super().__init__(**kw)\n"
        "def make(n): return H(dim=n)",
        "self.fn = fn",
    ),
    "what functions take out of two stars one after the other": (
        TAKING + "def part(d): return take(d), take(d)\n"
        "class H(nn.Module):\n  def __init__(self, **kw):\n    a, b = part(kw)\n"
        "    self.b = B2(3, **a)",
        "self.fn = fn",
    ),
    "by two stars": (
        "class H(nn.Module):\n  def __init__(self, **more):\n    self.w = W(3, **more)",
        "self.fn = more",
    ),
    "by a dict that is handed in": (
        "class H(nn.Module):\n  def __init__(self, given):\n    self.w = W(3, **given)",
        "self.fn = more",
    ),
    "part of what is handed in": ("W(A())", "self.fn = more.part"),
    "within a container": ("", "self.fn = nn.Sequential(nn.Linear(3, 3), fn)"),
    "by a function": ("def f(x): return x or A()", "self.fn = f(fn)"),
}
OWN = {
    "a caller hands in a layer": ("W(nn.Linear(3, 3))", "self.fn = fn"),
    "others may build it": ("KINDS = [W]", "self.fn = fn"),
    "a function hands it on": ("def f(x): return W(x)", "self.fn = fn"),
    "what a caller makes and holds": (
        "class H(nn.Module):\n  def __init__(self, x):\n    self.x = nn.Linear(3, 3)\n"
        "    self.w = W(self.x)",
        "self.fn = fn",
    ),
    "a dict of the project": ("MORE = {}\nW(3, **MORE)", "self.fn = more"),
    "arguments that a caller does not name": ("def f(**more): return W(**more)", "self.fn = fn"),
    "nothing is hidden": ("", "self.fn = nn.Linear(3, 3)"),
    "a registry": ("KINDS = {}", "self.fn = KINDS[3](3)"),
    "only one of two is": ("KINDS = {}", "self.fn = fn\n        self.fn = KINDS[3](3)"),
    "an argument of another method": ("", "pass\n    def g(self, x):\n        self.fn = x"),
}


def known_of(lay_out: LayOut, text: str) -> tuple[Known, ModuleClass]:
    known = know(build_index(lay_out({"net.py": text}), ["net.py"]))
    (w,) = (cls for cls in known.index.module_classes if cls.cls.name == "W")
    return known, w


def given(lay_out: LayOut, code: str, name: str) -> str:
    known, w = known_of(lay_out, START + dedent(code))
    assert known.resolver.callers is not None
    found = known.resolver.callers.given(w).get(name)
    return "" if found is None else ", ".join(map(described, options_of(found)))


def described(value: Value) -> str:
    match value:
        case ClassInstance(cls=cls):
            return cls.cls.name
        case Name(dotted=dotted):
            return dotted
        case Nothing():
            return "None"
        case ContainerInstance(layer=layer) | LayerInstance(layer=layer):
            return layer.name
        case Items():
            return "list"
    return "plain"


@pytest.mark.parametrize(("code", "expected"), KNOWN.values(), ids=KNOWN)
def test_what_all_callers_give_is_known(lay_out: LayOut, code: str, expected: str) -> None:
    assert given(lay_out, code, "fn") == expected


@pytest.mark.parametrize("code", UNKNOWN.values(), ids=UNKNOWN)
def test_what_others_may_give_is_not(lay_out: LayOut, code: str) -> None:
    assert given(lay_out, code, "fn") == ""


def test_what_nobody_gives_is_the_default_unless_that_is_none(lay_out: LayOut) -> None:
    assert given(lay_out, "W(A())", "norm") == "torch.nn.LayerNorm"
    assert given(lay_out, "W(A())", "more") == ""


@pytest.mark.parametrize("code", ["A()", "KINDS = [W]"])
def test_where_nobody_is_seen_to_build_it_no_default_is_known(code: str, lay_out: LayOut) -> None:
    assert given(lay_out, code, "norm") == ""


def is_foreign(lay_out: LayOut, code: str, body: str) -> bool:
    text = START.replace("self.fn = fn", body).replace("import torch", "import timm\nimport torch")
    known, w = known_of(lay_out, text + code)
    return known.summaries[w.key].is_foreign("fn")


@pytest.mark.parametrize(("code", "body"), FOREIGN.values(), ids=FOREIGN)
def test_what_code_outside_hands_in_or_makes(lay_out: LayOut, code: str, body: str) -> None:
    assert is_foreign(lay_out, code, body)


@pytest.mark.parametrize(("code", "body"), OWN.values(), ids=OWN)
def test_what_the_project_hides_itself(lay_out: LayOut, code: str, body: str) -> None:
    assert not is_foreign(lay_out, code, body)


def test_modules_that_are_handed_on_hand_on_their_classes(lay_out: LayOut) -> None:
    root = lay_out(
        {
            "net.py": START,
            "use.py": "import net\nimport torch\nnet.W(net.A())\n",
            "look.py": "import net\nimport torch\nmade = getattr(net, 'W')\n",
        }
    )
    for names, expected in ((["net.py", "use.py"], True), (["net.py", "use.py", "look.py"], False)):
        index = build_index(root, names)
        (w,) = (cls for cls in index.module_classes if cls.cls.name == "W")
        assert bool(Callers(index, {}).given(w)) is expected
