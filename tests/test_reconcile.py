"""Code that is rewritten already, and specs that change; see also the fixtures of that name."""

import re
from pathlib import Path

import pytest
from conftest import LayOut, Run

from pyroify.plan.meaning import arranged, meaning

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "reconcile.md"
NORMAL = "PyroSample(dist.Normal(0.0, 1.0).expand([n, 3]).to_event(2))"


@pytest.mark.parametrize(
    "words",
    [
        "PyroSample(dist.Normal(0, 1).expand([n, 3]).to_event(2))",
        "PyroSample(prior=dist.Normal(0., 1.).expand((n, 3)).to_event(2))",
        "PyroSample(dist.Normal(scale=1, loc=0).expand(torch.Size([n, 3])).to_event())",
        "PyroSample(dist.Normal(0, scale=1.0).expand([n, 3]).to_event())",
    ],
)
def test_one_prior_in_many_words(words: str) -> None:
    assert meaning(words) == meaning(NORMAL)


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
    assert meaning(other) != meaning(NORMAL)


@pytest.mark.parametrize(
    "words",
    [
        "PyroParam(torch.ones(3), constraints.positive)",
        "PyroParam(init_value=torch.ones(3), constraint=constraints.positive)",
    ],
)
def test_one_constrained_parameter_in_many_words(words: str) -> None:
    assert meaning(words) == meaning("PyroParam(torch.ones(3), constraint=constraints.positive)")
    assert meaning(words) != meaning("PyroParam(torch.ones(3))")


def test_a_parameter_is_real_unless_something_else_is_said() -> None:
    assert meaning("PyroParam(x, constraint=constraints.real)") == meaning("PyroParam(x)")


def test_negative_numbers_and_counts_keep_their_sign_and_kind() -> None:
    assert meaning("dist.Normal(-1, 1)") == meaning("dist.Normal(-1.0, 1.0)")
    assert meaning("x.expand([2])") != meaning("x.expand([2.0])")


def test_the_order_of_what_is_there_is_kept() -> None:
    there = ["self.b = PyroSample(x)", "self.a = PyroSample(x)"]
    wanted = ["self.a = PyroSample(y)", "self.c = PyroSample(y)", "self.b = PyroSample(y)"]
    assert arranged(wanted, there) == (wanted[2], wanted[0], wanted[1])


def test_loops_keep_their_place() -> None:
    there = ["self.b = PyroSample(x)", "to_pyro_module_(self)"]
    wanted = ["to_pyro_module_(self)", "self.b = PyroSample(x)"]
    assert arranged(wanted, there) == tuple(wanted)


def test_the_page_shows_what_happens(lay_out: LayOut, run: Run) -> None:
    source, spec, diff = (
        re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]  # type: ignore[index]
        for kind in ("python", "yaml", "diff")
    )
    lay_out({"net.py": source, "pyroify.yaml": spec})
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
