"""How large a module is as it is built: a default may be that of a model of billions."""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from typing import Any

import torch

from pyroify.verify.mode import Mode

_MADE = ("empty", "zeros", "ones", "full", "rand", "randn", "empty_strided")
"""Operations that make a tensor of the size that is their first argument."""


class TooLargeError(Exception):
    """A constructor asks for more numbers than it may."""


class SizeLimit(Mode):
    """Ends a constructor before it takes the memory: what is asked for is added up.

    Nothing is built on another device for that, which would leave its traces in what a module
    keeps between builds.
    """

    def __init__(self, largest: int) -> None:
        super().__init__()
        self._largest, self._sum = largest, 0

    def __torch_dispatch__(
        self, func: Any, types: Collection[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        is_held = given.get("device") != torch.device("meta")
        if is_held and func.overloadpacket.__name__ in _MADE and isinstance(args[0], list | tuple):
            self._sum += prod(int(size) for size in args[0])
        if self._sum > self._largest:
            raise TooLargeError(
                f"it holds more than {self._largest:,} numbers; "
                "say under `verify` in the spec how to build a smaller one"
            )
        return func(*args, **given)
