"""Building blocks that know nothing about the data."""

import torch
from torch import nn


class Block(nn.Module):
    """Pre-norm residual block: ``x + dropout(transform(norm(x)))``.

    Subclasses say what ``transform`` is.
    """

    def __init__(self, width: int, dropout: float = 0.0):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.dropout(self.transform(self.norm(x)))
