"""What an expression or a statement makes, before anything of another file is looked at.

Each row is source within ``def method(self, d, given, *more, **named)`` of a class ``Net``, and
what it makes in the words of ``shown``.
"""

from __future__ import annotations

from textwrap import dedent, indent
from typing import Any

import pytest

from pyroify.program.index import Function
from pyroify.program.summary import Assignment
from pyroify.syntax.extract import extract
from pyroify.syntax.values import (
    NOTHING,
    Argument,
    Call,
    Closure,
    Computed,
    Constant,
    Declared,
    Element,
    Items,
    Many,
    MethodCall,
    Name,
    OneOf,
    Parameter,
    Passed,
    SelfRead,
    Unknown,
    Value,
)

HEAD = """\
import collections, functools, itertools, operator, typing
import numpy as np
import torch
import pyro.distributions as dist
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch import nn

class Net(nn.Module):
    def method(self, d, given, *more, **named):
"""


def shown(value: Value) -> str:
    """A value in words as short as they are plain: ``@d`` is an argument, ``*x`` any number."""
    match value:
        case Constant(text=text):
            return text
        case Name(dotted=dotted):
            return dotted
        case Argument(name=name):
            return f"@{name}"
        case SelfRead(path=path):
            return ".".join(("self", *path))
        case Computed(text=text):
            return f"number({text})"
        case Unknown(owner=None, parts=parts):
            return f"unknown({', '.join(map(shown, parts))})"
        case Unknown(owner=owner, path=path):
            assert owner is not None
            return f"({shown(owner)}).{'.'.join(path)}"
        case Element(of=of, index=index):
            return f"{shown(of)}[{'?' if index is None else repr(index)}]"
        case Closure(arguments=arguments, body=body):
            return f"lambda {' '.join(arguments)}: {shown(body)}"
        case OneOf(options=options):
            return f"<{' | '.join(map(shown, options))}>"
        case Many(item=item):
            return f"*{shown(item)}"
        case Items(items=items, keys=()):
            return f"[{', '.join(map(shown, items))}]"
        case Items(items=items, keys=keys):
            pairs = zip(keys, items, strict=True)
            return f"{{{', '.join(f'{key}: {shown(item)}' for key, item in pairs)}}}"
        case Call(callee=callee, args=args, wrapped=wrapped):
            return f"{'wrapped ' * wrapped}{shown(callee)}({', '.join(map(passed, args))})"
        case MethodCall(name=name, call=call):
            return f"method {name}({', '.join(map(passed, call.args))})"
        case Parameter(initial=initial, shape=shape, frozen=frozen):
            sizes = "?" if shape is None else " ".join(shape)
            return f"parameter({initial})[{sizes}]{FROZEN[frozen]}"
        case Declared(action=action, shape=shape):
            return f"{action}[{'?' if shape is None else ' '.join(shape)}]"


FROZEN = {True: " frozen", None: " frozen?", False: ""}


def passed(argument: Passed) -> str:
    keyword = f"{argument.keyword}=" if argument.keyword else argument.star
    return f"{keyword}{shown(argument.value)}"


def read(body: str) -> Function:
    """The facts of a method with this body."""
    source = HEAD + indent(dedent(body).strip(), " " * 8) + "\n"
    (net,) = extract(source, "net.py", "net").classes
    return net.methods[0]


def table(rows: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows.values(), ids=rows.keys())


EXPRESSIONS = {
    "a number is itself": ("3", "3"),
    "a text is itself": ("'a'", "'a'"),
    "an imported name is what it was imported from": ("nn.Linear", "torch.nn.Linear"),
    "a name of the file belongs to its module": ("Net", "net.Net"),
    "a name that nobody defines stays as it is": ("len", "len"),
    "an argument": ("d", "@d"),
    "all further arguments": ("more", "@more"),
    "all named arguments": ("named", "@named"),
    "an attribute of self is read": ("self.block.fc", "self.block.fc"),
    "what the class has, self has": ("type(self).LAYER", "self.LAYER"),
    "by another spelling": ("self.__class__.LAYER", "self.LAYER"),
    "the class of something else is not self's": (
        "type(given).LAYER",
        "(type(@given)).LAYER",
    ),
    "an attribute of an argument": ("given.a.b", "(@given).a.b"),
    "either arm of a conditional": ("1 if d else nn.ReLU", "<1 | torch.nn.ReLU>"),
    "arms that are the same are one": ("d if d else d", "@d"),
    "choices within choices are flat": ("1 if d else 2 if given else 3", "<1 | 2 | 3>"),
    "either side of or": ("given or None", "<@given | None>"),
    "either side of and": ("given and 3", "<@given | 3>"),
    "a comparison is a number": ("d > 3", "number(d > 3)"),
    "a negation is a number": ("not d", "number(not d)"),
    "a text with holes is a number": ("f'{d}'", "number(f'{d}')"),
    "a difference is a number": ("given - d", "number(given - d)"),
    "a sum may be a list": ("given + d", "unknown(@given, @d)"),
    "a sum with a number is one": ("given + 1", "number(given + 1)"),
    "lists add up": ("[d] + [given]", "[@d, @given]"),
    "a list times a number": ("[d] * 3", "[*@d]"),
    "from the other side": ("3 * [d]", "[*@d]"),
    "what a call gives may be repeated": ("nn.ReLU() * d", "unknown(torch.nn.ReLU(), @d)"),
    "a product of arguments is not known": ("d * given", "unknown(@d, @given)"),
    "a tuple is a list": ("(d, given)", "[@d, @given]"),
    "a set is a list": ("{d, given}", "[@d, @given]"),
    "what a star gives is spread": ("[*[d, 1], 2]", "[@d, 1, 2]"),
    "what a star gives of something unknown is any number": ("[*given]", "[*@given[?]]"),
    "a dict keeps the source of its keys": ("{'a': d, d: 1}", "{'a': @d, d: 1}"),
    "a key that comes again has its last value": ("{'a': 1, 'a': 2}", "{'a': 2}"),
    "a dict in a dict": ("{'b': 0, **{'a': d}}", "{'b': 0, 'a': @d}"),
    "a dict in a dict that nobody knows": ("{'a': 1, **given}", "{'a': 1, *: *@given[?]}"),
    "dicts are merged": ("{'a': 1} | {'a': 2, 'b': 3}", "{'a': 2, 'b': 3}"),
    "a comprehension makes any number": ("[nn.ReLU() for _ in given]", "[*torch.nn.ReLU()]"),
    "of what it goes over": ("[x for x in [d, 1]]", "[*<@d | 1>]"),
    "of pairs that it takes apart": ("[x for _, x in [(1, d)]]", "[*@d]"),
    "a comprehension of a dict": ("{k: d for k in given}", "{*: *@d}"),
    "a lambda": ("lambda x: (x, d)", "lambda x: [@x, @d]"),
    "arguments of a lambda are its own": ("lambda d: d", "lambda d: @d"),
    "a name that is given on the way": ("[x := d, x]", "[@d, @d]"),
    "an item by its position": ("[d, given][1]", "@given"),
    "not by one from the end": ("[d, given][-1]", "<@d | @given>"),
    "an item by its key": ("{'a': d, 'b': 1}['a']", "@d"),
    "some item": ("[d, 1][given]", "<@d | 1>"),
    "an item behind any number of them": (
        "[*given, d][1]",
        "[*@given[?], @d][1]",
    ),
    "an item of an argument": ("given['a']", "@given['a']"),
    "a slice of a list": ("[d, 1][1:]", "[*@d, *1]"),
    "a slice of anything else": ("given[1:]", "unknown(@given)"),
    "a letter of a text": ("'ab'[0]", "number('ab'[0])"),
    "nothing in an empty list": ("[][0]", "unknown()"),
}


@table(EXPRESSIONS)
def test_what_an_expression_is(row: tuple[str, str]) -> None:
    source, expected = row
    assert list(map(shown, read(f"return {source}").returns)) == [expected]


CALLS = {
    "a layer": ("nn.Linear(d, 3)", "torch.nn.Linear(@d, 3)"),
    "by keyword": ("nn.Linear(d, bias=False)", "torch.nn.Linear(@d, bias=False)"),
    "with arguments handed on": (
        "nn.Linear(*more, **named)",
        "torch.nn.Linear(*@more, **@named)",
    ),
    "a layer that is a PyroModule already": (
        "PyroModule[nn.Linear](d, 3)",
        "wrapped torch.nn.Linear(@d, 3)",
    ),
    "a method of self": ("self.build(d)", "method build(@d)"),
    "a method of a part of self is a call": ("self.fc.build(d)", "self.fc.build(@d)"),
    "a method of the base": ("super().build(d)", "method build(@d)"),
    "by another spelling": ("super(Net, self).build(d)", "method build(@d)"),
    "a method of an argument": ("given.build(d)", "(@given).build(@d)"),
    "what a call gives, called": ("given(d)(3)", "@given(@d)(3)"),
    "a list of a list is that": ("list([d, 1])", "[@d, 1]"),
    "a list of something unknown is a call": ("list(given)", "list(@given)"),
    "the other way round": ("reversed([d, 1])", "[1, @d]"),
    "sorted, in any order": ("sorted([d, 1])", "[*@d, *1]"),
    "a list of a dict is of its keys": ("list({'a': d})", "[]"),
    "an empty dict": ("dict()", "[]"),
    "a dict of pairs": ("dict([('a', d), ('b', 1)])", "{'a': @d, 'b': 1}"),
    "a dict of keywords": ("dict(a=d, b=1)", "{'a': @d, 'b': 1}"),
    "a dict of both": ("dict({'a': 1}, a=d)", "{'a': @d}"),
    "a dict of pairs in a comprehension": (
        "dict((k, d) for k in given)",
        "{*: *@d}",
    ),
    "an ordered dict": ("collections.OrderedDict([('a', d)])", "{'a': @d}"),
    "filter keeps any number": ("filter(None, [d, 1])", "[*@d, *1]"),
    "map calls what it is given": (
        "map(nn.Linear, [d], [3])",
        "[*torch.nn.Linear(@d, 3)]",
    ),
    "starmap with what the pairs hold": (
        "itertools.starmap(nn.Linear, [(d, 3)])",
        "[*torch.nn.Linear(<@d | 3>)]",
    ),
    "zip makes tuples": ("zip([d], [1, 2])", "[[@d, 1]]"),
    "of any number where that is not seen": ("zip([d], given)", "[*[@d, @given[?]]]"),
    "enumerate counts": ("enumerate([d])", "[*[number(index), @d]]"),
    "lists are chained": ("itertools.chain([d], given)", "[@d, *@given[?]]"),
    "lists of a list are chained": ("itertools.chain.from_iterable([[d], [1]])", "[@d, 1]"),
    "lists of something unknown": (
        "itertools.chain.from_iterable(given)",
        "[*@given[?][?]]",
    ),
    "next gives some item": ("next(iter([d, 1]))", "<@d | 1>"),
    "or what it is told otherwise": ("next(given, None)", "<@given[?] | None>"),
    "a cast is what is cast": ("typing.cast(nn.Module, d)", "@d"),
    "an operator calls": ("operator.call(nn.Linear, d)", "torch.nn.Linear(@d)"),
    "get of a dict": ("{'a': d}.get('a')", "@d"),
    "or else": ("{'a': d}.get(given, 3)", "<@d | 3>"),
    "values of a dict": ("{'a': d}.values()", "[@d]"),
    "items of a dict": ("{'a': d, given: 1}.items()", "[['a', @d], [number(index), 1]]"),
    "keys of a dict": ("{'a': d}.keys()", "number({'a': d}.keys)"),
    "a copy of a list": ("[d].copy()", "[@d]"),
    "an initialiser of nothing": ("nn.init.zeros_()", "torch.nn.init.zeros_()"),
    "an initialiser of a tensor": ("nn.init.zeros_(d)", "torch.nn.init.zeros_(@d)"),
}


@table(CALLS)
def test_what_a_call_makes(row: tuple[str, str]) -> None:
    source, expected = row
    assert list(map(shown, read(f"return {source}").returns)) == [expected]


PARAMETERS = {
    "of sizes one by one": ("torch.zeros(d, 3)", "d 3"),
    "of a tuple of sizes": ("torch.zeros((d, 3))", "d 3"),
    "of sizes by keyword": ("torch.empty(size=(d, 3))", "d 3"),
    "of one size": ("torch.ones(3)", "3"),
    "of one size with a name": ("torch.ones(hidden_size)", "hidden_size"),
    "of one size of self": ("torch.ones(self.dim)", "self.dim"),
    "not of a name that may be of several": ("torch.ones(size)", "?"),
    "nor of several of self": ("torch.ones(self._shape)", "?"),
    "of one size that is computed": ("torch.ones(d * 2)", "d * 2"),
    "not of one that is a tuple": ("torch.ones((d,) + given)", "?"),
    "of one size that is counted": ("torch.ones(len(given))", "len(given)"),
    "not of what any function gives": ("torch.ones(given())", "?"),
    "not of sizes behind a star": ("torch.zeros(*given)", "?"),
    "nor of a star in a tuple": ("torch.zeros((d, *given))", "?"),
    "filled with a number": ("torch.full((d, 3), 0.5)", "d 3"),
    "filled, with one size": ("torch.full(d, 0.5)", "?"),
    "of an old constructor": ("torch.Tensor(d, 3)", "d 3"),
    "not of an old one that holds numbers": ("torch.Tensor([3, 4])", "?"),
    "of one number": ("torch.tensor(0.5)", ""),
    "of a negative number": ("torch.tensor(-0.5)", ""),
    "of numbers": ("torch.tensor([1.0, 2.0])", "2"),
    "not of names": ("torch.tensor([d, 2.0])", "?"),
    "the unit matrix": ("torch.eye(d)", "d d"),
    "the unit matrix with two sizes": ("torch.eye(d, 3)", "d 3"),
    "drawn": ("torch.normal(0, 1, (d, 3))", "d 3"),
    "in even steps": ("torch.linspace(0, 1, 5)", "5"),
    "times a number": ("torch.zeros(d, 3) * 0.1", "d 3"),
    "times what has a name": ("scale * torch.zeros(d, 3)", "d 3"),
    "not of one element times what has a name": ("torch.zeros(1) * scale", "?"),
    "but of one times a number": ("torch.zeros(1) * 2", "1"),
    "divided by a root": ("torch.randn(d, 3) / math.sqrt(d)", "d 3"),
    "not as a factor of a matrix product": ("torch.randn(d, 3) @ given", "?"),
    "with its sign changed": ("-torch.ones(d)", "d"),
    "not times another tensor": ("torch.zeros(d, 3) * torch.ones(3)", "?"),
    "drawn in place": ("torch.empty(d, 3).normal_(0, 0.1)", "d 3"),
    "after a function of each element": ("torch.rand(d, 3).log()", "d 3"),
    "after a function of all": ("torch.rand(d, 3).sum(0)", "?"),
    "of another kind of number": ("torch.zeros(d).double()", "d"),
    "of nothing": ("", "?"),
}


@table(PARAMETERS)
def test_the_shape_of_a_parameter(row: tuple[str, str]) -> None:
    source, expected = row
    (found,) = read(f"return nn.Parameter({source})").returns
    assert shown(found) == f"parameter({source})[{expected}]"


KINDS = {
    "plain": ("nn.Parameter(torch.zeros(3))", "parameter(torch.zeros(3))[3]"),
    "frozen by keyword": (
        "nn.Parameter(torch.zeros(3), requires_grad=False)",
        "parameter(torch.zeros(3))[3] frozen",
    ),
    "frozen by place": (
        "nn.Parameter(torch.zeros(3), False)",
        "parameter(torch.zeros(3))[3] frozen",
    ),
    "not frozen": (
        "nn.Parameter(torch.zeros(3), requires_grad=True)",
        "parameter(torch.zeros(3))[3]",
    ),
    "frozen as an argument says": (
        "nn.Parameter(torch.zeros(3), requires_grad=d)",
        "parameter(torch.zeros(3))[3] frozen?",
    ),
    "frozen afterwards": (
        "nn.Parameter(torch.zeros(3)).requires_grad_(False)",
        "parameter(torch.zeros(3))[3] frozen",
    ),
    "thawed afterwards": (
        "nn.Parameter(torch.zeros(3), False).requires_grad_()",
        "parameter(torch.zeros(3))[3]",
    ),
    "as an argument says afterwards": (
        "nn.Parameter(torch.zeros(3)).requires_grad_(d)",
        "parameter(torch.zeros(3))[3] frozen?",
    ),
    "moved to another place": (
        "nn.Parameter(torch.zeros(3)).cuda()",
        "parameter(torch.zeros(3))[3]",
    ),
    "what is computed of one is none": (
        "nn.Parameter(torch.zeros(3)).exp()",
        "(parameter(torch.zeros(3))[3]).exp()",
    ),
    "one that an initialiser gives back": (
        "nn.init.zeros_(nn.Parameter(torch.empty(3)))",
        "parameter(torch.empty(3))[3]",
    ),
    "its data by keyword": (
        "nn.Parameter(data=torch.zeros(3))",
        "parameter(torch.zeros(3))[3]",
    ),
    "one without a shape yet": ("nn.UninitializedParameter()", "parameter()[?]"),
    "a prior of some shape": (
        "PyroSample(dist.Normal(0, 1).expand([d, 3]).to_event(2))",
        "sample[d 3]",
    ),
    "a prior of one number": ("PyroSample(dist.Normal(0, 1))", "sample[]"),
    "a prior of as many as its mean": ("PyroSample(dist.Normal(torch.zeros(3), 1))", "sample[3]"),
    "a prior that a lambda gives": (
        "PyroSample(lambda self: dist.Normal(0, 1).expand([3]))",
        "sample[3]",
    ),
    "a prior of an argument": ("PyroSample(given)", "sample[?]"),
    "a prior over vectors": ("PyroSample(dist.Dirichlet(torch.ones(3)))", "sample[3]"),
    "several of them": ("PyroSample(dist.Dirichlet(torch.ones(3)).expand([d]))", "sample[d 3]"),
    "a constrained parameter": ("PyroParam(torch.ones(d))", "param[d]"),
    "one by keyword": ("PyroParam(init_value=torch.ones(3))", "param[3]"),
}


@table(KINDS)
def test_parameters_and_declarations(row: tuple[str, str]) -> None:
    source, expected = row
    assert list(map(shown, read(f"return {source}").returns)) == [expected]


LOCALS = {
    "the last value holds": ("x = 1\nx = d", "@d"),
    "several names at once": ("x = y = d", "@d"),
    "a part of a tuple": ("y, x = 1, d", "@d"),
    "a part of something unknown": ("y, x = given", "@given[1]"),
    "what a star takes": ("y, *x = [1, d]", "[*<1 | @d>]"),
    "behind a star, anything": ("*y, x = [1, d]", "<1 | @d>"),
    "a name with an annotation": ("x: int = 3", "3"),
    "a list is appended to": ("x = []\nx.append(d)", "[@d]"),
    "under another name as well": ("x = []\ny = x\ny.append(d)", "[@d]"),
    "any number of times in a loop": ("x = []\nfor i in given:\n    x.append(d)", "[*@d]"),
    "maybe, in a branch": ("x = [1]\nif d:\n    x.append(d)", "[1, *@d]"),
    "once, in a list made in the loop": (
        "for i in given:\n    x = []\n    x.append(d)",
        "[@d]",
    ),
    "surely, in a with": ("x = []\nwith given:\n    x.append(d)", "[@d]"),
    "extended by a list": ("x = [1]\nx.extend([d, 2])", "[1, @d, 2]"),
    "extended by something unknown": ("x = [1]\nx.extend(given)", "[1, *@given[?]]"),
    "added to": ("x = [1]\nx += [d]", "[1, @d]"),
    "inserted into, anywhere": ("x = [1]\nx.insert(0, d)", "[*1, *@d]"),
    "set at some place": ("x = [1, 2]\nx[0] = d", "[*1, *2, *@d]"),
    "taken out of": ("x = [1, d]\nx.pop()", "[*1, *@d]"),
    "deleted from": ("x = [1, d]\ndel x[0]", "[*1, *@d]"),
    "sorted in place": ("x = [1, d]\nx.sort()", "[*1, *@d]"),
    "read only, it stays": ("x = [1, d]\nx.count(1)", "[1, @d]"),
    "a dict gets a key": ("x = {}\nx['a'] = d", "{'a': @d}"),
    "a key anew": ("x = {'a': 1}\nx['a'] = d", "{'a': @d}"),
    "maybe a key anew": ("x = {'a': 1}\nif d:\n    x['a'] = d", "{'a': <1 | @d>}"),
    "either branch": ("if d:\n    x = 1\nelse:\n    x = 2", "<1 | 2>"),
    "or what it was before": ("x = 1\nif d:\n    x = 2", "<2 | 1>"),
    "set in one branch only": ("if d:\n    x = 1", "1"),
    "where it is not None, and None": (
        "x = d\nif x is not None:\n    x = given",
        "<@given | None>",
    ),
    "where it is None, and what it was": ("x = d\nif x is None:\n    x = given", "<@given | @d>"),
    "it stays what it is, whatever else is done where it is None": (
        "x = d\nif x is None:\n    y = given",
        "@d",
    ),
    "without None, where it is not None": (
        "x = d if given else None\nif x is not None:\n    x = nn.Sequential(x)",
        "<torch.nn.Sequential(@d) | None>",
    ),
    "a dict that is updated": ("x = {'a': d}\nx.update({'b': given})", "{'a': @d, 'b': @given}"),
    "by keywords": ("x = {'a': d}\nx.update(a=given, b=1)", "{'a': @given, 'b': 1}"),
    "by what is not known": ("x = {'a': d}\nx.update(given)", "{'a': @d, *: *@given[?]}"),
    "maybe, by some": ("x = {'a': d}\nif d:\n    x.update(a=1)", "{'a': <@d | 1>}"),
    "a set that is updated": ("x = {1}\nx.update([d])", "[*1, *@d]"),
    "a loop variable is some item": ("for x in [1, d]:\n    pass", "<1 | @d>"),
    "of pairs, a part": ("for i, x in enumerate([d]):\n    pass", "@d"),
    "what a context gives is not known": ("with given as x:\n    pass", "unknown(@given)"),
    "a number that grows is not known": ("x = d\nx += 1", "unknown(@d, 1)"),
    "a function in the function": ("def x():\n    pass", "net.method.<locals>.x"),
    "a container is filled": (
        "x = nn.Sequential()\nx.append(d)",
        "torch.nn.Sequential([@d])",
    ),
    "by a name": (
        "x = nn.Sequential(d)\nx.add_module('a', given)",
        "torch.nn.Sequential(@d, *@given)",
    ),
    "any number of times": (
        "x = nn.ModuleList()\nfor i in given:\n    x.append(d)",
        "torch.nn.ModuleList([*@d])",
    ),
    "under keys": (
        "x = nn.ModuleDict()\nx['a'] = d",
        "torch.nn.ModuleDict({'a': @d})",
    ),
    "in either branch": (
        "x = nn.Sequential()\nif d:\n    x.append(d)\nelse:\n    x.append(given)",
        "torch.nn.Sequential([*@d], [*@given])",
    ),
    "a container that loses members is not known": (
        "x = nn.Sequential(d)\ndel x[0]",
        "unknown()",
    ),
    "one with a member replaced": (
        "x = nn.Sequential(d)\nx[0] = given",
        "torch.nn.Sequential(@d, [*@given])",
    ),
    "other modules are not containers": ("x = nn.Linear(d)\nx.append(d)", "torch.nn.Linear(@d)"),
}


@table(LOCALS)
def test_what_a_local_name_holds(row: tuple[str, str]) -> None:
    body, expected = row
    assert list(map(shown, read(f"{body}\nreturn x").returns)) == [expected]


def attached(item: Assignment) -> str:
    branches = "".join(f" [{kind} {arm}]" for kind, _, arm in item.branches)
    local = f" by {item.local}" if item.local else ""
    return f"{'.'.join(item.path)} {item.how} {shown(item.value)}{local}{branches}"


ATTACHED = {
    "an attribute": ("self.a = d", ["a assign @d by d"]),
    "with an annotation": ("self.a: int = 3", ["a assign 3"]),
    "only annotated, it is not there": ("self.a: int", []),
    "a part of a part": ("self.a.b = 3", ["a.b assign 3"]),
    "two at once": ("self.a = self.b = 3", ["a chain 3", "b chain 3"]),
    "several of a tuple": ("self.a, self.b = d, 3", ["a tuple @d by d", "b tuple 3"]),
    "several of something unknown": (
        "self.a, self.b = given",
        ["a tuple @given[0] by given", "b tuple @given[1] by given"],
    ),
    "the rest of it": ("self.a, *self.b = [1, 2]", ["a tuple 1", "b tuple [*<1 | 2>]"]),
    "a local value": ("x = 3\nself.a = x", ["a assign 3 by x"]),
    "under a branch": ("if d:\n    self.a = 1", ["a assign 1 [if 0]"]),
    "under its other arm": (
        "if d:\n    pass\nelse:\n    self.a = 1",
        ["a assign 1 [if 1]"],
    ),
    "under a case": (
        "match d:\n    case 1:\n        pass\n    case _:\n        self.a = 1",
        ["a assign 1 [if 1]"],
    ),
    "in a loop": ("for i in given:\n    self.a = i", ["a assign @given[?] by i [for 0]"]),
    "after a loop, in its else": (
        "for i in given:\n    pass\nelse:\n    self.a = 1",
        ["a assign 1"],
    ),
    "while": ("while d:\n    self.a = 1", ["a assign 1 [for 0]"]),
    "in a context": ("with given:\n    self.a = 1", ["a assign 1 [with 0]"]),
    "in a try, its handler and its end": (
        "try:\n    self.a = 1\nexcept ValueError:\n    self.b = 1\nelse:\n    self.c = 1\n"
        "finally:\n    self.d = 1",
        ["a assign 1 [try 0]", "b assign 1 [try 1]", "c assign 1 [try 0]", "d assign 1"],
    ),
    "deeper": (
        "if d:\n    for i in given:\n        self.a = 1",
        ["a assign 1 [if 0] [for 0]"],
    ),
    "registered": ("self.register_parameter('a', d)", ["a register @d by d"]),
    "registered by keyword": (
        "self.register_parameter(param=d, name='a')",
        ["a register @d by d"],
    ),
    "added as a module": ("self.add_module('a', d)", ["a register @d by d"]),
    "with a name that is computed": ("self.add_module(given, d)", ["* setattr @d by d"]),
    "set by its name": ("setattr(self, 'a', d)", ["a register @d by d"]),
    "set by a computed one": ("setattr(self, f'a{d}', 3)", ["* setattr 3"]),
    "set in a part": ("setattr(self.a, 'b', 3)", ["a.b register 3"]),
    "added to a part": ("self.a.add_module('b', d)", ["a.b register @d by d"]),
    "appended": ("self.a.append(d)", ["a append @d by d"]),
    "appended to itself": ("self.append(d)", [" append @d by d"]),
    "extended": ("self.a.extend([d])", ["a extend [@d]"]),
    "extended by addition": ("self.a += [d]", ["a extend [@d]"]),
    "updated": ("self.a.update({'b': d})", ["a extend {'b': @d}"]),
    "inserted": ("self.a.insert(0, d)", ["a insert @d by d"]),
    "appended to some item": ("self.a[0].append(d)", ["a.* append @d by d"]),
    "under a key": ("self.a['b'] = d", ["a setitem @d by d"]),
    "under a key of its own": ("self['b'] = d", ["b setitem @d by d"]),
    "under a computed key of its own": ("self[d] = 3", ["* setitem 3"]),
    "under a key of some item": ("self.a[0][1] = d", ["a.* setitem @d by d"]),
    "behind torch's back": ("self._parameters['a'] = d", ["* registry @d by d"]),
    "further behind": ("self.__dict__['_modules']['a'] = d", ["* registry @d by d"]),
    "read from all members by name": (
        "for name in ('u', 'v'):\n    self.register_parameter(name, getattr(self.fc, name))",
        ["u register self.fc.u [for 0]", "v register self.fc.v [for 0]"],
    ),
    "to something else than self": ("given.a = d", []),
    "in a function within": ("def f():\n    self.a = 1", []),
}


@table(ATTACHED)
def test_what_a_method_attaches(row: tuple[str, list[str]]) -> None:
    body, expected = row
    assert list(map(attached, read(body).assignments)) == expected


FACTS = {
    "a branch and its test": ("if d:\n    pass", {"conditions": ((10, "d"),)}),
    "the test of a name that changes says nothing later": (
        "d = d + 1\nif d:\n    pass",
        {"conditions": ()},
    ),
    "nor does one that calls something": ("if given():\n    pass", {"conditions": ()}),
    "both arms are under their test": (
        "if d:\n    pass\nelse:\n    pass\n    pass",
        {"guards": ((11, 11, "d"), (13, 14, "d"))},
    ),
    "where it returns": ("if d:\n    return 1\nreturn 2", {"return_lines": (11, 12)}),
    "what it yields": ("yield d\nyield", {"yields": (Argument("d"), NOTHING)}),
    "what it yields of others": (
        "yield from given",
        {"yields": (Element(Argument("given")),), "generator": True},
    ),
    "a parameter for something else": (
        "given.a = nn.Parameter(torch.zeros(3))",
        {"puts": ["given.a at 10"], "fills": frozenset({"given"})},
    ),
    "a module for an argument": ("given.a = nn.ReLU()", {"fills": frozenset({"given"})}),
    "by its name": (
        "setattr(given, 'a', nn.ReLU())",
        {"fills": frozenset({"given"}), "puts": ["given.a at 10"]},
    ),
    "a number fills nothing": ("given.a = 3", {"fills": frozenset()}),
    "nor does a tensor": ("given.a = torch.zeros(3)", {"fills": frozenset()}),
    "nor what is set far below": ("given.a.b = nn.ReLU()", {"fills": frozenset()}),
    "a parameter is taken away": ("given.bias = None", {"cleared": frozenset({"bias"})}),
    "by its registration": (
        "given.register_parameter('bias', None)",
        {"cleared": frozenset({"bias"})},
    ),
    "not from self, which is seen": ("self.bias = None", {"cleared": frozenset()}),
    "members of a container change": ("x = nn.Sequential(d)\ndel x[0]", {"reshapes": True}),
    "those of a list do as well, but it is seen": ("x = [d]\ndel x[0]", {"reshapes": False}),
    "its base is called": ("super().__init__()", {"super_calls": frozenset({"__init__"})}),
    "so it is by its name": (
        "nn.Module.__init__(self)",
        {"super_calls": frozenset(), "base_calls": (("torch.nn.Module", 10, 8),)},
    ),
    "its own methods": ("self.build(self.fc(d))", {"self_calls": frozenset({"build", "fc"})}),
    "not those of a part": ("self.fc.build()", {"self_calls": frozenset()}),
}


@table(FACTS)
def test_what_else_is_known_of_a_method(row: tuple[str, dict[str, Any]]) -> None:
    body, expected = row
    made = read(body)
    found = {name: getattr(made, name) for name in expected}
    if "puts" in found:
        found["puts"] = [f"{shown(p.owner).strip('@')}.{p.name} at {p.line}" for p in made.puts]
    assert found == expected


WRITES = {
    "an element": ("self.a[0] = d", ["a item"]),
    "the data": ("self.a.b.data = d", ["a.b data"]),
    "several at once": ("self.a[0], (self.b.data, d) = given", ["a item", "b data"]),
    "with an operator": ("self.a += d", ["a augmented"]),
    "into an element": ("self.a[0] += d", ["a augmented"]),
    "by a method": ("self.a.mul_(2)", ["a method"]),
    "not by one that gives another": ("self.a.mul(2)", []),
    "by an initialiser": ("nn.init.zeros_(self.a.weight)", ["a.weight init"]),
    "into a view": ("self.a.view(3).zero_()", ["a method"]),
    "into a part": ("self.a[0].weight.zero_()", ["a.*.weight method"]),
    "by a local name": ("w = self.a.weight\nw.zero_()", ["a.weight method"]),
    "a name that stands for something else by then": ("w = self.a\nw = d\nw.zero_()", []),
    "a name of two": (
        "w = self.a if d else self.b\nw.zero_()",
        ["a method", "b method"],
    ),
    "a name of one arm is unknown to the other": (
        "w = self.a\nif d:\n    w = self.b\nelse:\n    w.zero_()",
        ["a method"],
    ),
    "after two arms it is either": (
        "if d:\n    w = self.a\nelse:\n    w = self.b\nw.zero_()",
        ["a method", "b method"],
    ),
    "after one arm it is what it was, or that": (
        "w = self.a\nif d:\n    w = self.b\nw.zero_()",
        ["b method", "a method"],
    ),
    "after a match": (
        "match d:\n    case 1:\n        w = self.a\n    case 2:\n        w = self.b\nw.zero_()",
        ["a method", "b method"],
    ),
    "each of a container": ("for m in self.a:\n    m.weight.zero_()", ["a.*.weight method"]),
    "each of some": (
        "for m in (self.a, self.b):\n    m.weight.zero_()",
        ["a.weight method", "b.weight method"],
    ),
    "with its number": (
        "for i, m in enumerate(self.a):\n    m.zero_()",
        ["a.* method"],
    ),
    "side by side": (
        "for m, n in zip(self.a, given):\n    m.copy_(n)",
        ["a.* method"],
    ),
    "in a comprehension": ("[m.zero_() for m in self.a]", ["a.* method"]),
    "not in a function within": ("def f():\n    self.a.zero_()", []),
    "a case that is always met leaves nothing of what was before": (
        "w = self.c\nmatch d:\n    case 1:\n        w = self.a\n    case _:\n        w = self.b\n"
        "w.zero_()",
        ["a method", "b method"],
    ),
    "not always, with a guard": (
        "w = self.c\nmatch d:\n    case _ if given:\n        w = self.a\nw.zero_()",
        ["c method", "a method"],
    ),
    "into a slice": ("w = self.a[1:]\nw.zero_()", ["a.* method"]),
    "each of a list that has a name": (
        "layers = [self.a, self.b]\nfor m in layers:\n    m.weight.zero_()",
        ["a.weight method", "b.weight method"],
    ),
    "each value of a dict": ("for m in self.a.values():\n    m.zero_()", ["a.* method"]),
    "each value beside its key": ("for k, m in self.a.items():\n    m.zero_()", ["a.* method"]),
    "not a key": ("for k, m in self.a.items():\n    k.zero_()", []),
    "what getattr gives": ("getattr(self.a, 'b').zero_()", ["a.b method"]),
    "under any name": ("getattr(self, given).zero_()", ["* method"]),
    "what is attached afterwards": (
        "w = nn.Linear(d, d)\nnn.init.zeros_(w.bias)\nself.a = w",
        ["a.bias init"],
    ),
    "what is attached in a list": (
        "w = nn.Linear(d, d)\nw.bias.zero_()\nself.a = [d, w]",
        ["a.*.bias method"],
    ),
    "what is put in a container": (
        "w = nn.Linear(d, d)\nw.bias.data = d\nself.a['w'] = w",
        ["a.*.bias data", "a item"],
    ),
    "not what is never attached": ("w = nn.Linear(d, d)\nw.bias.zero_()", []),
    "an entry of a dict of its own": ("self.a = {'c': d}\nself.a['b'] = d", []),
}


@table(WRITES)
def test_where_a_method_writes(row: tuple[str, list[str]]) -> None:
    body, expected = row
    assert [f"{'.'.join(w.path)} {w.how}" for w in read(body).writes] == expected
