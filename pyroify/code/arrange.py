"""Where declarations stand among those that are there already."""

from __future__ import annotations

from collections.abc import Container, Sequence

from pyroify.code.statements import Block, Declare, Statement


def arranged(wanted: Sequence[Statement], present: Sequence[Statement]) -> Block:
    """The ``wanted`` statements in the order of those ``present``, where order says nothing."""
    order = {_target(statement): position for position, statement in enumerate(present)}
    targets = [_target(statement) for statement in wanted]
    if "" in targets or "" in order:
        return tuple(wanted)
    places = [order.get(target, len(order)) for target in targets]
    return tuple(wanted[i] for i in sorted(range(len(wanted)), key=places.__getitem__))


def kept_within(
    wanted: Sequence[Statement], present: Sequence[Statement], theirs: Container[Statement]
) -> Block:
    """The ``wanted`` statements with those ``present`` that are ``theirs``, where these stood.

    What is declared one by one gives way to another declaration of the same.
    """
    made = [*wanted]
    targets = {target for statement in wanted if (target := _target(statement))}
    position = 0
    for statement in present:
        if statement in made:
            position = made.index(statement) + 1
        elif statement in theirs and _target(statement) not in targets:
            made.insert(position, statement)
            position += 1
    return tuple(made)


def _target(statement: Statement) -> str:
    """What one statement declares; empty for any other statement."""
    return statement.target if isinstance(statement, Declare) else ""
