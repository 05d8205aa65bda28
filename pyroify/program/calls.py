"""The call graph of a class: which of its methods run when it is built, and when it is called.

One rule for overrides: what ``self.name()`` calls is the method of the class or of a base, or that
of any subclass, as the instance may be one of that. ``super().name()`` calls that of a base.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pyroify.program.index import ModuleClass
from pyroify.syntax.facts import Function
from pyroify.syntax.traits import CONSTRUCTORS
from pyroify.syntax.values import Call, SelfRead

ENTRIES = ("forward", "__call__")
"""Methods that run when a module is called."""

Method = tuple[ModuleClass, Function]
"""A method, and the class that defines it."""


@dataclass(frozen=True)
class CallGraph:
    """The methods of a class, of its bases and of its subclasses (``relatives``)."""

    cls: ModuleClass
    relatives: tuple[ModuleClass, ...] = ()

    @cached_property
    def constructor(self) -> Function | None:
        """The method that runs at construction, if the class defines one."""
        return _constructor(self.cls)

    @cached_property
    def constructing(self) -> frozenset[str]:
        """The constructor and the methods of the class itself that it calls."""
        if self.constructor is None:
            return frozenset()
        alone = CallGraph(self.cls)
        return frozenset(
            method.name
            for cls, method in alone.reached([(self.cls, self.constructor)])
            if cls is self.cls
        )

    @cached_property
    def building(self) -> frozenset[str]:
        """Names of all methods that run during construction, of the class or of a relative."""
        family = (self.cls, *self.relatives)
        made = [(cls, found) for cls in family if (found := _constructor(cls)) is not None]
        return frozenset(method.name for _, method in self.reached(made))

    @cached_property
    def calling(self) -> frozenset[str]:
        """Names of methods that run when the module is called."""
        return frozenset(method.name for _, method in self.reached(self.methods(*ENTRIES)))

    def methods(self, *names: str) -> Iterator[Method]:
        """What ``self.name()`` may call: the method of the class, or an override of a subclass."""
        bases = {base.key for base in self.cls.lineage}
        for name in names:
            if found := self.cls.find_method(name):
                yield found
            for cls in self.relatives:
                if cls.key not in bases and (override := cls.cls.method(name)):
                    yield cls, override

    def reached(self, start: Iterable[Method], reads: bool = False) -> Iterator[Method]:
        """Methods and all that they call, directly or not, each once.

        ``reads``: what they read may be a property, which runs then.
        """
        seen: set[tuple[tuple[str, str], int]] = set()
        waiting = list(start)
        while waiting:
            cls, method = waiting.pop()
            if (cls.key, method.line) in seen:
                continue
            seen.add((cls.key, method.line))
            yield cls, method
            names = method.self_calls | {use.path[0] for use in method.uses if reads}
            waiting += self.methods(*names)
            for name in method.super_calls:
                found = (base.cls.method(name) for base in cls.lineage[1:])
                bases = zip(cls.lineage[1:], found, strict=True)
                waiting += [(base, above) for base, above in bases if above is not None][:1]

    def runs_after(self, line: int, other: int) -> bool | None:
        """Whether one line runs after another while the class is built; None if that is not seen.

        What a method does, which the constructor calls, happens where it is called.
        """
        one, two = self._moment(line), self._moment(other)
        return one > two if one and two else None

    def _moment(self, line: int) -> tuple[int, ...]:
        """The lines that lead from the constructor to one; empty where that is not one way."""
        found = [line]
        while True:
            methods = [method for method in self.cls.cls.methods if method.line <= found[0]]
            method = max(methods, key=lambda method: method.line, default=None)
            if method is None or len(found) > len(self.cls.cls.methods):
                return ()
            if method is self.constructor:
                return tuple(found)
            calls = [call for _, call in self._calls_of(method)]
            if len(calls) != 1:
                return ()
            found.insert(0, calls[0].line)

    def surely_runs(self, method: Function, depth: int = 0) -> bool:
        """Whether a method runs in any case while the class is built."""
        return method is self.constructor or (
            depth < len(self.cls.cls.methods)
            and any(
                not any(first <= call.line <= last for first, last, _ in caller.guards)
                and self.surely_runs(caller, depth + 1)
                for caller, call in self._calls_of(method)
            )
        )

    def _calls_of(self, method: Function) -> Iterator[tuple[Function, Call]]:
        """Where methods that run during construction call another by its name."""
        for caller in self.cls.cls.methods:
            for call in caller.layer_calls if caller.name in self.constructing else ():
                if call.callee == SelfRead((method.name,)):
                    yield caller, call


def _constructor(cls: ModuleClass) -> Function | None:
    found = (cls.cls.method(name) for name in reversed(CONSTRUCTORS))
    return next((method for method in found if method is not None), None)
