"""What the plan says of each parameter, and of each class, beside what is written.

A row is a file's classes, and the sites of the last one: place, name and what becomes of it.
"""

from __future__ import annotations

from textwrap import dedent

from conftest import LayOut
from test_interpret import table

from pyroify.decide.model import ClassPlan
from pyroify.pipeline import make_plan
from pyroify.spec.load import parse_spec

ALL = "version: 1\npriors:\n  - {match: '**', sample: 'Normal(0, 1)'}\n"
HEAD = """\
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule, PyroSample
from torch import nn
"""
LINES = HEAD.count("\n")


def planned(lay_out: LayOut, text: str) -> tuple[ClassPlan, ...]:
    root = lay_out({"net.py": HEAD + dedent(text)})
    return make_plan(root, ["net.py"], parse_spec(ALL, "pyroify.yaml"), ["net.py"]).classes


SITES = {
    "a layer stands where it is made": (
        """\
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3, bias=False)
        """,
        "4:9 fc.weight sample",
    ),
    "a prior that a method gives stands where that does": (
        """\
        class Net(PyroModule):
            @PyroSample
            def weight(self):
                return dist.Normal(0.0, 1.0)
        """,
        "3:5 weight sample",
    ),
    "what is put out of reach is all below it, wherever that is": (
        """\
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                stem = Block()
                stem.extra = nn.Sequential(nn.Linear(3, 3))
                self.stem = stem
        """,
        "10:9 stem.extra.** keep",
    ),
}


@table(SITES)
def test_where_a_site_is(row: tuple[str, str], lay_out: LayOut) -> None:
    text, expected = row
    *_, net = planned(lay_out, text)
    sites = [f"{site.line - LINES}:{site.column} {site.path} {site.action}" for site in net.sites]
    assert "; ".join(sites) == expected


def test_no_rule_decides_what_a_finding_keeps_plain(lay_out: LayOut) -> None:
    text = """\
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)

            def reset(self):
                self.fc.weight = nn.Parameter(torch.zeros(3, 3))
        """
    (net,) = planned(lay_out, text)
    decided = {site.path: site.rule and site.rule.index for site in net.sites}
    assert decided == {"fc.weight": None, "fc.bias": 0}


def test_a_finding_names_its_class(lay_out: LayOut) -> None:
    """So that one of another class, with the same words, is another one for a baseline."""
    text = """\
        class Kept(nn.Module):
            def __init__(self):
                super().__init__()
                self.parts = [nn.Linear(3, 3)]

        class One(Kept):
            def __init__(self):
                super().__init__()
                self.one = nn.Linear(3, 3)

        class Two(Kept):
            def __init__(self):
                super().__init__()
                self.two = nn.Linear(3, 3)
        """
    kept, *others = (plan.findings for plan in planned(lay_out, text))
    (first,), (second,) = others
    assert [finding.subject for finding in kept] == ["net:Kept"]
    assert (first.subject, second.subject) == ("net:One", "net:Two")
    assert first.message == second.message == "its base Kept is not converted"
    assert first.identity != second.identity
