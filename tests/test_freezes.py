"""What a function freezes, by where that is below ``self``, and how sure that is."""

from __future__ import annotations

import pytest

from pyroify.syntax.extract import extract
from pyroify.syntax.facts import Freeze

HEAD = "from torch import nn\nclass Net(nn.Module):\n  def __init__(self):\n"
START = HEAD.count("\n") + 1
LAYERS = ("torch.nn.BatchNorm1d", "torch.nn.Linear")


def freezes(code: str) -> tuple[Freeze, ...]:
    """The freezes of a constructor, whose first line is 1."""
    text = HEAD + "".join(f"    {line}\n" for line in code.splitlines())
    [cls] = extract(text, "net.py", "net", False).classes
    method = cls.method("__init__")
    assert method is not None
    return tuple(
        Freeze(f.path, f.line - START + 1, f.sure, f.below, f.kinds) for f in method.freezes
    )


ROWS = {
    "a parameter": ("self.w.requires_grad = False", Freeze(("w",), 1, True)),
    "by a call": ("self.fc.weight.requires_grad_(False)", Freeze(("fc", "weight"), 1, True)),
    "a module": ("self.fc.requires_grad_(False)", Freeze(("fc",), 1, True)),
    "by setattr": ("setattr(self.w, 'requires_grad', False)", Freeze(("w",), 1, True)),
    "to what is not known": ("self.w.requires_grad = flag", Freeze(("w",), 1, False)),
    "under a condition": ("if flag:\n  self.w.requires_grad = False", Freeze(("w",), 2, False)),
    "all parameters": (
        "for p in self.parameters():\n  p.requires_grad = False",
        Freeze((), 2, True),
    ),
    "those of all modules": (
        "for m in self.modules():\n  m.requires_grad_(False)",
        Freeze((), 2, True),
    ),
    "what each module calls so": (
        "for m in self.modules():\n  m.weight.requires_grad = False",
        Freeze((), 2, False, "weight"),
    ),
    "what each part of a part calls so": (
        "for name, m in self.body.named_children():\n  m.fc.bias.requires_grad_(False)",
        Freeze(("body",), 2, False, "bias"),
    ),
    "what each item of a container calls so": (
        "for m in self.layers:\n  m.weight.requires_grad = False",
        Freeze(("layers", "weight"), 2, True),
    ),
    "of layers of a class": (
        "for m in self.modules():\n"
        "  if isinstance(m, nn.Linear):\n    m.weight.requires_grad = False",
        Freeze((), 3, False, "weight", LAYERS[1:]),
    ),
    "all of layers of several": (
        "for m in self.modules():\n"
        "  if isinstance(m, (nn.BatchNorm1d, nn.Linear)):\n    m.requires_grad_(False)",
        Freeze((), 3, False, "", LAYERS),
    ),
    "of what is no layer of a class": (
        "for m in self.modules():\n"
        "  if isinstance(m, nn.Linear):\n    pass\n  else:\n    m.weight.requires_grad = False",
        Freeze((), 5, False, "weight"),
    ),
    "of classes that are not named": (
        "for m in self.modules():\n"
        "  if isinstance(m, (nn.Linear, kinds[0])):\n    m.weight.requires_grad = False",
        Freeze((), 3, False, "weight"),
    ),
}


@pytest.mark.parametrize(("code", "found"), ROWS.values(), ids=ROWS)
def test_what_is_frozen(code: str, found: Freeze) -> None:
    assert freezes(code) == (found,)


@pytest.mark.parametrize("code", ["self.w.requires_grad", "nn.Linear(3, 3).requires_grad_(True)"])
def test_what_freezes_nothing(code: str) -> None:
    assert freezes(code) == ()
