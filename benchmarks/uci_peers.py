"""What the emitted script is measured against on the UCI sets, each as its own README has it.

A peer is a function of a ``Task`` that trains 1 x 50 ReLU units with the steps, batch size, rate
and optimizer that all have, and gives the likelihoods of the test rows, one for each of its draws.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal

HIDDEN, STEPS, BATCH, RATE, DRAWS, MEMBERS = 50, 3000, 512, 0.01, 200, 5


@dataclass(frozen=True)
class Task:
    """Scaled rows: inputs of shape [rows, columns], targets of shape [rows]."""

    x: Tensor
    y: Tensor
    test: Tensor

    @property
    def epochs(self) -> int:
        return max(20, math.ceil(STEPS / math.ceil(len(self.x) / BATCH)))

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Those of one epoch."""
        count = math.ceil(len(self.x) / BATCH)
        for index in torch.randperm(len(self.x)).tensor_split(count):
            yield self.x[index], self.y[index]


def network(columns: int, outputs: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Linear(columns, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs))


def minimise(
    task: Task, parameters: list[Tensor], loss: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Adam with a rate that falls along a cosine, gradients clipped as in the script."""
    optimizer = torch.optim.Adam(parameters, lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.epochs)
    for _ in range(task.epochs):
        for x, y in task.batches():
            optimizer.zero_grad()
            loss(x, y).backward()
            nn.utils.clip_grad_norm_(parameters, 10.0)
            optimizer.step()
        schedule.step()


def fit_map(task: Task) -> tuple[nn.Module, Tensor]:
    """A network under a Normal(0, 1) on every weight, and the logarithm of its noise."""
    net = network(task.x.shape[1])
    log_noise = torch.tensor(math.log(0.5), requires_grad=True)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        nll = -Normal(net(x).squeeze(1), log_noise.exp()).log_prob(y).mean()
        squares = torch.stack([weight.square().sum() for weight in net.parameters()])
        return nll + squares.sum() / 2 / len(task.x)

    minimise(task, [*net.parameters(), log_noise], loss)
    return net.eval(), log_noise.detach()


def map_estimate(task: Task) -> list[Any]:
    net, log_noise = fit_map(task)
    with torch.no_grad():
        return [Normal(net(task.test).squeeze(1), log_noise.exp())] * DRAWS


def deep_ensemble(task: Task) -> list[Any]:
    """Members with a variance head, trained by likelihood alone."""
    members = []
    for _ in range(MEMBERS):
        net = network(task.x.shape[1], 2)

        def likelihood(x: Tensor, net: nn.Module = net) -> Normal:
            mean, noise = net(x).unbind(1)
            return Normal(mean, nn.functional.softplus(noise) + 1e-3)

        minimise(
            task,
            list(net.parameters()),
            lambda x, y, likelihood=likelihood: -likelihood(x).log_prob(y).mean(),
        )
        with torch.no_grad():
            members.append(likelihood(task.test))
    return members * (DRAWS // MEMBERS)


def laplace_torch(task: Task) -> list[Any]:
    """All weights, Kronecker factors; prior precision and noise by the evidence."""
    from laplace import Laplace
    from torch.utils.data import DataLoader, TensorDataset

    net, _ = fit_map(task)
    rows = DataLoader(TensorDataset(task.x, task.y[:, None]), batch_size=512)
    fitted = Laplace(net, "regression", subset_of_weights="all", hessian_structure="kron")
    fitted.fit(rows)
    log_prior = torch.zeros(1, requires_grad=True)
    log_noise = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([log_prior, log_noise], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        evidence = fitted.log_marginal_likelihood(log_prior.exp(), log_noise.exp())
        (-evidence).backward()
        optimizer.step()
    mean, variance = (value.detach().reshape(-1) for value in fitted(task.test))
    return [Normal(mean, (variance + fitted.sigma_noise.item() ** 2).sqrt())] * DRAWS


def tyxe(task: Task) -> list[Any]:
    """Mean-field normals on a Normal(0, 1), with a noise scale of its own guide."""
    import pyro
    import pyro.distributions as dist
    import tyxe as library
    from pyro import poutine
    from pyro.infer.autoguide import AutoNormal

    # Pyro 1.9.2 has dropped what TyXe 0.0.2 calls.
    pyro.util.deep_getattr = lambda root, name: functools.reduce(getattr, name.split("."), root)
    pyro.clear_param_store()
    pyro.settings.set(module_local_params=False)
    net = network(task.x.shape[1])
    likelihood = library.likelihoods.HomoskedasticGaussian(
        len(task.x), scale=dist.LogNormal(0.0, 1.0)
    )
    bayesian = library.VariationalBNN(
        net,
        library.priors.IIDPrior(dist.Normal(0.0, 1.0)),
        likelihood,
        lambda model: library.guides.AutoNormal(model, init_scale=0.01),
        lambda model: AutoNormal(poutine.block(model, expose=["likelihood._scale"])),
    )
    batches = len(list(task.batches()))
    decay = 0.01 ** (1 / (task.epochs * batches))  # Pyro's own schedule: down to a hundredth
    optimizer = pyro.optim.ClippedAdam({"lr": RATE, "lrd": decay, "clip_norm": 10.0})
    rows = (lambda: (((x,), y[:, None]) for x, y in task.batches()),)

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            return rows[0]()

    bayesian.fit(Loader(), optimizer, task.epochs, closed_form_kl=False)
    draws = []
    with torch.no_grad():
        for _ in range(DRAWS):
            with poutine.trace() as traced:
                bayesian.guide(task.test)
            scale = next(
                site["value"]
                for name, site in traced.trace.nodes.items()
                if site["type"] == "sample" and name.endswith("scale")
            )
            mean = bayesian.predict(task.test, num_predictions=1, aggregate=False)[0]
            draws.append(Normal(mean.squeeze(-1), scale))
    pyro.clear_param_store()
    return draws


def bayesian_torch(task: Task) -> list[Any]:
    """Reparametrised layers on a Normal(0, 1), the noise learned."""
    from bayesian_torch.layers import LinearReparameterization

    sizes = (task.x.shape[1], HIDDEN, 1)
    layers = nn.ModuleList(LinearReparameterization(a, b) for a, b in itertools.pairwise(sizes))
    log_noise = torch.tensor(math.log(0.5), requires_grad=True)

    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        hidden, first = layers[0](x)
        mean, second = layers[1](torch.relu(hidden))
        return mean.squeeze(1), first + second

    def loss(x: Tensor, y: Tensor) -> Tensor:
        mean, kl = forward(x)
        return -Normal(mean, log_noise.exp()).log_prob(y).mean() + kl / len(task.x)

    minimise(task, [*layers.parameters(), log_noise], loss)
    with torch.no_grad():
        return [Normal(forward(task.test)[0], log_noise.exp()) for _ in range(DRAWS)]


PEERS: dict[str, Callable[[Task], list[Any]]] = {
    "MAP, plain torch": map_estimate,
    "deep ensemble, plain torch": deep_ensemble,
    "laplace-torch": laplace_torch,
    "TyXe": tyxe,
    "bayesian-torch": bayesian_torch,
}
