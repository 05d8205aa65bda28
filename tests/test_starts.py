"""What a parameter holds once its constructor has run, as far as the source shows it.

Each row is a constructor's body and the method ``forward``, the parameter, the layer of torch that
owns it, and the words and the lowest and highest value; None where it is not known.
"""

from __future__ import annotations

from conftest import LayOut
from test_calls import methods, summary
from test_interpret import table

from pyroify.decide.starts import Start, starts_of
from pyroify.spec.literals import AROUND_ZERO, FAR

Row = tuple[str, str, str, str, Start | None]
FC, NORM = "self.fc = nn.Linear(3, 3)", "self.n = nn.LayerNorm(3)"
WEIGHT = ("the weight that Linear begins with", AROUND_ZERO)
STARTS: dict[str, Row] = {
    "a weight that is drawn": (FC, "", "fc.weight", "Linear", WEIGHT),
    "a weight that is one": (
        NORM,
        "",
        "n.weight",
        "LayerNorm",
        ("the weight that LayerNorm begins with", (1.0, 1.0)),
    ),
    "a bias that is zero": (
        NORM,
        "",
        "n.bias",
        "LayerNorm",
        ("the bias that LayerNorm begins with", (0.0, 0.0)),
    ),
    "a parameter": (
        "self.p = nn.Parameter(torch.ones(3))",
        "",
        "p",
        "",
        ("torch.ones(3)", (1.0, 1.0)),
    ),
    "one that is computed": ("self.p = nn.Parameter(given(3))", "", "p", "", None),
    "one of arguments that have no names": (
        "self.p = nn.Parameter(args)",
        "",
        "p",
        "",
        None,
    ),
    "one that is written into": (
        "self.p = nn.Parameter(torch.ones(3))\nnn.init.zeros_(self.p)",
        "",
        "p",
        "",
        ("nn.init.zeros_(self.p)", (0.0, 0.0)),
    ),
    "one that is written into twice": (
        "self.p = nn.Parameter(torch.ones(3))\nnn.init.zeros_(self.p)\nnn.init.ones_(self.p)",
        "",
        "p",
        "",
        None,
    ),
    "a weight that is written into": (
        f"{FC}\nnn.init.constant_(self.fc.weight, 2.0)",
        "",
        "fc.weight",
        "Linear",
        ("nn.init.constant_(self.fc.weight, 2.0)", (2.0, 2.0)),
    ),
    "another weight is written into": (
        f"{FC}\nnn.init.constant_(self.fc.bias, 2.0)",
        "",
        "fc.weight",
        "Linear",
        WEIGHT,
    ),
    "the layer is handed to a function": (
        f"{FC}\nprepare(self.fc)",
        "",
        "fc.weight",
        "Linear",
        None,
    ),
    "another layer is": (f"{FC}\n{NORM}\nprepare(self.n)", "", "fc.weight", "Linear", WEIGHT),
    "its parameter is": (f"{FC}\nprepare(self.fc.bias)", "", "fc.weight", "Linear", WEIGHT),
    "the layer is called": (FC, "return self.fc(1)", "fc.weight", "Linear", WEIGHT),
    "the layer is only kept": (f"{FC}\nself.other = self.fc", "", "fc.weight", "Linear", WEIGHT),
    "all modules are gone over": (
        f"{FC}\nfor m in self.modules():\n    prepare(m)",
        "",
        "fc.weight",
        "Linear",
        None,
    ),
    "something is applied to all": (f"{FC}\nself.apply(prepare)", "", "fc.weight", "Linear", None),
    "a parameter that is handed to a function": (
        "self.p = nn.Parameter(torch.ones(3))\nprepare(self.p)",
        "",
        "p",
        "",
        ("torch.ones(3)", (1.0, 1.0)),
    ),
}


@table(STARTS)
def test_what_a_parameter_starts_at(row: Row, lay_out: LayOut) -> None:
    constructor, forward, path, layer, expected = row
    body = methods(__init__=f"super().__init__()\n{constructor}", forward=forward or "pass")
    assert starts_of(summary(lay_out, body), path, layer) == ([expected] if expected else [])


def test_a_layer_that_only_run_time_shows_may_be_any(lay_out: LayOut) -> None:
    found = summary(lay_out, methods(__init__=f"super().__init__()\n{FC}"))
    [(words, (low, high))] = starts_of(found, "fc.weight", "", hidden=True)
    assert words == "the weight that layers of torch begin with"
    assert (low, high) == (min(AROUND_ZERO[0], 1.0), max(AROUND_ZERO[1], 1.0))
    assert not starts_of(found, "fc.nothing_of_torch", "", hidden=True)


def test_an_argument_may_be_anything(lay_out: LayOut) -> None:
    body = "def __init__(self, start):\n    super().__init__()\n    self.p = nn.Parameter(start)\n"
    found = starts_of(summary(lay_out, body), "p", "")
    assert found == [("start, an argument that may be anything,", (-FAR, FAR))]
