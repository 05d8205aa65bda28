"""Networks that scripts make outside of classes: converted where that is right, said elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import LayOut, Run
from test_fixtures import FIXTURES

SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'
BEFORE = (FIXTURES / "outside/script_network.in.py").read_text()
AFTER = (FIXTURES / "outside/script_network.out.py").read_text()
HEAD = "import pyro\nimport torch\nfrom torch import nn\n\n"
NET = "net = nn.Linear(3, 1)\n"


def run_script(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    return names


def test_with_the_old_weights_it_computes_what_it_did() -> None:
    torch = pytest.importorskip("torch")
    poutine = pytest.importorskip("pyro.poutine")
    before, after = run_script(BEFORE), run_script(AFTER)
    weights = dict(before["net"].named_parameters())
    x, y = torch.randn(5, 3), torch.randn(5)
    model = poutine.condition(after["model"], data=weights)
    trace = poutine.trace(model).get_trace(x, y)
    assert set(weights) == {"0.weight", "0.bias", "2.weight"} <= set(trace.nodes)
    old = poutine.trace(before["model"]).get_trace(x, y)
    assert torch.equal(trace.nodes["obs"]["fn"].loc, old.nodes["obs"]["fn"].loc)


def test_a_second_run_changes_nothing(run: Run, lay_out: LayOut) -> None:
    root = lay_out({"pyroify.yaml": SPEC, "script.py": BEFORE})
    assert run("rewrite").code == 0
    assert (root / "script.py").read_text() == AFTER
    assert run("rewrite", "--check").code == 0


def test_the_spec_decides_by_the_name_of_the_network(run: Run, lay_out: LayOut) -> None:
    rule = '  - match: "script:net.0.*"\n    keep: true\n'
    root = lay_out({"pyroify.yaml": SPEC + rule, "script.py": BEFORE})
    run("rewrite", "--allow-unmatched")
    text = (root / "script.py").read_text()
    assert "net[2].weight = PyroSample" in text
    assert "net[0].weight" not in text


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f"{NET}net.load_state_dict(torch.load('x.pt'))\n", "the weights of a trained one"),
        (f"{NET}optimizer = torch.optim.Adam(net.parameters())\n", "in line 6"),
        (f"{NET}torch.save(net, 'x.pt')\n", "in line 6"),
        (f"{NET}net = net.double()\n", "in line 6"),
        (f"{NET}def guide(x):\n    pass\n", "a guide written by hand"),
        (f"{NET}other = nn.Linear(3, 1)\n", "several"),
        ("for _ in range(3):\n    net = nn.Linear(3, 1)\n", ""),
        ("net = nn.Sequential(*[nn.Linear(3, 3) for _ in range(n)])\n", ""),
        ("net = nn.LSTM(3, 3)\n", ""),
        ("def build():\n    return nn.Linear(3, 1)\n", ""),
    ],
)
def test_one_of_which_more_is_asked_stays(
    run: Run, lay_out: LayOut, script: str, reason: str
) -> None:
    root = lay_out({"pyroify.yaml": SPEC, "script.py": HEAD + script})
    ended = run("rewrite")
    assert ended.code == 1
    assert "PYR046" in ended.out
    assert reason in ended.out
    assert (root / "script.py").read_text() == HEAD + script


def test_one_that_another_file_imports_stays(run: Run, lay_out: LayOut) -> None:
    other = "from script import net\n\nprint(net.weight)\n"
    lay_out({"pyroify.yaml": SPEC, "script.py": HEAD + NET, "other.py": other})
    assert "another file may import it" in run("rewrite").out


def test_one_that_is_meant_to_stay_stays(run: Run, lay_out: LayOut) -> None:
    script = f"{HEAD}{NET.rstrip()}  # pyroify: ignore\n"
    root = lay_out({"pyroify.yaml": SPEC, "script.py": script})
    assert run("rewrite").code == 0
    assert (root / "script.py").read_text() == script


def test_in_a_notebook_too(run: Run, lay_out: LayOut) -> None:
    from test_notebooks import codes_of, notebook

    root = lay_out({"pyroify.yaml": SPEC, "try.ipynb": notebook(HEAD.rstrip(), NET, "net(x)")})
    assert run("rewrite").code == 0
    assert "to_pyro_module_(net)" in codes_of(root / "try.ipynb")[1]
