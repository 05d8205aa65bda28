"""What the source of a class says of the shapes that its methods take."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from pyroify.verify.making.inputs import find_call
from pyroify.verify.making.said import Said, shapes_said

pytestmark = pytest.mark.slow


class Annotated(nn.Module):
    def forward(self, x: Float[Tensor, "batch seq 3"], y: TensorType["n", 10]):  # noqa: F722, F821, UP037
        return x


class Documented(nn.Module):
    def forward(self, x, ids, mask=None):
        """Do it.

        Args:
            x (torch.Tensor): the input, of shape (B, C, max_len), as floats.
            ids: LongTensor with shape [batch_size, seq_len]
            mask (Tensor, optional): what to leave out

        Returns:
            (B, 4)
        """
        return x


class OfTheClass(nn.Module):
    """A class.

    Parameters
    ----------
    signal : torch.Tensor, shape (batch, channels)
        What comes in.
    """

    def forward(self, signal):
        return signal


class Commented(nn.Module):
    def forward(self, x):
        # x: [B, L, D]
        return x


class CommentedBeside(nn.Module):
    def forward(
        self,
        x,  # (B, L)
    ):
        return x


class TakenApart(nn.Module):
    def forward(self, x, y):
        b, n, d = x.shape  # noqa: RUF059
        c, *_ = y.size()  # noqa: RUF059
        return x


class Rearranged(nn.Module):
    def forward(self, x):
        return rearrange(x, "b (h d) n -> b h d n")  # noqa: F821


class Plain(nn.Module):
    def forward(self, x):
        """Call with (any) input."""
        return x


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Annotated, {"x": [Said(("batch", "seq", "3"))], "y": [Said(("n", "10"))]}),
        (
            Documented,
            {
                "x": [Said(("B", "C", "max_len"))],
                "ids": [Said(("batch_size", "seq_len"), "int")],
            },
        ),
        (OfTheClass, {"signal": [Said(("batch", "channels"))]}),
        (Commented, {"x": [Said(("B", "L", "D"))]}),
        (CommentedBeside, {"x": [Said(("B", "L"))]}),
        (TakenApart, {"x": [Said(("b", "n", "d"))]}),
        (Rearranged, {"x": [Said(("b", "(h d)", "n"))]}),
        (Plain, {}),
    ],
)
def test_what_is_said(cls, said):
    assert shapes_said(cls, "forward") == said


class Strict(nn.Module):
    """Takes what its docstring says, and tells nobody why it takes nothing else."""

    def __init__(self):
        super().__init__()
        self.width = 6
        self.fc = nn.Linear(6, 2)

    def forward(self, x, steps):
        """Args:
        x: (batch, seq, width)
        steps: indices, (batch, 7)
        """
        if x.dim() != 3 or steps.shape[1:] != (7,) or steps.dtype != torch.long:
            raise ValueError("no")
        return self.fc(x)


def test_a_call_is_made_as_is_said():
    _, label = find_call(Strict(), "forward", time.process_time() + 60)
    assert label == "forward(x=float[2, 5, 6], steps=int[2, 7])"
