"""What a network returns, as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def returned_by(model: nn.Module, stop: type[Exception] | None = None) -> Iterator[list[Any]]:
    """Fills with what the network of a model returns; ``stop`` ends each call there."""
    returned: list[Any] = []
    net: Any = model.net

    def keep(_: Any, __: Any, value: Any) -> None:
        returned.append(value)
        if stop:
            raise stop

    hook = net.register_forward_hook(keep)
    try:
        yield returned
    finally:
        hook.remove()


def describe_structure(returned: Any) -> str:
    """What a network returns that is no tensor, and how to say which part of it is meant."""
    kind = type(returned).__name__
    if isinstance(returned, Mapping):
        names = list(map(str, returned))
        what, example = f"a {kind} with {', '.join(names)}", names[0] if names else "..."
    elif isinstance(returned, tuple | list):
        what, example = f"a {kind} of {len(returned)}", "[0]"
    else:
        return f"a {kind}, which is no tensor"
    return f"{what}; say which is meant by svi.likelihood.output, such as {example}"
