"""Edits of code that reads random attributes, so that it means what it meant before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from pyroify.code.names import ANCHOR, FileNames
from pyroify.decide.model import Edit
from pyroify.dispatch import needs
from pyroify.edits import kinds
from pyroify.program.summary import ClassSummary
from pyroify.syntax.facts import Class, File, Function, Observation, Plate, Use
from pyroify.syntax.liftings import KINDS

OBSERVED = tuple(
    (Observation, kind) for kind in ("anchor", "members", "parameters_dict", "transposed")
)
DECORATED = ((Function, "functools.cached_property"), (Function, "torch.jit.export"))


@needs(Plate, *OBSERVED, (Use, "data"), *DECORATED)
def read_edits(
    summary: ClassSummary, random: frozenset[str], own: frozenset[str], by_hand: frozenset[str]
) -> Iterator[Edit]:
    """Edits of the methods of a class; ``own`` are the random ones among its own parameters.

    What the user has made random ``by_hand`` is read as it was.
    """
    building = summary.calls.building
    for method in summary.cls.cls.methods:
        yield from _slices(summary, method, random)
        yield from _transposed(summary, method, random | by_hand)
        if method.name in building:
            continue
        yield from _observed(method, random)
        yield from _data_reads(method, random, own)
        yield from _decorators(method, random)
        for plate in method.plates:
            if edit := hoisted(method, plate, random, own, by_hand):
                yield edit


def _slices(summary: ClassSummary, method: Function, random: frozenset[str]) -> Iterator[Edit]:
    """Where a slice would be a new root, its members are taken from a list instead."""
    for seen in method.observations:
        if seen.kind != "members" or (seen.detail and seen.detail not in random):
            continue
        if summary.loses_names_in_slices(seen.detail):
            new = f"list({seen.source})"
            yield kinds.Expressions(seen.line, seen.column, seen.source, new)


def _transposed(summary: ClassSummary, method: Function, random: frozenset[str]) -> Iterator[Edit]:
    """Pyro's store keeps a contiguous copy of a parameter, and would train that one."""
    kept = {
        made.line
        for parameter in summary.all_parameters
        if parameter.name not in random
        for made in parameter.made
    }
    for seen in method.observations:
        if seen.kind == "transposed" and seen.line in kept:
            new = f"{seen.source}.contiguous()"
            yield kinds.Expressions(seen.line, seen.column, seen.source, new)


@needs((Observation, "anchor"), (Use, ANCHOR), nothing=False)
def needs_anchor(summary: ClassSummary) -> bool:
    """Whether a method asks the first parameter for its device: there may be none left."""
    return any(
        any(seen.kind == "anchor" for seen in method.observations)
        or any(use.path[0] == ANCHOR for use in method.uses)
        for method in summary.cls.cls.methods
    )


def _observed(method: Function, random: frozenset[str]) -> Iterator[Edit]:
    for seen in method.observations:
        if seen.kind == "anchor":
            new = f"self.{ANCHOR}"
        elif seen.kind == "parameters_dict" and seen.detail in random:
            new = f"self.{seen.detail}"
        else:
            continue
        yield kinds.Expressions(seen.line, seen.column, seen.source, new)


def _data_reads(method: Function, random: frozenset[str], own: frozenset[str]) -> Iterator[Edit]:
    """``self.weight.data`` cuts the gradient of the guide; the draw itself is read."""
    for use in method.uses:
        if use.how != "read" or use.path[-1] != "data" or use.path[0] not in random:
            continue
        if len(use.path) == 2 and use.path[0] not in own:
            continue
        source = ".".join(("self", *use.path))
        yield kinds.Expressions(use.line, use.column, source, source.removesuffix(".data"))


def _decorators(method: Function, random: frozenset[str]) -> Iterator[Edit]:
    for position, name in enumerate(method.decorators):
        reads = any(use.path[0] in random for use in method.uses)
        if name == "functools.cached_property" and reads:
            yield kinds.Decorators(method.line, method.column, position, "property")
        elif name == "torch.jit.export" and reads:
            yield kinds.Decorators(method.line, method.column, position, "")


def movable(method: Function, plate: Plate, by_hand: frozenset[str]) -> tuple[tuple[int, int], ...]:
    """The lines of the first statements in a plate that may as well stand above it.

    What reads the user's own latents stays: these may be local to the plate on purpose.
    """
    inside = [use for use in method.uses if use.plate == (plate.line, plate.column)]
    drawn = [use.line for use in inside if use.path[0] in by_hand]
    reads = [any(first <= line <= last for line in drawn) for first, last in plate.movable]
    return plate.movable[: reads.index(True)] if True in reads else plate.movable


def hoisted(
    method: Function,
    plate: Plate,
    random: frozenset[str],
    own: frozenset[str],
    by_hand: frozenset[str] = frozenset(),
) -> Edit | None:
    """What is read first inside a plate, read before it."""
    free = movable(method, plate, by_hand)
    inside = [use for use in late_reads(method, plate, random)]
    children = [use for use in inside if use.path[0] not in own]
    leading = 0
    for use in children:
        position = next(
            (i for i, (first, last) in enumerate(free, 1) if first <= use.line <= last), 0
        )
        leading = max(leading, position)
    last_moved = free[leading - 1][1] if leading else 0
    reads = []
    for use in inside:
        name = use.path[0]
        if name in own and use.line > last_moved:
            local = name if name not in method.names else f"{name}_value"
            if (f"self.{name}", local) not in reads:
                reads.append((f"self.{name}", local))
    if not leading and not reads:
        return None
    return kinds.Plates(plate.line, plate.column, leading, tuple(reads))


def late_reads(method: Function, plate: Plate, random: frozenset[str]) -> tuple[Use, ...]:
    """Uses of random attributes that come first inside the plate."""
    before = {
        use.path[0]
        for use in method.uses
        if use.line < plate.line and use.plate is None and use.path[0] in random
        if use.within not in KINDS  # to register a module draws nothing
    }
    return tuple(
        use
        for use in method.uses
        if use.plate == (plate.line, plate.column)
        and use.path[0] in random
        and use.path[0] not in before
        and use.how in ("read", "call")
    )


def type_test_edits(
    file: File, refused: Sequence[Class], derived: Set[str], names: FileNames
) -> Iterator[Edit]:
    """``type(m) is nn.Linear`` is no longer true of a layer that became a PyroModule.

    Classes that are ``refused`` keep their layers as they are, and their tests too. Layers that
    classes of the project are ``derived`` from are told from these as before.
    """
    for test in file.type_tests:
        if any(cls.line <= test.line <= cls.end_line for cls in refused):
            continue
        layers = [spelling for spelling, _ in test.layers]
        if derived.isdisjoint(name for _, name in test.layers):
            wanted = f"({', '.join(layers)})" if len(layers) > 1 else layers[0]
            new = f"{'not ' if test.negated else ''}isinstance({test.module}, {wanted})"
        else:
            pyro = names.say("PyroModule")
            every = ", ".join([*layers, *(f"{pyro}[{layer}]" for layer in layers)])
            new = f"type({test.module}) {'not in' if test.negated else 'in'} ({every})"
        yield kinds.Expressions(test.line, test.column, test.source, new)
