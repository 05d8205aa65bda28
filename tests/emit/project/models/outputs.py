"""Networks whose outputs are no plain logits or means, with rows for them."""

import torch
from pyro.nn import PyroModule
from torch import nn
from torch.nn import functional

from models.networks import add_priors


class Last(PyroModule):
    """A hidden layer, and a way to what it returns."""

    def __init__(self, outputs=1, returns="raw", inputs=3):
        super().__init__()
        self.body = PyroModule[nn.Linear](inputs, 8)
        self.head = PyroModule[nn.Linear](8, outputs)
        self.returns = returns
        add_priors(self)

    def forward(self, x):
        out = self.head(torch.tanh(self.body(x)))
        return RETURNS[self.returns](out)


def positive(out):
    return functional.softplus(out) + 1e-3


RETURNS = {
    "raw": lambda out: out,
    "sigmoid": torch.sigmoid,
    "softmax": lambda out: out.softmax(-1),
    "log_softmax": lambda out: out.log_softmax(-1),
    "positive": positive,
    "columns": lambda out: torch.cat([out[:, :1], positive(out[:, 1:])], 1),
    "pair": lambda out: (out[:, 0], positive(out[:, 1])),
    "named": lambda out: {"mean": out[:, :1], "var": positive(out[:, 1:])},
    "nested": lambda out: {"hidden": None, "outputs": (out[:, :1], out)},
    "object": lambda out: slice(out),
}


class Language(PyroModule):
    """Logits and a state, as recurrent networks return them."""

    def __init__(self, words=5, width=6):
        super().__init__()
        self.words = PyroModule[nn.Embedding](words, width)
        self.cell = PyroModule[nn.GRU](width, width, batch_first=True)
        self.head = PyroModule[nn.Linear](width, words)
        add_priors(self)

    def forward(self, tokens, state=None):
        hidden, state = self.cell(self.words(tokens), state)
        return self.head(hidden), state


def dice(seed):
    return torch.Generator().manual_seed(seed)


X = torch.randn(200, 3, generator=dice(0))


def two_classes():
    return X, (X[:, 0] > 0).float()


def three_classes():
    return X, (X[:, 0] > 0).long() + (X[:, 1] > 0).long()


def uneven_noise():
    sd = 0.1 + 0.5 * X[:, 1].abs()
    return X, X[:, 0] + sd * torch.randn(200, generator=dice(1))


def counts():
    return X, torch.poisson(X[:, 0].exp(), generator=dice(2))


def sentences():
    first = torch.randint(1, 5, (120, 1), generator=dice(3))
    words = (first + torch.arange(7)) % 4 + 1
    return words[:, :-1], words[:, 1:]
