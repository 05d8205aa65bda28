"""Parameters that nobody has filled: what the memory held, most of it nothing to compute with.

``nn.Parameter(torch.empty(3))`` that a layer leaves to others to fill may hold NaN in one process
and zeros in another: whether a call runs would be a matter of chance.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.parameter import is_lazy

_LARGEST = 1e8
"""What is larger is taken for such memory."""


def fill_uninitialised(module: nn.Module) -> nn.Module:
    """Put small numbers, always the same, in the place of values that are no weights; return it."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.parameters():
            values = parameter.data
            is_held = values.layout is torch.strided and not values.is_meta
            if is_lazy(parameter) or not (is_held and values.is_floating_point()):
                continue
            usable = values.isfinite() & (values.abs() < _LARGEST)
            if not usable.all():
                small = torch.rand(values.shape, generator=generator).to(values) - 0.5
                values.copy_(torch.where(usable, values, small))
    return module
