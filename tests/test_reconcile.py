"""Code that is rewritten already, and specs that change; see also the fixtures of that name."""

import re
from pathlib import Path

import pytest
from conftest import LayOut, Run, lock_of_all

from pyroify.code.arrange import arranged, kept_within
from pyroify.code.names import FileNames
from pyroify.code.read import read
from pyroify.code.statements import Block, Statement
from pyroify.lock import LOCK_NAME
from pyroify.pipeline import rewrite_project
from pyroify.spec.load import parse_spec
from pyroify.syntax.facts import File

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "reconcile.md"
NORMAL = "PyroSample(dist.Normal(0.0, 1.0).expand([n, 3]).to_event(2))"


def block(*sources: str) -> Block:
    dotted = FileNames(File("net.py", "net")).dotted
    return tuple(read(source, dotted) for source in sources)


def said(words: str) -> Statement:
    return block(f"self.w = {words}")[0]


@pytest.mark.parametrize(
    "words",
    [
        "PyroSample(dist.Normal(0, 1).expand([n, 3]).to_event(2))",
        "PyroSample(prior=dist.Normal(0., 1.).expand((n, 3)).to_event(2))",
        "PyroSample(dist.Normal(scale=1, loc=0).expand(torch.Size([n, 3])).to_event())",
        "PyroSample(dist.Normal(0, scale=1.0).expand([n, 3]).to_event())",
        "PyroSample(dist.Normal(0, 1).expand(n, 3).to_event())",
    ],
)
def test_one_prior_in_many_words(words: str) -> None:
    assert said(words) == said(NORMAL)


@pytest.mark.parametrize(
    "other",
    [
        "PyroSample(dist.Normal(0, 2).expand([n, 3]).to_event(2))",
        "PyroSample(dist.Normal(0, 1).expand([n, 3]).to_event(1))",
        "PyroSample(dist.Normal(0, 1).expand([3, n]).to_event(2))",
        "PyroSample(dist.Normal(1, 0).expand([n, 3]).to_event(2))",
        "PyroSample(dist.Laplace(0, 1).expand([n, 3]).to_event(2))",
        "PyroParam(dist.Normal(0, 1).expand([n, 3]).to_event(2))",
        "PyroSample(lambda self: dist.Normal(0, 1).expand([n, 3]).to_event(2))",
        "PyroSample(dist.Normal(*given).expand([n, 3]).to_event(2))",
    ],
)
def test_other_priors_differ(other: str) -> None:
    assert said(other) != said(NORMAL)


@pytest.mark.parametrize(
    "words",
    [
        "PyroParam(torch.ones(3), constraints.positive)",
        "PyroParam(init_value=torch.ones(3), constraint=constraints.positive)",
    ],
)
def test_one_constrained_parameter_in_many_words(words: str) -> None:
    assert said(words) == said("PyroParam(torch.ones(3), constraint=constraints.positive)")
    assert said(words) != said("PyroParam(torch.ones(3))")


def test_a_parameter_is_real_unless_something_else_is_said() -> None:
    assert said("PyroParam(x, constraint=constraints.real)") == said("PyroParam(x)")


def test_negative_numbers_and_counts_keep_their_sign_and_kind() -> None:
    assert said("PyroSample(dist.Normal(-1, 1))") == said("PyroSample(dist.Normal(-1.0, 1.0))")
    assert said("PyroSample(x.expand([2]))") != said("PyroSample(x.expand([2.0]))")


def test_the_order_of_what_is_there_is_kept() -> None:
    there = block("self.b = PyroSample(x)", "self.a = PyroSample(x)")
    wanted = block("self.a = PyroSample(y)", "self.c = PyroSample(y)", "self.b = PyroSample(y)")
    assert arranged(wanted, there) == (wanted[2], wanted[0], wanted[1])


def test_what_is_the_users_stays_where_it_stands() -> None:
    first, ours, last = block("self.a = PyroSample(x)", "self.b = PyroSample(x)", "follow(self)")
    other, more = block("self.a = PyroSample(y)", "self.c = PyroSample(y)")
    assert kept_within([ours, more], [first, ours], {first}) == (first, ours, more)
    assert kept_within([ours, more], [ours, first], {first}) == (ours, first, more)
    assert kept_within([other, ours], [first, ours], {first}) == (other, ours)
    assert kept_within([ours], [first, ours, last], {last}) == (ours, last)
    both = {first, last}
    assert kept_within([ours, more], [more, first, last], both) == (ours, more, first, last)
    assert kept_within([ours], [first, ours], set()) == (ours,)


def test_loops_keep_their_place() -> None:
    there = block("self.b = PyroSample(x)", "to_pyro_module_(self)")
    wanted = block("to_pyro_module_(self)", "self.b = PyroSample(x)")
    assert arranged(wanted, there) == tuple(wanted)


# What each action of a spec does to each form of declaration that is there already

HEAD = """\
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch import nn


class Net(PyroModule):
    def __init__(self, n):
        super().__init__()
"""
PRIOR = "PyroSample(dist.Normal(0.0, 1.0).expand([3]).to_event(1))"
FIRST = "self.w = nn.Parameter(torch.ones(3)); nn.init.ones_(self.w)"
LAYER = "self.w = PyroModule[nn.PReLU](3)"
LAYERS = "self.w = PyroModule[nn.ModuleList]([PyroModule[nn.PReLU](3) for _ in range(n)])"
FORMS = {
    "sample": [f"self.w = {PRIOR}"],
    "param": ["self.w = PyroParam(torch.ones(3), constraint=constraints.positive)"],
    "param of exp": ["self.w = PyroParam(torch.ones(3).exp(), constraint=constraints.positive)"],
    "param of softplus": [
        "self.w = PyroParam(nn.functional.softplus(torch.ones(3)), constraint=constraints.positive)"
    ],
    "not centred": [
        f"self.w_noise = {PRIOR}",
        "self.w = PyroSample(lambda self: self.w_noise * 2)",
    ],
    "sample at end": [FIRST, f"self.w = {PRIOR}"],
    "param at end": [FIRST, "self.w = PyroParam(self.w.detach(), constraint=constraints.positive)"],
    "layer sample": [LAYER, f"self.w.weight = {PRIOR}"],
    "layer param": [
        LAYER,
        "self.w.weight = PyroParam(self.w.weight.detach(), constraint=constraints.positive)",
    ],
    "layer not centred": [
        LAYER,
        f"self.w.weight_noise = {PRIOR}",
        "self.w.weight = PyroSample(lambda self: self.weight_noise * 2)",
    ],
    "layer in between": [LAYER, f"self.w.weight = {PRIOR}", "self.n = n"],
    "method": [f"self.n = n\n\n    @PyroSample\n    def w(self):\n        return {PRIOR[11:-1]}"],
    "layers": [LAYERS, "for layer in self.w:", f"    layer.weight = {PRIOR}"],
}
ACTIONS = {
    "same": "sample: Normal(0, 1)",
    "other": "sample: Normal(0, 3)",
    "noise": "sample: Normal(0, 2)\n    centered: false",
    "param": "param: positive",
    "exp": "param: positive\n    init: exp",
    "one": "param: positive\n    init: 1",
    "keep": "keep: true",
}
OUTCOMES = """
                     same   other  noise  param  exp    one    keep   none
sample               .      new    new    PYR060 PYR060 new    PYR060 PYR067
param                new    new    new    .      new    .      PYR060 PYR067
param of exp         new    new    new    PYR060 .      new    PYR060 PYR067
param of softplus    new    new    new    PYR060 new    new    PYR060 PYR067
not centred          left   left   .      PYR060 PYR060 left   PYR060 PYR067
sample at end        .      new    new    new    new    new    gone   PYR067
param at end         new    new    new    .      new    new    gone   PYR067
layer sample         .      new    new    new    new    new    gone   PYR067
layer param          new    new    new    .      new    new    gone   PYR067
layer not centred    new    new    .      new    new    new    gone   PYR067
layer in between     .      new    new    new    new    new    PYR060 PYR067
method               .      PYR060 PYR060 PYR060 PYR060 PYR060 PYR060 PYR067
layers               .      new    new    new    new    new    gone   PYR067
"""
"""``.``: nothing to do; ``new``: declared anew; ``gone``: a plain parameter again, as the original
is still there; ``left``: declared anew, and the noise that is left is reported; a code: stays as it
is, which is reported."""
CELLS = [
    (row[:20].strip(), action, outcome)
    for row in OUTCOMES.strip("\n").splitlines()[1:]
    for action, outcome in zip((*ACTIONS, "none"), row[20:].split(), strict=True)
]


@pytest.mark.parametrize(("form", "action", "outcome"), CELLS)
def test_what_becomes_of_a_declaration(
    tmp_path: Path, form: str, action: str, outcome: str
) -> None:
    body = "".join(f"        {line}\n" for line in FORMS[form])
    source = f"{HEAD}{body}\n    def forward(self, x):\n        return x\n"
    (tmp_path / "net.py").write_text(source)
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    after, codes = reconciled(tmp_path, action)
    declared = re.search(r"(= |@)Pyro(Sample|Param)\b", after) is not None
    expected = {
        ".": (after == source, set(), True),
        "new": (after != source, set(), True),
        "gone": (after != source, set(), False),
        "left": (after != source, {"PYR067"}, True),
    }.get(outcome, (after == source, {outcome}, True))
    assert (True, codes, declared) == expected
    (tmp_path / "net.py").write_text(after)
    assert reconciled(tmp_path, action)[0] == after


def reconciled(root: Path, action: str) -> tuple[str, set[str]]:
    """The file under a spec with one action, and the codes of what is said about it."""
    (root / LOCK_NAME).write_bytes(lock_of_all(root, ["net.py"]))
    rules = f'  - match: "Net.w.**"\n    {ACTIONS[action]}\n' if action in ACTIONS else ""
    spec = parse_spec(f"version: 1\npriors:\n{rules}", "pyroify.yaml")
    outcome = rewrite_project(root, ["net.py"], spec)
    after = [change.after for change in outcome.changes]
    text = after[0].decode() if after and after[0] else (root / "net.py").read_text()
    return text, {finding.code for finding in outcome.findings}


def test_the_page_shows_what_happens(lay_out: LayOut, run: Run) -> None:
    source, spec, diff = (
        re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]  # type: ignore[index]
        for kind in ("python", "yaml", "diff")
    )
    root = lay_out({"net.py": source, "pyroify.yaml": spec})
    (root / LOCK_NAME).write_bytes(lock_of_all(root, ["net.py"]))
    shown = run("rewrite", "--diff")
    # The page has no blanks at line ends.
    assert re.sub(r"(?m)^ $", "", shown.out) == diff
    assert run("rewrite").code == 0
    assert run("rewrite", "--check").code == 0


def test_what_stays_is_reported_with_the_command_that_restores_it(
    lay_out: LayOut, run: Run
) -> None:
    source = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]  # type: ignore[index]
    spec = "version: 1\npriors:\n  - {match: Net.gain, keep: true}\n"
    root = lay_out({"net.py": source, "pyroify.yaml": spec})
    (root / LOCK_NAME).write_bytes(lock_of_all(root, ["net.py"]))
    ended = run("rewrite")
    assert (root / "net.py").read_text() == source
    assert ended.code == 1
    assert (
        "net.py:11:9 PYR060 self.gain is declared already, but rule 1 (Net.gain) keeps it\n"
        "    help: restore the original: git checkout -- net.py\n"
    ) in ended.out
    assert (
        "net.py:14:9 PYR067 self.fc.weight is declared already, "
        "but no rule of the spec is about it\n"
        "    help: add a rule for it, or restore the original: git checkout -- net.py\n"
    ) in ended.out
