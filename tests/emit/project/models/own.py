"""Networks, data and likelihoods that are no network-then-distribution: what people write."""

from itertools import pairwise

import pyro
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule
from torch import nn
from torch.nn import functional

from models.networks import add_priors


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def layers(*sizes):
    """Linear layers with tanh between them."""
    parts = []
    for size, following in pairwise(sizes):
        parts += [PyroModule[nn.Linear](size, following), nn.Tanh()]
    net = PyroModule[nn.Sequential](*parts[:-1])
    add_priors(net)
    return net


# ---- a forecast: the cell is called once for each step -------------------------------


class Cell(PyroModule):
    def __init__(self, width=4):
        super().__init__()
        self.body = layers(1 + width, 8, width)
        self.head = layers(width, 1)
        self.width = width

    def forward(self, value, state):
        state = torch.tanh(self.body(torch.cat([value, state], 1)))
        return self.head(state), state


def series():
    time = torch.linspace(0, 6.28, 80)[:, None] + torch.arange(8.0)[None]
    return torch.sin(time)


def forecast(cell, batch):
    """Of the last four values, each forecast from the one before."""
    state = batch.new_zeros(len(batch), cell.width)
    total = 0.0
    for now, following in zip(batch[:, :-1].T, batch[:, 1:].T, strict=True):
        mean, state = cell(now[:, None], state)
        total = total + dist.Normal(mean[:, 0], 0.2).log_prob(following)
    return total


# ---- a neural process: a latent of its own -------------------------------------------


class Process(PyroModule):
    def __init__(self):
        super().__init__()
        self.encoder = layers(2, 8, 4)
        self.decoder = layers(3, 8, 1)

    def encode(self, x, y):
        mean, raw = self.encoder(torch.stack([x, y], -1)).mean(1).chunk(2, -1)
        return torch.distributions.Normal(mean, functional.softplus(raw) + 0.01)

    def forward(self, x, latent):
        latent = latent[:, None].expand(-1, x.shape[1], -1)
        return self.decoder(torch.cat([x[..., None], latent], -1))[..., 0]


def curves():
    x = torch.rand(60, 10, generator=dice()) * 2 - 1
    slope = torch.randn(60, 1, generator=dice(1))
    return {"x": x, "y": slope * x}


def process_evidence(net, batch):
    x, y = batch["x"], batch["y"]
    posterior, prior = net.encode(x, y), net.encode(x[:, :4], y[:, :4])
    divergence = torch.distributions.kl_divergence(posterior, prior).sum(1)
    mean = net(x, posterior.rsample())
    return dist.Normal(mean, 0.1).log_prob(y).sum(1) - divergence


# ---- a differential equation: the residual at points ---------------------------------


class Solution(PyroModule):
    def __init__(self):
        super().__init__()
        self.net = layers(1, 8, 1)

    def forward(self, t):
        return 1 + t * self.net(t)  # begins at 1


def points():
    return torch.linspace(0, 1, 60)[:, None]


def decay_residual(net, t):
    """The solution of u' = -u, where the residual is off by 0.1."""
    t = t.clone().requires_grad_()
    u = net(t)
    (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
    return dist.Normal(0.0, 0.1).log_prob(slope + u)[:, 0]


# ---- survival: the partial likelihood of a batch --------------------------------------


class Risk(PyroModule):
    def __init__(self):
        super().__init__()
        self.layer = layers(2, 1)

    def forward(self, x):
        return self.layer(x)[:, 0]


def patients():
    x = torch.randn(100, 2, generator=dice())
    time = torch.exp(-x[:, 0]) * torch.rand(100, generator=dice(1))
    return x, time, torch.rand(100, generator=dice(2)) < 0.7


def partial_likelihood(net, batch):
    """Of each event among those that were at risk then; nothing of one that is censored."""
    x, time, event = batch
    risk = net(x)
    at_risk = time[None] >= time[:, None]
    among = risk[None].masked_fill(~at_risk, -torch.inf).logsumexp(1)
    return (risk - among) * event


# ---- a set: the order of what is predicted does not matter ----------------------------


class TwoRoots(PyroModule):
    def __init__(self):
        super().__init__()
        self.net = layers(2, 8, 2)

    def forward(self, x):
        return self.net(x)


def roots():
    pair = torch.randn(80, 2, generator=dice())
    return torch.stack([pair.sum(1), pair.prod(1)], 1), pair


def of_either_order(net, batch):
    x, pair = batch
    guess = net(x)
    orders = [dist.Normal(guess, 0.3).log_prob(y).sum(1) for y in (pair, pair.flip(1))]
    return torch.stack(orders).logsumexp(0)


# ---- a flow: the network has a density -------------------------------------------------


class Flow(PyroModule):
    """A coupling of two numbers."""

    def __init__(self):
        super().__init__()
        self.net = layers(1, 8, 2)

    def log_prob(self, x):
        first, second = x.unbind(1)
        shift, log_scale = self.net(first[:, None]).unbind(1)
        noise = (second - shift) * torch.exp(-log_scale)
        base = torch.distributions.Normal(0.0, 1.0)
        return base.log_prob(first) + base.log_prob(noise) - log_scale


def moon():
    first = torch.randn(80, generator=dice())
    return torch.stack([first, first**2 + 0.3 * torch.randn(80, generator=dice(1))], 1)


def flow_density(net, batch):
    return net.log_prob(batch)


# ---- graphs of many sizes, padded, with a mask -----------------------------------------


class GraphNet(PyroModule):
    def __init__(self):
        super().__init__()
        self.node = layers(2, 8)
        self.head = layers(8, 2)

    def forward(self, nodes, edges, mask):
        hidden = torch.tanh(edges @ self.node(nodes)) * mask[..., None]
        return self.head(hidden.sum(1) / mask.sum(1, keepdim=True))


def graphs():
    sizes = torch.randint(2, 6, (80,), generator=dice())
    mask = torch.arange(5)[None] < sizes[:, None]
    nodes = torch.randn(80, 5, 2, generator=dice(1)) * mask[..., None]
    edges = (torch.rand(80, 5, 5, generator=dice(2)) < 0.5) & mask[:, None] & mask[:, :, None]
    edges = edges.float() + torch.eye(5)
    label = (nodes.sum((1, 2)) > 0).long()
    return {"nodes": nodes, "edges": edges, "mask": mask, "label": label}


def graph_classes(net, batch):
    logits = net(batch["nodes"], batch["edges"], batch["mask"])
    return dist.Categorical(logits=logits).log_prob(batch["label"])


# ---- an autoencoder that has its likelihood --------------------------------------------


class Autoencoder(PyroModule):
    def __init__(self):
        super().__init__()
        self.encoder = layers(6, 8, 4)
        self.decoder = layers(2, 8, 6)

    def forward(self, x):
        mean, raw = self.encoder(x).chunk(2, -1)
        posterior = torch.distributions.Normal(mean, functional.softplus(raw) + 0.01)
        prior = torch.distributions.Normal(0.0, 1.0)
        logits = self.decoder(posterior.rsample())
        divergence = torch.distributions.kl_divergence(posterior, prior).sum(-1)
        with pyro.plate("rows", len(x)):
            pyro.factor("code", -divergence)
            pyro.sample("pixels", dist.Bernoulli(logits=logits).to_event(1), obs=x)
        return logits


def pixels():
    half = torch.rand(80, 1, generator=dice()) < 0.5
    return (half ^ (torch.arange(6) < 3)).float()


# ---- a regression that has its likelihood ----------------------------------------------


class Counted(PyroModule):
    """Its plate counts the rows of a batch; ``size`` rows where it is told so."""

    def __init__(self, size=None, outside=False):
        super().__init__()
        self.net = layers(3, 1)
        self.size = size
        self.outside = outside

    def forward(self, x, y=None):
        mean = self.net(x)[:, 0]
        if self.outside:
            return pyro.sample("y", dist.Normal(mean, 0.3).to_event(1), obs=y)
        count = {"size": self.size, "subsample_size": len(x)} if self.size else {"size": len(x)}
        with pyro.plate("rows", **count):
            return pyro.sample("y", dist.Normal(mean, 0.3), obs=y)


class Silent(Counted):
    """Never looks at what it is given."""

    def forward(self, x, y=None):
        return super().forward(x)


def rows():
    x = torch.randn(200, 3, generator=dice())
    return x, x[:, 0] + 0.3 * torch.randn(200, generator=dice(1))


# ---- wrong uses ------------------------------------------------------------------------


def mean_loss(net, batch):
    return of_either_order(net, batch).mean()


def python_number(net, batch):
    return float(mean_loss(net, batch))


def one_too_few(net, batch):
    return of_either_order(net, batch)[1:]


def unused_network(net, batch):
    return -batch[0].square().sum(1)
