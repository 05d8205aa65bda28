"""Weights that two modules share: one latent, read under both names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from pyroify.index.facts import Assignment, Function, Parameter, SelfRead
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
    condition: str | None = ""
    """Source that says whether it is made; None where only comparing the two tells."""


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
            if len(left) == 1 and len(right) == 1 and right[0] in own:
                found.append(
                    Tie(left[0], right[0], item.line, item.column, condition(method, item))
                )
            if len(left) >= 2 and (len(right) >= 2 or right[0] in own):
                if left[0] in layers or right[0] in layers or right[0] in own:
                    test = condition(method, item)
                    found.append(Tie(".".join(left), ".".join(right), item.line, item.column, test))
        chained = [item for item in method.assignments if item.how == "chain"]
        for first, second in pairwise(chained):
            same = (first.value_line, first.value_column) == (
                second.value_line,
                second.value_column,
            )
            if same and isinstance(first.value, Parameter):
                found.append(Tie(second.path[0], first.path[0], second.line, second.column))
    return tuple(found)


def condition(method: Function, item: Assignment) -> str | None:
    """The test under which an assignment is made: empty for none, None where it is not one test."""
    deciding = [branch for branch in item.branches if branch[0] != "with"]
    if not deciding:
        return ""
    tests = dict(method.conditions)
    kind, line, arm = deciding[0]
    if len(deciding) > 1 or kind != "if" or line not in tests:
        return None
    return f"not ({tests[line]})" if arm else tests[line]


def tie_statements(
    ties: Iterable[Tie], names: FileNames, random: frozenset[str]
) -> tuple[list[str], list[str]]:
    """Statements before the declarations, and after them, that make the left side read the right.

    Where the source does not show whether the tie is made, the two are compared before either is
    declared.
    """
    before: list[str] = []
    statements: list[str] = []
    for tie in ties:
        if tie.right.partition(".")[0] not in random:
            continue
        owner, _, name = f"self.{tie.right}".rpartition(".")
        names.use("PyroSample")
        names.define("TiedTo", TIED_TO)
        sample = names.local("PyroSample")
        statement = f'self.{tie.left} = {sample}(TiedTo({owner}, "{name}"))'
        test = tie.condition
        if test is None:
            test = f"tied_{len(before)}" if before else "tied"
            before.append(f"{test} = self.{tie.left} is self.{tie.right}")
        statements.append(f"if {test}:\n    {statement}" if test else statement)
    return before, statements
