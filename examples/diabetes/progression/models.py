import torch
from torch import nn
from torch.nn import functional as F

from .blocks import Block
from .layers import PairwiseInteractions, Rescale


class MLPBlock(Block):
    """The residual branch is a two-layer perceptron."""

    def __init__(self, width: int, expansion: int = 2, dropout: float = 0.0):
        super().__init__(width, dropout=dropout)
        self.fc1 = nn.Linear(width, expansion * width)
        self.fc2 = nn.Linear(expansion * width, width)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class ProgressionNet(nn.Module):
    """Residual MLP next to a factorization machine.

    Input ``(batch, num_features)``, output ``(batch, 1)``.
    """

    def __init__(self, num_features: int, width: int = 16, depth: int = 2, dropout: float = 0.0):
        super().__init__()
        self.rescale = Rescale(num_features)
        self.stem = nn.Sequential(
            nn.Linear(num_features, width),
            nn.Tanh(),
        )
        self.blocks = nn.ModuleList([MLPBlock(width, dropout=dropout) for _ in range(depth)])
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        self.interactions = PairwiseInteractions(num_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.rescale(x)
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        return self.head(h) + self.interactions(x)
