"""Local reparametrisation: the noise of weights is drawn in the outputs, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..data.rows import Rows
from ..model.sites import Draw


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


LAYERS = {
    functional.linear: 0,
    functional.conv1d: 1,
    functional.conv2d: 2,
    functional.conv3d: 3,
    functional.conv_transpose1d: 1,
    functional.conv_transpose2d: 2,
    functional.conv_transpose3d: 3,
}
"""What is linear in a weight: over how many axes it moves, behind the one of its channels."""


class NoisyLayers(TorchFunctionMode):
    """Adds the noise of weights to the outputs of linear layers and convolutions, row by row.

    The outputs of each row have the same distribution as under a draw of the weights, and the
    gradients vary much less.
    """

    def __init__(self, scales: dict[int, Tensor]):
        super().__init__()
        self.scales = scales

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore
        """One call of torch."""
        result = function(*args, **(kwargs or {}))
        if function not in LAYERS or kwargs or id(args[1]) not in self.scales:
            return result
        scale, bias = self.scales[id(args[1])], self.scales.get(id(args[2])) if args[2:] else None
        if function is functional.linear and args[0].dim() == 2:
            return result + noise_of_outputs(args[0], scale, bias, result)
        return result + noise_of_rows(function, args, scale, bias, result)


def noise_of_outputs(inputs: Tensor, scale: Tensor, bias: Tensor | None, like: Tensor) -> Tensor:
    """Of a layer that is used once for each row: each output has noise of its own."""
    variance = functional.linear(inputs**2, scale * scale, None if bias is None else bias * bias)
    variance = variance.clamp(min=1e-16)
    return variance.sqrt() * torch.randn_like(like)


def noise_of_rows(
    function: Any, args: Sequence[Any], scale: Tensor, bias: Tensor | None, like: Tensor
) -> Tensor:
    """Of a layer that is used at many places of a row, which share its weights.

    One draw of the weights with signs by chance for each row (Wen and others, Flipout, 2018): of a
    row alone they are weights like any draw, those of two rows have nothing in common to first
    order.
    """
    inputs, weight, axes = args[0], args[1], LAYERS[function]
    rows, axis = len(inputs), -1 - axes
    drawn = scale * torch.randn_like(weight)
    signed = inputs * signs(inputs, rows, axis)
    noise: Tensor = function(signed, drawn, None, *args[3:]) * signs(like, rows, axis)
    if bias is not None:
        own = bias * torch.randn(rows, len(bias))
        noise = noise + own.reshape(shape_of(like, rows, axis))
    return noise


def signs(like: Tensor, rows: int, axis: int) -> Tensor:
    """1 or -1 by chance for each row and channel; those are on that axis."""
    return (torch.randint(2, shape_of(like, rows, axis)) * 2 - 1).to(like)


def shape_of(like: Tensor, rows: int, axis: int) -> list[int]:
    """Of what is one number for each row and channel."""
    shape = [1] * like.dim()
    shape[0], shape[axis] = rows, like.shape[axis]
    return shape


class LayerUses(TorchFunctionMode):
    """Notes what the named tensors are used for."""

    def __init__(self, tensors: dict[str, Tensor], rows: int, everywhere: bool):
        super().__init__()
        self.names = {id(tensor): name for name, tensor in tensors.items()}
        self.rows = rows
        self.everywhere = everywhere
        self.counts: Counter[str] = Counter()
        self.layers: set[frozenset[str]] = set()  # weight and bias of layers over rows

    def __torch_function__(self, function, types, args=(), kwargs=None):  # type: ignore
        """One call of torch."""
        result = function(*args, **(kwargs or {}))
        values = (*args, *(kwargs or {}).values())
        flat = [x for v in values for x in (v if isinstance(v, list | tuple) else [v])]
        used = [self.names[id(x)] for x in flat if id(x) in self.names]
        if isinstance(result, Tensor):
            self.counts.update(used)
        is_layer = function in LAYERS and not kwargs and id(args[1]) in self.names
        if is_layer and self.is_over_rows(function, args[0]):
            self.layers.add(frozenset(used))
        return result

    def is_over_rows(self, function: Any, inputs: Tensor) -> bool:
        """Whether a layer sees each row by itself; in one call of it, unless ``everywhere``."""
        if not self.everywhere and (function is not functional.linear or inputs.dim() > 2):
            return False
        return inputs.dim() >= 2 + LAYERS[function] and len(inputs) == self.rows


def local_sites(
    model: nn.Module, guide: nn.Module, rows: Rows, closed: Collection[str], everywhere: bool
) -> frozenset[str]:
    """Weights and biases for which local reparametrisation is exact.

    Each is used once, by a layer over the rows, and is among the ``closed``: normals the KL of
    which needs no draw. The rows are told from other axes by a second call, with one row more.
    """
    if any(hasattr(module, "running_mean") for module in model.modules()):
        return frozenset()  # batch normalisation mixes the rows
    more = rows if rows.uncut else rows[torch.arange(len(rows) + 1) % len(rows)]
    draw = guide()
    uses = [uses_in(model, draw, part, everywhere) for part in (rows, more)]
    counts, layers = uses[0].counts, uses[0].layers & uses[1].layers
    exact = {name for name, count in counts.items() if count == 1 and name in closed}
    return frozenset().union(*(layer for layer in layers if layer <= exact))


def uses_in(model: nn.Module, draw: Draw, rows: Rows, everywhere: bool) -> LayerUses:
    """What one call of the model uses the latents for."""
    uses = LayerUses(draw, len(rows), everywhere)
    with torch.no_grad(), poutine.condition(data=draw), uses:
        model(*rows.args, **rows.given)
    return uses
