"""Local reparametrisation: the noise of weights is drawn in the outputs, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..data.rows import Rows


class LocalMeans(Messenger):
    """Draws the mean at these sites, and keeps the scale that it leaves out."""

    def __init__(self, sites: Collection[str]):
        super().__init__()
        self.sites = sites
        self.scales: dict[int, Tensor] = {}

    def _pyro_sample(self, site: Any) -> None:
        if site["name"] in self.sites and site["value"] is None:
            normal = site["fn"].base_dist
            site["value"] = normal.loc
            self.scales[id(normal.loc)] = normal.scale


class NoisyLinear(TorchFunctionMode):
    """Adds the noise of weights to the outputs of linear layers.

    The outputs have the same distribution, and the gradients vary much less.
    """

    def __init__(self, scales: dict[int, Tensor]):
        super().__init__()
        self.scales = scales

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore
        """One call of torch."""
        result = function(*args, **(kwargs or {}))
        if function is not functional.linear or kwargs:
            return result
        if id(args[1]) not in self.scales:
            return result
        scales = [self.scales.get(id(parameter)) for parameter in args[1:]]
        variances = [None if scale is None else scale * scale for scale in scales]
        variance = functional.linear(args[0] ** 2, *variances).clamp(min=1e-16)
        return result + variance.sqrt() * torch.randn_like(result)


class LinearUses(TorchFunctionMode):
    """Notes what the named tensors are used for."""

    def __init__(self, tensors: dict[str, Tensor], rows: int):
        super().__init__()
        self.names = {id(tensor): name for name, tensor in tensors.items()}
        self.rows = (rows,)
        self.counts: Counter[str] = Counter()
        self.layers: list[set[str]] = []  # weight and bias of linear layers over rows

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore
        """One call of torch."""
        result = function(*args, **(kwargs or {}))
        values = (*args, *(kwargs or {}).values())
        flat = [x for v in values for x in (v if isinstance(v, list | tuple) else [v])]
        used = [self.names[id(x)] for x in flat if id(x) in self.names]
        if isinstance(result, Tensor):
            self.counts.update(used)
        is_linear = function is functional.linear and not kwargs
        if is_linear and id(args[1]) in self.names and args[0].shape[:-1] == self.rows:
            self.layers.append(set(used))
        return result


def local_sites(
    model: nn.Module, guide: nn.Module, rows: Rows, closed: Collection[str]
) -> frozenset[str]:
    """Weights and biases for which local reparametrisation is exact.

    Each is used once, by a linear layer over the rows, and is among the ``closed``: normals the
    KL of which needs no draw.
    """
    if any(hasattr(module, "running_mean") for module in model.modules()):
        return frozenset()  # batch normalisation mixes the rows
    with torch.no_grad():
        draw = guide()
        with poutine.condition(data=draw), LinearUses(draw, len(rows)) as uses:
            model(*rows.args, **rows.given)
    exact = {name for name, count in uses.counts.items() if count == 1 and name in closed}
    return frozenset().union(*(layer for layer in uses.layers if layer <= exact))
