"""The networks whose steps are timed, plain and with a prior on every layer but the norms.

`benchmarks/train.py` puts this file beside the scripts that it emits.
"""

import itertools

import pyro.distributions as dist
import torch
from pyro.nn import PyroSample
from pyro.nn.module import to_pyro_module_
from torch import nn
from torch.nn import functional

CLASSES = 10


class MLP(nn.Module):
    """784-400-400-10."""

    shape = (784,)

    def __init__(self) -> None:
        super().__init__()
        sizes = (*self.shape, 400, 400, CLASSES)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


class CNN(nn.Module):
    """Two convolutions of 16 and 32 channels, and a layer over what they leave."""

    shape = (1, 28, 28)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 32, 3, padding=1)
        self.head = nn.Linear(32 * 7 * 7, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in (self.first, self.second):
            x = functional.max_pool2d(torch.relu(layer(x)), 2)
        return self.head(x.flatten(1))


class Block(nn.Module):
    """Attention of four heads and two layers over each token."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(2))
        self.query, self.key, self.value, self.out = (nn.Linear(size, size) for _ in range(4))
        self.up, self.down = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norms[0](x)
        heads = [f(h).unflatten(-1, (4, -1)).transpose(1, 2) for f in self.layers()]
        h = functional.scaled_dot_product_attention(*heads)
        x = x + self.out(h.transpose(1, 2).flatten(2))
        return x + self.down(torch.relu(self.up(self.norms[1](x))))

    def layers(self) -> tuple[nn.Module, ...]:
        return self.query, self.key, self.value


class Transformer(nn.Module):
    """Two blocks of 64 numbers over 16 tokens."""

    shape = (16, 8)

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 64)
        self.blocks = nn.ModuleList(Block(64) for _ in range(2))
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))


NETWORKS: dict[str, type[nn.Module]] = {"MLP": MLP, "CNN": CNN, "transformer": Transformer}


def random(name: str) -> nn.Module:
    """The network with Normal(0, 1) on the weights and biases of its layers."""
    net = NETWORKS[name]()
    to_pyro_module_(net)
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            for key, value in list(module.named_parameters(recurse=False)):
                prior = dist.Normal(torch.zeros_like(value), 1.0).to_event()
                setattr(module, key, PyroSample(prior))
    return net
