"""Weights that two modules share: one latent, read under both names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyroify.index.facts import Parameter, SelfRead
from pyroify.plan.names import FileNames
from pyroify.plan.structure import Leaf, walk
from pyroify.plan.study import Study

TIED_TO = '''\
class TiedTo:
    """A prior that reads the parameter of another module, so that both share one latent."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, _):
        return getattr(self.module, self.name)
'''


@dataclass(frozen=True, slots=True)
class Tie:
    """``self.<left> = self.<right>`` between two parameters, as dotted paths."""

    left: str
    right: str
    line: int
    column: int


def find_ties(study: Study) -> tuple[Tie, ...]:
    """Ties made during construction between parameters the source shows."""
    found = []
    layers = {
        attribute.name
        for attribute in study.everything
        if any(isinstance(item, Leaf) for item in walk(attribute.node))
    }
    own = {parameter.name for parameter in study.all_parameters}
    for method in study.cls.cls.methods:
        for item in method.assignments:
            if not isinstance(item.value, SelfRead) or item.how not in ("assign", "chain"):
                continue
            left, right = item.path, item.value.path
            if len(left) >= 2 and (len(right) >= 2 or right[0] in own):
                if left[0] in layers or right[0] in layers or right[0] in own:
                    found.append(Tie(".".join(left), ".".join(right), item.line, item.column))
        chained = [item for item in method.assignments if item.how == "chain"]
        for first, second in zip(chained, chained[1:]):
            same = (first.value_line, first.value_column) == (second.value_line, second.value_column)
            if same and isinstance(first.value, Parameter):
                found.append(Tie(second.path[0], first.path[0], second.line, second.column))
    return tuple(found)


def tie_statements(ties: Iterable[Tie], names: FileNames, random: frozenset[str]) -> list[str]:
    """Statements that make the left side read the right one."""
    statements = []
    for tie in ties:
        if tie.right.partition(".")[0] not in random:
            continue
        owner, _, name = f"self.{tie.right}".rpartition(".")
        names.use("PyroSample")
        names.define("TiedTo", TIED_TO)
        sample = names.local("PyroSample")
        statements.append(f'self.{tie.left} = {sample}(TiedTo({owner}, "{name}"))')
    return statements
