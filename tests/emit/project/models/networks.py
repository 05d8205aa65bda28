"""Small networks as pyroify leaves them."""

from itertools import pairwise

import pyro.distributions as dist
import torch
from pyro.nn import PyroModule, PyroSample
from torch import nn


def add_priors(module: PyroModule) -> None:
    for child in module.modules():
        for name, value in list(child.named_parameters(recurse=False)):
            prior = dist.Normal(0.0, 1.0).expand(value.shape).to_event(value.dim())
            setattr(child, name, PyroSample(prior))


class MLP(PyroModule):
    def __init__(self, in_size: int, hidden: int, out_size: int):
        super().__init__()
        self.fc1 = PyroModule[nn.Linear](in_size, hidden)
        self.fc2 = PyroModule[nn.Linear](hidden, out_size)
        add_priors(self)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class Line(PyroModule):
    """Linear regression, whose posterior is known exactly."""

    def __init__(self, in_features: int):
        super().__init__()
        self.layer = PyroModule[nn.Linear](in_features, 1, bias=False)
        add_priors(self)

    def forward(self, x):
        return self.layer(x)


class TwoInputs(PyroModule):
    def __init__(self):
        super().__init__()
        self.left = PyroModule[nn.Linear](3, 4)
        self.right = PyroModule[nn.Linear](2, 4)
        self.head = PyroModule[nn.Linear](4, 1)
        add_priors(self)

    def forward(self, first, second):
        return self.head(torch.relu(self.left(first) + self.right(second)))


class Images(PyroModule):
    """One label per pixel."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv = PyroModule[nn.Conv2d](1, 4, 3, padding=1)
        self.norm = PyroModule[nn.BatchNorm2d](4)
        self.head = PyroModule[nn.Conv2d](4, classes, 1)
        add_priors(self)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))))


class Tokens(PyroModule):
    """One token per position."""

    def __init__(self, words: int):
        super().__init__()
        self.embed = PyroModule[nn.Embedding](words, 3)
        self.lstm = PyroModule[nn.LSTM](3, 3, batch_first=True)
        self.head = PyroModule[nn.Linear](3, words)
        add_priors(self)

    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0])


class Flawed(PyroModule):
    """A prior that a plain value hides, and one that is never read."""

    def __init__(self):
        super().__init__()
        self.fc = PyroModule[nn.Linear](3, 1)
        self.unused = PyroModule[nn.Linear](3, 1)
        add_priors(self)
        self.fc.bias = None

    def forward(self, x):
        return self.fc(x)


class Plain(PyroModule):
    """Nothing random."""

    def __init__(self):
        super().__init__()
        self.fc = PyroModule[nn.Linear](3, 1)

    def forward(self, x):
        return self.fc(x)


class Exploding(MLP):
    def forward(self, x):
        return super().forward(x) * float("inf")


class Deep(PyroModule):
    def __init__(self, sizes: list[int]):
        super().__init__()
        pairs = pairwise(sizes)
        self.layers = PyroModule[nn.ModuleList]([PyroModule[nn.Linear](a, b) for a, b in pairs])
        add_priors(self)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


class Hierarchical(PyroModule):
    """A weight whose scale is random too."""

    def __init__(self):
        super().__init__()
        self.fc = PyroModule[nn.Linear](3, 1)
        self.tau = PyroSample(dist.HalfCauchy(1.0))
        self.fc.weight = PyroSample(self.prior)

    @property
    def prior(self):
        return lambda _: dist.Normal(0.0, self.tau).expand([1, 3]).to_event(2)

    def forward(self, x):
        return self.fc(x)
