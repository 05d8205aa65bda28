"""A prior of old Pyro code as the spec would have it, and as a declaration."""

from __future__ import annotations

import ast
import re

from pyroify.catalog.distributions import DISTRIBUTIONS
from pyroify.code.names import FileNames
from pyroify.code.statements import Draw
from pyroify.code.write import write_draw
from pyroify.spec.check import bind, check_distribution
from pyroify.spec.expressions import Call, ExpressionError, parse_expression, static_value, to_text
from pyroify.spec.literals import value_range
from pyroify.spec.model import Sample
from pyroify.spec.render import Place, render_sample
from pyroify.syntax.facts import OldPrior

LIKE = re.compile(r"_like\(([^,()]+)")


def as_spec(prior: OldPrior) -> Call | None:
    """``Normal(0, 2)`` for ``dist.Normal(torch.zeros_like(w), 2 * torch.ones_like(w))``.

    None where an argument does not hold one number throughout, or the spec would not take it.
    """
    distribution = DISTRIBUTIONS.get(prior.distribution)
    numbers = [(keyword, _number(source)) for keyword, source in prior.arguments]
    if distribution is None or distribution.event_dim or any(not number for _, number in numbers):
        return None
    arguments = [f"{keyword}={number}" if keyword else number for keyword, number in numbers]
    try:
        call = parse_expression(f"{prior.distribution}({', '.join(arguments)})")
    except ExpressionError:
        return None
    assert isinstance(call, Call)
    faults = [fault for fault in check_distribution(call) if not fault.is_warning]
    return None if faults else call


def _number(source: str) -> str:
    """The one number an expression holds, ``""`` where there are several or none is known."""
    values = value_range(source)
    if values is None or values[0] != values[1]:
        return ""
    return repr(values[0]).removesuffix(".0")


def is_same(one: Call, other: Call) -> bool:
    """Whether two priors are the same distribution, however written."""
    if one.name != other.name:
        return False
    first, second = (bind(DISTRIBUTIONS[one.name], call) for call in (one, other))
    if first.keys() != second.keys():
        return False
    values = [(static_value(first[key]), static_value(second[key])) for key in first]
    return all(left is not None and left == right for left, right in values)


def spec_rule(name: str, path: str, call: Call) -> str:
    """The rule that gives a parameter of class ``name`` this prior."""
    return f'{{match: "{name}.{path}", sample: "{to_text(call)}"}}'


def write_distribution(prior: OldPrior, call: Call, target: str, names: FileNames) -> str:
    """The distribution of ``target``, all of it one event. Raises RenderError.

    Tensors like the parameter stay in the words of the script: they are where the parameter is.
    """
    known = {local for local, _ in names.file.imports} | {target.partition(".")[0]}
    if (own := _own_words(prior, target)) and free_names(own) <= known:
        return f"{own}.to_event()"
    spelling = names.spelling()
    made = render_sample(Sample(call), Place(target, target.rpartition(".")[0]), spelling).prior
    assert isinstance(made, Draw)
    source = write_draw(made, spelling, prior.callee)
    names.use(*spelling.used)
    return source


def free_names(source: str) -> frozenset[str]:
    """The names that ``source``, words of a file, takes from its surroundings."""
    tree = ast.parse(source)
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return frozenset(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in own
    )


def _own_words(prior: OldPrior, target: str) -> str:
    """The distribution as written, if its tensors are like the parameter; else ``""``."""
    like = {name for _, source in prior.arguments for name in LIKE.findall(source)}
    if not prior.callee or like != {prior.target}:
        return ""
    arguments = [f"{key}={source}" if key else source for key, source in prior.arguments]
    written = f"{prior.callee}({', '.join(arguments)})"
    return written.replace(f"_like({prior.target}", f"_like({target}")
