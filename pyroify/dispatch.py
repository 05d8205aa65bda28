"""Work that is done only where there is something for it.

What there is to work on says so as a set of traits: the form of a fact, such as ``Plate``, or that
form and what it is more exactly, such as ``(Use, "delete")``. A function that could do nothing
without any of some traits says so with ``needs``, and is not entered where it has none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

Trait = Hashable

NO_ITEMS = object()

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")


class Described(Protocol):
    """Something to work on that tells what there is in it."""

    @property
    def traits(self) -> frozenset[Trait]:
        """What there is, as far as any work asks for it."""


D = TypeVar("D", bound=Described)


@overload
def needs(
    *traits: Trait,
) -> Callable[
    [Callable[Concatenate[D, P], Iterator[T]]], Callable[Concatenate[D, P], Iterator[T]]
]: ...


@overload
def needs(*traits: Trait, nothing: object) -> Callable[[F], F]: ...


def needs(*traits: Trait, nothing: Any = NO_ITEMS) -> Any:
    """Let a function give ``nothing``, no items if that is left out, without any of these traits.

    They are those of its first argument.
    """
    wanted = frozenset(traits)

    def dispatched(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def asked(described: Described, *args: Any, **named: Any) -> Any:
            if wanted.isdisjoint(described.traits):
                return iter(()) if nothing is NO_ITEMS else nothing
            return function(described, *args, **named)

        return asked

    return dispatched
